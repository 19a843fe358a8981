#include "value_histogram.h"

#include <utility>

#include "calibration_rows.h"
#include "failure.h"
#include "file_values.h"

namespace bnq::cli {

ValueHistograms::ValueHistograms(const std::string& model, Session& session)
    : session_(session), file_(OpenFile(model, session)) {}

std::optional<PageHistogram> ValueHistograms::Of(const std::string& name) {
  uint64_t index = 0;
  Check(bnq_file_find(file_.get(), name.c_str(), &index));
  FileValues values;
  ReadValues(file_.get(), index, session_, values);
  bnq_calibrator* created = nullptr;
  Check(bnq_calibrator_create(&created));
  const Calibrator calibrator(created);
  Check(bnq_options_set_int(bnq_calibrator_settings(created),
                            BNQ_CALIBRATION_HISTOGRAM, 1));
  const bnq_status status =
      bnq_calibrator_observe(session_.context(), created, &values.array);
  if (status == BNQ_ERROR_UNSUPPORTED || status == BNQ_ERROR_NON_FINITE) {
    return std::nullopt;
  }
  Check(status);
  CalibrationRow row;
  row.channels = bnq_calibrator_channels(created);
  row.low.resize(row.channels);
  row.high.resize(row.channels);
  if (row.channels == 0) return std::nullopt;
  Check(bnq_calibrator_range(session_.context(), created, row.low.data(),
                             row.high.data(), row.channels));
  return PageHistogramOf(session_.context(), row, created);
}

}  // namespace bnq::cli
