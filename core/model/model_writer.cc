#include "core/model/model_writer.h"

#include <utility>
#include <vector>

#include "core/base/error.h"
#include "core/io/model_output.h"
#include "core/io/text.h"
#include "core/model/convert.h"

namespace bnq {

ModelWriter::ModelWriter(const Context& context, const std::string& path,
                         FileKind kind, const WriteOptions& options)
    : context_(context),
      path_(path),
      to_memory_(false),
      kind_(WritableContainer(kind).kind),
      options_(options) {
  WriteOptions check = options;
  check.dry_run = true;
  ModelOutput(context, path, kind, check, {}, {});
}

ModelWriter::ModelWriter(const Context& context, FileKind kind,
                         const WriteOptions& options)
    : context_(context),
      to_memory_(true),
      kind_(WritableContainer(kind).kind),
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
  const Container& row = *FindContainer(kind_);
  if (!row.holds_quantized) {
    Fail(Status::kUnsupported, "a ", row.name,
         " file holds plain arrays only; dequantize the tensor or write a .bnq "
         "file");
  }
  Item item;
  item.tensor = &tensor;
  Add(name, item);
}

void ModelWriter::Write(ModelOutput* output) const {
  std::vector<const std::pair<const std::string, Item>*> items;
  for (const auto& item : items_) items.push_back(&item);
  for (const size_t i : output->order()) {
    const auto& [name, item] = *items[i];
    if (item.tensor != nullptr) {
      WriteTensor(name, *item.tensor, output);
      continue;
    }
    BnqEntry entry;
    entry.name = name;
    entry.dtype = static_cast<int32_t>(item.array.dtype);
    entry.shape = item.array.shape;
    entry.sections.emplace_back();
    entry.sections[0].raw_bytes = item.bytes;
    output->BeginEntry(std::move(entry));
    output->Append(0, item.array.data, item.bytes);
    output->EndEntry();
  }
  output->Finish();
}

void ModelWriter::Finish() {
  CheckOpen();
  finished_ = true;
  std::vector<NewArray> arrays;
  for (const auto& [name, item] : items_) {
    arrays.push_back({name, item.array.dtype, item.array.shape});
  }
  const Metadata metadata(metadata_.begin(), metadata_.end());
  if (!to_memory_) {
    ModelOutput output(context_, path_, kind_, options_, metadata,
                       std::move(arrays));
    Write(&output);
    return;
  }
  auto memory = std::make_shared<MemoryOutput>(context_.allocator);
  ModelOutput output(context_, memory, kind_, options_, metadata,
                     std::move(arrays));
  Write(&output);
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
