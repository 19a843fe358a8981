// What is optimised: an array, its start, and tensors made of parameters.
#ifndef BNQ_CORE_OPTIMIZE_SUBJECT_H_
#define BNQ_CORE_OPTIMIZE_SUBJECT_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "core/base/context.h"
#include "core/kernels/elements.h"
#include "core/optimize/optimize.h"
#include "core/scheme/format.h"
#include "core/scheme/params.h"
#include "core/tensor/quantize.h"

namespace bnq {

// A request with what every method needs of it. Borrows the context and the
// request. NON_FINITE, CANCELLED.
class Subject {
 public:
  Subject(const Context& context, const OptimizeRequest& request);

  // Its tick reports to the request's progress.
  const Context& context() const { return context_; }
  const OptimizeRequest& request() const { return request_; }
  const Config& config() const { return request_.config; }
  const OptimizeOptions& options() const { return request_.options; }
  const Format& format() const { return format_; }
  const Variant& variant() const { return variant_; }
  const SourceView& source() const { return source_; }
  const Layout& layout() const { return quantizer_.layout(); }
  const Shape& shape() const { return request_.source.shape; }
  uint64_t elements() const { return elements_; }
  uint64_t segments() const { return start_.scales.size(); }
  // Those of the request, checked; of none where there are none.
  Importance importance() const { return quantizer_.importance(); }
  // What the config's own rule makes.
  const ParamSet& start() const { return start_; }

  // To the request's progress: this share of the work is done. Never less than
  // before.
  void Report(uint64_t done, uint64_t total) const;

  // All values as the quantizer sees them; finite, since the start was found.
  Buffer Load() const;
  std::unique_ptr<QuantizedTensor> TensorOf(const ParamSet& params) const;
  // The same of codes that were made elsewhere, one for each element.
  std::unique_ptr<QuantizedTensor> TensorOf(
      const ParamSet& params, const std::vector<int8_t>& codes) const;
  // Of the values as they are quantized: clipped, and without those that are
  // not finite. Over input_scales, one for each column, where it is not
  // nullptr.
  double MseOf(const QuantizedTensor& tensor, const float* input_scales) const;
  // The same weighted by the importance of columns, of which there is some.
  double WeightedMseOf(const QuantizedTensor& tensor) const;

 private:
  void StoreParams(const ParamSet& params, QuantizedTensor* tensor) const;

  Context context_;
  const OptimizeRequest& request_;
  const Format& format_;
  const Variant variant_;
  const SourceView source_;
  mutable Quantizer quantizer_;
  const uint64_t elements_, bytes_;
  std::vector<float> weights_;
  ParamSet start_;
  mutable uint64_t done_ = 0;
};

}  // namespace bnq

#endif  // BNQ_CORE_OPTIMIZE_SUBJECT_H_
