#include "core/optimize/optimize.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "core/optimize/methods.h"
#include "core/optimize/segments.h"
#include "core/optimize/subject.h"
#include "core/tensor/quantize.h"

namespace bnq {
namespace {

double Count(uint64_t n) {
  return static_cast<double>(static_cast<int64_t>(n));
}

double Sum(const std::vector<double>& values) {
  double sum = 0.0;
  for (const double v : values) sum += v;
  return sum;
}

class Figures {
 public:
  explicit Figures(double* values) : values_(values) {}
  double& operator[](Figure figure) {
    return values_[static_cast<int>(figure)];
  }
  // Nothing better than the start was found.
  void GiveUp() {
    (*this)[Figure::kObjectiveAfter] = (*this)[Figure::kObjectiveBefore];
    (*this)[Figure::kMseAfter] = (*this)[Figure::kMseBefore];
    (*this)[Figure::kImproved] = 0.0;
  }

 private:
  double* values_;
};

OptimizeResult OfNothing(const Subject& subject) {
  OptimizeResult result;
  result.tensor =
      Quantize(subject.context(), subject.config(), subject.request().source);
  std::fill(result.figures, result.figures + kNumFigures,
            std::numeric_limits<double>::quiet_NaN());
  Figures figures(result.figures);
  figures[Figure::kSegments] = figures[Figure::kImproved] = 0.0;
  return result;
}

// The tensor of the parameters found, against that of the start.
OptimizeResult OnSegments(const Subject& subject) {
  const SegmentsResult found =
      subject.options().scope() == OptimizeScope::kTensor
          ? OneRatio(subject)
          : EachSegment(subject);
  OptimizeResult result;
  Figures figures(result.figures);
  figures[Figure::kSegments] = Count(subject.segments());
  figures[Figure::kImproved] = Count(found.improved);
  figures[Figure::kObjectiveBefore] = found.before;
  figures[Figure::kObjectiveAfter] = found.after;
  auto start = subject.TensorOf(subject.start());
  result.tensor = subject.TensorOf(found.params);
  const double before = subject.MseOf(*start, nullptr);
  const double after = subject.MseOf(*result.tensor, nullptr);
  figures[Figure::kMseBefore] = before;
  figures[Figure::kMseAfter] = after;
  if (subject.options().objective() == ObjectiveKind::kMse) {
    // With the scales as they are stored.
    const bool weighted = subject.importance().weights != nullptr;
    figures[Figure::kObjectiveBefore] =
        weighted ? subject.WeightedMseOf(*start) : before;
    figures[Figure::kObjectiveAfter] =
        weighted ? subject.WeightedMseOf(*result.tensor) : after;
  }
  if (!(figures[Figure::kObjectiveAfter] < figures[Figure::kObjectiveBefore])) {
    result.tensor = std::move(start);
    figures.GiveUp();
  }
  return result;
}

// The same by the errors of a layer's outputs.
OptimizeResult OnLayer(const Subject& subject) {
  const uint64_t rows = subject.shape().rows();
  const uint64_t columns = subject.shape().columns();
  const Layer layer(subject.context(), *subject.request().activations, columns);
  const Buffer weights = subject.Load();
  auto start = subject.TensorOf(subject.start());
  std::vector<double> before;
  const LayerTask task = {subject, layer, weights.as<float>(), rows, columns,
                          *start,  before};
  before = task.OutputErrors(*start, nullptr);

  LayerResult found = MethodOf(subject.options().method()).layer(task);
  const float* const scales =
      found.input_scales.empty() ? nullptr : found.input_scales.data();
  const double error_before = Sum(before);
  const double error_after = Sum(task.OutputErrors(*found.tensor, scales));

  OptimizeResult result;
  Figures figures(result.figures);
  figures[Figure::kSegments] = Count(found.parts);
  figures[Figure::kImproved] = Count(found.improved);
  figures[Figure::kObjectiveBefore] = error_before / Count(rows);
  figures[Figure::kObjectiveAfter] = error_after / Count(rows);
  figures[Figure::kMseBefore] = subject.MseOf(*start, nullptr);
  if (!(error_after < error_before)) {
    result.tensor = std::move(start);
    figures.GiveUp();
    return result;
  }
  figures[Figure::kMseAfter] = subject.MseOf(*found.tensor, scales);
  result.tensor = std::move(found.tensor);
  result.input_scales = std::move(found.input_scales);
  return result;
}

// The tensor with the scales of its inputs as a part.
void AttachInputScales(const Context& context, OptimizeResult* result) {
  const QuantizedTensor& tensor = *result->tensor;
  const std::vector<float>& scales = result->input_scales;
  Parts parts = tensor.parts();
  PartData& part = parts[Part::kInputScales];
  part.data = reinterpret_cast<const uint8_t*>(scales.data());
  part.bytes = scales.size() * sizeof(float);
  part.count = scales.size();
  part.dtype = DType::kF32;
  result->tensor =
      TensorOfParts(context, tensor.config(), tensor.shape(), parts, false);
}

}  // namespace

const char* FigureName(int index) {
  static const char* const kNames[kNumFigures] = {
      "objective_before", "objective_after", "mse_before",
      "mse_after",        "segments",        "improved"};
  return index >= 0 && index < kNumFigures ? kNames[index] : nullptr;
}

OptimizeResult Optimize(const Context& context,
                        const OptimizeRequest& request) {
  CheckRequest(FormatOf(request.config), request);
  const Subject subject(context, request);
  OptimizeResult result = subject.elements() == 0 ? OfNothing(subject)
                          : request.activations != nullptr
                              ? OnLayer(subject)
                              : OnSegments(subject);
  if (request.options.attach_input_scales() && !result.input_scales.empty()) {
    AttachInputScales(context, &result);
  }
  subject.Report(1, 1);
  return result;
}

}  // namespace bnq
