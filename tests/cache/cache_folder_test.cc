#include "core/cache/cache_folder.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "core/cache/key.h"
#include "tests/cache/cache_test_util.h"

namespace bnq {
namespace {

namespace fs = std::filesystem;

class CacheFolderTest : public CacheTest {
 protected:
  // An entry of a test's tensor, which is the only one.
  std::string OnlyEntry() const {
    const std::vector<std::string> files = Files(".bnq");
    EXPECT_EQ(files.size(), 1u);
    return files.at(0);
  }
  std::unique_ptr<Cache> ReadOnly() const {
    auto cache = NewCache();
    SetOption(cache.get(), "read_only", 1);
    return cache;
  }
  // Whether a cache that has not seen the entry finds it, and how many damaged
  // ones; which leaves all as it is.
  bool IsFound(uint32_t seed, double damaged) const {
    const auto cache = ReadOnly();
    const bool hit = Hits(cache.get(), seed);
    EXPECT_EQ(Stat(cache.get(), CacheStat::kFailures), 0);
    EXPECT_EQ(Stat(cache.get(), CacheStat::kDamaged), hit ? 0 : damaged);
    return hit;
  }
  // Whether such a cache makes the tensor of a damaged entry anew, and sets the
  // old one aside.
  void ExpectDamaged(const std::string& entry, const std::string& what) const {
    const std::string bad = entry.substr(0, entry.size() - 3) + "bad";
    fs::remove(bad);
    const auto cache = NewCache();
    bool hit = true;
    const CachedTensor tensor = Ask(cache.get(), 1, &hit);
    EXPECT_FALSE(hit) << what;
    EXPECT_TRUE(SameTensor(*tensor, *Expected(1))) << what;
    EXPECT_EQ(Stat(cache.get(), CacheStat::kDamaged), 1) << what;
    EXPECT_EQ(Stat(cache.get(), CacheStat::kFailures), 0) << what;
    EXPECT_TRUE(fs::exists(bad)) << what;
    EXPECT_TRUE(Hits(NewCache().get(), 1)) << what;
  }
};

TEST_F(CacheFolderTest, KeepsAnEntryForOtherProcesses) {
  EXPECT_FALSE(Hits(NewCache().get(), 1));
  const auto cache = NewCache();
  bool hit = false;
  const CachedTensor tensor = Ask(cache.get(), 1, &hit);
  EXPECT_TRUE(hit);
  EXPECT_TRUE(SameTensor(*tensor, *Expected(1)));
  EXPECT_EQ(Stat(cache.get(), CacheStat::kDiskHits), 1);
  EXPECT_EQ(Stat(cache.get(), CacheStat::kDiskEntries), 1);
  EXPECT_EQ(Stat(cache.get(), CacheStat::kDiskBytes),
            static_cast<double>(fs::file_size(OnlyEntry())));
  // It is mapped, and stays with whoever has it.
  fs::remove_all(Path("cache"));
  EXPECT_TRUE(SameTensor(*tensor, *Expected(1)));
}

TEST_F(CacheFolderTest, TakesATruncatedEntryForNone) {
  Ask(NewCache().get(), 1);
  const std::string entry = OnlyEntry(), whole = ReadFile(entry);
  for (size_t bytes = 0; bytes < whole.size(); ++bytes) {
    WriteFile(entry, whole.substr(0, bytes));
    EXPECT_FALSE(IsFound(1, 1)) << bytes;
  }
  ExpectDamaged(entry, "one byte less");
}

TEST_F(CacheFolderTest, TakesAnEntryWithAFlippedBitForNone) {
  Ask(NewCache().get(), 1);
  const std::string entry = OnlyEntry(), whole = ReadFile(entry);
  size_t tested = 0;
  for (size_t byte = 0; byte < whole.size(); ++byte) {
    std::string flipped = whole;
    flipped[byte] = static_cast<char>(flipped[byte] ^ (1 << byte % 8));
    WriteFile(entry, flipped);
    const bool found = IsFound(1, 1);
    // Padding between sections belongs to no tensor: Verify reads it.
    EXPECT_TRUE(!found || whole[byte] == '\0') << byte;
    if (found) {
      EXPECT_EQ(ReadOnly()->Verify(context_, nullptr), 1u) << byte;
    }
    tested += !found;
  }
  EXPECT_GT(tested, whole.size() * 9 / 10);
  ExpectDamaged(entry, "the last byte");
}

TEST_F(CacheFolderTest, TakesAnEntryUnderAnothersNameForNone) {
  Ask(NewCache().get(), 2);
  const std::string other = OnlyEntry(), bytes = ReadFile(other);
  fs::remove(other);
  Ask(NewCache().get(), 1);
  const std::string entry = OnlyEntry();
  WriteFile(entry, bytes);
  ExpectDamaged(entry, "another entry");
  WriteFile(entry, "<!DOCTYPE html>");
  ExpectDamaged(entry, "a page");
}

// In the process that compared its checksums nothing is read again, which the
// next one finds out.
TEST_F(CacheFolderTest, ComparesChecksumsOnceInAProcess) {
  Ask(NewCache().get(), 1);
  const auto cache = NewCache();
  SetOption(cache.get(), "memory_limit", 0);
  EXPECT_TRUE(Hits(cache.get(), 1));
  const std::string entry = OnlyEntry();
  std::string bytes = ReadFile(entry);
  bytes[100] = static_cast<char>(bytes[100] ^ 1);
  WriteFile(entry, bytes);
  EXPECT_TRUE(Hits(cache.get(), 1));
  ExpectDamaged(entry, "one code");
}

TEST_F(CacheFolderTest, LeavesWhatItCannotReadNow) {
  Ask(NewCache().get(), 1);
  const std::string entry = OnlyEntry(), bytes = ReadFile(entry);
  // Something that is no file cannot be opened, whoever asks.
  fs::remove(entry);
  fs::create_directory(entry);
  const auto cache = NewCache();
  EXPECT_FALSE(Hits(cache.get(), 1));
  EXPECT_EQ(Stat(cache.get(), CacheStat::kDamaged), 0);
  EXPECT_GE(Stat(cache.get(), CacheStat::kFailures), 1);
  EXPECT_TRUE(fs::is_directory(entry));
  // Its tensor is in memory, and another cache's is not.
  EXPECT_TRUE(Hits(cache.get(), 1));
  const auto strict = NewCache();
  SetOption(strict.get(), "strict", 1);
  EXPECT_TRUE(
      FailsWith(Status::kIo, "is a directory", [&] { Ask(strict.get(), 1); }));
  fs::remove(entry);
  WriteFile(entry, bytes);
  EXPECT_TRUE(Hits(strict.get(), 1));
}

TEST_F(CacheFolderTest, LeavesEverythingWhereNoFileCanBeOpened) {
  Ask(NewCache().get(), 1);
  const auto cache = NewCache();
  rlimit before;
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit none = before;
  none.rlim_cur = 0;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  const bool hit = Hits(cache.get(), 1);
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_FALSE(hit);
  EXPECT_EQ(Stat(cache.get(), CacheStat::kDamaged), 0);
  EXPECT_GE(Stat(cache.get(), CacheStat::kFailures), 1);
  EXPECT_TRUE(Hits(NewCache().get(), 1));
}

TEST_F(CacheFolderTest, ReturnsWhatAFullDiskDoesNotTake) {
  Ask(NewCache().get(), 1);
  const auto cache = NewCache();
  rlimit before;
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  rlimit little = before;
  little.rlim_cur = 300;
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &little), 0);
  bool hit = true;
  const CachedTensor tensor = Ask(cache.get(), 2, &hit);
  const bool old = Hits(cache.get(), 1);
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  EXPECT_FALSE(hit);
  EXPECT_TRUE(old);
  EXPECT_TRUE(SameTensor(*tensor, *Expected(2)));
  EXPECT_EQ(Stat(cache.get(), CacheStat::kNotStored), 1);
  EXPECT_EQ(Files(".bnq").size(), 1u);
  EXPECT_EQ(Files(".tmp").size(), 0u);
}

