// Linear layers and convolutions beside the memory that weights are read from,
// and beside ggml's dot products where its library is at hand:
//
//   matvec/<weights>/<threads>       y = W x, three matrices in turn
//   matmul/<weights>/<rows of x>     4096 x 4096, one thread
//   convolution/<shape>/<layout>     one thread
//
// BNQ_BENCH_MEGA: millions of weights of a matrix of matvec (512); what three
// of them take should be more than the last-level cache. BNQ_GGML: a folder
// with libggml-base.so and libggml-cpu.so, for vs_ggml: the ratio to ggml's dot
// product of the same bits, on as many threads, measured in turn.
//
// vs_read is the ratio to the best of two reads of as many bytes, one of which
// prefetches as the kernels do.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "bench/measure.h"
#include "bnq/bnq.h"

#if defined(__linux__)
#include <dlfcn.h>
#endif

namespace bnq_bench {
namespace {

struct Weights {
  const char* name;
  const char* config;
  const char* input;
  // ggml's type, block and functions of as many bits.
  const char* ggml;
  int ggml_type;
  const char* ggml_input;
};
const Weights kWeights[] = {
    {"ternary", "ternary,granularity=channel", "int8", "tq2_0", 35, "q8_K"},
    {"ternary:base3", "ternary,granularity=channel,packing=base3", "int8",
     "tq1_0", 34, "q8_K"},
    {"ternary:g128", "ternary,granularity=group,group_size=128", "int8",
     "tq2_0", 35, "q8_K"},
    {"int4", "int4,granularity=channel", "int8", "q4_0", 2, "q8_0"},
    {"int4:g128", "int4,granularity=group,group_size=128,scale_dtype=f16",
     "int8", "q4_0", 2, "q8_0"},
    {"int4:g32", "int4,granularity=group,group_size=32,scale_dtype=f16", "int8",
     "q4_0", 2, "q8_0"},
    {"mxfp4", "mxfp4", "int8", "mxfp4", 39, "q8_0"},
    {"int8", "int8,granularity=channel", "int8", "q8_0", 8, "q8_0"},
    {"int8:g32", "int8,granularity=group,group_size=32,scale_dtype=f16", "int8",
     "q8_0", 8, "q8_0"},
    {"nf4:float", "nf4,granularity=group,group_size=64", "float", "iq4_nl", 20,
     "q8_0"},
};

std::vector<float> Numbers(size_t count) {
  std::vector<float> x(count);
  uint32_t state = 1;
  for (float& v : x) {
    state = state * 1664525u + 1013904223u;
    v = static_cast<float>(state >> 8) / 8388608.0f - 1.0f;
  }
  return x;
}

// A layer whose weights repeat those of a smaller matrix, which are borrowed.
class Layer {
 public:
  Layer(bnq_context* context, const Weights& weights, uint64_t rows,
        uint64_t columns) {
    const uint64_t few = std::min<uint64_t>(rows, 1024);
    const std::vector<float> w = Numbers(few * columns);
    const uint64_t small[] = {few, columns}, large[] = {rows, columns};
    const bnq_array source = {w.data(), small, BNQ_DTYPE_F32, 2};
    bnq_config* config = nullptr;
    Check(bnq_config_from_text(weights.config, &config));
    bnq_tensor* part = nullptr;
    Check(bnq_tensor_quantize(context, config, &source, &part));
    bnq_part parts[2] = {};
    for (int i = 0; i < 2; ++i) {
      Check(bnq_tensor_part(part, i == 0 ? BNQ_PART_CODES : BNQ_PART_SCALES,
                            &parts[i]));
      const uint8_t* const from = static_cast<const uint8_t*>(parts[i].data);
      memory_[i].resize(parts[i].bytes / few * rows + 64);
      uint8_t* const to =
          memory_[i].data() +
          (64 - reinterpret_cast<uintptr_t>(memory_[i].data()) % 64) % 64;
      for (uint64_t n = 0; n < rows; n += few) {
        std::memcpy(to + n * (parts[i].bytes / few), from,
                    std::min(few, rows - n) * (parts[i].bytes / few));
      }
      parts[i].data = to;
      parts[i].bytes = parts[i].bytes / few * rows;
    }
    codes = static_cast<const uint8_t*>(parts[0].data);
    bytes = parts[0].bytes;
    bnq_tensor* tensor = nullptr;
    Check(bnq_tensor_create(context, config, 2, large, parts, 2,
                            BNQ_TENSOR_BORROW, &tensor));
    bnq_operator* options = nullptr;
    Check(bnq_operator_create(&options));
    Check(bnq_options_set_text(bnq_operator_settings(options), "input",
                               weights.input));
    Check(bnq_linear_create(context, options, tensor, nullptr, &linear));
    bnq_operator_destroy(options);
    bnq_tensor_destroy(tensor);
    bnq_tensor_destroy(part);
    bnq_config_destroy(config);
  }
  ~Layer() { bnq_linear_destroy(linear); }
  Layer(const Layer&) = delete;

