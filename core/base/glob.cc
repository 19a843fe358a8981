#include "core/base/glob.h"

#include <algorithm>
#include <string_view>

#include "core/base/utf8.h"

namespace bnq {
namespace {

constexpr char kSpecial[] = "*?[\\";

// The characters of UTF-8 text. A byte that belongs to none is one of its own,
// which no character equals.
std::u32string Characters(const std::string& text) {
  std::u32string characters;
  for (size_t i = 0; i < text.size();) {
    const size_t length = Utf8Length(text.data() + i, text.size() - i);
    const unsigned char lead = static_cast<unsigned char>(text[i]);
    char32_t c = length == 0   ? 0xDC00u + lead
                 : length == 1 ? lead
                               : lead & (0x7Fu >> length);
    for (size_t k = 1; k < length; ++k) {
      c = c << 6 | (static_cast<unsigned char>(text[i + k]) & 0x3Fu);
    }
    characters += c;
    i += std::max<size_t>(length, 1);
  }
  return characters;
}

// Matches c against the set that begins behind the '[' at glob[at]; moves at
// behind its ']'. False, without moving, where the set is not closed.
bool ReadSet(const std::u32string& glob, size_t* at, char32_t c,
             bool* matches) {
  size_t i = *at + 1;
  const bool negated = i < glob.size() && (glob[i] == U'!' || glob[i] == U'^');
  if (negated) ++i;
  bool found = false;
  for (bool first = true;; first = false) {
    if (i >= glob.size()) return false;
    if (glob[i] == U']' && !first) break;
    const char32_t lo = glob[i];
    char32_t hi = lo;
    if (i + 2 < glob.size() && glob[i + 1] == U'-' && glob[i + 2] != U']') {
      hi = glob[i + 2];
      i += 2;
    }
    found = found || (lo <= c && c <= hi);
    ++i;
  }
  *at = i + 1;
  *matches = found != negated;
  return true;
}

bool Match(const std::u32string& glob, const std::u32string& name) {
  size_t g = 0, n = 0;
  // Where to go on when what follows the last * did not match: that * takes one
  // more character. Earlier ones need not be tried again.
  size_t star = std::string::npos, star_name = 0;
  while (n < name.size()) {
    bool matches = false;
    size_t next = g;
    if (g < glob.size()) {
      const char32_t c = glob[g];
      if (c == U'*') {
        star = g++;
        star_name = n;
        continue;
      }
      if (c == U'?') {
        matches = true;
        next = g + 1;
      } else if (c == U'[' && ReadSet(glob, &next, name[n], &matches)) {
        // next is behind the set
      } else {
        const bool quoted = c == U'\\' && g + 1 < glob.size();
        matches = glob[g + quoted] == name[n];
        next = g + quoted + 1;
      }
    }
    if (matches) {
      g = next;
      ++n;
    } else if (star != std::string::npos) {
      g = star + 1;
      n = ++star_name;
    } else {
      return false;
    }
  }
  while (g < glob.size() && glob[g] == U'*') ++g;
  return g == glob.size();
}

}  // namespace

bool GlobMatch(const std::string& glob, const std::string& name) {
  return Match(Characters(glob), Characters(name));
}

bool IsGlob(const std::string& text) {
  return text.find_first_of(kSpecial) != std::string::npos;
}

std::string QuoteGlob(const std::string& name) {
  std::string glob;
  for (const char c : name) {
    if (std::string_view(kSpecial).find(c) != std::string_view::npos) {
      glob += '\\';
    }
    glob += c;
  }
  return glob;
}

}  // namespace bnq
