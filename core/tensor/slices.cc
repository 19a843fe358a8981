#include "core/tensor/slices.h"

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <cstring>

#include "core/kernels/elements.h"
#include "core/kernels/reduce.h"
#include "core/scheme/rules.h"
#include "core/tensor/chunks.h"
#include "core/tensor/codebook.h"
#include "core/tensor/quantizer.h"
#include "core/tensor/stored_search.h"

namespace bnq {
namespace {

// NON_FINITE names the first index. On the context's threads.
void CheckAllFinite(const Context& context, const QuantizeJob& job) {
  const SourceView source = MakeSource(job.array, &job.config);
  ForEachChunk(context, 0, job.array.shape.elements(),
               [&](uint64_t, uint64_t at, size_t count) {
                 float x[kChunk + kLanes];
                 LoadElements(source, at, count, x);
                 if (!Reduce(x, count, count, Statistic::kAbsMax).finite()) {
                   CheckFinite(job.array, at, at + count);
                 }
               });
}

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
        exact_codes_(CodesAreExact(quantizer_.format(), config_)),
        round_trip_(job.values != nullptr && !config_.stores_together() &&
                    config_.outlier_threshold() == 0.0f &&
                    quantizer_.format().Has(kScaled) &&
                    !quantizer_.layout().per_element) {}

