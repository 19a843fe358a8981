// Which tensors of a model make a layer, and the order in which layers are
// passed through, as far as names tell.
#ifndef BNQ_CORE_MODEL_LAYER_GROUPS_H_
#define BNQ_CORE_MODEL_LAYER_GROUPS_H_

#include <cstddef>
#include <string>
#include <vector>

namespace bnq {

struct LayerGroup {
  std::string name;
  std::vector<size_t> tensors;  // indices, ascending
};

// Tensors whose names begin alike up to their first component that is a number
// are a layer of this name: "model.layers.3", "blk.3", "h.3", "down_blocks.0";
// or up to one that ends with _ and a number, where there is none: "layers_3".
// Others are a layer with those of the same module: "lm_head", "model.norm".
// Components are between dots or slashes.
//
// In order of: vision towers; encoders and all that is neither; decoders; and
// in each of these embeddings, then by name with numbers as numbers, then norms
// that are no part of another layer; heads come last.
std::vector<LayerGroup> GroupLayers(const std::vector<std::string>& names);

}  // namespace bnq

#endif  // BNQ_CORE_MODEL_LAYER_GROUPS_H_
