// One row for each tensor, whatever it was read from: what tables and --json
// are made of.
#ifndef BNQ_CLI_ROWS_H_
#define BNQ_CLI_ROWS_H_

#include <bnq/bnq.h>

#include <cstdint>
#include <string>
#include <vector>

namespace bnq::cli {

struct Row {
  std::string name;
  std::vector<uint64_t> shape;
  int32_t format = BNQ_FORMAT_NONE;
  // Where format is BNQ_FORMAT_NONE.
  int32_t dtype = 0;
  // In the input, or uncompressed; and in the output, or as stored.
  uint64_t bytes_before = 0;
  uint64_t bytes = 0;
  double bits_per_weight = 0;
  // As in bnq_compare, NaN where there are none; empty when inspecting.
  std::vector<double> metrics;
  std::string note;
  std::string same_as;  // the tensor of which it is another name; "": none
  std::string verdict;  // of an export; "": none
  std::string layout;   // of another ecosystem, in a file; "": ours
  // Of quantized tensors, where the command knows: the config as text; how
  // many columns are kept as outliers; how many scales their type cannot hold.
  std::string config;
  uint64_t outlier_columns = 0;
  uint64_t saturated_scales = 0;

  // "ternary", "F32", ...
  std::string type() const;
  bool quantized() const { return format != BNQ_FORMAT_NONE; }
};

struct Totals {
  uint64_t tensors = 0;
  uint64_t quantized = 0;
  uint64_t elements = 0;
  uint64_t bytes_before = 0;
  uint64_t bytes = 0;
  double bits_per_weight = 0;
};

std::vector<Row> RowsOf(const bnq_report* report);
std::vector<Row> RowsOf(const bnq_file* file);
// The cells of a table's last row under name, shape, format and bits/weight.
std::vector<std::string> TotalCells(const Totals& totals);

Totals TotalsOf(const std::vector<Row>& rows);

uint64_t Elements(const std::vector<uint64_t>& shape);

}  // namespace bnq::cli

#endif  // BNQ_CLI_ROWS_H_
