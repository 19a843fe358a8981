#include "core/interchange/transcode.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "core/kernels/transpose.h"

namespace bnq {

void FlipSigns(const uint8_t* from, uint64_t bytes, uint8_t* out) {
  for (uint64_t i = 0; i < bytes; ++i) {
    out[i] = static_cast<uint8_t>(from[i] ^ 0x80);
  }
}

// By squares that the first cache holds: rows of the transpose are far from
// each other, and often by a power of two.
void TransposeWords(const uint8_t* from, uint64_t from_stride, uint64_t rows,
                    uint64_t columns, uint8_t* out, uint64_t out_stride) {
  constexpr uint64_t kSide = 64;
  uint32_t square[kSide * kSide];
  const uint8_t* starts[kSide];
  for (uint64_t row = 0; row < rows; row += kSide) {
    const uint64_t height = std::min(kSide, rows - row);
    for (uint64_t i = 0; i < height; ++i) {
      starts[i] = from + (row + i) * from_stride;
    }
    for (uint64_t column = 0; column < columns; column += kSide) {
      TransposeArgs args;
      args.rows = starts;
      args.num_rows = height;
      args.first = column;
      args.columns = std::min(kSide, columns - column);
      args.element = 4;
      args.out = reinterpret_cast<uint8_t*>(square);
      args.out_stride = 4 * kSide;
      Transpose(args);
      uint8_t* to = out + column * out_stride + 4 * row;
      for (uint64_t j = 0; j < args.columns; ++j, to += out_stride) {
        std::memcpy(to, square + j * kSide, 4 * height);
      }
    }
  }
}

namespace {

constexpr uint64_t kFields = 8;  // of a word
// Words that are worked on at once, so many that compilers make vectors of the
// loops, and do not unroll them.
constexpr uint64_t kLanes = 64;
// Eights of rows, whose words are written together.
constexpr uint64_t kGroups = 32;

template <uint32_t kDistance, uint32_t kMask>
void SwapFields(uint32_t (*words)[kLanes]) {
  constexpr uint32_t kShift = 4 * kDistance;
  for (uint32_t i = 0; i < kFields; ++i) {
    if ((i & kDistance) != 0) continue;
    for (uint64_t n = 0; n < kLanes; ++n) {
      const uint32_t swapped =
          ((words[i][n] >> kShift) ^ words[i + kDistance][n]) & kMask;
      words[i][n] ^= swapped << kShift;
      words[i + kDistance][n] ^= swapped;
    }
  }
}

}  // namespace

void TransposeNibbles(const uint8_t* from, uint64_t from_stride,
                      const uint8_t* from_order, uint64_t groups,
                      uint64_t words, const uint8_t* to_order, uint8_t* out,
                      uint64_t out_stride) {
  // Of each eight the words of its rows, then of its fields.
  struct Eight {
    uint32_t words[kFields][kLanes];
  };
  std::vector<Eight> eights(kGroups);
  for (uint64_t word = 0; word < words; word += kLanes) {
    const uint64_t width = std::min(kLanes, words - word);
    for (uint64_t group = 0; group < groups; group += kGroups) {
      const uint64_t height = std::min(kGroups, groups - group);
      for (uint64_t g = 0; g < height; ++g) {
        for (uint64_t i = 0; i < kFields; ++i) {
          const uint64_t row = (group + g) * kFields + from_order[i];
          std::memcpy(eights[g].words[i], from + row * from_stride + 4 * word,
                      4 * width);
        }
        SwapFields<4, 0x0000FFFF>(eights[g].words);
        SwapFields<2, 0x00FF00FF>(eights[g].words);
        SwapFields<1, 0x0F0F0F0F>(eights[g].words);
      }
      for (uint64_t k = 0; k < kFields; ++k) {
        TransposeWords(
            reinterpret_cast<const uint8_t*>(eights[0].words[k]), sizeof(Eight),
            height, width,
            out + (word * kFields + to_order[k]) * out_stride + 4 * group,
            kFields * out_stride);
      }
    }
  }
}

namespace {

// Four bytes of four fields of two bits: byte i gets the fields i of all four.
// Twice is once back.
void TransposePairs(uint32_t* words, uint64_t n) {
  for (uint64_t i = 0; i < n; ++i) {
    uint32_t x = words[i];
    uint32_t swapped = ((x >> 6) ^ x) & 0x00CC00CC;
    x ^= swapped ^ (swapped << 6);
    swapped = ((x >> 12) ^ x) & 0x0000F0F0;
    words[i] = x ^ swapped ^ (swapped << 12);
  }
}

constexpr uint64_t kWords = 256;

}  // namespace

void SplitPairs(const uint8_t* from, uint64_t bytes, uint8_t* const* rows) {
  uint32_t words[kWords];
  uint8_t fields[kWords];
  for (uint64_t at = 0; at < bytes; at += 4 * kWords) {
    const uint64_t n = std::min(4 * kWords, bytes - at);
    const uint64_t count = (n + 3) / 4;
    words[count - 1] = 0;
    std::memcpy(words, from + at, n);
    TransposePairs(words, count);
    for (uint32_t i = 0; i < 4; ++i) {
      for (uint64_t k = 0; k < kWords; ++k) {
        fields[k] = static_cast<uint8_t>(words[k] >> (8 * i));
      }
      std::memcpy(rows[i] + at / 4, fields, count);
    }
  }
}

void JoinPairs(const uint8_t* const* rows, uint64_t bytes, uint8_t* out) {
  uint32_t words[kWords];
  uint8_t fields[kWords] = {};
  for (uint64_t at = 0; at < bytes; at += 4 * kWords) {
    const uint64_t n = std::min(4 * kWords, bytes - at);
    const uint64_t count = (n + 3) / 4;
    std::memset(words, 0, sizeof words);
    for (uint32_t i = 0; i < 4; ++i) {
      std::memcpy(fields, rows[i] + at / 4, count);
      for (uint64_t k = 0; k < kWords; ++k) {
        words[k] |= static_cast<uint32_t>(fields[k]) << (8 * i);
      }
    }
    TransposePairs(words, count);
    std::memcpy(out + at, words, n);
  }
}

void ShiftsOf(const int8_t* zeros, int32_t zero, const float* scales, size_t n,
              float* out) {
  for (size_t i = 0; i < n; ++i) {
    out[i] = -static_cast<float>(zeros[i] + zero) * scales[i];
  }
}

bool AreEqual(const float* a, const float* b, size_t n) {
  int others = 0;
  for (size_t i = 0; i < n; ++i) others += a[i] != b[i] ? 1 : 0;
  return others == 0;
}

}  // namespace bnq
