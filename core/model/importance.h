// Importance of columns from files.
#ifndef BNQ_CORE_MODEL_IMPORTANCE_H_
#define BNQ_CORE_MODEL_IMPORTANCE_H_

#include <string>

#include "core/base/context.h"
#include "core/model/plan.h"

namespace bnq {

// From a model file, each of whose arrays (F64, F32, F16 or BF16, of as many
// elements as its tensor has columns) is a tensor's weights; or from a saved
// calibration, whose channels' mean of x^2 they are. Names are those of
// Plan::SetImportance. INVALID_ARGUMENT where there is none, NO_DATA for a
// calibrator that has seen nothing, and the errors of the readers; nothing has
// changed then.
void LoadImportance(const Context& context, const std::string& path,
                    Plan* plan);

}  // namespace bnq

#endif  // BNQ_CORE_MODEL_IMPORTANCE_H_
