// Which tensors are quantized, and into what: --include, --exclude, --tensor.
#ifndef BNQ_CLI_PLAN_OPTIONS_H_
#define BNQ_CLI_PLAN_OPTIONS_H_

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>
#include <vector>

#include "handles.h"
#include "session.h"

namespace bnq::cli {

struct PlanOptions {
  std::vector<std::string> include, exclude;
  // GLOB=CONFIG
  std::vector<std::string> tensor;
};

void AddPlanOptions(CLI::App& command, PlanOptions& options);

// A rule of the plan and the option it comes from, which is empty for the rule
// that stands for no --include.
struct Rule {
  std::string option, glob;
  int32_t min_rank;
  // NULL leaves matching tensors as they are.
  Config config;
};

// In the order in which they are tried: exclusions, then the rules of --tensor,
// then what is left gets `config`. Fails with kUsage.
std::vector<Rule> RulesOf(const PlanOptions& options, const bnq_config* config);

Plan MakePlan(const std::vector<Rule>& rules);

// Holds patterns against the names in the model file `input`, because a
// misspelt one must not cost a long run: fails with kBadInput where an
// inclusion or a rule of --tensor matches no tensor, and warns of exclusions
// without one, of rules that never get their turn, and of what WarnOfDoubts
// finds in their configs.
void CheckRules(const std::vector<Rule>& rules, const bnq_plan* plan,
                const std::string& input, Session& session);

}  // namespace bnq::cli

#endif  // BNQ_CLI_PLAN_OPTIONS_H_
