#include "tensor_page.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <string>

#include "text.h"

namespace bnq::cli {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

// Where a row belongs, the worst having the least.
double Goodness(const Row& row, bool missing_is_worst) {
  const double sqnr = row.metrics.at(BNQ_METRIC_SQNR_DB);
  if (!std::isnan(sqnr)) return sqnr;
  const bool same = row.metrics.at(BNQ_METRIC_MSE) == 0 ||
                    Elements(row.shape) == 0 || !missing_is_worst;
  return same ? kInfinity : -kInfinity;
}

// Its elements times the relative squared error that its SQNR stands for.
double Loss(const Row& row) {
  const double sqnr = row.metrics.at(BNQ_METRIC_SQNR_DB);
  return static_cast<double>(Elements(row.shape)) * std::pow(10, -sqnr / 10);
}

}  // namespace

std::vector<std::size_t> WorstFirst(const std::vector<Row>& rows,
                                    bool missing_is_worst) {
  std::vector<std::size_t> order(rows.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) {
                     return Goodness(rows[a], missing_is_worst) <
                            Goodness(rows[b], missing_is_worst);
                   });
  return order;
}

void AddTensorRows(const std::vector<Row>& rows,
                   const std::vector<std::size_t>& order, Page& page) {
  page.columns = {
      {"Shape", "", PageColumn::kText},
      {"Format", "", PageColumn::kText},
      {"Size", "as stored", PageColumn::kNumber},
      {"Bits/weight", "all that is stored, for each weight", PageColumn::kBar},
      {"Loss share",
       "of all tensors' losses: elements times relative squared error",
       PageColumn::kBar},
      {"SQNR dB", "signal to quantization noise: more is better",
       PageColumn::kBar},
      {"Max error", "the greatest absolute one", PageColumn::kNumber}};
  double all = 0;
  for (const Row& row : rows) {
    const double loss = Loss(row);
    if (std::isfinite(loss)) all += loss;
  }
  for (const std::size_t i : order) {
    const Row& row = rows[i];
    const auto metric = [&](int index) { return row.metrics.at(index); };
    const double share = all > 0 ? Loss(row) / all : kNone;
    PageRow shown;
    shown.name = row.name;
    shown.note = row.note;
    shown.cells = {
        PageCell(ShapeText(row.shape)),
        PageCell(row.type()),
        PageCell(BytesText(row.bytes), static_cast<double>(row.bytes)),
        PageCell(FixedText(row.bits_per_weight, 3), row.bits_per_weight),
        PageCell(PercentText(share), share),
        PageCell(FixedText(metric(BNQ_METRIC_SQNR_DB), 2),
                 metric(BNQ_METRIC_SQNR_DB)),
        PageCell(SignificantText(metric(BNQ_METRIC_MAX_ERROR), 4),
                 metric(BNQ_METRIC_MAX_ERROR))};
    page.rows.push_back(std::move(shown));
  }
}

void AddTensorTotals(const std::vector<Row>& rows,
                     const std::vector<std::size_t>& order, Page& page) {
  const Totals totals = TotalsOf(rows);
  page.totals.push_back({"Size", BytesText(totals.bytes),
                         "of " + BytesText(totals.bytes_before)});
  if (totals.bytes != 0) {
    const double ratio = static_cast<double>(totals.bytes_before) /
                         static_cast<double>(totals.bytes);
    page.totals.push_back({"Smaller by", FixedText(ratio, 2) + "×", ""});
  }
  page.totals.push_back({"Bits a weight", FixedText(totals.bits_per_weight, 3),
                         CountText(totals.elements) + " weights"});
  page.totals.push_back({"Quantized",
                         std::to_string(totals.quantized) + " of " +
                             std::to_string(totals.tensors),
                         totals.tensors == 1 ? "tensor" : "tensors"});
  for (const std::size_t i : order) {
    const double sqnr = rows[i].metrics.at(BNQ_METRIC_SQNR_DB);
    if (std::isnan(sqnr) || std::isinf(sqnr)) continue;
    page.totals.push_back(
        {"Worst SQNR", FixedText(sqnr, 2) + " dB", rows[i].name});
    break;
  }
}

std::string PercentText(double part) {
  if (part > 0 && part < 0.0005) return "<0.1 %";
  return FixedText(100 * part, 1) + " %";
}

std::string LossNote() {
  return "Loss share: a tensor's number of elements times its relative squared "
         "error, of the sum of all tensors. SQNR: signal to quantization noise "
         "ratio; 6 dB more is half the error.";
}

}  // namespace bnq::cli
