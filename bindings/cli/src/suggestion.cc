#include "suggestion.h"

#include <algorithm>
#include <cstddef>

namespace bnq::cli {
namespace {

std::string Folded(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    if (c == '_') c = '-';
  }
  return text;
}

// The Damerau-Levenshtein distance, in which no letter moves twice.
std::size_t Distance(const std::string& a, const std::string& b) {
  const std::size_t columns = b.size() + 1;
  std::vector<std::size_t> table((a.size() + 1) * columns);
  const auto at = [&](std::size_t i, std::size_t j) -> std::size_t& {
    return table[i * columns + j];
  };
  for (std::size_t i = 0; i <= a.size(); ++i) at(i, 0) = i;
  for (std::size_t j = 0; j <= b.size(); ++j) at(0, j) = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    for (std::size_t j = 1; j <= b.size(); ++j) {
      at(i, j) = std::min({at(i - 1, j) + 1, at(i, j - 1) + 1,
                           at(i - 1, j - 1) + (a[i - 1] != b[j - 1])});
      const bool swapped =
          i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) at(i, j) = std::min(at(i, j), at(i - 2, j - 2) + 1);
    }
  }
  return at(a.size(), b.size());
}

bool BeginsWith(const std::string& text, const std::string& beginning) {
  return text.compare(0, beginning.size(), beginning) == 0;
}

std::vector<std::string> CommandNames(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command :
       app.get_subcommands([](const CLI::App*) { return true; })) {
    names.push_back(command->get_name());
  }
  return names;
}

// With the dashes.
std::vector<std::string> OptionNames(const CLI::App& command) {
  std::vector<std::string> names;
  for (const CLI::Option* option : command.get_options()) {
    for (const std::string& name : option->get_lnames()) {
      names.push_back("--" + name);
    }
  }
  return names;
}

std::string DidYouMean(const std::string& nearest) {
  return nearest.empty() ? "" : ", did you mean '" + nearest + "'?";
}

}  // namespace

std::string Nearest(const std::string& word,
                    const std::vector<std::string>& candidates) {
  constexpr std::size_t kLongest = 64;  // nobody mistypes that much
  if (word.empty() || word.size() > kLongest) return "";
  const std::string typed = Folded(word);
  std::size_t least = std::max<std::size_t>(1, word.size() / 3);
  std::string nearest;
  for (const std::string& candidate : candidates) {
    const std::size_t distance = Distance(typed, Folded(candidate));
    if (distance > least || (distance == least && !nearest.empty())) continue;
    least = distance;
    nearest = candidate;
  }
  if (!nearest.empty()) return nearest;
  constexpr std::size_t kBeginning = 3;
  for (const std::string& candidate : candidates) {
    const std::string folded = Folded(candidate);
    const std::size_t shared = std::min(folded.size(), typed.size());
    const bool begins = BeginsWith(folded, typed) || BeginsWith(typed, folded);
    if (begins && shared >= kBeginning) return candidate;
  }
  return "";
}

std::string UsageMessage(const CLI::App& app, const CLI::ParseError& error) {
  const std::vector<CLI::App*> chosen = app.get_subcommands();
  const CLI::App& command = chosen.empty() ? app : *chosen.front();
  std::string help = "bnq";
  if (!chosen.empty()) help += " " + command.get_name();

  // What CLI11 says first may only follow from what it did not understand: the
  // option that is missing is then the one that was mistyped.
  std::string what = error.what();
  const std::vector<std::string> unknown = command.remaining();
  const auto option =
      std::find_if(unknown.begin(), unknown.end(), [](const std::string& word) {
        return word.size() > 1 && word[0] == '-';
      });
  if (option != unknown.end()) {
    const std::string name = option->substr(0, option->find('='));
    what = "unknown option '" + name + "'" +
           DidYouMean(Nearest(name, OptionNames(command)));
  } else if (!unknown.empty() && chosen.empty()) {
    what = "unknown command '" + unknown.front() + "'" +
           DidYouMean(Nearest(unknown.front(), CommandNames(app)));
  } else if (!unknown.empty()) {
    what = "unexpected argument '" + unknown.front() + "'";
  }
  return what + " (see '" + help + " --help')";
}

}  // namespace bnq::cli
