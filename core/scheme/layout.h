// Which parameters an element of a tensor belongs to, and where its code is.
#ifndef BNQ_CORE_SCHEME_LAYOUT_H_
#define BNQ_CORE_SCHEME_LAYOUT_H_

#include <algorithm>
#include <cstdint>

#include "core/base/shape.h"
#include "core/scheme/config.h"
#include "core/scheme/format.h"

namespace bnq {

// A matrix whose rows are cut into runs of columns with common parameters:
// element (r, c) has the parameters FirstParam(r) + (c / run) % mod.
//   tensor:           one run
//   channel, axis 0:  a run is a row
//   channel, other:   runs of `inner` columns, whose parameters repeat
//   group:            runs of group_size, the last of a row possibly short
//   token:            runs of the last dimension
//   block:            one row of all elements; runs of group_size
//   tile:             rows of the last dimension; runs of group_size columns,
//                     whose parameters group_size rows of a matrix share, a
//                     band, the last of each possibly short
// Without scales there is one run and no parameter.
//
// Channels whose runs are too short for vectors are handled element by element
// (`per_element`): (c % (run * mod)) / run is the parameter, and tables of one
// entry for each column of a period take the place of the run's parameters.
//
// Where rows end on a whole byte of codes and a whole run, the matrix is one
// long row, so that work can be cut anywhere; rows and columns are then not
// those of the shape.
struct Layout {
  uint64_t rows = 0;
  uint64_t columns = 0;
  uint64_t run = 1;         // >= 1
  uint64_t row_params = 0;  // parameters of one row, where rows have their own
  uint64_t mod = 1;         // >= 1
  bool per_element = false;
  // Each parameter belongs to one run.
  bool contiguous = true;
  // Of tiles: the rows of each matrix, and those of a band; else 0 and 1.
  uint64_t matrix_rows = 0, band_rows = 1;

  uint64_t num_params = 0;
  uint64_t row_bytes = 0;  // of packed codes
  uint64_t code_bytes = 0;

  // Of channels where !contiguous, the array is [outer, channels, inner].
  uint64_t outer = 1, channels = 1, inner = 1;

  // Of a row's first run.
  uint64_t FirstParam(uint64_t row) const;
  uint64_t ParamIndex(uint64_t row, uint64_t column) const {
    return FirstParam(row) + (column / run) % mod;
  }
  // Runs that follow each other in a row have parameters that do.
  bool InOrder() const { return !per_element && row_params != 0; }
  uint64_t period() const { return run * mod; }

  // The elements of a parameter: `runs` times `length` that lie together, each
  // `stride` behind the one before.
  struct Spread {
    uint64_t first, length, stride, runs;
    uint64_t count() const { return length * runs; }
  };
  Spread ElementsOf(uint64_t param) const;
  // f(element, count, parameter) for what lies together, of elements
  // [begin, end), and shares a parameter: in order.
  template <class F>
  void ForEachRun(uint64_t begin, uint64_t end, const F& f) const {
    for (uint64_t at = begin; at < end;) {
      const uint64_t column = at % columns;
      const uint64_t n =
          std::min({run - column % run, columns - column, end - at});
      f(at, n, ParamIndex(at / columns, column));
      at += n;
    }
  }
};

// The matrix whose rows start on a byte of codes each: that of the shape; of
// blocks one row; of tiles rows of the last dimension.
struct CodeMatrix {
  uint64_t rows, columns;
};
CodeMatrix CodeMatrixOf(Granularity granularity, const Shape& shape);

// INVALID_ARGUMENT or UNSUPPORTED where config and shape do not fit each other
// or the format.
Layout MakeLayout(const Format& format, const Config& config,
                  const Shape& shape);

}  // namespace bnq

#endif  // BNQ_CORE_SCHEME_LAYOUT_H_