  bnq_linear* linear = nullptr;
  const uint8_t* codes = nullptr;
  uint64_t bytes = 0;

 private:
  std::vector<uint8_t> memory_[2];
};

// Kept from call to call, as callers that are in a hurry do.
class Workspace {
 public:
  explicit Workspace(uint64_t bytes) : memory_(bytes + 64) {}
  void* data() const {
    const uintptr_t at = reinterpret_cast<uintptr_t>(memory_.data());
    return reinterpret_cast<void*>((at + 63) / 64 * 64);
  }

 private:
  std::vector<uint8_t> memory_;
};

struct Threads {
  explicit Threads(int count) : work(count) {
    Check(bnq_context_create(nullptr, &context));
    Check(bnq_context_set_threads(context, count));
  }
  ~Threads() { bnq_context_destroy(context); }
  bnq_context* context = nullptr;
  Work work;
};

bnq_matrix MatrixOf(std::vector<float>& data, uint64_t rows) {
  bnq_matrix m = {};
  m.data = data.data();
  m.rows = rows;
  m.columns = data.size() / rows;
  m.dtype = BNQ_DTYPE_F32;
  return m;
}

// Median of the ratios of two works that are done in turn.
double Ratio(int rounds, const std::function<void()>& other,
             const std::function<void()>& own) {
  std::vector<double> ratios;
  const auto time = [](const std::function<void()>& f) {
    const double start = Now();
    f();
    return Now() - start;
  };
  for (int i = 0; i < rounds; ++i) {
    const double of_other = time(other);
    ratios.push_back(of_other / time(own));
  }
  std::nth_element(ratios.begin(), ratios.begin() + rounds / 2, ratios.end());
  return ratios[rounds / 2];
}

// ggml's dot product of a type, or nothing.
class Ggml {
 public:
  using Dot = void (*)(int, float*, size_t, const void*, size_t, const void*,
                       size_t, int);
  using Quantize = void (*)(const float*, void*, int64_t);

  explicit Ggml(const Weights& weights, uint64_t columns) {
#if defined(__linux__)
    const char* const folder = std::getenv("BNQ_GGML");
    if (folder == nullptr) return;
    const std::string path = folder;
    dlopen((path + "/libggml-base.so").c_str(), RTLD_NOW | RTLD_GLOBAL);
    void* const cpu =
        dlopen((path + "/libggml-cpu.so").c_str(), RTLD_NOW | RTLD_GLOBAL);
    if (cpu == nullptr) return;
    const auto find = [&](const std::string& name) {
      return dlsym(RTLD_DEFAULT, name.c_str());
    };
    if (auto init = reinterpret_cast<void (*)()>(find("ggml_cpu_init"))) {
      init();
    }
    dot = reinterpret_cast<Dot>(find(std::string("ggml_vec_dot_") +
                                     weights.ggml + "_" + weights.ggml_input));
    const auto quantize = reinterpret_cast<Quantize>(
        find(std::string("quantize_row_") + weights.ggml_input));
    const auto row_size =
        reinterpret_cast<size_t (*)(int, int64_t)>(find("ggml_row_size"));
    if (quantize == nullptr || row_size == nullptr) dot = nullptr;
    if (dot == nullptr) return;
    stride = row_size(weights.ggml_type, static_cast<int64_t>(columns));
    x.resize(columns * 2);
    quantize(Numbers(columns).data(), x.data(), static_cast<int64_t>(columns));
#else
    (void)weights;
    (void)columns;
#endif
  }

