#include <gtest/gtest.h>

#include <string>

#include "core/io/safetensors.h"
#include "tests/io/io_test_util.h"

namespace bnq {
namespace {

SafetensorsTensor Tensor(const std::string& name, DType dtype,
                         const std::vector<uint64_t>& dims) {
  return {name, dtype,
          Shape::Make(static_cast<int32_t>(dims.size()), dims.data())};
}

class SafetensorsWriterTest : public TempDirTest {
 protected:
  // Writes the tensors with these bytes in the order of the file.
  std::string Write(const std::vector<SafetensorsTensor>& tensors,
                    const std::vector<std::string>& data,
                    const Metadata& metadata = {}) {
    SafetensorsWriter writer(Path("out"), {/*overwrite=*/true, false, false},
                             tensors, metadata);
    for (size_t i = 0; i < data.size(); ++i) {
      writer.Append(i, data[i].data(), data[i].size());
    }
    writer.Finish();
    const std::string bytes = ReadFile(Path("out"));
    EXPECT_EQ(bytes.size(), writer.file_bytes());
    return bytes;
  }
};

TEST_F(SafetensorsWriterTest, GoldenNoTensors) {
  EXPECT_EQ(Write({}, {}), std::string("\x08\0\0\0\0\0\0\0{}      ", 16));
}

TEST_F(SafetensorsWriterTest, GoldenMetadataOnly) {
  EXPECT_EQ(Write({}, {}, {{"framework", "pt"}}),
            SafetensorsBytes(R"({"__metadata__":{"framework":"pt"}}     )"));
}

TEST_F(SafetensorsWriterTest, GoldenF32) {
  const float values[6] = {0, 1, 2, 3, 4, 5};
  const std::string data(reinterpret_cast<const char*>(values), 24);
  const std::string file =
      Write({Tensor("attn.0", DType::kF32, {1, 2, 3})}, {data});
  const std::string json =
      R"({"attn.0":{"dtype":"F32","shape":[1,2,3],"data_offsets":[0,24]}})";
  ASSERT_EQ(json.size(), 64u);
  EXPECT_EQ(file.size(), 96u);
  EXPECT_EQ(file, SafetensorsBytes(json, data));
}

TEST_F(SafetensorsWriterTest, GoldenF4) {
  const std::string json =
      R"({"attn.0":{"dtype":"F4","shape":[1,2],"data_offsets":[0,1]}})";
  ASSERT_EQ(json.size(), 60u);
  EXPECT_EQ(Write({Tensor("attn.0", DType::kF4, {1, 2})}, {"\x12"}),
            SafetensorsBytes(json + "    ", "\x12"));
  EXPECT_TRUE(
      FailsWith(Status::kInvalidArgument, "MisalignedSlice: tensor", [&] {
        Write({Tensor("attn.0", DType::kF4, {1, 3})}, {"ab"});
      }));
  EXPECT_TRUE(
      FailsWith(Status::kInvalidArgument, "InvalidTensorView: tensor", [&] {
        Write({Tensor("attn.0", DType::kF4, {1, 2})}, {"ab"});
      }));
}

TEST_F(SafetensorsWriterTest, GoldenTwoTensors) {
  const std::string json =
      R"({"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},)"
      R"("a":{"dtype":"U8","shape":[1],"data_offsets":[4,5]}})";
  ASSERT_EQ(json.size(), 106u);
  const std::string file =
      Write({Tensor("a", DType::kU8, {1}), Tensor("b", DType::kF32, {1})},
            {"wxyz", "v"});
  EXPECT_EQ(file[0], '\x70');
  EXPECT_EQ(file, SafetensorsBytes(json + "      ", "wxyzv"));
}

