#include <iostream>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "../calibrate_page.h"
#include "../calibration_options.h"
#include "../calibration_rows.h"
#include "../commands.h"
#include "../failure.h"
#include "../json.h"
#include "../output_file.h"
#include "../report_option.h"
#include "../table.h"
#include "../text.h"

namespace bnq::cli {
namespace {

constexpr char kPictureEnding[] = ".svg";

struct Options {
  std::vector<std::string> inputs;
  std::string output, svg, report;
  std::optional<std::string> name;
  bool merge = false, dry_run = false, json = false, force = false;
  NamedOptions calibration;
  SessionOptions session;
};

struct Picture {
  std::string path, text;
};

// Whether no calibration file is to be written.
bool IsDryRun(const Options& options) {
  return options.dry_run || IsNullDevice(options.output);
}

Calibration Observed(const Options& options, Session& session) {
  Calibration set = MakeCalibration(options.calibration, !options.svg.empty());
  const char* name = options.name ? options.name->c_str() : nullptr;
  for (std::size_t i = 0; i < options.inputs.size(); ++i) {
    session.BeginPart(i, options.inputs.size());
    Check(bnq_calibration_observe_file(session.context(), set.get(),
                                       options.inputs[i].c_str(), name,
                                       session.progress(), session.opaque()));
  }
  session.BeginPart(0, 1);
  return set;
}

Calibration Merged(const Options& options, Session& session) {
  Calibration set = LoadCalibration(options.inputs.front(), session);
  for (std::size_t i = 1; i < options.inputs.size(); ++i) {
    const std::string& path = options.inputs[i];
    session.Report(i, options.inputs.size(), path);
    const Calibration other = LoadCalibration(path, session);
    const bnq_status status =
        bnq_calibration_merge(session.context(), set.get(), other.get());
    // Files that do not fit together are bad input, whoever chose them.
    if (status == BNQ_ERROR_INVALID_ARGUMENT ||
        status == BNQ_ERROR_UNSUPPORTED) {
      throw Failure(kBadInput,
                    "'" + path + "' cannot be merged: " + bnq_last_error());
    }
    Check(status);
  }
  for (const NamedOption& option : options.calibration) {
    if (option.option->count() == 0) continue;
    Reinterpret(set.get(), option.name, option.value, option.option->get_name(),
                options.inputs.front(), session);
  }
  return set;
}

// The pictures to be written; fails where something is in the way of one. Rows
// without a range have none.
std::vector<Picture> PicturesOf(bnq_context* context, const Options& options,
                                const bnq_calibration* set,
                                const std::vector<CalibrationRow>& rows) {
  std::vector<Picture> pictures;
  const bool single = EndsWith(options.svg, kPictureEnding);
  std::set<std::string> taken;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    // Names keep their numbers whether or not others have data.
    const std::string file = FileNameFor(rows[i].name, kPictureEnding, taken);
    if (!rows[i].has_range()) continue;
    const std::string path = single ? options.svg : options.svg + "/" + file;
    if (single && !pictures.empty()) {
      throw Failure(kUsage, "--svg '" + options.svg +
                                "' is one file, but there is more than one "
                                "tensor: give a directory");
    }
    CheckOutput(path, options.force, options.inputs);
    pictures.push_back(
        {path, PictureOf(context, rows[i], bnq_calibration_at(set, i),
                         options.inputs.front())});
  }
  return pictures;
}

// "" leaves the column out where it says nothing.
std::string ChannelsText(uint64_t channels) {
  return channels > 1 ? std::to_string(channels) : "";
}

std::string StatisticText(std::size_t statistic, double value) {
  if (statistic == BNQ_STATISTIC_COUNT) return FixedText(value, 0);
  const bool rare = statistic == BNQ_STATISTIC_NON_FINITE ||
                    statistic == BNQ_STATISTIC_OUTLIERS;
  if (rare) return value == 0 ? "" : FixedText(value, 0);
  return GeneralText(value, 4);
}

void PrintTable(const std::vector<CalibrationRow>& rows) {
  std::vector<Table::Column> columns = {{"name", Table::kLeft},
                                        {"batches", Table::kRight},
                                        {"channels", Table::kRight},
                                        {"low", Table::kRight},
                                        {"high", Table::kRight}};
  for (uint32_t s = 0; s < bnq_statistic_count(); ++s) {
    std::string title = bnq_statistic_name(s);
    for (char& c : title) c = c == '_' ? ' ' : c;
    columns.push_back({title, Table::kRight});
  }
  columns.push_back({"note", Table::kLeft});
  Table table(columns);
  for (const CalibrationRow& row : rows) {
    std::vector<std::string> cells = {
        Printable(row.name), std::to_string(row.batches),
        ChannelsText(row.channels),
        row.has_range() ? GeneralText(row.least(), 6) : "-",
        row.has_range() ? GeneralText(row.greatest(), 6) : "-"};
    for (uint32_t s = 0; s < bnq_statistic_count(); ++s) {
      cells.push_back(
          s < row.statistics.size() ? StatisticText(s, row.statistics[s]) : "");
    }
    cells.push_back(Printable(row.note));
    table.Add(std::move(cells));
  }
  table.Print(std::cout);
}

Json JsonOptions(const bnq_calibration* set) {
  Json object = Json::object();
  const bnq_options* const options =
      bnq_calibrator_options(bnq_calibration_at(set, 0));
  if (options == nullptr) return object;
  for (const LibraryOption& option : LibraryOptions(BNQ_OPTIONS_CALIBRATOR)) {
    const std::string text = OptionText(options, option.name);
    if (!option.values.empty()) {
      object[option.name] = text;
    } else if (option.integer) {
      int64_t value = 0;
      Check(bnq_options_get_int(options, option.id, &value));
      object[option.name] = value;
    } else {
      double value = 0;
      Check(bnq_options_get_float(options, option.id, &value));
      object[option.name] = JsonNumber(value);
    }
  }
  return object;
}

void PrintJsonReport(const Options& options, const bnq_calibration* set,
                     const std::vector<CalibrationRow>& rows,
                     const std::vector<Picture>& pictures) {
  Json tensors = Json::array();
  for (const CalibrationRow& row : rows) {
    Json tensor = {{"name", row.name},
                   {"batches", row.batches},
                   {"channels", row.channels},
                   {"low", row.low},
                   {"high", row.high}};
    Json statistics = Json::object();
    for (std::size_t s = 0; s < row.statistics.size(); ++s) {
      statistics[bnq_statistic_name(static_cast<uint32_t>(s))] =
          JsonNumber(row.statistics[s]);
    }
    tensor["statistics"] = std::move(statistics);
    if (!row.note.empty()) tensor["note"] = row.note;
    tensors.push_back(std::move(tensor));
  }
  Json files = Json::array();
  for (const Picture& picture : pictures) files.push_back(picture.path);
  PrintJson({{"inputs", options.inputs},
             {"output",
              options.output.empty() ? Json(nullptr) : Json(options.output)},
             {"dry_run", IsDryRun(options)},
             {"options", JsonOptions(set)},
             {"pictures", std::move(files)},
             {"tensors", std::move(tensors)}});
}

int32_t Overwrite(const Options& options) {
  return options.force ? BNQ_WRITE_OVERWRITE : 0;
}

void CheckOptions(const Options& options) {
  if (options.output.empty() && !options.dry_run) {
    throw Failure(kUsage, "--output is required, unless --dry-run is given");
  }
  if (options.name && options.name->empty()) {
    throw Failure(kUsage, "--name is empty");
  }
  if (options.name && options.merge) {
    throw Failure(kUsage,
                  "--name is of batches; --merge takes the names from the "
                  "calibration files");
  }
  if (!options.output.empty() && !IsNullDevice(options.output)) {
    CheckOutput(options.output, options.force, options.inputs);
  }
  if (!options.output.empty() && options.output == options.svg) {
    throw Failure(kUsage, "--svg and --output are the same file");
  }
  CheckReport(options.report, options.force, options.inputs,
              {options.output, options.svg});
}

void PrintReport(const Options& options, const bnq_calibration* set,
                 const std::vector<CalibrationRow>& rows,
                 const std::vector<Picture>& pictures) {
  if (options.json) {
    PrintJsonReport(options, set, rows, pictures);
    return;
  }
  if (options.session.quiet) return;
  PrintTable(rows);
  if (!IsDryRun(options)) {
    std::cout << "wrote " << Printable(options.output) << '\n';
  }
  if (!pictures.empty()) {
    std::cout << "wrote " << pictures.size()
              << (pictures.size() == 1 ? " picture: " : " pictures: ")
              << Printable(options.svg) << '\n';
  }
  PrintReportLine(options.report, options.json, options.session.quiet);
}

void Calibrate(const Options& options) {
  CheckOptions(options);
  NewDirectory directory;  // outlives the outputs in it
  Session session(options.session);
  const Calibration set =
      options.merge ? Merged(options, session) : Observed(options, session);
  const std::vector<CalibrationRow> rows = RowsOf(set.get(), session);
  std::vector<Picture> pictures;
  if (!options.svg.empty())
    pictures = PicturesOf(session.context(), options, set.get(), rows);
  session.CheckCancelled();
  if (!IsDryRun(options)) {
    Check(bnq_calibration_save(session.context(), set.get(),
                               options.output.c_str(), Overwrite(options)));
  }
  if (!options.svg.empty() && !EndsWith(options.svg, kPictureEnding)) {
    directory.Make(options.svg);
  }
  for (const Picture& picture : pictures) {
    // Others may foresee the names in a directory.
    Check(bnq_write_file(session.context(), picture.path.c_str(),
                         picture.text.data(), picture.text.size(),
                         BNQ_WRITE_REPLACE_LINK | Overwrite(options)));
  }
  if (!options.report.empty()) {
    WriteReport(
        session, options.report, options.force,
        CalibratePage(options.inputs, IsDryRun(options) ? "" : options.output,
                      set.get(), rows, session));
  }
  PrintReport(options, set.get(), rows, pictures);
  session.Finish();
  directory.Keep();
}

}  // namespace

