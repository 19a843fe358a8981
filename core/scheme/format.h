// THE contract between a format and everything else.
//
// A format is one file, formats/<name>.cc, with: a comment that specifies it, a
// scalar reference (the test oracle), a SIMD Codec or a table for one that is
// shared (kernels/), and a Format row. The rest of the library reaches formats
// only through the row, so an operation written once in kernels/ or tensor/
// works for all of them.
//
// A Codec, in HWY_NAMESPACE, is a struct that the traversal
// (kernels/traversal-inl.h) is instantiated with:
//
//   struct Codec {
//     // What elements become codes with, in registers, of as many kinds as
//     // rules are worth a loop of their own. `random` is a word for each
//     // element, where the rounding is stochastic.
//     // Where speed matters less, those before kGeneral are not asked for: the
//     // last one does what they do.
//     // kUnfitted is the one that errors are not found of: what it does is as
//     // good as rounding to nearest even, or random; -1: none is.
//     // kAny does for every rule that errors are found of.
//     static constexpr int kKinds, kGeneral, kUnfitted, kAny;
//     static int KindOf(const CodeRule& rule);  // below kKinds
//     template <class D, int kKind> struct Encoder {
//       static constexpr bool kFast;  // worth a loop of its own for small
//       groups Encoder(D d, const CodeRule& rule);
//       // Elements with these parameters follow; the shift is the zero point,
//       // or the offset.
//       void Begin(D d, Vec<D> inv_scale, Vec<D> shift);
//       Vec<RebindToSigned<D>> operator()(D d, Vec<D> x,
//                                         const uint32_t* random) const;
//       // What the decoder makes of that code, without it where that is less
//       // work.
//       Vec<D> Value(D d, Vec<D> x, const uint32_t* random,
//                    const Decoder<D>& decoder) const;
//     };
//     template <class D> struct Decoder {
//       Decoder(D d, const CodeRule& rule);
//       void Begin(D d, Vec<D> scale, Vec<D> shift);
//       Vec<D> operator()(D d, Vec<RebindToSigned<D>> code) const;
//     };
//   };
//
// Both must give the very bits of the row's encode and decode. How codes become
// bytes is not the codec's business but the packing's (scheme/packing.h), nor
// is the group size (scheme/layout.h).
#ifndef BNQ_CORE_SCHEME_FORMAT_H_
#define BNQ_CORE_SCHEME_FORMAT_H_

#include <cstdint>

#include "core/base/small_float.h"
#include "core/scheme/code_table.h"
#include "core/scheme/config.h"
#include "core/scheme/packing.h"

