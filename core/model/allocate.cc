#include "core/model/allocate.h"

#include <algorithm>
#include <cmath>
#include <list>
#include <map>
#include <optional>
#include <utility>

#include "core/base/checked.h"
#include "core/base/error.h"
#include "core/base/glob.h"
#include "core/model/knapsack.h"
#include "core/model/plan_text.h"

namespace bnq {
namespace {

using Cells = std::map<std::string, const SensitivityCell*>;

double BitsOf(const SensitivityTensor& tensor, const SensitivityCell& cell) {
  const uint64_t n = tensor.shape.elements();
  return n == 0
             ? 64.0
             : 8.0 * static_cast<double>(cell.bytes) / static_cast<double>(n);
}

// Tensors of one config.
struct Item {
  std::vector<size_t> rows;
  std::vector<std::string> texts;  // of the options' configs
  KnapsackItem options;
};

class Allotment {
 public:
  Allotment(const Sensitivity& sensitivity, const Plan& plan,
            const TieDefaults& ties)
      : sensitivity_(sensitivity), plan_(plan) {
    const std::vector<size_t> tied = TieTensors(sensitivity, plan, ties);
    for (const auto& item : sensitivity.tensors()) {
      const auto& name = item.first;
      const auto& tensor = item.second;
      const size_t index = result_.rows.size();
      AllocationRow row;
      row.name = name;
      row.shape = tensor.shape;
      row.kind = plan.KindOf(name);
      row.tied_to = tied[index];
      Within([&] { return "tensor " + Quoted(name); },
             [&] { cells_.push_back(Allowed(name, tensor, &row.pinned)); });
      result_.rows.push_back(std::move(row));
      tensors_.push_back(&tensor);
    }
    MakeItems();
  }

  Allocation Run(BudgetKind kind, double budget) {
    result_.elements = sensitivity_.elements();
    result_.input_bytes = sensitivity_.input_bytes();
    result_.fixed_bytes = sensitivity_.fixed_bytes();
    result_.budget_bytes = BytesOf(kind, budget);
    result_.min_bytes = result_.max_bytes = result_.fixed_bytes;
    std::vector<KnapsackItem> items;
    for (const Item& item : items_) {
      const auto [least, most] = std::minmax_element(
          item.options.begin(), item.options.end(),
          [](const auto& a, const auto& b) { return a.bytes < b.bytes; });
      result_.min_bytes =
          CheckedAdd(result_.min_bytes, least->bytes, "the model's size");
      result_.max_bytes =
          CheckedAdd(result_.max_bytes, most->bytes, "the model's size");
      items.push_back(item.options);
    }
    if (result_.min_bytes > result_.budget_bytes) FailBudget();
    const KnapsackSolution solution =
        SolveKnapsack(items, result_.budget_bytes - result_.fixed_bytes);
    result_.bytes = result_.fixed_bytes + solution.bytes;
    result_.loss = solution.error;
    result_.bound = solution.bound;
    result_.lambda = solution.lambda;
    result_.proven = solution.proven;
    result_.most_states = solution.most_states;
    for (size_t i = 0; i < items_.size(); ++i) {
      Choose(items_[i], solution.choices[i]);
    }
    MakePlan();
    return std::move(result_);
  }

 private:
  // The cells that the plan lets a tensor have.
  Cells Allowed(const std::string& name, const SensitivityTensor& tensor,
                bool* pinned) {
    Cells allowed;
    const Plan::Decision decision = plan_.Match(name, tensor.shape);
    *pinned = decision.rule >= 0;
    if (*pinned && decision.config == nullptr) {
      plain_.emplace_back();
      SensitivityCell& cell = plain_.back();
      cell.config = Config::FromText("none");
      cell.bytes = tensor.plain_bytes;
      allowed.emplace(cell.config.ToText(), &cell);
      return allowed;
    }
    if (*pinned) {
      const auto found = tensor.cells.find(decision.config->ToText());
      if (found == tensor.cells.end()) {
        Fail(Status::kInvalidArgument, "was not analyzed with ",
             ShortText(*decision.config), ", which its rule asks for");
      }
      allowed.emplace(found->first, &found->second);
      return allowed;
    }
    const double least = plan_.MinBits(name, tensor.shape);
    for (const auto& [text, cell] : tensor.cells) {
      if (BitsOf(tensor, cell) >= least) allowed.emplace(text, &cell);
    }
    if (!allowed.empty()) return allowed;
    if (tensor.cells.empty()) {
      Fail(Status::kInvalidArgument,
           "was analyzed with no config that it can have");
    }
    Fail(Status::kInvalidArgument, "no candidate has the least of ", least,
         " bits a weight that a rule asks for");
  }

  void MakeItems() {
    std::map<size_t, size_t> item_of;
    for (size_t r = 0; r < result_.rows.size(); ++r) {
      const size_t first = result_.rows[r].tied_to;
      const auto [at, is_new] = item_of.emplace(first, items_.size());
      if (is_new) items_.emplace_back();
      items_[at->second].rows.push_back(r);
    }
    for (Item& item : items_) MakeOptions(&item);
  }

