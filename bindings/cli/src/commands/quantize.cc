#include <iostream>
#include <memory>

#include "../commands.h"
#include "../config_options.h"
#include "../conversion.h"
#include "../failure.h"
#include "../plan_options.h"
#include "../session.h"
#include "../table.h"
#include "../text.h"

namespace bnq::cli {
namespace {

struct Options {
  ConversionOptions conversion;
  ConfigOptions config;
  PlanOptions plan;
  bool compress = false;
};

// What the plan gave each quantized tensor.
void AddConfigs(const bnq_plan* plan, std::vector<Row>& rows) {
  for (Row& row : rows) {
    if (!row.quantized()) continue;
    bnq_config* created = nullptr;
    Check(bnq_plan_match(plan, row.name.c_str(),
                         static_cast<int32_t>(row.shape.size()), nullptr,
                         &created));
    const Config config(created);
    row.config = ConfigText(created);
  }
}

void PrintTable(const std::vector<Row>& rows) {
  Table table({{"name", Table::kLeft},
               {"shape", Table::kRight},
               {"format", Table::kLeft},
               {"bits/weight", Table::kRight},
               {"before", Table::kRight},
               {"after", Table::kRight},
               {"SQNR dB", Table::kRight},
               {"note", Table::kLeft}});
  for (const Row& row : rows) {
    table.Add({Printable(row.name), ShapeText(row.shape), row.type(),
               FixedText(row.bits_per_weight, 3), BytesText(row.bytes_before),
               BytesText(row.bytes),
               FixedText(row.metrics.at(BNQ_METRIC_SQNR_DB), 2),
               Printable(row.note)});
  }
  const Totals totals = TotalsOf(rows);
  table.AddRule();
  table.Add({"total",
             std::to_string(totals.quantized) + " of " +
                 std::to_string(totals.tensors),
             "quantized", FixedText(totals.bits_per_weight, 3),
             BytesText(totals.bytes_before), BytesText(totals.bytes)});
  table.Print(std::cout);
}

void Quantize(const Options& options) {
  const char* output = OutputPath(options.conversion);
  const Config config = MakeConfig(options.config);
  const std::vector<Rule> rules = RulesOf(options.plan, config.get());
  const Plan plan = MakePlan(rules);
  bnq_report* created = nullptr;
  {
    const ConversionOptions& conversion = options.conversion;
    Session session(conversion.session);
    CheckRules(rules, plan.get(), conversion.input, session);
    const int32_t flags =
        WriteFlags(conversion) | (options.compress ? BNQ_WRITE_COMPRESS : 0);
    Check(bnq_quantize_file(session.context(), plan.get(),
                            conversion.input.c_str(), output, flags,
                            session.progress(), session.opaque(), &created));
  }
  const Report report(created);
  std::vector<Row> rows = RowsOf(created);
  AddConfigs(plan.get(), rows);
  PrintConversion(options.conversion, rows, PrintTable);
}

}  // namespace

void AddQuantize(CLI::App& app) {
  const auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand(
      "quantize", "Quantize a safetensors model into a .bnq file");
  AddConversionOptions(*command, options->conversion,
                       "A .safetensors file, or the .safetensors.index.json "
                       "of a sharded one",
                       "The .bnq file to write");
  AddPlanOptions(*command, options->plan);
  command->add_flag("--compress", options->compress,
                    "Compress the output (DEFLATE)");
  AddConfigOptions(*command, options->config);
  command->callback([options] { Quantize(*options); });
}

}  // namespace bnq::cli
