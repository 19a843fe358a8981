// Errors inside the core are exceptions of one type; the C ABI turns them into
// a status and a text at its boundary (capi/guard.h).
#ifndef BNQ_CORE_BASE_ERROR_H_
#define BNQ_CORE_BASE_ERROR_H_

#include <exception>
#include <string>
#include <utility>

namespace bnq {

// Values are those of bnq_status (capi/guard.cc asserts it).
enum class Code : int {
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
constexpr int kNumCodes = 12;

// "invalid argument", ...; "unknown status" outside the list.
const char* CodeName(int code);

class Error : public std::exception {
 public:
  Error(Code code, std::string message)
      : code_(code), message_(std::move(message)) {}
  Code code() const { return code_; }
  const std::string& message() const { return message_; }
  const char* what() const noexcept override { return message_.c_str(); }

 private:
  Code code_;
  std::string message_;
};

// printf-style message, at most 4095 bytes; a longer one is cut.
[[noreturn]] void Fail(Code code, const char* format, ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 2, 3)))
#endif
    ;

// Text from a file or caller, fit to stand in a message: control characters
// escaped, long ones shortened.
std::string Quoted(const std::string& text);

}  // namespace bnq

#endif  // BNQ_CORE_BASE_ERROR_H_
