#include "core/optimize/subject.h"

#include <algorithm>

#include "core/base/tick.h"
#include "core/kernels/chunk.h"
#include "core/tensor/chunks.h"
#include "core/tensor/dequantize.h"
#include "core/tensor/find_params.h"
#include "core/tensor/metrics.h"
#include "core/tensor/search.h"

namespace bnq {

Subject::Subject(const Context& context, const OptimizeRequest& request)
    : context_(context),
      request_(request),
      format_(FormatOf(request.config)),
      variant_(request.config.variant()),
      source_(MakeSource(request.source, &request.config)),
      quantizer_(context_, request.config, request.source),
      elements_(quantizer_.elements()),
      bytes_(elements_ * source_.element_size()) {
  if (request_.progress) {
    context_ = Ticking(context, [this] { Report(0, 1); });
  }
  if (request_.importance != nullptr) {
    weights_ = CheckedImportance(config(), shape(), request_.importance,
                                 request_.importance_count, true);
    quantizer_.SetImportance(weights_.data());
  }
  start_ = ParamSet(quantizer_.layout().num_params, config().scheme(),
                    format_.code_range(variant_));
  Report(0, 1);
  FindParams(&quantizer_, start_.span(), nullptr);
}

void Subject::Report(uint64_t done, uint64_t total) const {
  if (!request_.progress) return;
  const double share = static_cast<double>(done) /
                       static_cast<double>(std::max<uint64_t>(1, total));
  const uint64_t bytes =
      done >= total
          ? bytes_
          : static_cast<uint64_t>(
                share * static_cast<double>(static_cast<int64_t>(bytes_)));
  done_ = std::max(done_, std::min(bytes, bytes_));
  request_.progress(done_, bytes_, options().method_name());
}

Buffer Subject::Load() const {
  Buffer buffer = context_.Allocate((elements_ + kLanes) * sizeof(float));
  ForEachChunk(context_, 0, elements_, [&](uint64_t, uint64_t at, size_t n) {
    float values[kChunk + kLanes];
    LoadElements(source_, at, n, values);
    std::copy_n(values, n, buffer.as<float>() + at);
  });
  return buffer;
}

void Subject::StoreParams(const ParamSet& params,
                          QuantizedTensor* tensor) const {
  const uint64_t count = params.scales.size();
  const float tensor_scale = TensorScale(params.scales.data(), count);
  StoreScales(config(), params.scales.data(), count, tensor->mutable_scales(),
              tensor_scale);
  if (tensor->part(Part::kTensorScale).count != 0) {
    std::memcpy(tensor->mutable_part(Part::kTensorScale), &tensor_scale,
                sizeof tensor_scale);
  }
  StoreScales(config(), params.offsets.data(), params.offsets.size(),
              tensor->mutable_part(Part::kOffsets));
  std::copy(params.zero_points.begin(), params.zero_points.end(),
            tensor->mutable_zero_points());
}

std::unique_ptr<QuantizedTensor> Subject::TensorOf(
    const ParamSet& params) const {
  QuantizeJob job{config(), request_.source};
  job.params = &params;
  return Quantize(context_, job);
}

std::unique_ptr<QuantizedTensor> Subject::TensorOf(
    const ParamSet& params, const std::vector<int8_t>& codes) const {
  auto tensor = std::make_unique<QuantizedTensor>(context_, config(), shape());
  PackCodes(context_, config(), shape(), codes.data(), tensor->mutable_codes());
  StoreParams(params, tensor.get());
  return tensor;
}

double Subject::MseOf(const QuantizedTensor& tensor,
                      const float* input_scales) const {
  const Dequantizer dequantizer(context_, tensor);
  const uint64_t columns = shape().columns();
  ErrorSums sums;
  sums.Add(
      context_, 0, elements_,
      [&](uint64_t begin, size_t count, float* out) {
        LoadElements(source_, begin, count, out);
      },
      [&](uint64_t begin, size_t count, float* out) {
        dequantizer.Decode(begin, count, DType::kF32, false,
                           reinterpret_cast<uint8_t*>(out));
        for (size_t i = 0; input_scales != nullptr && i < count; ++i) {
          out[i] /= input_scales[(begin + i) % columns];
        }
      });
  return sums.Result().values[static_cast<int>(Metric::kMse)];
}

double Subject::WeightedMseOf(const QuantizedTensor& tensor) const {
  const Importance weights = importance();
  const Dequantizer dequantizer(context_, tensor);
  std::vector<double> sums(DivCeil(elements_, kChunk));
  ForEachChunk(context_, 0, elements_, [&](uint64_t c, uint64_t at, size_t n) {
    float x[kChunk + kLanes], y[kChunk + kLanes];
    LoadElements(source_, at, n, x);
    dequantizer.Decode(at, n, DType::kF32, false,
                       reinterpret_cast<uint8_t*>(y));
    for (size_t i = 0; i < n; ++i) {
      const double e = static_cast<double>(x[i]) - static_cast<double>(y[i]);
      const float w = weights.weights[(at + i) % weights.features];
      sums[c] += static_cast<double>(w) * (e * e);
    }
  });
  double total = 0.0;
  for (const double sum : sums) total += sum;
  return total / static_cast<double>(static_cast<int64_t>(elements_));
}

}  // namespace bnq
