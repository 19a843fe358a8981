#include "core/model/post_training.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/base/error.h"
#include "core/base/tick.h"
#include "core/calibration/for_config.h"

namespace bnq {
Config PostTrainingConfig(PostTrainingRole role) {
  return Config::FromText(role == PostTrainingRole::kWeights
                              ? "int8_per_channel"
                              : "int8_symmetric");
}

std::vector<Params> CalibratedParams(const Context& context,
                                     const Calibrator& calibrator,
                                     const Config& config) {
  // What config must be able to is asked before what there are data for.
  ParamsOfRange(config, Range());
  std::vector<Params> params;
  for (const Range& range : calibrator.Ranges(context)) {
    params.push_back(ParamsOfRange(config, range));
  }
  return params;
}

std::unique_ptr<QuantizedTensor> QuantizeCalibrated(
    const Context& context, const Config& config, const Calibrator& calibrator,
    const ArrayView& array, uint64_t* clamped) {
  const std::vector<Params> params =
      CalibratedParams(context, calibrator, config);
  const bool per_channel = calibrator.options().per_channel();
  const Granularity wanted =
      per_channel ? Granularity::kChannel : Granularity::kTensor;
  if (config.granularity() != wanted) {
    Fail(Status::kInvalidArgument,
         "granularity = ", config.ValueName(Option::kGranularity), ", must be ",
         per_channel ? "channel" : "tensor", ", as the calibrator's is");
  }
  if (per_channel) {
    const int axis = array.shape.Axis(config.axis(), "axis of the config");
    if (axis != array.shape.Axis(calibrator.options().axis(),
                                 "axis of the calibrator")) {
      Fail(Status::kInvalidArgument, "axis = ", config.axis(), ", must be ",
           calibrator.options().axis(), ", as the calibrator's is");
    }
    if (array.shape.dims[axis] != params.size()) {
      Fail(Status::kInvalidArgument, "shape = ", array.shape.ToString(),
           " has ", array.shape.dims[axis], " channels, must have ",
           params.size(), ", as the calibrator");
    }
  }
  ParamSet given(params.size(), config.scheme(), CodeRange());
  for (size_t i = 0; i < params.size(); ++i) given.Set(i, params[i]);
  return QuantizeStatic(context, config, array, given, clamped);
}

std::unique_ptr<QuantizedTensor> QuantizeAuto(const Context& context,
                                              const Config& config,
                                              CalibrationMethod method,
                                              const ArrayView& array) {
  Calibrator calibrator(OptionsFor(config));
  calibrator.SetInt(static_cast<int32_t>(CalibrationOption::kMethod),
                    static_cast<int64_t>(method));
  calibrator.Observe(context, array, nullptr);
  return QuantizeCalibrated(context, config, calibrator, array, nullptr);
}

Report PostTrainingQuantizeFile(const Context& caller, const Plan& plan,
                                const CalibrationSet& calibration,
                                const Config& activations,
                                const std::string& input,
                                const std::string& output,
                                const ConversionOptions& options,
                                const Progress& progress) {
  TickingProgress ticking(caller, progress);
  const Context& context = ticking.context();
  std::vector<ExtraArray> extra;
  for (const auto& item : calibration.calibrators()) {
    std::vector<Params> params;
    Within(
        [&] { return "calibrator " + Quoted(item.first); },
        [&] { params = CalibratedParams(context, *item.second, activations); });
    const uint64_t count = params.size();
    ExtraArray scales, zeros, offsets;
    scales.name = item.first + ".input_scale";
    zeros.name = item.first + ".input_zero_point";
    zeros.dtype = DType::kI8;
    offsets.name = item.first + ".input_offset";
    scales.shape = zeros.shape = offsets.shape = Shape::Make(1, &count);
    for (const Params& p : params) {
      scales.bytes.append(reinterpret_cast<const char*>(&p.scale), 4);
      zeros.bytes.push_back(static_cast<char>(p.zero_point));
      offsets.bytes.append(reinterpret_cast<const char*>(&p.offset), 4);
    }
    extra.push_back(std::move(scales));
    if (activations.scheme() == Scheme::kAsymmetric) {
      extra.push_back(std::move(zeros));
    }
    if (activations.scheme() == Scheme::kOffset) {
      extra.push_back(std::move(offsets));
    }
  }
  return QuantizeFile(caller, plan, input, output, options, progress, extra);
}

}  // namespace bnq
