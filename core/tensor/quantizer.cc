#include "core/tensor/quantizer.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "core/base/checked.h"
#include "core/base/error.h"
#include "core/kernels/elements.h"
#include "core/parallel/runner.h"
#include "core/scheme/rules.h"
#include "core/tensor/element_tables.h"

namespace bnq {
namespace {

// Elements of a block: enough that threads rarely meet, few enough to share out
// evenly.
constexpr uint64_t kBlock = 65536;
// Runs up to this length are found and coded while they are in the cache.
constexpr uint64_t kMaxOnePassRun = 65536;

}  // namespace

Quantizer::Quantizer(const Context& context, const Format& format,
                     const Config& config, const ArrayView& array)
    : context_(context),
      config_(config),
      format_(format),
      array_(array),
      source_(MakeSource(array, &config)),
      layout_(MakeLayout(format_, config, array.shape)),
      rule_(RuleOf(format_, config.variant())) {
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

void Quantizer::SetCodebook(const float* values) {
  codebook_ = FittedTable(values, CountOf(rule_.range));
  rule_.table = &codebook_;
}

void Quantizer::SetImportance(const float* weights) {
  importance_ = {weights, array_.shape.features()};
}

bool Quantizer::searches() const {
  return config_.scale_rule() == ScaleRule::kPercentile ||
         (config_.scale_rule() == ScaleRule::kMse && !format_.Has(kSigns));
}

void Quantizer::FindOutlierColumns() {
  if (source_.threshold == 0.0f) return;
  SourceView all = source_;
  all.threshold = 0.0f;
  outliers_ = FindOutliers(context_, all, array_.dtype, elements(),
                           array_.shape.features(), source_.threshold);
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
    const int32_t code = format_.encode(x[0], Params(), rule_, 0);
    const float y = format_.decode(code, Params(), rule_);
    if (std::isfinite(y)) continue;
    Fail(Status::kNonFinite, "element ", i, ", at index [",
         array_.shape.IndexOf(i), "], is ", x[0], ", which overflows format ",
         format_.name, "; clip it, or set non_finite = keep for infinity");
  }
  Fail(Status::kInternal, "elements from ", begin,
       " on were taken to be not finite");
}

EncodeArgs Quantizer::ArgsOf(bool find, ParamSpan params) {
  EncodeArgs args;
  args.layout = &layout_;
  args.packing = PackingOf(format_, config_);
  args.format = &format_;
  args.variant = config_.variant();
  args.rule = rule_;
  args.seed = config_.seed();
  args.source = source_;
  args.find_params = find;
  args.scales = params.scales;
  args.zero_points =
      config_.scheme() == Scheme::kAsymmetric ? params.zero_points : nullptr;
  args.offsets = config_.scheme() == Scheme::kOffset ? params.offsets : nullptr;
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
    args.elements =
        ElementTables::Fill(layout_, params.scales, args.zero_points,
                            args.offsets, element_params_.as<float>());
  }
  return args;
}

void Quantizer::EncodeBlock(EncodeArgs args, uint64_t block) const {
  args.row_begin = block / blocks_per_row_ * block_rows_;
  args.row_end = std::min(args.row_begin + block_rows_, layout_.rows);
  args.column_begin = block % blocks_per_row_ * block_columns_;
  args.column_end =
      std::min(args.column_begin + block_columns_, layout_.columns);
  if (!format_.kernels().encode(args)) {
    FailNotFinite(ElementOf(block), ElementOf(block + 1));
  }
}

void Quantizer::Encode(uint64_t begin, uint64_t end, bool find,
                       ParamSpan params, uint8_t* codes) {
  if (begin >= end) return;
  EncodeArgs args = ArgsOf(find, params);
  args.param_base = find ? ParamOf(begin) : 0;
  args.codes = codes;
  args.code_base = CodeByteOf(begin);
  ParallelFor(context_, end - begin,
              [&](uint64_t i) { EncodeBlock(args, begin + i); });
}

void Quantizer::RoundTrip(uint64_t begin, uint64_t end, bool find,
                          ParamSpan params, float* values) {
  if (begin >= end) return;
  EncodeArgs args = ArgsOf(find, params);
  args.param_base = find ? ParamOf(begin) : 0;
  args.values = values;
  args.stream = elements() >= kStreamElements &&
                reinterpret_cast<const uint8_t*>(values) != source_.data;
  ParallelFor(context_, end - begin,
              [&](uint64_t i) { EncodeBlock(args, begin + i); });
}

void Quantizer::FindInBlocks(ParamSpan params) {
  const EncodeArgs args = ArgsOf(/*find=*/true, params);
  ParallelFor(context_, num_blocks_, [&](uint64_t block) {
    EncodeArgs own = args;
    own.code_base = CodeByteOf(block);
    Buffer codes = context_.Allocate(CodeByteOf(block + 1) - own.code_base);
    own.codes = codes.data();
    EncodeBlock(own, block);
  });
}

}  // namespace bnq
