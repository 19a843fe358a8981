#include "budget_page.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "config_options.h"
#include "failure.h"
#include "report_option.h"
#include "tensor_page.h"
#include "text.h"

namespace bnq::cli {
namespace {

// Of a curve: enough to see its bends.
constexpr int kPoints = 33;

double At(const std::vector<double>& values, int index) {
  return values.at(static_cast<std::size_t>(index));
}

uint64_t Whole(double value) { return static_cast<uint64_t>(value); }

Curve::Point PointOf(const std::vector<double>& values) {
  const double bits = At(values, BNQ_ALLOCATION_BITS);
  const double loss = At(values, BNQ_ALLOCATION_LOSS);
  return {bits, loss,
          FixedText(bits, 3) + " bits, " +
              BytesText(Whole(At(values, BNQ_ALLOCATION_BYTES))) + ", loss " +
              SignificantText(loss, 4)};
}

// The best choices of budgets that part what the candidates allow evenly.
std::vector<std::vector<double>> Sampled(const BudgetOptions& options,
                                         const bnq_plan* plan,
                                         const bnq_sensitivity* sensitivity) {
  const auto values = [&](double bytes) {
    return ValuesOf(
        AllocateAs(options, plan, sensitivity, BNQ_BUDGET_BYTES, bytes).get());
  };
  // More than any file, and not too many for the library.
  const std::vector<double> largest = values(std::ldexp(1.0, 52));
  const double low = At(largest, BNQ_ALLOCATION_MIN_BYTES);
  const double high = At(largest, BNQ_ALLOCATION_BYTES);
  std::vector<std::vector<double>> sampled;
  for (int i = 0; i < kPoints - 1; ++i) {
    sampled.push_back(
        values(std::ceil(low + (high - low) * i / (kPoints - 1))));
  }
  sampled.push_back(largest);
  return sampled;
}

double Sqnr(double relative_error) {
  return -10.0 * std::log10(relative_error);
}

PageCell SqnrCell(double relative_error) {
  // Of what is kept as it is the error is 0.
  const double sqnr = Sqnr(relative_error);
  return PageCell(FixedText(sqnr, 2), sqnr);
}

PageRow AllocatedRow(const std::vector<AllocationRow>& rows, std::size_t index,
                     bool detailed) {
  const AllocationRow& row = rows[index];
  PageRow shown;
  shown.name = row.name;
  shown.note = NoteOf(rows, index);
  const double share = row.at(BNQ_ALLOCATION_ROW_SHARE);
  shown.cells = {
      PageCell(KindName(row)),
      PageCell(row.config),
      PageCell(BytesText(Whole(row.at(BNQ_ALLOCATION_ROW_BYTES))),
               row.at(BNQ_ALLOCATION_ROW_BYTES)),
      PageCell(FixedText(row.at(BNQ_ALLOCATION_ROW_BITS), 3),
               row.at(BNQ_ALLOCATION_ROW_BITS)),
      PageCell(PercentText(share), share),
      SqnrCell(row.at(BNQ_ALLOCATION_ROW_RELATIVE_ERROR)),
  };
  if (!detailed) return shown;
  shown.details = {
      {"Elements", CountText(Whole(row.at(BNQ_ALLOCATION_ROW_ELEMENTS)))},
      {"Loss", SignificantText(row.at(BNQ_ALLOCATION_ROW_LOSS), 4)},
      {"Max error", SignificantText(row.at(BNQ_ALLOCATION_ROW_MAX_ERROR), 4)},
      {"Cosine similarity", FixedText(row.at(BNQ_ALLOCATION_ROW_COSINE), 6)}};
  if (!row.upgrade.empty()) {
    shown.details.emplace_back("Next better", row.upgrade);
    shown.details.emplace_back(
        "It takes",
        BytesText(Whole(row.at(BNQ_ALLOCATION_ROW_UPGRADE_BYTES))) + " more");
    shown.details.emplace_back(
        "It saves a loss of",
        SignificantText(row.at(BNQ_ALLOCATION_ROW_UPGRADE_LOSS), 4));
  }
  return shown;
}

void AddAllocationRows(const bnq_allocation* allocation, Page& page) {
  page.columns = {
      {"Kind", "", PageColumn::kText},
      {"Config", "", PageColumn::kText},
      {"Size", "in the file, its part of the index included",
       PageColumn::kNumber},
      {"Bits/weight", "all that is stored, for each weight", PageColumn::kBar},
      {"Loss share", "of the loss of all tensors", PageColumn::kBar},
      {"SQNR dB", "signal to quantization noise: more is better",
       PageColumn::kBar}};
  const std::vector<AllocationRow> rows = RowsOf(allocation);
  std::vector<std::size_t> order(rows.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) {
                     return rows[a].at(BNQ_ALLOCATION_ROW_LOSS) >
                            rows[b].at(BNQ_ALLOCATION_ROW_LOSS);
                   });
  for (std::size_t i = 0; i < order.size(); ++i) {
    page.rows.push_back(AllocatedRow(rows, order[i], i < kReportedTensors));
  }
}

// A row for each tensor and config.
void AddMeasuredRows(const bnq_sensitivity* sensitivity, Page& page) {
  page.rows_title = "Tensors under each config";
  page.columns = {
      {"Config", "", PageColumn::kText},
      {"Size", "in the file, its part of the index included",
       PageColumn::kNumber},
      {"Bits/weight", "all that is stored, for each weight", PageColumn::kBar},
      {"Loss", "", PageColumn::kBar},
      {"SQNR dB", "signal to quantization noise: more is better",
       PageColumn::kBar},
      {"Max error", "the greatest absolute one", PageColumn::kNumber}};
  for (uint64_t i = 0; i < bnq_sensitivity_count(sensitivity); ++i) {
    const uint64_t count = bnq_sensitivity_config_count(sensitivity, i);
    for (uint64_t c = 0; c < count; ++c) {
      const std::vector<double> values = ValuesAt(sensitivity, i, c);
      const double loss = At(values, BNQ_SENSITIVITY_LOSS);
      PageRow row;
      row.name = bnq_sensitivity_name(sensitivity, i);
      row.cells = {
          PageCell(ConfigAt(sensitivity, i, c)),
          PageCell(BytesText(Whole(At(values, BNQ_SENSITIVITY_BYTES))),
                   At(values, BNQ_SENSITIVITY_BYTES)),
          PageCell(FixedText(At(values, BNQ_SENSITIVITY_BITS), 3),
                   At(values, BNQ_SENSITIVITY_BITS)),
          PageCell(SignificantText(loss, 4), loss),
          SqnrCell(At(values, BNQ_SENSITIVITY_RELATIVE_ERROR)),
          PageCell(SignificantText(At(values, BNQ_SENSITIVITY_MAX_ERROR), 4),
                   At(values, BNQ_SENSITIVITY_MAX_ERROR))};
      page.rows.push_back(std::move(row));
    }
  }
}

}  // namespace

