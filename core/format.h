// THE contract between a format and everything else.
//
// A format is one file, formats/<name>.cc, with: a comment that specifies it, a
// scalar reference (the test oracle), a SIMD Codec, and a Format row. The rest
// of the library reaches formats only through the row, so an operation written
// once in kernels/ or tensor/ works for all of them.
//
// A Codec, in HWY_NAMESPACE, is a struct that the traversal
// (kernels/traversal-inl.h) is instantiated with:
//
//   struct Codec {
//     // Parameters of a segment, in registers.
//     template <class D> struct Encoder {
//       Encoder(D d, Vec<D> inv_scale, Vec<D> zero_point, CodeRange range);
//       Vec<RebindToSigned<D>> operator()(D d, Vec<D> x) const;  // codes
//     };
//     template <class D>
//     static Vec<D> Decode(D d, Vec<RebindToSigned<D>> code, Vec<D> scale,
//                          Vec<D> zero_point);
//   };
//
// Encoder and Decode must give the very bits of the row's encode and decode.
// How codes become bytes is not the codec's business but the packing's
// (kernels/packing.h), nor is the group size (tensor/layout.h).
#ifndef BNQ_CORE_FORMAT_H_
#define BNQ_CORE_FORMAT_H_

#include <cstdint>
#include <string>

#include "core/config.h"
#include "core/kernels/packing.h"

namespace bnq {

// Reduces a segment (the elements that share parameters) to a range. Sums are
// taken in an order that does not depend on the target (kernels/reduce-inl.h).
enum class Statistic {
  kAbsMax,   // lo = -max|x|, hi = max|x|
  kMinMax,   // lo = min x, hi = max x
  kAbsMean,  // lo = -mean|x|, hi = mean|x|, rounded once to float32
};

struct Range {
  float lo = 0.0f;
  float hi = 0.0f;
};

// What a segment's codes mean.
struct Params {
  float scale = 0.0f;
  int32_t zero_point = 0;
};

// Inclusive.
struct CodeRange {
  int32_t lo = 0;
  int32_t hi = 0;
};

struct EncodeArgs;  // kernels/traversal.h
struct DecodeArgs;

// One SIMD target's code for a format.
struct Kernels {
  // Quantizes a block of the matrix. False where a value that is not finite
  // was met in a segment whose range had to be found.
  bool (*encode)(const EncodeArgs& args);
  // Dequantizes a run of elements.
  void (*decode)(const DecodeArgs& args);
};

struct Format {
  int32_t id;
  const char* name;
  const char* description;
  uint64_t min_group;
  bool asymmetric;  // supports Scheme::kAsymmetric
  Packing packing;
  // Added to a code before packing, so that stored codes start at 0.
  int32_t bias;
  // First value of a stored code that no encoder emits, or 0 where every bit
  // pattern is a code.
  int32_t first_invalid;

  CodeRange (*code_range)(Scheme scheme);
  Statistic (*statistic)(Scheme scheme);
  // The range of a segment to its parameters; an empty or all-zero one to
  // scale 0, zero point 0.
  Params (*params)(Range range, Scheme scheme);
  // The scalar reference: the specification in code.
  int32_t (*encode)(float x, Params params, Scheme scheme);
  float (*decode)(int32_t code, Params params);
  // The best kernels for this CPU (or for the target that a test forces).
  const Kernels& (*kernels)();
};

// What an encoder multiplies by. The traversal and the references share it.
inline float InverseScale(float scale) {
  return scale == 0.0f ? 0.0f : 1.0f / scale;
}

// registry.cc
int NumFormats();
const Format& FormatAt(int index);
const Format* FindFormat(int32_t id);  // nullptr: unknown
const Format* FindFormat(const std::string& name);
std::string FormatNames();  // "ternary, int8"

}  // namespace bnq

#endif  // BNQ_CORE_FORMAT_H_
