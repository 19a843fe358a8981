#include "core/model/layer_kind.h"

#include <gtest/gtest.h>

#include "core/base/error.h"

namespace bnq {
namespace {

TEST(LayerKind, OfNamesInUse) {
  const struct {
    const char* name;
    LayerKind kind;
  } cases[] = {
      // Hugging Face: llama, qwen, mixtral, deepseek.
      {"model.embed_tokens.weight", LayerKind::kEmbedding},
      {"model.layers.0.self_attn.q_proj.weight", LayerKind::kAttention},
      {"model.layers.0.self_attn.q_norm.weight", LayerKind::kNorm},
      {"model.layers.10.mlp.gate_proj.weight", LayerKind::kFfn},
      {"model.layers.10.mlp.gate.weight", LayerKind::kRouter},
      {"model.layers.0.block_sparse_moe.gate.weight", LayerKind::kRouter},
      {"model.layers.0.mlp.experts.7.down_proj.weight", LayerKind::kFfn},
      {"model.layers.0.mlp.experts.gate_up_proj", LayerKind::kFfn},
      {"model.layers.0.mlp.shared_expert_gate.weight", LayerKind::kRouter},
      {"model.layers.0.input_layernorm.weight", LayerKind::kNorm},
      {"model.norm.weight", LayerKind::kNorm},
      {"lm_head.weight", LayerKind::kHead},
      {"model.visual.blocks.0.attn.qkv.weight", LayerKind::kVision},
      {"vision_tower.encoder.layers.0.mlp.fc1.weight", LayerKind::kVision},
      // GPT-2, GPT-NeoX, BERT, T5, OPT, ChatGLM.
      {"transformer.wte.weight", LayerKind::kEmbedding},
      {"transformer.h.0.attn.c_attn.weight", LayerKind::kAttention},
      {"transformer.h.0.ln_1.weight", LayerKind::kNorm},
      {"transformer.h.0.mlp.c_fc.weight", LayerKind::kFfn},
      {"embed_out.weight", LayerKind::kHead},
      {"bert.encoder.layer.0.attention.output.dense.weight",
       LayerKind::kAttention},
      {"bert.encoder.layer.0.attention.output.LayerNorm.weight",
       LayerKind::kNorm},
      {"bert.encoder.layer.0.output.dense.weight", LayerKind::kFfn},
      {"bert.embeddings.word_embeddings.weight", LayerKind::kEmbedding},
      {"shared.weight", LayerKind::kEmbedding},
      {"decoder.block.0.layer.0.SelfAttention.q.weight", LayerKind::kAttention},
      {"decoder.block.0.layer.2.DenseReluDense.wi_0.weight", LayerKind::kFfn},
      {"model.decoder.layers.0.self_attn.out_proj.weight",
       LayerKind::kAttention},
      {"transformer.output_layer.weight", LayerKind::kHead},
      // GGUF.
      {"token_embd.weight", LayerKind::kEmbedding},
      {"output.weight", LayerKind::kHead},
      {"output_norm.weight", LayerKind::kNorm},
      {"blk.0.attn_q.weight", LayerKind::kAttention},
      {"blk.0.attn_norm.weight", LayerKind::kNorm},
      {"blk.0.ffn_gate.weight", LayerKind::kFfn},
      {"blk.0.ffn_gate_inp.weight", LayerKind::kRouter},
      {"blk.0.ssm_conv1d.weight", LayerKind::kStateSpace},
      {"backbone.layers.0.mixer.conv1d.weight", LayerKind::kStateSpace},
      {"backbone.layers.0.mixer.A_log", LayerKind::kStateSpace},
      // Words within words.
      {"monkey.weight", LayerKind::kOther},
      {"fcat.weight", LayerKind::kOther},
      {"conv1.weight", LayerKind::kOther},
      {"", LayerKind::kOther},
      {"...", LayerKind::kOther},
      {"Wqkv.weight", LayerKind::kAttention},
      {"encoder.QKVProj", LayerKind::kAttention},
      {"fc1.weight", LayerKind::kFfn},
  };
  for (const auto& c : cases) {
    EXPECT_STREQ(LayerKindName(static_cast<int>(LayerKindOf(c.name))),
                 LayerKindName(static_cast<int>(c.kind)))
        << c.name;
  }
}

// SLI's AdaptiveQuantizer: attention's words, then FFN's.
TEST(LayerKind, HasTheSeedsWords) {
  for (const char* word :
       {"attn", "attention", "query", "key", "value", "qkv"}) {
    EXPECT_EQ(LayerKindOf(std::string("layer.") + word + ".weight"),
              LayerKind::kAttention)
        << word;
  }
  for (const char* word : {"ffn", "mlp", "feedforward", "fc"}) {
    EXPECT_EQ(LayerKindOf(std::string("layer.") + word + ".weight"),
              LayerKind::kFfn)
        << word;
  }
}

TEST(LayerKind, TakesWords) {
  const LayerWords words = {{LayerKind::kAttention, "mixer"},
                            {LayerKind::kRouter, "=top"},
                            {LayerKind::kHead, "^top"}};
  EXPECT_EQ(LayerKindOf("layers.0.mixer.norm", words), LayerKind::kAttention);
  EXPECT_EQ(LayerKindOf("a.top.weight", words), LayerKind::kRouter);
  EXPECT_EQ(LayerKindOf("a.top_k.weight", words), LayerKind::kOther);
  EXPECT_EQ(LayerKindOf("b.MixerBlock", words), LayerKind::kAttention);
  for (const char* bad : {"", "=", "^", "a.b", "a b", "=^a", "_"}) {
    EXPECT_THROW(CheckLayerWord(bad), Error) << bad;
  }
  CheckLayerWord("^q_proj2");
}

TEST(LayerKind, Names) {
  for (int i = 0; i < kNumLayerKinds; ++i) {
    EXPECT_EQ(LayerKindNamed(LayerKindName(i)), static_cast<LayerKind>(i));
  }
  EXPECT_EQ(LayerKindName(kNumLayerKinds), nullptr);
  try {
    LayerKindNamed("attentoin");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.status(), Status::kNotFound);
    EXPECT_NE(error.message().find("did you mean \"attention\""),
              std::string::npos)
        << error.message();
  }
}

}  // namespace
}  // namespace bnq
