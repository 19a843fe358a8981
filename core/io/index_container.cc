// The index of a model in several files, and the files it names, as one model:
// Hugging Face's *.safetensors.index.json, and the same of .bnq files.
#include <algorithm>
#include <cstring>
#include <unordered_map>
#include <utility>

#include "core/base/error.h"
#include "core/io/container.h"
#include "core/io/json_sax.h"
#include "core/io/safetensors.h"
#include "core/io/temporary_file.h"

namespace bnq {
namespace {

// Of tensor name and file name.
using WeightMap = std::vector<std::pair<std::string, std::string>>;

class IndexParser final : public JsonHandler {
 public:
  IndexParser(const std::string& label, WeightMap* map)
      : label_(label), map_(*map) {}
  bool has_map() const { return has_map_; }

 private:
  enum class State { kStart, kTop, kMap };

  [[noreturn]] void OnError(const std::string& what) override {
    // A token of the text may be in it, as long as the text is.
    size_t end = std::min<size_t>(what.size(), 400);
    while (end < what.size() && (what[end] & 0xC0) == 0x80) --end;
    Fail(Status::kCorruptFile, label_, ": ",
         state_ == State::kMap && !key_.empty()
             ? ("weight_map " + Quoted(key_) + ": ").c_str()
             : "",
         what.substr(0, end));
  }
  [[noreturn]] void Expected(const std::string& found) {
    OnError("found " + found + ", expected " +
            (state_ == State::kStart ? "an object"
             : state_ == State::kTop ? "weight_map to be an object"
                                     : "a file name"));
  }
  void OnOther(const std::string& what) override { Expected(what); }
  void OnUnsigned(uint64_t value) override { Expected(std::to_string(value)); }
  void OnString(std::string& value) override {
    if (state_ != State::kMap) Expected("the string " + Quoted(value));
    // Joined to the index's directory: nothing may lead out of it.
    if (value.empty() || value == "." || value == ".." ||
        value.find_first_of(std::string("/\\\0", 3)) != std::string::npos) {
      OnError("file name = " + Quoted(value) +
              ", must name a file beside the index, without a path");
    }
    if (map_.size() == kMaxTensors) {
      Fail(Status::kUnsupported, label_, ": more than ", kMaxTensors,
           " tensors");
    }
    map_.emplace_back(std::move(key_), std::move(value));
    key_.clear();
  }
  void OnStart(bool object) override {
    if (!object || state_ == State::kMap) {
      Expected(object ? "an object" : "an array");
    }
    state_ = state_ == State::kStart ? State::kTop : State::kMap;
  }
  void OnKey(std::string& key) override {
    if (state_ == State::kMap) {
      key_ = std::move(key);
    } else if (key != "weight_map") {
      SkipNext();
    } else if (std::exchange(has_map_, true)) {
      OnError("weight_map is given twice");
    }
  }
  void OnEnd() override {
    if (state_ == State::kMap) state_ = State::kTop;
  }

  const std::string& label_;
  WeightMap& map_;
  State state_ = State::kStart;
  std::string key_;
  bool has_map_ = false;
};

WeightMap ParseIndex(const MappedFile& file) {
  const std::string& label = file.label();
  // The header's limit: the same names are in both.
  if (file.size() > kMaxSafetensorsHeader) {
    Fail(Status::kCorruptFile, label, ": ", file.size(),
         " bytes, an index has at most ", kMaxSafetensorsHeader);
  }
  const char* text = reinterpret_cast<const char*>(file.data());
  const size_t size = static_cast<size_t>(file.size());
  const size_t invalid = FindInvalidUtf8(text, size);
  if (invalid != size) {
    Fail(Status::kCorruptFile, label, ": byte ", invalid, " is not UTF-8");
  }
  WeightMap map;
  IndexParser parser(label, &map);
  parser.Parse(text, size);
  if (!parser.has_map()) {
    Fail(Status::kCorruptFile, label,
         " is JSON without a weight_map, so neither a model nor the index of "
         "one");
  }
  std::sort(map.begin(), map.end());
  for (size_t i = 1; i < map.size(); ++i) {
    if (map[i].first == map[i - 1].first) {
      Fail(Status::kCorruptFile, label, ": weight_map has the tensor ",
           Quoted(map[i].first), " twice, in ", Quoted(map[i - 1].second),
           " and ", Quoted(map[i].second));
    }
  }
  return map;
}

// Any JSON, so that the parser can say what it is not. '{' could be the first
// byte of a safetensors length, but then a NUL is among the next seven.
bool Sniff(const MappedFile& file) {
  const uint8_t* p = file.data();
  const size_t begin = static_cast<size_t>(std::min<uint64_t>(file.size(), 8));
  if (begin == 0 || std::memchr(p, 0, begin) != nullptr) return false;
  uint64_t i = 0;
  while (i < file.size() && std::memchr(" \t\r\n", p[i], 4) != nullptr) ++i;
  return i < file.size() && (p[i] == '{' || p[i] == '[');
}

std::unique_ptr<ContainerReader> OpenShard(const Context& context,
                                           const std::string& path) {
  auto file = MappedFile::Open(context, path);
  const Container& row = ContainerOf(*file);
  if (row.create == nullptr || row.shard_metadata != nullptr) {
    Fail(Status::kCorruptFile, file->label(),
         " cannot be a part of a model: its kind is ", row.name);
  }
  return row.open(context, std::move(file));
}

// The entries and the metadata of all shards. What the index says of itself
// (total_size) says nothing that the shards do not.
class Reader final : public ContainerReader {
 public:
  // CORRUPT_FILE where the index is not what it should be, a file lacks a
  // tensor or two hold the same one; NOT_FOUND where a file is missing. A
  // tensor that the index leaves out is left out, with a warning to context's
  // log.
  Reader(const Context& context, std::shared_ptr<const MappedFile> file)
      : file_(std::move(file)) {
    const WeightMap map = ParseIndex(*file_);
    OpenShards(context, map);
    for (const auto& [name, shard_name] : map) {
      AddEntry(name, *shards_[numbers_.at(shard_name)]);
    }
    LookForOthers(context);
    JoinMetadata(context);
  }

