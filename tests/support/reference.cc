#include "tests/support/reference.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <cstdio>
#include <cstring>

#include "core/base/error.h"
#include "core/scheme/code_table.h"
#include "core/scheme/rules.h"
#include "core/scheme/scales.h"
#include "core/scheme/support.h"

namespace bnq_test {
namespace {

using bnq::Config;
using bnq::Format;
using bnq::Granularity;
using bnq::Params;
using bnq::Range;
using bnq::ScaleRule;
using bnq::Scheme;
using bnq::Shape;
using bnq::Statistic;
using bnq::Variant;

// The sum that core/kernels/chunk.h defines: chunks of 4096, in each 16 lanes
// of T, added pairwise from the outside in.
template <class T>
double OrderedSum(const std::vector<T>& terms) {
  double total = 0.0;
  for (size_t begin = 0; begin < terms.size(); begin += 4096) {
    T lanes[16] = {};
    for (size_t i = begin; i < terms.size() && i < begin + 4096; ++i) {
      lanes[(i - begin) % 16] += terms[i];
    }
    for (int half = 8; half > 0; half /= 2) {
      for (int l = 0; l < half; ++l) lanes[l] += lanes[l + half];
    }
    total += static_cast<double>(lanes[0]);
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
  if (config.granularity() == Granularity::kTile) {
    const auto dim = [&](int back) {
      return shape.rank < back ? 1 : shape.dims[shape.rank - back];
    };
    const uint64_t size = config.group_size(), rows = dim(2), columns = dim(1);
    for (uint64_t top = 0; n != 0 && top < n / columns;) {
      const uint64_t height = std::min(size, rows - top % rows);
      for (uint64_t left = 0; left < columns; left += size) {
        Segment tile;
        for (uint64_t r = top; r < top + height; ++r) {
          for (uint64_t c = left; c < std::min(columns, left + size); ++c) {
            tile.elements.push_back(r * columns + c);
          }
        }
        // Summed as if it lay together.
        tile.columns = tile.elements.size();
        segments.push_back(tile);
      }
      top += height;
    }
    return segments;
  }
  if (config.granularity() != Granularity::kChannel) {
    const bool token = config.granularity() == Granularity::kToken;
    const bool block = config.granularity() == Granularity::kBlock;
    const uint64_t columns =
        token   ? shape.rank == 0 ? 1 : shape.dims[shape.rank - 1]
          : block ? n
                : shape.columns();
    const uint64_t group = token ? columns : config.group_size();
    for (uint64_t row = 0; n != 0 && row < n / columns; ++row) {
      for (uint64_t c = 0; c < columns; ++c) {
        if (c % group == 0) segments.emplace_back();
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
  // Channels without elements share nothing.
  segments.resize(n == 0 ? 0 : shape.dims[axis]);
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
  float lo = x[segment.elements[0]], hi = lo, absmax = 0.0f, extreme = 0.0f;
  for (uint64_t i : segment.elements) {
    lo = std::fmin(lo, x[i]);
    hi = std::fmax(hi, x[i]);
    if (std::fabs(x[i]) > absmax) extreme = x[i];
    absmax = std::fmax(absmax, std::fabs(x[i]));
  }
  if (statistic == Statistic::kExtreme) {
    range.lo = extreme < 0.0f ? extreme : 0.0f;
    range.hi = extreme > 0.0f ? extreme : 0.0f;
    return range;
  }
  if (statistic == Statistic::kAbsMax) {
    lo = -absmax;
    hi = absmax;
  }
  range.lo = lo;
  range.hi = hi;
  return range;
}

// The value of the rank-th of the segment, 1 the least, of x or of |x|.
float OfRank(const Segment& segment, const std::vector<float>& x, uint64_t rank,
             bool magnitude) {
  std::vector<float> sorted;
  for (uint64_t i : segment.elements) {
    sorted.push_back(magnitude ? std::fabs(x[i]) : x[i]);
  }
  std::sort(sorted.begin(), sorted.end());
  return sorted[rank - 1];
}

Params SegmentParams(const Format& format, const Config& config,
                     const Segment& segment, const std::vector<float>& x) {
  const Variant variant = config.variant();
  const uint64_t n = segment.elements.size();
  if (variant.scale_rule == ScaleRule::kPercentile) {
    if (n == 0) return Params();
    Range range;
    // In millionths of a percent, which the tests' percentages are whole of.
    const uint64_t p =
        static_cast<uint64_t>(std::llround(config.percentile() * 1e6));
    constexpr uint64_t kAll = 100000000;
    if (variant.scheme != Scheme::kSymmetric) {
      const uint64_t cut = (kAll - p) * n / (2 * kAll);
      range.lo = OfRank(segment, x, std::min(cut + 1, n), false);
      range.hi = OfRank(segment, x, n - std::min(cut, n - 1), false);
    } else {
      const uint64_t rank = (p * n + kAll - 1) / kAll;
      range.hi = OfRank(segment, x, std::max<uint64_t>(rank, 1), true);
      range.lo = -range.hi;
    }
    return bnq::ParamsOf(format, variant, range);
  }
  return bnq::ParamsOf(format, variant,
                       RangeOf(bnq::StatisticOf(format, variant), segment, x));
}

// Parameters that a search must not be worse than. Where scales are float32 and
// in proportion to ranges a factor is that of the scale, else of the range.
std::vector<Params> GridOf(const Format& format, const Variant& variant,
                           const Segment& segment,
                           const std::vector<float>& x) {
  Variant plain = variant, absmax = variant;
  plain.scale_rule = ScaleRule::kDefault;
  absmax.scale_rule = ScaleRule::kAbsMax;
  const Range widest = RangeOf(bnq::StatisticOf(format, absmax), segment, x);
  std::vector<Params> grid = {bnq::ParamsOf(
      format, variant, RangeOf(bnq::StatisticOf(format, plain), segment, x))};
  const Params whole = bnq::ParamsOf(format, variant, widest);
  const bool proportional = variant.scheme == Scheme::kSymmetric &&
                            variant.scale_dtype == bnq::ScaleDType::kF32;
  const int step = segment.elements.size() > 5000 ? 25 : 1;
  // Ranges with an offset widen about their middle.
  const double middle = variant.scheme == Scheme::kOffset
                            ? 0.5 * (widest.lo + double{widest.hi})
                            : 0.0;
  for (int k = 0; k <= 100; k += step) {
    const double factor = 0.8 + 0.004 * k;
    Params params =
        bnq::ParamsOf(format, variant,
                      {static_cast<float>(std::fmax(
                           middle + (widest.lo - middle) * factor, -FLT_MAX)),
                       static_cast<float>(std::fmin(
                           middle + (widest.hi - middle) * factor, FLT_MAX))});
    const float scale = whole.scale * static_cast<float>(factor);
    // Not where the range's was brought within what a scale may be.
    if (proportional && std::fabs(scale - params.scale) <=
                            4 * FLT_EPSILON * std::fabs(params.scale)) {
      params.scale = scale;
    }
    grid.push_back(params);
  }
  return grid;
}

// With the codebook, where there is one.
struct RuleWith {
  RuleWith(const Format& format, const Variant& variant,
           const std::vector<float>& codebook)
      : rule(bnq::RuleOf(format, variant)) {
    if (codebook.empty()) return;
    table =
        bnq::FittedTable(codebook.data(), static_cast<int>(codebook.size()));
    rule.table = &table;
  }
  RuleWith(const RuleWith&) = delete;
  bnq::CodeTable table;
  bnq::CodeRule rule;
};

double SquaredError(const Format& format, Variant variant,
                    const std::vector<float>& codebook, const Segment& segment,
                    const std::vector<float>& x, Params params,
                    const std::vector<float>& importance = {}) {
  if (variant.rounding == bnq::Rounding::kStochastic) {
    variant.rounding = bnq::Rounding::kHalfEven;
  }
  double sum = 0.0;
  const RuleWith with(format, variant, codebook);
  const bnq::CodeRule& rule = with.rule;
  for (uint64_t i : segment.elements) {
    const int32_t code = format.encode(x[i], params, rule, 0);
    const double e = static_cast<double>(x[i]) -
                     static_cast<double>(format.decode(code, params, rule));
    const double weight =
        importance.empty() ? 1.0 : importance[i % importance.size()];
    sum += e * e * weight;
  }
  return sum;
}

// As the quantizer sees the values, but for outliers.
std::vector<float> Cleaned(const Config& config, std::vector<float> x) {
  for (float& v : x) {
    if (config.non_finite() == bnq::NonFinite::kZero && !std::isfinite(v)) {
      v = 0.0f;
    }
    if (config.clip() != 0.0f) {
      v = std::fmax(std::fmin(v, config.clip()), -config.clip());
    }
  }
  return x;
}

// Codes of rows to bytes, bit by bit or digit by digit.
std::vector<uint8_t> PackRows(const Format& format, bnq::Packing packing,
                              int32_t bias, const std::vector<int32_t>& codes,
                              uint64_t rows, uint64_t columns) {
  std::vector<uint8_t> out;
  const auto stored = [&](uint64_t row, uint64_t column) {
    const int32_t code =
        column < columns ? codes[row * columns + column] : format.padding;
    return static_cast<uint32_t>(code + bias);
  };
  for (uint64_t row = 0; row < rows; ++row) {
    for (uint64_t c = 0; c < columns;) {
      uint32_t unit = 0;
      switch (packing) {
        case bnq::Packing::kBits16:
          unit = stored(row, c++);
          out.push_back(static_cast<uint8_t>(unit));
          out.push_back(static_cast<uint8_t>(unit >> 8));
          continue;
        case bnq::Packing::kBits8:
          unit = stored(row, c++);
          break;
        case bnq::Packing::kBits4:
          unit = stored(row, c) + 16 * stored(row, c + 1);
          c += 2;
          break;
        case bnq::Packing::kBits4High:
          unit = 16 * stored(row, c) + stored(row, c + 1);
          c += 2;
          break;
        case bnq::Packing::kBits2:
          for (int k = 3; k >= 0; --k) {
            unit = 4 * unit + stored(row, c + static_cast<uint64_t>(k));
          }
          c += 4;
          break;
        case bnq::Packing::kSigns:
          for (uint32_t k = 0; k < 8; ++k) {
            unit |= (stored(row, c++) == 1 ? 1u : 0u) << k;
          }
          break;
        case bnq::Packing::kBits3:
        case bnq::Packing::kBits5:
        case bnq::Packing::kBits6: {
          const uint32_t bits = packing == bnq::Packing::kBits3   ? 3
                                : packing == bnq::Packing::kBits5 ? 5
                                                                  : 6;
          // Bit by bit.
          std::vector<uint8_t> bytes(bits, 0);
          for (uint32_t bit = 0; bit < 8 * bits; ++bit) {
            const uint32_t code = stored(row, c + bit / bits);
            bytes[bit / 8] = static_cast<uint8_t>(
                bytes[bit / 8] | (code >> bit % bits & 1) << bit % 8);
          }
          out.insert(out.end(), bytes.begin(), bytes.end());
          c += 8;
          continue;
        }
        case bnq::Packing::kBase3:
          for (int k = 0; k < 5; ++k) unit = 3 * unit + stored(row, c++);
          unit = (unit * 256 + 242) / 243;
          break;
      }
      out.push_back(static_cast<uint8_t>(unit));
    }
  }
  return out;
}

}  // namespace

bool Supported(const Format& format, const Config& config) {
  try {
    bnq::CheckSupported(format, config);
    return true;
  } catch (const bnq::Error& e) {
    EXPECT_EQ(e.status(), bnq::Status::kUnsupported) << e.message();
    return false;
  }
}

Reference ReferenceQuantize(const Format& format, const Config& config,
                            const Shape& shape, const std::vector<float>& input,
                            const Searched& searched) {
  const std::vector<float> x = Cleaned(config, input);
  const Variant variant = config.variant();
  const RuleWith with(format, variant, searched.codebook);
  const bnq::CodeRule& rule = with.rule;
  const bool stochastic = variant.rounding == bnq::Rounding::kStochastic;
  const bool asymmetric = config.scheme() == Scheme::kAsymmetric;
  const bool with_offset = config.scheme() == Scheme::kOffset;
  const uint64_t features = shape.rank == 0 ? 1 : shape.dims[shape.rank - 1];
  Reference out;
  out.codebook = searched.codebook;
  out.codes.resize(x.size());
  out.values.resize(x.size());
  // What statistics see, and which columns have no codes.
  std::vector<float> small = x;
  std::vector<bool> left_out(features, false);
  if (config.outlier_threshold() != 0.0f) {
    for (uint64_t i = 0; i < x.size(); ++i) {
      if (std::fabs(x[i]) < config.outlier_threshold()) continue;
      small[i] = 0.0f;
      left_out[i % features] = true;
    }
  }
  std::vector<Segment> segments;
  if (format.Has(bnq::kScaled)) {
    segments = Segments(config, shape);
  } else {
    segments.resize(1);
    for (uint64_t i = 0; i < x.size(); ++i) segments[0].elements.push_back(i);
  }
  std::vector<Params> params(segments.size());
  for (size_t s = 0; format.Has(bnq::kScaled) && s < segments.size(); ++s) {
    if (searched.params_found) {
      params[s] = searched.params.At(s);
      if (with_offset) params[s].zero_point = format.code_range(variant).lo;
    } else {
      params[s] = SegmentParams(format, config, segments[s], small);
    }
    out.scales.push_back(params[s].scale);
    if (asymmetric) {
      out.zero_points.push_back(static_cast<int8_t>(params[s].zero_point));
    }
    if (with_offset) out.offsets.push_back(params[s].offset);
  }
  // Scales and offsets as they are stored, and what they are read as.
  const auto store = [&](const std::vector<float>& numbers,
                         const std::vector<uint8_t>& chosen,
                         std::vector<uint32_t>* words, uint64_t* bytes,
                         float tensor_scale) {
    *bytes = bnq::StoredScaleBytes(config, numbers.size());
    words->assign((*bytes + 3) / 4, 0);
    bnq::StoreScales(config, numbers.data(), numbers.size(),
                     reinterpret_cast<uint8_t*>(words->data()), tensor_scale);
    std::copy(chosen.begin(), chosen.end(),
              reinterpret_cast<uint8_t*>(words->data()));
    return bnq::StoredScales(config, numbers.size(),
                             reinterpret_cast<uint8_t*>(words->data()),
                             tensor_scale);
  };
  float tensor_scale = 1.0f;
  if (config.scale_dtype() == bnq::ScaleDType::kE4M3 && !out.scales.empty()) {
    tensor_scale = bnq::TensorScale(out.scales.data(), out.scales.size());
    out.tensor_scale.push_back(tensor_scale);
  }
  const bnq::StoredScales stored =
      store(out.scales, searched.scale_codes, &out.scale_bytes,
            &out.num_scale_bytes, tensor_scale);
  const bnq::StoredScales stored_offsets =
      store(out.offsets, searched.offset_codes, &out.offset_bytes,
            &out.num_offset_bytes, 1.0f);
  // Of scales that are stored together, what is coded with is what is stored;
  // but bitsandbytes' tables are coded first.
  const bool exact = config.double_quant()
                         ? format.table != nullptr
                         : config.scale_dtype() != bnq::ScaleDType::kE4M3;
  for (size_t s = 0; s < segments.size(); ++s) {
    Params coding = params[s];
    if (format.Has(bnq::kScaled)) stored.Read(s, 1, &params[s].scale);
    if (with_offset) stored_offsets.Read(s, 1, &params[s].offset);
    if (!exact) {
      const float scale = params[s].scale;
      coding.scale = std::fabs(scale) < FLT_MIN ? 0.0f : scale;
      coding.offset = params[s].offset;
    }
    if (format.Has(bnq::kScaled)) out.coding_scales.push_back(coding.scale);
    if (with_offset) out.coding_offsets.push_back(coding.offset);
    for (uint64_t i : segments[s].elements) {
      const uint32_t random =
          stochastic ? ReferenceRandom(config.seed(), i) : 0;
      out.codes[i] = left_out[i % features]
                         ? coding.zero_point
                         : format.encode(small[i], coding, rule, random);
      out.values[i] = format.decode(out.codes[i], params[s], rule);
    }
  }
  for (uint64_t c = 0; c < features && !x.empty(); ++c) {
    if (left_out[c]) out.outlier_columns.push_back(static_cast<uint32_t>(c));
  }
  for (uint64_t i = 0; i < x.size(); ++i) {
    if (!left_out[i % features]) continue;
    out.outlier_values.push_back(ReferenceF16(x[i]));
    out.values[i] = ReferenceFromF16(out.outlier_values.back());
  }
  const bool scaled = format.Has(bnq::kScaled);
  const bool one_row = scaled && config.granularity() == Granularity::kBlock;
  const uint64_t columns =
      one_row ? x.size()
      : scaled && config.granularity() == Granularity::kTile && shape.rank > 2
          ? shape.dims[shape.rank - 1]
          : shape.columns();
  // Under an offset stored codes count from 0 on.
  const int32_t bias =
      with_offset ? -format.code_range(variant).lo : format.bias;
  out.packed = PackRows(format, bnq::PackingOf(format, config), bias, out.codes,
                        x.empty() ? 0 : x.size() / columns, columns);
  return out;
}

std::string WorseThanGrid(const Format& format, const Config& config,
                          const Shape& shape, const std::vector<float>& values,
                          const Found& found,
                          const std::vector<float>& codebook,
                          const std::vector<float>& importance) {
  const Variant variant = config.variant();
  std::vector<float> x = Cleaned(config, values);
  for (float& v : x) {
    if (config.outlier_threshold() != 0.0f &&
        std::fabs(v) >= config.outlier_threshold()) {
      v = 0.0f;
    }
  }
  const std::vector<Segment> segments = Segments(config, shape);
  for (size_t s = 0; s < segments.size(); ++s) {
    Params params = found.At(s);
    if (config.scheme() == Scheme::kOffset) {
      params.zero_point = format.code_range(variant).lo;
    }
    double greatest = 0.0;
    for (uint64_t i : segments[s].elements) {
      greatest = std::fmax(greatest, std::fabs(static_cast<double>(x[i])));
    }
    // What the library compares is float32. Of a chunk of 4096 values each
    // error (exact but for its rounding), its square, and every addition are
    // off by 2^-24 of themselves at most: a sum of the grid's by 85 times that
    // (64 additions of a block's quarter, 2 of quarters, 16 of blocks), one of
    // the fit behind it by 265 (256 of a lane, 4 of lanes); sums of chunks are
    // float64. Each comparison may err by twice as much. Squares are off by
    // 2^-150, too, of values of which the greatest is 1e-6 at least.
    const double n = static_cast<double>(segments[s].elements.size());
    const double vanishing = 1e-33 * greatest * greatest * n;
    constexpr double kRounding = 2 * (85 + 265) * 5.97e-8;
    const double error = SquaredError(format, variant, codebook, segments[s], x,
                                      params, importance);
    if (segments[s].elements.empty() || greatest == 0.0) continue;
    for (const Params other : GridOf(format, variant, segments[s], x)) {
      const double least = SquaredError(format, variant, codebook, segments[s],
                                        x, other, importance);
      if (error <= least * (1.0 + kRounding) + vanishing) continue;
      return "segment " + std::to_string(s) + ": " + std::to_string(error) +
             " with scale " + std::to_string(params.scale) + ", " +
             std::to_string(least) + " with " + std::to_string(other.scale);
    }
  }
  return "";
}

double WeightedError(const Format& format, const Config& config,
                     const Shape& shape, const std::vector<float>& values,
                     const Found& found, const std::vector<float>& codebook,
                     const std::vector<float>& importance) {
  const std::vector<Segment> segments = Segments(config, shape);
  double sum = 0.0;
  for (size_t s = 0; s < segments.size(); ++s) {
    Params params = found.At(s);
    if (config.scheme() == Scheme::kOffset) {
      params.zero_point = format.code_range(config.variant()).lo;
    }
    sum += SquaredError(format, config.variant(), codebook, segments[s], values,
                        params, importance);
  }
  return sum;
}

bool SearchesStored(const Format& format, const Config& config) {
  const bool together =
      config.double_quant() || config.scale_dtype() == bnq::ScaleDType::kE4M3;
  return together && config.scale_rule() == ScaleRule::kMse &&
         !(config.double_quant() && format.table != nullptr) &&
         !format.Has(bnq::kSigns) && format.Has(bnq::kScaled);
}

std::string BadlyStored(const Format& format, const Config& config,
                        const Shape& shape, const std::vector<float>& values,
                        const Searched& searched) {
  const Variant variant = config.variant();
  const std::vector<float> x = Cleaned(config, values);
  Searched nearest = searched;
  nearest.scale_codes.clear();
  nearest.offset_codes.clear();
  const auto numbers = [&](const Searched& from) {
    const Reference r = ReferenceQuantize(format, config, shape, values, from);
    Found params(r.scales.size(), config.scheme(),
                 format.code_range(config.variant()));
    const float tensor_scale =
        r.tensor_scale.empty() ? 1.0f : r.tensor_scale[0];
    const auto read = [&](const std::vector<uint32_t>& words, uint64_t count,
                          float of_tensor, float* out) {
      bnq::StoredScales(config, count,
                        reinterpret_cast<const uint8_t*>(words.data()),
                        of_tensor)
          .Read(0, count, out);
    };
    read(r.scale_bytes, r.scales.size(), tensor_scale, params.scales.data());
    read(r.offset_bytes, r.offsets.size(), 1.0f, params.offsets.data());
    std::copy(r.zero_points.begin(), r.zero_points.end(),
              params.zero_points.begin());
    return params;
  };
  const Found best = numbers(searched), plain = numbers(nearest);
  const std::vector<Segment> segments = Segments(config, shape);
  for (size_t s = 0; s < segments.size(); ++s) {
    const auto error = [&](const Found& found) {
      Params params = found.At(s);
      if (config.scheme() == Scheme::kOffset) {
        params.zero_point = format.code_range(variant).lo;
      }
      if (std::fabs(params.scale) < FLT_MIN) params.scale = 0.0f;
      return SquaredError(format, variant, searched.codebook, segments[s], x,
                          params);
    };
    // As in WorseThanGrid, of what one pass over candidates costs.
    const double found = error(best), other = error(plain);
    if (found > other * (1.0 + 2 * 85 * 5.97e-8) + 1e-30) {
      return "segment " + std::to_string(s) + ": " + std::to_string(found) +
             " with the codes found, " + std::to_string(other) +
             " with the nearest";
    }
  }
  return "";
}

}  // namespace bnq_test