Curve BudgetCurve(const BudgetOptions& options, const bnq_plan* plan,
                  const bnq_sensitivity* sensitivity,
                  const std::vector<std::vector<double>>& swept,
                  const bnq_allocation* chosen) {
  Curve curve;
  curve.x_title = "bits a weight, of the whole file";
  curve.y_title = "least loss";
  for (const std::vector<double>& values :
       swept.empty() ? Sampled(options, plan, sensitivity) : swept) {
    const Curve::Point point = PointOf(values);
    // Budgets that another one's choice is best for, too.
    if (!curve.points.empty() && curve.points.back().x == point.x) continue;
    curve.points.push_back(point);
  }
  if (chosen != nullptr) curve.chosen = PointOf(ValuesOf(chosen));
  return curve;
}

void AddBudget(const bnq_allocation* allocation, Page& page) {
  const std::vector<double> values = ValuesOf(allocation);
  // Of the file: the rows' sizes are those of the tensors in it.
  page.facts.emplace_back(
      "Budget", BytesText(Whole(At(values, BNQ_ALLOCATION_BUDGET_BYTES))) +
                    " of file, of which " +
                    BytesText(Whole(At(values, BNQ_ALLOCATION_BYTES))) +
                    " are used; candidates allow " +
                    BytesText(Whole(At(values, BNQ_ALLOCATION_MIN_BYTES))) +
                    " to " +
                    BytesText(Whole(At(values, BNQ_ALLOCATION_MAX_BYTES))));
  const bool proven = At(values, BNQ_ALLOCATION_PROVEN) != 0;
  page.totals.push_back(
      {"Loss", SignificantText(At(values, BNQ_ALLOCATION_LOSS), 4),
       proven
           ? "proven: nothing that fits has less"
           : "at most " + GeneralText(100 * At(values, BNQ_ALLOCATION_GAP), 3) +
                 " % above the least"});
}

Page AnalysisPage(const std::string& input, const bnq_sensitivity* sensitivity,
                  const bnq_allocation* allocation) {
  Page page;
  page.command = "bnq analyze";
  page.title = BaseName(input);
  page.facts = {{"Input", input}};
  if (allocation != nullptr) {
    const std::vector<double> values = ValuesOf(allocation);
    page.totals = {
        {"Size", BytesText(Whole(At(values, BNQ_ALLOCATION_BYTES))),
         "of the file"},
        {"Smaller by", FixedText(At(values, BNQ_ALLOCATION_RATIO), 2) + "×",
         "than the input's tensors"},
        {"Bits a weight", FixedText(At(values, BNQ_ALLOCATION_BITS), 3),
         CountText(Whole(At(values, BNQ_ALLOCATION_ELEMENTS))) + " weights"}};
    AddBudget(allocation, page);
    AddAllocationRows(allocation, page);
  } else {
    page.totals = {
        {"Tensors", CountText(bnq_sensitivity_count(sensitivity)), "measured"}};
    AddMeasuredRows(sensitivity, page);
  }
  page.notes = {
      "Loss: a tensor's number of elements times its relative squared error, "
      "or "
      "what was measured in its place; the sum of all tensors is what a budget "
      "makes least. SQNR: signal to quantization noise ratio; 6 dB more is "
      "half the error.",
      "The curve: the least loss of each size, for these candidates."};
  return page;
}

std::string ConfigAt(const bnq_sensitivity* sensitivity, uint64_t index,
                     uint64_t config) {
  bnq_config* created = nullptr;
  Check(bnq_sensitivity_config(sensitivity, index, config, &created));
  return ConfigText(Config(created).get());
}

std::vector<double> ValuesAt(const bnq_sensitivity* sensitivity, uint64_t index,
                             uint64_t config) {
  std::vector<double> values(BNQ_NUM_SENSITIVITY_VALUES);
  Check(bnq_sensitivity_values(sensitivity, index, config, values.data(),
                               BNQ_NUM_SENSITIVITY_VALUES));
  return values;
}

}  // namespace bnq::cli
