#include "core/model/knapsack.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/base/checked.h"
#include "core/base/error.h"

namespace bnq {
namespace {

struct Choice {
  uint64_t bytes;
  double error;
  uint32_t option;  // of the item as it was given
};
// Sizes ascend, errors descend.
using Choices = std::vector<Choice>;

Choices Pareto(const KnapsackItem& item, size_t index) {
  if (item.empty()) {
    Fail(Status::kInvalidArgument, "item ", index, " has no option");
  }
  Choices all;
  for (size_t i = 0; i < item.size(); ++i) {
    all.push_back({item[i].bytes, item[i].error, static_cast<uint32_t>(i)});
  }
  std::sort(all.begin(), all.end(), [](const Choice& a, const Choice& b) {
    if (a.bytes != b.bytes) return a.bytes < b.bytes;
    if (a.error != b.error) return a.error < b.error;
    return a.option < b.option;
  });
  Choices kept;
  for (const Choice& choice : all) {
    if (kept.empty() || choice.error < kept.back().error) {
      kept.push_back(choice);
    }
  }
  return kept;
}

class Solver {
 public:
  Solver(const std::vector<KnapsackItem>& items, uint64_t budget)
      : budget_(budget) {
    uint64_t least = 0, most = 0;
    for (size_t i = 0; i < items.size(); ++i) {
      items_.push_back(Pareto(items[i], i));
      least = CheckedAdd(least, items_[i].front().bytes, "the items' size");
      most = CheckedAdd(most, items_[i].back().bytes, "the items' size");
    }
    if (least > budget) {
      Fail(Status::kInvalidArgument, "budget = ", budget,
           " bytes, must be at least ", least);
    }
    fits_whole_ = most <= budget;
  }

  KnapsackSolution Solve(uint64_t max_state_bytes) {
    best_.resize(items_.size());
    if (fits_whole_) {
      for (size_t i = 0; i < items_.size(); ++i) {
        best_[i] = static_cast<uint32_t>(items_[i].size() - 1);
      }
      bound_ = ErrorOf(best_);
      proven_ = true;
    } else {
      FindMultiplier();
      FillUp();
      Prove(max_state_bytes);
    }
    KnapsackSolution solution;
    for (size_t i = 0; i < items_.size(); ++i) {
      solution.choices.push_back(items_[i][best_[i]].option);
    }
    solution.bytes = BytesOf(best_);
    solution.error = ErrorOf(best_);
    solution.lambda = lambda_;
    solution.proven = proven_;
    solution.bound = proven_ ? solution.error
                             : std::min(std::max(bound_, 0.0), solution.error);
    solution.most_states = most_states_;
    return solution;
  }

 private:
  using Picks = std::vector<uint32_t>;  // indices of Choices

  uint64_t BytesOf(const Picks& picks) const {
    uint64_t bytes = 0;
    for (size_t i = 0; i < picks.size(); ++i) {
      bytes += items_[i][picks[i]].bytes;
    }
    return bytes;
  }
  double ErrorOf(const Picks& picks) const {
    double error = 0.0;
    for (size_t i = 0; i < picks.size(); ++i) {
      error += items_[i][picks[i]].error;
    }
    return error;
  }

  // The choice of least error + lambda * bytes; of equal ones the smaller.
  static uint32_t PickAt(const Choices& choices, double lambda, double* value) {
    uint32_t pick = 0;
    *value = 0.0;
    for (size_t c = 0; c < choices.size(); ++c) {
      const double v =
          choices[c].error + lambda * static_cast<double>(choices[c].bytes);
      if (c == 0 || v < *value) {
        *value = v;
        pick = static_cast<uint32_t>(c);
      }
    }
    return pick;
  }

  // The dual bound at lambda, and what it picks.
  double DualAt(double lambda, Picks* picks) const {
    double dual = -lambda * static_cast<double>(budget_);
    for (size_t i = 0; i < items_.size(); ++i) {
      double value = 0.0;
      (*picks)[i] = PickAt(items_[i], lambda, &value);
      dual += value;
    }
    return dual;
  }

  // The bound is a concave function of lambda. Where picks fit, lambda is large
  // enough.
  void FindMultiplier() {
    double low = 0.0, high = 0.0;
    for (const Choices& choices : items_) {
      for (size_t c = 1; c < choices.size(); ++c) {
        const double bytes =
            static_cast<double>(choices[c].bytes - choices[c - 1].bytes);
        high =
            std::max(high, (choices[c - 1].error - choices[c].error) / bytes);
      }
    }
    high *= 2.0;  // so that every item picks its smallest
    Picks picks(items_.size());
    bound_ = 0.0;  // errors are not negative
    const auto consider = [&](double lambda) {
      const double dual = DualAt(lambda, &picks);
      if (dual > bound_) {
        bound_ = dual;
        lambda_ = lambda;
      }
      const bool fits = BytesOf(picks) <= budget_;
      if (fits && (!have_best_ || ErrorOf(picks) < ErrorOf(best_))) {
        best_ = picks;
        have_best_ = true;
      }
      return fits;
    };
    consider(high);
    for (int step = 0; step < 100; ++step) {
      const double middle = low + (high - low) / 2.0;
      if (middle <= low || middle >= high) break;
      (consider(middle) ? high : low) = middle;
    }
    if (have_best_) return;
    // An underflow: the smallest fit.
    std::fill(best_.begin(), best_.end(), 0u);
  }

