#include "core/tensor/quantize.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <string>
#include <vector>

#include "core/base/checked.h"
#include "core/base/error.h"
#include "core/kernels/elements.h"
#include "core/kernels/reduce.h"
#include "core/parallel/runner.h"
#include "core/scheme/rules.h"
#include "core/tensor/chunks.h"
#include "core/tensor/element_tables.h"
#include "core/tensor/search.h"

namespace bnq {
namespace {

// Elements of a block: enough that threads rarely meet, few enough to share out
// evenly.
constexpr uint64_t kBlock = 65536;
// Runs up to this length are found and coded while they are in the cache.
constexpr uint64_t kMaxOnePassRun = 65536;
// Segments up to this length are searched in memory.
constexpr uint64_t kMaxSegmentInMemory = uint64_t{1} << 20;
// Chunks whose partial sums are held at a time.
constexpr uint64_t kWaveChunks = 1024;

// "1, 2, 3"
std::string IndexOf(const Shape& shape, uint64_t element) {
  std::string index;
  for (int k = shape.rank - 1; k >= 0; --k) {
    index = std::to_string(element % shape.dims[k]) +
            (index.empty() ? "" : ", ") + index;
    element /= shape.dims[k];
  }
  return index;
}

}  // namespace

SourceView MakeSource(const ArrayView& array, const Config* config) {
  if (!IsSource(array.dtype)) {
    Fail(Status::kUnsupported, "dtype = ", Info(array.dtype).name,
         " cannot be quantized or compared, must be one of: F64, F32, F16, "
         "BF16");
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

void CheckFinite(const ArrayView& array, uint64_t begin, uint64_t end,
                 const char* name) {
  const SourceView source = MakeSource(array, nullptr);
  std::vector<float> values(kChunk + kLanes);
  for (; begin < end; begin += kChunk) {
    const size_t n =
        static_cast<size_t>(std::min<uint64_t>(end - begin, kChunk));
    LoadElements(source, begin, n, values.data());
    for (size_t i = 0; i < n; ++i) {
      if (std::isfinite(values[i])) continue;
      const std::string index = IndexOf(array.shape, begin + i);
      Fail(Status::kNonFinite, name ? name : "", name ? ": " : "", "element ",
           begin + i, ", at index [", index, "], is ",
           std::isnan(values[i]) ? "NaN"
           : values[i] > 0       ? "inf"
                                 : "-inf",
           "; every value must be finite",
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
      sizes_(SizesOf(config, array.shape)) {
  const uint64_t n = elements();
  const bool own_runs = layout_.row_params != 0 || layout_.rows == 1;
  // Without scales there is nothing to find.
  one_pass_ =
      !format_.Has(kScaled) || (layout_.contiguous && own_runs &&
                                layout_.run <= kMaxOnePassRun && !searches());
  source_.threshold = config.outlier_threshold();
  if (n == 0) return;
  const uint64_t unit_codes = CodesPerUnit(PackingOf(format_, config_));
  const uint64_t align =
      one_pass_ && format_.Has(kScaled)
          ? std::lcm(std::min(layout_.run, layout_.columns), unit_codes)
          : unit_codes;
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
         ByteOf(PackingOf(format_, config_),
                block % blocks_per_row_ * block_columns_);
}

uint64_t Quantizer::ParamOf(uint64_t block) const {
  if (block >= num_blocks_ || layout_.num_params == 0) {
    return layout_.num_params;
  }
  const uint64_t element = ElementOf(block);
  return layout_.ParamIndex(element / layout_.columns,
                            element % layout_.columns);
}

bool Quantizer::searches() const {
  return config_.scale_rule() == ScaleRule::kPercentile ||
         config_.scale_rule() == ScaleRule::kMse;
}

void Quantizer::FindOutlierColumns(const PassHook& hook) {
  if (source_.threshold == 0.0f) return;
  SourceView all = source_;
  all.threshold = 0.0f;
  const uint64_t features =
      array_.shape.rank == 0 ? 1 : array_.shape.dims[array_.shape.rank - 1];
  outliers_ = FindOutliers(context_, all, array_.dtype, elements(), features,
                           source_.threshold);
  if (hook) hook(0, elements());
}

void Quantizer::CopyOutliers(uint8_t* values) const {
  if (outliers_.columns.empty()) return;
  SourceView all = source_;
  all.threshold = 0.0f;
  const uint64_t features = outliers_.mask.size();
  GatherOutliers(all, features, outliers_, 0, elements() / features, values);
}

void Quantizer::FailNotFinite(uint64_t begin, uint64_t end) const {
  CheckFinite(array_, begin, end);
  // Finite as it came: it overflowed on the way.
  float x[1 + kLanes];
  for (uint64_t i = begin; i < end; ++i) {
    LoadElements(source_, i, 1, x);
    const float y = format_.decode(
        format_.encode(x[0], Params(), config_.variant(), 0), Params());
    if (std::isfinite(y)) continue;
    Fail(Status::kNonFinite, "element ", i, ", at index [",
         IndexOf(array_.shape, i), "], is ", x[0], ", which overflows format ",
         format_.name, "; clip it, or set non_finite = keep for infinity");
  }
  Fail(Status::kInternal, "elements from ", begin,
       " on were taken to be not finite");
}

void Quantizer::Encode(uint64_t begin, uint64_t end, uint8_t* codes,
                       float* scales, int8_t* zero_points) {
  if (begin >= end) return;
  EncodeArgs args;
  args.layout = &layout_;
  args.packing = PackingOf(format_, config_);
  args.format = &format_;
  args.variant = config_.variant();
  args.rule = RuleOf(format_, args.variant);
  args.seed = config_.seed();
  args.source = source_;
  args.find_params = one_pass();
  args.scales = scales;
  args.zero_points = sizes_.zero_points != 0 ? zero_points : nullptr;
  args.param_base = args.find_params ? ParamOf(begin) : 0;
  args.codes = codes;
  args.code_base = CodeByteOf(begin);
  // Of 16-bit codes; smaller ones are few beside the floats.
  args.stream =
      format_.packing == Packing::kBits16 && elements() >= kStreamElements;
  args.keep_non_finite = config_.non_finite() == NonFinite::kKeep;
  if (!outliers_.mask.empty()) {
    args.left_out = outliers_.mask.data();
    args.features = outliers_.mask.size();
  }
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
      FailNotFinite(ElementOf(block), ElementOf(block + 1));
    }
  });
}

void Quantizer::SetParams(uint64_t index, Params params, float* scales,
                          int8_t* zero_points) const {
  scales[index] = params.scale;
  if (sizes_.zero_points != 0) {
    zero_points[index] = static_cast<int8_t>(params.zero_point);
  }
}

void Quantizer::SetParams(uint64_t index, const Partial& partial,
                          uint64_t count, float* scales,
                          int8_t* zero_points) const {
  const Variant variant = config_.variant();
  const Statistic statistic = StatisticOf(format_, variant);
  SetParams(index,
            ParamsOf(format_, variant, partial.ToRange(statistic, count)),
            scales, zero_points);
}

void Quantizer::FindParams(float* scales, int8_t* zero_points,
                           const PassHook& hook) {
  if (elements() == 0) {
    std::fill(scales, scales + sizes_.scales, 0.0f);
    std::fill(zero_points, zero_points + sizes_.zero_points, int8_t{0});
  } else if (!format_.Has(kScaled)) {
    return;
  } else if (searches()) {
    SearchSegments(scales, zero_points, hook);
  } else if (one_pass_) {
    ReduceShortRuns(scales, zero_points, hook);
  } else if (layout_.contiguous) {
    ReduceRuns(scales, zero_points, hook);
  } else {
    ReduceChannels(scales, zero_points, hook);
  }
  params_found_ = true;
}

// Runs that fit the caches, block by block.
void Quantizer::ReduceShortRuns(float* scales, int8_t* zero_points,
                                const PassHook& hook) {
  ParallelFor(context_, num_blocks_, [&](uint64_t block) {
    const uint64_t last = ParamOf(block + 1);
    std::vector<float> values(kChunk + kLanes);
    for (uint64_t p = ParamOf(block); p < last; ++p) {
      const Segment segment(source_, layout_, p);
      Partial total;
      for (uint64_t at = 0; at < segment.count(); at += kChunk) {
        const size_t n = static_cast<size_t>(
            std::min<uint64_t>(segment.count() - at, kChunk));
        segment.Read(at, n, values.data());
        total.Merge(Reduce(values.data(), n, n,
                           StatisticOf(format_, config_.variant())));
      }
      if (!total.finite()) {
        FailNotFinite(ElementOf(block), ElementOf(block + 1));
      }
      SetParams(p, total, segment.count(), scales, zero_points);
    }
  });
  if (hook) hook(0, elements());
}

void Quantizer::SearchSegments(float* scales, int8_t* zero_points,
                               const PassHook& hook) {
  const auto set = [&](uint64_t p, const Segment& segment, const float* values,
                       const Context& context) {
    Params params;
    if (!FindSegmentParams(context, format_, config_, segment, values,
                           &params)) {
      FailNotFinite(0, elements());
    }
    SetParams(p, params, scales, zero_points);
  };
  const uint64_t params = layout_.num_params;
  if (Segment(source_, layout_, 0).count() > kMaxSegmentInMemory) {
    for (uint64_t p = 0; p < params; ++p) {
      set(p, Segment(source_, layout_, p), nullptr, context_);
    }
  } else {
    const uint64_t per_task = std::max<uint64_t>(
        1, kBlock * params / std::max<uint64_t>(elements(), 1));
    ParallelFor(context_, DivCeil(params, per_task), [&](uint64_t task) {
      const Context serial;
      Buffer values;
      const uint64_t last = std::min(params, (task + 1) * per_task);
      for (uint64_t p = task * per_task; p < last; ++p) {
        const Segment segment(source_, layout_, p);
        const uint64_t bytes = (segment.count() + kLanes) * sizeof(float);
        if (values.size() < bytes) values = context_.Allocate(bytes);
        segment.Read(0, segment.count(), values.as<float>());
        set(p, segment, values.as<float>(), serial);
      }
    });
  }
  if (hook) hook(0, elements());
}

// The first value of a channel of this magnitude.
float Quantizer::FirstExtreme(uint64_t param, float magnitude) const {
  const Segment segment(source_, layout_, param);
  std::vector<float> values(kChunk + kLanes);
  for (uint64_t at = 0; at < segment.count(); at += kChunk) {
    const size_t n =
        static_cast<size_t>(std::min<uint64_t>(segment.count() - at, kChunk));
    segment.Read(at, n, values.data());
    for (size_t i = 0; i < n; ++i) {
      if (std::fabs(values[i]) == magnitude) return values[i];
    }
  }
  return magnitude;
}

// Long runs, one after another: each is cut into chunks for the threads, whose
// partial results are merged in order.
void Quantizer::ReduceRuns(float* scales, int8_t* zero_points,
                           const PassHook& hook) {
  const Statistic statistic = StatisticOf(format_, config_.variant());
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
      ForEachChunk(context_, wave, wave_end,
                   [&](uint64_t chunk, uint64_t at, size_t count) {
                     float scratch[kChunk + kLanes];
                     const float* x = floats + at;
                     if (!direct) {
                       LoadElements(source_, at, count, scratch);
                       x = scratch;
                     }
                     partials[chunk] = Reduce(x, count, count, statistic);
                   });
      const uint64_t chunks = DivCeil(wave_end - wave, kChunk);
      for (uint64_t c = 0; c < chunks; ++c) total.Merge(partials[c]);
      if (!total.finite()) FailNotFinite(wave, wave_end);
      if (hook) hook(wave, wave_end);
    }
    SetParams(p, total, end - begin, scales, zero_points);
  }
}

// Channels whose elements are spread: each task takes a few of them, adds up
// their columns over the outer dimensions, then each channel's columns in
// chunks.
void Quantizer::ReduceChannels(float* scales, int8_t* zero_points,
                               const PassHook& hook) {
  const uint64_t channels = layout_.channels, inner = layout_.inner;
  const uint64_t per_task = std::max<uint64_t>(1, kChunk / inner);
  const bool extreme =
      StatisticOf(format_, config_.variant()) == Statistic::kExtreme;
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
          LoadElements(source_, at, width, scratch);
          x = scratch;
        }
        AccumulateColumns(x, width, sums.as<double>(), mins.as<float>(),
                          maxs.as<float>(), bits.as<uint32_t>());
      }
      // Whole channels, or a chunk of a single one.
      const size_t part = static_cast<size_t>(std::min<uint64_t>(inner, width));
      for (size_t c = 0; c * part < width; ++c) {
        const size_t from = c * part;
        Partial partial;
        partial.abs_sum =
            SumLanes(sums.as<double>() + from, std::min(part, width - from));
        for (size_t i = from; i < std::min(from + part, width); ++i) {
          partial.min = std::min(partial.min, mins.as<float>()[i]);
          partial.max = std::max(partial.max, maxs.as<float>()[i]);
          partial.abs_bits = std::max(partial.abs_bits, bits.as<uint32_t>()[i]);
        }
        totals[begin / inner + c].Merge(partial);
      }
    }
    for (uint64_t c = first; c < last; ++c) {
      Partial& total = totals[c - first];
      if (!total.finite()) FailNotFinite(0, elements());
      total.extreme = total.max > -total.min   ? total.max
                      : total.max < -total.min ? total.min
                      : extreme                ? FirstExtreme(c, total.max)
                                               : 0.0f;
      SetParams(c, totals[c - first], layout_.outer * inner, scales,
                zero_points);
    }
  });
  if (hook) hook(0, elements());
}

