// The cache's handle, for the files that take one.
#ifndef BNQ_CAPI_CACHE_H_
#define BNQ_CAPI_CACHE_H_

#include <memory>
#include <string>

#include "capi/guard.h"
#include "core/cache/cache.h"

struct bnq_cache : bnq::capi::WithOptions<bnq_cache, BNQ_OPTIONS_CACHE> {
  explicit bnq_cache(const std::string& folder)
      : core(std::make_shared<bnq::Cache>(folder)) {}

  bnq::CacheOptions& settings() { return core->options(); }
  const bnq::CacheOptions& options() const { return core->options(); }

  // Layers keep it, too.
  std::shared_ptr<bnq::Cache> core;
};

#endif  // BNQ_CAPI_CACHE_H_
