// What a .bnq file holds, and the numbers of its layout; README.md is the
// specification.
#ifndef BNQ_CORE_IO_BNQ_FORMAT_H_
#define BNQ_CORE_IO_BNQ_FORMAT_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "core/base/shape.h"
#include "core/io/text.h"

namespace bnq {

// As PNG's: the first byte is not ASCII, and CR LF, ^Z and LF do not survive a
// transfer as text.
constexpr uint8_t kBnqMagic[8] = {0x89, 'B', 'N', 'Q', '\r', '\n', 0x1a, '\n'};
constexpr uint16_t kBnqMajor = 1;
constexpr uint16_t kBnqMinor = 0;
constexpr uint64_t kBnqHeaderBytes = 64;
// Of sections that can be mapped.
constexpr uint64_t kBnqAlignment = 64;
// Raw bytes of a chunk as written, and the most a reader accepts.
constexpr uint32_t kBnqChunkBytes = 1u << 20;
constexpr uint32_t kBnqMaxChunkBytes = 1u << 24;
// DEFLATE codes at most 258 bytes in two bits.
constexpr uint64_t kBnqMaxExpansion = 1032;

// Unknown roles are left to the caller to judge.
enum class BnqRole : uint32_t {
  kData = 1,               // a plain array
  kCodes = 2,              // packed codes
  kScales = 3,             // as the options say
  kZeroPoints = 4,         // int8
  kOutlierColumns = 5,     // u32
  kOutlierValuesF16 = 6,   // float16
  kOutlierValuesBF16 = 7,  // bfloat16
};

enum class BnqEncoding : uint32_t {
  kStored = 0,  // contiguous at an aligned offset
  kChunks = 1,  // chunk by chunk, each compressed or not
};

// How a quantized tensor was made. Unknown keys are left to the caller.
struct BnqOption {
  int32_t key = 0;
  bool is_float = false;
  uint64_t bits = 0;

  static BnqOption Int(int32_t key, int64_t value);
  static BnqOption Float(int32_t key, double value);
  int64_t AsInt() const { return static_cast<int64_t>(bits); }
  double AsFloat() const;
};

struct BnqChunk {
  uint64_t offset = 0;  // from the start of the file
  uint32_t stored_bytes = 0;
  uint32_t crc32 = 0;  // of the raw bytes
  bool compressed = false;
};

struct BnqSection {
  BnqRole role = BnqRole::kData;
  uint64_t raw_bytes = 0;
  // The rest is the writer's business.
  BnqEncoding encoding = BnqEncoding::kStored;
  uint32_t chunk_bytes = kBnqChunkBytes;
  std::vector<BnqChunk> chunks;

  uint64_t stored_bytes() const;
  // Raw bytes of chunk i: chunk_bytes, or what is left in the last one.
  uint32_t ChunkRawBytes(size_t i) const;
};

struct BnqEntry {
  std::string name;
  int32_t format = 0;  // 0: a plain array
  int32_t dtype = 0;   // of a plain array, else 0
  Shape shape;
  std::vector<BnqOption> options;    // sorted by key
  std::vector<BnqSection> sections;  // sorted by role

  uint64_t raw_bytes() const;
  uint64_t stored_bytes() const;
  // nullptr where there is none.
  const BnqSection* FindSection(BnqRole role) const;
  const BnqOption* FindOption(int32_t key) const;
};

// "" where a reader may accept entry's name, numbers, options and the roles
// and sizes of its sections; else what is wrong with them. The shape must not
// overflow.
std::string CheckBnqEntry(const BnqEntry& entry);

}  // namespace bnq

#endif  // BNQ_CORE_IO_BNQ_FORMAT_H_
