#include "core/tensor/scales.h"

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <cstring>

#include "core/base/checked.h"
#include "core/base/error.h"
#include "core/base/half.h"
#include "core/tensor/dynamic_map.h"

namespace bnq {
namespace {

struct MapValues {
  float v[256];
  MapValues() {
    for (int i = 0; i < 256; ++i) v[i] = F32OfBits(kDynamicMapBits[i]);
  }
};

// Where the parts of double quantized scales are.
struct DoubleParts {
  uint64_t greatest, offset, bytes;
  explicit DoubleParts(uint64_t count)
      : greatest((count + 3) / 4 * 4),
        offset(greatest + 4 * DivCeil(count, kScaleBlock)),
        bytes(count == 0 ? 0 : offset + 4) {}
};

float FloatAt(const uint8_t* data) {
  float v;
  std::memcpy(&v, data, sizeof v);
  return v;
}

// bitsandbytes' dQuantize without its stochastic branch: a search of seven
// steps, then a comparison with the midpoint to the neighbour on v's side; a
// midpoint itself keeps the code that the search ended at. Of kAtOnce values,
// whose searches need not wait for each other, and without branches, which
// could not be predicted.
constexpr size_t kAtOnce = 8;
void NearestInMap(const float* map, const float* v, uint8_t* codes) {
  int pivot[kAtOnce], upper[kAtOnce], lower[kAtOnce];
  for (size_t i = 0; i < kAtOnce; ++i) {
    pivot[i] = 127;
    upper[i] = 255;
    lower[i] = 0;
  }
  for (int step = 64; step > 0; step >>= 1) {
    for (size_t i = 0; i < kAtOnce; ++i) {
      const bool above = v[i] > map[pivot[i]];
      lower[i] = above ? pivot[i] : lower[i];
      upper[i] = above ? upper[i] : pivot[i];
      pivot[i] += above ? step : -step;
    }
  }
  for (size_t i = 0; i < kAtOnce; ++i) {
    const float at = map[pivot[i]];
    const bool above = v[i] > at;
    const int neighbour = above ? upper[i] : lower[i];
    const float middle = (map[neighbour] + at) * 0.5f;
    const bool further = above ? v[i] > middle : v[i] < middle;
    codes[i] = static_cast<uint8_t>(further ? neighbour : pivot[i]);
  }
}

void StoreDouble(const float* scales, uint64_t count, uint8_t* out) {
  const DoubleParts parts(count);
  const float* const map = DynamicMap();
  std::memset(out, 0, parts.bytes);
  double sum = 0.0;
  for (uint64_t i = 0; i < count; ++i) sum += static_cast<double>(scales[i]);
  const float offset = static_cast<float>(
      sum / static_cast<double>(static_cast<int64_t>(count)));
  std::memcpy(out + parts.offset, &offset, sizeof offset);
  for (uint64_t begin = 0; begin < count; begin += kScaleBlock) {
    const uint64_t end = std::min(count, begin + kScaleBlock);
    float greatest = 0.0f;
    for (uint64_t i = begin; i < end; ++i) {
      greatest = std::max(greatest, std::fabs(scales[i] - offset));
    }
    std::memcpy(out + parts.greatest + 4 * (begin / kScaleBlock), &greatest,
                sizeof greatest);
    const float inverse = 1.0f / greatest;
    if (greatest == 0.0f) {
      std::memset(out + begin, 127, end - begin);
      continue;
    }
    for (uint64_t i = begin; i < end; i += kAtOnce) {
      const size_t n =
          static_cast<size_t>(std::min<uint64_t>(kAtOnce, end - i));
      float v[kAtOnce] = {};
      uint8_t codes[kAtOnce];
      for (size_t k = 0; k < n; ++k) v[k] = (scales[i + k] - offset) * inverse;
      NearestInMap(map, v, codes);
      std::memcpy(out + i, codes, n);
    }
  }
}

}  // namespace

const float* DynamicMap() {
  static const MapValues map;
  return map.v;
}

uint64_t StoredScaleBytes(const Config& config, uint64_t count) {
  if (config.double_quant()) return DoubleParts(count).bytes;
  return (config.scale_dtype() == ScaleDType::kF32 ? 4 : 2) * count;
}

void StoreScales(const Config& config, const float* scales, uint64_t count,
                 uint8_t* out) {
  if (count == 0) return;
  if (config.double_quant()) return StoreDouble(scales, count, out);
  if (config.scale_dtype() == ScaleDType::kF32) {
    std::memcpy(out, scales, 4 * count);
    return;
  }
  const bool f16 = config.scale_dtype() == ScaleDType::kF16;
  for (uint64_t i = 0; i < count; ++i) {
    const uint16_t h = f16 ? F16FromF32(scales[i]) : BF16FromF32(scales[i]);
    out[2 * i] = static_cast<uint8_t>(h);
    out[2 * i + 1] = static_cast<uint8_t>(h >> 8);
  }
}

void StoredScales::Read(uint64_t begin, uint64_t n, float* out) const {
  if (n == 0) return;
  if (double_quant) {
    const DoubleParts parts(count);
    const float* const map = DynamicMap();
    const float offset = FloatAt(data + parts.offset);
    for (uint64_t i = 0; i < n; ++i) {
      const uint64_t at = begin + i;
      const float product = map[data[at]] * FloatAt(data + parts.greatest +
                                                    4 * (at / kScaleBlock));
      out[i] = product + offset;
    }
    return;
  }
  if (dtype == ScaleDType::kF32) {
    std::memcpy(out, data + 4 * begin, 4 * n);
    return;
  }
  for (uint64_t i = 0; i < n; ++i) {
    const uint8_t* p = data + 2 * (begin + i);
    const uint16_t h = static_cast<uint16_t>(p[0] | p[1] << 8);
    out[i] = dtype == ScaleDType::kF16 ? F32FromF16(h) : F32FromBF16(h);
  }
}

uint64_t StoredScales::CountSaturated() const {
  if (dtype == ScaleDType::kF32) return 0;
  uint64_t saturated = 0;
  for (uint64_t i = 0; i < count; ++i) {
    float scale;
    Read(i, 1, &scale);
    scale = std::fabs(scale);
    saturated += dtype == ScaleDType::kF16
                     ? scale == 65504.0f || scale == 5.9604644775390625e-8f
                     : scale == F32FromBF16(0x7F7F);
  }
  return saturated;
}

void StoredScales::Validate() const {
  for (uint64_t i = 0; i < count; ++i) {
    float scale;
    Read(i, 1, &scale);
    if (!std::isfinite(scale)) {
      Fail(Code::kInvalidArgument, "scale %llu = %g, must be finite",
           static_cast<unsigned long long>(i), static_cast<double>(scale));
    }
  }
}

}  // namespace bnq
