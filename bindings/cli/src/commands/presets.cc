#include <algorithm>
#include <cmath>
#include <iostream>
#include <memory>

#include "../commands.h"
#include "../config_options.h"
#include "../failure.h"
#include "../json.h"
#include "../table.h"
#include "../text.h"

namespace bnq::cli {
namespace {

struct Preset {
  std::string name, config, description;
  double bits;
};

std::vector<Preset> Presets() {
  std::vector<Preset> all;
  for (uint32_t i = 0; i < bnq_preset_count(); ++i) {
    const std::string name = bnq_preset_name(i);
    const Config config = ConfigFromText(name, "preset " + name);
    double bits = 0;
    Check(bnq_config_bits_per_weight(config.get(), &bits));
    all.push_back(
        {name, ConfigText(config.get()), bnq_preset_description(i), bits});
  }
  return all;
}

void PrintJsonPresets() {
  Json presets = Json::array();
  for (const Preset& preset : Presets()) {
    presets.push_back({{"name", preset.name},
                       {"bits_per_weight", preset.bits},
                       {"config", preset.config},
                       {"description", preset.description}});
  }
  PrintJson({{"presets", std::move(presets)}});
}

// Sorted by bits, with a heading for each whole number of them.
void PrintPresetTable() {
  Table table({{"name", Table::kLeft},
               {"bits", Table::kRight},
               {"config", Table::kLeft},
               {"description", Table::kLeft}});
  std::vector<Preset> all = Presets();
  std::stable_sort(
      all.begin(), all.end(),
      [](const Preset& a, const Preset& b) { return a.bits < b.bits; });
  double group = -1;
  for (const Preset& preset : all) {
    if (std::floor(preset.bits) != group) {
      group = std::floor(preset.bits);
      table.AddHeading(FixedText(group, 0) + " to " + FixedText(group + 1, 0) +
                       " bits a weight:");
    }
    table.Add({preset.name, FixedText(preset.bits, 2), preset.config,
               preset.description});
  }
  table.Print(std::cout);
}

}  // namespace

void AddPresets(CLI::App& app) {
  const auto json = std::make_shared<bool>(false);
  CLI::App* command = app.add_subcommand(
      "presets",
      "List the presets by bits, the config each stands for and its use");
  command->add_flag("--json", *json, "Print one JSON object");
  command->footer(
      "Examples:\n"
      "  bnq presets\n"
      "  bnq quantize model.safetensors -o model.bnq --preset nf4\n\n");
  command->callback(
      [json] { *json ? PrintJsonPresets() : PrintPresetTable(); });
}

}  // namespace bnq::cli
