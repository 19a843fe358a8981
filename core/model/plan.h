// Which tensor of a model gets which config.
#ifndef BNQ_CORE_MODEL_PLAN_H_
#define BNQ_CORE_MODEL_PLAN_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/base/shape.h"
#include "core/model/layer_kind.h"
#include "core/scheme/config.h"

namespace bnq {

// Which tensors a rule is for.
struct PlanCondition {
  // The whole name (core/base/glob.h); one that is no pattern stands for the
  // tensor of that name with ".weight" behind it, too.
  std::string glob = "*";
  int min_rank = 0, max_rank = kMaxRank;
  uint64_t min_elements = 0, max_elements = UINT64_MAX;
  // LayerKinds, bit by bit; 0: all.
  uint32_t kinds = 0;
};

struct PlanRule {
  PlanCondition when;
  // None: matching tensors are left as they are.
  std::optional<Config> config;
  // Not 0: no config for any tensor, but the least bits a weight that a budget
  // may give it (allocate.h).
  double min_bits = 0.0;
};

// Tensors that belong together, so that runtimes which fuse them find one
// config. Words are those of a component of a name, or patterns of it.
struct Tie {
  enum class Sort {
    // Names that differ in one component, which matches one of the words:
    // q_proj k_proj v_proj.
    kSiblings,
    // Names that are the same before and in a component that matches: experts.
    kBelow,
    // All names that match one of the words, which are globs of names.
    kAll,
  };
  Sort sort = Sort::kSiblings;
  std::vector<std::string> words;
};

class Plan {
 public:
  // What suits a rule for all tensors (vectors such as biases and norms are
  // small and sensitive), and one for tensors that somebody has named.
  static constexpr int kMinRankAll = 2, kMinRankNamed = 1;

  // No config: matching tensors are left as they are.
  void Add(std::string glob, int min_rank, std::optional<Config> config);
  void Add(PlanRule rule);
  const std::vector<PlanRule>& rules() const { return rules_; }
  // Leaves what models are hurt by most, for the bytes that it saves:
  // embeddings, heads, norms, routers, convolutions and matrices of state
  // spaces, and vision towers.
  void AddModelDefaults();
  // Attention and FFN apart from the rest, as SLI's AdaptiveQuantizer; without
  // a config of their own, attention has base's next step up the ladder, FFN
  // has base.
  void AddAdaptive(const Config& base, const Config* attention,
                   const Config* ffn);

  struct Decision {
    int64_t rule = -1;               // -1: none matches
    const Config* config = nullptr;  // nullptr: leave it as it is
  };
  // The first rule that matches decides. A config of format none leaves the
  // tensor as it is.
  Decision Match(const std::string& name, const Shape& shape) const;
  // Of a tensor whose size is not known: rules that ask for it are passed over.
  Decision Match(const std::string& name, int rank) const;
  // The first rule of least bits that matches; 0: none does.
  double MinBits(const std::string& name, const Shape& shape) const;

  // Words that tell kinds of layers, before the library's own.
  void AddWord(LayerKind kind, const std::string& word);
  const LayerWords& words() const { return words_; }
  LayerKind KindOf(const std::string& name) const {
    return LayerKindOf(name, words_);
  }

  // Tensors that have one config in an allocation (ties.h).
  void AddTie(Tie tie) { ties_.push_back(std::move(tie)); }
  const std::vector<Tie>& ties() const { return ties_; }

  // Weights of a tensor's columns for its search (tensor/search.h), under its
  // name or its name without ".weight". They replace those that are there.
  void SetImportance(const std::string& name, std::vector<float> weights);
  // nullptr: none.
  const std::vector<float>* ImportanceOf(const std::string& name) const;
  bool has_importance() const { return !importance_.empty(); }
  const std::map<std::string, std::vector<float>>& importance() const {
    return importance_;
  }

 private:
  // The first rule of its sort. elements: nullptr where nobody knows.
  const PlanRule* Find(const std::string& name, int rank,
                       const uint64_t* elements, bool of_min_bits) const;
  Decision DecisionOf(const PlanRule* rule) const;

  std::vector<PlanRule> rules_;
  // Indices of rules: of those whose glob is a pattern, and of others by what
  // they name. Plans that a budget found have a rule for each tensor.
  std::vector<size_t> patterns_;
  std::unordered_map<std::string, std::vector<size_t>> named_;
  LayerWords words_;
  std::vector<Tie> ties_;
  std::map<std::string, std::vector<float>> importance_;
};

// The config that is more exact than this one: NF4 (and whatever has less than
// 8 bits a weight) -> INT8 with outliers -> INT8 by channels -> none.
Config StepUp(const Config& config);

}  // namespace bnq

#endif  // BNQ_CORE_MODEL_PLAN_H_
