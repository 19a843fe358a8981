#include <algorithm>
#include <cmath>
#include <iostream>
#include <map>
#include <memory>
#include <utility>

#include "../commands.h"
#include "../error_histogram.h"
#include "../failure.h"
#include "../json.h"
#include "../report_option.h"
#include "../session.h"
#include "../table.h"
#include "../tensor_page.h"
#include "../text.h"

namespace bnq::cli {
namespace {

struct Options {
  std::string original, other, report;
  bool json = false, force = false;
  uint32_t histograms = 0, bins = 256;
  SessionOptions session;
};

// What bnq_compare_histogram accepts.
constexpr uint32_t kLeastBins = 2, kMostBins = 65536;

// Of the worst tensors that can be compared, the worst first.
std::vector<ErrorHistogram> Histograms(const Options& options,
                                       const std::vector<Row>& rows,
                                       std::size_t wanted, Session& session) {
  std::vector<ErrorHistogram> histograms;
  ErrorHistograms source(options.original, options.other, session);
  for (const std::size_t i : WorstFirst(rows, /*missing_is_worst=*/true)) {
    if (histograms.size() == wanted) break;
    session.Report(histograms.size(), wanted, rows[i].name);
    if (std::isnan(rows[i].metrics.at(BNQ_METRIC_MSE))) continue;
    ErrorHistogram histogram;
    if (source.Compare(rows[i].name, options.bins, histogram)) {
      histograms.push_back(std::move(histogram));
    }
  }
  return histograms;
}

void PrintTable(const std::vector<Row>& rows) {
  Table table({{"name", Table::kLeft},
               {"shape", Table::kRight},
               {"format", Table::kLeft},
               {"MSE", Table::kRight},
               {"MAE", Table::kRight},
               {"max error", Table::kRight},
               {"SQNR dB", Table::kRight},
               {"cosine", Table::kRight},
               {"note", Table::kLeft}});
  uint64_t compared = 0;
  for (const std::size_t i : WorstFirst(rows, /*missing_is_worst=*/true)) {
    const Row& row = rows[i];
    const auto metric = [&](int index) { return row.metrics.at(index); };
    compared += !std::isnan(metric(BNQ_METRIC_MSE));
    table.Add({Printable(row.name), ShapeText(row.shape), row.type(),
               GeneralText(metric(BNQ_METRIC_MSE), 4),
               GeneralText(metric(BNQ_METRIC_MAE), 4),
               GeneralText(metric(BNQ_METRIC_MAX_ERROR), 4),
               FixedText(metric(BNQ_METRIC_SQNR_DB), 2),
               FixedText(metric(BNQ_METRIC_COSINE), 6), Printable(row.note)});
  }
  table.AddRule();
  table.Add({"total",
             std::to_string(compared) + " of " + std::to_string(rows.size()),
             "compared"});
  table.Print(std::cout);
}

void CheckBins(const Options& options) {
  if (options.bins >= kLeastBins && options.bins <= kMostBins) return;
  throw Failure(kUsage, "--bins: expected " + std::to_string(kLeastBins) +
                            " to " + std::to_string(kMostBins) + ", got " +
                            std::to_string(options.bins));
}

PageHistogram PageHistogramOf(const ErrorHistogram& errors) {
  PageHistogram histogram;
  histogram.what = "errors";
  histogram.first = -errors.max_error;
  histogram.width =
      2 * errors.max_error / static_cast<double>(errors.counts.size());
  histogram.kept = errors.counts;
  return histogram;
}

Page PageOf(const Options& options, const std::vector<Row>& rows,
            const std::vector<ErrorHistogram>& histograms) {
  Page page;
  page.command = "bnq diff";
  page.title =
      BaseName(options.other) + " against " + BaseName(options.original);
  page.facts = {{"Original", options.original}, {"Compared", options.other}};
  const std::vector<std::size_t> order =
      WorstFirst(rows, /*missing_is_worst=*/true);
  AddTensorTotals(rows, order, page);
  AddTensorRows(rows, order, page);
  page.histograms = "Errors";
  std::map<std::string, const ErrorHistogram*> by_name;
  for (const ErrorHistogram& histogram : histograms) {
    by_name[histogram.name] = &histogram;
  }
  for (std::size_t i = 0; i < page.rows.size(); ++i) {
    PageRow& row = page.rows[i];
    const auto found = by_name.find(row.name);
    if (found == by_name.end() || found->second->max_error == 0) continue;
    const std::vector<double>& metrics = rows[order[i]].metrics;
    row.details = {
        {"Mean absolute error", SignificantText(metrics.at(BNQ_METRIC_MAE), 4)},
        {"Mean squared error", SignificantText(metrics.at(BNQ_METRIC_MSE), 4)},
        {"Cosine similarity", FixedText(metrics.at(BNQ_METRIC_COSINE), 6)},
        {"KL divergence", SignificantText(found->second->kl, 4) + " nats"}};
    row.histogram = PageHistogramOf(*found->second);
  }
  page.notes = {LossNote(),
                "Errors: from minus to plus the greatest one of a tensor."};
  return page;
}

void PrintDiff(const Options& options, const std::vector<Row>& rows,
               const std::vector<ErrorHistogram>& histograms) {
  if (options.json) {
    Json object = {{"original", options.original}, {"other", options.other}};
    AddRows(object, rows, JsonRows::kReport);
    if (options.histograms != 0) AddHistograms(object, histograms);
    PrintJson(object);
  } else if (!options.session.quiet) {
    PrintTable(rows);
    for (const ErrorHistogram& histogram : histograms) {
      PrintHistogram(histogram, std::cout);
    }
  }
  PrintReportLine(options.report, options.json, options.session.quiet);
}

void Diff(const Options& options) {
  CheckBins(options);
  CheckReport(options.report, options.force, {options.original, options.other});
  Session session(options.session);
  bnq_report* created = nullptr;
  Check(bnq_compare_files(session.context(), options.original.c_str(),
                          options.other.c_str(), session.progress(),
                          session.opaque(), &created));
  const Report report(created);
  const std::vector<Row> rows = RowsOf(created);
  std::vector<ErrorHistogram> histograms;
  const std::size_t reported = options.report.empty() ? 0 : kReportedTensors;
  const std::size_t wanted =
      std::max<std::size_t>(options.histograms, reported);
  if (wanted != 0) histograms = Histograms(options, rows, wanted, session);
  if (!options.report.empty()) {
    WriteReport(session, options.report, options.force,
                PageOf(options, rows, histograms));
  }
  histograms.resize(
      std::min<std::size_t>(histograms.size(), options.histograms));
  PrintDiff(options, rows, histograms);
  session.Finish();
}

}  // namespace

void AddDiff(CLI::App& app) {
  const auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand(
      "diff", "Compare the tensors of two model files, worst first");
  command
      ->add_option("A", options->original,
                   "The original: a .safetensors, .safetensors.index.json, "
                   ".npy or .bnq file")
      ->required()
      ->option_text("FILE");
  command->add_option("B", options->other, "What it is compared with")
      ->required()
      ->option_text("FILE");
  command->add_flag("--json", options->json,
                    "Print one JSON object instead of the table");
  command
      ->add_option("--histogram", options->histograms,
                   "Of the N worst tensors also show the Kullback-Leibler "
                   "divergence of their values and a histogram of their errors "
                   "(default 0)")
      ->type_name("N");
  command
      ->add_option("--bins", options->bins,
                   "Bins of those histograms (" + std::to_string(kLeastBins) +
                       " to " + std::to_string(kMostBins) + "; default " +
                       std::to_string(options->bins) + ")")
      ->type_name("N");
  AddReportOption(*command, options->report);
  command->add_flag("--force", options->force,
                    "Replace an existing report; never an input");
  AddSessionOptions(*command, options->session);
  command->footer(
      "Examples:\n"
      "  bnq diff model.safetensors model.bnq\n"
      "  bnq diff model.safetensors model.bnq --histogram 3\n"
      "  bnq diff model.safetensors model.bnq --report diff.html\n"
      "  bnq diff int8.bnq nf4.bnq --json | jq .totals\n\n");
  command->callback([options] { Diff(*options); });
}

}  // namespace bnq::cli
