#include "core/model/plan.h"

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace bnq