void AddCalibrate(CLI::App& app) {
  const auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand(
      "calibrate", "Find the ranges of activations from batches of them");
  command
      ->add_option("DATA", options->inputs,
                   ".npy and .safetensors files, or directories of them; with "
                   "--merge, files that calibrate has written")
      ->required()
      ->option_text("FILE...");
  command
      ->add_option("-o,--output", options->output,
                   "The calibration file to write, for quantize --calibration; "
                   "required, except with --dry-run")
      ->option_text("FILE");
  command
      ->add_option("--name", options->name,
                   "Take every array as a batch of NAME, whatever the arrays "
                   "and files are named")
      ->option_text("NAME");
  command->add_flag("--merge", options->merge,
                    "Put calibration files together, or look at one again with "
                    "another --method");
  command
      ->add_option("--svg", options->svg,
                   "Draw the histogram of each tensor and its range into a "
                   "directory, or that of the only one into a file *.svg")
      ->option_text("PATH");
  AddReportOption(*command, options->report);
  command->add_flag("--dry-run", options->dry_run,
                    "Do everything but write the calibration file");
  command->add_flag("--force", options->force,
                    "Replace existing outputs; never an input");
  command->add_flag("--json", options->json,
                    "Print one JSON object instead of the table");
  AddSessionOptions(*command, options->session);
  AddCalibrationOptions(*command, options->calibration);
  command->footer(
      "Examples:\n"
      "  bnq calibrate activations/ -o calibration.bnq\n"
      "  bnq calibrate batch*.npy --name layers.0 -o layers.0.bnq --method kl\n"
      "  bnq calibrate --merge a.bnq b.bnq -o all.bnq --svg pictures\n"
      "  bnq quantize model.safetensors -o model.bnq --calibration "
      "calibration.bnq\n\n");
  command->callback([options] { Calibrate(*options); });
}

}  // namespace bnq::cli
