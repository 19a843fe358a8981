// Benchmarks of the library through its C ABI, one for each format of the
// registry, memory tier and number of threads; README.md has the protocol.
//
//   quantize/<format>/<tier>/<threads>     float32 to codes and scales
//   dequantize/<format>/<tier>/<threads>   back to float32
//   memory/{copy,read,write}/<tier>/<threads>
//
// Bytes per second count float32 bytes. The counters vs_copy, vs_read and
// vs_write are the ratio to the same memory's rate, measured in turn with it.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "bench/measure.h"
#include "bnq/bnq.h"

namespace bnq_bench {
namespace {

struct Tier {
  const char* name;
  size_t bytes;  // of float32
};
// For caches of 32 KiB, 1 MiB and 32 MiB or more; RAM is beyond any of them.
constexpr Tier kTiers[] = {{"L1", size_t{16} << 10},
                           {"L2", size_t{512} << 10},
                           {"L3", size_t{16} << 20},
                           {"RAM", size_t{256} << 20}};

// A context, and a config from its text.
struct Setup {
  Setup(const std::string& text, int threads) {
    Check(bnq_context_create(nullptr, &context));
    Check(bnq_context_set_threads(context, threads));
    Check(bnq_config_from_text(text.c_str(), &config));
  }
  ~Setup() {
    bnq_config_destroy(config);
    bnq_context_destroy(context);
  }
  bnq_context* context = nullptr;
  bnq_config* config = nullptr;
};

struct Quantized {
  Quantized(const bnq_config* config, size_t count)
      : shape{count / 1024, 1024} {
    uint64_t bytes = 0, scale_bytes = 0, zeros = 0;
    Check(bnq_quantized_sizes(config, 2, shape, &bytes, &scale_bytes, &zeros));
    codes.resize(bytes);
    // Floats, for their alignment.
    scales.resize((scale_bytes + 3) / 4);
    num_scale_bytes = scale_bytes;
    zero_points.resize(zeros);
  }
  ~Quantized() { bnq_tensor_destroy(tensor); }
  // The tensor borrows the buffers; what has no buffer here is its own.
  void Fill(bnq_context* context, const bnq_config* config, const Data& data) {
    const bnq_array array = {data.x.data(), shape, BNQ_DTYPE_F32, 2};
    bnq_tensor_destroy(tensor);
    Check(bnq_quantize(context, config, &array, codes.data(), codes.size(),
                       scales.data(), num_scale_bytes, zero_points.data(),
                       zero_points.size(), &tensor));
  }
  uint64_t shape[2];
  std::vector<uint8_t> codes;
  std::vector<float> scales;
  uint64_t num_scale_bytes = 0;
  std::vector<int8_t> zero_points;
  bnq_tensor* tensor = nullptr;
};

void BM_Quantize(benchmark::State& state, const std::string& text, size_t bytes,
                 int threads) {
  Data& data = DataOf(bytes);
  const Setup setup(text, threads);
  Quantized q(setup.config, data.x.size());
  Measure(state, data, threads, {{"vs_read", kRead}, {"vs_copy", kCopy}},
          [&] { q.Fill(setup.context, setup.config, data); });
}

void BM_Dequantize(benchmark::State& state, const std::string& text,
                   size_t bytes, int threads) {
  Data& data = DataOf(bytes);
  const Setup setup(text, threads);
  Quantized q(setup.config, data.x.size());
  q.Fill(setup.context, setup.config, data);
  Measure(state, data, threads, {{"vs_write", kWrite}, {"vs_copy", kCopy}},
          [&] {
            Check(bnq_tensor_dequantize(setup.context, q.tensor, BNQ_DTYPE_F32,
                                        BNQ_OVERFLOW_ERROR, data.y.data(),
                                        data.y.size() * 4));
          });
}

// LLM.int8: columns with |x| >= 3.9 apart.
void BM_Outliers(benchmark::State& state, size_t bytes, int threads,
                 bool quantize) {
  Data& data = DataOf(bytes);
  const Setup setup("int8_dynamic,outlier_threshold=3.9", threads);
  const uint64_t shape[2] = {data.x.size() / 1024, 1024};
  const bnq_array array = {data.x.data(), shape, BNQ_DTYPE_F32, 2};
  bnq_tensor* tensor = nullptr;
  const auto make = [&] {
    bnq_tensor_destroy(tensor);
    Check(bnq_tensor_quantize(setup.context, setup.config, &array, &tensor));
  };
  make();
  bnq_part columns;
  Check(bnq_tensor_part(tensor, BNQ_PART_OUTLIER_COLUMNS, &columns));
  state.counters["outlier_columns"] = static_cast<double>(columns.count);
  if (quantize) {
    Measure(state, data, threads, {{"vs_read", kRead}}, make);
  } else {
    Measure(state, data, threads, {{"vs_write", kWrite}}, [&] {
      Check(bnq_tensor_dequantize(setup.context, tensor, BNQ_DTYPE_F32,
                                  BNQ_OVERFLOW_ERROR, data.y.data(),
                                  data.y.size() * 4));
    });
  }
  bnq_tensor_destroy(tensor);
}

void BM_Memory(benchmark::State& state, Yardstick what, size_t bytes,
               int threads) {
  Data& data = DataOf(bytes);
  Work work(threads);
  RunMemory(what, data, threads, work);
  for (auto _ : state) RunMemory(what, data, threads, work);
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations()) *
                          static_cast<int64_t>(bytes));
}

