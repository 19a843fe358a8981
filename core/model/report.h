// What became of each tensor of a model file.
#ifndef BNQ_CORE_MODEL_REPORT_H_
#define BNQ_CORE_MODEL_REPORT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "core/base/shape.h"
#include "core/io/container.h"
#include "core/tensor/metrics.h"

namespace bnq {

struct ReportRow {
  std::string name;
  Shape shape;
  int32_t format = 0;  // in the output; 0: a plain array
  int32_t dtype = 0;   // of a plain array, else 0
  uint64_t bytes_before = 0;
  uint64_t bytes_after = 0;
  Metrics metrics = Metrics::None();
  std::string note;
  std::string same_as;  // ModelEntry's
  int32_t verdict = 0;  // of an export (interchange/layout.h), else 0
};
// What its file says of a tensor.
ReportRow RowOf(const ModelEntry& entry);

struct Report : std::vector<ReportRow> {  // sorted by name
  // Of a conversion: what was written, and can be opened: a file, the index of
  // several, or a folder. "" where a dry run has no path.
  std::string output;

  // Of all floating-point parameters of the output those that are not
  // quantized, 0 to 1; 0 where there are none. What was added, and other names
  // of tensors, do not count.
  double dense_share() const;
  void SortByName();
};

}  // namespace bnq

#endif  // BNQ_CORE_MODEL_REPORT_H_
