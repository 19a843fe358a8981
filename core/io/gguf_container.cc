// GGUF files as a container, also where a model is split as llama.cpp does it:
// "x-00001-of-00003.gguf" and so on, the first of which has the metadata; its
// keys split.no, split.count and split.tensors.count tell of the others.
#include <algorithm>
#include <cstdio>
#include <unordered_set>
#include <utility>

#include "core/base/error.h"
#include "core/base/names.h"
#include "core/io/container.h"
#include "core/io/gguf.h"
#include "core/io/gguf_value.h"
#include "core/io/naming.h"

namespace bnq {
namespace {

constexpr char kNoKey[] = "split.no";
constexpr char kCountKey[] = "split.count";
constexpr char kTensorsKey[] = "split.tensors.count";

bool IsSplitKey(const std::string& key) {
  return key == kNoKey || key == kCountKey || key == kTensorsKey;
}

// One file.
class Reader final : public PlainContainerReader {
 public:
  explicit Reader(std::shared_ptr<const MappedFile> file)
      : PlainContainerReader(*file),
        mapped_(std::move(file)),
        header_(ReadGguf(*mapped_)) {
    entries_.reserve(header_.tensors.size());
    for (const GgufTensor& tensor : header_.tensors) {
      const GgmlBlocks& blocks = tensor.blocks;
      Add(tensor.name, blocks ? DType::kU8 : Info(blocks.type).dtype,
          tensor.bytes_shape, tensor.offset, tensor.bytes);
      if (blocks) entries_.back().blocks = blocks;
    }
    metadata_ = header_.metadata;
    metadata_.erase(
        std::remove_if(metadata_.begin(), metadata_.end(),
                       [](const auto& item) { return IsSplitKey(item.first); }),
        metadata_.end());
  }

  FileKind kind() const override { return FileKind::kGguf; }
  const Metadata& metadata() const override { return metadata_; }
  const std::string& label() const { return mapped_->label(); }

  // What the file says of its split; `otherwise` where it does not.
  uint64_t OfSplit(const char* key, uint64_t otherwise) const {
    for (const auto& [name, text] : header_.metadata) {
      if (name != key) continue;
      uint64_t value = 0;
      if (GgufUnsigned(text, &value)) return value;
      Fail(Status::kCorruptFile, label(), ": ", key, " = ", Quoted(text),
           ", must be an integer, 0 or more");
    }
    return otherwise;
  }

  // Between the tensors are zeros.
  void VerifyRest() const override {
    std::vector<std::pair<uint64_t, uint64_t>> used;
    for (const GgufTensor& tensor : header_.tensors) {
      used.emplace_back(tensor.offset, tensor.offset + tensor.bytes);
    }
    used.emplace_back(mapped_->size(), mapped_->size());
    std::sort(used.begin(), used.end());
    uint64_t at = header_.end;
    for (const auto& [begin, end] : used) {
      for (; at < begin; ++at) {
        if (mapped_->data()[at] == 0) continue;
        Fail(Status::kCorruptFile, label(), ": byte ", at,
             ", which belongs to no tensor, = ", mapped_->data()[at],
             ", must be 0");
      }
      at = end;
    }
  }

 private:
  const std::shared_ptr<const MappedFile> mapped_;
  const GgufHeader header_;
  Metadata metadata_;
};

// "-00001-of-00003.gguf", counted from 1.
std::string SplitEnding(uint64_t number, uint64_t of) {
  char text[64];
  std::snprintf(text, sizeof text, "-%05llu-of-%05llu.gguf",
                static_cast<unsigned long long>(number),
                static_cast<unsigned long long>(of));
  return text;
}

// All files of a split model. Entries say which of them they are of.
class SplitReader final : public ContainerReader {
 public:
  // CORRUPT_FILE where the files do not fit each other, NOT_FOUND where one is
  // missing.
  SplitReader(const Context& context, std::unique_ptr<Reader> first,
              const std::string& path, uint64_t count) {
    const std::string begin =
        path.substr(0, path.size() - SplitEnding(1, count).size());
    parts_.push_back(std::move(first));
    for (uint64_t i = 1; i < count; ++i) {
      auto file = MappedFile::Open(context, begin + SplitEnding(i + 1, count));
      if (!IsGguf(*file)) {
        Fail(Status::kCorruptFile, file->label(), " is not a GGUF file");
      }
      parts_.push_back(std::make_unique<Reader>(std::move(file)));
      CheckPart(*parts_.back(), i, count);
    }
    for (const auto& part : parts_) AddPart(context, *part);
    Finish();
  }