  void Run() {
    // Values that are made without codes are looked at then.
    if (job_.check_finite && !round_trip_) CheckAllFinite(context_, job_);
    PlaceOutliers();
    quantizer_.SetImportance(job_.importance);
    PlaceCodebook();
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
    // What is stored together takes all scales first, which one slice has in
    // the end.
    return !config_.stores_together() ||
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

  void PlaceCodebook() {
    const uint64_t bytes = sizes_[Part::kCodebook].bytes;
    if (bytes == 0) return;
    const std::vector<float> values = FitCodebook(quantizer_);
    uint8_t* const room = parts_.Room(Part::kCodebook, 0, bytes);
    std::memcpy(room, values.data(), bytes);
    parts_.Written(Part::kCodebook, room, bytes);
    codebook_ = values;
    quantizer_.SetCodebook(codebook_.data());
  }

  // Scales or offsets on their way to where they are stored.
  struct Numbers {
    explicit Numbers(Part id) : part(id) {}

    const Part part;
    uint8_t* stored = nullptr;
    StoredScales view;  // of what is stored
    Buffer working, decoded;

    // Room for `count` of them from `begin` on, to code with: where they are
    // stored, or beside it.
    float* Room(SliceRun* run, uint64_t begin, uint64_t count) {
      const Config& config = run->config_;
      // All of those that are stored together come at once.
      stored = run->parts_.Room(part, StoredScaleBytes(config, begin),
                                StoredScaleBytes(config, count));
      if (!config.stores_together() &&
          config.scale_dtype() == ScaleDType::kF32) {
        return reinterpret_cast<float*>(stored);
      }
      if (working.size() < 4 * count) {
        working = run->context_.Allocate(4 * count);
      }
      return working.as<float>();
    }
    // StoreScales, by vectors where that is the same.
    void PutScales(const Config& config, const float* numbers, uint64_t count,
                   float tensor_scale) const {
      const bool f16 = config.scale_dtype() == ScaleDType::kF16;
      if (config.double_quant() ||
          !(f16 || config.scale_dtype() == ScaleDType::kBF16)) {
        StoreScales(config, numbers, count, stored, tensor_scale);
        return;
      }
      StoreElements(numbers, count, f16 ? DType::kF16 : DType::kBF16,
                    /*stream=*/false, stored);
    }
    // Puts them there, and returns those to decode with.
    float* Store(SliceRun* run, float* coding, uint64_t count,
                 float tensor_scale) {
      const Config& config = run->config_;
      if (coding != reinterpret_cast<float*>(stored)) {
        PutScales(config, coding, count, tensor_scale);
      }
      view = StoredScales(config, count, stored, tensor_scale);
      if (!config.stores_together()) return coding;
      decoded = run->context_.Allocate(4 * count);
      view.Read(0, count, decoded.as<float>());
      return decoded.as<float>();
    }
    void Finish(SliceRun* run) const {
      run->parts_.Written(part, stored,
                          StoredScaleBytes(run->config_, view.count));
    }
  };

  // Room for `count` parameters from `begin` on, which are coded with.
  void MakeRoom(uint64_t begin, uint64_t count) {
    coding_ = ParamSpan();
    coding_.scales = scales_.Room(this, begin, count);
    if (sizes_[Part::kZeroPoints].count != 0) {
      coding_.zero_points = reinterpret_cast<int8_t*>(
          parts_.Room(Part::kZeroPoints, begin, count));
    }
    if (sizes_[Part::kOffsets].count != 0) {
      coding_.offsets = offsets_.Room(this, begin, count);
    }
  }

  // Puts the parameters there are room for where they are stored.
  void Store(uint64_t count) {
    decoding_ = coding_;
    float tensor_scale = 1.0f;
    if (sizes_[Part::kTensorScale].count != 0) {
      tensor_scale = TensorScale(coding_.scales, count);
      uint8_t* const room =
          parts_.Room(Part::kTensorScale, 0, sizeof tensor_scale);
      std::memcpy(room, &tensor_scale, sizeof tensor_scale);
      parts_.Written(Part::kTensorScale, room, sizeof tensor_scale);
    }
    decoding_.scales = scales_.Store(this, coding_.scales, count, tensor_scale);
    if (coding_.offsets != nullptr) {
      decoding_.offsets = offsets_.Store(this, coding_.offsets, count, 1.0f);
    }
    if (SearchesStored()) {
      SearchStored(quantizer_, scales_.view, scales_.stored, offsets_.view,
                   offsets_.stored, decoding_);
    }
    scales_.Finish(this);
    if (coding_.zero_points != nullptr) {
      parts_.Written(Part::kZeroPoints,
                     reinterpret_cast<const uint8_t*>(coding_.zero_points),
                     count);
    }
    if (coding_.offsets != nullptr) offsets_.Finish(this);
  }

  // Whether codes of scales are looked for beside the nearest ones.
  bool SearchesStored() const {
    return config_.stores_together() && !exact_codes_ &&
           job_.params == nullptr && quantizer_.searches() &&
           config_.scale_rule() == ScaleRule::kMse;
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
    coding_.offsets = decoding_.offsets;
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
    const uint64_t count = find_along_ ? quantizer_.ParamOf(next) - base
                                       : quantizer_.layout().num_params;
    if (find_along_) MakeRoom(base, count);
    uint8_t* codes = nullptr;
    if (round_trip_) {
      quantizer_.RoundTrip(first, next, find_along_, coding_, job_.values);
    } else {
      codes = parts_.Room(Part::kCodes, slice.code_base, bytes);
      quantizer_.Encode(first, next, find_along_, coding_, codes);
      parts_.Written(Part::kCodes, codes, bytes);
    }
    if (find_along_) Store(count);
    if (sinks_.empty()) return;
    slice.codes = codes;
    slice.scales = decoding_.scales;
    slice.zero_points = decoding_.zero_points;
    slice.offsets = decoding_.offsets;
    slice.param_base = base;
    slice.outliers = outliers_;
    slice.codebook = codebook_.empty() ? nullptr : codebook_.data();
    const Dequantizer values(context_, config_, job_.array.shape,
                             quantizer_.layout(), slice);
    const uint64_t end = quantizer_.ElementOf(next);
    const QuantizedSlice taken = {quantizer_.ElementOf(first),
                                  end,
                                  end == quantizer_.elements(),
                                  values,
                                  coding_,
                                  decoding_,
                                  base,
                                  count,
                                  outliers_,
                                  round_trip_};
    for (SliceSink* sink : sinks_) sink->Take(taken);
  }

  const Context& context_;
  const QuantizeJob& job_;
  const Config& config_;
  PartSink& parts_;
  const std::vector<SliceSink*>& sinks_;
  Quantizer quantizer_;
  const bool exact_codes_;  // made before scales are compressed
  const bool round_trip_;   // values are made without codes
  bool find_along_ = false;
  Parts sizes_;
  Outliers outliers_;
  std::vector<float> codebook_;
  Numbers scales_{Part::kScales}, offsets_{Part::kOffsets};
  ParamSpan coding_, decoding_;
};

}  // namespace

void QuantizeSlices(const Context& context, const QuantizeJob& job,
                    PartSink* parts, const std::vector<SliceSink*>& sinks) {
  SliceRun(context, job, parts, sinks).Run();
}

}  // namespace bnq
