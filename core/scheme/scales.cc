#include "core/scheme/scales.h"

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "core/base/checked.h"
#include "core/base/error.h"
#include "core/base/half.h"
#include "core/base/small_float.h"
#include "core/scheme/dynamic_map.h"

namespace bnq {
namespace {

struct MapValues {
  float v[256];
  MapValues() {
    for (int i = 0; i < 256; ++i) v[i] = F32OfBits(kDynamicMapBits[i]);
  }
};
// Tables are made when the library is loaded: a process that forks while
// another thread makes one would wait for it in vain.
const MapValues kMap;

constexpr float kGreatestE4M3 = 448.0f;

struct E4M3Values {
  float v[256];
  constexpr E4M3Values() : v() {
    float power = 0.015625f;  // of the exponent
    for (int i = 0; i < 128; ++i) {
      if (i >= 16 && i % 8 == 0) power *= 2.0f;
      v[i] =
          (static_cast<float>(i % 8) + (i < 8 ? 0.0f : 8.0f)) * 0.125f * power;
      if (i == 127) v[i] = std::numeric_limits<float>::quiet_NaN();
      v[i + 128] = -v[i];
    }
  }
};
constexpr E4M3Values kE4M3Values;

// 2^(code - 127); 255 is NaN.
float ValueOfE8M0(uint8_t code) {
  // Without branches, for loops over many.
  const uint32_t bits = static_cast<uint32_t>(code) << 23;
  return F32OfBits(code == 0 ? 0x00400000 : code == 255 ? 0x7FC00000 : bits);
}

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
// midpoint itself keeps the code that the search ended at.
int SearchMap(const float* map, float v) {
  int pivot = 127, upper_pivot = 255, lower_pivot = 0;
  for (int step = 64; step > 0; step >>= 1) {
    const bool above = v > map[pivot];
    (above ? lower_pivot : upper_pivot) = pivot;
    pivot += above ? step : -step;
  }
  const bool above = v > map[pivot];
  const int neighbour = above ? upper_pivot : lower_pivot;
  const float middle = (map[neighbour] + map[pivot]) * 0.5f;
  return (above ? v > middle : v < middle) ? neighbour : pivot;
}

// The greatest number of each code: what the search comes to, with one
// comparison a step and no branch, which could not be predicted.
struct MapThresholds {
  float v[256];
  MapThresholds() {
    const float* const map = kMap.v;
    for (int i = 0; i < 255; ++i) {
      const float middle = (map[i] + map[i + 1]) * 0.5f;
      v[i] = SearchMap(map, middle) == i ? middle
                                         : std::nextafter(middle, -HUGE_VALF);
    }
    v[255] = HUGE_VALF;
  }
};
const MapThresholds kThresholds;

uint8_t NearestInMap(const float* thresholds, float v) {
  uint32_t code = 0;
  for (uint32_t step = 128; step > 0; step /= 2) {
    code +=
        step & (0u - static_cast<uint32_t>(v > thresholds[code + step - 1]));
  }
  return static_cast<uint8_t>(code);
}

void StoreDouble(const float* scales, uint64_t count, uint8_t* out) {
  const DoubleParts parts(count);
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
    const float inverse = greatest == 0.0f ? 0.0f : 1.0f / greatest;
    for (uint64_t i = begin; i < end; ++i) {
      out[i] = NearestInMap(kThresholds.v, (scales[i] - offset) * inverse);
    }
  }
}

}  // namespace

const float* DynamicMap() { return kMap.v; }

uint64_t StoredScaleBytes(const Config& config, uint64_t count) {
  if (config.double_quant()) return DoubleParts(count).bytes;
  switch (config.scale_dtype()) {
    case ScaleDType::kF32:
      return 4 * count;
    case ScaleDType::kF16:
    case ScaleDType::kBF16:
      return 2 * count;
    case ScaleDType::kE8M0:
    case ScaleDType::kE4M3:
      break;
  }
  return count;
}

float TensorScale(const float* scales, uint64_t count) {
  float greatest = 0.0f;
  for (uint64_t i = 0; i < count; ++i) {
    greatest = std::max(greatest, std::fabs(scales[i]));
  }
  const float scale = std::max(greatest / kGreatestE4M3, FLT_MIN);
  if (greatest == 0.0f) return 0.0f;
  // Else the greatest could overflow.
  return scale * kGreatestE4M3 > greatest && scale > FLT_MIN
             ? std::nextafter(scale, 0.0f)
             : scale;
}

namespace {

void StoreHalves(ScaleDType dtype, const float* scales, uint64_t count,
                 uint8_t* out) {
  for (uint64_t i = 0; i < count; ++i) {
    const uint16_t h = dtype == ScaleDType::kF16 ? F16FromF32(scales[i])
                                                 : BF16FromF32(scales[i]);
    out[2 * i] = static_cast<uint8_t>(h);
    out[2 * i + 1] = static_cast<uint8_t>(h >> 8);
  }
}

// Of powers of two from 2^-127 on; 0 is taken for the least.
void StorePowersOfTwo(const float* scales, uint64_t count, uint8_t* out) {
  for (uint64_t i = 0; i < count; ++i) {
    out[i] = static_cast<uint8_t>(BitsOfF32(scales[i]) >> 23);
  }
}

void StoreE4M3(float tensor_scale, const float* scales, uint64_t count,
               uint8_t* out) {
  const float inverse = tensor_scale == 0.0f ? 0.0f : 1.0f / tensor_scale;
  for (uint64_t i = 0; i < count; ++i) {
    const uint32_t code = SmallFloatCode(kE4M3, std::fabs(scales[i]) * inverse);
    const uint32_t least = scales[i] == 0.0f ? 0 : 1;
    out[i] = static_cast<uint8_t>(std::max(code, least) |
                                  (std::signbit(scales[i]) ? kE4M3.sign : 0));
  }
}

}  // namespace

