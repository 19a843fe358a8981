#include <cstring>
#include <string>

#include "capi/calibration.h"
#include "core/calibration/dataset.h"

using namespace bnq;
using namespace bnq::capi;

namespace {

#define BNQ_SAME(option, id)                                               \
  static_assert(                                                           \
      static_cast<int>(CalibrationOption::option) == BNQ_CALIBRATION_##id, \
      #id)
BNQ_SAME(kMethod, METHOD);
BNQ_SAME(kGranularity, GRANULARITY);
BNQ_SAME(kAxis, AXIS);
BNQ_SAME(kScheme, SCHEME);
BNQ_SAME(kBins, BINS);
BNQ_SAME(kBits, BITS);
BNQ_SAME(kLevels, LEVELS);
BNQ_SAME(kAveraging, AVERAGING);
BNQ_SAME(kMaxGrowth, MAX_GROWTH);
BNQ_SAME(kMaxShrink, MAX_SHRINK);
BNQ_SAME(kPercentile, PERCENTILE);
BNQ_SAME(kKlVariant, KL_VARIANT);
BNQ_SAME(kMseVariant, MSE_VARIANT);
BNQ_SAME(kNonFinite, NON_FINITE);
BNQ_SAME(kOutliers, OUTLIERS);
BNQ_SAME(kOutlierPercentile, OUTLIER_PERCENTILE);
BNQ_SAME(kOutlierDeviations, OUTLIER_DEVIATIONS);
BNQ_SAME(kMoments, MOMENTS);
BNQ_SAME(kHistogram, HISTOGRAM);
#undef BNQ_SAME
#define BNQ_SAME(type, value, id) \
  static_assert(static_cast<int>(type::value) == BNQ_##id, #id)
BNQ_SAME(CalibrationMethod, kMinMax, METHOD_MINMAX);
BNQ_SAME(CalibrationMethod, kMovingAverage, METHOD_MOVING_AVERAGE);
BNQ_SAME(CalibrationMethod, kPercentile, METHOD_PERCENTILE);
BNQ_SAME(CalibrationMethod, kKl, METHOD_KL);
BNQ_SAME(CalibrationMethod, kMse, METHOD_MSE);
BNQ_SAME(CalibrationMethod, kAdaptive, METHOD_ADAPTIVE);
BNQ_SAME(KlVariant, kTensorRt, KL_TENSORRT);
BNQ_SAME(KlVariant, kOnnxRuntime, KL_ONNXRUNTIME);
BNQ_SAME(MseVariant, kExhaustive, MSE_EXHAUSTIVE);
BNQ_SAME(MseVariant, kPyTorch, MSE_PYTORCH);
BNQ_SAME(NonFinitePolicy, kError, OBSERVE_ERROR);
BNQ_SAME(NonFinitePolicy, kSkip, OBSERVE_SKIP);
BNQ_SAME(OutlierRule, kNone, OUTLIERS_NONE);
BNQ_SAME(OutlierRule, kPercentile, OUTLIERS_PERCENTILE);
BNQ_SAME(OutlierRule, kDeviations, OUTLIERS_DEVIATIONS);
BNQ_SAME(CalibrationStatistic, kCount, STATISTIC_COUNT);
BNQ_SAME(CalibrationStatistic, kMin, STATISTIC_MIN);
BNQ_SAME(CalibrationStatistic, kMax, STATISTIC_MAX);
BNQ_SAME(CalibrationStatistic, kMean, STATISTIC_MEAN);
BNQ_SAME(CalibrationStatistic, kVariance, STATISTIC_VARIANCE);
BNQ_SAME(CalibrationStatistic, kAbsMax, STATISTIC_ABSMAX);
BNQ_SAME(CalibrationStatistic, kAbsMean, STATISTIC_ABSMEAN);
BNQ_SAME(CalibrationStatistic, kSkewness, STATISTIC_SKEWNESS);
BNQ_SAME(CalibrationStatistic, kKurtosis, STATISTIC_KURTOSIS);
BNQ_SAME(CalibrationStatistic, kZeroShare, STATISTIC_ZERO_SHARE);
BNQ_SAME(CalibrationStatistic, kNonFinite, STATISTIC_NON_FINITE);
BNQ_SAME(CalibrationStatistic, kOutliers, STATISTIC_OUTLIERS);
#undef BNQ_SAME
static_assert(kNumCalibrationStatistics == BNQ_NUM_STATISTICS, "statistics");
static_assert(Calibrator::kAllChannels == BNQ_ALL_CHANNELS, "all channels");

Calibrator& CoreOf(bnq_calibrator* calibrator) {
  return *Required(calibrator, "calibrator").owned;
}

const Calibrator& CoreOf(const bnq_calibrator* calibrator) {
  return CalibratorCore(calibrator);
}

}  // namespace

bnq_status bnq_calibrator_create(bnq_calibrator** out_calibrator) {
  return Guard([&] {
    bnq_calibrator*& out = Output(out_calibrator, "out_calibrator");
    out = new bnq_calibrator();
  });
}

void bnq_calibrator_destroy(bnq_calibrator* calibrator) { delete calibrator; }

bnq_status bnq_calibrator_clone(bnq_context* context,
                                const bnq_calibrator* calibrator,
                                bnq_calibrator** out_calibrator) {
  return Guard([&] {
    bnq_calibrator*& out = Output(out_calibrator, "out_calibrator");
    auto clone = std::make_unique<bnq_calibrator>();
    clone->owned = CoreOf(calibrator).Clone(ContextOf(context));
    out = clone.release();
  });
}

const bnq_options* bnq_calibrator_options(const bnq_calibrator* calibrator) {
  return calibrator;
}

bnq_options* bnq_calibrator_settings(bnq_calibrator* calibrator) {
  return calibrator;
}

bnq_status bnq_calibrator_observe(bnq_context* context,
                                  bnq_calibrator* calibrator,
                                  const bnq_array* array) {
  return Guard([&] {
    CoreOf(calibrator)
        .Observe(ContextOf(context), ViewOf(array, "array"), nullptr);
  });
}

bnq_status bnq_calibrator_observe_file(bnq_context* context,
                                       bnq_calibrator* calibrator,
                                       const char* path, const char* name,
                                       bnq_progress_fn progress, void* opaque) {
  return Guard([&] {
    Required(calibrator, "calibrator");
    const std::string wanted = name != nullptr ? name : "";
    ObserveFile(ContextOf(context), &Required(path, "path"),
                name != nullptr ? &wanted : nullptr,
                ProgressOf(progress, opaque), &calibrator->owned);
  });
}

uint64_t bnq_calibrator_channels(const bnq_calibrator* calibrator) {
  return calibrator ? calibrator->core().channels() : 0;
}

uint64_t bnq_calibrator_batches(const bnq_calibrator* calibrator) {
  return calibrator ? calibrator->core().batches() : 0;
}

bnq_status bnq_calibrator_range(bnq_context* context,
                                const bnq_calibrator* calibrator, float* lo,
                                float* hi, uint64_t count) {
  return Guard([&] {
    const Calibrator& core = CoreOf(calibrator);
    Required(lo, "lo");
    Required(hi, "hi");
    const std::vector<Range> ranges = core.Ranges(ContextOf(context));
    CheckCount(count, ranges.size(), "count");
    for (size_t c = 0; c < ranges.size(); ++c) {
      lo[c] = ranges[c].lo;
      hi[c] = ranges[c].hi;
    }
  });
}

uint32_t bnq_statistic_count(void) { return kNumCalibrationStatistics; }

const char* bnq_statistic_name(uint32_t index) {
  return index < bnq_statistic_count()
             ? CalibrationStatisticName(static_cast<int>(index))
             : nullptr;
}

bnq_status bnq_calibrator_statistics(bnq_context* context,
                                     const bnq_calibrator* calibrator,
                                     uint64_t channel, double* statistics,
                                     uint32_t statistic_count) {
  return Guard([&] {
    const Calibrator& core = CoreOf(calibrator);
    Required(statistics, "statistics");
    if (statistic_count > bnq_statistic_count()) {
      Fail(Status::kInvalidArgument, "statistic_count = ", statistic_count,
           ", must be 0 to ", bnq_statistic_count());
    }
    const CalibrationStatistics result =
        core.Statistics(channel, ContextOf(context));
    std::memcpy(statistics, result.values, statistic_count * sizeof(double));
  });
}

bnq_status bnq_calibrator_histogram(const bnq_calibrator* calibrator,
                                    uint64_t channel, uint64_t* counts,
                                    uint64_t capacity, uint64_t* out_bins,
                                    double* out_first, double* out_width) {
  return Guard([&] {
    uint64_t& bins = Required(out_bins, "out_bins");
    const HistogramView view = CoreOf(calibrator).Histogram(channel);
    const uint64_t size = view.counts.size();
    if (counts != nullptr && capacity < size) {
      Fail(Status::kInvalidArgument, "capacity = ", capacity,
           ", must be at least the ", size, " bins");
    }
    if (counts != nullptr && size != 0) {
      std::memcpy(counts, view.counts.data(), size * sizeof(uint64_t));
    }
    bins = size;
    if (out_first) *out_first = view.first;
    if (out_width) *out_width = view.width;
  });
}

bnq_status bnq_calibrator_reset(bnq_calibrator* calibrator) {
  return Guard([&] { CoreOf(calibrator).Reset(); });
}

bnq_status bnq_calibrator_merge(bnq_context* context,
                                bnq_calibrator* calibrator,
                                const bnq_calibrator* other) {
  return Guard([&] {
    CoreOf(calibrator)
        .Merge(ContextOf(context), Required(other, "other").core());
  });
}

bnq_status bnq_calibrator_serialize(bnq_context* context,
                                    const bnq_calibrator* calibrator, void* out,
                                    uint64_t out_bytes, uint64_t* out_size) {
  return Guard([&] {
    Required(out_size, "out_size");
    CopyBytes(CoreOf(calibrator).Serialize(ContextOf(context)), out, out_bytes,
              out_size);
  });
}

bnq_status bnq_calibrator_deserialize(bnq_context* context, const void* data,
                                      uint64_t bytes,
                                      bnq_calibrator** out_calibrator) {
  return Guard([&] {
    bnq_calibrator*& out = Output(out_calibrator, "out_calibrator");
    auto calibrator = std::make_unique<bnq_calibrator>();
    calibrator->owned = Calibrator::Deserialize(
        ContextOf(context),
        &Required(static_cast<const uint8_t*>(data), "data"), bytes);
    out = calibrator.release();
  });
}
