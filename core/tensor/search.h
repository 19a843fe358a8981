// Scale rules that look at all of a segment's values: percentiles, and the
// search for the parameters of the least squared error.
#ifndef BNQ_CORE_TENSOR_SEARCH_H_
#define BNQ_CORE_TENSOR_SEARCH_H_

#include <cstddef>
#include <cstdint>
#include <functional>

#include "core/base/context.h"
#include "core/kernels/elements.h"
#include "core/kernels/traversal.h"
#include "core/scheme/format.h"

namespace bnq {

// Candidates that are tried at a time; fixed, as the memory of a list would
// cost as much as a group's sums.
constexpr size_t kMaxCandidates = 18;
// Sums of the whole segment for each of count <= kMaxCandidates candidates.
using FitFunction =
    std::function<void(const Params* candidates, size_t count, FitSums* sums)>;

// The parameters of the least squared error among: those of `start` (the
// default rule's range) and of `widest` (the whole range); those of `widest`
// times 0.957^(4k), k = 1..16; those of the best of these times 0.957^k, k =
// -3..3; and from the best, up to eight times, with the least-squares scale of
// its codes (Lloyd's algorithm). Asymmetric ranges have each end narrowed by
// itself, too. An earlier candidate wins a tie, so the result is never worse
// than those of start or widest.
Params SearchParams(const Format& format, const Variant& variant, Range start,
                    Range widest, const FitFunction& fit);

// The elements of a tensor that share parameters.
class Segment {
 public:
  Segment(const SourceView& source, const Layout& layout, uint64_t param);
  uint64_t count() const { return count_; }
  // Elements [begin, begin + n) in order, n + kLanes floats of room.
  void Read(uint64_t begin, size_t n, float* out) const;

 private:
  const SourceView& source_;
  const Layout& layout_;
  uint64_t param_, first_, count_;
};

// The parameters of a segment under variant.scale_rule, kPercentile or kMse.
// `values`: its elements in memory, with kLanes more to read, or nullptr to
// read them chunk by chunk on the context's threads, as often as it takes.
// False where a value is not finite.
bool FindSegmentParams(const Context& context, const Format& format,
                       const Config& config, const Segment& segment,
                       const float* values, Params* params);

}  // namespace bnq

#endif  // BNQ_CORE_TENSOR_SEARCH_H_
