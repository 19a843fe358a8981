// Options of configs, calibrators and optimizers are one mechanism: texts are
// read alike, wherever the program runs, and what is wrong is said alike.
#include <gtest/gtest.h>

#include <clocale>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <utility>

#include "bnq/bnq.h"
#include "capi_test_util.h"

namespace {

using bnq_test::Expect;

// A kind of handle that has so many options; `number` and `integer` are two.
template <class Handle>
struct Kind {
  const char* name;
  int32_t options, number, integer;
  bnq_status (*create)(Handle**);
  void (*destroy)(Handle*);
  bnq_status (*set_int)(Handle*, int32_t, int64_t);
  bnq_status (*set_float)(Handle*, int32_t, double);
  bnq_status (*set_text)(Handle*, const char*, const char*);
  bnq_status (*get_int)(const Handle*, int32_t, int64_t*);
  bnq_status (*get_float)(const Handle*, int32_t, double*);
  uint32_t (*option_count)();
  bnq_status (*option_at)(uint32_t, int32_t*);
  const char* (*option_name)(int32_t);
  bnq_status (*option_id)(const char*, int32_t*);
  bnq_status (*option_bounds)(int32_t, int32_t*, double*, double*, double*);
  const char* (*value_name)(int32_t, int64_t);
};

const Kind<bnq_config> kConfig = {"option",
                                  16,
                                  BNQ_OPT_PERCENTILE,
                                  BNQ_OPT_GROUP_SIZE,
                                  bnq_config_create,
                                  bnq_config_destroy,
                                  bnq_config_set_int,
                                  bnq_config_set_float,
                                  bnq_config_set_text,
                                  bnq_config_get_int,
                                  bnq_config_get_float,
                                  bnq_option_count,
                                  bnq_option_at,
                                  bnq_option_name,
                                  bnq_option_id,
                                  bnq_option_bounds,
                                  bnq_option_value_name};
const Kind<bnq_calibrator> kCalibrator = {"calibration option",
                                          19,
                                          BNQ_CALIBRATION_PERCENTILE,
                                          BNQ_CALIBRATION_BINS,
                                          bnq_calibrator_create,
                                          bnq_calibrator_destroy,
                                          bnq_calibrator_set_int,
                                          bnq_calibrator_set_float,
                                          bnq_calibrator_set_text,
                                          bnq_calibrator_get_int,
                                          bnq_calibrator_get_float,
                                          bnq_calibration_option_count,
                                          bnq_calibration_option_at,
                                          bnq_calibration_option_name,
                                          bnq_calibration_option_id,
                                          bnq_calibration_option_bounds,
                                          bnq_calibration_option_value_name};
const Kind<bnq_optimizer> kOptimizer = {"optimization option",
                                        17,
                                        BNQ_OPTIMIZATION_BETA,
                                        BNQ_OPTIMIZATION_BLOCK,
                                        bnq_optimizer_create,
                                        bnq_optimizer_destroy,
                                        bnq_optimizer_set_int,
                                        bnq_optimizer_set_float,
                                        bnq_optimizer_set_text,
                                        bnq_optimizer_get_int,
                                        bnq_optimizer_get_float,
                                        bnq_optimization_option_count,
                                        bnq_optimization_option_at,
                                        bnq_optimization_option_name,
                                        bnq_optimization_option_id,
                                        bnq_optimization_option_bounds,
                                        bnq_optimization_option_value_name};

// A handle, by its options' names.
template <class Handle>
class Options {
 public:
  explicit Options(const Kind<Handle>& kind) : kind(kind) {
    EXPECT_EQ(kind.create(&handle), BNQ_OK);
  }
  Options(const Options&) = delete;
  Options& operator=(const Options&) = delete;
  ~Options() { kind.destroy(handle); }

