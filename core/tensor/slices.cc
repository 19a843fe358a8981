#include "core/tensor/slices.h"

#include <algorithm>
#include <cfloat>
#include <cmath>

#include "core/scheme/rules.h"
#include "core/tensor/quantizer.h"

namespace bnq {
namespace {

class SliceRun {
 public:
  SliceRun(const Context& context, const QuantizeJob& job, PartSink* parts,
           const std::vector<SliceSink*>& sinks)
      : context_(context),
        job_(job),
        config_(job.config),
        parts_(*parts),
        sinks_(sinks),
        quantizer_(context, job.config, job.array),
        exact_codes_(!config_.double_quant() ||
                     !quantizer_.format().Has(kInteger)) {}

  void Run() {
    PlaceOutliers();
    find_along_ = FindsAlong();
    if (!find_along_) PlaceAllParams();
    const uint64_t blocks = quantizer_.num_blocks();
    for (uint64_t first = 0; first < blocks;) {
      const uint64_t next = EndOfSlice(first);
      PlaceSlice(first, next);
      first = next;
    }
  }

 private:
  // Whether slices find their parameters along with the codes.
  bool FindsAlong() const {
    if (job_.params != nullptr || !quantizer_.one_pass() ||
        quantizer_.elements() == 0) {
      return false;
    }
    // Double quantization takes the mean of all scales first, which one slice
    // has in the end.
    return !config_.double_quant() ||
           (exact_codes_ && job_.slice_elements == kWholeArray);
  }

  void PlaceOutliers() {
    quantizer_.FindOutlierColumns();
    const OutlierColumns& found = quantizer_.outliers();
    if (job_.on_pass && config_.outlier_threshold() != 0.0f) {
      job_.on_pass(0, quantizer_.elements());
    }
    Parts given;
    given[Part::kOutlierColumns].bytes = 4 * found.columns.size();
    given[Part::kOutlierValues].dtype = found.dtype;
    sizes_ = PartSizes(config_, job_.array.shape, given);
    parts_.Begin(sizes_);
    if (found.columns.empty()) return;
    const uint64_t column_bytes = sizes_[Part::kOutlierColumns].bytes;
    const uint64_t value_bytes = sizes_[Part::kOutlierValues].bytes;
    uint8_t* const columns =
        parts_.Room(Part::kOutlierColumns, 0, column_bytes);
    std::copy(found.columns.begin(), found.columns.end(),
              reinterpret_cast<uint32_t*>(columns));
    parts_.Written(Part::kOutlierColumns, columns, column_bytes);
    uint8_t* const values = parts_.Room(Part::kOutlierValues, 0, value_bytes);
    quantizer_.CopyOutliers(values);
    parts_.Written(Part::kOutlierValues, values, value_bytes);
    outliers_ = {found.columns.data(), found.columns.size(), found.dtype,
                 values};
  }

  // Room for `count` parameters from `begin` on, which are coded with: where
  // they are stored, or beside it.
  void MakeRoom(uint64_t begin, uint64_t count) {
    const bool in_place =
        !config_.double_quant() && config_.scale_dtype() == ScaleDType::kF32;
    const uint64_t bytes = StoredScaleBytes(config_, count);
    // All of those that are double quantized come at once.
    stored_ =
        parts_.Room(Part::kScales, StoredScaleBytes(config_, begin), bytes);
    if (in_place) {
      coding_.scales = reinterpret_cast<float*>(stored_);
    } else {
      if (working_.size() < 4 * count) working_ = context_.Allocate(4 * count);
      coding_.scales = working_.as<float>();
    }
    coding_.zero_points = nullptr;
    if (sizes_[Part::kZeroPoints].count != 0) {
      coding_.zero_points = reinterpret_cast<int8_t*>(
          parts_.Room(Part::kZeroPoints, begin, count));
    }
  }

