// Methods that look at one segment at a time, and the search for one ratio of
// all segments.
#ifndef BNQ_CORE_OPTIMIZE_SEGMENTS_H_
#define BNQ_CORE_OPTIMIZE_SEGMENTS_H_

#include <cstdint>

#include "core/optimize/subject.h"

namespace bnq {

struct SegmentsResult {
  ParamSet params;
  // The objective, as the mean over the elements, and the segments whose
  // parameters are not the start's.
  double before = 0.0, after = 0.0;
  uint64_t improved = 0;
};

// Each segment by the method's own function, where that makes it better.
SegmentsResult EachSegment(const Subject& subject);
// The grid's ratios, each of all segments at once: scope = tensor.
SegmentsResult OneRatio(const Subject& subject);

}  // namespace bnq

#endif  // BNQ_CORE_OPTIMIZE_SEGMENTS_H_