  // Takes the improvement that gains most for its bytes while one fits.
  void FillUp() {
    uint64_t left = budget_ - BytesOf(best_);
    for (;;) {
      size_t item = items_.size();
      uint32_t choice = 0;
      double best_rate = 0.0;
      for (size_t i = 0; i < items_.size(); ++i) {
        const Choice& now = items_[i][best_[i]];
        for (size_t c = best_[i] + size_t{1}; c < items_[i].size(); ++c) {
          const uint64_t bytes = items_[i][c].bytes - now.bytes;
          if (bytes > left) break;
          const double rate =
              (now.error - items_[i][c].error) / static_cast<double>(bytes);
          if (rate > best_rate) {
            best_rate = rate;
            item = i;
            choice = static_cast<uint32_t>(c);
          }
        }
      }
      if (item == items_.size()) return;
      left -= items_[item][choice].bytes - items_[item][best_[item]].bytes;
      best_[item] = choice;
    }
  }

  // Choices for the items so far, and how they were come to.
  struct State {
    uint64_t bytes;
    double error;
    uint32_t before;  // the state of the items before
    uint32_t choice;
  };
  struct Step {
    uint32_t before, choice;
  };

  // Whether a's choices come before b's, whose sums are the same.
  bool ComesFirst(const State& a, const State& b, size_t item) const {
    if (a.before == b.before) return Given(item, a) < Given(item, b);
    uint32_t from_a = a.before, from_b = b.before;
    bool first = Given(item, a) < Given(item, b);
    for (size_t i = item; i-- > 0 && from_a != from_b;) {
      const Step step_a = steps_[i][from_a], step_b = steps_[i][from_b];
      const uint32_t option_a = items_[i][step_a.choice].option;
      const uint32_t option_b = items_[i][step_b.choice].option;
      if (option_a != option_b) first = option_a < option_b;
      from_a = step_a.before;
      from_b = step_b.before;
    }
    return first;
  }
  uint32_t Given(size_t item, const State& state) const {
    return items_[item][state.choice].option;
  }

  void Prove(uint64_t max_state_bytes) {
    const size_t n = items_.size();
    // What the items from i on take at least, and add to the bound.
    std::vector<uint64_t> least(n + 1, 0);
    std::vector<double> dual(n + 1, 0.0);
    for (size_t i = n; i-- > 0;) {
      double value = 0.0;
      PickAt(items_[i], lambda_, &value);
      least[i] = least[i + 1] + items_[i].front().bytes;
      dual[i] = dual[i + 1] + value;
    }
    const double known = ErrorOf(best_);
    // Sums in another order differ by some units in the last place.
    const double limit =
        known + 1e-12 * (known + lambda_ * static_cast<double>(budget_));
    const double budget = static_cast<double>(budget_);
    steps_.clear();
    std::vector<State> states = {{0, 0.0, 0, 0}}, next;
    uint64_t used = 0;
    for (size_t i = 0; i < n; ++i) {
      next.clear();
      for (uint32_t s = 0; s < states.size(); ++s) {
        for (uint32_t c = 0; c < items_[i].size(); ++c) {
          const uint64_t bytes = states[s].bytes + items_[i][c].bytes;
          if (bytes + least[i + 1] > budget_) break;
          const double error = states[s].error + items_[i][c].error;
          const double reach = error + dual[i + 1] +
                               lambda_ * (static_cast<double>(bytes) - budget);
          if (reach > limit || error > limit) continue;
          next.push_back({bytes, error, s, c});
        }
      }
      std::sort(next.begin(), next.end(), [&](const State& a, const State& b) {
        if (a.bytes != b.bytes) return a.bytes < b.bytes;
        if (a.error != b.error) return a.error < b.error;
        return ComesFirst(a, b, i);
      });
      states.clear();
      for (const State& state : next) {
        if (states.empty() || state.error < states.back().error) {
          states.push_back(state);
        }
      }
      most_states_ = std::max<uint64_t>(most_states_, states.size());
      used += states.size() * sizeof(Step) +
              (next.size() + states.size()) * sizeof(State);
      if (used > max_state_bytes) return;
      used -= (next.size() + states.size()) * sizeof(State);
      steps_.emplace_back();
      for (const State& state : states) {
        steps_.back().push_back({state.before, state.choice});
      }
    }
    proven_ = true;
    if (states.empty()) return;  // rounding: what is known stays
    // The last has the least error.
    if (states.back().error > known) return;
    uint32_t at = static_cast<uint32_t>(states.size() - 1);
    for (size_t i = n; i-- > 0;) {
      best_[i] = steps_[i][at].choice;
      at = steps_[i][at].before;
    }
  }

  std::vector<Choices> items_;
  const uint64_t budget_;
  bool fits_whole_ = false, have_best_ = false, proven_ = false;
  Picks best_;
  double lambda_ = 0.0, bound_ = 0.0;
  uint64_t most_states_ = 0;
  std::vector<std::vector<Step>> steps_;
};

}  // namespace

KnapsackSolution SolveKnapsack(const std::vector<KnapsackItem>& items,
                               uint64_t budget, uint64_t max_state_bytes) {
  return Solver(items, budget).Solve(max_state_bytes);
}

}  // namespace bnq
