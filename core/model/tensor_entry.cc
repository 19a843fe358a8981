#include "core/model/tensor_entry.h"

namespace bnq {
namespace {

bool HasSection(const PartInfo& info, const Parts& parts) {
  return info.in_every_file || parts[info.id].bytes != 0;
}

// The index of a part's section in the order of EntryOf.
size_t SectionOf(const Parts& parts, Part part) {
  size_t index = 0;
  for (int i = 0; PartAt(i).id != part; ++i) {
    index += HasSection(PartAt(i), parts);
  }
  return index;
}

}  // namespace

BnqEntry EntryOf(const std::string& name, const Shape& shape,
                 const Config& config, const Parts& parts) {
  BnqEntry entry;
  entry.name = name;
  entry.format = config.format();
  entry.shape = shape;
  for (const OptionInfo& info : Config::Table()) {
    if (!info.describes_tensor ||
        info.id == static_cast<int32_t>(Option::kFormat)) {
      continue;
    }
    entry.options.push_back(
        info.is_float ? BnqOption::Float(info.id, config.GetFloat(info.id))
                      : BnqOption::Int(info.id, config.GetInt(info.id)));
  }
  for (int i = 0; i < kNumParts; ++i) {
    const PartInfo& info = PartAt(i);
    if (!HasSection(info, parts)) continue;
    BnqSection section;
    section.role = static_cast<BnqRole>(info.role(parts[info.id].dtype));
    section.raw_bytes = parts[info.id].bytes;
    entry.sections.push_back(section);
  }
  return entry;
}

BnqEntry PlainEntry(const std::string& name, int32_t dtype, const Shape& shape,
                    uint64_t bytes) {
  BnqEntry plain;
  plain.name = name;
  plain.dtype = dtype;
  plain.shape = shape;
  plain.sections.emplace_back();
  plain.sections[0].raw_bytes = bytes;
  return plain;
}

BnqEntry EntryOf(const ModelEntry& entry) {
  if (entry.format == 0) {
    return PlainEntry(entry.name, entry.dtype, entry.shape, entry.raw_bytes);
  }
  BnqEntry ours;
  ours.name = entry.name;
  ours.format = entry.format;
  ours.shape = entry.shape;
  ours.options = entry.options;
  for (const ModelSection& from : entry.sections) {
    BnqSection section;
    section.role = from.role;
    section.raw_bytes = from.raw_bytes;
    ours.sections.push_back(section);
  }
  return ours;
}

void WriteTensor(const std::string& name, const QuantizedTensor& tensor,
                 ContainerWriter* writer) {
  const Parts& parts = tensor.parts();
  writer->BeginEntry(EntryOf(name, tensor.shape(), tensor.config(), parts));
  for (int i = 0; i < kNumParts; ++i) {
    const PartData& part = parts[PartAt(i).id];
    if (part.bytes == 0) continue;
    writer->Append(SectionOf(parts, PartAt(i).id), part.data, part.bytes);
  }
  writer->EndEntry();
}

void EntrySink::Begin(const Parts& sizes) {
  PartRooms::Begin(sizes);
  writer_.BeginEntry(EntryOf(name_, shape_, config_, sizes));
}

void EntrySink::Written(Part part, const uint8_t* data, uint64_t bytes) {
  if (bytes == 0) return;
  writer_.Append(SectionOf(sizes(), part), data, bytes);
  if (part != Part::kScales || config_.stores_together()) return;
  const StoredScales view(config_, bytes / (Info(sizes()[part].dtype).bits / 8),
                          data);
  saturated_ += view.CountSaturated();
}

bool FindPartOfRole(uint32_t role, Part* part, DType* dtype) {
  for (int i = 0; i < kNumParts; ++i) {
    for (int32_t id = 1; FindDType(id) != nullptr; ++id) {
      if (PartAt(i).role(static_cast<DType>(id)) != role) continue;
      *part = PartAt(i).id;
      *dtype = static_cast<DType>(id);
      return true;
    }
  }
  return false;
}

}  // namespace bnq
