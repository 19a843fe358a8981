// Outputs that have been written and wait to take their places together.
#ifndef BNQ_CORE_IO_HELD_OUTPUTS_H_
#define BNQ_CORE_IO_HELD_OUTPUTS_H_

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/io/temporary_file.h"

namespace bnq {

// For any thread. A process that is killed within Place can leave some of them
// in their places: in the order in which they were added.
class HeldOutputs {
 public:
  HeldOutputs() = default;
  HeldOutputs(const HeldOutputs&) = delete;
  HeldOutputs& operator=(const HeldOutputs&) = delete;

  // A file that is closed, and where it belongs: replace what is there, or let
  // Place fail. Files that have not been placed go with this object.
  void Add(std::shared_ptr<TemporaryFile> file, const std::string& target,
           bool replace);
  // All of them, which are then held no more. EXISTS or IO: none of them is
  // there, and what was there before is there again.
  void Place();

 private:
  struct Item {
    std::shared_ptr<TemporaryFile> file;
    std::string target;
    bool replace;
    std::string backup;  // of what was there; "" where nothing was
  };
  static void PlaceOne(Item* item, bool alone);
  static void Undo(const Item& item);

  std::mutex mutex_;
  std::vector<Item> items_;
};

}  // namespace bnq

#endif  // BNQ_CORE_IO_HELD_OUTPUTS_H_
