// Handles of plans and reports, for the files that take them.
#ifndef BNQ_CAPI_HANDLES_H_
#define BNQ_CAPI_HANDLES_H_

#include <memory>
#include <string>

#include "capi/guard.h"
#include "core/model/convert.h"
#include "core/model/plan.h"
#include "core/model/plan_text.h"

struct bnq_plan {
  bnq::Plan core;
};

struct bnq_recipes {
  bnq::Recipes core;
};

struct bnq_report {
  bnq::Report core;
};

namespace bnq {
namespace capi {

// Runs f, which returns a Report, and hands it over where it is wanted.
template <class F>
bnq_status WithReport(bnq_report** out_report, F f) {
  return Guard([&] {
    if (out_report) *out_report = nullptr;
    auto report = std::make_unique<bnq_report>();
    report->core = f();
    if (out_report) *out_report = report.release();
  });
}

// BNQ_WRITE_* of a conversion: those that all take, and `also`.
inline ConversionOptions ConversionOptionsOf(const bnq_context* context,
                                             int32_t flags, int32_t also,
                                             uint64_t max_shard_bytes) {
  ConversionOptions options =
      OptionsOf(context, flags,
                BNQ_WRITE_OVERWRITE | BNQ_WRITE_DRY_RUN | BNQ_WRITE_RESUME |
                    BNQ_WRITE_RESTART | also);
  options.max_shard_bytes = max_shard_bytes;
  options.resume = (flags & BNQ_WRITE_RESUME) != 0;
  options.requantize = (flags & BNQ_WRITE_REQUANTIZE) != 0;
  options.restart = (flags & BNQ_WRITE_RESTART) != 0;
  return options;
}

// Optional where nothing is written.
inline std::string OutputPath(const char* output, const WriteOptions& options) {
  if (output == nullptr && options.dry_run) return "";
  return &Required(output, "output");
}

}  // namespace capi
}  // namespace bnq

#endif  // BNQ_CAPI_HANDLES_H_
