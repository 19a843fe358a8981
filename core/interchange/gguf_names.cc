#include "core/interchange/gguf_names.h"

#include <cmath>
#include <utility>

#include "core/base/error.h"
#include "core/base/names.h"
#include "core/base/portable_math.h"
#include "core/interchange/module_arrays.h"
#include "core/io/gguf_value.h"

namespace bnq {

struct GgufNames::Architecture {
  const char* name;  // of llama.cpp, and config.json's model_type
  // The two numbers that a position turns together are neighbours, not half a
  // head apart as in Hugging Face's models: rows of queries and keys are in
  // another order.
  bool permuted;
  bool head_norms, sub_norms;
};

namespace {

struct Module {
  const char* theirs;  // Hugging Face's, within a layer
  const char* ours;    // GGUF's
};
constexpr Module kModules[] = {
    {"input_layernorm", "attn_norm"},
    {"self_attn.q_proj", "attn_q"},
    {"self_attn.k_proj", "attn_k"},
    {"self_attn.v_proj", "attn_v"},
    {"self_attn.o_proj", "attn_output"},
    {"post_attention_layernorm", "ffn_norm"},
    {"mlp.gate_proj", "ffn_gate"},
    {"mlp.up_proj", "ffn_up"},
    {"mlp.down_proj", "ffn_down"},
};
constexpr Module kHeadNorms[] = {{"self_attn.q_norm", "attn_q_norm"},
                                 {"self_attn.k_norm", "attn_k_norm"}};
constexpr Module kSubNorms[] = {{"self_attn.attn_sub_norm", "attn_sub_norm"},
                                {"mlp.ffn_sub_norm", "ffn_sub_norm"}};
// Outside the layers.
constexpr Module kWhole[] = {{"model.embed_tokens.weight", "token_embd.weight"},
                             {"model.norm.weight", "output_norm.weight"},
                             {"lm_head.weight", "output.weight"}};
constexpr char kLayers[] = "model.layers.";

// f(module) for all modules of a layer.
template <class Row, class F>
void ForEachModuleOf(const Row& row, const F& f) {
  for (const Module& module : kModules) f(module);
  if (row.head_norms) {
    for (const Module& module : kHeadNorms) f(module);
  }
  if (row.sub_norms) {
    for (const Module& module : kSubNorms) f(module);
  }
}

}  // namespace

GgufNames::GgufNames(const JsonTree& config, std::string architecture)
    : config_(config), architecture_(std::move(architecture)) {
  static constexpr Architecture kArchitectures[] = {
      {"llama", true, false, false},
      {"qwen2", false, false, false},
      {"qwen3", false, true, false},
      {"bitnet", false, false, true},
  };
  if (!config_.is_object()) {
    why_ = "there is no config.json beside the model";
    return;
  }
  if (architecture_.empty()) {
    architecture_ = StringOr(config_, "model_type", "");
  }
  for (const Architecture& row : kArchitectures) {
    if (architecture_ == row.name) row_ = &row;
  }
  if (row_ == nullptr) {
    why_ = "model_type = " + Quoted(architecture_) +
           " is none of llama, qwen2, qwen3 and bitnet";
    return;
  }
  Check();
}

void GgufNames::Check() {
  layers_ = Number("num_hidden_layers");
  heads_ = Number("num_attention_heads");
  const uint64_t width = Number("hidden_size");
  for (const char* key : {"intermediate_size", "vocab_size"}) Number(key);
  for (const char* key : {"num_hidden_layers", "num_attention_heads",
                          "hidden_size", "intermediate_size", "vocab_size"}) {
    if (Number(key) != 0) continue;
    why_ = Message("config.json has no ", key);
    return;
  }
  kv_heads_ = NumberOr("num_key_value_heads", heads_);
  head_ = NumberOr("head_dim", width / heads_);
  if (kv_heads_ == 0 || head_ == 0 || head_ % 2 != 0 || layers_ > 100000) {
    why_ = "config.json has numbers of heads that cannot be";
    return;
  }
  if (row_->permuted && IsTrue("attention_bias")) {
    why_ = "attention_bias is on, which llama has not";
    return;
  }
  const JsonTree* const rotation = Rotation();
  if (rotation == nullptr) return;
  const std::string type =
      StringOr(*rotation, "rope_type", StringOr(*rotation, "type", "default"));
  if (type == "default" || type == "linear" || type == "llama3") return;
  why_ =
      "rope_scaling of type " + Quoted(type) + " is none of linear and llama3";
}

uint64_t GgufNames::Number(const char* key) const { return NumberOr(key, 0); }

uint64_t GgufNames::NumberOr(const char* key, uint64_t otherwise) const {
  const uint64_t value = UnsignedOr(config_, key, otherwise);
  return value == 0 || value > UINT32_MAX ? otherwise : value;
}

double GgufNames::RealOr(const char* key, double otherwise) const {
  for (const JsonTree* tree : {&config_, Rotation()}) {
    const JsonTree* const found = tree == nullptr ? nullptr : tree->Find(key);
    if (found != nullptr && found->is_number()) return found->number;
  }
  return otherwise;
}

const JsonTree* GgufNames::Rotation() const {
  for (const char* key : {"rope_scaling", "rope_parameters"}) {
    const JsonTree* const found = config_.Find(key);
    if (found != nullptr && found->is_object()) return found;
  }
  return nullptr;
}

bool GgufNames::IsTrue(const char* key) const {
  const JsonTree* const found = config_.Find(key);
  return found != nullptr && found->kind == JsonTree::Kind::kBool &&
         found->truth;
}

bool GgufNames::IsLeftOut(const std::string& name) const {
  return EndsWith(name, ".rotary_emb.inv_freq") ||
         (name == "lm_head.weight" && IsTrue("tie_word_embeddings"));
}

std::string GgufNames::NameOf(const std::string& name) const {
  for (const Module& whole : kWhole) {
    if (name == whole.theirs) return whole.ours;
  }
  constexpr size_t kLength = sizeof kLayers - 1;
  if (name.compare(0, kLength, kLayers) != 0) return "";
  const size_t dot = name.find('.', kLength), last = name.rfind('.');
  if (dot == std::string::npos || last <= dot) return "";
  const std::string layer = name.substr(kLength, dot - kLength);
  const std::string module = name.substr(dot + 1, last - dot - 1);
  const std::string part = name.substr(last);
  std::string found;
  if (layer.find_first_not_of("0123456789") != std::string::npos ||
      (part != ".weight" && part != ".bias")) {
    return "";
  }
  ForEachModuleOf(*row_, [&](const Module& m) {
    if (module == m.theirs) found = "blk." + layer + '.' + m.ours + part;
  });
  return found;
}

std::vector<std::string> GgufNames::Expected() const {
  std::vector<std::string> names = {"token_embd.weight", "output_norm.weight"};
  if (!IsTrue("tie_word_embeddings")) names.push_back("output.weight");
  for (uint64_t i = 0; i < layers_; ++i) {
    ForEachModuleOf(*row_, [&](const Module& m) {
      names.push_back(Message("blk.", i, ".", m.ours, ".weight"));
    });
  }
  return names;
}

std::vector<uint64_t> GgufNames::RowsOf(const std::string& name,
                                        uint64_t rows) const {
  std::vector<uint64_t> order;
  const bool turned = EndsWith(name, ".self_attn.q_proj.weight") ||
                      EndsWith(name, ".self_attn.k_proj.weight");
  if (!row_->permuted || !turned || rows % head_ != 0) return order;
  for (uint64_t begin = 0; begin < rows; begin += head_) {
    for (uint64_t i = 0; i < head_; ++i) {
      order.push_back(begin + i / 2 + (i % 2) * (head_ / 2));
    }
  }
  return order;
}

Metadata GgufNames::Keys() const {
  Metadata keys;
  const auto add = [&](const char* key, std::string text) {
    keys.emplace_back(architecture_ + '.' + key, std::move(text));
  };
  const auto number = [&](const char* key, uint64_t value) {
    add(key, GgufText("u32", value));
  };
  const auto real = [&](const char* key, double value) {
    add(key, "f32:" + ToText(static_cast<float>(value)));
  };
  keys.emplace_back("general.architecture", architecture_);
  keys.emplace_back("general.type", "model");
  number("block_count", layers_);
  number("context_length", NumberOr("max_position_embeddings", 2048));
  number("embedding_length", Number("hidden_size"));
  number("feed_forward_length", Number("intermediate_size"));
  number("attention.head_count", heads_);
  number("attention.head_count_kv", kv_heads_);
  number("attention.key_length", head_);
  number("attention.value_length", head_);
  number("rope.dimension_count", head_);
  number("vocab_size", Number("vocab_size"));
  real("attention.layer_norm_rms_epsilon", RealOr("rms_norm_eps", 1e-6));
  real("rope.freq_base", RealOr("rope_theta", 10000.0));
  const JsonTree* const rotation = Rotation();
  if (rotation != nullptr && RotationFactors().empty()) {
    const JsonTree* const factor = rotation->Find("factor");
    if (factor != nullptr && factor->is_number()) {
      add("rope.scaling.type", "linear");
      real("rope.scaling.factor", factor->number);
    }
  }
  keys.emplace_back("tokenizer.ggml.model", "no_vocab");
  return keys;
}

// Of Llama 3.1: long waves are stretched by `factor`, short ones not at all,
// and those between in part.
std::vector<float> GgufNames::RotationFactors() const {
  const JsonTree* const rotation = Rotation();
  std::vector<float> factors;
  if (rotation == nullptr ||
      StringOr(*rotation, "rope_type", StringOr(*rotation, "type", "")) !=
          "llama3") {
    return factors;
  }
  const auto real = [&](const char* key, double otherwise) {
    const JsonTree* const found = rotation->Find(key);
    return found != nullptr && found->is_number() ? found->number : otherwise;
  };
  const double factor = real("factor", 8.0), low = real("low_freq_factor", 1.0),
               high = real("high_freq_factor", 4.0),
               context = real("original_max_position_embeddings", 8192.0);
  const double theta = RealOr("rope_theta", 10000.0);
  constexpr double kTwoPi = 6.283185307179586;
  for (uint64_t i = 0; i < head_; i += 2) {
    const double wave =
        kTwoPi *
        PortablePow(theta, static_cast<double>(i) / static_cast<double>(head_));
    double by = 1.0;
    if (wave > context / low) {
      by = factor;
    } else if (wave >= context / high) {
      const double smooth = (context / wave - low) / (high - low);
      by = 1.0 / ((1.0 - smooth) / factor + smooth);
    }
    factors.push_back(static_cast<float>(by));
  }
  return factors;
}

}  // namespace bnq
