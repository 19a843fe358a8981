#include <iostream>
#include <memory>
#include <set>
#include <vector>

#include "../calibration_options.h"
#include "../calibration_rows.h"
#include "../commands.h"
#include "../failure.h"
#include "../json.h"
#include "../output_file.h"
#include "../table.h"
#include "../text.h"

namespace bnq::cli {
namespace {

constexpr char kPictureEnding[] = ".svg";

struct Options {
  std::vector<std::string> inputs;
  std::string output, svg;
  bool merge = false, dry_run = false, json = false, force = false;
  NamedOptions calibration;
  SessionOptions session;
};

struct Picture {
  std::string path, text;
};

bool EndsWith(const std::string& text, const std::string& ending) {
  return text.size() >= ending.size() &&
         text.compare(text.size() - ending.size(), ending.size(), ending) == 0;
}

Calibration Observed(const Options& options, Session& session) {
  Calibration set = MakeCalibration(options.calibration, !options.svg.empty());
  for (const std::string& path : options.inputs) {
    Check(bnq_calibration_observe_file(session.context(), set.get(),
                                       path.c_str(), session.progress(),
                                       session.opaque()));
  }
  return set;
}

Calibration Merged(const Options& options, Session& session) {
  Calibration set = LoadCalibration(options.inputs.front(), session);
  for (std::size_t i = 1; i < options.inputs.size(); ++i) {
    const std::string& path = options.inputs[i];
    const Calibration other = LoadCalibration(path, session);
    session.CheckCancelled();
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

// The pictures, which nothing is in the way of. Rows without a range have none.
std::vector<Picture> PicturesOf(const Options& options,
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
    pictures.push_back({path, PictureOf(rows[i], bnq_calibration_at(set, i),
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
             {"dry_run", options.dry_run},
             {"options", JsonOptions(set)},
             {"pictures", std::move(files)},
             {"tensors", std::move(tensors)}});
}

void Calibrate(const Options& options) {
  if (options.output.empty() && !options.dry_run) {
    throw Failure(kUsage, "--output is required, unless --dry-run is given");
  }
  if (!options.output.empty()) {
    CheckOutput(options.output, options.force, options.inputs);
  }
  if (!options.output.empty() && options.output == options.svg) {
    throw Failure(kUsage, "--svg and --output are the same file");
  }
  Calibration set;
  std::vector<CalibrationRow> rows;
  std::vector<Picture> pictures;
  {
    Session session(options.session);
    set = options.merge ? Merged(options, session) : Observed(options, session);
    rows = RowsOf(set.get(), session);
    if (!options.svg.empty()) pictures = PicturesOf(options, set.get(), rows);
    session.CheckCancelled();
    if (!options.dry_run) {
      Check(bnq_calibration_save(session.context(), set.get(),
                                 options.output.c_str(),
                                 options.force ? BNQ_WRITE_OVERWRITE : 0));
    }
    if (!options.svg.empty() && !EndsWith(options.svg, kPictureEnding)) {
      MakeDirectory(options.svg);
    }
    for (const Picture& picture : pictures) {
      WriteTextFile(picture.path, picture.text);
    }
  }
  if (options.json) {
    PrintJsonReport(options, set.get(), rows, pictures);
  } else if (!options.session.quiet) {
    PrintTable(rows);
    if (!options.dry_run) {
      std::cout << "wrote " << Printable(options.output) << '\n';
    }
    if (!pictures.empty()) {
      std::cout << "wrote " << pictures.size()
                << (pictures.size() == 1 ? " picture: " : " pictures: ")
                << Printable(options.svg) << '\n';
    }
  }
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
  command->add_flag("--merge", options->merge,
                    "Put calibration files together, or look at one again with "
                    "another --method");
  command
      ->add_option("--svg", options->svg,
                   "Draw the histogram of each tensor and its range into a "
                   "directory, or that of the only one into a file *.svg")
      ->option_text("PATH");
  command->add_flag("--dry-run", options->dry_run,
                    "Do everything but write the calibration file");
  command->add_flag("--force", options->force,
                    "Replace existing outputs; never an input");
  command->add_flag("--json", options->json,
                    "Print one JSON object instead of the table");
  AddSessionOptions(*command, options->session);
  AddCalibrationOptions(*command, options->calibration);
  command->callback([options] { Calibrate(*options); });
}

}  // namespace bnq::cli
