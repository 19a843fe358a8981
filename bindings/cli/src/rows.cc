#include "rows.h"

#include "failure.h"
#include "text.h"

namespace bnq::cli {
namespace {

// Calls shape_of(uint64_t*) -> rank.
template <typename ShapeOf>
std::vector<uint64_t> ShapeVector(const ShapeOf& shape_of) {
  uint64_t shape[BNQ_MAX_RANK];
  const int32_t rank = shape_of(shape);
  return rank < 0 ? std::vector<uint64_t>()
                  : std::vector<uint64_t>(shape, shape + rank);
}

double BitsPerElement(uint64_t bytes, uint64_t count) {
  return count == 0
             ? 0.0
             : static_cast<double>(bytes) * 8 / static_cast<double>(count);
}

}  // namespace

std::string Row::type() const {
  const char* text =
      quantized() ? bnq_format_name(format) : bnq_dtype_name(dtype);
  return text != nullptr ? text : "unknown";
}

uint64_t Elements(const std::vector<uint64_t>& shape) {
  uint64_t count = 1;
  for (const uint64_t dimension : shape) count *= dimension;
  return count;
}

std::vector<Row> RowsOf(const bnq_report* report) {
  std::vector<Row> rows(bnq_report_count(report));
  for (uint64_t i = 0; i < rows.size(); ++i) {
    Row& row = rows[i];
    row.name = bnq_report_name(report, i);
    row.shape = ShapeVector(
        [&](uint64_t* shape) { return bnq_report_shape(report, i, shape); });
    row.format = bnq_report_format(report, i);
    row.dtype = bnq_report_dtype(report, i);
    row.bytes_before = bnq_report_bytes_before(report, i);
    row.bytes = bnq_report_bytes_after(report, i);
    row.bits_per_weight = bnq_report_bits_per_weight(report, i);
    row.metrics.resize(bnq_metric_count());
    Check(bnq_report_metrics(report, i, row.metrics.data(),
                             static_cast<uint32_t>(row.metrics.size())));
    row.note = bnq_report_note(report, i);
    row.same_as = bnq_report_same_as(report, i);
    const char* verdict = bnq_verdict_name(bnq_report_verdict(report, i));
    if (verdict != nullptr) row.verdict = verdict;
  }
  return rows;
}

std::vector<Row> RowsOf(const bnq_file* file) {
  std::vector<Row> rows(bnq_file_count(file));
  for (uint64_t i = 0; i < rows.size(); ++i) {
    Row& row = rows[i];
    row.name = bnq_file_name(file, i);
    row.shape = ShapeVector(
        [&](uint64_t* shape) { return bnq_file_shape(file, i, shape); });
    row.format = bnq_file_format(file, i);
    row.dtype = bnq_file_dtype(file, i);
    row.bytes_before = bnq_file_bytes(file, i);
    row.bytes = bnq_file_stored_bytes(file, i);
    row.bits_per_weight = BitsPerElement(row.bytes, Elements(row.shape));
    row.same_as = bnq_file_same_as(file, i);
    row.layout = bnq_file_layout(file, i);
    row.note = row.layout;
    if (!row.same_as.empty()) row.note = "the same as " + row.same_as;
  }
  return rows;
}

Totals TotalsOf(const std::vector<Row>& rows) {
  Totals totals;
  totals.tensors = rows.size();
  for (const Row& row : rows) {
    totals.quantized += row.quantized();
    totals.bytes_before += row.bytes_before;
    totals.bytes += row.bytes;
    // The weights of another name of a tensor are not more.
    if (row.same_as.empty()) totals.elements += Elements(row.shape);
  }
  totals.bits_per_weight = BitsPerElement(totals.bytes, totals.elements);
  return totals;
}

std::vector<std::string> TotalCells(const Totals& totals) {
  return {"total",
          std::to_string(totals.quantized) + " of " +
              std::to_string(totals.tensors),
          "quantized", FixedText(totals.bits_per_weight, 3)};
}

}  // namespace bnq::cli
