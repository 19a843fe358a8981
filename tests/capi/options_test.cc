// Options of configs, calibrators, optimizers, operators, caches and training
// are one mechanism: texts are read alike, wherever the program runs, and what
// is wrong is said alike.
#include <gtest/gtest.h>

#include <cctype>
#include <clocale>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <initializer_list>
#include <string>
#include <utility>

#include "bnq/bnq.h"
#include "capi_test_util.h"

namespace {

using bnq_test::Expect;

// A kind of handle; `number` and `integer` are two of its options.
template <class Handle>
struct Kind {
  int32_t id, number, integer;
  bnq_status (*create)(Handle**);
  void (*destroy)(Handle*);
  const bnq_options* (*options)(const Handle*);
  bnq_options* (*settings)(Handle*);

  // The functions of the ABI, of this kind.
  const char* name() const { return bnq_option_kind_name(id); }
  const char* option_name(int32_t option) const {
    return bnq_option_name(id, option);
  }
  const char* value_name(int32_t option, int64_t value) const {
    return bnq_option_value_name(id, option, value);
  }
};

const Kind<bnq_config> kConfig = {BNQ_OPTIONS_CONFIG, BNQ_OPT_PERCENTILE,
                                  BNQ_OPT_GROUP_SIZE, bnq_config_create,
                                  bnq_config_destroy, bnq_config_options,
                                  bnq_config_settings};
const Kind<bnq_calibrator> kCalibrator = {
    BNQ_OPTIONS_CALIBRATOR, BNQ_CALIBRATION_PERCENTILE, BNQ_CALIBRATION_BINS,
    bnq_calibrator_create,  bnq_calibrator_destroy,     bnq_calibrator_options,
    bnq_calibrator_settings};
const Kind<bnq_optimizer> kOptimizer = {
    BNQ_OPTIONS_OPTIMIZER, BNQ_OPTIMIZATION_BETA, BNQ_OPTIMIZATION_BLOCK,
    bnq_optimizer_create,  bnq_optimizer_destroy, bnq_optimizer_options,
    bnq_optimizer_settings};
const Kind<bnq_operator> kOperator = {
    BNQ_OPTIONS_OPERATOR, BNQ_OPERATOR_SLOPE,   BNQ_OPERATOR_OUTPUT_ZERO_POINT,
    bnq_operator_create,  bnq_operator_destroy, bnq_operator_options,
    bnq_operator_settings};
const Kind<bnq_cache> kCache = {
    BNQ_OPTIONS_CACHE,
    BNQ_CACHE_KEEP_PERCENT,
    BNQ_CACHE_DISK_LIMIT,
    [](bnq_cache** out) { return bnq_cache_create(nullptr, out); },
    bnq_cache_destroy,
    bnq_cache_options,
    bnq_cache_settings};
const Kind<bnq_training> kTraining = {
    BNQ_OPTIONS_TRAINING, BNQ_TRAINING_WIDTH,   BNQ_TRAINING_SEED,
    bnq_training_create,  bnq_training_destroy, bnq_training_options,
    bnq_training_settings};
const Kind<bnq_phase> kPhase = {BNQ_OPTIONS_PHASE,  BNQ_PHASE_MAX_ERROR,
                                BNQ_PHASE_PATIENCE, bnq_phase_create,
                                bnq_phase_destroy,  bnq_phase_options,
                                bnq_phase_settings};
const Kind<bnq_interchange> kInterchange = {
    BNQ_OPTIONS_INTERCHANGE, BNQ_INTERCHANGE_MAX_SCALE_CHANGE,
    BNQ_INTERCHANGE_I2_S,    bnq_interchange_create,
    bnq_interchange_destroy, bnq_interchange_options,
    bnq_interchange_settings};
constexpr uint32_t kKinds = 8;

// A handle, by its options' names.
template <class Handle>
class Options {
 public:
  explicit Options(const Kind<Handle>& kind) : kind(kind) {
    EXPECT_EQ(kind.create(&owner), BNQ_OK);
    handle = kind.settings(owner);
    EXPECT_EQ(bnq_options_kind(handle), kind.id);
    EXPECT_EQ(kind.options(owner), handle);
  }
  Options(const Options&) = delete;
  Options& operator=(const Options&) = delete;
  ~Options() { kind.destroy(owner); }

