#include "core/tensor/segment.h"

#include <algorithm>

namespace bnq {

Segment::Segment(const SourceView& source, const Layout& layout, uint64_t param)
    : source_(source), elements_(layout.ElementsOf(param)) {}

void Segment::Read(uint64_t begin, size_t n, float* out) const {
  const Layout::Spread& e = elements_;
  for (size_t done = 0; done < n;) {
    const uint64_t i = (begin + done) % e.length;
    const size_t piece =
        static_cast<size_t>(std::min<uint64_t>(n - done, e.length - i));
    LoadElements(source_, e.first + (begin + done) / e.length * e.stride + i,
                 piece, out + done);
    done += piece;
  }
}

}  // namespace bnq
