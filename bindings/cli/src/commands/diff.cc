#include <algorithm>
#include <cmath>
#include <iostream>
#include <limits>
#include <memory>
#include <numeric>

#include "../commands.h"
#include "../error_histogram.h"
#include "../failure.h"
#include "../json.h"
#include "../session.h"
#include "../table.h"
#include "../text.h"

namespace bnq::cli {
namespace {

struct Options {
  std::string original, other;
  bool json = false;
  uint32_t histograms = 0, bins = 256;
  SessionOptions session;
};

// What bnq_compare_histogram accepts.
constexpr uint32_t kLeastBins = 2, kMostBins = 65536;

// Where a row belongs in the table, the worst having the least: its SQNR;
// below all where the two could not be compared or are not numbers and differ;
// above all where there is no difference.
double Goodness(const Row& row) {
  const double sqnr = row.metrics.at(BNQ_METRIC_SQNR_DB);
  if (!std::isnan(sqnr)) return sqnr;
  const bool same =
      row.metrics.at(BNQ_METRIC_MSE) == 0 || Elements(row.shape) == 0;
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  return same ? kInfinity : -kInfinity;
}

// The rows' indices, the worst first.
std::vector<std::size_t> WorstFirst(const std::vector<Row>& rows) {
  std::vector<std::size_t> order(rows.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) {
                     return Goodness(rows[a]) < Goodness(rows[b]);
                   });
  return order;
}

// Of the worst tensors that can be compared, the worst first.
std::vector<ErrorHistogram> Histograms(const Options& options,
                                       const std::vector<Row>& rows,
                                       Session& session) {
  std::vector<ErrorHistogram> histograms;
  ErrorHistograms source(options.original, options.other, session);
  for (const std::size_t i : WorstFirst(rows)) {
    if (histograms.size() == options.histograms) break;
    session.Report(histograms.size(), options.histograms, rows[i].name);
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
  for (const std::size_t i : WorstFirst(rows)) {
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

void Diff(const Options& options) {
  CheckBins(options);
  std::vector<Row> rows;
  std::vector<ErrorHistogram> histograms;
  {
    bnq_report* created = nullptr;
    Session session(options.session);
    Check(bnq_compare_files(session.context(), options.original.c_str(),
                            options.other.c_str(), session.progress(),
                            session.opaque(), &created));
    const Report report(created);
    rows = RowsOf(created);
    if (options.histograms != 0) {
      histograms = Histograms(options, rows, session);
    }
  }
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
  AddSessionOptions(*command, options->session);
  command->footer(
      "Examples:\n"
      "  bnq diff model.safetensors model.bnq\n"
      "  bnq diff model.safetensors model.bnq --histogram 3\n"
      "  bnq diff int8.bnq nf4.bnq --json | jq .totals\n\n");
  command->callback([options] { Diff(*options); });
}

}  // namespace bnq::cli
