// The layer cache as a C program sees it; what it does is tested beside
// core/cache.
#include <unistd.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "capi_test_util.h"

namespace {

using bnq_test::Expect;

struct Deleter {
  void operator()(bnq_cache* c) const { bnq_cache_destroy(c); }
  void operator()(bnq_tensor* t) const { bnq_tensor_destroy(t); }
  void operator()(bnq_cache_list* l) const { bnq_cache_list_destroy(l); }
};
template <class T>
using Owned = std::unique_ptr<T, Deleter>;

class CacheAbi : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "bnq_cache_XXXXXX";
    ASSERT_NE(mkdtemp(&pattern[0]), nullptr);
    folder_ = pattern;
    ASSERT_EQ(bnq_config_from_text("int4,scale_rule=mse", &config_), BNQ_OK);
  }
  void TearDown() override {
    bnq_config_destroy(config_);
    std::filesystem::remove_all(folder_);
  }

  Owned<bnq_cache> NewCache() const {
    bnq_cache* cache = nullptr;
    EXPECT_EQ(bnq_cache_create(folder_.c_str(), &cache), BNQ_OK);
    return Owned<bnq_cache>(cache);
  }
  Owned<bnq_tensor> Ask(bnq_cache* cache, const char* name, int32_t* hit,
                        const std::vector<float>& importance = {}) const {
    bnq_tensor* tensor = nullptr;
    EXPECT_EQ(
        bnq_cache_quantize(nullptr, cache, config_, &array_,
                           importance.empty() ? nullptr : importance.data(),
                           importance.size(), name, &tensor, hit),
        BNQ_OK)
        << bnq_last_error();
    return Owned<bnq_tensor>(tensor);
  }
  std::string KeyOf() const {
    char key[65];
    uint64_t size = 0;
    EXPECT_EQ(bnq_cache_key(nullptr, config_, &array_, nullptr, 0, key,
                            sizeof key, &size),
              BNQ_OK);
    EXPECT_EQ(size, sizeof key);
    return key;
  }
  static std::string PartsOf(const bnq_tensor* tensor) {
    std::string bytes;
    for (int32_t i = 1; i <= BNQ_NUM_PARTS; ++i) {
      bnq_part part;
      EXPECT_EQ(bnq_tensor_part(tensor, i, &part), BNQ_OK);
      bytes.append(static_cast<const char*>(part.data), part.bytes);
    }
    return bytes;
  }
  static bool Same(const bnq_tensor* a, const bnq_tensor* b) {
    return PartsOf(a) == PartsOf(b);
  }

  std::string folder_;
  std::vector<float> values_ = {1, -2, 3, -4, 5, -6, 7, 8};
  uint64_t shape_[2] = {2, 4};
  bnq_array array_ = {values_.data(), shape_, BNQ_DTYPE_F32, 2};
  bnq_config* config_ = nullptr;
};

TEST_F(CacheAbi, FindsWhatItHasQuantized) {
  const auto cache = NewCache();
  int32_t hit = -1;
  const auto first = Ask(cache.get(), "model/0/weight", &hit);
  EXPECT_EQ(hit, 0);
  const auto other = NewCache();
  const auto second = Ask(other.get(), nullptr, &hit);
  EXPECT_EQ(hit, 1);
  bnq_tensor* plain = nullptr;
  ASSERT_EQ(bnq_tensor_quantize(nullptr, config_, &array_, &plain), BNQ_OK);
  EXPECT_TRUE(Same(first.get(), plain));
  EXPECT_TRUE(Same(second.get(), plain));
  bnq_tensor* found = nullptr;
  ASSERT_EQ(bnq_cache_find(nullptr, other.get(), KeyOf().c_str(), &found),
            BNQ_OK);
  EXPECT_TRUE(Same(found, plain));
  bnq_tensor_destroy(found);
  ASSERT_EQ(bnq_cache_get(nullptr, other.get(), "model/0/weight", &found),
            BNQ_OK);
  EXPECT_TRUE(Same(found, plain));
  bnq_tensor_destroy(found);
  // Another's importance makes another tensor.
  Ask(other.get(), nullptr, &hit, {1, 2, 3, 4});
  EXPECT_EQ(hit, 0);
  Ask(other.get(), nullptr, &hit, {1, 2, 3, 4});
  EXPECT_EQ(hit, 1);
  EXPECT_EQ(bnq_cache_quantize(nullptr, other.get(), config_, &array_, nullptr,
                               0, nullptr, &found, nullptr),
            BNQ_OK);
  bnq_tensor_destroy(found);
  bnq_tensor_destroy(plain);
}

