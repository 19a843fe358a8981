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
  // A file of bnq_plan_load, and whether models' defaults are left.
  std::string plan;
  bool model_defaults = false;
};

void AddPlanOptions(CLI::App& command, PlanOptions& options);
// Those that say what a budget may not choose: all but --include.
void AddFreePlanOptions(CLI::App& command, PlanOptions& options);

// A rule of the plan and the option it comes from, which is empty for the rule
// that stands for no --include. That of --plan stands for all of the file's,
// that of --model-defaults for the library's.
struct Rule {
  std::string option, glob;
  int32_t min_rank;
  // NULL leaves matching tensors as they are.
  Config config;
};

// In the order in which they are tried: exclusions, then the rules of --tensor,
// then models' defaults, then the lines of --plan, or what is left gets
// `config`; nothing where config is NULL. Fails with kUsage. recipes: names in
// config texts; may be NULL.
std::vector<Rule> RulesOf(const PlanOptions& options, const bnq_config* config,
                          const bnq_recipes* recipes);

// Fails with kUsage, or with kBadInput for what is wrong in the file of --plan.
Plan MakePlan(const std::vector<Rule>& rules, const bnq_recipes* recipes);

// Holds patterns against the names in the model file `input`, because a
// misspelt one must not cost a long run: fails with kBadInput where an
// inclusion or a rule of --tensor matches no tensor, and warns of exclusions
// without one, of rules that never get their turn, and of what WarnOfDoubts
// finds in their configs.
void CheckRules(const std::vector<Rule>& rules, const bnq_plan* plan,
                const std::string& input, Session& session);

}  // namespace bnq::cli

#endif  // BNQ_CLI_PLAN_OPTIONS_H_
