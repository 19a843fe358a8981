// The definition of a linear layer (core/ops/README.md), one product after
// another, on codes and parameters that the tensor's own functions give.
#ifndef BNQ_TESTS_SUPPORT_LINEAR_REFERENCE_H_
#define BNQ_TESTS_SUPPORT_LINEAR_REFERENCE_H_

#include <cmath>
#include <cstdint>
#include <vector>

#include "core/tensor/dequantize.h"
#include "core/tensor/tensor.h"

namespace bnq_test {

// Activations of one row: codes, or floats where there are none.
struct RowOfInputs {
  std::vector<int8_t> codes;
  float scale = 1.0f;
  int32_t zero = 0;
  std::vector<float> floats;
  std::vector<float> outliers;  // x in the weights' outlier columns
};

class LinearReference {
 public:
  LinearReference(const bnq::Context& context,
                  const bnq::QuantizedTensor& tensor)
      : tensor_(tensor),
        rows_(tensor.shape().rows()),
        columns_(tensor.shape().columns()),
        values_(rows_ * columns_) {
    bnq::Dequantizer(context, tensor)
        .Decode(0, values_.size(), bnq::DType::kF32, false,
                reinterpret_cast<uint8_t*>(values_.data()));
    const bool integers = tensor.format().Has(bnq::kInteger) ||
                          tensor.format().Has(bnq::kSigns) ||
                          tensor.format().small_float == &bnq::kE2M1;
    if (!integers) return;
    codes_.resize(values_.size());
    bnq::UnpackCodes(context, tensor, 0, codes_.size(), codes_.data());
    scales_.resize(tensor.scales().count);
    tensor.scales().Read(0, scales_.size(), scales_.data());
    offsets_.resize(tensor.offsets().count);
    tensor.offsets().Read(0, offsets_.size(), offsets_.data());
  }

  // The parameters of the codes follow rows, `group` columns each.
  float Integers(const RowOfInputs& x, uint64_t n, const float* bias) const {
    const bnq::Config& config = tensor_.config();
    uint64_t group = std::max<uint64_t>(columns_, 1);
    if (config.granularity() == bnq::Granularity::kGroup ||
        config.granularity() == bnq::Granularity::kBlock ||
        config.granularity() == bnq::Granularity::kTile) {
      group = std::min(group, config.group_size());
    }
    const uint64_t groups =
        std::max<uint64_t>((columns_ + group - 1) / group, 1);
    double lanes[8] = {};
    float only = 0.0f;
    for (uint64_t g = 0; g < groups; ++g) {
      const uint64_t p = ParamOf(n, g, groups);
      int64_t sum = 0, of_x = 0;
      for (uint64_t k = g * group; k < std::min((g + 1) * group, columns_);
           ++k) {
        const int64_t q = x.codes[k] - x.zero;
        sum += q * Number(codes_[n * columns_ + k], p);
        of_x += q;
      }
      const float scale = scales_[p] * Factor();
      only = static_cast<float>(sum) * (x.scale * scale);
      double& lane = lanes[g % 8];
      lane = lane + static_cast<double>(sum) * static_cast<double>(scale);
      if (!offsets_.empty()) {
        lane =
            lane + static_cast<double>(of_x) * static_cast<double>(offsets_[p]);
      }
    }
    const bnq::Outliers outliers = tensor_.outliers();
    if (outliers.count != 0) {
      double sum = 0.0;
      for (uint64_t i = 0; i < outliers.count; ++i) {
        const uint32_t k = outliers.columns[i];
        sum = sum + static_cast<double>(x.outliers[i]) *
                        static_cast<double>(values_[n * columns_ + k]);
      }
      only = only + static_cast<float>(sum);
    }
    if (groups == 1 && offsets_.empty()) {
      return bias != nullptr ? only + bias[n] : only;
    }
    const double all = ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6])) +
                       ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7]));
    double y = all * static_cast<double>(x.scale);
    if (bias != nullptr) y = y + static_cast<double>(bias[n]);
    return static_cast<float>(y);
  }

  // Lanes of fused products.
  float Floats(const RowOfInputs& x, uint64_t n, const float* bias) const {
    float lanes[16] = {};
    for (uint64_t k = 0; k < columns_; ++k) {
      const float v = x.codes.empty() ? x.floats[k]
                                      : static_cast<float>(x.codes[k] - x.zero);
      lanes[k % 16] = std::fma(v, values_[n * columns_ + k], lanes[k % 16]);
    }
    for (int half = 8; half != 0; half /= 2) {
      for (int i = 0; i < half; ++i) lanes[i] = lanes[i] + lanes[i + half];
    }
    float y = lanes[0];
    if (!x.codes.empty()) y = y * x.scale;
    return bias != nullptr ? y + bias[n] : y;
  }

  bool integers() const { return !codes_.empty(); }

 private:
  uint64_t ParamOf(uint64_t n, uint64_t g, uint64_t groups) const {
    switch (tensor_.config().granularity()) {
      case bnq::Granularity::kTensor:
        return 0;
      case bnq::Granularity::kTile:
        return n / tensor_.config().group_size() * groups + g;
      default:
        return n * groups + g;
    }
  }
  float Factor() const {
    return tensor_.format().small_float == &bnq::kE2M1 ? 0.5f : 1.0f;
  }
  int64_t Number(int8_t code, uint64_t param) const {
    if (tensor_.format().small_float == &bnq::kE2M1) {
      return std::lround(2.0f * bnq::SmallFloatValue(bnq::kE2M1, code & 7)) *
             (code & 8 ? -1 : 1);
    }
    if (!offsets_.empty()) {
      return code - tensor_.format().code_range(tensor_.config().variant()).lo;
    }
    return code - (tensor_.zero_points() ? tensor_.zero_points()[param] : 0);
  }

  const bnq::QuantizedTensor& tensor_;
  const uint64_t rows_, columns_;
  std::vector<float> values_, scales_, offsets_;
  std::vector<int8_t> codes_;
};

}  // namespace bnq_test

#endif  // BNQ_TESTS_SUPPORT_LINEAR_REFERENCE_H_
