// The library's options as the library describes them, and as flags: a new one
// appears here by itself.
#ifndef BNQ_CLI_LIBRARY_OPTIONS_H_
#define BNQ_CLI_LIBRARY_OPTIONS_H_

#include <bnq/bnq.h>

#include <CLI/CLI.hpp>
#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <vector>

namespace bnq::cli {

struct LibraryOption {
  int32_t id = 0;
  std::string name;
  // One sentence, without a period.
  std::string description;
  // Values are whole numbers, or have names.
  bool integer = false;
  double min = 0, max = 0;
  // The default as text, and of numbers another one.
  std::string initial, another;
  // Names of values ("ternary", "int8"), and what they mean; none where they
  // are numbers.
  std::vector<std::string> values, meanings;
  // "1 to 2^53", "0 or more"; "" where values have names.
  std::string range;
};

// Those of a kind of handles (BNQ_OPTIONS_*).
std::vector<LibraryOption> LibraryOptions(int32_t kind);
// The value of an option, as flags take it.
std::string OptionText(const bnq_options* options, const std::string& name);

struct NamedOption {
  std::string name;
  CLI::Option* option;
  std::string value;
};
// A deque, because CLI11 keeps pointers to the values.
using NamedOptions = std::deque<NamedOption>;

// Adds --group-size for group_size, and so on, described by the library's
// sentence, its bounds, and what `initial` says of its default. Flags that the
// command has already are left alone.
void AddNamedOptions(
    CLI::App& command, const std::vector<LibraryOption>& options,
    const std::function<std::string(const LibraryOption&)>& initial,
    NamedOptions& named);

std::string Joined(const std::vector<std::string>& words, const char* between);

}  // namespace bnq::cli

#endif  // BNQ_CLI_LIBRARY_OPTIONS_H_
