// A .bnq file field by field, as core/io/README.md lays it out, independent of
// the writer: every field can lie.
#ifndef BNQ_TESTS_IO_BNQ_RAW_H_
#define BNQ_TESTS_IO_BNQ_RAW_H_

#include <zlib.h>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/io/endian.h"

namespace bnq {

inline uint32_t RawCrc(const std::string& bytes) {
  return static_cast<uint32_t>(
      crc32(0, reinterpret_cast<const Bytef*>(bytes.data()),
            static_cast<uInt>(bytes.size())));
}

struct RawOption {
  uint32_t key = 1;
  uint32_t kind = 0;
  uint64_t value = 0;
};

struct RawChunk {
  uint64_t offset = 64;
  uint32_t stored = 0;
  uint32_t flags = 0;
  uint32_t crc = 0;
};

struct RawSection {
  uint32_t role = 1;
  uint32_t encoding = 0;
  uint64_t raw = 16;
  uint32_t chunk = 1 << 20;
  uint64_t offset = 64;          // encoding 0
  std::vector<uint32_t> crcs;    // encoding 0
  std::vector<RawChunk> chunks;  // encoding 1
};

struct RawEntry {
  std::string name = "a";
  uint32_t format = 0;
  uint32_t dtype = 6;  // U8
  std::vector<uint64_t> dims = {16};
  std::vector<RawOption> options;
  std::vector<RawSection> sections = {RawSection()};
  std::optional<uint32_t> rank, name_bytes, option_count, section_count;
};

struct RawFile {
  std::string data;  // from byte 64 on
  std::vector<std::pair<std::string, std::string>> metadata;
  std::vector<RawEntry> entries;
  std::string tail;  // behind the last entry, within the index
  std::string magic = std::string(
      "\x89"
      "BNQ\r\n\x1a\n",
      8);
  uint16_t major = 1, minor = 0;
  std::string reserved = std::string(16, '\0');
  std::optional<uint32_t> count, metadata_count, index_crc, header_crc;
  std::optional<uint64_t> file_bytes, index_offset, index_bytes;

  std::string Index() const {
    std::string out;
    const auto u32 = [&](uint64_t v) {
      AppendLE(static_cast<uint32_t>(v), &out);
    };
    const auto u64 = [&](uint64_t v) { AppendLE<uint64_t>(v, &out); };
    u32(metadata_count.value_or(static_cast<uint32_t>(metadata.size())));
    for (const auto& [key, value] : metadata) {
      u32(key.size());
      out += key;
      u32(value.size());
      out += value;
    }
    for (const RawEntry& e : entries) {
      u32(e.name_bytes.value_or(static_cast<uint32_t>(e.name.size())));
      out += e.name;
      u32(e.format);
      u32(e.dtype);
      u32(e.rank.value_or(static_cast<uint32_t>(e.dims.size())));
      for (const uint64_t dim : e.dims) u64(dim);
      u32(e.option_count.value_or(static_cast<uint32_t>(e.options.size())));
      for (const RawOption& o : e.options) {
        u32(o.key);
        u32(o.kind);
        u64(o.value);
      }
      u32(e.section_count.value_or(static_cast<uint32_t>(e.sections.size())));
      for (const RawSection& s : e.sections) {
        u32(s.role);
        u32(s.encoding);
        u64(s.raw);
        u32(s.chunk);
        if (s.encoding == 0) {
          u64(s.offset);
          for (const uint32_t crc : s.crcs) u32(crc);
        } else {
          for (const RawChunk& c : s.chunks) {
            u64(c.offset);
            u32(c.stored);
            u32(c.flags);
            u32(c.crc);
          }
        }
      }
    }
    return out + tail;
  }

  std::string Bytes() const {
    const std::string index = Index();
    std::string header = magic;
    AppendLE(major, &header);
    AppendLE(minor, &header);
    AppendLE(count.value_or(static_cast<uint32_t>(entries.size())), &header);
    AppendLE<uint64_t>(file_bytes.value_or(64 + data.size() + index.size()),
                       &header);
    AppendLE<uint64_t>(index_offset.value_or(64 + data.size()), &header);
    AppendLE<uint64_t>(index_bytes.value_or(index.size()), &header);
    AppendLE(index_crc.value_or(RawCrc(index)), &header);
    header += reserved;
    AppendLE(header_crc.value_or(RawCrc(header)), &header);
    return header + data + index;
  }
};

// One plain array of 16 bytes, rightly described.
inline RawFile GoodRawFile() {
  RawFile file;
  file.data = "0123456789abcdef";
  file.entries.resize(1);
  file.entries[0].sections[0].crcs = {RawCrc(file.data)};
  return file;
}

}  // namespace bnq

#endif  // BNQ_TESTS_IO_BNQ_RAW_H_
