#include "core/ops/activation.h"

#include <algorithm>

#include "core/kernels/elements.h"
#include "core/ops/rows.h"

namespace bnq {
namespace {

// Of floats that are loaded and stored through scratch space.
constexpr size_t kPart = 1024;

// How the rows of integers of a matrix are read or written.
struct Codes {
  double scale = 1.0;
  int32_t zero_point = 0;
  bool is_signed = false;

  static Codes Of(const Matrix& m, uint64_t r) {
    return {static_cast<double>(m.scales[r]), m.zero_point(r),
            m.dtype == DType::kI8};
  }
  double Value(uint8_t byte) const {
    const int code = is_signed && byte >= 128 ? byte - 256 : byte;
    return (code - zero_point) * scale;
  }
  uint8_t Nearest(double value) const {
    const int least = is_signed ? -128 : 0;
    const double bound = 1024.0;  // more than any distance of two codes
    const double steps = std::max(-bound, std::min(bound, value / scale));
    // A sum with 1.5 * 2^52 is a whole number, to nearest even.
    const double magic = 6755399441055744.0;
    const int code = static_cast<int>((steps + magic) - magic) + zero_point;
    return static_cast<uint8_t>(std::max(least, std::min(least + 255, code)));
  }
  bool operator==(const Codes& other) const {
    return scale == other.scale && zero_point == other.zero_point;
  }
};

struct Elements {
  const uint8_t* x = nullptr;
  uint8_t* y = nullptr;
  size_t count = 0;
};

void ActivateFloats(Function function, float slope, DType from, DType to,
                    const Elements& piece) {
  const auto aligned = [](const void* p) {
    return reinterpret_cast<uintptr_t>(p) % alignof(float) == 0;
  };
  if (from == DType::kF32 && to == DType::kF32 && aligned(piece.x) &&
      aligned(piece.y)) {
    ApplyFunction(function, slope, reinterpret_cast<const float*>(piece.x),
                  piece.count, reinterpret_cast<float*>(piece.y));
    return;
  }
  SourceView source;
  source.data = piece.x;
  source.dtype = from;
  alignas(64) float part[kPart + kLanes];
  for (size_t at = 0; at < piece.count; at += kPart) {
    const size_t n = std::min(kPart, piece.count - at);
    LoadElements(source, at, n, part);
    ApplyFunction(function, slope, part, n, part);
    StoreElements(part, n, to, false, piece.y + at * (Info(to).bits / 8));
  }
}

// What the function makes of each byte of a row.
class Table {
 public:
  Table(Function function, float slope, const Matrix& x, const Matrix& y)
      : function_(function), slope_(static_cast<double>(slope)), x_(x), y_(y) {}

  // Makes those of row r, where they are not there yet.
  void Prepare(uint64_t r) {
    const Codes from = Codes::Of(x_, r);
    const bool to_codes = IsInteger(y_.dtype);
    const Codes to = to_codes ? Codes::Of(y_, r) : Codes();
    if (made_ && from == from_ && to == to_) return;
    for (int byte = 0; byte < 256; ++byte) {
      const double value =
          ExactValue(function_, slope_, from.Value(static_cast<uint8_t>(byte)));
      if (to_codes) {
        codes_[byte] = to.Nearest(value);
      } else {
        values_[byte] = static_cast<float>(value);
      }
    }
    from_ = from;
    to_ = to;
    made_ = true;
  }

  void Apply(const Elements& piece) const {
    if (IsInteger(y_.dtype)) {
      LookUpBytes(codes_, piece.x, piece.count, piece.y);
      return;
    }
    float part[kPart];
    for (size_t at = 0; at < piece.count; at += kPart) {
      const size_t n = std::min(kPart, piece.count - at);
      for (size_t i = 0; i < n; ++i) part[i] = values_[piece.x[at + i]];
      StoreElements(part, n, y_.dtype, false, piece.y + at * y_.element_size());
    }
  }

 private:
  Function function_;
  double slope_;
  const Matrix& x_;
  const Matrix& y_;
  bool made_ = false;
  Codes from_, to_;
  uint8_t codes_[256];
  float values_[256];
};

bool OneRow(const Matrix& m) {
  return m.rows <= 1 || m.stride == m.row_bytes();
}

// The same elements as one row, where they lie together.
void Flatten(Matrix* x, Matrix* y) {
  if (!OneRow(*x) || !OneRow(*y)) return;
  for (Matrix* m : {x, y}) {
    m->columns *= m->rows;
    m->rows = m->rows == 0 ? 0 : 1;
  }
}

// Whether all rows have the parameters of the first one.
bool SameParameters(const Matrix& m) {
  for (uint64_t r = 1; IsInteger(m.dtype) && r < m.rows; ++r) {
    if (!(Codes::Of(m, r) == Codes::Of(m, 0))) return false;
  }
  return true;
}

}  // namespace

void Activate(const Context& context, Function function, float slope,
              const Matrix& from, const Matrix& to) {
  Matrix x = from, y = to;
  if (IsInteger(y.dtype) && !IsInteger(x.dtype)) {
    Fail(Status::kUnsupported, "an activation function of ", Info(x.dtype).name,
         " gives F32, F16 or BF16, not ", Info(y.dtype).name);
  }
  if (x.empty()) return;
  const bool shared = SameParameters(x) && SameParameters(y);
  if (shared) Flatten(&x, &y);
  const auto piece = [&](uint64_t r, uint64_t at, size_t count) {
    return Elements{x.row(r) + at * x.element_size(),
                    y.row(r) + at * y.element_size(), count};
  };
  if (!IsInteger(x.dtype)) {
    ForEachPiece(context, x.rows, x.columns,
                 [&](uint64_t r, uint64_t at, size_t count) {
                   ActivateFloats(function, slope, x.dtype, y.dtype,
                                  piece(r, at, count));
                 });
    return;
  }
  Table table(function, slope, x, y);
  table.Prepare(0);
  if (shared) {
    ForEachPiece(context, x.rows, x.columns,
                 [&](uint64_t r, uint64_t at, size_t count) {
                   table.Apply(piece(r, at, count));
                 });
    return;
  }
  ForEachRows(context, x.rows, x.columns, [&](uint64_t begin, uint64_t end) {
    Table own = table;
    for (uint64_t r = begin; r < end; ++r) {
      own.Prepare(r);
      own.Apply(piece(r, 0, static_cast<size_t>(x.columns)));
    }
  });
}

}  // namespace bnq
