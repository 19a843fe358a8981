// The blocks of ggml's types, byte for byte. "d" and "m" are float16; n(x) is
// the nibble pair of bytes x: the low half of byte j is element j's, the high
// half element j + 16's.
//
//   Q8_0  d, i8 x 32                      code * d
//   Q8_1  d, the sum of all, i8 x 32      code * d
//   Q4_0  d, n(16 bytes)                  (nibble - 8) * d
//   Q4_1  d, m, n(16)                     nibble * d + m
//   Q5_0  d, 32 bits, n(16)               (nibble + 16 * bit - 16) * d
//   Q5_1  d, m, 32 bits, n(16)            (nibble + 16 * bit) * d + m
//   Q1_0  d, 128 bits, lowest first       bit ? d : -d
//   Q2_0  d, 64 pairs, lowest first       (pair - 1) * d
//   TQ2_0 64 bytes, d                     (pair - 1) * d; pair n of byte m of
//         each half is element m + 32 n of its 128
//   TQ1_0 48 bytes, 4 bytes, d            base 3 digits, most significant
//         first, of v * 243 / 256: digit n of the first 32 bytes is element
//         m + 32 n; of the next 16, 160 + m + 16 n; of the last 4,
//         240 + m + 4 n
//   MXFP4 e8m0, n(16)                     e2m1 * 2^(e - 127)
//   NVFP4 e4m3 x 4, 4 times n(8 bytes)    e2m1 * scale; the high half is
//         element j + 8's; the sign bit of the scale is not looked at
//   IQ4_NL d, n(16)                       a table's entry * d
#include "core/interchange/ggml_blocks.h"

#include <cstring>

#include "core/base/half.h"
#include "core/io/endian.h"

