#include "tests/support/reference.h"

#include <cmath>
#include <cstring>

namespace bnq_test {
namespace {

using bnq::Config;
using bnq::Format;
using bnq::Granularity;
using bnq::Params;
using bnq::Range;
using bnq::Scheme;
using bnq::Shape;
using bnq::Statistic;

// The sum that core/kernels/common.h defines: chunks of 4096, in each 16 lanes,
// added pairwise from the outside in.
double OrderedSum(const std::vector<double>& terms) {
  double total = 0.0;
  for (size_t begin = 0; begin < terms.size(); begin += 4096) {
    double lanes[16] = {};
    for (size_t i = begin; i < terms.size() && i < begin + 4096; ++i) {
      lanes[(i - begin) % 16] += terms[i];
    }
    for (int half = 8; half > 0; half /= 2) {
      for (int l = 0; l < half; ++l) lanes[l] += lanes[l + half];
    }
    total += lanes[0];
  }
  return total;
}

// Elements that share parameters: `columns` of them next to each other in each
// of the outer positions.
struct Segment {
  std::vector<uint64_t> elements;  // outer by outer
  uint64_t columns = 0;
};

std::vector<Segment> Segments(const Config& config, const Shape& shape) {
  const uint64_t n = shape.elements();
  std::vector<Segment> segments;
  if (config.granularity() == Granularity::kTensor) {
    segments.resize(1);
    for (uint64_t i = 0; i < n; ++i) segments[0].elements.push_back(i);
    segments[0].columns = n;
    return segments;
  }
  if (config.granularity() == Granularity::kGroup) {
    const uint64_t columns = shape.columns();
    for (uint64_t row = 0; n != 0 && row < shape.rows(); ++row) {
      for (uint64_t c = 0; c < columns; ++c) {
        if (c % config.group_size() == 0) segments.emplace_back();
        segments.back().elements.push_back(row * columns + c);
        ++segments.back().columns;
      }
    }
    return segments;
  }
  const int axis =
      config.axis() < 0 ? config.axis() + shape.rank : config.axis();
  uint64_t inner = 1;
  for (int i = axis + 1; i < shape.rank; ++i) inner *= shape.dims[i];
  segments.resize(shape.dims[axis]);
  for (uint64_t i = 0; i < n; ++i) {
    segments[i / inner % shape.dims[axis]].elements.push_back(i);
  }
  for (Segment& s : segments) s.columns = inner;
  return segments;
}

Range RangeOf(Statistic statistic, const Segment& segment,
              const std::vector<float>& x) {
  Range range;
  if (segment.elements.empty()) return range;
  if (statistic == Statistic::kAbsMean) {
    std::vector<double> columns(segment.columns, 0.0);
    for (size_t i = 0; i < segment.elements.size(); ++i) {
      columns[i % segment.columns] +=
          std::fabs(static_cast<double>(x[segment.elements[i]]));
    }
    range.hi = static_cast<float>(OrderedSum(columns) /
                                  static_cast<double>(segment.elements.size()));
    range.lo = -range.hi;
    return range;
  }
  float lo = x[segment.elements[0]], hi = lo, absmax = 0.0f;
  for (uint64_t i : segment.elements) {
    lo = std::fmin(lo, x[i]);
    hi = std::fmax(hi, x[i]);
    absmax = std::fmax(absmax, std::fabs(x[i]));
  }
  if (statistic == Statistic::kAbsMax) {
    lo = -absmax;
    hi = absmax;
  }
  range.lo = lo;
  range.hi = hi;
  return range;
}

}  // namespace

Reference ReferenceQuantize(const Format& format, const Config& config,
                            const Shape& shape,
                            const std::vector<float>& input) {
  std::vector<float> x = input;
  for (float& v : x) {
    if (config.non_finite() == bnq::NonFinite::kZero && !std::isfinite(v)) {
      v = 0.0f;
    }
    if (config.clip() != 0.0f) {
      v = std::fmax(std::fmin(v, config.clip()), -config.clip());
    }
  }
  const Scheme scheme = config.scheme();
  Reference out;
  out.codes.resize(x.size());
  out.values.resize(x.size());
  for (const Segment& segment : Segments(config, shape)) {
    const Params params =
        format.params(RangeOf(format.statistic(scheme), segment, x), scheme);
    out.scales.push_back(params.scale);
    if (scheme == Scheme::kAsymmetric) {
      out.zero_points.push_back(params.zero_point);
    }
    for (uint64_t i : segment.elements) {
      out.codes[i] = format.encode(x[i], params, scheme);
      out.values[i] = format.decode(out.codes[i], params);
    }
  }
  const uint64_t bits = bnq::CodeBits(format.packing);
  const uint64_t columns = shape.columns();
  const uint64_t row_bytes = (columns * bits + 7) / 8;
  out.packed.assign(shape.rows() * row_bytes, 0);
  for (uint64_t i = 0; i < x.size(); ++i) {
    const uint64_t bit = i % columns * bits;
    const uint32_t stored =
        static_cast<uint32_t>(out.codes[i] + format.bias) & ((1u << bits) - 1);
    out.packed[i / columns * row_bytes + bit / 8] |=
        static_cast<uint8_t>(stored << bit % 8);
  }
  return out;
}

uint16_t ReferenceF16(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  const uint16_t sign = static_cast<uint16_t>(bits >> 16 & 0x8000);
  const double a = std::fabs(static_cast<double>(x));
  if (std::isnan(x)) return sign | 0x7E00;
  if (a >= 65520.0) return sign | 0x7C00;
  // The spacing of float16 numbers around a, and a in units of it.
  int exponent = 0;
  std::frexp(a, &exponent);
  const int unit = exponent - 11 < -24 ? -24 : exponent - 11;
  const double steps = std::nearbyint(std::ldexp(a, -unit));
  if (steps == 0.0) return sign;
  // Counting steps from 0 numbers the positive float16s in order.
  const double base = unit == -24 ? 0.0 : (unit + 24) * 1024.0;
  return sign | static_cast<uint16_t>(base + steps);
}

float ReferenceFromF16(uint16_t h) {
  const int exponent = h >> 10 & 31;
  const double mantissa = h & 1023;
  double a = exponent == 0 ? std::ldexp(mantissa, -24)
                           : std::ldexp(1024.0 + mantissa, exponent - 25);
  if (exponent == 31) a = mantissa == 0 ? HUGE_VAL : NAN;
  return static_cast<float>(h & 0x8000 ? -a : a);
}

uint16_t ReferenceBF16(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  if (std::isnan(x)) return static_cast<uint16_t>(bits >> 16 | 0x40);
  const uint32_t low = bits & 0xFFFF;
  uint32_t high = bits >> 16;
  if (low > 0x8000 || (low == 0x8000 && (high & 1) != 0)) ++high;
  return static_cast<uint16_t>(high);
}

float ReferenceFromBF16(uint16_t b) {
  const uint32_t bits = static_cast<uint32_t>(b) << 16;
  float x;
  std::memcpy(&x, &bits, sizeof x);
  return x;
}

}  // namespace bnq_test