TEST_F(CacheFolderTest, LeavesAFolderThatIsReadOnlyAsItIs) {
  const auto reader = ReadOnly();
  EXPECT_FALSE(Hits(reader.get(), 1));
  EXPECT_FALSE(fs::exists(Path("cache")));
  Ask(NewCache().get(), 2);
  const std::string entry = OnlyEntry();
  const auto time = fs::last_write_time(entry);
  now_ += 1000 * kSecondNs;
  EXPECT_TRUE(Hits(reader.get(), 2));
  EXPECT_TRUE(Hits(reader.get(), 1));  // from memory, as 3 will be
  EXPECT_FALSE(Hits(reader.get(), 3));
  EXPECT_EQ(fs::last_write_time(entry), time);
  WriteFile(entry, "damaged");
  const auto other = ReadOnly();
  EXPECT_FALSE(Hits(other.get(), 2));
  EXPECT_EQ(other->Verify(context_, nullptr), 1u);
  EXPECT_EQ(ReadFile(OnlyEntry()), "damaged");
  EXPECT_EQ(other->Get(context_, "3"), nullptr);
  EXPECT_TRUE(SameTensor(*reader->Get(context_, "3"), *Expected(3)));
  for (const auto& remove : std::vector<std::function<void()>>{
           [&] { other->Clear(context_); }, [&] { other->Trim(context_, 0); },
           [&] {
             other->Remove(context_, [](const auto&) { return true; });
           }}) {
    EXPECT_TRUE(
        FailsWith(Status::kInvalidArgument, "read only", [&] { remove(); }));
  }
}

