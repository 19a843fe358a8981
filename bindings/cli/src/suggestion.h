// What somebody may have meant who mistyped a command or an option.
#ifndef BNQ_CLI_SUGGESTION_H_
#define BNQ_CLI_SUGGESTION_H_

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace bnq::cli {

// The candidate that takes the fewest keystrokes to become `word`: letters
// inserted, deleted, replaced or swapped with their neighbour, in at most a
// third of it; one that begins with the word, or the other way round, counts as
// near. "" where none is near. Upper and lower case are the same.
std::string Nearest(const std::string& word,
                    const std::vector<std::string>& candidates);

// What is wrong with a command line that CLI11 has refused, in one line with
// the nearest command or option, and where to read on.
std::string UsageMessage(const CLI::App& app, const CLI::ParseError& error);

}  // namespace bnq::cli

#endif  // BNQ_CLI_SUGGESTION_H_
