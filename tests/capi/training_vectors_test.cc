// The shared vectors of training through the C ABI, on every SIMD target.
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "tests/capi/vectors_test_util.h"

namespace bnq_test {
namespace {

class TrainingVectors : public VectorsTest {
 protected:
  void Check(const json& c) {
    bnq_config* config = nullptr;
    ASSERT_EQ(bnq_config_create(&config), BNQ_OK);
    const Owned<bnq_config> own_config(config);
    ASSERT_EQ(Configure(c.at("config"), bnq_config_settings(config)), BNQ_OK);
    bnq_training* training = nullptr;
    ASSERT_EQ(bnq_training_create(&training), BNQ_OK);
    const Owned<bnq_training> own_training(training);
    ASSERT_EQ(Configure(c.at("training"), bnq_training_settings(training)),
              BNQ_OK);
    Forward(c, config, training);
    if (c.contains("range")) Range(c, config);
    if (c.contains("dy")) Backward(c, config, training);
  }

 private:
  struct Params {
    explicit Params(const json& c) {
      for (const uint32_t bits : Bits(c.at("scales"))) {
        scales.push_back(FromBits(bits));
      }
      for (const uint32_t bits : Bits(c.at("offsets"))) {
        offsets.push_back(FromBits(bits));
      }
      zero_points = c.at("zero_points").get<std::vector<int8_t>>();
    }
    static float FromBits(uint32_t bits) {
      float value;
      std::memcpy(&value, &bits, sizeof value);
      return value;
    }
    float* of(std::vector<float>& values) {
      return values.empty() ? nullptr : values.data();
    }
    std::vector<float> scales, offsets;
    std::vector<int8_t> zero_points;
  };

  void Forward(const json& c, const bnq_config* config,
               const bnq_training* training) {
    const InputArray input(c);
    const bnq_array source = input.view();
    Params expected(c);
    Params params = expected;
    const bool given = c.at("given");
    if (!given) {
      // To be found.
      params.scales.assign(params.scales.size(), -1.0f);
      params.offsets.assign(params.offsets.size(), -1.0f);
      params.zero_points.assign(params.zero_points.size(), -1);
    }
    std::vector<float> values(input.values.size());
    std::vector<uint8_t> clipped(values.size(), 7);
    uint64_t count = 0;
    ASSERT_EQ(
        bnq_fake_quantize(
            context_, config, training, &source, given,
            params.of(params.scales),
            params.zero_points.empty() ? nullptr : params.zero_points.data(),
            params.of(params.offsets), params.scales.size(), BNQ_DTYPE_F32,
            BNQ_OVERFLOW_ERROR, values.data(), 4 * values.size(),
            clipped.data(), clipped.size(), &count, nullptr, 0, nullptr),
        BNQ_OK)
        << bnq_last_error();
    EXPECT_EQ(BitsOf(values), Bits(c.at("values")));
    EXPECT_EQ(clipped, c.at("clipped").get<std::vector<uint8_t>>());
    uint64_t ones = 0;
    for (uint8_t one : clipped) ones += one;
    EXPECT_EQ(count, ones);
    EXPECT_EQ(BitsOf(params.scales), BitsOf(expected.scales));
    EXPECT_EQ(params.zero_points, expected.zero_points);
    EXPECT_EQ(BitsOf(params.offsets), BitsOf(expected.offsets));
  }

  static void Range(const json& c, const bnq_config* config) {
    const std::vector<float> range = Numbers(c.at("range"));
    const Params expected(c);
    float scale = 0.0f, offset = 0.0f;
    int8_t zero_point = 0;
    ASSERT_EQ(bnq_range_params(config, range[0], range[1], &scale, &zero_point,
                               &offset),
              BNQ_OK);
    EXPECT_EQ(scale, expected.scales[0]);
    if (!expected.zero_points.empty()) {
      EXPECT_EQ(zero_point, expected.zero_points[0]);
    }
    if (!expected.offsets.empty()) {
      EXPECT_EQ(offset, expected.offsets[0]);
    }
  }