TEST_F(CacheFolderTest, RemovesThoseNotUsedForLongestDownToNineTenths) {
  const auto cache = NewCache();
  SetOption(cache.get(), "memory_limit", 0);
  Ask(cache.get(), 0);
  const uint64_t size = fs::file_size(OnlyEntry());
  SetOption(cache.get(), "disk_limit", 20 * size);
  for (uint32_t i = 1; i < 20; ++i) {
    now_ += 100 * kSecondNs;
    EXPECT_FALSE(Hits(cache.get(), i));
  }
  EXPECT_EQ(Files(".bnq").size(), 20u);
  // The first two are used again: 2, 3 and 4 are the oldest now.
  now_ += 100 * kSecondNs;
  EXPECT_TRUE(Hits(cache.get(), 1));
  EXPECT_TRUE(Hits(cache.get(), 0));
  EXPECT_EQ(Stat(cache.get(), CacheStat::kEvictions), 0);
  now_ += 100 * kSecondNs;
  EXPECT_FALSE(Hits(cache.get(), 20));
  EXPECT_EQ(Files(".bnq").size(), 18u);
  EXPECT_EQ(Stat(cache.get(), CacheStat::kEvictions), 3);
  EXPECT_EQ(Stat(cache.get(), CacheStat::kDiskBytes),
            static_cast<double>(18 * size));
  std::vector<std::string> left;
  for (const CacheRow& row : cache->List(context_)) {
    ASSERT_EQ(row.names.size(), 1u);
    left.push_back(row.names[0]);
  }
  EXPECT_EQ(left, (std::vector<std::string>{"20", "0", "1", "19", "18", "17",
                                            "16", "15", "14", "13", "12", "11",
                                            "10", "9", "8", "7", "6", "5"}));
}

// Of entries that were written within one tick of the system's clock, too.
TEST_F(CacheFolderTest, HitsInMemoryCountAsUses) {
  Cache cache(Path("cache"), [this] { return now_; });
  for (uint32_t i = 0; i < 3; ++i) {
    now_ += 1;
    Ask(&cache, i);
  }
  now_ += 61 * kSecondNs;
  EXPECT_TRUE(Hits(&cache, 0));
  EXPECT_EQ(Stat(&cache, CacheStat::kMemoryHits), 1);
  std::vector<std::string> order;
  for (const CacheRow& row : cache.List(context_)) {
    order.push_back(row.names.at(0));
  }
  EXPECT_EQ(order, (std::vector<std::string>{"0", "2", "1"}));
}

TEST_F(CacheFolderTest, ReturnsButDoesNotStoreWhatExceedsTheLimit) {
  const auto cache = NewCache();
  Ask(cache.get(), 1);
  const uint64_t size = fs::file_size(OnlyEntry());
  for (const bool compress : {false, true}) {
    SetOption(cache.get(), "compress", compress);
    SetOption(cache.get(), "disk_limit", compress ? 400 : size - 1);
    const CachedTensor tensor = Ask(cache.get(), 2 + compress);
    EXPECT_TRUE(SameTensor(*tensor, *Expected(2 + compress)));
    EXPECT_EQ(Stat(cache.get(), CacheStat::kNotStored), 1 + compress);
    // What was there stays.
    EXPECT_EQ(Files(".bnq").size(), 1u);
    EXPECT_TRUE(Hits(NewCache().get(), 1));
  }
  SetOption(cache.get(), "compress", 0);
  SetOption(cache.get(), "disk_limit", size);
  Ask(cache.get(), 4);
  EXPECT_EQ(Stat(cache.get(), CacheStat::kStores), 2);
  EXPECT_EQ(Files(".bnq").size(), 1u);
}

