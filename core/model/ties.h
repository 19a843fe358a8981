// Which tensors of a model belong together.
#ifndef BNQ_CORE_MODEL_TIES_H_
#define BNQ_CORE_MODEL_TIES_H_

#include <cstddef>
#include <string>
#include <vector>

#include "core/model/plan.h"
#include "core/model/sensitivity.h"

namespace bnq {

struct TieDefaults {
  // q/k/v and gate/up, of which runtimes make one matrix.
  bool fused = true;
  // All experts of a layer.
  bool experts = true;
};

// For each tensor, in the order of the names, the index of the first that it is
// tied to, by the plan's ties or the defaults; its own where there is none.
std::vector<size_t> TieTensors(const Sensitivity& sensitivity, const Plan& plan,
                               const TieDefaults& defaults);

}  // namespace bnq

#endif  // BNQ_CORE_MODEL_TIES_H_
