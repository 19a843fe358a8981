// Packings of 1, 3, 5 and 6 bits: eight codes are a little-endian number of as
// many bytes as a code has bits, the first code in the lowest bits. Included
// once per target, by packing.cc.
#if defined(BNQ_CORE_KERNELS_BIT_PACKING_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef BNQ_CORE_KERNELS_BIT_PACKING_INL_H_
#undef BNQ_CORE_KERNELS_BIT_PACKING_INL_H_
#else
#define BNQ_CORE_KERNELS_BIT_PACKING_INL_H_
#endif

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "core/kernels/compat-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace bnq {
namespace HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET == HWY_SCALAR  // has no vectors of bytes

template <size_t kBits>
void PackBits(int8_t* codes, size_t count, int32_t bias, uint8_t* packed) {
  for (size_t i = 0; i < count; i += 8, packed += kBits) {
    uint64_t unit = 0;
    for (size_t k = 0; k < 8; ++k) {
      unit |= static_cast<uint64_t>(codes[i + k] + bias) << (kBits * k);
    }
    for (size_t b = 0; b < kBits; ++b) {
      packed[b] = static_cast<uint8_t>(unit >> (8 * b));
    }
  }
}

template <size_t kBits>
void UnpackBits(const uint8_t* packed, size_t count, int32_t bias,
                int8_t* codes) {
  for (size_t i = 0; i < count; i += 8, packed += kBits) {
    uint64_t unit = 0;
    for (size_t b = 0; b < kBits; ++b) {
      unit |= static_cast<uint64_t>(packed[b]) << (8 * b);
    }
    for (size_t k = 0; k < 8; ++k) {
      const int32_t stored =
          static_cast<int32_t>(unit >> (kBits * k) & ((1u << kBits) - 1));
      codes[i + k] = static_cast<int8_t>(stored - bias);
    }
  }
}

#else

// 64-byte vectors need a shuffle of bytes across the whole vector; elsewhere 16
// bytes are what one reaches.
using DBits = hn::FixedTag<uint8_t, kWideByteShuffle ? 64 : 16>;
constexpr size_t kBitsLanes = hn::MaxLanes(DBits());

// A vector of codes is kBitsLanes / 8 units.
template <size_t kBits>
struct BitTables {
  // Pack: the byte of eight-byte lanes that each byte of the units comes from.
  HWY_ALIGN uint8_t compact[kBitsLanes];
  // Unpack: for each even and odd code a 16-bit window that holds it, and the
  // power of two that moves it to the window's top.
  HWY_ALIGN uint8_t even[kBitsLanes], odd[kBitsLanes];
  HWY_ALIGN uint16_t up_even[kBitsLanes / 2], up_odd[kBitsLanes / 2];
};

template <size_t kBits>
constexpr BitTables<kBits> MakeBitTables() {
  BitTables<kBits> t = {};
  const size_t bytes = kBitsLanes / 8 * kBits;
  for (size_t b = 0; b < bytes; ++b) {
    t.compact[b] = static_cast<uint8_t>(b / kBits * 8 + b % kBits);
  }
  for (size_t pair = 0; pair < kBitsLanes / 2; ++pair) {
    for (size_t k = 0; k < 2; ++k) {
      const size_t bit = kBits * (2 * pair + k);
      uint8_t* const window = (k == 0 ? t.even : t.odd) + 2 * pair;
      window[0] = static_cast<uint8_t>(bit / 8);
      // Of the last code it may lie behind the units, where nothing counts.
      window[1] = static_cast<uint8_t>(
          bit / 8 + 1 < kBitsLanes ? bit / 8 + 1 : kBitsLanes - 1);
      (k == 0 ? t.up_even : t.up_odd)[pair] =
          static_cast<uint16_t>(1u << (16 - kBits - bit % 8));
    }
  }
  return t;
}
template <size_t kBits>
constexpr BitTables<kBits> kBitTables = MakeBitTables<kBits>();