TEST_F(CacheFolderTest, StoresCompressedEntries) {
  const auto cache = NewCache();
  SetOption(cache.get(), "compress", 1);
  const TestArray zeros({64, 64}, std::vector<float>(4096));
  const ArrayView view = zeros.view();
  CacheRequest request(config_, view);
  bool hit = true;
  cache->Quantize(context_, request, &hit);
  EXPECT_FALSE(hit);
  EXPECT_LT(fs::file_size(OnlyEntry()), 2000u);
  const CachedTensor tensor = NewCache()->Quantize(context_, request, &hit);
  EXPECT_TRUE(hit);
  EXPECT_TRUE(
      SameTensor(*tensor, *bnq::Quantize(context_, config_, zeros.view())));
}

TEST_F(CacheFolderTest, SweepsWhatKilledProcessesHaveLeft) {
  const auto cache = NewCache();
  Ask(cache.get(), 1);
  const std::string entry = OnlyEntry();
  const std::string folder = entry.substr(0, entry.rfind('/'));
  const std::string old = folder + "/.bnq-0011223344556677.tmp";
  const std::string young = folder + "/.bnq-0011223344556678.tmp";
  WriteFile(old, "half");
  WriteFile(young, "half");
  ASSERT_TRUE(SetModified(old, now_ - 3601 * kSecondNs));
  ASSERT_TRUE(SetModified(young, now_ - 3600 * kSecondNs));
  EXPECT_EQ(cache->Trim(context_, 1 << 30), 0u);
  EXPECT_FALSE(fs::exists(old));
  EXPECT_TRUE(fs::exists(young));
}

TEST_F(CacheFolderTest, ClearsWhatIsItsOwnAndNothingElse) {
  const auto cache = NewCache();
  for (uint32_t i = 0; i < 5; ++i) Ask(cache.get(), i);
  const std::string entry = Files(".bnq")[0];
  WriteFile(entry, "damaged");
  EXPECT_EQ(cache->Verify(context_, nullptr), 1u);
  const std::string beside = entry.substr(0, entry.rfind('/'));
  const std::vector<std::string> others = {Path("cache") + "/model.bnq",
                                           beside + "/notes.bnq",
                                           Path("cache") + "/names/readme"};
  for (const std::string& path : others) WriteFile(path, "mine");
  EXPECT_EQ(Files(".bad").size(), 1u);
  cache->Clear(context_);
  std::vector<std::string> left;
  for (const auto& item : fs::recursive_directory_iterator(Path("cache"))) {
    if (item.is_regular_file() && item.path().filename() != ".lock") {
      left.push_back(item.path().string());
    }
  }
  std::sort(left.begin(), left.end());
  std::vector<std::string> expected = others;
  std::sort(expected.begin(), expected.end());
  EXPECT_EQ(left, expected);
  EXPECT_FALSE(Hits(cache.get(), 1));
}

// Whoever is at it sees to the rest; the next entry to what was left over.
TEST_F(CacheFolderTest, LeavesRemovingToWhoeverHoldsTheLock) {
  const auto cache = NewCache();
  Ask(cache.get(), 0);
  SetOption(cache.get(), "disk_limit", 2 * fs::file_size(OnlyEntry()));
  {
    const FolderLock lock(Path("cache") + "/.lock");
    ASSERT_TRUE(lock.held());
    EXPECT_FALSE(FolderLock(Path("cache") + "/.lock").held());
    for (uint32_t i = 1; i < 4; ++i) {
      now_ += kSecondNs;
      Ask(cache.get(), i);
    }
    EXPECT_EQ(Files(".bnq").size(), 4u);
  }
  now_ += kSecondNs;
  Ask(cache.get(), 4);
  EXPECT_EQ(Files(".bnq").size(), 1u);
  EXPECT_EQ(Stat(cache.get(), CacheStat::kEvictions), 4);
}

}  // namespace
}  // namespace bnq
