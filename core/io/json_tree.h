// JSON as a tree: for small texts that are read as a whole and written again.
// (A text may repeat a key: the last one counts.) Built from the events of
// json_sax.h, whose parser the library has already.
#ifndef BNQ_CORE_IO_JSON_TREE_H_
#define BNQ_CORE_IO_JSON_TREE_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace bnq {

struct JsonTree {
  // A number that is whole and 0 or more is kUnsigned, and a kNumber, too.
  enum class Kind {
    kNull,
    kBool,
    kString,
    kUnsigned,
    kNumber,
    kObject,
    kArray
  };

  Kind kind = Kind::kNull;
  bool truth = false;  // of kBool
  std::string string;
  uint64_t whole = 0;   // of kUnsigned
  double number = 0.0;  // of kUnsigned and kNumber
  std::vector<std::pair<std::string, JsonTree>> members;  // of an object
  std::vector<JsonTree> items;                            // of an array

  bool is_object() const { return kind == Kind::kObject; }
  bool is_array() const { return kind == Kind::kArray; }
  bool is_number() const {
    return kind == Kind::kUnsigned || kind == Kind::kNumber;
  }
  // nullptr where there is none, or this is no object.
  const JsonTree* Find(const char* key) const;
};

// CORRUPT_FILE says where the text is no JSON, calling it `what`.
JsonTree ParseJson(const std::string& text, const char* what);

// The text of an object in which `key` has the value `json`, in the place where
// it was, or at the end; everything else stays as it is. CORRUPT_FILE where it
// is no object, calling it `what`.
std::string WithMember(const std::string& text, const std::string& key,
                       const std::string& json, const char* what);

// Quoted and escaped; text is UTF-8.
std::string JsonText(const std::string& text);

}  // namespace bnq

#endif  // BNQ_CORE_IO_JSON_TREE_H_
