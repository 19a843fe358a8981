#include "core/training/schedule.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "core/base/error.h"

namespace bnq {
namespace {

PhaseOptions Phase(
    std::initializer_list<std::pair<const char*, const char*>> options) {
  PhaseOptions phase;
  for (const auto& option : options) phase.SetText(option.first, option.second);
  return phase;
}

Schedule Example() {
  return Schedule(
      {Phase({{"bits", "8"}, {"steps", "3"}}),
       Phase({{"bits", "4"}, {"patience", "2"}, {"improvement", "0.1"}}),
       Phase({{"bits", "2"}, {"max_error", "0.05"}}),
       Phase({{"bits", "1.58"},
              {"steps", "5"},
              {"temperature_begin", "1"},
              {"share_begin", "0.5"},
              {"layers_begin", "0.25"}})});
}

TEST(Schedule, PhasesEndBySteps_LossAndError) {
  Schedule schedule = Example();
  EXPECT_EQ(schedule.bits(), 8);
  EXPECT_FALSE(schedule.Step(1.0, NAN));
  EXPECT_FALSE(schedule.Step(NAN, NAN));
  EXPECT_TRUE(schedule.Step(5.0, 0.001));
  EXPECT_EQ(schedule.bits(), 4);
  // A loss is better from a tenth less on.
  EXPECT_FALSE(schedule.Step(1.0, NAN));
  EXPECT_FALSE(schedule.Step(0.95, NAN));
  EXPECT_FALSE(schedule.Step(0.85, NAN));
  EXPECT_EQ(schedule.best_loss(), 0.85);
  EXPECT_FALSE(schedule.Step(0.84, NAN));
  EXPECT_FALSE(schedule.Step(NAN, NAN));
  EXPECT_TRUE(schedule.Step(0.84, NAN));
  EXPECT_EQ(schedule.bits(), 2);
  EXPECT_FALSE(schedule.Step(0.5, 0.06));
  EXPECT_TRUE(schedule.Step(0.5, 0.05));
  EXPECT_EQ(schedule.phase(), 3u);
  const double temperatures[] = {1.0, 0.75, 0.5, 0.25, 0.0};
  for (double temperature : temperatures) {
    EXPECT_EQ(schedule.temperature(), temperature);
    EXPECT_EQ(schedule.share(), 1.0 - temperature / 2);
    EXPECT_EQ(schedule.layers(), 1.0 - 0.75 * temperature);
    EXPECT_FALSE(schedule.done());
    schedule.Step(0.5, NAN);
  }
  EXPECT_TRUE(schedule.done());
  EXPECT_FALSE(schedule.Step(0.5, NAN));
  EXPECT_EQ(schedule.temperature(), 0.0);
  EXPECT_EQ(schedule.step(), 17u);
}

TEST(Schedule, AppliesToLayers) {
  Schedule schedule({Phase({{"bits", "1.58"},
                            {"steps", "5"},
                            {"temperature_begin", "1"},
                            {"share_begin", "0.5"},
                            {"layers_begin", "0.25"}})});
  Config config = Config::FromText("int8,granularity=group,group_size=64");
  TrainingOptions training;
  EXPECT_TRUE(schedule.Apply(0, 4, &config, &training));
  EXPECT_EQ(
      config.ToText(),
      Config::FromText("ternary,granularity=group,group_size=64").ToText());
  EXPECT_EQ(training.temperature(), 1.0f);
  EXPECT_EQ(training.probability(), 0.5);
  EXPECT_FALSE(schedule.Apply(1, 4, &config, &training));
  for (int i = 0; i < 4; ++i) schedule.Step(NAN, NAN);
  EXPECT_TRUE(schedule.Apply(3, 4, &config, &training));
  EXPECT_EQ(training.temperature(), 0.0f);
  EXPECT_THROW(schedule.Apply(4, 4, &config, &training), Error);

  // 32 bits are none.
  EXPECT_FALSE(
      Schedule({Phase({{"bits", "32"}})}).Apply(0, 1, &config, &training));
}

std::string Refusal(std::vector<PhaseOptions> phases) {
  try {
    Schedule schedule(std::move(phases));
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(Schedule, Refuses) {
  EXPECT_NE(Refusal({}).find("none"), std::string::npos);
  EXPECT_NE(Refusal({Phase({}), Phase({})}).find("phase 0"), std::string::npos);
  EXPECT_NE(Refusal({Phase({{"bits", "7.5"}})}).find("7.5"), std::string::npos);
  Schedule schedule = Example();
  EXPECT_THROW(schedule.Step(INFINITY, NAN), Error);
  EXPECT_THROW(schedule.Step(1.0, -INFINITY), Error);
  EXPECT_EQ(schedule.step(), 0u);
}

// A schedule that was stored goes on as the one that was not; bytes that are
// damaged anywhere are refused.
TEST(Schedule, IsSerialized) {
  Schedule schedule = Example();
  for (int i = 0; i < 17; ++i) {
    const std::string bytes = schedule.Serialize();
    const auto* data = reinterpret_cast<const uint8_t*>(bytes.data());
    Schedule copy = Schedule::Deserialize(data, bytes.size());
    EXPECT_EQ(copy.Serialize(), bytes);
    const double loss = 1.0 / (1 + i % 4), error = 0.5 / (i + 1);
    EXPECT_EQ(copy.Step(loss, error), schedule.Step(loss, error));
    EXPECT_EQ(copy.Serialize(), schedule.Serialize());
  }
  const std::string bytes = schedule.Serialize();
  for (size_t i = 0; i < bytes.size(); ++i) {
    std::string damaged = bytes;
    damaged[i] = static_cast<char>(damaged[i] ^ 1);
    const auto* data = reinterpret_cast<const uint8_t*>(damaged.data());
    EXPECT_THROW(Schedule::Deserialize(data, damaged.size()), Error) << i;
    EXPECT_THROW(Schedule::Deserialize(
                     reinterpret_cast<const uint8_t*>(bytes.data()), i),
                 Error);
  }
}

}  // namespace
}  // namespace bnq
