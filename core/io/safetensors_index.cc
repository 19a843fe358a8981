#include "core/io/safetensors_index.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "core/base/error.h"
#include "core/io/json_sax.h"

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
         " is JSON without a weight_map, so not the index of a safetensors "
         "model");
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

}  // namespace

SafetensorsIndex::SafetensorsIndex(const Context& context,
                                   std::shared_ptr<const MappedFile> file)
    : file_(std::move(file)) {
  const std::string& label = file_->label();
  const WeightMap map = ParseIndex(*file_);
  // By the path as given: a link to the index usually has links to the shards
  // beside it.
  const std::string& path = file_->path();
  const std::string directory = path.substr(0, path.rfind('/') + 1);

  std::vector<std::string> names;
  for (const auto& item : map) names.push_back(item.second);
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  std::unordered_map<std::string, const SafetensorsReader*> by_name;
  for (const std::string& name : names) {
    shards_.push_back(std::make_unique<SafetensorsReader>(
        MappedFile::Open(context, directory + name)));
    by_name[name] = shards_.back().get();
  }

  std::unordered_map<std::string, const SafetensorsReader*> owners;
  entries_.reserve(map.size());
  for (const auto& [name, shard_name] : map) {
    const SafetensorsReader* shard = by_name[shard_name];
    const SafetensorsEntry* tensor = shard->Find(name);
    if (tensor == nullptr) {
      Fail(Status::kCorruptFile, label, ": tensor ", Quoted(name),
           " is not in ", shard->file().label());
    }
    owners[name] = shard;
    entries_.push_back({shard, tensor});
  }

  for (const auto& shard : shards_) {
    uint64_t unlisted = 0;
    std::string first;
    for (const SafetensorsEntry& tensor : shard->entries()) {
      const auto [owner, added] = owners.emplace(tensor.name, shard.get());
      if (owner->second != shard.get()) {
        Fail(Status::kCorruptFile, label, ": tensor ", Quoted(tensor.name),
             " is in both ", owner->second->file().label(), " and ",
             shard->file().label());
      }
      if (added && unlisted++ == 0) first = tensor.name;
    }
    if (unlisted > 0) {
      context.Log(LogLevel::kWarning,
                  shard->file().label() + ": " + std::to_string(unlisted) +
                      " tensors are not in the index " + label +
                      " and are left out, the first is " + Quoted(first));
    }
    metadata_.insert(metadata_.end(), shard->metadata().begin(),
                     shard->metadata().end());
  }

  const auto by_key = [](const auto& a, const auto& b) {
    return a.first < b.first;
  };
  std::stable_sort(metadata_.begin(), metadata_.end(), by_key);
  const auto same_key = [&](const auto& a, const auto& b) {
    if (a.first != b.first) return false;
    if (a.second != b.second) {
      context.Log(LogLevel::kWarning,
                  label + ": the files differ in metadata " + Quoted(a.first) +
                      "; the first one's counts");
    }
    return true;
  };
  metadata_.erase(std::unique(metadata_.begin(), metadata_.end(), same_key),
                  metadata_.end());
}

}  // namespace bnq
