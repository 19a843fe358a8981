#include "core/io/bnq_writer.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "core/base/checked.h"
#include "core/base/error.h"
#include "core/io/bnq_reader.h"
#include "core/io/deflate.h"
#include "core/io/endian.h"

namespace bnq {
namespace {

void AppendSection(const BnqSection& section, std::string* out) {
  AppendLE(static_cast<uint32_t>(section.role), out);
  AppendLE(static_cast<uint32_t>(section.encoding), out);
  AppendLE<uint64_t>(section.raw_bytes, out);
  AppendLE<uint32_t>(section.chunk_bytes, out);
  if (section.encoding == BnqEncoding::kStored) {
    const uint64_t offset =
        section.chunks.empty() ? 0 : section.chunks[0].offset;
    AppendLE<uint64_t>(offset, out);
    for (const BnqChunk& chunk : section.chunks) AppendLE(chunk.crc32, out);
    return;
  }
  for (const BnqChunk& chunk : section.chunks) {
    AppendLE<uint64_t>(chunk.offset, out);
    AppendLE<uint32_t>(chunk.stored_bytes, out);
    AppendLE<uint32_t>(chunk.compressed ? 1 : 0, out);
    AppendLE<uint32_t>(chunk.crc32, out);
  }
}

void AppendEntry(const BnqEntry& entry, std::string* out) {
  AppendText(entry.name, out);
  AppendLE(static_cast<uint32_t>(entry.format), out);
  AppendLE(static_cast<uint32_t>(entry.dtype), out);
  AppendLE(static_cast<uint32_t>(entry.shape.rank), out);
  for (int i = 0; i < entry.shape.rank; ++i) {
    AppendLE<uint64_t>(entry.shape.dims[i], out);
  }
  AppendLE(static_cast<uint32_t>(entry.options.size()), out);
  for (const BnqOption& option : entry.options) {
    AppendLE(static_cast<uint32_t>(option.key), out);
    AppendLE<uint32_t>(option.is_float ? 1 : 0, out);
    AppendLE<uint64_t>(option.bits, out);
  }
  AppendLE(static_cast<uint32_t>(entry.sections.size()), out);
  for (const BnqSection& section : entry.sections) AppendSection(section, out);
}

// Chunks of a section that is stored, without its data.
void MakeChunks(BnqSection* section, uint64_t offset) {
  section->chunks.clear();
  const uint64_t count = DivCeil(section->raw_bytes, section->chunk_bytes);
  for (size_t i = 0; i < count; ++i) {
    BnqChunk chunk;
    chunk.offset = offset + uint64_t{section->chunk_bytes} * i;
    chunk.stored_bytes = section->ChunkRawBytes(i);
    section->chunks.push_back(chunk);
  }
}

}  // namespace

uint64_t BnqEntryBytes(BnqEntry entry) {
  uint64_t bytes = 0;
  for (BnqSection& section : entry.sections) {
    MakeChunks(&section, 0);
    bytes += DivCeil(section.raw_bytes, kBnqAlignment) * kBnqAlignment;
  }
  std::string index;
  AppendEntry(entry, &index);
  return bytes + index.size();
}

struct BnqWriter::Stream {
  BnqSection section;
  uint64_t offset = 0;   // of a stored section
  uint64_t written = 0;  // raw bytes
  uint32_t crc32 = 0;    // of the current chunk so far
  Buffer chunk;          // the current chunk, to be compressed
};

BnqWriter::BnqWriter(const Context& context, const std::string& path,
                     const WriteOptions& options)
    : BnqWriter(context, std::make_unique<AtomicFile>(path, options), options) {
}

BnqWriter::BnqWriter(const Context& context, std::shared_ptr<ByteOutput> output,
                     const WriteOptions& options)
    : allocator_(context.allocator),
      compress_(options.compress),
      output_(std::move(output)),
      end_(kBnqHeaderBytes) {
  if (compress_) deflater_ = std::make_unique<Deflater>(allocator_);
}

BnqWriter::~BnqWriter() = default;

void BnqWriter::SetMetadata(const std::string& key, const std::string& value) {
  SortedMetadata({{key, value}});  // checks the texts
  metadata_[key] = value;
}

void BnqWriter::BeginEntry(BnqEntry entry) {
  if (open_) {
    Fail(Status::kInvalidArgument, "tensor ", Quoted(entry.name),
         " begins before the one before it has ended");
  }
  CheckNewName(entry.name);
  if (entries_.size() == kMaxTensors) {
    Fail(Status::kInvalidArgument, "tensor ", Quoted(entry.name),
         " is one too many, the most is ", kMaxTensors);
  }
  std::vector<Stream> streams(entry.sections.size());
  for (size_t i = 0; i < streams.size(); ++i) {
    streams[i].section.role = entry.sections[i].role;
    streams[i].section.raw_bytes = entry.sections[i].raw_bytes;
  }
  std::sort(entry.options.begin(), entry.options.end(),
            [](const auto& a, const auto& b) { return a.key < b.key; });
  std::sort(entry.sections.begin(), entry.sections.end(),
            [](const auto& a, const auto& b) { return a.role < b.role; });
  const std::string problem = CheckBnqEntry(entry);
  if (!problem.empty()) {
    Fail(Status::kInvalidArgument, "tensor ", Quoted(entry.name), ": ",
         problem);
  }
  if (!names_.insert(entry.name).second) {
    Fail(Status::kInvalidArgument, "tensor name ", Quoted(entry.name),
         " is given twice");
  }
  uint64_t end = end_;
  for (Stream& stream : streams) {
    BnqSection& section = stream.section;
    if (section.raw_bytes == 0) continue;
    if (compress_) {
      section.encoding = BnqEncoding::kChunks;
      stream.chunk =
          Buffer(allocator_,
                 std::min<uint64_t>(section.raw_bytes, section.chunk_bytes));
    } else {
      stream.offset = CheckedAdd(end, kBnqAlignment - 1, "the output's size") /
                      kBnqAlignment * kBnqAlignment;
      end = CheckedAdd(stream.offset, section.raw_bytes, "the output's size");
    }
  }
  entries_.push_back(std::move(entry));
  streams_ = std::move(streams);
  end_ = end;
  open_ = true;
}

void BnqWriter::Append(size_t section, const void* data, uint64_t bytes) {
  if (!open_ || section >= streams_.size()) {
    Fail(Status::kInvalidArgument, "section index = ", section,
         ", must be below ", open_ ? streams_.size() : 0);
  }
  Stream& stream = streams_[section];
  const uint64_t left = stream.section.raw_bytes - stream.written;
  if (bytes > left) {
    Fail(Status::kInvalidArgument, "tensor ", Quoted(entries_.back().name),
         ": section role ", stream.section.role, ": ", bytes,
         " bytes given, but only ", left, " are left");
  }
  const uint8_t* p = static_cast<const uint8_t*>(data);
  if (!compress_) output_->WriteAt(stream.offset + stream.written, p, bytes);
  while (bytes > 0) {
    const uint64_t within = stream.written % stream.section.chunk_bytes;
    const size_t n = static_cast<size_t>(
        std::min(bytes, stream.section.chunk_bytes - within));
    stream.crc32 = Crc32(stream.crc32, p, n);
    if (compress_) std::memcpy(stream.chunk.data() + within, p, n);
    p += n;
    bytes -= n;
    const uint64_t written = stream.written + n;
    if (written % stream.section.chunk_bytes == 0 ||
        written == stream.section.raw_bytes) {
      FlushChunk(&stream);
    }
    stream.written = written;
  }
}

void BnqWriter::FlushChunk(Stream* stream) {
  BnqSection& section = stream->section;
  const size_t index = section.chunks.size();
  BnqChunk chunk;
  chunk.crc32 = std::exchange(stream->crc32, 0);
  chunk.stored_bytes = section.ChunkRawBytes(index);
  if (section.encoding == BnqEncoding::kStored) {
    chunk.offset = stream->offset + uint64_t{section.chunk_bytes} * index;
  } else {
    const uint8_t* data = stream->chunk.data();
    if (packed_.size() == 0) packed_ = Buffer(allocator_, kBnqChunkBytes);
    const size_t packed =
        deflater_->Compress(data, chunk.stored_bytes, packed_.data());
    if (packed > 0) {
      data = packed_.data();
      chunk.stored_bytes = static_cast<uint32_t>(packed);
      chunk.compressed = true;
    }
    chunk.offset = end_;
    output_->WriteAt(end_, data, chunk.stored_bytes);
    end_ += chunk.stored_bytes;
  }
  section.chunks.push_back(chunk);
}

uint64_t BnqWriter::EndEntry() {
  if (!open_) {
    Fail(Status::kInvalidArgument, "no tensor has begun that could end");
  }
  BnqEntry& entry = entries_.back();
  for (const Stream& stream : streams_) {
    if (stream.written == stream.section.raw_bytes) continue;
    Fail(Status::kInvalidArgument, "tensor ", Quoted(entry.name),
         ": section role ", stream.section.role, ": ", stream.written,
         " of its ", stream.section.raw_bytes, " bytes were given");
  }
  std::sort(streams_.begin(), streams_.end(),
            [](const Stream& a, const Stream& b) {
              return a.section.role < b.section.role;
            });
  for (size_t i = 0; i < streams_.size(); ++i) {
    entry.sections[i] = std::move(streams_[i].section);
  }
  streams_.clear();
  open_ = false;
  return entry.stored_bytes();
}

uint64_t BnqWriter::SkipEntry() {
  if (!open_ || compress_) {
    Fail(Status::kInvalidArgument,
         "an entry is skipped that has not begun, or would be compressed");
  }
  for (Stream& stream : streams_) {
    MakeChunks(&stream.section, stream.offset);
    stream.written = stream.section.raw_bytes;
  }
  return EndEntry();
}

// Its record of the index, and where the next one goes.
std::string BnqWriter::EntryState() const {
  std::string state;
  AppendLE<uint64_t>(end_, &state);
  AppendEntry(entries_.back(), &state);
  return state;
}

void BnqWriter::RestoreEntry(const std::string& name,
                             const std::string& state) {
  const auto* data = reinterpret_cast<const uint8_t*>(state.data());
  const uint64_t end = state.size() < 8 ? 0 : LoadLE<uint64_t>(data);
  BnqEntry entry = ParseBnqEntry("a journal", data + 8,
                                 state.size() < 8 ? 0 : state.size() - 8, end);
  if (open_ || end < end_ || entry.name != name ||
      !names_.insert(name).second) {
    Fail(Status::kCorruptFile, "tensor ", Quoted(name),
         " is not the one that was written before");
  }
  output_->Keep(end);
  entries_.push_back(std::move(entry));
  end_ = end;
}

void BnqWriter::Finish() {
  if (open_) {
    Fail(Status::kInvalidArgument, "tensor ", Quoted(entries_.back().name),
         " has not ended");
  }
  std::sort(entries_.begin(), entries_.end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
  std::string index;
  AppendLE(static_cast<uint32_t>(metadata_.size()), &index);
  for (const auto& [key, value] : metadata_) {
    AppendText(key, &index);
    AppendText(value, &index);
  }
  for (const BnqEntry& entry : entries_) AppendEntry(entry, &index);

  std::string header(reinterpret_cast<const char*>(kBnqMagic),
                     sizeof kBnqMagic);
  AppendLE(kBnqMajor, &header);
  AppendLE(kBnqMinor, &header);
  AppendLE(static_cast<uint32_t>(entries_.size()), &header);
  AppendLE<uint64_t>(CheckedAdd(end_, index.size(), "the output's size"),
                     &header);
  AppendLE<uint64_t>(end_, &header);
  AppendLE<uint64_t>(index.size(), &header);
  AppendLE(Crc32(0, index.data(), index.size()), &header);
  header.append(16, '\0');  // reserved
  AppendLE(Crc32(0, header.data(), header.size()), &header);

  output_->WriteAt(end_, index.data(), index.size());
  end_ += index.size();
  output_->WriteAt(0, header.data(), header.size());
  output_->Commit();
}

}  // namespace bnq
