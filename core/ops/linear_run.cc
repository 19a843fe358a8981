#include "core/ops/linear_run.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "core/base/checked.h"
#include "core/kernels/dot_finish.h"
#include "core/kernels/float_dot.h"
#include "core/kernels/function.h"
#include "core/kernels/packing.h"

namespace bnq {
namespace {

// Bytes of codes of a task, at least.
constexpr uint64_t kTaskBytes = 65536;
// Inputs from which on weights are put in panels, and those of a task then.
constexpr uint64_t kPanelInputs = 8, kPanelBlock = 192;
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
    : linear_(linear), weights_(linear.integers_), x_(x), y_(y), first_(first) {
  const bool codes = linear.TakesCodes(x);
  integers_ = codes && weights_.obstacle().empty();
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
  rows_ = InputRows(linear.NeedsOf(codes), order_, x.rows, workspace);
  requantizes_ = integers_ && RequantizesSums();
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
  row_tasks_ = DivCeil(outputs, row_block_);
  input_tasks_ = DivCeil(inputs, input_block_);
}

void LinearRun::PrepareInput(uint64_t m) const {
  rows_.Prepare(linear_.rule_, linear_.weight_->input_scales(), x_, m);
}

void LinearRun::AllPrepared() {
  if (!integers_) return;
  for (uint64_t m = 0; m < x_.rows && !ones_; ++m) ones_ = rows_.zero(m) != 0;
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

// Codes [begin, end) of rows from n on as unsigned bytes; kPackSlack bytes
// behind the last row may be written.
void LinearRun::Unpack(uint64_t n, uint64_t rows, uint64_t begin, uint64_t end,
                       size_t stride, uint8_t* out) const {
  const Packing packing = weights_.codes().packing;
  const uint8_t* const map = weights_.codes().map;
  const uint64_t unit = begin / CodesPerUnit(packing) * CodesPerUnit(packing);
  // Of whole units, so that the next piece begins with one.
  const uint64_t step =
      kUnpackColumns / CodesPerUnit(packing) * CodesPerUnit(packing);
  int8_t codes[kUnpackColumns + kMaxUnitCodes + kPackSlack];
  for (uint64_t r = 0; r < rows; ++r) {
    const uint8_t* const from = weights_.row(n + r) + ByteOf(packing, unit);
    for (uint64_t at = unit; at < end; at += step) {
      const size_t count =
          static_cast<size_t>(std::min<uint64_t>(end - at, step));
      GetPackingKernels(packing).unpack(from + ByteOf(packing, at - unit),
                                        count, 0, codes);
      const uint64_t skip = at < begin ? begin - at : 0;
      uint8_t* const to = out + r * stride + (at + skip - begin);
      for (uint64_t i = skip; i < count; ++i) {
        const uint8_t u =
            static_cast<uint8_t>(codes[i] + weights_.unpack_bias());
        to[i - skip] = map != nullptr ? map[u] : u;
      }
    }
  }
}

// Columns [begin, end) of rows from n on as kernels read them: where they are,
// or unpacked into scratch, rows `stride` bytes apart.
LinearRun::Codes LinearRun::CodesOf(uint64_t n, size_t rows, uint64_t begin,
                                    uint64_t end, size_t stride,
                                    uint8_t* scratch) const {
  if (!packed_) {
    Unpack(n, rows, begin, end, stride, scratch);
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

// Of one row of inputs: what its sums are multiplied by.
struct LinearRun::OfSums {
  float x_scale = -1.0f;  // none has that
  float scales[kRowsOfWhole];
};

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
      RunLong({n, n_end, block.m, block.m_end}, rows, scales, zero_points,
              scratch);
      continue;
    }
    int32_t sums[kRowsOfWhole], code_sums[kRowsOfWhole];
    OfSums of_sums;
    if (ones_) WholeSums(n, rows, rows_.ones(), scratch, code_sums);
    for (uint64_t m = block.m; m < block.m_end; ++m) {
      WholeSums(n, rows, rows_.codes(m), scratch, sums);
      FinishWhole(m, n, rows, sums, code_sums, scales, zero_points, &of_sums);
    }
  }
}

// As FinishSums, of sums that int32 may not hold; or as those of groups, where
// the one group of a row has an offset.
void LinearRun::RunLong(const Block& block, size_t rows, const float* scales,
                        const int8_t* zero_points, uint8_t* scratch) const {
  int64_t sums[kRowsOfWhole], code_sums[kRowsOfWhole];
  float offsets[kRowsOfWhole][1 + kLanes];
  const int64_t columns = static_cast<int64_t>(weights_.columns());
  const Bias& bias = linear_.bias_;
  for (size_t r = 0; r < rows; ++r) {
    weights_.Read(block.n + r, 0, 1, nullptr, nullptr, offsets[r]);
  }
  if (ones_) WholeSums(block.n, rows, rows_.ones(), scratch, code_sums);
  for (uint64_t m = block.m; m < block.m_end; ++m) {
    WholeSums(block.n, rows, rows_.codes(m), scratch, sums);
    const int64_t x_zero = rows_.zero(m);
    float y[kRowsOfWhole];
    for (size_t r = 0; r < rows; ++r) {
      const uint64_t n = block.n + r;
      const int64_t z =
          weights_.zero() + (weights_.has_zero_points() ? zero_points[r] : 0);
      int64_t sum = sums[r] - z * rows_.sum(m);
      if (x_zero != 0) sum -= x_zero * (code_sums[r] - z * columns);
      if (!bias.integers.empty()) sum += bias.integers[n];
      if (weights_.has_offsets()) {
        const double x_sum =
            static_cast<double>(rows_.sum(m) - x_zero * columns);
        y[r] = Scaled(
            m, n,
            0.0 + static_cast<double>(sum) * static_cast<double>(scales[r]) +
                x_sum * static_cast<double>(offsets[r][0]));
        continue;
      }
      y[r] = static_cast<float>(sum) * ScaleOfSum(m, scales[r]);
    }
    if (!weights_.has_offsets()) AddRest(m, block.n, rows, y);
    Store(m, block.n, rows, y);
  }
}

// What a sum is multiplied by; of outputs of codes that are sums alone, so that
// these are rounded once.
float LinearRun::ScaleOfSum(uint64_t m, float scale) const {
  if (!requantizes_) return rows_.scale(m) * scale;
  const double all = static_cast<double>(rows_.scale(m)) *
                     static_cast<double>(scale) /
                     static_cast<double>(linear_.options_.output_scale());
  // Finite, so that 0 times it is 0.
  constexpr double kMost = std::numeric_limits<float>::max();
  return static_cast<float>(std::min(std::max(all, -kMost), kMost));
}

void LinearRun::FinishWhole(uint64_t m, uint64_t n, size_t rows,
                            const int32_t* sums, const int32_t* code_sums,
                            const float* scales, const int8_t* zero_points,
                            OfSums* of_sums) const {
  float y[kRowsOfWhole];
  FinishArgs args;
  args.sums = sums;
  args.count = rows;
  args.zeros.zero = weights_.zero();
  if (weights_.has_zero_points()) args.zeros.zero_points = zero_points;
  args.zeros.x_zero = rows_.zero(m);
  args.zeros.code_sums = code_sums;
  args.x_sum = static_cast<int32_t>(rows_.sum(m));
  args.columns = static_cast<int32_t>(weights_.columns());
  args.x_scale = rows_.scale(m);
  args.scales = scales;
  const Bias& bias = linear_.bias_;
  if (!bias.integers.empty()) args.int_bias = bias.integers.data() + n;
  const bool outliers = linear_.weight_->outliers().count != 0;
  if (!bias.floats.empty() && !outliers) args.bias = bias.floats.data() + n;
  args.out = y;
  if (requantizes_) {
    // Mostly those of the row before: a division each.
    if (of_sums->x_scale != rows_.scale(m)) {
      of_sums->x_scale = rows_.scale(m);
      for (size_t r = 0; r < rows; ++r) {
        of_sums->scales[r] = ScaleOfSum(m, scales[r]);
      }
    }
    args.x_scale = 1.0f;
    args.scales = of_sums->scales;
  }
  FinishSums(args);
  if (outliers) AddRest(m, n, rows, y);
  Store(m, n, rows, y);
}

void LinearRun::AddRest(uint64_t m, uint64_t n, size_t count, float* y) const {
  const Outliers outliers = linear_.weight_->outliers();
  const Bias& bias = linear_.bias_;
  SourceView values;
  values.data = outliers.values;
  values.dtype = outliers.dtype;
  for (size_t r = 0; r < count; ++r) {
    double sum = 0.0;
    for (uint64_t i = 0; i < outliers.count; ++i) {
      float w[1 + kLanes];
      LoadElements(values, (n + r) * outliers.count + i, 1, w);
      sum = sum + static_cast<double>(rows_.outliers(m)[i]) *
                      static_cast<double>(w[0]);
    }
    if (outliers.count != 0) y[r] = y[r] + static_cast<float>(sum);
    if (!bias.floats.empty()) y[r] = y[r] + bias.floats[n + r];
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
  OfSums of_sums;
  for (uint64_t m = block.m; m < block.m_end; ++m) {
    FinishWhole(m, block.n, rows, sums + (m - block.m) * kPanelRows,
                sums + kPanelBlock * kPanelRows, scales, zero_points, &of_sums);
  }
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
  const Bias& bias = linear_.bias_;
  for (uint64_t m = block.m; m < block.m_end; ++m) {
    float y[kPanelRows];
    FinishPanelLanes(
        scratch.lanes[m - block.m][0], rows_.scale(m),
        bias.floats.empty() ? nullptr : bias.floats.data() + block.n, rows, y);
    Store(m, block.n, rows, y);
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
    scratch->x_zeros[i] = rows_.zero(block.m + i);
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
    finish.zeros.x_zero = rows_.zero(m);
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
      y[r] = Scaled(m, block.n + r,
                    SumOfGroupLanes(scratch.lanes[m - block.m][r]));
    }
    Store(m, block.n, rows, y);
  }
}

float LinearRun::Scaled(uint64_t m, uint64_t n, double sum) const {
  double y = sum * static_cast<double>(rows_.scale(m));
  const Bias& bias = linear_.bias_;
  if (!bias.floats.empty()) y = y + static_cast<double>(bias.floats[n]);
  return static_cast<float>(y);
}

// ---- floats ----------------------------------------------------------------

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
      if (linear_.TakesCodes(x_)) y[r] = y[r] * rows_.scale(m);
      if (!linear_.bias_.floats.empty()) {
        y[r] = y[r] + linear_.bias_.floats[block.n + r];
      }
    }
    Store(m, block.n, rows, y);
  }
}

// ---- outputs ---------------------------------------------------------------

bool LinearRun::RequantizesSums() const {
  return linear_.options_.output() != OutputType::kFloat &&
         linear_.options_.function() == Function::kNone &&
         linear_.bias_.floats.empty() && weights_.groups() == 1 &&
         !weights_.has_offsets() && linear_.weight_->outliers().count == 0;
}

void LinearRun::Store(uint64_t m, uint64_t n, size_t count, float* y) const {
  const OperatorOptions& options = linear_.options_;
  if (options.function() != Function::kNone) {
    ApplyFunction(options.function(), options.slope(), y, count, y);
  }
  if (!IsInteger(y_.dtype)) {
    const size_t size = y_.dtype == DType::kF32 ? 4 : 2;
    return StoreElements(y, count, y_.dtype, false,
                         y_.row(m) + (n - first_) * size);
  }
  if (!requantizes_) {
    const float scale = options.output_scale();
    for (size_t i = 0; i < count; ++i) y[i] = y[i] / scale;
  }
  StoreRequantized(y, count, options.output_zero_point(),
                   y_.dtype == DType::kI8, y_.row(m) + (n - first_));
}

}  // namespace bnq
