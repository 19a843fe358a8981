// The loops over codes that layouts need: the same bits in another order.
// Compiled for speed (core/flags.txt).
#ifndef BNQ_CORE_INTERCHANGE_TRANSCODE_H_
#define BNQ_CORE_INTERCHANGE_TRANSCODE_H_

#include <cstddef>
#include <cstdint>

namespace bnq {

// Bytes in two's complement to those plus 128, and back. May be in place.
void FlipSigns(const uint8_t* from, uint64_t bytes, uint8_t* out);

// A matrix of 32-bit words, with rows `from_stride` bytes apart, to its
// transpose.
void TransposeWords(const uint8_t* from, uint64_t from_stride, uint64_t rows,
                    uint64_t columns, uint8_t* out, uint64_t out_stride);

// A matrix of 4-bit fields, eight to a word (the first in the lowest bits), to
// its transpose: `groups` eights of rows, of `words` words each. Field k of a
// word of the transpose is of row from_order[k] of its eight; field k of a word
// goes to row to_order[k] of its eight.
void TransposeNibbles(const uint8_t* from, uint64_t from_stride,
                      const uint8_t* from_order, uint64_t groups,
                      uint64_t words, const uint8_t* to_order, uint8_t* out,
                      uint64_t out_stride);

// Four fields of 2 bits in each of `bytes` bytes, rows[i] the fields i, four to
// a byte, of ceil(bytes / 4) bytes; and back.
void SplitPairs(const uint8_t* from, uint64_t bytes, uint8_t* const* rows);
void JoinPairs(const uint8_t* const* rows, uint64_t bytes, uint8_t* out);

// -(zeros[i] + zero) * scales[i].
void ShiftsOf(const int8_t* zeros, int32_t zero, const float* scales, size_t n,
              float* out);
// Whether a[i] == b[i] for all of them.
bool AreEqual(const float* a, const float* b, size_t n);

}  // namespace bnq

#endif  // BNQ_CORE_INTERCHANGE_TRANSCODE_H_
