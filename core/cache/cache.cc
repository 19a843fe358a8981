#include "core/cache/cache.h"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <utility>

#include "core/base/error.h"
#include "core/cache/key.h"
#include "core/io/system.h"
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
    {"BNQ_CACHE", ""},
    {"XDG_CACHE_HOME", "/bnq"},
#if defined(_WIN32)
    {"LOCALAPPDATA", "/bnq/cache"}
  };
  constexpr char kNames[] = "BNQ_CACHE, XDG_CACHE_HOME nor LOCALAPPDATA";
#else
    {"HOME", "/.cache/bnq"}
  };
  constexpr char kNames[] = "BNQ_CACHE, XDG_CACHE_HOME nor HOME";
#endif
  for (const auto& place : places) {
    const std::string value = sys::Environment(place.variable);
    if (!value.empty()) return value + place.below;
  }
  Fail(Status::kNotFound, "there is no folder for a cache: neither ", kNames,
       " is set in the environment");
}

// The making of a tensor, of which there is one at a time for a key.
class Cache::Flight {
 public:
  Flight(const Context& context, State* state, std::string key)
      : state_(*state), key_(std::move(key)) {
    std::unique_lock<std::mutex> lock(state_.mutex);
    while (!state_.flights.insert(key_).second) {
      state_.landed.wait_for(lock, std::chrono::milliseconds(20));
      lock.unlock();
      context.Tick();
      lock.lock();
    }
  }
  ~Flight() {
    {
      std::lock_guard<std::mutex> lock(state_.mutex);
      state_.flights.erase(key_);
    }
    state_.landed.notify_all();
  }
  Flight(const Flight&) = delete;
  Flight& operator=(const Flight&) = delete;

 private:
  State& state_;
  const std::string key_;
};

Cache::Cache(const std::string& folder, Clock clock)
    : folder_(folder),
      clock_(std::move(clock)),
      state_(new State(folder_, clock_)) {}

Cache::~Cache() {
  const State* const state = state_;
  if (state->process.IsHere()) delete state;
}

Cache::State& Cache::state() {
  State* state = state_;
  if (state->process.IsHere()) return *state;
  auto own = std::make_unique<State>(folder_, clock_);
  // Another thread may have been first; then `state` is its one.
  if (!state_.compare_exchange_strong(state, own.get())) return *state;
  return *own.release();
}

void Cache::Add(CacheStat stat, double value) {
  State& here = state();
  std::lock_guard<std::mutex> lock(here.mutex);
  here.stats[static_cast<int>(stat)] += value;
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
  State& here = state();
  std::unique_lock<std::mutex> lock(here.mutex);
  const MemoryTier::Item item = here.memory.Find(key);
  // Who wants no mapped files is not given one either.
  if (item.tensor == nullptr || (item.in_file && !context.map_files)) {
    return nullptr;
  }
  if (here.disk == nullptr) return item.tensor;
  lock.unlock();
  const int64_t touched = here.disk->Touch(options_, key, item.touched);
  if (touched != item.touched) {
    lock.lock();
    here.memory.SetTouched(key, touched);
  }
  return item.tensor;
}

