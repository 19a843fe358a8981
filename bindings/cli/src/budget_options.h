// Budgets: what analyze and quantize have in common that look for the plan of
// least loss.
#ifndef BNQ_CLI_BUDGET_OPTIONS_H_
#define BNQ_CLI_BUDGET_OPTIONS_H_

#include <CLI/CLI.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "handles.h"
#include "json.h"
#include "session.h"

namespace bnq::cli {

using Sensitivity = Handle<bnq_sensitivity, bnq_sensitivity_destroy>;
using Allocation = Handle<bnq_allocation, bnq_allocation_destroy>;

struct BudgetOptions {
  double bits = 0.0, ratio = 0.0;
  uint64_t size = 0;
  bool fused_apart = false, experts_apart = false;
  std::vector<std::string> candidates;
};

// A row of an allocation.
struct AllocationRow {
  std::string name, config, upgrade;
  std::vector<double> values;  // BNQ_ALLOCATION_ROW_*
  double at(int value) const { return values[static_cast<size_t>(value)]; }
};

// "attention", "ffn", ...
const char* KindName(const AllocationRow& row);
// What is particular about a row of all: "with NAME; pinned".
std::string NoteOf(const std::vector<AllocationRow>& rows, size_t index);

// Adds --target-bits, --target-size, --target-ratio, --candidates, ...
void AddBudgetOptions(CLI::App& command, BudgetOptions& options);

// Whether a budget is given; fails with kUsage where there are two.
bool HasBudget(const BudgetOptions& options);

// Configs of --candidates; none where the library's own will do.
std::vector<Config> CandidatesOf(const BudgetOptions& options);

Sensitivity NewSensitivity();
// Measures what is not there yet. save: "" for nowhere.
void Analyze(const BudgetOptions& options, const bnq_plan* plan,
             const std::string& input, const std::string& save,
             Session& session, bnq_sensitivity* sensitivity);

// For the budget that is given.
Allocation Allocate(const BudgetOptions& options, const bnq_plan* plan,
                    const bnq_sensitivity* sensitivity);
// For another one, of BNQ_BUDGET_*.
Allocation AllocateAs(const BudgetOptions& options, const bnq_plan* plan,
                      const bnq_sensitivity* sensitivity, int32_t kind,
                      double budget);

std::vector<double> ValuesOf(const bnq_allocation* allocation);
std::vector<AllocationRow> RowsOf(const bnq_allocation* allocation);
Plan PlanOf(const bnq_allocation* allocation);

// "budget", "rows" and so on of an object.
void AddAllocation(Json& object, const bnq_allocation* allocation);
// The table, and PrintBudget's lines.
void PrintAllocation(const bnq_allocation* allocation);
// Lines that say what fits, and how good it is.
void PrintBudget(const bnq_allocation* allocation);

}  // namespace bnq::cli

#endif  // BNQ_CLI_BUDGET_OPTIONS_H_
