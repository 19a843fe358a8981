// ggml's blocks of 256 elements, whose groups have scales of 4, 6 or 8 bits
// under one or two float16, d and m, for the block. What a group's scale comes
// to, d times an integer, has up to 19 bits: float32 holds it, and so ours do.
// Codes of an offset scheme are code * (d * s) - m * t, the others
// code * (d * s).
//
//   Q2_K   16 groups; s and t are the halves of 16 bytes; 64 bytes of pairs;
//          d, m. Pair n of byte l of each half (32 bytes) is element 32 n + l
//          of its 128
//   Q3_K   16 groups; 32 bytes of high bits; 64 bytes of pairs as Q2_K's; 12
//          bytes of s + 32; d. Bit 4 h + n of byte l is the high bit of element
//          128 h + 32 n + l, whose code is less by 4 where it is 0
//   Q4_K   8 groups; d, m; 12 bytes of s and t; 128 bytes. 32 bytes are 64
//          elements, of the low halves and then of the high ones
//   Q5_K   8 groups; d, m; 12 bytes; 32 bytes of high bits; 128 bytes as
//          Q4_K's. Bit n of byte l is the high bit of element 32 n + l
//   Q6_K   16 groups; 128 bytes of low halves; 64 of high pairs; 16 s of 8
//          bits; d. Of each half, 128 elements: the low halves of 64 bytes and
//          then their high ones; pair n of byte l is element 32 n + l's
//   Q8_K   d as float32; 256 x i8; 16 sums
//   IQ4_XS 8 groups; d; 8 pairs, the high bits of s + 32; 8 nibbles, the low
//          ones; 8 times 16 bytes of nibbles, as IQ4_NL's
#include "core/interchange/ggml_blocks.h"

#include <cstring>

#include "core/base/half.h"
#include "core/io/endian.h"

