// What each tensor of a model costs and loses under each of several configs:
// measured once, kept as JSON, used for any number of budgets (allocate.h).
#ifndef BNQ_CORE_MODEL_SENSITIVITY_H_
#define BNQ_CORE_MODEL_SENSITIVITY_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/base/dtype.h"
#include "core/base/shape.h"
#include "core/scheme/config.h"

namespace bnq {

// A tensor under a config.
struct SensitivityCell {
  Config config;
  // Of a .bnq file that is not compressed: data, each part to a whole
  // alignment, and the tensor's part of the index.
  uint64_t bytes = 0;
  // Sum of squared errors over the sum of squares, each weighted by importance
  // where there is some; 0 where there are no errors, 1 where there is nothing
  // but errors.
  double relative_error = 0.0;
  double max_error = 0.0, cosine = 1.0;
  // What the caller measured, in place of relative_error x weight; NaN:
  // nothing.
  double metric = 0.0;
  bool has_metric = false;
};

struct SensitivityTensor {
  Shape shape;
  int32_t dtype = 0;
  // Of up to 64 KiB of its data, in 16 pieces spread over it: tells another
  // model of the same shapes.
  uint32_t sample_crc32 = 0;
  // Of the weights of its columns; 0: none.
  uint32_t importance_crc32 = 0;
  uint64_t plain_bytes = 0;  // as SensitivityCell::bytes, left as it is
  double weight = 0.0;       // what relative errors count; 0: its elements
  // By the config's text; none is the tensor as it is.
  std::map<std::string, SensitivityCell> cells;

  // What a cell adds to the model's loss, by the measure there is.
  double LossOf(const SensitivityCell& cell) const;
};

class Sensitivity {
 public:
  // By name: those that a plan may give a config.
  const std::map<std::string, SensitivityTensor>& tensors() const {
    return tensors_;
  }
  // Bytes of a .bnq file with nothing but the model's metadata and the tensors
  // that are not among these; and the latter's elements.
  uint64_t fixed_bytes() const { return fixed_bytes_; }
  uint64_t fixed_elements() const { return fixed_elements_; }
  // Elements of all tensors, and bytes of their data in the input.
  uint64_t elements() const;
  uint64_t input_bytes() const { return input_bytes_; }

  // Says what the model is: its fixed part. INVALID_ARGUMENT where it is
  // another than that of what is there already.
  void SetModel(uint64_t fixed_bytes, uint64_t fixed_elements,
                uint64_t input_bytes);
  // The tensor of this name, without cells where it is new. INVALID_ARGUMENT
  // where it was another one: of another shape, type, content or importance.
  SensitivityTensor& Add(const std::string& name,
                         const SensitivityTensor& tensor);
  // The measure of the caller's own for a cell that is there (NOT_FOUND),
  // finite (INVALID_ARGUMENT); below 0 counts as 0.
  void SetMetric(const std::string& name, const Config& config, double metric);
  // The same from JSON: {"tensor": {"config": number}}. CORRUPT_FILE for what
  // is no such; nothing is set where one of them cannot be.
  void SetMetrics(const std::string& json);
  // What the tensor's relative error counts in place of its elements: finite,
  // 0 or more. NOT_FOUND.
  void SetWeight(const std::string& name, double weight);

  // Adds what another one has measured of the same model. INVALID_ARGUMENT
  // where they contradict each other: then nothing is added. The result does
  // not depend on the order.
  void Merge(const Sensitivity& other);

  std::string ToJson() const;
  // CORRUPT_FILE, UNSUPPORTED for what a later or other library has measured.
  static Sensitivity FromJson(const std::string& text);

 private:
  const SensitivityTensor& Known(const std::string& name) const;

  bool has_model_ = false;
  uint64_t fixed_bytes_ = 0, fixed_elements_ = 0, input_bytes_ = 0;
  std::map<std::string, SensitivityTensor> tensors_;
};

}  // namespace bnq

#endif  // BNQ_CORE_MODEL_SENSITIVITY_H_
