// Outputs that have been written and wait to take their places together.
#ifndef BNQ_CORE_IO_HELD_OUTPUTS_H_
#define BNQ_CORE_IO_HELD_OUTPUTS_H_

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/io/temporary_file.h"

namespace bnq {

class PartialOutput;  // partial_output.h

// For any thread. A process that is killed within Place can leave some of them
// in their places: in the order in which they were added.
class HeldOutputs {
 public:
  HeldOutputs() = default;
  HeldOutputs(const HeldOutputs&) = delete;
  HeldOutputs& operator=(const HeldOutputs&) = delete;

  // A file that is closed, or a directory whose files have been added; and
  // where it belongs: replace what is there, or let Place fail. What has not
  // been placed goes with this object. `partial` hears of it.
  void Add(std::shared_ptr<Temporary> file, const std::string& target,
           bool replace, std::shared_ptr<PartialOutput> partial = nullptr);
  // Something that nothing replaces and that is to be there no more.
  void AddRemoval(const std::string& target,
                  std::shared_ptr<PartialOutput> partial = nullptr);
  // All of them, which are then held no more. EXISTS or IO: none of them is
  // there, and what was there before is there again.
  void Place();

 private:
  struct Item {
    std::shared_ptr<Temporary> file;  // nullptr: a removal
    std::string target;
    bool replace;
    std::shared_ptr<PartialOutput> partial;
    std::string backup;  // of what was there; "" where nothing was
  };
  static void Announce(const std::vector<Item>& items);
  static void PlaceOne(Item* item, bool alone);
  static void Undo(const Item& item);

  std::mutex mutex_;
  std::vector<Item> items_;
};

}  // namespace bnq

#endif  // BNQ_CORE_IO_HELD_OUTPUTS_H_
