// Rows of matrices, cut for threads: the cuts depend on the shape alone.
#ifndef BNQ_CORE_OPS_ROWS_H_
#define BNQ_CORE_OPS_ROWS_H_

#include <algorithm>
#include <cstdint>

#include "core/base/checked.h"
#include "core/base/context.h"
#include "core/parallel/runner.h"

namespace bnq {

// Elements that are worth a task, and few enough for 100 ms.
constexpr uint64_t kTaskElements = 32768;

// Calls f(begin, end) for the rows of a matrix, some at a time.
template <class F>
void ForEachRows(const Context& context, uint64_t rows, uint64_t columns,
                 const F& f) {
  const uint64_t step =
      std::max<uint64_t>(1, kTaskElements / std::max<uint64_t>(columns, 1));
  ParallelFor(context, DivCeil(rows, step), [&](uint64_t task) {
    f(task * step, std::min(rows, (task + 1) * step));
  });
}

// Calls f(row, column, count) for pieces of at most kTaskElements.
template <class F>
void ForEachPiece(const Context& context, uint64_t rows, uint64_t columns,
                  const F& f) {
  if (columns <= kTaskElements) {
    ForEachRows(context, rows, columns, [&](uint64_t begin, uint64_t end) {
      for (uint64_t r = begin; r < end; ++r) {
        f(r, uint64_t{0}, static_cast<size_t>(columns));
      }
    });
    return;
  }
  const uint64_t pieces = DivCeil(columns, kTaskElements);
  ParallelFor(context, rows * pieces, [&](uint64_t task) {
    const uint64_t at = task % pieces * kTaskElements;
    f(task / pieces, at,
      static_cast<size_t>(std::min(columns - at, kTaskElements)));
  });
}

}  // namespace bnq

#endif  // BNQ_CORE_OPS_ROWS_H_
