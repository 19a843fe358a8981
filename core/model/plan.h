// Which tensor of a model gets which config.
#ifndef BNQ_CORE_MODEL_PLAN_H_
#define BNQ_CORE_MODEL_PLAN_H_

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/scheme/config.h"

namespace bnq {

// The whole name against * (any characters), ? (any one), [a-z] and [!a-z]
// (sets), \ (quotes the next). A set that is not closed stands for itself.
bool GlobMatch(const std::string& glob, const std::string& name);

class Plan {
 public:
  // What suits a rule for all tensors (vectors such as biases and norms are
  // small and sensitive), and one for tensors that somebody has named.
  static constexpr int kMinRankAll = 2, kMinRankNamed = 1;

  // No config: matching tensors are left as they are.
  void Add(std::string glob, int min_rank, std::optional<Config> config);
  struct Decision {
    int64_t rule = -1;               // -1: none matches
    const Config* config = nullptr;  // nullptr: leave it as it is
  };
  // The first rule that matches decides. A config of format none leaves the
  // tensor as it is.
  Decision Match(const std::string& name, int rank) const;

  // Weights of a tensor's columns for its search (tensor/search.h), under its
  // name or its name without ".weight". They replace those that are there.
  void SetImportance(const std::string& name, std::vector<float> weights);
  // nullptr: none.
  const std::vector<float>* ImportanceOf(const std::string& name) const;
  bool has_importance() const { return !importance_.empty(); }

 private:
  struct Rule {
    std::string glob;
    int min_rank;
    std::optional<Config> config;
  };
  std::vector<Rule> rules_;
  std::map<std::string, std::vector<float>> importance_;
};

}  // namespace bnq

#endif  // BNQ_CORE_MODEL_PLAN_H_
