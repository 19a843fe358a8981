#include "core/model/knapsack.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "core/base/error.h"

namespace bnq {
namespace {

using Choices = std::vector<uint32_t>;

// By hand: greedy by error for a byte takes A and stays at 24, and the
// multiplier's bound is 20.4.
TEST(Knapsack, ProvesWhatGreedyMisses) {
  const std::vector<KnapsackItem> items = {
      {{0, 10.0}, {6, 4.0}}, {{0, 10.0}, {5, 5.5}}, {{0, 10.0}, {5, 5.5}}};
  const KnapsackSolution solution = SolveKnapsack(items, 10);
  EXPECT_EQ(solution.choices, (Choices{0, 1, 1}));
  EXPECT_EQ(solution.bytes, 10u);
  EXPECT_EQ(solution.error, 21.0);
  EXPECT_EQ(solution.bound, 21.0);
  EXPECT_TRUE(solution.proven);
  EXPECT_NEAR(solution.lambda, 0.9, 1e-6);
  // Without memory for states the bound is the multiplier's.
  const KnapsackSolution greedy = SolveKnapsack(items, 10, 0);
  EXPECT_FALSE(greedy.proven);
  EXPECT_NEAR(greedy.bound, 20.4, 1e-6);
  EXPECT_GE(greedy.error, 21.0);
  EXPECT_LE(greedy.bytes, 10u);
}

TEST(Knapsack, ChoicesByBudget) {
  const std::vector<KnapsackItem> items = {{{10, 8.0}, {20, 3.0}, {40, 0.5}},
                                           {{10, 9.0}, {20, 5.0}, {40, 0.4}},
                                           {{5, 2.0}, {10, 1.5}, {20, 0.1}}};
  const struct {
    uint64_t budget;
    Choices choices;
    double error;
    uint64_t bytes;
  } cases[] = {{45, {1, 1, 0}, 10.0, 45}, {50, {1, 1, 1}, 9.5, 50},
               {55, {1, 1, 1}, 9.5, 50},  {60, {1, 1, 2}, 8.1, 60},
               {70, {1, 2, 1}, 4.9, 70},  {80, {1, 2, 2}, 3.5, 80},
               {100, {2, 2, 2}, 1.0, 100}};
  for (const auto& c : cases) {
    const KnapsackSolution solution = SolveKnapsack(items, c.budget);
    EXPECT_EQ(solution.choices, c.choices) << c.budget;
    EXPECT_NEAR(solution.error, c.error, 1e-12) << c.budget;
    EXPECT_EQ(solution.bytes, c.bytes) << c.budget;
    EXPECT_TRUE(solution.proven) << c.budget;
  }
  try {
    SolveKnapsack(items, 24);
    FAIL() << "25 bytes do not fit 24";
  } catch (const Error& error) {
    EXPECT_EQ(error.status(), Status::kInvalidArgument);
    EXPECT_EQ(error.message(), "budget = 24 bytes, must be at least 25");
  }
}

// All choices, in the order of the items: the first of the least error, then
// of the fewest bytes.
struct Best {
  const std::vector<KnapsackItem>& items;
  const uint64_t budget;
  Choices now, best;
  double error = INFINITY;
  uint64_t bytes = 0;

  void Try(size_t item, uint64_t size, double sum) {
    if (size > budget) return;
    if (item == items.size()) {
      if (sum < error || (sum == error && size < bytes)) {
        error = sum;
        bytes = size;
        best = now;
      }
      return;
    }
    for (size_t c = 0; c < items[item].size(); ++c) {
      now.push_back(static_cast<uint32_t>(c));
      Try(item + 1, size + items[item][c].bytes, sum + items[item][c].error);
      now.pop_back();
    }
  }
};

TEST(Knapsack, IsBruteForce) {
  std::mt19937 random(7);
  int with_ties = 0, improved = 0;
  for (int round = 0; round < 2000; ++round) {
    const bool coarse = round % 2 == 0;  // equal sums
    std::vector<KnapsackItem> items(1 + random() % 6);
    uint64_t least = 0, most = 0;
    for (KnapsackItem& item : items) {
      item.resize(1 + random() % 5);
      uint64_t low = UINT64_MAX, high = 0;
      for (KnapsackOption& option : item) {
        option.bytes = random() % (coarse ? 6 : 1000);
        option.error = coarse ? static_cast<double>(random() % 8)
                              : std::ldexp(random(), -20);
        low = std::min(low, option.bytes);
        high = std::max(high, option.bytes);
      }
      least += low;
      most += high;
    }
    const uint64_t budget = least + random() % (most - least + 1);
    Best brute{items, budget, {}, {}};
    brute.Try(0, 0, 0.0);
    const KnapsackSolution solution = SolveKnapsack(items, budget);
    ASSERT_TRUE(solution.proven);
    ASSERT_LE(solution.bytes, budget);
    ASSERT_EQ(solution.error, brute.error) << "round " << round;
    ASSERT_EQ(solution.bytes, brute.bytes) << "round " << round;
    ASSERT_EQ(solution.choices, brute.best) << "round " << round;
    with_ties += coarse;
    // The bound holds without the proof, too.
    const KnapsackSolution quick = SolveKnapsack(items, budget, 0);
    ASSERT_LE(quick.bound, brute.error * (1 + 1e-12) + 1e-12);
    ASSERT_GE(quick.error, brute.error);
    ASSERT_LE(quick.bytes, budget);
    improved += quick.error > brute.error;
  }
  EXPECT_GT(with_ties, 900);
  EXPECT_GT(improved, 20) << "the proof must find what greedy does not";
}

// The shape of a model: 1 000 tensors of a few sizes, 12 configs each.
TEST(Knapsack, ProvesModels) {
  std::mt19937 random(11);
  std::vector<KnapsackItem> items;
  uint64_t most = 0;
  for (int i = 0; i < 1000; ++i) {
    const uint64_t n = uint64_t{1} << (20 + random() % 4);
    const double hardness = std::exp2(std::ldexp(random(), -32) * 4 - 2);
    KnapsackItem item;
    for (int bits = 2; bits < 14; ++bits) {
      const double noise = 0.9 + std::ldexp(random(), -32) * 0.2;
      item.push_back(
          {n * static_cast<uint64_t>(bits) / 8,
           hardness * noise * std::exp2(-1.9 * bits) * static_cast<double>(n)});
    }
    most += item.back().bytes;
    items.push_back(item);
  }
  for (const double share : {0.25, 0.35, 0.5, 0.8}) {
    const auto budget =
        static_cast<uint64_t>(static_cast<double>(most) * share);
    const KnapsackSolution solution = SolveKnapsack(items, budget);
    EXPECT_TRUE(solution.proven) << share;
    EXPECT_LE(solution.bytes, budget);
    EXPECT_LT(solution.most_states, 20000u);
  }
}

}  // namespace
}  // namespace bnq