namespace bnq {

// Reduces a segment (the elements that share parameters) to a range. Sums are
// taken in an order that does not depend on the target (kernels/reduce-inl.h).
enum class Statistic {
  kAbsMax,   // lo = -max|x|, hi = max|x|
  kMinMax,   // lo = min(min x, 0), hi = max(max x, 0)
  kAbsMean,  // lo = -mean|x|, hi = mean|x|, rounded once to float32
  // The first x of the greatest |x|: lo = x, hi = 0 if it is negative, else
  // lo = 0, hi = x.
  kExtreme,
  kExtent,  // lo = min x, hi = max x
};

struct Range {
  float lo = 0.0f;
  float hi = 0.0f;
};

// What a segment's codes mean.
struct Params {
  float scale = 0.0f;
  // Under Scheme::kOffset the least code, which stands for the offset itself.
  int32_t zero_point = 0;
  float offset = 0.0f;  // only of Scheme::kOffset
};

// Inclusive.
struct CodeRange {
  int32_t lo = 0;
  int32_t hi = 0;
};
constexpr int32_t CountOf(CodeRange codes) { return codes.hi - codes.lo + 1; }

// From the nearest integer r (ties to even) of v to the one that a rounding
// chooses: r + 1 where v - r >= up, r - 1 where v - r <= down; one pair of
// bounds for v >= 0 and one for v < 0.
struct RoundingSteps {
  float up[2], down[2];  // [v < 0]
};

// Everything that decides codes and values, apart from a segment's parameters.
struct CodeRule {
  CodeRange range;
  bool offset = false;  // Scheme::kOffset: shifts are offsets
  bool signs = false;   // no code for 0
  Rounding rounding = Rounding::kHalfEven;
  RoundingSteps steps;
  const CodeTable* table = nullptr;
  const SmallFloat* small_float = nullptr;
  bool saturate = true;  // of small floats
};

struct EncodeArgs;  // kernels/traversal.h
struct DecodeArgs;
struct ErrorsArgs;
struct FitArgs;
struct FitSums;
struct RoundTripArgs;

// One SIMD target's code for a format.
struct Kernels {
  // Quantizes a block of the matrix. False where a value that is not finite
  // was met in a segment whose range had to be found.
  bool (*encode)(const EncodeArgs& args);
  // Dequantizes a run of elements. False where the output's type does not hold
  // a value (kernels/overflow.h).
  bool (*decode)(const DecodeArgs& args);
  // How well parameters fit values, many of them at once or one more closely;
  // nullptr for formats without scales.
  void (*errors)(const ErrorsArgs& args);
  FitSums (*fit)(const FitArgs& args);
  // What encode and decode make of values that share parameters, without codes
  // in between: fake quantization.
  void (*round_trip)(const RoundTripArgs& args);
};

// What a format can do, of Format::traits.
enum Trait : uint32_t {
  // Values have scales. Without, none of the following holds either.
  kScaled = 1,
  // value = (code - zero point) * scale: every rounding, and the rule absmean.
  kInteger = 2,
  kAsymmetric = 4,   // Scheme::kAsymmetric and kOffset
  kFullRanges = 8,   // every SymmetricRange
  kBase3Codes = 16,  // Packing::kBase3
  kKeepsNonFinite = 32,
  // Codes are -1 and +1. The mean of the absolute values has the least error of
  // all scales.
  kSigns = 64,
  // Values are a codebook that is fitted to the tensor, a part of it: rules of
  // the format alone have no table.
  kCodebook = 128,
  // Some codes stand for NaN or infinity: the option saturate may be off.
  kNonFiniteCodes = 256,
  kSmallFloat = 512,  // codes are small floats: the rounding half_toward_zero
};

template <Params (*kParamsOf)(Range range, const Variant& variant)>
void EachRange(const Range* ranges, size_t count, const Variant& variant,
               Params* out) {
  for (size_t i = 0; i < count; ++i) out[i] = kParamsOf(ranges[i], variant);
}

struct Format {
  int32_t id;
  const char* name;
  const char* description;
  uint64_t min_group;
  uint32_t traits;
  Packing packing;
  // Added to a code before packing, so that stored codes start at 0.
  int32_t bias;
  // First value of a stored code that no encoder emits, or 0 where every bit
  // pattern is a code.
  int32_t first_invalid;
  // The code that fills up a row's last unit.
  int32_t padding;
  const CodeTable* table;  // nullptr: none
  // The statistic of the default scale rule, for symmetric schemes.
  Statistic statistic;

  CodeRange (*code_range)(const Variant& variant);
  // The range of a segment to its parameters; an empty or all-zero one to
  // scale 0, zero point 0. nullptr without scales.
  // Of `count` segments; EachRange makes it of a function for one.
  void (*params)(const Range* ranges, size_t count, const Variant& variant,
                 Params* out);
  // The scalar reference: the specification in code. `random` is used where the
  // rounding is stochastic.
  int32_t (*encode)(float x, Params params, const CodeRule& rule,
                    uint32_t random);
  float (*decode)(int32_t code, Params params, const CodeRule& rule);
  // The best kernels for this CPU (or for the target that a test forces).
  const Kernels& (*kernels)();
  // Of codes that are small floats: a sign, exponent and mantissa.
  const SmallFloat* small_float = nullptr;
  // Where symmetric ranges have the scale max |x| (or the extreme, with its
  // sign) / divisor, bounded as `params` does; nullptr: they do not.
  float (*divisor)(const Variant& variant) = nullptr;
  // Of formats with a codebook: the values that a fit starts from, ascending.
  const float* codebook = nullptr;

  bool Has(uint32_t wanted) const { return (traits & wanted) == wanted; }
};

// The second number of a segment's parameters that codecs are given.
inline float ShiftOf(const CodeRule& rule, const Params& params) {
  return rule.offset ? params.offset : static_cast<float>(params.zero_point);
}

// What an encoder multiplies by; the traversal does the same with vectors.
inline float InverseScale(float scale) {
  return scale == 0.0f ? 0.0f : 1.0f / scale;
}

}  // namespace bnq

#endif  // BNQ_CORE_SCHEME_FORMAT_H_
