// Errors inside the core are exceptions of one type; the C ABI turns them into
// a status and a text at its boundary (capi/guard.h).
#ifndef BNQ_CORE_BASE_ERROR_H_
#define BNQ_CORE_BASE_ERROR_H_

#include <cstddef>
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
// "0x0F": at least `digits` of them.
std::string Hex(uint64_t value, int digits);

// One part of a message, which lives as long as what it was made of: so that
// the text is put together in one place, and not where each error is.
class Piece {
 public:
  Piece(const std::string& text) : kind_(kString), string_(&text) {}
  Piece(const char* text) : kind_(kText), text_(text) {}
  Piece(char c) : kind_(kChar), integer_(c) {}
  Piece(float value) : kind_(kFloat), real_(static_cast<double>(value)) {}
  Piece(double value) : kind_(kDouble), real_(value) {}
  // Other integers, and enumerators as numbers.
  template <class T,
            std::enable_if_t<
                std::is_integral<T>::value || std::is_enum<T>::value, int> = 0>
  Piece(T value)
      : kind_(std::is_unsigned<T>::value ? kUnsigned : kSigned),
        integer_(static_cast<int64_t>(value)) {}

  void AppendTo(std::string* text) const;

 private:
  enum Kind { kString, kText, kChar, kFloat, kDouble, kSigned, kUnsigned };
  Kind kind_;
  union {
    const std::string* string_;
    const char* text_;
    int64_t integer_;
    double real_;
  };
};

std::string MessageOf(const Piece* pieces, size_t count);
[[noreturn]] void FailWith(Status status, const Piece* pieces, size_t count);

// Its parts, one after another.
template <class... Parts>
std::string Message(const Parts&... parts) {
  const Piece pieces[] = {Piece(parts)...};
  return MessageOf(pieces, sizeof...(parts));
}

// Throws an Error whose message is that of the parts.
template <class... Parts>
[[noreturn]] void Fail(Status status, const Parts&... parts) {
  const Piece pieces[] = {Piece(parts)...};
  FailWith(status, pieces, sizeof...(parts));
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
