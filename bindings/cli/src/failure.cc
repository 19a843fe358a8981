#include "failure.h"

#include <filesystem>
#include <system_error>

namespace bnq::cli {
namespace {

ExitCode CodeOf(bnq_status status) {
  switch (status) {
    case BNQ_OK:
      return kOk;
    case BNQ_ERROR_INVALID_ARGUMENT:
      return kUsage;
    case BNQ_ERROR_UNSUPPORTED:
    case BNQ_ERROR_CORRUPT_FILE:
    case BNQ_ERROR_NON_FINITE:
    case BNQ_ERROR_NO_DATA:
      return kBadInput;
    case BNQ_ERROR_IO:
    // From the file functions: a file is missing.
    case BNQ_ERROR_NOT_FOUND:
    case BNQ_ERROR_EXISTS:
      return kInputOutput;
    case BNQ_ERROR_CANCELLED:
      return kCancelled;
    default:
      return kOtherFailure;
  }
}

std::string LastError(bnq_status status) {
  const std::string text = bnq_last_error();
  return text.empty() ? bnq_status_name(status) : text;
}

}  // namespace

std::string ExitCodeHelp() {
  return "Exit codes:\n"
         "  0  success\n"
         "  1  any other failure\n"
         "  2  usage: wrong option or argument\n"
         "  3  bad input: damaged, unsupported, NaN or infinity, no such "
         "tensor\n"
         "  4  input/output: missing or unwritable file, output exists\n"
         "  5  cancelled by a signal; nothing is left behind";
}

void Check(bnq_status status) {
  if (status == BNQ_OK) return;
  if (status == BNQ_ERROR_CANCELLED) {
    throw Failure(kCancelled, "cancelled by a signal");
  }
  std::string what = LastError(status);
  // Every command that writes has the option.
  if (status == BNQ_ERROR_EXISTS) what += " (--force replaces it)";
  throw Failure(CodeOf(status), what);
}

void CheckUsage(bnq_status status, const std::string& where) {
  if (status == BNQ_OK) return;
  const bool machine =
      status == BNQ_ERROR_OUT_OF_MEMORY || status == BNQ_ERROR_INTERNAL;
  throw Failure(machine ? kOtherFailure : kUsage,
                where + ": " + LastError(status));
}

void CheckContent(bnq_status status, const std::string& path) {
  std::error_code error;
  if (status == BNQ_OK || status == BNQ_ERROR_IO ||
      !std::filesystem::is_regular_file(std::filesystem::u8path(path), error)) {
    return Check(status);
  }
  throw Failure(kBadInput, bnq_last_error());
}

}  // namespace bnq::cli