  std::string number_name() const { return kind.option_name(kind.number); }
  std::string integer_name() const { return kind.option_name(kind.integer); }
  double Number() const {
    double value = -1;
    EXPECT_EQ(kind.get_float(handle, kind.number, &value), BNQ_OK);
    return value;
  }
  int64_t Integer() const {
    int64_t value = -1;
    EXPECT_EQ(kind.get_int(handle, kind.integer, &value), BNQ_OK);
    return value;
  }
  bnq_status Set(const std::string& option, const std::string& text) {
    return kind.set_text(handle, option.c_str(), text.c_str());
  }
  // As a call of the ABI.
  static void ExpectError(bnq_status call, bnq_status status,
                          const std::string& text) {
    EXPECT_EQ(call, status);
    EXPECT_EQ(bnq_last_error(), text);
  }

  const Kind<Handle>& kind;
  Handle* handle = nullptr;
};

// Calls test(options) for each kind.
template <class Test>
void ForEachKind(Test test) {
  const auto run = [&](const auto& kind) {
    SCOPED_TRACE(kind.name);
    Options options(kind);
    test(options);
  };
  run(kConfig);
  run(kCalibrator);
  run(kOptimizer);
}

// Sets and gets all that an integer option takes, up to a hundred values, by
// number and by name.
template <class Handle>
void ExpectIntegers(Options<Handle>& options, int32_t option, double min,
                    double max, double initial) {
  const auto& kind = options.kind;
  const char* const name = kind.option_name(option);
  int64_t value = -1;
  EXPECT_EQ(kind.get_int(options.handle, option, &value), BNQ_OK);
  EXPECT_EQ(static_cast<double>(value), initial);
  const int64_t least = static_cast<int64_t>(min);
  const int64_t most = static_cast<int64_t>(max);
  const bool format = std::string(name) == "format";
  for (int64_t v = least; v <= most && v - least < 100; ++v) {
    const char* const text = kind.value_name(option, v);
    if (format && text == nullptr) continue;  // not in the registry
    EXPECT_EQ(kind.set_int(options.handle, option, v), BNQ_OK);
    EXPECT_EQ(kind.get_int(options.handle, option, &value), BNQ_OK);
    EXPECT_EQ(value, v);
    EXPECT_EQ(options.Set(name, std::to_string(v)), BNQ_OK);
    if (text == nullptr) continue;
    EXPECT_EQ(kind.set_int(options.handle, option, least), BNQ_OK);
    EXPECT_EQ(options.Set(name, text), BNQ_OK) << bnq_last_error();
    EXPECT_EQ(kind.get_int(options.handle, option, &value), BNQ_OK);
    EXPECT_EQ(value, v) << text;
  }
  for (const int64_t beyond : {least - 1, most + 1, INT64_MIN, INT64_MAX}) {
    Expect(kind.set_int(options.handle, option, beyond),
           BNQ_ERROR_INVALID_ARGUMENT,
           std::string(name) + " = " + std::to_string(beyond) + ", must be ");
    EXPECT_EQ(kind.value_name(option, beyond), nullptr);
  }
  EXPECT_EQ(kind.set_float(options.handle, option, initial),
            BNQ_ERROR_UNSUPPORTED);
}

template <class Handle>
void ExpectFloats(Options<Handle>& options, int32_t option, double min,
                  double max, double initial) {
  const auto& kind = options.kind;
  double value = -1;
  EXPECT_EQ(kind.get_float(options.handle, option, &value), BNQ_OK);
  EXPECT_EQ(value, initial);
  for (const double v : {min, max}) {
    EXPECT_EQ(kind.set_float(options.handle, option, v), BNQ_OK);
    EXPECT_EQ(kind.get_float(options.handle, option, &value), BNQ_OK);
    EXPECT_EQ(value, v);
  }
  for (const double beyond :
       {std::nextafter(min, -HUGE_VAL), std::nextafter(max, HUGE_VAL),
        -HUGE_VAL, HUGE_VAL, std::nan("")}) {
    Expect(kind.set_float(options.handle, option, beyond),
           BNQ_ERROR_INVALID_ARGUMENT,
           std::string(kind.option_name(option)) + " = ");
  }
  EXPECT_EQ(kind.set_int(options.handle, option, 1), BNQ_ERROR_UNSUPPORTED);
  EXPECT_EQ(kind.value_name(option, 0), nullptr);
}

TEST(Options, AreListedAndReadBack) {
  ForEachKind([](auto& options) {
    const auto& kind = options.kind;
    const uint32_t count = kind.option_count();
    EXPECT_EQ(count, static_cast<uint32_t>(kind.options));
    int32_t option = 0;
    for (uint32_t i = 0; i < count; ++i) {
      int32_t type = -1, again = 0;
      double min = 0, max = 0, initial = 0;
      ASSERT_EQ(kind.option_at(i, &option), BNQ_OK);
      ASSERT_NE(kind.option_name(option), nullptr);
      SCOPED_TRACE(kind.option_name(option));
      EXPECT_EQ(kind.option_id(kind.option_name(option), &again), BNQ_OK);
      EXPECT_EQ(again, option);
      ASSERT_EQ(kind.option_bounds(option, &type, &min, &max, &initial),
                BNQ_OK);
      EXPECT_LE(min, initial);
      EXPECT_LE(initial, max);
      if (type == BNQ_OPTION_FLOAT) {
        ExpectFloats(options, option, min, max, initial);
      } else {
        EXPECT_EQ(type, BNQ_OPTION_INT);
        ExpectIntegers(options, option, min, max, initial);
      }
    }
    const std::string end = std::to_string(count);
    Expect(kind.option_at(count, &option), BNQ_ERROR_INVALID_ARGUMENT,
           "index = " + end + ", must be below " + end);
    EXPECT_EQ(kind.option_name(0), nullptr);
    EXPECT_EQ(kind.option_name(99), nullptr);
    EXPECT_EQ(kind.value_name(99, 0), nullptr);
  });
}

void ExpectNumbersAreRead() {
  ForEachKind([](auto& options) {
    for (const auto& [text, value] :
         {std::pair("99.5", 99.5), {"6.25e1", 62.5}, {"75", 75.0}}) {
      EXPECT_EQ(options.Set(options.number_name(), text), BNQ_OK)
          << bnq_last_error();
      EXPECT_EQ(options.Number(), value) << text;
    }
    for (const std::string text :
         {"", " 60", "60 ", "+60", "0x3C", "6O", "99,5", "99.5.1"}) {
      options.ExpectError(
          options.Set(options.number_name(), text), BNQ_ERROR_INVALID_ARGUMENT,
          options.number_name() + " = \"" + text + "\", must be a number");
      EXPECT_EQ(options.Number(), 75.0);
    }
    // Numbers, but in no bounds.
    for (const std::string text : {"nan", "inf", "-inf"}) {
      EXPECT_EQ(options.Set(options.number_name(), text),
                BNQ_ERROR_INVALID_ARGUMENT);
      EXPECT_EQ(
          std::string(bnq_last_error())
              .rfind(options.number_name() + " = " + text + ", must be ", 0),
          0u)
          << bnq_last_error();
      EXPECT_EQ(options.Number(), 75.0);
    }

    EXPECT_EQ(options.Set(options.integer_name(), "192"), BNQ_OK)
        << bnq_last_error();
    EXPECT_EQ(options.Integer(), 192);
    for (const std::string text :
         {"", " 64", "64 ", "+64", "0x40", "64.0", "9223372036854775808"}) {
      options.ExpectError(
          options.Set(options.integer_name(), text), BNQ_ERROR_INVALID_ARGUMENT,
          options.integer_name() + " = \"" + text + "\", must be a number");
      EXPECT_EQ(options.Integer(), 192);
    }
  });
}

TEST(Options, NumbersAreReadAlike) { ExpectNumbersAreRead(); }

// While it lives, numbers of the C library have a decimal comma: in a locale
// that is installed, or one that is made for this test.
class DecimalComma {
 public:
  explicit DecimalComma(const std::filesystem::path& folder) {
    for (const char* name :
         {"de_DE.UTF-8", "de_DE", "fr_FR.UTF-8", "German_Germany"}) {
      if (Set(name)) return;
    }
#ifdef __GLIBC__
    const std::string made = (folder / "de_DE.UTF-8").string();
    const std::string command =
        "localedef -i de_DE -f UTF-8 '" + made + "' >&2";
    if (std::system(command.c_str()) != 0) return;
    setenv("LOCPATH", folder.c_str(), 1);
    Set("de_DE.UTF-8");
    unsetenv("LOCPATH");
#endif
  }
  DecimalComma(const DecimalComma&) = delete;
  DecimalComma& operator=(const DecimalComma&) = delete;
  ~DecimalComma() { std::setlocale(LC_ALL, "C"); }

