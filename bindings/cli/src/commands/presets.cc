#include <iostream>
#include <memory>

#include "../commands.h"
#include "../config_options.h"
#include "../json.h"
#include "../table.h"

namespace bnq::cli {
namespace {

std::string TextOfPreset(const std::string& name) {
  return ConfigText(ConfigFromText(name, "preset " + name).get());
}

void PrintJsonPresets() {
  Json presets = Json::array();
  for (uint32_t i = 0; i < bnq_preset_count(); ++i) {
    presets.push_back({{"name", bnq_preset_name(i)},
                       {"config", TextOfPreset(bnq_preset_name(i))},
                       {"description", bnq_preset_description(i)}});
  }
  PrintJson({{"presets", std::move(presets)}});
}

void PrintPresetTable() {
  Table table({{"name", Table::kLeft},
               {"config", Table::kLeft},
               {"description", Table::kLeft}});
  for (uint32_t i = 0; i < bnq_preset_count(); ++i) {
    table.Add({bnq_preset_name(i), TextOfPreset(bnq_preset_name(i)),
               bnq_preset_description(i)});
  }
  table.Print(std::cout);
}

}  // namespace

void AddPresets(CLI::App& app) {
  const auto json = std::make_shared<bool>(false);
  CLI::App* command = app.add_subcommand(
      "presets", "List the presets, the config each stands for and its use");
  command->add_flag("--json", *json, "Print one JSON object");
  command->footer(
      "Examples:\n"
      "  bnq presets\n"
      "  bnq quantize model.safetensors -o model.bnq --preset nf4\n\n");
  command->callback(
      [json] { *json ? PrintJsonPresets() : PrintPresetTable(); });
}

}  // namespace bnq::cli
