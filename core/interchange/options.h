// Options of exports and imports (core/base/options.h).
#ifndef BNQ_CORE_INTERCHANGE_OPTIONS_H_
#define BNQ_CORE_INTERCHANGE_OPTIONS_H_

#include <cstdint>
#include <string>

#include "core/base/options.h"
#include "core/interchange/layout.h"

namespace bnq {

// Ids are those of BNQ_INTERCHANGE_* (capi/interchange.cc asserts it).
enum class InterchangeOption : int32_t {
  kScaleDType = 1,
  kWeightScale,
  kI2S,
  kMaxScaleChange,
};
constexpr int kNumInterchangeOptions = 4;

class InterchangeOptions
    : public OptionValues<InterchangeOptions, InterchangeOption,
                          kNumInterchangeOptions> {
 public:
  static const OptionTable& Table();

  // ExportRequest::scale_dtype.
  int32_t scale_dtype() const {
    const auto chosen = As<int32_t>(InterchangeOption::kScaleDType);
    return chosen == 0 ? -1 : chosen;
  }
  // As a share.
  double max_scale_change() const {
    return Number(InterchangeOption::kMaxScaleChange) / 100.0;
  }
  ImportOptions import() const;

  // Of a donor, or "" (ExportRequest::metadata_from).
  std::string metadata_from;
};

}  // namespace bnq

#endif  // BNQ_CORE_INTERCHANGE_OPTIONS_H_
