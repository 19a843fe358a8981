// One option for each item so that their sizes fit a budget and the sum of
// their errors is least: the multiple-choice knapsack problem, solved exactly.
//
// Options that another one beats are left out (Pareto); a Lagrange multiplier
// gives a lower bound of the error and a solution near it, filled up greedily;
// and dynamic programming over the states (size, error) that can still beat
// that solution proves the least error (Kellerer, Pferschy, Pisinger: Knapsack
// Problems, 2004, chapter 11).
#ifndef BNQ_CORE_MODEL_KNAPSACK_H_
#define BNQ_CORE_MODEL_KNAPSACK_H_

#include <cstddef>
#include <cstdint>
#include <vector>

namespace bnq {

struct KnapsackOption {
  uint64_t bytes = 0;
  double error = 0.0;  // 0 or more, finite
};
using KnapsackItem = std::vector<KnapsackOption>;  // one or more

struct KnapsackSolution {
  std::vector<uint32_t> choices;  // an option of each item
  uint64_t bytes = 0;
  double error = 0.0;   // the sum in the items' order
  double lambda = 0.0;  // what a byte more is worth, about: error per byte
  double bound = 0.0;   // no solution has a lower error
  // The error is the least there is, but for rounding (1e-12 of it).
  bool proven = false;
  uint64_t most_states = 0;  // of an item, kept at once
};

// Of solutions with the least error, the one of the fewest bytes; of these, the
// first in the order of the first item's options, then the second's, ... The
// same on every machine. max_state_bytes is memory for the states: past it, the
// solution is the one found until then, not proven. Sizes may not overflow in
// sum. INVALID_ARGUMENT where the smallest options are larger than the budget,
// or an item has no option.
KnapsackSolution SolveKnapsack(const std::vector<KnapsackItem>& items,
                               uint64_t budget,
                               uint64_t max_state_bytes = uint64_t{64} << 20);

}  // namespace bnq

#endif  // BNQ_CORE_MODEL_KNAPSACK_H_
