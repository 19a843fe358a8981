#include "core/optimize/methods.h"

#include "core/tensor/dequantize.h"

namespace bnq {

const OptimizationMethod& MethodOf(OptimizeMethod id) {
  static const OptimizationMethod* const kMethods[] = {
      &kGridMethod, &kGradientMethod, &kHqqMethod, &kGptqMethod, &kAwqMethod};
  for (const OptimizationMethod* method : kMethods) {
    if (method->id == id) return *method;
  }
  return kGridMethod;  // ids are the option's, which has no others
}

std::vector<double> LayerTask::OutputErrors(const QuantizedTensor& tensor,
                                            const float* input_scales) const {
  Buffer values = context().Allocate(rows * columns * sizeof(float));
  Dequantizer(context(), tensor)
      .DecodeParallel(0, rows * columns, DType::kF32, values.data());
  std::vector<double> errors(rows);
  layer.OutputErrors(
      rows,
      [&](uint64_t r, uint64_t k) {
        const uint64_t e = r * columns + k;
        double y = static_cast<double>(values.as<float>()[e]);
        if (input_scales) y /= static_cast<double>(input_scales[k]);
        return static_cast<double>(weights[e]) - y;
      },
      errors.data());
  return errors;
}

}  // namespace bnq
