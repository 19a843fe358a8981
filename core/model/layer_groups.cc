#include "core/model/layer_groups.h"

#include <algorithm>
#include <map>
#include <string_view>
#include <utility>

#include "core/model/layer_kind.h"

namespace bnq {
namespace {

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// Ends of components: positions of dots and slashes, and of the name's end.
std::vector<size_t> EndsOf(const std::string& name) {
  std::vector<size_t> ends;
  for (size_t i = 0; i < name.size(); ++i) {
    if (name[i] == '.' || name[i] == '/') ends.push_back(i);
  }
  ends.push_back(name.size());
  return ends;
}

// The digits at the end of a component: where they begin.
size_t DigitsOf(const std::string& name, size_t begin, size_t end) {
  size_t digits = end;
  while (digits > begin && IsDigit(name[digits - 1])) --digits;
  return digits;
}

std::string LayerOf(const std::string& name) {
  const std::vector<size_t> ends = EndsOf(name);
  size_t begin = 0, suffixed = 0;
  for (const size_t end : ends) {
    const size_t digits = DigitsOf(name, begin, end);
    if (digits == begin && end > begin) return name.substr(0, end);
    if (suffixed == 0 && digits > begin && digits < end &&
        name[digits - 1] == '_') {
      suffixed = end;
    }
    begin = end + 1;
  }
  if (suffixed != 0) return name.substr(0, suffixed);
  return ends.size() == 1 ? name : name.substr(0, ends[ends.size() - 2]);
}

bool HasNumber(const std::string& layer) {
  return DigitsOf(layer, 0, layer.size()) < layer.size();
}

bool HasComponent(const std::string& layer, std::string_view word) {
  size_t begin = 0;
  for (const size_t end : EndsOf(layer)) {
    if (layer.compare(begin, end - begin, word) == 0) return true;
    begin = end + 1;
  }
  return false;
}

// The part of the model, and the place in it.
std::pair<int, int> RankOf(const std::string& layer) {
  const LayerKind kind = LayerKindOf(layer);
  if (kind == LayerKind::kHead) return {3, 0};
  const int part = kind == LayerKind::kVision       ? 0
                   : HasComponent(layer, "decoder") ? 2
                                                    : 1;
  if (HasNumber(layer)) return {part, 1};
  // Also what belongs to embeddings, as their norm does.
  const std::vector<size_t> ends = EndsOf(layer);
  const bool embeds =
      kind == LayerKind::kEmbedding ||
      (ends.size() > 1 && LayerKindOf(layer.substr(0, ends[ends.size() - 2])) ==
                              LayerKind::kEmbedding);
  return {part, embeds ? 0 : kind == LayerKind::kNorm ? 2 : 1};
}

// Of which the bytes are in the order of layers: part and place, and the name
// with each number behind the number of its digits.
std::string OrderOf(const std::string& layer) {
  const std::pair<int, int> rank = RankOf(layer);
  std::string order = {static_cast<char>('0' + rank.first),
                       static_cast<char>('0' + rank.second)};
  for (size_t i = 0; i < layer.size();) {
    if (!IsDigit(layer[i])) {
      order += layer[i++];
      continue;
    }
    while (layer[i] == '0' && i + 1 < layer.size() && IsDigit(layer[i + 1])) {
      ++i;
    }
    size_t end = i;
    while (end < layer.size() && IsDigit(layer[end])) ++end;
    // Digits come before letters, as without their number before them.
    order += '0';
    order += static_cast<char>(std::min<size_t>(end - i, 127));
    order += layer.substr(i, end - i);
    i = end;
  }
  // "a.01" is another layer than "a.1".
  return order + '\0' + layer;
}

}  // namespace

std::vector<LayerGroup> GroupLayers(const std::vector<std::string>& names) {
  std::map<std::string, LayerGroup> groups;
  for (size_t i = 0; i < names.size(); ++i) {
    std::string layer = LayerOf(names[i]);
    LayerGroup& group = groups[OrderOf(layer)];
    group.name = std::move(layer);
    group.tensors.push_back(i);
  }
  std::vector<LayerGroup> layers;
  for (auto& item : groups) layers.push_back(std::move(item.second));
  return layers;
}

}  // namespace bnq