  std::string number_name() const { return kind.option_name(kind.number); }
  std::string integer_name() const { return kind.option_name(kind.integer); }
  double Number() const {
    double value = -1;
    EXPECT_EQ(bnq_options_get_float(handle, kind.number, &value), BNQ_OK);
    return value;
  }
  int64_t Integer() const {
    int64_t value = -1;
    EXPECT_EQ(bnq_options_get_int(handle, kind.integer, &value), BNQ_OK);
    return value;
  }
  bnq_status Set(const std::string& option, const std::string& text) {
    return bnq_options_set_text(handle, option.c_str(), text.c_str());
  }
  // As a call of the ABI.
  static void ExpectError(bnq_status call, bnq_status status,
                          const std::string& text) {
    EXPECT_EQ(call, status);
    EXPECT_EQ(bnq_last_error(), text);
  }

  const Kind<Handle>& kind;
  Handle* owner = nullptr;
  bnq_options* handle = nullptr;
};

// Calls test(options) for each kind.
template <class Test>
void ForEachKind(Test test) {
  const auto run = [&](const auto& kind) {
    SCOPED_TRACE(kind.name());
    Options options(kind);
    test(options);
  };
  run(kConfig);
  run(kCalibrator);
  run(kOptimizer);
  run(kOperator);
  run(kCache);
  run(kTraining);
  run(kPhase);
  run(kInterchange);
}

void ExpectSentence(const char* text) {
  ASSERT_NE(text, nullptr);
  ASSERT_STRNE(text, "");
  EXPECT_NE(std::string(text).back(), '.') << text;
}

// As text, which is also how it is set.
template <class Handle>
void ExpectText(Options<Handle>& options, const char* name,
                const std::string& expected) {
  char text[64];
  uint64_t size = 0;
  ASSERT_EQ(
      bnq_options_get_text(options.handle, name, text, sizeof text, &size),
      BNQ_OK)
      << bnq_last_error();
  EXPECT_EQ(text, expected);
  EXPECT_EQ(size, expected.size() + 1);
  Expect(bnq_options_get_text(options.handle, name, text, size - 1, nullptr),
         BNQ_ERROR_INVALID_ARGUMENT, "size = ");
}

// Upper case says the same.
std::string Capitals(std::string text) {
  for (char& c : text) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return text;
}

// Sets and gets all that an integer option takes, up to a hundred values, by
// number and by name.
template <class Handle>
void ExpectIntegers(Options<Handle>& options, int32_t option, double min,
                    double max, double initial) {
  const auto& kind = options.kind;
  const char* const name = kind.option_name(option);
  int64_t value = -1;
  EXPECT_EQ(bnq_options_get_int(options.handle, option, &value), BNQ_OK);
  EXPECT_EQ(static_cast<double>(value), initial);
  const int64_t least = static_cast<int64_t>(min);
  const int64_t most = static_cast<int64_t>(max);
  const bool format = std::string(name) == "format";
  for (int64_t v = least; v <= most && v - least < 100; ++v) {
    const char* const text = kind.value_name(option, v);
    if (format && text == nullptr) continue;  // not in the registry
    EXPECT_EQ(bnq_options_set_int(options.handle, option, v), BNQ_OK);
    EXPECT_EQ(bnq_options_get_int(options.handle, option, &value), BNQ_OK);
    EXPECT_EQ(value, v);
    EXPECT_EQ(options.Set(name, std::to_string(v)), BNQ_OK);
    ExpectText(options, name, text ? text : std::to_string(v));
    if (text == nullptr) continue;
    ExpectSentence(bnq_option_value_description(kind.id, option, v));
    for (const std::string& written : {std::string(text), Capitals(text)}) {
      EXPECT_EQ(bnq_options_set_int(options.handle, option, least), BNQ_OK);
      EXPECT_EQ(options.Set(name, written), BNQ_OK) << bnq_last_error();
      EXPECT_EQ(bnq_options_get_int(options.handle, option, &value), BNQ_OK);
      EXPECT_EQ(value, v) << written;
    }
  }
  for (const int64_t beyond : {least - 1, most + 1, INT64_MIN, INT64_MAX}) {
    Expect(bnq_options_set_int(options.handle, option, beyond),
           BNQ_ERROR_INVALID_ARGUMENT,
           std::string(name) + " = " + std::to_string(beyond) + ", must be ");
    EXPECT_EQ(kind.value_name(option, beyond), nullptr);
  }
  EXPECT_EQ(bnq_options_set_float(options.handle, option, initial),
            BNQ_ERROR_UNSUPPORTED);
}

template <class Handle>
void ExpectFloats(Options<Handle>& options, int32_t option, double min,
                  double max, double initial) {
  const auto& kind = options.kind;
  double value = -1;
  EXPECT_EQ(bnq_options_get_float(options.handle, option, &value), BNQ_OK);
  EXPECT_EQ(value, initial);
  for (const double v : {min, max}) {
    EXPECT_EQ(bnq_options_set_float(options.handle, option, v), BNQ_OK);
    EXPECT_EQ(bnq_options_get_float(options.handle, option, &value), BNQ_OK);
    EXPECT_EQ(value, v);
  }
  // What float32 cannot tell from a bound is the bound.
  const double near = 1e-9;
  for (const auto& [v, bound] : {std::pair(min - near * std::abs(min), min),
                                 {max + near * std::abs(max), max}}) {
    EXPECT_EQ(bnq_options_set_float(options.handle, option, v), BNQ_OK);
    EXPECT_EQ(bnq_options_get_float(options.handle, option, &value), BNQ_OK);
    EXPECT_EQ(value, bound);
  }
  const double far = 1e-6;
  for (const double beyond :
       {min - (min == 0 ? 1e-300 : far * std::abs(min)),
        max + far * std::abs(max), -HUGE_VAL, HUGE_VAL, std::nan("")}) {
    Expect(bnq_options_set_float(options.handle, option, beyond),
           BNQ_ERROR_INVALID_ARGUMENT,
           std::string(kind.option_name(option)) + " = ");
  }
  EXPECT_EQ(bnq_options_set_int(options.handle, option, 1),
            BNQ_ERROR_UNSUPPORTED);
  EXPECT_EQ(kind.value_name(option, 0), nullptr);
}

TEST(Options, AreListedAndReadBack) {
  ForEachKind([](auto& options) {
    const auto& kind = options.kind;
    const uint32_t count = bnq_option_count(kind.id);
    EXPECT_GT(count, 1u);
    int32_t option = 0;
    for (uint32_t i = 0; i < count; ++i) {
      int32_t type = -1, again = 0;
      double min = 0, max = 0, initial = 0;
      ASSERT_EQ(bnq_option_at(kind.id, i, &option), BNQ_OK);
      ASSERT_NE(kind.option_name(option), nullptr);
      ExpectSentence(bnq_option_description(kind.id, option));
      SCOPED_TRACE(kind.option_name(option));
      EXPECT_EQ(bnq_option_id(kind.id, kind.option_name(option), &again),
                BNQ_OK);
      EXPECT_EQ(again, option);
      ASSERT_EQ(bnq_option_bounds(kind.id, option, &type, &min, &max, &initial),
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
    Expect(bnq_option_at(kind.id, count, &option), BNQ_ERROR_INVALID_ARGUMENT,
           "index = " + end + ", must be below " + end);
    EXPECT_EQ(kind.option_name(0), nullptr);
    EXPECT_EQ(kind.option_name(99), nullptr);
    EXPECT_EQ(kind.value_name(99, 0), nullptr);
    EXPECT_EQ(bnq_option_description(kind.id, 99), nullptr);
    EXPECT_EQ(bnq_option_value_description(kind.id, 99, 0), nullptr);
  });
}

TEST(Options, KindsAreListed) {
  EXPECT_EQ(bnq_option_kind_count(), kKinds) << "test the new one, too";
  uint32_t found = 0;
  ForEachKind([&](auto& options) {
    int32_t kind = 0;
    EXPECT_EQ(bnq_option_kind_at(found++, &kind), BNQ_OK);
    EXPECT_EQ(kind, options.kind.id);
    // As of any handle, NULL has none.
    EXPECT_EQ(options.kind.options(nullptr), nullptr);
    EXPECT_EQ(options.kind.settings(nullptr), nullptr);
  });
  const int32_t unknown = 4711;
  const bnq_status unsupported = BNQ_ERROR_UNSUPPORTED;
  const char* const listed = "kind = 4711, must be one of: 1 (config), ";
  int32_t id = 0;
  Expect(bnq_option_kind_at(kKinds, &id), BNQ_ERROR_INVALID_ARGUMENT,
         ("index = " + std::to_string(kKinds)).c_str());
  EXPECT_EQ(bnq_option_kind_name(unknown), nullptr);
  EXPECT_EQ(bnq_option_count(unknown), 0u);
  Expect(bnq_option_at(unknown, 0, &id), unsupported, listed);
  Expect(bnq_option_id(unknown, "format", &id), unsupported, listed);
  Expect(bnq_option_bounds(unknown, 1, nullptr, nullptr, nullptr, nullptr),
         unsupported, listed);
  EXPECT_EQ(bnq_option_name(unknown, 1), nullptr);
  EXPECT_EQ(bnq_option_description(unknown, 1), nullptr);
  EXPECT_EQ(bnq_option_value_name(unknown, 1, 0), nullptr);
  EXPECT_EQ(bnq_option_value_description(unknown, 1, 0), nullptr);
  EXPECT_EQ(bnq_options_kind(nullptr), 0);
}

TEST(Options, NullIsRefused) {
  const bnq_status bad = BNQ_ERROR_INVALID_ARGUMENT;
  int64_t integer = 0;
  double number = 0;
  const char* const null = "options is NULL";
  Expect(bnq_options_set_int(nullptr, 1, 1), bad, null);
  Expect(bnq_options_set_float(nullptr, 1, 1), bad, null);
  Expect(bnq_options_set_text(nullptr, "a", "b"), bad, null);
  Expect(bnq_options_get_int(nullptr, 1, &integer), bad, null);
  Expect(bnq_options_get_float(nullptr, 1, &number), bad, null);
  Expect(bnq_options_get_text(nullptr, "a", nullptr, 0, nullptr), bad, null);
  ForEachKind([&](auto& options) {
    bnq_options* const o = options.handle;
    const char* const name = options.kind.option_name(1);
    Expect(bnq_options_set_text(o, nullptr, "b"), bad, "option is NULL");
    Expect(bnq_options_set_text(o, name, nullptr), bad, "value is NULL");
    Expect(bnq_options_get_int(o, 1, nullptr), bad, "out_value is NULL");
    Expect(bnq_options_get_float(o, options.kind.number, nullptr), bad,
           "out_value is NULL");
    Expect(bnq_options_get_text(o, nullptr, nullptr, 0, nullptr), bad,
           "option is NULL");
    const int32_t id = options.kind.id;
    Expect(bnq_option_at(id, 0, nullptr), bad, "out_option is NULL");
    Expect(bnq_option_id(id, "a", nullptr), bad, "out_option is NULL");
    int32_t option = 0;
    Expect(bnq_option_id(id, nullptr, &option), bad, "name is NULL");
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

    // Whose values all have names.
    if (bnq_option_value_name(options.kind.id, options.kind.integer, 0)) return;
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

// While it lives, the C library follows a locale: one that is installed, or one
// that is made for this test.
class Locale {
 public:
  // The first of the names for which in_force() holds; `source` and the first
  // name for localedef.
  Locale(std::initializer_list<const char*> names, const std::string& source,
         bool (*in_force)())
      : in_force_(in_force) {
    for (const char* name : names) {
      if (Set(name)) return;
    }
#ifdef __GLIBC__
    const std::string name = *names.begin();
    const std::filesystem::path folder =
        std::filesystem::path(testing::TempDir()) / ("bnq_locale_" + source);
    std::filesystem::create_directories(folder);
    const std::string command = "localedef -i " + source + " -f UTF-8 '" +
                                (folder / name).string() + "' >&2";
    if (std::system(command.c_str()) == 0) {
      setenv("LOCPATH", folder.c_str(), 1);
      Set(name.c_str());
      unsetenv("LOCPATH");
    }
    std::filesystem::remove_all(folder);
#endif
  }
  Locale(const Locale&) = delete;
  Locale& operator=(const Locale&) = delete;
  ~Locale() { std::setlocale(LC_ALL, "C"); }

  bool active() const { return active_; }

 private:
  bool Set(const char* name) {
    active_ = std::setlocale(LC_ALL, name) != nullptr && in_force_();
    return active_;
  }

  bool (*in_force_)();
  bool active_ = false;
};

TEST(Options, NumbersAreReadAlikeWhereTheDecimalPointIsAComma) {
  const Locale comma(
      {"de_DE.UTF-8", "de_DE", "fr_FR.UTF-8", "German_Germany"}, "de_DE",
      [] { return std::string(std::localeconv()->decimal_point) == ","; });
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
  Expect(bnq_options_set_float(bnq_config_settings(config), BNQ_OPT_CLIP, -1.5),
         BNQ_ERROR_INVALID_ARGUMENT, "clip = -1.5, must be 0 to 3.4028235e+38");
  bnq_config_destroy(config);
}

std::string Lower(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}

// Of types, formats and presets, in either case.
void ExpectNamesAreFound() {
  for (int32_t dtype = 1; bnq_dtype_name(dtype) != nullptr; ++dtype) {
    const std::string name = bnq_dtype_name(dtype);
    int32_t id = 0;
    EXPECT_EQ(bnq_dtype_id(Lower(name).c_str(), &id), BNQ_OK) << name;
    EXPECT_EQ(id, dtype);
  }
  for (uint32_t i = 0; i < bnq_format_count(); ++i) {
    int32_t format = 0, id = 0;
    ASSERT_EQ(bnq_format_at(i, &format), BNQ_OK);
    const std::string name = Capitals(bnq_format_name(format));
    EXPECT_EQ(bnq_format_id(name.c_str(), &id), BNQ_OK) << name;
    EXPECT_EQ(id, format);
  }
  for (uint32_t i = 0; i < bnq_preset_count(); ++i) {
    const std::string name = Capitals(bnq_preset_name(i));
    bnq_config* config = nullptr;
    EXPECT_EQ(bnq_config_from_preset(name.c_str(), &config), BNQ_OK) << name;
    bnq_config_destroy(config);
  }
}

TEST(Options, NamesAreFoundInEitherCase) { ExpectNamesAreFound(); }

TEST(Options, NamesAreFoundWhereTheCapitalOfIIsAnother) {
  const Locale turkish({"tr_TR.UTF-8", "tr_TR"}, "tr_TR",
                       [] { return std::toupper('i') != 'I'; });
  if (!turkish.active()) {
    GTEST_SKIP() << "no Turkish locale is installed, and localedef cannot make "
                    "tr_TR (Debian: apt install locales)";
  }
  ExpectNamesAreFound();
}

TEST(Options, FormatsAreConfigs) {
  for (const auto& [text, expected] :
       {std::pair("int8", "format=int8"),
        {"INT4", "format=int4"},
        {"none", "format=none"},
        {"float16", "format=f16"},
        {"BFloat16", "format=bf16"},
        {"half", "format=f16"},
        {" int8 , scheme=Asymmetric", "format=int8,scheme=asymmetric"},
        {"format=NF4,scale_dtype=float16", "format=nf4,scale_dtype=f16"}}) {
    bnq_config* config = nullptr;
    ASSERT_EQ(bnq_config_from_text(text, &config), BNQ_OK) << bnq_last_error();
    char written[64];
    EXPECT_EQ(bnq_config_to_text(config, written, sizeof written, nullptr),
              BNQ_OK);
    EXPECT_STREQ(written, expected) << text;
    bnq_config_destroy(config);
  }
  // A name alone, where only that is meant.
  bnq_config* config = nullptr;
  for (const char* text : {"format=int8", "int8,axis=1", ""}) {
    EXPECT_EQ(bnq_config_from_preset(text, &config), BNQ_ERROR_NOT_FOUND);
    EXPECT_EQ(config, nullptr);
  }
}

TEST(Options, ErrorsAreAlikeButForTheKind) {
  ForEachKind([](auto& options) {
    const auto& kind = options.kind;
    const std::string name = std::string(kind.name()) + " option";
    const bnq_status unsupported = BNQ_ERROR_UNSUPPORTED;
    const std::string unknown = name + " 99 is not known to this library";
    options.ExpectError(bnq_options_set_int(options.handle, 99, 1), unsupported,
                        unknown);
    options.ExpectError(bnq_options_set_float(options.handle, 99, 1.0),
                        unsupported, unknown);
    options.ExpectError(
        bnq_option_bounds(kind.id, 99, nullptr, nullptr, nullptr, nullptr),
        unsupported, unknown);
    int64_t integer = 0;
    double number = 0;
    options.ExpectError(
        bnq_options_get_float(options.handle, kind.integer, &number),
        unsupported,
        name + " " + options.integer_name() + " is an integer, not a float");
    options.ExpectError(
        bnq_options_get_int(options.handle, kind.number, &integer), unsupported,
        name + " " + options.number_name() + " is a float, not an integer");
    int32_t id = 0;
    Expect(bnq_option_id(kind.id, "col\tour", &id), BNQ_ERROR_NOT_FOUND,
           name + " \"col\\x09our\" is not one of: " + kind.option_name(1));
    EXPECT_EQ(options.Set("colour", "1"), BNQ_ERROR_NOT_FOUND);
    const std::string listed =
        std::string(name) +
        " \"colour\" is not one of: " + kind.option_name(1) + ", ";
    EXPECT_EQ(std::string(bnq_last_error()).rfind(listed, 0), 0u)
        << bnq_last_error();
  });
}

TEST(Options, NamesOfPresetsFormatsTypesAndValuesAreSuggested) {
  bnq_config* config = nullptr;
  int32_t id = 0;
  const bnq_status not_found = BNQ_ERROR_NOT_FOUND;
  for (const auto& [text, meant] : {std::pair("nf44", "nf4"),
                                    {"int4_group_128", "int4_per_group_128"},
                                    {"agressive", "aggressive"},
                                    {"int9", "int8"},
                                    {"NF5", "nf4"}}) {
    Expect(bnq_config_from_text(text, &config), not_found,
           std::string("; did you mean \"") + meant + "\"?");
  }
  Expect(bnq_format_id("tenrary", &id), not_found, "did you mean \"ternary\"?");
  Expect(bnq_dtype_id("BF61", &id), not_found, "did you mean \"BF16\"?");
  Expect(bnq_config_from_text("scheme=assymetric", &config),
         BNQ_ERROR_INVALID_ARGUMENT, "did you mean \"asymmetric\"?");
  // Nothing is near.
  for (const char* text : {"x", "", "quantize everything"}) {
    EXPECT_EQ(bnq_config_from_preset(text, &config), not_found);
    EXPECT_EQ(std::string(bnq_last_error()).find("did you mean"),
              std::string::npos)
        << bnq_last_error();
  }
}

TEST(Options, AHostsNamesAreSuggested) {
  const char* const names[] = {"quantize", nullptr, "dequantize", "diff"};
  EXPECT_STREQ(bnq_suggest("quantise", names, 4), "quantize");
  EXPECT_STREQ(bnq_suggest("DIFF", names, 4), "diff");
  EXPECT_EQ(bnq_suggest("inspect", names, 4), nullptr);
  EXPECT_EQ(bnq_suggest(nullptr, names, 4), nullptr);
  EXPECT_EQ(bnq_suggest("diff", nullptr, 0), nullptr);
}

TEST(Options, AreSuggested) {
  ForEachKind([](auto& options) {
    const auto& kind = options.kind;
    for (uint32_t i = 0; i < bnq_option_count(kind.id); ++i) {
      int32_t option = 0;
      ASSERT_EQ(bnq_option_at(kind.id, i, &option), BNQ_OK);
      const std::string name = kind.option_name(option);
      const std::string question = "; did you mean \"" + name + "\"?";
      // A letter left out, another one, two that changed places, a capital, and
      // what names cannot be written with in a language.
      std::string swapped = name, hyphen = name;
      std::swap(swapped[1], swapped[2]);
      hyphen[name.find('_') == std::string::npos ? 1 : name.find('_')] = '-';
      for (const std::string& typo : {name.substr(0, 1) + name.substr(2),
                                      swapped, hyphen, Capitals(name)}) {
        if (bnq_option_id(kind.id, typo.c_str(), &option) == BNQ_OK) continue;
        EXPECT_EQ(options.Set(typo, "1"), BNQ_ERROR_NOT_FOUND);
        const std::string error = bnq_last_error();
        EXPECT_NE(error.find(question), std::string::npos) << error;
      }
    }
  });
}

}  // namespace
