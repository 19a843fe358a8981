#include "core/model/importance.h"

#include <cmath>
#include <map>
#include <utility>
#include <vector>

#include "core/base/error.h"
#include "core/calibration/calibration_set.h"
#include "core/io/model_file.h"
#include "core/io/naming.h"
#include "core/kernels/chunk.h"
#include "core/kernels/elements.h"
#include "core/tensor/source.h"

namespace bnq {
namespace {

using Weights = std::map<std::string, std::vector<float>>;

// E[x^2] = variance + mean^2.
Weights OfCalibration(const CalibrationSet& set) {
  Weights all;
  for (const auto& [name, calibrator] : set.calibrators()) {
    std::vector<float>& weights = all[name];
    for (uint64_t c = 0; c < calibrator->channels(); ++c) {
      const CalibrationStatistics s = calibrator->Statistics(c);
      const double mean = s.at(CalibrationStatistic::kMean);
      const double square = s.at(CalibrationStatistic::kVariance) + mean * mean;
      if (std::isnan(square)) {
        Fail(Status::kNoData, "calibrator ", Quoted(name),
             " knows no mean of x^2: calibrate with moments = on");
      }
      weights.push_back(static_cast<float>(square));
    }
    if (weights.empty()) {
      Fail(Status::kNoData, "calibrator ", Quoted(name), " has seen no data");
    }
  }
  return all;
}

Weights OfArrays(const Context& context, const ModelFile& file) {
  Weights all;
  for (const ModelEntry& entry : file.entries()) {
    if (entry.format != 0 || !IsSource(static_cast<DType>(entry.dtype))) {
      Fail(Status::kInvalidArgument, "array ", Quoted(entry.name),
           ", must be of F64, F32, F16 or BF16 to be importance");
    }
    std::vector<uint8_t> bytes(entry.raw_bytes);
    file.OpenSection(context, entry, 0)->Read(bytes.data(), bytes.size());
    ArrayView view;
    view.data = bytes.data();
    view.dtype = static_cast<DType>(entry.dtype);
    view.shape = entry.shape;
    const uint64_t n = entry.shape.elements();
    std::vector<float>& weights = all[entry.name];
    weights.resize(n + kLanes);
    const SourceView source = MakeSource(view, nullptr);
    LoadElements(source, 0, static_cast<size_t>(n), weights.data());
    weights.resize(n);
  }
  return all;
}

}  // namespace

void LoadImportance(const Context& context, const std::string& path,
                    Plan* plan) {
  const auto file = ModelFile::Open(context, path);
  Weights all = CalibrationSet::IsIn(*file)
                    ? OfCalibration(*CalibrationSet::Load(context, path))
                    : OfArrays(context, *file);
  if (all.empty()) {
    Fail(Status::kInvalidArgument, "importance = ", Quoted(path),
         " has no arrays");
  }
  for (auto& [name, weights] : all) {
    plan->SetImportance(name, std::move(weights));
  }
}

}  // namespace bnq
