#include "core/tensor/tensor.h"

#include <utility>
#include <vector>

#include "capi/guard.h"
#include "core/base/checked.h"
#include "core/tensor/batch.h"
#include "core/tensor/dequantize.h"
#include "core/tensor/metrics.h"
#include "core/tensor/parts.h"
#include "core/tensor/quantize.h"
#include "core/tensor/search.h"

using namespace bnq;
using namespace bnq::capi;

namespace {

const QuantizedTensor& TensorOf(const bnq_tensor* tensor) {
  return *Required(tensor, "tensor").core;
}

#define BNQ_SAME(id, part) \
  static_assert(static_cast<int>(Part::id) == part, #part)
BNQ_SAME(kCodes, BNQ_PART_CODES);
BNQ_SAME(kScales, BNQ_PART_SCALES);
BNQ_SAME(kZeroPoints, BNQ_PART_ZERO_POINTS);
BNQ_SAME(kOutlierColumns, BNQ_PART_OUTLIER_COLUMNS);
BNQ_SAME(kOutlierValues, BNQ_PART_OUTLIER_VALUES);
BNQ_SAME(kOffsets, BNQ_PART_OFFSETS);
BNQ_SAME(kTensorScale, BNQ_PART_TENSOR_SCALE);
BNQ_SAME(kCodebook, BNQ_PART_CODEBOOK);
BNQ_SAME(kInputScales, BNQ_PART_INPUT_SCALES);
static_assert(kNumParts == BNQ_NUM_PARTS, "BNQ_NUM_PARTS");
#undef BNQ_SAME

const PartInfo& RequiredPart(int32_t part) {
  const PartInfo* info = FindPart(part);
  if (info == nullptr) {
    Fail(Status::kInvalidArgument, "part = ", part, ", must be 1 to ",
         kNumParts);
  }
  return *info;
}

// What bnq_quantize writes into.
struct Buffers {
  uint8_t* codes;
  uint64_t code_bytes;
  void* scales;
  uint64_t scale_bytes;
  int8_t* zero_points;
  uint64_t zero_point_count;
  bool tensor_wanted;

  // As parts: they must have exactly the size the config asks for, and be NULL
  // only where that is 0. Others are in memory of the tensor's own.
  Parts Checked(const Config& config, const Shape& shape) const {
    Parts parts = PartSizes(config, shape);
    CheckCount(code_bytes, parts[Part::kCodes].bytes, "code_bytes");
    CheckCount(scale_bytes, parts[Part::kScales].bytes, "scale_bytes");
    CheckCount(zero_point_count, parts[Part::kZeroPoints].count,
               "zero_point_count");
    if (config.outlier_threshold() != 0.0f && !tensor_wanted) {
      Fail(Status::kInvalidArgument,
           "outlier_threshold = ", config.outlier_threshold(),
           " takes a tensor for the outliers, whose number depends on the "
           "data, but out_tensor is NULL");
    }
    for (const Part id :
         {Part::kOffsets, Part::kTensorScale, Part::kCodebook}) {
      if (parts[id].bytes == 0 || tensor_wanted) continue;
      Fail(Status::kInvalidArgument, "config asks for ",
           PartAt(static_cast<int>(id) - 1).name,
           ", which only a tensor has room for, but out_tensor is NULL");
    }
    const std::pair<Part, const void*> buffers[] = {
        {Part::kCodes, codes},
        {Part::kScales, scales},
        {Part::kZeroPoints, zero_points}};
    for (const auto& [id, data] : buffers) {
      PartData given = parts[id];
      given.data = static_cast<const uint8_t*>(data);
      parts[id] = CheckedPart(id, parts[id], given);
    }
    return parts;
  }
};

// The list as parts of a tensor, with the dtypes that are left open.
Parts PartsOf(const Config& config, const Shape& shape, const bnq_part* list,
              uint32_t count) {
  Parts given;
  bool seen[kNumParts + 1] = {};
  if (count != 0) Required(list, "parts");
  for (uint32_t i = 0; i < count; ++i) {
    const bnq_part& item = list[i];
    const PartInfo& info = RequiredPart(item.part);
    if (seen[item.part]) {
      Fail(Status::kInvalidArgument, info.name, " are given twice");
    }
    seen[item.part] = true;
    PartData& part = given[info.id];
    part.data = static_cast<const uint8_t*>(item.data);
    part.bytes = item.bytes;
    if (item.dtype != 0) {
      const DTypeInfo* dtype = FindDType(item.dtype);
      if (dtype == nullptr) {
        Fail(Status::kInvalidArgument, "dtype of ", info.name, " = ",
             item.dtype, ", is none");
      }
      part.dtype = dtype->dtype;
    }
  }
  const Parts sizes = PartSizes(config, shape, given);
  for (uint32_t i = 0; i < count; ++i) {
    const Part id = RequiredPart(list[i].part).id;
    if (list[i].dtype == 0) given[id].dtype = sizes[id].dtype;
  }
  return given;
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
                        uint64_t count, int32_t dtype, int32_t overflow,
                        void* out, uint64_t out_bytes) {
  const DType type = TargetDType(dtype);
  const Overflow on_overflow = OverflowOf(overflow);
  CheckOutput(count, type, out, out_bytes);
  if (count == 0) return;
  Dequantizer(ContextOf(context), tensor)
      .DecodeParallel(begin, count, type, static_cast<uint8_t*>(out),
                      on_overflow);
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

bnq_status bnq_tensor_quantize_weighted(bnq_context* context,
                                        const bnq_config* config,
                                        const bnq_array* source,
                                        const float* importance,
                                        uint64_t importance_count,
                                        bnq_tensor** out_tensor) {
  return Guard([&] {
    bnq_tensor*& out = Output(out_tensor, "out_tensor");
    const Config& c = Required(config, "config").core;
    const ArrayView view = ViewOf(source, "source");
    const std::vector<float> weights = CheckedImportance(
        c, view.shape, &Required(importance, "importance"), importance_count);
    QuantizeJob job{c, view};
    job.importance = weights.data();
    auto tensor = std::make_unique<bnq_tensor>();
    tensor->core = Quantize(ContextOf(context), job);
    out = tensor.release();
  });
}

bnq_status bnq_quantized_sizes(const bnq_config* config, int32_t rank,
                               const uint64_t* shape, uint64_t* out_code_bytes,
                               uint64_t* out_scale_bytes,
                               uint64_t* out_zero_points) {
  return Guard([&] {
    const Parts sizes =
        PartSizes(Required(config, "config").core, Shape::Make(rank, shape));
    if (out_code_bytes) *out_code_bytes = sizes[Part::kCodes].bytes;
    if (out_scale_bytes) *out_scale_bytes = sizes[Part::kScales].bytes;
    if (out_zero_points) *out_zero_points = sizes[Part::kZeroPoints].count;
  });
}

bnq_status bnq_quantize(bnq_context* context, const bnq_config* config,
                        const bnq_array* source, uint8_t* codes,
                        uint64_t code_bytes, void* scales, uint64_t scale_bytes,
                        int8_t* zero_points, uint64_t zero_point_count,
                        bnq_tensor** out_tensor) {
  return Guard([&] {
    if (out_tensor) *out_tensor = nullptr;
    const Config& c = Required(config, "config").core;
    const ArrayView view = ViewOf(source, "source");
    const Parts into = Buffers{codes,
                               code_bytes,
                               scales,
                               scale_bytes,
                               zero_points,
                               zero_point_count,
                               out_tensor != nullptr}
                           .Checked(c, view.shape);
    auto tensor = std::make_unique<bnq_tensor>();
    tensor->core = Quantize(ContextOf(context), QuantizeJob{c, view}, into);
    if (out_tensor) *out_tensor = tensor.release();
  });
}

bnq_status bnq_quantize_batch(bnq_context* context, const bnq_config* config,
                              uint64_t count, const bnq_array* sources,
                              uint8_t* const* codes, const uint64_t* code_bytes,
                              void* const* scales, const uint64_t* scale_bytes,
                              int8_t* const* zero_points,
                              const uint64_t* zero_point_counts,
                              bnq_tensor** out_tensors) {
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
    for (uint64_t i = 0; out_tensors && i < count; ++i) {
      out_tensors[i] = nullptr;
    }
    const auto into = [&](uint64_t i, const ArrayView& view) {
      return Buffers{codes[i],
                     code_bytes[i],
                     scales[i],
                     scale_bytes[i],
                     zero_points ? zero_points[i] : nullptr,
                     zero_points ? zero_point_counts[i] : 0,
                     out_tensors != nullptr}
          .Checked(c, view.shape);
    };
    // All of them before the first is written.
    ForEachItem("array", count, [&](uint64_t i) {
      const ArrayView view = ViewOf(sources + i, "source");
      into(i, view);
      MakeSource(view, nullptr);
    });
    std::vector<std::unique_ptr<bnq_tensor>> tensors(count);
    RunBatch(
        ContextOf(context), "array", count,
        [&](uint64_t i) {
          return ViewOf(sources + i, "source").shape.elements();
        },
        [&](uint64_t i, const Context& on) {
          const ArrayView view = ViewOf(sources + i, "source");
          auto tensor = std::make_unique<bnq_tensor>();
          tensor->core = Quantize(on, QuantizeJob{c, view}, into(i, view));
          if (out_tensors) tensors[i] = std::move(tensor);
        });
    for (uint64_t i = 0; out_tensors && i < count; ++i) {
      out_tensors[i] = tensors[i].release();
    }
  });
}

bnq_status bnq_dequantize_batch(bnq_context* context, uint64_t count,
                                const bnq_tensor* const* tensors, int32_t dtype,
                                int32_t overflow, void* const* outs,
                                const uint64_t* out_bytes) {
  return Guard([&] {
    const DType type = TargetDType(dtype);
    const Overflow on_overflow = OverflowOf(overflow);
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
                                            static_cast<uint8_t*>(outs[i]),
                                            on_overflow);
        });
  });
}