TEST_F(CacheAbi, ListsAndRemovesEntries) {
  const auto cache = NewCache();
  int32_t hit = 0;
  const auto tensor = Ask(cache.get(), "b", &hit);
  ASSERT_EQ(bnq_cache_put(nullptr, cache.get(), "a", tensor.get()), BNQ_OK);
  const auto list = [&](const char* glob = nullptr) {
    bnq_cache_list* rows = nullptr;
    EXPECT_EQ(bnq_cache_list_create(nullptr, cache.get(), glob, &rows), BNQ_OK);
    return Owned<bnq_cache_list>(rows);
  };
  Owned<bnq_cache_list> rows = list();
  // What was quantized is found by what it was made of, what was put by what
  // it is.
  ASSERT_EQ(bnq_cache_list_count(rows.get()), 2u);
  EXPECT_STREQ(bnq_cache_list_name(rows.get(), 0, 0), "a");
  EXPECT_EQ(bnq_cache_list_key(rows.get(), 1), KeyOf());
  EXPECT_EQ(bnq_cache_list_name_count(rows.get(), 1), 1u);
  EXPECT_STREQ(bnq_cache_list_name(rows.get(), 1, 0), "b");
  EXPECT_GT(bnq_cache_list_bytes(rows.get(), 1), 64u);
  EXPECT_GT(bnq_cache_list_used(rows.get(), 1), 1.5e9);
  EXPECT_EQ(bnq_cache_list_damaged(rows.get(), 1), 0);
  // Of what only says how it was made nothing is kept.
  EXPECT_STREQ(bnq_cache_list_config(rows.get(), 1), "format=int4");
  uint64_t shape[BNQ_MAX_RANK];
  EXPECT_EQ(bnq_cache_list_shape(rows.get(), 1, shape), 2);
  EXPECT_EQ(shape[1], 4u);
  EXPECT_EQ(bnq_cache_list_key(rows.get(), 2), nullptr);
  EXPECT_EQ(bnq_cache_list_name(rows.get(), 0, 1), nullptr);
  EXPECT_EQ(bnq_cache_list_damaged(rows.get(), 2), -1);
  EXPECT_EQ(bnq_cache_list_shape(rows.get(), 2, nullptr), -1);
  EXPECT_EQ(bnq_cache_list_count(nullptr), 0u);
  EXPECT_EQ(bnq_cache_list_count(list("b*").get()), 1u);
  EXPECT_EQ(bnq_cache_list_count(list("c").get()), 0u);

  double stats[BNQ_NUM_CACHE_STATS];
  ASSERT_EQ(bnq_cache_stats(cache.get(), stats, BNQ_NUM_CACHE_STATS), BNQ_OK);
  EXPECT_EQ(stats[BNQ_CACHE_STAT_STORES], 2);
  EXPECT_EQ(stats[BNQ_CACHE_STAT_DISK_ENTRIES], 2);
  EXPECT_EQ(stats[BNQ_CACHE_STAT_MEMORY_ENTRIES], 2);

  uint64_t removed = 0, damaged = 0;
  ASSERT_EQ(bnq_cache_remove(nullptr, cache.get(), "a*", &removed), BNQ_OK);
  EXPECT_EQ(removed, 1u);
  const std::string key = KeyOf();
  const std::string path =
      folder_ + "/" + key.substr(0, 2) + "/" + key + ".bnq";
  std::ofstream(path) << "damaged";
  const auto report = [](void* calls, uint64_t, uint64_t, const char*) {
    ++*static_cast<int*>(calls);
    return 0;
  };
  int calls = 0;
  ASSERT_EQ(bnq_cache_verify(nullptr, cache.get(), report, &calls, &damaged),
            BNQ_OK);
  EXPECT_EQ(damaged, 1u);
  EXPECT_GT(calls, 1);
  rows = list();
  ASSERT_EQ(bnq_cache_list_count(rows.get()), 1u);
  EXPECT_EQ(bnq_cache_list_damaged(rows.get(), 0), 1);
  EXPECT_STREQ(bnq_cache_list_config(rows.get(), 0), "");
  ASSERT_EQ(bnq_cache_trim(nullptr, cache.get(), 1 << 20, &removed), BNQ_OK);
  EXPECT_EQ(removed, 0u);
  EXPECT_EQ(bnq_cache_list_count(list().get()), 0u);
  ASSERT_EQ(bnq_cache_clear(nullptr, cache.get()), BNQ_OK);
  bnq_tensor* gone = nullptr;
  Expect(bnq_cache_get(nullptr, cache.get(), "b", &gone), BNQ_ERROR_NOT_FOUND,
         "there is no entry of the name \"b\"");
}

