#include <functional>

#include "core/io/gguf.h"
#include "core/io/model_file.h"
#include "tests/io/gguf_raw.h"

namespace bnq {
namespace {

std::shared_ptr<const ModelFile> OpenBytes(const ExactBytes& bytes) {
  return ModelFile::FromMemory(Context(), bytes.data(), bytes.size());
}

// A key of each kind, a plain tensor, one of blocks, one without elements.
GgufRaw Good() {
  GgufRaw raw;
  raw.keys = {{"general.architecture", "t"}, {"a.list", "str[]:\"x\",\"y\""}};
  raw.tensors = {{"plain", {3, 2}, 0, 0},
                 {"blocks", {64, 2}, 8, 32},
                 {"none", {0, 5}, 24, 192}};
  raw.data = Noise(32 + 160);
  for (int i = 24; i < 32; ++i) raw.data[i] = '\0';
  for (int i = 168; i < 192; ++i) raw.data[i] = '\0';
  return raw;
}

TEST(GgufReader, TensorsAndMetadata) {
  const GgufRaw raw = Good();
  const ExactBytes bytes(raw.Bytes());
  const auto file = OpenBytes(bytes);
  EXPECT_EQ(file->kind(), FileKind::kGguf);
  EXPECT_EQ(file->metadata(), (Metadata{{"a.list", "str[]:\"x\",\"y\""},
                                        {"general.architecture", "t"}}));
  ASSERT_EQ(file->entries().size(), 3u);
  const ModelEntry& blocks = file->entries()[0];
  EXPECT_EQ(blocks.name, "blocks");
  EXPECT_EQ(blocks.dtype, static_cast<int32_t>(DType::kU8));
  EXPECT_EQ(blocks.shape.ToString(), "[2, 68]");
  EXPECT_TRUE(blocks.blocks);
  EXPECT_EQ(blocks.blocks.type, GgmlType::kQ8_0);
  EXPECT_EQ(blocks.blocks.shape.ToString(), "[2, 64]");
  EXPECT_EQ(blocks.raw_bytes, 136u);
  EXPECT_EQ(
      std::string(reinterpret_cast<const char*>(file->Mapped(blocks)), 136),
      raw.data.substr(32, 136));
  EXPECT_EQ(file->Find("none")->shape.ToString(), "[5, 0]");
  const ModelEntry& plain = *file->Find("plain");
  EXPECT_EQ(plain.shape.ToString(), "[2, 3]");
  EXPECT_EQ(plain.dtype, static_cast<int32_t>(DType::kF32));
  EXPECT_FALSE(plain.blocks);
  file->VerifyRest();
}

TEST(GgufReader, TruncationAtEveryByte) {
  const std::string whole = Good().Bytes();
  // What is missing at the end of the last tensor's padding is nothing.
  const size_t end = whole.size() - 24;
  for (size_t n = 4; n < end; ++n) {
    const ExactBytes bytes(whole.substr(0, n));
    EXPECT_TRUE(FailsWith(Status::kCorruptFile, "", [&] { OpenBytes(bytes); }))
        << n;
  }
}

TEST(GgufReader, EveryFieldDamaged) {
  using Change = std::function<void(GgufRaw*)>;
  const struct {
    Status status;
    const char* error;
    Change change;
  } cases[] = {
      {Status::kUnsupported, "GGUF version 1 is not supported, must be 2 or 3",
       [](GgufRaw* r) { r->version = 1; }},
      {Status::kUnsupported, "GGUF version 0",
       [](GgufRaw* r) { r->version = 0; }},
      {Status::kUnsupported, "GGUF version 4",
       [](GgufRaw* r) { r->version = 4; }},
      {Status::kUnsupported, "big-endian",
       [](GgufRaw* r) { r->version = 3u << 24; }},
      {Status::kCorruptFile, "number of keys = ",
       [](GgufRaw* r) { r->num_keys = uint64_t{1} << 63; }},
      {Status::kCorruptFile, "number of keys = 1000, which do not fit",
       [](GgufRaw* r) { r->num_keys = 1000; }},
      {Status::kCorruptFile, "number of tensors = ",
       [](GgufRaw* r) { r->num_tensors = uint64_t{1} << 63; }},
      {Status::kCorruptFile, "number of tensors = 100, which do not fit",
       [](GgufRaw* r) { r->num_tensors = 100; }},
      {Status::kCorruptFile, "key 0: name is empty",
       [](GgufRaw* r) { r->keys[0].first = ""; }},
      {Status::kCorruptFile, "65536 bytes, must be at most 65535",
       [](GgufRaw* r) { r->keys[0].first = std::string(65536, 'k'); }},
      {Status::kUnsupported, "is not UTF-8 without NUL",
       [](GgufRaw* r) { r->keys[0].first = "\xFF"; }},
      {Status::kCorruptFile, "key \"a.list\" is there twice",
       [](GgufRaw* r) { r->keys[0].first = "a.list"; }},
      {Status::kCorruptFile, "must be u32, a power of two",
       [](GgufRaw* r) {
         r->keys[0] = {"general.alignment", "u32:24"};
       }},
      {Status::kCorruptFile, "must be u32, a power of two",
       [](GgufRaw* r) {
         r->keys[0] = {"general.alignment", "u32:0"};
       }},
      {Status::kCorruptFile, "must be u32, a power of two",
       [](GgufRaw* r) {
         r->keys[0] = {"general.alignment", "u64:32"};
       }},
      {Status::kCorruptFile, "must be u32, a power of two",
       [](GgufRaw* r) {
         r->keys[0] = {"general.alignment", "u32:131072"};
       }},
      {Status::kCorruptFile, "tensor 1: name is empty",
       [](GgufRaw* r) { r->tensors[1].name = ""; }},
      {Status::kCorruptFile, "has 128 bytes, must be at most 127",
       [](GgufRaw* r) { r->tensors[1].name = std::string(128, 'n'); }},
      {Status::kUnsupported, "is not UTF-8 without NUL",
       [](GgufRaw* r) { r->tensors[1].name = std::string("a\0", 2); }},
      {Status::kCorruptFile, "tensor \"plain\" is there twice",
       [](GgufRaw* r) { r->tensors[1].name = "plain"; }},
      {Status::kCorruptFile, "tensor \"plain\": rank = 5, must be at most 4",
       [](GgufRaw* r) {
         r->tensors[0].dims = {1, 1, 1, 1, 6};
       }},
      {Status::kCorruptFile, "tensor \"plain\": shape [9223372036854775808, 2]",
       [](GgufRaw* r) {
         r->tensors[0].dims = {2, uint64_t{1} << 63};
       }},
      {Status::kCorruptFile, "too many elements",
       [](GgufRaw* r) {
         r->tensors[0].dims = {uint64_t{1} << 32, uint64_t{1} << 31};
       }},
      {Status::kUnsupported, "type = 77, which is none of ggml's",
       [](GgufRaw* r) { r->tensors[0].type = 77; }},
      {Status::kUnsupported, "type = -1",
       [](GgufRaw* r) { r->tensors[0].type = UINT32_MAX; }},
      {Status::kUnsupported, "type = 4 (Q4_2), which ggml has no longer",
       [](GgufRaw* r) { r->tensors[0].type = 4; }},
      {Status::kUnsupported, "(IQ4_NL_8_8, or TL1 of microsoft/BitNet)",
       [](GgufRaw* r) { r->tensors[0].type = 38; }},
      {Status::kCorruptFile, "of type Q8_0: must have a multiple of 32",
       [](GgufRaw* r) {
         r->tensors[1].dims = {48, 2};
       }},
      {Status::kCorruptFile, "must have a multiple of 32",
       [](GgufRaw* r) { r->tensors[1].dims = {}; }},
      {Status::kCorruptFile, "of type I2_S: must have a multiple of 4",
       [](GgufRaw* r) { r->tensors[0].type = 36; }},
      {Status::kCorruptFile, "tensor \"blocks\": offset = 0, must be 32",
       [](GgufRaw* r) { r->tensors[1].offset = 0; }},
      {Status::kCorruptFile, "offset = 64, must be 32",
       [](GgufRaw* r) { r->tensors[1].offset = 64; }},
      {Status::kCorruptFile, "offset = 18446744073709551584, must be 32",
       [](GgufRaw* r) { r->tensors[1].offset = UINT64_MAX - 31; }},
      // CVE-2026-7482: larger than the file.
      {Status::kCorruptFile, "tensor \"none\": has 1099511627776 bytes at",
       [](GgufRaw* r) { r->tensors[2].dims = {uint64_t{1} << 40}; }},
      {Status::kCorruptFile, "1 behind its last tensor",
       [](GgufRaw* r) { r->data += '\0'; }},
  };
  for (const auto& c : cases) {
    GgufRaw raw = Good();
    c.change(&raw);
    const ExactBytes bytes(raw.Bytes());
    EXPECT_TRUE(FailsWith(c.status, c.error, [&] { OpenBytes(bytes); }));
  }
}

TEST(GgufReader, PaddingIsZero) {
  for (const size_t at : {size_t{25}, size_t{170}}) {
    GgufRaw raw = Good();
    raw.data[at] = 1;
    const ExactBytes bytes(raw.Bytes());
    EXPECT_TRUE(FailsWith(Status::kCorruptFile, "belongs to no tensor",
                          [&] { OpenBytes(bytes)->VerifyRest(); }));
  }
  GgufRaw raw = Good();
  std::string file = raw.Bytes();
  file[raw.Header().size()] = 1;
  const ExactBytes bytes(file);
  EXPECT_TRUE(FailsWith(Status::kCorruptFile, "belongs to no tensor",
                        [&] { OpenBytes(bytes)->VerifyRest(); }));
}

TEST(GgufReader, AlignmentsAndVersionTwo) {
  for (const uint64_t alignment : {1, 8, 64, 65536}) {
    GgufRaw raw;
    raw.version = 2;
    raw.alignment = alignment;
    raw.keys = {{"general.alignment", GgufText("u32", alignment)}};
    raw.tensors = {{"a", {3}, 24, 0},
                   {"b", {3}, 24, (alignment + 2) / alignment * alignment}};
    raw.data = "abc" + std::string(raw.tensors[1].offset - 3, '\0') + "def";
    const ExactBytes bytes(raw.Bytes());
    const auto file = OpenBytes(bytes);
    EXPECT_EQ(std::memcmp(file->Mapped(*file->Find("b")), "def", 3), 0);
    file->VerifyRest();
  }
}

TEST(GgufReader, WithoutTensors) {
  GgufRaw raw;
  raw.num_tensors = 0;
  const ExactBytes bytes(raw.Bytes());
  EXPECT_EQ(bytes.size(), 32u);
  EXPECT_TRUE(OpenBytes(bytes)->entries().empty());
  const ExactBytes bare(raw.Header());
  EXPECT_TRUE(OpenBytes(bare)->entries().empty());
}

TEST(GgmlTypes, BlocksHaveTheBytesOfTheirRows) {
  int types = 0;
  for (int32_t id = 0; id < 64; ++id) {
    const GgmlTypeInfo* const info = FindGgmlType(id);
    if (info == nullptr) continue;
    ++types;
    EXPECT_EQ(info->plain(), GgmlTypeOf(info->dtype) == info) << info->name;
    if (info->plain() || info->block_elements == 0) continue;
    GgmlBlocks blocks{info->type, {}};
    const uint64_t dims[] = {2, 3, 256};
    blocks.shape = Shape::Make(3, dims);
    Shape bytes;
    ASSERT_TRUE(TryBlockBytes(blocks, &bytes));
    EXPECT_EQ(bytes.dims[2], 256 / info->block_elements * info->block_bytes);
  }
  EXPECT_EQ(types, 36);
}

}  // namespace
}  // namespace bnq
