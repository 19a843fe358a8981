#include "core/kernels/transpose.h"

#include <string.h>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/kernels/transpose.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace bnq {
namespace HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

// kN rows of kN elements from `column` on, of which some may not be there.
template <class T, size_t kN>
HWY_INLINE void LoadBlock(const TransposeArgs& a, size_t row, size_t column,
                          T (&block)[kN][kN]) {
  const size_t columns = HWY_MIN(kN, a.columns - column);
  const size_t rows = HWY_MIN(kN, a.num_rows - row);
  for (size_t r = 0; r < rows; ++r) {
    memcpy(block[r], a.rows[row + r] + (a.first + column) * sizeof(T),
           columns * sizeof(T));
  }
}

template <class T>
void Blocks(const TransposeArgs& a) {
  constexpr size_t kN = kTransposeBytes / sizeof(T);
  for (size_t row = 0; row < a.num_rows; row += kN) {
    const size_t rows = HWY_MIN(kN, a.num_rows - row);
    for (size_t column = 0; column < a.columns; column += kN) {
      const size_t columns = HWY_MIN(kN, a.columns - column);
      uint8_t* to = a.out + column * a.out_stride + row * sizeof(T);
#if HWY_TARGET == HWY_SCALAR
      T block[kN][kN];
      LoadBlock(a, row, column, block);
      for (size_t j = 0; j < columns; ++j, to += a.out_stride) {
        T out[kN];
        for (size_t r = 0; r < rows; ++r) out[r] = block[r][j];
        memcpy(to, out, rows * sizeof(T));
      }
#else
      const hn::FixedTag<T, kN> d;
      hn::Vec<decltype(d)> v[kN], w[kN];
      if (rows == kN && (columns == kN || a.may_read)) {
        const size_t at = (a.first + column) * sizeof(T);
        for (size_t r = 0; r < kN; ++r) {
          v[r] = hn::LoadU(d, reinterpret_cast<const T*>(a.rows[row + r] + at));
        }
      } else {
        HWY_ALIGN T block[kN][kN] = {};
        LoadBlock(a, row, column, block);
        for (size_t r = 0; r < kN; ++r) v[r] = hn::Load(d, block[r]);
      }
      // Each round halves the distance of what belongs together.
      for (size_t round = 1; round < kN; round *= 2) {
        for (size_t r = 0; r < kN / 2; ++r) {
          w[2 * r] = hn::InterleaveLower(d, v[r], v[r + kN / 2]);
          w[2 * r + 1] = hn::InterleaveUpper(d, v[r], v[r + kN / 2]);
        }
        for (size_t r = 0; r < kN; ++r) v[r] = w[r];
      }
      if (columns == kN && (rows == kN || a.may_write)) {
        for (size_t j = 0; j < kN; ++j, to += a.out_stride) {
          hn::StoreU(v[j], d, reinterpret_cast<T*>(to));
        }
        continue;
      }
      const bool whole = rows == kN || a.may_write;
      HWY_ALIGN T block[kN][kN];
      for (size_t j = 0; j < kN; ++j) hn::Store(v[j], d, block[j]);
      for (size_t j = 0; j < columns; ++j, to += a.out_stride) {
        if (whole) {
          memcpy(to, block[j], kTransposeBytes);
        } else {
          memcpy(to, block[j], rows * sizeof(T));
        }
      }
#endif
    }
  }
}

}  // namespace

void TransposeOfTarget(const TransposeArgs& args) {
  if (args.element == 1) return Blocks<uint8_t>(args);
  if (args.element == 2) return Blocks<uint16_t>(args);
  Blocks<uint32_t>(args);
}

}  // namespace HWY_NAMESPACE
}  // namespace bnq
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace bnq {

HWY_EXPORT(TransposeOfTarget);

void Transpose(const TransposeArgs& args) {
  HWY_DYNAMIC_DISPATCH(TransposeOfTarget)(args);
}

}  // namespace bnq
#endif  // HWY_ONCE
