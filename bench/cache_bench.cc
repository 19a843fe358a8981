// The layer cache beside what its work is made of:
//
//   cache/first      a hit of an entry that the process has not had before, and
//                    that the page cache has: vs_checksum is the ratio to
//                    mapping the file and taking zlib's crc32 of it
//   cache/again      another hit of it, memory being off: vs_mapping is the
//                    ratio to mapping and unmapping the file
//   cache/memory     a hit in memory
//   cache/array      a hit by the array's contents, in memory: vs_read is the
//                    ratio to reading the array
//   cache/miss       quantizing and storing it: vs_quantize is the ratio to
//                    quantizing alone
//
// The entry is a layer of 64 MiB: int8, a scale for each of 8192 rows of 8192.
// BNQ_BENCH_CACHE_MIB: another size.
#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "bench/measure.h"
#include "bnq/bnq.h"

namespace bnq_bench {
namespace {

class Folder {
 public:
  Folder() {
    std::string pattern =
        (std::filesystem::temp_directory_path() / "bnq_bench_XXXXXX").string();
    if (mkdtemp(&pattern[0]) == nullptr) std::abort();
    path_ = pattern;
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// A layer, and a cache that has it.
class Subject {
 public:
  Subject() {
    const char* const mib = std::getenv("BNQ_BENCH_CACHE_MIB");
    const uint64_t rows = (mib ? std::strtoull(mib, nullptr, 10) : 64) * 128;
    const Data& data = DataOf(rows * kColumns * 4);
    shape_[0] = rows;
    array_ = {data.x.data(), shape_, BNQ_DTYPE_F32, 2};
    Check(bnq_context_create(nullptr, &context_));
    Check(bnq_config_from_text("int8_per_channel", &config_));
    Check(bnq_cache_key(context_, config_, &array_, nullptr, 0, key_,
                        sizeof key_, nullptr));
    bnq_cache* cache = NewCache(true);
    Quantize(cache);
    bnq_cache_destroy(cache);
    entry_ = folder_.path() + "/" + std::string(key_, 2) + "/" + key_ + ".bnq";
  }
  ~Subject() {
    bnq_config_destroy(config_);
    bnq_context_destroy(context_);
  }

  const bnq_array& array() const { return array_; }
  uint64_t weights() const { return shape_[0] * kColumns; }
  bnq_cache* NewCache(bool memory) const {
    bnq_cache* cache = nullptr;
    Check(bnq_cache_create(folder_.path().c_str(), &cache));
    if (!memory) {
      Check(
          bnq_options_set_text(bnq_cache_settings(cache), "memory_limit", "0"));
    }
    return cache;
  }
  void Find(bnq_cache* cache) const {
    bnq_tensor* tensor = nullptr;
    Check(bnq_cache_find(context_, cache, key_, &tensor));
    bnq_tensor_destroy(tensor);
  }
  void Quantize(bnq_cache* cache) const {
    bnq_tensor* tensor = nullptr;
    Check(bnq_cache_quantize(context_, cache, config_, &array_, nullptr, 0,
                             nullptr, &tensor, nullptr));
    bnq_tensor_destroy(tensor);
  }
  void QuantizeAlone() const {
    bnq_tensor* tensor = nullptr;
    Check(bnq_tensor_quantize(context_, config_, &array_, &tensor));
    bnq_tensor_destroy(tensor);
  }
  // Maps the entry, reads all of it if asked to, and unmaps it.
  void Map(bool checksum) const {
    const int fd = open(entry_.c_str(), O_RDONLY | O_CLOEXEC);
    struct stat status;
    if (fd < 0 || fstat(fd, &status) != 0) std::abort();
    const size_t bytes = static_cast<size_t>(status.st_size);
    void* const p = mmap(nullptr, bytes, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    if (p == MAP_FAILED) std::abort();
    if (checksum) {
      benchmark::DoNotOptimize(
          crc32_z(0, static_cast<const unsigned char*>(p), bytes));
    }
    munmap(p, bytes);
  }

 private:
  static constexpr uint64_t kColumns = 8192;

  Folder folder_;
  uint64_t shape_[2] = {0, kColumns};
  bnq_array array_ = {};
  bnq_context* context_ = nullptr;
  bnq_config* config_ = nullptr;
  char key_[65];
  std::string entry_;
};

const Subject& TheSubject() {
  static const Subject subject;
  return subject;
}

// Times op under the benchmark; then it and `yardstick` in turn, for the median
// ratio of their times.
void Compare(benchmark::State& state, const char* name,
             const std::function<void()>& op,
             const std::function<void()>& yardstick) {
  op();
  for (auto _ : state) op();
  std::vector<double> ratios;
  for (int i = 0; i < 11; ++i) {
    const double begin = Now();
    yardstick();
    const double middle = Now();
    op();
    ratios.push_back((middle - begin) / (Now() - middle));
  }
  std::nth_element(ratios.begin(), ratios.begin() + 5, ratios.end());
  state.counters[name] = ratios[5];
}

void First(benchmark::State& state) {
  const Subject& subject = TheSubject();
  Compare(
      state, "vs_checksum",
      [&] {
        bnq_cache* cache = subject.NewCache(false);
        subject.Find(cache);
        bnq_cache_destroy(cache);
      },
      [&] { subject.Map(true); });
  state.SetBytesProcessed(state.iterations() *
                          static_cast<int64_t>(subject.weights()));
}

void Again(benchmark::State& state) {
  const Subject& subject = TheSubject();
  bnq_cache* cache = subject.NewCache(false);
  Compare(
      state, "vs_mapping", [&] { subject.Find(cache); },
      [&] { subject.Map(false); });
  bnq_cache_destroy(cache);
}

void Memory(benchmark::State& state) {
  const Subject& subject = TheSubject();
  bnq_cache* cache = subject.NewCache(true);
  subject.Find(cache);
  for (auto _ : state) subject.Find(cache);
  bnq_cache_destroy(cache);
}

void Array(benchmark::State& state) {
  const Subject& subject = TheSubject();
  bnq_cache* cache = subject.NewCache(true);
  Compare(
      state, "vs_read", [&] { subject.Quantize(cache); },
      [&] {
        benchmark::DoNotOptimize(
            ReadAll(static_cast<const float*>(subject.array().data),
                    subject.weights() * 4));
      });
  state.SetBytesProcessed(state.iterations() *
                          static_cast<int64_t>(subject.weights() * 4));
  bnq_cache_destroy(cache);
}

void Miss(benchmark::State& state) {
  const Subject& subject = TheSubject();
  const Folder folder;
  Compare(
      state, "vs_quantize",
      [&] {
        bnq_cache* cache = nullptr;
        Check(bnq_cache_create(folder.path().c_str(), &cache));
        subject.Quantize(cache);
        Check(bnq_cache_clear(nullptr, cache));
        bnq_cache_destroy(cache);
      },
      [&] { subject.QuantizeAlone(); });
  state.SetBytesProcessed(state.iterations() *
                          static_cast<int64_t>(subject.weights() * 4));
}

// Before main, which runs what is registered.
const bool g_registered = [] {
  const struct {
    const char* name;
    void (*run)(benchmark::State&);
  } benches[] = {{"cache/first", First},
                 {"cache/again", Again},
                 {"cache/memory", Memory},
                 {"cache/array", Array},
                 {"cache/miss", Miss}};
  for (const auto& bench : benches) {
    benchmark::RegisterBenchmark(bench.name, bench.run)
        ->UseRealTime()
        ->Unit(benchmark::kMicrosecond);
  }
  return true;
}();

}  // namespace
}  // namespace bnq_bench
