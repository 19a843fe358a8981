// Blocks of ggml's types: their codes and scales as those of a config of ours.
// A block is a run of elements of a row: their codes and what they share.
#ifndef BNQ_CORE_INTERCHANGE_GGML_BLOCKS_H_
#define BNQ_CORE_INTERCHANGE_GGML_BLOCKS_H_

#include <cstdint>

#include "core/io/ggml_types.h"

namespace bnq {

// Where parameters are within a block, as our parts have them.
struct GgmlField {
  uint32_t at = 0, bytes = 0;  // of 0 bytes: they are computed, or none
};

// Stored codes are those of our format plus its bias: 0 and more.
struct GgmlCodec {
  GgmlType type;
  const char* config;         // of what it is read as
  GgmlField scales, offsets;  // of all groups of a block
  // The stored codes of `count` blocks, a byte each, and the reverse; nullptr:
  // cannot be written.
  void (*spread)(const uint8_t* blocks, uint64_t count, uint8_t* stored);
  void (*gather)(const uint8_t* stored, uint64_t count, uint8_t* blocks);
  // The same between `count` blocks and codes as our format packs them, where
  // that takes less work; nullptr: by way of stored codes.
  void (*unpack)(const uint8_t* blocks, uint64_t count, uint8_t* packed);
  void (*pack)(const uint8_t* packed, uint64_t count, uint8_t* blocks);
  // The float32 scales and offsets of a block's groups, where these are
  // computed.
  void (*params)(const uint8_t* block, float* scales, float* offsets);
};

// What is done with one block, done with all.
template <auto kSpread, uint32_t kBytes, uint32_t kElements>
void SpreadEach(const uint8_t* blocks, uint64_t count, uint8_t* stored) {
  for (uint64_t i = 0; i < count; ++i) {
    kSpread(blocks + kBytes * i, stored + kElements * i);
  }
}
template <auto kGather, uint32_t kBytes, uint32_t kElements>
void GatherEach(const uint8_t* stored, uint64_t count, uint8_t* blocks) {
  for (uint64_t i = 0; i < count; ++i) {
    kGather(stored + kElements * i, blocks + kBytes * i);
  }
}

// nullptr for types that are not read as codes.
const GgmlCodec* FindGgmlCodec(GgmlType type);

// Those of 256 elements with scales of scales, and IQ4_XS: read only
// (ggml_k_blocks.cc).
constexpr int kNumGgmlKCodecs = 7;
extern const GgmlCodec kGgmlKCodecs[kNumGgmlKCodecs];

// The values of IQ4_NL and IQ4_XS for scales that are 64 times theirs, which
// makes them entries of our codebooks.
constexpr float kIq4ScaleFactor = 64.0f;
extern const float kIq4Values[16];

// I2_S, whose order of bytes depends on where it was made: for rows of blocks
// without scales.
extern const GgmlCodec kI2SX86, kI2SArm;
constexpr uint32_t kI2SX86Elements = 128, kI2SArmElements = 64;

}  // namespace bnq

#endif  // BNQ_CORE_INTERCHANGE_GGML_BLOCKS_H_
