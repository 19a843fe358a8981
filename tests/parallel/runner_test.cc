#include "core/parallel/runner.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cfenv>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace bnq {
namespace {

Context WithPool(uint32_t threads) {
  Context context;
  context.runner = MakePool(threads);
  return context;
}

TEST(Pool, RunsEachTaskOnce) {
  for (const uint32_t threads : {1u, 2u, 5u}) {
    const Context context = WithPool(threads);
    for (const uint64_t count : {0u, 1u, 2u, 1000u}) {
      std::vector<std::atomic<int>> runs(count);
      ParallelFor(context, count, [&](uint64_t i) { ++runs[i]; });
      for (const auto& n : runs) EXPECT_EQ(n, 1);
    }
  }
}

TEST(Pool, AnotherThreadOrATaskThatUsesItMeanwhileWorksAlone) {
  const Context context = WithPool(3);
  std::atomic<int> runs{0};
  ParallelFor(context, 20, [&](uint64_t) {
    ParallelFor(context, 20, [&](uint64_t) { ++runs; });
  });
  EXPECT_EQ(runs, 400);
}

TEST(Pool, RethrowsWhatTheTaskOfTheLeastIndexThrew) {
  const Context context = WithPool(4);
  for (int round = 0; round < 10; ++round) {
    try {
      // All throw at once, so that none is skipped.
      std::atomic<int> waiting{4};
      ParallelFor(context, 4, [&](uint64_t i) {
        for (--waiting; waiting > 0;) {
          std::this_thread::yield();
        }
        throw std::runtime_error(std::to_string(i));
      });
      ADD_FAILURE();
    } catch (const std::runtime_error& error) {
      EXPECT_EQ(error.what(), std::string("0"));
    }
  }
}

// A host's runner may take tasks in any order.
class Backwards : public Runner {
 public:
  uint32_t workers() const override { return 2; }
  void Run(uint64_t count, const std::function<void(uint64_t)>& task) override {
    for (uint64_t i = count; i-- > 0;) task(i);
  }
};

TEST(Pool, ATaskBelowOneThatFailedIsNotSkipped) {
  Context context;
  context.runner = std::make_shared<Backwards>();
  std::vector<int> runs(6);
  try {
    ParallelFor(context, 6, [&](uint64_t i) {
      ++runs[i];
      if (i == 4 || i == 1) throw std::runtime_error(std::to_string(i));
    });
    ADD_FAILURE();
  } catch (const std::runtime_error& error) {
    EXPECT_EQ(error.what(), std::string("1"));
  }
  EXPECT_EQ(runs, std::vector<int>(6, 1));
}

// Its threads are started by whoever comes first, and inherit from there.
TEST(Pool, ItsThreadsHaveTheLibrarysFloatingPointEnvironment) {
  const Context context = WithPool(3);
  std::atomic<int> others{0};
  const auto caller = std::this_thread::get_id();
  ASSERT_EQ(std::fesetround(FE_UPWARD), 0);
  std::atomic<int> waiting{3};
  ParallelFor(context, 3, [&](uint64_t) {
    for (--waiting; waiting > 0;) {
      std::this_thread::yield();
    }
    if (std::this_thread::get_id() == caller) return;
    const volatile float one = 1.0f, tiny = 1e-10f;
    others += one + tiny == one;
  });
  std::fesetround(FE_TONEAREST);
  EXPECT_EQ(others, 2);
}

}  // namespace
}  // namespace bnq
