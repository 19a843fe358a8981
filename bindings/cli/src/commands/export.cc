#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "../commands.h"
#include "../conversion.h"
#include "../failure.h"
#include "../handles.h"
#include "../library_options.h"
#include "../table.h"
#include "../text.h"

namespace bnq::cli {
namespace {

using Interchange = Handle<bnq_interchange, bnq_interchange_destroy>;

struct Options {
  ConversionOptions conversion;
  std::string layout, metadata_from;
  bool requantize = false, compress = false;
  NamedOptions named;
};

std::vector<std::string> LayoutsThat(int32_t flag) {
  std::vector<std::string> names;
  for (uint32_t i = 0; bnq_layout_name(i) != nullptr; ++i) {
    if ((bnq_layout_flags(i) & flag) != 0) names.push_back(bnq_layout_name(i));
  }
  return names;
}

void AddInterchangeOptions(CLI::App& command, NamedOptions& named) {
  AddNamedOptions(
      command, LibraryOptions(BNQ_OPTIONS_INTERCHANGE),
      [](const LibraryOption& option) { return " " + option.initial; }, named);
}

Interchange MakeInterchange(const Options& options) {
  bnq_interchange* created = nullptr;
  Check(bnq_interchange_create(&created));
  Interchange interchange(created);
  for (const NamedOption& option : options.named) {
    if (option.option->count() == 0) continue;
    CheckUsage(bnq_options_set_text(bnq_interchange_settings(created),
                                    option.name.c_str(), option.value.c_str()),
               option.option->get_name());
  }
  Check(bnq_interchange_set_metadata_from(created,
                                          options.metadata_from.c_str()));
  return interchange;
}

// How many tensors have each verdict, and how many stay as they are.
void PrintVerdicts(const std::vector<Row>& rows) {
  std::map<std::string, uint64_t> counts;
  uint64_t plain = 0;
  for (const Row& row : rows) {
    if (row.verdict.empty()) {
      ++plain;
    } else {
      ++counts[row.verdict];
    }
  }
  for (const auto& [verdict, count] : counts) {
    std::cout << count << ' ' << verdict << ", ";
  }
  std::cout << plain << " not quantized\n";
}

void PrintTable(const bnq_report* /*report*/, const std::vector<Row>& rows) {
  Table table({{"name", Table::kLeft},
               {"shape", Table::kRight},
               {"type", Table::kLeft},
               {"before", Table::kRight},
               {"after", Table::kRight},
               {"verdict", Table::kLeft},
               {"note", Table::kLeft}});
  for (const Row& row : rows) {
    table.Add({Printable(row.name), ShapeText(row.shape), row.type(),
               BytesText(row.bytes_before), BytesText(row.bytes), row.verdict,
               Printable(row.note)});
  }
  const Totals totals = TotalsOf(rows);
  table.AddRule();
  table.Add({"total", std::to_string(totals.tensors), "",
             BytesText(totals.bytes_before), BytesText(totals.bytes)});
  table.Print(std::cout);
  PrintVerdicts(rows);
}

void PrintImported(const bnq_report* /*report*/, const std::vector<Row>& rows) {
  Table table({{"name", Table::kLeft},
               {"shape", Table::kRight},
               {"format", Table::kLeft},
               {"bits/weight", Table::kRight},
               {"before", Table::kRight},
               {"after", Table::kRight},
               {"from", Table::kLeft}});
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
}

void Export(const Options& options) {
  const ConversionOptions& conversion = options.conversion;
  const char* output = OutputPath(conversion);
  const Interchange interchange = MakeInterchange(options);
  Session session(conversion.session);
  bnq_report* created = nullptr;
  const int32_t flags =
      WriteFlags(conversion) | (options.requantize ? BNQ_WRITE_REQUANTIZE : 0);
  Check(bnq_export_file(session.context(), interchange.get(),
                        options.layout.c_str(), conversion.input.c_str(),
                        output, flags, conversion.max_shard_bytes,
                        session.progress(), session.opaque(), &created));
  const Report report(created);
  PrintConversion(conversion, created, RowsOf(created), PrintTable);
  session.Finish();
}

void Import(const Options& options) {
  const ConversionOptions& conversion = options.conversion;
  const char* output = OutputPath(conversion);
  const Interchange interchange = MakeInterchange(options);
  Session session(conversion.session);
  bnq_report* created = nullptr;
  const int32_t flags =
      WriteFlags(conversion) | (options.compress ? BNQ_WRITE_COMPRESS : 0);
  Check(bnq_import_file(session.context(), interchange.get(),
                        conversion.input.c_str(), output, flags,
                        conversion.max_shard_bytes, session.progress(),
                        session.opaque(), &created));
  const Report report(created);
  PrintConversion(conversion, created, RowsOf(created), PrintImported);
  session.Finish();
}

std::string LayoutHelp() {
  std::string help = "Layout to write:";
  for (uint32_t i = 0; bnq_layout_name(i) != nullptr; ++i) {
    if ((bnq_layout_flags(i) & BNQ_LAYOUT_WRITTEN) == 0) continue;
    help += std::string(help.back() == ':' ? " " : "; ") + bnq_layout_name(i) +
            ": " + bnq_layout_description(i);
  }
  return help;
}

}  // namespace

void AddExport(CLI::App& app) {
  const auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand(
      "export", "Write a model as programs of other ecosystems load it");
  AddConversionOptions(*command, options->conversion,
                       "The model: a file or a folder of any kind",
                       "The file or folder to write", /*resumable=*/false);
  command->add_option("--to", options->layout, LayoutHelp())
      ->required()
      ->option_text(Joined(LayoutsThat(BNQ_LAYOUT_WRITTEN), "|"));
  command->add_flag("--requantize", options->requantize,
                    "Quantize anew, as closely as it can, what the layout "
                    "cannot hold otherwise");
  command
      ->add_option("--metadata-from", options->metadata_from,
                   "Of GGUF: a GGUF file of the same model, to take its keys "
                   "and names from")
      ->option_text("FILE");
  AddInterchangeOptions(*command, options->named);
  command->footer(
      "Examples:\n"
      "  bnq export model --to compressed-tensors -o model-vllm\n"
      "  bnq export model.bnq --to gguf --metadata-from other.gguf "
      "-o model.gguf\n"
      "  bnq export model.bnq --to mlx --dry-run\n\n");
  command->callback([options] { Export(*options); });
}

void AddImport(CLI::App& app) {
  const auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand(
      "import", "Write a model of another ecosystem as a .bnq file");
  AddConversionOptions(*command, options->conversion,
                       "The model: a file or a folder in any layout",
                       "The .bnq file, or folder, to write");
  command->add_flag("--compress", options->compress,
                    "DEFLATE the data, which then cannot be mapped");
  AddInterchangeOptions(*command, options->named);
  command->footer(
      "Examples:\n"
      "  bnq import model.gguf -o model.bnq\n"
      "  bnq import model-gptq -o model-bnq\n\n");
  command->callback([options] { Import(*options); });
}

}  // namespace bnq::cli
