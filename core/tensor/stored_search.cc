#include "core/tensor/stored_search.h"

#include <algorithm>
#include <cfloat>
#include <cmath>

#include "core/scheme/rules.h"
#include "core/tensor/search.h"

namespace bnq {
namespace {

// The codes themselves and those on each side, of one or both numbers.
constexpr size_t kMost = 9;
static_assert(kMost <= kLanes, "one register of candidates");

struct Candidate {
  float scale, offset;
  uint8_t scale_code, offset_code;
};

CandidateErrors ErrorsOf(const Context& context, const SearchTask& task,
                         const Candidate* candidates, size_t count,
                         int32_t zero_point) {
  float greatest = 0.0f;
  for (size_t i = 0; i < count; ++i) {
    greatest = std::max({greatest, std::fabs(candidates[i].scale),
                         std::fabs(candidates[i].offset)});
  }
  const float unit = UnitOf(greatest);
  alignas(64) float scales[kLanes], shifts[kLanes] = {};
  for (size_t i = 0; i < count; ++i) {
    scales[i] = candidates[i].scale;
    shifts[i] = task.rule.offset ? candidates[i].offset * unit
                                 : static_cast<float>(zero_point);
  }
  return ErrorsOf(context, task, scales, shifts, count, unit);
}

}  // namespace

void SearchStored(const Quantizer& quantizer, const StoredScales& scales,
                  uint8_t* scale_codes, const StoredScales& offsets,
                  uint8_t* offset_codes, ParamSpan params) {
  ForEachSegment(quantizer, [&](uint64_t p, const SearchTask& task,
                                const Context& context) {
    const float scale = params.scales[p];
    if (std::fabs(scale) < FLT_MIN) return;
    const int32_t zero_point =
        params.zero_points == nullptr ? 0 : params.zero_points[p];
    const double most =
        GreatestValue(quantizer.format(), quantizer.rule().range, zero_point);
    Candidate candidates[kMost];
    size_t count = 0;
    for (const int s : {0, -1, 1}) {
      Candidate next = {};
      next.scale_code =
          s == 0 ? scale_codes[p] : scales.NextCode(scale_codes[p], s);
      next.scale = scales.ValueOfCode(p, next.scale_code);
      // Usable, and of the same sign.
      const double size =
          static_cast<double>(next.scale) * (scale < 0.0f ? -1.0 : 1.0);
      if (s != 0 && !(size >= FLT_MIN && size * most <= FLT_MAX)) continue;
      for (const int o : {0, -1, 1}) {
        if (offsets.count != 0) {
          next.offset_code =
              o == 0 ? offset_codes[p] : offsets.NextCode(offset_codes[p], o);
          next.offset = offsets.ValueOfCode(p, next.offset_code);
        } else if (o != 0) {
          continue;
        }
        candidates[count++] = next;
      }
    }
    const CandidateErrors errors =
        ErrorsOf(context, task, candidates, count, zero_point);
    const Candidate& best =
        candidates[std::min_element(errors.v, errors.v + count) - errors.v];
    scale_codes[p] = best.scale_code;
    params.scales[p] = best.scale;
    if (offsets.count == 0) return;
    offset_codes[p] = best.offset_code;
    params.offsets[p] = best.offset;
  });
}

}  // namespace bnq
