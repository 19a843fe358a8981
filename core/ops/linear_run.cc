#include "core/ops/linear_run.h"

#include <algorithm>
#include <cstring>

#include "core/base/checked.h"
#include "core/kernels/dot_finish.h"
#include "core/kernels/float_dot.h"

namespace bnq {
namespace {

// Bytes of codes of a task, at least.
constexpr uint64_t kTaskBytes = 65536;
// Inputs from which on weights are put in panels, and those of a task then.
constexpr uint64_t kPanelInputs = 8, kPanelBlock = 252, kPanelTile = 12;
// Columns of a panel; inputs of a task through panels of groups.
constexpr uint64_t kPanelColumns = 512, kGroupPanelInputs = 24,
                   kPanelGroups = 16;
// Inputs that go together through groups or floats, and those of a task without
// panels, so that it is not long.
constexpr uint64_t kGroupInputs = 8, kFloatInputs = 120, kWholeInputs = 64;
// Groups and, where they are unpacked, columns that are worked on at a time.
constexpr uint64_t kGroupsAtOnce = 512, kUnpackColumns = 4096;
constexpr uint64_t kRowsAtOnce = 4, kRowsOfWhole = 32;
// Floats of a row of weights at a time.
constexpr uint64_t kFloatColumns = 512, kFloatRows = 8;

bool IsForFamilies(uint64_t group) {
  return group >= 32 && (group & (group - 1)) == 0;
}
size_t PlanesOf(Packing packing) {
  // Codes of a unit of one byte.
  return UnitOf(packing).bytes == 1 ? UnitOf(packing).codes : 1;
}
}  // namespace

LinearRun::LinearRun(const Linear& linear, const Matrix& x, const Matrix& y,
                     uint8_t* workspace, uint64_t first)
    : linear_(linear),
      weights_(linear.integers_),
      x_(x),
      y_(y),
      first_(first),
      integers_(linear.TakesCodes(x) && weights_.obstacle().empty()),
      outputs_(linear, integers_, y_, first, &rows_) {
  if (integers_) {
    const DotKernels& best = BestDotKernels(linear.options_.amx());
    const Packing packing = weights_.codes().packing;
    const bool grouped = weights_.groups() > 1;
    whole_ = groups_ = &best;
    packed_ = best.reads(packing, grouped);
    if (grouped && !IsForFamilies(weights_.group())) {
      groups_ = &GenericDotKernels();
      packed_ = groups_->reads(packing, true);
    }
    codes_ = weights_.codes();
    if (packed_) {
      order_.planes = PlanesOf(packing);
    } else {
      codes_ = {};
    }
  }
  rows_ = InputRows(linear.NeedsOf(linear.TakesCodes(x)), order_, x.rows,
                    workspace);
  // All inputs of one call go the same way.
  panels_ = integers_ && x.rows >= kPanelInputs && HasPanels();
  const uint64_t outputs = y.columns, inputs = x.rows;
  const uint64_t bytes = std::max<uint64_t>(
      RowBytes(linear.weight_->packing(), linear.inputs()), 1);
  row_block_ = panels_ ? kPanelRows
                       : std::max<uint64_t>(kTaskBytes / bytes / 32 * 32, 32);
  input_block_ = !integers_               ? kFloatInputs
                 : !panels_               ? kWholeInputs
                 : weights_.groups() == 1 ? kPanelBlock
                                          : kGroupPanelInputs;
  if (panels_ && weights_.groups() == 1) {
    // About equal ones, of whole tiles of the kernels.
    const uint64_t blocks = DivCeil(inputs, kPanelBlock);
    input_block_ = DivCeil(DivCeil(inputs, blocks), kPanelTile) * kPanelTile;
  }
  row_tasks_ = DivCeil(outputs, row_block_);
  input_tasks_ = DivCeil(inputs, input_block_);
}

void LinearRun::PrepareInput(uint64_t m) const {
  rows_.Prepare(linear_.rule_, linear_.weight_->input_scales(), x_, m);
}

void LinearRun::AllPrepared() {
  if (!integers_) return;
  for (uint64_t m = 0; m < x_.rows && !ones_; ++m)
    ones_ = rows_.zeros()[m] != 0;
  if (ones_) rows_.PrepareOnes();
}

void LinearRun::RunTask(uint64_t task) const {
  Block block;
  // Blocks of inputs of the same weights follow each other.
  block.n = first_ + task / input_tasks_ * row_block_;
  block.n_end = std::min(block.n + row_block_, first_ + y_.columns);
  block.m = task % input_tasks_ * input_block_;
  block.m_end = std::min(block.m + input_block_, x_.rows);
  if (!integers_) return RunFloats(block);
  if (weights_.groups() > 1) {
    return panels_ ? RunGroupPanels(block) : RunGroups(block);
  }
  panels_ ? RunPanels(block) : RunWhole(block);
}

bool LinearRun::HasPanels() const {
  if (whole_->panel == nullptr) return false;
  if (weights_.groups() == 1) return !linear_.long_sums_;
  // Groups that are whole chunks, or chunks that are whole groups, by dwords of
  // each plane.
  return IsForFamilies(weights_.group()) && weights_.group() <= kPanelColumns;
}

// ---- integers, one scale for each row ---------------------------------------

// Columns [begin, end) of rows from n on as kernels read them: where they are,
// or unpacked into scratch, rows `stride` bytes apart.
LinearRun::Codes LinearRun::CodesOf(uint64_t n, size_t rows, uint64_t begin,
                                    uint64_t end, size_t stride,
                                    uint8_t* scratch) const {
  if (!packed_) {
    weights_.Unpack(n, rows, begin, end, stride, scratch);
    return {scratch, stride, static_cast<size_t>(end - begin)};
  }
  const uint64_t byte = begin / order_.planes;
  const uint64_t bytes = end == weights_.columns()
                             ? weights_.row_bytes() - byte
                             : (end - begin) / order_.planes;
  return {weights_.row(n) + byte, static_cast<size_t>(weights_.row_bytes()),
          static_cast<size_t>(bytes)};
}

// f(args) for pieces of rows whose sums int32 holds; the kernels of whole rows
// take them.
template <class F>
void LinearRun::EachPiece(uint64_t n, size_t rows, const int8_t* x,
                          uint8_t* scratch, F f) const {
  DotArgs args;
  args.codes = codes_;
  args.rows = rows;
  const uint64_t columns = weights_.columns();
  const uint64_t chunk = packed_ ? order_.chunk() : kUnpackColumns;
  const uint64_t piece = packed_ ? kDotColumns / chunk * chunk : chunk;
  for (uint64_t at = 0; at < columns; at += piece) {
    const Codes codes = CodesOf(n, rows, at, std::min(at + piece, columns),
                                kUnpackColumns, scratch);
    args.x = x + at;
    args.data = codes.data;
    args.stride = codes.stride;
    args.bytes = codes.bytes;
    f(args);
  }
}

template <class Sum>
void LinearRun::WholeSums(uint64_t n, size_t rows, const int8_t* x,
                          uint8_t* scratch, Sum* sums) const {
  int32_t part[kRowsOfWhole];
  std::fill_n(sums, rows, Sum{0});
  EachPiece(n, rows, x, scratch, [&](DotArgs& args) {
    args.sums = part;
    whole_->whole(args);
    for (size_t r = 0; r < rows; ++r) sums[r] += part[r];
  });
}

void LinearRun::RunLong(const Block& block, Outputs::Weights weights,
                        uint8_t* scratch) const {
  int64_t sums[kRowsOfWhole], code_sums[kRowsOfWhole];
  float offsets[kRowsOfWhole + kLanes];
  const uint64_t n = weights.n;
  const size_t rows = weights.count;
  for (size_t r = 0; r < rows; ++r) {
    weights_.Read(n + r, 0, 1, nullptr, nullptr, offsets + r);
  }
  weights.offsets = offsets;
  if (ones_) WholeSums(n, rows, rows_.ones(), scratch, code_sums);
  for (uint64_t m = block.m; m < block.m_end; ++m) {
    WholeSums(n, rows, rows_.codes(m), scratch, sums);
    outputs_.Long(m, weights, sums, code_sums);
  }
}

void LinearRun::RunWhole(const Block& block) const {
  // Unpacked rows are few, since they are large.
  const uint64_t most = packed_ ? kRowsOfWhole : kRowsAtOnce;
  alignas(64) uint8_t scratch[kRowsAtOnce * kUnpackColumns];
  for (uint64_t n = block.n; n < block.n_end; n += most) {
    const uint64_t n_end = std::min(n + most, block.n_end);
    const size_t rows = static_cast<size_t>(n_end - n);
    float scales[kRowsOfWhole + kLanes];
    int8_t zero_points[kRowsOfWhole];
    weights_.ReadRows(n, rows, scales, zero_points);
    if (linear_.long_sums_) {
      RunLong(block, {n, rows, scales, zero_points}, scratch);
      continue;
    }
    const Outputs::Weights weights = {n, rows, scales, zero_points};
    int32_t sums[kRowsOfWhole], code_sums[kRowsOfWhole];
    Outputs::OfSums of_sums;
    if (ones_) WholeSums(n, rows, rows_.ones(), scratch, code_sums);
    for (uint64_t m = block.m; m < block.m_end; ++m) {
      WholeSums(n, rows, rows_.codes(m), scratch, sums);
      outputs_.Whole(m, 1, weights, sums, rows, code_sums, &of_sums);
    }
  }
}

// A panel, and codes that are unpacked for it.
struct LinearRun::PanelScratch {
  alignas(64) uint8_t panel[kPanelColumns * kPanelRows];
  alignas(64) uint8_t unpacked[kPanelRows * kPanelColumns + kPackSlack];
};

// What belongs to the groups of a panel.
struct LinearRun::GroupPanelScratch : PanelScratch {
  alignas(64) int32_t sums[kGroupPanelInputs * kPanelRows];
  alignas(64) double lanes[kGroupPanelInputs][kGroupLanes][kPanelRows];
  double scales[kPanelGroups][kPanelRows], offsets[kPanelGroups][kPanelRows];
  int32_t zeros[kPanelGroups][kPanelRows], code_sums[kPanelRows];
  int32_t x_sums[kGroupPanelInputs], x_zeros[kGroupPanelInputs];
};

// Codes [begin, end) of the columns as a panel.
void LinearRun::BuildPanel(const Block& block, uint64_t begin, uint64_t end,
                           PanelScratch* scratch) const {
  PanelArgs args;
  args.codes = codes_;
  args.rows = static_cast<size_t>(block.n_end - block.n);
  args.panel = scratch->panel;
  const Codes codes =
      CodesOf(block.n, args.rows, begin, end, kPanelColumns, scratch->unpacked);
  args.data = codes.data;
  args.stride = codes.stride;
  args.bytes = codes.bytes;
  whole_->panel(args);
}

void LinearRun::RunPanels(const Block& block) const {
  const size_t rows = static_cast<size_t>(block.n_end - block.n);
  // Of whole chunks.
  const uint64_t chunk = order_.chunk();
  const uint64_t segment = kPanelColumns / chunk * chunk;
  PanelScratch scratch;
  alignas(64) int32_t sums[(kPanelBlock + 1) * kPanelRows];
  ProductOfPanelArgs product;
  product.panel = scratch.panel;
  product.wide = packed_ && codes_.packing == Packing::kBits8;
  product.x_stride = static_cast<size_t>(rows_.stride());
  const uint64_t columns = weights_.columns();
  for (uint64_t at = 0; at < columns; at += segment) {
    const uint64_t end = std::min(at + segment, columns);
    BuildPanel(block, at, end, &scratch);
    product.count = static_cast<size_t>(DivCeil(end - at, chunk) * chunk / 4);
    product.add = at != 0;
    product.x = rows_.codes(block.m) + at;
    product.rows = static_cast<size_t>(block.m_end - block.m);
    product.sums = sums;
    whole_->product(product);
    if (ones_) {
      product.x = rows_.ones() + at;
      product.rows = 1;
      product.sums = sums + kPanelBlock * kPanelRows;
      whole_->product(product);
    }
  }
  float scales[kPanelRows + kLanes];
  int8_t zero_points[kPanelRows];
  weights_.ReadRows(block.n, rows, scales, zero_points);
  const Outputs::Weights weights = {block.n, rows, scales, zero_points};
  Outputs::OfSums of_sums;
  outputs_.Whole(block.m, static_cast<size_t>(block.m_end - block.m), weights,
                 sums, kPanelRows, sums + kPanelBlock * kPanelRows, &of_sums);
}

// ---- integers in groups ----------------------------------------------------

// What some groups of some rows of weights have.
struct LinearRun::GroupScratch {
  float scales[kRowsAtOnce][kGroupsAtOnce + kLanes];
  float offsets[kRowsAtOnce][kGroupsAtOnce + kLanes];
  int8_t zero_points[kRowsAtOnce][kGroupsAtOnce];
  int32_t sums[kRowsAtOnce][kGroupsAtOnce];
  int32_t code_sums[kRowsAtOnce][kGroupsAtOnce];
  double lanes[kGroupInputs][kRowsAtOnce][kGroupLanes];
  alignas(64) uint8_t unpacked[kDotColumns + kPackSlack];
};

void LinearRun::RunGroups(const Block& block) const {
  const uint64_t group = weights_.group(), groups = weights_.groups();
  // Groups of one call of a kernel: whole chunks and rounds of lanes where
  // there are several.
  uint64_t at_once =
      std::min(kGroupsAtOnce, (packed_ ? kDotColumns : kUnpackColumns) / group);
  if (at_once > kGroupLanes) at_once = at_once / kGroupLanes * kGroupLanes;
  at_once = std::max<uint64_t>(at_once, 1);
  // Unpacked groups are of many columns or few.
  const uint64_t most =
      packed_ || at_once * group <= kUnpackColumns ? kRowsAtOnce : 1;
  GroupScratch scratch;
  for (uint64_t n = block.n; n < block.n_end; n += most) {
    const uint64_t n_end = std::min(n + most, block.n_end);
    for (uint64_t m = block.m; m < block.m_end; m += kGroupInputs) {
      const Block part = {n, n_end, m, std::min(m + kGroupInputs, block.m_end)};
      std::memset(scratch.lanes, 0, (part.m_end - m) * sizeof scratch.lanes[0]);
      for (uint64_t g = 0; g < groups; g += at_once) {
        AddGroups(part, g, std::min(at_once, groups - g), &scratch);
      }
      FinishGroupsOf(part, scratch);
    }
  }
}

void LinearRun::RunGroupPanels(const Block& block) const {
  const uint64_t group = weights_.group(), groups = weights_.groups();
  // Whole chunks of groups, or as much of one as a panel has.
  const uint64_t at_once = std::max<uint64_t>(kPanelColumns / group, 1);
  GroupPanelScratch scratch;
  std::memset(scratch.lanes, 0, sizeof scratch.lanes);
  for (uint64_t first = 0; first < groups; first += at_once) {
    const uint64_t end = std::min(first + at_once, groups);
    BuildPanel(block, first * group, std::min(end * group, weights_.columns()),
               &scratch);
    ReadGroups(block, first, end - first, &scratch);
    for (uint64_t g = first; g < end; ++g) {
      AddPanelGroup(block, first, g, &scratch);
    }
  }
  const size_t rows = static_cast<size_t>(block.n_end - block.n);
  for (uint64_t m = block.m; m < block.m_end; ++m) {
    float y[kPanelRows];
    FinishPanelLanes(scratch.lanes[m - block.m][0], rows_.scales()[m],
                     outputs_.bias(block.n), rows, y);
    outputs_.Store(m, block.n, rows, y);
  }
}

void LinearRun::ReadGroups(const Block& block, uint64_t first, uint64_t count,
                           GroupPanelScratch* scratch) const {
  const uint64_t rows = block.n_end - block.n;
  for (uint64_t r = 0; r < kPanelRows; ++r) {
    float scales[kPanelGroups + kLanes] = {};
    float offsets[kPanelGroups + kLanes] = {};
    int8_t zero_points[kPanelGroups] = {};
    if (r < rows) {
      weights_.Read(block.n + r, first, count, scales, zero_points, offsets);
    }
    for (uint64_t g = 0; g < count; ++g) {
      scratch->scales[g][r] = static_cast<double>(scales[g]);
      scratch->zeros[g][r] = weights_.zero() + zero_points[g];
    }
    if (!weights_.has_offsets()) continue;
    for (uint64_t g = 0; g < count; ++g) {
      scratch->offsets[g][r] = static_cast<double>(offsets[g]);
    }
  }
}

void LinearRun::AddPanelGroup(const Block& block, uint64_t first, uint64_t g,
                              GroupPanelScratch* scratch) const {
  const uint64_t group = weights_.group();
  const uint64_t at = g * group, begin_column = first * group;
  const uint64_t columns = std::min(group, weights_.columns() - at);
  const int32_t* const zeros = scratch->zeros[g - first];
  ProductOfPanelArgs product;
  product.wide = packed_ && codes_.packing == Packing::kBits8;
  product.x_stride = static_cast<size_t>(rows_.stride());
  // Dwords of the group: all of its chunks, or some of each plane of one.
  const uint64_t chunk = order_.chunk();
  const uint64_t in_chunk = (at - begin_column) % chunk;
  const uint64_t chunk_at = at - in_chunk;
  uint64_t dword = (chunk_at - begin_column) / 4;
  if (group % chunk == 0) {
    product.count = static_cast<size_t>(DivCeil(columns, chunk) * chunk / 4);
  } else {
    product.parts = order_.planes;
    product.part_stride = kDotBytes / 4;
    product.count = static_cast<size_t>(group / order_.planes / 4);
    dword += in_chunk / order_.planes / 4;
  }
  product.panel = scratch->panel + dword * 4 * kPanelRows;
  const uint64_t x_at = chunk_at + in_chunk / order_.planes;
  const size_t inputs = static_cast<size_t>(block.m_end - block.m);
  if (ones_) {
    product.x = rows_.ones() + x_at;
    product.rows = 1;
    product.sums = scratch->code_sums;
    whole_->product(product);
    for (size_t r = 0; r < kPanelRows; ++r) {
      scratch->code_sums[r] -= zeros[r] * static_cast<int32_t>(columns);
    }
  }
  product.x = rows_.codes(block.m) + x_at;
  product.rows = inputs;
  product.sums = scratch->sums;
  whole_->product(product);
  for (size_t i = 0; i < inputs; ++i) {
    scratch->x_sums[i] = rows_.group_sums(block.m + i)[g];
    scratch->x_zeros[i] = rows_.zeros()[block.m + i];
  }
  FinishPanelArgs finish;
  finish.sums = scratch->sums;
  finish.rows = inputs;
  finish.zeros = zeros;
  finish.code_sums = scratch->code_sums;
  finish.scales = scratch->scales[g - first];
  if (weights_.has_offsets()) finish.offsets = scratch->offsets[g - first];
  finish.x_sums = scratch->x_sums;
  if (ones_) finish.x_zeros = scratch->x_zeros;
  finish.columns = static_cast<int32_t>(columns);
  finish.lanes = scratch->lanes[0][g % kGroupLanes];
  finish.lanes_stride = kGroupLanes * kPanelRows;
  FinishPanel(finish);
}

void LinearRun::AddGroups(const Block& block, uint64_t first, uint64_t count,
                          GroupScratch* scratch) const {
  const size_t rows = static_cast<size_t>(block.n_end - block.n);
  const uint64_t group = weights_.group();
  const uint64_t begin = first * group;
  const uint64_t end = std::min(begin + count * group, weights_.columns());
  DotArgs args;
  args.codes = codes_;
  args.rows = rows;
  args.group = static_cast<size_t>(group);
  args.columns = static_cast<size_t>(end - begin);
  args.sums_stride = kGroupsAtOnce;
  const Codes codes =
      CodesOf(block.n, rows, begin, end,
              rows == 1 ? kDotColumns : kUnpackColumns, scratch->unpacked);
  args.data = codes.data;
  args.stride = codes.stride;
  args.bytes = codes.bytes;
  const auto sums_with = [&](const int8_t* x, int32_t* sums) {
    args.x = x + begin;
    args.sums = sums;
    groups_->groups(args);
  };
  if (ones_) sums_with(rows_.ones(), scratch->code_sums[0]);
  for (size_t r = 0; r < rows; ++r) {
    weights_.Read(block.n + r, first, count, scratch->scales[r],
                  scratch->zero_points[r], scratch->offsets[r]);
  }
  FinishGroupsArgs finish;
  finish.count = static_cast<size_t>(count);
  finish.zeros.zero = weights_.zero();
  finish.first = static_cast<size_t>(first);
  finish.group = args.group;
  finish.columns = args.columns;
  for (uint64_t m = block.m; m < block.m_end; ++m) {
    sums_with(rows_.codes(m), scratch->sums[0]);
    finish.x_sums = rows_.group_sums(m) + first;
    finish.zeros.x_zero = rows_.zeros()[m];
    for (size_t r = 0; r < rows; ++r) {
      finish.sums = scratch->sums[r];
      finish.zeros.code_sums = scratch->code_sums[r];
      if (weights_.has_zero_points()) {
        finish.zeros.zero_points = scratch->zero_points[r];
      }
      finish.scales = scratch->scales[r];
      finish.offsets = weights_.has_offsets() ? scratch->offsets[r] : nullptr;
      finish.lanes = scratch->lanes[m - block.m][r];
      FinishGroups(finish);
    }
  }
}

void LinearRun::FinishGroupsOf(const Block& block,
                               const GroupScratch& scratch) const {
  const size_t rows = static_cast<size_t>(block.n_end - block.n);
  for (uint64_t m = block.m; m < block.m_end; ++m) {
    float y[kRowsAtOnce];
    for (size_t r = 0; r < rows; ++r) {
      y[r] = outputs_.OfGroups(m, block.n + r,
                               SumOfGroupLanes(scratch.lanes[m - block.m][r]));
    }
    outputs_.Store(m, block.n, rows, y);
  }
}

// ---- floats ----------------------------------------------------------------

// The codes that come after those of a row from column `at` on: of the same
// row, or of the one that is some rows further.
void LinearRun::PrefetchNext(uint64_t n, uint64_t at, uint64_t columns,
                             uint64_t rows) const {
  const uint64_t all = linear_.inputs();
  const Packing packing = linear_.weight_->packing();
  const uint64_t next =
      at + columns < all ? n * all + at + columns : (n + rows) * all;
  const uint64_t bytes = linear_.weight_->part(Part::kCodes).bytes;
  const uint64_t byte = std::min(ByteOf(packing, next), bytes);
  const uint64_t count = ByteOf(packing, std::min(columns, all));
  PrefetchBytes(linear_.weight_->codes() + byte,
                static_cast<size_t>(std::min(count, bytes - byte)));
}

void LinearRun::RunFloats(const Block& block) const {
  const uint64_t columns = linear_.inputs();
  // Few inputs wait for weights, which come faster in longer pieces.
  const bool few = block.m_end - block.m < kPanelInputs;
  const uint64_t most_rows = few ? 4 : kFloatRows;
  const uint64_t most_columns = few ? 2 * kFloatColumns : kFloatColumns;
  alignas(64) float w[kFloatRows * (kFloatColumns + kFloatLanes)];
  alignas(64) float lanes[kFloatInputs][kFloatRows][kFloatLanes];
  FloatDotArgs args;
  args.w = w;
  args.w_stride = static_cast<size_t>(most_columns + kFloatLanes);
  args.x_stride = static_cast<size_t>(rows_.stride() / sizeof(float));
  args.x_rows = static_cast<size_t>(block.m_end - block.m);
  args.lanes = lanes[0][0];
  args.lanes_stride = kFloatRows;
  for (uint64_t n = block.n; n < block.n_end; n += most_rows) {
    const size_t rows =
        static_cast<size_t>(std::min(most_rows, block.n_end - n));
    args.w_rows = rows;
    std::memset(lanes, 0, args.x_rows * sizeof lanes[0]);
    for (uint64_t at = 0; at < columns; at += most_columns) {
      const uint64_t count = std::min(most_columns, columns - at);
      for (size_t r = 0; r < rows; ++r) {
        float* const row = w + r * args.w_stride;
        if (few) PrefetchNext(n + r, at, most_columns, most_rows);
        linear_.values_.Decode((n + r) * columns + at, count, DType::kF32,
                               false, reinterpret_cast<uint8_t*>(row));
        std::fill_n(row + count, kFloatLanes, 0.0f);
      }
      args.x = rows_.floats(block.m) + at;
      args.count =
          static_cast<size_t>(DivCeil(count, kFloatLanes)) * kFloatLanes;
      AddFloatDots(args);
    }
    FinishFloats({n, n + rows, block.m, block.m_end}, lanes[0][0]);
  }
}

void LinearRun::FinishFloats(const Block& block, const float* lanes) const {
  const size_t rows = static_cast<size_t>(block.n_end - block.n);
  for (uint64_t m = block.m; m < block.m_end; ++m) {
    float y[kFloatRows];
    for (size_t r = 0; r < rows; ++r) {
      y[r] = SumOfFloatLanes(lanes +
                             ((m - block.m) * kFloatRows + r) * kFloatLanes);
    }
    outputs_.Floats(m, block.n, rows, y);
  }
}

}  // namespace bnq
