#include "core/io/bnq_reader.h"
#include "core/io/naming.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "core/base/checked.h"
#include "core/base/error.h"
#include "core/io/deflate.h"
#include "core/io/endian.h"

namespace bnq {
namespace {

// The least that these take up in the index.
constexpr uint64_t kMinEntry = 25;
constexpr uint64_t kMinMetadata = 8;
constexpr uint64_t kOptionBytes = 16;
constexpr uint64_t kMinSection = 20;
constexpr uint64_t kChunkRecord = 20;

// The index from its start to its end, never beyond.
class Cursor {
 public:
  Cursor(const std::string& label, const uint8_t* data, uint64_t bytes)
      : label_(label), data_(data), left_(bytes) {}

  uint64_t left() const { return left_; }
  // For messages: the tensor whose record is being read.
  void SetTensor(const std::string& name) { tensor_ = name; }

  [[noreturn]] void Corrupt(const std::string& what) const {
    const std::string tensor =
        tensor_.empty() ? "" : "tensor " + Quoted(tensor_) + ": ";
    Fail(Status::kCorruptFile, label_, ": index: ", tensor, what);
  }

  template <typename UInt>
  UInt Get(const char* what) {
    return LoadLE<UInt>(Take(sizeof(UInt), what));
  }

  std::string GetText(const char* what) {
    const uint32_t bytes = Get<uint32_t>(what);
    const uint8_t* p = Take(bytes, what);
    std::string text(reinterpret_cast<const char*>(p), bytes);
    if (!IsCleanText(text)) {
      Corrupt(std::string(what) + " " + Quoted(text) +
              " is not UTF-8 without NUL");
    }
    return text;
  }

  // A number of records to come, each of at least so many bytes.
  uint32_t GetCount(const char* what, uint64_t least_bytes) {
    const uint32_t count = Get<uint32_t>(what);
    CheckCount(count, what, least_bytes);
    return count;
  }

  void CheckCount(uint64_t count, const char* what,
                  uint64_t least_bytes) const {
    if (count > left_ / least_bytes) {
      Corrupt(std::string(what) + " = " + std::to_string(count) +
              ", but only " + std::to_string(left_) + " bytes are left");
    }
  }

 private:
  const uint8_t* Take(uint64_t bytes, const char* what) {
    if (bytes > left_) {
      Corrupt(std::string(what) + " needs " + std::to_string(bytes) +
              " bytes, but only " + std::to_string(left_) + " are left");
    }
    const uint8_t* p = data_;
    data_ += bytes;
    left_ -= bytes;
    return p;
  }

  const std::string& label_;
  const uint8_t* data_;
  uint64_t left_;
  std::string tensor_;
};

// Bytes of the file that belong to a chunk or a stored section.
struct Extent {
  uint64_t offset;
  uint64_t bytes;
  const BnqEntry* entry;
};

// Sorted by offset, without empty ones.
std::vector<Extent> ExtentsOf(const std::vector<BnqEntry>& entries) {
  std::vector<Extent> extents;
  for (const BnqEntry& entry : entries) {
    for (const BnqSection& section : entry.sections) {
      if (section.chunks.empty()) continue;
      if (section.encoding == BnqEncoding::kStored) {
        extents.push_back(
            {section.chunks[0].offset, section.raw_bytes, &entry});
        continue;
      }
      for (const BnqChunk& chunk : section.chunks) {
        extents.push_back({chunk.offset, chunk.stored_bytes, &entry});
      }
    }
  }
  std::sort(
      extents.begin(), extents.end(),
      [](const Extent& a, const Extent& b) { return a.offset < b.offset; });
  return extents;
}

class IndexParser {
 public:
  // Of the data, which lie before data_end.
  IndexParser(const std::string& label, const uint8_t* index, uint64_t bytes,
              uint64_t data_end)
      : label_(label), data_end_(data_end), cursor_(label, index, bytes) {}

