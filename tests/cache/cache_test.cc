#include "core/cache/cache.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <map>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "core/base/glob.h"
#include "core/cache/key.h"
#include "tests/cache/cache_test_util.h"

namespace bnq {
namespace {

namespace fs = std::filesystem;

TEST(MemoryTier, HoldsWhatWasUsedLastAndFindsWhatIsInUse) {
  const auto tensor = [](uint32_t seed) -> CachedTensor {
    return Quantize({}, Config::FromText("int8,group_size=32"),
                    WeightsOf({8, 64}, seed).view());
  };
  CachedTensor used = tensor(0);
  const uint64_t size = used->bytes(), limit = 3 * size;
  MemoryTier tier;
  tier.Add("0", {used}, limit);
  for (int i = 1; i < 3; ++i) tier.Add(std::to_string(i), {tensor(1)}, limit);
  EXPECT_EQ(tier.count(), 3u);
  EXPECT_EQ(tier.bytes(), 3 * size);
  EXPECT_NE(tier.Find("1").tensor, nullptr);  // so that 0 and 2 are older
  tier.Add("3", {tensor(1)}, limit);
  tier.Add("4", {tensor(1)}, limit);
  EXPECT_EQ(tier.bytes(), 3 * size);
  EXPECT_EQ(tier.Find("2").tensor, nullptr);
  EXPECT_NE(tier.Find("1").tensor, nullptr);
  // Let go of, and found as long as it is in use.
  EXPECT_EQ(tier.Find("0").tensor, used);
  used.reset();
  EXPECT_EQ(tier.Find("0").tensor, nullptr);
  // Larger than the limit: others stay.
  tier.Add("5", {tensor(1)}, size - 1);
  EXPECT_EQ(tier.count(), 0u);
  EXPECT_EQ(tier.bytes(), 0u);
  tier.Add("6", {tensor(1)}, limit);
  tier.Add("6", {tensor(2)}, limit);
  EXPECT_EQ(tier.bytes(), size);
  tier.Remove("6");
  EXPECT_EQ(tier.count(), 0u);
}

using CacheTests = CacheTest;

TEST_F(CacheTests, InMemoryAloneKeepsUpToItsLimit) {
  Cache cache("");
  EXPECT_FALSE(Hits(&cache, 1));
  const CachedTensor first = Ask(&cache, 1);
  EXPECT_EQ(first, cache.Get(context_, "1"));
  EXPECT_EQ(Stat(&cache, CacheStat::kMemoryHits), 2);
  SetOption(&cache, "memory_limit", 2 * first->bytes());
  for (uint32_t i = 2; i < 5; ++i) EXPECT_FALSE(Hits(&cache, i));
  EXPECT_EQ(Stat(&cache, CacheStat::kMemoryEntries), 2);
  EXPECT_EQ(Stat(&cache, CacheStat::kMemoryBytes),
            static_cast<double>(2 * first->bytes()));
  EXPECT_TRUE(Hits(&cache, 4));
  EXPECT_FALSE(Hits(&cache, 2));
  EXPECT_EQ(Stat(&cache, CacheStat::kBytesServed),
            static_cast<double>(3 * first->bytes()));
  EXPECT_EQ(Stat(&cache, CacheStat::kStores), 0);
  EXPECT_EQ(Stat(&cache, CacheStat::kDiskBytes), 0);
  EXPECT_EQ(cache.Get(context_, "3"), nullptr);
  EXPECT_EQ(cache.Trim(context_, 0), 2u);
  cache.Clear(context_);
  EXPECT_FALSE(Hits(&cache, 4));
}

TEST_F(CacheTests, FindsWhatItHasByNameAndByKey) {
  const auto cache = NewCache();
  Ask(cache.get(), 1);
  const TestArray array = WeightsOf({8, 64}, 1);
  const ArrayView view = array.view();
  const std::string key = QuantizedKey(context_, config_, {view, nullptr, ""});
  const auto other = NewCache();
  EXPECT_TRUE(SameTensor(*other->Find(context_, key), *Expected(1)));
  EXPECT_TRUE(SameTensor(*other->Get(context_, "1"), *Expected(1)));
  EXPECT_EQ(other->Get(context_, "2"), nullptr);
  EXPECT_EQ(other->Find(context_, std::string(64, '0')), nullptr);
  EXPECT_EQ(Stat(other.get(), CacheStat::kMisses), 2);
  EXPECT_TRUE(FailsWith(Status::kInvalidArgument, "key = \"x\"",
                        [&] { other->Find(context_, "x"); }));
  EXPECT_TRUE(FailsWith(Status::kInvalidArgument, "name",
                        [&] { other->Get(context_, ""); }));
}

// Names that file systems would take for others, one after the other in one.
TEST_F(CacheTests, ANameStandsForWhatWasPutThereLast) {
  const auto cache = NewCache();
  const std::vector<std::string> names = {
      "a/b", "a_b", "A/b", "../a/b", "a\nb", std::string(5000, 'x'), "\u00e9"};
  for (uint32_t i = 0; i < names.size(); ++i) {
    cache->Put(context_, names[i], *Expected(i));
  }
  const auto other = NewCache();
  for (uint32_t i = 0; i < names.size(); ++i) {
    EXPECT_TRUE(SameTensor(*other->Get(context_, names[i]), *Expected(i)));
  }
  // Twice under one name is one name; what both had is there for the other one.
  const auto entries = [&] {
    return Stat(cache.get(), CacheStat::kDiskEntries);
  };
  EXPECT_EQ(entries(), 7);
  cache->Put(context_, "a/b", *Expected(1));
  cache->Put(context_, "a/b", *Expected(1));
  EXPECT_EQ(entries(), 7);
  EXPECT_TRUE(SameTensor(*other->Get(context_, "a/b"), *Expected(1)));
  const auto matching = [](const char* glob) {
    return [glob](const std::string& name) { return GlobMatch(glob, name); };
  };
  EXPECT_EQ(cache->Remove(context_, matching("a_b")), 0u);
  EXPECT_TRUE(SameTensor(*other->Get(context_, "a/b"), *Expected(1)));
  EXPECT_EQ(other->Get(context_, "a_b"), nullptr);
  EXPECT_EQ(cache->Remove(context_, matching("a/b")), 1u);
  EXPECT_EQ(cache->Get(context_, "a/b"), nullptr);
  EXPECT_EQ(entries(), 6);
  EXPECT_EQ(cache->Remove(context_, matching("*")), 5u);
  EXPECT_EQ(entries(), 1);  // of Expected(0), which has lost its name
}

// What stands for the array's contents is enough: they are not read.
TEST_F(CacheTests, AnIdentitySparesReadingTheArray) {
  const TestArray array = WeightsOf({8, 64}, 1);
  ArrayView view = array.view();
  view.data = nullptr;
  int reads = 0;
  CacheRequest request(config_, view);
  request.read = [&] {
    ++reads;
    return array.view();
  };
  const auto ask = [&](const std::string& identity) {
    request.identity = identity;
    bool hit = false;
    EXPECT_TRUE(SameTensor(*NewCache()->Quantize(context_, request, &hit),
                           *Expected(1)));
    return hit;
  };
  EXPECT_FALSE(ask("file 1"));
  EXPECT_EQ(reads, 1);
  EXPECT_TRUE(ask("file 1"));
  EXPECT_EQ(reads, 1);
  // The same contents in another file.
  EXPECT_TRUE(ask("file 2"));
  EXPECT_EQ(reads, 2);
  EXPECT_TRUE(ask("file 2"));
  EXPECT_EQ(reads, 2);
  EXPECT_EQ(NewCache()->List(context_).size(), 1u);
  EXPECT_EQ(NewCache()->List(context_)[0].names.size(), 0u);
  // An entry that has gone is made again.
  NewCache()->Trim(context_, 0);
  EXPECT_FALSE(ask("file 1"));
}

// The caller's memory may be gone.
TEST_F(CacheTests, KeepsACopyOfWhatIsPut) {
  Cache cache("");
  auto tensor = Expected(1);
  std::vector<uint8_t> codes(
      tensor->codes(), tensor->codes() + tensor->part(Part::kCodes).bytes);
  Parts parts = tensor->parts();
  parts[Part::kCodes].data = codes.data();
  cache.Put(context_, "a",
            *TensorOfParts(context_, config_, tensor->shape(), parts, true));
  std::fill(codes.begin(), codes.end(), 0);
  EXPECT_TRUE(SameTensor(*cache.Get(context_, "a"), *tensor));
}

TEST_F(CacheTests, WhatCannotBeQuantizedIsAnErrorEveryTime) {
  const auto cache = NewCache();
  TestArray array({2}, {1.0f, NAN});
  const ArrayView view = array.view();
  CacheRequest request(config_, view);
  for (int i = 0; i < 2; ++i) {
    bool hit = false;
    EXPECT_TRUE(FailsWith(Status::kNonFinite, "index",
                          [&] { cache->Quantize(context_, request, &hit); }));
  }
  EXPECT_EQ(Files(".bnq").size(), 0u);
}

TEST_F(CacheTests, ThreadsHaveEachTensorMadeOnce) {
  const auto cache = NewCache();
  constexpr uint32_t kTensors = 12;
  std::vector<std::unique_ptr<QuantizedTensor>> expected;
  for (uint32_t i = 0; i < kTensors; ++i) expected.push_back(Expected(i));
  std::atomic<int> hits{0}, wrong{0};
  std::vector<std::thread> threads;
  for (uint32_t t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      for (uint32_t i = 0; i < kTensors; ++i) {
        const uint32_t seed = (i * (t % 2 ? 5 : 7)) % kTensors;
        bool hit = false;
        if (!SameTensor(*Ask(cache.get(), seed, &hit), *expected[seed])) {
          ++wrong;
        }
        hits += hit;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(hits, static_cast<int>(7 * kTensors));
  EXPECT_EQ(Stat(cache.get(), CacheStat::kMisses), kTensors);
  EXPECT_EQ(Stat(cache.get(), CacheStat::kStores), kTensors);
}

TEST_F(CacheTests, AFailedOrCancelledMakingIsNobodyElsesTrouble) {
  const auto cache = NewCache();
  Context cancelled;
  cancelled.tick = [] { Fail(Status::kCancelled, "enough"); };
  const TestArray array = WeightsOf({8, 64}, 1);
  const ArrayView view = array.view();
  CacheRequest request(config_, view);
  bool hit = false;
  EXPECT_TRUE(FailsWith(Status::kCancelled, "enough",
                        [&] { cache->Quantize(cancelled, request, &hit); }));
  EXPECT_FALSE(Hits(cache.get(), 1));
}

// Eight processes, of which one is killed every few milliseconds, in one folder
// whose limit makes them remove each other's entries all the time.
class Hammer {
 public:
  static constexpr uint32_t kTensors = 40;

  Hammer(std::string folder, uint64_t limit, const Config& config,
         const std::vector<std::unique_ptr<QuantizedTensor>>& expected)
      : folder_(std::move(folder)),
        limit_(limit),
        config_(config),
        expected_(expected) {}

  pid_t Start(uint32_t seed) const {
    const pid_t child = fork();
    if (child == 0) _exit(Run(seed));
    return child;
  }

 private:
  // Until it is killed; returns where something is not as it should be.
  int Run(uint32_t seed) const {
    try {
      Cache cache(folder_);
      cache.options().SetText("disk_limit", std::to_string(limit_));
      cache.options().SetText("memory_limit", "0");
      cache.options().SetText("strict", "on");
      std::mt19937 random(seed);
      for (;;) {
        const uint32_t i = random() % kTensors;
        const TestArray array = WeightsOf({8, 64}, i);
        const ArrayView view = array.view();
        CacheRequest request(config_, view);
        request.name = std::to_string(i);
        request.identity = "tensor " + std::to_string(i);
        bool hit = false;
        const CachedTensor tensor = cache.Quantize({}, request, &hit);
        if (!SameTensor(*tensor, *expected_[i])) return 2;
        const CachedTensor named = cache.Get({}, std::to_string(i));
        if (named != nullptr && !SameTensor(*named, *expected_[i])) return 3;
        double stats[kNumCacheStats];
        cache.Stats(stats, false);
        if (stats[static_cast<int>(CacheStat::kDamaged)] != 0) return 4;
        if (random() % 200 == 0) cache.Trim({}, limit_ / 2);
        if (random() % 200 == 0) cache.Verify({}, nullptr);
      }
    } catch (const Error& error) {
      std::fprintf(stderr, "%s\n", error.what());
      return 5;
    } catch (...) {
      return 6;
    }
  }

  const std::string folder_;
  const uint64_t limit_;
  const Config& config_;
  const std::vector<std::unique_ptr<QuantizedTensor>>& expected_;
};

TEST_F(CacheTests, EightProcessesShareAFolderWhileTheyAreKilled) {
  std::vector<std::unique_ptr<QuantizedTensor>> expected;
  for (uint32_t i = 0; i < Hammer::kTensors; ++i)
    expected.push_back(Expected(i));
  Ask(NewCache().get(), 0);
  const uint64_t limit = 15 * fs::file_size(Files(".bnq").at(0));
  const Hammer hammer(Path("cache"), limit, config_, expected);
  std::vector<pid_t> processes;
  uint32_t seed = 0;
  while (processes.size() < 8) processes.push_back(hammer.Start(++seed));
  std::mt19937 random(1);
  for (int i = 0; i < 80; ++i) {
    usleep(random() % 25000);
    pid_t& process = processes[random() % processes.size()];
    kill(process, SIGKILL);
    int status = 0;
    ASSERT_EQ(waitpid(process, &status, 0), process);
    ASSERT_TRUE(WIFSIGNALED(status)) << "exit code " << WEXITSTATUS(status);
    process = hammer.Start(++seed);
  }
  for (const pid_t process : processes) {
    kill(process, SIGKILL);
    int status = 0;
    ASSERT_EQ(waitpid(process, &status, 0), process);
    ASSERT_TRUE(WIFSIGNALED(status)) << "exit code " << WEXITSTATUS(status);
  }
  EXPECT_EQ(Files(".bad").size(), 0u);
  const auto cache = NewCache();
  EXPECT_EQ(cache->Verify(context_, nullptr), 0u);
  for (uint32_t i = 0; i < Hammer::kTensors; ++i) {
    EXPECT_TRUE(SameTensor(*Ask(cache.get(), i), *expected[i])) << i;
  }
  SetOption(cache.get(), "disk_limit", limit);
  Ask(cache.get(), Hammer::kTensors);
  EXPECT_LE(Stat(cache.get(), CacheStat::kDiskBytes),
            static_cast<double>(limit));
  // What killed processes have left goes an hour later.
  now_ = SystemTime() + 3700 * kSecondNs;
  cache->Trim(context_, 0);
  EXPECT_EQ(Files(".tmp").size(), 0u);
  EXPECT_EQ(Files(".bnq").size(), 0u);
}

TEST(DefaultCacheFolder, IsThatOfTheEnvironment) {
  std::map<const char*, std::string> before;
  for (const char* name : {"BNQ_CACHE", "XDG_CACHE_HOME", "HOME"}) {
    const char* const value = getenv(name);
    if (value != nullptr) before[name] = value;
    unsetenv(name);
  }
  EXPECT_TRUE(FailsWith(Status::kNotFound, "BNQ_CACHE", DefaultCacheFolder));
  setenv("HOME", "/h", 1);
  EXPECT_EQ(DefaultCacheFolder(), "/h/.cache/bnq");
  setenv("XDG_CACHE_HOME", "/x", 1);
  EXPECT_EQ(DefaultCacheFolder(), "/x/bnq");
  setenv("BNQ_CACHE", "/b", 1);
  EXPECT_EQ(DefaultCacheFolder(), "/b");
  for (const char* name : {"BNQ_CACHE", "XDG_CACHE_HOME", "HOME"}) {
    unsetenv(name);
  }
  for (const auto& [name, value] : before) setenv(name, value.c_str(), 1);
}

}  // namespace
}  // namespace bnq
