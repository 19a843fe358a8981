// What the library says of formats beforehand is what it does.
#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "bnq/bnq.h"
#include "capi_test_util.h"

namespace {

using bnq_test::Expect;

struct Setting {
  std::string option, value;
};

std::string TextOf(double value) {
  const int64_t integer = static_cast<int64_t>(value);
  return static_cast<double>(integer) == value ? std::to_string(integer)
                                               : std::to_string(value);
}

// Every option of configs but the format, at each of its names, or its least,
// usual and greatest number.
std::vector<Setting> AllSettings() {
  std::vector<Setting> all;
  for (uint32_t i = 0; i < bnq_option_count(BNQ_OPTIONS_CONFIG); ++i) {
    int32_t id = 0, type = 0;
    double min = 0, max = 0, usual = 0;
    EXPECT_EQ(bnq_option_at(BNQ_OPTIONS_CONFIG, i, &id), BNQ_OK);
    if (id == BNQ_OPT_FORMAT) continue;
    EXPECT_EQ(
        bnq_option_bounds(BNQ_OPTIONS_CONFIG, id, &type, &min, &max, &usual),
        BNQ_OK);
    const std::string option = bnq_option_name(BNQ_OPTIONS_CONFIG, id);
    if (bnq_option_value_name(BNQ_OPTIONS_CONFIG, id, 0) == nullptr) {
      // The greatest float32 has no short text.
      if (max > 1e38) max = 1e30;
      for (const double value : {min, usual, max}) {
        all.push_back({option, value == 1e30 ? "1e30" : TextOf(value)});
      }
      continue;
    }
    for (int64_t v = 0; v <= static_cast<int64_t>(max); ++v) {
      all.push_back({option, bnq_option_value_name(BNQ_OPTIONS_CONFIG, id, v)});
    }
  }
  EXPECT_GT(all.size(), 40u);
  return all;
}

struct Answer {
  bnq_status status;
  std::string text;

