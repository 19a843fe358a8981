// safetensors files as a container: safetensors.h does the work.
#include <numeric>

#include "core/base/error.h"
#include "core/io/container.h"
#include "core/io/safetensors.h"

namespace bnq {
namespace {

class Reader final : public PlainContainerReader {
 public:
  explicit Reader(const std::shared_ptr<const MappedFile>& file)
      : PlainContainerReader(*file), safetensors_(file) {
    entries_.reserve(safetensors_.entries().size());
    for (const SafetensorsEntry& tensor : safetensors_.entries()) {
      Add(tensor.name, tensor.dtype, tensor.shape, tensor.offset, tensor.bytes);
    }
  }
  FileKind kind() const override { return FileKind::kSafetensors; }
  const Metadata& metadata() const override { return safetensors_.metadata(); }

 private:
  SafetensorsReader safetensors_;
};

class Writer final : public ContainerWriter {
 public:
  Writer(std::shared_ptr<ByteOutput> output, const Metadata& metadata,
         const std::vector<NewArray>& arrays)
      : safetensors_(std::move(output), arrays, metadata) {}

  void BeginEntry(BnqEntry entry) override {
    if (entry.format != 0) {
      Fail(Status::kUnsupported, "tensor ", Quoted(entry.name),
           " is quantized, and a safetensors file holds plain arrays only");
    }
    CheckNext(entry.name);
  }
  void Append(size_t /*section*/, const void* data, uint64_t bytes) override {
    safetensors_.Append(next_, data, bytes);
  }
  uint64_t EndEntry() override { return safetensors_.entries()[next_++].bytes; }
  // The header tells all.
  std::string EntryState() const override { return ""; }
  void RestoreEntry(const std::string& name, const std::string&) override {
    CheckNext(name);
    safetensors_.Skip(next_++);
  }
  void Finish() override { safetensors_.Finish(); }

 private:
  void CheckNext(const std::string& name) const {
    const auto& entries = safetensors_.entries();
    if (next_ == entries.size() || entries[next_].name != name) {
      Fail(Status::kInvalidArgument, "tensor ", Quoted(name), " is not next");
    }
  }

  SafetensorsWriter safetensors_;
  size_t next_ = 0;
};

std::unique_ptr<ContainerReader> Open(const Context& /*context*/,
                                      std::shared_ptr<const MappedFile> file) {
  return std::make_unique<Reader>(file);
}

std::unique_ptr<ContainerWriter> Create(const Context& /*context*/,
                                        std::shared_ptr<ByteOutput> output,
                                        const WriteOptions& /*options*/,
                                        const Metadata& metadata,
                                        const std::vector<NewArray>& arrays) {
  return std::make_unique<Writer>(std::move(output), metadata, arrays);
}

std::vector<size_t> Order(const std::vector<NewArray>& arrays) {
  std::vector<size_t> order(arrays.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return SafetensorsBefore(arrays[a], arrays[b]);
  });
  return order;
}

}  // namespace

// Without a signature: what no other row takes.
const Container kSafetensorsContainer = {FileKind::kSafetensors,
                                         "safetensors",
                                         ".safetensors",
                                         nullptr,
                                         Open,
                                         Create,
                                         Order,
                                         false};

}  // namespace bnq
