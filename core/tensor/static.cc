#include "core/tensor/static.h"

#include <cfloat>
#include <cmath>

#include "core/base/error.h"
#include "core/scheme/rules.h"
#include "core/scheme/support.h"
#include "core/tensor/clipping.h"
#include "core/tensor/quantize.h"
#include "core/tensor/search.h"

namespace bnq {
namespace {

// An offset is at most so much, so that no sum with it overflows.
constexpr float kMostOffset = FLT_MAX / 4.0f;

// Judges scales that are given, of which there may be many.
class GivenScales {
 public:
  GivenScales(const Config& config, const Format& format)
      : format_(format),
        codes_(format.code_range(config.variant())),
        dtype_(config.scale_dtype()),
        // Twice what codes reach leaves room for an offset.
        room_(config.scheme() == Scheme::kOffset ? 2.0 : 1.0),
        may_be_negative_(config.symmetric_range() == SymmetricRange::kExtreme) {
  }
  CodeRange codes() const { return codes_; }

  // The rounded scale; INVALID_ARGUMENT for one that cannot be used.
  float Usable(uint64_t index, float scale, int32_t zero_point) {
    if (index == 0 || zero_point != zero_point_) {
      zero_point_ = zero_point;
      steps_ = GreatestValue(format_, codes_, zero_point) * room_;
    }
    const float magnitude = std::fabs(scale);
    if (!(magnitude == 0.0f || magnitude >= FLT_MIN) ||
        !(static_cast<double>(magnitude) * steps_ <= FLT_MAX) ||
        (scale < 0.0f && !may_be_negative_)) {
      Fail(Status::kInvalidArgument, "scale ", index, " = ", scale,
           ", must be 0, or at least ", FLT_MIN, " and so that ", steps_,
           " of it are finite", may_be_negative_ ? "" : ", and not negative");
    }
    return dtype_ == ScaleDType::kF32 ? scale
                                      : RoundGivenScale(scale, dtype_, steps_);
  }

 private:
  const Format& format_;
  const CodeRange codes_;
  const ScaleDType dtype_;
  const double room_;
  const bool may_be_negative_;
  int32_t zero_point_ = 0;
  double steps_ = 0.0;
};

}  // namespace

void CheckTakesParams(const Format& format) {
  if (!format.Has(kScaled)) {
    Fail(Status::kUnsupported, "format ", format.name, " has no scales");
  }
  if (format.Has(kCodebook)) {
    Fail(Status::kUnsupported, "format ", format.name,
         " takes scales found in the array, which its codebook is fitted with");
  }
}

ParamSet UsableParams(const Config& config, const Format& format,
                      const Parts& sizes, const ParamSet& given) {
  GivenScales judge(config, format);
  const CodeRange range = judge.codes();
  const bool offset = config.scheme() == Scheme::kOffset;
  const uint64_t count = sizes[Part::kScales].count;
  ParamSet usable(count, config.scheme(), range);
  for (uint64_t i = 0; i < count; ++i) {
    Params params = given.At(i);
    if (offset) {
      params.zero_point = usable.zero_point;
      if (!(std::fabs(params.offset) <= kMostOffset)) {
        Fail(Status::kInvalidArgument, "offset ", i, " = ", params.offset,
             ", must be -", kMostOffset, " to ", kMostOffset);
      }
      // Never -0, which targets order differently.
      params.offset = RoundOffset(params.offset, config.scale_dtype()) + 0.0f;
    }
    if (params.zero_point < range.lo || params.zero_point > range.hi) {
      Fail(Status::kInvalidArgument, "zero point ", i, " = ", params.zero_point,
           ", must be ", range.lo, " to ", range.hi);
    }
    params.scale = judge.Usable(i, params.scale, params.zero_point);
    usable.Set(i, params);
  }
  return usable;
}

std::unique_ptr<QuantizedTensor> QuantizeStatic(const Context& context,
                                                const Config& config,
                                                const ArrayView& array,
                                                const ParamSet& given,
                                                uint64_t* clamped) {
  const Format& format = FormatOf(config);
  CheckTakesParams(format);
  ParamSet usable =
      UsableParams(config, format, PartSizes(config, array.shape), given);
  QuantizeJob job{config, array};
  job.params = &usable;
  job.check_finite = true;
  auto tensor = Quantize(context, job);
  if (clamped != nullptr) {
    // Codes of double quantized integers are those of the scales as stored.
    if (!CodesAreExact(format, config)) {
      tensor->scales().Read(0, usable.scales.size(), usable.scales.data());
      tensor->offsets().Read(0, usable.offsets.size(), usable.offsets.data());
    }
    const Clipping clipping(config, array, tensor->layout(),
                            tensor->outliers());
    *clamped = clipping.Find(context, 0, array.shape.elements(), usable.span(),
                             0, nullptr);
  }
  return tensor;
}

Params ParamsOfRange(const Config& config, Range range) {
  const Format& format = FormatOf(config);
  CheckSupported(format, config);
  if (!format.Has(kScaled)) {
    Fail(Status::kUnsupported, "format ", format.name, " has no scales");
  }
  Variant variant = config.variant();
  variant.scale_rule = ScaleRule::kAbsMax;
  return ParamsOf(format, variant, range);
}

}  // namespace bnq
