// One row for each calibrator of a set: what the table, --json and pictures of
// `bnq calibrate` are made of.
#ifndef BNQ_CLI_CALIBRATION_ROWS_H_
#define BNQ_CLI_CALIBRATION_ROWS_H_

#include <bnq/bnq.h>

#include <cstdint>
#include <string>
#include <vector>

#include "page_charts.h"
#include "session.h"

namespace bnq::cli {

struct CalibrationRow {
  std::string name;
  uint64_t batches = 0, channels = 0;
  // Of each channel; empty where there is none to be had, which the note
  // explains.
  std::vector<float> low, high;
  // By BNQ_STATISTIC_*, of all channels together; empty without data.
  std::vector<double> statistics;
  std::string note;

  bool has_range() const { return !low.empty(); }
  // From the least to the greatest end of all channels.
  double least() const;
  double greatest() const;
};

std::vector<CalibrationRow> RowsOf(const bnq_calibration* calibration,
                                   Session& session);

// The options that are no default, and the method and scheme in any case:
// "method kl, scheme symmetric".
std::string CalibratorText(const bnq_calibrator* calibrator);

// An SVG document: the histogram of all channels, and their ranges. Fails with
// kBadInput where no histogram was kept, naming the file `path` of the data.
std::string PictureOf(bnq_context* context, const CalibrationRow& row,
                      const bnq_calibrator* calibrator,
                      const std::string& path);

// All channels together, each value within or beyond the range of its own.
// Without columns where no histogram was kept, or the row has no range.
PageHistogram PageHistogramOf(bnq_context* context, const CalibrationRow& row,
                              const bnq_calibrator* calibrator);

}  // namespace bnq::cli

#endif  // BNQ_CLI_CALIBRATION_ROWS_H_
