// The page of `bnq calibrate --report`.
#ifndef BNQ_CLI_CALIBRATE_PAGE_H_
#define BNQ_CLI_CALIBRATE_PAGE_H_

#include <string>
#include <vector>

#include "calibration_rows.h"
#include "html_report.h"
#include "session.h"

namespace bnq::cli {

// Those with the most values beyond their range come first. output: "" for
// none.
Page CalibratePage(const std::vector<std::string>& inputs,
                   const std::string& output,
                   const bnq_calibration* calibration,
                   const std::vector<CalibrationRow>& rows, Session& session);

}  // namespace bnq::cli

#endif  // BNQ_CLI_CALIBRATE_PAGE_H_
