#include "core/io/text.h"

#include <algorithm>
#include <utility>

#include "core/base/error.h"

namespace bnq {

bool IsCleanText(const std::string& text) {
  return text.find('\0') == std::string::npos &&
         FindInvalidUtf8(text.data(), text.size()) == text.size();
}

Metadata SortedMetadata(Metadata metadata) {
  std::sort(metadata.begin(), metadata.end());
  for (size_t i = 0; i < metadata.size(); ++i) {
    const std::string& key = metadata[i].first;
    if (!IsCleanText(key) || !IsCleanText(metadata[i].second)) {
      Fail(Status::kInvalidArgument, "metadata ", Quoted(key),
           ": key and value must be UTF-8 without NUL");
    }
    if (i > 0 && key == metadata[i - 1].first) {
      Fail(Status::kInvalidArgument, "metadata has the key ", Quoted(key),
           " twice");
    }
  }
  return metadata;
}

void SetMetadata(const std::string& key, std::string value,
                 Metadata* metadata) {
  for (auto& [known, old] : *metadata) {
    if (known == key) {
      old = std::move(value);
      return;
    }
  }
  metadata->emplace_back(key, std::move(value));
}

void CheckNewName(const std::string& name) {
  if (name.empty()) {
    Fail(Status::kInvalidArgument, "tensor name is empty");
  }
  if (!IsCleanText(name)) {
    Fail(Status::kInvalidArgument, "tensor name ", Quoted(name),
         " must be UTF-8 without NUL");
  }
}

}  // namespace bnq
