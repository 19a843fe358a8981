#include "core/io/held_outputs.h"

#include <map>
#include <set>
#include <utility>

#include "core/io/partial_output.h"

namespace bnq {

void HeldOutputs::Add(std::shared_ptr<Temporary> file,
                      const std::string& target, bool replace,
                      std::shared_ptr<PartialOutput> partial) {
  const std::lock_guard<std::mutex> lock(mutex_);
  items_.push_back({std::move(file), target, replace, std::move(partial), ""});
}

void HeldOutputs::AddRemoval(const std::string& target,
                             std::shared_ptr<PartialOutput> partial) {
  Add(nullptr, target, /*replace=*/true, std::move(partial));
}

// What will be moved where, before anything is.
void HeldOutputs::Announce(const std::vector<Item>& items) {
  std::map<PartialOutput*, std::vector<PartialOutput::Move>> moves;
  for (const Item& item : items) {
    if (item.partial == nullptr) continue;
    moves[item.partial.get()].push_back(
        {item.file == nullptr ? "" : item.file->name(), item.target});
  }
  for (const auto& [partial, list] : moves) partial->BeginPlacing(list);
}

void HeldOutputs::PlaceOne(Item* item, bool alone) {
  // One alone needs no undoing.
  const bool by_itself =
      alone && item->file != nullptr && item->file->replaces();
  if (item->replace && !by_itself) item->backup = BackUp(item->target);
  if (item->file == nullptr) {
    RemoveFile(item->target);
    return;
  }
  try {
    item->file->Place(item->target, item->replace);
  } catch (...) {
    // What is at target is not this file.
    if (!item->backup.empty()) Restore(item->backup, item->target);
    throw;
  }
}

void HeldOutputs::Undo(const Item& item) {
  if (item.file != nullptr) item.file->PutBack(item.target);
  if (!item.backup.empty()) Restore(item.backup, item.target);
}

void HeldOutputs::Place() {
  std::vector<Item> items;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    items.swap(items_);
  }
  Announce(items);
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
  std::set<PartialOutput*> partial;
  for (const Item& item : items) {
    if (!item.backup.empty()) RemoveTree(item.backup);
    directories.insert(DirectoryOf(item.target));
    if (item.partial != nullptr) partial.insert(item.partial.get());
  }
  // The files are in their places by now, so a file system that cannot sync its
  // directories is no error.
  for (const std::string& directory : directories) SyncDirectory(directory);
  for (PartialOutput* done : partial) done->Placed();
}

}  // namespace bnq