void StoreScales(const Config& config, const float* scales, uint64_t count,
                 uint8_t* out, float tensor_scale) {
  if (count == 0) return;
  if (config.double_quant()) return StoreDouble(scales, count, out);
  switch (config.scale_dtype()) {
    case ScaleDType::kF32:
      std::memcpy(out, scales, 4 * count);
      return;
    case ScaleDType::kF16:
    case ScaleDType::kBF16:
      return StoreHalves(config.scale_dtype(), scales, count, out);
    case ScaleDType::kE8M0:
      return StorePowersOfTwo(scales, count, out);
    case ScaleDType::kE4M3:
      return StoreE4M3(tensor_scale, scales, count, out);
  }
}

void RoundAsStored(const Config& config, float* scales, uint64_t count) {
  std::vector<uint8_t> bytes(StoredScaleBytes(config, count));
  const float tensor_scale = TensorScale(scales, count);
  StoreScales(config, scales, count, bytes.data(), tensor_scale);
  StoredScales(config, count, bytes.data(), tensor_scale)
      .Read(0, count, scales);
}

namespace {

// Double quantized scales to be read.
class DoubleReader {
 public:
  explicit DoubleReader(const StoredScales& scales)
      : greatest_(scales.data + DoubleParts(scales.count).greatest),
        offset_(FloatAt(scales.data + DoubleParts(scales.count).offset)) {}
  float ValueOf(uint64_t i, uint8_t code) const {
    const float product =
        kMap.v[code] * FloatAt(greatest_ + 4 * (i / kScaleBlock));
    return product + offset_;
  }

 private:
  const uint8_t* const greatest_;
  const float offset_;
};

}  // namespace

float StoredScales::ValueOfCode(uint64_t i, uint8_t code) const {
  return double_quant ? DoubleReader(*this).ValueOf(i, code)
                      : kE4M3Values.v[code] * tensor_scale;
}

uint8_t StoredScales::NextCode(uint8_t code, int step) const {
  if (double_quant) {
    return static_cast<uint8_t>(std::min(std::max(code + step, 0), 255));
  }
  // A sign and a magnitude, which stays above 0 and finite.
  const int magnitude = code & 0x7F;
  const int next = code & 0x80 ? magnitude - step : magnitude + step;
  return static_cast<uint8_t>((code & 0x80) |
                              std::min(std::max(next, 1), 0x7E));
}

void StoredScales::Read(uint64_t begin, uint64_t n, float* out) const {
  if (n == 0) return;
  if (double_quant) {
    const DoubleReader reader(*this);
    for (uint64_t i = 0; i < n; ++i) {
      out[i] = reader.ValueOf(begin + i, data[begin + i]);
    }
    return;
  }
  if (dtype == ScaleDType::kF32) {
    std::memcpy(out, data + 4 * begin, 4 * n);
    return;
  }
  if (dtype == ScaleDType::kE8M0) {
    for (uint64_t i = 0; i < n; ++i) out[i] = ValueOfE8M0(data[begin + i]);
    return;
  }
  if (dtype == ScaleDType::kE4M3) {
    for (uint64_t i = 0; i < n; ++i) {
      out[i] = kE4M3Values.v[data[begin + i]] * tensor_scale;
    }
    return;
  }
  for (uint64_t i = 0; i < n; ++i) {
    const uint8_t* p = data + 2 * (begin + i);
    const uint16_t h = static_cast<uint16_t>(p[0] | p[1] << 8);
    out[i] = dtype == ScaleDType::kF16 ? F32FromF16(h) : F32FromBF16(h);
  }
}

uint64_t StoredScales::CountSaturated() const {
  // What is stored together fits.
  if (dtype == ScaleDType::kF32 || dtype == ScaleDType::kE4M3) return 0;
  uint64_t saturated = 0;
  for (uint64_t i = 0; i < count; ++i) {
    float scale;
    Read(i, 1, &scale);
    scale = std::fabs(scale);
    switch (dtype) {
      case ScaleDType::kF16:
        saturated += scale == kGreatestF16 || scale == kLeastF16;
        break;
      case ScaleDType::kBF16:
        saturated += scale == kGreatestBF16;
        break;
      default:
        saturated += data[i] == 254;
        break;
    }
  }
  return saturated;
}

void StoredScales::Validate(const char* name) const {
  constexpr uint64_t kBatch = 256;
  float scales[kBatch];
  for (uint64_t at = 0; at < count; at += kBatch) {
    const uint64_t n = std::min(kBatch, count - at);
    Read(at, n, scales);
    for (uint64_t i = 0; i < n; ++i) {
      if (std::isfinite(scales[i])) continue;
      Fail(Status::kInvalidArgument, name, " ", at + i, " = ", scales[i],
           ", must be finite");
    }
  }
}

}  // namespace bnq
