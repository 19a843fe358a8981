// Errors inside the core are exceptions of one type; the C ABI turns them into
// a status and a text at its boundary (capi/guard.h).
#ifndef BNQ_CORE_BASE_ERROR_H_
#define BNQ_CORE_BASE_ERROR_H_

#include <cstdint>
#include <exception>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace bnq {

// Values are those of bnq_status (capi/guard.cc asserts it).
enum class Status : int {
  kOk = 0,
  kInvalidArgument = 1,
  kUnsupported = 2,
  kOutOfMemory = 3,
  kCorruptFile = 4,
  kIo = 5,
  kNoData = 6,
  kCancelled = 7,
  kInternal = 8,
  kNonFinite = 9,
  kNotFound = 10,
  kExists = 11,
};
constexpr int kNumStatuses = 12;

// "invalid argument", ...; "unknown status" outside the list.
const char* StatusName(int status);

class Error : public std::exception {
 public:
  Error(Status status, std::string message)
      : status_(status), message_(std::move(message)) {}
  Status status() const { return status_; }
  const std::string& message() const { return message_; }
  const char* what() const noexcept override { return message_.c_str(); }

  // Says of what the error is: "tensor "w"" is put before the message, unless
  // it is said already.
  Error& In(const std::string& subject);
  // The message already names the subject.
  Error& Naming(std::string subject);

 private:
  Status status_;
  std::string message_;
  std::vector<std::string> subjects_;
};

// Numbers as text that does not depend on the locale: a floating-point number
// is the shortest that reads back as the same number of its type.
std::string ToText(int64_t value);
std::string ToText(uint64_t value);
std::string ToText(float value);
std::string ToText(double value);
inline const std::string& ToText(const std::string& text) { return text; }
inline std::string ToText(const char* text) { return text; }
inline std::string ToText(char c) { return std::string(1, c); }
// Other integers, and enumerators as numbers.
template <class T,
          std::enable_if_t<std::is_integral<T>::value || std::is_enum<T>::value,
                           int> = 0>
std::string ToText(T value) {
  using Wide =
      std::conditional_t<std::is_unsigned<T>::value, uint64_t, int64_t>;
  return ToText(static_cast<Wide>(value));
}
// "0x0F": at least `digits` of them.
std::string Hex(uint64_t value, int digits);

// Its parts, one after another.
template <class... Parts>
std::string Message(const Parts&... parts) {
  std::string message;
  (message.append(ToText(parts)), ...);
  return message;
}

// Throws an Error whose message is that of the parts.
template <class... Parts>
[[noreturn]] void Fail(Status status, const Parts&... parts) {
  throw Error(status, Message(parts...));
}

// Runs f; an error that it throws is said to be in `subject`, an expression
// that is evaluated only then.
template <class Subject, class F>
auto Within(Subject&& subject, F&& f) -> decltype(f()) {
  try {
    return f();
  } catch (Error& error) {
    error.In(subject());
    throw;
  }
}

// Text from a file or caller, fit to stand in a message: control characters
// and bytes that are not UTF-8 escaped, long ones shortened.
std::string Quoted(const std::string& text);

}  // namespace bnq

#endif  // BNQ_CORE_BASE_ERROR_H_
