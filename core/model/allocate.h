// A config for each tensor of a model, so that the model fits a budget and
// loses least: proven, where memory suffices (knapsack.h).
#ifndef BNQ_CORE_MODEL_ALLOCATE_H_
#define BNQ_CORE_MODEL_ALLOCATE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "core/model/plan.h"
#include "core/model/sensitivity.h"
#include "core/model/ties.h"

namespace bnq {

// Values are those of BNQ_BUDGET_*.
enum class BudgetKind : int32_t {
  kBytes = 1,  // of the .bnq file
  kBits = 2,   // a weight: bytes of the file over the elements of all tensors
  kRatio = 3,  // bytes of the tensors in the input over those of the file
};

struct AllocationRow {
  std::string name;
  Shape shape;
  LayerKind kind = LayerKind::kOther;
  Config config;        // format none: as it is
  std::string text;     // of it (ShortText)
  bool pinned = false;  // by a rule of the plan
  size_t tied_to = 0;   // the row whose config is the same by a tie, or its own
  uint64_t bytes = 0;
  double relative_error = 0.0, max_error = 0.0, cosine = 1.0;
  double loss = 0.0;  // what the solver adds up
  // The next better config of the tensor's tie, for all of its tensors; ""
  // where there is none, and in all rows of a tie but the first.
  std::string upgrade;
  uint64_t upgrade_bytes = 0;
  double upgrade_loss = 0.0;  // by which it is less
  // Its relative error is above 0.15: where losses no longer just add up.
  bool is_coarse() const { return relative_error > 0.15; }
};

struct Allocation {
  Plan plan;  // a rule for each row's name; with the importance of the other
  std::vector<AllocationRow> rows;  // by name
  uint64_t budget_bytes = 0, bytes = 0, fixed_bytes = 0;
  // The least and the most that the candidates can take, fixed ones included.
  uint64_t min_bytes = 0, max_bytes = 0;
  uint64_t elements = 0, input_bytes = 0;
  double loss = 0.0, bound = 0.0, lambda = 0.0;
  bool proven = false;
  uint64_t most_states = 0;
};

// plan: rules that give a config pin it, rules of none leave tensors as they
// are, rules of least bits are floors, ties are ties; what no rule is for is
// free. INVALID_ARGUMENT where nothing fits, naming the least budget, and where
// a tensor was not analyzed with what it is pinned to. The same on every
// machine.
Allocation Allocate(const Sensitivity& sensitivity, const Plan& plan,
                    BudgetKind kind, double budget,
                    const TieDefaults& ties = {});

}  // namespace bnq

#endif  // BNQ_CORE_MODEL_ALLOCATE_H_