namespace {

// Codes and parameters of the whole array; scales as they are stored.
void QuantizeAll(const Context& context, const Config& config,
                 Quantizer* quantizer, uint8_t* codes, uint8_t* scales,
                 int8_t* zero_points) {
  const QuantizedSizes& sizes = quantizer->sizes();
  Buffer floats;
  float* working = reinterpret_cast<float*>(scales);
  const bool stored_otherwise =
      config.double_quant() || config.scale_dtype() != ScaleDType::kF32;
  if (stored_otherwise) {
    floats = context.Allocate(sizes.scales * sizeof(float));
    working = floats.as<float>();
  }
  if (!quantizer->one_pass() || quantizer->elements() == 0) {
    quantizer->FindParams(working, zero_points, nullptr);
  }
  quantizer->Encode(0, quantizer->num_blocks(), codes, working, zero_points);
  if (stored_otherwise) StoreScales(config, working, sizes.scales, scales);
}

}  // namespace

void QuantizeInto(const Context& context, const Config& config,
                  const ArrayView& array, uint8_t* codes, uint8_t* scales,
                  int8_t* zero_points) {
  if (config.outlier_threshold() != 0.0f) {
    Fail(Status::kUnsupported,
         "outlier_threshold = ", config.outlier_threshold(),
         ": how many outliers there are depends on the data, so they need a "
         "tensor of the library's own");
  }
  Quantizer quantizer(context, config, array);
  QuantizeAll(context, config, &quantizer, codes, scales, zero_points);
}

std::unique_ptr<QuantizedTensor> Quantize(const Context& context,
                                          const Config& config,
                                          const ArrayView& array) {
  Quantizer quantizer(context, config, array);
  quantizer.FindOutlierColumns(nullptr);
  const OutlierColumns& outliers = quantizer.outliers();
  auto tensor = std::make_unique<QuantizedTensor>(
      context, config, array.shape, outliers.columns.size(), outliers.dtype);
  QuantizeAll(context, config, &quantizer, tensor->mutable_codes(),
              tensor->mutable_scales(), tensor->mutable_zero_points());
  std::copy(outliers.columns.begin(), outliers.columns.end(),
            tensor->mutable_outlier_columns());
  quantizer.CopyOutliers(tensor->mutable_outlier_values());
  return tensor;
}

}  // namespace bnq
