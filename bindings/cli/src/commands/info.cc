#include <iostream>
#include <memory>

#include "../commands.h"
#include "../failure.h"
#include "../handles.h"
#include "../json.h"
#include "../library_options.h"
#include "../table.h"

namespace bnq::cli {
namespace {

struct Format {
  std::string name, description;
  int64_t code_bits, min_code, max_code, min_group;
  bool asymmetric, integer, scaled;
};

std::vector<Format> Formats() {
  std::vector<Format> all;
  for (uint32_t i = 0; i < bnq_format_count(); ++i) {
    int32_t id = 0;
    Check(bnq_format_at(i, &id));
    const auto property = [id](int32_t which) {
      int64_t value = 0;
      Check(bnq_format_property(id, which, &value));
      return value;
    };
    all.push_back(
        {bnq_format_name(id), bnq_format_description(id),
         property(BNQ_FORMAT_CODE_BITS), property(BNQ_FORMAT_MIN_CODE),
         property(BNQ_FORMAT_MAX_CODE), property(BNQ_FORMAT_MIN_GROUP),
         property(BNQ_FORMAT_ASYMMETRIC) != 0,
         property(BNQ_FORMAT_INTEGER) != 0, property(BNQ_FORMAT_SCALED) != 0});
  }
  return all;
}

// The threads that --threads 0 stands for.
int32_t Processors() {
  bnq_context* created = nullptr;
  Check(bnq_context_create(nullptr, &created));
  const Context context(created);
  Check(bnq_context_set_threads(created, 0));
  return bnq_context_threads(created);
}

bool Active(const char* target) {
  return std::string(target) == bnq_target_active();
}

Json JsonOptions(const std::vector<LibraryOption>& options) {
  Json array = Json::array();
  for (const LibraryOption& option : options) {
    array.push_back({{"name", option.name},
                     {"values", option.values},
                     {"min", JsonNumber(option.min)},
                     {"max", JsonNumber(option.max)},
                     {"default", option.initial}});
  }
  return array;
}

void PrintOptions(const char* title,
                  const std::vector<LibraryOption>& options) {
  std::cout << '\n' << title << ":\n";
  Table table({{"name", Table::kLeft},
               {"default", Table::kLeft},
               {"values", Table::kLeft}});
  for (const LibraryOption& option : options) {
    table.Add(
        {option.name, option.initial,
         option.values.empty() ? option.range : Joined(option.values, ", ")});
  }
  table.Print(std::cout);
}

void PrintJsonInfo() {
  Json object = {{"version", bnq_version_string()},
                 {"abi_version", bnq_abi_version()},
                 {"threads", Processors()},
                 {"active_target", bnq_target_active()}};
  for (uint32_t i = 0; i < bnq_target_count(); ++i) {
    object["targets"].push_back({{"name", bnq_target_name(i)},
                                 {"supported", bnq_target_supported(i) != 0},
                                 {"active", Active(bnq_target_name(i))}});
  }
  for (const Format& format : Formats()) {
    object["formats"].push_back({{"name", format.name},
                                 {"description", format.description},
                                 {"code_bits", format.code_bits},
                                 {"min_code", format.min_code},
                                 {"max_code", format.max_code},
                                 {"min_group", format.min_group},
                                 {"asymmetric", format.asymmetric},
                                 {"integer", format.integer},
                                 {"scaled", format.scaled}});
  }
  object["options"] = JsonOptions(QuantizationOptions());
  object["calibration_options"] = JsonOptions(CalibrationOptions());
  for (uint32_t i = 0; i < bnq_metric_count(); ++i) {
    object["metrics"].push_back(bnq_metric_name(i));
  }
  for (uint32_t i = 0; i < bnq_statistic_count(); ++i) {
    object["statistics"].push_back(bnq_statistic_name(i));
  }
  PrintJson(object);
}

void PrintTextInfo() {
  std::cout << VersionLine() << "\nthreads: " << Processors()
            << "\n\nSIMD targets, best first:\n";
  Table targets({{"name", Table::kLeft}, {"state", Table::kLeft}});
  for (uint32_t i = 0; i < bnq_target_count(); ++i) {
    const char* name = bnq_target_name(i);
    targets.Add({name, Active(name)              ? "active"
                       : bnq_target_supported(i) ? "supported"
                                                 : "not supported"});
  }
  targets.Print(std::cout);

  std::cout << "\nFormats:\n";
  Table table({{"name", Table::kLeft},
               {"code bits", Table::kRight},
               {"codes", Table::kRight},
               {"least group", Table::kRight},
               {"asymmetric", Table::kLeft},
               {"description", Table::kLeft}});
  for (const Format& format : Formats()) {
    table.Add({format.name, std::to_string(format.code_bits),
               std::to_string(format.min_code) + ".." +
                   std::to_string(format.max_code),
               std::to_string(format.min_group),
               format.asymmetric ? "yes" : "no", format.description});
  }
  table.Print(std::cout);

  PrintOptions("Options", QuantizationOptions());
  PrintOptions("Calibration options", CalibrationOptions());
}

}  // namespace

std::string VersionLine() {
  return "bnq " + std::to_string(BNQ_VERSION_MAJOR) + "." +
         std::to_string(BNQ_VERSION_MINOR) + "." +
         std::to_string(BNQ_VERSION_PATCH) + " (libbnq " +
         bnq_version_string() + ", ABI " + std::to_string(bnq_abi_version()) +
         ")";
}

void AddInfo(CLI::App& app) {
  const auto json = std::make_shared<bool>(false);
  CLI::App* command = app.add_subcommand(
      "info", "Show the version, SIMD targets, threads, formats and options");
  command->add_flag("--json", *json, "Print one JSON object");
  command->callback([json] { *json ? PrintJsonInfo() : PrintTextInfo(); });
}

}  // namespace bnq::cli
