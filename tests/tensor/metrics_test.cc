// Metrics are the same on every target, for any number of threads and any way
// of slicing, and agree with sums taken in another way.
#include "core/tensor/metrics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <vector>

#include "core/parallel/runner.h"
#include "core/scheme/registry.h"
#include "core/tensor/dequantize.h"
#include "core/tensor/quantize.h"
#include "tests/support/targets.h"
#include "tests/support/values.h"

namespace bnq {
namespace {

ArrayView View(const std::vector<float>& values) {
  ArrayView view;
  view.data = reinterpret_cast<const uint8_t*>(values.data());
  const uint64_t n = values.size();
  view.shape = Shape::Make(1, &n);
  return view;
}

TEST(Metrics, SameEverywhere) {
  for (uint64_t n : {1, 15, 16, 17, 4095, 4096, 4097, 70001, 300000}) {
    const std::vector<float> a = bnq_test::HardValues(n, 4);
    std::vector<float> b = bnq_test::HardValues(n, 8);
    for (uint64_t i = 0; i < n; ++i) b[i] = a[i] + 0.1f * b[i];
    long double sq = 0, abs = 0, aa = 0, bb = 0, ab = 0, max = 0;
    for (uint64_t i = 0; i < n; ++i) {
      const long double x = a[i], y = b[i], e = x - y;
      sq += e * e;
      abs += std::fabs(e);
      max = std::fmax(max, std::fabs(e));
      aa += x * x;
      bb += y * y;
      ab += x * y;
    }
    const double expected[kNumMetrics] = {
        static_cast<double>(sq / n), static_cast<double>(abs / n),
        static_cast<double>(max), static_cast<double>(10 * std::log10(aa / sq)),
        static_cast<double>(ab / std::sqrt(aa * bb))};
    Context serial, threads;
    threads.runner = MakePool(8);
    Metrics first = Metrics::None();
    bnq_test::ForEachTarget([&] {
      for (const Context* context : {&serial, &threads}) {
        const Metrics m = Compare(*context, View(a), View(b));
        if (std::isnan(first.values[0])) first = m;
        for (int i = 0; i < kNumMetrics; ++i) {
          EXPECT_NEAR(m.values[i], expected[i], 1e-12 * std::fabs(expected[i]))
              << MetricName(i) << " of " << n;
          EXPECT_EQ(m.values[i], first.values[i]) << MetricName(i);
        }
      }
    });
    ErrorSums sums;
    const ErrorSums::Side side_a = ArraySide(View(a)),
                          side_b = ArraySide(View(b));
    for (uint64_t begin = 0; begin < n; begin += 3 * kChunk) {
      sums.Add(serial, begin, std::min<uint64_t>(n, begin + 3 * kChunk), side_a,
               side_b);
    }
    EXPECT_EQ(0, std::memcmp(sums.Result().values, first.values,
                             sizeof first.values));
  }
}

TEST(Metrics, OfATensorAreThoseOfItsValues) {
  const std::vector<float> a = bnq_test::HardValues(100003, 4);
  Context context;
  context.runner = MakePool(2);
  for (int f = 0; f < NumFormats(); ++f) {
    Config config;
    config.SetText("format", FormatAt(f).name);
    config.SetText("group_size", "100");
    const auto tensor = Quantize(context, config, View(a));
    std::vector<float> b(a.size());
    Dequantizer(context, *tensor)
        .DecodeParallel(0, a.size(), DType::kF32,
                        reinterpret_cast<uint8_t*>(b.data()));
    const Metrics whole = Compare(context, View(a), View(b));
    const Metrics direct = Compare(context, View(a), *tensor);
    EXPECT_EQ(0, std::memcmp(whole.values, direct.values, sizeof whole.values))
        << FormatAt(f).name;
  }
}

TEST(Metrics, NonFiniteIsNamed) {
  std::vector<float> a(5000, 1.0f), b = a;
  b[4711] = -INFINITY;
  try {
    Compare(Context(), View(a), View(b));
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.status(), Status::kNonFinite);
    EXPECT_NE(e.message().find("other: element 4711"), std::string::npos)
        << e.message();
  }
}

}  // namespace
}  // namespace bnq
