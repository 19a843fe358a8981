// Names, keys and donors of exports to GGUF.
#include <cmath>

#include "core/interchange/gguf_names.h"
#include "core/io/gguf_value.h"
#include "core/model/foreign_model.h"
#include "tests/interchange/gguf_test_util.h"
#include "tests/io/gguf_raw.h"

namespace bnq {
namespace {

using Dims = std::vector<uint64_t>;

// A layer of 2 heads of 16 columns under 1 of keys, as Hugging Face has it.
std::string Config(const std::string& type, const std::string& more = "") {
  return "{\"model_type\": \"" + type +
         "\", \"hidden_size\": 32, \"intermediate_size\": 64, "
         "\"num_hidden_layers\": 1, \"num_attention_heads\": 2, "
         "\"num_key_value_heads\": 1, \"vocab_size\": 8, "
         "\"max_position_embeddings\": 99, \"rms_norm_eps\": 1e-05, "
         "\"rope_theta\": 10000.0" +
         more + "}";
}

std::map<std::string, Dims> Matrices() {
  return {{"self_attn.q_proj", {32, 32}}, {"self_attn.k_proj", {16, 32}},
          {"self_attn.v_proj", {16, 32}}, {"self_attn.o_proj", {32, 32}},
          {"mlp.gate_proj", {64, 32}},    {"mlp.up_proj", {64, 32}},
          {"mlp.down_proj", {32, 64}}};
}

// A model of Hugging Face's, whose matrices are quantized.
class HfModel {
 public:
  explicit HfModel(const std::vector<std::string>& norms, bool head = true,
                   const TestModel& more = {}) {
    uint32_t seed = 1;
    for (const auto& [name, dims] : Matrices()) {
      tensors_.emplace("model.layers.0." + name + ".weight",
                       RandomTensor("format=int8,group_size=32,scale_dtype=f16",
                                    dims, ++seed));
    }
    TestModel plain = more;
    for (const std::string& norm : norms) {
      plain.emplace("model.layers.0." + norm + ".weight",
                    TestArray({32}, std::vector<float>(32, 1.0f)));
    }
    plain.emplace("model.norm.weight",
                  TestArray({32}, std::vector<float>(32, 2.0f)));
    plain.emplace("model.embed_tokens.weight",
                  TestArray({8, 32}, std::vector<float>(256, 3.0f)));
    if (head) {
      plain.emplace("lm_head.weight",
                    TestArray({8, 32}, std::vector<float>(256, 4.0f)));
    }
    TestTensors pointers;
    for (const auto& item : tensors_) {
      pointers.emplace(item.first, item.second.get());
    }
    file_ = std::make_unique<BnqInMemory>(pointers, plain);
  }
  const std::shared_ptr<const ModelFile>& file() const { return file_->file(); }
  const QuantizedTensor& Get(const std::string& name) const {
    return *tensors_.at("model.layers.0." + name + ".weight");
  }

