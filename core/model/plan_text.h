// Plans, and configs with names, as text that people write.
//
// A line is a rule, a word, a tie or a comment; the first rule that matches
// decides:
//
//   # attention in eight bits, the rest in four
//   kind attention = mixer xattn
//   tie q_proj k_proj v_proj
//   lm_head -> none
//   * kind=norm,embedding -> none
//   model.layers.?.* kind=attention rank>=2 size>=65536 -> int8_per_channel
//   * kind=ffn -> bits>=4
//   * -> int4_per_group_128,scale_rule=mse
//
// bnq.h has the definition (bnq_plan_from_text).
#ifndef BNQ_CORE_MODEL_PLAN_TEXT_H_
#define BNQ_CORE_MODEL_PLAN_TEXT_H_

#include <map>
#include <string>

#include "core/model/plan.h"
#include "core/scheme/config.h"

namespace bnq {

// Puts the rules, words and ties of a text behind those of the plan. names
// (nullptr: none) are for configs. Errors name the line, and leave the plan as
// it was.
void AddPlanText(const std::string& text, const ConfigNames& names, Plan* plan);
// The text that gives this plan again, but for its importance. Configs are
// those of presets where there is one.
std::string PlanText(const Plan& plan);
// The preset of this config, or its own text.
std::string ShortText(const Config& config);

// Configs and plans that a user has given names. A text of them has sections
// "[configs]", of lines "name = config", and "[plan name]", of the lines of a
// plan; what comes first is of a plan without a name, "".
class Recipes {
 public:
  // Replaces what has the name. INVALID_ARGUMENT where it cannot be one: names
  // are letters, digits and _ . - and no preset's or format's.
  void AddConfig(const std::string& name, const Config& config);
  void AddPlan(const std::string& name, const Plan& plan);
  // Both replace what has their names, or nothing where the text is wrong.
  void AddText(const std::string& text);
  std::string ToText() const;

  // A config text, whose first item may be one of these names.
  Config ConfigOf(const std::string& text) const;
  // NOT_FOUND lists the names.
  const Plan& PlanOf(const std::string& name) const;
  const std::map<std::string, Config>& configs() const { return configs_; }
  const std::map<std::string, Plan>& plans() const { return plans_; }
  ConfigNames names() const;

 private:
  std::map<std::string, Config> configs_;
  std::map<std::string, Plan> plans_;
};

}  // namespace bnq

#endif  // BNQ_CORE_MODEL_PLAN_TEXT_H_
