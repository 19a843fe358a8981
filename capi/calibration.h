// The calibrator's handle, for the files that take one.
#ifndef BNQ_CAPI_CALIBRATION_H_
#define BNQ_CAPI_CALIBRATION_H_

#include <memory>

#include "capi/guard.h"
#include "core/calibration/calibrator.h"

struct bnq_calibrator
    : bnq::capi::WithOptions<bnq_calibrator, BNQ_OPTIONS_CALIBRATOR> {
  std::unique_ptr<bnq::Calibrator> owned = std::make_unique<bnq::Calibrator>();
  // Of a set, which owns it; else nullptr.
  const bnq::Calibrator* borrowed = nullptr;

  const bnq::Calibrator& core() const { return borrowed ? *borrowed : *owned; }
  bnq::Calibrator& settings() { return *owned; }
  const bnq::CalibrationOptions& options() const { return core().options(); }
};

namespace bnq {
namespace capi {

inline const Calibrator& CalibratorCore(const bnq_calibrator* calibrator) {
  return Required(calibrator, "calibrator").core();
}

}  // namespace capi
}  // namespace bnq

#endif  // BNQ_CAPI_CALIBRATION_H_
