#include "capi/handles.h"
#include "core/model/model_part.h"
#include "core/model/part_conversion.h"
#include "core/model/source_model.h"

using namespace bnq;
using namespace bnq::capi;

namespace {

ConversionOptions PartOptions(const bnq_context* context, int32_t flags) {
  return OptionsOf(context, flags,
                   BNQ_WRITE_OVERWRITE | BNQ_WRITE_COMPRESS |
                       BNQ_WRITE_DRY_RUN | BNQ_WRITE_REQUANTIZE);
}

}  // namespace

bnq_status bnq_part_count(bnq_context* context, const char* input,
                          uint64_t* out_count) {
  return Guard([&] {
    uint64_t& out = Required(out_count, "out_count");
    out = 0;
    out = SuitingPartCount(
        *OpenSourceModel(ContextOf(context), &Required(input, "input"), true));
  });
}

bnq_status bnq_quantize_part(bnq_context* context, const bnq_plan* plan,
                             const char* input, const char* output,
                             uint64_t part, uint64_t parts, int32_t flags,
                             bnq_progress_fn progress, void* opaque,
                             bnq_report** out_report) {
  return WithReport(out_report, [&] {
    ConversionOptions options = PartOptions(context, flags);
    options.requantize = (flags & BNQ_WRITE_REQUANTIZE) != 0;
    return QuantizePart(ContextOf(context), Required(plan, "plan").core,
                        &Required(input, "input"), OutputPath(output, options),
                        {part, parts}, options, ProgressOf(progress, opaque));
  });
}

bnq_status bnq_join_parts(bnq_context* context, const bnq_plan* plan,
                          const char* input, const char* output, uint64_t parts,
                          int32_t flags, bnq_progress_fn progress, void* opaque,
                          bnq_report** out_report) {
  return WithReport(out_report, [&] {
    ConversionOptions options = PartOptions(context, flags);
    options.requantize = (flags & BNQ_WRITE_REQUANTIZE) != 0;
    return JoinParts(ContextOf(context), Required(plan, "plan").core,
                     &Required(input, "input"), &Required(output, "output"),
                     parts, options, ProgressOf(progress, opaque));
  });
}
