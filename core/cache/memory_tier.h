// Tensors of a cache that are in memory.
#ifndef BNQ_CORE_CACHE_MEMORY_TIER_H_
#define BNQ_CORE_CACHE_MEMORY_TIER_H_

#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <string>

#include "core/tensor/tensor.h"

namespace bnq {

using CachedTensor = std::shared_ptr<const QuantizedTensor>;

// Holds the tensors used last, up to a limit of bytes; and finds those that it
// no longer holds for as long as somebody else does. For one thread.
class MemoryTier {
 public:
  struct Item {
    CachedTensor tensor;  // nullptr: there is none
    bool in_file = false;
    int64_t touched = 0;  // when its entry on disk was, as known here
  };

  // Counts as a use.
  Item Find(const std::string& key);
  void SetTouched(const std::string& key, int64_t time);
  // Holds it, unless it alone exceeds the limit, and lets go of those not used
  // for longest until their bytes are no more than it.
  void Add(const std::string& key, const Item& item, uint64_t limit);
  void TrimTo(uint64_t limit);
  void Remove(const std::string& key);
  void Clear();

  // Of what it holds.
  uint64_t bytes() const { return bytes_; }
  uint64_t count() const { return held_.size(); }

 private:
  struct Known {
    std::weak_ptr<const QuantizedTensor> tensor;
    bool in_file;
    int64_t touched;
  };
  struct Held {
    std::string key;
    CachedTensor tensor;
  };

  void LetGo(std::list<Held>::iterator held);

  std::map<std::string, Known> known_;
  std::list<Held> held_;  // used last first
  std::map<std::string, std::list<Held>::iterator> places_;
  uint64_t bytes_ = 0;
  size_t sweep_at_ = 64;  // known items
};

}  // namespace bnq

#endif  // BNQ_CORE_CACHE_MEMORY_TIER_H_
