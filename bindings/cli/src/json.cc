#include "json.h"

#include <cmath>
#include <iostream>

namespace bnq::cli {

Json JsonNumber(double value) {
  return std::isfinite(value) ? Json(value) : Json(nullptr);
}

void AddRows(Json& object, const std::vector<Row>& rows, JsonRows kind) {
  const char* const before =
      kind == JsonRows::kReport ? "bytes_before" : "uncompressed_bytes";
  Json tensors = Json::array();
  for (const Row& row : rows) {
    Json tensor;
    tensor["name"] = row.name;
    tensor["shape"] = row.shape;
    tensor[row.quantized() ? "format" : "dtype"] = row.type();
    tensor["bits_per_weight"] = JsonNumber(row.bits_per_weight);
    tensor["bytes"] = row.bytes;
    tensor[before] = row.bytes_before;
    if (!row.config.empty()) tensor["config"] = row.config;
    if (kind == JsonRows::kFile && row.quantized()) {
      tensor["outlier_columns"] = row.outlier_columns;
      tensor["saturated_scales"] = row.saturated_scales;
    }
    for (std::size_t m = 0; m < row.metrics.size(); ++m) {
      const char* name = bnq_metric_name(static_cast<uint32_t>(m));
      if (name != nullptr) tensor[name] = JsonNumber(row.metrics[m]);
    }
    if (!row.verdict.empty()) tensor["verdict"] = row.verdict;
    if (!row.layout.empty()) tensor["layout"] = row.layout;
    if (!row.note.empty()) tensor["note"] = row.note;
    tensors.push_back(std::move(tensor));
  }
  object["tensors"] = std::move(tensors);

  const Totals totals = TotalsOf(rows);
  object["totals"] = {{"tensors", totals.tensors},
                      {"quantized", totals.quantized},
                      {"elements", totals.elements},
                      {"bits_per_weight", JsonNumber(totals.bits_per_weight)},
                      {"bytes", totals.bytes},
                      {before, totals.bytes_before}};
}

void PrintJson(const Json& object) {
  std::cout << object.dump(2, ' ', false, Json::error_handler_t::replace)
            << '\n';
}

}  // namespace bnq::cli