  Metadata ParseMetadata() {
    Metadata metadata;
    const uint32_t count = cursor_.GetCount("metadata count", kMinMetadata);
    metadata.reserve(count);
    for (uint32_t i = 0; i < count; ++i) {
      std::string key = cursor_.GetText("metadata key");
      if (i > 0 && key <= metadata.back().first) {
        cursor_.Corrupt("metadata key " + Quoted(key) +
                        " is not above the one before it");
      }
      std::string value = cursor_.GetText("metadata value");
      metadata.emplace_back(std::move(key), std::move(value));
    }
    return metadata;
  }

  std::vector<BnqEntry> ParseEntries(uint32_t count) {
    std::vector<BnqEntry> entries;
    cursor_.CheckCount(count, "tensor count", kMinEntry);
    entries.reserve(count);
    for (uint32_t i = 0; i < count; ++i) {
      BnqEntry entry = ParseEntry();
      if (i > 0 && entry.name <= entries.back().name) {
        cursor_.Corrupt("its name is not above the one before it, " +
                        Quoted(entries.back().name));
      }
      entries.push_back(std::move(entry));
    }
    cursor_.SetTensor("");
    if (cursor_.left() != 0) {
      cursor_.Corrupt(std::to_string(cursor_.left()) +
                      " bytes are left behind the last tensor");
    }
    CheckExtents(entries);
    return entries;
  }

  BnqEntry ParseEntry() {
    BnqEntry entry;
    cursor_.SetTensor("");
    entry.name = cursor_.GetText("tensor name");
    cursor_.SetTensor(entry.name);
    entry.format = static_cast<int32_t>(cursor_.Get<uint32_t>("format"));
    entry.dtype = static_cast<int32_t>(cursor_.Get<uint32_t>("dtype"));
    entry.shape = ParseShape();
    const uint32_t options = cursor_.GetCount("option count", kOptionBytes);
    entry.options.resize(options);
    for (BnqOption& option : entry.options) {
      option.key = static_cast<int32_t>(cursor_.Get<uint32_t>("option key"));
      const uint32_t kind = cursor_.Get<uint32_t>("option kind");
      if (kind > 1) {
        cursor_.Corrupt("option kind = " + std::to_string(kind) +
                        ", must be 0 or 1");
      }
      option.is_float = kind == 1;
      option.bits = cursor_.Get<uint64_t>("option value");
    }
    const uint32_t sections = cursor_.GetCount("section count", kMinSection);
    entry.sections.reserve(sections);
    for (uint32_t i = 0; i < sections; ++i) {
      entry.sections.push_back(ParseSection());
    }
    const std::string problem = CheckBnqEntry(entry);
    if (!problem.empty()) cursor_.Corrupt(problem);
    return entry;
  }

 private:
  Shape ParseShape() {
    const uint32_t rank = cursor_.Get<uint32_t>("rank");
    if (rank > static_cast<uint32_t>(kMaxRank)) {
      cursor_.Corrupt("rank = " + std::to_string(rank) + ", must be 0 to " +
                      std::to_string(kMaxRank));
    }
    uint64_t dims[kMaxRank];
    for (uint32_t i = 0; i < rank; ++i) {
      dims[i] = cursor_.Get<uint64_t>("dimension");
    }
    try {
      return Shape::Make(static_cast<int32_t>(rank), dims);
    } catch (const Error& error) {
      cursor_.Corrupt(error.message());
    }
  }

