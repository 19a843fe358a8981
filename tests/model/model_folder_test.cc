#include "core/model/model_folder.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "tests/io/io_test_util.h"

namespace bnq {
namespace {

class ModelFolderTest : public TempDirTest {
 protected:
  ModelConfig Read(const std::string& text) {
    WriteFile(Path("config.json"), text);
    return ReadModelConfig(Context(), directory_ + "/");
  }
};

TEST_F(ModelFolderTest, Config) {
  const ModelConfig plain = Read(
      R"({"a": [1, {"model_type": "no"}], "model_type": "llama4", "x": null,
          "text_config": {"model_type": "llama4_text", "hidden_size": 32},
          "vision_config": {"hidden_size": 48, "y": 1.5},
          "other": {"model_type": "no"}})");
  EXPECT_EQ(plain.model_types,
            (std::vector<std::string>{"llama4", "llama4_text"}));
  EXPECT_EQ(plain.hidden_size, 32u);
  EXPECT_EQ(plain.quantization, "");
  EXPECT_EQ(Read(R"({"quantization_config": {"bits": 4,
                     "quant_method": "gptq"}})")
                .quantization,
            "gptq");
  EXPECT_EQ(Read(R"({"quantization": {"bits": 4}})").quantization,
            "quantization");
  // As transformers writes it where there is none.
  EXPECT_EQ(Read(R"({"quantization_config": null})").quantization, "");
}

TEST_F(ModelFolderTest, ConfigCutAnywhere) {
  const std::string whole =
      R"({"model_type": "llama", "quantization_config": {"quant_method": "x"}})";
  for (size_t end = 0; end < whole.size(); ++end) {
    EXPECT_TRUE(FailsWith(Status::kCorruptFile, "config.json", [&] {
      Read(whole.substr(0, end));
    })) << end;
  }
  EXPECT_TRUE(FailsWith(Status::kCorruptFile, "deep",
                        [&] { Read(std::string(200, '[')); }));
}

TEST_F(ModelFolderTest, WhenAFolderIsMeant) {
  EXPECT_FALSE(FolderOutput::IsMeant(directory_, Path("out")));
  Read("{}");
  EXPECT_TRUE(FolderOutput::IsMeant(directory_, Path("out")));
  EXPECT_TRUE(FolderOutput::IsMeant(directory_, Path("out.v2/")));
  EXPECT_FALSE(FolderOutput::IsMeant(directory_, Path("out.bnq")));
  EXPECT_FALSE(FolderOutput::IsMeant(directory_, Path("out.safetensors")));
  EXPECT_FALSE(FolderOutput::IsMeant(Path("config.json"), Path("out")));
}

}  // namespace
}  // namespace bnq
