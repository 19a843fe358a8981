// What a search for parameters costs per weight, and what it gains:
//
//   optimize/<method>/<config>/<threads>   of 1024 x 1024 Gaussian weights;
//   with 512 samples of correlated inputs where the method takes any.
//
// The counter s_per_weight is time, `gain` the objective before over that
// after. quantize/plain is the config's own rule beside them.
#include <benchmark/benchmark.h>

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "bnq/bnq.h"

namespace {

constexpr uint64_t kSize = 1024, kSamples = 512;

void Check(bnq_status status) {
  if (status == BNQ_OK) return;
  std::fprintf(stderr, "%s\n", bnq_last_error());
  std::abort();
}

struct Layer {
  std::vector<float> weights, inputs;
  Layer() : weights(kSize * kSize), inputs(kSamples * kSize) {
    uint32_t state = 1;
    const auto normal = [&] {
      float sum = 0;
      for (int i = 0; i < 12; ++i) {
        state = state * 1664525u + 1013904223u;
        sum += static_cast<float>(state >> 8) / 16777216.0f - 0.5f;
      }
      return sum;
    };
    for (float& w : weights) w = 0.02f * normal();
    for (uint64_t s = 0; s < kSamples; ++s) {
      // Each input depends on its neighbours; one in 64 is large.
      float run = 0;
      for (uint64_t k = 0; k < kSize; ++k) {
        run = 0.8f * run + normal();
        inputs[s * kSize + k] = k % 64 == 0 ? 20.0f * run : run;
      }
    }
  }
};

const Layer& TheLayer() {
  static const Layer layer;
  return layer;
}

// Gives a metric of the caller's a mean absolute error to make small.
int32_t MeanError(void*, const float* original, const float* dequantized,
                  uint64_t count, double* out_error) {
  float sum = 0;
  for (uint64_t i = 0; i < count; ++i) {
    sum += std::fabs(original[i] - dequantized[i]);
  }
  *out_error = sum;
  return 0;
}

struct Case {
  const char* name;
  const char* config;
  const char* method;     // nullptr: the plain rule
  const char* objective;  // nullptr: the default
  bool inputs;
};

constexpr Case kCases[] = {
    {"plain/int4", "int4_per_group_128", nullptr, nullptr, false},
    {"plain/int4_mse", "int4_mse_per_group_128", nullptr, nullptr, false},
    {"grid/int4", "int4_per_group_128", "grid", nullptr, false},
    {"grid/int4_asymmetric", "int4_per_group_128_asymmetric", "grid", nullptr,
     false},
    {"grid/nf4", "nf4", "grid", nullptr, false},
    {"grid_cosine/int4", "int4_per_group_128", "grid", "cosine", false},
    {"grid_kl/int8_tensor", "int8_symmetric", "grid", "kl", false},
    {"grid_custom/int4", "int4_per_group_128", "grid", "custom", false},
    {"hqq/int4", "int4_per_group_128", "hqq", nullptr, false},
    {"hqq/int4_asymmetric", "int4_per_group_128_asymmetric", "hqq", nullptr,
     false},
    {"gradient/int4", "int4_per_group_128", "gradient", nullptr, false},
    {"gradient_layer/int4", "int4_per_group_128", "gradient", nullptr, true},
    {"gptq/int4", "int4_per_group_128", "gptq", nullptr, true},
    {"awq/int4", "int4_per_group_128", "awq", nullptr, true},
};

void BM_Optimize(benchmark::State& state, const Case& c, int threads) {
  const uint64_t shape[2] = {kSize, kSize}, input_shape[2] = {kSamples, kSize};
  const bnq_array weights = {TheLayer().weights.data(), shape, BNQ_DTYPE_F32,
                             2};
  const bnq_array inputs = {TheLayer().inputs.data(), input_shape,
                            BNQ_DTYPE_F32, 2};
  bnq_context* context = nullptr;
  bnq_config* config = nullptr;
  bnq_optimizer* optimizer = nullptr;
  Check(bnq_context_create(nullptr, &context));
  Check(bnq_context_set_threads(context, threads));
  Check(bnq_config_from_text(c.config, &config));
  Check(bnq_optimizer_create(&optimizer));
  if (c.method)
    Check(bnq_options_set_text(bnq_optimizer_settings(optimizer), "method",
                               c.method));
  if (c.objective && std::string(c.objective) == "custom") {
    Check(bnq_optimizer_set_metric(optimizer, MeanError, nullptr));
  } else if (c.objective) {
    Check(bnq_options_set_text(bnq_optimizer_settings(optimizer), "objective",
                               c.objective));
  }
  std::vector<float> scales(kSize);
  double figures[BNQ_NUM_FIGURES] = {};
  for (auto _ : state) {
    bnq_tensor* tensor = nullptr;
    if (c.method) {
      Check(bnq_optimize(context, optimizer, config, &weights,
                         c.inputs ? &inputs : nullptr, nullptr, nullptr,
                         &tensor, scales.data(), kSize, figures,
                         BNQ_NUM_FIGURES));
    } else {
      Check(bnq_tensor_quantize(context, config, &weights, &tensor));
    }
    bnq_tensor_destroy(tensor);
  }
  state.counters["s_per_weight"] =
      benchmark::Counter(static_cast<double>(kSize * kSize),
                         benchmark::Counter::kIsIterationInvariantRate |
                             benchmark::Counter::kInvert);
  if (c.method) {
    state.counters["gain"] = figures[BNQ_FIGURE_OBJECTIVE_BEFORE] /
                             figures[BNQ_FIGURE_OBJECTIVE_AFTER];
  }
  bnq_optimizer_destroy(optimizer);
  bnq_config_destroy(config);
  bnq_context_destroy(context);
}

// Before main, which runs what is registered.
const bool g_registered = [] {
  const unsigned processors = std::thread::hardware_concurrency();
  for (unsigned t = 1; t == 1 || t <= processors; t *= 2) {
    for (const Case& c : kCases) {
      const std::string name =
          std::string("optimize/") + c.name + "/" + std::to_string(t);
      benchmark::RegisterBenchmark(name.c_str(), BM_Optimize, c,
                                   static_cast<int>(t))
          ->UseRealTime()
          ->Unit(benchmark::kMillisecond);
    }
  }
  return true;
}();

}  // namespace
