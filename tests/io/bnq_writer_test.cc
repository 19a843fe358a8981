#include "core/io/bnq_writer.h"

#include <string>

#include "core/io/bnq_reader.h"
#include "tests/io/bnq_raw.h"
#include "tests/io/io_test_util.h"

namespace bnq {
namespace {

constexpr size_t kMiB = size_t{1} << 20;

BnqSection Section(BnqRole role, uint64_t bytes) {
  BnqSection section;
  section.role = role;
  section.raw_bytes = bytes;
  return section;
}

BnqEntry Plain(const std::string& name, uint64_t bytes) {
  BnqEntry entry;
  entry.name = name;
  entry.dtype = static_cast<int32_t>(DType::kU8);
  entry.shape = Shape::Make(1, &bytes);
  entry.sections = {Section(BnqRole::kData, bytes)};
  return entry;
}

BnqEntry Quantized(const std::string& name, uint64_t codes, uint64_t scales) {
  BnqEntry entry;
  entry.name = name;
  entry.format = 2;
  const uint64_t dims[] = {2, codes / 2};
  entry.shape = Shape::Make(2, dims);
  entry.options = {BnqOption::Float(6, 1.5), BnqOption::Int(3, -128)};
  entry.sections = {Section(BnqRole::kCodes, codes),
                    Section(BnqRole::kScales, scales)};
  return entry;
}

class BnqWriterTest : public TempDirTest {
 protected:
  std::unique_ptr<BnqWriter> Make(bool compress = false,
                                  const std::string& name = "out") {
    return std::make_unique<BnqWriter>(
        context_, Path(name),
        WriteOptions{/*overwrite=*/true, compress, false});
  }
  std::unique_ptr<BnqReader> Open(const std::string& name = "out") {
    return std::make_unique<BnqReader>(MappedFile::Open(context_, Path(name)));
  }
  std::string Read(const BnqReader& reader, const BnqEntry& entry,
                   const BnqSection& section, size_t step = 70001) {
    BnqSectionReader in(context_, reader, entry, section);
    std::string out(static_cast<size_t>(section.raw_bytes), '\0');
    for (size_t at = 0; at < out.size(); at += step) {
      in.Read(&out[at], std::min(step, out.size() - at));
    }
    EXPECT_EQ(in.remaining(), 0u);
    return out;
  }

