// What it costs to measure a model and to find the plan for a budget:
//
//   analyze/<candidate>/<threads>   a model of 64 MiB of Gaussian weights, in
//   memory: the counter of_read is the candidate's bytes a second over those of
//   a read by as many threads in the same run; analyze/default is the six
//   candidates that are taken where none are given.
//   allocate/<tensors>/<candidates> the solver and all around it, proven.
#include <benchmark/benchmark.h>

#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "bench/measure.h"
#include "bnq/bnq.h"

namespace bnq_bench {
namespace {

constexpr uint64_t kRows = 4096, kColumns = 4096;

// A safetensors file, gone with the program.
class Model {
 public:
  Model()
      : path_((std::filesystem::temp_directory_path() /
               ("bnq_budget_bench_" +
                std::to_string(
                    std::hash<std::thread::id>()(std::this_thread::get_id())) +
                ".safetensors"))
                  .string()),
        values_(kRows * kColumns) {
    uint32_t state = 1;
    for (float& value : values_) {
      float sum = 0;
      for (int i = 0; i < 4; ++i) {
        state = state * 1664525u + 1013904223u;
        sum += static_cast<float>(state >> 8) / 16777216.0f - 0.5f;
      }
      value = 0.02f * sum;
    }
    bnq_writer* writer = nullptr;
    Check(bnq_writer_create(nullptr, path_.c_str(), BNQ_FILE_SAFETENSORS,
                            BNQ_WRITE_OVERWRITE, 0, &writer));
    const uint64_t shape[] = {kRows, kColumns};
    const bnq_array array = {values_.data(), shape, BNQ_DTYPE_F32, 2};
    Check(bnq_writer_add_array(writer, "layers.0.mlp.up.weight", &array));
    Check(bnq_writer_finish(writer));
    bnq_writer_destroy(writer);
  }
  ~Model() { std::filesystem::remove(path_); }
  const char* path() const { return path_.c_str(); }
  const std::vector<float>& values() const { return values_; }

