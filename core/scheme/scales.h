// How the scales of a tensor are stored: as float32, float16, bfloat16, powers
// of two (e8m0) or small floats (e4m3), or double quantized. Offsets are stored
// in the same way, apart from them.
//
// e4m3: under a scale for the tensor, float32, the greatest scale's magnitude /
// 448, one bit less where 448 times it would be more. Of a scale that is not 0
// the code is that of scale * (1 / the tensor's scale), rounded to nearest
// even, and not 0; what is read is its number times the tensor's scale.
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
  StoredScales() = default;
  StoredScales(const Config& config, uint64_t n, const uint8_t* bytes,
               float of_tensor = 1.0f)
      : dtype(config.scale_dtype()),
        double_quant(config.double_quant()),
        count(n),
        data(bytes),
        tensor_scale(of_tensor) {}

  ScaleDType dtype = ScaleDType::kF32;
  bool double_quant = false;
  uint64_t count = 0;             // of the whole tensor
  const uint8_t* data = nullptr;  // aligned to 4 bytes
  float tensor_scale = 1.0f;      // of e4m3

  // They can be used where they are.
  bool plain() const { return dtype == ScaleDType::kF32 && !double_quant; }
  // Scales begin to begin + n - 1 as float32.
  void Read(uint64_t begin, uint64_t n, float* out) const;
  // What code i would be read as, where scales are stored as codes of 8 bits
  // together: double quantized, or e4m3.
  float ValueOfCode(uint64_t i, uint8_t code) const;
  // The code beside it that stands for the next greater (step 1) or lesser
  // (step -1) number; the same where there is none.
  uint8_t NextCode(uint8_t code, int step) const;
  // How many are at the ends of what their type holds.
  uint64_t CountSaturated() const;
  // INVALID_ARGUMENT, naming the index, for one that is not finite.
  void Validate(const char* name) const;
};

uint64_t StoredScaleBytes(const Config& config, uint64_t count);
// Of scales that are as RoundScale leaves them, or offsets as RoundOffset does,
// into StoredScaleBytes() bytes. With e4m3, which is for scales alone, under
// TensorScale(all of them).
void StoreScales(const Config& config, const float* scales, uint64_t count,
                 uint8_t* out, float tensor_scale = 1.0f);
float TensorScale(const float* scales, uint64_t count);
// Replaces all scales of a tensor, or its offsets, by what they are once
// stored.
void RoundAsStored(const Config& config, float* scales, uint64_t count);

// The 256 values of the dynamic map, ascending.
const float* DynamicMap();

}  // namespace bnq

#endif  // BNQ_CORE_SCHEME_SCALES_H_
