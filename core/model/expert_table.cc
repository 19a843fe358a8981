// Which arrays hold experts, and how: by model type.
#include "core/model/expert_stacks.h"

#include <algorithm>
#include <cstring>
#include <string_view>

#include "core/base/dtype.h"
#include "core/base/error.h"
#include "core/base/names.h"
#include "core/io/temporary_file.h"
#include "core/model/model_folder.h"

namespace bnq {
namespace {

enum class Order { kOutIn, kInOut, kAsHiddenSizeSays };

struct ExpertLayout {
  const char* model_types;  // separated by blanks
  // Endings of names: of what is gate and up together, and of down.
  const char* gate_up;
  const char* down;
  const char* matrices;  // in place of them, with what comes next
  Order order;
  bool interleaved;  // gate and up
};

constexpr char kGateUp[] = ".experts.gate_up_proj";
constexpr char kDown[] = ".experts.down_proj";
constexpr char kExperts[] = ".experts.";

// From the models' code in transformers 4.57 and 5.0 (modeling_*.py, and
// conversion_mapping.py for those that 5.0 joins as it loads them).
constexpr ExpertLayout kLayouts[] = {
    {"mixtral minimax qwen2_moe qwen3_moe qwen3_next qwen3_omni_moe "
     "deepseek_v2 deepseek_v3 dots1 ernie4_5_moe flex_olmo glm4_moe glm4v_moe "
     "hunyuan_v1_moe jamba lfm2_moe longcat_flash olmoe phimoe",
     kGateUp, kDown, kExperts, Order::kOutIn, false},
    {"llama4 llama4_text", kGateUp, kDown, kExperts, Order::kInOut, false},
    {"gpt_oss", kGateUp, kDown, kExperts, Order::kInOut, true},
    // 4.57 has them [in, out], 5.0 [out, in].
    {"qwen3_vl_moe qwen3_vl_moe_text", kGateUp, kDown, kExperts,
     Order::kAsHiddenSizeSays, false},
    {"granitemoe granitemoeshared granitemoehybrid",
     ".block_sparse_moe.input_linear.weight",
     ".block_sparse_moe.output_linear.weight", ".block_sparse_moe.experts.",
     Order::kOutIn, false},
};

bool HasWord(std::string_view words, std::string_view word) {
  while (!words.empty()) {
    const size_t end = words.find(' ');
    if (words.substr(0, end) == word) return true;
    if (end == std::string_view::npos) break;
    words.remove_prefix(end + 1);
  }
  return false;
}

const ExpertLayout* LayoutOf(const ModelConfig& config) {
  for (const std::string& type : config.model_types) {
    for (const ExpertLayout& layout : kLayouts) {
      if (HasWord(layout.model_types, type)) return &layout;
    }
  }
  return nullptr;
}

bool IsOfLayout(const std::string& name, const ExpertLayout* layout) {
  const auto ends = [&](const ExpertLayout& l) {
    return EndsWith(name, l.gate_up) || EndsWith(name, l.down);
  };
  return layout != nullptr
             ? ends(*layout)
             : std::any_of(std::begin(kLayouts), std::end(kLayouts), ends);
}

// False where its shape is not that of the layout.
bool MakeStack(const ModelEntry& entry, const ExpertLayout& layout,
               uint64_t hidden_size, ExpertStack* stack) {
  const bool is_down = EndsWith(entry.name, layout.down);
  stack->name = entry.name;
  stack->shape = entry.shape;
  const size_t ending = std::strlen(is_down ? layout.down : layout.gate_up);
  stack->prefix =
      entry.name.substr(0, entry.name.size() - ending) + layout.matrices;
  if (is_down) {
    stack->pieces = {"down_proj"};
  } else {
    stack->pieces = {"gate_proj", "up_proj"};
    stack->interleaved = layout.interleaved;
  }
  // What is of the hidden size: what gate and up take, and down makes.
  const auto is_hidden = [&](bool in_out) {
    stack->is_in_out = in_out;
    return (is_down ? stack->out() : stack->in()) == hidden_size;
  };
  if (layout.order == Order::kAsHiddenSizeSays) {
    const bool out_in = is_hidden(false), in_out = is_hidden(true);
    if (out_in == in_out) return false;
    stack->is_in_out = in_out;
  } else if (!is_hidden(layout.order == Order::kInOut) && hidden_size != 0) {
    return false;
  }
  return stack->out() % stack->pieces.size() == 0;
}

bool IsFloats(const ModelEntry& entry) {
  return entry.format == 0 && IsSource(static_cast<DType>(entry.dtype));
}

}  // namespace

bool HoldsExperts(const std::string& name, int rank) {
  const std::string bias = "bias";
  if (rank < 2 || (rank < 3 && !EndsWith(name, bias))) return false;
  if (rank >= 3 && IsOfLayout(name, nullptr)) return true;
  const size_t last = name.rfind('.');
  return last != std::string::npos &&
         EndsWith('.' + name.substr(0, last + 1), kExperts);
}

std::vector<ExpertStack> FindExpertStacks(const Context& context,
                                          const ModelFile& file) {
  std::vector<ExpertStack> stacks;
  std::vector<const ModelEntry*> held;
  for (const ModelEntry& entry : file.entries()) {
    if (IsFloats(entry) && HoldsExperts(entry.name, entry.shape.rank)) {
      held.push_back(&entry);
    }
  }
  if (held.empty()) return stacks;
  const std::string& path = file.files()[0]->path();
  std::string folder = DirectoryOf(path);
  if (folder.empty()) folder = ".";
  ModelConfig config;
  if (!path.empty() && IsModelFolder(folder)) {
    config = ReadModelConfig(context, folder);
  }
  const ExpertLayout* const layout = LayoutOf(config);
  std::string uncut;
  size_t uncut_count = 0;
  for (const ModelEntry* entry : held) {
    ExpertStack stack;
    if (layout != nullptr && entry->shape.rank == 3 &&
        IsOfLayout(entry->name, layout) &&
        MakeStack(*entry, *layout, config.hidden_size, &stack)) {
      stacks.push_back(std::move(stack));
    } else if (entry->shape.rank >= 3) {
      ++uncut_count;
      if (uncut.empty()) uncut = entry->name + ' ' + entry->shape.ToString();
    }
  }
  if (uncut_count != 0) {
    context.Log(
        LogLevel::kWarning,
        Message("experts stay as they are in ", uncut_count, " arrays, as ",
                Quoted(uncut), ": ",
                layout != nullptr ? "not of the shape that model_type "
                : config.model_types.empty()
                    ? "there is no config.json with a model_type beside the "
                      "weights"
                    : "their layout is not known for model_type ",
                config.model_types.empty() ? "" : Quoted(config.model_types[0]),
                layout != nullptr ? " has" : ""));
  }
  return stacks;
}

}  // namespace bnq
