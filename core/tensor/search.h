// Scale rules that look at all of a segment's values: percentiles, and the
// search for the parameters of the least squared error.
#ifndef BNQ_CORE_TENSOR_SEARCH_H_
#define BNQ_CORE_TENSOR_SEARCH_H_

#include "core/base/context.h"
#include "core/scheme/format.h"
#include "core/tensor/segment.h"

namespace bnq {

// The parameters of a segment under the config's scale rule, kPercentile or
// kMse. `values`: its elements in memory, with kLanes more to read, or nullptr
// to read them chunk by chunk on the context's threads, as often as it takes.
// False where a value is not finite.
//
// kMse takes the parameters of the least squared error among
//   1. those of the range that absmax gives, w, and of the default rule's;
//   2. those of w times 0.8, 0.804, .. 1.2, and of w times 0.8 * 0.768^k,
//      k = 1..10, for values of which few are great;
//   3. those of ranges around the best of these (search.cc says which), for
//      asymmetric schemes also with each end moved by itself;
//   4. from the best, up to eight times, the least-squares scale of its codes
//      (Lloyd's algorithm).
// An earlier candidate wins a tie. Errors are sums of float32 in a fixed order
// (kernels/traversal.h), so two candidates nearer than some 1e-6 of their
// errors count as equal.
bool FindSegmentParams(const Context& context, const Format& format,
                       const Config& config, const Segment& segment,
                       const float* values, Params* params);

}  // namespace bnq

#endif  // BNQ_CORE_TENSOR_SEARCH_H_
