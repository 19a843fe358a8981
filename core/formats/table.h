// The scalar reference shared by formats of 16 values: what kernels/table.cc
// computes with vectors.
#ifndef BNQ_CORE_FORMATS_TABLE_H_
#define BNQ_CORE_FORMATS_TABLE_H_

#include "core/formats/affine.h"

namespace bnq {

inline int32_t TableEncode(const CodeTable& table, float x, Params params) {
  const float v = x * InverseScale(params.scale);
  int rank = 0;
  while (rank < 15 && v > table.thresholds[rank]) ++rank;
  return table.codes[rank];
}

inline CodeRange TableCodes(const Variant&) { return {0, 15}; }

inline float TableDivisor(const Variant&) { return 1.0f; }

// The scale of a table whose greatest value is 1.
inline Params TableParams(Range range, const Variant&) {
  Params params;
  const float m = -range.lo > range.hi ? -range.lo : range.hi;
  if (m != 0.0f) params.scale = UsableScale(m, 1);
  return params;
}

}  // namespace bnq

#endif  // BNQ_CORE_FORMATS_TABLE_H_
