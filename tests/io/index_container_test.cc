#include "core/io/container.h"

#include <filesystem>
#include <string>

#include "tests/io/bnq_raw.h"
#include "tests/io/io_test_util.h"

namespace bnq {
namespace {

class IndexContainerTest : public TempDirTest {
 protected:
  void SetUp() override {
    TempDirTest::SetUp();
    context_.log = [this](LogLevel level, const char* message) {
      EXPECT_EQ(level, LogLevel::kWarning);
      warnings_.push_back(message);
    };
  }

  // A shard with one byte for each of these names, the name's last character.
  void WriteShard(const std::string& file,
                  const std::vector<std::string>& names,
                  const std::string& metadata = "") {
    std::string header = "{", data;
    if (!metadata.empty()) header += "\"__metadata__\":" + metadata;
    for (size_t i = 0; i < names.size(); ++i) {
      if (header.size() > 1) header += ',';
      header += "\"" + names[i] +
                "\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[" +
                std::to_string(i) + "," + std::to_string(i + 1) + "]}";
      data += names[i].back();
    }
    WriteFile(Path(file), SafetensorsBytes(header + "}", data));
  }

  std::unique_ptr<ContainerReader> OpenFile(const std::string& path) {
    return kIndexContainer.open(context_, MappedFile::Open(context_, path));
  }
  std::unique_ptr<ContainerReader> Open(const std::string& json) {
    WriteFile(Path("model.safetensors.index.json"), json);
    return OpenFile(Path("model.safetensors.index.json"));
  }

  testing::AssertionResult Refuses(const std::string& json,
                                   const std::string& text,
                                   Status status = Status::kCorruptFile) {
    return FailsWith(status, text, [&] { Open(json); });
  }

  Context context_;
  std::vector<std::string> warnings_;
};

TEST_F(IndexContainerTest, JoinsTheShards) {
  WriteShard("1.safetensors", {"b", "d"});
  WriteShard("2.safetensors", {"c", "a"});
  const auto index =
      Open(R"({"metadata":{"total_size":4,"x":[{}]},"weight_map":{)"
           R"("d":"1.safetensors","a":"2.safetensors","b":"1.safetensors",)"
           R"("c":"2.safetensors"},"other":[1,2]})");
  ASSERT_EQ(index->entries().size(), 4u);
  EXPECT_EQ(index->kind(), FileKind::kSafetensorsIndex);
  for (size_t i = 0; i < 4; ++i) {
    const ModelEntry& entry = index->entries()[i];
    const std::string name(1, static_cast<char>('a' + i));
    EXPECT_EQ(entry.name, name);
    EXPECT_EQ(*entry.reader->Mapped(entry.index, 0), name[0]);
  }
  std::vector<const MappedFile*> files;
  index->ListFiles(&files);
  ASSERT_EQ(files.size(), 3u);
  EXPECT_EQ(files[2]->path(), Path("2.safetensors"));
  files.clear();
  index->entries()[0].reader->ListFiles(&files);
  EXPECT_EQ(files[0]->path(), Path("2.safetensors"));
  EXPECT_TRUE(index->metadata().empty());
  EXPECT_TRUE(warnings_.empty());
}

TEST_F(IndexContainerTest, EmptyMap) {
  EXPECT_TRUE(Open(R"({"weight_map":{}})")->entries().empty());
}

TEST_F(IndexContainerTest, MetadataIsThatOfTheShards) {
  WriteShard("1", {"a"}, R"({"format":"pt","x":"1","one":"1"})");
  WriteShard("2", {"b"}, R"({"format":"pt","x":"2","two":"2"})");
  const auto index =
      Open(R"({"weight_map":{"b":"2","a":"1"},"metadata":{"y":"z"}})");
  const Metadata expected = {
      {"format", "pt"}, {"one", "1"}, {"two", "2"}, {"x", "1"}};
  EXPECT_EQ(index->metadata(), expected);
  ASSERT_EQ(warnings_.size(), 1u);
  EXPECT_NE(warnings_[0].find("metadata \"x\""), std::string::npos);
}

TEST_F(IndexContainerTest, WarnsOfTensorsTheIndexLeavesOut) {
  WriteShard("1", {"a", "c", "b"});
  const auto index = Open(R"({"weight_map":{"a":"1"}})");
  EXPECT_EQ(index->entries().size(), 1u);
  ASSERT_EQ(warnings_.size(), 1u);
  EXPECT_NE(warnings_[0].find("2 tensors"), std::string::npos);
  EXPECT_NE(warnings_[0].find("the first is \"b\""), std::string::npos);
}

TEST_F(IndexContainerTest, FileNamesThatLeadElsewhere) {
  WriteShard("shard", {"a"});
  ASSERT_EQ(sys::MakeFolder(Path("sub"), 0700), 0);
  WriteShard("sub/shard", {"a"});
  for (const char* name : {"sub/shard", "./shard", "../shard", "sub\\\\shard",
                           ".", "..", "", "\\u0000", "shard\\u0000x"}) {
    EXPECT_TRUE(Refuses(R"({"weight_map":{"a":")" + std::string(name) + "\"}}",
                        "weight_map \"a\": file name = "))
        << name;
  }
  EXPECT_TRUE(Refuses(R"({"weight_map":{"a":")" + Path("shard") + "\"}}",
                      "without a path"));
}