 private:
  std::map<std::string, std::unique_ptr<QuantizedTensor>> tensors_;
  std::unique_ptr<BnqInMemory> file_;
};

const std::vector<std::string> kNorms = {"input_layernorm",
                                         "post_attention_layernorm"};

std::string ValueOf(const ModelFile& file, const std::string& key) {
  for (const auto& [name, text] : file.metadata()) {
    if (name == key) return text;
  }
  return "(none)";
}

TEST(GgufExport, LlamaFromItsConfig) {
  const HfModel model(kNorms);
  const GgufExport exported = ExportGguf(model.file(), Config("llama"));
  EXPECT_NE(exported.warning.find("no tokenizer"), std::string::npos);
  const Foreign out(exported.file, "", "gguf");
  std::vector<std::string> names;
  for (const ModelEntry& entry : out.file().entries()) {
    names.push_back(entry.name);
  }
  EXPECT_EQ(names, (std::vector<std::string>{
                       "blk.0.attn_k.weight", "blk.0.attn_norm.weight",
                       "blk.0.attn_output.weight", "blk.0.attn_q.weight",
                       "blk.0.attn_v.weight", "blk.0.ffn_down.weight",
                       "blk.0.ffn_gate.weight", "blk.0.ffn_norm.weight",
                       "blk.0.ffn_up.weight", "output.weight",
                       "output_norm.weight", "token_embd.weight"}));
  const Metadata expected = {
      {"general.architecture", "llama"},
      {"general.file_type", "u32:7"},
      {"general.quantization_version", "u32:2"},
      {"general.type", "model"},
      {"llama.attention.head_count", "u32:2"},
      {"llama.attention.head_count_kv", "u32:1"},
      {"llama.attention.key_length", "u32:16"},
      {"llama.attention.layer_norm_rms_epsilon", "f32:1e-05"},
      {"llama.attention.value_length", "u32:16"},
      {"llama.block_count", "u32:1"},
      {"llama.context_length", "u32:99"},
      {"llama.embedding_length", "u32:32"},
      {"llama.feed_forward_length", "u32:64"},
      {"llama.rope.dimension_count", "u32:16"},
      {"llama.rope.freq_base", "f32:10000"},
      {"llama.vocab_size", "u32:8"},
      {"tokenizer.ggml.model", "no_vocab"}};
  EXPECT_EQ(out.file().metadata(), expected);
  // Rows of queries and keys: two halves of a head become neighbours.
  EXPECT_EQ(out.Values("blk.0.attn_v.weight"),
            ValuesOf(model.Get("self_attn.v_proj")));
  for (const char* const which : {"q", "k"}) {
    const std::vector<float> from =
        ValuesOf(model.Get(Message("self_attn.", which, "_proj")));
    const std::vector<float> to =
        out.Values(Message("blk.0.attn_", which, ".weight"));
    ASSERT_EQ(from.size(), to.size());
    for (size_t row = 0; row < to.size() / 32; ++row) {
      const size_t head = row / 16 * 16, i = row % 16;
      const size_t source = head + (i % 2) * 8 + i / 2;
      for (size_t c = 0; c < 32; ++c) {
        ASSERT_EQ(to[row * 32 + c], from[source * 32 + c]) << row;
      }
    }
  }
}

TEST(GgufExport, OtherArchitectures) {
  // Biases, norms of heads, norms within, tied heads; rows stay where they are.
  const TestModel biases = {{"model.layers.0.self_attn.q_proj.bias",
                             TestArray({32}, std::vector<float>(32, 0.5f))}};
  const HfModel qwen2(kNorms, /*head=*/true, biases);
  const GgufExport tied = ExportGguf(
      qwen2.file(), Config("qwen2", ", \"tie_word_embeddings\": true"));
  const Foreign out(tied.file, "", "gguf");
  EXPECT_EQ(out.file().Find("output.weight"), nullptr);
  EXPECT_NE(out.file().Find("blk.0.attn_q.bias"), nullptr);
  EXPECT_EQ(out.Values("blk.0.attn_q.weight"),
            ValuesOf(qwen2.Get("self_attn.q_proj")));

  std::vector<std::string> norms = kNorms;
  for (const char* name : {"self_attn.q_norm", "self_attn.k_norm"}) {
    norms.push_back(name);
  }
  const GgufExport qwen3 =
      ExportGguf(HfModel(norms).file(), Config("qwen3", ", \"head_dim\": 16"));
  const Foreign third(qwen3.file, "", "gguf");
  EXPECT_NE(third.file().Find("blk.0.attn_q_norm.weight"), nullptr);
  EXPECT_EQ(ValueOf(third.file(), "qwen3.attention.key_length"), "u32:16");

  norms = kNorms;
  for (const char* name : {"self_attn.attn_sub_norm", "mlp.ffn_sub_norm"}) {
    norms.push_back(name);
  }
  const GgufExport bitnet =
      ExportGguf(HfModel(norms, /*head=*/false).file(),
                 Config("bitnet", ", \"tie_word_embeddings\": true"));
  const Foreign fourth(bitnet.file, "", "gguf");
  EXPECT_NE(fourth.file().Find("blk.0.ffn_sub_norm.weight"), nullptr);
}

// A file with a scale of the embedding has "wrong number of tensors" to
// llama.cpp.
TEST(GgufExport, AnEmbeddingIsNoNvfp4) {
  const auto tensor =
      RandomTensor("format=e2m1,group_size=16,scale_dtype=e4m3", {2, 64});
  const BnqInMemory file(
      {{"token_embd.weight", tensor.get()}, {"output.weight", tensor.get()}});
  const GgufExport exported = ExportGguf(file.file());
  EXPECT_EQ(exported.verdicts.at("output.weight"), Verdict::kExact);
  EXPECT_EQ(exported.verdicts.at("token_embd.weight"),
            Verdict::kNotRepresentable);
}

TEST(GgufExport, RotationsThatAreScaled) {
  const HfModel model(kNorms);
  const GgufExport linear = ExportGguf(
      model.file(),
      Config("llama",
             ", \"rope_scaling\": {\"type\": \"linear\", \"factor\": 4.0}"));
  const Foreign out(linear.file, "", "gguf");
  EXPECT_EQ(ValueOf(out.file(), "llama.rope.scaling.type"), "linear");
  EXPECT_EQ(ValueOf(out.file(), "llama.rope.scaling.factor"), "f32:4");

  const std::string scaled = Config(
      "llama",
      ", \"rope_parameters\": {\"rope_type\": \"llama3\", \"factor\": 8.0, "
      "\"low_freq_factor\": 1.0, \"high_freq_factor\": 4.0, "
      "\"original_max_position_embeddings\": 64}");
  const GgufExport llama3 = ExportGguf(model.file(), scaled);
  const Foreign third(llama3.file, "", "gguf");
  const ModelEntry* const factors = third.file().Find("rope_freqs.weight");
  ASSERT_NE(factors, nullptr);
  const std::vector<float> values = PlainValues(third.file(), *factors);
  ASSERT_EQ(values.size(), 8u);
  for (size_t i = 0; i < 8; ++i) {
    const double wave =
        2 * std::acos(-1.0) * std::pow(10000.0, static_cast<double>(i) / 8);
    double expected = wave > 64 ? 8.0 : 1.0;
    if (wave <= 64 && wave >= 16) {
      const double smooth = (64 / wave - 1) / 3;
      expected = 1 / ((1 - smooth) / 8 + smooth);
    }
    EXPECT_FLOAT_EQ(values[i], static_cast<float>(expected)) << i;
  }
  EXPECT_EQ(ValueOf(third.file(), "llama.rope.scaling.type"), "(none)");
}

TEST(GgufExport, TensorsOnlyWhereNothingIsKnown) {
  const HfModel model(kNorms);
  const struct {
    std::string config;
    const char* why;
  } cases[] = {
      {"", "there is no config.json"},
      {Config("gpt2"), "model_type = \"gpt2\" is none of"},
      {"{\"model_type\": \"llama\"}", "has no num_hidden_layers"},
      {Config("qwen3"), "no tensor for blk.0.attn_q_norm.weight"},
      {Config("llama", ", \"attention_bias\": true"), "attention_bias"},
      {Config("llama", ", \"rope_scaling\": {\"rope_type\": \"yarn\"}"),
       "rope_scaling of type \"yarn\""},
  };
  for (const auto& c : cases) {
    const GgufExport exported = ExportGguf(model.file(), c.config);
    EXPECT_NE(exported.warning.find("tensors only"), std::string::npos);
    EXPECT_NE(exported.warning.find(c.why), std::string::npos)
        << exported.warning;
    const Foreign out(exported.file, "", "gguf");
    EXPECT_NE(out.file().Find("model.layers.0.mlp.up_proj.weight"), nullptr);
    EXPECT_EQ(ValueOf(out.file(), "general.architecture"), "(none)");
  }
  const HfModel strange(kNorms, true, {{"x", TestArray({1}, {1.0f})}});
  EXPECT_NE(ExportGguf(strange.file(), Config("llama"))
                .warning.find("tensor \"x\" is none of those"),
            std::string::npos);
}

class GgufDonorTest : public TempDirTest {
 protected:
  std::string Donor(const std::string& file) {
    WriteFile(Path("donor.gguf"), file);
    return Path("donor.gguf");
  }
};

TEST_F(GgufDonorTest, EveryKeyOfAGgufFileStays) {
  const auto tensor =
      RandomTensor("format=int4,group_size=32,scale_dtype=f16", {2, 64});
  const Metadata metadata = {{"general.architecture", "any"},
                             {"general.file_type", "u32:7"},
                             {"tokens", "str[]:\"a\",\"\\xFF\""},
                             {"x", "f32:0x7F800001"}};
  const BnqInMemory file({{"a", tensor.get()}}, {}, metadata);
  const GgufExport exported = ExportGguf(file.file());
  EXPECT_EQ(exported.warning, "");
  const Foreign out(exported.file, "", "gguf");
  Metadata expected = metadata;
  expected[1].second = "u32:2";
  expected.insert(expected.begin() + 2,
                  {"general.quantization_version", "u32:2"});
  EXPECT_EQ(out.file().metadata(), expected);
}

// Also blocks that cannot be written otherwise: from file to file.
TEST_F(GgufDonorTest, BlocksOfAGgufFileStay) {
  const std::string from = BNQ_TEST_GOLDEN "/interchange/gguf/blocks.gguf";
  const Context context;
  const auto raw = ModelFile::Open(context, from);
  const auto view = ForeignView(context, raw);
  const GgufExport exported = ExportGguf(view);
  EXPECT_EQ(exported.warning, "");
  ASSERT_FALSE(exported.file.empty());
  const Foreign out(exported.file, "", "gguf");
  EXPECT_EQ(out.file().entries().size(), raw->entries().size());
  for (const ModelEntry& entry : raw->entries()) {
    const ModelEntry& same = *out.file().Find(entry.name);
    EXPECT_EQ(same.blocks.type, entry.blocks.type) << entry.name;
    ASSERT_EQ(same.raw_bytes, entry.raw_bytes);
    EXPECT_EQ(std::memcmp(out.file().Mapped(same), raw->Mapped(entry),
                          entry.raw_bytes),
              0)
        << entry.name;
  }
}

TEST_F(GgufDonorTest, KeysAndNamesOfAnother) {
  const HfModel model(kNorms);
  // Another quantization of the same model, with a tokenizer.
  GgufExport other = ExportGguf(model.file(), Config("llama"));
  const Foreign first(other.file, "", "gguf");
  std::string bytes;
  {
    TestTensors tensors;
    std::vector<std::unique_ptr<QuantizedTensor>> kept;
    TestModel plain;
    for (const ModelEntry& entry : first.file().entries()) {
      const Shape& shape = entry.blocks ? entry.blocks.shape : entry.shape;
      const Dims dims(shape.dims, shape.dims + shape.rank);
      if (shape.rank < 2) {
        plain.emplace(entry.name,
                      TestArray(dims, std::vector<float>(dims[0], 9.0f)));
        continue;
      }
      kept.push_back(
          RandomTensor("format=int4,group_size=32,scale_dtype=f16", dims, 77));
      tensors.emplace(entry.name, kept.back().get());
    }
    Metadata metadata = first.file().metadata();
    SetMetadata("tokenizer.ggml.tokens", "str[]:\"a\",\"b\"", &metadata);
    bytes = ExportGguf(BnqInMemory(tensors, plain, metadata).file()).file;
  }
  const std::string path = Donor(bytes);
  const GgufExport exported = ExportGguf(model.file(), Config("llama"), path);
  EXPECT_EQ(exported.warning, "");
  const Foreign out(exported.file, "", "gguf");
  EXPECT_EQ(ValueOf(out.file(), "tokenizer.ggml.tokens"), "str[]:\"a\",\"b\"");
  EXPECT_EQ(ValueOf(out.file(), "general.file_type"), "u32:7");
  EXPECT_EQ(out.Values("blk.0.attn_q.weight"),
            first.Values("blk.0.attn_q.weight"));

  EXPECT_TRUE(FailsWith(
      Status::kInvalidArgument, "is of the architecture \"llama\", the model's",
      [&] { ExportGguf(model.file(), Config("qwen2"), path); }));
  const HfModel more(kNorms, true,
                     {{"model.layers.0.self_attn.q_proj.bias",
                       TestArray({32}, std::vector<float>(32, 1.0f))}});
  EXPECT_TRUE(FailsWith(
      Status::kInvalidArgument, "tensor \"blk.0.attn_q.bias\" is not in",
      [&] { ExportGguf(more.file(), Config("llama"), path); }));
  const HfModel fewer(kNorms, /*head=*/false);
  EXPECT_TRUE(FailsWith(
      Status::kInvalidArgument, "but the model has no such tensor", [&] {
        ExportGguf(fewer.file(),
                   Config("llama", ", \"tie_word_embeddings\": true"), path);
      }));
  EXPECT_TRUE(FailsWith(
      Status::kInvalidArgument, "with the key general.architecture", [&] {
        ExportGguf(model.file(), Config("llama"), Donor(GgufRaw().Bytes()));
      }));
  EXPECT_TRUE(FailsWith(Status::kNotFound, "metadata_from", [&] {
    ExportGguf(model.file(), Config("llama"), Path("none.gguf"));
  }));
  EXPECT_TRUE(FailsWith(Status::kCorruptFile, "metadata_from", [&] {
    ExportGguf(model.file(), Config("llama"), Donor("GGUF"));
  }));
}

}  // namespace
}  // namespace bnq
