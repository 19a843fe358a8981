#include <algorithm>
#include <utility>

#include "core/base/checked.h"
#include "core/base/error.h"
#include "core/io/endian.h"
#include "core/io/json_tree.h"
#include "core/io/safetensors.h"

namespace bnq {
namespace {

void CheckTensor(const SafetensorsTensor& tensor) {
  CheckNewName(tensor.name);
  if (tensor.name == "__metadata__") {
    Fail(Status::kInvalidArgument,
         "tensor name \"__metadata__\" is reserved by safetensors");
  }
}

uint64_t ByteSize(const SafetensorsTensor& tensor) {
  uint64_t bits = 0;
  const DTypeInfo& info = Info(tensor.dtype);
  const bool fits = TryMul(tensor.shape.elements(), info.bits, &bits);
  if (!fits || bits % 8 != 0) {
    Fail(Status::kInvalidArgument,
         fits ? "MisalignedSlice" : "ValidationOverflow", ": tensor ",
         Quoted(tensor.name), ": dtype ", info.name, ", shape ",
         tensor.shape.ToString(), ": ",
         fits ? "its bits do not fill whole bytes"
              : "its size overflows 64 bits");
  }
  return bits / 8;
}

// Before the text is made, which takes several times its size.
void CheckHeaderSize(uint64_t bytes) {
  if (bytes <= kMaxSafetensorsHeader) return;
  Fail(Status::kInvalidArgument,
       "HeaderTooLarge: names and metadata need a header of ", bytes,
       " bytes or more, must be at most ", kMaxSafetensorsHeader);
}

void AppendTensor(const SafetensorsEntry& entry, std::string* json) {
  if (json->size() > 1) *json += ',';
  *json += JsonText(entry.name) + ":{\"dtype\":\"" + Info(entry.dtype).name +
           "\",\"shape\":[";
  for (int i = 0; i < entry.shape.rank; ++i) {
    if (i > 0) *json += ',';
    *json += std::to_string(entry.shape.dims[i]);
  }
  *json += "],\"data_offsets\":[" + std::to_string(entry.offset) + ',' +
           std::to_string(entry.offset + entry.bytes) + "]}";
}

}  // namespace

bool SafetensorsBefore(const NewArray& a, const NewArray& b) {
  const uint32_t order = Info(a.dtype).safetensors_order;
  const uint32_t other = Info(b.dtype).safetensors_order;
  return order != other ? order > other : a.name < b.name;
}

SafetensorsLayout LayOutSafetensors(std::vector<SafetensorsTensor> tensors,
                                    Metadata metadata) {
  if (tensors.size() > kMaxTensors) {
    Fail(Status::kInvalidArgument, tensors.size(), " tensors, must be at most ",
         kMaxTensors);
  }
  metadata = SortedMetadata(std::move(metadata));
  for (const SafetensorsTensor& tensor : tensors) CheckTensor(tensor);
  std::sort(tensors.begin(), tensors.end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
  for (size_t i = 1; i < tensors.size(); ++i) {
    if (tensors[i].name == tensors[i - 1].name) {
      Fail(Status::kInvalidArgument, "tensor name ", Quoted(tensors[i].name),
           " is given twice");
    }
  }
  std::sort(tensors.begin(), tensors.end(), SafetensorsBefore);

  SafetensorsLayout layout;
  std::string json = "{";
  if (!metadata.empty()) {
    json += "\"__metadata__\":{";
    const char* separator = "";
    for (const auto& [key, value] : metadata) {
      CheckHeaderSize(json.size() + key.size() + value.size());
      json += separator + JsonText(key) + ':' + JsonText(value);
      separator = ",";
    }
    json += '}';
  }
  uint64_t position = 0;
  layout.entries.reserve(tensors.size());
  for (SafetensorsTensor& tensor : tensors) {
    SafetensorsEntry entry;
    static_cast<SafetensorsTensor&>(entry) = std::move(tensor);
    entry.bytes = ByteSize(entry);
    entry.offset = position;
    position = CheckedAdd(position, entry.bytes, "the output's size");
    CheckHeaderSize(json.size() + entry.name.size());
    AppendTensor(entry, &json);
    layout.entries.push_back(std::move(entry));
  }
  json += '}';
  json.append((8 - json.size() % 8) % 8, ' ');
  CheckHeaderSize(json.size());
  AppendLE<uint64_t>(json.size(), &layout.header);
  layout.header += json;
  layout.file_bytes =
      CheckedAdd(position, layout.header.size(), "the output's size");
  for (SafetensorsEntry& entry : layout.entries) {
    entry.offset += layout.header.size();
  }
  return layout;
}

SafetensorsWriter::SafetensorsWriter(const std::string& path,
                                     const WriteOptions& options,
                                     std::vector<SafetensorsTensor> tensors,
                                     Metadata metadata)
    : SafetensorsWriter(std::make_unique<AtomicFile>(path, options),
                        std::move(tensors), std::move(metadata)) {}

SafetensorsWriter::SafetensorsWriter(std::shared_ptr<ByteOutput> output,
                                     std::vector<SafetensorsTensor> tensors,
                                     Metadata metadata)
    : layout_(LayOutSafetensors(std::move(tensors), std::move(metadata))),
      output_(std::move(output)) {
  output_->Append(layout_.header.data(), layout_.header.size());
}

void SafetensorsWriter::Append(size_t index, const void* data, uint64_t bytes) {
  const std::vector<SafetensorsEntry>& entries = layout_.entries;
  if (index >= entries.size()) {
    Fail(Status::kInvalidArgument, "tensor index = ", index, ", must be below ",
         entries.size());
  }
  // Empty tensors need no call.
  while (current_ < index && written_ == entries[current_].bytes) {
    ++current_;
    written_ = 0;
  }
  const SafetensorsEntry& entry = entries[index];
  if (index != current_) {
    Fail(Status::kInvalidArgument, "tensor ", Quoted(entry.name),
         " is not next: tensor ", Quoted(entries[current_].name), " has ",
         written_, " of its ", entries[current_].bytes, " bytes");
  }
  if (bytes > entry.bytes - written_) {
    Fail(Status::kInvalidArgument, "InvalidTensorView: tensor ",
         Quoted(entry.name), ": dtype ", Info(entry.dtype).name, ", shape ",
         entry.shape.ToString(), " needs ", entry.bytes, " bytes, given ",
         bytes, " after ", written_);
  }
  output_->WriteAt(entry.offset + written_, data, bytes);
  written_ += bytes;
}

void SafetensorsWriter::Skip(size_t index) {
  Append(index, nullptr, 0);  // checks
  const SafetensorsEntry& entry = layout_.entries[index];
  output_->Keep(entry.offset + entry.bytes);
  written_ = entry.bytes;
}

void SafetensorsWriter::Finish() {
  const std::vector<SafetensorsEntry>& entries = layout_.entries;
  for (; current_ < entries.size(); ++current_, written_ = 0) {
    const SafetensorsEntry& entry = entries[current_];
    if (written_ != entry.bytes) {
      Fail(Status::kInvalidArgument, "InvalidTensorView: tensor ",
           Quoted(entry.name), ": dtype ", Info(entry.dtype).name, ", shape ",
           entry.shape.ToString(), " needs ", entry.bytes, " bytes, given ",
           written_);
    }
  }
  output_->Commit();
}

}  // namespace bnq
