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
//     static constexpr int kKinds, kGeneral;
//     static int KindOf(const CodeRule& rule);  // below kKinds
//     template <class D, int kKind> struct Encoder {
//       Encoder(D d, const CodeRule& rule);
//       // Elements with these parameters follow.
//       void Begin(D d, Vec<D> inv_scale, Vec<D> zero_point);
//       Vec<RebindToSigned<D>> operator()(D d, Vec<D> x,
//                                         const uint32_t* random) const;
//     };
//     template <class D> struct Decoder {
//       Decoder(D d, const CodeRule& rule);
//       Vec<D> operator()(D d, Vec<RebindToSigned<D>> code, Vec<D> scale,
//                         Vec<D> zero_point) const;
//     };
//   };
//
// Both must give the very bits of the row's encode and decode. How codes become
// bytes is not the codec's business but the packing's (kernels/packing.h), nor
// is the group size (tensor/layout.h).
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
  kMinMax,   // lo = min(min x, 0), hi = max(max x, 0)
  kAbsMean,  // lo = -mean|x|, hi = mean|x|, rounded once to float32
  // The first x of the greatest |x|: lo = x, hi = 0 if it is negative, else
  // lo = 0, hi = x.
  kExtreme,
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

// A format of 16 values: rank r is the number of thresholds that x / scale is
// above, and codes[r] its code. Made by MakeCodeTable.
struct CodeTable {
  float thresholds[15];  // ascending
  int32_t codes[16];     // by rank
  float values[16];      // by code
  // The thresholds as a search tree: level l decides bit 3 - l of a rank, by
  // the bits above it.
  float levels[4][8];
  // The same by a lookup: |u| <= 1 belongs to bucket round(u * buckets) mod 32,
  // in which there is one threshold at most (else infinity), between the codes
  // in bits 0 to 3 and 4 to 7. u is v; or |v| where the upper half of the ranks
  // is the lower one's mirror image, whose codes have bit 3 set.
  float buckets;
  bool mirrored;  // or else code i has rank i
  float bucket_thresholds[32];
  int32_t bucket_codes[32];
};

struct CodeTableParts {
  float thresholds[15];
  int32_t codes[16];
  float values[16];
  // No threshold may be near the edge of a bucket.
  float buckets;
  bool mirrored;
};
constexpr CodeTable MakeCodeTable(const CodeTableParts& parts) {
  CodeTable table = {};
  for (int i = 0; i < 15; ++i) table.thresholds[i] = parts.thresholds[i];
  for (int i = 0; i < 16; ++i) table.codes[i] = parts.codes[i];
  for (int i = 0; i < 16; ++i) table.values[i] = parts.values[i];
  for (int l = 0; l < 4; ++l) {
    for (int i = 0; i < 1 << l; ++i) {
      table.levels[l][i] = parts.thresholds[(2 * i + 1) * (8 >> l) - 1];
    }
  }
  table.buckets = parts.buckets;
  table.mirrored = parts.mirrored;
  for (int i = 0; i < 16; ++i) {
    // Evaluated by the compiler, which then fails.
    if (!parts.mirrored && parts.codes[i] != i) throw parts.codes[i];
  }
  int rank = parts.mirrored ? 8 : 0;
  for (int b = parts.mirrored ? 0 : -16; b < (parts.mirrored ? 32 : 16); ++b) {
    const int at = b & 31;
    table.bucket_thresholds[at] = 3.4028234663852886e38f;
    table.bucket_codes[at] = parts.codes[rank] | parts.codes[rank] << 4;
    if (rank < 15 &&
        parts.thresholds[rank] * parts.buckets < static_cast<float>(b) + 0.5f) {
      table.bucket_thresholds[at] = parts.thresholds[rank];
      table.bucket_codes[at] = parts.codes[rank] | parts.codes[rank + 1] << 4;
      ++rank;
    }
  }
  return table;
}

// From the nearest integer r (ties to even) of v to the one that a rounding
// chooses: r + 1 where v - r >= up, r - 1 where v - r <= down; one pair of
// bounds for v >= 0 and one for v < 0.
struct RoundingSteps {
  float up[2], down[2];  // [v < 0]
};
RoundingSteps StepsOf(Rounding rounding);

// Everything that decides codes and values, apart from a segment's parameters.
struct CodeRule {
  CodeRange range;
  Rounding rounding = Rounding::kHalfEven;
  RoundingSteps steps;
  const CodeTable* table = nullptr;
};

struct EncodeArgs;  // kernels/traversal.h
struct DecodeArgs;
struct FitArgs;
struct FitSums;

// One SIMD target's code for a format.
struct Kernels {
  // Quantizes a block of the matrix. False where a value that is not finite
  // was met in a segment whose range had to be found.
  bool (*encode)(const EncodeArgs& args);
  // Dequantizes a run of elements.
  void (*decode)(const DecodeArgs& args);
  // How well parameters fit values; nullptr for formats without scales.
  FitSums (*fit)(const FitArgs& args);
};

// What a format can do, of Format::traits.
enum Trait : uint32_t {
  // Values have scales. Without, none of the following holds either.
  kScaled = 1,
  // value = (code - zero point) * scale: every rounding, and the rule absmean.
  kInteger = 2,
  kAsymmetric = 4,   // Scheme::kAsymmetric
  kFullRanges = 8,   // every SymmetricRange
  kBase3Codes = 16,  // Packing::kBase3
  kKeepsNonFinite = 32,
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
  int32_t (*encode)(float x, Params params, const Variant& variant,
                    uint32_t random);
  float (*decode)(int32_t code, Params params);
  // The best kernels for this CPU (or for the target that a test forces).
  const Kernels& (*kernels)();

  bool Has(uint32_t wanted) const { return (traits & wanted) == wanted; }
};

// What an encoder multiplies by; the traversal does the same with vectors.
inline float InverseScale(float scale) {
  return scale == 0.0f ? 0.0f : 1.0f / scale;
}

// registry.cc
int NumFormats();
const Format& FormatAt(int index);
const Format* FindFormat(int32_t id);  // nullptr: unknown
const Format* FindFormat(const std::string& name);
std::string FormatNames();  // "ternary, int8"

// rules.cc: what formats have in common.

// UNSUPPORTED, naming the option, where the format cannot do what config says.
void CheckSupported(const Format& format, const Config& config);
Packing PackingOf(const Format& format, const Config& config);
CodeRule RuleOf(const Format& format, const Variant& variant);
// What a variant's range is made from, where it is not searched for.
Statistic StatisticOf(const Format& format, const Variant& variant);
// A segment's parameters from its statistic, with the scale as it is stored;
// or those of `count` segments, whose ranges may be changed.
Params ParamsOf(const Format& format, const Variant& variant, Range range);
void ParamsOf(const Format& format, const Variant& variant, Range* ranges,
              size_t count, Params* out);
// The nearest scale that the type holds: saturated, never infinite, and 0 only
// for 0.
float RoundScale(float scale, ScaleDType dtype);

}  // namespace bnq

#endif  // BNQ_CORE_FORMAT_H_
