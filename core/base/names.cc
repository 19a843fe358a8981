#include "core/base/names.h"

#include <algorithm>
#include <vector>

namespace bnq {
namespace {

// Other words for names, in lower case: those of numpy, PyTorch and C.
constexpr struct {
  std::string_view word, name;
} kWords[] = {
    {"float16", "f16"},
    {"fp16", "f16"},
    {"half", "f16"},
    {"bfloat16", "bf16"},
    {"float32", "f32"},
    {"fp32", "f32"},
    {"float64", "f64"},
    {"fp64", "f64"},
    {"double", "f64"},
    {"int8", "i8"},
    {"uint8", "u8"},
    {"int16", "i16"},
    {"uint16", "u16"},
    {"int32", "i32"},
    {"uint32", "u32"},
    {"int64", "i64"},
    {"uint64", "u64"},
    {"complex64", "c64"},
    {"float8_e4m3fn", "f8_e4m3"},
    {"float8_e5m2", "f8_e5m2"},
};

bool SameLetters(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) {
    return AsciiLower(x) == AsciiLower(y);
  });
}

}  // namespace

bool EndsWith(std::string_view text, std::string_view ending) {
  return text.size() >= ending.size() &&
         text.substr(text.size() - ending.size()) == ending;
}

std::string AsciiLower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = AsciiLower(c);
  return lower;
}

bool IsName(std::string_view text, std::string_view name) {
  if (SameLetters(text, name)) return true;
  for (const auto& [word, stands_for] : kWords) {
    if (SameLetters(stands_for, name) && SameLetters(text, word)) return true;
  }
  return false;
}

// Optimal string alignment, row by row.
size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<size_t> before(b.size() + 1), above(b.size() + 1),
      row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  const auto same = [&](size_t i, size_t j) {
    return AsciiLower(a[i - 1]) == AsciiLower(b[j - 1]);
  };
  for (size_t i = 1; i <= a.size(); ++i) {
    before.swap(above);
    above.swap(row);
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min(
          {above[j] + 1, row[j - 1] + 1, above[j - 1] + (same(i, j) ? 0 : 1)});
      if (i > 1 && j > 1 && same(i, j - 1) && same(i - 1, j)) {
        row[j] = std::min(row[j], before[j - 2] + 1);
      }
    }
  }
  return row[b.size()];
}

// A third of the letters may be wrong, of short words one. The bound on the
// text's length is one on the work, for names are short.
Nearest::Nearest(std::string_view text)
    : text_(text.substr(0, 64)),
      distance_(std::max<size_t>(1, text_.size() / 3) + 1) {}

void Nearest::Consider(const char* name) {
  const size_t distance = EditDistance(text_, name);
  if (distance >= distance_ || distance >= std::string_view(name).size()) {
    return;
  }
  distance_ = distance;
  name_ = name;
}

std::string Nearest::Question() const {
  if (name_ == nullptr) return "";
  return std::string("; did you mean \"") + name_ + "\"?";
}

}  // namespace bnq
