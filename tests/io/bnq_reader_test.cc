#include "core/io/bnq_reader.h"

#include <functional>
#include <string>

#include "core/io/bnq_writer.h"
#include "core/io/deflate.h"
#include "tests/io/bnq_raw.h"
#include "tests/io/io_test_util.h"

namespace bnq {
namespace {

// Reads every byte of it; the contents of all sections.
std::string ReadAll(const std::string& file) {
  const ExactBytes bytes(file);
  const BnqReader reader(bytes.File());
  std::string all;
  for (const BnqEntry& entry : reader.entries()) {
    for (const BnqSection& section : entry.sections) {
      reader.Verify(Context(), entry, section);
      BnqSectionReader in(Context(), reader, entry, section);
      std::string raw(static_cast<size_t>(section.raw_bytes), '\0');
      in.Read(&raw[0], raw.size());
      all += raw;
    }
  }
  reader.VerifyPadding();
  return all;
}

testing::AssertionResult Refuses(const std::string& file,
                                 const std::string& text,
                                 Status status = Status::kCorruptFile) {
  return FailsWith(status, text, [&] {
    const ExactBytes bytes(file);
    const BnqReader reader(bytes.File());
  });
}

// A good file with one thing changed, its checksums right.
testing::AssertionResult RefusesWith(
    const std::string& text, const std::function<void(RawFile*)>& change,
    Status status = Status::kCorruptFile) {
  RawFile file = GoodRawFile();
  change(&file);
  return Refuses(file.Bytes(), text, status);
}

testing::AssertionResult RefusesEntry(
    const std::string& text, const std::function<void(RawEntry*)>& change) {
  return RefusesWith(text, [&](RawFile* f) { change(&f->entries[0]); });
}

testing::AssertionResult RefusesSection(
    const std::string& text, const std::function<void(RawSection*)>& change) {
  return RefusesWith(text,
                     [&](RawFile* f) { change(&f->entries[0].sections[0]); });
}

// A quantized tensor in compressed chunks of 8 bytes.
RawFile ChunkedRawFile() {
  RawFile file;
  file.entries.resize(1);
  RawEntry& entry = file.entries[0];
  entry.format = 1;
  entry.dtype = 0;
  RawSection& section = entry.sections[0];
  section.role = 2;
  section.encoding = 1;
  section.raw = 20;
  section.chunk = 8;
  Deflater deflater((Allocator()));
  for (const std::string& raw :
       {std::string("aaaaaaaa"), std::string("01234567"),
        std::string("zzzz")}) {
    std::string packed(raw.size(), '\0');
    const size_t n =
        deflater.Compress(reinterpret_cast<const uint8_t*>(raw.data()),
                          raw.size(), reinterpret_cast<uint8_t*>(&packed[0]));
    packed.resize(n);
    const bool shrank = n > 0;
    const std::string& stored = shrank ? packed : raw;
    section.chunks.push_back({64 + file.data.size(),
                              static_cast<uint32_t>(stored.size()), shrank,
                              RawCrc(raw)});
    file.data += stored;
  }
  return file;
}

TEST(BnqReader, ReadsTheGoodFiles) {
  const ExactBytes bytes(GoodRawFile().Bytes());
  const BnqReader reader(bytes.File());
  ASSERT_EQ(reader.entries().size(), 1u);
  const BnqEntry& entry = reader.entries()[0];
  EXPECT_EQ(reader.Mapped(entry.sections[0]), bytes.data() + 64);
  EXPECT_EQ(entry.stored_bytes(), 16u);

  const RawFile raw = ChunkedRawFile();
  ASSERT_EQ(raw.entries[0].sections[0].chunks[0].flags, 1u);
  ASSERT_EQ(raw.entries[0].sections[0].chunks[1].flags, 0u);
  const ExactBytes chunked(raw.Bytes());
  const BnqReader in(chunked.File());
  const BnqSection& section = in.entries()[0].sections[0];
  EXPECT_EQ(in.Mapped(section), nullptr);
  for (const size_t step : {1u, 3u, 8u, 20u}) {
    BnqSectionReader stream(Context(), in, in.entries()[0], section);
    std::string out(20, '\0');
    for (size_t at = 0; at < 20; at += step) {
      stream.Read(&out[at], std::min(step, 20 - at));
    }
    EXPECT_EQ(out, "aaaaaaaa01234567zzzz");
    EXPECT_TRUE(FailsWith(Status::kInvalidArgument, "only 0 are left",
                          [&] { stream.Read(&out[0], 1); }));
  }
}

TEST(BnqReader, Header) {
  EXPECT_TRUE(Refuses("", "0 bytes, a .bnq file has at least 64"));
  EXPECT_TRUE(Refuses(std::string(64, 'x'), "not a .bnq file"));
  // What transfers as text do to it.
  std::string text = GoodRawFile().Bytes();
  text.erase(4, 1);
  EXPECT_TRUE(Refuses(text, "signature damaged, as by a transfer as text"));
  EXPECT_TRUE(RefusesWith("signature damaged",
                          [](RawFile* f) { f->magic[0] = '\x09'; }));
  EXPECT_TRUE(RefusesWith(
      ".bnq version 2.3, this library reads 1.x",
      [](RawFile* f) {
        f->major = 2;
        f->minor = 3;
        f->header_crc = 0;  // may be elsewhere by then
      },
      Status::kUnsupported));
  EXPECT_TRUE(RefusesWith("header does not match its checksum",
                          [](RawFile* f) { f->header_crc = 1; }));
  EXPECT_TRUE(
      RefusesWith("reserved bytes", [](RawFile* f) { f->reserved[15] = 1; }));
  EXPECT_TRUE(RefusesWith("but its header says 77",
                          [](RawFile* f) { f->file_bytes = 77; }));
  EXPECT_TRUE(RefusesWith("index does not match its checksum",
                          [](RawFile* f) { f->index_crc = 1; }));
  for (const uint64_t offset : {uint64_t{0}, uint64_t{63}, uint64_t{65},
                                uint64_t{1} << 63, UINT64_MAX}) {
    EXPECT_TRUE(
        RefusesWith("index of", [&](RawFile* f) { f->index_offset = offset; }));
    EXPECT_TRUE(
        RefusesWith("index of", [&](RawFile* f) { f->index_bytes = offset; }));
  }
  EXPECT_TRUE(RefusesWith("index of", [&](RawFile* f) {
    f->index_offset = UINT64_MAX - 99;
    f->index_bytes = f->Bytes().size() + 100;
  }));
  EXPECT_TRUE(Refuses(GoodRawFile().Bytes() + "x", "but its header says"));
}

TEST(BnqReader, NewerMinorVersionsAreRead) {
  RawFile file = GoodRawFile();
  file.minor = 7;
  file.reserved[0] = 1;
  ReadAll(file.Bytes());
}

TEST(BnqReader, CountsAreCheckedBeforeAnythingIsAllocated) {
  EXPECT_TRUE(RefusesWith("tensor name needs 4 bytes, but only 0 are left",
                          [](RawFile* f) { f->count = 2; }));
  EXPECT_TRUE(RefusesWith("tensor count = 1000000, but only",
                          [](RawFile* f) { f->count = 1000000; }));
  EXPECT_TRUE(RefusesWith("tensor count = 4294967295, must be at most 1000000",
                          [](RawFile* f) { f->count = UINT32_MAX; }));
  EXPECT_TRUE(RefusesWith("are left behind the last tensor",
                          [](RawFile* f) { f->count = 0; }));
  EXPECT_TRUE(RefusesWith("1 bytes are left behind the last tensor",
                          [](RawFile* f) { f->tail = "x"; }));
  EXPECT_TRUE(RefusesWith("metadata count = 4294967295",
                          [](RawFile* f) { f->metadata_count = UINT32_MAX; }));
  EXPECT_TRUE(RefusesEntry("tensor name needs 4294967295 bytes",
                           [](RawEntry* e) { e->name_bytes = UINT32_MAX; }));
  EXPECT_TRUE(RefusesEntry("option count = 4294967295",
                           [](RawEntry* e) { e->option_count = UINT32_MAX; }));
  EXPECT_TRUE(RefusesEntry("section count = 4294967295",
                           [](RawEntry* e) { e->section_count = UINT32_MAX; }));
  EXPECT_TRUE(
      RefusesSection("chunk count = 16", [](RawSection* s) { s->chunk = 1; }));
  EXPECT_TRUE(RefusesSection("chunk count = 17592186044416", [](RawSection* s) {
    s->encoding = 1;
    s->raw = uint64_t{1} << 63;
    s->chunk = 1 << 19;
  }));
}

TEST(BnqReader, Metadata) {
  using Items = std::vector<std::pair<std::string, std::string>>;
  const auto refuses = [](const std::string& text, const Items& items) {
    return RefusesWith(text, [&](RawFile* f) { f->metadata = items; });
  };
  EXPECT_TRUE(
      refuses("metadata key \"a\" is not above", {{"b", ""}, {"a", ""}}));
  EXPECT_TRUE(
      refuses("metadata key \"a\" is not above", {{"a", "1"}, {"a", ""}}));
  EXPECT_TRUE(refuses("metadata key", {{"\xff", ""}}));
  EXPECT_TRUE(refuses("metadata value", {{"a", std::string(1, '\0')}}));
}

TEST(BnqReader, Entries) {
  EXPECT_TRUE(RefusesEntry("name is empty", [](RawEntry* e) { e->name = ""; }));
  EXPECT_TRUE(
      RefusesEntry("not UTF-8", [](RawEntry* e) { e->name = "\xc0\x80"; }));
  EXPECT_TRUE(RefusesEntry(
      "not UTF-8", [](RawEntry* e) { e->name = std::string("a\0b", 3); }));
  EXPECT_TRUE(
      RefusesEntry("format = -1", [](RawEntry* e) { e->format = ~0u; }));
  EXPECT_TRUE(
      RefusesEntry("dtype = 0 is unknown", [](RawEntry* e) { e->dtype = 0; }));
  EXPECT_TRUE(RefusesEntry("dtype = 23 is unknown",
                           [](RawEntry* e) { e->dtype = 23; }));
  EXPECT_TRUE(
      RefusesEntry("dtype = 6, must be 0", [](RawEntry* e) { e->format = 1; }));
  EXPECT_TRUE(RefusesEntry("tensor \"a\": rank = 9, must be 0 to 8",
                           [](RawEntry* e) { e->rank = 9; }));
  EXPECT_TRUE(RefusesEntry("rank = 4294967295",
                           [](RawEntry* e) { e->rank = UINT32_MAX; }));
  EXPECT_TRUE(RefusesEntry("too many elements", [](RawEntry* e) {
    e->dims = {uint64_t{1} << 32, uint64_t{1} << 32};
  }));
  EXPECT_TRUE(RefusesEntry("overflow 64 bits", [](RawEntry* e) {
    e->dims = {uint64_t{1} << 60};
    e->dtype = 4;
  }));
  EXPECT_TRUE(RefusesEntry("shape [15] needs 15 bytes, its section has 16",
                           [](RawEntry* e) { e->dims = {15}; }));
  EXPECT_TRUE(RefusesEntry("must have one section",
                           [](RawEntry* e) { e->sections.clear(); }));
  EXPECT_TRUE(RefusesSection("must have one section",
                             [](RawSection* s) { s->role = 2; }));
  EXPECT_TRUE(RefusesEntry("option kind = 2", [](RawEntry* e) {
    e->options = {{1, 2, 0}};
  }));
  EXPECT_TRUE(RefusesEntry("option 1 comes after option 1", [](RawEntry* e) {
    e->options = {{1, 0, 0}, {1, 1, 0}};
  }));
  EXPECT_TRUE(RefusesEntry("option -1 comes after option 1", [](RawEntry* e) {
    e->options = {{1, 0, 0}, {~0u, 0, 0}};
  }));
  EXPECT_TRUE(RefusesWith("\"a\": its name is not above", [](RawFile* f) {
    f->entries.push_back(f->entries[0]);
    f->entries[1].sections[0] = {1, 0, 0, 1, 0, {}, {}};
    f->entries[1].dims = {0};
  }));
}

TEST(BnqReader, Sections) {
  EXPECT_TRUE(RefusesSection("section encoding = 2",
                             [](RawSection* s) { s->encoding = 2; }));
  EXPECT_TRUE(RefusesSection("chunk size = 0, must be 1 to 16777216",
                             [](RawSection* s) { s->chunk = 0; }));
  EXPECT_TRUE(RefusesSection("chunk size = 16777217",
                             [](RawSection* s) { s->chunk = (1 << 24) + 1; }));
  // Offsets and sizes that lie.
  for (const uint64_t lie :
       {uint64_t{0}, uint64_t{63}, uint64_t{65}, uint64_t{128},
        uint64_t{1} << 63, UINT64_MAX - 15, UINT64_MAX}) {
    EXPECT_TRUE(RefusesSection("", [&](RawSection* s) { s->offset = lie; }))
        << lie;
  }
  for (const uint64_t lie :
       {uint64_t{17}, uint64_t{1} << 63, UINT64_MAX - 63, UINT64_MAX}) {
    EXPECT_TRUE(RefusesEntry("data of " + std::to_string(lie) + " bytes at 64",
                             [&](RawEntry* e) {
                               e->format = 1;
                               e->dtype = 0;
                               e->sections[0].raw = lie;
                             }))
        << lie;
  }
  EXPECT_TRUE(RefusesSection("must be a multiple of 64", [](RawSection* s) {
    s->offset = 65;
    s->raw = 15;
  }));
  EXPECT_TRUE(RefusesEntry("section offset = 64, must be 0 for an empty",
                           [](RawEntry* e) {
                             e->dims = {0};
                             e->sections[0].raw = 0;
                             e->sections[0].crcs.clear();
                           }));
  EXPECT_TRUE(RefusesEntry("section role 2 is not above", [](RawEntry* e) {
    e->format = 1;
    e->dtype = 0;
    e->sections[0].role = 2;
    e->sections.push_back(e->sections[0]);
  }));
}

TEST(BnqReader, OverlapsAndGaps) {
  const auto two = [](uint64_t offset, size_t data_bytes) {
    RawFile f = GoodRawFile();
    f.data.resize(data_bytes, 'x');
    f.entries.push_back(f.entries[0]);
    f.entries[1].name = "b";
    f.entries[1].sections[0].offset = offset;
    f.entries[1].sections[0].crcs = {
        RawCrc(f.data.substr(std::min<size_t>(offset - 64, data_bytes), 16))};
    return f.Bytes();
  };
  EXPECT_TRUE(Refuses(two(64, 16), "overlaps it and ends at 80"));
  ReadAll([&] {
    std::string file = two(128, 80);
    for (size_t i = 80; i < 128; ++i) file[i] = 0;
    return file;
  }());
  EXPECT_TRUE(Refuses(two(192, 144),
                      "tensor \"b\" has data at 192, but what "
                      "is before it ends at 80"));
  // Bytes that belong to nothing, before the index.
  RawFile hidden = GoodRawFile();
  hidden.data.resize(16 + 64, '\0');
  EXPECT_TRUE(Refuses(hidden.Bytes(),
                      "the index is at 144, but what is before "
                      "it ends at 80"));
  hidden.data.resize(16 + 63);
  ReadAll(hidden.Bytes());
  hidden.data.back() = 1;
  EXPECT_TRUE(FailsWith(Status::kCorruptFile, "byte at 142 is between sections",
                        [&] { ReadAll(hidden.Bytes()); }));

  RawFile chunks = ChunkedRawFile();
  ReadAll(chunks.Bytes());
  std::vector<RawChunk>& list = chunks.entries[0].sections[0].chunks;
  const RawChunk third = list[2];
  list[2].offset = list[1].offset + 4;
  EXPECT_TRUE(Refuses(chunks.Bytes(), "overlaps"));
  list[2] = third;
  std::swap(list[0].offset, list[1].offset);
  EXPECT_TRUE(Refuses(chunks.Bytes(), "overlaps"));
}

TEST(BnqReader, Chunks) {
  const auto refuses = [](const std::string& text,
                          const std::function<void(RawSection*)>& change) {
    RawFile file = ChunkedRawFile();
    change(&file.entries[0].sections[0]);
    return Refuses(file.Bytes(), text);
  };
  EXPECT_TRUE(refuses("chunk flags = 2",
                      [](RawSection* s) { s->chunks[0].flags = 2; }));
  EXPECT_TRUE(refuses("chunk flags",
                      [](RawSection* s) { s->chunks[0].flags = 1u << 31; }));
  EXPECT_TRUE(refuses("must lie between",
                      [](RawSection* s) { s->chunks[0].offset = UINT64_MAX; }));
  EXPECT_TRUE(refuses("must lie between",
                      [](RawSection* s) { s->chunks[2].offset = 10; }));
  EXPECT_TRUE(refuses("must lie between",
                      [](RawSection* s) { s->chunks[2].stored = UINT32_MAX; }));
  EXPECT_TRUE(refuses("chunk of 8 bytes stored in",
                      [](RawSection* s) { s->chunks[0].flags = 0; }));
  EXPECT_TRUE(refuses("chunk of 8 bytes compressed in 8",
                      [](RawSection* s) { s->chunks[1].flags = 1; }));
  EXPECT_TRUE(refuses("chunk of 8 bytes compressed in 0",
                      [](RawSection* s) { s->chunks[0].stored = 0; }));
  // More than DEFLATE can expand to: 1032 times at most.
  EXPECT_TRUE(refuses("compressed in", [](RawSection* s) {
    s->raw = s->chunk = 1 << 20;
    s->chunks.resize(1);
  }));
}

TEST(BnqReader, ChunksThatDoNotExpandToTheirSize) {
  const RawFile good = ChunkedRawFile();
  const auto fails = [](const RawFile& file, const std::string& text) {
    return FailsWith(Status::kCorruptFile, text,
                     [&] { ReadAll(file.Bytes()); });
  };
  RawFile file = good;
  file.entries[0].sections[0].chunks[0].crc ^= 1;
  EXPECT_TRUE(fails(file,
                    "tensor \"a\": section role 2: chunk 0 at 64: does "
                    "not match its checksum"));
  file = good;
  file.entries[0].sections[0].chunks[1].crc ^= 1;
  EXPECT_TRUE(fails(file, "chunk 1"));
  // One byte more, one byte less than the stream holds.
  for (const uint32_t size : {7u, 9u}) {
    file = good;
    RawSection& section = file.entries[0].sections[0];
    section.raw = section.chunk = size;
    section.chunks.resize(1);
    file.data.resize(section.chunks[0].stored);
    EXPECT_TRUE(fails(file, "is not DEFLATE data of its size"));
  }
  // The stream ends before its bytes do, or goes on behind them.
  file = good;
  file.entries[0].sections[0].chunks[0].stored--;
  EXPECT_TRUE(fails(file, "is not DEFLATE data of its size"));
  file = good;
  RawSection& section = file.entries[0].sections[0];
  section.raw = section.chunk = 8;
  section.chunks.resize(1);
  file.data.resize(section.chunks[0].stored++);
  file.data += '\0';
  EXPECT_TRUE(fails(file, "is not DEFLATE data of its size"));
}

// A small file with everything in it.
std::string SmallFile(const std::string& path, bool compress) {
  const Context context;
  BnqWriter writer(context, path, {true, compress, false});
  writer.SetMetadata("key", "value");
  BnqEntry entry;
  entry.name = "plain";
  entry.dtype = static_cast<int32_t>(DType::kF32);
  const uint64_t dims[] = {5, 5};
  entry.shape = Shape::Make(2, dims);
  entry.sections.resize(1);
  entry.sections[0].raw_bytes = 100;
  writer.BeginEntry(entry);
  writer.Append(0, std::string(100, 'p').data(), 100);
  writer.EndEntry();
  entry.name = "quantized";
  entry.format = 2;
  entry.dtype = 0;
  entry.options = {BnqOption::Int(1, 2), BnqOption::Float(6, 0.5)};
  entry.sections.resize(3);
  const uint64_t sizes[] = {25, 20, 20};
  for (uint32_t i = 0; i < 3; ++i) {
    entry.sections[i].role = static_cast<BnqRole>(2 + i);
    entry.sections[i].raw_bytes = sizes[i];
  }
  writer.BeginEntry(entry);
  for (uint32_t i = 0; i < 3; ++i) {
    writer.Append(i, (i == 1 ? Noise(20) : std::string(25, 'c')).data(),
                  sizes[i]);
  }
  writer.EndEntry();
  writer.Finish();
  return ReadFile(path);
}

class BnqDamageTest : public TempDirTest,
                      public testing::WithParamInterface<bool> {};

TEST_P(BnqDamageTest, TruncationAtEveryByte) {
  const std::string file = SmallFile(Path("f"), GetParam());
  ReadAll(file);
  for (size_t n = 0; n < file.size(); ++n) {
    EXPECT_TRUE(Refuses(file.substr(0, n), "test file")) << n;
  }
}

// Whether this is the last byte of a compressed chunk, where DEFLATE leaves up
// to seven bits unused.
bool EndsChunk(const std::string& file, size_t position) {
  const ExactBytes bytes(file);
  const BnqReader reader(bytes.File());
  for (const BnqEntry& entry : reader.entries()) {
    for (const BnqSection& section : entry.sections) {
      for (const BnqChunk& chunk : section.chunks) {
        if (chunk.compressed &&
            chunk.offset + chunk.stored_bytes == position + 1) {
          return true;
        }
      }
    }
  }
  return false;
}

TEST_P(BnqDamageTest, EveryBitOfTheFileCounts) {
  const std::string file = SmallFile(Path("f"), GetParam());
  const std::string contents = ReadAll(file);
  const uint64_t index =
      LoadLE<uint64_t>(reinterpret_cast<const uint8_t*>(file.data()) + 24);
  for (size_t i = 0; i < file.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string damaged = file;
      damaged[i] = static_cast<char>(damaged[i] ^ (1 << bit));
      bool opened = false, read = false;
      try {
        const ExactBytes bytes(damaged);
        const BnqReader reader(bytes.File());
        opened = true;
        const std::string now = ReadAll(damaged);
        read = !(EndsChunk(file, i) && now == contents);
      } catch (const Error& error) {
        EXPECT_TRUE(error.status() == Status::kCorruptFile ||
                    error.status() == Status::kUnsupported);
      }
      EXPECT_FALSE(read) << "byte " << i << " bit " << bit;
      // Header and index already when it is opened.
      EXPECT_EQ(opened, i >= 64 && i < index) << i;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(StoredAndCompressed, BnqDamageTest, testing::Bool());

}  // namespace
}  // namespace bnq
