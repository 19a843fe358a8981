// The table of a format of 16 values, or fewer where it is fitted.
#ifndef BNQ_CORE_SCHEME_CODE_TABLE_H_
#define BNQ_CORE_SCHEME_CODE_TABLE_H_

#include <cstdint>

namespace bnq {

// A format of 16 values: rank r is the number of thresholds that x / scale is
// above, and codes[r] its code. Made by MakeCodeTable.
struct CodeTable {
  float thresholds[15];  // ascending
  int32_t codes[16];     // by rank
  float values[16];      // by code
  // The thresholds as a search tree: level l decides bit 3 - l of a rank, by
  // the bits above it.
  float levels[4][8];
  // The same by a lookup, but where buckets = 0: |u| <= 1 belongs to bucket
  // round(u * buckets) mod 32, in which there is one threshold at most (else
  // infinity), between the codes in bits 0 to 3 and 4 to 7. u is v; or |v|
  // where the upper half of the ranks is the lower one's mirror image, whose
  // codes have bit 3 set.
  float buckets;
  bool mirrored;  // or else code i has rank i
  float bucket_thresholds[32];
  int32_t bucket_codes[32];
};

// The most that an entry of a codebook is, either way.
constexpr float kGreatestEntry = 2.0f;

struct CodeTableParts {
  float thresholds[15];
  int32_t codes[16];
  float values[16];
  // No threshold may be near the edge of a bucket.
  float buckets;
  bool mirrored;
};
constexpr void SetLevels(CodeTable* table) {
  for (int l = 0; l < 4; ++l) {
    for (int i = 0; i < 1 << l; ++i) {
      table->levels[l][i] = table->thresholds[(2 * i + 1) * (8 >> l) - 1];
    }
  }
}
constexpr CodeTable MakeCodeTable(const CodeTableParts& parts) {
  CodeTable table = {};
  for (int i = 0; i < 15; ++i) table.thresholds[i] = parts.thresholds[i];
  for (int i = 0; i < 16; ++i) table.codes[i] = parts.codes[i];
  for (int i = 0; i < 16; ++i) table.values[i] = parts.values[i];
  SetLevels(&table);
  table.buckets = parts.buckets;
  table.mirrored = parts.mirrored;
  for (int i = 0; i < 16; ++i) {
    // Evaluated by the compiler, which then fails.
    if (!parts.mirrored && parts.codes[i] != i) throw parts.codes[i];
  }
  int rank = parts.mirrored ? 8 : 0;
  for (int b = parts.mirrored ? 0 : -16; b < (parts.mirrored ? 32 : 16); ++b) {
    const int at = b & 31;
    table.bucket_thresholds[at] = 3.4028234663852886e38f;
    table.bucket_codes[at] = parts.codes[rank] | parts.codes[rank] << 4;
    if (rank < 15 &&
        parts.thresholds[rank] * parts.buckets < static_cast<float>(b) + 0.5f) {
      table.bucket_thresholds[at] = parts.thresholds[rank];
      table.bucket_codes[at] = parts.codes[rank] | parts.codes[rank + 1] << 4;
      ++rank;
    }
  }
  return table;
}

// Of `count` values that need not be 1 at most, ascending, 16 or fewer: the
// thresholds are halfway between them, a threshold itself belongs to the lower
// one, and codes are ranks. Not for lookups by buckets.
CodeTable FittedTable(const float* values, int count);

}  // namespace bnq

#endif  // BNQ_CORE_SCHEME_CODE_TABLE_H_
