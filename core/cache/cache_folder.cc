#include "core/cache/cache_folder.h"

#include <algorithm>
#include <exception>
#include <memory>
#include <set>
#include <utility>

#include "core/base/error.h"
#include "core/base/names.h"
#include "core/base/tick.h"
#include "core/cache/key.h"
#include "core/io/model_file.h"
#include "core/io/model_output.h"
#include "core/io/temporary_file.h"
#include "core/io/text_file.h"
#include "core/model/convert.h"
#include "core/model/tensor_entry.h"

namespace bnq {
namespace {

constexpr int64_t kSecond = 1000000000;
// Between two times at which a file is said to be in use.
constexpr int64_t kTouchInterval = 60 * kSecond;
// A temporary file that is older belongs to a process that was killed.
constexpr int64_t kTemporaryAge = 3600 * kSecond;

const char kEntryEnding[] = ".bnq", kBadEnding[] = ".bad";
const char kKeyOfEntry[] = "bnq.cache.key";
const char kTensorName[] = "tensor";
const char kAliasSignature[] = "bnq cache name 1";

std::string WithoutEnding(const std::string& file) {
  return file.substr(0, file.rfind('.'));
}

}  // namespace

std::string CacheFolder::EntryPath(const std::string& key) const {
  return path_ + "/" + key.substr(0, 2) + "/" + key + kEntryEnding;
}

std::string CacheFolder::AliasPath(const std::string& alias) const {
  return path_ + "/names/" + alias.substr(0, 2) + "/" + alias;
}

// --- one entry -------------------------------------------------------------

std::shared_ptr<const ModelFile> CacheFolder::OpenEntry(
    const Context& context, const std::string& path,
    const std::string& key) const {
  const auto mapped = MappedFile::Open(context, path);
  std::shared_ptr<const ModelFile> file;
  try {
    file = ModelFile::OpenBnq(context, mapped);
  } catch (const Error& error) {
    // Keys have the version: another one here is damage.
    if (error.status() != Status::kUnsupported) throw;
    throw Error(Status::kCorruptFile, error.message());
  }
  const Metadata expected = {{kKeyOfEntry, key}};
  if (file->metadata() != expected || file->entries().size() != 1) {
    Fail(Status::kCorruptFile, mapped->label(),
         " is not the cache's entry of its name");
  }
  return file;
}

CachedTensor CacheFolder::Load(const Context& context,
                               const CacheOptions& options,
                               const std::string& key) {
  const std::string path = EntryPath(key);
  try {
    const auto file = OpenEntry(context, path, key);
    const FileId id = file->files()[0]->id();
    bool checked = false;
    {
      std::lock_guard<std::mutex> lock(mutex_);
      const auto known = checked_.find(key);
      checked = known != checked_.end() && known->second == id;
    }
    CachedTensor tensor =
        LoadTensor(context, file, file->entries()[0], checked);
    FileTraits traits;
    if (FindTraits(path, &traits)) Touch(options, key, traits.modified);
    std::lock_guard<std::mutex> lock(mutex_);
    checked_[key] = id;
    return tensor;
  } catch (const Error& error) {
    if (error.status() == Status::kNotFound) return nullptr;
    if (error.status() == Status::kCorruptFile && !options.read_only()) {
      SetAside(key);
    }
    throw;
  }
}

void CacheFolder::SetAside(const std::string& key) {
  const std::string path = EntryPath(key);
  if (!RenameFile(path, WithoutEnding(path) + kBadEnding)) RemoveFile(path);
  std::lock_guard<std::mutex> lock(mutex_);
  checked_.erase(key);
}

int64_t CacheFolder::Touch(const CacheOptions& options, const std::string& key,
                           int64_t touched) {
  const int64_t now = clock_();
  if (options.read_only() ||
      (now - touched < kTouchInterval && now >= touched)) {
    return touched;
  }
  SetModified(EntryPath(key), now);
  return now;
}

bool CacheFolder::Store(const Context& context, const CacheOptions& options,
                        const std::string& key, const QuantizedTensor& tensor,
                        uint64_t* evicted) {
  const uint64_t limit = options.disk_limit();
  if (limit != 0 && !options.compress() && tensor.bytes() > limit) return false;
  const std::string path = EntryPath(key);
  WriteOptions write;
  write.compress = options.compress();
  MakeFolders(DirectoryOf(path));
  try {
    ModelOutput output(context, path, FileKind::kBnq, write,
                       {{kKeyOfEntry, key}}, {});
    WriteTensor(kTensorName, tensor, &output);
    output.Finish();
  } catch (const Error& error) {
    // Somebody else was faster, with the same bytes.
    if (error.status() == Status::kExists) return true;
    throw;
  }
  // Finer than the system's own, which several files may share.
  SetModified(path, clock_());
  FileTraits traits;
  if (limit == 0 || !FindTraits(path, &traits)) return true;
  if (traits.bytes > limit) {
    RemoveFile(path);
    return false;
  }
  MakeRoom(context, options, traits.bytes, key, evicted);
  return true;
}

// --- aliases ---------------------------------------------------------------

bool CacheFolder::ReadAlias(const Context& context, const std::string& path,
                            Alias* alias) const {
  Context reading = context;
  reading.map_files = false;
  const auto file = MappedFile::Open(reading, path);
  const std::string text(reinterpret_cast<const char*>(file->data()),
                         static_cast<size_t>(file->size()));
  const std::string begin = std::string(kAliasSignature) + "\n";
  const size_t key = begin.size(), name = key + 65;
  if (text.size() < name || text.compare(0, key, begin) != 0 ||
      text[name - 1] != '\n' || !IsKey(text.substr(key, 64)) ||
      !IsCleanText(text.substr(name))) {
    return false;
  }
  *alias = {path, text.substr(key, 64), text.substr(name)};
  return true;
}

std::string CacheFolder::FindAlias(const Context& context,
                                   const std::string& alias) {
  try {
    Alias found;
    if (ReadAlias(context, AliasPath(alias), &found)) return found.key;
  } catch (const Error& error) {
    if (error.status() != Status::kNotFound) throw;
  }
  return "";
}

void CacheFolder::SetAlias(const Context& context, const std::string& alias,
                           const std::string& key, const std::string& name) {
  if (FindAlias(context, alias) == key) return;
  const std::string path = AliasPath(alias);
  MakeFolders(DirectoryOf(path));
  WriteOptions write;
  write.overwrite = true;
  WriteTextFile(path, Message(kAliasSignature, "\n", key, "\n", name), write);
}

// --- all of them -----------------------------------------------------------

CacheFolder::Kind CacheFolder::KindOf(const std::string& file) {
  if (IsKey(file)) return Kind::kAlias;
  if (file.compare(0, 5, ".bnq-") == 0 && EndsWith(file, ".tmp")) {
    return Kind::kTemporary;
  }
  if (!IsKey(WithoutEnding(file))) return Kind::kOther;
  return EndsWith(file, kEntryEnding) ? Kind::kEntry
         : EndsWith(file, kBadEnding) ? Kind::kBad
                                      : Kind::kOther;
}

void CacheFolder::Walk(const Context& context, const std::string& folder,
                       const std::function<void(Kind, const Item&)>& f) const {
  std::vector<std::string> folders;
  ListFolder(folder, [&](const std::string& name) {
    if (name.size() == 2 && IsKey(std::string(62, '0') + name)) {
      folders.push_back(folder + "/" + name);
    }
  });
  for (const std::string& below : folders) {
    context.Tick();
    ListFolder(below, [&](const std::string& name) {
      const Kind kind = KindOf(name);
      FileTraits traits;
      Item item;
      item.path = below + "/" + name;
      // It may have gone meanwhile.
      if (kind == Kind::kOther || !FindTraits(item.path, &traits) ||
          traits.is_folder) {
        return;
      }
      item.name = kind == Kind::kAlias ? name : WithoutEnding(name);
      item.bytes = traits.bytes;
      item.modified = traits.modified;
      f(kind, item);
    });
  }
}

std::vector<CacheFolder::Alias> CacheFolder::Aliases(
    const Context& context) const {
  std::vector<Alias> aliases;
  Walk(context, path_ + "/names", [&](Kind kind, const Item& item) {
    if (kind != Kind::kAlias) return;
    Alias alias;
    try {
      if (!ReadAlias(context, item.path, &alias)) alias = {item.path, "", ""};
      aliases.push_back(alias);
    } catch (const Error& error) {
      if (error.status() != Status::kNotFound &&
          error.status() != Status::kIo) {
        throw;
      }
    }
  });
  return aliases;
}

void CacheFolder::Count(uint64_t* entries, uint64_t* bytes) {
  *entries = *bytes = 0;
  Walk({}, path_, [&](Kind kind, const Item& item) {
    *entries += kind == Kind::kEntry;
    if (kind == Kind::kEntry || kind == Kind::kBad) *bytes += item.bytes;
  });
}

std::vector<CacheRow> CacheFolder::List(const Context& context) {
  std::map<std::string, std::set<std::string>> names;
  for (const Alias& alias : Aliases(context)) {
    if (!alias.name.empty()) names[alias.key].insert(alias.name);
  }
  // Those used last first.
  std::map<std::pair<int64_t, std::string>, CacheRow> rows;
  Walk(context, path_, [&](Kind kind, const Item& item) {
    if (kind != Kind::kEntry && kind != Kind::kBad) return;
    CacheRow row;
    row.key = item.name;
    row.bytes = item.bytes;
    row.used = item.modified;
    row.damaged = kind == Kind::kBad;
    const auto found = names.find(item.name);
    if (kind == Kind::kEntry && found != names.end()) {
      row.names.assign(found->second.begin(), found->second.end());
    }
    try {
      if (kind == Kind::kEntry) {
        const auto file = OpenEntry(context, item.path, item.name);
        const ModelEntry& entry = file->entries()[0];
        row.format = entry.format;
        row.shape = entry.shape;
        row.config = StoredConfig(entry).ToText();
      }
    } catch (const Error& error) {
      if (error.status() == Status::kNotFound) return;
      if (error.status() == Status::kCancelled) throw;
      row.damaged = true;
    }
    rows[{-row.used, item.path}] = std::move(row);
  });
  std::vector<CacheRow> list;
  for (auto& row : rows) list.push_back(std::move(row.second));
  return list;
}

uint64_t CacheFolder::Verify(const Context& caller, const CacheOptions& options,
                             const Progress& progress) {
  TickingProgress ticking(caller, progress);
  const Context& context = ticking.context();
  std::vector<Item> items;
  uint64_t total = 0, done = 0, damaged = 0;
  Walk(context, path_, [&](Kind kind, const Item& item) {
    if (kind != Kind::kEntry) return;
    items.push_back(item);
    total += item.bytes;
  });
  std::exception_ptr unreadable;
  for (const Item& item : items) {
    ticking.Report(done, total, item.name);
    try {
      const auto file = OpenEntry(context, item.path, item.name);
      VerifyFile(context, file, nullptr);
    } catch (const Error& error) {
      if (error.status() == Status::kCorruptFile) {
        ++damaged;
        if (!options.read_only()) SetAside(item.name);
      } else if (error.status() == Status::kIo) {
        if (!unreadable) unreadable = std::current_exception();
      } else if (error.status() != Status::kNotFound) {
        throw;
      }
    }
    done += item.bytes;
  }
  ticking.Report(done, total, "");
  if (unreadable) std::rethrow_exception(unreadable);
  return damaged;
}

// --- removing --------------------------------------------------------------

void CacheFolder::RemoveEntry(const std::string& path, const std::string& key) {
  RemoveFile(path);
  std::lock_guard<std::mutex> lock(mutex_);
  checked_.erase(key);
}

CacheFolder::Items CacheFolder::Sweep(const Context& context, bool damaged) {
  Items items;
  const int64_t now = clock_();
  const auto sweep = [&](Kind kind, const Item& item) {
    if (kind == Kind::kTemporary && now - item.modified > kTemporaryAge) {
      RemoveFile(item.path);
    } else if (kind == Kind::kBad && damaged) {
      RemoveFile(item.path);
    } else if (kind == Kind::kEntry || kind == Kind::kBad) {
      items[{item.modified, item.path}] = item;
    }
  };
  Walk(context, path_, sweep);
  Walk(context, path_ + "/names", sweep);
  return items;
}

uint64_t CacheFolder::RemoveOldest(const Items& items, uint64_t most,
                                   const std::string& keep, uint64_t* left) {
  *left = 0;
  for (const auto& [order, item] : items) *left += item.bytes;
  uint64_t removed = 0;
  for (const auto& [order, item] : items) {
    if (*left <= most) break;
    if (item.name == keep) continue;
    RemoveEntry(item.path, item.name);
    *left -= item.bytes;
    ++removed;
  }
  return removed;
}

void CacheFolder::RemoveNamesOfNothing(const Context& context) {
  for (const Alias& alias : Aliases(context)) {
    FileTraits traits;
    if (alias.key.empty() || !FindTraits(EntryPath(alias.key), &traits)) {
      RemoveFile(alias.path);
    }
  }
}

void CacheFolder::MakeRoom(const Context& context, const CacheOptions& options,
                           uint64_t written, const std::string& keep,
                           uint64_t* evicted) {
  const uint64_t limit = options.disk_limit();
  {
    std::lock_guard<std::mutex> lock(mutex_);
    stored_bytes_ += written;
    // What other processes store is unknown until it is counted again.
    if (counted_ && counted_bytes_ + stored_bytes_ <= limit &&
        stored_bytes_ <= limit / 64) {
      return;
    }
  }
  const FolderLock folder_lock(LockPath());
  // Somebody else is at it; the next entry sees to what is left.
  if (!folder_lock.held()) return;
  const Items items = Sweep(context, false);
  uint64_t total = 0;
  for (const auto& [order, item] : items) total += item.bytes;
  if (total > limit) {
    const uint64_t removed =
        RemoveOldest(items, options.kept_bytes(), keep, &total);
    if (removed != 0) RemoveNamesOfNothing(context);
    *evicted += removed;
  }
  std::lock_guard<std::mutex> lock(mutex_);
  counted_ = true;
  counted_bytes_ = total;
  stored_bytes_ = 0;
}

uint64_t CacheFolder::Trim(const Context& context, uint64_t bytes) {
  const FolderLock folder_lock(LockPath());
  uint64_t left = 0;
  const uint64_t removed = RemoveOldest(Sweep(context, true), bytes, "", &left);
  RemoveNamesOfNothing(context);
  return removed;
}

std::set<std::string> CacheFolder::Remove(
    const Context& context,
    const std::function<bool(const std::string&)>& matches) {
  const FolderLock folder_lock(LockPath());
  std::set<std::string> going, staying;
  for (const Alias& alias : Aliases(context)) {
    if (alias.name.empty()) continue;
    const bool goes = matches(alias.name);
    if (goes) RemoveFile(alias.path);
    (goes ? going : staying).insert(alias.key);
  }
  std::set<std::string> removed;
  for (const std::string& key : going) {
    FileTraits traits;
    if (staying.count(key) != 0 || !FindTraits(EntryPath(key), &traits)) {
      continue;
    }
    RemoveEntry(EntryPath(key), key);
    removed.insert(key);
  }
  RemoveNamesOfNothing(context);
  return removed;
}

void CacheFolder::Clear(const Context& context) {
  const FolderLock folder_lock(LockPath());
  const auto remove = [&](Kind kind, const Item& item) {
    // A younger one is being written.
    if (kind == Kind::kTemporary && clock_() - item.modified <= kTemporaryAge) {
      return;
    }
    RemoveEntry(item.path, item.name);
  };
  Walk(context, path_, remove);
  Walk(context, path_ + "/names", remove);
}

}  // namespace bnq