 private:
  const std::string path_;
  std::vector<float> values_;
};

const Model& TheModel() {
  static const Model model;
  return model;
}

void Analyze(benchmark::State& state, const char* text, int threads) {
  const Model& model = TheModel();
  bnq_context* context = nullptr;
  Check(bnq_context_create(nullptr, &context));
  Check(bnq_context_set_threads(context, threads));
  bnq_config* config = nullptr;
  if (text != nullptr) Check(bnq_config_from_text(text, &config));
  const uint64_t candidates = text != nullptr ? 1 : bnq_candidate_count();
  Work work(threads);
  const uint64_t bytes = model.values().size() * sizeof(float);
  double read_seconds = 0, seconds = 0;
  for (auto _ : state) {
    const auto start = std::chrono::steady_clock::now();
    work.Run([&](int t) {
      const uint64_t part = bytes / static_cast<uint64_t>(threads);
      benchmark::DoNotOptimize(
          ReadAhead(reinterpret_cast<const char*>(model.values().data()) +
                        static_cast<uint64_t>(t) * part,
                    part));
    });
    const auto middle = std::chrono::steady_clock::now();
    bnq_sensitivity* sensitivity = nullptr;
    Check(bnq_sensitivity_create(&sensitivity));
    Check(bnq_analyze_file(context, nullptr, &config, text != nullptr ? 1 : 0,
                           model.path(), nullptr, nullptr, nullptr,
                           sensitivity));
    bnq_sensitivity_destroy(sensitivity);
    const auto end = std::chrono::steady_clock::now();
    read_seconds += std::chrono::duration<double>(middle - start).count();
    seconds += std::chrono::duration<double>(end - middle).count();
    state.SetIterationTime(std::chrono::duration<double>(end - middle).count());
  }
  state.SetBytesProcessed(static_cast<int64_t>(
      bytes * candidates * static_cast<uint64_t>(state.iterations())));
  state.counters["of_read"] =
      read_seconds * static_cast<double>(candidates) / seconds;
  bnq_config_destroy(config);
  bnq_context_destroy(context);
}

// Tensors of a few sizes and of any hardness, as models have them.
void Allocate(benchmark::State& state) {
  const int64_t tensors = state.range(0), candidates = state.range(1);
  std::string json =
      "{\"bnq_sensitivity\":1,\"codec_revision\":1,\"fixed_bytes\":1000,"
      "\"fixed_elements\":0,\"input_bytes\":1000000000000,\"tensors\":[";
  uint32_t seed = 7;
  const auto random = [&seed] {
    seed = seed * 1664525u + 1013904223u;
    return static_cast<double>(seed >> 8) / 16777216.0;
  };
  for (int64_t t = 0; t < tensors; ++t) {
    const auto rows = static_cast<uint64_t>(1024) << int(random() * 4);
    const double hardness = std::exp2(random() * 4 - 2);
    json += std::string(t ? "," : "") + "{\"name\":\"t" + std::to_string(t) +
            "\",\"dtype\":\"F32\",\"shape\":[" + std::to_string(rows) +
            ",1024],\"sample_crc32\":1,\"plain_bytes\":" +
            std::to_string(rows * 4096) + ",\"candidates\":[";
    for (int64_t c = 0; c < candidates; ++c) {
      const double error = hardness * (0.9 + 0.2 * random()) *
                           std::exp2(-1.9 * static_cast<double>(c + 2));
      char text[256];
      std::snprintf(text, sizeof text,
                    "%s{\"config\":\"int4,group_size=%d\",\"bytes\":%llu,"
                    "\"relative_error\":%.17g,\"max_error\":1,\"cosine\":1}",
                    c ? "," : "", static_cast<int>(16 + c),
                    static_cast<unsigned long long>(
                        rows * 1024 * static_cast<uint64_t>(c + 2) / 8),
                    error);
      json += text;
    }
    json += "]}";
  }
  json += "]}";
  bnq_sensitivity* sensitivity = nullptr;
  Check(bnq_sensitivity_from_json(json.c_str(), &sensitivity));
  double proven = 1;
  for (auto _ : state) {
    bnq_allocation* allocation = nullptr;
    Check(bnq_allocate(sensitivity, nullptr, BNQ_BUDGET_BITS, 4.5, 0,
                       &allocation));
    double values[BNQ_NUM_ALLOCATION_VALUES];
    Check(bnq_allocation_values(allocation, values, BNQ_NUM_ALLOCATION_VALUES));
    proven = values[BNQ_ALLOCATION_PROVEN];
    bnq_allocation_destroy(allocation);
  }
  state.counters["proven"] = proven;
  bnq_sensitivity_destroy(sensitivity);
}

const bool registered = [] {
  const int all = static_cast<int>(std::thread::hardware_concurrency());
  for (const char* text :
       {"ternary_per_group_128", "int4_per_group_32", "int8_per_group_32",
        "nf4", "int4_mse_per_group_128"}) {
    for (const int threads : {1, all}) {
      benchmark::RegisterBenchmark(
          ("analyze/" + std::string(text) + "/" + std::to_string(threads))
              .c_str(),
          [text, threads](benchmark::State& s) { Analyze(s, text, threads); })
          ->UseManualTime()
          ->Unit(benchmark::kMillisecond);
    }
  }
  for (const int threads : {1, all}) {
    benchmark::RegisterBenchmark(
        ("analyze/default/" + std::to_string(threads)).c_str(),
        [threads](benchmark::State& s) { Analyze(s, nullptr, threads); })
        ->UseManualTime()
        ->Unit(benchmark::kMillisecond);
  }
  benchmark::RegisterBenchmark("allocate", Allocate)
      ->Args({224, 9})
      ->Args({1000, 12})
      ->Unit(benchmark::kMillisecond);
  return true;
}();

}  // namespace
}  // namespace bnq_bench
