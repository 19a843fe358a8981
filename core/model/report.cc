#include "core/model/report.h"

#include <algorithm>

#include "core/base/dtype.h"

namespace bnq {

ReportRow RowOf(const ModelEntry& entry) {
  ReportRow row;
  row.name = entry.name;
  row.shape = entry.shape;
  row.format = entry.format;
  row.dtype = entry.dtype;
  row.bytes_before = entry.raw_bytes;
  return row;
}

double Report::dense_share() const {
  double all = 0, dense = 0;
  for (const ReportRow& row : *this) {
    const DTypeInfo* type = FindDType(row.dtype);
    const bool quantized = row.format != 0;
    if (row.bytes_before == 0 || !row.same_as.empty()) continue;
    if (!quantized && (type == nullptr || !IsSource(type->dtype))) continue;
    const double elements = static_cast<double>(row.shape.elements());
    all += elements;
    if (!quantized) dense += elements;
  }
  return all == 0 ? 0 : dense / all;
}

void Report::SortByName() {
  std::sort(begin(), end(), [](const ReportRow& a, const ReportRow& b) {
    return a.name < b.name;
  });
}

}  // namespace bnq