TEST_F(SafetensorsWriterTest, SortsByTypeDescendingThenName) {
  const std::vector<DType> order = {
      DType::kU64,        DType::kI64,    DType::kF64,    DType::kC64,
      DType::kF32,        DType::kU32,    DType::kI32,    DType::kBF16,
      DType::kF16,        DType::kU16,    DType::kI16,    DType::kF8E5M2FNUZ,
      DType::kF8E4M3FNUZ, DType::kF8E8M0, DType::kF8E4M3, DType::kF8E5M2,
      DType::kI8,         DType::kU8,     DType::kF6E3M2, DType::kF6E2M3,
      DType::kF4,         DType::kBool};
  std::vector<SafetensorsTensor> tensors;
  for (const char* name : {"b", "\xc3\xa9", "a", "B"}) {
    for (int32_t id = 1; const DTypeInfo* info = FindDType(id); ++id) {
      tensors.push_back(
          Tensor(std::string(name) + info->name, info->dtype, {8}));
    }
  }
  const SafetensorsLayout layout = LayOutSafetensors(tensors, {});
  ASSERT_EQ(layout.entries.size(), 4 * order.size());
  uint64_t position = layout.header.size();
  for (size_t i = 0; i < layout.entries.size(); ++i) {
    const SafetensorsEntry& entry = layout.entries[i];
    const char* names[] = {"B", "a", "b", "\xc3\xa9"};
    EXPECT_EQ(entry.dtype, order[i / 4]) << i;
    EXPECT_EQ(entry.name, std::string(names[i % 4]) + Info(entry.dtype).name);
    EXPECT_EQ(entry.offset, position);
    position += entry.bytes;
  }
  EXPECT_EQ(layout.file_bytes, position);
  EXPECT_EQ(layout.header.size() % 8, 0u);
}

TEST_F(SafetensorsWriterTest, EscapesAndReadsBack) {
  const std::string name =
      "a\"\\/\b\f\n\r\t\x01\x1f\x7f\xc3\xa9\xf0\x9f\x98\x80";
  const Metadata metadata = {{name, name}, {"", ""}, {"__metadata__", "x"}};
  const std::string file =
      Write({Tensor(name, DType::kU8, {2}), Tensor("e", DType::kF32, {0, 4}),
             Tensor("scalar", DType::kI16, {})},
            {"", "yz", "ab"}, metadata);
  EXPECT_NE(file.find(R"("a\"\\/\b\f\n\r\t\u0001\u001f)"), std::string::npos);
  const ExactBytes bytes(file);
  const SafetensorsReader reader(bytes.File());
  EXPECT_EQ(reader.metadata(), SortedMetadata(metadata));
  ASSERT_EQ(reader.entries().size(), 3u);
  EXPECT_EQ(std::memcmp(reader.Data(*reader.Find(name)), "ab", 2), 0);
  EXPECT_EQ(std::memcmp(reader.Data(*reader.Find("scalar")), "yz", 2), 0);
  EXPECT_EQ(reader.Find("e")->shape.ToString(), "[0, 4]");
}

TEST_F(SafetensorsWriterTest, MetadataIsWrittenSorted) {
  EXPECT_EQ(Write({}, {}, {{"b", "1"}, {"a", "2"}}),
            SafetensorsBytes(R"({"__metadata__":{"a":"2","b":"1"}}      )"));
}

TEST_F(SafetensorsWriterTest, SlicesGiveTheSameFile) {
  const std::vector<SafetensorsTensor> tensors = {
      Tensor("a", DType::kF32, {50}), Tensor("empty", DType::kF32, {0}),
      Tensor("b", DType::kF16, {33})};
  const std::string a = Noise(200, 1), b = Noise(66, 2);
  const std::string whole = Write(tensors, {a, "", b});
  SafetensorsWriter writer(Path("sliced"), {}, tensors, {});
  ASSERT_EQ(writer.entries()[1].name, "empty");
  for (size_t i = 0; i < a.size(); i += 8) writer.Append(0, &a[i], 8);
  for (const char& c : b) writer.Append(2, &c, 1);
  writer.Finish();
  EXPECT_EQ(ReadFile(Path("sliced")), whole);
}

