#include "core/tensor/quantize.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <string>
#include <vector>

#include "core/base/checked.h"
#include "core/base/error.h"
#include "core/parallel/runner.h"

namespace bnq {
namespace {

// Elements of a block: enough that threads rarely meet, few enough to share out
// evenly.
constexpr uint64_t kBlock = 65536;
// Runs up to this length are found and coded while they are in the cache.
constexpr uint64_t kMaxOnePassRun = 65536;
// Chunks whose partial sums are held at a time.
constexpr uint64_t kWaveChunks = 1024;
constexpr uint64_t kTaskChunks = 16;
// This many elements or more do not fit the caches and are dequantized past
// them. (Codes are few beside the values they come from; writing them past the
// caches does not help.)
constexpr uint64_t kStreamElements = uint64_t{8} << 20;

// Tables of one entry for each column of a period, with a vector's slack.
struct ElementTables {
  static uint64_t Stride(const Layout& layout) { return layout.period() + 64; }
  static Buffer Allocate(const Context& context, const Layout& layout) {
    return context.Allocate(3 * sizeof(float) * Stride(layout));
  }
  static ElementParams Fill(const Layout& layout, const float* scales,
                            const int32_t* zero_points, float* tables) {
    const uint64_t stride = Stride(layout);
    float* const inv_scale = tables;
    float* const scale = tables + stride;
    float* const zero = tables + 2 * stride;
    std::fill(tables, tables + 3 * stride, 0.0f);
    for (uint64_t c = 0; c < layout.period(); ++c) {
      const uint64_t p = c / layout.run;
      inv_scale[c] = InverseScale(scales[p]);
      scale[c] = scales[p];
      zero[c] = zero_points ? static_cast<float>(zero_points[p]) : 0.0f;
    }
    return {inv_scale, scale, zero};
  }
};

}  // namespace

SourceView MakeSource(const ArrayView& array, const Config* config) {
  if (!IsSource(array.dtype)) {
    Fail(Code::kUnsupported,
         "dtype = %s cannot be quantized or compared, must be one of: F64, "
         "F32, F16, BF16",
         Info(array.dtype).name);
  }
  SourceView source;
  source.data = array.data;
  source.dtype = array.dtype;
  if (config != nullptr) {
    source.zero_non_finite = config->non_finite() == NonFinite::kZero;
    source.clip = config->clip();
  }
  return source;
}

void CheckFinite(const ArrayView& array, uint64_t begin, uint64_t end) {
  const SourceView source = MakeSource(array, nullptr);
  const CommonKernels& common = GetCommonKernels();
  std::vector<float> values(kChunk + kLanes);
  for (; begin < end; begin += kChunk) {
    const size_t n =
        static_cast<size_t>(std::min<uint64_t>(end - begin, kChunk));
    common.load(source, begin, n, values.data());
    for (size_t i = 0; i < n; ++i) {
      if (std::isfinite(values[i])) continue;
      uint64_t rest = begin + i;
      std::string index;
      for (int k = array.shape.rank - 1; k >= 0; --k) {
        index = std::to_string(rest % array.shape.dims[k]) +
                (index.empty() ? "" : ", ") + index;
        rest /= array.shape.dims[k];
      }
      Fail(Code::kNonFinite,
           "element %llu, at index [%s], is %s; every value must be finite%s",
           static_cast<unsigned long long>(begin + i), index.c_str(),
           std::isnan(values[i]) ? "NaN"
           : values[i] > 0       ? "inf"
                                 : "-inf",
           array.dtype == DType::kF64 ? " as float32" : "");
    }
  }
}

Quantizer::Quantizer(const Context& context, const Format& format,
                     const Config& config, const ArrayView& array)
    : context_(context),
      config_(config),
      format_(format),
      array_(array),
      source_(MakeSource(array, &config)),
      layout_(MakeLayout(format_, config, array.shape)),
      sizes_(SizesOf(config, array.shape)),
      common_(GetCommonKernels()) {
  const uint64_t n = elements();
  const bool own_runs = layout_.row_params != 0 || layout_.rows == 1;
  one_pass_ = layout_.contiguous && own_runs && layout_.run <= kMaxOnePassRun;
  if (n == 0) return;
  const uint64_t per_byte = CodesPerByte(format_.packing);
  const uint64_t align =
      one_pass_ ? std::lcm(std::min(layout_.run, layout_.columns), per_byte)
                : per_byte;
  if (layout_.columns > kBlock) {
    block_columns_ = DivCeil(kBlock, align) * align;
    blocks_per_row_ = DivCeil(layout_.columns, block_columns_);
    num_blocks_ = layout_.rows * blocks_per_row_;
  } else {
    block_columns_ = layout_.columns;
    block_rows_ = kBlock / layout_.columns;
    num_blocks_ = DivCeil(layout_.rows, block_rows_);
  }
}

uint64_t Quantizer::ElementOf(uint64_t block) const {
  if (block >= num_blocks_) return elements();
  return block / blocks_per_row_ * block_rows_ * layout_.columns +
         block % blocks_per_row_ * block_columns_;
}

uint64_t Quantizer::CodeByteOf(uint64_t block) const {
  if (block >= num_blocks_) return layout_.code_bytes;
  return block / blocks_per_row_ * block_rows_ * layout_.row_bytes +
         block % blocks_per_row_ * block_columns_ /
             CodesPerByte(format_.packing);
}

uint64_t Quantizer::ParamOf(uint64_t block) const {
  if (block >= num_blocks_) return layout_.num_params;
  const uint64_t element = ElementOf(block);
  return layout_.ParamIndex(element / layout_.columns,
                            element % layout_.columns);
}

void Quantizer::Encode(uint64_t begin, uint64_t end, uint8_t* codes,
                       float* scales, int32_t* zero_points) {
  if (begin >= end) return;
  EncodeArgs args;
  args.layout = &layout_;
  args.common = &common_;
  args.packing = &GetPackingKernels(format_.packing);
  args.format = &format_;
  args.scheme = config_.scheme();
  args.source = source_;
  args.find_params = one_pass_;
  args.scales = scales;
  args.zero_points = sizes_.zero_points != 0 ? zero_points : nullptr;
  args.param_base = one_pass_ ? ParamOf(begin) : 0;
  args.codes = codes;
  args.code_base = CodeByteOf(begin);
  if (layout_.per_element) {
    if (element_params_.size() == 0) {
      element_params_ = ElementTables::Allocate(context_, layout_);
    }
    args.elements = ElementTables::Fill(layout_, scales, args.zero_points,
                                        element_params_.as<float>());
  }
  const Kernels& kernels = format_.kernels();
  ParallelFor(context_, end - begin, [&](uint64_t i) {
    const uint64_t block = begin + i;
    EncodeArgs a = args;
    a.row_begin = block / blocks_per_row_ * block_rows_;
    a.row_end = std::min(a.row_begin + block_rows_, layout_.rows);
    a.column_begin = block % blocks_per_row_ * block_columns_;
    a.column_end = std::min(a.column_begin + block_columns_, layout_.columns);
    if (!kernels.encode(a)) {
      CheckFinite(array_, ElementOf(block), ElementOf(block + 1));
      Fail(Code::kInternal, "block %llu was taken to be not finite",
           static_cast<unsigned long long>(block));
    }
  });
}

void Quantizer::SetParams(uint64_t index, const Partial& partial,
                          uint64_t count, float* scales,
                          int32_t* zero_points) const {
  const Params params = format_.params(
      partial.ToRange(format_.statistic(config_.scheme()), count),
      config_.scheme());
  scales[index] = params.scale;
  if (sizes_.zero_points != 0) zero_points[index] = params.zero_point;
}

void Quantizer::FindParams(float* scales, int32_t* zero_points,
                           const PassHook& hook) {
  if (elements() == 0) {
    std::fill(scales, scales + sizes_.scales, 0.0f);
    std::fill(zero_points, zero_points + sizes_.zero_points, 0);
  } else if (one_pass_) {
    Fail(Code::kInternal, "parameters are found along with the codes");
  } else if (layout_.contiguous) {
    ReduceRuns(scales, zero_points, hook);
  } else {
    ReduceChannels(scales, zero_points, hook);
  }
}

// Long runs, one after another: each is cut into chunks for the threads, whose
// partial results are merged in order.
void Quantizer::ReduceRuns(float* scales, int32_t* zero_points,
                           const PassHook& hook) {
  const Statistic statistic = format_.statistic(config_.scheme());
  const bool direct = source_.direct();
  const float* floats = reinterpret_cast<const float*>(source_.data);
  const uint64_t n = elements();
  std::vector<Partial> partials(kWaveChunks);
  for (uint64_t p = 0; p < layout_.num_params; ++p) {
    uint64_t begin = 0, end = n;  // of a tensor's single run
    if (layout_.row_params != 0) {
      const uint64_t row = p / layout_.row_params;
      const uint64_t column = p % layout_.row_params * layout_.run;
      begin = row * layout_.columns + column;
      end = begin + std::min(layout_.run, layout_.columns - column);
    }
    Partial total;
    for (uint64_t wave = begin; wave < end; wave += kWaveChunks * kChunk) {
      const uint64_t wave_end = std::min(end, wave + kWaveChunks * kChunk);
      const uint64_t chunks = DivCeil(wave_end - wave, kChunk);
      ParallelFor(context_, DivCeil(chunks, kTaskChunks), [&](uint64_t task) {
        float scratch[kChunk + kLanes];
        const uint64_t last = std::min(chunks, (task + 1) * kTaskChunks);
        for (uint64_t c = task * kTaskChunks; c < last; ++c) {
          const uint64_t at = wave + c * kChunk;
          const size_t count =
              static_cast<size_t>(std::min<uint64_t>(wave_end - at, kChunk));
          const float* x = floats + at;
          if (!direct) {
            common_.load(source_, at, count, scratch);
            x = scratch;
          }
          partials[c] = common_.reduce(x, count, count, statistic);
        }
      });
      for (uint64_t c = 0; c < chunks; ++c) total.Merge(partials[c]);
      if (!total.finite()) CheckFinite(array_, wave, wave_end);
      if (hook) hook(wave, wave_end);
    }
    SetParams(p, total, end - begin, scales, zero_points);
  }
}

// Channels whose elements are spread: each task takes a few of them, adds up
// their columns over the outer dimensions, then each channel's columns in
// chunks.
void Quantizer::ReduceChannels(float* scales, int32_t* zero_points,
                               const PassHook& hook) {
  const uint64_t channels = layout_.channels, inner = layout_.inner;
  const uint64_t per_task = std::max<uint64_t>(1, kChunk / inner);
  const bool direct = source_.direct();
  const float* floats = reinterpret_cast<const float*>(source_.data);
  ParallelFor(context_, DivCeil(channels, per_task), [&](uint64_t task) {
    const uint64_t first = task * per_task;
    const uint64_t last = std::min(channels, first + per_task);
    Buffer sums = context_.Allocate(kChunk * sizeof(double));
    Buffer mins = context_.Allocate(kChunk * sizeof(float));
    Buffer maxs = context_.Allocate(kChunk * sizeof(float));
    Buffer bits = context_.Allocate(kChunk * sizeof(uint32_t));
    float scratch[kChunk + kLanes];
    std::vector<Partial> totals(last - first);
    const uint64_t columns = (last - first) * inner;
    for (uint64_t begin = 0; begin < columns; begin += kChunk) {
      const size_t width =
          static_cast<size_t>(std::min<uint64_t>(columns - begin, kChunk));
      const Partial none;
      std::fill_n(sums.as<double>(), width, 0.0);
      std::fill_n(mins.as<float>(), width, none.min);
      std::fill_n(maxs.as<float>(), width, none.max);
      std::fill_n(bits.as<uint32_t>(), width, 0u);
      for (uint64_t o = 0; o < layout_.outer; ++o) {
        const uint64_t at = o * channels * inner + first * inner + begin;
        const float* x = floats + at;
        if (!direct) {
          common_.load(source_, at, width, scratch);
          x = scratch;
        }
        common_.accumulate_columns(x, width, sums.as<double>(),
                                   mins.as<float>(), maxs.as<float>(),
                                   bits.as<uint32_t>());
      }
      // Whole channels, or a chunk of a single one.
      const size_t part = static_cast<size_t>(std::min<uint64_t>(inner, width));
      for (size_t c = 0; c * part < width; ++c) {
        const size_t from = c * part;
        Partial partial;
        partial.abs_sum = common_.sum_lanes(sums.as<double>() + from,
                                            std::min(part, width - from));
        for (size_t i = from; i < std::min(from + part, width); ++i) {
          partial.min = std::min(partial.min, mins.as<float>()[i]);
          partial.max = std::max(partial.max, maxs.as<float>()[i]);
          partial.abs_bits = std::max(partial.abs_bits, bits.as<uint32_t>()[i]);
        }
        totals[begin / inner + c].Merge(partial);
      }
    }
    for (uint64_t c = first; c < last; ++c) {
      if (!totals[c - first].finite()) CheckFinite(array_, 0, elements());
      SetParams(c, totals[c - first], layout_.outer * inner, scales,
                zero_points);
    }
  });
  if (hook) hook(0, elements());
}

void QuantizeInto(const Context& context, const Config& config,
                  const ArrayView& array, uint8_t* codes, float* scales,
                  int32_t* zero_points) {
  Quantizer quantizer(context, config, array);
  if (!quantizer.one_pass() || quantizer.elements() == 0) {
    quantizer.FindParams(scales, zero_points, nullptr);
  }
  quantizer.Encode(0, quantizer.num_blocks(), codes, scales, zero_points);
}

std::unique_ptr<QuantizedTensor> Quantize(const Context& context,
                                          const Config& config,
                                          const ArrayView& array) {
  auto tensor = std::make_unique<QuantizedTensor>(context, config, array.shape);
  QuantizeInto(context, config, array, tensor->mutable_codes(),
               tensor->mutable_scales(), tensor->mutable_zero_points());
  return tensor;
}

Dequantizer::Dequantizer(const Context& context, const QuantizedTensor& tensor)
    : Dequantizer(context, tensor.format(), tensor.layout(),
                  {tensor.parts().codes, tensor.parts().scales,
                   tensor.sizes().zero_points != 0 ? tensor.parts().zero_points
                                                   : nullptr},
                  0, 0) {}

Dequantizer::Dequantizer(const Context& context, const Format& format,
                         const Layout& layout, const TensorParts& parts,
                         uint64_t code_base, uint64_t param_base)
    : context_(context), kernels_(format.kernels()) {
  args_.layout = &layout;
  args_.common = &GetCommonKernels();
  args_.packing = &GetPackingKernels(format.packing);
  args_.format = &format;
  args_.codes = parts.codes;
  args_.code_base = code_base;
  args_.scales = parts.scales;
  args_.zero_points = parts.zero_points;
  args_.param_base = param_base;
  if (layout.per_element && layout.columns != 0 && layout.rows != 0) {
    element_params_ = ElementTables::Allocate(context, layout);
    args_.elements = ElementTables::Fill(
        layout, args_.scales, args_.zero_points, element_params_.as<float>());
  }
}

void Dequantizer::Decode(uint64_t begin, uint64_t count, DType dtype,
                         bool stream, uint8_t* out) const {
  if (count == 0) return;
  DecodeArgs args = args_;
  args.begin = begin;
  args.count = count;
  args.dtype = dtype;
  args.out = out;
  args.stream = stream;
  kernels_.decode(args);
}

void Dequantizer::DecodeParallel(uint64_t begin, uint64_t count, DType dtype,
                                 uint8_t* out) const {
  const uint64_t size = Info(dtype).bits / 8;
  const bool stream = count >= kStreamElements;
  ParallelFor(context_, DivCeil(count, kBlock), [&](uint64_t task) {
    const uint64_t at = task * kBlock;
    Decode(begin + at, std::min(count - at, kBlock), dtype, stream,
           out + at * size);
  });
}

}  // namespace bnq
