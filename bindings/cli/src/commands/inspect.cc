#include <iostream>
#include <memory>

#include "../commands.h"
#include "../failure.h"
#include "../handles.h"
#include "../json.h"
#include "../table.h"
#include "../text.h"

namespace bnq::cli {
namespace {

struct Options {
  std::string input;
  bool json = false;
};

const char* KindName(const bnq_file* file) {
  switch (bnq_file_kind(file)) {
    case BNQ_FILE_SAFETENSORS:
      return "safetensors";
    case BNQ_FILE_BNQ:
      return "bnq";
    case BNQ_FILE_SAFETENSORS_INDEX:
      return "safetensors-index";
    default:
      return "unknown";
  }
}

void PrintReport(const Options& options, const bnq_file* file,
                 const std::vector<Row>& rows) {
  std::cout << Printable(options.input) << ": " << KindName(file) << '\n';
  for (uint64_t i = 0; i < bnq_file_metadata_count(file); ++i) {
    std::cout << "metadata: " << Printable(bnq_file_metadata_key(file, i))
              << " = " << Printable(bnq_file_metadata_value(file, i)) << '\n';
  }
  Table table({{"name", Table::kLeft},
               {"shape", Table::kRight},
               {"format", Table::kLeft},
               {"bits/weight", Table::kRight},
               {"bytes", Table::kRight}});
  for (const Row& row : rows) {
    table.Add({Printable(row.name), ShapeText(row.shape), row.type(),
               FixedText(row.bits_per_weight, 3), BytesText(row.bytes)});
  }
  const Totals totals = TotalsOf(rows);
  table.AddRule();
  table.Add({"total",
             std::to_string(totals.quantized) + " of " +
                 std::to_string(totals.tensors),
             "quantized", FixedText(totals.bits_per_weight, 3),
             BytesText(totals.bytes)});
  table.Print(std::cout);
}

void Inspect(const Options& options) {
  bnq_file* opened = nullptr;
  Check(bnq_file_open(nullptr, options.input.c_str(), &opened));
  const File file(opened);
  const std::vector<Row> rows = RowsOf(opened);
  if (!options.json) {
    PrintReport(options, opened, rows);
    return;
  }
  Json metadata = Json::object();
  for (uint64_t i = 0; i < bnq_file_metadata_count(opened); ++i) {
    metadata[bnq_file_metadata_key(opened, i)] =
        bnq_file_metadata_value(opened, i);
  }
  Json object = {{"file", options.input},
                 {"kind", KindName(opened)},
                 {"metadata", std::move(metadata)}};
  AddRows(object, rows, JsonRows::kFile);
  PrintJson(object);
}

}  // namespace

void AddInspect(CLI::App& app) {
  const auto options = std::make_shared<Options>();
  CLI::App* command =
      app.add_subcommand("inspect", "List what is in a model file");
  command
      ->add_option("FILE", options->input,
                   "A .safetensors, .safetensors.index.json or .bnq file")
      ->required()
      ->option_text("FILE");
  command->add_flag("--json", options->json,
                    "Print one JSON object instead of the table");
  command->callback([options] { Inspect(*options); });
}

}  // namespace bnq::cli
