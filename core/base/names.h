// Names as people write them: of formats, presets, options, their values and
// data types. Nothing here depends on the locale, in whose Turkish form the
// capital of "i" is not "I".
#ifndef BNQ_CORE_BASE_NAMES_H_
#define BNQ_CORE_BASE_NAMES_H_

#include <cstddef>
#include <string>
#include <string_view>

namespace bnq {

constexpr char AsciiLower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}
std::string AsciiLower(std::string_view text);

bool EndsWith(std::string_view text, std::string_view ending);

// Whether text stands for a name: it is the name, but for the case of ASCII
// letters, or another word for it ("float16" for "f16").
bool IsName(std::string_view text, std::string_view name);

// Letters left out, put in, exchanged or changed places with the next one that
// it takes to make one of the other, whatever their case.
size_t EditDistance(std::string_view a, std::string_view b);

// The name that somebody may have meant who wrote `text`: the first of the
// nearest, where it is near.
class Nearest {
 public:
  explicit Nearest(std::string_view text);
  void Consider(const char* name);
  const char* name() const { return name_; }  // nullptr: none is near
  // "; did you mean "int8"?", or "".
  std::string Question() const;

 private:
  std::string text_;
  size_t distance_;  // of the best; at first of what is too far
  const char* name_ = nullptr;
};

}  // namespace bnq

#endif  // BNQ_CORE_BASE_NAMES_H_
