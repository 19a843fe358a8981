#include <iostream>
#include <memory>

#include "../commands.h"
#include "../config_options.h"
#include "../failure.h"
#include "../json.h"
#include "../plan_options.h"
#include "../rows.h"
#include "../session.h"
#include "../table.h"
#include "../text.h"

namespace bnq::cli {
namespace {

struct Options {
  std::string input;
  uint64_t max_shard_bytes = 0;
  bool json = false;
  ConfigOptions config;
  PlanOptions plan;
  SessionOptions session;
};

void PrintTable(const std::vector<Row>& rows, uint64_t file_bytes) {
  Table table({{"name", Table::kLeft},
               {"shape", Table::kRight},
               {"format", Table::kLeft},
               {"bits/weight", Table::kRight},
               {"before", Table::kRight},
               {"after", Table::kRight},
               {"note", Table::kLeft}});
  for (const Row& row : rows) {
    table.Add({Printable(row.name), ShapeText(row.shape), row.type(),
               FixedText(row.bits_per_weight, 3), BytesText(row.bytes_before),
               BytesText(row.bytes), Printable(row.note)});
  }
  const Totals totals = TotalsOf(rows);
  table.AddRule();
  std::vector<std::string> last = TotalCells(totals);
  last.push_back(BytesText(totals.bytes_before));
  last.push_back(BytesText(totals.bytes));
  table.Add(last);
  table.Print(std::cout);
  std::cout << "the file: " << file_bytes << " bytes\n";
}

void Estimate(const Options& options) {
  const Recipes recipes = LoadRecipes(options.config.recipes);
  const Config config = MakeConfig(options.config, recipes.get());
  Session session(options.session);
  const std::vector<Rule> rules =
      RulesOf(options.plan, config.get(), recipes.get());
  const Plan plan = MakePlan(rules, recipes.get());
  CheckRules(rules, plan.get(), options.input, session);
  uint64_t file_bytes = 0;
  bnq_report* created = nullptr;
  Check(bnq_estimate_file(session.context(), plan.get(), options.input.c_str(),
                          options.max_shard_bytes, &file_bytes, &created));
  const Report report(created);
  const std::vector<Row> rows = RowsOf(created);
  if (options.json) {
    Json object = {{"input", options.input}, {"file_bytes", file_bytes}};
    AddRows(object, rows, JsonRows::kReport);
    PrintJson(object);
  } else if (!options.session.quiet) {
    PrintTable(rows, file_bytes);
  }
  session.Finish();
}

}  // namespace

void AddEstimate(CLI::App& app) {
  const auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand(
      "estimate",
      "Say how large a quantized model would be, from its headers alone");
  command
      ->add_option("IN", options->input,
                   "A .safetensors file, the .safetensors.index.json of a "
                   "sharded one, or a .npy file")
      ->required()
      ->option_text("FILE");
  AddPlanOptions(*command, options->plan);
  command
      ->add_option("--max-shard-size", options->max_shard_bytes,
                   "As for quantize: count the files of a split output")
      ->transform(CLI::AsSizeValue(/*kb_is_1000=*/true))
      ->option_text("SIZE");
  command->add_flag("--json", options->json,
                    "Print one JSON object instead of the table");
  AddSessionOptions(*command, options->session);
  AddConfigOptions(*command, options->config);
  command->footer(
      "Examples:\n"
      "  bnq estimate model.safetensors --preset int4_per_group_32\n"
      "  bnq estimate model.safetensors --plan plan.txt\n\n");
  command->callback([options] { Estimate(*options); });
}

}  // namespace bnq::cli
