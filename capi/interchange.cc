#include <iterator>
#include <memory>

#include "capi/handles.h"
#include "capi/options.h"
#include "core/interchange/layout.h"
#include "core/interchange/options.h"
#include "core/model/export.h"

using namespace bnq;
using namespace bnq::capi;

struct bnq_interchange : WithOptions<bnq_interchange, BNQ_OPTIONS_INTERCHANGE> {
  InterchangeOptions& settings() { return core; }
  const InterchangeOptions& options() const { return core; }

  InterchangeOptions core;
};

namespace {

#define BNQ_SAME(value, id) \
  static_assert(static_cast<int>(value) == BNQ_##id, #id)
BNQ_SAME(InterchangeOption::kScaleDType, INTERCHANGE_SCALE_DTYPE);
BNQ_SAME(InterchangeOption::kWeightScale, INTERCHANGE_WEIGHT_SCALE);
BNQ_SAME(InterchangeOption::kI2S, INTERCHANGE_I2_S);
BNQ_SAME(InterchangeOption::kMaxScaleChange, INTERCHANGE_MAX_SCALE_CHANGE);
BNQ_SAME(kNumInterchangeOptions, NUM_INTERCHANGE_OPTIONS);
BNQ_SAME(ImportOptions::WeightScale::kByConfig, WEIGHT_SCALE_CONFIG);
BNQ_SAME(ImportOptions::WeightScale::kMultiply, WEIGHT_SCALE_MULTIPLY);
BNQ_SAME(ImportOptions::WeightScale::kDivide, WEIGHT_SCALE_DIVIDE);
BNQ_SAME(ImportOptions::I2S::kUnknown, I2_S_UNKNOWN);
BNQ_SAME(ImportOptions::I2S::kX86, I2_S_X86);
BNQ_SAME(ImportOptions::I2S::kArm, I2_S_ARM);
BNQ_SAME(DType::kF32, INTERCHANGE_SCALES_F32);
BNQ_SAME(DType::kF16, INTERCHANGE_SCALES_F16);
BNQ_SAME(DType::kBF16, INTERCHANGE_SCALES_BF16);
BNQ_SAME(Verdict::kExact, VERDICT_EXACT);
BNQ_SAME(Verdict::kScalesRounded, VERDICT_SCALES_ROUNDED);
BNQ_SAME(Verdict::kNotRepresentable, VERDICT_NOT_REPRESENTABLE);
BNQ_SAME(Verdict::kRequantized, VERDICT_REQUANTIZED);
#undef BNQ_SAME

constexpr const char* kVerdicts[] = {nullptr, "exact", "scales rounded",
                                     "not representable", "requantized"};

const InterchangeOptions& GivenOptions(const bnq_interchange* interchange) {
  static const InterchangeOptions kDefaults;
  return interchange ? interchange->core : kDefaults;
}

// nullptr past the last.
const ForeignLayout* LayoutAt(uint32_t index) {
  return index < ForeignLayouts().size() ? ForeignLayouts()[index] : nullptr;
}

}  // namespace

const char* bnq_verdict_name(int32_t verdict) {
  return verdict >= 0 && verdict < static_cast<int32_t>(std::size(kVerdicts))
             ? kVerdicts[verdict]
             : nullptr;
}

int32_t bnq_report_verdict(const bnq_report* report, uint64_t index) {
  return report != nullptr && index < report->core.size()
             ? report->core[index].verdict
             : 0;
}

uint32_t bnq_layout_count(void) {
  return static_cast<uint32_t>(ForeignLayouts().size());
}

const char* bnq_layout_name(uint32_t index) {
  const ForeignLayout* layout = LayoutAt(index);
  return layout ? layout->name : nullptr;
}

const char* bnq_layout_description(uint32_t index) {
  const ForeignLayout* layout = LayoutAt(index);
  return layout ? layout->description : nullptr;
}

int32_t bnq_layout_flags(uint32_t index) {
  const ForeignLayout* layout = LayoutAt(index);
  if (layout == nullptr) return 0;
  return (layout->find != nullptr ? BNQ_LAYOUT_READ : 0) |
         (layout->exporter != nullptr ? BNQ_LAYOUT_WRITTEN : 0);
}

bnq_status bnq_interchange_create(bnq_interchange** out_interchange) {
  return Guard([&] {
    Output(out_interchange, "out_interchange");
    *out_interchange = new bnq_interchange();
  });
}

void bnq_interchange_destroy(bnq_interchange* interchange) {
  delete interchange;
}

const bnq_options* bnq_interchange_options(const bnq_interchange* interchange) {
  return interchange;
}

bnq_options* bnq_interchange_settings(bnq_interchange* interchange) {
  return interchange;
}

bnq_status bnq_interchange_set_metadata_from(bnq_interchange* interchange,
                                             const char* path) {
  return Guard([&] {
    Required(interchange, "interchange").core.metadata_from =
        path != nullptr ? path : "";
  });
}

bnq_status bnq_export_file(bnq_context* context,
                           const bnq_interchange* interchange,
                           const char* layout, const char* input,
                           const char* output, int32_t flags,
                           uint64_t max_shard_bytes, bnq_progress_fn progress,
                           void* opaque, bnq_report** out_report) {
  return WithReport(out_report, [&] {
    ConversionOptions options = OptionsOf(
        context, flags,
        BNQ_WRITE_OVERWRITE | BNQ_WRITE_DRY_RUN | BNQ_WRITE_REQUANTIZE);
    options.max_shard_bytes = max_shard_bytes;
    options.requantize = (flags & BNQ_WRITE_REQUANTIZE) != 0;
    return ExportFile(ContextOf(context), &Required(layout, "layout"),
                      &Required(input, "input"), OutputPath(output, options),
                      GivenOptions(interchange), options,
                      ProgressOf(progress, opaque));
  });
}

bnq_status bnq_import_file(bnq_context* context,
                           const bnq_interchange* interchange,
                           const char* input, const char* output, int32_t flags,
                           uint64_t max_shard_bytes, bnq_progress_fn progress,
                           void* opaque, bnq_report** out_report) {
  return WithReport(out_report, [&] {
    const ConversionOptions options = ConversionOptionsOf(
        context, flags, BNQ_WRITE_COMPRESS, max_shard_bytes);
    return ImportFile(ContextOf(context), &Required(input, "input"),
                      OutputPath(output, options), GivenOptions(interchange),
                      options, ProgressOf(progress, opaque));
  });
}
