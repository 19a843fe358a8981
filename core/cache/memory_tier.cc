#include "core/cache/memory_tier.h"

#include <algorithm>
#include <utility>

namespace bnq {

MemoryTier::Item MemoryTier::Find(const std::string& key) {
  const auto known = known_.find(key);
  if (known == known_.end()) return {};
  Item item = {known->second.tensor.lock(), known->second.in_file,
               known->second.touched};
  const auto place = places_.find(key);
  if (place != places_.end()) {
    held_.splice(held_.begin(), held_, place->second);
  }
  return item;
}

void MemoryTier::SetTouched(const std::string& key, int64_t time) {
  const auto known = known_.find(key);
  if (known != known_.end()) known->second.touched = time;
}

void MemoryTier::Add(const std::string& key, const Item& item, uint64_t limit) {
  Remove(key);
  // What nobody has any more.
  if (known_.size() >= sweep_at_) {
    for (auto it = known_.begin(); it != known_.end();) {
      it = it->second.tensor.expired() ? known_.erase(it) : std::next(it);
    }
    sweep_at_ = std::max<size_t>(64, 2 * known_.size());
  }
  known_[key] = {item.tensor, item.in_file, item.touched};
  if (item.tensor->bytes() <= limit) {
    std::list<Held> added;  // so that whatever throws leaves all as it was
    added.push_front({key, item.tensor});
    places_[key] = added.begin();
    held_.splice(held_.begin(), added);
    bytes_ += item.tensor->bytes();
  }
  TrimTo(limit);
}

void MemoryTier::TrimTo(uint64_t limit) {
  while (bytes_ > limit) LetGo(std::prev(held_.end()));
}

void MemoryTier::LetGo(std::list<Held>::iterator held) {
  bytes_ -= held->tensor->bytes();
  places_.erase(held->key);
  held_.erase(held);
}

void MemoryTier::Remove(const std::string& key) {
  const auto place = places_.find(key);
  if (place != places_.end()) LetGo(place->second);
  known_.erase(key);
}

void MemoryTier::Clear() {
  known_.clear();
  places_.clear();
  held_.clear();
  bytes_ = 0;
}

}  // namespace bnq
