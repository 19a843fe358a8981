#include "core/model/layer_groups.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace bnq {
namespace {

// The layers of tensors in the order of files, which is that of names.
std::vector<std::string> LayersOf(std::vector<std::string> names) {
  std::sort(names.begin(), names.end());
  std::vector<std::string> layers;
  size_t tensors = 0;
  for (const LayerGroup& group : GroupLayers(names)) {
    layers.push_back(group.name);
    tensors += group.tensors.size();
    for (const size_t i : group.tensors) {
      EXPECT_EQ(names[i].compare(0, group.name.size(), group.name), 0);
    }
    EXPECT_TRUE(std::is_sorted(group.tensors.begin(), group.tensors.end()));
  }
  EXPECT_EQ(tensors, names.size());
  return layers;
}

using Names = std::vector<std::string>;

TEST(GroupLayers, LlamaOfHuggingFace) {
  Names names = {"lm_head.weight", "model.embed_tokens.weight",
                 "model.norm.weight"};
  for (const char* i : {"0", "1", "2", "10", "11"}) {
    for (const char* part :
         {".self_attn.q_proj.weight", ".mlp.experts.7.w1.weight",
          ".input_layernorm.weight"}) {
      names.push_back(std::string("model.layers.") + i + part);
    }
  }
  EXPECT_EQ(LayersOf(names),
            (Names{"model.embed_tokens", "model.layers.0", "model.layers.1",
                   "model.layers.2", "model.layers.10", "model.layers.11",
                   "model.norm", "lm_head"}));
}

TEST(GroupLayers, LlamaOfGguf) {
  EXPECT_EQ(
      LayersOf({"token_embd.weight", "blk.0.attn_q.weight",
                "blk.0.attn_norm.weight", "blk.10.ffn_up.weight",
                "blk.9.ffn_up.weight", "output_norm.weight", "output.weight"}),
      (Names{"token_embd", "blk.0", "blk.9", "blk.10", "output_norm",
             "output"}));
}

TEST(GroupLayers, Gpt2AndBert) {
  EXPECT_EQ(LayersOf({"wte.weight", "wpe.weight", "h.0.attn.c_attn.weight",
                      "h.0.attn.c_attn.bias", "h.1.ln_1.weight", "ln_f.weight",
                      "ln_f.bias"}),
            (Names{"wpe", "wte", "h.0", "h.1", "ln_f"}));
  EXPECT_EQ(
      LayersOf({"bert.embeddings.LayerNorm.weight",
                "bert.embeddings.word_embeddings.weight",
                "bert.encoder.layer.0.attention.self.query.weight",
                "bert.encoder.layer.1.output.dense.weight",
                "bert.pooler.dense.weight", "cls.predictions.bias"}),
      (Names{"bert.embeddings.LayerNorm", "bert.embeddings.word_embeddings",
             "bert.encoder.layer.0", "bert.encoder.layer.1",
             "bert.pooler.dense", "cls.predictions"}));
}

TEST(GroupLayers, EncodersComeBeforeDecoders) {
  EXPECT_EQ(LayersOf({"decoder.block.0.layer.1.EncDecAttention.q.weight",
                      "decoder.final_layer_norm.weight",
                      "encoder.block.0.layer.0.SelfAttention.q.weight",
                      "encoder.block.1.layer.0.SelfAttention.q.weight",
                      "encoder.final_layer_norm.weight", "lm_head.weight",
                      "shared.weight", "vision_tower.layers.0.weight"}),
            (Names{"vision_tower.layers.0", "shared", "encoder.block.0",
                   "encoder.block.1", "encoder.final_layer_norm",
                   "decoder.block.0", "decoder.final_layer_norm", "lm_head"}));
}

TEST(GroupLayers, OtherNames) {
  EXPECT_EQ(
      LayersOf({"conv1.weight", "layer1.0.conv1.weight", "layer1.1.bn1.weight",
                "layer10.0.conv1.weight", "layer2.0.conv1.weight", "fc.weight",
                "fc.bias"}),
      (Names{"conv1", "fc", "layer1.0", "layer1.1", "layer2.0", "layer10.0"}));
  EXPECT_EQ(LayersOf({"params/layers_0/kernel", "params/layers_10/kernel",
                      "params/layers_2/kernel", "params/layers_2/bias"}),
            (Names{"params/layers_0", "params/layers_2", "params/layers_10"}));
  EXPECT_EQ(LayersOf({"0.weight", "0.bias", "2.weight", "weight"}),
            (Names{"0", "2", "weight"}));
  EXPECT_EQ(LayersOf({"a..b", ".x", "7"}), (Names{"", "7", "a."}));
  EXPECT_EQ(LayersOf({}), Names{});
}

}  // namespace
}  // namespace bnq
