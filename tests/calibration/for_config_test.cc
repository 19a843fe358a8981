#include "core/calibration/for_config.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "core/scheme/registry.h"
#include "tests/io/io_test_util.h"

namespace bnq {
namespace {

// Of every format: scheme, channels and bits are the config's, all else is at
// its default.
TEST(ForConfig, IsTheConfigsAndNothingElse) {
  for (int f = 0; f < NumFormats(); ++f) {
    const std::string name = FormatAt(f).name;
    const uint64_t bits = CodeBits(FormatAt(f).packing);
    const std::map<std::string, std::string> expected = {
        {"granularity", "channel"},
        {"axis", "-2"},
        {"scheme", "asymmetric"},
        {"bits", std::to_string(bits < 2 ? 2 : bits)}};
    const CalibrationOptions options = OptionsFor(Config::FromText(
        "granularity=channel,axis=-2,scheme=asymmetric,clip=3,format=" + name));
    for (const OptionInfo& info : CalibrationOptions::Table()) {
      const auto found = expected.find(info.name);
      EXPECT_EQ(options.GetText(info.name),
                found != expected.end()
                    ? found->second
                    : CalibrationOptions().GetText(info.name))
          << name << " " << info.name;
    }
  }
  EXPECT_EQ(OptionsFor(Config::FromText("int8_symmetric")).GetText("scheme"),
            "symmetric");
  // An offset takes the range of the values, as a zero point does.
  EXPECT_EQ(OptionsFor(Config::FromText(
                           "format=int4,granularity=tensor,scheme=offset"))
                .GetText("scheme"),
            "asymmetric");
}

TEST(ForConfig, RefusesRangesThatOnlyValuesHave) {
  for (const char* granularity : {"group", "token", "block", "tile"}) {
    EXPECT_TRUE(FailsWith(
        Status::kInvalidArgument,
        std::string("granularity = ") + granularity +
            ", must be tensor or channel",
        [&] {
          OptionsFor(Config::FromText(std::string("format=int8,granularity=") +
                                      granularity));
        }));
  }
}

}  // namespace
}  // namespace bnq
