// Parameters of a tensor's segments, as working float32, before they are
// stored.
#ifndef BNQ_CORE_SCHEME_PARAMS_H_
#define BNQ_CORE_SCHEME_PARAMS_H_

#include <cstdint>
#include <vector>

#include "core/scheme/format.h"

namespace bnq {

// In somebody's memory.
struct ParamSpan {
  float* scales = nullptr;
  int8_t* zero_points = nullptr;  // nullptr: all alike
  float* offsets = nullptr;       // nullptr: none

  // zero_point: of all, where they have none of their own.
  Params At(uint64_t i, int32_t zero_point) const {
    Params p;
    p.scale = scales[i];
    p.zero_point = zero_points != nullptr ? zero_points[i] : zero_point;
    if (offsets != nullptr) p.offset = offsets[i];
    return p;
  }
  void Set(uint64_t i, Params p) const {
    scales[i] = p.scale;
    if (zero_points != nullptr) {
      zero_points[i] = static_cast<int8_t>(p.zero_point);
    }
    if (offsets != nullptr) offsets[i] = p.offset;
  }
};

// In memory of their own.
struct ParamSet {
  std::vector<float> scales;
  std::vector<int8_t> zero_points;  // empty: all `zero_point`
  std::vector<float> offsets;       // empty: none
  int32_t zero_point = 0;

  ParamSet() = default;
  // Room for what a scheme has, of these codes.
  ParamSet(uint64_t count, Scheme scheme, CodeRange codes)
      : scales(count),
        zero_points(scheme == Scheme::kAsymmetric ? count : 0),
        offsets(scheme == Scheme::kOffset ? count : 0),
        zero_point(scheme == Scheme::kOffset ? codes.lo : 0) {}
  ParamSpan span() {
    return {scales.data(), zero_points.empty() ? nullptr : zero_points.data(),
            offsets.empty() ? nullptr : offsets.data()};
  }
  Params At(uint64_t i) const {
    Params p;
    p.scale = scales[i];
    p.zero_point = zero_points.empty() ? zero_point : zero_points[i];
    if (!offsets.empty()) p.offset = offsets[i];
    return p;
  }
  void Set(uint64_t i, Params p) { span().Set(i, p); }
};

}  // namespace bnq

#endif  // BNQ_CORE_SCHEME_PARAMS_H_
