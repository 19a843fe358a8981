// Progress over the bytes of a model's tensors.
#ifndef BNQ_CORE_MODEL_METER_H_
#define BNQ_CORE_MODEL_METER_H_

#include <algorithm>
#include <cstdint>
#include <string>

#include "core/base/tick.h"

namespace bnq {

class Meter {
 public:
  Meter(TickingProgress* progress, uint64_t total)
      : progress_(*progress), total_(total) {}
  void Begin(const std::string& item) {
    item_ = item;
    Add(0);
  }
  void Add(uint64_t bytes) {
    done_ += bytes;
    progress_.Report(std::min(done_, total_), total_, item_);
  }

 private:
  TickingProgress& progress_;
  const uint64_t total_;
  uint64_t done_ = 0;
  std::string item_;
};

}  // namespace bnq

#endif  // BNQ_CORE_MODEL_METER_H_
