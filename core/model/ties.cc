#include "core/model/ties.h"

#include <algorithm>
#include <map>
#include <numeric>

#include "core/base/glob.h"

namespace bnq {
namespace {

// What vLLM, llama.cpp and their like make one matrix of, as Hugging Face,
// Meta, ggml and BERT call it.
const std::vector<Tie>& FusedTies() {
  constexpr Tie::Sort kSiblings = Tie::Sort::kSiblings;
  static const std::vector<Tie> ties = {
      {kSiblings, {"q_proj", "k_proj", "v_proj"}},
      {kSiblings, {"query", "key", "value"}},
      {kSiblings, {"wq", "wk", "wv"}},
      {kSiblings, {"attn_q", "attn_k", "attn_v"}},
      {kSiblings, {"gate_proj", "up_proj"}},
      {kSiblings, {"w1", "w3"}},
      {kSiblings, {"ffn_gate", "ffn_up"}},
      {kSiblings, {"ffn_gate_exps", "ffn_up_exps"}},
  };
  return ties;
}

const std::vector<Tie>& ExpertTies() {
  static const std::vector<Tie> ties = {{Tie::Sort::kBelow, {"experts"}}};
  return ties;
}

bool MatchesAny(const std::vector<std::string>& words,
                const std::string& text) {
  return std::any_of(words.begin(), words.end(), [&](const std::string& word) {
    return GlobMatch(word, text);
  });
}

// What names that a tie joins have in common, which no others have; "": the tie
// is not for this name.
std::string KeyOf(const Tie& tie, const std::string& name) {
  if (tie.sort == Tie::Sort::kAll) {
    return MatchesAny(tie.words, name) ? "*" : "";
  }
  for (size_t begin = 0; begin <= name.size();) {
    const size_t end = std::min(name.find('.', begin), name.size());
    if (MatchesAny(tie.words, name.substr(begin, end - begin))) {
      const std::string before = name.substr(0, begin) + '\0';
      return tie.sort == Tie::Sort::kBelow
                 ? before + name.substr(begin, end - begin)
                 : before + name.substr(end);
    }
    begin = end + 1;
  }
  return "";
}

class Groups {
 public:
  explicit Groups(size_t count) : first_(count) {
    std::iota(first_.begin(), first_.end(), size_t{0});
  }
  size_t Find(size_t i) {
    while (first_[i] != i) i = first_[i] = first_[first_[i]];
    return i;
  }
  // The smaller index stands for both.
  void Join(size_t a, size_t b) {
    a = Find(a);
    b = Find(b);
    first_[std::max(a, b)] = std::min(a, b);
  }

 private:
  std::vector<size_t> first_;
};

}  // namespace

std::vector<size_t> TieTensors(const Sensitivity& sensitivity, const Plan& plan,
                               const TieDefaults& defaults) {
  std::vector<Tie> ties = plan.ties();
  const auto add = [&](const std::vector<Tie>& more) {
    ties.insert(ties.end(), more.begin(), more.end());
  };
  if (defaults.fused) add(FusedTies());
  if (defaults.experts) add(ExpertTies());

  const auto& tensors = sensitivity.tensors();
  Groups groups(tensors.size());
  for (const Tie& tie : ties) {
    std::map<std::string, size_t> first;
    size_t i = 0;
    for (const auto& [name, tensor] : tensors) {
      const std::string key = KeyOf(tie, name);
      if (!key.empty()) groups.Join(first.emplace(key, i).first->second, i);
      ++i;
    }
  }
  std::vector<size_t> result(tensors.size());
  for (size_t t = 0; t < result.size(); ++t) result[t] = groups.Find(t);
  return result;
}

}  // namespace bnq