  FileKind kind() const override { return FileKind::kGguf; }
  const Metadata& metadata() const override { return metadata_; }
  void ListFiles(std::vector<const MappedFile*>* files) const override {
    for (const auto& part : parts_) part->ListFiles(files);
  }
  void VerifyRest() const override {
    for (const auto& part : parts_) part->VerifyRest();
  }
  // Entries are not asked for here.
  const uint8_t* Mapped(size_t, size_t) const override { return nullptr; }
  void Release(size_t, size_t, uint64_t, uint64_t) const override {}
  std::unique_ptr<SectionReader> Open(const Context&, size_t,
                                      size_t) const override {
    return nullptr;
  }

 private:
  static void CheckPart(const Reader& part, uint64_t number, uint64_t count) {
    const uint64_t no = part.OfSplit(kNoKey, 0);
    const uint64_t of = part.OfSplit(kCountKey, 1);
    if (no == number && of == count) return;
    Fail(Status::kCorruptFile, part.label(), ": ", kNoKey, " = ", no, " and ",
         kCountKey, " = ", of, ", must be ", number, " and ", count);
  }

  // The first file's metadata count where they differ.
  void AddPart(const Context& context, const Reader& part) {
    entries_.insert(entries_.end(), part.entries().begin(),
                    part.entries().end());
    for (const auto& [key, text] : part.metadata()) {
      const auto known = std::find_if(
          metadata_.begin(), metadata_.end(),
          [&k = key](const auto& item) { return item.first == k; });
      if (known == metadata_.end()) {
        metadata_.emplace_back(key, text);
      } else if (known->second != text) {
        context.Log(LogLevel::kWarning,
                    Message(part.label(), ": another value of metadata ",
                            Quoted(key), "; that of the first file counts"));
      }
    }
  }

  void Finish() {
    std::sort(metadata_.begin(), metadata_.end());
    std::sort(entries_.begin(), entries_.end(),
              [](const auto& a, const auto& b) { return a.name < b.name; });
    const std::string& label = parts_[0]->label();
    for (size_t i = 1; i < entries_.size(); ++i) {
      if (entries_[i].name != entries_[i - 1].name) continue;
      Fail(Status::kCorruptFile, label, ": ", TensorSubject(entries_[i].name),
           " is in two files");
    }
    const uint64_t count = parts_[0]->OfSplit(kTensorsKey, entries_.size());
    if (count == entries_.size()) return;
    Fail(Status::kCorruptFile, label, ": ", kTensorsKey, " = ", count,
         ", but the files have ", entries_.size(), " tensors");
  }

  std::vector<std::unique_ptr<Reader>> parts_;
  Metadata metadata_;
};

std::unique_ptr<ContainerReader> Open(const Context& context,
                                      std::shared_ptr<const MappedFile> file) {
  auto first = std::make_unique<Reader>(file);
  const uint64_t count = first->OfSplit(kCountKey, 1);
  if (count <= 1) return first;
  const uint64_t no = first->OfSplit(kNoKey, 0);
  const std::string here = SplitEnding(no + 1, count);
  if (no != 0 || !file->has_id() || !EndsWith(file->path(), here)) {
    Fail(Status::kUnsupported, file->label(), " is number ", no + 1, " of the ",
         count, " files of a model; open the first of them, *",
         SplitEnding(1, count), ", by its name");
  }
  return std::make_unique<SplitReader>(context, std::move(first), file->path(),
                                       count);
}

class Writer final : public ContainerWriter {
 public:
  Writer(std::shared_ptr<ByteOutput> output, const Metadata& metadata,
         const std::vector<NewArray>& arrays)
      : layout_(LayOutGguf(arrays, metadata)), output_(std::move(output)) {
    output_->Append(layout_.header.data(), layout_.header.size());
  }