  // Puts the parameters there are room for where they are stored.
  void Store(uint64_t count) {
    const uint64_t bytes = StoredScaleBytes(config_, count);
    if (coding_.scales != reinterpret_cast<float*>(stored_)) {
      StoreScales(config_, coding_.scales, count, stored_);
    }
    parts_.Written(Part::kScales, stored_, bytes);
    if (coding_.zero_points != nullptr) {
      parts_.Written(Part::kZeroPoints,
                     reinterpret_cast<const uint8_t*>(coding_.zero_points),
                     count);
    }
    decoding_ = coding_;
    if (!config_.double_quant()) return;
    StoredScales view;
    view.double_quant = true;
    view.count = count;
    view.data = stored_;
    decoded_ = context_.Allocate(4 * count);
    view.Read(0, count, decoded_.as<float>());
    decoding_.scales = decoded_.as<float>();
  }

  void PlaceAllParams() {
    const uint64_t count = sizes_[Part::kScales].count;
    MakeRoom(0, count);
    if (job_.params != nullptr) {
      for (uint64_t p = 0; p < count; ++p) coding_.Set(p, job_.params->At(p));
    } else {
      FindParams(&quantizer_, coding_, job_.on_pass);
    }
    Store(count);
    if (exact_codes_) return;
    for (uint64_t p = 0; p < count; ++p) {
      // What has no reciprocal has no codes but 0.
      const float scale = decoding_.scales[p];
      coding_.scales[p] = std::fabs(scale) < FLT_MIN ? 0.0f : scale;
    }
  }

  uint64_t EndOfSlice(uint64_t first) const {
    const uint64_t blocks = quantizer_.num_blocks();
    if (job_.slice_elements == kWholeArray) return blocks;
    const uint64_t begin = quantizer_.ElementOf(first);
    uint64_t next = first + 1;
    while (next < blocks &&
           quantizer_.ElementOf(next + 1) - begin <= job_.slice_elements) {
      ++next;
    }
    return next;
  }

  void PlaceSlice(uint64_t first, uint64_t next) {
    TensorSlice slice;
    slice.code_base = quantizer_.CodeByteOf(first);
    const uint64_t bytes = quantizer_.CodeByteOf(next) - slice.code_base;
    const uint64_t base = find_along_ ? quantizer_.ParamOf(first) : 0;
    const uint64_t count = find_along_ ? quantizer_.ParamOf(next) - base : 0;
    if (find_along_) MakeRoom(base, count);
    uint8_t* const codes = parts_.Room(Part::kCodes, slice.code_base, bytes);
    quantizer_.Encode(first, next, find_along_, coding_, codes);
    parts_.Written(Part::kCodes, codes, bytes);
    if (find_along_) Store(count);
    if (sinks_.empty()) return;
    slice.codes = codes;
    slice.scales = decoding_.scales;
    slice.zero_points = decoding_.zero_points;
    slice.param_base = base;
    slice.outliers = outliers_;
    const Dequantizer values(context_, config_, job_.array.shape,
                             quantizer_.layout(), slice);
    const uint64_t end = quantizer_.ElementOf(next);
    const QuantizedSlice taken = {quantizer_.ElementOf(first), end,
                                  end == quantizer_.elements(), values};
    for (SliceSink* sink : sinks_) sink->Take(taken);
  }

  const Context& context_;
  const QuantizeJob& job_;
  const Config& config_;
  PartSink& parts_;
  const std::vector<SliceSink*>& sinks_;
  Quantizer quantizer_;
  const bool exact_codes_;  // made before scales are compressed
  bool find_along_ = false;
  Parts sizes_;
  Outliers outliers_;
  uint8_t* stored_ = nullptr;
  ParamSpan coding_, decoding_;
  Buffer working_, decoded_;
};

}  // namespace

void QuantizeSlices(const Context& context, const QuantizeJob& job,
                    PartSink* parts, const std::vector<SliceSink*>& sinks) {
  SliceRun(context, job, parts, sinks).Run();
}

}  // namespace bnq
