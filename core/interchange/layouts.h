// The rows of layouts.def, each in its own file.
#ifndef BNQ_CORE_INTERCHANGE_LAYOUTS_H_
#define BNQ_CORE_INTERCHANGE_LAYOUTS_H_

#include "core/interchange/layout.h"

namespace bnq {

#define BNQ_LAYOUT(row) extern const ForeignLayout row;
#include "core/interchange/layouts.def"
#undef BNQ_LAYOUT

}  // namespace bnq

#endif  // BNQ_CORE_INTERCHANGE_LAYOUTS_H_
