#include "plan_options.h"

#include "config_options.h"
#include "failure.h"

namespace bnq::cli {
namespace {

constexpr char kInclude[] = "--include";
constexpr char kExclude[] = "--exclude";
constexpr char kTensor[] = "--tensor";
constexpr char kPlan[] = "--plan";
constexpr char kModelDefaults[] = "--model-defaults";

Config Clone(const bnq_config* config) {
  bnq_config* created = nullptr;
  Check(bnq_config_clone(config, &created));
  return Config(created);
}

// Config texts are full of equals signs and names hardly have any, so the first
// one ends the glob.
Rule TensorRule(const std::string& text, const bnq_recipes* recipes) {
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos) {
    throw Failure(kUsage, std::string(kTensor) +
                              ": expected GLOB=CONFIG, got '" + text + "'");
  }
  const std::string where = std::string(kTensor) + " '" + text + "'";
  return {kTensor, text.substr(0, equals), BNQ_MIN_RANK_NAMED,
          ConfigFromText(text.substr(equals + 1), where, recipes)};
}

int64_t DecidingRule(const bnq_plan* plan, const bnq_file* file,
                     uint64_t index) {
  int64_t rule = -1;
  uint64_t shape[BNQ_MAX_RANK];
  const int32_t rank = bnq_file_shape(file, index, shape);
  Check(bnq_plan_match(plan, bnq_file_name(file, index), shape, rank, &rule,
                       nullptr));
  return rule;
}

}  // namespace

void AddFreePlanOptions(CLI::App& command, PlanOptions& options) {
  const auto add = [&command](const char* name, std::vector<std::string>& to,
                              const char* help, const char* value) {
    command.add_option(name, to, help)
        ->option_text(value)
        ->allow_extra_args(false);
  };
  add(kExclude, options.exclude,
      "Leave matching tensors as they are (repeatable)", "GLOB");
  add(kTensor, options.tensor,
      "Quantize matching tensors of rank 1 and up as a preset or config text "
      "says (repeatable; the first that matches decides)",
      "GLOB=CONFIG");
  command
      .add_option(kPlan, options.plan,
                  "A file of rules, which decide about the tensors that no "
                  "other option is for")
      ->option_text("FILE");
  command.add_flag(kModelDefaults, options.model_defaults,
                   "Leave embeddings, head, norms, routers and vision towers "
                   "as they are");
}

void AddPlanOptions(CLI::App& command, PlanOptions& options) {
  command
      .add_option(kInclude, options.include,
                  "Quantize only matching tensors of rank 1 and up "
                  "(repeatable; default: all of rank 2 and up)")
      ->option_text("GLOB")
      ->allow_extra_args(false);
  AddFreePlanOptions(command, options);
}

std::vector<Rule> RulesOf(const PlanOptions& options, const bnq_config* config,
                          const bnq_recipes* recipes) {
  if (!options.plan.empty() && !options.include.empty()) {
    throw Failure(kUsage, "--plan and --include exclude each other");
  }
  std::vector<Rule> rules;
  for (const std::string& glob : options.exclude) {
    rules.push_back({kExclude, glob, 0, nullptr});
  }
  for (const std::string& text : options.tensor) {
    rules.push_back(TensorRule(text, recipes));
  }
  if (options.model_defaults) rules.push_back({kModelDefaults, "", 0, nullptr});
  if (!options.plan.empty()) {
    rules.push_back({kPlan, options.plan, 0, nullptr});
    return rules;
  }
  if (config == nullptr) return rules;
  for (const std::string& glob : options.include) {
    rules.push_back({kInclude, glob, BNQ_MIN_RANK_NAMED, Clone(config)});
  }
  if (options.include.empty()) {
    rules.push_back({"", "*", BNQ_MIN_RANK_ALL, Clone(config)});
  }
  return rules;
}

Plan MakePlan(const std::vector<Rule>& rules, const bnq_recipes* recipes) {
  bnq_plan* created = nullptr;
  Check(bnq_plan_create(&created));
  Plan plan(created);
  for (const Rule& rule : rules) {
    if (rule.option == kModelDefaults) {
      Check(bnq_plan_add_model_defaults(created));
    } else if (rule.option == kPlan) {
      CheckContent(bnq_plan_load(nullptr, created, recipes, rule.glob.c_str()),
                   rule.glob);
    } else {
      CheckUsage(bnq_plan_add(created, rule.glob.c_str(), rule.min_rank,
                              rule.config.get()),
                 rule.option);
    }
  }
  return plan;
}

void CheckRules(const std::vector<Rule>& rules, const bnq_plan* plan,
                const std::string& input, Session& session) {
  for (const Rule& rule : rules) {
    if (rule.option != kTensor) continue;
    WarnOfDoubts(rule.config.get(),
                 rule.option + " '" + rule.glob + "': ", session);
  }
  // The default rule, which nobody has given, may well match nothing.
  if (rules.size() == 1 && rules[0].option.empty()) return;
  bnq_file* opened = nullptr;
  Check(bnq_file_open(session.context(), input.c_str(), BNQ_OPEN_SOURCE,
                      &opened));
  const File file(opened);
  const uint64_t count = bnq_file_count(opened);

  std::vector<bool> decides(rules.size(), false);
  for (uint64_t i = 0; i < count; ++i) {
    const int64_t rule = DecidingRule(plan, opened, i);
    // Those behind the last one are more of --plan's.
    const auto at = static_cast<std::size_t>(rule);
    if (rule >= 0 && at < decides.size()) decides[at] = true;
  }
  for (std::size_t r = 0; r < rules.size(); ++r) {
    const Rule& rule = rules[r];
    if (decides[r] || rule.option.empty() || rule.option == kPlan ||
        rule.option == kModelDefaults) {
      continue;
    }
    bnq_plan* created = nullptr;
    Check(bnq_plan_create(&created));
    const Plan alone(created);
    Check(bnq_plan_add(created, rule.glob.c_str(), rule.min_rank, nullptr));
    bool matches = false;
    for (uint64_t i = 0; i < count && !matches; ++i) {
      matches = DecidingRule(created, opened, i) == 0;
    }
    const std::string what = rule.option + " '" + rule.glob + "'";
    if (!matches && rule.option == kExclude) {
      // The same exclusions may serve several models.
      session.Warn(what + " matches no tensor in '" + input + "'");
    } else if (!matches) {
      throw Failure(
          kBadInput,
          what + " matches no tensor of rank 1 or more in '" + input + "'");
    } else if (rule.option == kTensor) {
      // Overlapping inclusions and exclusions say the same twice; a rule with a
      // config of its own says something that is not done.
      session.Warn(what +
                   " has no effect: an earlier pattern matches each of its "
                   "tensors first");
    }
  }
}

}  // namespace bnq::cli
