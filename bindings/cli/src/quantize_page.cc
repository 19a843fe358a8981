#include "quantize_page.h"

#include <map>
#include <string>
#include <utility>

#include "report_option.h"
#include "tensor_page.h"
#include "text.h"
#include "value_histogram.h"

namespace bnq::cli {
namespace {

// How many tensors have each config.
std::string ConfigsText(const std::vector<Row>& rows) {
  constexpr std::size_t kMost = 6;
  std::map<std::string, std::size_t> configs;
  for (const Row& row : rows) {
    if (!row.config.empty()) ++configs[row.config];
  }
  if (configs.size() > kMost) {
    return std::to_string(configs.size()) + " different ones";
  }
  std::string text;
  for (const auto& [config, count] : configs) {
    if (!text.empty()) text += "; ";
    text += config;
    if (configs.size() > 1) text += " (" + std::to_string(count) + ")";
  }
  return text;
}

void AddDetails(const Row& row, ValueHistograms& values, PageRow& shown) {
  shown.details = {
      {"Config", row.config},
      {"Size before", BytesText(row.bytes_before)},
      {"Mean absolute error",
       SignificantText(row.metrics.at(BNQ_METRIC_MAE), 4)},
      {"Mean squared error",
       SignificantText(row.metrics.at(BNQ_METRIC_MSE), 4)},
      {"Cosine similarity", FixedText(row.metrics.at(BNQ_METRIC_COSINE), 6)}};
  shown.histogram = values.Of(row.name);
}

}  // namespace

Page QuantizePage(const ConversionOptions& options,
                  const std::vector<Row>& rows, Session& session) {
  Page page;
  page.command = "bnq quantize";
  page.title = BaseName(options.input);
  page.facts = {
      {"Input", options.input},
      {"Output", IsDryRun(options) ? "none: a dry run" : options.output}};
  const std::string configs = ConfigsText(rows);
  if (!configs.empty()) page.facts.emplace_back("Config", configs);
  const std::vector<std::size_t> order =
      WorstFirst(rows, /*missing_is_worst=*/false);
  AddTensorTotals(rows, order, page);
  AddTensorRows(rows, order, page);
  page.histograms = "Values";
  ValueHistograms values(options.input, session);
  std::size_t shown = 0;
  for (std::size_t i = 0; i < order.size() && shown < kReportedTensors; ++i) {
    const Row& row = rows[order[i]];
    if (!row.quantized()) continue;
    session.Report(shown++, kReportedTensors, row.name);
    AddDetails(row, values, page.rows[i]);
  }
  page.notes = {LossNote(),
                "Values: those of the input, counted on a logarithmic scale, "
                "which shows the few that are far out."};
  return page;
}

}  // namespace bnq::cli