  void BeginEntry(BnqEntry entry) override {
    if (entry.format != 0) {
      Fail(Status::kUnsupported, "tensor ", Quoted(entry.name),
           " is quantized; it is exported to a GGUF file, not written to one");
    }
    CheckNext(entry.name);
    written_ = 0;
  }
  void Append(size_t /*section*/, const void* data, uint64_t bytes) override {
    const GgufTensor& tensor = layout_.tensors[next_];
    if (bytes > tensor.bytes - written_) {
      FailBytes(tensor, Message(bytes, " after ", written_));
    }
    output_->WriteAt(tensor.offset + written_, data, bytes);
    written_ += bytes;
  }
  uint64_t EndEntry() override {
    const GgufTensor& tensor = layout_.tensors[next_];
    if (written_ != tensor.bytes) FailBytes(tensor, ToText(written_));
    ++next_;
    return tensor.bytes;
  }
  // The header tells all.
  std::string EntryState() const override { return ""; }
  void RestoreEntry(const std::string& name, const std::string&) override {
    CheckNext(name);
    const GgufTensor& tensor = layout_.tensors[next_++];
    output_->Keep(tensor.offset + tensor.bytes);
  }
  void Finish() override {
    if (next_ != layout_.tensors.size()) {
      Fail(Status::kInvalidArgument, "tensor ",
           Quoted(layout_.tensors[next_].name), " is missing");
    }
    // Readers expect the last one to be filled up, too.
    const std::string zeros(
        static_cast<size_t>(layout_.file_bytes - output_->size()), '\0');
    output_->Append(zeros.data(), zeros.size());
    output_->Commit();
  }

 private:
  void CheckNext(const std::string& name) const {
    if (next_ == layout_.tensors.size() ||
        layout_.tensors[next_].name != name) {
      Fail(Status::kInvalidArgument, "tensor ", Quoted(name), " is not next");
    }
  }
  [[noreturn]] static void FailBytes(const GgufTensor& tensor,
                                     const std::string& given) {
    Fail(Status::kInvalidArgument, "tensor ", Quoted(tensor.name), " has ",
         tensor.bytes, " bytes, given ", given);
  }

  const GgufLayout layout_;
  std::shared_ptr<ByteOutput> output_;
  size_t next_ = 0;
  uint64_t written_ = 0;  // of the tensor
};

std::unique_ptr<ContainerWriter> Create(const Context& /*context*/,
                                        std::shared_ptr<ByteOutput> output,
                                        const WriteOptions& /*options*/,
                                        const Metadata& metadata,
                                        const std::vector<NewArray>& arrays) {
  return std::make_unique<Writer>(std::move(output), metadata, arrays);
}

// As they come: the header must know them all.
std::vector<size_t> Order(const std::vector<NewArray>& arrays) {
  std::vector<size_t> order(arrays.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  return order;
}

Metadata ShardMetadata(const Metadata& metadata, size_t shard, size_t shards,
                       size_t arrays) {
  Metadata own;
  for (const auto& item : metadata) {
    // Where the data begin is every file's own.
    if (IsSplitKey(item.first)) continue;
    if (shard == 0 || item.first == kGgufAlignmentKey) own.push_back(item);
  }
  if (shards == 1) return own;
  own.emplace_back(kNoKey, GgufText("u16", shard));
  own.emplace_back(kCountKey, GgufText("u16", shards));
  own.emplace_back(kTensorsKey, GgufText("i32", arrays));
  return own;
}

}  // namespace

const Container kGgufContainer = {FileKind::kGguf,
                                  "gguf",
                                  ".gguf",
                                  IsGguf,
                                  Open,
                                  Create,
                                  Order,
                                  /*holds_quantized=*/false,
                                  ShardMetadata};

}  // namespace bnq