  Context context_;
};

void AppendAll(BnqWriter* writer, size_t section, const std::string& bytes,
               size_t step = SIZE_MAX) {
  for (size_t at = 0; at < bytes.size(); at += step) {
    const size_t n = std::min(step, bytes.size() - at);
    writer->Append(section, &bytes[at], n);
    if (n < step) break;
  }
}

TEST_F(BnqWriterTest, LayoutIsThatOfTheSpecification) {
  auto writer = Make();
  writer->SetMetadata("z", "1");
  writer->SetMetadata("a", "old");
  writer->SetMetadata("a", "new");
  writer->BeginEntry(Plain("b", 16));
  writer->Append(0, "0123456789abcdef", 16);
  EXPECT_EQ(writer->EndEntry(), 16u);
  BnqEntry q = Quantized("a", 4, 8);
  q.sections = {Section(BnqRole::kZeroPoints, 0), Section(BnqRole::kScales, 8),
                Section(BnqRole::kCodes, 4)};
  writer->BeginEntry(q);
  writer->Append(1, "scal", 4);
  writer->Append(2, "code", 4);
  writer->Append(1, "es..", 4);
  EXPECT_EQ(writer->EndEntry(), 12u);
  writer->Finish();

  RawFile raw;
  raw.metadata = {{"a", "new"}, {"z", "1"}};
  // At 64 the first tensor, at 128 the scales, at 192 the codes, as they came.
  raw.data = "0123456789abcdef" + std::string(48, '\0') + "scales.." +
             std::string(56, '\0') + "code";
  raw.entries.resize(2);
  RawEntry& a = raw.entries[0];
  a.name = "a";
  a.format = 2;
  a.dtype = 0;
  a.dims = {2, 2};
  a.options = {{3, 0, static_cast<uint64_t>(-128)}, {6, 1, 0x3FF8000000000000}};
  a.sections = {{2, 0, 4, 1 << 20, 192, {RawCrc("code")}, {}},
                {3, 0, 8, 1 << 20, 128, {RawCrc("scales..")}, {}},
                {4, 0, 0, 1 << 20, 0, {}, {}}};
  RawEntry& b = raw.entries[1];
  b.name = "b";
  b.sections[0].crcs = {RawCrc("0123456789abcdef")};
  const std::string bytes = ReadFile(Path("out"));
  EXPECT_EQ(bytes, raw.Bytes());
  EXPECT_EQ(writer->file_bytes(), bytes.size());
}

TEST_F(BnqWriterTest, RoundTripAcrossChunks) {
  for (const bool compress : {false, true}) {
    for (const size_t size :
         {size_t{1}, kMiB - 1, kMiB, kMiB + 1, 3 * kMiB, 3 * kMiB + 77}) {
      const std::string codes = Weights(size), scales = Noise(size / 4 * 4, 5);
      auto writer = Make(compress);
      writer->BeginEntry(Quantized("t", size, scales.size()));
      AppendAll(writer.get(), 0, codes, 300000);
      AppendAll(writer.get(), 1, scales, 299999);
      const uint64_t stored = writer->EndEntry();
      writer->Finish();

      const auto reader = Open();
      ASSERT_EQ(reader->entries().size(), 1u);
      const BnqEntry& entry = reader->entries()[0];
      EXPECT_EQ(entry.raw_bytes(), codes.size() + scales.size());
      EXPECT_EQ(entry.stored_bytes(), stored);
      ASSERT_EQ(entry.sections.size(), 2u);
      EXPECT_EQ(Read(*reader, entry, entry.sections[0]), codes);
      EXPECT_EQ(Read(*reader, entry, entry.sections[1], 1 << 21), scales);
      for (const BnqSection& section : entry.sections) {
        reader->Verify(context_, entry, section);
        const uint8_t* mapped = reader->Mapped(section);
        EXPECT_EQ(mapped != nullptr, !compress && section.raw_bytes > 0);
        if (mapped != nullptr) {
          EXPECT_EQ((mapped - reader->file().data()) % 64, 0);
        }
      }
      reader->VerifyPadding();
      if (!compress) {
        EXPECT_EQ(stored, entry.raw_bytes());
      }
    }
  }
}

TEST_F(BnqWriterTest, CompressionHelpsWhereItCan) {
  const std::string weights = Weights(2 * kMiB), noise = Noise(2 * kMiB, 7);
  const std::string zeros(2 * kMiB, '\0');
  std::string repeated;
  while (repeated.size() < 2 * kMiB) repeated += noise.substr(0, 1000);
  repeated.resize(2 * kMiB);
  auto writer = Make(/*compress=*/true);
  const std::pair<const std::string*, double> cases[] = {
      {&weights, 0.75}, {&noise, 1.0}, {&zeros, 0.005}, {&repeated, 0.01}};
  int i = 0;
  for (const auto& [bytes, most] : cases) {
    writer->BeginEntry(
        Plain(std::string(1, static_cast<char>('a' + i++)), bytes->size()));
    AppendAll(writer.get(), 0, *bytes);
    const uint64_t stored = writer->EndEntry();
    // Never more, and what does not shrink is stored as it is.
    EXPECT_LE(static_cast<double>(stored),
              most * static_cast<double>(bytes->size()));
  }
  writer->Finish();
  const auto reader = Open();
  i = 0;
  for (const auto& item : cases) {
    const BnqEntry& entry = reader->entries()[static_cast<size_t>(i++)];
    EXPECT_EQ(Read(*reader, entry, entry.sections[0]), *item.first);
    EXPECT_EQ(entry.sections[0].chunks[0].compressed, item.first != &noise);
  }
}

TEST_F(BnqWriterTest, SlicingDoesNotChangeTheFile) {
  const std::string codes = Weights(kMiB + 5000), scales = Noise(40000, 3);
  const auto write = [&](bool compress, size_t step, bool scales_first) {
    auto writer = Make(compress);
    writer->BeginEntry(Quantized("t", codes.size(), scales.size()));
    if (scales_first) AppendAll(writer.get(), 1, scales, step);
    AppendAll(writer.get(), 0, codes, step);
    if (!scales_first) AppendAll(writer.get(), 1, scales, step);
    writer->EndEntry();
    writer->Finish();
    return ReadFile(Path("out"));
  };
  // Stored: neither the slices nor the turns matter.
  const std::string stored = write(false, SIZE_MAX, false);
  EXPECT_EQ(write(false, 1000, false), stored);
  EXPECT_EQ(write(false, 4096, true), stored);
  // Compressed: the same turns give the same file.
  const std::string compressed = write(true, SIZE_MAX, false);
  EXPECT_LT(compressed.size(), stored.size());
  EXPECT_EQ(write(true, 1000, false), compressed);
  EXPECT_EQ(write(true, 1000, false), compressed);
}

TEST_F(BnqWriterTest, EntriesAreSortedByName) {
  auto writer = Make();
  for (const char* name : {"b", "\xc3\xa9", "a", "B", "aa"}) {
    writer->BeginEntry(Plain(name, 1));
    writer->Append(0, name, 1);
    writer->EndEntry();
  }
  writer->Finish();
  const auto reader = Open();
  std::string names;
  for (const BnqEntry& entry : reader->entries()) {
    names += entry.name + " ";
    EXPECT_EQ(*reader->Mapped(entry.sections[0]),
              static_cast<uint8_t>(entry.name[0]));
    EXPECT_EQ(reader->Find(entry.name), &entry);
  }
  EXPECT_EQ(names, "B a aa b \xc3\xa9 ");
  EXPECT_EQ(reader->Find("c"), nullptr);
}

TEST_F(BnqWriterTest, EmptyArraysAndEmptyFiles) {
  for (const bool compress : {false, true}) {
    auto writer = Make(compress);
    writer->BeginEntry(Plain("e", 0));
    EXPECT_EQ(writer->EndEntry(), 0u);
    BnqEntry scalar = Plain("s", 1);
    scalar.shape = Shape();
    writer->BeginEntry(scalar);
    writer->Append(0, "x", 1);
    writer->EndEntry();
    writer->Finish();
    const auto reader = Open();
    const BnqEntry& empty = reader->entries()[0];
    EXPECT_EQ(empty.shape.ToString(), "[0]");
    EXPECT_EQ(reader->Mapped(empty.sections[0]), nullptr);
    reader->Verify(context_, empty, empty.sections[0]);
    EXPECT_EQ(reader->entries()[1].shape.rank, 0);

    Make(compress, "none")->Finish();
    EXPECT_TRUE(Open("none")->entries().empty());
    EXPECT_EQ(ReadFile(Path("none")).size(), 68u);
  }
}

TEST_F(BnqWriterTest, OptionsAndMetadataComeBack) {
  auto writer = Make();
  writer->SetMetadata("", "");
  writer->SetMetadata("k\xc3\xa9y", "line\nline");
  BnqEntry entry = Quantized("q", 2, 4);
  entry.options.push_back(BnqOption::Int(-7, INT64_MIN));
  writer->BeginEntry(entry);
  writer->Append(0, "ab", 2);
  writer->Append(1, "abcd", 4);
  writer->EndEntry();
  writer->Finish();
  const auto reader = Open();
  const Metadata expected = {{"", ""}, {"k\xc3\xa9y", "line\nline"}};
  EXPECT_EQ(reader->metadata(), expected);
  const BnqEntry& q = reader->entries()[0];
  ASSERT_EQ(q.options.size(), 3u);
  EXPECT_EQ(q.options[0].key, -7);
  EXPECT_EQ(q.options[0].AsInt(), INT64_MIN);
  EXPECT_EQ(q.FindOption(3)->AsInt(), -128);
  EXPECT_TRUE(q.FindOption(6)->is_float);
  EXPECT_EQ(q.FindOption(6)->AsFloat(), 1.5);
  EXPECT_EQ(q.FindOption(1), nullptr);
  EXPECT_EQ(q.FindSection(BnqRole::kScales)->raw_bytes, 4u);
  EXPECT_EQ(q.FindSection(BnqRole::kData), nullptr);
}

TEST_F(BnqWriterTest, DryRunKnowsTheSizesAndWritesNothing) {
  for (const bool compress : {false, true}) {
    const std::string codes = Weights(kMiB + 1);
    uint64_t stored[2] = {}, total[2] = {};
    for (const bool dry : {false, true}) {
      BnqWriter writer(context_, Path("out"), {true, compress, dry});
      writer.BeginEntry(Plain("a", codes.size()));
      AppendAll(&writer, 0, codes);
      stored[dry] = writer.EndEntry();
      writer.Finish();
      total[dry] = writer.file_bytes();
      if (!dry) {
        EXPECT_EQ(ReadFile(Path("out")).size(), total[0]);
        std::filesystem::remove(Path("out"));
      }
    }
    EXPECT_EQ(stored[0], stored[1]);
    EXPECT_EQ(total[0], total[1]);
    EXPECT_TRUE(List().empty());
  }
}

TEST_F(BnqWriterTest, ChecksWhatItIsGiven) {
  const auto begin = [&](const BnqEntry& entry) {
    return [this, entry] { Make()->BeginEntry(entry); };
  };
  const auto refuses = [&](const std::string& text, const BnqEntry& entry) {
    return FailsWith(Status::kInvalidArgument, text, begin(entry));
  };
  EXPECT_TRUE(refuses("empty", Plain("", 1)));
  EXPECT_TRUE(refuses("UTF-8", Plain("\xff", 1)));
  BnqEntry entry = Plain("t", 16);
  entry.format = -1;
  EXPECT_TRUE(refuses("tensor \"t\": format = -1", entry));
  entry = Plain("t", 16);
  entry.dtype = 99;
  EXPECT_TRUE(refuses("dtype = 99 is unknown", entry));
  entry = Plain("t", 16);
  entry.sections[0].raw_bytes = 15;
  EXPECT_TRUE(refuses("shape [16] needs 16 bytes, its section has 15", entry));
  entry = Plain("t", 16);
  entry.sections[0].role = BnqRole::kCodes;
  EXPECT_TRUE(refuses("must have one section, its data", entry));
  entry = Plain("t", 3);
  entry.dtype = static_cast<int32_t>(DType::kF4);
  EXPECT_TRUE(refuses("do not fill whole bytes", entry));
  entry = Quantized("t", 16, 4);
  entry.dtype = 1;
  EXPECT_TRUE(refuses("dtype = 1, must be 0", entry));
  entry = Quantized("t", 16, 4);
  entry.options.push_back(entry.options[0]);
  EXPECT_TRUE(refuses("option 6", entry));
  entry = Quantized("t", 16, 4);
  entry.sections.push_back(entry.sections[0]);
  EXPECT_TRUE(refuses("section role 2", entry));
  entry = Quantized("t", UINT64_MAX / 8 - 7, 4);
  entry.sections[0].raw_bytes = UINT64_MAX - 63;
  EXPECT_TRUE(refuses("overflows", entry));
}

TEST_F(BnqWriterTest, ChecksOrderAndTotals) {
  for (const bool compress : {false, true}) {
    auto writer = Make(compress);
    const auto refuses = [&](const std::string& text, auto&& f) {
      return FailsWith(Status::kInvalidArgument, text, f);
    };
    EXPECT_TRUE(refuses("no tensor", [&] { writer->EndEntry(); }));
    EXPECT_TRUE(
        refuses("section index = 0", [&] { writer->Append(0, "", 0); }));
    writer->BeginEntry(Quantized("t", 16, 4));
    EXPECT_TRUE(refuses("tensor \"u\" begins before",
                        [&] { writer->BeginEntry(Plain("u", 1)); }));
    EXPECT_TRUE(refuses("section index = 2, must be below 2",
                        [&] { writer->Append(2, "", 0); }));
    EXPECT_TRUE(refuses("\"t\": section role 3: 5 bytes given, but only 4",
                        [&] { writer->Append(1, "12345", 5); }));
    writer->Append(1, "1234", 4);
    writer->Append(0, "1234", 4);
    EXPECT_TRUE(refuses("\"t\": section role 2: 4 of its 16 bytes",
                        [&] { writer->EndEntry(); }));
    EXPECT_TRUE(refuses("\"t\" has not ended", [&] { writer->Finish(); }));
    writer->Append(0, "123456789012", 12);
    writer->EndEntry();
    EXPECT_TRUE(refuses("\"t\" is given twice",
                        [&] { writer->BeginEntry(Plain("t", 1)); }));
    EXPECT_TRUE(refuses("UTF-8", [&] { writer->SetMetadata("a", "\xff"); }));
    writer->Finish();
    EXPECT_EQ(Open()->entries().size(), 1u);
  }
}

TEST_F(BnqWriterTest, AbandonedOutputLeavesNothing) {
  WriteFile(Path("out"), "old");
  {
    auto writer = Make();
    writer->BeginEntry(Plain("t", 1 << 20));
    writer->Append(0, Noise(1 << 19).data(), 1 << 19);
  }
  EXPECT_EQ(List(), std::vector<std::string>{"out"});
  EXPECT_EQ(ReadFile(Path("out")), "old");
  EXPECT_TRUE(FailsWith(Status::kExists, "out",
                        [&] { BnqWriter(context_, Path("out"), {}); }));
}

}  // namespace
}  // namespace bnq
