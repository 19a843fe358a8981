#include "core/tensor/segment.h"

#include <algorithm>

namespace bnq {

Segment::Segment(const SourceView& source, const Layout& layout, uint64_t param)
    : source_(source), elements_(layout.ElementsOf(param)) {}

template <class F>
void Segment::ForRuns(uint64_t begin, size_t n, const F& f) const {
  const Layout::Spread& e = elements_;
  for (size_t done = 0; done < n;) {
    const uint64_t i = (begin + done) % e.length;
    const size_t piece =
        static_cast<size_t>(std::min<uint64_t>(n - done, e.length - i));
    f(e.first + (begin + done) / e.length * e.stride + i, piece, done);
    done += piece;
  }
}

void Segment::Read(uint64_t begin, size_t n, float* out) const {
  ForRuns(begin, n, [&](uint64_t element, size_t count, size_t at) {
    LoadElements(source_, element, count, out + at);
  });
}

void Segment::Weights(const Importance& importance, uint64_t begin, size_t n,
                      float* out) const {
  ForRuns(begin, n, [&](uint64_t element, size_t count, size_t at) {
    for (size_t done = 0; done < count;) {
      const uint64_t column = (element + done) % importance.features;
      const size_t piece = static_cast<size_t>(
          std::min<uint64_t>(count - done, importance.features - column));
      std::copy_n(importance.weights + column, piece, out + at + done);
      done += piece;
    }
  });
}

}  // namespace bnq
