// Calibration as a program sees it, in the manner of bnq_bench.cc:
//
//   calibrate/observe/<what>/<tier>/<threads>  batches of float32
//   calibrate/range/<method>                   the search in a histogram
//
// Bytes per second count float32 bytes; vs_read is the median ratio to a read
// of the same memory, measured in turn with it.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "bench/memory.h"
#include "bnq/bnq.h"

namespace bnq_bench {
namespace {

using Options = std::vector<std::pair<const char*, const char*>>;

void Check(bnq_status status) {
  if (status == BNQ_OK) return;
  std::fprintf(stderr, "%s\n", bnq_last_error());
  std::abort();
}

// Gaussian enough, and quick to make.
const std::vector<float>& Values(size_t count) {
  static std::vector<float> values;
  if (values.size() == count) return values;
  values.resize(count);
  uint32_t state = 1;
  for (float& v : values) {
    float sum = 0;
    for (int i = 0; i < 6; ++i) {
      state = state * 1664525u + 1013904223u;
      sum += static_cast<float>(state >> 8) / 16777216.0f - 0.5f;
    }
    v = sum;
  }
  return values;
}

struct Setup {
  Setup(const Options& options, int threads) {
    Check(bnq_context_create(nullptr, &context));
    Check(bnq_context_set_threads(context, threads));
    Check(bnq_calibrator_create(&calibrator));
    for (const auto& o : options) {
      Check(bnq_options_set_text(bnq_calibrator_settings(calibrator), o.first,
                                 o.second));
    }
  }
  ~Setup() {
    bnq_calibrator_destroy(calibrator);
    bnq_context_destroy(context);
  }
  bnq_context* context = nullptr;
  bnq_calibrator* calibrator = nullptr;
};

// All threads read their part.
void ReadParallel(const std::vector<float>& values, int threads) {
  const size_t part = values.size() / static_cast<size_t>(threads);
  std::vector<std::thread> others;
  const auto read = [&](int t) {
    benchmark::DoNotOptimize(
        ReadAll(values.data() + static_cast<size_t>(t) * part, part * 4));
  };
  for (int t = 1; t < threads; ++t) others.emplace_back(read, t);
  read(0);
  for (std::thread& t : others) t.join();
}

void BM_Observe(benchmark::State& state, Options options, size_t bytes,
                int threads) {
  const std::vector<float>& values = Values(bytes / 4);
  const Setup setup(options, threads);
  const uint64_t shape[2] = {values.size() / 1024, 1024};
  const bnq_array array = {values.data(), shape, BNQ_DTYPE_F32, 2};
  const auto observe = [&] {
    Check(bnq_calibrator_observe(setup.context, setup.calibrator, &array));
  };
  observe();
  for (auto _ : state) observe();
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations()) *
                          static_cast<int64_t>(bytes));
  const int repeat =
      static_cast<int>(std::max<size_t>(1, (size_t{4} << 20) / values.size()));
  std::vector<double> ratios;
  for (int i = 0; i < 11; ++i) {
    double start = Now();
    for (int k = 0; k < repeat; ++k) ReadParallel(values, threads);
    const double read = Now() - start;
    start = Now();
    for (int k = 0; k < repeat; ++k) observe();
    ratios.push_back(read / (Now() - start));
  }
  std::nth_element(ratios.begin(), ratios.begin() + 5, ratios.end());
  state.counters["vs_read"] = ratios[5];
}

void BM_Range(benchmark::State& state, Options options) {
  const std::vector<float>& values = Values(size_t{1} << 20);
  const Setup setup(options, 1);
  const uint64_t shape[1] = {values.size()};
  const bnq_array array = {values.data(), shape, BNQ_DTYPE_F32, 1};
  Check(bnq_calibrator_observe(setup.context, setup.calibrator, &array));
  for (auto _ : state) {
    float lo = 0, hi = 0;
    Check(bnq_calibrator_range(setup.context, setup.calibrator, &lo, &hi, 1));
    benchmark::DoNotOptimize(lo + hi);
  }
}

bool Register() {
  const std::pair<const char*, Options> whats[] = {
      {"minmax", {{"method", "minmax"}}},
      {"minmax:moments", {{"method", "minmax"}, {"moments", "on"}}},
      {"minmax:channel:0",
       {{"method", "minmax"}, {"granularity", "channel"}, {"axis", "0"}}},
      {"minmax:channel:-1",
       {{"method", "minmax"}, {"granularity", "channel"}, {"axis", "-1"}}},
      {"histogram", {{"method", "kl"}}},
      {"histogram:moments", {{"method", "kl"}, {"moments", "on"}}},
      {"histogram:channel:-1",
       {{"method", "kl"}, {"granularity", "channel"}, {"axis", "-1"}}}};
  const std::pair<const char*, size_t> tiers[] = {{"L2", size_t{512} << 10},
                                                  {"RAM", size_t{256} << 20}};
  const int processors =
      static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  for (const auto& what : whats) {
    for (const auto& tier : tiers) {
      for (int threads = 1; threads <= processors; threads *= 2) {
        const std::string name = std::string("calibrate/observe/") +
                                 what.first + "/" + tier.first + "/" +
                                 std::to_string(threads);
        benchmark::RegisterBenchmark(name.c_str(), BM_Observe, what.second,
                                     tier.second, threads)
            ->UseRealTime();
      }
    }
  }
  const std::pair<const char*, Options> methods[] = {
      {"percentile", {{"method", "percentile"}}},
      {"kl:tensorrt", {{"method", "kl"}}},
      {"kl:onnxruntime", {{"method", "kl"}, {"kl_variant", "onnxruntime"}}},
      {"mse", {{"method", "mse"}}}};
  for (const auto& method : methods) {
    benchmark::RegisterBenchmark(
        (std::string("calibrate/range/") + method.first).c_str(), BM_Range,
        method.second)
        ->Unit(benchmark::kMillisecond);
  }
  return true;
}

// main is that of bnq_bench.cc.
const bool registered = Register();

}  // namespace
}  // namespace bnq_bench
