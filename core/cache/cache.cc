#include "core/cache/cache.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <iterator>
#include <utility>

#include "core/base/error.h"
#include "core/cache/key.h"
#include "core/io/text.h"
#include "core/tensor/quantize.h"

namespace bnq {
namespace {

constexpr const char* kStatNames[kNumCacheStats] = {
    "memory_hits",  "disk_hits",    "misses",         "stores",
    "not_stored",   "evictions",    "damaged",        "failures",
    "bytes_served", "load_seconds", "memory_entries", "memory_bytes",
    "disk_entries", "disk_bytes"};

}  // namespace

const char* CacheStatName(int stat) { return kStatNames[stat]; }

std::string DefaultCacheFolder() {
  const struct {
    const char *variable, *below;
  } places[] = {
      {"BNQ_CACHE", ""}, {"XDG_CACHE_HOME", "/bnq"}, {"HOME", "/.cache/bnq"}};
  for (const auto& place : places) {
    const char* const value = std::getenv(place.variable);
    if (value != nullptr && *value != '\0') {
      return std::string(value) + place.below;
    }
  }
  Fail(Status::kNotFound,
       "there is no folder for a cache: neither BNQ_CACHE, XDG_CACHE_HOME nor "
       "HOME is set in the environment");
}

// The making of a tensor, of which there is one at a time for a key.
class Cache::Flight {
 public:
  Flight(const Context& context, Cache* cache, std::string key)
      : cache_(*cache), key_(std::move(key)) {
    std::unique_lock<std::mutex> lock(cache_.mutex_);
    // What others were making in the parent of a fork nobody makes here.
    if (!cache_.process_.IsHere()) {
      cache_.flights_.clear();
      cache_.process_ = ProcessMark();
    }
    while (!cache_.flights_.insert(key_).second) {
      cache_.landed_.wait_for(lock, std::chrono::milliseconds(20));
      lock.unlock();
      context.Tick();
      lock.lock();
    }
  }
  ~Flight() {
    {
      std::lock_guard<std::mutex> lock(cache_.mutex_);
      cache_.flights_.erase(key_);
    }
    cache_.landed_.notify_all();
  }
  Flight(const Flight&) = delete;
  Flight& operator=(const Flight&) = delete;

 private:
  Cache& cache_;
  const std::string key_;
};

Cache::Cache(const std::string& folder, Clock clock)
    : clock_(std::move(clock)),
      disk_(folder.empty() ? nullptr
                           : std::make_unique<CacheFolder>(folder, clock_)) {}

Cache::~Cache() = default;

void Cache::Add(CacheStat stat, double value) {
  std::lock_guard<std::mutex> lock(mutex_);
  stats_[static_cast<int>(stat)] += value;
}

bool Cache::Try(const std::function<void()>& f) {
  try {
    f();
    return true;
  } catch (const Error& error) {
    const bool damaged = error.status() == Status::kCorruptFile;
    const bool failed =
        error.status() == Status::kIo || error.status() == Status::kUnsupported;
    if (!damaged && !failed) throw;
    Add(damaged ? CacheStat::kDamaged : CacheStat::kFailures);
    if (failed && options_.strict()) throw;
  }
  return false;
}

CachedTensor Cache::FindInMemory(const Context& context,
                                 const std::string& key) {
  std::unique_lock<std::mutex> lock(mutex_);
  const MemoryTier::Item item = memory_.Find(key);
  // Who wants no mapped files is not given one either.
  if (item.tensor == nullptr || (item.in_file && !context.map_files)) {
    return nullptr;
  }
  if (disk_ == nullptr) return item.tensor;
  lock.unlock();
  const int64_t touched = disk_->Touch(options_, key, item.touched);
  if (touched != item.touched) {
    lock.lock();
    memory_.SetTouched(key, touched);
  }
  return item.tensor;
}

CachedTensor Cache::FindAnywhere(const Context& context,
                                 const std::string& key) {
  CachedTensor tensor = FindInMemory(context, key);
  CacheStat stat = CacheStat::kMemoryHits;
  if (tensor == nullptr && disk_ != nullptr) {
    using Seconds = std::chrono::duration<double>;
    const auto begin = std::chrono::steady_clock::now();
    Try([&] { tensor = disk_->Load(context, options_, key); });
    if (tensor == nullptr) return nullptr;
    stat = CacheStat::kDiskHits;
    Add(CacheStat::kLoadSeconds,
        Seconds(std::chrono::steady_clock::now() - begin).count());
    Keep(key, tensor, context.map_files);
  }
  if (tensor == nullptr) return nullptr;
  Add(stat);
  Add(CacheStat::kBytesServed, static_cast<double>(tensor->bytes()));
  return tensor;
}

void Cache::Keep(const std::string& key, const CachedTensor& tensor,
                 bool in_file) {
  const int64_t now = clock_();
  std::lock_guard<std::mutex> lock(mutex_);
  memory_.Add(key, {tensor, in_file, now}, options_.memory_limit());
}

void Cache::Store(const Context& context, const std::string& key,
                  const CachedTensor& tensor) {
  Keep(key, tensor, false);
  if (disk_ == nullptr) return;
  bool stored = false;
  uint64_t evicted = 0;
  if (!options_.read_only()) {
    Try([&] {
      stored = disk_->Store(context, options_, key, *tensor, &evicted);
    });
  }
  Add(stored ? CacheStat::kStores : CacheStat::kNotStored);
  Add(CacheStat::kEvictions, static_cast<double>(evicted));
}

std::string Cache::FindAlias(const Context& context, const std::string& alias) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    const auto found = aliases_.find(alias);
    if (found != aliases_.end()) return found->second.key;
  }
  std::string key;
  if (disk_ != nullptr) {
    Try([&] { key = disk_->FindAlias(context, alias); });
  }
  return key;
}

