#include "core/tensor/tensor.h"

#include <cmath>
#include <cstring>

#include "core/base/checked.h"
#include "core/base/error.h"
#include "core/kernels/traversal.h"

namespace bnq {
namespace {

unsigned long long Ull(uint64_t v) { return v; }

}  // namespace

const Format& FormatOf(const Config& config) {
  const Format* format = FindFormat(config.format());
  if (format == nullptr) {
    Fail(Code::kInvalidArgument, "format = %d, must be the id of one of: %s",
         config.format(), FormatNames().c_str());
  }
  return *format;
}

QuantizedSizes SizesOf(const Config& config, const Shape& shape) {
  const Layout layout = MakeLayout(FormatOf(config), config, shape);
  QuantizedSizes sizes;
  sizes.code_bytes = layout.code_bytes;
  sizes.scales = layout.num_params;
  if (config.scheme() == Scheme::kAsymmetric) {
    sizes.zero_points = layout.num_params;
  }
  // Parameters are no more than elements, whose bytes fit (Shape::Make).
  return sizes;
}

QuantizedTensor::QuantizedTensor(const Context& context, const Config& config,
                                 const Shape& shape)
    : QuantizedTensor(config, shape, TensorParts(), nullptr) {
  codes_ = context.Allocate(sizes_.code_bytes);
  scales_ = context.Allocate(4 * sizes_.scales);
  zero_points_ = context.Allocate(4 * sizes_.zero_points);
  parts_ = {codes_.data(), scales_.as<float>(), zero_points_.as<int32_t>()};
}

QuantizedTensor::QuantizedTensor(const Config& config, const Shape& shape,
                                 const TensorParts& parts,
                                 std::shared_ptr<const void> keep_alive)
    : config_(config),
      format_(&FormatOf(config)),
      shape_(shape),
      layout_(MakeLayout(*format_, config, shape)),
      sizes_(SizesOf(config, shape)),
      parts_(parts),
      keep_alive_(std::move(keep_alive)) {}

double QuantizedTensor::bits_per_weight() const {
  const uint64_t n = shape_.elements();
  return n == 0 ? 0.0
                : 8.0 * static_cast<double>(sizes_.bytes()) /
                      static_cast<double>(n);
}

void QuantizedTensor::ValidateParams() const {
  for (uint64_t i = 0; i < sizes_.scales; ++i) {
    if (!std::isfinite(parts_.scales[i])) {
      Fail(Code::kInvalidArgument, "scale %llu = %g, must be finite", Ull(i),
           static_cast<double>(parts_.scales[i]));
    }
  }
  const CodeRange range = format_->code_range(config_.scheme());
  for (uint64_t i = 0; i < sizes_.zero_points; ++i) {
    const int32_t zero = parts_.zero_points[i];
    if (zero < range.lo || zero > range.hi) {
      Fail(Code::kInvalidArgument, "zero point %llu = %d, must be %d to %d",
           Ull(i), zero, range.lo, range.hi);
    }
  }
}

void QuantizedTensor::Validate() const {
  ValidateParams();
  if (format_->first_invalid == 0) return;
  const uint64_t n = shape_.elements();
  int8_t codes[kSpan + kPackSlack];
  const int32_t limit = format_->first_invalid - format_->bias;
  for (uint64_t begin = 0; begin < n; begin += kSpan) {
    const uint64_t count = n - begin < kSpan ? n - begin : kSpan;
    UnpackCodes(*this, begin, count, codes);
    for (uint64_t i = 0; i < count; ++i) {
      if (codes[i] >= limit) {
        Fail(Code::kInvalidArgument,
             "stored code of element %llu = %d, must be 0 to %d for format %s",
             Ull(begin + i), codes[i] + format_->bias,
             format_->first_invalid - 1, format_->name);
      }
    }
  }
}

void UnpackCodes(const QuantizedTensor& tensor, uint64_t begin, uint64_t count,
                 int8_t* codes) {
  const Layout& layout = tensor.layout();
  const Format& format = tensor.format();
  const PackingKernels& packing = GetPackingKernels(format.packing);
  const uint64_t per_byte = CodesPerByte(format.packing);
  int8_t scratch[kSpan + kPackSlack];
  for (uint64_t done = 0; done < count;) {
    const uint64_t row = (begin + done) / layout.columns;
    const uint64_t column = (begin + done) % layout.columns;
    const uint64_t skip = column % per_byte;
    uint64_t n = kSpan - skip;
    if (layout.columns - column < n) n = layout.columns - column;
    if (count - done < n) n = count - done;
    packing.unpack(
        tensor.parts().codes + row * layout.row_bytes + column / per_byte,
        skip + n, format.bias, scratch);
    std::memcpy(codes + done, scratch + skip, n);
    done += n;
  }
}

void PackCodes(const Config& config, const Shape& shape, const int8_t* codes,
               uint8_t* packed) {
  const Format& format = FormatOf(config);
  const Layout layout = MakeLayout(format, config, shape);
  const PackingKernels& packing = GetPackingKernels(format.packing);
  const CodeRange range = format.code_range(
      format.asymmetric ? Scheme::kAsymmetric : Scheme::kSymmetric);
  const uint64_t per_byte = CodesPerByte(format.packing);
  int8_t scratch[kSpan + kPackSlack];
  for (uint64_t row = 0; row < layout.rows; ++row) {
    for (uint64_t column = 0; column < layout.columns; column += kSpan) {
      const uint64_t left = layout.columns - column;
      const uint64_t n = left < kSpan ? left : kSpan;
      const uint64_t at = row * layout.columns + column;
      for (uint64_t i = 0; i < n; ++i) {
        if (codes[at + i] < range.lo || codes[at + i] > range.hi) {
          Fail(Code::kInvalidArgument,
               "code of element %llu = %d, must be %d to %d for format %s",
               Ull(at + i), codes[at + i], range.lo, range.hi, format.name);
        }
      }
      std::memcpy(scratch, codes + at, n);
      packing.pack(scratch, n, format.bias,
                   packed + row * layout.row_bytes + column / per_byte);
    }
  }
}

}  // namespace bnq