  // Configs that all of an item's tensors can have.
  void MakeOptions(Item* item) {
    for (const auto& [text, cell] : cells_[item->rows[0]]) {
      KnapsackOption option;
      bool common = true;
      for (const size_t r : item->rows) {
        const auto found = cells_[r].find(text);
        common = common && found != cells_[r].end();
        if (!common) break;
        option.bytes =
            CheckedAdd(option.bytes, found->second->bytes, "the model's size");
        option.error += tensors_[r]->LossOf(*found->second);
      }
      if (!common) continue;
      item->options.push_back(option);
      item->texts.push_back(text);
    }
    if (!item->options.empty()) return;
    std::string names;
    for (size_t i = 0; i < std::min<size_t>(item->rows.size(), 3); ++i) {
      names += (i == 0 ? "" : ", ") + Quoted(result_.rows[item->rows[i]].name);
    }
    Fail(Status::kInvalidArgument, "tensors that are tied, ", names,
         item->rows.size() > 3 ? ", ..." : "",
         ", have no config in common that the plan and the candidates allow");
  }

  uint64_t BytesOf(BudgetKind kind, double budget) const {
    double bytes = 0.0;
    switch (kind) {
      case BudgetKind::kBytes:
        bytes = budget;
        break;
      case BudgetKind::kBits:
        bytes = budget * static_cast<double>(result_.elements) / 8.0;
        break;
      case BudgetKind::kRatio:
        bytes = static_cast<double>(result_.input_bytes) / budget;
        break;
      default:
        Fail(Status::kInvalidArgument, "kind of budget = ", kind,
             ", must be BNQ_BUDGET_*");
    }
    if (!(budget > 0.0) || !(bytes < 9007199254740992.0)) {
      Fail(Status::kInvalidArgument, "budget = ", budget,
           ", must be above 0 and below 2^53 bytes");
    }
    return static_cast<uint64_t>(std::floor(bytes));
  }

  [[noreturn]] void FailBudget() const {
    // What takes most even at its smallest.
    std::vector<std::pair<uint64_t, std::string>> heavy;
    for (const Item& item : items_) {
      uint64_t least = UINT64_MAX;
      for (const KnapsackOption& option : item.options) {
        least = std::min(least, option.bytes);
      }
      heavy.emplace_back(least, result_.rows[item.rows[0]].name);
    }
    std::sort(heavy.begin(), heavy.end(), [](const auto& a, const auto& b) {
      return a.first != b.first ? a.first > b.first : a.second < b.second;
    });
    std::string names;
    for (size_t i = 0; i < std::min<size_t>(heavy.size(), 3); ++i) {
      names += Message(i == 0 ? "" : ", ", Quoted(heavy[i].second), " (",
                       heavy[i].first, " bytes)");
    }
    const double bits =
        8.0 * static_cast<double>(result_.min_bytes) /
        static_cast<double>(std::max<uint64_t>(result_.elements, 1));
    Fail(Status::kInvalidArgument, "budget = ", result_.budget_bytes,
         " bytes, must be at least ", result_.min_bytes, " (", bits,
         " bits a weight), of which ", result_.fixed_bytes,
         " are fixed; most take ", names);
  }

  void Choose(const Item& item, uint32_t choice) {
    for (const size_t r : item.rows) {
      AllocationRow& row = result_.rows[r];
      const SensitivityCell& cell = *cells_[r].at(item.texts[choice]);
      row.config = cell.config;
      row.text = ShortText(cell.config);
      row.bytes = cell.bytes;
      row.relative_error = cell.relative_error;
      row.max_error = cell.max_error;
      row.cosine = cell.cosine;
      row.loss = tensors_[r]->LossOf(cell);
    }
    // The cheapest of those that are better; of equal size the best.
    const KnapsackOption& now = item.options[choice];
    std::optional<size_t> next;
    for (size_t o = 0; o < item.options.size(); ++o) {
      const KnapsackOption& option = item.options[o];
      if (option.error >= now.error || option.bytes <= now.bytes) continue;
      if (!next || option.bytes < item.options[*next].bytes ||
          (option.bytes == item.options[*next].bytes &&
           option.error < item.options[*next].error)) {
        next = o;
      }
    }
    if (!next) return;
    AllocationRow& first = result_.rows[item.rows[0]];
    first.upgrade =
        ShortText(cells_[item.rows[0]].at(item.texts[*next])->config);
    first.upgrade_bytes = item.options[*next].bytes - now.bytes;
    first.upgrade_loss = now.error - item.options[*next].error;
  }

  void MakePlan() {
    for (const AllocationRow& row : result_.rows) {
      std::optional<Config> config;
      if (row.config.format() != 0) config = row.config;
      result_.plan.Add(QuoteGlob(row.name), 0, std::move(config));
    }
    for (const auto& [name, weights] : plan_.importance()) {
      result_.plan.SetImportance(name, weights);
    }
  }

  const Sensitivity& sensitivity_;
  const Plan& plan_;
  Allocation result_;
  std::vector<const SensitivityTensor*> tensors_;  // of rows
  std::vector<Cells> cells_;                       // of rows
  std::list<SensitivityCell> plain_;
  std::vector<Item> items_;
};

}  // namespace

Allocation Allocate(const Sensitivity& sensitivity, const Plan& plan,
                    BudgetKind kind, double budget, const TieDefaults& ties) {
  return Allotment(sensitivity, plan, ties).Run(kind, budget);
}

}  // namespace bnq
