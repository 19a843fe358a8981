#include "core/model/allocate.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "core/base/error.h"
#include "core/model/plan_text.h"
#include "tests/io/io_test_util.h"

namespace bnq {
namespace {

const char* const kTexts[] = {"ternary_per_group_128", "int4_per_group_128",
                              "int8_per_channel"};

// A tensor whose errors under the configs above are `hardness` / 4, / 60 and
// / 16000.
SensitivityTensor Tensor(uint64_t rows, uint64_t columns, double hardness,
                         uint32_t crc = 1) {
  SensitivityTensor tensor;
  const uint64_t dims[] = {rows, columns};
  tensor.shape = Shape::Make(2, dims);
  tensor.dtype = static_cast<int32_t>(DType::kF32);
  tensor.sample_crc32 = crc;
  tensor.plain_bytes = 4 * rows * columns;
  const double errors[] = {4.0, 60.0, 16000.0};
  const uint64_t bits[] = {2, 4, 8};
  for (int i = 0; i < 3; ++i) {
    SensitivityCell cell;
    cell.config = Config::FromText(kTexts[i]);
    cell.bytes = rows * columns * bits[i] / 8;
    cell.relative_error = hardness / errors[i];
    tensor.cells.emplace(cell.config.ToText(), cell);
  }
  return tensor;
}

Sensitivity ModelOf(
    const std::vector<std::pair<std::string, SensitivityTensor>>& tensors) {
  Sensitivity sensitivity;
  uint64_t input = 4000;
  for (const auto& [name, tensor] : tensors) {
    sensitivity.Add(name, tensor).cells = tensor.cells;
    input += tensor.plain_bytes;
  }
  sensitivity.SetModel(1000, 1000, input);
  return sensitivity;
}

std::map<std::string, std::string> Choices(const Allocation& allocation) {
  std::map<std::string, std::string> choices;
  for (const AllocationRow& row : allocation.rows) {
    choices[row.name] = row.text;
  }
  return choices;
}

Plan PlanOf(const std::string& text) {
  Plan plan;
  AddPlanText(text, nullptr, &plan);
  return plan;
}

TEST(Allocate, SpendsWhereItHelps) {
  const Sensitivity model = ModelOf(
      {{"easy.w", Tensor(64, 64, 0.1)}, {"hard.w", Tensor(64, 64, 1.0, 2)}});
  // ternary + int8: 1024 + 4096; int4 + int4: 2048 x 2.
  const Allocation a =
      Allocate(model, Plan(), BudgetKind::kBytes, 1000 + 1024 + 4096);
  EXPECT_EQ(Choices(a)["easy.w"], "int4_per_group_128");
  EXPECT_EQ(Choices(a)["hard.w"], "int4_per_group_128");
  EXPECT_TRUE(a.proven);
  EXPECT_EQ(a.bytes, 1000u + 4096);
  EXPECT_EQ(a.bound, a.loss);
  EXPECT_DOUBLE_EQ(a.loss, 4096 * 0.1 / 60 + 4096 * 1.0 / 60);
  const Allocation b =
      Allocate(model, Plan(), BudgetKind::kBytes, 1000 + 2048 + 4096);
  EXPECT_EQ(Choices(b)["easy.w"], "int4_per_group_128");
  EXPECT_EQ(Choices(b)["hard.w"], "int8_per_channel");
  EXPECT_EQ(b.rows[0].upgrade, "int8_per_channel");
  EXPECT_EQ(b.rows[0].upgrade_bytes, 2048u);
  EXPECT_DOUBLE_EQ(b.rows[0].upgrade_loss,
                   4096 * 0.1 * (1.0 / 60 - 1.0 / 16000));
  EXPECT_EQ(b.rows[1].upgrade, "");
  // What bits and ratios are of.
  const double bits = 8.0 * (1000 + 2048 + 4096) / (2 * 4096 + 1000);
  EXPECT_EQ(Allocate(model, Plan(), BudgetKind::kBits, bits).budget_bytes,
            1000u + 2048 + 4096);
  EXPECT_EQ(Allocate(model, Plan(), BudgetKind::kRatio, 4.0).budget_bytes,
            (4000u + 2 * 4 * 4096) / 4);
  // Its plan gives just these configs.
  for (const AllocationRow& row : b.rows) {
    const Plan::Decision decision = b.plan.Match(row.name, row.shape);
    ASSERT_NE(decision.config, nullptr);
    EXPECT_EQ(decision.config->ToText(), row.config.ToText());
  }
}

TEST(Allocate, FollowsThePlan) {
  const Sensitivity model = ModelOf({{"a", Tensor(64, 64, 1.0)},
                                     {"attn", Tensor(64, 64, 0.1)},
                                     {"b[0]*", Tensor(64, 64, 1.0)},
                                     {"c", Tensor(64, 64, 1.0)}});
  const Plan plan = PlanOf(
      "a -> ternary_per_group_128\n"
      "* kind=attention -> bits>=4\n"
      "c -> none\n");
  Allocation a = Allocate(model, plan, BudgetKind::kBits, 13.0);
  EXPECT_EQ(Choices(a)["a"], "ternary_per_group_128");
  EXPECT_EQ(Choices(a)["attn"], "int8_per_channel");
  EXPECT_EQ(Choices(a)["c"], "none");
  EXPECT_TRUE(a.rows[0].pinned);
  EXPECT_FALSE(a.rows[1].pinned);
  EXPECT_EQ(a.bytes, 1000u + 1024 + 4096 + 4096 + 4 * 4096);
  EXPECT_EQ(a.plan.Match("c", 2).config, nullptr);
  // Names are taken as they are.
  EXPECT_NE(a.plan.Match("b[0]*", 2).config, nullptr);
  EXPECT_EQ(a.plan.Match("b0x", 2).rule, -1);

  const uint64_t least = 1000 + 1024 + 2048 + 1024 + 4 * 4096;
  EXPECT_EQ(a.min_bytes, least);
  a = Allocate(model, plan, BudgetKind::kBytes, static_cast<double>(least));
  EXPECT_EQ(Choices(a)["attn"], "int4_per_group_128");
  EXPECT_TRUE(FailsWith(Status::kInvalidArgument,
                        "must be at least " + std::to_string(least), [&] {
                          Allocate(model, plan, BudgetKind::kBytes,
                                   static_cast<double>(least - 1));
                        }));
  EXPECT_TRUE(FailsWith(Status::kInvalidArgument, "most take \"c\" (16384",
                        [&] { Allocate(model, plan, BudgetKind::kBytes, 9); }));
  EXPECT_TRUE(FailsWith(
      Status::kInvalidArgument, "tensor \"a\": was not analyzed with nf4",
      [&] { Allocate(model, PlanOf("a -> nf4"), BudgetKind::kBits, 8); }));
  EXPECT_TRUE(FailsWith(
      Status::kInvalidArgument, "the least of 9 bits a weight",
      [&] { Allocate(model, PlanOf("* -> bits>=9"), BudgetKind::kBits, 8); }));
  for (const double bad :
       {0.0, -1.0, static_cast<double>(NAN), static_cast<double>(INFINITY)}) {
    EXPECT_TRUE(FailsWith(Status::kInvalidArgument, "budget = ", [&] {
      Allocate(model, Plan(), BudgetKind::kBits, bad);
    }));
  }
}

TEST(Allocate, KeepsTies) {
  const std::string q = "l.0.attn.q_proj.weight", k = "l.0.attn.k_proj.weight";
  const std::string other = "l.1.attn.k_proj.weight";
  const std::string e0 = "l.0.experts.0.up.weight";
  const std::string e1 = "l.0.experts.1.up.weight";
  const std::string head = "lm_head.weight", embed = "embed_tokens.weight";
  const Sensitivity model = ModelOf({{q, Tensor(64, 64, 1.0, 3)},
                                     {k, Tensor(64, 64, 0.001, 4)},
                                     {other, Tensor(64, 64, 0.001, 5)},
                                     {e0, Tensor(64, 64, 1.0, 6)},
                                     {e1, Tensor(64, 64, 0.001, 7)},
                                     {head, Tensor(64, 64, 1.0, 8)},
                                     {embed, Tensor(64, 64, 0.001, 8)}});
  const double budget = 4.3;
  auto tied = Choices(Allocate(model, Plan(), BudgetKind::kBits, budget));
  EXPECT_EQ(tied[q], tied[k]);
  EXPECT_EQ(tied[e0], tied[e1]);
  // Their contents say nothing: a tensor of two names comes here under one.
  EXPECT_NE(tied[head], tied[embed]);
  TieDefaults none;
  none.fused = none.experts = false;
  auto free = Choices(Allocate(model, Plan(), BudgetKind::kBits, budget, none));
  EXPECT_NE(free[q], free[k]);
  EXPECT_NE(free[e0], free[e1]);
  EXPECT_NE(free[head], free[embed]);
  auto mine = Choices(Allocate(model,
                               PlanOf("tie [qk]_proj\ntie_below experts\n"
                                      "tie_all lm_head.* embed*\n"),
                               BudgetKind::kBits, budget, none));
  EXPECT_EQ(mine[q], mine[k]);
  EXPECT_EQ(mine[e0], mine[e1]);
  EXPECT_EQ(mine[head], mine[embed]);
  EXPECT_TRUE(
      FailsWith(Status::kInvalidArgument, "have no config in common", [&] {
        Allocate(model,
                 PlanOf(k + " -> int4_per_group_128\n" + q +
                        " -> int8_per_channel\n"),
                 BudgetKind::kBits, budget);
      }));
}

// The caller's own numbers decide, where there are some.
TEST(Allocate, TakesMetricsAndWeights) {
  Sensitivity model =
      ModelOf({{"a", Tensor(64, 64, 1.0)}, {"b", Tensor(64, 64, 1.0)}});
  const double budget = 1000 + 1024 + 2048;
  model.SetWeight("b", 1e9);
  EXPECT_EQ(Choices(Allocate(model, Plan(), BudgetKind::kBytes, budget))["b"],
            "int4_per_group_128");
  model.SetMetric("b", Config::FromText(kTexts[0]), -3.0);
  EXPECT_EQ(Choices(Allocate(model, Plan(), BudgetKind::kBytes, budget))["a"],
            "int4_per_group_128");
}

// More is never worse, and every gap is 0.
TEST(Allocate, CurveFalls) {
  std::mt19937 random(17);
  std::vector<std::pair<std::string, SensitivityTensor>> tensors;
  for (int i = 0; i < 60; ++i) {
    tensors.emplace_back(
        "t" + std::to_string(i),
        Tensor(16 + random() % 64, 64, std::ldexp(random() % 1000 + 1, -10)));
  }
  const Sensitivity model = ModelOf(tensors);
  double last = INFINITY;
  for (double bits = 2.5; bits <= 9.0; bits += 0.25) {
    const Allocation a = Allocate(model, Plan(), BudgetKind::kBits, bits);
    EXPECT_TRUE(a.proven) << bits;
    EXPECT_LE(a.bytes, a.budget_bytes);
    EXPECT_LE(a.loss, last) << bits;
    last = a.loss;
  }
}

}  // namespace
}  // namespace bnq