void Cache::SetAlias(const Context& context, const std::string& alias,
                     const std::string& key, const std::string& name) {
  const bool on_disk = disk_ != nullptr && !options_.read_only() &&
                       Try([&] { disk_->SetAlias(context, alias, key, name); });
  std::lock_guard<std::mutex> lock(mutex_);
  if (on_disk) {
    aliases_.erase(alias);
  } else {
    aliases_[alias] = {key, name};
  }
}

CachedTensor Cache::Make(const Context& context, const CacheRequest& request,
                         const std::string& key, const ArrayView& array) {
  QuantizeJob job{request.config, array};
  job.importance = request.importance;
  CachedTensor tensor = bnq::Quantize(context, job);
  Store(context, key, tensor);
  return tensor;
}

CachedTensor Cache::Quantize(const Context& context,
                             const CacheRequest& request, bool* hit) {
  if (!request.name.empty()) CheckNewName(request.name);
  const auto key_of = [&](const ArrayView& array, const std::string& identity) {
    return QuantizedKey(context, request.config,
                        {array, request.importance, identity});
  };
  CachedTensor tensor;
  std::string alias, key;
  if (!request.identity.empty()) {
    alias = key_of(request.array, request.identity);
    key = FindAlias(context, alias);
    if (!key.empty()) tensor = FindAnywhere(context, key);
  }
  *hit = tensor != nullptr;
  if (tensor == nullptr) {
    const ArrayView array = request.read ? request.read() : request.array;
    key = key_of(array, "");
    const Flight flight(context, this, key);
    tensor = FindAnywhere(context, key);
    *hit = tensor != nullptr;
    if (tensor == nullptr) {
      Add(CacheStat::kMisses);
      tensor = Make(context, request, key, array);
    }
    if (!alias.empty()) SetAlias(context, alias, key, "");
  }
  if (!request.name.empty()) {
    SetAlias(context, AliasOf(request.name), key, request.name);
  }
  return tensor;
}

CachedTensor Cache::Find(const Context& context, const std::string& key) {
  CheckKey(key);
  CachedTensor tensor = FindAnywhere(context, key);
  if (tensor == nullptr) Add(CacheStat::kMisses);
  return tensor;
}

CachedTensor Cache::Get(const Context& context, const std::string& name) {
  CheckNewName(name);
  const std::string key = FindAlias(context, AliasOf(name));
  CachedTensor tensor = key.empty() ? nullptr : FindAnywhere(context, key);
  if (tensor == nullptr) Add(CacheStat::kMisses);
  return tensor;
}

void Cache::Put(const Context& context, const std::string& name,
                CachedTensor tensor) {
  CheckNewName(name);
  const std::string key = TensorKey(context, *tensor);
  Store(context, key, tensor);
  SetAlias(context, AliasOf(name), key, name);
}

void Cache::Stats(double* values, bool disk) {
  uint64_t entries = 0, bytes = 0;
  if (disk && disk_ != nullptr) disk_->Count(&entries, &bytes);
  std::lock_guard<std::mutex> lock(mutex_);
  const auto set = [&](CacheStat stat, uint64_t value) {
    stats_[static_cast<int>(stat)] = static_cast<double>(value);
  };
  set(CacheStat::kMemoryEntries, memory_.count());
  set(CacheStat::kMemoryBytes, memory_.bytes());
  set(CacheStat::kDiskEntries, entries);
  set(CacheStat::kDiskBytes, bytes);
  std::copy_n(stats_, kNumCacheStats, values);
}

std::vector<CacheRow> Cache::List(const Context& context) {
  return disk_ == nullptr ? std::vector<CacheRow>() : disk_->List(context);
}

uint64_t Cache::Verify(const Context& context, const Progress& progress) {
  if (disk_ == nullptr) return 0;
  const uint64_t damaged = disk_->Verify(context, options_, progress);
  Add(CacheStat::kDamaged, static_cast<double>(damaged));
  return damaged;
}

void Cache::CheckWritable() const {
  if (!options_.read_only()) return;
  Fail(Status::kInvalidArgument, "the cache in ", Quoted(folder()),
       " is read only (read_only = on), so nothing can be removed from it");
}

uint64_t Cache::Trim(const Context& context, uint64_t bytes) {
  CheckWritable();
  uint64_t removed = 0;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    removed = memory_.count();
    memory_.TrimTo(bytes);
    removed -= memory_.count();
  }
  if (disk_ != nullptr) removed = disk_->Trim(context, bytes);
  Add(CacheStat::kEvictions, static_cast<double>(removed));
  return removed;
}

uint64_t Cache::Remove(const Context& context,
                       const std::function<bool(const std::string&)>& matches) {
  CheckWritable();
  std::set<std::string> going, staying;
  if (disk_ != nullptr) going = disk_->Remove(context, matches);
  const uint64_t on_disk = going.size();
  std::lock_guard<std::mutex> lock(mutex_);
  for (auto it = aliases_.begin(); it != aliases_.end();) {
    const bool named = !it->second.name.empty();
    const bool goes = named && matches(it->second.name);
    if (named) (goes ? going : staying).insert(it->second.key);
    it = goes ? aliases_.erase(it) : std::next(it);
  }
  const uint64_t in_memory = memory_.count();
  for (const std::string& key : going) {
    if (staying.count(key) == 0) memory_.Remove(key);
  }
  return disk_ != nullptr ? on_disk : in_memory - memory_.count();
}

void Cache::Clear(const Context& context) {
  CheckWritable();
  {
    std::lock_guard<std::mutex> lock(mutex_);
    memory_.Clear();
    aliases_.clear();
  }
  if (disk_ != nullptr) disk_->Clear(context);
}

}  // namespace bnq