  Dot dot = nullptr;
  size_t stride = 0;
  std::vector<uint8_t> x;
};

uint64_t MegaWeights() {
  const char* const text = std::getenv("BNQ_BENCH_MEGA");
  return text != nullptr ? std::strtoull(text, nullptr, 10) : 512;
}

void BM_Matvec(benchmark::State& state, const Weights& weights, int threads) {
  constexpr uint64_t kColumns = 8192, kCopies = 3;
  const uint64_t rows =
      std::max<uint64_t>(MegaWeights() * (uint64_t{1} << 20) / kColumns, 64);
  Threads setup(threads);
  std::vector<std::unique_ptr<Layer>> layers;
  for (uint64_t i = 0; i < kCopies; ++i) {
    layers.push_back(
        std::make_unique<Layer>(setup.context, weights, rows, kColumns));
  }
  std::vector<float> x = Numbers(kColumns), y(rows);
  const bnq_matrix input = MatrixOf(x, 1), output = MatrixOf(y, 1);
  uint64_t turn = 0;
  const auto own = [&] {
    Check(bnq_linear_run(layers[turn++ % kCopies]->linear, setup.context,
                         &input, &output, nullptr, 0));
  };
  own();
  for (auto _ : state) own();
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations()) *
                          static_cast<int64_t>(rows * kColumns));
  const auto read = [&](bool ahead) {
    const Layer& layer = *layers[turn++ % kCopies];
    const size_t part = layer.bytes / threads;
    setup.work.Run([&](int t) {
      benchmark::DoNotOptimize(
          (ahead ? ReadAhead : ReadAll)(layer.codes + t * part, part));
    });
  };
  state.counters["vs_read"] = std::min(Ratio(
                                           9, [&] { read(false); }, own),
                                       Ratio(
                                           9, [&] { read(true); }, own));
  Ggml ggml(weights, kColumns);
  if (ggml.dot == nullptr) return;
  std::vector<std::vector<uint8_t>> theirs(kCopies);
  for (auto& matrix : theirs) matrix.resize(ggml.stride * rows, 0x2A);
  const auto other = [&] {
    const uint8_t* const w = theirs[turn++ % kCopies].data();
    setup.work.Run([&](int t) {
      for (uint64_t n = rows * t / threads; n < rows * (t + 1) / threads; ++n) {
        ggml.dot(static_cast<int>(kColumns), &y[n], 0, w + n * ggml.stride, 0,
                 ggml.x.data(), 0, 1);
      }
    });
  };
  state.counters["vs_ggml"] = Ratio(9, other, own);
}

void BM_Matmul(benchmark::State& state, const Weights& weights, uint64_t rows) {
  constexpr uint64_t kSize = 4096;
  Threads setup(1);
  Layer layer(setup.context, weights, kSize, kSize);
  std::vector<float> x = Numbers(rows * kSize), y(rows * kSize);
  const bnq_matrix input = MatrixOf(x, rows), output = MatrixOf(y, rows);
  uint64_t bytes = 0;
  Check(bnq_linear_workspace(layer.linear, rows, &bytes));
  const Workspace workspace(bytes);
  for (auto _ : state) {
    Check(bnq_linear_run(layer.linear, setup.context, &input, &output,
                         workspace.data(), bytes));
  }
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations()) *
                          static_cast<int64_t>(rows * kSize * kSize));
}

