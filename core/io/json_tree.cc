#include "core/io/json_tree.h"

#include <cstring>

#include "core/base/error.h"
#include "core/io/json_sax.h"

namespace bnq {
namespace {

class Builder final : public JsonHandler {
 public:
  explicit Builder(const char* what) : what_(what) {}

  JsonTree Take() { return std::move(root_); }

 private:
  [[noreturn]] void OnError(const std::string& what) override {
    Fail(Status::kCorruptFile, what_, ": ", what);
  }
  JsonTree* Add(JsonTree value) {
    if (open_.empty()) {
      root_ = std::move(value);
      return &root_;
    }
    JsonTree& parent = *open_.back();
    if (parent.kind == JsonTree::Kind::kArray) {
      parent.items.push_back(std::move(value));
      return &parent.items.back();
    }
    parent.members.emplace_back(std::move(key_), std::move(value));
    return &parent.members.back().second;
  }
  void OnOther(const std::string& what) override {
    JsonTree value;
    if (what != "null") value.kind = JsonTree::Kind::kOther;
    Add(std::move(value));
  }
  void OnString(std::string& text) override {
    JsonTree value;
    value.kind = JsonTree::Kind::kString;
    value.string = text;
    Add(std::move(value));
  }
  void OnUnsigned(uint64_t number) override {
    JsonTree value;
    value.kind = JsonTree::Kind::kUnsigned;
    value.whole = number;
    value.number = static_cast<double>(number);
    Add(std::move(value));
  }
  void OnNumber(double number, const std::string&) override {
    JsonTree value;
    value.kind = JsonTree::Kind::kNumber;
    value.number = number;
    Add(std::move(value));
  }
  void OnStart(bool object) override {
    JsonTree value;
    value.kind = object ? JsonTree::Kind::kObject : JsonTree::Kind::kArray;
    // An array's items move when it grows, but only while none of them is open.
    open_.push_back(Add(std::move(value)));
  }
  void OnKey(std::string& key) override { key_ = key; }
  void OnEnd() override { open_.pop_back(); }

  const char* const what_;
  JsonTree root_;
  std::vector<JsonTree*> open_;
  std::string key_;
};

}  // namespace

const JsonTree* JsonTree::Find(const char* key) const {
  for (size_t i = members.size(); i-- > 0;) {
    if (members[i].first == key) return &members[i].second;
  }
  return nullptr;
}

JsonTree ParseJson(const std::string& text, const char* what) {
  Builder builder(what);
  builder.Parse(text.data(), text.size());
  return builder.Take();
}

std::string JsonText(const std::string& text) {
  constexpr char kShort[] = "\"\\\b\f\n\r\t", kLetters[] = "\"\\bfnrt";
  constexpr char kDigits[] = "0123456789abcdef";
  std::string json = "\"";
  for (const char c : text) {
    const char* const found = c != 0 ? std::strchr(kShort, c) : nullptr;
    if (found != nullptr) {
      json += '\\';
      json += kLetters[found - kShort];
    } else if (static_cast<unsigned char>(c) < 0x20) {
      json += "\\u00";
      json += kDigits[c >> 4];
      json += kDigits[c & 15];
    } else {
      json += c;
    }
  }
  return json + '"';
}

}  // namespace bnq
