// Fake quantization and its gradient, in groups of 128 unless said otherwise:
//
//   training/forward/<config>/<tier>/<threads>     vs_copy: memcpy of the array
//   training/backward/<config>/<tier>/<threads>    vs_operands: reading x and
//   dy
//                                                  and writing dx
//
// Bytes per second count those of one array; each ratio is measured in turn
// with its yardstick.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "bench/measure.h"
#include "bnq/bnq.h"

namespace bnq_bench {
namespace {

constexpr uint64_t kColumns = 4096;

struct Setup {
  Setup(const std::string& text, Data& d, int threads)
      : data(d), shape{d.x.size() / kColumns, kColumns} {
    Check(bnq_context_create(nullptr, &context));
    Check(bnq_context_set_threads(context, threads));
    Check(bnq_config_from_text(text.c_str(), &config));
    uint64_t count = 0;
    Check(bnq_param_count(config, 2, shape, &count));
    scales.resize(count);
    zero_points.resize(count);
    scale_gradients.resize(count);
  }
  ~Setup() {
    bnq_config_destroy(config);
    bnq_context_destroy(context);
  }
  void Forward() {
    const bnq_array x = {data.x.data(), shape, BNQ_DTYPE_F32, 2};
    Check(bnq_fake_quantize(context, config, nullptr, &x, 0, scales.data(),
                            zero_points.data(), nullptr, scales.size(),
                            BNQ_DTYPE_F32, BNQ_OVERFLOW_ERROR, data.y.data(),
                            data.y.size() * 4, nullptr, 0, nullptr, nullptr, 0,
                            nullptr));
  }
  void Backward(const std::vector<float>& dy) {
    const bnq_array x = {data.x.data(), shape, BNQ_DTYPE_F32, 2};
    const bnq_array gradient = {dy.data(), shape, BNQ_DTYPE_F32, 2};
    Check(bnq_fake_quantize_gradient(
        context, config, nullptr, &x, &gradient, scales.data(),
        zero_points.data(), nullptr, scales.size(), BNQ_DTYPE_F32,
        data.y.data(), data.y.size() * 4, scale_gradients.data(), nullptr,
        nullptr, nullptr));
  }
  Data& data;
  uint64_t shape[2];
  bnq_context* context = nullptr;
  bnq_config* config = nullptr;
  std::vector<float> scales, scale_gradients;
  std::vector<int8_t> zero_points;
};

void BM_Forward(benchmark::State& state, std::string config, size_t bytes,
                int threads) {
  Setup setup(config, DataOf(bytes), threads);
  Measure(state, setup.data, threads, {{"vs_copy", kCopy}},
          [&] { setup.Forward(); });
}

// The least that a gradient may cost: both arrays read, one written.
void ReadAndWrite(const Data& data, const std::vector<float>& dy, float* dx) {
  const float* x = data.x.data();
  const float* g = dy.data();
  for (size_t i = 0; i < dy.size(); ++i) dx[i] = x[i] + g[i];
  benchmark::ClobberMemory();
}

void BM_Backward(benchmark::State& state, std::string config, size_t bytes) {
  Setup setup(config, DataOf(bytes), 1);
  setup.Forward();
  const std::vector<float> dy(setup.data.x);
  setup.Backward(dy);
  for (auto _ : state) setup.Backward(dy);
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations()) *
                          static_cast<int64_t>(bytes));
  const int repeat =
      static_cast<int>(std::max<size_t>(1, (size_t{16} << 20) / bytes));
  std::vector<double> ratios;
  for (int round = 0; round < 11; ++round) {
    double start = Now();
    for (int i = 0; i < repeat; ++i) {
      ReadAndWrite(setup.data, dy, setup.data.y.data());
    }
    const double least = Now() - start;
    start = Now();
    for (int i = 0; i < repeat; ++i) setup.Backward(dy);
    ratios.push_back(least / (Now() - start));
  }
  std::nth_element(ratios.begin(), ratios.begin() + 5, ratios.end());
  state.counters["vs_operands"] = ratios[5];
}

const bool registered = [] {
  const std::pair<const char*, size_t> tiers[] = {{"L2", size_t{512} << 10},
                                                  {"RAM", size_t{256} << 20}};
  const std::pair<const char*, const char*> configs[] = {
      {"ternary", "ternary,granularity=group,group_size=128"},
      {"int8", "int8,granularity=group,group_size=128"},
      {"int4", "int4,granularity=group,group_size=128"},
      {"int4:asymmetric",
       "int4,granularity=group,group_size=128,scheme=asymmetric"},
      {"nf4", "nf4,granularity=group,group_size=128"},
      {"int8:channel", "int8,granularity=channel"},
      {"int8:tensor", "int8,granularity=tensor"}};
  for (const auto& tier : tiers) {
    for (const auto& config : configs) {
      const std::string of = std::string(config.first) + "/" + tier.first;
      for (int threads : {1, 2}) {
        benchmark::RegisterBenchmark(
            ("training/forward/" + of + "/" + std::to_string(threads)).c_str(),
            BM_Forward, std::string(config.second), tier.second, threads)
            ->UseRealTime();
      }
      benchmark::RegisterBenchmark(("training/backward/" + of + "/1").c_str(),
                                   BM_Backward, std::string(config.second),
                                   tier.second)
          ->UseRealTime();
    }
  }
  return true;
}();

}  // namespace
}  // namespace bnq_bench
