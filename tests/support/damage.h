// Files damaged at random, deterministically.
#ifndef BNQ_TESTS_SUPPORT_DAMAGE_H_
#define BNQ_TESTS_SUPPORT_DAMAGE_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <random>
#include <string>

#include "core/io/endian.h"

namespace bnq {

// How many damaged files a test reads, unless BNQ_FUZZ_ITERATIONS asks for
// more.
inline uint64_t FuzzIterations() {
  const char* text = std::getenv("BNQ_FUZZ_ITERATIONS");
  return text != nullptr ? std::strtoull(text, nullptr, 10) : 20000;
}

// One to three of: a byte or bit changed, bytes cut out or put in, a number at
// an edge, a piece of JSON.
inline void Damage(std::mt19937_64* random, std::string* file) {
  const auto below = [&](size_t n) {
    return static_cast<size_t>((*random)() % n);
  };
  const uint64_t numbers[] = {0,          1,           UINT32_MAX,
                              UINT64_MAX, 1u << 31,    uint64_t{1} << 63,
                              64,         file->size()};
  for (size_t n = 1 + below(3); n > 0 && !file->empty(); --n) {
    const size_t at = below(file->size());
    switch (below(6)) {
      case 0:
        (*file)[at] = static_cast<char>((*random)());
        break;
      case 1:
        (*file)[at] = static_cast<char>((*file)[at] ^ (1 << below(8)));
        break;
      case 2:
        file->erase(at, 1 + below(8));
        break;
      case 3:
        file->insert(at, file->substr(below(file->size()), below(40)));
        break;
      case 4: {
        uint8_t bytes[8];
        StoreLE<uint64_t>(numbers[below(8)], bytes);
        const size_t size =
            std::min<size_t>(below(2) ? 4 : 8, file->size() - at);
        file->replace(at, size, reinterpret_cast<const char*>(bytes), size);
        break;
      }
      default: {
        const char* texts[] = {"{",
                               "}",
                               "[",
                               "]",
                               "\"",
                               ",",
                               ":",
                               "0",
                               "-1",
                               "1e9",
                               "99999999999999999999",
                               "null",
                               "\\u0000"};
        file->insert(at, texts[below(13)]);
      }
    }
  }
}

}  // namespace bnq

#endif  // BNQ_TESTS_SUPPORT_DAMAGE_H_