  explicit Answer(bnq_status call)
      : status(call), text(call == BNQ_OK ? "" : bnq_last_error()) {}
  bool operator==(const Answer& other) const {
    return status == other.status && text == other.text;
  }
};

// What bnq_config_check says of a config, which is what quantizing says. The
// small array has all axes that there can be.
Answer Checked(const std::string& config_text) {
  static const std::vector<float> values = [] {
    std::vector<float> made(4 * 40);
    for (size_t i = 0; i < made.size(); ++i) {
      made[i] = std::sin(static_cast<float>(i));
    }
    return made;
  }();
  const uint64_t shape[] = {1, 1, 1, 1, 1, 1, 4, 40};
  const bnq_array array = {values.data(), shape, BNQ_DTYPE_F32, 8};
  bnq_config* config = nullptr;
  EXPECT_EQ(bnq_config_from_text(config_text.c_str(), &config), BNQ_OK);
  const Answer check(bnq_config_check(config));
  bnq_tensor* tensor = nullptr;
  const Answer quantized(bnq_tensor_quantize(nullptr, config, &array, &tensor));
  bnq_tensor_destroy(tensor);
  bnq_config_destroy(config);
  EXPECT_TRUE(check == quantized)
      << config_text << ": checked as \"" << check.text << "\", quantized as \""
      << quantized.text << '"';
  return check;
}

// Each option at each value: what the query says of it alone, what the check
// says of it beside each value of each other option, and what quantizing says.
TEST(Registry, FormatsSupportWhatQuantizingTakes) {
  const std::vector<Setting> settings = AllSettings();
  int supported = 0, refused = 0;
  for (uint32_t f = 0; f < bnq_format_count(); ++f) {
    int32_t id = 0;
    ASSERT_EQ(bnq_format_at(f, &id), BNQ_OK);
    const std::string format = bnq_format_name(id);
    std::vector<bool> somehow(settings.size(), false);
    std::vector<Answer> alone;
    for (size_t i = 0; i < settings.size(); ++i) {
      const Setting& one = settings[i];
      const std::string text =
          "format=" + format + "," + one.option + "=" + one.value;
      alone.push_back(Checked(text));
      if (alone[i].status == BNQ_OK) somehow[i] = true;
      for (size_t j = 0; j < i; ++j) {
        const Setting& two = settings[j];
        if (two.option == one.option) continue;
        if (Checked(text + "," + two.option + "=" + two.value).status ==
            BNQ_OK) {
          somehow[i] = somehow[j] = true;
        }
      }
    }
    for (size_t i = 0; i < settings.size(); ++i) {
      const Setting& one = settings[i];
      const Answer query(
          bnq_format_supports(id, one.option.c_str(), one.value.c_str()));
      EXPECT_EQ(query.status, somehow[i] ? BNQ_OK : BNQ_ERROR_UNSUPPORTED)
          << format << " " << one.option << "=" << one.value;
      if (!somehow[i]) {
        EXPECT_EQ(query.text, alone[i].text);
      }
      ++(somehow[i] ? supported : refused);
    }
  }
  EXPECT_GT(supported, 400);
  EXPECT_GT(refused, 150);
}

TEST(Registry, QueriesRefuseWhatIsUnknown) {
  Expect(bnq_format_supports(999, "scheme", "offset"), BNQ_ERROR_NOT_FOUND,
         "format = 999");
  Expect(bnq_format_supports(BNQ_FORMAT_INT8, "shceme", "offset"),
         BNQ_ERROR_NOT_FOUND, "did you mean");
  Expect(bnq_format_supports(BNQ_FORMAT_INT8, "scheme", "ofset"),
         BNQ_ERROR_INVALID_ARGUMENT, "did you mean");
  Expect(bnq_format_supports(BNQ_FORMAT_INT8, "group_size", "0"),
         BNQ_ERROR_INVALID_ARGUMENT, "group_size");
  Expect(bnq_format_supports(BNQ_FORMAT_INT8, nullptr, "0"),
         BNQ_ERROR_INVALID_ARGUMENT, "option");
  Expect(bnq_format_supports(BNQ_FORMAT_INT8, "scheme", nullptr),
         BNQ_ERROR_INVALID_ARGUMENT, "value");
  Expect(bnq_config_check(nullptr), BNQ_ERROR_INVALID_ARGUMENT, "config");
}

// Types are targets, and policies known, where dequantizing takes them.
TEST(Registry, TargetsAndOverflowsAreThoseOfDequantizing) {
  const float value = 1.0f;
  const bnq_array array = {&value, nullptr, BNQ_DTYPE_F32, 0};
  bnq_config* config = nullptr;
  bnq_tensor* tensor = nullptr;
  ASSERT_EQ(bnq_config_from_text("int8_symmetric", &config), BNQ_OK);
  ASSERT_EQ(bnq_tensor_quantize(nullptr, config, &array, &tensor), BNQ_OK);
  uint64_t out = 0;
  int targets = 0, overflows = 0;
  for (int32_t dtype = -1; dtype < 40; ++dtype) {
    const bool target = bnq_dtype_is_target(dtype) != 0;
    EXPECT_EQ(
        bnq_tensor_dequantize(nullptr, tensor, dtype, BNQ_OVERFLOW_ERROR, &out,
                              target ? bnq_dtype_bits(dtype) / 8 : 4),
        target ? BNQ_OK : BNQ_ERROR_INVALID_ARGUMENT)
        << dtype;
    targets += target;
  }
  EXPECT_EQ(targets, 3);
  for (int32_t id = -1; id < 10; ++id) {
    const char* name = bnq_overflow_name(id);
    EXPECT_EQ(
        bnq_tensor_dequantize(nullptr, tensor, BNQ_DTYPE_F32, id, &out, 4),
        name != nullptr ? BNQ_OK : BNQ_ERROR_INVALID_ARGUMENT);
    EXPECT_EQ(bnq_overflow_description(id) != nullptr, name != nullptr);
    if (name == nullptr) continue;
    ++overflows;
    int32_t found = -1;
    EXPECT_EQ(bnq_overflow_id(name, &found), BNQ_OK);
    EXPECT_EQ(found, id);
  }
  EXPECT_EQ(overflows, 3);
  EXPECT_STREQ(bnq_overflow_name(BNQ_OVERFLOW_SATURATE), "saturate");
  Expect(bnq_overflow_id("saturated", &overflows), BNQ_ERROR_INVALID_ARGUMENT,
         "did you mean \"saturate\"?");
  Expect(bnq_overflow_id(nullptr, &overflows), BNQ_ERROR_INVALID_ARGUMENT,
         "name");
  bnq_tensor_destroy(tensor);
  bnq_config_destroy(config);
}

}  // namespace