struct Case {
  std::string name;
  std::string text;
};

// Every format in groups of 128, and with each of these that it supports.
std::vector<Case> Cases() {
  const std::pair<const char*, const char*> variants[] = {
      {"", "axis=0"},
      {":tensor", "granularity=tensor"},
      {":block64", "granularity=block,group_size=64"},
      {":tile128", "granularity=tile"},
      {":g16", "group_size=16"},
      {":g32", "group_size=32"},
      {":g32_f16", "group_size=32,scale_dtype=f16"},
      {":g32_e8m0", "group_size=32,scale_dtype=e8m0"},
      {":g16_e4m3", "group_size=16,scale_dtype=e4m3"},
      {":g32_offset", "group_size=32,scheme=offset,scale_dtype=f16"},
      {":asymmetric", "scheme=asymmetric"},
      {":half_away", "rounding=half_away"},
      {":stochastic", "rounding=stochastic"},
      {":percentile", "scale_rule=percentile"},
      {":mse", "scale_rule=mse"},
      {":f16_scales", "scale_dtype=f16"},
      {":double_quant", "double_quant=on"},
      {":base3", "packing=base3"},
  };
  std::vector<Case> cases;
  for (uint32_t i = 0; i < bnq_format_count(); ++i) {
    int32_t format = 0;
    Check(bnq_format_at(i, &format));
    const std::string name = bnq_format_name(format);
    int64_t scaled = 0;
    Check(bnq_format_property(format, BNQ_FORMAT_SCALED, &scaled));
    for (const auto& variant : variants) {
      const std::string text = "format=" + name + "," + variant.second;
      const Setup setup(text, 1);
      const uint64_t one = 1;
      const bool supported = bnq_quantized_sizes(setup.config, 1, &one, nullptr,
                                                 nullptr, nullptr) == BNQ_OK;
      // Who shares a scale makes no difference without any.
      const bool plain = *variant.first == '\0';
      if (supported && (scaled != 0 || plain)) {
        cases.push_back({name + variant.first, text});
      }
    }
  }
  return cases;
}

void Register() {
  std::vector<int> threads = {1};
  const unsigned processors = std::thread::hardware_concurrency();
  for (unsigned t = 2; t <= processors; t *= 2) {
    threads.push_back(static_cast<int>(t));
  }
  const auto add = [](const std::string& name, auto function, auto... args) {
    benchmark::RegisterBenchmark(name.c_str(), function, args...)
        ->UseRealTime();
  };
  const std::vector<Case> cases = Cases();
  for (const Tier& tier : kTiers) {
    for (int t : threads) {
      const std::string suffix =
          std::string("/") + tier.name + "/" + std::to_string(t);
      add("memory/copy" + suffix, BM_Memory, kCopy, tier.bytes, t);
      add("memory/read" + suffix, BM_Memory, kRead, tier.bytes, t);
      add("memory/write" + suffix, BM_Memory, kWrite, tier.bytes, t);
      for (const Case& c : cases) {
        add("quantize/" + c.name + suffix, BM_Quantize, c.text, tier.bytes, t);
        add("dequantize/" + c.name + suffix, BM_Dequantize, c.text, tier.bytes,
            t);
      }
      add("quantize/int8:outliers" + suffix, BM_Outliers, tier.bytes, t, true);
      add("dequantize/int8:outliers" + suffix, BM_Outliers, tier.bytes, t,
          false);
    }
  }
}

}  // namespace
}  // namespace bnq_bench

int main(int argc, char** argv) {
  bnq_bench::Register();
  benchmark::Initialize(&argc, argv);
  benchmark::AddCustomContext("bnq_version", bnq_version_string());
  benchmark::AddCustomContext("simd_target", bnq_target_active());
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
