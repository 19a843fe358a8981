#include "core/scheme/layout.h"

#include <algorithm>

#include "core/base/checked.h"
#include "core/base/error.h"
#include "core/scheme/rules.h"
#include "core/scheme/support.h"

namespace bnq {
namespace {

// Runs shorter than this are slower than element-wise parameters are.
constexpr uint64_t kMinRun = 32;

void SetChannels(Layout& layout, const Config& config, const Shape& shape) {
  const int rank = shape.rank;
  const int axis = shape.Axis(config.axis());
  for (int i = 0; i < rank; ++i) {
    (i < axis    ? layout.outer
     : i == axis ? layout.channels
                 : layout.inner) *= shape.dims[i];
  }
  // Channels without elements have nothing to share.
  layout.num_params = shape.elements() == 0 ? 0 : layout.channels;
  if (layout.outer == 1) {
    // Each channel is a run: of whole rows for the first dimension of a
    // matrix, of columns where leading dimensions are 1 or the rank is.
    layout.run = std::max<uint64_t>(layout.inner, 1);
    layout.mod = layout.columns / layout.run;
    layout.row_params = layout.mod;
  } else {
    layout.contiguous = false;
    layout.run = std::max<uint64_t>(layout.inner, 1);
    layout.mod = layout.channels;
    layout.per_element = layout.run < kMinRun;
  }
  layout.mod = std::max<uint64_t>(layout.mod, 1);
}

void SetTiles(Layout& layout, const Shape& shape) {
  layout.contiguous = false;
  layout.band_rows = layout.run;
  layout.matrix_rows = shape.rank >= 2 ? shape.dims[shape.rank - 2] : 1;
  const uint64_t bands = DivCeil(layout.matrix_rows, layout.band_rows);
  layout.num_params = layout.rows / layout.matrix_rows * bands * layout.mod;
}

}  // namespace

uint64_t Layout::FirstParam(uint64_t row) const {
  if (matrix_rows == 0) return row * row_params;
  const uint64_t bands = DivCeil(matrix_rows, band_rows);
  return (row / matrix_rows * bands + row % matrix_rows / band_rows) *
         row_params;
}

Layout::Spread Layout::ElementsOf(uint64_t param) const {
  if (row_params == 0) {
    if (contiguous) return {0, rows * columns, 0, 1};
    return {param * inner, inner, channels * inner, outer};
  }
  uint64_t row = param / row_params, runs = 1;
  if (matrix_rows != 0) {
    const uint64_t bands = DivCeil(matrix_rows, band_rows);
    const uint64_t above = row % bands * band_rows;
    row = row / bands * matrix_rows + above;
    runs = std::min(band_rows, matrix_rows - above);
  }
  const uint64_t column = param % row_params * run;
  return {row * columns + column, std::min(run, columns - column), columns,
          runs};
}

CodeMatrix CodeMatrixOf(Granularity granularity, const Shape& shape) {
  const uint64_t elements = shape.elements();
  if (granularity == Granularity::kBlock) {
    return {elements == 0 ? uint64_t{0} : uint64_t{1}, elements};
  }
  if (granularity == Granularity::kTile && elements != 0 && shape.rank > 2) {
    return {elements / shape.features(), shape.features()};
  }
  return {shape.rows(), shape.columns()};
}

Layout MakeLayout(const Format& format, const Config& config,
                  const Shape& shape) {
  CheckSupported(format, config);
  const Packing packing = PackingOf(format, config);
  Layout layout;
  const uint64_t elements = shape.elements();
  // Who shares a scale does not matter where there are none.
  const bool scaled = format.Has(kScaled);
  const Granularity granularity =
      scaled ? config.granularity() : Granularity::kTensor;
  if ((granularity == Granularity::kGroup ||
       granularity == Granularity::kBlock ||
       granularity == Granularity::kTile) &&
      config.group_size() < format.min_group) {
    Fail(Status::kInvalidArgument, "group_size = ", config.group_size(),
         ", must be at least ", format.min_group, " for format ", format.name);
  }
  const CodeMatrix matrix = CodeMatrixOf(granularity, shape);
  layout.rows = matrix.rows;
  layout.columns = matrix.columns;
  switch (granularity) {
    case Granularity::kTensor:
      layout.run = std::max<uint64_t>(layout.columns, 1);
      layout.num_params = 1;
      break;
    case Granularity::kChannel:
      SetChannels(layout, config, shape);
      break;
    case Granularity::kToken:
    case Granularity::kGroup:
    case Granularity::kBlock:
    case Granularity::kTile:
      layout.run = config.group_size();
      if (granularity == Granularity::kToken) {
        layout.run = std::max<uint64_t>(shape.features(), 1);
      }
      layout.mod = std::max<uint64_t>(DivCeil(layout.columns, layout.run), 1);
      layout.row_params = layout.mod;
      layout.num_params = elements == 0 ? 0 : layout.rows * layout.mod;
      if (granularity == Granularity::kTile && elements != 0) {
        SetTiles(layout, shape);
      }
      break;
  }
  if (!scaled) layout.num_params = 0;
  layout.row_bytes = RowBytes(packing, layout.columns);
  layout.code_bytes =
      CheckedMul(layout.rows, layout.row_bytes, "size of the codes");

  if (elements != 0 && layout.rows > 1 && layout.matrix_rows == 0 &&
      layout.columns % CodesPerUnit(packing) == 0 &&
      (layout.columns % layout.run == 0)) {
    // One long row. A tensor's single run grows with it; runs that repeat do
    // so with the same period.
    if (layout.row_params != 0) {
      layout.mod = layout.rows * layout.mod;
      layout.row_params = layout.mod;
    } else if (layout.num_params <= 1 && layout.contiguous) {
      layout.run = elements;
    }
    layout.columns = elements;
    layout.rows = 1;
    layout.row_bytes = layout.code_bytes;
  }
  return layout;
}

}  // namespace bnq
