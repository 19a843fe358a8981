#include "core/base/glob.h"

#include <gtest/gtest.h>

namespace bnq {
namespace {

TEST(Glob, Matches) {
  struct {
    const char* glob;
    const char* name;
    bool matches;
  } const cases[] = {
      {"", "", true},
      {"", "a", false},
      {"*", "", true},
      {"*", "model/layers.0.weight", true},
      {"a", "a", true},
      {"a", "A", false},
      {"a", "ab", false},
      {"?", "", false},
      {"a?c", "abc", true},
      {"*.weight", "fc1.weight", true},
      {"*.weight", "fc1.weight.scale", false},
      {"layers.*.attn.*", "layers.10.attn.q_proj", true},
      {"*a*b*c", "xxaxxbxxc", true},
      {"*a*b*c", "xxaxxcxxb", false},
      {"*ab", "aab", true},
      {"[a-c]x", "bx", true},
      {"[a-c]x", "dx", false},
      {"[!a-c]x", "dx", true},
      {"[!a-c]x", "ax", false},
      {"[]]", "]", true},
      {"[a-]", "-", true},
      {"[abc", "[abc", true},
      {"[abc", "a", false},
      {"layers.[0-9].*", "layers.3.w", true},
      {"layers.[0-9].*", "layers.13.w", false},
      {"\\*", "*", true},
      {"\\*", "a", false},
      {"a\\", "a\\", true},
      {"**", "abc", true},
      {"*?", "", false},
      // Characters, not bytes.
      {"?", "\u00e9", true},
      {"??", "\u00e9", false},
      {"?x", "\U0001f600x", true},
      {"*\u00e9", "caf\u00e9", true},
      {"[\u00e0-\u00ef]", "\u00e9", true},
      {"[\u00e0-\u00ef]", "\u00f9", false},
      {"[!a]", "\u00e9", true},
      {"[\u00e9a]x", "ax", true},
      // Bytes that are no character.
      {"?", "\xff", true},
      {"\xc3", "\u00e9", false},
      {"*\xa9", "\u00e9", false},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(GlobMatch(c.glob, c.name), c.matches)
        << c.glob << " against " << c.name;
  }
  // Time is not exponential in the stars.
  EXPECT_FALSE(GlobMatch("*a*a*a*a*a*a*a*a*a*a*b", std::string(5000, 'a')));
}

}  // namespace
}  // namespace bnq