// The units of a vector of codes, in its first bytes.
template <size_t kBits>
HWY_INLINE hn::Vec<DBits> UnitsOfCodes(const int8_t* codes,
                                       hn::Vec<DBits> bias) {
  const DBits d;
  const hn::RebindToSigned<DBits> di;
  const hn::Repartition<uint16_t, DBits> d16;
  const hn::Repartition<uint32_t, DBits> d32;
  const hn::Repartition<uint64_t, DBits> d64;
  constexpr int kB = static_cast<int>(kBits);
  const auto one =
      hn::BitCast(d16, hn::Add(hn::BitCast(d, hn::LoadU(di, codes)), bias));
  const auto two =
      hn::BitCast(d32, hn::Or(hn::And(one, hn::Set(d16, 0x00FF)),
                              hn::ShiftLeft<kB>(hn::ShiftRight<8>(one))));
  const auto four =
      hn::BitCast(d64, hn::Or(hn::And(two, hn::Set(d32, 0xFFFF)),
                              hn::ShiftLeft<2 * kB>(hn::ShiftRight<16>(two))));
  const auto eight = hn::Or(hn::And(four, hn::Set(d64, 0xFFFFFFFFu)),
                            hn::ShiftLeft<4 * kB>(hn::ShiftRight<32>(four)));
  return ShuffleBytes(d, hn::BitCast(d, eight),
                      hn::Load(d, kBitTables<kBits>.compact));
}

template <size_t kBits>
void PackBits(int8_t* codes, size_t count, int32_t bias, uint8_t* packed) {
  const DBits d;
  const auto offset = hn::Set(d, static_cast<uint8_t>(bias));
  const size_t bytes = (count + 7) / 8 * kBits;
  constexpr size_t kStep = kBitsLanes / 8 * kBits;
  size_t b = 0;
  // What is written behind the units is written again.
  for (; b + kBitsLanes <= bytes; b += kStep) {
    hn::StoreU(UnitsOfCodes<kBits>(codes, offset), d, packed + b);
    codes += kBitsLanes;
  }
  for (; b < bytes; b += kStep) {
    HWY_ALIGN uint8_t last[kBitsLanes];
    hn::Store(UnitsOfCodes<kBits>(codes, offset), d, last);
    memcpy(packed + b, last, bytes - b < kStep ? bytes - b : kStep);
    codes += kBitsLanes;
  }
}

template <size_t kBits>
HWY_INLINE void CodesOfUnits(hn::Vec<DBits> units, hn::Vec<DBits> bias,
                             int8_t* codes) {
  const DBits d;
  const hn::RebindToSigned<DBits> di;
  const hn::Repartition<uint16_t, DBits> d16;
  constexpr int kB = static_cast<int>(kBits);
  const auto& t = kBitTables<kBits>;
  const auto even =
      hn::Mul(hn::BitCast(d16, ShuffleBytes(d, units, hn::Load(d, t.even))),
              hn::Load(d16, t.up_even));
  const auto odd =
      hn::Mul(hn::BitCast(d16, ShuffleBytes(d, units, hn::Load(d, t.odd))),
              hn::Load(d16, t.up_odd));
  constexpr uint16_t kHigh = static_cast<uint16_t>(((1u << kBits) - 1) << 8);
  const auto both =
      hn::Or(hn::ShiftRight<16 - kB>(even),
             hn::And(hn::ShiftRight<8 - kB>(odd), hn::Set(d16, kHigh)));
  hn::StoreU(hn::BitCast(di, hn::Sub(hn::BitCast(d, both), bias)), di, codes);
}

template <size_t kBits>
void UnpackBits(const uint8_t* packed, size_t count, int32_t bias,
                int8_t* codes) {
  const DBits d;
  const auto offset = hn::Set(d, static_cast<uint8_t>(bias));
  const size_t bytes = (count + 7) / 8 * kBits;
  constexpr size_t kStep = kBitsLanes / 8 * kBits;
  size_t b = 0;
  for (; b + kBitsLanes <= bytes; b += kStep) {
    CodesOfUnits<kBits>(hn::LoadU(d, packed + b), offset, codes);
    codes += kBitsLanes;
  }
  for (; b < bytes; b += kStep) {
    HWY_ALIGN uint8_t last[kBitsLanes] = {};
    memcpy(last, packed + b, bytes - b < kStep ? bytes - b : kStep);
    CodesOfUnits<kBits>(hn::Load(d, last), offset, codes);
    codes += kBitsLanes;
  }
}

#endif  // HWY_SCALAR

// Codes -1 and +1 as bits 0 and 1; bias is not used.
void PackSigns(int8_t* codes, size_t count, int32_t /*bias*/, uint8_t* packed) {
  for (size_t i = 0; i < (count + 7) / 8 * 8; ++i) {
    codes[i] = codes[i] > 0 ? 1 : 0;
  }
  PackBits<1>(codes, count, 0, packed);
}

void UnpackSigns(const uint8_t* packed, size_t count, int32_t /*bias*/,
                 int8_t* codes) {
  UnpackBits<1>(packed, count, 0, codes);
  for (size_t i = 0; i < count; ++i) {
    codes[i] = static_cast<int8_t>(2 * codes[i] - 1);
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace bnq
HWY_AFTER_NAMESPACE();

#endif  // include guard