namespace bnq {
namespace {

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
constexpr bool kBigEndian = true;
#else
constexpr bool kBigEndian = false;
#endif

// Eight bytes, the first one lowest.
uint64_t LoadEight(const uint8_t* bytes) {
  uint64_t word;
  std::memcpy(&word, bytes, sizeof word);
  return kBigEndian ? LoadLE<uint64_t>(bytes) : word;
}
void StoreEight(uint64_t word, uint8_t* bytes) {
  if (kBigEndian) {
    StoreLE<uint64_t>(word, bytes);
  } else {
    std::memcpy(bytes, &word, sizeof word);
  }
}

// ---- 8 bits ----

template <uint32_t kAt, uint32_t kBlock>
void UnpackBytes(const uint8_t* blocks, uint64_t count, uint8_t* packed) {
  for (uint64_t i = 0; i < count; ++i) {
    std::memcpy(packed + 32 * i, blocks + kBlock * i + kAt, 32);
  }
}
void PackQ8_0(const uint8_t* packed, uint64_t count, uint8_t* blocks) {
  for (uint64_t i = 0; i < count; ++i) {
    std::memcpy(blocks + 34 * i + 2, packed + 32 * i, 32);
  }
}
// From codes that are not our int8's, and so are in order of their bias.
template <uint32_t kAt>
void SpreadBytes(const uint8_t* block, uint8_t* stored) {
  std::memcpy(stored, block + kAt, 32);
}
void GatherQ8_0(const uint8_t* stored, uint8_t* block) {
  std::memcpy(block + 2, stored, 32);
}

// ---- Nibbles ----

// kHalf bytes and twice as many stored codes.
template <int kHalf>
void SpreadNibbles(const uint8_t* __restrict nibbles,
                   uint8_t* __restrict stored) {
  for (int j = 0; j < kHalf; ++j) {
    stored[j] = nibbles[j] & 0x0F;
    stored[j + kHalf] = static_cast<uint8_t>(nibbles[j] >> 4);
  }
}
template <int kHalf>
void GatherNibbles(const uint8_t* __restrict stored,
                   uint8_t* __restrict nibbles) {
  for (int j = 0; j < kHalf; ++j) {
    nibbles[j] =
        static_cast<uint8_t>((stored[j] & 0x0F) | (stored[j + kHalf] << 4));
  }
}

template <uint32_t kAt>
void SpreadHalves(const uint8_t* block, uint8_t* stored) {
  SpreadNibbles<16>(block + kAt, stored);
}
template <uint32_t kAt>
void GatherHalves(const uint8_t* stored, uint8_t* block) {
  GatherNibbles<16>(stored, block + kAt);
}

// NVFP4: 4 times 8 bytes.
constexpr uint64_t kLowNibbles = 0x0F0F0F0F0F0F0F0Fu;
void SpreadNvfp4(const uint8_t* block, uint8_t* stored) {
  for (int s = 0; s < 4; ++s) {
    const uint64_t pairs = LoadEight(block + 4 + 8 * s);
    StoreEight(pairs & kLowNibbles, stored + 16 * s);
    StoreEight(pairs >> 4 & kLowNibbles, stored + 16 * s + 8);
  }
}
void GatherNvfp4(const uint8_t* stored, uint8_t* block) {
  for (int s = 0; s < 4; ++s) {
    const uint64_t low = LoadEight(stored + 16 * s) & kLowNibbles;
    const uint64_t high = LoadEight(stored + 16 * s + 8) & kLowNibbles;
    StoreEight(low | high << 4, block + 4 + 8 * s);
  }
}

// ---- 5 bits: nibbles and a bit each ----

// Bit 4 of stored codes, eight to a byte.
void SpreadBits(const uint8_t* bits, uint8_t* stored) {
  for (int g = 0; g < 4; ++g) {
    // Bit i in byte i, which carries into bit 7 of its byte.
    const uint64_t apart = bits[g] * 0x0101010101010101u & 0x8040201008040201u;
    const uint64_t set = (apart + 0x7F7F7F7F7F7F7F7Fu) & 0x8080808080808080u;
    StoreEight(LoadEight(stored + 8 * g) | set >> 3, stored + 8 * g);
  }
}
void GatherBits(const uint8_t* stored, uint8_t* bits) {
  for (int g = 0; g < 4; ++g) {
    // Byte i times 2^(56 - 7 i) is bit i of the highest byte.
    const uint64_t ones = LoadEight(stored + 8 * g) >> 4 & 0x0101010101010101u;
    bits[g] = static_cast<uint8_t>(ones * 0x0102040810204080u >> 56);
  }
}
template <uint32_t kAt>
void SpreadFive(const uint8_t* block, uint8_t* stored) {
  SpreadNibbles<16>(block + kAt + 4, stored);
  SpreadBits(block + kAt, stored);
}
template <uint32_t kAt>
void GatherFive(const uint8_t* stored, uint8_t* block) {
  GatherBits(stored, block + kAt);
  GatherNibbles<16>(stored, block + kAt + 4);
}

// ---- Bits and pairs in their order, as ours are ----

template <int kCodes, int kBits>
void SpreadInOrder(const uint8_t* block, uint8_t* stored) {
  for (int j = 0; j < kCodes; ++j) {
    const int bit = j * kBits;
    stored[j] = static_cast<uint8_t>(block[2 + bit / 8] >> bit % 8 &
                                     ((1 << kBits) - 1));
  }
}
template <int kCodes, int kBits>
void GatherInOrder(const uint8_t* stored, uint8_t* block) {
  std::memset(block + 2, 0, kCodes * kBits / 8);
  for (int j = 0; j < kCodes; ++j) {
    const int bit = j * kBits;
    uint8_t& byte = block[2 + bit / 8];
    byte = static_cast<uint8_t>(byte | stored[j] << bit % 8);
  }
}
void UnpackSixteen(const uint8_t* blocks, uint64_t count, uint8_t* packed) {
  for (uint64_t i = 0; i < count; ++i) {
    std::memcpy(packed + 16 * i, blocks + 18 * i + 2, 16);
  }
}
void PackSixteen(const uint8_t* packed, uint64_t count, uint8_t* blocks) {
  for (uint64_t i = 0; i < count; ++i) {
    std::memcpy(blocks + 18 * i + 2, packed + 16 * i, 16);
  }
}

// ---- Ternary ----

// Pairs of kBytes bytes: pair n of byte m, counted from the bit kFirst and by
// kStep from there, is element m + kBytes * n.
template <int kBytes, int kFirst, int kStep>
void SpreadPlanes(const uint8_t* __restrict bytes, uint8_t* __restrict stored) {
  for (int n = 0; n < 4; ++n) {
    for (int m = 0; m < kBytes; ++m) {
      stored[kBytes * n + m] =
          static_cast<uint8_t>(bytes[m] >> (kFirst + kStep * n) & 3);
    }
  }
}
template <int kBytes, int kFirst, int kStep>
void GatherPlanes(const uint8_t* __restrict stored, uint8_t* __restrict bytes) {
  for (int m = 0; m < kBytes; ++m) {
    unsigned byte = 0;
    for (int n = 0; n < 4; ++n) {
      byte |= unsigned{stored[kBytes * n + m]} << (kFirst + kStep * n);
    }
    bytes[m] = static_cast<uint8_t>(byte);
  }
}
void SpreadTq2_0(const uint8_t* block, uint8_t* stored) {
  SpreadPlanes<32, 0, 2>(block, stored);
  SpreadPlanes<32, 0, 2>(block + 32, stored + 128);
}
void GatherTq2_0(const uint8_t* stored, uint8_t* block) {
  GatherPlanes<32, 0, 2>(stored, block);
  GatherPlanes<32, 0, 2>(stored + 128, block + 32);
}

// kDigits of each of kBytes bytes: digit n of byte m is element m + kBytes n.
template <int kBytes, int kDigits>
void SpreadDigits(const uint8_t* __restrict bytes, uint8_t* __restrict stored) {
  constexpr uint8_t kPowers[] = {1, 3, 9, 27, 81};
  for (int n = 0; n < kDigits; ++n) {
    for (int m = 0; m < kBytes; ++m) {
      const uint8_t rest = static_cast<uint8_t>(bytes[m] * kPowers[n]);
      stored[kBytes * n + m] = static_cast<uint8_t>(rest * 3 >> 8);
    }
  }
}
template <int kBytes, int kDigits>
void GatherDigits(const uint8_t* __restrict stored, uint8_t* __restrict bytes) {
  for (int m = 0; m < kBytes; ++m) {
    unsigned v = 0;
    for (int n = 0; n < 5; ++n) {
      v = 3 * v + (n < kDigits ? stored[kBytes * n + m] : 0u);
    }
    bytes[m] = static_cast<uint8_t>((v * 256 + 242) / 243);
  }
}
void SpreadTq1_0(const uint8_t* block, uint8_t* stored) {
  SpreadDigits<32, 5>(block, stored);
  SpreadDigits<16, 5>(block + 32, stored + 160);
  SpreadDigits<4, 4>(block + 48, stored + 240);
}
void GatherTq1_0(const uint8_t* stored, uint8_t* block) {
  GatherDigits<32, 5>(stored, block);
  GatherDigits<16, 5>(stored + 160, block + 32);
  GatherDigits<4, 4>(stored + 240, block + 48);
}

// ---- IQ4_NL ----

void ParamsIq4Nl(const uint8_t* block, float* scales, float* /*offsets*/) {
  scales[0] = kIq4ScaleFactor * F32FromF16(LoadLE<uint16_t>(block));
}

// ---- I2_S of microsoft/BitNet: the first in the highest bits ----

template <int kBytes>
void SpreadI2S(const uint8_t* block, uint8_t* stored) {
  SpreadPlanes<kBytes, 6, -2>(block, stored);
}

constexpr GgmlField kD = {0, 2}, kM = {2, 2}, kNone;

constexpr GgmlCodec kCodecs[] = {
    {GgmlType::kQ8_0,
     "format=int8,group_size=32,symmetric_range=full,scale_dtype=f16", kD,
     kNone, SpreadEach<SpreadBytes<2>, 34, 32>, GatherEach<GatherQ8_0, 34, 32>,
     UnpackBytes<2, 34>, PackQ8_0, nullptr},
    {GgmlType::kQ8_1,
     "format=int8,group_size=32,symmetric_range=full,scale_dtype=f16", kD,
     kNone, SpreadEach<SpreadBytes<4>, 36, 32>, nullptr, UnpackBytes<4, 36>,
     nullptr, nullptr},
    {GgmlType::kQ4_0,
     "format=int4,group_size=32,symmetric_range=extreme,scale_dtype=f16", kD,
     kNone, SpreadEach<SpreadHalves<2>, 18, 32>,
     GatherEach<GatherHalves<2>, 18, 32>, nullptr, nullptr, nullptr},
    {GgmlType::kQ4_1, "format=int4,group_size=32,scheme=offset,scale_dtype=f16",
     kD, kM, SpreadEach<SpreadHalves<4>, 20, 32>,
     GatherEach<GatherHalves<4>, 20, 32>, nullptr, nullptr, nullptr},
    {GgmlType::kQ5_0,
     "format=int5,group_size=32,symmetric_range=extreme,scale_dtype=f16", kD,
     kNone, SpreadEach<SpreadFive<2>, 22, 32>,
     GatherEach<GatherFive<2>, 22, 32>, nullptr, nullptr, nullptr},
    {GgmlType::kQ5_1, "format=int5,group_size=32,scheme=offset,scale_dtype=f16",
     kD, kM, SpreadEach<SpreadFive<4>, 24, 32>,
     GatherEach<GatherFive<4>, 24, 32>, nullptr, nullptr, nullptr},
    {GgmlType::kQ1_0, "format=binary,group_size=128,scale_dtype=f16", kD, kNone,
     SpreadEach<SpreadInOrder<128, 1>, 18, 128>,
     GatherEach<GatherInOrder<128, 1>, 18, 128>, UnpackSixteen, PackSixteen,
     nullptr},
    {GgmlType::kQ2_0,
     "format=int2,group_size=64,scheme=asymmetric,scale_dtype=f16", kD, kNone,
     SpreadEach<SpreadInOrder<64, 2>, 18, 64>,
     GatherEach<GatherInOrder<64, 2>, 18, 64>, UnpackSixteen, PackSixteen,
     nullptr},
    {GgmlType::kTQ1_0,
     "format=ternary,group_size=256,packing=base3,scale_dtype=f16",
     {52, 2},
     kNone,
     SpreadEach<SpreadTq1_0, 54, 256>,
     GatherEach<GatherTq1_0, 54, 256>,
     nullptr,
     nullptr,
     nullptr},
    {GgmlType::kTQ2_0,
     "format=ternary,group_size=256,scale_dtype=f16",
     {64, 2},
     kNone,
     SpreadEach<SpreadTq2_0, 66, 256>,
     GatherEach<GatherTq2_0, 66, 256>,
     nullptr,
     nullptr,
     nullptr},
    {GgmlType::kMXFP4,
     "format=e2m1,group_size=32,scale_dtype=e8m0",
     {0, 1},
     kNone,
     SpreadEach<SpreadHalves<1>, 17, 32>,
     GatherEach<GatherHalves<1>, 17, 32>,
     nullptr,
     nullptr,
     nullptr},
    {GgmlType::kNVFP4,
     "format=e2m1,group_size=16,scale_dtype=e4m3",
     {0, 4},
     kNone,
     SpreadEach<SpreadNvfp4, 36, 64>,
     GatherEach<GatherNvfp4, 36, 64>,
     nullptr,
     nullptr,
     nullptr},
    {GgmlType::kIQ4_NL, "format=codebook4,group_size=32", kNone, kNone,
     SpreadEach<SpreadHalves<2>, 18, 32>, nullptr, nullptr, nullptr,
     ParamsIq4Nl},
};

}  // namespace

const GgmlCodec kI2SX86 = {GgmlType::kI2_S,
                           "format=ternary,granularity=tensor",
                           kNone,
                           kNone,
                           SpreadEach<SpreadI2S<32>, 32, 128>,
                           nullptr,
                           nullptr,
                           nullptr,
                           nullptr};
const GgmlCodec kI2SArm = {GgmlType::kI2_S,
                           "format=ternary,granularity=tensor",
                           kNone,
                           kNone,
                           SpreadEach<SpreadI2S<16>, 16, 64>,
                           nullptr,
                           nullptr,
                           nullptr,
                           nullptr};

const GgmlCodec* FindGgmlCodec(GgmlType type) {
  for (const GgmlCodec& codec : kCodecs) {
    if (codec.type == type) return &codec;
  }
  for (const GgmlCodec& codec : kGgmlKCodecs) {
    if (codec.type == type) return &codec;
  }
  return nullptr;
}

}  // namespace bnq
