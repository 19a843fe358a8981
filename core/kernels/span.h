// A span on its way to codes: what is done to it before an encoder sees it,
// which is the same for every codec.
#ifndef BNQ_CORE_KERNELS_SPAN_H_
#define BNQ_CORE_KERNELS_SPAN_H_

#include <cstddef>
#include <cstdint>

#include "core/kernels/traversal.h"
#include "core/scheme/layout.h"

namespace bnq {

// How far ahead floats are asked for.
constexpr size_t kAhead = 2 * kSpan;
// Floats behind a span's that vectors may touch.
constexpr size_t kSpanSlack = 64;

// Walks the runs of a row without a division for each of them.
class RunCursor {
 public:
  RunCursor(const Layout& layout, uint64_t row, uint64_t column)
      : length_(layout.per_element ? layout.period() : layout.run),
        mod_(layout.per_element ? 1 : layout.mod),
        base_(layout.FirstParam(row)),
        offset_(column % length_),
        number_(column / length_ % mod_) {}

  uint64_t offset() const { return offset_; }  // within the run
  uint64_t rest() const { return length_ - offset_; }
  uint64_t param() const { return base_ + number_; }
  // By whole runs, from a run's start on and within the row's.
  void AdvanceRuns(uint64_t count) {
    number_ += count;
    if (number_ == mod_) number_ = 0;
  }
  // By no more than rest().
  void Advance(uint64_t count) {
    offset_ += count;
    if (offset_ == length_) {
      offset_ = 0;
      if (++number_ == mod_) number_ = 0;
    }
  }

 private:
  uint64_t length_, mod_, base_, offset_, number_;
};

// A parameter's shift (CodeRule).
template <class Args>
inline float ShiftOf(const Args& args, uint64_t param) {
  if (args.offsets != nullptr) return args.offsets[param];
  if (args.zero_points == nullptr) return 0.0f;
  return static_cast<float>(args.zero_points[param]);
}

// A span's part of a run.
struct RunPart {
  uint64_t param;  // relative to args.param_base
  size_t count;
};

// A span on its way to codes.
struct EncodeSpan {
  uint64_t element;  // its first, in the matrix
  size_t count;
  uint64_t to_end;  // from it to the end of the block's row
  const float* x;
  size_t readable;     // floats from x on
  uint64_t within;     // elements of the first part's run before the span
  uint64_t last_rest;  // of the last part's run, from the part on
  size_t num_parts;
  // Where all parts are whole runs of so many elements, a small group, with
  // parameters in order from the first; else 0, and there is a list of them.
  size_t group;
  uint64_t first_param;
  RunPart parts[kSpan];

  RunPart At(size_t p) const {
    return group != 0 ? RunPart{first_param + p, group} : parts[p];
  }
  // For each part, the reciprocal of its scale and its shift (CodeRule).
  alignas(64) float inverse[kSpan + kSpanSlack];
  alignas(64) float shift[kSpan + kSpanSlack];
};

// Cuts the span into the parts of its runs, which moves the cursor on; finds
// the parameters of the runs that begin in it, if args say so; and reads what
// the encoder takes. False where a value is not finite of which parameters were
// to be found.
bool PrepareSpan(const EncodeArgs& args, Statistic statistic, RunCursor* cursor,
                 EncodeSpan* span);

// Values in place of codes, which `random` has words for. False where one of
// them is not finite and so has none: then nothing of the span is written.
bool EncodeAsValues(const EncodeArgs& args, const EncodeSpan& span,
                    const uint32_t* random);

}  // namespace bnq

#endif  // BNQ_CORE_KERNELS_SPAN_H_
