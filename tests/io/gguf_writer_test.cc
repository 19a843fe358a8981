#include "core/io/gguf.h"
#include "core/io/gguf_value.h"
#include "core/io/model_file.h"
#include "core/io/model_output.h"
#include "tests/io/gguf_raw.h"

namespace bnq {
namespace {

NewArray Plain(const std::string& name, DType dtype,
               std::vector<uint64_t> dims) {
  return {name,
          dtype,
          Shape::Make(static_cast<int32_t>(dims.size()), dims.data()),
          {}};
}
NewArray Blocks(const std::string& name, GgmlType type,
                std::vector<uint64_t> dims) {
  NewArray array = Plain(name, DType::kU8, dims);
  array.blocks = {type, array.shape};
  EXPECT_TRUE(TryBlockBytes(array.blocks, &array.shape));
  return array;
}

TEST(GgufWriter, TheBytesOfGgml) {
  // Of the format's note: 160 bytes with one tensor.
  const GgufLayout layout = LayOutGguf({Plain("a", DType::kF32, {2, 3})},
                                       {{"general.architecture", "t"}});
  const uint8_t expected[] = {
      'G', 'G', 'U', 'F', 3,   0,   0,   0,   1,   0,   0,   0,   0,   0,
      0,   0,   1,   0,   0,   0,   0,   0,   0,   0,   20,  0,   0,   0,
      0,   0,   0,   0,   'g', 'e', 'n', 'e', 'r', 'a', 'l', '.', 'a', 'r',
      'c', 'h', 'i', 't', 'e', 'c', 't', 'u', 'r', 'e', 8,   0,   0,   0,
      1,   0,   0,   0,   0,   0,   0,   0,   't', 1,   0,   0,   0,   0,
      0,   0,   0,   'a', 2,   0,   0,   0,   3,   0,   0,   0,   0,   0,
      0,   0,   2,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,
      0,   0,   0,   0,   0,   0,   0,   0};
  std::string header(reinterpret_cast<const char*>(expected), 0x6A);
  header.resize(0x80, '\0');
  EXPECT_EQ(layout.header, header);
  EXPECT_EQ(layout.file_bytes, 0xA0u);
  EXPECT_EQ(layout.tensors[0].offset, 0x80u);
  EXPECT_EQ(LayOutGguf({}, {}).file_bytes, 32u);
}

TEST(GgufWriter, WhatGgufDoesNotHave) {
  const struct {
    std::vector<NewArray> arrays;
    Metadata metadata;
    const char* error;
  } cases[] = {
      {{Plain("a", DType::kU8, {2})}, {}, "tensor \"a\": GGUF has no type U8"},
      {{Plain("a", DType::kF32, {1, 1, 1, 1, 1})}, {}, "rank = 5"},
      {{Plain(std::string(64, 'n'), DType::kF32, {1})}, {}, "64 bytes"},
      {{Plain("a", DType::kF32, {1}), Plain("a", DType::kI8, {1})},
       {},
       "\"a\" is given twice"},
      {{}, {{"", "x"}}, "no empty keys"},
      {{}, {{"general.alignment", "32"}}, "must be u32"},
  };
  for (const auto& c : cases) {
    EXPECT_TRUE(FailsWith(Status::kInvalidArgument, c.error,
                          [&] { LayOutGguf(c.arrays, c.metadata); }));
  }
  NewArray wrong = Blocks("a", GgmlType::kQ4_0, {2, 64});
  wrong.shape.dims[1] = 35;
  EXPECT_TRUE(FailsWith(Status::kInvalidArgument, "is not that of the Q4_0",
                        [&] { LayOutGguf({wrong}, {}); }));
}

class GgufFilesTest : public TempDirTest {
 protected:
  std::vector<NewArray> Arrays() const {
    return {Plain("z", DType::kBF16, {3, 5}), Plain("s", DType::kF64, {}),
            Blocks("q", GgmlType::kQ4_0, {2, 2, 64}),
            Plain("none", DType::kI64, {0, 7}),
            Blocks("i", GgmlType::kI2_S, {1, 128})};
  }
  void Write(const std::string& path, const Metadata& metadata,
             const WriteOptions& options = {}) {
    const std::vector<NewArray> arrays = Arrays();
    ModelOutput output(context_, path, FileKind::kGguf, options, metadata,
                       arrays);
    for (const size_t i : output.order()) {
      BnqEntry entry;
      entry.name = arrays[i].name;
      entry.dtype = static_cast<int32_t>(arrays[i].dtype);
      entry.shape = arrays[i].shape;
      entry.sections.emplace_back();
      uint64_t bytes = 0;
      TryByteSize(entry.shape, arrays[i].dtype, &bytes);
      entry.sections[0].raw_bytes = bytes;
      output.BeginEntry(entry);
      output.Append(0, Noise(bytes, static_cast<uint32_t>(i) + 1).data(),
                    bytes);
      EXPECT_EQ(output.EndEntry(), bytes);
    }
    output.Finish();
    written_ = output.written();
    EXPECT_EQ(written_.substr(0, directory_.size()), directory_);
  }
  void ExpectWritten(const ModelFile& file) {
    const std::vector<NewArray> arrays = Arrays();
    ASSERT_EQ(file.entries().size(), arrays.size());
    for (size_t i = 0; i < arrays.size(); ++i) {
      const ModelEntry& entry = *file.Find(arrays[i].name);
      EXPECT_EQ(entry.shape, arrays[i].shape);
      EXPECT_EQ(entry.dtype, static_cast<int32_t>(arrays[i].dtype));
      EXPECT_EQ(entry.blocks.type, arrays[i].blocks.type);
      if (entry.blocks) {
        EXPECT_EQ(entry.blocks.shape, arrays[i].blocks.shape);
      }
      std::string bytes(entry.raw_bytes, ' ');
      PlainReader(context_, file, entry).Read(&bytes[0], bytes.size());
      EXPECT_EQ(bytes, Noise(bytes.size(), static_cast<uint32_t>(i) + 1));
    }
    file.VerifyRest();
  }

