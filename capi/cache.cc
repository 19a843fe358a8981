#include "capi/cache.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "core/base/fp_environment.h"
#include "core/base/glob.h"
#include "core/cache/key.h"
#include "core/io/text.h"
#include "core/tensor/search.h"

using namespace bnq;
using namespace bnq::capi;

struct bnq_cache_list {
  std::vector<CacheRow> core;
};

namespace {

#define BNQ_SAME(value, id) \
  static_assert(static_cast<int>(value) == BNQ_CACHE_##id, #id)
BNQ_SAME(CacheOption::kMemoryLimit, MEMORY_LIMIT);
BNQ_SAME(CacheOption::kDiskLimit, DISK_LIMIT);
BNQ_SAME(CacheOption::kReadOnly, READ_ONLY);
BNQ_SAME(CacheOption::kStrict, STRICT);
BNQ_SAME(CacheOption::kCompress, COMPRESS);
BNQ_SAME(CacheOption::kKeepPercent, KEEP_PERCENT);
BNQ_SAME(CacheStat::kMemoryHits, STAT_MEMORY_HITS);
BNQ_SAME(CacheStat::kDiskHits, STAT_DISK_HITS);
BNQ_SAME(CacheStat::kMisses, STAT_MISSES);
BNQ_SAME(CacheStat::kStores, STAT_STORES);
BNQ_SAME(CacheStat::kNotStored, STAT_NOT_STORED);
BNQ_SAME(CacheStat::kEvictions, STAT_EVICTIONS);
BNQ_SAME(CacheStat::kDamaged, STAT_DAMAGED);
BNQ_SAME(CacheStat::kFailures, STAT_FAILURES);
BNQ_SAME(CacheStat::kBytesServed, STAT_BYTES_SERVED);
BNQ_SAME(CacheStat::kLoadSeconds, STAT_LOAD_SECONDS);
BNQ_SAME(CacheStat::kMemoryEntries, STAT_MEMORY_ENTRIES);
BNQ_SAME(CacheStat::kMemoryBytes, STAT_MEMORY_BYTES);
BNQ_SAME(CacheStat::kDiskEntries, STAT_DISK_ENTRIES);
BNQ_SAME(CacheStat::kDiskBytes, STAT_DISK_BYTES);
#undef BNQ_SAME
static_assert(kNumCacheStats == BNQ_NUM_CACHE_STATS, "stats");

Cache& CoreOf(bnq_cache* cache) { return *Required(cache, "cache").core; }

// An array to be quantized, and the weights of its columns.
struct Source {
  Source(const bnq_config* given, const bnq_array* source, const float* weights,
         uint64_t count)
      : config(Required(given, "config").core),
        array(ViewOf(source, "source")) {
    if (weights == nullptr && count == 0) return;
    importance = CheckedImportance(config, array.shape,
                                   &Required(weights, "importance"), count);
  }
  const float* weights() const {
    return importance.empty() ? nullptr : importance.data();
  }

  const Config& config;
  const ArrayView array;
  std::vector<float> importance;
};

void HandOver(CachedTensor core, bnq_tensor** out) {
  auto tensor = std::make_unique<bnq_tensor>();
  tensor->core = std::move(core);
  *out = tensor.release();
}

const CacheRow* RowAt(const bnq_cache_list* list, uint64_t index) {
  return list != nullptr && index < list->core.size() ? &list->core[index]
                                                      : nullptr;
}

void Set(uint64_t* out, uint64_t value) {
  if (out) *out = value;
}

}  // namespace

bnq_status bnq_cache_create(const char* folder, bnq_cache** out_cache) {
  return Guard([&] {
    bnq_cache*& out = Output(out_cache, "out_cache");
    if (folder != nullptr && *folder == '\0') {
      Fail(Status::kInvalidArgument,
           "folder is empty; NULL is for a cache in memory alone");
    }
    out = new bnq_cache(folder == nullptr ? "" : folder);
  });
}

void bnq_cache_destroy(bnq_cache* cache) { delete cache; }

const bnq_options* bnq_cache_options(const bnq_cache* cache) { return cache; }

bnq_options* bnq_cache_settings(bnq_cache* cache) { return cache; }

bnq_status bnq_cache_default_folder(char* text, uint64_t size,
                                    uint64_t* out_size) {
  return Guard([&] { CopyText(DefaultCacheFolder(), text, size, out_size); });
}

bnq_status bnq_cache_quantize(bnq_context* context, bnq_cache* cache,
                              const bnq_config* config, const bnq_array* source,
                              const float* importance,
                              uint64_t importance_count, const char* name,
                              bnq_tensor** out_tensor, int32_t* out_hit) {
  return Guard([&] {
    bnq_tensor*& out = Output(out_tensor, "out_tensor");
    Cache& core = CoreOf(cache);
    const Source given(config, source, importance, importance_count);
    if (name != nullptr) CheckNewName(name);
    CacheRequest request(given.config, given.array);
    request.importance = given.weights();
    request.name = name == nullptr ? "" : name;
    bool hit = false;
    HandOver(core.Quantize(ContextOf(context), request, &hit), &out);
    if (out_hit) *out_hit = hit ? 1 : 0;
  });
}

bnq_status bnq_cache_key(bnq_context* context, const bnq_config* config,
                         const bnq_array* source, const float* importance,
                         uint64_t importance_count, char* text, uint64_t size,
                         uint64_t* out_size) {
  return Guard([&] {
    const Source given(config, source, importance, importance_count);
    KeySource of{given.array, given.weights(), ""};
    CopyText(QuantizedKey(ContextOf(context), given.config, of), text, size,
             out_size);
  });
}

bnq_status bnq_cache_find(bnq_context* context, bnq_cache* cache,
                          const char* key, bnq_tensor** out_tensor) {
  return Guard([&] {
    bnq_tensor*& out = Output(out_tensor, "out_tensor");
    Cache& core = CoreOf(cache);
    CachedTensor tensor = core.Find(ContextOf(context), &Required(key, "key"));
    if (tensor == nullptr) {
      Fail(Status::kNotFound, "there is no entry of the key ", Quoted(key),
           " in the cache");
    }
    HandOver(std::move(tensor), &out);
  });
}

bnq_status bnq_cache_get(bnq_context* context, bnq_cache* cache,
                         const char* name, bnq_tensor** out_tensor) {
  return Guard([&] {
    bnq_tensor*& out = Output(out_tensor, "out_tensor");
    Cache& core = CoreOf(cache);
    CachedTensor tensor = core.Get(ContextOf(context), &Required(name, "name"));
    if (tensor == nullptr) {
      Fail(Status::kNotFound, "there is no entry of the name ", Quoted(name),
           " in the cache");
    }
    HandOver(std::move(tensor), &out);
  });
}

bnq_status bnq_cache_put(bnq_context* context, bnq_cache* cache,
                         const char* name, const bnq_tensor* tensor) {
  return Guard([&] {
    Cache& core = CoreOf(cache);
    core.Put(ContextOf(context), &Required(name, "name"),
             *Required(tensor, "tensor").core);
  });
}

uint32_t bnq_cache_stat_count(void) { return kNumCacheStats; }

const char* bnq_cache_stat_name(uint32_t index) {
  return index < bnq_cache_stat_count() ? CacheStatName(static_cast<int>(index))
                                        : nullptr;
}

bnq_status bnq_cache_stats(bnq_cache* cache, double* stats,
                           uint32_t stat_count) {
  return Guard([&] {
    Cache& core = CoreOf(cache);
    if (stat_count > bnq_cache_stat_count()) {
      Fail(Status::kInvalidArgument, "stat_count = ", stat_count,
           ", must be 0 to ", bnq_cache_stat_count());
    }
    if (stat_count != 0) Required(stats, "stats");
    double values[kNumCacheStats];
    core.Stats(values, stat_count > BNQ_CACHE_STAT_DISK_ENTRIES);
    std::copy_n(values, stat_count, stats);
  });
}

bnq_status bnq_cache_list_create(bnq_context* context, bnq_cache* cache,
                                 const char* glob, bnq_cache_list** out_list) {
  return Guard([&] {
    bnq_cache_list*& out = Output(out_list, "out_list");
    auto list = std::make_unique<bnq_cache_list>();
    list->core = CoreOf(cache).List(ContextOf(context));
    if (glob != nullptr) {
      auto& rows = list->core;
      const auto misses = [&](const CacheRow& row) {
        return std::none_of(
            row.names.begin(), row.names.end(),
            [&](const std::string& name) { return GlobMatch(glob, name); });
      };
      rows.erase(std::remove_if(rows.begin(), rows.end(), misses), rows.end());
    }
    out = list.release();
  });
}

void bnq_cache_list_destroy(bnq_cache_list* list) { delete list; }

uint64_t bnq_cache_list_count(const bnq_cache_list* list) {
  return list ? list->core.size() : 0;
}

const char* bnq_cache_list_key(const bnq_cache_list* list, uint64_t index) {
  const CacheRow* row = RowAt(list, index);
  return row ? row->key.c_str() : nullptr;
}

uint64_t bnq_cache_list_name_count(const bnq_cache_list* list, uint64_t index) {
  const CacheRow* row = RowAt(list, index);
  return row ? row->names.size() : 0;
}

const char* bnq_cache_list_name(const bnq_cache_list* list, uint64_t index,
                                uint64_t name) {
  return name < bnq_cache_list_name_count(list, index)
             ? list->core[index].names[name].c_str()
             : nullptr;
}

uint64_t bnq_cache_list_bytes(const bnq_cache_list* list, uint64_t index) {
  const CacheRow* row = RowAt(list, index);
  return row ? row->bytes : 0;
}

double bnq_cache_list_used(const bnq_cache_list* list, uint64_t index) {
  const FpEnvironment environment;
  const CacheRow* row = RowAt(list, index);
  return row ? static_cast<double>(row->used) / 1e9 : 0;
}

int32_t bnq_cache_list_damaged(const bnq_cache_list* list, uint64_t index) {
  const CacheRow* row = RowAt(list, index);
  return row ? row->damaged : -1;
}

const char* bnq_cache_list_config(const bnq_cache_list* list, uint64_t index) {
  const CacheRow* row = RowAt(list, index);
  return row ? row->config.c_str() : nullptr;
}

int32_t bnq_cache_list_shape(const bnq_cache_list* list, uint64_t index,
                             uint64_t* shape) {
  const CacheRow* row = RowAt(list, index);
  return row ? CopyShape(row->shape, shape) : -1;
}

bnq_status bnq_cache_verify(bnq_context* context, bnq_cache* cache,
                            bnq_progress_fn progress, void* opaque,
                            uint64_t* out_damaged) {
  return Guard([&] {
    Set(out_damaged,
        CoreOf(cache).Verify(ContextOf(context), ProgressOf(progress, opaque)));
  });
}

bnq_status bnq_cache_trim(bnq_context* context, bnq_cache* cache,
                          uint64_t bytes, uint64_t* out_removed) {
  return Guard(
      [&] { Set(out_removed, CoreOf(cache).Trim(ContextOf(context), bytes)); });
}

bnq_status bnq_cache_remove(bnq_context* context, bnq_cache* cache,
                            const char* glob, uint64_t* out_removed) {
  return Guard([&] {
    Cache& core = CoreOf(cache);
    const std::string pattern = &Required(glob, "glob");
    Set(out_removed,
        core.Remove(ContextOf(context), [&](const std::string& name) {
          return GlobMatch(pattern, name);
        }));
  });
}

bnq_status bnq_cache_clear(bnq_context* context, bnq_cache* cache) {
  return Guard([&] { CoreOf(cache).Clear(ContextOf(context)); });
}