  FileKind kind() const override {
    return !shards_.empty() && shards_[0]->kind() == FileKind::kBnq
               ? FileKind::kBnqIndex
               : FileKind::kSafetensorsIndex;
  }
  const Metadata& metadata() const override { return metadata_; }
  void ListFiles(std::vector<const MappedFile*>* files) const override {
    files->push_back(file_.get());
    for (const auto& shard : shards_) shard->ListFiles(files);
  }
  void VerifyRest() const override {
    for (const auto& shard : shards_) shard->VerifyRest();
  }

  // Entries say which shard they are of, and are not asked for here.
  const uint8_t* Mapped(size_t, size_t) const override { return nullptr; }
  void Release(size_t, size_t, uint64_t, uint64_t) const override {}
  std::unique_ptr<SectionReader> Open(const Context&, size_t,
                                      size_t) const override {
    return nullptr;
  }

 private:
  static std::string Label(const ContainerReader& shard) {
    std::vector<const MappedFile*> files;
    shard.ListFiles(&files);
    return files[0]->label();
  }

  void OpenShards(const Context& context, const WeightMap& map) {
    // By the path as given: a link to the index usually has links to the
    // shards beside it.
    const std::string& path = file_->path();
    const std::string directory = DirectoryOf(path);
    std::vector<std::string> names;
    for (const auto& item : map) names.push_back(item.second);
    std::sort(names.begin(), names.end());
    names.erase(std::unique(names.begin(), names.end()), names.end());
    for (const std::string& name : names) {
      numbers_[name] = shards_.size();
      shards_.push_back(OpenShard(context, directory + name));
      if (shards_.back()->kind() != shards_[0]->kind()) {
        Fail(Status::kCorruptFile, file_->label(), ": ", Label(*shards_[0]),
             " and ", Label(*shards_.back()), " are of different kinds");
      }
    }
  }

  void AddEntry(const std::string& name, const ContainerReader& shard) {
    const auto& entries = shard.entries();
    const auto it = std::lower_bound(
        entries.begin(), entries.end(), name,
        [](const auto& entry, const auto& n) { return entry.name < n; });
    if (it == entries.end() || it->name != name) {
      Fail(Status::kCorruptFile, file_->label(), ": tensor ", Quoted(name),
           " is not in ", Label(shard));
    }
    entries_.push_back(*it);
  }

  // Tensors of the shards that the index does not list, or lists elsewhere.
  void LookForOthers(const Context& context) const {
    std::unordered_map<std::string, const ContainerReader*> owners;
    for (const ModelEntry& entry : entries_) owners[entry.name] = entry.reader;
    for (const auto& shard : shards_) {
      uint64_t unlisted = 0;
      std::string first;
      for (const ModelEntry& entry : shard->entries()) {
        const auto [owner, added] = owners.emplace(entry.name, shard.get());
        if (owner->second != shard.get()) {
          Fail(Status::kCorruptFile, file_->label(), ": tensor ",
               Quoted(entry.name), " is in both ", Label(*owner->second),
               " and ", Label(*shard));
        }
        if (added && unlisted++ == 0) first = entry.name;
      }
      if (unlisted == 0) continue;
      context.Log(LogLevel::kWarning,
                  Message(Label(*shard), ": ", unlisted,
                          " tensors are not in the index ", file_->label(),
                          " and are left out, the first is ", Quoted(first)));
    }
  }

  // The first in the order of file names decides where shards differ.
  void JoinMetadata(const Context& context) {
    for (const auto& shard : shards_) {
      const Metadata& of_shard = shard->metadata();
      metadata_.insert(metadata_.end(), of_shard.begin(), of_shard.end());
    }
    std::stable_sort(
        metadata_.begin(), metadata_.end(),
        [](const auto& a, const auto& b) { return a.first < b.first; });
    const auto same_key = [&](const auto& a, const auto& b) {
      if (a.first != b.first) return false;
      if (a.second != b.second) {
        context.Log(LogLevel::kWarning,
                    Message(file_->label(), ": the files differ in metadata ",
                            Quoted(a.first), "; the first one's counts"));
      }
      return true;
    };
    metadata_.erase(std::unique(metadata_.begin(), metadata_.end(), same_key),
                    metadata_.end());
  }

  std::shared_ptr<const MappedFile> file_;
  std::vector<std::unique_ptr<ContainerReader>> shards_;
  std::unordered_map<std::string, size_t> numbers_;  // of shards_, by name
  Metadata metadata_;
};

std::unique_ptr<ContainerReader> Open(const Context& context,
                                      std::shared_ptr<const MappedFile> file) {
  return std::make_unique<Reader>(context, std::move(file));
}

}  // namespace

const Container kIndexContainer = {FileKind::kSafetensorsIndex,
                                   "index",
                                   ".index.json",
                                   Sniff,
                                   Open,
                                   nullptr,
                                   nullptr,
                                   true};

}  // namespace bnq
