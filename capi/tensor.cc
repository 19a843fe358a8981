#include "core/tensor/tensor.h"

#include <cstring>

#include "capi/guard.h"
#include "core/base/checked.h"
#include "core/tensor/batch.h"
#include "core/tensor/dequantize.h"
#include "core/tensor/metrics.h"
#include "core/tensor/quantize.h"

using namespace bnq;
using namespace bnq::capi;

namespace {

const QuantizedTensor& TensorOf(const bnq_tensor* tensor) {
  return *Required(tensor, "tensor").core;
}

// Buffers that must have exactly the size the config asks for; NULL only where
// that is 0.
void CheckBuffers(const QuantizedSizes& sizes, const void* codes,
                  uint64_t code_bytes, const void* scales, uint64_t scale_bytes,
                  const void* zero_points, uint64_t zero_point_count) {
  CheckCount(code_bytes, sizes.code_bytes, "code_bytes");
  CheckCount(scale_bytes, sizes.scale_bytes, "scale_bytes");
  CheckCount(zero_point_count, sizes.zero_points, "zero_point_count");
  if (code_bytes != 0) Required(static_cast<const char*>(codes), "codes");
  if (scale_bytes != 0) Required(static_cast<const char*>(scales), "scales");
  if (reinterpret_cast<uintptr_t>(scales) % alignof(float) != 0) {
    Fail(Status::kInvalidArgument,
         "scales = ", Hex(reinterpret_cast<uintptr_t>(scales), 1),
         ", must be aligned to 4 bytes");
  }
  if (zero_point_count != 0) {
    Required(static_cast<const char*>(zero_points), "zero_points");
  }
}

template <class T>
const T* Accessor(const bnq_tensor* tensor, uint64_t* out_count,
                  const T* TensorParts::*part, uint64_t QuantizedSizes::*size) {
  const uint64_t count = tensor ? tensor->core->sizes().*size : 0;
  if (out_count) *out_count = count;
  return count != 0 ? tensor->core->parts().*part : nullptr;
}

void CheckOutput(uint64_t count, DType type, const void* out,
                 uint64_t out_bytes) {
  CheckCount(out_bytes,
             CheckedMul(count, Info(type).bits / 8, "size of the output"),
             "out_bytes");
  if (count != 0) Required(static_cast<const char*>(out), "out");
}

void DequantizeElements(const bnq_context* context,
                        const QuantizedTensor& tensor, uint64_t begin,
                        uint64_t count, int32_t dtype, void* out,
                        uint64_t out_bytes) {
  const DType type = TargetDType(dtype);
  CheckOutput(count, type, out, out_bytes);
  if (count == 0) return;
  Dequantizer(ContextOf(context), tensor)
      .DecodeParallel(begin, count, type, static_cast<uint8_t*>(out));
}

}  // namespace

bnq_status bnq_tensor_quantize(bnq_context* context, const bnq_config* config,
                               const bnq_array* source,
                               bnq_tensor** out_tensor) {
  return Guard([&] {
    bnq_tensor*& out = Output(out_tensor, "out_tensor");
    auto tensor = std::make_unique<bnq_tensor>();
    tensor->core = Quantize(ContextOf(context), Required(config, "config").core,
                            ViewOf(source, "source"));
    out = tensor.release();
  });
}

bnq_status bnq_quantized_sizes(const bnq_config* config, int32_t rank,
                               const uint64_t* shape, uint64_t* out_code_bytes,
                               uint64_t* out_scale_bytes,
                               uint64_t* out_zero_points) {
  return Guard([&] {
    const QuantizedSizes sizes =
        SizesOf(Required(config, "config").core, Shape::Make(rank, shape));
    if (out_code_bytes) *out_code_bytes = sizes.code_bytes;
    if (out_scale_bytes) *out_scale_bytes = sizes.scale_bytes;
    if (out_zero_points) *out_zero_points = sizes.zero_points;
  });
}

