// The JSON of safetensors, event by event: no tree is built, so memory is
// bounded by what the handler keeps, and repeated keys are seen.
#ifndef BNQ_CORE_IO_JSON_SAX_H_
#define BNQ_CORE_IO_JSON_SAX_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <nlohmann/json.hpp>
#include <string>

#include "core/base/error.h"

namespace bnq {

// A handler of nlohmann::json::sax_parse. Values that nobody asks for are
// skipped, to any extent but only kMaxDepth deep. Handlers throw.
class JsonHandler {
 public:
  using number_integer_t = nlohmann::json::number_integer_t;
  using number_unsigned_t = nlohmann::json::number_unsigned_t;
  using number_float_t = nlohmann::json::number_float_t;
  using string_t = nlohmann::json::string_t;
  using binary_t = nlohmann::json::binary_t;

  // serde_json's limit, and so the reference's.
  static constexpr int kMaxDepth = 128;

  virtual ~JsonHandler() = default;

  // Throws what OnError does for text that is not JSON.
  void Parse(const char* text, size_t size) {
    // nlohmann takes a NUL for the end, and skips a byte order mark.
    const void* const nul = size != 0 ? std::memchr(text, 0, size) : nullptr;
    if (nul != nullptr) {
      OnError("NUL at byte " +
              std::to_string(static_cast<const char*>(nul) - text));
    }
    if (size >= 3 && std::memcmp(text, "\xEF\xBB\xBF", 3) == 0) {
      OnError("it starts with a byte order mark, must with {");
    }
    // No pointer is NULL, nor counted from.
    const char* const begin = size != 0 ? text : "";
    nlohmann::json::sax_parse(begin, begin + size, this);
  }

  // Called by sax_parse.
  bool null() { return Scalar("null"); }
  bool boolean(bool value) {
    if (skipping_ == 0 && !skip_next_) OnBool(value);
    skip_next_ = false;
    return true;
  }
  bool number_integer(number_integer_t value) {
    return Number(static_cast<double>(value), "a negative number");
  }
  bool number_float(number_float_t value, const string_t& text) {
    return Number(value, "the number " + text.substr(0, 40));
  }
  bool binary(binary_t&) { return Scalar("binary"); }
  bool number_unsigned(number_unsigned_t value) {
    if (skipping_ == 0 && !skip_next_) OnUnsigned(value);
    skip_next_ = false;
    return true;
  }
  bool string(string_t& value) {
    if (skipping_ == 0 && !skip_next_) OnString(value);
    skip_next_ = false;
    return true;
  }
  bool start_object(size_t) { return Start(true); }
  bool start_array(size_t) { return Start(false); }
  bool key(string_t& value) {
    if (skipping_ == 0) OnKey(value);
    return true;
  }
  bool end_object() { return End(); }
  bool end_array() { return End(); }
  bool parse_error(size_t position, const std::string&,
                   const nlohmann::json::exception& error) {
    // "[json.exception...] parse error at line 1, column 9: syntax error ..."
    OnError("byte " + std::to_string(position) + ": " + error.what());
    return false;
  }

 protected:
  // The next value, whatever it is, is of no interest.
  void SkipNext() { skip_next_ = true; }

  [[noreturn]] virtual void OnError(const std::string& what) = 0;
  // A value that is not a string, an unsigned number, an object or an array.
  virtual void OnOther(const std::string& what) = 0;
  virtual void OnBool(bool /*value*/) { OnOther("a boolean"); }
  // A number with a sign or a fraction, which is mostly of no use.
  virtual void OnNumber(double /*value*/, const std::string& what) {
    OnOther(what);
  }
  virtual void OnString(std::string& value) = 0;
  virtual void OnUnsigned(uint64_t value) = 0;
  virtual void OnStart(bool object) = 0;
  virtual void OnKey(std::string& key) = 0;
  virtual void OnEnd() = 0;

 private:
  bool Scalar(const std::string& what) {
    if (skipping_ == 0 && !skip_next_) OnOther(what);
    skip_next_ = false;
    return true;
  }
  bool Number(double value, const std::string& what) {
    if (skipping_ == 0 && !skip_next_) OnNumber(value, what);
    skip_next_ = false;
    return true;
  }
  bool Start(bool object) {
    if (++depth_ > kMaxDepth) {
      OnError("nested more than " + std::to_string(kMaxDepth) + " deep");
    }
    if (skipping_ > 0 || skip_next_) {
      ++skipping_;
      skip_next_ = false;
    } else {
      OnStart(object);
    }
    return true;
  }
  bool End() {
    --depth_;
    if (skipping_ > 0) {
      --skipping_;
    } else {
      OnEnd();
    }
    return true;
  }

  int depth_ = 0;
  int skipping_ = 0;  // levels of the value being skipped
  bool skip_next_ = false;
};

}  // namespace bnq

#endif  // BNQ_CORE_IO_JSON_SAX_H_