struct Image {
  const char* name;
  uint64_t channels, size, outputs, kernel, stride, groups;
};
// Of ResNet-50, and of MobileNet.
const Image kImages[] = {{"3x3:64:56", 64, 56, 64, 3, 1, 1},
                         {"1x1:64-256:56", 64, 56, 256, 1, 1, 1},
                         {"3x3:256:14", 256, 14, 256, 3, 1, 1},
                         {"1x1:1024-256:14", 1024, 14, 256, 1, 1, 1},
                         {"depthwise3x3:96:112", 96, 112, 96, 3, 1, 96}};

void BM_Convolution(benchmark::State& state, const Image& image, bool nhwc) {
  Threads setup(1);
  const uint64_t channels = image.channels / image.groups, k = image.kernel;
  const std::vector<float> w = Numbers(image.outputs * channels * k * k);
  const uint64_t shape[] = {image.outputs, nhwc ? k : channels, k,
                            nhwc ? channels : k};
  const bnq_array source = {w.data(), shape, BNQ_DTYPE_F32, 4};
  bnq_config* config = nullptr;
  Check(bnq_config_from_text("int8,granularity=channel", &config));
  bnq_tensor* tensor = nullptr;
  Check(bnq_tensor_quantize(setup.context, config, &source, &tensor));
  bnq_operator* options = nullptr;
  Check(bnq_operator_create(&options));
  bnq_options* const set = bnq_operator_settings(options);
  for (const char* pad : {"pad_top", "pad_left", "pad_bottom", "pad_right"}) {
    Check(bnq_options_set_text(set, pad, k == 3 ? "1" : "0"));
  }
  Check(bnq_options_set_int(set, BNQ_OPERATOR_GROUPS,
                            static_cast<int64_t>(image.groups)));
  Check(bnq_options_set_text(set, "layout", nhwc ? "nhwc" : "nchw"));
  Check(bnq_options_set_text(set, "output", "int8"));
  Check(bnq_options_set_text(set, "output_scale", "0.05"));
  Check(bnq_options_set_text(set, "input_scale", "0.02"));
  bnq_convolution* convolution = nullptr;
  Check(bnq_convolution_create(setup.context, options, tensor, nullptr,
                               &convolution));
  const uint64_t pixels = image.size * image.size;
  std::vector<int8_t> x(image.channels * pixels, 3), y(image.outputs * pixels);
  bnq_matrix input = {}, output = {};
  input.data = x.data();
  input.rows = output.rows = 1;
  input.columns = x.size();
  output.data = y.data();
  output.columns = y.size();
  input.dtype = output.dtype = BNQ_DTYPE_I8;
  uint64_t bytes = 0;
  Check(bnq_convolution_workspace(convolution, 1, image.size, image.size,
                                  &bytes));
  const Workspace workspace(bytes);
  for (auto _ : state) {
    Check(bnq_convolution_run(convolution, setup.context, &input, image.size,
                              image.size, &output, workspace.data(), bytes));
  }
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations()) *
                          static_cast<int64_t>(w.size() * pixels));
  bnq_convolution_destroy(convolution);
  bnq_operator_destroy(options);
  bnq_tensor_destroy(tensor);
  bnq_config_destroy(config);
}

const bool registered = [] {
  for (const Weights& weights : kWeights) {
    for (const int threads : {1, 2}) {
      const std::string name =
          std::string("matvec/") + weights.name + "/" + std::to_string(threads);
      benchmark::RegisterBenchmark(name.c_str(), BM_Matvec, weights, threads)
          ->UseRealTime();
    }
    for (const uint64_t rows : {1, 8, 32, 512}) {
      const std::string name =
          std::string("matmul/") + weights.name + "/" + std::to_string(rows);
      benchmark::RegisterBenchmark(name.c_str(), BM_Matmul, weights, rows)
          ->UseRealTime();
    }
  }
  for (const Image& image : kImages) {
    for (const bool nhwc : {false, true}) {
      const std::string name =
          std::string("convolution/") + image.name + (nhwc ? "/nhwc" : "/nchw");
      benchmark::RegisterBenchmark(name.c_str(), BM_Convolution, image, nhwc)
          ->UseRealTime();
    }
  }
  return true;
}();

}  // namespace
}  // namespace bnq_bench
