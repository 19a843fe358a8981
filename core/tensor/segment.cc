#include "core/tensor/segment.h"

#include <algorithm>

namespace bnq {

Segment::Segment(const SourceView& source, const Layout& layout, uint64_t param)
    : source_(source),
      layout_(layout),
      param_(param),
      first_(0),
      count_(layout.rows * layout.columns) {
  if (!layout.contiguous) {
    count_ = layout.outer * layout.inner;
  } else if (layout.row_params != 0) {
    const uint64_t row = param / layout.row_params;
    const uint64_t column = param % layout.row_params * layout.run;
    first_ = row * layout.columns + column;
    count_ = std::min(layout.run, layout.columns - column);
  }
}

void Segment::Read(uint64_t begin, size_t n, float* out) const {
  if (layout_.contiguous) {
    LoadElements(source_, first_ + begin, n, out);
    return;
  }
  for (size_t done = 0; done < n;) {
    const uint64_t o = (begin + done) / layout_.inner;
    const uint64_t i = (begin + done) % layout_.inner;
    const size_t piece =
        static_cast<size_t>(std::min<uint64_t>(n - done, layout_.inner - i));
    LoadElements(source_, (o * layout_.channels + param_) * layout_.inner + i,
                 piece, out + done);
    done += piece;
  }
}

}  // namespace bnq
