#include "core/io/model_output.h"

#include <nlohmann/json.hpp>

#include "core/io/model_file.h"
#include "tests/io/io_test_util.h"

namespace bnq {
namespace {

using Names = std::vector<std::string>;

class ModelOutputTest : public TempDirTest,
                        public testing::WithParamInterface<FileKind> {
 protected:
  std::string Ending() const { return FindContainer(GetParam())->ending; }
  // Of these names' bytes, U8, 10 of each: "aaaaaaaaaa".
  void Write(const std::string& path, const Names& names,
             const WriteOptions& options) {
    std::vector<NewArray> arrays;
    const uint64_t size = 10;
    for (const std::string& name : names) {
      arrays.push_back({name, DType::kU8, Shape::Make(1, &size)});
    }
    ModelOutput output(context_, path, GetParam(), options, {{"k", "v"}},
                       arrays);
    ASSERT_EQ(output.order().size(), names.size());
    for (const size_t i : output.order()) {
      BnqEntry entry;
      entry.name = names[i];
      entry.dtype = static_cast<int32_t>(DType::kU8);
      entry.shape = arrays[i].shape;
      entry.sections.emplace_back();
      entry.sections[0].raw_bytes = size;
      output.BeginEntry(entry);
      output.Append(0, std::string(10, names[i][0]).data(), 10);
      EXPECT_GT(output.EndEntry(), 0u);
    }
    output.Finish();
  }
  static WriteOptions Shards(uint64_t bytes) {
    WriteOptions options;
    options.max_shard_bytes = bytes;
    return options;
  }

  Context context_;
};

TEST_P(ModelOutputTest, SplitsAsHuggingFaceDoes) {
  Write(Path("m" + Ending()), {"a", "b", "c", "d", "e"}, Shards(20));
  EXPECT_EQ(
      List(),
      (Names{"m-00001-of-00003" + Ending(), "m-00002-of-00003" + Ending(),
             "m-00003-of-00003" + Ending(), "m" + Ending() + ".index.json"}));
  const auto index =
      nlohmann::json::parse(ReadFile(Path("m" + Ending() + ".index.json")));
  EXPECT_EQ(index["metadata"]["total_size"], 50);
  EXPECT_EQ(index["weight_map"]["b"], "m-00001-of-00003" + Ending());
  EXPECT_EQ(index["weight_map"]["c"], "m-00002-of-00003" + Ending());
  EXPECT_EQ(index["weight_map"].size(), 5u);
  // The name of the output leads to the index, and so does the directory.
  for (const std::string& path : {Path("m" + Ending()), directory_}) {
    const auto file = ModelFile::Open(context_, path);
    EXPECT_EQ(file->kind(), GetParam() == FileKind::kBnq
                                ? FileKind::kBnqIndex
                                : FileKind::kSafetensorsIndex);
    EXPECT_EQ(file->metadata(), (Metadata{{"k", "v"}}));
    ASSERT_EQ(file->entries().size(), 5u);
    for (const ModelEntry& entry : file->entries()) {
      std::string bytes(10, ' ');
      PlainReader(context_, *file, entry).Read(&bytes[0], 10);
      EXPECT_EQ(bytes, std::string(10, entry.name[0]));
      file->Release(entry);
    }
    file->VerifyRest();
    EXPECT_EQ(file->files().size(), 4u);
  }
  EXPECT_TRUE(FailsWith(Status::kExists, ".index.json", [&] {
    Write(Path("m" + Ending()), {"a"}, Shards(20));
  }));
}

TEST_P(ModelOutputTest, OneFileIsItself) {
  Write(Path("m"), {"a", "b"}, Shards(20));
  EXPECT_EQ(List(), Names{"m"});
  Write(Path("whole"), {"a", "b"}, {});
  EXPECT_EQ(ReadFile(Path("m")), ReadFile(Path("whole")));
  // A tensor that is larger than the limit has a file of its own.
  Write(Path("x"), {"a", "b"}, Shards(1));
  EXPECT_EQ(List(), (Names{"m", "whole", "x-00001-of-00002", "x-00002-of-00002",
                           "x.index.json"}));
  Write(Path("empty"), {}, Shards(1));
  EXPECT_TRUE(ModelFile::Open(context_, Path("empty"))->entries().empty());
}

TEST_P(ModelOutputTest, AllOrNothing) {
  // The second shard's name is taken, which is known only at the end.
  WriteFile(Path("m-00002-of-00002"), "old");
  EXPECT_TRUE(FailsWith(Status::kExists, "m-00002-of-00002", [&] {
    Write(Path("m"), {"a", "b"}, Shards(10));
  }));
  EXPECT_EQ(List(), Names{"m-00002-of-00002"});
  EXPECT_EQ(ReadFile(Path("m-00002-of-00002")), "old");
  WriteOptions replace = Shards(10);
  replace.overwrite = true;
  Write(Path("m"), {"a", "b"}, replace);
  EXPECT_EQ(ModelFile::Open(context_, Path("m"))->entries().size(), 2u);
  // A whole file that was there before is not there any more.
  WriteFile(Path("m"), "old");
  Write(Path("m"), {"a", "b"}, replace);
  EXPECT_FALSE(std::filesystem::exists(Path("m")));
  // Abandoned in the second shard.
  { ModelOutput output(context_, Path("n"), GetParam(), Shards(10), {}, {}); }
  EXPECT_EQ(List().size(), 3u);
}

TEST_P(ModelOutputTest, TruncatedIndexAnywhere) {
  Write(Path("m"), {"a", "b"}, Shards(10));
  const std::string whole = ReadFile(Path("m.index.json"));
  // Its last byte is a newline.
  for (size_t n = 0; n + 1 < whole.size(); ++n) {
    WriteFile(Path("m.index.json"), whole.substr(0, n));
    EXPECT_TRUE(FailsWith(Status::kCorruptFile, "", [&] {
      ModelFile::Open(context_, Path("m"));
    })) << n;
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, ModelOutputTest,
                         testing::Values(FileKind::kBnq,
                                         FileKind::kSafetensors));

TEST(ModelOutput, WhatCannotBeWritten) {
  const auto make = [](FileKind kind, const WriteOptions& options) {
    ModelOutput(Context(), std::make_shared<MemoryOutput>(Allocator()), kind,
                options, {}, {});
  };
  EXPECT_TRUE(
      FailsWith(Status::kInvalidArgument,
                "kind = 4, must be 2 (bnq) or 6 (gguf) or 1 (safetensors)",
                [&] { make(FileKind::kNpy, {}); }));
  WriteOptions split;
  split.max_shard_bytes = 1;
  EXPECT_TRUE(FailsWith(Status::kInvalidArgument, "cannot be split",
                        [&] { make(FileKind::kBnq, split); }));
  split.dry_run = true;
  EXPECT_TRUE(FailsWith(Status::kInvalidArgument, "must be UTF-8", [&] {
    ModelOutput(Context(), "m\xff", FileKind::kBnq, split, {}, {});
  }));
}

}  // namespace
}  // namespace bnq
