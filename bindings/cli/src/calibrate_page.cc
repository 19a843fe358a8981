#include "calibrate_page.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

#include "report_option.h"
#include "text.h"

namespace bnq::cli {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

std::string PartText(double part) {
  return part == 0 ? "0 %" : SignificantText(100 * part, 2) + " %";
}

std::string WithSpaces(std::string name) {
  std::replace(name.begin(), name.end(), '_', ' ');
  name[0] = static_cast<char>(
      name[0] >= 'a' && name[0] <= 'z' ? name[0] - 'a' + 'A' : name[0]);
  return name;
}

// Of the counted values, those beyond their range; NaN where none are counted.
double BeyondPart(const PageHistogram& histogram) {
  const auto sum = [](const std::vector<uint64_t>& counts) {
    return static_cast<double>(
        std::accumulate(counts.begin(), counts.end(), uint64_t{0}));
  };
  const double beyond = sum(histogram.clipped);
  return beyond / (beyond + sum(histogram.kept));
}

PageCell NumberCell(double value) {
  return PageCell(SignificantText(value, 4), value);
}

PageRow RowOf(const CalibrationRow& row, PageHistogram histogram) {
  const auto statistic = [&row](std::size_t index) {
    return index < row.statistics.size() ? row.statistics[index] : kNone;
  };
  PageRow shown;
  shown.name = row.name;
  shown.note = row.note;
  const double beyond = BeyondPart(histogram);
  shown.cells = {
      PageCell(CountText(row.batches), static_cast<double>(row.batches)),
      PageCell(CountText(row.channels), static_cast<double>(row.channels)),
      NumberCell(row.has_range() ? row.least() : kNone),
      NumberCell(row.has_range() ? row.greatest() : kNone),
      PageCell(PartText(beyond), beyond),
      NumberCell(statistic(BNQ_STATISTIC_ABSMAX)),
      NumberCell(statistic(BNQ_STATISTIC_KURTOSIS))};
  for (std::size_t s = 0; s < row.statistics.size(); ++s) {
    const bool shown_before =
        s == BNQ_STATISTIC_ABSMAX || s == BNQ_STATISTIC_KURTOSIS;
    const double value = row.statistics[s];
    const bool nothing = value == 0 && (s == BNQ_STATISTIC_NON_FINITE ||
                                        s == BNQ_STATISTIC_OUTLIERS);
    if (shown_before || nothing || std::isnan(value)) continue;
    shown.details.emplace_back(
        WithSpaces(bnq_statistic_name(static_cast<uint32_t>(s))),
        value == std::floor(value) && value >= 0 && value < 1e15
            ? CountText(static_cast<uint64_t>(value))
            : SignificantText(value, 5));
  }
  if (!histogram.kept.empty()) shown.histogram = std::move(histogram);
  return shown;
}

void AddTotals(const std::vector<CalibrationRow>& rows, Page& page) {
  double values = 0;
  uint64_t batches = 0;
  const CalibrationRow* widest = nullptr;
  for (const CalibrationRow& row : rows) {
    if (!row.statistics.empty()) values += row.statistics[BNQ_STATISTIC_COUNT];
    batches += row.batches;
    if (!row.has_range()) continue;
    const auto width = [](const CalibrationRow& r) {
      return r.greatest() - r.least();
    };
    if (widest == nullptr || width(row) > width(*widest)) widest = &row;
  }
  page.totals = {
      {"Tensors", CountText(rows.size()), ""},
      {"Values", CountText(static_cast<uint64_t>(values)),
       "in " + CountText(batches) + (batches == 1 ? " batch" : " batches")}};
  if (widest != nullptr) {
    page.totals.push_back({"Widest range",
                           SignificantText(widest->least(), 4) + " to " +
                               SignificantText(widest->greatest(), 4),
                           widest->name});
  }
  // The rows' own order is the worst first.
  if (!page.rows.empty()) {
    const double beyond = page.rows.front().cells.at(4).number;
    if (beyond > 0) {
      page.totals.push_back(
          {"Most beyond", PartText(beyond), page.rows.front().name});
    }
  }
}

}  // namespace

Page CalibratePage(const std::vector<std::string>& inputs,
                   const std::string& output,
                   const bnq_calibration* calibration,
                   const std::vector<CalibrationRow>& rows, Session& session) {
  Page page;
  page.command = "bnq calibrate";
  page.title = inputs.size() == 1
                   ? BaseName(inputs.front())
                   : BaseName(inputs.front()) + " and " +
                         std::to_string(inputs.size() - 1) + " more";
  constexpr std::size_t kMostInputs = 6;
  std::string paths = inputs.front();
  for (std::size_t i = 1; i < std::min(inputs.size(), kMostInputs); ++i) {
    paths += ", " + inputs[i];
  }
  if (inputs.size() > kMostInputs) paths += ", ...";
  page.facts = {{"Data", paths},
                {"Output", output.empty() ? "none: a dry run" : output}};
  if (!rows.empty()) {
    page.facts.emplace_back("Options",
                            CalibratorText(bnq_calibration_at(calibration, 0)));
  }
  page.columns = {
      {"Batches", "", PageColumn::kNumber},
      {"Channels", "", PageColumn::kNumber},
      {"Low", "the least end of a range", PageColumn::kNumber},
      {"High", "the greatest end of a range", PageColumn::kNumber},
      {"Beyond", "values that their range cuts off", PageColumn::kBar},
      {"Absmax", "the greatest absolute value", PageColumn::kBar},
      {"Kurtosis", "how heavy the tails are: 3 for a normal distribution",
       PageColumn::kNumber}};
  page.histograms = "Values";
  for (std::size_t i = 0; i < rows.size(); ++i) {
    session.Report(i, rows.size(), rows[i].name);
    page.rows.push_back(
        RowOf(rows[i], PageHistogramOf(session.context(), rows[i],
                                       bnq_calibration_at(calibration, i))));
  }
  std::stable_sort(page.rows.begin(), page.rows.end(),
                   [](const PageRow& a, const PageRow& b) {
                     const double x = a.cells[4].number, y = b.cells[4].number;
                     return (std::isnan(x) ? 0 : x) > (std::isnan(y) ? 0 : y);
                   });
  AddTotals(rows, page);
  page.notes = {
      "Beyond: values that lie outside of the range of their channel, as far "
      "as the bins of the histogram tell; in red in the pictures. Counts are "
      "on "
      "a logarithmic scale, which shows the few that are far out."};
  return page;
}

}  // namespace bnq::cli
