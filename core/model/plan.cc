#include "core/model/plan.h"

#include <algorithm>
#include <utility>

#include "core/base/error.h"
#include "core/base/glob.h"
#include "core/base/names.h"
#include "core/tensor/tensor.h"

namespace bnq {
namespace {

constexpr char kWeight[] = ".weight";

// name without the ".weight" that it has: so it stands in rules and importance.
std::string ShortName(const std::string& name) {
  return name.substr(0, name.size() - (sizeof kWeight - 1));
}

bool IsOfSize(const PlanCondition& when, const uint64_t* elements) {
  if (elements == nullptr) {
    return when.min_elements == 0 && when.max_elements == UINT64_MAX;
  }
  return *elements >= when.min_elements && *elements <= when.max_elements;
}

}  // namespace

void Plan::Add(std::string glob, int min_rank, std::optional<Config> config) {
  PlanRule rule;
  rule.when.glob = std::move(glob);
  rule.when.min_rank = min_rank;
  rule.config = std::move(config);
  Add(std::move(rule));
}

void Plan::Add(PlanRule rule) {
  const std::string& glob = rule.when.glob;
  (IsGlob(glob) ? patterns_ : named_[glob]).push_back(rules_.size());
  rules_.push_back(std::move(rule));
}

void Plan::AddModelDefaults() {
  PlanRule rule;
  for (const LayerKind kind :
       {LayerKind::kEmbedding, LayerKind::kHead, LayerKind::kNorm,
        LayerKind::kRouter, LayerKind::kStateSpace, LayerKind::kVision}) {
    rule.when.kinds |= 1u << static_cast<int>(kind);
  }
  Add(std::move(rule));
}

void Plan::AddAdaptive(const Config& base, const Config* attention,
                       const Config* ffn) {
  const auto add = [this](uint32_t kinds, Config config) {
    PlanRule rule;
    rule.when.min_rank = kMinRankAll;
    rule.when.kinds = kinds;
    rule.config = std::move(config);
    Add(std::move(rule));
  };
  add(1u << static_cast<int>(LayerKind::kAttention),
      attention ? *attention : StepUp(base));
  add(1u << static_cast<int>(LayerKind::kFfn), ffn ? *ffn : base);
  add(0, base);
}

const PlanRule* Plan::Find(const std::string& name, int rank,
                           const uint64_t* elements, bool of_min_bits) const {
  uint32_t kind = 0;  // found where it is asked for
  // What may match, in the order of the rules.
  std::vector<size_t> candidates = patterns_;
  const auto add = [&](const std::string& named) {
    const auto found = named_.find(named);
    if (found == named_.end()) return;
    candidates.insert(candidates.end(), found->second.begin(),
                      found->second.end());
  };
  add(name);
  if (EndsWith(name, kWeight)) add(ShortName(name));
  std::sort(candidates.begin(), candidates.end());
  for (const size_t i : candidates) {
    const PlanRule& rule = rules_[i];
    const PlanCondition& when = rule.when;
    if ((rule.min_bits != 0.0) != of_min_bits || rank < when.min_rank ||
        rank > when.max_rank || !IsOfSize(when, elements) ||
        (IsGlob(when.glob) && !GlobMatch(when.glob, name))) {
      continue;
    }
    if (when.kinds != 0) {
      if (kind == 0) kind = 1u << static_cast<int>(KindOf(name));
      if ((when.kinds & kind) == 0) continue;
    }
    return &rule;
  }
  return nullptr;
}

Plan::Decision Plan::DecisionOf(const PlanRule* rule) const {
  Decision decision;
  if (rule == nullptr) return decision;
  decision.rule = rule - rules_.data();
  if (rule->config && rule->config->format() != 0) {
    decision.config = &*rule->config;
  }
  return decision;
}

Plan::Decision Plan::Match(const std::string& name, const Shape& shape) const {
  const uint64_t elements = shape.elements();
  return DecisionOf(Find(name, shape.rank, &elements, false));
}

Plan::Decision Plan::Match(const std::string& name, int rank) const {
  return DecisionOf(Find(name, rank, nullptr, false));
}

double Plan::MinBits(const std::string& name, const Shape& shape) const {
  const uint64_t elements = shape.elements();
  const PlanRule* rule = Find(name, shape.rank, &elements, true);
  return rule ? rule->min_bits : 0.0;
}

void Plan::AddWord(LayerKind kind, const std::string& word) {
  CheckLayerWord(word);
  words_.emplace_back(kind, word);
}

void Plan::SetImportance(const std::string& name, std::vector<float> weights) {
  importance_[name] = std::move(weights);
}

const std::vector<float>* Plan::ImportanceOf(const std::string& name) const {
  auto found = importance_.find(name);
  if (found == importance_.end() && EndsWith(name, kWeight)) {
    found = importance_.find(ShortName(name));
  }
  return found == importance_.end() ? nullptr : &found->second;
}

Config StepUp(const Config& config) {
  // bitsandbytes' modes, as SLI orders them.
  Config none;
  none.SetInt(static_cast<int32_t>(Option::kFormat), 0);
  if (config.format() == 0) return config;
  if (BitsPerWeight(config) < 8.0) return Config::FromPreset("int8_outliers");
  const bool with_outliers = config.outlier_threshold() != 0.0f;
  return with_outliers ? Config::FromPreset("int8_per_channel") : none;
}

}  // namespace bnq
