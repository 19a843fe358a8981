#include "core/scheme/presets.h"

#include <gtest/gtest.h>

#include <set>

#include "core/base/error.h"
#include "core/scheme/config.h"
#include "core/scheme/registry.h"
#include "core/scheme/support.h"

namespace bnq {
namespace {

// A preset is a config that its format supports, and no other preset's.
TEST(Presets, AreUsableAndDistinct) {
  ASSERT_GE(NumPresets(), 10);
  std::set<std::string> names, texts;
  std::string listed;
  for (int i = 0; i < NumPresets(); ++i) {
    const Preset& preset = PresetAt(i);
    SCOPED_TRACE(preset.name);
    EXPECT_TRUE(names.insert(preset.name).second);
    EXPECT_EQ(FindPreset(preset.name), &preset);
    EXPECT_NE(std::string(preset.description), "");
    const Config config = Config::FromText(preset.text);
    const Format* format = FindFormat(config.format());
    ASSERT_NE(format, nullptr);
    EXPECT_NO_THROW(CheckSupported(*format, config));
    texts.insert(config.ToText());
    listed += (i == 0 ? "" : ", ") + std::string(preset.name);
  }
  EXPECT_EQ(PresetNames(), listed);
  // The name of a preset is its text, too.
  EXPECT_TRUE(Config::FromText("nf4_double_quant") ==
              Config::FromText(FindPreset("nf4_double_quant")->text));
  EXPECT_EQ(FindPreset("nf5"), nullptr);
  EXPECT_EQ(FindPreset(""), nullptr);
}

}  // namespace
}  // namespace bnq
