// The layouts of other ecosystems beside copies of the same bytes:
//
//   interchange/export/<layout>/<what>   a folder with one matrix of 4096 x
//                    8192 to the layout: vs_copy is the ratio to writing a copy
//                    of the .bnq file, synced and renamed as the export is
//   interchange/load/<layout>/<what>     opening what was written and reading
//                    the tensor: vs_copy is the ratio to a copy, in memory, of
//                    its codes
//
// The first ratio is that of a disk more than of anything else; the second is 1
// and far more where codes are mapped as they are.
#include <benchmark/benchmark.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "bench/measure.h"
#include "bnq/bnq.h"

namespace bnq_bench {
namespace {

struct Case {
  const char *layout, *what, *config;
};
constexpr Case kCases[] = {
    {"compressed-tensors", "int4",
     "format=int4,group_size=128,scale_dtype=f16"},
    {"compressed-tensors", "int8", "format=int8,group_size=128"},
    {"gptq", "int4", "format=int4,group_size=128,scale_dtype=f16"},
    {"awq", "int4", "format=int4,group_size=128,scale_dtype=f16"},
    {"mlx", "int4", "format=int4,group_size=64,scale_dtype=bf16"},
    {"bitsandbytes", "nf4", "format=nf4,granularity=block,group_size=64"},
    {"bitnet", "ternary", "format=ternary,granularity=tensor"},
    {"gguf", "Q8_0", "format=int8,group_size=32,scale_dtype=f16"},
    {"gguf", "Q4_0", "format=int4,group_size=32,scale_dtype=f16"},
    {"gguf", "Q5_1", "format=int5,group_size=32,scheme=offset,scale_dtype=f16"},
    {"gguf", "TQ2_0", "format=ternary,group_size=256,scale_dtype=f16"},
    {"ort", "int4", "format=int4,group_size=32"},
};

// A folder with a quantized model, and one of what is written of it.
class Model {
 public:
  explicit Model(const Case& of) : layout_(of.layout) {
    std::string pattern =
        (std::filesystem::temp_directory_path() / "bnq_bench_XXXXXX").string();
    if (mkdtemp(&pattern[0]) == nullptr) std::abort();
    folder_ = pattern;
    std::filesystem::create_directory(folder_ + "/in");
    std::ofstream(folder_ + "/in/config.json") << "{}";
    const uint64_t shape[] = {4096, 8192};
    const Data& data = DataOf(shape[0] * shape[1] * 4);
    const bnq_array array = {data.x.data(), shape, BNQ_DTYPE_F32, 2};
    Check(bnq_context_create(nullptr, &context_));
    bnq_config* config = nullptr;
    Check(bnq_config_from_text(of.config, &config));
    bnq_tensor* tensor = nullptr;
    Check(bnq_tensor_quantize(context_, config, &array, &tensor));
    bnq_part codes;
    Check(bnq_tensor_part(tensor, BNQ_PART_CODES, &codes));
    codes_ = codes.bytes;
    bnq_writer* writer = nullptr;
    const std::string path = folder_ + "/in/model.bnq";
    Check(
        bnq_writer_create(context_, path.c_str(), BNQ_FILE_BNQ, 0, 0, &writer));
    Check(
        bnq_writer_add_tensor(writer, "model.layers.0.up_proj.weight", tensor));
    Check(bnq_writer_finish(writer));
    bnq_writer_destroy(writer);
    bnq_tensor_destroy(tensor);
    bnq_config_destroy(config);
    std::ifstream in(path, std::ios::binary);
    bytes_.assign(std::istreambuf_iterator<char>(in), {});
    from_.assign(codes_, 1);
    to_.assign(codes_, 2);
  }
  ~Model() {
    bnq_context_destroy(context_);
    std::filesystem::remove_all(folder_);
  }
  uint64_t codes() const { return codes_; }

  void Export() {
    Check(bnq_export_file(context_, nullptr, layout_, (folder_ + "/in").c_str(),
                          (folder_ + "/out").c_str(), BNQ_WRITE_OVERWRITE, 0,
                          nullptr, nullptr, nullptr));
  }
  void WriteCopy() {
    Check(bnq_write_file(context_, (folder_ + "/copy").c_str(), bytes_.data(),
                         bytes_.size(), BNQ_WRITE_OVERWRITE));
  }
  void Load() {
    bnq_file* file = nullptr;
    Check(bnq_file_open(context_, (folder_ + "/out").c_str(), 0, &file));
    bnq_tensor* tensor = nullptr;
    Check(bnq_file_tensor(context_, file, 0, &tensor));
    bnq_tensor_destroy(tensor);
    bnq_file_close(file);
  }
  void CopyCodes() {
    std::memcpy(to_.data(), from_.data(), codes_);
    benchmark::DoNotOptimize(to_.data());
  }

 private:
  const char* const layout_;
  std::string folder_;
  bnq_context* context_ = nullptr;
  uint64_t codes_ = 0;
  std::vector<char> bytes_, from_, to_;
};

// Times op under the benchmark; then it and a copy in turn, for the median
// ratio of their times.
void Compare(benchmark::State& state, const Case& of, bool exports) {
  Model model(of);
  model.Export();
  const auto op = [&] { exports ? model.Export() : model.Load(); };
  for (auto _ : state) op();
  std::vector<double> ratios;
  for (int i = 0; i < 11; ++i) {
    const double begin = Now();
    exports ? model.WriteCopy() : model.CopyCodes();
    const double middle = Now();
    op();
    ratios.push_back((middle - begin) / (Now() - middle));
  }
  std::nth_element(ratios.begin(), ratios.begin() + 5, ratios.end());
  state.counters["vs_copy"] = ratios[5];
  state.SetBytesProcessed(state.iterations() *
                          static_cast<int64_t>(model.codes()));
}

// Before main, which runs what is registered.
const bool g_registered = [] {
  for (const bool exports : {true, false}) {
    for (const Case& of : kCases) {
      const std::string name = std::string("interchange/") +
                               (exports ? "export/" : "load/") + of.layout +
                               '/' + of.what;
      benchmark::RegisterBenchmark(name.c_str(),
                                   [of, exports](benchmark::State& state) {
                                     Compare(state, of, exports);
                                   })
          ->UseRealTime()
          ->Unit(benchmark::kMillisecond);
    }
  }
  return true;
}();

}  // namespace
}  // namespace bnq_bench