  Context context_;
  std::string written_;
};

const Metadata kMetadata = {{"general.alignment", "u32:64"},
                            {"general.architecture", "t"},
                            {"list", "str[]:\"a\",\"b\""},
                            {"x", "f32:nan"}};

TEST_F(GgufFilesTest, WhatIsWrittenIsRead) {
  Write(Path("m.gguf"), kMetadata);
  const auto file = ModelFile::Open(context_, Path("m.gguf"));
  EXPECT_EQ(file->metadata(), kMetadata);
  ExpectWritten(*file);
  EXPECT_EQ(std::filesystem::file_size(Path("m.gguf")) % 64, 0u);
  EXPECT_EQ(ModelFile::Open(context_, directory_)->kind(), FileKind::kGguf);
}

TEST_F(GgufFilesTest, AModelInSeveralFiles) {
  WriteOptions options;
  options.max_shard_bytes = 100;
  Write(Path("m.gguf"), kMetadata, options);
  const std::vector<std::string> names = List();
  ASSERT_EQ(names.size(), 3u);
  EXPECT_EQ(names[0], "m-00001-of-00003.gguf");
  EXPECT_EQ(written_, Path(names[0]));
  for (const std::string& path : {written_, directory_}) {
    const auto file = ModelFile::Open(context_, path);
    EXPECT_EQ(file->kind(), FileKind::kGguf);
    EXPECT_EQ(file->metadata(), kMetadata);
    EXPECT_EQ(file->files().size(), 3u);
    ExpectWritten(*file);
  }
  // As llama.cpp has it: the first file has the metadata.
  const std::string second = ReadFile(Path(names[1]));
  const auto header =
      ReadGguf(*MappedFile::FromMemory(second.data(), second.size()));
  EXPECT_EQ(header.metadata, (Metadata{{"general.alignment", "u32:64"},
                                       {"split.count", "u16:3"},
                                       {"split.no", "u16:1"},
                                       {"split.tensors.count", "i32:5"}}));

  EXPECT_TRUE(FailsWith(Status::kUnsupported, "is number 2 of the 3 files",
                        [&] { ModelFile::Open(context_, Path(names[1])); }));
  const std::string first = ReadFile(written_);
  EXPECT_TRUE(FailsWith(Status::kUnsupported, "by its name", [&] {
    ModelFile::FromMemory(context_, first.data(), first.size());
  }));
  WriteFile(Path(names[1]), ReadFile(Path(names[2])));
  EXPECT_TRUE(FailsWith(Status::kCorruptFile,
                        "split.no = 2 and split.count = 3, must be 1 and 3",
                        [&] { ModelFile::Open(context_, written_); }));
  std::filesystem::remove(Path(names[1]));
  EXPECT_TRUE(FailsWith(Status::kNotFound, names[1],
                        [&] { ModelFile::Open(context_, written_); }));
  EXPECT_TRUE(FailsWith(Status::kInvalidArgument, "must end in .gguf to be",
                        [&] { Write(Path("m"), kMetadata, options); }));
}

TEST_F(GgufFilesTest, FilesThatDoNotFitEachOther) {
  const auto write = [&](const std::string& name, uint64_t no, uint64_t total,
                         const std::string& tensor) {
    GgufRaw raw;
    raw.keys = {{"split.no", GgufText("u16", no)},
                {"split.count", "u16:2"},
                {"split.tensors.count", GgufText("i32", total)},
                {"k", no == 0 ? "u8:1" : "u8:2"}};
    raw.tensors = {{tensor, {3}, 24, 0}};
    raw.data = "abc";
    WriteFile(Path(name), raw.Bytes());
  };
  const std::string path = Path("x-00001-of-00002.gguf");
  write("x-00001-of-00002.gguf", 0, 3, "a");
  write("x-00002-of-00002.gguf", 1, 3, "b");
  EXPECT_TRUE(FailsWith(Status::kCorruptFile,
                        "split.tensors.count = 3, but the files have 2",
                        [&] { ModelFile::Open(context_, path); }));
  write("x-00001-of-00002.gguf", 0, 2, "a");
  write("x-00002-of-00002.gguf", 1, 2, "a");
  EXPECT_TRUE(FailsWith(Status::kCorruptFile, "tensor \"a\" is in two files",
                        [&] { ModelFile::Open(context_, path); }));
  write("x-00002-of-00002.gguf", 1, 2, "b");
  std::string log;
  context_.log = [&](LogLevel, const char* text) { log += text; };
  EXPECT_EQ(ModelFile::Open(context_, path)->metadata(),
            (Metadata{{"k", "u8:1"}}));
  EXPECT_NE(log.find("another value of metadata \"k\""), std::string::npos);
}

TEST_F(GgufFilesTest, Misuse) {
  const auto output = std::make_shared<MemoryOutput>(Allocator());
  ModelOutput writer(
      context_, output, FileKind::kGguf, {}, {},
      {Plain("a", DType::kI8, {3}), Plain("b", DType::kI8, {1})});
  BnqEntry entry;
  entry.name = "b";
  entry.dtype = static_cast<int32_t>(DType::kI8);
  entry.sections.resize(1);
  entry.sections[0].raw_bytes = 3;
  EXPECT_TRUE(FailsWith(Status::kInvalidArgument, "\"b\" is not next",
                        [&] { writer.BeginEntry(entry); }));
  entry.name = "a";
  writer.BeginEntry(entry);
  EXPECT_TRUE(FailsWith(Status::kInvalidArgument, "has 3 bytes, given 4",
                        [&] { writer.Append(0, "abcd", 4); }));
  writer.Append(0, "ab", 2);
  EXPECT_TRUE(FailsWith(Status::kInvalidArgument, "has 3 bytes, given 2",
                        [&] { writer.EndEntry(); }));
  writer.Append(0, "c", 1);
  writer.EndEntry();
  EXPECT_TRUE(FailsWith(Status::kInvalidArgument, "\"b\" is missing",
                        [&] { writer.Finish(); }));
}

}  // namespace
}  // namespace bnq
