#include <map>
#include <string>

#include "capi/calibration.h"
#include "capi/handles.h"
#include "core/calibration/calibration_set.h"
#include "core/calibration/compare.h"
#include "core/calibration/for_config.h"
#include "core/io/text.h"
#include "core/model/post_training.h"
#include "core/tensor/quantize.h"

using namespace bnq;
using namespace bnq::capi;

#define BNQ_SAME(role, id) \
  static_assert(static_cast<int>(PostTrainingRole::role) == BNQ_##id, #id)
BNQ_SAME(kWeights, ROLE_WEIGHTS);
BNQ_SAME(kActivations, ROLE_ACTIVATIONS);
#undef BNQ_SAME

struct bnq_calibration {
  std::unique_ptr<CalibrationSet> core;
  // Views of the set's calibrators, handed out and kept up to date.
  mutable std::map<std::string, bnq_calibrator> views;
};

namespace {

const CalibrationSet& SetOf(const bnq_calibration* calibration) {
  return *Required(calibration, "calibration").core;
}
CalibrationSet& SetOf(bnq_calibration* calibration) {
  return *Required(calibration, "calibration").core;
}

// Brings the views up to date when a change is over, also where it failed half
// way: calibrators may have been replaced by what they became.
class Refreshing {
 public:
  explicit Refreshing(const bnq_calibration* calibration)
      : calibration_(calibration) {}
  Refreshing(const Refreshing&) = delete;
  ~Refreshing() {
    for (const auto& item : calibration_->core->calibrators()) {
      try {
        calibration_->views[item.first].borrowed = item.second.get();
      } catch (const std::bad_alloc&) {
        // There is no view of it yet, and bnq_calibration_at says NULL.
      }
    }
  }

 private:
  const bnq_calibration* calibration_;
};

const CalibrationSet::Map::value_type* ItemAt(
    const bnq_calibration* calibration, uint64_t index) {
  if (calibration == nullptr) return nullptr;
  const auto& items = calibration->core->calibrators();
  if (index >= items.size()) return nullptr;
  return &*std::next(items.begin(), static_cast<int64_t>(index));
}

void CopyHistogram(const ErrorHistogram& histogram, uint64_t* counts,
                   double* out_max_error, double* out_kl) {
  if (counts) {
    std::copy(histogram.counts.begin(), histogram.counts.end(), counts);
  }
  if (out_max_error) *out_max_error = histogram.max_error;
  if (out_kl) *out_kl = histogram.kl;
}

void CheckBins(uint32_t bins) {
  if (bins < 2 || bins > 65536) {
    Fail(Status::kInvalidArgument, "bins = ", bins, ", must be 2 to 65536");
  }
}

}  // namespace

bnq_status bnq_post_training_config(int32_t role, bnq_config** out_config) {
  return Guard([&] {
    bnq_config*& out = Output(out_config, "out_config");
    if (role != BNQ_ROLE_WEIGHTS && role != BNQ_ROLE_ACTIVATIONS) {
      Fail(Status::kInvalidArgument, "role = ", role,
           ", must be one of BNQ_ROLE_*");
    }
    auto config = std::make_unique<bnq_config>();
    config->core = PostTrainingConfig(static_cast<PostTrainingRole>(role));
    out = config.release();
  });
}

bnq_status bnq_calibrator_create_for(const bnq_config* config,
                                     bnq_calibrator** out_calibrator) {
  return Guard([&] {
    bnq_calibrator*& out = Output(out_calibrator, "out_calibrator");
    auto calibrator = std::make_unique<bnq_calibrator>();
    calibrator->owned = std::make_unique<Calibrator>(
        OptionsFor(Required(config, "config").core));
    out = calibrator.release();
  });
}

bnq_status bnq_calibrator_params(bnq_context* context,
                                 const bnq_calibrator* calibrator,
                                 const bnq_config* config, float* scales,
                                 int8_t* zero_points, float* offsets,
                                 uint64_t count) {
  return Guard([&] {
    const Config& c = Required(config, "config").core;
    const std::vector<Params> params =
        CalibratedParams(ContextOf(context), CalibratorCore(calibrator), c);
    CheckCount(count, params.size(), "count");
    Required(scales, "scales");
    const bool zeros = c.scheme() == Scheme::kAsymmetric;
    if (zeros) Required(zero_points, "zero_points");
    const bool with_offset = c.scheme() == Scheme::kOffset;
    if (with_offset) Required(offsets, "offsets");
    for (size_t i = 0; i < params.size(); ++i) {
      scales[i] = params[i].scale;
      if (zeros) zero_points[i] = static_cast<int8_t>(params[i].zero_point);
      if (with_offset) offsets[i] = params[i].offset;
    }
  });
}

bnq_status bnq_tensor_quantize_static(
    bnq_context* context, const bnq_config* config, const bnq_array* source,
    const float* scales, uint64_t scale_count, const int8_t* zero_points,
    uint64_t zero_point_count, const float* offsets, uint64_t offset_count,
    uint64_t* out_clamped, bnq_tensor** out_tensor) {
  return Guard([&] {
    bnq_tensor*& out = Output(out_tensor, "out_tensor");
    const Config& c = Required(config, "config").core;
    const ArrayView view = ViewOf(source, "source");
    const Parts sizes = PartSizes(c, view.shape);
    CheckCount(scale_count, sizes[Part::kScales].count, "scale_count");
    CheckCount(zero_point_count, sizes[Part::kZeroPoints].count,
               "zero_point_count");
    CheckCount(offset_count, sizes[Part::kOffsets].count, "offset_count");
    const ParamSet given = GivenParams(sizes, scales, zero_points, offsets);
    uint64_t clamped = 0;
    auto tensor = std::make_unique<bnq_tensor>();
    tensor->core = QuantizeStatic(ContextOf(context), c, view, given,
                                  out_clamped ? &clamped : nullptr);
    if (out_clamped) *out_clamped = clamped;
    out = tensor.release();
  });
}

bnq_status bnq_tensor_quantize_calibrated(bnq_context* context,
                                          const bnq_config* config,
                                          const bnq_calibrator* calibrator,
                                          const bnq_array* source,
                                          uint64_t* out_clamped,
                                          bnq_tensor** out_tensor) {
  return Guard([&] {
    bnq_tensor*& out = Output(out_tensor, "out_tensor");
    uint64_t clamped = 0;
    auto tensor = std::make_unique<bnq_tensor>();
    tensor->core =
        QuantizeCalibrated(ContextOf(context), Required(config, "config").core,
                           CalibratorCore(calibrator), ViewOf(source, "source"),
                           out_clamped ? &clamped : nullptr);
    if (out_clamped) *out_clamped = clamped;
    out = tensor.release();
  });
}

bnq_status bnq_quantize_tensor_auto(bnq_context* context,
                                    const bnq_config* config, int32_t method,
                                    const bnq_array* source,
                                    bnq_tensor** out_tensor) {
  return Guard([&] {
    bnq_tensor*& out = Output(out_tensor, "out_tensor");
    CalibrationOptions::Table().CheckInt(BNQ_CALIBRATION_METHOD, method);
    auto tensor = std::make_unique<bnq_tensor>();
    tensor->core = QuantizeAuto(
        ContextOf(context), Required(config, "config").core,
        static_cast<CalibrationMethod>(method), ViewOf(source, "source"));
    out = tensor.release();
  });
}

bnq_status bnq_quantize_tensor_percentile(bnq_context* context,
                                          const bnq_config* config,
                                          double percentile,
                                          const bnq_array* source,
                                          bnq_tensor** out_tensor) {
  return Guard([&] {
    bnq_tensor*& out = Output(out_tensor, "out_tensor");
    Config c = Required(config, "config").core;
    c.SetInt(BNQ_OPT_SCALE_RULE, BNQ_SCALE_RULE_PERCENTILE);
    c.SetFloat(BNQ_OPT_PERCENTILE, percentile);
    auto tensor = std::make_unique<bnq_tensor>();
    tensor->core = Quantize(ContextOf(context), c, ViewOf(source, "source"));
    out = tensor.release();
  });
}

bnq_status bnq_calibration_create(const bnq_calibrator* prototype,
                                  bnq_calibration** out_calibration) {
  return Guard([&] {
    bnq_calibration*& out = Output(out_calibration, "out_calibration");
    auto calibration = std::make_unique<bnq_calibration>();
    calibration->core = std::make_unique<CalibrationSet>(
        prototype ? prototype->core().options() : CalibrationOptions());
    out = calibration.release();
  });
}

void bnq_calibration_destroy(bnq_calibration* calibration) {
  delete calibration;
}

bnq_status bnq_calibration_set_text(bnq_context* context,
                                    bnq_calibration* calibration,
                                    const char* option, const char* value) {
  return Guard([&] {
    CalibrationSet& set = SetOf(calibration);
    const Refreshing refreshing(calibration);
    set.SetText(ContextOf(context), &Required(option, "option"),
                &Required(value, "value"));
  });
}

bnq_status bnq_calibration_observe(bnq_context* context,
                                   bnq_calibration* calibration,
                                   const char* name, const bnq_array* array) {
  return Guard([&] {
    const std::string key = &Required(name, "name");
    CheckNewName(key);
    CalibrationSet& set = SetOf(calibration);
    const Refreshing refreshing(calibration);
    set.Observe(ContextOf(context), key, ViewOf(array, "array"));
  });
}

bnq_status bnq_calibration_observe_file(bnq_context* context,
                                        bnq_calibration* calibration,
                                        const char* path, const char* as_name,
                                        bnq_progress_fn progress,
                                        void* opaque) {
  return Guard([&] {
    const std::string name = as_name != nullptr ? as_name : "";
    if (as_name != nullptr && name.empty()) {
      Fail(Status::kInvalidArgument, "as_name is empty");
    }
    CalibrationSet& set = SetOf(calibration);
    const Refreshing refreshing(calibration);
    set.ObserveFile(ContextOf(context), &Required(path, "path"),
                    as_name != nullptr ? &name : nullptr,
                    ProgressOf(progress, opaque));
  });
}

uint64_t bnq_calibration_count(const bnq_calibration* calibration) {
  return calibration ? calibration->core->calibrators().size() : 0;
}

const char* bnq_calibration_name(const bnq_calibration* calibration,
                                 uint64_t index) {
  const auto* item = ItemAt(calibration, index);
  return item ? item->first.c_str() : nullptr;
}

const bnq_calibrator* bnq_calibration_at(const bnq_calibration* calibration,
                                         uint64_t index) {
  const auto* item = ItemAt(calibration, index);
  if (item == nullptr) return nullptr;
  const auto view = calibration->views.find(item->first);
  return view != calibration->views.end() ? &view->second : nullptr;
}

bnq_status bnq_calibration_merge(bnq_context* context,
                                 bnq_calibration* calibration,
                                 const bnq_calibration* other) {
  return Guard([&] {
    CalibrationSet& set = SetOf(calibration);
    const Refreshing refreshing(calibration);
    set.Merge(ContextOf(context), *Required(other, "other").core);
  });
}

bnq_status bnq_calibration_save(bnq_context* context,
                                const bnq_calibration* calibration,
                                const char* path, int32_t flags) {
  return Guard([&] {
    SetOf(calibration)
        .Save(ContextOf(context), &Required(path, "path"),
              OptionsOf(context, flags, BNQ_WRITE_OVERWRITE));
  });
}

bnq_status bnq_calibration_load(bnq_context* context, const char* path,
                                bnq_calibration** out_calibration) {
  return Guard([&] {
    bnq_calibration*& out = Output(out_calibration, "out_calibration");
    auto calibration = std::make_unique<bnq_calibration>();
    calibration->core =
        CalibrationSet::Load(ContextOf(context), &Required(path, "path"));
    { const Refreshing refreshing(calibration.get()); }
    out = calibration.release();
  });
}

bnq_status bnq_calibration_serialize(bnq_context* context,
                                     const bnq_calibration* calibration,
                                     void* out, uint64_t out_bytes,
                                     uint64_t* out_size) {
  return Guard([&] {
    const auto bytes = SetOf(calibration).Serialize(ContextOf(context));
    if (out != nullptr) {
      if (out_bytes < bytes->size()) {
        Fail(Status::kInvalidArgument, "out_bytes = ", out_bytes,
             ", must be at least ", bytes->size());
      }
      std::copy_n(bytes->data(), bytes->size(), static_cast<uint8_t*>(out));
    }
    Required(out_size, "out_size") = bytes->size();
  });
}

bnq_status bnq_calibration_deserialize(bnq_context* context, const void* data,
                                       uint64_t bytes,
                                       bnq_calibration** out_calibration) {
  return Guard([&] {
    bnq_calibration*& out = Output(out_calibration, "out_calibration");
    auto calibration = std::make_unique<bnq_calibration>();
    calibration->core = CalibrationSet::Deserialize(
        ContextOf(context),
        &Required(static_cast<const uint8_t*>(data), "data"), bytes);
    { const Refreshing refreshing(calibration.get()); }
    out = calibration.release();
  });
}

bnq_status bnq_post_training_quantize_file(
    bnq_context* context, const bnq_plan* plan,
    const bnq_calibration* calibration, const bnq_config* activation_config,
    const char* input, const char* output, int32_t flags,
    uint64_t max_shard_bytes, bnq_progress_fn progress, void* opaque,
    bnq_report** out_report) {
  return WithReport(out_report, [&] {
    const ConversionOptions options = ConversionOptionsOf(
        context, flags, BNQ_WRITE_COMPRESS | BNQ_WRITE_REQUANTIZE,
        max_shard_bytes);
    return PostTrainingQuantizeFile(
        ContextOf(context), Required(plan, "plan").core, SetOf(calibration),
        activation_config ? activation_config->core
                          : PostTrainingConfig(PostTrainingRole::kActivations),
        &Required(input, "input"), OutputPath(output, options), options,
        ProgressOf(progress, opaque));
  });
}

bnq_status bnq_compare_histogram(bnq_context* context,
                                 const bnq_array* original,
                                 const bnq_array* other, uint32_t bins,
                                 uint64_t* counts, double* out_max_error,
                                 double* out_kl) {
  return Guard([&] {
    CheckBins(bins);
    CopyHistogram(
        CompareHistogram(ContextOf(context), ViewOf(original, "original"),
                         ViewOf(other, "other"), bins),
        counts, out_max_error, out_kl);
  });
}

bnq_status bnq_tensor_compare_histogram(bnq_context* context,
                                        const bnq_array* original,
                                        const bnq_tensor* tensor, uint32_t bins,
                                        uint64_t* counts, double* out_max_error,
                                        double* out_kl) {
  return Guard([&] {
    CheckBins(bins);
    CopyHistogram(
        CompareHistogram(ContextOf(context), ViewOf(original, "original"),
                         *Required(tensor, "tensor").core, bins),
        counts, out_max_error, out_kl);
  });
}