TEST_F(SafetensorsWriterTest, ChecksOrderAndTotals) {
  const std::vector<SafetensorsTensor> tensors = {Tensor("a", DType::kU8, {4}),
                                                  Tensor("b", DType::kU8, {4})};
  {
    SafetensorsWriter writer(Path("out"), {}, tensors, {});
    EXPECT_TRUE(FailsWith(Status::kInvalidArgument, "tensor \"b\" is not next",
                          [&] { writer.Append(1, "x", 1); }));
    writer.Append(0, "abc", 3);
    EXPECT_TRUE(FailsWith(Status::kInvalidArgument,
                          "InvalidTensorView: tensor \"a\"",
                          [&] { writer.Append(0, "de", 2); }));
    EXPECT_TRUE(FailsWith(Status::kInvalidArgument,
                          "tensor \"a\" has 3 of its 4 bytes",
                          [&] { writer.Append(1, "x", 1); }));
    writer.Append(0, "d", 1);
    writer.Append(1, "x", 1);
    EXPECT_TRUE(FailsWith(Status::kInvalidArgument, "tensor \"a\" is not next",
                          [&] { writer.Append(0, "x", 1); }));
    EXPECT_TRUE(FailsWith(Status::kInvalidArgument,
                          "index = 2, must be below 2",
                          [&] { writer.Append(2, "x", 1); }));
    EXPECT_TRUE(FailsWith(Status::kInvalidArgument, "tensor \"b\"",
                          [&] { writer.Finish(); }));
  }
  EXPECT_TRUE(List().empty());
}

TEST_F(SafetensorsWriterTest, RefusesWhatTheFormatCannotHold) {
  const auto layout = [](std::vector<SafetensorsTensor> tensors,
                         Metadata metadata = {}) {
    return [=] { LayOutSafetensors(tensors, metadata); };
  };
  EXPECT_TRUE(FailsWith(Status::kInvalidArgument, "empty",
                        layout({Tensor("", DType::kU8, {1})})));
  EXPECT_TRUE(FailsWith(Status::kInvalidArgument, "reserved",
                        layout({Tensor("__metadata__", DType::kU8, {1})})));
  EXPECT_TRUE(FailsWith(Status::kInvalidArgument, "UTF-8",
                        layout({Tensor("\xff", DType::kU8, {1})})));
  EXPECT_TRUE(FailsWith(
      Status::kInvalidArgument, "\"a\" is given twice",
      layout({Tensor("a", DType::kU8, {1}), Tensor("b", DType::kU8, {1}),
              Tensor("a", DType::kF32, {1})})));
  EXPECT_TRUE(FailsWith(Status::kInvalidArgument, "twice",
                        layout({}, {{"a", "1"}, {"a", "2"}})));
  EXPECT_TRUE(FailsWith(Status::kInvalidArgument, "UTF-8",
                        layout({}, {{"a", "\xff"}})));
  EXPECT_TRUE(
      FailsWith(Status::kInvalidArgument, "ValidationOverflow",
                layout({Tensor("a", DType::kF64, {uint64_t{1} << 60})})));
  const uint64_t half = uint64_t{1} << 60;
  std::vector<SafetensorsTensor> many;
  for (int i = 0; i < 17; ++i) {
    many.push_back(Tensor(std::to_string(i), DType::kU8, {half}));
  }
  EXPECT_TRUE(FailsWith(Status::kInvalidArgument, "overflows", layout(many)));
  Metadata large;
  large.emplace_back("a", std::string(kMaxSafetensorsHeader, 'x'));
  EXPECT_TRUE(FailsWith(Status::kInvalidArgument, "HeaderTooLarge",
                        [&] { LayOutSafetensors({}, std::move(large)); }));
}

TEST_F(SafetensorsWriterTest, DryRunKnowsTheSizeAndWritesNothing) {
  WriteOptions options;
  options.dry_run = true;
  SafetensorsWriter writer(Path("out"), options, {Tensor("a", DType::kU8, {3})},
                           {});
  writer.Append(0, "abc", 3);
  writer.Finish();
  EXPECT_EQ(writer.file_bytes(), 8u + 56 + 3);
  EXPECT_TRUE(List().empty());
}

TEST_F(SafetensorsWriterTest, RefusesAnExistingOutput) {
  WriteFile(Path("out"), "old");
  EXPECT_TRUE(FailsWith(Status::kExists, "out", [&] {
    SafetensorsWriter writer(Path("out"), {}, {}, {});
  }));
  EXPECT_EQ(ReadFile(Path("out")), "old");
}

}  // namespace
}  // namespace bnq