  BnqSection ParseSection() {
    BnqSection section;
    section.role = static_cast<BnqRole>(cursor_.Get<uint32_t>("section role"));
    const uint32_t encoding = cursor_.Get<uint32_t>("section encoding");
    section.raw_bytes = cursor_.Get<uint64_t>("section size");
    section.chunk_bytes = cursor_.Get<uint32_t>("chunk size");
    if (section.chunk_bytes == 0 || section.chunk_bytes > kBnqMaxChunkBytes) {
      cursor_.Corrupt("chunk size = " + std::to_string(section.chunk_bytes) +
                      ", must be 1 to " + std::to_string(kBnqMaxChunkBytes));
    }
    const uint64_t count = DivCeil(section.raw_bytes, section.chunk_bytes);
    if (encoding == static_cast<uint32_t>(BnqEncoding::kStored)) {
      section.encoding = BnqEncoding::kStored;
      ParseStored(count, &section);
    } else if (encoding == static_cast<uint32_t>(BnqEncoding::kChunks)) {
      section.encoding = BnqEncoding::kChunks;
      ParseChunks(count, &section);
    } else {
      cursor_.Corrupt("section encoding = " + std::to_string(encoding) +
                      ", must be 0 or 1");
    }
    return section;
  }

  void ParseStored(uint64_t count, BnqSection* section) {
    const uint64_t offset = cursor_.Get<uint64_t>("section offset");
    if (count == 0) {
      if (offset != 0) {
        cursor_.Corrupt("section offset = " + std::to_string(offset) +
                        ", must be 0 for an empty section");
      }
      return;
    }
    CheckRange(offset, section->raw_bytes);
    if (offset % kBnqAlignment != 0) {
      cursor_.Corrupt("section offset = " + std::to_string(offset) +
                      ", must be a multiple of " +
                      std::to_string(kBnqAlignment));
    }
    cursor_.CheckCount(count, "chunk count", sizeof(uint32_t));
    section->chunks.resize(static_cast<size_t>(count));
    for (size_t i = 0; i < section->chunks.size(); ++i) {
      BnqChunk& chunk = section->chunks[i];
      chunk.offset = offset + uint64_t{section->chunk_bytes} * i;
      chunk.stored_bytes = section->ChunkRawBytes(i);
      chunk.crc32 = cursor_.Get<uint32_t>("chunk checksum");
    }
  }

  void ParseChunks(uint64_t count, BnqSection* section) {
    cursor_.CheckCount(count, "chunk count", kChunkRecord);
    section->chunks.resize(static_cast<size_t>(count));
    for (size_t i = 0; i < section->chunks.size(); ++i) {
      BnqChunk& chunk = section->chunks[i];
      chunk.offset = cursor_.Get<uint64_t>("chunk offset");
      chunk.stored_bytes = cursor_.Get<uint32_t>("chunk size");
      const uint32_t flags = cursor_.Get<uint32_t>("chunk flags");
      chunk.crc32 = cursor_.Get<uint32_t>("chunk checksum");
      if (flags > 1) {
        cursor_.Corrupt("chunk flags = " + std::to_string(flags) +
                        ", must be 0 or 1");
      }
      chunk.compressed = flags == 1;
      CheckRange(chunk.offset, chunk.stored_bytes);
      const uint64_t raw = section->ChunkRawBytes(i);
      // Also keeps a small file from claiming any amount of memory.
      const bool possible =
          chunk.compressed ? chunk.stored_bytes < raw &&
                                 chunk.stored_bytes * kBnqMaxExpansion >= raw
                           : chunk.stored_bytes == raw;
      if (!possible) {
        cursor_.Corrupt("chunk of " + std::to_string(raw) + " bytes " +
                        (chunk.compressed ? "compressed" : "stored") + " in " +
                        std::to_string(chunk.stored_bytes));
      }
    }
  }

  void CheckRange(uint64_t offset, uint64_t bytes) const {
    uint64_t end = 0;
    if (offset < kBnqHeaderBytes || !TryAdd(offset, bytes, &end) ||
        end > data_end_) {
      cursor_.Corrupt("data of " + std::to_string(bytes) + " bytes at " +
                      std::to_string(offset) + ", must lie between " +
                      std::to_string(kBnqHeaderBytes) + " and " +
                      std::to_string(data_end_));
    }
  }

