// Options of caches (core/base/options.h).
#ifndef BNQ_CORE_CACHE_OPTIONS_H_
#define BNQ_CORE_CACHE_OPTIONS_H_

#include <cstdint>

#include "core/base/options.h"

namespace bnq {

// Ids are those of BNQ_CACHE_* (capi/cache.cc asserts it).
enum class CacheOption : int32_t {
  kMemoryLimit = 1,
  kDiskLimit,
  kReadOnly,
  kStrict,
  kCompress,
  kKeepPercent,
};
constexpr int kNumCacheOptions = 6;

class CacheOptions
    : public OptionValues<CacheOptions, CacheOption, kNumCacheOptions> {
 public:
  static const OptionTable& Table();

  uint64_t memory_limit() const {
    return As<uint64_t>(CacheOption::kMemoryLimit);
  }
  uint64_t disk_limit() const { return As<uint64_t>(CacheOption::kDiskLimit); }
  // What is left when entries are removed to keep the limit.
  uint64_t kept_bytes() const {
    return static_cast<uint64_t>(Number(CacheOption::kDiskLimit) *
                                 (Number(CacheOption::kKeepPercent) / 100.0));
  }
  bool read_only() const { return As<bool>(CacheOption::kReadOnly); }
  bool strict() const { return As<bool>(CacheOption::kStrict); }
  bool compress() const { return As<bool>(CacheOption::kCompress); }
};

}  // namespace bnq

#endif  // BNQ_CORE_CACHE_OPTIONS_H_
