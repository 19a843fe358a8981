#include "core/model/plan.h"

#include <utility>

namespace bnq {
namespace {

// Matches c against the set that begins behind the '[' at glob[at]; moves at
// behind its ']'. False, without moving, where the set is not closed.
bool ReadSet(const std::string& glob, size_t* at, char c, bool* matches) {
  size_t i = *at + 1;
  const bool negated = i < glob.size() && (glob[i] == '!' || glob[i] == '^');
  if (negated) ++i;
  bool found = false;
  for (bool first = true;; first = false) {
    if (i >= glob.size()) return false;
    if (glob[i] == ']' && !first) break;
    const unsigned char lo = static_cast<unsigned char>(glob[i]);
    unsigned char hi = lo;
    if (i + 2 < glob.size() && glob[i + 1] == '-' && glob[i + 2] != ']') {
      hi = static_cast<unsigned char>(glob[i + 2]);
      i += 2;
    }
    const unsigned char u = static_cast<unsigned char>(c);
    found = found || (lo <= u && u <= hi);
    ++i;
  }
  *at = i + 1;
  *matches = found != negated;
  return true;
}

}  // namespace

bool GlobMatch(const std::string& glob, const std::string& name) {
  size_t g = 0, n = 0;
  // Where to go on when what follows the last * did not match: that * takes one
  // more character. Earlier ones need not be tried again.
  size_t star = std::string::npos, star_name = 0;
  while (n < name.size()) {
    bool matches = false;
    size_t next = g;
    if (g < glob.size()) {
      const char c = glob[g];
      if (c == '*') {
        star = g++;
        star_name = n;
        continue;
      }
      if (c == '?') {
        matches = true;
        next = g + 1;
      } else if (c == '[' && ReadSet(glob, &next, name[n], &matches)) {
        // next is behind the set
      } else {
        const bool quoted = c == '\\' && g + 1 < glob.size();
        matches = glob[g + quoted] == name[n];
        next = g + quoted + 1;
      }
    }
    if (matches) {
      g = next;
      ++n;
    } else if (star != std::string::npos) {
      g = star + 1;
      n = ++star_name;
    } else {
      return false;
    }
  }
  while (g < glob.size() && glob[g] == '*') ++g;
  return g == glob.size();
}

void Plan::Add(std::string glob, int min_rank, std::optional<Config> config) {
  rules_.push_back({std::move(glob), min_rank, std::move(config)});
}

Plan::Decision Plan::Match(const std::string& name, int rank) const {
  Decision decision;
  for (size_t i = 0; i < rules_.size(); ++i) {
    const Rule& rule = rules_[i];
    if (rank < rule.min_rank || !GlobMatch(rule.glob, name)) continue;
    decision.rule = static_cast<int64_t>(i);
    if (rule.config && rule.config->format() != 0) {
      decision.config = &*rule.config;
    }
    break;
  }
  return decision;
}

}  // namespace bnq
