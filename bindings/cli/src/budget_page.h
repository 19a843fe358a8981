// Budgets in reports: the curve of size and loss, and what was chosen on it.
#ifndef BNQ_CLI_BUDGET_PAGE_H_
#define BNQ_CLI_BUDGET_PAGE_H_

#include <string>
#include <vector>

#include "budget_options.h"
#include "html_report.h"

namespace bnq::cli {

// The least losses from the smallest to the largest file that the candidates
// allow, or, where there are any, of `swept` (BNQ_ALLOCATION_* each). chosen
// (may be null) is marked.
Curve BudgetCurve(const BudgetOptions& options, const bnq_plan* plan,
                  const bnq_sensitivity* sensitivity,
                  const std::vector<std::vector<double>>& swept,
                  const bnq_allocation* chosen);

// What the budget was, and how good what was found is.
void AddBudget(const bnq_allocation* allocation, Page& page);

// The page of `bnq analyze --report`: of an allocation, or, where it is null,
// of what was measured. Its curve is the caller's.
Page AnalysisPage(const std::string& input, const bnq_sensitivity* sensitivity,
                  const bnq_allocation* allocation);

// Of bnq_sensitivity: a config as text, and BNQ_SENSITIVITY_*.
std::string ConfigAt(const bnq_sensitivity* sensitivity, uint64_t index,
                     uint64_t config);
std::vector<double> ValuesAt(const bnq_sensitivity* sensitivity, uint64_t index,
                             uint64_t config);

}  // namespace bnq::cli

#endif  // BNQ_CLI_BUDGET_PAGE_H_
