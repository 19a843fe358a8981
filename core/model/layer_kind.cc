#include "core/model/layer_kind.h"

#include <algorithm>

#include "core/base/error.h"
#include "core/base/names.h"

namespace bnq {
namespace {

constexpr const char* kNames[kNumLayerKinds] = {
    "other", "embedding", "attention",   "ffn",   "norm",
    "head",  "router",    "state_space", "vision"};

// The first that a name has tells its kind: what is said of the whole of it
// (vision_tower.layers.0.attn) and of its last part (attn_norm) comes before
// the block that it stands in. Attention, then FFN, as SLI's AdaptiveQuantizer
// has them, whose words are all here.
constexpr struct {
  LayerKind kind;
  const char* words;  // separated by blanks
} kWords[] = {
    {LayerKind::kVision, "vision_tower vision_model vision_encoder =visual"},
    {LayerKind::kNorm, "norm layernorm rmsnorm groupnorm batchnorm ln bn"},
    {LayerKind::kStateSpace,
     "mixer_conv1d mamba_conv1d linear_attn_conv1d ssm_conv1d =a_log ssm_a"},
    {LayerKind::kHead,
     "lm_head embed_out output_layer ^output ^head ^classifier ^score "
     "cls_predictions"},
    {LayerKind::kEmbedding,
     "embed embedding embeddings embd emb wte wpe ^shared"},
    {LayerKind::kRouter, "router =gate gate_inp shared_expert_gate"},
    {LayerKind::kAttention,
     "attn attention query key value qkv mha q_proj k_proj v_proj o_proj "
     "wq wk wv wo wqkv to_q to_k to_v q_lin k_lin v_lin"},
    {LayerKind::kFfn,
     "ffn mlp feedforward feed_forward fc expert experts gate_proj up_proj "
     "down_proj gate_up_proj intermediate dense_h_to_4h dense_4h_to_h "
     "dense_relu_dense lin1 lin2 w1 w2 w3 output_dense"},
};

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsUpper(char c) { return c >= 'A' && c <= 'Z'; }
bool IsLower(char c) { return c >= 'a' && c <= 'z'; }

// A part of a name; the first of a component, and the last.
struct Token {
  std::string text;
  bool begins, ends;
};

// "model.layers.0.QProj" is model, layers, 0, q, proj.
std::vector<Token> TokensOf(std::string_view name) {
  std::vector<Token> tokens;
  std::string text;
  bool begins = true;
  const auto finish = [&](bool ends) {
    if (!text.empty()) {
      tokens.push_back({text, begins, ends});
      begins = ends;
    } else if (ends) {
      if (!tokens.empty()) tokens.back().ends = true;
      begins = true;
    }
    text.clear();
  };
  for (size_t i = 0; i < name.size(); ++i) {
    const char c = name[i];
    if (c == '.' || c == '/' || c == '_' || c == '-' || c == ' ') {
      finish(c == '.' || c == '/');
      continue;
    }
    // A capital begins a part after a small letter, and before one at the end
    // of several.
    const bool next_is_lower = i + 1 < name.size() && IsLower(name[i + 1]);
    if (IsUpper(c) && i > 0 &&
        (IsLower(name[i - 1]) || IsDigit(name[i - 1]) ||
         (IsUpper(name[i - 1]) && next_is_lower))) {
      finish(false);
    }
    text += AsciiLower(c);
  }
  finish(true);
  return tokens;
}

bool IsToken(const std::string& token, std::string_view word) {
  if (token == word) return true;
  size_t letters = token.size();
  while (letters > 0 && IsDigit(token[letters - 1])) --letters;
  return letters > 0 && std::string_view(token).substr(0, letters) == word;
}

bool HasWord(const std::vector<Token>& tokens, std::string_view word) {
  const bool first = word[0] == '^', own = first || word[0] == '=';
  const std::vector<Token> parts = TokensOf(word.substr(own ? 1 : 0));
  const size_t n = parts.size();
  const size_t last =
      first ? std::min<size_t>(1, tokens.size()) : tokens.size();
  for (size_t at = 0; at < last && at + n <= tokens.size(); ++at) {
    bool matches = !own || (tokens[at].begins && tokens[at + n - 1].ends);
    for (size_t i = 0; i < n && matches; ++i) {
      matches = IsToken(tokens[at + i].text, parts[i].text);
    }
    if (matches) return true;
  }
  return false;
}

// Whether one of the words, separated by blanks, is there.
bool HasAny(const std::vector<Token>& tokens, std::string_view words) {
  while (!words.empty()) {
    const size_t end = std::min(words.find(' '), words.size());
    if (HasWord(tokens, words.substr(0, end))) return true;
    words.remove_prefix(std::min(end + 1, words.size()));
  }
  return false;
}

}  // namespace

const char* LayerKindName(int index) {
  return index >= 0 && index < kNumLayerKinds ? kNames[index] : nullptr;
}

LayerKind LayerKindNamed(std::string_view name) {
  Nearest nearest(name);
  std::string all;
  for (int i = 0; i < kNumLayerKinds; ++i) {
    if (IsName(name, kNames[i])) return static_cast<LayerKind>(i);
    nearest.Consider(kNames[i]);
    all += Message(i == 0 ? "" : ", ", kNames[i]);
  }
  Fail(Status::kNotFound, "kind of layer ", Quoted(std::string(name)),
       ", must be one of: ", all, nearest.Question());
}

void CheckLayerWord(const std::string& word) {
  const size_t begin = !word.empty() && (word[0] == '^' || word[0] == '=');
  bool good = word.size() > begin;
  for (size_t i = begin; i < word.size(); ++i) {
    const char c = AsciiLower(word[i]);
    good = good && (IsLower(c) || IsDigit(c) || c == '_');
  }
  if (good && !TokensOf(std::string_view(word).substr(begin)).empty()) return;
  Fail(Status::kInvalidArgument, "word ", Quoted(word),
       " of a kind of layer, must be of letters, digits and _, with ^ or = "
       "before them or not");
}

LayerKind LayerKindOf(const std::string& name, const LayerWords& words) {
  const std::vector<Token> tokens = TokensOf(name);
  for (const auto& [kind, word] : words) {
    if (HasWord(tokens, word)) return kind;
  }
  for (const auto& row : kWords) {
    if (HasAny(tokens, row.words)) return row.kind;
  }
  return LayerKind::kOther;
}

}  // namespace bnq
