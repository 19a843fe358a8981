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
  void OnOther(const std::string&) override { Add(JsonTree()); }  // null
  void OnBool(bool truth) override {
    JsonTree value;
    value.kind = JsonTree::Kind::kBool;
    value.truth = truth;
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

std::string WithMember(const std::string& text, const std::string& key,
                       const std::string& json, const char* what) {
  const JsonTree tree = ParseJson(text, what);
  if (!tree.is_object()) {
    Fail(Status::kCorruptFile, what, ": it is not an object");
  }
  // Where the value of the last member of that name is, of this JSON; and where
  // the object ends.
  size_t begin = 0, end = 0, last = 0;
  int depth = 0;
  for (size_t i = 0, value = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '"') {
      const size_t from = i++;
      while (text[i] != '"') i += text[i] == '\\' ? 2 : 1;
      const size_t colon = text.find_first_not_of(" \t\r\n", i + 1);
      if (depth == 1 && value == 0 && text[colon] == ':') {
        const std::string name = text.substr(from, i + 1 - from);
        value = text.find_first_not_of(" \t\r\n", colon + 1);
        if (ParseJson(name, what).string == key) begin = value;
        i = value - 1;
      }
      continue;
    }
    if (c == '{' || c == '[') ++depth;
    const bool closes = c == '}' || c == ']';
    if (depth == 1 && (c == ',' || closes)) {
      if (begin == value) end = i;
      value = 0;
      if (closes) last = i;
    }
    if (closes) --depth;
  }
  if (begin != 0) {
    while (std::strchr(" \t\r\n", text[end - 1]) != nullptr) --end;
    return text.substr(0, begin) + json + text.substr(end);
  }
  const size_t behind = text.find_last_not_of(" \t\r\n", last - 1) + 1;
  return text.substr(0, behind) + (tree.members.empty() ? "" : ",") + "\n  " +
         JsonText(key) + ": " + json + "\n" + text.substr(last);
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