TEST_F(CacheAbi, NamesItsStatistics) {
  ASSERT_EQ(bnq_cache_stat_count(), static_cast<uint32_t>(BNQ_NUM_CACHE_STATS));
  EXPECT_STREQ(bnq_cache_stat_name(BNQ_CACHE_STAT_MEMORY_HITS), "memory_hits");
  EXPECT_STREQ(bnq_cache_stat_name(BNQ_CACHE_STAT_DISK_BYTES), "disk_bytes");
  EXPECT_EQ(bnq_cache_stat_name(BNQ_NUM_CACHE_STATS), nullptr);
}

TEST_F(CacheAbi, RefusesWhatIsWrong) {
  const bnq_status bad = BNQ_ERROR_INVALID_ARGUMENT;
  bnq_cache_destroy(nullptr);
  bnq_cache_list_destroy(nullptr);
  bnq_cache* none = nullptr;
  Expect(bnq_cache_create("", &none), bad, "folder is empty");
  Expect(bnq_cache_create("x", nullptr), bad, "out_cache is NULL");
  const auto cache = NewCache();
  bnq_tensor* tensor = nullptr;
  Expect(bnq_cache_quantize(nullptr, nullptr, config_, &array_, nullptr, 0,
                            nullptr, &tensor, nullptr),
         bad, "cache is NULL");
  Expect(bnq_cache_quantize(nullptr, cache.get(), nullptr, &array_, nullptr, 0,
                            nullptr, &tensor, nullptr),
         bad, "config is NULL");
  Expect(bnq_cache_quantize(nullptr, cache.get(), config_, nullptr, nullptr, 0,
                            nullptr, &tensor, nullptr),
         bad, "source is NULL");
  Expect(bnq_cache_quantize(nullptr, cache.get(), config_, &array_, nullptr, 4,
                            nullptr, &tensor, nullptr),
         bad, "importance is NULL");
  Expect(bnq_cache_quantize(nullptr, cache.get(), config_, &array_,
                            values_.data(), 3, nullptr, &tensor, nullptr),
         bad, "importance has 3 weights");
  Expect(bnq_cache_quantize(nullptr, cache.get(), config_, &array_, nullptr, 0,
                            "", &tensor, nullptr),
         bad, "name");
  Expect(bnq_cache_find(nullptr, cache.get(), "AA", &tensor), bad,
         "key = \"AA\", must be 64 hexadecimal digits");
  Expect(bnq_cache_find(nullptr, cache.get(), KeyOf().c_str(), &tensor),
         BNQ_ERROR_NOT_FOUND, "there is no entry of the key");
  Expect(bnq_cache_put(nullptr, cache.get(), "a", nullptr), bad,
         "tensor is NULL");
  Expect(bnq_cache_key(nullptr, config_, &array_, nullptr, 0, folder_.data(), 1,
                       nullptr),
         bad, "size = 1, must be at least 65");
  double stats[BNQ_NUM_CACHE_STATS + 1];
  Expect(bnq_cache_stats(cache.get(), stats, BNQ_NUM_CACHE_STATS + 1), bad,
         "stat_count = 15, must be 0 to 14");
  EXPECT_EQ(tensor, nullptr);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}), 0);
}

TEST_F(CacheAbi, ProgressOfVerifyCancels) {
  const auto cache = NewCache();
  int32_t hit = 0;
  Ask(cache.get(), nullptr, &hit);
  const auto stop = [](void*, uint64_t, uint64_t, const char*) { return 1; };
  Expect(bnq_cache_verify(nullptr, cache.get(), stop, nullptr, nullptr),
         BNQ_ERROR_CANCELLED, "cancelled by the progress callback");
}

}  // namespace