bnq_status bnq_quantize(bnq_context* context, const bnq_config* config,
                        const bnq_array* source, uint8_t* codes,
                        uint64_t code_bytes, void* scales, uint64_t scale_bytes,
                        int8_t* zero_points, uint64_t zero_point_count) {
  return Guard([&] {
    const Config& c = Required(config, "config").core;
    const ArrayView view = ViewOf(source, "source");
    CheckBuffers(SizesOf(c, view.shape), codes, code_bytes, scales, scale_bytes,
                 zero_points, zero_point_count);
    QuantizeInto(ContextOf(context), c, view, codes,
                 static_cast<uint8_t*>(scales), zero_points);
  });
}

bnq_status bnq_quantize_batch(bnq_context* context, const bnq_config* config,
                              uint64_t count, const bnq_array* sources,
                              uint8_t* const* codes, const uint64_t* code_bytes,
                              void* const* scales, const uint64_t* scale_bytes,
                              int8_t* const* zero_points,
                              const uint64_t* zero_point_counts) {
  return Guard([&] {
    const Config& c = Required(config, "config").core;
    if (count == 0) return;
    Required(sources, "sources");
    Required(codes, "codes");
    Required(code_bytes, "code_bytes");
    Required(scales, "scales");
    Required(scale_bytes, "scale_bytes");
    if ((zero_points == nullptr) != (zero_point_counts == nullptr)) {
      Fail(Status::kInvalidArgument,
           "zero_points and zero_point_counts must both be NULL or neither");
    }
    const auto zeros = [&](uint64_t i) {
      return zero_points ? zero_points[i] : nullptr;
    };
    // All of them before the first is written.
    ForEachItem("array", count, [&](uint64_t i) {
      const ArrayView view = ViewOf(sources + i, "source");
      CheckBuffers(SizesOf(c, view.shape), codes[i], code_bytes[i], scales[i],
                   scale_bytes[i], zeros(i),
                   zero_points ? zero_point_counts[i] : 0);
      MakeSource(view, nullptr);
    });
    RunBatch(
        ContextOf(context), "array", count,
        [&](uint64_t i) {
          return ViewOf(sources + i, "source").shape.elements();
        },
        [&](uint64_t i, const Context& on) {
          QuantizeInto(on, c, ViewOf(sources + i, "source"), codes[i],
                       static_cast<uint8_t*>(scales[i]), zeros(i));
        });
  });
}

bnq_status bnq_dequantize_batch(bnq_context* context, uint64_t count,
                                const bnq_tensor* const* tensors, int32_t dtype,
                                void* const* outs, const uint64_t* out_bytes) {
  return Guard([&] {
    const DType type = TargetDType(dtype);
    if (count == 0) return;
    Required(tensors, "tensors");
    Required(outs, "outs");
    Required(out_bytes, "out_bytes");
    ForEachItem("tensor", count, [&](uint64_t i) {
      CheckOutput(TensorOf(tensors[i]).shape().elements(), type, outs[i],
                  out_bytes[i]);
    });
    RunBatch(
        ContextOf(context), "tensor", count,
        [&](uint64_t i) { return tensors[i]->core->shape().elements(); },
        [&](uint64_t i, const Context& on) {
          const QuantizedTensor& t = TensorOf(tensors[i]);
          if (t.shape().elements() == 0) return;
          Dequantizer(on, t).DecodeParallel(0, t.shape().elements(), type,
                                            static_cast<uint8_t*>(outs[i]));
        });
  });
}

bnq_status bnq_tensor_create(bnq_context* context, const bnq_config* config,
                             int32_t rank, const uint64_t* shape,
                             const uint8_t* codes, uint64_t code_bytes,
                             const void* scales, uint64_t scale_bytes,
                             const int8_t* zero_points,
                             uint64_t zero_point_count, int32_t flags,
                             bnq_tensor** out_tensor) {
  return Guard([&] {
    bnq_tensor*& out = Output(out_tensor, "out_tensor");
    const Config& c = Required(config, "config").core;
    if ((flags & ~BNQ_TENSOR_BORROW) != 0) {
      Fail(Status::kInvalidArgument, "flags = ", flags, ", must be 0 or ",
           BNQ_TENSOR_BORROW);
    }
    if (c.outlier_threshold() != 0.0f) {
      Fail(Status::kUnsupported, "outlier_threshold = ", c.outlier_threshold(),
           ", must be 0: outliers have no parameter here");
    }
    const Shape s = Shape::Make(rank, shape);
    const QuantizedSizes sizes = SizesOf(c, s);
    CheckBuffers(sizes, codes, code_bytes, scales, scale_bytes, zero_points,
                 zero_point_count);
    auto tensor = std::make_unique<bnq_tensor>();
    if (flags & BNQ_TENSOR_BORROW) {
      tensor->core = std::make_unique<QuantizedTensor>(
          c, s,
          TensorParts{
              codes, static_cast<const uint8_t*>(scales), zero_points, {}},
          nullptr);
    } else {
      auto copy = std::make_unique<QuantizedTensor>(ContextOf(context), c, s);
      const auto fill = [](void* to, const void* from, uint64_t bytes) {
        if (bytes != 0) std::memcpy(to, from, bytes);
      };
      fill(copy->mutable_codes(), codes, sizes.code_bytes);
      fill(copy->mutable_scales(), scales, sizes.scale_bytes);
      fill(copy->mutable_zero_points(), zero_points, sizes.zero_points);
      tensor->core = std::move(copy);
    }
    tensor->core->Validate();
    out = tensor.release();
  });
}

