#include "core/kernels/packing.h"

#include <string.h>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/kernels/packing.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace bnq {
namespace HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

void Pack8(int8_t* codes, size_t count, int32_t /*bias*/, uint8_t* packed) {
  memcpy(packed, codes, count);
}

void Unpack8(const uint8_t* packed, size_t count, int32_t /*bias*/,
             int8_t* codes) {
  memcpy(codes, packed, count);
}

#if HWY_TARGET == HWY_SCALAR  // has no vectors of bytes

void Pack2(int8_t* codes, size_t count, int32_t bias, uint8_t* packed) {
  memset(codes + count, -bias, 4);
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
  // What fills the last byte counts as stored code 0.
  memset(codes + count, -bias, 4);
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

#endif  // HWY_SCALAR

}  // namespace

const PackingKernels* GetPackings() {
  // Indexed by Packing.
  static constexpr PackingKernels kKernels[kNumPackings] = {{Pack8, Unpack8},
                                                            {Pack2, Unpack2}};
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
