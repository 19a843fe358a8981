#include "core/io/model_file.h"

#include <cstring>
#include <filesystem>
#include <string>

#include "core/io/bnq_writer.h"
#include "core/io/safetensors.h"
#include "tests/io/bnq_raw.h"
#include "tests/io/io_test_util.h"

namespace bnq {
namespace {

class ModelFileTest : public TempDirTest {
 protected:
  // Tensors "a" (F32 [2, 3]) and "b" (U8 []).
  void WriteSafetensors(const std::string& name) {
    const uint64_t dims[] = {2, 3};
    SafetensorsWriter writer(
        Path(name), {},
        {{"b", DType::kU8, Shape()}, {"a", DType::kF32, Shape::Make(2, dims)}},
        {{"format", "pt"}});
    writer.Append(0, data_.data(), 24);
    writer.Append(1, "b", 1);
    writer.Finish();
  }

  // "a" plain as above, "q" quantized.
  void WriteBnq(const std::string& name, bool compress) {
    BnqWriter writer(context_, Path(name), {false, compress, false});
    writer.SetMetadata("format", "pt");
    BnqEntry entry;
    entry.name = "q";
    entry.format = 1;
    const uint64_t dims[] = {2, 3};
    entry.shape = Shape::Make(2, dims);
    entry.sections.resize(2);
    entry.sections[0].role = BnqRole::kCodes;
    entry.sections[0].raw_bytes = 2;
    entry.sections[1].role = BnqRole::kScales;
    entry.sections[1].raw_bytes = 4;
    writer.BeginEntry(entry);
    writer.Append(0, "cc", 2);
    writer.Append(1, "ssss", 4);
    writer.EndEntry();
    entry.name = "a";
    entry.format = 0;
    entry.dtype = static_cast<int32_t>(DType::kF32);
    entry.sections.resize(1);
    entry.sections[0].role = BnqRole::kData;
    entry.sections[0].raw_bytes = 24;
    writer.BeginEntry(entry);
    writer.Append(0, data_.data(), 24);
    writer.EndEntry();
    writer.Finish();
  }

  std::string ReadPlain(const ModelFile& file, const ModelEntry& entry) {
    PlainReader reader(context_, file, entry);
    std::string out(static_cast<size_t>(reader.remaining()), '\0');
    for (char& c : out) reader.Read(&c, 1);
    EXPECT_EQ(reader.remaining(), 0u);
    char c;
    EXPECT_TRUE(FailsWith(Status::kInvalidArgument, "only 0",
                          [&] { reader.Read(&c, 1); }));
    return out;
  }

