#include "core/kernels/transpose.h"

#include <string.h>

// Nothing here gains from what AVX3_DL adds (core/flags.txt).
#undef BNQ_LEFT_OUT
#define BNQ_LEFT_OUT HWY_AVX3_DL
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/kernels/transpose.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace bnq {
namespace HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

// Some rows of some elements, of which kColumns follow each other.
template <class T, size_t kColumns>
HWY_NOINLINE void LoadBlock(const TransposeArgs& a, size_t row, size_t rows,
                            size_t column, size_t columns,
                            T (*block)[kColumns]) {
  for (size_t r = 0; r < rows; ++r) {
    memcpy(block[r], a.rows[row + r] + (a.first + column) * sizeof(T),
           columns * sizeof(T));
  }
}

#if HWY_TARGET == HWY_SCALAR
template <class T>
HWY_INLINE void Transposed(const TransposeArgs& a, size_t row, size_t column) {
  constexpr size_t kN = kTransposeWrites / sizeof(T);
  const size_t rows = HWY_MIN(kN, a.num_rows - row);
  const size_t columns = HWY_MIN(kN, a.columns - column);
  T block[kN][kN];
  LoadBlock<T, kN>(a, row, rows, column, columns, block);
  uint8_t* to = a.out + column * a.out_stride + row * sizeof(T);
  for (size_t j = 0; j < columns; ++j, to += a.out_stride) {
    T out[kN];
    for (size_t r = 0; r < rows; ++r) out[r] = block[r][j];
    memcpy(to, out, rows * sizeof(T));
  }
}
template <class T>
size_t Columns() {
  return kTransposeWrites / sizeof(T);
}
#else
// 16 bytes of rows and a vector of columns, of which some may not be there.
template <class T>
HWY_INLINE void Transposed(const TransposeArgs& a, size_t row, size_t column) {
  constexpr size_t kN = kTransposeWrites / sizeof(T);
  constexpr size_t kMost = kTransposeReads / sizeof(T);
  const hn::CappedTag<T, kMost> d;
  const size_t rows = HWY_MIN(kN, a.num_rows - row);
  const size_t columns = HWY_MIN(hn::Lanes(d), a.columns - column);
  HWY_ALIGN T block[kN][kMost];
  hn::Vec<decltype(d)> v[kN], w[kN];
  const T* from[kN];
  if (rows == kN && (columns == hn::Lanes(d) || a.may_read)) {
    const size_t at = (a.first + column) * sizeof(T);
    for (size_t r = 0; r < kN; ++r) {
      from[r] = reinterpret_cast<const T*>(a.rows[row + r] + at);
    }
  } else {
    memset(block, 0, sizeof block);
    LoadBlock<T, kMost>(a, row, rows, column, columns, block);
    for (size_t r = 0; r < kN; ++r) from[r] = block[r];
  }
  for (size_t r = 0; r < kN; ++r) v[r] = hn::LoadU(d, from[r]);
  // Each round halves the distance of what belongs together, in every 16 bytes
  // of columns.
  for (size_t round = 1; round < kN; round *= 2) {
    for (size_t r = 0; r < kN / 2; ++r) {
      w[2 * r] = hn::InterleaveLower(d, v[r], v[r + kN / 2]);
      w[2 * r + 1] = hn::InterleaveUpper(d, v[r], v[r + kN / 2]);
    }
    for (size_t r = 0; r < kN; ++r) v[r] = w[r];
  }
  for (size_t r = 0; r < kN; ++r) hn::Store(v[r], d, block[r]);
  const bool whole = rows == kN || a.may_write;
  uint8_t* to = a.out + column * a.out_stride + row * sizeof(T);
  for (size_t j = 0; j < columns; ++j, to += a.out_stride) {
    const T* const column_of = block[j % kN] + j / kN * kN;
    if (whole) {
      memcpy(to, column_of, kTransposeWrites);
    } else {
      memcpy(to, column_of, rows * sizeof(T));
    }
  }
}
template <class T>
size_t Columns() {
  return hn::Lanes(hn::CappedTag<T, kTransposeReads / sizeof(T)>());
}
#endif

template <class T>
void Blocks(const TransposeArgs a) {
  constexpr size_t kN = kTransposeWrites / sizeof(T);
  for (size_t row = 0; row < a.num_rows; row += kN) {
    for (size_t column = 0; column < a.columns; column += Columns<T>()) {
      Transposed<T>(a, row, column);
    }
  }
}

}  // namespace

void TransposeOfTarget(const TransposeArgs& args) {
  if (args.element == 1) return Blocks<uint8_t>(args);
  Blocks<uint32_t>(args);
}

}  // namespace HWY_NAMESPACE
}  // namespace bnq
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace bnq {

HWY_EXPORT(TransposeOfTarget);

namespace {
// Halves: rarely, so without vectors.
void TransposeHalves(const TransposeArgs& a) {
  for (size_t r = 0; r < a.num_rows; ++r) {
    const uint8_t* const from = a.rows[r] + 2 * a.first;
    for (size_t j = 0; j < a.columns; ++j) {
      memcpy(a.out + j * a.out_stride + 2 * r, from + 2 * j, 2);
    }
  }
}
}  // namespace

void Transpose(const TransposeArgs& args) {
  if (args.element == 2) return TransposeHalves(args);
  HWY_DYNAMIC_DISPATCH(TransposeOfTarget)(args);
}

}  // namespace bnq
#endif  // HWY_ONCE
