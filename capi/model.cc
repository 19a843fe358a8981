#include "capi/handles.h"
#include "core/model/convert.h"

using namespace bnq;
using namespace bnq::capi;

namespace {

const ReportRow* RowAt(const bnq_report* report, uint64_t index) {
  return report != nullptr && index < report->core.size() ? &report->core[index]
                                                          : nullptr;
}

}  // namespace

bnq_status bnq_quantize_file(bnq_context* context, const bnq_plan* plan,
                             const char* input, const char* output,
                             int32_t flags, uint64_t max_shard_bytes,
                             bnq_progress_fn progress, void* opaque,
                             bnq_report** out_report) {
  return WithReport(out_report, [&] {
    const ConversionOptions options = ConversionOptionsOf(
        context, flags, BNQ_WRITE_COMPRESS | BNQ_WRITE_REQUANTIZE,
        max_shard_bytes);
    return QuantizeFile(ContextOf(context), Required(plan, "plan").core,
                        &Required(input, "input"), OutputPath(output, options),
                        options, ProgressOf(progress, opaque));
  });
}

bnq_status bnq_dequantize_file(bnq_context* context, const char* input,
                               const char* output, int32_t dtype,
                               int32_t overflow, int32_t flags,
                               uint64_t max_shard_bytes,
                               bnq_progress_fn progress, void* opaque,
                               bnq_report** out_report) {
  return WithReport(out_report, [&] {
    const ConversionOptions options =
        ConversionOptionsOf(context, flags, 0, max_shard_bytes);
    return DequantizeFile(ContextOf(context), &Required(input, "input"),
                          OutputPath(output, options), TargetDType(dtype),
                          OverflowOf(overflow), options,
                          ProgressOf(progress, opaque));
  });
}

bnq_status bnq_compare_files(bnq_context* context, const char* original,
                             const char* other, bnq_progress_fn progress,
                             void* opaque, bnq_report** out_report) {
  return WithReport(out_report, [&] {
    return CompareFiles(ContextOf(context), &Required(original, "original"),
                        &Required(other, "other"),
                        ProgressOf(progress, opaque));
  });
}

void bnq_report_destroy(bnq_report* report) { delete report; }

uint64_t bnq_report_count(const bnq_report* report) {
  return report ? report->core.size() : 0;
}

const char* bnq_report_output(const bnq_report* report) {
  return report ? report->core.output.c_str() : nullptr;
}

double bnq_report_dense_share(const bnq_report* report) {
  const FpEnvironment environment;
  return report ? report->core.dense_share() : 0.0;
}

const char* bnq_report_name(const bnq_report* report, uint64_t index) {
  const ReportRow* row = RowAt(report, index);
  return row ? row->name.c_str() : nullptr;
}

int32_t bnq_report_shape(const bnq_report* report, uint64_t index,
                         uint64_t* shape) {
  const ReportRow* row = RowAt(report, index);
  return row ? CopyShape(row->shape, shape) : -1;
}

int32_t bnq_report_format(const bnq_report* report, uint64_t index) {
  const ReportRow* row = RowAt(report, index);
  return row ? row->format : -1;
}

int32_t bnq_report_dtype(const bnq_report* report, uint64_t index) {
  const ReportRow* row = RowAt(report, index);
  return row ? row->dtype : -1;
}

uint64_t bnq_report_bytes_before(const bnq_report* report, uint64_t index) {
  const ReportRow* row = RowAt(report, index);
  return row ? row->bytes_before : 0;
}

uint64_t bnq_report_bytes_after(const bnq_report* report, uint64_t index) {
  const ReportRow* row = RowAt(report, index);
  return row ? row->bytes_after : 0;
}

double bnq_report_bits_per_weight(const bnq_report* report, uint64_t index) {
  const FpEnvironment environment;
  const ReportRow* row = RowAt(report, index);
  const uint64_t n = row ? row->shape.elements() : 0;
  return n == 0 ? 0.0
                : 8.0 * static_cast<double>(row->bytes_after) /
                      static_cast<double>(n);
}

bnq_status bnq_report_metrics(const bnq_report* report, uint64_t index,
                              double* metrics, uint32_t metric_count) {
  return Guard([&] {
    Required(report, "report");
    const ReportRow* row = RowAt(report, index);
    if (row == nullptr) {
      Fail(Status::kInvalidArgument, "index = ", index, ", must be below ",
           report->core.size());
    }
    CopyMetrics(row->metrics.values, metrics, metric_count);
  });
}

const char* bnq_report_note(const bnq_report* report, uint64_t index) {
  const ReportRow* row = RowAt(report, index);
  return row ? row->note.c_str() : nullptr;
}

const char* bnq_report_same_as(const bnq_report* report, uint64_t index) {
  const ReportRow* row = RowAt(report, index);
  return row ? row->same_as.c_str() : nullptr;
}