  Context context_;
  const std::string data_ = std::string(12, 'x') + std::string(12, 'y');
};

// One array, of the file's name.
TEST_F(ModelFileTest, Npy) {
  const std::string header =
      "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)}";
  std::string bytes("\x93NUMPY\x01", 7);
  bytes += std::string("\0", 1) + static_cast<char>(header.size()) +
           std::string("\0", 1) + header +
           std::string(reinterpret_cast<const char*>(data_.data()), 24);
  WriteFile(Path("layer.0.weight.npy"), bytes);
  for (const bool memory : {false, true}) {
    const auto file =
        memory ? ModelFile::FromMemory(context_, bytes.data(), bytes.size())
               : ModelFile::Open(context_, Path("layer.0.weight.npy"));
    EXPECT_EQ(file->kind(), FileKind::kNpy);
    EXPECT_TRUE(file->metadata().empty());
    ASSERT_EQ(file->entries().size(), 1u);
    const ModelEntry& entry = file->entries()[0];
    EXPECT_EQ(entry.name, memory ? "array" : "layer.0.weight");
    EXPECT_EQ(file->Find(entry.name), &entry);
    EXPECT_EQ(entry.dtype, static_cast<int32_t>(DType::kF32));
    EXPECT_EQ(entry.shape.ToString(), "[2, 3]");
    EXPECT_EQ(ReadPlain(*file, entry), bytes.substr(bytes.size() - 24));
    file->Release(entry, 0, 24);
    EXPECT_EQ(std::memcmp(file->Mapped(entry), data_.data(), 24), 0);
  }
}

TEST_F(ModelFileTest, Safetensors) {
  WriteSafetensors("m");
  const auto file = ModelFile::Open(context_, Path("m"));
  EXPECT_EQ(file->kind(), FileKind::kSafetensors);
  EXPECT_EQ(file->metadata(), (Metadata{{"format", "pt"}}));
  ASSERT_EQ(file->entries().size(), 2u);
  const ModelEntry& a = file->entries()[0];
  EXPECT_EQ(a.name, "a");
  EXPECT_EQ(a.format, 0);
  EXPECT_EQ(a.dtype, static_cast<int32_t>(DType::kF32));
  EXPECT_EQ(a.shape.ToString(), "[2, 3]");
  EXPECT_EQ(a.raw_bytes, 24u);
  EXPECT_EQ(a.stored_bytes, 24u);
  EXPECT_EQ(std::memcmp(file->Mapped(a), data_.data(), 24), 0);
  file->Release(a, 0, 24);
  file->Release(a, 25, UINT64_MAX);
  EXPECT_EQ(ReadPlain(*file, a), data_);
  EXPECT_EQ(ReadPlain(*file, *file->Find("b")), "b");
  EXPECT_EQ(file->Find("c"), nullptr);
}

TEST_F(ModelFileTest, Bnq) {
  for (const bool compress : {false, true}) {
    const std::string name = compress ? "c" : "m";
    WriteBnq(name, compress);
    const auto file = ModelFile::Open(context_, Path(name));
    EXPECT_EQ(file->kind(), FileKind::kBnq);
    EXPECT_EQ(file->metadata(), (Metadata{{"format", "pt"}}));
    ASSERT_EQ(file->entries().size(), 2u);
    const ModelEntry& a = file->entries()[0];
    EXPECT_EQ(a.raw_bytes, 24u);
    EXPECT_EQ(a.stored_bytes < 24u, compress);
    EXPECT_EQ(file->Mapped(a) == nullptr, compress);
    file->Release(a, 0, 24);
    EXPECT_EQ(ReadPlain(*file, a), data_);
    const ModelEntry& q = file->entries()[1];
    EXPECT_EQ(q.format, 1);
    EXPECT_EQ(q.dtype, 0);
    EXPECT_EQ(q.raw_bytes, 6u);
    ASSERT_EQ(q.sections.size(), 2u);
    EXPECT_EQ(q.sections[1].role, BnqRole::kScales);
    EXPECT_EQ(q.sections[1].raw_bytes, 4u);
    file->Release(q, 0, 2, 0);
    file->Release(q);
    std::string scales(4, ' ');
    file->OpenSection(context_, q, 1)->Read(&scales[0], 4);
    EXPECT_EQ(scales, "ssss");
    file->VerifyRest();
    EXPECT_TRUE(FailsWith(Status::kUnsupported, "tensor \"q\" is quantized",
                          [&] { PlainReader(context_, *file, q); }));
  }
}

TEST_F(ModelFileTest, Index) {
  WriteSafetensors("shard");
  WriteFile(Path("index"),
            "\n {\"weight_map\":{\"a\":\"shard\",\"b\":\"shard\"}}");
  const auto file = ModelFile::Open(context_, Path("index"));
  EXPECT_EQ(file->kind(), FileKind::kSafetensorsIndex);
  ASSERT_EQ(file->entries().size(), 2u);
  EXPECT_EQ(ReadPlain(*file, file->entries()[0]), data_);
  EXPECT_EQ(file->metadata(), (Metadata{{"format", "pt"}}));
  ASSERT_EQ(file->files().size(), 2u);
  EXPECT_EQ(file->files()[1]->path(), Path("shard"));
  EXPECT_TRUE(file->IsReadFrom(Path("index")));
  EXPECT_TRUE(file->IsReadFrom(Path("shard")));
}

TEST_F(ModelFileTest, KnowsItsFilesUnderOtherNames) {
  WriteSafetensors("m");
  WriteBnq("other", false);
  const auto file = ModelFile::Open(context_, Path("m"));
  ASSERT_EQ(sys::HardLink(Path("m"), Path("hard")), 0);
  EXPECT_TRUE(file->IsReadFrom(directory_ + "//./m"));
  EXPECT_TRUE(file->IsReadFrom(Path("hard")));
#if !defined(_WIN32)
  std::filesystem::create_symlink("m", Path("soft"));
  EXPECT_TRUE(file->IsReadFrom(Path("soft")));
#endif
  EXPECT_FALSE(file->IsReadFrom(Path("other")));
  EXPECT_FALSE(file->IsReadFrom(Path("none")));
}

TEST_F(ModelFileTest, ToldByContentNotByName) {
  WriteSafetensors("m.bnq");
  EXPECT_EQ(ModelFile::Open(context_, Path("m.bnq"))->kind(),
            FileKind::kSafetensors);
  WriteBnq("m.safetensors", false);
  EXPECT_EQ(ModelFile::Open(context_, Path("m.safetensors"))->kind(),
            FileKind::kBnq);
  const auto refuses = [&](const std::string& bytes, const std::string& text,
                           Status status = Status::kCorruptFile) {
    return FailsWith(status, text, [&] {
      const ExactBytes exact(bytes);
      ModelFile::FromMemory(context_, exact.data(), exact.size());
    });
  };
  EXPECT_TRUE(refuses("", "(memory)\" is empty"));
  EXPECT_TRUE(refuses("anything else, say", "is it a safetensors file?"));
  EXPECT_TRUE(
      refuses("\x89"
              "BNQ\n\x1a\n and so on",
              "transfer as text"));
  EXPECT_TRUE(
      refuses("\x89"
              "BNQ",
              "at least 64"));
  EXPECT_TRUE(
      refuses(R"({"weight_map":{}})", "from memory", Status::kUnsupported));
  // A header of 123 bytes starts with what is also '{'.
  const std::string header(123 - 2, ' ');
  const ExactBytes odd(SafetensorsBytes("{}" + header));
  EXPECT_EQ(ModelFile::FromMemory(context_, odd.data(), odd.size())->kind(),
            FileKind::kSafetensors);
  EXPECT_TRUE(refuses("{}", "from memory", Status::kUnsupported));
  WriteFile(Path("config.json"), "[1]");
  EXPECT_TRUE(FailsWith(Status::kCorruptFile, "found an array", [&] {
    ModelFile::Open(context_, Path("config.json"));
  }));
  WriteFile(Path("config.json"), R"({"hidden_size": 1})");
  EXPECT_TRUE(FailsWith(Status::kCorruptFile, "without a weight_map", [&] {
    ModelFile::Open(context_, Path("config.json"));
  }));
  EXPECT_TRUE(FailsWith(Status::kNotFound, Path("none"),
                        [&] { ModelFile::Open(context_, Path("none")); }));
}

TEST_F(ModelFileTest, ForeignFilesAreNamed) {
  const std::string zeros(300, '\0');
  const struct {
    std::string bytes;
    const char* what;
  } cases[] = {
      {"version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
       "a Git LFS pointer, not the file itself; `git lfs pull`"},
      {"PK\x03\x04\x14" + zeros, "a zip archive (a PyTorch"},
      {"\x89HDF\r\n\x1a\n" + zeros, "an HDF5 file"},
      {"\x1f\x8b\x08" + zeros, "compressed by gzip"},
      {"\x28\xb5\x2f\xfd" + zeros, "compressed by zstd"},
      {zeros.substr(0, 257) + "ustar" + zeros, "a tar archive"},
      {"\x80\x04\x95" + zeros, "a pickle"},
      {"\x80\x02\x8a\x0al\xfc and so on", "a pickle"},
      {"\n<!DOCTYPE html>\n<html>", "a page of HTML"},
      {"<html><head>", "a page of HTML"},
  };
  for (const auto& c : cases) {
    EXPECT_TRUE(FailsWith(Status::kUnsupported,
                          "\"" + Path("m") + "\" is " + c.what, [&] {
                            WriteFile(Path("m"), c.bytes);
                            ModelFile::Open(context_, Path("m"));
                          }));
  }
}

TEST_F(ModelFileTest, ReadInsteadOfMapped) {
  Context context;
  context.map_files = false;
  WriteSafetensors("m");
  WriteBnq("b", false);
  WriteFile(Path("index"), "{\"weight_map\":{\"a\":\"m\",\"b\":\"m\"}}");
  for (const char* name : {"m", "b", "index"}) {
    const auto file = ModelFile::Open(context, Path(name));
    // A mapping would end this process with SIGBUS.
    for (const MappedFile* part : file->files()) {
      ASSERT_EQ(truncate(part->path().c_str(), 0), 0);
    }
    EXPECT_EQ(ReadPlain(*file, *file->Find("a")), data_);
    std::filesystem::remove(Path("m"));
    WriteSafetensors("m");
  }
}

TEST_F(ModelFileTest, NpyNamesAreText) {
  const std::string npy =
      std::string("\x93NUMPY\x01\0\x3b\0", 10) +
      "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), } \n" + "abcd";
  WriteFile(Path("caf\xc3\xa9.npy"), npy);
  EXPECT_EQ(
      ModelFile::Open(context_, Path("caf\xc3\xa9.npy"))->entries()[0].name,
      "caf\xc3\xa9");
  WriteFile(Path("w\xff.npy"), npy);
  EXPECT_TRUE(FailsWith(
      Status::kUnsupported,
      "w\\xff.npy\": its array has the file's name, \"w\\xff\", which is not",
      [&] { ModelFile::Open(context_, Path("w\xff.npy")); }));
  // A path may be any bytes.
  WriteSafetensors("m\xff");
  EXPECT_EQ(ModelFile::Open(context_, Path("m\xff"))->entries().size(), 2u);
}

TEST_F(ModelFileTest, FromMemoryHasNoFiles) {
  const ExactBytes bytes(GoodRawFile().Bytes());
  const auto file = ModelFile::FromMemory(context_, bytes.data(), bytes.size());
  EXPECT_EQ(file->kind(), FileKind::kBnq);
  EXPECT_EQ(ReadPlain(*file, file->entries()[0]), "0123456789abcdef");
  WriteFile(Path("x"), "");
  EXPECT_FALSE(file->IsReadFrom(Path("x")));
}

}  // namespace
}  // namespace bnq
