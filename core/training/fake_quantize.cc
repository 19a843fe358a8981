#include "core/training/fake_quantize.h"

#include <algorithm>
#include <vector>

#include "core/base/checked.h"
#include "core/base/error.h"
#include "core/kernels/elements.h"
#include "core/parallel/runner.h"
#include "core/scheme/rules.h"
#include "core/tensor/chunks.h"
#include "core/tensor/clipping.h"
#include "core/tensor/outliers.h"
#include "core/tensor/slices.h"
#include "core/tensor/source.h"
#include "core/tensor/static.h"
#include "core/training/soften.h"

namespace bnq {
namespace {

// Elements of a slice for each thread: what stays in a second-level cache.
constexpr uint64_t kSlice = 65536;

// Puts slices where they are wanted, and what is wanted of them.
class FakeSink : public SliceSink {
 public:
  FakeSink(const Context& context, const FakeQuantizeJob& job)
      : context_(context),
        job_(job),
        format_(FormatOf(job.config)),
        source_(MakeSource(job.array, &job.config)),
        layout_(MakeLayout(format_, job.config, job.array.shape)),
        softening_(job.training) {}

  bool plain() const { return softening_.none(); }
  uint64_t clipped() const { return clipped_; }
  const Bounds& scales() const { return scales_; }

  void Take(const QuantizedSlice& slice) override {
    TakeParams(slice);
    if (format_.Has(kScaled) &&
        (job_.clipped != nullptr || job_.clipped_count != nullptr ||
         job_.statistics != nullptr)) {
      const Clipping clipping(job_.config, job_.array, layout_, slice.outliers);
      clipped_ += clipping.Find(
          context_, slice.begin, slice.end, slice.coding, slice.param_base,
          job_.clipped == nullptr ? nullptr : job_.clipped + slice.begin);
    }
    if (!format_.Has(kScaled) && job_.clipped != nullptr) {
      std::fill(job_.clipped + slice.begin, job_.clipped + slice.end,
                uint8_t{0});
    }
    if (slice.round_trip) return;
    const uint64_t size = Info(job_.dtype).bits / 8;
    if (plain()) {
      slice.values.DecodeParallel(slice.begin, slice.end - slice.begin,
                                  job_.dtype, job_.out + slice.begin * size,
                                  job_.overflow);
      return;
    }
    ForEachChunk(context_, slice.begin, slice.end,
                 [&](uint64_t, uint64_t at, size_t count) {
                   Soften(slice, at, count, job_.out + at * size);
                 });
  }

 private:
  void TakeParams(const QuantizedSlice& slice) {
    const ParamSpan& from = slice.decoding;
    const uint64_t base = slice.param_base, n = slice.param_count;
    // Slices may have all of them, each time.
    if (!format_.Has(kScaled) || base + n <= taken_params_) return;
    taken_params_ = base + n;
    for (uint64_t i = 0; i < n && job_.statistics != nullptr; ++i) {
      scales_.Add(static_cast<double>(from.scales[i]));
    }
    if (job_.params.scales == nullptr) return;
    std::copy_n(from.scales, n, job_.params.scales + base);
    if (from.zero_points != nullptr && job_.params.zero_points != nullptr) {
      std::copy_n(from.zero_points, n, job_.params.zero_points + base);
    }
    if (from.offsets != nullptr && job_.params.offsets != nullptr) {
      std::copy_n(from.offsets, n, job_.params.offsets + base);
    }
  }

  void Soften(const QuantizedSlice& slice, uint64_t at, size_t count,
              uint8_t* out) const {
    float x[kChunk + kLanes], y[kChunk + kLanes], shares[kChunk];
    LoadElements(source_, at, count, x);
    slice.values.Decode(at, count, DType::kF32, false,
                        reinterpret_cast<uint8_t*>(y));
    if (softening_.makes_noise() && format_.Has(kScaled)) {
      MakeNoise(slice, at, count, x, y);
      ScatterOutliers(slice.outliers, job_.array.shape.features(), at, count,
                      DType::kF32, Overflow::kKeep,
                      reinterpret_cast<uint8_t*>(y));
    }
    softening_.Shares(at, count, shares);
    Softening::Blend(x, shares, count, y);
    if (!FitsDType(job_.dtype, job_.overflow, y, count)) {
      Fail(Status::kNonFinite, "values of elements ", at, " to ",
           at + count - 1, " overflow ", Info(job_.dtype).name);
    }
    StoreElements(y, count, job_.dtype, false, out);
  }

