// Observing, on every target, against a reference that shares no code with it:
// histograms value by value, sums as kernels/chunk.h defines them.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <map>
#include <vector>

#include "core/calibration/calibrator.h"
#include "core/parallel/runner.h"
#include "tests/support/reference.h"
#include "tests/support/sweep.h"
#include "tests/support/targets.h"
#include "tests/support/values.h"

namespace bnq_test {
namespace {

using namespace bnq;

struct Expected {
  uint64_t count = 0, zeros = 0, non_finite = 0;
  float min = 0, max = 0;
  double sums[5] = {};
  std::vector<uint64_t> bins;
  double first = 0, width = 1;
};

Expected ReferenceOf(const std::vector<float>& values, size_t capacity) {
  Expected e;
  for (size_t chunk = 0; chunk < values.size(); chunk += 4096) {
    double lanes[5][16] = {};
    size_t lane = 0;
    for (size_t i = chunk; i < std::min(values.size(), chunk + 4096); ++i) {
      const float f = values[i];
      if (!std::isfinite(f)) {
        ++e.non_finite;
        continue;
      }
      e.min = e.count == 0 ? f : std::min(e.min, f);
      e.max = e.count == 0 ? f : std::max(e.max, f);
      ++e.count;
      e.zeros += f == 0;
      const double x = f;
      const double powers[5] = {x, std::fabs(x), x * x, x * x * x,
                                (x * x) * (x * x)};
      for (int k = 0; k < 5; ++k) lanes[k][lane % 16] += powers[k];
      ++lane;
    }
    for (int k = 0; k < 5; ++k) {
      for (size_t half = 8; half != 0; half /= 2) {
        for (size_t l = 0; l < half; ++l) lanes[k][l] += lanes[k][l + half];
      }
      e.sums[k] += lanes[k][0];
    }
  }
  if (e.count == 0) return e;
  int exponent = -126;
  const auto bin = [&](float x) {
    return std::floor(std::ldexp(double{x}, -exponent));
  };
  while (bin(e.max) - bin(e.min) + 1 > static_cast<double>(capacity) ||
         std::max(std::fabs(e.max), std::fabs(e.min)) >=
             std::ldexp(4194304.0, exponent)) {
    ++exponent;
  }
  e.width = std::ldexp(1.0, exponent);
  e.first = bin(e.min) * e.width;
  e.bins.resize(static_cast<size_t>(bin(e.max) - bin(e.min) + 1));
  for (const float f : values) {
    if (std::isfinite(f)) {
      ++e.bins[static_cast<size_t>(bin(f) - bin(e.min))];
    }
  }
  return e;
}

void ExpectChannel(const Calibrator& calibrator, uint64_t channel,
                   const Expected& e) {
  using S = CalibrationStatistic;
  const CalibrationStatistics s = calibrator.Statistics(channel);
  const double n = static_cast<double>(e.count);
  EXPECT_EQ(s.at(S::kCount), n);
  EXPECT_EQ(s.at(S::kNonFinite), static_cast<double>(e.non_finite));
  const HistogramView view = calibrator.Histogram(channel);
  EXPECT_EQ(view.counts, e.bins);
  if (e.count == 0) return;
  EXPECT_EQ(s.at(S::kMin), e.min);
  EXPECT_EQ(s.at(S::kMax), e.max);
  EXPECT_EQ(s.at(S::kZeroShare), static_cast<double>(e.zeros) / n);
  if (calibrator.options().keeps_moments()) {
    EXPECT_EQ(s.at(S::kMean), e.sums[0] / n);
    EXPECT_EQ(s.at(S::kAbsMean), e.sums[1] / n);
  }
  EXPECT_EQ(view.first, e.first);
  EXPECT_EQ(view.width, e.width);
}

// Set to keep everything there is to compare, or all but the sums, without
// which channels are gone through in another way.
Calibrator Everything(const char* moments = "on") {
  Calibrator calibrator;
  calibrator.SetText("moments", moments);
  calibrator.SetText("histogram", "on");
  calibrator.SetText("bins", "64");
  return calibrator;
}

Context Threads(uint32_t threads) {
  Context context;
  if (threads > 1) context.runner = MakePool(threads);
  return context;
}

ArrayView Array(const std::vector<float>& values, const Shape& shape) {
  return {reinterpret_cast<const uint8_t*>(values.data()), DType::kF32, shape};
}

Shape Dims(const std::vector<uint64_t>& dims) {
  return Shape::Make(static_cast<int32_t>(dims.size()), dims.data());
}

TEST(CalibrationTargets, LengthsAndValues) {
  const std::vector<size_t> lengths = {1,    2,    3,    7,    15,   16,   17,
                                       31,   33,   63,   65,   127,  255,  1023,
                                       1025, 4095, 4096, 4097, 8192, 20011};
  uint32_t seed = 0;
  for (const size_t length : lengths) {
    for (int kind = 0; kind < 4; ++kind) {
      const std::vector<float> values = HardValues(length, seed++);
      const Expected expected = ReferenceOf(values, 128);
      ForEachTarget([&] {
        Calibrator calibrator = Everything();
        calibrator.Observe(Context(), Array(values, Dims({length})), nullptr);
        ExpectChannel(calibrator, 0, expected);
      });
    }
  }
}

TEST(CalibrationTargets, AnyAlignment) {
  const std::vector<float> values = HardValues(5000, 3);
  std::vector<uint8_t> bytes(5000 * 4 + 64);
  const Expected expected = ReferenceOf(values, 128);
  ForEachTarget([&] {
    for (size_t offset = 0; offset < 20; ++offset) {
      std::memcpy(bytes.data() + offset, values.data(), values.size() * 4);
      Calibrator calibrator = Everything();
      calibrator.Observe(Context(),
                         {bytes.data() + offset, DType::kF32, Dims({5000})},
                         nullptr);
      ExpectChannel(calibrator, 0, expected);
    }
  });
}

TEST(CalibrationTargets, EveryType) {
  std::vector<float> values = HardValues(9000, 0);
  std::vector<double> f64(values.size());
  std::vector<uint16_t> f16(values.size()), bf16(values.size());
  std::vector<float> from16(values.size()), frombf(values.size());
  for (size_t i = 0; i < values.size(); ++i) {
    f64[i] = double{values[i]} * (1 + 1e-12);
    f16[i] = ReferenceF16(values[i]);
    from16[i] = ReferenceFromF16(f16[i]);
    bf16[i] = ReferenceBF16(values[i]);
    frombf[i] = ReferenceFromBF16(bf16[i]);
  }
  const auto check = [&](const void* data, DType dtype,
                         const std::vector<float>& as_float) {
    const Expected expected = ReferenceOf(as_float, 128);
    ForEachTarget([&] {
      Calibrator calibrator = Everything();
      calibrator.Observe(
          Context(),
          {static_cast<const uint8_t*>(data), dtype, Dims({values.size()})},
          nullptr);
      ExpectChannel(calibrator, 0, expected);
    });
  };
  check(f64.data(), DType::kF64, values);
  check(f16.data(), DType::kF16, from16);
  check(bf16.data(), DType::kBF16, frombf);
}

TEST(CalibrationTargets, ChannelsOfAnyAxis) {
  const std::vector<std::vector<uint64_t>> shapes = {
      {7, 5},      {300, 3},    {5, 300, 2}, {2, 3, 4, 5}, {1, 9},
      {40, 33, 1}, {3, 2, 700}, {4200, 18},  {2, 5000},    {6, 2, 300, 3},
      {50, 70},    {9, 130, 2}, {3, 2100}};
  uint32_t seed = 100;
  for (const auto& dims : shapes) {
    const Shape shape = Dims(dims);
    std::vector<float> values = HardValues(shape.elements(), seed++);
    const bool finite = seed % 3 == 0;
    for (size_t i = 0; i < values.size() && !finite; i += 97) {
      values[i] = i % 2 ? std::numeric_limits<float>::infinity()
                        : std::numeric_limits<float>::quiet_NaN();
    }
    std::vector<uint8_t> unaligned(4 * values.size() + 1);
    std::memcpy(unaligned.data() + 1, values.data(), 4 * values.size());
    for (int axis = 0; axis < shape.rank; ++axis) {
      uint64_t inner = 1;
      for (int i = axis + 1; i < shape.rank; ++i) inner *= dims[i];
      std::vector<std::vector<float>> channels(dims[axis]);
      for (size_t i = 0; i < values.size(); ++i) {
        channels[i / inner % dims[axis]].push_back(values[i]);
      }
      std::vector<Expected> expected;
      for (const auto& channel : channels) {
        expected.push_back(ReferenceOf(channel, 128));
      }
      ForEachTarget([&] {
        for (const char* moments : {"on", "off"}) {
          Calibrator calibrator = Everything(moments);
          calibrator.SetText("granularity", "channel");
          calibrator.SetInt(static_cast<int32_t>(CalibrationOption::kAxis),
                            seed % 2 ? axis : axis - shape.rank);
          calibrator.SetText("non_finite", "skip");
          // As it is, or where no float can be read directly.
          const uint8_t* data = seed / 2 % 2 == 0 ? unaligned.data() + 1
                                                  : Array(values, shape).data;
          calibrator.Observe(Threads(2), {data, DType::kF32, shape}, nullptr);
          ASSERT_EQ(calibrator.channels(), dims[axis]);
          for (uint64_t c = 0; c < channels.size(); ++c) {
            ExpectChannel(calibrator, c, expected[c]);
          }
        }
      });
    }
  }
}

// Arrays larger than the largest piece of work there is (2^20 values), and how
// their values are shared out: in channels of more and of fewer values than are
// gathered from many channels at a time (256), and more of them than a task
// gathers (64) or sums up (2048).
struct Large {
  std::vector<uint64_t> dims;
  const char* granularity;
  const char* axis;
};

class CalibrationThreads : public testing::TestWithParam<Large> {};

TEST_P(CalibrationThreads, AndTargetsGiveTheSameBytes) {
  const Shape shape = Dims(GetParam().dims);
  const std::vector<float> values = HardValues(shape.elements(), 8);
  std::string expected;
  Sweep sweep(GetParam().dims[0]);
  ForEachTarget([&] {
    for (const uint32_t threads : {1u, 2u, 8u}) {
      const bool first = expected.empty();
      if (!first && !sweep.Take()) continue;
      Calibrator calibrator = Everything();
      calibrator.SetText("granularity", GetParam().granularity);
      calibrator.SetText("axis", GetParam().axis);
      calibrator.Observe(Threads(threads), Array(values, shape), nullptr);
      const std::string bytes = calibrator.Serialize();
      if (first) expected = bytes;
      EXPECT_TRUE(bytes == expected)
          << shape.ToString() << " on " << threads << " threads";
    }
  });
}

INSTANTIATE_TEST_SUITE_P(Arrays, CalibrationThreads,
                         testing::Values(Large{{1100000}, "tensor", "0"},
                                         Large{{44000, 25}, "tensor", "0"},
                                         Large{{2200, 120}, "channel", "0"},
                                         Large{{44000, 25}, "channel", "-1"},
                                         Large{{25, 44000}, "tensor", "0"},
                                         Large{{25, 44000}, "channel", "0"},
                                         Large{{500, 2200}, "channel", "-1"},
                                         Large{{3, 370000}, "tensor", "0"},
                                         Large{{3, 370000}, "channel", "0"}),
                         [](const auto& array) {
                           std::string name;
                           for (uint64_t dim : array.param.dims) {
                             name += std::to_string(dim) + "_";
                           }
                           name += array.param.granularity;
                           return name +
                                  (*array.param.axis == '-' ? "_last" : "");
                         });

}  // namespace
}  // namespace bnq_test
