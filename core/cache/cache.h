// A cache of quantized tensors, in memory and on disk.
#ifndef BNQ_CORE_CACHE_CACHE_H_
#define BNQ_CORE_CACHE_CACHE_H_

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "core/base/context.h"
#include "core/base/process.h"
#include "core/base/shape.h"
#include "core/cache/cache_folder.h"
#include "core/cache/memory_tier.h"
#include "core/cache/options.h"
#include "core/scheme/config.h"

namespace bnq {

// Values are those of BNQ_CACHE_STAT_* (capi/cache.cc asserts it).
enum class CacheStat {
  kMemoryHits = 0,
  kDiskHits,
  kMisses,
  kStores,
  kNotStored,
  kEvictions,
  kDamaged,
  kFailures,
  kBytesServed,
  kLoadSeconds,
  kMemoryEntries,
  kMemoryBytes,
  kDiskEntries,
  kDiskBytes,
};
constexpr int kNumCacheStats = 14;
const char* CacheStatName(int stat);  // below kNumCacheStats

// The folder that a person's programs share: BNQ_CACHE of the environment, or
// XDG_CACHE_HOME/bnq, or HOME/.cache/bnq. NOT_FOUND where none is set.
std::string DefaultCacheFolder();

// What a quantized tensor is made of.
struct CacheRequest {
  CacheRequest(const Config& of, const ArrayView& view)
      : config(of), array(view) {}

  const Config& config;
  // Its data is read only where it has to be: see identity.
  const ArrayView& array;
  const float* importance = nullptr;  // as QuantizeJob's
  // A name to find the tensor by; "": none.
  std::string name;
  // What the array's contents are known by without reading them (key.h); "":
  // by themselves.
  std::string identity;
  // Where the array's data are, if not in the view: called before they are
  // needed.
  std::function<ArrayView()> read;
};

// Any number of threads may use one, if nobody changes its options meanwhile.
class Cache {
 public:
  // `folder` is made when something is stored; "": in memory alone.
  explicit Cache(const std::string& folder, Clock clock = SystemTime);
  ~Cache();
  Cache(const Cache&) = delete;
  Cache& operator=(const Cache&) = delete;

  CacheOptions& options() { return options_; }
  const CacheOptions& options() const { return options_; }
  // "" for none.
  const std::string& folder() const { return folder_; }

  // As Quantize (tensor/quantize.h), or what that gave before: *hit.
  // Threads that want the same tensor at a time have it made once. A failure to
  // read or write an entry is an error only with the option strict.
  CachedTensor Quantize(const Context& context, const CacheRequest& request,
                        bool* hit);
  // nullptr where there is none.
  CachedTensor Find(const Context& context, const std::string& key);
  CachedTensor Get(const Context& context, const std::string& name);
  // A copy under a name, in place of what has that.
  void Put(const Context& context, const std::string& name,
           const QuantizedTensor& tensor);

  // Since it was made, and as it is now. `disk`: whether to count what is on
  // disk, which else is 0.
  void Stats(double* values, bool disk);
  // As CacheFolder's; without a folder nothing is there.
  std::vector<CacheRow> List(const Context& context);
  uint64_t Verify(const Context& context, const Progress& progress);
  // INVALID_ARGUMENT where the cache is read only. Memory is trimmed to as many
  // bytes; without a folder what is removed is counted there.
  uint64_t Trim(const Context& context, uint64_t bytes);
  uint64_t Remove(const Context& context,
                  const std::function<bool(const std::string&)>& matches);
  void Clear(const Context& context);

 private:
  class Flight;

  void Add(CacheStat stat, double value = 1);
  // Runs f, which reads or writes the folder: false where that failed, but an
  // error with the option strict.
  bool Try(const std::function<void()>& f);
  CachedTensor FindInMemory(const Context& context, const std::string& key);
  CachedTensor FindAnywhere(const Context& context, const std::string& key);
  void Keep(const std::string& key, const CachedTensor& tensor, bool in_file);
  void Store(const Context& context, const std::string& key,
             const CachedTensor& tensor);
  std::string FindAlias(const Context& context, const std::string& alias);
  void SetAlias(const Context& context, const std::string& alias,
                const std::string& key, const std::string& name);
  CachedTensor Make(const Context& context, const CacheRequest& request,
                    const std::string& key, const ArrayView& array);
  void CheckWritable() const;

  struct Alias {
    std::string key, name;
  };
  // What one process has of it. In the child of a fork the parent's threads are
  // not there, and what they held is in no known state: the child never touches
  // that, lets it leak, and begins with what is on disk.
  struct State {
    State(const std::string& folder, const Clock& clock)
        : disk(folder.empty() ? nullptr
                              : std::make_unique<CacheFolder>(folder, clock)) {}

    const ProcessMark process;
    const std::unique_ptr<CacheFolder> disk;  // nullptr: memory alone
    std::mutex mutex;                         // of what follows
    MemoryTier memory;
    std::map<std::string, Alias> aliases;  // that are not on disk
    double stats[kNumCacheStats] = {};
    // Keys of tensors that some thread is making.
    std::set<std::string> flights;
    std::condition_variable landed;
  };
  State& state();

  CacheOptions options_;
  const std::string folder_;
  const Clock clock_;
  std::atomic<State*> state_;
};

}  // namespace bnq

#endif  // BNQ_CORE_CACHE_CACHE_H_
