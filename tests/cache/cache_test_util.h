// What the tests of core/cache share.
#ifndef BNQ_TESTS_CACHE_CACHE_TEST_UTIL_H_
#define BNQ_TESTS_CACHE_CACHE_TEST_UTIL_H_

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "core/cache/cache.h"
#include "core/tensor/quantize.h"
#include "tests/io/io_test_util.h"
#include "tests/model/model_test_util.h"

namespace bnq {

constexpr int64_t kSecondNs = 1000000000;

// float32 of a shape that look like weights; others for another seed.
inline TestArray WeightsOf(std::vector<uint64_t> dims, uint32_t seed) {
  uint64_t count = 1;
  for (const uint64_t side : dims) count *= side;
  const std::string noise = Noise(count, seed);
  std::vector<float> values;
  for (const char c : noise) {
    values.push_back(static_cast<float>(static_cast<int8_t>(c)) / 64.0f);
  }
  return TestArray(std::move(dims), values);
}

class CacheTest : public ModelTest {
 protected:
  // In a folder that is not there yet, with a clock of the test's.
  std::unique_ptr<Cache> NewCache() const {
    return std::make_unique<Cache>(Path("cache"), [this] { return now_; });
  }
  void SetOption(Cache* cache, const char* name, uint64_t value) const {
    cache->options().SetText(name, std::to_string(value));
  }
  // What becomes of WeightsOf({8, 64}, seed); its name is the seed.
  CachedTensor Ask(Cache* cache, uint32_t seed, bool* hit = nullptr) const {
    const TestArray array = WeightsOf({8, 64}, seed);
    const ArrayView view = array.view();
    CacheRequest request(config_, view);
    request.name = std::to_string(seed);
    bool is_hit = false;
    return cache->Quantize(context_, request, hit ? hit : &is_hit);
  }
  bool Hits(Cache* cache, uint32_t seed) const {
    bool hit = false;
    Ask(cache, seed, &hit);
    return hit;
  }
  std::unique_ptr<QuantizedTensor> Expected(uint32_t seed) const {
    return bnq::Quantize(context_, config_, WeightsOf({8, 64}, seed).view());
  }
  static double Stat(Cache* cache, CacheStat stat) {
    double values[kNumCacheStats];
    cache->Stats(values, true);
    return values[static_cast<int>(stat)];
  }
  // Files of this ending below the cache's folder, sorted.
  std::vector<std::string> Files(const std::string& ending) const {
    std::vector<std::string> paths;
    if (!std::filesystem::exists(Path("cache"))) return paths;
    for (const auto& item :
         std::filesystem::recursive_directory_iterator(Path("cache"))) {
      if (item.is_regular_file() && item.path().extension() == ending) {
        paths.push_back(item.path().string());
      }
    }
    std::sort(paths.begin(), paths.end());
    return paths;
  }

  const Config config_ = Config::FromText("int8,group_size=32");
  int64_t now_ = int64_t{1800000000} * kSecondNs;
};

}  // namespace bnq

#endif  // BNQ_TESTS_CACHE_CACHE_TEST_UTIL_H_
