// Which option goes with which format, and with which other option: one table,
// which quantizing checks and which answers who asks beforehand.
#ifndef BNQ_CORE_SCHEME_SUPPORT_H_
#define BNQ_CORE_SCHEME_SUPPORT_H_

#include "core/scheme/format.h"

namespace bnq {

// UNSUPPORTED, naming the option, where the format cannot do what config says.
void CheckSupported(const Format& format, const Config& config);
// The same of one option at a value within its bounds, where no config of the
// format may have it; other options may have to be of certain values beside it.
void CheckSupported(const Format& format, const OptionInfo& option,
                    double value);

}  // namespace bnq

#endif  // BNQ_CORE_SCHEME_SUPPORT_H_