namespace bnq {

// The table of IQ4_NL and IQ4_XS, whose entries are integers.
const float kIq4Values[16] = {
    -127 / kIq4ScaleFactor, -104 / kIq4ScaleFactor, -83 / kIq4ScaleFactor,
    -65 / kIq4ScaleFactor,  -49 / kIq4ScaleFactor,  -35 / kIq4ScaleFactor,
    -22 / kIq4ScaleFactor,  -10 / kIq4ScaleFactor,  1 / kIq4ScaleFactor,
    13 / kIq4ScaleFactor,   25 / kIq4ScaleFactor,   38 / kIq4ScaleFactor,
    53 / kIq4ScaleFactor,   69 / kIq4ScaleFactor,   89 / kIq4ScaleFactor,
    113 / kIq4ScaleFactor};

namespace {

float HalfAt(const uint8_t* p) { return F32FromF16(LoadLE<uint16_t>(p)); }

// Pairs of 64 bytes, 32 of them for each half of the block.
void SpreadPairs(const uint8_t* __restrict bytes, uint8_t* __restrict stored) {
  for (int h = 0; h < 2; ++h) {
    for (int n = 0; n < 4; ++n) {
      for (int l = 0; l < 32; ++l) {
        stored[128 * h + 32 * n + l] =
            static_cast<uint8_t>(bytes[32 * h + l] >> (2 * n) & 3);
      }
    }
  }
}
// Nibbles of 4 times 32 bytes.
void SpreadNibbles(const uint8_t* __restrict bytes,
                   uint8_t* __restrict stored) {
  for (int g = 0; g < 4; ++g) {
    for (int l = 0; l < 32; ++l) {
      stored[64 * g + l] = bytes[32 * g + l] & 0x0F;
      stored[64 * g + 32 + l] = static_cast<uint8_t>(bytes[32 * g + l] >> 4);
    }
  }
}

void SpreadQ2K(const uint8_t* __restrict block, uint8_t* __restrict stored) {
  SpreadPairs(block + 16, stored);
}
void ParamsQ2K(const uint8_t* block, float* scales, float* offsets) {
  const float d = HalfAt(block + 80), m = HalfAt(block + 82);
  for (int g = 0; g < 16; ++g) {
    scales[g] = d * static_cast<float>(block[g] & 0x0F);
    offsets[g] = -(m * static_cast<float>(block[g] >> 4));
  }
}

void SpreadQ3K(const uint8_t* __restrict block, uint8_t* __restrict stored) {
  SpreadPairs(block + 32, stored);
  for (int n = 0; n < 8; ++n) {
    for (int l = 0; l < 32; ++l) {
      stored[32 * n + l] =
          static_cast<uint8_t>(stored[32 * n + l] | (block[l] >> n & 1) << 2);
    }
  }
}
void ParamsQ3K(const uint8_t* block, float* scales, float* /*offsets*/) {
  const float d = HalfAt(block + 108);
  const uint8_t* const s = block + 96;
  for (int g = 0; g < 16; ++g) {
    // Low halves in the first 8 bytes, high pairs in the last 4.
    const int low = s[g % 8] >> (g < 8 ? 0 : 4) & 0x0F;
    const int high = s[8 + g % 4] >> (g / 4 * 2) & 3;
    scales[g] = d * static_cast<float>((low | high << 4) - 32);
  }
}

// s and t of 8 groups, 6 bits each, in 12 bytes.
void ParamsOfSix(const uint8_t* block, float* scales, float* offsets) {
  const float d = HalfAt(block), m = HalfAt(block + 2);
  const uint8_t* const q = block + 4;
  for (int g = 0; g < 8; ++g) {
    const int s = g < 4 ? q[g] & 63 : (q[g + 4] & 0x0F) | (q[g - 4] >> 6) << 4;
    const int t = g < 4 ? q[g + 4] & 63 : q[g + 4] >> 4 | (q[g] >> 6) << 4;
    scales[g] = d * static_cast<float>(s);
    offsets[g] = -(m * static_cast<float>(t));
  }
}
void SpreadQ4K(const uint8_t* __restrict block, uint8_t* __restrict stored) {
  SpreadNibbles(block + 16, stored);
}
void SpreadQ5K(const uint8_t* __restrict block, uint8_t* __restrict stored) {
  SpreadNibbles(block + 48, stored);
  for (int n = 0; n < 8; ++n) {
    for (int l = 0; l < 32; ++l) {
      stored[32 * n + l] = static_cast<uint8_t>(stored[32 * n + l] |
                                                (block[16 + l] >> n & 1) << 4);
    }
  }
}

void SpreadQ6K(const uint8_t* __restrict block, uint8_t* __restrict stored) {
  for (int h = 0; h < 2; ++h) {
    for (int n = 0; n < 2; ++n) {
      const uint8_t* const low = block + 64 * h + 32 * n;
      const uint8_t* const high = block + 128 + 32 * h;
      uint8_t* const to = stored + 128 * h + 32 * n;
      for (int l = 0; l < 32; ++l) {
        const int a = high[l] >> (2 * n) & 3, b = high[l] >> (2 * n + 4) & 3;
        to[l] = static_cast<uint8_t>((low[l] & 0x0F) | a << 4);
        to[64 + l] = static_cast<uint8_t>(low[l] >> 4 | b << 4);
      }
    }
  }
}
void ParamsQ6K(const uint8_t* block, float* scales, float* /*offsets*/) {
  const float d = HalfAt(block + 208);
  for (int g = 0; g < 16; ++g) {
    scales[g] = d * static_cast<float>(static_cast<int8_t>(block[192 + g]));
  }
}

void SpreadQ8K(const uint8_t* __restrict block, uint8_t* __restrict stored) {
  std::memcpy(stored, block + 4, 256);
}
void ParamsQ8K(const uint8_t* block, float* scales, float* /*offsets*/) {
  scales[0] = F32OfBits(LoadLE<uint32_t>(block));
}

void SpreadIq4Xs(const uint8_t* __restrict block, uint8_t* __restrict stored) {
  for (int g = 0; g < 8; ++g) {
    for (int j = 0; j < 16; ++j) {
      const uint8_t byte = block[8 + 16 * g + j];
      stored[32 * g + j] = byte & 0x0F;
      stored[32 * g + 16 + j] = static_cast<uint8_t>(byte >> 4);
    }
  }
}
void ParamsIq4Xs(const uint8_t* block, float* scales, float* /*offsets*/) {
  const float d = HalfAt(block);
  const unsigned high = LoadLE<uint16_t>(block + 2);
  for (int g = 0; g < 8; ++g) {
    const int low = block[4 + g / 2] >> (g % 2 * 4) & 0x0F;
    const int s = (low | static_cast<int>(high >> (2 * g) & 3) << 4) - 32;
    scales[g] = kIq4ScaleFactor * (d * static_cast<float>(s));
  }
}

constexpr GgmlField kNone;

}  // namespace

const GgmlCodec kGgmlKCodecs[kNumGgmlKCodecs] = {
    {GgmlType::kQ2_K, "format=int2,group_size=16,scheme=offset", kNone, kNone,
     SpreadEach<SpreadQ2K, 84, 256>, nullptr, nullptr, nullptr, ParamsQ2K},
    {GgmlType::kQ3_K, "format=int3,group_size=16,symmetric_range=extreme",
     kNone, kNone, SpreadEach<SpreadQ3K, 110, 256>, nullptr, nullptr, nullptr,
     ParamsQ3K},
    {GgmlType::kQ4_K, "format=int4,group_size=32,scheme=offset", kNone, kNone,
     SpreadEach<SpreadQ4K, 144, 256>, nullptr, nullptr, nullptr, ParamsOfSix},
    {GgmlType::kQ5_K, "format=int5,group_size=32,scheme=offset", kNone, kNone,
     SpreadEach<SpreadQ5K, 176, 256>, nullptr, nullptr, nullptr, ParamsOfSix},
    {GgmlType::kQ6_K, "format=int6,group_size=16,symmetric_range=extreme",
     kNone, kNone, SpreadEach<SpreadQ6K, 210, 256>, nullptr, nullptr, nullptr,
     ParamsQ6K},
    {GgmlType::kQ8_K, "format=int8,group_size=256,symmetric_range=full", kNone,
     kNone, SpreadEach<SpreadQ8K, 292, 256>, nullptr, nullptr, nullptr,
     ParamsQ8K},
    {GgmlType::kIQ4_XS, "format=codebook4,group_size=32", kNone, kNone,
     SpreadEach<SpreadIq4Xs, 136, 256>, nullptr, nullptr, nullptr, ParamsIq4Xs},
};

}  // namespace bnq
