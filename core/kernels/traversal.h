// What the traversal is told: arguments of a format's kernels.
#ifndef BNQ_CORE_KERNELS_TRAVERSAL_H_
#define BNQ_CORE_KERNELS_TRAVERSAL_H_

#include <cstddef>
#include <cstdint>

#include "core/base/dtype.h"
#include "core/kernels/elements.h"
#include "core/kernels/overflow.h"
#include "core/kernels/packing.h"
#include "core/scheme/format.h"
#include "core/scheme/layout.h"
#include "core/scheme/scales.h"

namespace bnq {

// Elements that are worked on at a time: their floats and codes stay in the
// first-level cache. A multiple of the codes of any packing's unit.
constexpr size_t kSpan = 1280;
// Decoding, which touches each float once, gains from longer spans: values that
// go past the caches leave in longer bursts.
constexpr size_t kDecodeSpan = 5120;

// This many elements or more do not fit the caches: what is as large as they
// are is written past them.
constexpr uint64_t kStreamElements = uint64_t{8} << 20;

// Parameters of each column of a period, for Layout::per_element; with slack
// for one vector behind the last. nullptr otherwise.
struct ElementParams {
  const float* inv_scale = nullptr;
  const float* scale = nullptr;
  const float* shift = nullptr;
};

struct EncodeArgs {
  const Layout* layout = nullptr;
  Packing packing = Packing::kBits8;
  const Format* format = nullptr;
  Variant variant;
  CodeRule rule;
  uint64_t seed = 0;  // of stochastic rounding

  SourceView source;  // of the layout's whole matrix
  // The block: columns within rows; begins on a byte of codes, and on a run
  // where ranges are to be found.
  uint64_t row_begin = 0, row_end = 0;
  uint64_t column_begin = 0, column_end = 0;

  // Find each run's range and parameters (they are then written), or take
  // those that are there.
  bool find_params = false;
  float* scales = nullptr;        // entry 0 is parameter param_base
  int8_t* zero_points = nullptr;  // nullptr: none
  float* offsets = nullptr;       // nullptr: none
  uint64_t param_base = 0;
  ElementParams elements;

  // Columns of the last dimension whose codes are those of 0: 1, else 0.
  // nullptr: none.
  const uint8_t* left_out = nullptr;
  uint64_t features = 1;  // of the last dimension

  // Of formats without scales: infinity and NaN are codes, too.
  bool keep_non_finite = false;

  // What codes would be decoded as goes here, in place of codes: of the whole
  // matrix; may be the source. A row's own parameters, or a run's.
  float* values = nullptr;

  uint8_t* codes = nullptr;  // entry 0 is byte code_base of the tensor's codes
  uint64_t code_base = 0;
  // Codes (or values) are larger than the caches and nearly as large as the
  // floats: write past them.
  bool stream = false;
};

struct DecodeArgs {
  const Layout* layout = nullptr;
  Packing packing = Packing::kBits8;
  const Format* format = nullptr;
  CodeRule rule;

  const uint8_t* codes = nullptr;  // entry 0 is byte code_base
  uint64_t code_base = 0;
  // Scales as floats; or, where nullptr, as they are stored.
  const float* scales = nullptr;         // entry 0 is parameter param_base
  const StoredScales* stored = nullptr;  // entry 0 is parameter 0
  const int8_t* zero_points = nullptr;   // as scales; nullptr: 0
  const float* offsets = nullptr;        // as scales; nullptr: none
  uint64_t param_base = 0;
  ElementParams elements;

  // count elements from `begin` on, in row-major order.
  uint64_t begin = 0, count = 0;
  DType dtype = DType::kF32;
  Overflow overflow = Overflow::kError;  // of 16-bit types
  uint8_t* out = nullptr;                // of element `begin`; may be unaligned
  // The output is larger than the caches: write past them.
  bool stream = false;
};

struct EncodeSpan;  // span.h

struct RoundTripArgs {
  CodeRule rule;
  Params params;
  // In place of params: a span's parts, and scales by their numbers.
  const EncodeSpan* span = nullptr;
  const float* scales = nullptr;
  bool prefetch = false;  // the span is where floats follow
  const float* x = nullptr;
  size_t count = 0;
  // A word for each element, with kLanes more to read; where the rounding is
  // stochastic.
  const uint32_t* random = nullptr;
  float* out = nullptr;  // may be x
};

// Squared errors of values under many parameters at once.
struct ErrorsArgs {
  CodeRule rule;
  // Of the candidates, a multiple of kLanes of them.
  const float* scales = nullptr;
  const float* shifts = nullptr;
  size_t candidates = 0;
  const float* x = nullptr;  // count <= kChunk
  size_t count = 0;
  const float* weights = nullptr;  // of the squares; nullptr: 1
  // For each candidate, the sum of (x - value)^2 in float32: of every 256
  // values, as far as they go, four sums of every fourth value, (the first plus
  // the second) plus (the third plus the fourth); then over these in order.
  double* errors = nullptr;
};

struct FitArgs {
  CodeRule rule;
  Params params;
  const float* x = nullptr;  // count <= kChunk
  size_t count = 0;
  const float* weights = nullptr;  // of what is added up; nullptr: 1
  // A factor that brings values, and so errors, to about 1.
  float unit = 1.0f;
};

// Of a chunk, with e = (x - value) * unit, u = x * unit and q = value / scale,
// or (value - offset) / scale; each term times its weight. Float32 sums of
// kLanes lanes, as those of reductions.
struct FitSums {
  double error = 0.0;  // sum of e^2
  double xq = 0.0;     // sum of u * q
  double qq = 0.0;     // sum of q^2
  double x = 0.0;      // sum of u
  double q = 0.0;
  double n = 0.0;  // sum of the weights
  void Merge(const FitSums& next) {
    error += next.error;
    xq += next.xq;
    qq += next.qq;
    x += next.x;
    q += next.q;
    n += next.n;
  }
};

}  // namespace bnq

#endif  // BNQ_CORE_KERNELS_TRAVERSAL_H_
