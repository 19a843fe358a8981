#include "core/kernels/function.h"

#include <string.h>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/kernels/function.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

#include "core/kernels/function-inl.h"

HWY_BEFORE_NAMESPACE();
namespace bnq {
namespace HWY_NAMESPACE {
namespace {

#if HWY_TARGET == HWY_SCALAR
void LookUp(const uint8_t* table, const uint8_t* x, size_t count, uint8_t* y) {
  for (size_t i = 0; i < count; ++i) y[i] = table[x[i]];
}
#else
using DBytes = hn::ScalableTag<uint8_t>;
using VBytes = hn::Vec<DBytes>;

// The table's entries of the bytes of x.
struct Entries {
#if BNQ_AVX512_VBMI
  explicit Entries(const uint8_t* table) {
    for (int k = 0; k < 4; ++k) part[k] = _mm512_loadu_si512(table + 64 * k);
  }
  HWY_INLINE VBytes Of(VBytes x) const {
    const __m512i low = _mm512_permutex2var_epi8(part[0], x.raw, part[1]);
    const __m512i high = _mm512_permutex2var_epi8(part[2], x.raw, part[3]);
    return VBytes{
        _mm512_mask_blend_epi8(_mm512_movepi8_mask(x.raw), low, high)};
  }
  __m512i part[4];
#else
  explicit Entries(const uint8_t* entries) : table(entries) {}
  // Of each 16 entries by the low bits, kept where the high bits name them.
  HWY_INLINE VBytes Of(VBytes x) const {
    const DBytes d;
    const VBytes low = hn::And(x, hn::Set(d, 15));
    const VBytes high = hn::AndNot(hn::Set(d, 15), x);
    VBytes result = hn::Zero(d);
    for (size_t k = 0; k < 256; k += 16) {
      const VBytes found =
          hn::TableLookupBytes(hn::LoadDup128(d, table + k), low);
      result = hn::IfThenElse(hn::Eq(high, hn::Set(d, static_cast<uint8_t>(k))),
                              found, result);
    }
    return result;
  }
  const uint8_t* table;
#endif
};

void LookUp(const uint8_t* table, const uint8_t* x, size_t count, uint8_t* y) {
  const DBytes d;
  const size_t N = hn::Lanes(d);
  HWY_ALIGN uint8_t aligned[256];
  memcpy(aligned, table, sizeof aligned);
  const Entries entries(aligned);
  size_t i = 0;
  for (; i + N <= count; i += N) {
    hn::StoreU(entries.Of(hn::LoadU(d, x + i)), d, y + i);
  }
  for (; i < count; ++i) y[i] = table[x[i]];
}
#endif

}  // namespace

void LookUpBytesOfTarget(const uint8_t* table, const uint8_t* x, size_t count,
                         uint8_t* y) {
  LookUp(table, x, count, y);
}

void ApplyFunctionOfTarget(Function function, float slope, const float* x,
                           size_t count, float* y) {
#define BNQ_MAP(name) \
  Map(x, count, 0.0f, y, [](VF v) HWY_ATTR { return KeepNaN(v, name(v)); });
  switch (function) {
    case Function::kNone:
      if (y != x) memcpy(y, x, count * sizeof(float));
      break;
    case Function::kRelu:
      BNQ_MAP(Relu) break;
    case Function::kRelu6:
      BNQ_MAP(Relu6) break;
    case Function::kLeakyRelu: {
      const VF s = Number(slope);
      Map(x, count, 0.0f, y,
          [s](VF v) HWY_ATTR { return KeepNaN(v, LeakyRelu(v, s)); });
      break;
    }
    case Function::kSquaredRelu:
      BNQ_MAP(SquaredRelu) break;
    case Function::kGelu:
      BNQ_MAP(Gelu) break;
    case Function::kGeluTanh:
      BNQ_MAP(GeluTanh) break;
    case Function::kSilu:
      BNQ_MAP(Silu) break;
    case Function::kSigmoid:
      BNQ_MAP(Sigmoid) break;
    case Function::kTanh:
      BNQ_MAP(Tanh) break;
    case Function::kHardSwish:
      BNQ_MAP(HardSwish) break;
  }
#undef BNQ_MAP
}

}  // namespace HWY_NAMESPACE
}  // namespace bnq
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace bnq {

HWY_EXPORT(ApplyFunctionOfTarget);
HWY_EXPORT(LookUpBytesOfTarget);

void LookUpBytes(const uint8_t (&table)[256], const uint8_t* x, size_t count,
                 uint8_t* y) {
  HWY_DYNAMIC_DISPATCH(LookUpBytesOfTarget)(table, x, count, y);
}

void ApplyFunction(Function function, float slope, const float* x, size_t count,
                   float* y) {
  // A slope of 0 times -infinity would be NaN.
  if (function == Function::kLeakyRelu && slope == 0.0f) {
    function = Function::kRelu;
  }
  HWY_DYNAMIC_DISPATCH(ApplyFunctionOfTarget)(function, slope, x, count, y);
}

}  // namespace bnq
#endif  // HWY_ONCE
