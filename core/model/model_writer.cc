#include "core/model/model_writer.h"

#include <utility>
#include <vector>

#include "core/base/error.h"
#include "core/io/bnq_writer.h"
#include "core/io/safetensors.h"
#include "core/io/text.h"
#include "core/model/convert.h"

namespace bnq {
namespace {

FileKind Writable(FileKind kind) {
  if (kind != FileKind::kSafetensors && kind != FileKind::kBnq) {
    Fail(Status::kInvalidArgument, "kind = ", kind, ", must be ",
         FileKind::kSafetensors, " (safetensors) or ", FileKind::kBnq,
         " (bnq)");
  }
  return kind;
}

}  // namespace

ModelWriter::ModelWriter(const Context& context, const std::string& path,
                         FileKind kind, const WriteOptions& options)
    : context_(context),
      path_(path),
      to_memory_(false),
      kind_(Writable(kind)),
      options_(options) {
  WriteOptions check = options;
  check.dry_run = true;
  AtomicFile(path, check);
}

ModelWriter::ModelWriter(const Context& context, FileKind kind,
                         const WriteOptions& options)
    : context_(context),
      to_memory_(true),
      kind_(Writable(kind)),
      options_(options) {}

void ModelWriter::CheckOpen() const {
  if (finished_) {
    Fail(Status::kInvalidArgument, "writer has been finished already");
  }
}

void ModelWriter::SetMetadata(const std::string& key,
                              const std::string& value) {
  CheckOpen();
  SortedMetadata({{key, value}});  // checks the texts
  metadata_[key] = value;
}

void ModelWriter::Add(const std::string& name, const Item& item) {
  CheckOpen();
  CheckNewName(name);
  if (!items_.emplace(name, item).second) {
    Fail(Status::kInvalidArgument, "name = ", Quoted(name),
         " was added already");
  }
}

void ModelWriter::AddArray(const std::string& name, const ArrayView& array) {
  Item item;
  item.array = array;
  if (!TryByteSize(array.shape, array.dtype, &item.bytes)) {
    Fail(Status::kInvalidArgument, "array: shape ", array.shape.ToString(),
         " of ", Info(array.dtype).name, " does not fill whole bytes");
  }
  Add(name, item);
}

void ModelWriter::AddTensor(const std::string& name,
                            const QuantizedTensor& tensor) {
  if (kind_ != FileKind::kBnq) {
    Fail(Status::kUnsupported,
         "a safetensors file holds plain arrays only; dequantize the tensor "
         "or write a .bnq file");
  }
  Item item;
  item.tensor = &tensor;
  Add(name, item);
}

void ModelWriter::FinishSafetensors(std::shared_ptr<ByteOutput> output) {
  std::vector<SafetensorsTensor> tensors;
  for (const auto& [name, item] : items_) {
    SafetensorsTensor tensor;
    tensor.name = name;
    tensor.dtype = item.array.dtype;
    tensor.shape = item.array.shape;
    tensors.push_back(std::move(tensor));
  }
  SafetensorsWriter writer(std::move(output), std::move(tensors),
                           Metadata(metadata_.begin(), metadata_.end()));
  for (size_t i = 0; i < writer.entries().size(); ++i) {
    const Item& item = items_.at(writer.entries()[i].name);
    writer.Append(i, item.array.data, item.bytes);
  }
  writer.Finish();
}

void ModelWriter::FinishBnq(std::shared_ptr<ByteOutput> output) {
  BnqWriter writer(context_, std::move(output), options_);
  for (const auto& [key, value] : metadata_) writer.SetMetadata(key, value);
  for (const auto& [name, item] : items_) {
    if (item.tensor != nullptr) {
      WriteTensor(name, *item.tensor, &writer);
      continue;
    }
    BnqEntry entry;
    entry.name = name;
    entry.dtype = static_cast<int32_t>(item.array.dtype);
    entry.shape = item.array.shape;
    entry.sections.emplace_back();
    entry.sections[0].raw_bytes = item.bytes;
    writer.BeginEntry(std::move(entry));
    writer.Append(0, item.array.data, item.bytes);
    writer.EndEntry();
  }
  writer.Finish();
}

void ModelWriter::Finish() {
  CheckOpen();
  finished_ = true;
  const auto write = [&](std::shared_ptr<ByteOutput> output) {
    if (kind_ == FileKind::kBnq) {
      FinishBnq(std::move(output));
    } else {
      FinishSafetensors(std::move(output));
    }
  };
  if (!to_memory_) {
    write(std::make_unique<AtomicFile>(path_, options_));
    return;
  }
  auto memory = std::make_shared<MemoryOutput>(context_.allocator);
  write(memory);
  memory_ = std::move(memory);
}

const MemoryOutput& ModelWriter::memory() const {
  if (memory_ == nullptr) {
    Fail(Status::kInvalidArgument,
         to_memory_ ? "writer has not been finished"
                    : "writer writes to a file, not to memory");
  }
  return *memory_;
}

}  // namespace bnq
