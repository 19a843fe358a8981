// Activation functions, softmax and norms of float32, and functions of int8
// codes, beside a copy of the same memory:
//
//   activation/<function>/<tier>/<threads>
//   softmax, rms_norm, layer_norm/<tier>/<threads>   rows of 4096
//   activation/int8:<function>/<tier>/<threads>      bytes, by a table
//
// vs_copy is the ratio to memcpy of the same bytes, measured in turn with it.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <string>

#include "bench/measure.h"
#include "bnq/bnq.h"

namespace bnq_bench {
namespace {

constexpr uint64_t kColumns = 4096;

struct Threads {
  explicit Threads(int count) {
    Check(bnq_context_create(nullptr, &context));
    Check(bnq_context_set_threads(context, count));
  }
  ~Threads() { bnq_context_destroy(context); }
  bnq_context* context = nullptr;
};

bnq_matrix MatrixOf(std::vector<float>& data, int32_t dtype) {
  bnq_matrix m = {};
  m.data = data.data();
  m.columns = kColumns * (dtype == BNQ_DTYPE_I8 ? 4 : 1);
  m.rows = data.size() / kColumns;
  m.dtype = dtype;
  return m;
}

void BM_Activate(benchmark::State& state, int32_t function, int32_t dtype,
                 size_t bytes, int threads) {
  Data& data = DataOf(bytes);
  const Threads setup(threads);
  bnq_matrix x = MatrixOf(data.x, dtype), y = MatrixOf(data.y, dtype);
  std::vector<float> scales(x.rows, 0.05f);
  if (dtype == BNQ_DTYPE_I8) x.scales = y.scales = scales.data();
  Measure(state, data, threads, {{"vs_copy", kCopy}},
          [&] { Check(bnq_activate(setup.context, function, 0.01f, &x, &y)); });
}

enum Norm { kSoftmax, kRms, kLayer };

void BM_Norm(benchmark::State& state, Norm norm, size_t bytes, int threads) {
  Data& data = DataOf(bytes);
  const Threads setup(threads);
  const bnq_matrix x = MatrixOf(data.x, BNQ_DTYPE_F32);
  const bnq_matrix y = MatrixOf(data.y, BNQ_DTYPE_F32);
  const std::vector<float> weight(kColumns, 1.5f), bias(kColumns, 0.25f);
  Measure(state, data, threads, {{"vs_copy", kCopy}}, [&] {
    switch (norm) {
      case kSoftmax:
        Check(bnq_softmax(setup.context, &x, &y));
        break;
      case kRms:
        Check(bnq_rms_norm(setup.context, &x, weight.data(), 1e-5, &y));
        break;
      case kLayer:
        Check(bnq_layer_norm(setup.context, &x, weight.data(), bias.data(),
                             1e-5, &y));
        break;
    }
  });
}

const bool registered = [] {
  const std::pair<const char*, size_t> tiers[] = {{"L1", size_t{16} << 10},
                                                  {"L2", size_t{512} << 10},
                                                  {"RAM", size_t{256} << 20}};
  for (const auto& tier : tiers) {
    const size_t bytes = tier.second;
    for (const int threads : {1, 2}) {
      const std::string end =
          std::string("/") + tier.first + "/" + std::to_string(threads);
      const auto add = [&](const std::string& name, auto function,
                           auto... arguments) {
        benchmark::RegisterBenchmark((name + end).c_str(), function,
                                     arguments..., bytes, threads)
            ->UseRealTime();
      };
      for (int32_t f = 0; f < BNQ_NUM_FUNCTIONS; ++f) {
        add(std::string("activation/") + bnq_function_name(f), BM_Activate, f,
            BNQ_DTYPE_F32);
      }
      add("activation/int8:gelu", BM_Activate, BNQ_FUNCTION_GELU, BNQ_DTYPE_I8);
      add("softmax", BM_Norm, kSoftmax);
      add("rms_norm", BM_Norm, kRms);
      add("layer_norm", BM_Norm, kLayer);
    }
  }
  return true;
}();

}  // namespace
}  // namespace bnq_bench
