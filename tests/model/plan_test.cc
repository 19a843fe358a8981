#include "core/model/plan.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/base/glob.h"

namespace bnq {
namespace {

TEST(Plan, FirstMatchDecides) {
  Config first, second;
  second.SetText("format", "int8");
  Plan plan;
  plan.Add("*norm*", 0, std::nullopt);
  plan.Add("head.*", 2, second);
  plan.Add("*", 2, first);
  EXPECT_EQ(plan.Match("layer.norm.weight", 2).config, nullptr);
  ASSERT_NE(plan.Match("head.weight", 2).config, nullptr);
  EXPECT_EQ(plan.Match("head.weight", 2).config->format(), second.format());
  EXPECT_EQ(plan.Match("head.bias", 1).config, nullptr);
  ASSERT_NE(plan.Match("fc.weight", 3).config, nullptr);
  EXPECT_EQ(plan.Match("fc.weight", 3).config->format(), first.format());
}

// Rules that name a tensor are found without a look at each: the answer is that
// of one look after another.
TEST(Plan, TheFirstRuleDecidesWhateverItsGlob) {
  const std::vector<std::string> globs = {
      "*",   "a",        "a.weight", "b*",     "b.weight", "[ab]",
      "c.?", "c.weight", "*.weight", "a\\[1]", "",         "weight"};
  const std::vector<std::string> names = {
      "a",   "a.weight", "b",    "b.weight", "c.1",     "c.weight",
      "c.x", "d.weight", "a[1]", "",         ".weight", "weight"};
  uint32_t state = 7;
  const auto next = [&](size_t below) {
    state = state * 1664525u + 1013904223u;
    return (state >> 8) % below;
  };
  for (int round = 0; round < 200; ++round) {
    Plan plan;
    std::vector<PlanRule> rules;
    for (size_t i = next(9); i > 0; --i) {
      PlanRule rule;
      rule.when.glob = globs[next(globs.size())];
      rule.when.min_rank = static_cast<int>(next(3));
      rules.push_back(rule);
      plan.Add(rule);
    }
    for (const std::string& name : names) {
      int64_t expected = -1;
      for (size_t i = 0; i < rules.size() && expected < 0; ++i) {
        const std::string& glob = rules[i].when.glob;
        const bool named = GlobMatch(glob, name) ||
                           (!IsGlob(glob) && name == glob + ".weight");
        if (named && rules[i].when.min_rank <= 1) {
          expected = static_cast<int64_t>(i);
        }
      }
      EXPECT_EQ(plan.Match(name, 1).rule, expected) << round << ' ' << name;
    }
  }
}

}  // namespace
}  // namespace bnq
