#include "core/io/model_directory.h"

#include "tests/io/io_test_util.h"

namespace bnq {
namespace {

class ModelDirectoryTest : public TempDirTest {
 protected:
  // What is chosen of a directory of these (and hidden ones).
  std::string Of(const std::vector<std::string>& names) {
    std::filesystem::remove_all(Path("d"));
    std::filesystem::create_directory(Path("d"));
    for (const char* hidden : {"._model.safetensors", ".x.bnq"}) {
      WriteFile(Path("d/") + hidden, "");
    }
    for (const std::string& name : names) WriteFile(Path("d/" + name), "");
    const std::string chosen = ModelPath(Path("d"));
    EXPECT_EQ(ModelPath(Path("d/")), chosen);
    return chosen.substr(Path("d/").size());
  }
  testing::AssertionResult Fails(Status status, const std::string& text,
                                 const std::vector<std::string>& names) {
    return FailsWith(status, text, [&] { Of(names); });
  }
};

TEST_F(ModelDirectoryTest, TheOneModelInIt) {
  EXPECT_EQ(Of({"config.json", "model.safetensors", "README.md"}),
            "model.safetensors");
  EXPECT_EQ(Of({"any.bnq"}), "any.bnq");
  EXPECT_EQ(
      Of({"model.safetensors.index.json", "model-00001-of-00002.safetensors",
          "model-00002-of-00002.safetensors", "config.json"}),
      "model.safetensors.index.json");
  EXPECT_EQ(Of({"m.bnq.index.json", "m-00001-of-00001.bnq"}),
            "m.bnq.index.json");
  // Of several, Hugging Face's.
  EXPECT_EQ(Of({"consolidated.safetensors", "model.safetensors.index.json",
                "model.bnq"}),
            "model.safetensors.index.json");
  EXPECT_EQ(Of({"model.safetensors.index.json", "model.safetensors"}),
            "model.safetensors");
  // Beside other models, GGUF files are copies of them.
  EXPECT_EQ(Of({"a.safetensors", "q4.gguf", "q8.gguf"}), "a.safetensors");
  EXPECT_EQ(Of({"q4.gguf", "config.json"}), "q4.gguf");
  EXPECT_EQ(Of({"q4-00002-of-00002.gguf", "q4-00001-of-00002.gguf"}),
            "q4-00001-of-00002.gguf");
}

TEST_F(ModelDirectoryTest, WhatIsMissing) {
  EXPECT_TRUE(Fails(Status::kNotFound, "has no model: no file *.safetensors",
                    {"config.json"}));
  EXPECT_TRUE(Fails(Status::kNotFound, "but not the index (*.index.json)",
                    {"model-00001-of-00002.safetensors"}));
  EXPECT_TRUE(Fails(Status::kNotFound,
                    "\"pytorch_model.bin\" is a PyTorch checkpoint",
                    {"config.json", "pytorch_model.bin"}));
  EXPECT_TRUE(Fails(Status::kUnsupported,
                    "2 models (\"a.bnq\", \"b.safetensors\"); name the one",
                    {"a.bnq", "b.safetensors"}));
  EXPECT_TRUE(Fails(Status::kUnsupported, "2 models (\"a.gguf\", \"b.gguf\")",
                    {"a.gguf", "b.gguf"}));
}

TEST_F(ModelDirectoryTest, OtherPathsAreThemselves) {
  WriteFile(Path("m.index.json"), "");
  EXPECT_EQ(ModelPath(Path("none")), Path("none"));
  EXPECT_EQ(ModelPath(""), "");
  EXPECT_EQ(ModelPath(Path("m")), Path("m.index.json"));
  WriteFile(Path("m"), "");
  EXPECT_EQ(ModelPath(Path("m")), Path("m"));
}

}  // namespace
}  // namespace bnq
