// The oracle: quantization written as directly from the definitions as
// possible, element by element, with the formats' scalar references. It shares
// no code with the traversal, the layout or the kernels.
#ifndef BNQ_TESTS_SUPPORT_REFERENCE_H_
#define BNQ_TESTS_SUPPORT_REFERENCE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "core/base/shape.h"
#include "core/scheme/config.h"
#include "core/scheme/format.h"
#include "core/scheme/params.h"

namespace bnq_test {

struct Reference {
  std::vector<int32_t> codes;  // one by one
  std::vector<uint8_t> packed;
  std::vector<float> scales;          // as they were found
  std::vector<float> coding_scales;   // codes were made with
  std::vector<uint32_t> scale_bytes;  // as stored, in words for alignment
  uint64_t num_scale_bytes = 0;
  std::vector<int8_t> zero_points;
  std::vector<float> offsets, coding_offsets;  // as scales
  std::vector<uint32_t> offset_bytes;
  uint64_t num_offset_bytes = 0;
  std::vector<float> tensor_scale;  // one, or none
  std::vector<float> codebook;      // empty: none
  std::vector<float> values;        // dequantized
  std::vector<uint32_t> outlier_columns;
  std::vector<uint16_t> outlier_values;  // float16
};

// Parameters of all segments, in order.
using Found = bnq::ParamSet;

// What a search came to, for which no one result is right: it is taken for what
// it is, once BadlyFound finds nothing wrong with it.
struct Searched {
  bool params_found = false;  // scale_rule = mse
  Found params;
  std::vector<float> codebook;
  // Codes of scales and offsets, where the best and not the nearest are taken.
  std::vector<uint8_t> scale_codes, offset_codes;
};

// values are those of the array as float32.
Reference ReferenceQuantize(const bnq::Format& format,
                            const bnq::Config& config, const bnq::Shape& shape,
                            const std::vector<float>& values,
                            const Searched& searched = Searched());
// Whether codes of scales are looked for beside the nearest ones.
bool SearchesStored(const bnq::Format& format, const bnq::Config& config);
// By brute force, in double: whose stored codes are not next to the nearest
// ones, or give a segment a greater squared error than these; or "".
std::string BadlyStored(const bnq::Format& format, const bnq::Config& config,
                        const bnq::Shape& shape,
                        const std::vector<float>& values,
                        const Searched& searched);

// By brute force, in double: which segment's squared error under the parameters
// found is greater than under those of the default rule, or of 0.8, 0.804, ..
// 1.2 times the range that absmax gives (of many values, some of these); or "".
// Errors of columns are weighted by importance, where there is any.
std::string WorseThanGrid(const bnq::Format& format, const bnq::Config& config,
                          const bnq::Shape& shape,
                          const std::vector<float>& values, const Found& found,
                          const std::vector<float>& codebook = {},
                          const std::vector<float>& importance = {});

// The sum of all squared errors under the parameters, weighted.
double WeightedError(const bnq::Format& format, const bnq::Config& config,
                     const bnq::Shape& shape, const std::vector<float>& values,
                     const Found& found, const std::vector<float>& codebook,
                     const std::vector<float>& importance);

// Whether a format can do what a config says; else it must be UNSUPPORTED.
bool Supported(const bnq::Format& format, const bnq::Config& config);

// Word `index` of a seed's stream of Philox4x32-10.
uint32_t ReferenceRandom(uint64_t seed, uint64_t index);

// float16 and bfloat16 by the definitions of IEEE 754 and of a truncated
// float32, rounding to nearest even.
uint16_t ReferenceF16(float x);
float ReferenceFromF16(uint16_t h);
uint16_t ReferenceBF16(float x);
float ReferenceFromBF16(uint16_t b);

}  // namespace bnq_test

#endif  // BNQ_TESTS_SUPPORT_REFERENCE_H_
