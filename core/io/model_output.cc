#include "core/io/model_output.h"

#include <algorithm>
#include <cstdio>
#include <map>
#include <numeric>

#include "core/base/error.h"
#include "core/base/names.h"
#include "core/io/endian.h"
#include "core/io/json_tree.h"
#include "core/io/temporary_file.h"

namespace bnq {
std::string ShardName(const std::string& name, size_t number, size_t of) {
  const size_t dot = name.rfind('.');
  const bool ending = dot != std::string::npos && dot > 0;
  char text[64];
  std::snprintf(text, sizeof text, "-%05zu-of-%05zu", number, of);
  return name.substr(0, ending ? dot : name.size()) + text +
         (ending ? name.substr(dot) : "");
}

uint64_t BytesOf(const NewArray& array) {
  uint64_t bytes = 0;
  TryByteSize(array.shape, array.dtype, &bytes);
  return bytes;
}

const Container& WritableContainer(FileKind kind) {
  const Container* row = FindContainer(kind);
  if (row != nullptr && row->create != nullptr) return *row;
  std::string writable;
  for (const Container* other : Containers()) {
    if (other->create == nullptr) continue;
    writable += Message(writable.empty() ? "" : " or ", other->kind, " (",
                        other->name, ")");
  }
  Fail(Status::kInvalidArgument, "kind = ", kind, ", must be ", writable);
}

ModelOutput::ModelOutput(const Context& context, const std::string& path,
                         FileKind kind, const WriteOptions& options,
                         const Metadata& metadata, std::vector<NewArray> arrays)
    : context_(context),
      row_(WritableContainer(kind)),
      path_(path),
      options_(options),
      metadata_(metadata),
      arrays_(std::move(arrays)) {
  if (options.max_shard_bytes == 0) {
    output_ = std::make_shared<AtomicFile>(path, options);
  } else {
    // One file or an index: both would be in the way.
    WriteOptions check = options;
    check.dry_run = true;
    AtomicFile(path, check);
    if (!path.empty() && HasIndex()) AtomicFile(path + kIndexEnding, check);
    if (HasIndex() && !IsCleanText(NameOf(path))) {
      Fail(Status::kInvalidArgument, "output ", Quoted(path),
           " must be UTF-8 to be split: its index names the files");
    }
    if (!HasIndex() && !path.empty() && !EndsWith(path, row_.ending)) {
      Fail(Status::kInvalidArgument, "output ", Quoted(path), " must end in ",
           row_.ending, " to be split: its files are found by their names");
    }
    files_ = std::make_unique<AtomicFileSet>(path, options);
  }
  Plan();
}

ModelOutput::ModelOutput(const Context& context,
                         std::shared_ptr<ByteOutput> output, FileKind kind,
                         const WriteOptions& options, const Metadata& metadata,
                         std::vector<NewArray> arrays)
    : context_(context),
      row_(WritableContainer(kind)),
      options_(options),
      metadata_(metadata),
      arrays_(std::move(arrays)),
      output_(std::move(output)) {
  if (options.max_shard_bytes != 0) {
    Fail(Status::kInvalidArgument,
         "max_shard_bytes = ", options.max_shard_bytes,
         ": memory cannot be split into files");
  }
  Plan();
}

// Where the container must know a file's tensors before it begins, they are
// shared out now; otherwise as they come.
void ModelOutput::Plan() {
  order_.resize(arrays_.size());
  std::iota(order_.begin(), order_.end(), size_t{0});
  if (row_.order == nullptr) return;
  order_.clear();
  for (size_t begin = 0; begin < arrays_.size();) {
    size_t end = begin;
    shard_bytes_ = 0;
    while (end < arrays_.size() && !BeginsShard(BytesOf(arrays_[end]))) {
      shard_bytes_ += BytesOf(arrays_[end++]);
    }
    const std::vector<NewArray> shard(
        arrays_.begin() + static_cast<std::ptrdiff_t>(begin),
        arrays_.begin() + static_cast<std::ptrdiff_t>(end));
    begins_.push_back(begin);
    for (const size_t i : row_.order(shard)) order_.push_back(begin + i);
    begin = end;
  }
  shard_bytes_ = 0;
}

bool ModelOutput::BeginsShard(uint64_t bytes) const {
  const uint64_t most = options_.max_shard_bytes;
  return most != 0 && shard_bytes_ != 0 &&
         (shard_bytes_ >= most || bytes > most - shard_bytes_);
}

void ModelOutput::OpenShard() {
  if (writer_) writer_->Finish();
  std::vector<NewArray> arrays;
  if (row_.order != nullptr) {
    const size_t begin = shards_ < begins_.size() ? begins_[shards_] : 0;
    const size_t end =
        shards_ + 1 < begins_.size() ? begins_[shards_ + 1] : arrays_.size();
    arrays.assign(arrays_.begin() + static_cast<std::ptrdiff_t>(begin),
                  arrays_.begin() + static_cast<std::ptrdiff_t>(end));
  }
  outputs_.push_back(files_ ? files_->Add() : output_);
  const Metadata own =
      HasIndex() ? metadata_
                 : row_.shard_metadata(metadata_, shards_,
                                       std::max<size_t>(begins_.size(), 1),
                                       arrays_.size());
  writer_ = row_.create(context_, outputs_.back(), options_, own, arrays);
  ++shards_;
  shard_bytes_ = 0;
}

// In which shard the next tensor goes.
void ModelOutput::PlaceEntry(const std::string& name, uint64_t bytes) {
  const bool next =
      row_.order == nullptr
          ? BeginsShard(bytes)
          : shards_ < begins_.size() && begins_[shards_] == tensors_.size();
  if (writer_ == nullptr || next) OpenShard();
  shard_bytes_ += bytes;
  total_bytes_ += bytes;
  entry_bytes_ = bytes;
  tensors_.emplace_back(name, shards_ - 1);
}

void ModelOutput::BeginEntry(BnqEntry entry) {
  PlaceEntry(entry.name, entry.raw_bytes());
  writer_->BeginEntry(std::move(entry));
}

std::string ModelOutput::EntryState() const {
  std::string state;
  AppendLE<uint64_t>(entry_bytes_, &state);
  return state + writer_->EntryState();
}

void ModelOutput::RestoreEntry(const std::string& name,
                               const std::string& state) {
  if (state.size() < 8) {
    Fail(Status::kCorruptFile, "tensor ", Quoted(name), ": its state has ",
         state.size(), " bytes, must have 8 or more");
  }
  PlaceEntry(name,
             LoadLE<uint64_t>(reinterpret_cast<const uint8_t*>(state.data())));
  writer_->RestoreEntry(name, state.substr(8));
}

void ModelOutput::Append(size_t section, const void* data, uint64_t bytes) {
  // What takes some 50 ms to compress.
  constexpr uint64_t kPiece = uint64_t{1} << 20;
  const uint8_t* from = static_cast<const uint8_t*>(data);
  do {
    const uint64_t n = std::min(bytes, kPiece);
    writer_->Append(section, from, n);
    from += n;
    bytes -= n;
    context_.Tick();
  } while (bytes != 0);
}

std::string IndexText(const std::map<std::string, std::string>& files,
                      uint64_t total_bytes) {
  std::string map;
  for (const auto& [name, file] : files) {
    map += Message(map.empty() ? "\n" : ",\n", "    ", JsonText(name), ": ",
                   JsonText(file));
  }
  return Message("{\n  \"metadata\": {\n    \"total_size\": ", total_bytes,
                 "\n  },\n  \"weight_map\": {", map, map.empty() ? "" : "\n  ",
                 "}\n}\n");
}

std::string ModelOutput::written() const {
  if (shards_ <= 1) return path_;
  if (HasIndex()) return path_ + kIndexEnding;
  const std::string name = NameOf(path_);
  return path_.substr(0, path_.size() - name.size()) +
         ShardName(name, 1, shards_);
}

void ModelOutput::FinishShards() {
  // A dry run without a name counts as one of model.bnq.
  const std::string name =
      path_.empty() ? Message("model", row_.ending) : NameOf(path_);
  std::vector<std::string> names;
  if (shards_ == 1) {
    names.push_back(name);
  } else {
    for (size_t i = 1; i <= shards_; ++i) {
      names.push_back(ShardName(name, i, shards_));
    }
  }
  if (shards_ > 1 && HasIndex()) {
    std::map<std::string, std::string> map;
    for (const auto& [tensor, shard] : tensors_) map[tensor] = names[shard];
    const std::string text = IndexText(map, total_bytes_);
    const auto index = files_->Add();
    outputs_.push_back(index);
    index->Append(text.data(), text.size());
    index->Commit();
    names.push_back(name + kIndexEnding);
  }
  if (path_.empty()) return;
  // The whole file that the shards replace would be read in their place.
  const bool replaces = shards_ > 1 && options_.overwrite;
  files_->Commit(names, replaces ? path_ : "");
}

uint64_t ModelOutput::file_bytes() const {
  uint64_t bytes = 0;
  for (const auto& output : outputs_) bytes += output->size();
  return bytes;
}

void ModelOutput::Finish() {
  if (writer_ == nullptr) OpenShard();
  writer_->Finish();
  if (files_) FinishShards();
}

}  // namespace bnq
