// Finds out before any work whether a pattern of --include or --exclude
// matches a tensor.
#ifndef BNQ_CLI_GLOB_H_
#define BNQ_CLI_GLOB_H_

#include <string_view>

namespace bnq::cli {

// Whether a glob as bnq_plan_add defines it matches the whole name: * any
// characters, ? any one, [a-z] and [!a-z] sets, \ quotes the next. The library
// decides what is quantized; this only says early that a pattern is in vain.
bool GlobMatches(std::string_view glob, std::string_view name);

}  // namespace bnq::cli

#endif  // BNQ_CLI_GLOB_H_
