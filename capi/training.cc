#include <cmath>
#include <cstring>
#include <vector>

#include "capi/guard.h"
#include "core/tensor/static.h"
#include "core/training/fake_quantize.h"
#include "core/training/gradient.h"
#include "core/training/schedule.h"

using namespace bnq;
using namespace bnq::capi;

struct bnq_training : WithOptions<bnq_training, BNQ_OPTIONS_TRAINING> {
  TrainingOptions& settings() { return core; }
  const TrainingOptions& options() const { return core; }

  TrainingOptions core;
};

struct bnq_phase : WithOptions<bnq_phase, BNQ_OPTIONS_PHASE> {
  PhaseOptions& settings() { return core; }
  const PhaseOptions& options() const { return core; }

  PhaseOptions core;
};

struct bnq_schedule {
  Schedule core;
};

struct bnq_training_statistics {
  TrainingStatistics core;
};

namespace {

#define BNQ_SAME(value, id) \
  static_assert(static_cast<int>(value) == BNQ_##id, #id)
BNQ_SAME(TrainingOption::kEstimator, TRAINING_ESTIMATOR);
BNQ_SAME(TrainingOption::kSlope, TRAINING_SLOPE);
BNQ_SAME(TrainingOption::kWidth, TRAINING_WIDTH);
BNQ_SAME(TrainingOption::kGradientFactor, TRAINING_GRADIENT_FACTOR);
BNQ_SAME(TrainingOption::kNoise, TRAINING_NOISE);
BNQ_SAME(TrainingOption::kNoiseAmount, TRAINING_NOISE_AMOUNT);
BNQ_SAME(TrainingOption::kTemperature, TRAINING_TEMPERATURE);
BNQ_SAME(TrainingOption::kProbability, TRAINING_PROBABILITY);
BNQ_SAME(TrainingOption::kProbabilityOf, TRAINING_PROBABILITY_OF);
BNQ_SAME(TrainingOption::kSeed, TRAINING_SEED);
BNQ_SAME(kNumTrainingOptions, NUM_TRAINING_OPTIONS);
BNQ_SAME(Estimator::kClipped, ESTIMATOR_CLIPPED);
BNQ_SAME(Estimator::kStraight, ESTIMATOR_STRAIGHT_THROUGH);
BNQ_SAME(Estimator::kSoft, ESTIMATOR_SOFT);
BNQ_SAME(Estimator::kSlope, ESTIMATOR_SLOPE);
BNQ_SAME(Noise::kNone, NOISE_NONE);
BNQ_SAME(Noise::kUniform, NOISE_UNIFORM);
BNQ_SAME(Noise::kGaussian, NOISE_GAUSSIAN);
BNQ_SAME(DrawnBy::kElement, DRAWN_BY_ELEMENT);
BNQ_SAME(DrawnBy::kLayer, DRAWN_BY_LAYER);
BNQ_SAME(PhaseOption::kBits, PHASE_BITS);
BNQ_SAME(PhaseOption::kSteps, PHASE_STEPS);
BNQ_SAME(PhaseOption::kPatience, PHASE_PATIENCE);
BNQ_SAME(PhaseOption::kImprovement, PHASE_IMPROVEMENT);
BNQ_SAME(PhaseOption::kMaxError, PHASE_MAX_ERROR);
BNQ_SAME(PhaseOption::kTemperatureBegin, PHASE_TEMPERATURE_BEGIN);
BNQ_SAME(PhaseOption::kTemperatureEnd, PHASE_TEMPERATURE_END);
BNQ_SAME(PhaseOption::kShareBegin, PHASE_SHARE_BEGIN);
BNQ_SAME(PhaseOption::kShareEnd, PHASE_SHARE_END);
BNQ_SAME(PhaseOption::kLayersBegin, PHASE_LAYERS_BEGIN);
BNQ_SAME(PhaseOption::kLayersEnd, PHASE_LAYERS_END);
BNQ_SAME(kNumPhaseOptions, NUM_PHASE_OPTIONS);
BNQ_SAME(TrainingStatistic::kSteps, TRAINING_STATISTIC_STEPS);
BNQ_SAME(TrainingStatistic::kElements, TRAINING_STATISTIC_ELEMENTS);
BNQ_SAME(TrainingStatistic::kClipped, TRAINING_STATISTIC_CLIPPED);
BNQ_SAME(TrainingStatistic::kClippedShare, TRAINING_STATISTIC_CLIPPED_SHARE);
BNQ_SAME(TrainingStatistic::kMse, TRAINING_STATISTIC_MSE);
BNQ_SAME(TrainingStatistic::kRelativeMse, TRAINING_STATISTIC_RELATIVE_MSE);
BNQ_SAME(TrainingStatistic::kSqnrDb, TRAINING_STATISTIC_SQNR_DB);
BNQ_SAME(TrainingStatistic::kMaxError, TRAINING_STATISTIC_MAX_ERROR);
BNQ_SAME(TrainingStatistic::kScaleMin, TRAINING_STATISTIC_SCALE_MIN);
BNQ_SAME(TrainingStatistic::kScaleMax, TRAINING_STATISTIC_SCALE_MAX);
BNQ_SAME(TrainingStatistic::kWorstClippedShare,
         TRAINING_STATISTIC_WORST_CLIPPED_SHARE);
BNQ_SAME(TrainingStatistic::kWorstRelativeMse,
         TRAINING_STATISTIC_WORST_RELATIVE_MSE);
BNQ_SAME(kNumTrainingStatistics, NUM_TRAINING_STATISTICS);
#undef BNQ_SAME

const TrainingOptions& OptionsOf(const bnq_training* training) {
  static const TrainingOptions kDefaults;
  return training ? training->core : kDefaults;
}

Schedule& CoreOf(bnq_schedule* schedule) {
  return Required(schedule, "schedule").core;
}
const Schedule& CoreOf(const bnq_schedule* schedule) {
  return Required(schedule, "schedule").core;
}

const TrainingStatistics& CoreOf(const bnq_training_statistics* statistics) {
  return Required(statistics, "statistics").core;
}

ParamSet Given(uint64_t count, const Parts& sizes, const float* scales,
               const int8_t* zero_points, const float* offsets) {
  CheckCount(count, sizes[Part::kScales].count, "param_count");
  return GivenParams(sizes, scales, zero_points, offsets);
}

uint8_t* Output(uint64_t elements, DType dtype, void* out, uint64_t bytes,
                const char* name, const char* bytes_name) {
  CheckCount(bytes, elements * (Info(dtype).bits / 8), bytes_name);
  if (elements != 0) Required(static_cast<uint8_t*>(out), name);
  return static_cast<uint8_t*>(out);
}

}  // namespace

bnq_status bnq_training_create(bnq_training** out_training) {
  return Guard([&] {
    Output(out_training, "out_training");
    *out_training = new bnq_training();
  });
}

void bnq_training_destroy(bnq_training* training) { delete training; }

const bnq_options* bnq_training_options(const bnq_training* training) {
  return training;
}

bnq_options* bnq_training_settings(bnq_training* training) { return training; }

bnq_status bnq_param_count(const bnq_config* config, int32_t rank,
                           const uint64_t* shape, uint64_t* out_count) {
  return Guard([&] {
    uint64_t& count = Required(out_count, "out_count");
    count = PartSizes(Required(config, "config").core,
                      Shape::Make(rank, shape))[Part::kScales]
                .count;
  });
}

bnq_status bnq_range_params(const bnq_config* config, float lo, float hi,
                            float* scale, int8_t* zero_point, float* offset) {
  return Guard([&] {
    float& out = Required(scale, "scale");
    if (!std::isfinite(lo) || !std::isfinite(hi) || hi < lo) {
      Fail(Status::kInvalidArgument, "lo = ", lo, " and hi = ", hi,
           ", must be finite, hi at least lo");
    }
    const Params params =
        ParamsOfRange(Required(config, "config").core, {lo, hi});
    out = params.scale;
    if (zero_point) *zero_point = static_cast<int8_t>(params.zero_point);
    if (offset) *offset = params.offset;
  });
}

bnq_status bnq_fake_quantize(bnq_context* context, const bnq_config* config,
                             const bnq_training* training,
                             const bnq_array* source, int32_t given,
                             float* scales, int8_t* zero_points, float* offsets,
                             uint64_t param_count, int32_t dtype,
                             int32_t overflow, void* out, uint64_t out_bytes,
                             uint8_t* clipped, uint64_t clipped_bytes,
                             uint64_t* out_clipped, double* metrics,
                             uint32_t metric_count,
                             bnq_training_statistics* statistics) {
  return Guard([&] {
    const Config& c = Required(config, "config").core;
    const ArrayView view = ViewOf(source, "source");
    const uint64_t elements = view.shape.elements();
    const Parts sizes = PartSizes(c, view.shape);
    if (given != 0 && given != 1) {
      Fail(Status::kInvalidArgument, "given = ", given, ", must be 0 or 1");
    }
    FakeQuantizeJob job{c, OptionsOf(training), view};
    ParamSet params;
    if (given) {
      params = Given(param_count, sizes, scales, zero_points, offsets);
      job.given = &params;
    } else {
      CheckCount(param_count, scales ? sizes[Part::kScales].count : 0,
                 "param_count");
      job.params = {scales, zero_points, offsets};
    }
    job.dtype = TargetDType(dtype);
    job.overflow = OverflowOf(overflow);
    job.out = Output(elements, job.dtype, out, out_bytes, "out", "out_bytes");
    if (job.out == view.data && job.dtype != view.dtype && elements != 0) {
      Fail(Status::kInvalidArgument, "dtype = ", Info(job.dtype).name,
           ", must be that of source, ", Info(view.dtype).name,
           ", where out is its data");
    }
    if (clipped != nullptr)
      CheckCount(clipped_bytes, elements, "clipped_bytes");
    job.clipped = clipped;
    uint64_t clipped_count = 0;
    if (out_clipped) job.clipped_count = &clipped_count;
    Metrics found;
    if (metrics) job.metrics = &found;
    if (statistics) job.statistics = &statistics->core;
    FakeQuantize(ContextOf(context), job);
    if (out_clipped) *out_clipped = clipped_count;
    if (metrics) CopyMetrics(found.values, metrics, metric_count);
  });
}

bnq_status bnq_fake_quantize_gradient(
    bnq_context* context, const bnq_config* config,
    const bnq_training* training, const bnq_array* x, const bnq_array* dy,
    const float* scales, const int8_t* zero_points, const float* offsets,
    uint64_t param_count, int32_t dtype, void* dx, uint64_t dx_bytes,
    float* scale_gradients, float* shift_gradients, float* end_gradients,
    float* slope_gradient) {
  return Guard([&] {
    const Config& c = Required(config, "config").core;
    const ArrayView values = ViewOf(x, "x");
    const ArrayView gradients = ViewOf(dy, "dy");
    const ParamSet params = Given(param_count, PartSizes(c, values.shape),
                                  scales, zero_points, offsets);
    GradientJob job{c, OptionsOf(training), values, gradients, params};
    job.dtype = TargetDType(dtype);
    job.dx = Output(values.shape.elements(), job.dtype, dx, dx_bytes, "dx",
                    "dx_bytes");
    job.scales = scale_gradients;
    job.shifts = shift_gradients;
    job.ends = end_gradients;
    job.slope = slope_gradient;
    FakeQuantizeGradient(ContextOf(context), job);
  });
}

bnq_status bnq_training_statistics_create(
    bnq_training_statistics** out_statistics) {
  return Guard([&] {
    Output(out_statistics, "out_statistics");
    *out_statistics = new bnq_training_statistics();
  });
}

void bnq_training_statistics_destroy(bnq_training_statistics* statistics) {
  delete statistics;
}

bnq_status bnq_training_statistics_values(
    const bnq_training_statistics* statistics, double* values,
    uint32_t value_count) {
  return Guard([&] {
    double all[kNumTrainingStatistics];
    CoreOf(statistics).Values(all);
    CopyValues(all, values, value_count);
  });
}

bnq_status bnq_training_statistics_merge(bnq_training_statistics* statistics,
                                         const bnq_training_statistics* other) {
  return Guard([&] {
    Required(statistics, "statistics")
        .core.Merge(Required(other, "other").core);
  });
}

bnq_status bnq_training_statistics_serialize(
    const bnq_training_statistics* statistics, void* out, uint64_t out_bytes,
    uint64_t* out_size) {
  return Guard([&] {
    CopyBytes(CoreOf(statistics).Serialize(), out, out_bytes, out_size);
  });
}

bnq_status bnq_training_statistics_deserialize(
    const void* data, uint64_t bytes,
    bnq_training_statistics** out_statistics) {
  return Guard([&] {
    bnq_training_statistics*& out = Output(out_statistics, "out_statistics");
    out = new bnq_training_statistics{TrainingStatistics::Deserialize(
        &Required(static_cast<const uint8_t*>(data), "data"), bytes)};
  });
}

bnq_status bnq_phase_create(bnq_phase** out_phase) {
  return Guard([&] {
    Output(out_phase, "out_phase");
    *out_phase = new bnq_phase();
  });
}

void bnq_phase_destroy(bnq_phase* phase) { delete phase; }

const bnq_options* bnq_phase_options(const bnq_phase* phase) { return phase; }

bnq_options* bnq_phase_settings(bnq_phase* phase) { return phase; }

bnq_status bnq_schedule_create(const bnq_phase* const* phases, uint64_t count,
                               bnq_schedule** out_schedule) {
  return Guard([&] {
    bnq_schedule*& out = Output(out_schedule, "out_schedule");
    if (count != 0) Required(phases, "phases");
    std::vector<PhaseOptions> list;
    for (uint64_t i = 0; i < count; ++i) {
      list.push_back(Required(phases[i], "a phase").core);
    }
    out = new bnq_schedule{Schedule(std::move(list))};
  });
}

void bnq_schedule_destroy(bnq_schedule* schedule) { delete schedule; }

bnq_status bnq_schedule_step(bnq_schedule* schedule, double loss, double error,
                             int32_t* out_ended) {
  return Guard([&] {
    const bool ended = CoreOf(schedule).Step(loss, error);
    if (out_ended) *out_ended = ended;
  });
}

bnq_status bnq_schedule_values(const bnq_schedule* schedule, double* values,
                               uint32_t value_count) {
  return Guard([&] {
    const Schedule& s = CoreOf(schedule);
    const double all[BNQ_NUM_SCHEDULE_VALUES] = {
        static_cast<double>(s.phase()),
        static_cast<double>(s.phase_step()),
        static_cast<double>(s.step()),
        s.bits(),
        s.temperature(),
        s.share(),
        s.layers(),
        s.best_loss(),
        static_cast<double>(s.since_best()),
        s.done() ? 1.0 : 0.0};
    CopyValues(all, values, value_count);
  });
}

bnq_status bnq_schedule_apply(const bnq_schedule* schedule, uint64_t layer,
                              uint64_t layers, bnq_config* config,
                              bnq_training* training, int32_t* out_quantized) {
  return Guard([&] {
    int32_t& quantized = Required(out_quantized, "out_quantized");
    quantized =
        CoreOf(schedule).Apply(layer, layers, &Required(config, "config").core,
                               &Required(training, "training").core);
  });
}

bnq_status bnq_schedule_serialize(const bnq_schedule* schedule, void* out,
                                  uint64_t out_bytes, uint64_t* out_size) {
  return Guard([&] {
    CopyBytes(CoreOf(schedule).Serialize(), out, out_bytes, out_size);
  });
}

bnq_status bnq_schedule_deserialize(const void* data, uint64_t bytes,
                                    bnq_schedule** out_schedule) {
  return Guard([&] {
    bnq_schedule*& out = Output(out_schedule, "out_schedule");
    out = new bnq_schedule{Schedule::Deserialize(
        &Required(static_cast<const uint8_t*>(data), "data"), bytes)};
  });
}
