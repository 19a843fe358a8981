// The entries of a cache on disk, which any number of processes share.
//
//   <folder>/3f/3f0c...e1.bnq   an entry: a .bnq file of one tensor, by its key
//   <folder>/3f/3f0c...e1.bad   one that was damaged
//   <folder>/names/a7/a77b...   an alias: the key that a name stands for
//   <folder>/.lock              held by whoever removes entries
//
// Entries appear whole (io/atomic_file.h) and are never modified, so readers
// need no lock, and what is removed stays with those who have it mapped. What
// it is right to find never depends on the lock: that only keeps several from
// counting and removing at once. A process may be killed anywhere.
#ifndef BNQ_CORE_CACHE_CACHE_FOLDER_H_
#define BNQ_CORE_CACHE_CACHE_FOLDER_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/base/context.h"
#include "core/base/shape.h"
#include "core/cache/memory_tier.h"
#include "core/cache/options.h"
#include "core/io/folder.h"

namespace bnq {

class ModelFile;  // io/model_file.h

// An entry as it lies on disk.
struct CacheRow {
  std::string key;
  std::vector<std::string> names;  // sorted
  uint64_t bytes = 0;              // of the file
  int64_t used = 0;                // nanoseconds since 1970
  bool damaged = false;            // set aside, or cannot be read
  int32_t format = 0;              // 0 and empty where it is damaged
  Shape shape;
  std::string config;
};

// Nanoseconds since 1970.
using Clock = std::function<int64_t()>;

// Any number of threads may use it. Options are those of the moment.
class CacheFolder {
 public:
  CacheFolder(std::string path, Clock clock)
      : path_(std::move(path)), clock_(std::move(clock)) {}

  const std::string& path() const { return path_; }

  // nullptr where there is none. Its checksums are compared when this process
  // has it for the first time. CORRUPT_FILE for one that is damaged, which has
  // been set aside; IO, OUT_OF_MEMORY and UNSUPPORTED leave it as it is.
  CachedTensor Load(const Context& context, const CacheOptions& options,
                    const std::string& key);
  // Says that an entry is in use, if that was last said at `touched` and is
  // long ago; returns when it was said.
  int64_t Touch(const CacheOptions& options, const std::string& key,
                int64_t touched);
  // False where it is larger than the limit, and not stored. Removes others
  // where it makes them exceed the limit, and adds their number to *evicted. IO
  // where it cannot be written.
  bool Store(const Context& context, const CacheOptions& options,
             const std::string& key, const QuantizedTensor& tensor,
             uint64_t* evicted);

  // The key of an alias; "" where there is none.
  std::string FindAlias(const Context& context, const std::string& alias);
  // name: "" for an alias that is no name of an entry.
  void SetAlias(const Context& context, const std::string& alias,
                const std::string& key, const std::string& name);

  // Of the entries as they are now.
  void Count(uint64_t* entries, uint64_t* bytes);
  // Sorted by when they were used, last first. Reads the heads of entries.
  std::vector<CacheRow> List(const Context& context);
  // Reads all entries, and sets damaged ones aside unless options say that the
  // folder is read only. Returns how many it found; IO, after all others have
  // been read, where one cannot be.
  uint64_t Verify(const Context& context, const CacheOptions& options,
                  const Progress& progress);
  // Removes entries not used for longest until no more than `bytes` are left,
  // damaged ones, what killed processes have left, and names of nothing.
  // Returns the number of entries that it has removed.
  uint64_t Trim(const Context& context, uint64_t bytes);
  // Removes the names for which `matches` is true, and entries that have no
  // other name. Returns the entries' keys.
  std::set<std::string> Remove(
      const Context& context,
      const std::function<bool(const std::string&)>& matches);
  // Removes all that is a cache's, and nothing else.
  void Clear(const Context& context);

 private:
  // A file of ours.
  struct Item {
    std::string path;
    std::string name;  // of the file, without its ending
    uint64_t bytes = 0;
    int64_t modified = 0;
  };
  enum class Kind { kEntry, kBad, kTemporary, kAlias, kOther };
  struct Alias {
    std::string path, key, name;
  };

  std::string EntryPath(const std::string& key) const;
  std::string AliasPath(const std::string& alias) const;
  std::string LockPath() const { return path_ + "/.lock"; }
  static Kind KindOf(const std::string& file);
  // Calls f(kind, item) for every file of ours below a folder of 256.
  void Walk(const Context& context, const std::string& folder,
            const std::function<void(Kind, const Item&)>& f) const;
  bool ReadAlias(const Context& context, const std::string& path,
                 Alias* alias) const;
  std::vector<Alias> Aliases(const Context& context) const;
  std::shared_ptr<const ModelFile> OpenEntry(const Context& context,
                                             const std::string& path,
                                             const std::string& key) const;
  void SetAside(const std::string& key);
  void MakeRoom(const Context& context, const CacheOptions& options,
                uint64_t written, const std::string& keep, uint64_t* evicted);
  // Entries by when they were used and by their paths: those first that go
  // first.
  using Items = std::map<std::pair<int64_t, std::string>, Item>;
  // Of what is there; removes temporary files, and damaged entries if asked to.
  Items Sweep(const Context& context, bool damaged);
  uint64_t RemoveOldest(const Items& items, uint64_t most,
                        const std::string& keep, uint64_t* left);
  void RemoveNamesOfNothing(const Context& context);
  void RemoveEntry(const std::string& path, const std::string& key);

  const std::string path_;
  const Clock clock_;
  std::mutex mutex_;
  // Entries whose checksums have been compared.
  std::map<std::string, FileId> checked_;
  // Bytes of entries when they were last counted, and of those stored since.
  bool counted_ = false;
  uint64_t counted_bytes_ = 0, stored_bytes_ = 0;
};

}  // namespace bnq

#endif  // BNQ_CORE_CACHE_CACHE_FOLDER_H_