void bnq_tensor_destroy(bnq_tensor* tensor) { delete tensor; }

int32_t bnq_tensor_format(const bnq_tensor* tensor) {
  return tensor ? tensor->core->format().id : -1;
}

int32_t bnq_tensor_shape(const bnq_tensor* tensor, uint64_t* shape) {
  return tensor ? CopyShape(tensor->core->shape(), shape) : -1;
}

uint64_t bnq_tensor_rows(const bnq_tensor* tensor) {
  return tensor ? tensor->core->shape().rows() : 0;
}

uint64_t bnq_tensor_columns(const bnq_tensor* tensor) {
  return tensor ? tensor->core->shape().columns() : 0;
}

const bnq_options* bnq_tensor_options(const bnq_tensor* tensor) {
  return tensor;
}

bnq_status bnq_tensor_config(const bnq_tensor* tensor,
                             bnq_config** out_config) {
  return Guard([&] {
    bnq_config*& out = Output(out_config, "out_config");
    out = new bnq_config(TensorOf(tensor).config().OfTensor());
  });
}

const uint8_t* bnq_tensor_codes(const bnq_tensor* tensor, uint64_t* out_count) {
  return Accessor(tensor, out_count, &TensorParts::codes,
                  &QuantizedSizes::code_bytes);
}

const void* bnq_tensor_scales(const bnq_tensor* tensor, uint64_t* out_bytes) {
  return Accessor(tensor, out_bytes, &TensorParts::scales,
                  &QuantizedSizes::scale_bytes);
}

const int8_t* bnq_tensor_zero_points(const bnq_tensor* tensor,
                                     uint64_t* out_count) {
  return Accessor(tensor, out_count, &TensorParts::zero_points,
                  &QuantizedSizes::zero_points);
}

uint64_t bnq_tensor_scale_count(const bnq_tensor* tensor) {
  return tensor ? tensor->core->sizes().scales : 0;
}

bnq_status bnq_tensor_read_scales(const bnq_tensor* tensor, float* scales,
                                  uint64_t count) {
  return Guard([&] {
    const StoredScales stored = TensorOf(tensor).scales();
    CheckCount(count, stored.count, "count");
    if (count != 0) stored.Read(0, count, &Required(scales, "scales"));
  });
}

uint64_t bnq_tensor_saturated_scales(const bnq_tensor* tensor) {
  return tensor ? tensor->core->scales().CountSaturated() : 0;
}

const uint32_t* bnq_tensor_outlier_columns(const bnq_tensor* tensor,
                                           uint64_t* out_count) {
  if (out_count) *out_count = tensor ? tensor->core->parts().outliers.count : 0;
  return tensor ? tensor->core->parts().outliers.columns : nullptr;
}

const void* bnq_tensor_outlier_values(const bnq_tensor* tensor,
                                      int32_t* out_dtype) {
  const bool any = tensor && tensor->core->parts().outliers.count != 0;
  if (out_dtype) {
    *out_dtype =
        any ? static_cast<int32_t>(tensor->core->parts().outliers.dtype) : 0;
  }
  return any ? tensor->core->parts().outliers.values : nullptr;
}

