#include <algorithm>
#include <cmath>
#include <iostream>
#include <limits>
#include <memory>

#include "../commands.h"
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
  SessionOptions session;
};

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

void PrintTable(std::vector<Row> rows) {
  std::stable_sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) {
    return Goodness(a) < Goodness(b);
  });
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
  for (const Row& row : rows) {
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

void Diff(const Options& options) {
  bnq_report* created = nullptr;
  {
    Session session(options.session);
    Check(bnq_compare_files(session.context(), options.original.c_str(),
                            options.other.c_str(), session.progress(),
                            session.opaque(), &created));
  }
  const Report report(created);
  std::vector<Row> rows = RowsOf(created);
  if (options.json) {
    Json object = {{"original", options.original}, {"other", options.other}};
    AddRows(object, rows, JsonRows::kReport);
    PrintJson(object);
  } else if (!options.session.quiet) {
    PrintTable(std::move(rows));
  }
}

}  // namespace

void AddDiff(CLI::App& app) {
  const auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand(
      "diff", "Compare the tensors of two model files, worst first");
  command
      ->add_option("A", options->original,
                   "The original: a .safetensors, .safetensors.index.json or "
                   ".bnq file")
      ->required()
      ->option_text("FILE");
  command->add_option("B", options->other, "What it is compared with")
      ->required()
      ->option_text("FILE");
  command->add_flag("--json", options->json,
                    "Print one JSON object instead of the table");
  AddSessionOptions(*command, options->session);
  command->callback([options] { Diff(*options); });
}

}  // namespace bnq::cli
