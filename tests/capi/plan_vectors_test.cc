// The shared vectors of plans and budgets through the C ABI.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/capi/vectors_test_util.h"

namespace bnq_test {
namespace {

// What is written by a function that asks for the size first.
template <class Write>
std::string Written(Write write) {
  uint64_t size = 0;
  EXPECT_EQ(write(nullptr, uint64_t{0}, &size), BNQ_OK);
  std::string text(size, '\0');
  EXPECT_EQ(write(text.data(), size, &size), BNQ_OK);
  text.resize(size - 1);
  return text;
}

std::string TextOf(const bnq_plan* plan) {
  return Written([&](char* text, uint64_t size, uint64_t* out_size) {
    return bnq_plan_to_text(plan, text, size, out_size);
  });
}

// "none" for NULL.
std::string TextOf(const bnq_config* config) {
  if (config == nullptr) return "none";
  return Written([&](char* text, uint64_t size, uint64_t* out_size) {
    return bnq_config_to_text(config, text, size, out_size);
  });
}

void ExpectRefused(const json& c, bnq_status status) {
  EXPECT_STREQ(bnq_status_name(status),
               c.at("status").get<std::string>().c_str());
  EXPECT_NE(
      std::string(bnq_last_error()).find(c.at("message").get<std::string>()),
      std::string::npos)
      << bnq_last_error();
}

Owned<bnq_plan> NewPlan() {
  bnq_plan* plan = nullptr;
  EXPECT_EQ(bnq_plan_create(&plan), BNQ_OK);
  return Owned<bnq_plan>(plan);
}

void CheckDecision(const json& d, const bnq_plan* plan) {
  std::vector<uint64_t> shape(BNQ_MAX_RANK);
  const int32_t rank = d.at("rank");
  for (int32_t i = 0; i < rank && !d.at("shape").is_null(); ++i) {
    shape[static_cast<size_t>(i)] = d.at("shape").at(static_cast<size_t>(i));
  }
  int64_t rule = 0;
  bnq_config* config = nullptr;
  ASSERT_EQ(bnq_plan_match(plan, d.at("name").get<std::string>().c_str(),
                           d.at("shape").is_null() ? nullptr : shape.data(),
                           rank, &rule, &config),
            BNQ_OK)
      << bnq_last_error();
  const Owned<bnq_config> owner(config);
  EXPECT_EQ(rule, d.at("rule").get<int64_t>()) << d;
  if (!d.at("config").is_null()) {
    EXPECT_EQ(TextOf(config), d.at("config").get<std::string>()) << d;
  } else {
    EXPECT_EQ(config, nullptr) << d;
  }
}

bnq_status AddPlan(const json& c, bnq_recipes* recipes, bnq_plan* plan) {
  if (c.contains("recipes")) {
    const std::string text = c.at("recipes");
    const bnq_status status = bnq_recipes_add_text(recipes, text.c_str());
    if (status != BNQ_OK) return status;
  }
  return bnq_plan_add_text(plan, recipes,
                           c.at("text").get<std::string>().c_str());
}

TEST(PlanVectors, AllCases) {
  for (const json& c : Cases("plans.json")) {
    SCOPED_TRACE(c.at("name").get<std::string>());
    bnq_recipes* recipes = nullptr;
    ASSERT_EQ(bnq_recipes_create(&recipes), BNQ_OK);
    const Owned<bnq_recipes> recipes_owner(recipes);
    const Owned<bnq_plan> plan = NewPlan();
    const bnq_status status = AddPlan(c, recipes, plan.get());
    if (c.contains("status")) {
      ExpectRefused(c, status);
      EXPECT_EQ(TextOf(plan.get()), "");
      continue;
    }
    ASSERT_EQ(status, BNQ_OK) << bnq_last_error();
    EXPECT_EQ(TextOf(plan.get()), c.at("written").get<std::string>());
    for (const json& d : c.at("decisions")) CheckDecision(d, plan.get());
    for (const auto& kind : c.at("kinds").items()) {
      const int32_t found = bnq_layer_kind(plan.get(), kind.key().c_str());
      EXPECT_EQ(bnq_layer_kind_name(found), kind.value().get<std::string>())
          << kind.key();
    }
  }
}

// The configs of an allocation's plan, and what each tensor's row says.
void CheckConfigs(const json& run, const bnq_allocation* allocation) {
  bnq_plan* plan = nullptr;
  ASSERT_EQ(bnq_allocation_plan(allocation, &plan), BNQ_OK);
  const Owned<bnq_plan> owner(plan);
  ASSERT_EQ(bnq_allocation_count(allocation), run.at("configs").size());
  for (uint64_t i = 0; i < bnq_allocation_count(allocation); ++i) {
    const std::string name = bnq_allocation_name(allocation, i);
    int64_t rule = -1;
    bnq_config* config = nullptr;
    ASSERT_EQ(bnq_plan_match(plan, name.c_str(), nullptr, 2, &rule, &config),
              BNQ_OK);
    const Owned<bnq_config> config_owner(config);
    EXPECT_EQ(rule, static_cast<int64_t>(i));
    EXPECT_EQ(TextOf(config), run.at("configs").at(name).get<std::string>());

    double row[BNQ_NUM_ALLOCATION_ROW_VALUES];
    ASSERT_EQ(
        bnq_allocation_row(allocation, i, row, BNQ_NUM_ALLOCATION_ROW_VALUES),
        BNQ_OK);
    const std::string upgrade = bnq_allocation_upgrade(allocation, i);
    EXPECT_EQ(upgrade.empty(), !run.at("upgrades").contains(name)) << name;
    if (upgrade.empty() || !run.at("upgrades").contains(name)) continue;
    const json& expected = run.at("upgrades").at(name);
    bnq_config* next = nullptr;
    ASSERT_EQ(bnq_config_from_text(upgrade.c_str(), &next), BNQ_OK);
    EXPECT_EQ(TextOf(Owned<bnq_config>(next).get()),
              expected.at(0).get<std::string>());
    EXPECT_EQ(row[BNQ_ALLOCATION_ROW_UPGRADE_BYTES],
              expected.at(1).get<double>());
    EXPECT_EQ(row[BNQ_ALLOCATION_ROW_UPGRADE_LOSS],
              expected.at(2).get<double>());
  }
}

void CheckRun(const json& run, const bnq_sensitivity* sensitivity) {
  SCOPED_TRACE(run.at("budget").dump() + " " +
               run.at("plan").get<std::string>());
  const Owned<bnq_plan> plan = NewPlan();
  ASSERT_EQ(bnq_plan_add_text(plan.get(), nullptr,
                              run.at("plan").get<std::string>().c_str()),
            BNQ_OK)
      << bnq_last_error();
  const std::string kind = run.at("budget_kind");
  bnq_allocation* allocation = nullptr;
  const bnq_status status =
      bnq_allocate(sensitivity, plan.get(),
                   kind == "bytes"  ? BNQ_BUDGET_BYTES
                   : kind == "bits" ? BNQ_BUDGET_BITS
                                    : BNQ_BUDGET_RATIO,
                   run.at("budget").get<double>(),
                   run.at("flags").get<int32_t>(), &allocation);
  const Owned<bnq_allocation> owner(allocation);
  if (run.contains("status")) return ExpectRefused(run, status);
  ASSERT_EQ(status, BNQ_OK) << bnq_last_error();

  double values[BNQ_NUM_ALLOCATION_VALUES];
  ASSERT_EQ(
      bnq_allocation_values(allocation, values, BNQ_NUM_ALLOCATION_VALUES),
      BNQ_OK);
  const auto expect = [&](int32_t value, const char* key) {
    EXPECT_EQ(values[value], run.at(key).get<double>()) << key;
  };
  expect(BNQ_ALLOCATION_BUDGET_BYTES, "budget_bytes");
  expect(BNQ_ALLOCATION_BYTES, "bytes");
  expect(BNQ_ALLOCATION_MIN_BYTES, "min_bytes");
  expect(BNQ_ALLOCATION_MAX_BYTES, "max_bytes");
  expect(BNQ_ALLOCATION_LOSS, "loss");
  expect(BNQ_ALLOCATION_BOUND, "loss");
  EXPECT_EQ(values[BNQ_ALLOCATION_PROVEN], 1.0);
  EXPECT_EQ(values[BNQ_ALLOCATION_GAP], 0.0);
  CheckConfigs(run, allocation);
}

TEST(AllocationVectors, AllCases) {
  for (const json& c : Cases("allocation.json")) {
    SCOPED_TRACE(c.at("name").get<std::string>());
    bnq_sensitivity* sensitivity = nullptr;
    const bnq_status status = bnq_sensitivity_from_json(
        c.at("sensitivity").dump().c_str(), &sensitivity);
    const Owned<bnq_sensitivity> owner(sensitivity);
    if (c.contains("status")) {
      ExpectRefused(c, status);
      continue;
    }
    ASSERT_EQ(status, BNQ_OK) << bnq_last_error();
    EXPECT_GT(c.at("runs").size(), 0u);
    for (const json& run : c.at("runs")) CheckRun(run, sensitivity);
  }
}

}  // namespace
}  // namespace bnq_test
