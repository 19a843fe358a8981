#include <iostream>
#include <memory>

#include "../commands.h"
#include "../config_options.h"
#include "../failure.h"
#include "../handles.h"
#include "../json.h"
#include "../session.h"
#include "../table.h"
#include "../text.h"

namespace bnq::cli {
namespace {

struct Options {
  std::string input;
  bool json = false, raw = false;
  SessionOptions session;
};

const char* KindName(const bnq_file* file) {
  switch (bnq_file_kind(file)) {
    case BNQ_FILE_SAFETENSORS:
      return "safetensors";
    case BNQ_FILE_BNQ:
      return "bnq";
    case BNQ_FILE_SAFETENSORS_INDEX:
      return "safetensors-index";
    case BNQ_FILE_NPY:
      return "npy";
    case BNQ_FILE_BNQ_INDEX:
      return "bnq-index";
    case BNQ_FILE_GGUF:
      return "gguf";
    default:
      return "unknown";
  }
}

// Outliers and saturated scales are known only from the data, so tensors whose
// config rules both out are not read.
void AddDetails(const bnq_file* file, Session& session,
                std::vector<Row>& rows) {
  for (uint64_t i = 0; i < rows.size(); ++i) {
    Row& row = rows[i];
    session.Report(i, rows.size(), row.name);
    if (!row.quantized()) continue;
    bnq_config* created = nullptr;
    Check(bnq_file_config(file, i, &created));
    const Config config(created);
    row.config = ConfigText(created);

    int64_t scale_dtype = BNQ_SCALE_DTYPE_F32;
    double outlier_threshold = 0;
    Check(bnq_options_get_int(bnq_config_options(created), BNQ_OPT_SCALE_DTYPE,
                              &scale_dtype));
    Check(bnq_options_get_float(bnq_config_options(created),
                                BNQ_OPT_OUTLIER_THRESHOLD, &outlier_threshold));
    if (scale_dtype == BNQ_SCALE_DTYPE_F32 && outlier_threshold == 0) continue;
    bnq_tensor* read = nullptr;
    Check(bnq_file_tensor(session.context(), file, i, &read));
    const Tensor tensor(read);
    row.saturated_scales = bnq_tensor_saturated_scales(read);
    bnq_part columns;
    Check(bnq_tensor_part(read, BNQ_PART_OUTLIER_COLUMNS, &columns));
    row.outlier_columns = columns.count;
  }
}

// "" leaves the column out where no tensor has any.
std::string CountText(uint64_t count) {
  return count == 0 ? "" : std::to_string(count);
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
               {"bytes", Table::kRight},
               {"outlier columns", Table::kRight},
               {"saturated scales", Table::kRight},
               {"config", Table::kLeft},
               {"note", Table::kLeft}});
  for (const Row& row : rows) {
    table.Add({Printable(row.name), ShapeText(row.shape), row.type(),
               FixedText(row.bits_per_weight, 3), BytesText(row.bytes),
               CountText(row.outlier_columns), CountText(row.saturated_scales),
               row.config, Printable(row.note)});
  }
  const Totals totals = TotalsOf(rows);
  table.AddRule();
  std::vector<std::string> last = TotalCells(totals);
  last.push_back(BytesText(totals.bytes));
  table.Add(last);
  table.Print(std::cout);
}

void Inspect(const Options& options) {
  bnq_file* opened = nullptr;
  File file;
  std::vector<Row> rows;
  {
    Session session(options.session);
    Check(bnq_file_open(session.context(), options.input.c_str(),
                        options.raw ? BNQ_OPEN_RAW : 0, &opened));
    file.reset(opened);
    rows = RowsOf(opened);
    AddDetails(opened, session, rows);
  }
  if (!options.json) {
    if (!options.session.quiet) PrintReport(options, opened, rows);
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
                   "A .safetensors, .safetensors.index.json, .npy or .bnq file")
      ->required()
      ->option_text("FILE");
  command->add_flag("--json", options->json,
                    "Print one JSON object instead of the table");
  command->add_flag("--raw", options->raw,
                    "The arrays of the file as they are, also where several "
                    "of them are a quantized tensor of another ecosystem");
  AddSessionOptions(*command, options->session);
  command->footer(
      "Examples:\n"
      "  bnq inspect model.bnq\n"
      "  bnq inspect model.safetensors.index.json --json | jq .totals\n\n");
  command->callback([options] { Inspect(*options); });
}

}  // namespace bnq::cli