  void MakeNoise(const QuantizedSlice& slice, uint64_t at, size_t count,
                 const float* x, float* y) const {
    const CodeRange codes = format_.code_range(job_.config.variant());
    const int32_t zero = slice.decoding.offsets != nullptr ? codes.lo : 0;
    layout_.ForEachRun(
        at, at + count, [&](uint64_t element, uint64_t n, uint64_t param) {
          const Params params =
              slice.decoding.At(param - slice.param_base, zero);
          softening_.MakeNoise(
              element, x + (element - at), static_cast<size_t>(n),
              NoiseRangeOf(format_, codes, params), y + (element - at));
        });
  }

  const Context& context_;
  const FakeQuantizeJob& job_;
  const Format& format_;
  const SourceView source_;
  const Layout layout_;
  const Softening softening_;
  uint64_t clipped_ = 0, taken_params_ = 0;
  Bounds scales_;
};

// NON_FINITE where the policy left such values in.
TrainingStep StepOf(const FakeQuantizeJob& job, const FakeSink& sink,
                    const ErrorSums& sums) {
  TrainingStep step;
  step.elements = sums.count();
  if (step.elements == 0) return step;
  if (!sums.finite()) {
    CheckFinite(job.array, 0, step.elements, "statistics");
    Fail(Status::kNonFinite, "statistics: a value becomes infinite as ",
         FormatOf(job.config).name);
  }
  step.clipped = sink.clipped();
  step.error_energy = sums.error_energy();
  step.energy = sums.energy();
  step.max_error = sums.Result().values[static_cast<int>(Metric::kMaxError)];
  step.scales = sink.scales();
  return step;
}

}  // namespace

void FakeQuantize(const Context& context, const FakeQuantizeJob& job) {
  const Format& format = FormatOf(job.config);
  ParamSet usable;
  QuantizeJob quantize{job.config, job.array};
  const bool given = job.given != nullptr && format.Has(kScaled);
  if (given) {
    CheckTakesParams(format);
    usable = UsableParams(job.config, format,
                          PartSizes(job.config, job.array.shape), *job.given);
    quantize.params = &usable;
  }
  const bool in_place = job.out == job.array.data;
  const bool measured = job.metrics != nullptr || job.statistics != nullptr;
  const bool looks_again =
      job.clipped != nullptr || job.clipped_count != nullptr || measured;
  FakeSink sink(context, job);
  // Whether values need not come from codes.
  const bool direct = job.dtype == DType::kF32 && IsAligned(job.out) &&
                      sink.plain() && !measured && !(in_place && looks_again);
  if (direct) quantize.values = reinterpret_cast<float*>(job.out);
  quantize.check_finite = given;
  // Metrics look at the ends of the slice before, too.
  if ((!direct || looks_again) && !(in_place && measured)) {
    quantize.slice_elements =
        kSlice * (context.runner ? context.runner->workers() : 1);
  }
  PartRooms rooms(context);
  MetricsSink metrics(context, job.array);
  std::vector<SliceSink*> sinks;
  if (measured) sinks.push_back(&metrics);
  sinks.push_back(&sink);
  QuantizeSlices(context, quantize, &rooms, sinks);
  if (job.metrics != nullptr) *job.metrics = metrics.Result();
  if (job.clipped_count != nullptr) *job.clipped_count = sink.clipped();
  if (job.statistics != nullptr) {
    job.statistics->Add(StepOf(job, sink, metrics.sums()));
  }
}

}  // namespace bnq