bnq_status bnq_tensor_create(bnq_context* context, const bnq_config* config,
                             int32_t rank, const uint64_t* shape,
                             const bnq_part* parts, uint32_t part_count,
                             int32_t flags, bnq_tensor** out_tensor) {
  return Guard([&] {
    bnq_tensor*& out = Output(out_tensor, "out_tensor");
    const Config& c = Required(config, "config").core;
    if ((flags & ~BNQ_TENSOR_BORROW) != 0) {
      Fail(Status::kInvalidArgument, "flags = ", flags, ", must be 0 or ",
           BNQ_TENSOR_BORROW);
    }
    const Shape s = Shape::Make(rank, shape);
    auto tensor = std::make_unique<bnq_tensor>();
    tensor->core = TensorOfParts(ContextOf(context), c, s,
                                 PartsOf(c, s, parts, part_count),
                                 (flags & BNQ_TENSOR_BORROW) != 0);
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

const char* bnq_part_name(int32_t part) {
  const PartInfo* info = FindPart(part);
  return info ? info->name : nullptr;
}

bnq_status bnq_tensor_part(const bnq_tensor* tensor, int32_t part,
                           bnq_part* out_part) {
  return Guard([&] {
    bnq_part& out = Required(out_part, "out_part");
    const PartData& data = TensorOf(tensor).part(RequiredPart(part).id);
    out = {data.bytes != 0 ? data.data : nullptr, data.bytes, data.count, part,
           static_cast<int32_t>(data.dtype)};
  });
}

bnq_status bnq_tensor_read_scales(const bnq_tensor* tensor, float* scales,
                                  uint64_t count) {
  return Guard([&] {
    const StoredScales stored = TensorOf(tensor).scales();
    CheckCount(count, stored.count, "count");
    if (count != 0) stored.Read(0, count, &Required(scales, "scales"));
  });
}

bnq_status bnq_tensor_read_offsets(const bnq_tensor* tensor, float* offsets,
                                   uint64_t count) {
  return Guard([&] {
    const StoredScales stored = TensorOf(tensor).offsets();
    CheckCount(count, stored.count, "count");
    if (count != 0) stored.Read(0, count, &Required(offsets, "offsets"));
  });
}

uint64_t bnq_tensor_saturated_scales(const bnq_tensor* tensor) {
  return tensor ? tensor->core->scales().CountSaturated() : 0;
}

const float* bnq_dynamic_map(void) { return DynamicMap(); }

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

bnq_status bnq_tensor_unpack(bnq_context* context, const bnq_tensor* tensor,
                             int8_t* codes, uint64_t count) {
  return Guard([&] {
    const QuantizedTensor& t = TensorOf(tensor);
    CheckCount(count, t.shape().elements(), "count");
    if (count != 0) Required(codes, "codes");
    UnpackCodes(ContextOf(context), t, 0, count, codes);
  });
}

bnq_status bnq_pack(bnq_context* context, const bnq_config* config,
                    int32_t rank, const uint64_t* shape, const int8_t* codes,
                    uint64_t count, uint8_t* packed, uint64_t packed_bytes) {
  return Guard([&] {
    const Config& c = Required(config, "config").core;
    const Shape s = Shape::Make(rank, shape);
    CheckCount(count, s.elements(), "count");
    CheckCount(packed_bytes, PartSizes(c, s)[Part::kCodes].bytes,
               "packed_bytes");
    if (count != 0) {
      Required(codes, "codes");
      Required(packed, "packed");
    }
    PackCodes(ContextOf(context), c, s, codes, packed);
  });
}

bnq_status bnq_tensor_dequantize(bnq_context* context, const bnq_tensor* tensor,
                                 int32_t dtype, int32_t overflow, void* out,
                                 uint64_t out_bytes) {
  return Guard([&] {
    const QuantizedTensor& t = TensorOf(tensor);
    DequantizeElements(context, t, 0, t.shape().elements(), dtype, overflow,
                       out, out_bytes);
  });
}

bnq_status bnq_tensor_dequantize_rows(bnq_context* context,
                                      const bnq_tensor* tensor,
                                      uint64_t row_begin, uint64_t row_count,
                                      int32_t dtype, int32_t overflow,
                                      void* out, uint64_t out_bytes) {
  return Guard([&] {
    const QuantizedTensor& t = TensorOf(tensor);
    const uint64_t rows = t.shape().rows();
    if (row_begin > rows || row_count > rows - row_begin) {
      Fail(Status::kInvalidArgument, "row_begin = ", row_begin,
           " and row_count = ", row_count, ", must lie within ", rows, " rows");
    }
    const uint64_t columns = t.shape().columns();
    DequantizeElements(context, t, row_begin * columns, row_count * columns,
                       dtype, overflow, out, out_bytes);
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
