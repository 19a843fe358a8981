#include "core/model/plan_text.h"

#include <gtest/gtest.h>

#include <random>

#include "core/base/error.h"

namespace bnq {
namespace {

Shape ShapeOf(std::initializer_list<uint64_t> dims) {
  return Shape::Make(static_cast<int32_t>(dims.size()), dims.begin());
}

Plan PlanOf(const std::string& text) {
  Plan plan;
  AddPlanText(text, nullptr, &plan);
  return plan;
}

std::string ConfigFor(const Plan& plan, const std::string& name,
                      const Shape& shape) {
  const Plan::Decision decision = plan.Match(name, shape);
  if (decision.rule < 0) return "-";
  return decision.config ? ShortText(*decision.config) : "none";
}

TEST(PlanText, Decides) {
  const Plan plan = PlanOf(
      "# a comment\n"
      "kind attention = mixer\r\n"
      "tie q k v   # siblings\n"
      "lm_head -> none\n"
      "\n"
      "*.bias rank>=1 -> f16\n"
      "* kind=norm,embedding rank>=0 -> none\n"
      "* kind=attention size>=64 -> int8_per_channel\n"
      "* kind=attention -> bits>=5\n"
      "\"a name #1\" rank<=3 -> nf4\n"
      "*.small size<=15 -> bits=8\n"
      "* -> int4,group_size=32\n");
  const Shape big = ShapeOf({16, 16}), small = ShapeOf({3, 5});
  EXPECT_EQ(ConfigFor(plan, "lm_head", big), "none");
  EXPECT_EQ(ConfigFor(plan, "lm_head.weight", big), "none");
  EXPECT_EQ(ConfigFor(plan, "lm_head.weights", big), "int4_per_group_32");
  EXPECT_EQ(ConfigFor(plan, "x.bias", ShapeOf({7})), "f16");
  EXPECT_EQ(ConfigFor(plan, "attn_norm", ShapeOf({7})), "none");
  EXPECT_EQ(ConfigFor(plan, "mixer.w", big), "int8_per_channel");
  EXPECT_EQ(ConfigFor(plan, "mixer.w", small), "int4_per_group_32");
  EXPECT_EQ(ConfigFor(plan, "a name #1", big), "nf4");
  EXPECT_EQ(ConfigFor(plan, "b.small", small), "int8_per_channel");
  EXPECT_EQ(ConfigFor(plan, "b.small", big), "int4_per_group_32");
  EXPECT_EQ(ConfigFor(plan, "vector", ShapeOf({7})), "-");
  EXPECT_EQ(plan.MinBits("mixer.w", big), 5.0);
  EXPECT_EQ(plan.MinBits("other.w", big), 0.0);
  // A size that is not known meets no condition of one.
  EXPECT_EQ(ShortText(*plan.Match("mixer.w", 2).config), "int4_per_group_32");
}

TEST(PlanText, ComesBack) {
  const std::string text =
      "kind ffn = =top\n"
      "kind other = ^x_y\n"
      "tie q_proj [kv]_proj\n"
      "tie_below experts\n"
      "tie_all a.* \"b c\"\n"
      "lm_head -> none\n"
      "lm_head rank>=0 -> nf4\n"
      "\"with \\\"quotes\\\" and \\\\\" -> int8_per_channel\n"
      "* kind=embedding,norm rank>=1 rank<=4 size>=5 "
      "size<=18446744073709551614 "
      "-> none\n"
      "*.w kind=attention -> bits>=4.5\n"
      "* -> format=int3,group_size=48,scale_rule=mse\n";
  const Plan plan = PlanOf(text);
  EXPECT_EQ(PlanText(plan), text);
  EXPECT_EQ(PlanText(PlanOf(PlanText(plan))), text);
  EXPECT_EQ(plan.rules()[2].when.glob, "with \"quotes\" and \\");
}

TEST(PlanText, SaysWhatIsWrong) {
  const struct {
    const char* text;
    Status status;
    const char* message;
  } cases[] = {
      {"* -> int4\n* -> int5x", Status::kNotFound, "line 2: \"int5x\" is"},
      {"* =>  int4", Status::kInvalidArgument,
       "line 1: \"* =>  int4\", must be a rule (PATTERN -> CONFIG), kind, tie"},
      {"-> int4", Status::kInvalidArgument, "a pattern before ->"},
      {"* ->", Status::kInvalidArgument, "a config, none or bits>=N behind"},
      {"* rank>2 -> int4", Status::kInvalidArgument,
       "condition \"rank>2\", must be rank>=N"},
      {"* rank>=9 -> int4", Status::kInvalidArgument,
       "\"rank>=9\" needs a number from 0 to 8"},
      {"* size>=-1 -> int4", Status::kInvalidArgument, "needs a number"},
      {"* size>=1e3 -> int4", Status::kInvalidArgument, "needs a number"},
      {"* -> bits>=nan", Status::kInvalidArgument, "needs a number"},
      {"* -> bits>=0", Status::kInvalidArgument, "needs more than 0"},
      {"* -> bits>=65", Status::kInvalidArgument, "needs a number"},
      {"* -> bits=7", Status::kInvalidArgument, "bits = 7, must be one of: 1"},
      {"* kind=atention -> int4", Status::kNotFound, "\"attention\""},
      {"kind = a", Status::kInvalidArgument, "must be: kind KIND = WORD"},
      {"kind ffn = a.b", Status::kInvalidArgument, "word \"a.b\""},
      {"tie", Status::kInvalidArgument, "tie needs words"},
      {"\"a -> int4", Status::kInvalidArgument, "line 1: "},
  };
  for (const auto& c : cases) {
    Plan plan = PlanOf("x -> nf4");
    const std::string before = PlanText(plan);
    try {
      AddPlanText(c.text, nullptr, &plan);
      ADD_FAILURE() << c.text << " was taken";
    } catch (const Error& error) {
      EXPECT_EQ(error.status(), c.status) << c.text;
      EXPECT_NE(error.message().find(c.message), std::string::npos)
          << c.text << ": " << error.message();
      EXPECT_EQ(error.message().compare(0, 5, "line "), 0) << error.message();
    }
    EXPECT_EQ(PlanText(plan), before) << c.text;
  }
}

// Anything is a plan, or an error; what is one comes back.
TEST(PlanText, SurvivesAnyText) {
  const char* const pieces[] = {
      "*",     " ",    "->",  "none", "\"", "\\", "#", "\n",     "rank>=", "2",
      "kind=", "kind", "tie", "norm", "=",  "a",  "[", "bits>=", "int4",   ","};
  std::mt19937 random(3);
  int taken = 0;
  for (int round = 0; round < 20000; ++round) {
    std::string text;
    for (size_t i = random() % 12; i-- > 0;) {
      text += pieces[random() % (sizeof pieces / sizeof pieces[0])];
    }
    try {
      const Plan plan = PlanOf(text);
      ASSERT_EQ(PlanText(PlanOf(PlanText(plan))), PlanText(plan)) << text;
      ++taken;
    } catch (const Error&) {
    }
  }
  EXPECT_GT(taken, 1000);
}

TEST(Recipes, NamesConfigsAndPlans) {
  Recipes recipes;
  recipes.AddText(
      "* -> bf16\n"
      "[configs]\n"
      "small = int3,group_size=32\n"
      "smaller = small,group_size=256\n"
      "[plan careful]\n"
      "* kind=attention -> smaller,scale_rule=mse\n"
      "[ab]* -> none\n"
      "* -> small\n"
      "[plan empty]\n");
  EXPECT_EQ(recipes.configs().size(), 2u);
  EXPECT_EQ(recipes.ConfigOf("small").ToText(), "format=int3,group_size=32");
  EXPECT_EQ(recipes.ConfigOf("smaller,clip=2").ToText(),
            "format=int3,group_size=256,clip=2");
  EXPECT_EQ(recipes.ConfigOf("nf4").ToText(),
            Config::FromPreset("nf4").ToText());
  EXPECT_EQ(PlanText(recipes.PlanOf("careful")),
            "* kind=attention -> format=int3,group_size=256,scale_rule=mse\n"
            "[ab]* -> none\n"
            "* -> format=int3,group_size=32\n");
  EXPECT_EQ(PlanText(recipes.PlanOf("")), "* -> bf16\n");
  EXPECT_EQ(PlanText(recipes.PlanOf("empty")), "");

  Recipes again;
  again.AddText(recipes.ToText());
  EXPECT_EQ(again.ToText(), recipes.ToText());

  for (const char* bad :
       {"[configs]\nnf4 = int4", "[configs]\na b = int4", "[configs]\nx",
        "[configs]\nx = y", "[plans a]", "[plan]\n", "[plan a b]"}) {
    const std::string before = recipes.ToText();
    EXPECT_THROW(recipes.AddText(bad), Error) << bad;
    EXPECT_EQ(recipes.ToText(), before);
  }
  EXPECT_THROW(recipes.PlanOf("carefull"), Error);
  EXPECT_THROW(recipes.ConfigOf("smal"), Error);
}

// The ladder, and a plan like SLI's AdaptiveQuantizer.
TEST(Plan, Adapts) {
  const auto up = [](const char* from) {
    return ShortText(StepUp(Config::FromText(from)));
  };
  EXPECT_EQ(up("nf4"), "int8_outliers");
  EXPECT_EQ(up("ternary"), "int8_outliers");
  EXPECT_EQ(up("int8_outliers"), "int8_per_channel");
  EXPECT_EQ(up("int8_per_channel"), "none");
  EXPECT_EQ(up("none"), "none");

  Plan plan;
  plan.AddModelDefaults();
  plan.AddAdaptive(Config::FromText("nf4"), nullptr, nullptr);
  const Shape shape = ShapeOf({8, 8});
  EXPECT_EQ(ConfigFor(plan, "h.0.attn.c_attn.weight", shape), "int8_outliers");
  EXPECT_EQ(ConfigFor(plan, "h.0.mlp.c_fc.weight", shape), "nf4");
  EXPECT_EQ(ConfigFor(plan, "conv.weight", shape), "nf4");
  EXPECT_EQ(ConfigFor(plan, "wte.weight", shape), "none");
  EXPECT_EQ(ConfigFor(plan, "h.0.attn.bias", ShapeOf({8})), "-");
  const Config fp4 = Config::FromText("fp4"), int4 = Config::FromText("int4");
  Plan given;
  given.AddAdaptive(Config::FromText("nf4"), &fp4, &int4);
  EXPECT_EQ(PlanText(given),
            "* kind=attention -> fp4\n* kind=ffn -> int4_per_group_128\n"
            "* -> nf4\n");
}

}  // namespace
}  // namespace bnq
