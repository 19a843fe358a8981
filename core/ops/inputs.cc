#include "core/ops/inputs.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "core/base/checked.h"
#include "core/base/error.h"
#include "core/kernels/dot_finish.h"
#include "core/kernels/float_dot.h"
#include "core/kernels/traversal.h"
#include "core/scheme/rules.h"
#include "core/tensor/tensor.h"

namespace bnq {
namespace {

constexpr uint64_t RoundUp(uint64_t n, uint64_t unit) {
  return DivCeil(n, unit) * unit;
}
// The longest chunk of an order, behind which a row ends.
constexpr uint64_t kMostChunk = kMaxDotPlanes * kDotBytes;

[[noreturn]] void FailOf(uint64_t row, uint64_t column, float x) {
  Fail(Status::kNonFinite, "x[", row, ", ", column, "] = ", x,
       ", must be finite to be quantized");
}

Config Int8Config(InputMode mode) {
  Config config;
  config.SetText("format", "int8");
  config.SetText("granularity", "token");
  config.SetText("scheme",
                 mode == InputMode::kInt8 ? "symmetric" : "asymmetric");
  return config;
}

// f(first, count, floats) of pieces of a row.
template <class F>
void EachPiece(const SourceView& source, uint64_t columns, F f) {
  float x[kChunk / 4 + kLanes];
  for (uint64_t at = 0; at < columns; at += kChunk / 4) {
    const size_t n =
        static_cast<size_t>(std::min<uint64_t>(kChunk / 4, columns - at));
    LoadElements(source, at, n, x);
    f(at, n, x);
  }
}

}  // namespace

InputRule::InputRule(const OperatorOptions& options, uint64_t columns)
    : mode_(options.input()),
      given_scale_(options.input_scale()),
      given_zero_(options.input_zero_point()),
      columns_(columns) {
  const Config config = Int8Config(mode_);
  format_ = &FormatOf(config);
  variant_ = config.variant();
  Shape shape;
  shape.rank = 1;
  shape.dims[0] = columns;
  layout_ = MakeLayout(*format_, config, shape);
}

void InputRule::Quantize(const SourceView& source, uint64_t row, int8_t* q,
                         float* scale, int32_t* zero) const {
  *scale = 0.0f;
  *zero = 0;
  if (columns_ == 0) return;
  if (mode_ == InputMode::kBitNet) {
    return QuantizeAsBitNet(source, row, q, scale);
  }
  int8_t zero_point = 0;
  EncodeArgs args;
  args.layout = &layout_;
  args.format = format_;
  args.variant = variant_;
  args.rule = RuleOf(*format_, variant_);
  args.source = source;
  args.row_end = 1;
  args.column_end = columns_;
  args.find_params = mode_ != InputMode::kStatic;
  args.scales = scale;
  if (mode_ != InputMode::kInt8) args.zero_points = &zero_point;
  if (mode_ == InputMode::kStatic) {
    *scale = given_scale_;
    zero_point = static_cast<int8_t>(given_zero_);
  }
  args.codes = reinterpret_cast<uint8_t*>(q);
  if (!format_->kernels().encode(args)) FailNotFinite(source, row);
  if (mode_ == InputMode::kStatic) {
    // Whose range was not looked at.
    EachPiece(source, columns_, [&](uint64_t, size_t n, const float* x) {
      for (size_t i = 0; i < n; ++i) {
        if (!std::isfinite(x[i])) FailNotFinite(source, row);
      }
    });
  }
  *zero = zero_point;
}

// transformers' BitLinear: s = 127 / max(|x|, 1e-5), q = round(x * s).
void InputRule::QuantizeAsBitNet(const SourceView& source, uint64_t row,
                                 int8_t* q, float* scale) const {
  float greatest = 0.0f;
  bool finite = true;
  EachPiece(source, columns_, [&](uint64_t, size_t n, const float* x) {
    for (size_t i = 0; i < n; ++i) {
      const float a = std::fabs(x[i]);
      finite &= a <= 3.4028234663852886e38f;
      greatest = a > greatest ? a : greatest;
    }
  });
  if (!finite) FailNotFinite(source, row);
  greatest = std::max(greatest, 1e-5f);
  const float s = 127.0f / greatest;
  EachPiece(source, columns_, [&](uint64_t at, size_t n, float* x) {
    for (size_t i = 0; i < n; ++i) x[i] = x[i] * s;
    StoreRequantized(x, n, 0, true, reinterpret_cast<uint8_t*>(q + at));
  });
  *scale = greatest / 127.0f;
}

void InputRule::FailNotFinite(const SourceView& source, uint64_t row) const {
  EachPiece(source, columns_, [&](uint64_t at, size_t n, const float* x) {
    for (size_t i = 0; i < n; ++i) {
      if (!std::isfinite(x[i])) FailOf(row, at + i, x[i]);
    }
  });
  Fail(Status::kInternal, "row ", row, " of x was taken to be not finite");
}

InputCodes::InputCodes(const InputRule& rule, const Matrix& x, uint64_t m)
    : scale(x.scales != nullptr ? x.scales[m] : rule.given_scale()),
      zero(x.scales != nullptr ? x.zero_point(m) : rule.given_zero()),
      flip(0) {
  if (x.dtype == DType::kI8) return;
  zero -= 128;
  flip = 0x80;
}

void CopyFlipped(const uint8_t* from, uint64_t count, uint8_t flip,
                 int8_t* to) {
  if (flip == 0) {
    std::memcpy(to, from, static_cast<size_t>(count));
    return;
  }
  uint64_t i = 0;
  for (; i + sizeof(uint64_t) <= count; i += sizeof(uint64_t)) {
    uint64_t eight;
    std::memcpy(&eight, from + i, sizeof eight);
    eight ^= flip * UINT64_C(0x0101010101010101);
    std::memcpy(to + i, &eight, sizeof eight);
  }
  for (; i < count; ++i) to[i] = static_cast<int8_t>(from[i] ^ flip);
}

InputRows::Places InputRows::PlacesOf(const Needs& needs) {
  Places places;
  uint64_t at = RoundUp(needs.codes ? 4 * needs.groups : 0, 64);
  places.codes = at;
  at += RoundUp(needs.columns + kMostChunk + kLanes, 64);
  places.arranged = at;
  at += RoundUp(needs.columns + kMostChunk, 64);
  places.floats = at;
  if (!needs.codes || needs.divided || needs.num_outliers != 0) {
    at += RoundUp(4 * (needs.columns + 2 * kFloatLanes + kLanes), 64);
  }
  places.outliers = at;
  at += RoundUp(4 * needs.num_outliers, 64);
  places.bytes = at;
  return places;
}

uint64_t InputRows::HeadBytes(uint64_t rows) {
  return RoundUp(CheckedMul(CheckedAdd(rows, 1, "rows"),
                            sizeof(int64_t) + 3 * sizeof(int32_t),
                            "size of the workspace"),
                 64);
}

uint64_t InputRows::Bytes(const Needs& needs, uint64_t rows) {
  const char* const what = "size of the workspace";
  return CheckedAdd(
      HeadBytes(rows),
      CheckedMul(CheckedAdd(rows, 1, "rows"), PlacesOf(needs).bytes, what),
      what);
}

InputRows::InputRows(const Needs& needs, DotOrder order, uint64_t rows,
                     uint8_t* memory)
    : needs_(needs),
      order_(order),
      rows_(rows),
      memory_(memory + HeadBytes(rows)) {
  const Places places = PlacesOf(needs);
  arranged_at_ = places.arranged;
  // Where the order is their own, at once where they are read.
  codes_at_ = order.planes == 1 ? arranged_at_ : places.codes;
  floats_at_ = places.floats;
  outliers_at_ = places.outliers;
  stride_ = places.bytes;
  sums_ = reinterpret_cast<int64_t*>(memory);
  zeros_ = reinterpret_cast<int32_t*>(sums_ + rows + 1);
  short_sums_ = zeros_ + rows + 1;
  scales_ = reinterpret_cast<float*>(short_sums_ + rows + 1);
}

SourceView InputRows::SourceOf(const float* divisors, const Matrix& x,
                               uint64_t m) const {
  const size_t columns = static_cast<size_t>(needs_.columns);
  SourceView source;
  source.data = x.row(m);
  source.dtype = x.dtype;
  if (divisors == nullptr && needs_.num_outliers == 0) return source;
  float* const floats = At<float>(m, floats_at_);
  LoadElements(source, 0, columns, floats);
  if (divisors != nullptr) {
    for (size_t k = 0; k < columns; ++k) floats[k] = floats[k] / divisors[k];
  }
  for (uint64_t i = 0; i < needs_.num_outliers; ++i) {
    const float value = std::exchange(floats[needs_.outliers[i]], 0.0f);
    if (!std::isfinite(value)) FailOf(m, needs_.outliers[i], value);
    At<float>(m, outliers_at_)[i] = value;
  }
  source.data = reinterpret_cast<const uint8_t*>(floats);
  source.dtype = DType::kF32;
  return source;
}

void InputRows::CopyCodes(const InputRule& rule, const Matrix& x,
                          uint64_t m) const {
  int8_t* const q = At<int8_t>(m, codes_at_);
  const uint8_t* const from = x.row(m);
  const InputCodes codes(rule, x, m);
  CopyFlipped(from, needs_.columns, codes.flip, q);
  Set(m, codes.scale, codes.zero);
  for (uint64_t i = 0; i < needs_.num_outliers; ++i) {
    At<float>(m, outliers_at_)[i] =
        static_cast<float>(q[needs_.outliers[i]] - codes.zero) * codes.scale;
  }
}

void InputRows::Prepare(const InputRule& rule, const float* divisors,
                        const Matrix& x, uint64_t m) const {
  Set(m, 1.0f, 0);
  if (IsInteger(x.dtype)) {
    CopyCodes(rule, x, m);
    return Finish(m);
  }
  const SourceView source = SourceOf(divisors, x, m);
  if (rule.mode() != InputMode::kFloat) {
    rule.Quantize(source, m, At<int8_t>(m, codes_at_), scales_ + m, zeros_ + m);
    return Finish(m);
  }
  const size_t columns = static_cast<size_t>(needs_.columns);
  float* const floats = At<float>(m, floats_at_);
  if (divisors == nullptr) LoadElements(source, 0, columns, floats);
  std::fill_n(floats + columns, kFloatLanes, 0.0f);
}

void InputRows::PrepareOwnCodes(uint64_t m, float scale, int32_t zero) const {
  Set(m, scale, zero);
  Finish(m);
}

void InputRows::PrepareOwnFloats(uint64_t m) const {
  Set(m, 1.0f, 0);
  std::fill_n(own_floats(m) + needs_.columns, kFloatLanes, 0.0f);
}

void InputRows::ArrangeRow(uint64_t m) const {
  const size_t columns = static_cast<size_t>(needs_.columns);
  int8_t* const arranged = At<int8_t>(m, arranged_at_);
  if (codes_at_ != arranged_at_) {
    return Arrange(order_, own_codes(m), columns, arranged);
  }
  std::memset(arranged + columns, 0, order_.bytes(columns) - columns);
}

void InputRows::Finish(uint64_t m) const {
  const size_t columns = static_cast<size_t>(needs_.columns);
  const int8_t* const q = At<int8_t>(m, codes_at_);
  if (!needs_.codes) {
    // Weights are no integers: codes are numbers to be multiplied.
    float* const floats = At<float>(m, floats_at_);
    for (size_t k = 0; k < columns; ++k) {
      floats[k] = static_cast<float>(q[k] - zeros_[m]);
    }
    std::fill_n(floats + columns, kFloatLanes, 0.0f);
    return;
  }
  ArrangeRow(m);
  int32_t* const sums = At<int32_t>(m, 0);
  for (uint64_t at = 0; at < columns; at += kChunk) {
    int32_t part;
    const size_t n =
        static_cast<size_t>(std::min<uint64_t>(kChunk, columns - at));
    SumCodes(q + at, n, n, &part);
    sums_[m] += part;
  }
  short_sums_[m] = static_cast<int32_t>(sums_[m]);
  if (needs_.groups > 1) {
    SumCodes(q, columns, static_cast<size_t>(needs_.group), sums);
  } else {
    sums[0] = short_sums_[m];
  }
}

void InputRows::PrepareOnes() const {
  const size_t columns = static_cast<size_t>(needs_.columns);
  std::memset(own_codes(rows_), 1, columns);
  ArrangeRow(rows_);
}

}  // namespace bnq
