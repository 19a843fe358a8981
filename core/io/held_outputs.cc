#include "core/io/held_outputs.h"

#include <set>
#include <utility>

namespace bnq {

void HeldOutputs::Add(std::shared_ptr<TemporaryFile> file,
                      const std::string& target, bool replace) {
  const std::lock_guard<std::mutex> lock(mutex_);
  items_.push_back({std::move(file), target, replace, ""});
}

void HeldOutputs::PlaceOne(Item* item, bool alone) {
  // One alone needs no undoing.
  if (item->replace && !alone) item->backup = BackUp(item->target);
  try {
    item->file->Place(item->target, item->replace);
  } catch (...) {
    // What is at target is not this file.
    if (!item->backup.empty()) Restore(item->backup, item->target);
    throw;
  }
}

void HeldOutputs::Undo(const Item& item) {
  if (item.backup.empty()) {
    RemoveFile(item.target);
  } else {
    Restore(item.backup, item.target);
  }
}

void HeldOutputs::Place() {
  std::vector<Item> items;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    items.swap(items_);
  }
  size_t placed = 0;
  try {
    for (; placed < items.size(); ++placed) {
      PlaceOne(&items[placed], items.size() == 1);
    }
  } catch (...) {
    // Backwards: two may have the same place.
    while (placed > 0) Undo(items[--placed]);
    throw;
  }
  std::set<std::string> directories;
  for (const Item& item : items) {
    if (!item.backup.empty()) RemoveFile(item.backup);
    directories.insert(DirectoryOf(item.target));
  }
  // The files are in their places by now, so a file system that cannot sync its
  // directories is no error.
  for (const std::string& directory : directories) SyncDirectory(directory);
}

}  // namespace bnq
