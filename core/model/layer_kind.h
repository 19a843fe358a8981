// What a tensor of a model does there, as far as its name tells.
#ifndef BNQ_CORE_MODEL_LAYER_KIND_H_
#define BNQ_CORE_MODEL_LAYER_KIND_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace bnq {

// Values are those of BNQ_LAYER_*.
enum class LayerKind : int32_t {
  kOther = 0,
  kEmbedding = 1,
  kAttention = 2,
  kFfn = 3,
  kNorm = 4,
  kHead = 5,
  kRouter = 6,
  kStateSpace = 7,
  kVision = 8,
};
constexpr int kNumLayerKinds = 9;

// "other", "embedding", ...; nullptr outside the list.
const char* LayerKindName(int index);
// NOT_FOUND lists the names.
LayerKind LayerKindNamed(std::string_view name);

// Words that tell a kind, before those of the table in layer_kind.cc. A word is
// parts of a name in a row, joined by _: "q_proj" is in "layers.0.q_proj" and
// in "QProj", "key" is not in "monkey". A part's number does not matter: "fc"
// is in "fc1". With = before it, it is a component (between dots) of its own:
// "=gate" is in "mlp.gate.weight", not in "mlp.gate_proj.weight"; with ^, the
// name's first component, too.
using LayerWords = std::vector<std::pair<LayerKind, std::string>>;

// INVALID_ARGUMENT for what cannot be a word.
void CheckLayerWord(const std::string& word);

// The first kind whose word is in the name. Letters' case does not matter.
LayerKind LayerKindOf(const std::string& name, const LayerWords& words = {});

}  // namespace bnq

#endif  // BNQ_CORE_MODEL_LAYER_KIND_H_