CachedTensor Cache::FindAnywhere(const Context& context,
                                 const std::string& key) {
  State& here = state();
  CachedTensor tensor = FindInMemory(context, key);
  CacheStat stat = CacheStat::kMemoryHits;
  if (tensor == nullptr && here.disk != nullptr) {
    using Seconds = std::chrono::duration<double>;
    const auto begin = std::chrono::steady_clock::now();
    Try([&] { tensor = here.disk->Load(context, options_, key); });
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
  State& here = state();
  const int64_t now = clock_();
  std::lock_guard<std::mutex> lock(here.mutex);
  here.memory.Add(key, {tensor, in_file, now}, options_.memory_limit());
}

void Cache::Store(const Context& context, const std::string& key,
                  const CachedTensor& tensor) {
  State& here = state();
  Keep(key, tensor, false);
  if (here.disk == nullptr) return;
  bool stored = false;
  uint64_t evicted = 0;
  if (!options_.read_only()) {
    Try([&] {
      stored = here.disk->Store(context, options_, key, *tensor, &evicted);
    });
  }
  Add(stored ? CacheStat::kStores : CacheStat::kNotStored);
  Add(CacheStat::kEvictions, static_cast<double>(evicted));
}

std::string Cache::FindAlias(const Context& context, const std::string& alias) {
  State& here = state();
  {
    std::lock_guard<std::mutex> lock(here.mutex);
    const auto found = here.aliases.find(alias);
    if (found != here.aliases.end()) return found->second.key;
  }
  std::string key;
  if (here.disk != nullptr) {
    Try([&] { key = here.disk->FindAlias(context, alias); });
  }
  return key;
}

void Cache::SetAlias(const Context& context, const std::string& alias,
                     const std::string& key, const std::string& name) {
  State& here = state();
  const bool on_disk =
      here.disk != nullptr && !options_.read_only() &&
      Try([&] { here.disk->SetAlias(context, alias, key, name); });
  std::lock_guard<std::mutex> lock(here.mutex);
  if (on_disk) {
    here.aliases.erase(alias);
  } else {
    here.aliases[alias] = {key, name};
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
    const Flight flight(context, &state(), key);
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
                const QuantizedTensor& tensor) {
  CheckNewName(name);
  const std::string key = TensorKey(context, tensor);
  // It may lie in memory that is not the library's.
  Store(context, key,
        TensorOfParts(context, tensor.config(), tensor.shape(), tensor.parts(),
                      /*borrow=*/false));
  SetAlias(context, AliasOf(name), key, name);
}

void Cache::Stats(double* values, bool disk) {
  State& here = state();
  uint64_t entries = 0, bytes = 0;
  if (disk && here.disk != nullptr) here.disk->Count(&entries, &bytes);
  std::lock_guard<std::mutex> lock(here.mutex);
  const auto set = [&](CacheStat stat, uint64_t value) {
    here.stats[static_cast<int>(stat)] = static_cast<double>(value);
  };
  set(CacheStat::kMemoryEntries, here.memory.count());
  set(CacheStat::kMemoryBytes, here.memory.bytes());
  set(CacheStat::kDiskEntries, entries);
  set(CacheStat::kDiskBytes, bytes);
  std::copy_n(here.stats, kNumCacheStats, values);
}

std::vector<CacheRow> Cache::List(const Context& context) {
  State& here = state();
  return here.disk == nullptr ? std::vector<CacheRow>()
                              : here.disk->List(context);
}

uint64_t Cache::Verify(const Context& context, const Progress& progress) {
  State& here = state();
  if (here.disk == nullptr) return 0;
  const uint64_t damaged = here.disk->Verify(context, options_, progress);
  Add(CacheStat::kDamaged, static_cast<double>(damaged));
  return damaged;
}

void Cache::CheckWritable() const {
  if (!options_.read_only()) return;
  Fail(Status::kInvalidArgument, "the cache in ", Quoted(folder()),
       " is read only (read_only = on), so nothing can be removed from it");
}

uint64_t Cache::Trim(const Context& context, uint64_t bytes) {
  State& here = state();
  CheckWritable();
  uint64_t removed = 0;
  {
    std::lock_guard<std::mutex> lock(here.mutex);
    removed = here.memory.count();
    here.memory.TrimTo(bytes);
    removed -= here.memory.count();
  }
  if (here.disk != nullptr) removed = here.disk->Trim(context, bytes);
  Add(CacheStat::kEvictions, static_cast<double>(removed));
  return removed;
}

uint64_t Cache::Remove(const Context& context,
                       const std::function<bool(const std::string&)>& matches) {
  State& here = state();
  CheckWritable();
  std::set<std::string> going, staying;
  if (here.disk != nullptr) going = here.disk->Remove(context, matches);
  const uint64_t on_disk = going.size();
  std::lock_guard<std::mutex> lock(here.mutex);
  for (auto it = here.aliases.begin(); it != here.aliases.end();) {
    const bool named = !it->second.name.empty();
    const bool goes = named && matches(it->second.name);
    if (named) (goes ? going : staying).insert(it->second.key);
    it = goes ? here.aliases.erase(it) : std::next(it);
  }
  const uint64_t in_memory = here.memory.count();
  for (const std::string& key : going) {
    if (staying.count(key) == 0) here.memory.Remove(key);
  }
  return here.disk != nullptr ? on_disk : in_memory - here.memory.count();
}

void Cache::Clear(const Context& context) {
  State& here = state();
  CheckWritable();
  {
    std::lock_guard<std::mutex> lock(here.mutex);
    here.memory.Clear();
    here.aliases.clear();
  }
  if (here.disk != nullptr) here.disk->Clear(context);
}

}  // namespace bnq