const float* bnq_dynamic_map(void) {
  // The first call computes it, once and for all.
  const FpEnvironment environment;
  return DynamicMap();
}

uint64_t bnq_tensor_bytes(const bnq_tensor* tensor) {
  return tensor ? tensor->core->bytes() : 0;
}

bnq_status bnq_tensor_repack(bnq_context* context, const bnq_tensor* tensor,
                             int32_t packing, bnq_tensor** out_tensor) {
  return Guard([&] {
    bnq_tensor*& out = Output(out_tensor, "out_tensor");
    const QuantizedTensor& t = TensorOf(tensor);
    if (packing != BNQ_PACKING_DEFAULT && packing != BNQ_PACKING_BASE3) {
      Fail(Status::kInvalidArgument, "packing = ", packing, ", must be ",
           BNQ_PACKING_DEFAULT, " or ", BNQ_PACKING_BASE3);
    }
    auto copy = std::make_unique<bnq_tensor>();
    copy->core =
        Repack(ContextOf(context), t, static_cast<PackingChoice>(packing));
    out = copy.release();
  });
}

double bnq_tensor_bits_per_weight(const bnq_tensor* tensor) {
  const FpEnvironment environment;
  return tensor ? tensor->core->bits_per_weight() : 0.0;
}

bnq_status bnq_tensor_unpack(bnq_context* /*context*/, const bnq_tensor* tensor,
                             int8_t* codes, uint64_t count) {
  return Guard([&] {
    const QuantizedTensor& t = TensorOf(tensor);
    CheckCount(count, t.shape().elements(), "count");
    if (count != 0) Required(codes, "codes");
    UnpackCodes(t, 0, count, codes);
  });
}

bnq_status bnq_pack(bnq_context* /*context*/, const bnq_config* config,
                    int32_t rank, const uint64_t* shape, const int8_t* codes,
                    uint64_t count, uint8_t* packed, uint64_t packed_bytes) {
  return Guard([&] {
    const Config& c = Required(config, "config").core;
    const Shape s = Shape::Make(rank, shape);
    CheckCount(count, s.elements(), "count");
    CheckCount(packed_bytes, SizesOf(c, s).code_bytes, "packed_bytes");
    if (count != 0) {
      Required(codes, "codes");
      Required(packed, "packed");
    }
    PackCodes(c, s, codes, packed);
  });
}

bnq_status bnq_tensor_dequantize(bnq_context* context, const bnq_tensor* tensor,
                                 int32_t dtype, void* out, uint64_t out_bytes) {
  return Guard([&] {
    const QuantizedTensor& t = TensorOf(tensor);
    DequantizeElements(context, t, 0, t.shape().elements(), dtype, out,
                       out_bytes);
  });
}

bnq_status bnq_tensor_dequantize_rows(bnq_context* context,
                                      const bnq_tensor* tensor,
                                      uint64_t row_begin, uint64_t row_count,
                                      int32_t dtype, void* out,
                                      uint64_t out_bytes) {
  return Guard([&] {
    const QuantizedTensor& t = TensorOf(tensor);
    const uint64_t rows = t.shape().rows();
    if (row_begin > rows || row_count > rows - row_begin) {
      Fail(Status::kInvalidArgument, "row_begin = ", row_begin,
           " and row_count = ", row_count, ", must lie within ", rows, " rows");
    }
    const uint64_t columns = t.shape().columns();
    DequantizeElements(context, t, row_begin * columns, row_count * columns,
                       dtype, out, out_bytes);
  });
}

bnq_status bnq_compare(bnq_context* context, const bnq_array* original,
                       const bnq_array* other, double* metrics,
                       uint32_t metric_count) {
  return Guard([&] {
    const Metrics m = Compare(ContextOf(context), ViewOf(original, "original"),
                              ViewOf(other, "other"));
    CopyMetrics(m.values, metrics, metric_count);
  });
}

bnq_status bnq_tensor_compare(bnq_context* context, const bnq_array* original,
                              const bnq_tensor* tensor, double* metrics,
                              uint32_t metric_count) {
  return Guard([&] {
    const Metrics m = Compare(ContextOf(context), ViewOf(original, "original"),
                              TensorOf(tensor));
    CopyMetrics(m.values, metrics, metric_count);
  });
}
