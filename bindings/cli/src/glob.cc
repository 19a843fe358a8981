#include "glob.h"

#include <cstddef>

namespace bnq::cli {
namespace {

constexpr std::size_t kNone = std::string_view::npos;

// Matches one character against the pattern element at `at`. Returns where the
// next element begins, or kNone where it does not match.
std::size_t MatchOne(std::string_view glob, std::size_t at, char c) {
  const auto byte = [](char x) { return static_cast<unsigned char>(x); };
  switch (glob[at]) {
    case '?':
      return at + 1;
    case '\\':
      if (at + 1 < glob.size()) ++at;
      return glob[at] == c ? at + 1 : kNone;
    case '[': {
      std::size_t i = at + 1;
      const bool negated =
          i < glob.size() && (glob[i] == '!' || glob[i] == '^');
      i += negated;
      bool found = false;
      // A ] that comes first stands for itself.
      for (const std::size_t first = i;
           i < glob.size() && (i == first || glob[i] != ']'); ++i) {
        const char low = glob[i];
        if (i + 2 < glob.size() && glob[i + 1] == '-' && glob[i + 2] != ']') {
          i += 2;
        }
        found = found || (byte(low) <= byte(c) && byte(c) <= byte(glob[i]));
      }
      if (i >= glob.size()) return c == '[' ? at + 1 : kNone;
      return found != negated ? i + 1 : kNone;
    }
    default:
      return glob[at] == c ? at + 1 : kNone;
  }
}

}  // namespace

bool GlobMatches(std::string_view glob, std::string_view name) {
  std::size_t g = 0, n = 0;
  // Where to go on if what follows the last * does not match: the * takes one
  // character more. An earlier * need not be tried again.
  std::size_t star = kNone, star_end = 0;
  while (n < name.size()) {
    if (g < glob.size() && glob[g] == '*') {
      star = ++g;
      star_end = n;
      continue;
    }
    const std::size_t next =
        g < glob.size() ? MatchOne(glob, g, name[n]) : kNone;
    if (next != kNone) {
      g = next;
      ++n;
    } else if (star != kNone) {
      g = star;
      n = ++star_end;
    } else {
      return false;
    }
  }
  while (g < glob.size() && glob[g] == '*') ++g;
  return g == glob.size();
}

}  // namespace bnq::cli
