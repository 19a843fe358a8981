// Which calibrator suits a config.
#ifndef BNQ_CORE_CALIBRATION_FOR_CONFIG_H_
#define BNQ_CORE_CALIBRATION_FOR_CONFIG_H_

#include "core/calibration/options.h"
#include "core/scheme/config.h"

namespace bnq {

// The options of a calibrator of values that are to be quantized as config
// says: its scheme, the bits of its codes, and its channels and their axis; the
// others at their defaults. INVALID_ARGUMENT where config's granularity is
// neither tensor nor channel: ranges of groups, blocks or tokens are not known
// before there are values.
CalibrationOptions OptionsFor(const Config& config);

}  // namespace bnq

#endif  // BNQ_CORE_CALIBRATION_FOR_CONFIG_H_
