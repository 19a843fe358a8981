// What the traversal is told: arguments of a format's kernels.
#ifndef BNQ_CORE_KERNELS_TRAVERSAL_H_
#define BNQ_CORE_KERNELS_TRAVERSAL_H_

#include <cstddef>
#include <cstdint>

#include "core/base/dtype.h"
#include "core/format.h"
#include "core/kernels/common.h"
#include "core/kernels/packing.h"
#include "core/tensor/layout.h"

namespace bnq {

// Elements that are worked on at a time: their floats and codes stay in the
// first-level cache. A multiple of what any packing puts into a byte.
constexpr size_t kSpan = 1024;
// Decoding, which touches each float once, gains from longer spans: values that
// go past the caches leave in longer bursts.
constexpr size_t kDecodeSpan = 4096;

// Parameters of each column of a period, for Layout::per_element; with slack
// for one vector behind the last. nullptr otherwise.
struct ElementParams {
  const float* inv_scale = nullptr;
  const float* scale = nullptr;
  const float* zero_point = nullptr;
};

struct EncodeArgs {
  const Layout* layout = nullptr;
  const CommonKernels* common = nullptr;
  const PackingKernels* packing = nullptr;
  const Format* format = nullptr;
  Scheme scheme = Scheme::kSymmetric;

  SourceView source;  // of the layout's whole matrix
  // The block: columns within rows; begins on a byte of codes, and on a run
  // where ranges are to be found.
  uint64_t row_begin = 0, row_end = 0;
  uint64_t column_begin = 0, column_end = 0;

  // Find each run's range and parameters (they are then written), or take
  // those that are there.
  bool find_params = false;
  float* scales = nullptr;         // entry 0 is parameter param_base
  int32_t* zero_points = nullptr;  // nullptr: none
  uint64_t param_base = 0;
  ElementParams elements;

  uint8_t* codes = nullptr;  // entry 0 is byte code_base of the tensor's codes
  uint64_t code_base = 0;
};

struct DecodeArgs {
  const Layout* layout = nullptr;
  const CommonKernels* common = nullptr;
  const PackingKernels* packing = nullptr;
  const Format* format = nullptr;

  const uint8_t* codes = nullptr;  // entry 0 is byte code_base
  uint64_t code_base = 0;
  const float* scales = nullptr;         // entry 0 is parameter param_base
  const int32_t* zero_points = nullptr;  // likewise; nullptr: 0
  uint64_t param_base = 0;
  ElementParams elements;

  // count elements from `begin` on, in row-major order.
  uint64_t begin = 0, count = 0;
  DType dtype = DType::kF32;
  uint8_t* out = nullptr;  // of element `begin`; may be unaligned
  // The output is larger than the caches: write past them.
  bool stream = false;
};

}  // namespace bnq

#endif  // BNQ_CORE_KERNELS_TRAVERSAL_H_
