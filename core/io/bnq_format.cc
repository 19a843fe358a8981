#include "core/io/bnq_format.h"

#include <algorithm>
#include <cstring>

#include "core/base/checked.h"

namespace bnq {

BnqOption BnqOption::Int(int32_t key, int64_t value) {
  BnqOption option;
  option.key = key;
  option.bits = static_cast<uint64_t>(value);
  return option;
}

BnqOption BnqOption::Float(int32_t key, double value) {
  BnqOption option;
  option.key = key;
  option.is_float = true;
  static_assert(sizeof option.bits == sizeof value, "IEEE 754 binary64");
  std::memcpy(&option.bits, &value, sizeof value);
  return option;
}

double BnqOption::AsFloat() const {
  double value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

uint64_t BnqSection::stored_bytes() const {
  uint64_t total = 0;
  for (const BnqChunk& chunk : chunks) total += chunk.stored_bytes;
  return total;
}

uint32_t BnqSection::ChunkRawBytes(size_t i) const {
  const uint64_t begin = uint64_t{chunk_bytes} * i;
  return static_cast<uint32_t>(
      std::min<uint64_t>(chunk_bytes, raw_bytes - begin));
}

uint64_t BnqEntry::raw_bytes() const {
  uint64_t total = 0;
  for (const BnqSection& section : sections) total += section.raw_bytes;
  return total;
}

uint64_t BnqEntry::stored_bytes() const {
  uint64_t total = 0;
  for (const BnqSection& section : sections) total += section.stored_bytes();
  return total;
}

const BnqSection* BnqEntry::FindSection(BnqRole role) const {
  for (const BnqSection& section : sections) {
    if (section.role == role) return &section;
  }
  return nullptr;
}

const BnqOption* BnqEntry::FindOption(int32_t key) const {
  for (const BnqOption& option : options) {
    if (option.key == key) return &option;
  }
  return nullptr;
}

std::string CheckBnqEntry(const BnqEntry& entry) {
  if (entry.name.empty()) return "its name is empty";
  if (!IsCleanText(entry.name)) return "its name is not UTF-8 without NUL";
  if (entry.format < 0) {
    return "format = " + std::to_string(entry.format) + ", must be 0 or more";
  }
  for (size_t i = 1; i < entry.options.size(); ++i) {
    if (entry.options[i].key <= entry.options[i - 1].key) {
      return "option " + std::to_string(entry.options[i].key) +
             " comes after option " + std::to_string(entry.options[i - 1].key) +
             ", must be in ascending order";
    }
  }
  uint64_t total = 0;
  for (size_t i = 0; i < entry.sections.size(); ++i) {
    const uint32_t role = static_cast<uint32_t>(entry.sections[i].role);
    if (i > 0 && entry.sections[i].role <= entry.sections[i - 1].role) {
      return "section role " + std::to_string(role) +
             " is not above the one before it";
    }
    if (!TryAdd(total, entry.sections[i].raw_bytes, &total)) {
      return "the sizes of its sections overflow 64 bits";
    }
  }
  if (entry.format != 0) {
    if (entry.dtype == 0) return "";
    return "dtype = " + std::to_string(entry.dtype) +
           ", must be 0 for a quantized tensor";
  }
  const DTypeInfo* info = FindDType(entry.dtype);
  if (info == nullptr) {
    return "dtype = " + std::to_string(entry.dtype) + " is unknown";
  }
  uint64_t bytes = 0;
  if (!TryByteSize(entry.shape, info->dtype, &bytes)) {
    return std::string("dtype ") + info->name + ", shape " +
           entry.shape.ToString() +
           ": its bits overflow 64 bits or do not fill whole bytes";
  }
  if (entry.sections.size() != 1 || entry.sections[0].role != BnqRole::kData) {
    return "a plain array must have one section, its data";
  }
  if (entry.sections[0].raw_bytes != bytes) {
    return std::string("dtype ") + info->name + ", shape " +
           entry.shape.ToString() + " needs " + std::to_string(bytes) +
           " bytes, its section has " +
           std::to_string(entry.sections[0].raw_bytes);
  }
  return "";
}

}  // namespace bnq