  void Backward(const json& c, const bnq_config* config,
                const bnq_training* training) {
    const InputArray input(c);
    const bnq_array x = input.view();
    const std::vector<float> dy = Numbers(c.at("dy"));
    const bnq_array upstream = {dy.data(), input.shape.data(), BNQ_DTYPE_F32,
                                x.rank};
    Params params(c);
    const size_t n = params.scales.size();
    std::vector<float> dx(dy.size()), scales(n), shifts(n), ends(2 * n);
    float slope = 0.0f;
    ASSERT_EQ(
        bnq_fake_quantize_gradient(
            context_, config, training, &x, &upstream, params.of(params.scales),
            params.zero_points.empty() ? nullptr : params.zero_points.data(),
            params.of(params.offsets), n, BNQ_DTYPE_F32, dx.data(),
            4 * dx.size(), params.of(scales), params.of(shifts),
            params.of(ends), n != 0 ? &slope : nullptr),
        BNQ_OK)
        << bnq_last_error();
    EXPECT_EQ(BitsOf(dx), Bits(c.at("dx")));
    EXPECT_EQ(BitsOf(scales), Bits(c.at("scale_gradients")));
    if (!c.at("shift_gradients").empty()) {
      EXPECT_EQ(BitsOf(shifts), Bits(c.at("shift_gradients")));
    }
    EXPECT_EQ(BitsOf(ends), Bits(c.at("end_gradients")));
    EXPECT_EQ(BitsOf({slope}), Bits({c.at("slope_gradient")}));
    // The gradient of the array alone, in the place of dy.
    std::vector<float> both = dy;
    const bnq_array own = {both.data(), input.shape.data(), BNQ_DTYPE_F32,
                           x.rank};
    ASSERT_EQ(
        bnq_fake_quantize_gradient(
            context_, config, training, &x, &own, params.of(params.scales),
            params.zero_points.empty() ? nullptr : params.zero_points.data(),
            params.of(params.offsets), n, BNQ_DTYPE_F32, both.data(),
            4 * both.size(), nullptr, nullptr, nullptr, nullptr),
        BNQ_OK);
    EXPECT_EQ(BitsOf(both), BitsOf(dx));
  }
};

TEST_F(TrainingVectors, AreReproduced) {
  OnEveryTarget(Cases("training.json"), [this](const json& c) { Check(c); });
}

Owned<bnq_schedule> ScheduleOf(const json& c) {
  std::vector<Owned<bnq_phase>> phases;
  std::vector<const bnq_phase*> raw;
  for (const json& options : c.at("phases")) {
    bnq_phase* phase = nullptr;
    EXPECT_EQ(bnq_phase_create(&phase), BNQ_OK);
    phases.emplace_back(phase);
    EXPECT_EQ(Configure(options, bnq_phase_settings(phase)), BNQ_OK);
    raw.push_back(phase);
  }
  bnq_schedule* schedule = nullptr;
  EXPECT_EQ(bnq_schedule_create(raw.data(), raw.size(), &schedule), BNQ_OK);
  return Owned<bnq_schedule>(schedule);
}

// What layer `layer` is quantized into; null where it is not.
json FormatOf(const bnq_schedule* schedule, uint64_t layer, uint64_t layers,
              const json& state) {
  bnq_config* config = nullptr;
  EXPECT_EQ(bnq_config_from_text("int8,granularity=group", &config), BNQ_OK);
  const Owned<bnq_config> own_config(config);
  bnq_training* training = nullptr;
  EXPECT_EQ(bnq_training_create(&training), BNQ_OK);
  const Owned<bnq_training> own_training(training);
  int32_t quantized = -1;
  EXPECT_EQ(
      bnq_schedule_apply(schedule, layer, layers, config, training, &quantized),
      BNQ_OK);
  if (quantized == 0) return nullptr;
  double temperature = 0.0, share = 0.0;
  const bnq_options* options = bnq_training_options(training);
  EXPECT_EQ(
      bnq_options_get_float(options, BNQ_TRAINING_TEMPERATURE, &temperature),
      BNQ_OK);
  EXPECT_EQ(bnq_options_get_float(options, BNQ_TRAINING_PROBABILITY, &share),
            BNQ_OK);
  EXPECT_EQ(temperature, state.at("temperature").get<double>());
  EXPECT_EQ(share, state.at("share").get<double>());
  int64_t format = 0;
  EXPECT_EQ(
      bnq_options_get_int(bnq_config_options(config), BNQ_OPT_FORMAT, &format),
      BNQ_OK);
  return bnq_format_name(static_cast<int32_t>(format));
}

void ExpectState(const bnq_schedule* schedule, const json& state) {
  static const char* const kNames[] = {
      "phase", "phase_step", "step",      "bits",       "temperature",
      "share", "layers",     "best_loss", "since_best", "done"};
  double values[BNQ_NUM_SCHEDULE_VALUES];
  ASSERT_EQ(bnq_schedule_values(schedule, values, BNQ_NUM_SCHEDULE_VALUES),
            BNQ_OK);
  for (int i = 0; i < BNQ_NUM_SCHEDULE_VALUES; ++i) {
    const json& expected = state.at(kNames[i]);
    if (expected.is_null()) {
      EXPECT_TRUE(std::isnan(values[i])) << kNames[i];
    } else {
      EXPECT_EQ(values[i], expected.get<double>()) << kNames[i];
    }
  }
  const json& formats = state.at("formats");
  for (size_t layer = 0; layer < formats.size(); ++layer) {
    EXPECT_EQ(FormatOf(schedule, layer, formats.size(), state), formats[layer]);
  }
}

TEST(ScheduleVectors, AreReproduced) {
  for (const json& c : Cases("schedules.json")) {
    SCOPED_TRACE(c.at("name").get<std::string>());
    const Owned<bnq_schedule> schedule = ScheduleOf(c);
    const json& states = c.at("states");
    ExpectState(schedule.get(), states[0]);
    for (size_t i = 0; i < c.at("steps").size(); ++i) {
      SCOPED_TRACE(i);
      const json& step = c.at("steps")[i];
      const auto number = [&](const char* name) {
        return step.at(name).is_null() ? NAN : step.at(name).get<double>();
      };
      int32_t ended = -1;
      ASSERT_EQ(bnq_schedule_step(schedule.get(), number("loss"),
                                  number("error"), &ended),
                BNQ_OK);
      EXPECT_EQ(ended != 0, c.at("ended")[i].get<bool>());
      ExpectState(schedule.get(), states[i + 1]);
    }
  }
}

}  // namespace
}  // namespace bnq_test