  bool active() const { return active_; }

 private:
  bool Set(const char* name) {
    active_ = std::setlocale(LC_ALL, name) != nullptr &&
              std::string(std::localeconv()->decimal_point) == ",";
    return active_;
  }

  bool active_ = false;
};

TEST(Options, NumbersAreReadAlikeWhereTheDecimalPointIsAComma) {
  const std::filesystem::path folder =
      std::filesystem::path(testing::TempDir()) / "bnq_options_locales";
  std::filesystem::create_directories(folder);
  const DecimalComma comma(folder);
  std::filesystem::remove_all(folder);
  if (!comma.active()) {
    GTEST_SKIP() << "no locale with a decimal comma is installed, and "
                    "localedef cannot make de_DE (Debian: apt install locales)";
  }
  ASSERT_EQ(std::strtod("99,5", nullptr), 99.5) << "the comma is not in force";
  ExpectNumbersAreRead();
  bnq_config* config = nullptr;
  ASSERT_EQ(bnq_config_from_text("percentile=99.5", &config), BNQ_OK)
      << bnq_last_error();
  char text[64];
  EXPECT_EQ(bnq_config_to_text(config, text, sizeof text, nullptr), BNQ_OK);
  EXPECT_STREQ(text, "format=ternary,percentile=99.5");
  bnq_config_destroy(config);
}

TEST(Options, ErrorsAreAlikeButForTheKind) {
  ForEachKind([](auto& options) {
    const auto& kind = options.kind;
    const std::string name = kind.name;
    const bnq_status unsupported = BNQ_ERROR_UNSUPPORTED;
    const std::string unknown = name + " 99 is not known to this library";
    options.ExpectError(kind.set_int(options.handle, 99, 1), unsupported,
                        unknown);
    options.ExpectError(kind.set_float(options.handle, 99, 1.0), unsupported,
                        unknown);
    options.ExpectError(
        kind.option_bounds(99, nullptr, nullptr, nullptr, nullptr), unsupported,
        unknown);
    int64_t integer = 0;
    double number = 0;
    options.ExpectError(
        kind.get_float(options.handle, kind.integer, &number), unsupported,
        name + " " + options.integer_name() + " is an integer, not a float");
    options.ExpectError(
        kind.get_int(options.handle, kind.number, &integer), unsupported,
        name + " " + options.number_name() + " is a float, not an integer");
    int32_t id = 0;
    options.ExpectError(kind.option_id("col\tour", &id), BNQ_ERROR_NOT_FOUND,
                        name + " \"col\\x09our\" is not known to this library");
    EXPECT_EQ(options.Set("colour", "1"), BNQ_ERROR_NOT_FOUND);
    const std::string listed =
        std::string(name) +
        " \"colour\" is not one of: " + kind.option_name(1) + ", ";
    EXPECT_EQ(std::string(bnq_last_error()).rfind(listed, 0), 0u)
        << bnq_last_error();
  });
}

}  // namespace
