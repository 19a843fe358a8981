#include "core/ops/weights.h"

#include <algorithm>

#include "core/base/error.h"
#include "core/kernels/elements.h"
#include "core/kernels/packing.h"

namespace bnq {
namespace {

// e2m1's values are halves of these less 12: 0, 1/2, 1, 3/2, 2, 3, 4, 6, and
// the same with a sign.
constexpr uint8_t kE2M1Map[16] = {12, 13, 14, 15, 16, 18, 20, 24,
                                  12, 11, 10, 9,  8,  6,  4,  0};

// Codes that are unpacked at a time.
constexpr uint64_t kUnpackColumns = 4096;

// The same as Read, by vectors where they are halves.
void ReadStored(const StoredScales& stored, uint64_t begin, uint64_t count,
                float* out) {
  const bool f16 = stored.dtype == ScaleDType::kF16;
  if (stored.double_quant || (!f16 && stored.dtype != ScaleDType::kBF16)) {
    return stored.Read(begin, count, out);
  }
  SourceView halves;
  halves.data = stored.data;
  halves.dtype = f16 ? DType::kF16 : DType::kBF16;
  LoadElements(halves, begin, count, out);
}

}  // namespace

std::string IntegerWeights::ObstacleOf(const Config& config, int rank) {
  const Format& format = FormatOf(config);
  if (!format.Has(kInteger) && !format.Has(kSigns) &&
      format.small_float != &kE2M1) {
    return Message("codes of format ", format.name, " are no integers");
  }
  const int axis = config.axis() < 0 ? config.axis() + rank : config.axis();
  if (config.granularity() == Granularity::kChannel && axis != 0) {
    return Message("scales belong to dimension ", config.axis());
  }
  return "";
}

IntegerWeights::IntegerWeights(const QuantizedTensor& tensor)
    : tensor_(&tensor),
      obstacle_(ObstacleOf(tensor.config(), tensor.shape().rank)),
      rows_(tensor.shape().rows()),
      columns_(tensor.shape().columns()),
      scales_(tensor.scales()),
      offsets_(tensor.offsets()) {
  if (!obstacle_.empty()) return;
  const Format& format = tensor.format();
  codes_.packing = tensor.packing();
  if (format.small_float == &kE2M1) {
    codes_.map = kE2M1Map;
    zero_ = 12;
    factor_ = 0.5f;
  } else {
    const int32_t bias = tensor.bias();
    // int8 is stored as two's complement, unless it has a bias.
    codes_.flip = codes_.packing == Packing::kBits8 && bias == 0;
    zero_ = codes_.flip ? 128 : bias;
    if (codes_.packing == Packing::kSigns) {
      // -1 and +1, unpacked.
      unpack_bias_ = 1;
      zero_ = 1;
    }
    // The least code stands for the offset.
    if (tensor.config().scheme() == Scheme::kOffset) {
      zero_ = bias + RuleOf(format, tensor.config().variant()).range.lo;
    }
  }
  SetGroups();
}

void IntegerWeights::SetGroups() {
  if (columns_ == 0) {
    obstacle_ = "the weight has no columns";
    return;
  }
  if (tensor_->outliers().count != 0 && tensor_->shape().rank > 2) {
    obstacle_ = "the weight has outlier columns and more than two dimensions";
    return;
  }
  const Config& config = tensor_->config();
  group_ = columns_;
  row_bytes_ = RowBytes(codes_.packing, columns_);
  switch (config.granularity()) {
    case Granularity::kTensor:
    case Granularity::kChannel:
      break;
    case Granularity::kToken:
      group_ = std::max<uint64_t>(tensor_->shape().features(), 1);
      break;
    case Granularity::kGroup:
      group_ = config.group_size();
      break;
    case Granularity::kBlock:
      group_ = config.group_size();
      if (columns_ % group_ != 0 || columns_ % CodesPerUnit(codes_.packing)) {
        obstacle_ =
            Message("blocks of ", group_, " elements do not end where rows of ",
                    columns_, " do");
      }
      break;
    case Granularity::kTile:
      group_ = config.group_size();
      if (tensor_->shape().rank > 2) {
        obstacle_ = "the weight has tiles and more than two dimensions";
      }
      break;
  }
  groups_ = std::max<uint64_t>(DivCeil(columns_, group_), 1);
  if (groups_ == 1) group_ = columns_;
  if (groups_ > 1 && group_ > kDotColumns) {
    obstacle_ =
        Message("groups of ", group_, " columns are more than ", kDotColumns);
  }
}

uint64_t IntegerWeights::ParamOf(uint64_t row, uint64_t group) const {
  const Config& config = tensor_->config();
  switch (config.granularity()) {
    case Granularity::kTensor:
      return 0;
    case Granularity::kTile:
      return row / config.group_size() * groups_ + group;
    default:
      return row * groups_ + group;
  }
}

void IntegerWeights::Read(uint64_t row, uint64_t first, uint64_t count,
                          float* scales, int8_t* zero_points,
                          float* offsets) const {
  ReadParams(ParamOf(row, first), count, scales, zero_points, offsets);
}

void IntegerWeights::ReadRows(uint64_t row, uint64_t count, float* scales,
                              int8_t* zero_points) const {
  const Granularity granularity = tensor_->config().granularity();
  if (granularity != Granularity::kTensor &&
      granularity != Granularity::kTile) {
    return ReadParams(row, count, scales, zero_points, nullptr);
  }
  // Rows that share theirs.
  for (uint64_t r = 0; r < count; ++r) {
    float scale[1 + kLanes];
    Read(row + r, 0, 1, scale, zero_points + r, nullptr);
    scales[r] = scale[0];
  }
}

void IntegerWeights::ReadParams(uint64_t param, uint64_t count, float* scales,
                                int8_t* zero_points, float* offsets) const {
  if (scales != nullptr) {
    ReadStored(scales_, param, count, scales);
    if (factor_ != 1.0f) {
      for (uint64_t i = 0; i < count; ++i) scales[i] *= factor_;
    }
  }
  if (zero_points != nullptr && has_zero_points()) {
    std::copy_n(tensor_->zero_points() + param, count, zero_points);
  }
  if (offsets != nullptr && has_offsets()) {
    ReadStored(offsets_, param, count, offsets);
  }
}

void IntegerWeights::Unpack(uint64_t n, uint64_t rows, uint64_t begin,
                            uint64_t end, size_t stride, uint8_t* out) const {
  const Packing packing = codes_.packing;
  const uint8_t* const map = codes_.map;
  const uint64_t unit = begin / CodesPerUnit(packing) * CodesPerUnit(packing);
  // Of whole units, so that the next piece begins with one.
  const uint64_t step =
      kUnpackColumns / CodesPerUnit(packing) * CodesPerUnit(packing);
  int8_t codes[kUnpackColumns + kMaxUnitCodes + kPackSlack];
  for (uint64_t r = 0; r < rows; ++r) {
    const uint8_t* const from = row(n + r) + ByteOf(packing, unit);
    for (uint64_t at = unit; at < end; at += step) {
      const size_t count =
          static_cast<size_t>(std::min<uint64_t>(end - at, step));
      GetPackingKernels(packing).unpack(from + ByteOf(packing, at - unit),
                                        count, 0, codes);
      const uint64_t skip = at < begin ? begin - at : 0;
      uint8_t* const to = out + r * stride + (at + skip - begin);
      for (uint64_t i = skip; i < count; ++i) {
        const uint8_t u = static_cast<uint8_t>(codes[i] + unpack_bias_);
        to[i - skip] = map != nullptr ? map[u] : u;
      }
    }
  }
}

}  // namespace bnq