  // Every byte before the index belongs to one chunk, or to the padding before
  // a stored section.
  void CheckExtents(const std::vector<BnqEntry>& entries) const {
    uint64_t position = kBnqHeaderBytes;
    const auto check = [&](uint64_t offset, const std::string& what) {
      if (offset >= position && offset - position < kBnqAlignment) return;
      Fail(Status::kCorruptFile, label_, ": ", what, " at ", offset,
           ", but what is before it ",
           offset < position ? "overlaps it and ends at" : "ends at", " ",
           position);
    };
    for (const Extent& extent : ExtentsOf(entries)) {
      check(extent.offset,
            "tensor " + Quoted(extent.entry->name) + " has data");
      position = extent.offset + extent.bytes;
    }
    check(data_end_, "the index is");
  }

  const std::string& label_;
  const uint64_t data_end_;
  Cursor cursor_;
};

[[noreturn]] void FailChunk(const BnqReader& reader, const BnqEntry& entry,
                            const BnqSection& section, size_t chunk,
                            const char* what) {
  const std::string subject = TensorSubject(entry.name);
  throw Error(Status::kCorruptFile,
              Message(reader.file().label(), ": ", subject, ": section role ",
                      static_cast<uint32_t>(section.role), ": chunk ", chunk,
                      " at ", section.chunks[chunk].offset, ": ", what))
      .Naming(subject);
}

}  // namespace

BnqReader::BnqReader(std::shared_ptr<const MappedFile> file)
    : file_(std::move(file)) {
  const char* label = file_->label().c_str();
  const uint64_t size = file_->size();
  const uint8_t* p = file_->data();
  const bool has_magic = size >= sizeof kBnqMagic;
  if (has_magic && std::memcmp(p, kBnqMagic, sizeof kBnqMagic) != 0) {
    Fail(Status::kCorruptFile, label, ": ",
         std::memcmp(p + 1, kBnqMagic + 1, 3) == 0
             ? "signature damaged, as by a transfer as text"
             : "not a .bnq file: signature missing");
  }
  if (size < kBnqHeaderBytes) {
    Fail(Status::kCorruptFile, label, ": ", size,
         " bytes, a .bnq file has at least ", kBnqHeaderBytes);
  }
  // First of all: another version may have another header.
  const unsigned major = LoadLE<uint16_t>(p + 8);
  minor_ = LoadLE<uint16_t>(p + 10);
  if (major != kBnqMajor) {
    Fail(Status::kUnsupported, label, ": .bnq version ", major, ".", minor_,
         ", this library reads ", kBnqMajor, ".x");
  }
  if (LoadLE<uint32_t>(p + 60) != Crc32(0, p, 60)) {
    Fail(Status::kCorruptFile, label, ": header does not match its checksum");
  }
  const uint32_t count = LoadLE<uint32_t>(p + 12);
  const uint64_t file_bytes = LoadLE<uint64_t>(p + 16);
  index_offset_ = LoadLE<uint64_t>(p + 24);
  const uint64_t index_bytes = LoadLE<uint64_t>(p + 32);
  const uint8_t zeros[16] = {};
  if (minor_ <= kBnqMinor && std::memcmp(p + 44, zeros, sizeof zeros) != 0) {
    Fail(Status::kCorruptFile, label,
         ": reserved bytes of the header are not 0");
  }
  if (file_bytes != size) {
    Fail(Status::kCorruptFile, label, ": ", size,
         " bytes, but its header says ", file_bytes);
  }
  uint64_t index_end = 0;
  if (index_offset_ < kBnqHeaderBytes ||
      !TryAdd(index_offset_, index_bytes, &index_end) || index_end != size) {
    Fail(Status::kCorruptFile, label, ": index of ", index_bytes, " bytes at ",
         index_offset_, ", must lie between ", kBnqHeaderBytes,
         " and the file's end at ", size, ", and reach it");
  }
  if (count > kMaxTensors) {
    Fail(Status::kCorruptFile, label, ": tensor count = ", count,
         ", must be at most ", kMaxTensors);
  }
  if (LoadLE<uint32_t>(p + 40) !=
      Crc32(0, p + index_offset_, static_cast<size_t>(index_bytes))) {
    Fail(Status::kCorruptFile, label, ": index does not match its checksum");
  }
  IndexParser parser(file_->label(), p + index_offset_, index_bytes,
                     index_offset_);
  metadata_ = parser.ParseMetadata();
  entries_ = parser.ParseEntries(count);
}

BnqEntry ParseBnqEntry(const std::string& label, const uint8_t* data,
                       uint64_t bytes, uint64_t data_end) {
  return IndexParser(label, data, bytes, data_end).ParseEntry();
}

const BnqEntry* BnqReader::Find(const std::string& name) const {
  const auto it = std::lower_bound(
      entries_.begin(), entries_.end(), name,
      [](const auto& entry, const auto& n) { return entry.name < n; });
  return it != entries_.end() && it->name == name ? &*it : nullptr;
}

const uint8_t* BnqReader::Mapped(const BnqSection& section) const {
  if (section.encoding != BnqEncoding::kStored || section.chunks.empty()) {
    return nullptr;
  }
  return file_->data() + section.chunks[0].offset;
}

void BnqReader::Verify(const Context& context, const BnqEntry& entry,
                       const BnqSection& section) const {
  BnqSectionReader reader(context, *this, entry, section);
  while (reader.remaining() > 0) {
    reader.Read(nullptr,
                std::min<uint64_t>(reader.remaining(), section.chunk_bytes));
  }
}

void BnqReader::VerifyPadding() const {
  uint64_t position = kBnqHeaderBytes;
  const auto check = [&](uint64_t end) {
    for (; position < end; ++position) {
      if (file_->data()[position] != 0) {
        Fail(Status::kCorruptFile, file_->label(), ": byte at ", position,
             " is between sections and not 0");
      }
    }
  };
  for (const Extent& extent : ExtentsOf(entries_)) {
    check(extent.offset);
    position = extent.offset + extent.bytes;
  }
  check(index_offset_);
}

BnqSectionReader::BnqSectionReader(const Context& context,
                                   const BnqReader& reader,
                                   const BnqEntry& entry,
                                   const BnqSection& section)
    : context_(context), reader_(reader), entry_(entry), section_(section) {}

BnqSectionReader::~BnqSectionReader() = default;

void BnqSectionReader::LoadChunk() {
  const size_t i = static_cast<size_t>(position_ / section_.chunk_bytes);
  const BnqChunk& chunk = section_.chunks[i];
  const size_t raw = section_.ChunkRawBytes(i);
  chunk_ = reader_.file().data() + chunk.offset;
  if (chunk.compressed) {
    if (buffer_.size() < raw) buffer_ = context_.Allocate(raw);
    if (!inflater_) inflater_ = std::make_unique<Inflater>(context_.allocator);
    if (!inflater_->Expand(chunk_, chunk.stored_bytes, buffer_.data(), raw)) {
      FailChunk(reader_, entry_, section_, i,
                "is not DEFLATE data of its size");
    }
    chunk_ = buffer_.data();
  }
  if (Crc32(0, chunk_, raw) != chunk.crc32) {
    FailChunk(reader_, entry_, section_, i, "does not match its checksum");
  }
}

void BnqSectionReader::Read(void* out, uint64_t bytes) {
  if (bytes > remaining()) {
    Fail(Status::kInvalidArgument, "tensor ", Quoted(entry_.name), ": reading ",
         bytes, " bytes, but only ", remaining(), " are left");
  }
  uint8_t* to = static_cast<uint8_t*>(out);
  while (bytes > 0) {
    const uint64_t within = position_ % section_.chunk_bytes;
    if (within == 0) LoadChunk();
    const uint64_t n = std::min(bytes, section_.chunk_bytes - within);
    if (to != nullptr) {
      std::memcpy(to, chunk_ + within, static_cast<size_t>(n));
      to += n;
    }
    position_ += n;
    bytes -= n;
    context_.Tick();
  }
}

}  // namespace bnq