TEST_F(IndexContainerTest, MissingFilesAndTensors) {
  WriteShard("1", {"a"});
  WriteShard("2", {"b"});
  EXPECT_TRUE(Refuses(R"({"weight_map":{"a":"1","b":"3"}})", Path("3"),
                      Status::kNotFound));
  EXPECT_TRUE(Refuses(R"({"weight_map":{"a":"1","b":"2","c":"2"}})",
                      "tensor \"c\" is not in \"" + Path("2") + "\""));
  EXPECT_TRUE(
      Refuses(R"({"weight_map":{"a":"2","b":"2"}})", "tensor \"a\" is not in"));
  EXPECT_TRUE(
      Refuses(R"({"weight_map":{"a":"sub"}})", Path("sub"), Status::kNotFound));
}

TEST_F(IndexContainerTest, ANameInTwoFiles) {
  WriteShard("1", {"a", "b"});
  WriteShard("2", {"b", "c"});
  EXPECT_TRUE(Refuses(
      R"({"weight_map":{"a":"1","b":"1","c":"2"}})",
      "tensor \"b\" is in both \"" + Path("1") + "\" and \"" + Path("2")));
  // Also where the index does not mention it.
  EXPECT_TRUE(Refuses(R"({"weight_map":{"a":"1","c":"2"}})",
                      "tensor \"b\" is in both"));
  EXPECT_TRUE(Refuses(R"({"weight_map":{"a":"1","b":"1","b":"2"}})",
                      "the tensor \"b\" twice"));
  EXPECT_TRUE(Refuses(R"({"weight_map":{"a":"1","b":"1","b":"1"}})",
                      "the tensor \"b\" twice"));
  // One file under two names.
  ASSERT_EQ(sys::HardLink(Path("1"), Path("1b")), 0);
  EXPECT_TRUE(Refuses(R"({"weight_map":{"a":"1","b":"1b"}})", "is in both"));
}

TEST_F(IndexContainerTest, AShardThatIsDamaged) {
  WriteShard("1", {"a"});
  WriteFile(Path("2"), ReadFile(Path("1")) + "x");
  EXPECT_TRUE(Refuses(R"({"weight_map":{"a":"2"}})",
                      "\"" + Path("2") + "\": MetadataIncompleteBuffer"));
  // Not an index within an index.
  EXPECT_TRUE(Refuses(R"({"weight_map":{"a":"model.safetensors.index.json"}})",
                      "cannot be a part of a model: its kind is index"));
  // Nor files of two kinds.
  WriteFile(Path("3"), GoodRawFile().Bytes());
  EXPECT_TRUE(Refuses(R"({"weight_map":{"a":"1","b":"3"}})",
                      "\"" + Path("1") + "\" and \"" + Path("3") +
                          "\" are of different kinds"));
}

TEST_F(IndexContainerTest, WhatIsNotAnIndex) {
  EXPECT_TRUE(Refuses("{}", "without a weight_map"));
  EXPECT_TRUE(Refuses(R"({"architectures":["X"]})", "without a weight_map"));
  EXPECT_TRUE(Refuses("[]", "found an array, expected an object"));
  EXPECT_TRUE(Refuses("{", "byte"));
  EXPECT_TRUE(Refuses("{\xff}", "byte 1 is not UTF-8"));
  EXPECT_TRUE(Refuses(R"({"weight_map":[]})", "expected weight_map to be"));
  EXPECT_TRUE(Refuses(R"({"weight_map":1})", "expected weight_map to be"));
  EXPECT_TRUE(Refuses(R"({"weight_map":null})", "found null"));
  EXPECT_TRUE(Refuses(R"({"weight_map":{"a":1}})",
                      "weight_map \"a\": found 1, expected a file name"));
  EXPECT_TRUE(Refuses(R"({"weight_map":{"a":["b"]}})", "found an array"));
  EXPECT_TRUE(Refuses(R"({"weight_map":{"a":{}}})", "found an object"));
  EXPECT_TRUE(
      Refuses(R"({"weight_map":{},"weight_map":{}})", "weight_map is given"));
  EXPECT_TRUE(Refuses(R"({"x":)" + std::string(200, '['), "128 deep"));
}

#if !defined(_WIN32)
TEST_F(IndexContainerTest, ShardsAreBesideTheLink) {
  // As in a download cache: links to files of other names.
  ASSERT_EQ(sys::MakeFolder(Path("blobs"), 0700), 0);
  ASSERT_EQ(sys::MakeFolder(Path("snapshot"), 0700), 0);
  WriteShard("blobs/1234", {"a"});
  WriteFile(Path("blobs/5678"), R"({"weight_map":{"a":"shard"}})");
  std::filesystem::create_symlink("../blobs/1234", Path("snapshot/shard"));
  std::filesystem::create_symlink("../blobs/5678", Path("snapshot/index"));
  const auto index = OpenFile(Path("snapshot/index"));
  EXPECT_EQ(index->entries().size(), 1u);
}
#endif

}  // namespace
}  // namespace bnq
