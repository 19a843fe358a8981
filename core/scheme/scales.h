// How the scales of a tensor are stored: as float32, float16 or bfloat16, or
// double quantized.
//
// Double quantization is that of QLoRA (arXiv:2305.14314, section 3) as
// bitsandbytes does it: offset = mean of the scales (in float64, rounded once);
// for each block of 256 scales g = max |scale - offset|; code = the entry of
// the dynamic map (dynamic_map.h) nearest to (scale - offset) * (1 / g) by the
// search of bitsandbytes' dQuantize; scale = map[code] * g + offset. Stored:
// the codes, zeros up to a multiple of 4 bytes, all g, the offset.
#ifndef BNQ_CORE_SCHEME_SCALES_H_
#define BNQ_CORE_SCHEME_SCALES_H_

#include <cstdint>

#include "core/scheme/config.h"

namespace bnq {

// Scales of a block that share a greatest difference.
constexpr uint64_t kScaleBlock = 256;

// A view of stored scales. Immutable, may be shared.
struct StoredScales {
  ScaleDType dtype = ScaleDType::kF32;
  bool double_quant = false;
  uint64_t count = 0;             // of the whole tensor
  const uint8_t* data = nullptr;  // aligned to 4 bytes

  // They can be used where they are.
  bool plain() const { return dtype == ScaleDType::kF32 && !double_quant; }
  // Scales begin to begin + n - 1 as float32.
  void Read(uint64_t begin, uint64_t n, float* out) const;
  // How many are at the ends of what their type holds.
  uint64_t CountSaturated() const;
  // INVALID_ARGUMENT, naming the index, for one that is not finite.
  void Validate() const;
};

uint64_t StoredScaleBytes(const Config& config, uint64_t count);
// Of scales that are as RoundScale leaves them, into StoredScaleBytes() bytes.
void StoreScales(const Config& config, const float* scales, uint64_t count,
                 uint8_t* out);

// The 256 values of the dynamic map, ascending.
const float* DynamicMap();

}  // namespace bnq

#endif  // BNQ_CORE_SCHEME_SCALES_H_
