#include "core/kernels/packing.h"

#include <string.h>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/kernels/packing.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

#include "core/kernels/bit_packing-inl.h"
#include "core/kernels/compat-inl.h"

HWY_BEFORE_NAMESPACE();
namespace bnq {
namespace HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

void Pack8(int8_t* codes, size_t count, int32_t bias, uint8_t* packed) {
  if (bias == 0) {
    memcpy(packed, codes, count);
    return;
  }
  for (size_t i = 0; i < count; ++i) {
    packed[i] = static_cast<uint8_t>(codes[i] + bias);
  }
}

void Unpack8(const uint8_t* packed, size_t count, int32_t bias, int8_t* codes) {
  if (bias == 0) {
    memcpy(codes, packed, count);
    return;
  }
  for (size_t i = 0; i < count; ++i) {
    codes[i] = static_cast<int8_t>(packed[i] - bias);
  }
}

#if HWY_TARGET == HWY_SCALAR  // has no vectors of bytes

void Pack2(int8_t* codes, size_t count, int32_t bias, uint8_t* packed) {
  for (size_t i = 0; i < count; i += 4) {
    uint32_t byte = 0;
    for (size_t k = 0; k < 4; ++k) {
      byte |= static_cast<uint32_t>(codes[i + k] + bias) << (2 * k);
    }
    packed[i / 4] = static_cast<uint8_t>(byte);
  }
}

void Unpack2(const uint8_t* packed, size_t count, int32_t bias, int8_t* codes) {
  for (size_t i = 0; i < count; ++i) {
    const int32_t stored = (packed[i / 4] >> (2 * (i % 4))) & 3;
    codes[i] = static_cast<int8_t>(stored - bias);
  }
}

template <bool kHighFirst>
void Pack4(int8_t* codes, size_t count, int32_t bias, uint8_t* packed) {
  for (size_t i = 0; i < count; i += 2) {
    const int32_t a = codes[i] + bias, b = codes[i + 1] + bias;
    packed[i / 2] = static_cast<uint8_t>(kHighFirst ? a * 16 + b : b * 16 + a);
  }
}

template <bool kHighFirst>
void Unpack4(const uint8_t* packed, size_t count, int32_t bias, int8_t* codes) {
  for (size_t i = 0; i < count; ++i) {
    const bool high = (i % 2 == 0) == kHighFirst;
    const int32_t stored = high ? packed[i / 2] >> 4 : packed[i / 2] & 15;
    codes[i] = static_cast<int8_t>(stored - bias);
  }
}

void PackBase3(int8_t* codes, size_t count, int32_t bias, uint8_t* packed) {
  for (size_t i = 0; i < count; i += 5) {
    int32_t v = 0;
    for (size_t k = 0; k < 5; ++k) v = 3 * v + codes[i + k] + bias;
    packed[i / 5] = static_cast<uint8_t>((v * 256 + 242) / 243);
  }
}

void UnpackBase3(const uint8_t* packed, size_t count, int32_t bias,
                 int8_t* codes) {
  static constexpr uint32_t kPowers[5] = {1, 3, 9, 27, 81};
  for (size_t i = 0; i < count; ++i) {
    const uint32_t q = packed[i / 5] * kPowers[i % 5] & 255;
    codes[i] = static_cast<int8_t>(static_cast<int32_t>(q * 3 >> 8) - bias);
  }
}

#else

// A 32-bit lane holds four codes in its bytes; the lowest is the first.
using DU = hn::ScalableTag<uint32_t>;

void Pack2(int8_t* codes, size_t count, int32_t bias, uint8_t* packed) {
  const DU du;
  const hn::RebindToSigned<DU> di;
  const hn::Repartition<int8_t, DU> d8;
  const hn::Rebind<uint8_t, DU> du8;
  const size_t lanes = hn::Lanes(du);
  const auto offset = hn::Set(d8, static_cast<int8_t>(bias));
  const auto low = hn::Set(du, 0xFF);
  const size_t bytes = (count + 3) / 4;
  const auto pack = [&](size_t i) HWY_ATTR {
    const auto v =
        hn::BitCast(du, hn::Add(hn::LoadU(d8, codes + 4 * i), offset));
    const auto pairs = hn::Or(v, hn::ShiftRight<6>(v));
    const auto quads = hn::And(hn::Or(pairs, hn::ShiftRight<12>(pairs)), low);
    return hn::DemoteTo(du8, hn::BitCast(di, quads));
  };
  size_t i = 0;
  for (; i + lanes <= bytes; i += lanes) hn::StoreU(pack(i), du8, packed + i);
  if (i < bytes) {
    HWY_ALIGN uint8_t last[hn::MaxLanes(du)];
    hn::Store(pack(i), du8, last);
    memcpy(packed + i, last, bytes - i);
  }
}

void Unpack2(const uint8_t* packed, size_t count, int32_t bias, int8_t* codes) {
  const DU du;
  const hn::Repartition<int8_t, DU> d8;
  const hn::Rebind<uint8_t, DU> du8;
  const size_t lanes = hn::Lanes(du);
  const auto offset = hn::Set(d8, static_cast<int8_t>(bias));
  const auto mask = hn::Set(du, 0x03030303u);
  const size_t bytes = (count + 3) / 4;
  const auto unpack = [&](const uint8_t* p, size_t i) HWY_ATTR {
    const auto b = hn::PromoteTo(du, hn::LoadU(du8, p));
    const auto pairs = hn::Or(b, hn::ShiftLeft<12>(b));
    const auto quads = hn::And(hn::Or(pairs, hn::ShiftLeft<6>(pairs)), mask);
    hn::StoreU(hn::Sub(hn::BitCast(d8, quads), offset), d8, codes + 4 * i);
  };
  size_t i = 0;
  for (; i + lanes <= bytes; i += lanes) unpack(packed + i, i);
  if (i < bytes) {
    HWY_ALIGN uint8_t last[hn::MaxLanes(du)] = {};
    memcpy(last, packed + i, bytes - i);
    unpack(last, i);
  }
}

// A 16-bit lane holds two codes; the low byte is the first.
using DW = hn::ScalableTag<uint16_t>;

template <bool kHighFirst>
void Pack4(int8_t* codes, size_t count, int32_t bias, uint8_t* packed) {
  const DW dw;
  const hn::RebindToSigned<DW> di;
  const hn::Repartition<int8_t, DW> d8;
  const hn::Rebind<uint8_t, DW> du8;
  const size_t lanes = hn::Lanes(dw);
  const auto offset = hn::Set(d8, static_cast<int8_t>(bias));
  const auto low = hn::Set(dw, 0xFF);
  const size_t bytes = (count + 1) / 2;
  const auto pack = [&](size_t i) HWY_ATTR {
    const auto v =
        hn::BitCast(dw, hn::Add(hn::LoadU(d8, codes + 2 * i), offset));
    const auto both = kHighFirst
                          ? hn::Or(hn::ShiftLeft<4>(v), hn::ShiftRight<8>(v))
                          : hn::Or(v, hn::ShiftRight<4>(v));
    return hn::DemoteTo(du8, hn::BitCast(di, hn::And(both, low)));
  };
  size_t i = 0;
  for (; i + lanes <= bytes; i += lanes) hn::StoreU(pack(i), du8, packed + i);
  if (i < bytes) {
    HWY_ALIGN uint8_t last[hn::MaxLanes(dw)];
    hn::Store(pack(i), du8, last);
    memcpy(packed + i, last, bytes - i);
  }
}

template <bool kHighFirst>
void Unpack4(const uint8_t* packed, size_t count, int32_t bias, int8_t* codes) {
  const DW dw;
  const hn::Repartition<int8_t, DW> d8;
  const hn::Rebind<uint8_t, DW> du8;
  const size_t lanes = hn::Lanes(dw);
  const auto offset = hn::Set(d8, static_cast<int8_t>(bias));
  const auto mask = hn::Set(dw, 0x0F0Fu);
  const size_t bytes = (count + 1) / 2;
  const auto unpack = [&](const uint8_t* p, size_t i) HWY_ATTR {
    const auto b = hn::PromoteTo(dw, hn::LoadU(du8, p));
    const auto both = kHighFirst
                          ? hn::Or(hn::ShiftRight<4>(b), hn::ShiftLeft<8>(b))
                          : hn::Or(b, hn::ShiftLeft<4>(b));
    hn::StoreU(hn::Sub(hn::BitCast(d8, hn::And(both, mask)), offset), d8,
               codes + 2 * i);
  };
  size_t i = 0;
  for (; i + lanes <= bytes; i += lanes) unpack(packed + i, i);
  if (i < bytes) {
    HWY_ALIGN uint8_t last[hn::MaxLanes(dw)] = {};
    memcpy(last, packed + i, bytes - i);
    unpack(last, i);
  }
}

// Five vectors of codes are a vector of bytes. 64-byte vectors need a shuffle
// of bytes across the whole vector; elsewhere 16 bytes are what one reaches.
using DB = hn::FixedTag<uint8_t, kWideByteShuffle ? 64 : 16>;
constexpr size_t kB = hn::MaxLanes(DB());

// For each of the five vectors: the digit that its lanes hold, the byte they go
// to or come from.
struct Base3Tables {
  HWY_ALIGN uint8_t from[5][kB];  // unpack: byte of each lane
  // unpack: 256 * 3^digit of even lanes, 3^digit of odd ones
  HWY_ALIGN uint16_t even[5][kB / 2], odd[5][kB / 2];
  HWY_ALIGN uint8_t digit[5][kB];   // pack: 3 * digit
  HWY_ALIGN uint8_t gather[5][kB];  // pack: lane of each byte's first digit
  HWY_ALIGN uint8_t here[5][kB];    // pack: 255 where there is one
};

constexpr Base3Tables MakeBase3Tables() {
  Base3Tables t = {};
  constexpr uint16_t kPowers[5] = {1, 3, 9, 27, 81};
  for (size_t k = 0; k < 5; ++k) {
    for (size_t j = 0; j < kB; ++j) {
      const size_t element = kB * k + j;
      t.from[k][j] = static_cast<uint8_t>(element / 5);
      const uint16_t power = kPowers[element % 5];
      if (j % 2 == 0) {
        t.even[k][j / 2] = static_cast<uint16_t>(256 * power);
      } else {
        t.odd[k][j / 2] = power;
      }
      t.digit[k][j] = static_cast<uint8_t>(3 * (element % 5));
      if (element % 5 == 0) {
        t.gather[k][element / 5] = static_cast<uint8_t>(j);
        t.here[k][element / 5] = 255;
      }
    }
  }
  return t;
}
constexpr Base3Tables kBase3 = MakeBase3Tables();

// ceil(v * 256 / 243) = v + floor((13 v + 242) / 243) of each byte v < 243; the
// division is a multiplication, exact up to 13 * 242 + 242.
HWY_INLINE hn::Vec<DB> FixedPointBase3(hn::Vec<DB> v) {
  const DB d;
  const hn::Repartition<uint16_t, DB> dw;
  const auto more = [&](hn::Vec<decltype(dw)> w) HWY_ATTR {
    const auto y = hn::Add(hn::Mul(w, hn::Set(dw, 13)), hn::Set(dw, 242));
    return hn::ShiftRight<6>(hn::MulHigh(y, hn::Set(dw, 17261)));
  };
  const auto w = hn::BitCast(dw, v);
  const auto even = more(hn::And(w, hn::Set(dw, 0x00FF)));
  const auto odd = more(hn::ShiftRight<8>(w));
  return hn::Add(v, hn::BitCast(d, hn::Or(even, hn::ShiftLeft<8>(odd))));
}

void PackBase3(int8_t* codes, size_t count, int32_t bias, uint8_t* packed) {
  const DB d;
  // c * 3^(4 - n) at c + 3n.
  alignas(16) static constexpr uint8_t kTerms[16] = {
      0, 81, 162, 0, 27, 54, 0, 9, 18, 0, 3, 6, 0, 1, 2, 0};
  const auto terms = hn::LoadDup128(d, kTerms);
  uint8_t* const terms_of = reinterpret_cast<uint8_t*>(codes);
  const size_t bytes = (count + 4) / 5;
  // A pass of its own: the sums below read across what is stored here, which
  // would have to reach the cache first.
  for (size_t b = 0; b < bytes; b += kB) {
    for (size_t k = 0; k < 5; ++k) {
      uint8_t* const p = terms_of + 5 * b + kB * k;
      const auto offset = hn::Add(hn::Load(d, kBase3.digit[k]),
                                  hn::Set(d, static_cast<uint8_t>(bias)));
      const auto index = hn::Add(hn::LoadU(d, p), offset);
      // What stands behind the codes gives any terms, which go nowhere.
      hn::StoreU(hn::TableLookupBytes(terms, hn::And(index, hn::Set(d, 15))), d,
                 p);
    }
  }
  for (size_t b = 0; b < bytes; b += kB) {
    const uint8_t* const group = terms_of + 5 * b;
    auto out = hn::Zero(d);
    for (size_t k = 0; k < 5; ++k) {
      const uint8_t* const p = group + kB * k;
      const auto ab = hn::Add(hn::LoadU(d, p), hn::LoadU(d, p + 1));
      const auto cd = hn::Add(hn::LoadU(d, p + 2), hn::LoadU(d, p + 3));
      const auto sum = hn::Add(hn::Add(ab, cd), hn::LoadU(d, p + 4));
      const auto moved = ShuffleBytes(d, sum, hn::Load(d, kBase3.gather[k]));
      out = hn::Or(out, hn::And(moved, hn::Load(d, kBase3.here[k])));
    }
    const auto fixed = FixedPointBase3(out);
    if (b + kB <= bytes) {
      hn::StoreU(fixed, d, packed + b);
    } else {
      HWY_ALIGN uint8_t last[kB];
      hn::Store(fixed, d, last);
      memcpy(packed + b, last, bytes - b);
    }
  }
}

static_assert(5 * kB <= kPackSlack, "a group is written whole");

void UnpackBase3(const uint8_t* packed, size_t count, int32_t bias,
                 int8_t* codes) {
  const DB d;
  const hn::Repartition<uint16_t, DB> dw;
  const hn::RebindToSigned<DB> di;
  const auto high = hn::Set(dw, 0xFF00);
  const auto three = hn::Set(dw, 3);
  const auto offset = hn::Set(d, static_cast<uint8_t>(bias));
  const size_t bytes = (count + 4) / 5;
  const auto group = [&](hn::Vec<DB> v, int8_t* out) HWY_ATTR {
    for (size_t k = 0; k < 5; ++k) {
      const auto b =
          hn::BitCast(dw, ShuffleBytes(d, v, hn::Load(d, kBase3.from[k])));
      // 256 * (byte * 3^n mod 256) in 16 bits, of which 3 times the high half
      // is the digit.
      const auto even =
          hn::MulHigh(hn::Mul(b, hn::Load(dw, kBase3.even[k])), three);
      const auto odd = hn::MulHigh(
          hn::Mul(hn::And(b, high), hn::Load(dw, kBase3.odd[k])), three);
      const auto digits = hn::BitCast(d, hn::Or(even, hn::ShiftLeft<8>(odd)));
      hn::StoreU(hn::BitCast(di, hn::Sub(digits, offset)), di, out + kB * k);
    }
  };
  size_t b = 0;
  for (; b + kB <= bytes; b += kB) {
    group(hn::LoadU(d, packed + b), codes + 5 * b);
  }
  if (b < bytes) {
    HWY_ALIGN uint8_t last[kB] = {};
    memcpy(last, packed + b, bytes - b);
    group(hn::Load(d, last), codes + 5 * b);
  }
}

#endif  // HWY_SCALAR

}  // namespace

const PackingKernels* GetPackings() {
  // Indexed by Packing.
  static constexpr PackingKernels kKernels[kNumPackings] = {
      {Pack8, Unpack8},
      {Pack2, Unpack2},
      {Pack4<false>, Unpack4<false>},
      {Pack4<true>, Unpack4<true>},
      {PackBase3, UnpackBase3},
      {PackSigns, UnpackSigns},
      {PackBits<3>, UnpackBits<3>},
      {PackBits<5>, UnpackBits<5>},
      {PackBits<6>, UnpackBits<6>},
      {nullptr, nullptr}};
  return kKernels;
}

}  // namespace HWY_NAMESPACE
}  // namespace bnq
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace bnq {

HWY_EXPORT(GetPackings);

const PackingKernels& GetPackingKernels(Packing packing) {
  return HWY_DYNAMIC_DISPATCH(GetPackings)()[static_cast<int>(packing)];
}

}  // namespace bnq
#endif  // HWY_ONCE
