#include "calibration_options.h"

#include <cstring>

#include "failure.h"
#include "text.h"

namespace bnq::cli {
namespace {

// As of config options: one that is missing here is still offered.
std::string Purpose(const char* name) {
  static const struct {
    const char* name;
    const char* text;
  } kPurposes[] = {
      {"method", "How the range is found"},
      {"granularity", "One range for a tensor, or one for each channel"},
      {"axis", "Dimension of the channels, negative from the end"},
      {"scheme", "Range around zero, or that of the values"},
      {"bins", "Least number of bins that cover a histogram's range"},
      {"bits", "Bits of the codes to come, for kl and mse"},
      {"levels", "Number of levels in place of --bits; 0 for as bits say"},
      {"averaging", "Weight of a new batch, for moving_average and adaptive"},
      {"max_growth",
       "Most that an end of the range moves outwards in a step of adaptive, in "
       "widths of the range"},
      {"max_shrink", "Most of its width that a step of adaptive takes away"},
      {"percentile", "Percent of the values within the range of percentile"},
      {"kl_variant", "Whose definition of kl"},
      {"mse_variant", "Whose search mse is"},
      {"non_finite", "NaN and infinity: refuse, or count and leave out"},
      {"outliers",
       "What counts as an outlier, and then as the limit next to it"},
      {"outlier_percentile", "Percent of the values that are no outliers"},
      {"outlier_deviations",
       "Standard deviations from the mean from which on values are outliers"},
      {"moments", "Keep what mean, variance, ... are made of"},
      {"histogram",
       "Keep a histogram even where the method needs none, for --svg and other "
       "methods later"},
  };
  for (const auto& entry : kPurposes) {
    if (std::strcmp(name, entry.name) == 0) return entry.text;
  }
  return std::string("Library option ") + name;
}

// Where this program's default is another than the library's: it shows the
// statistics, and its files should serve more than one method. Histograms of
// thousands of channels are another matter.
std::string DefaultText(const LibraryOption& option) {
  if (option.id == BNQ_CALIBRATION_MOMENTS) return "on";
  if (option.id == BNQ_CALIBRATION_HISTOGRAM) {
    return "on; off with --granularity channel, unless --svg is given";
  }
  return option.initial;
}

bool Given(const NamedOptions& options, int32_t id) {
  for (const NamedOption& option : options) {
    if (option.name == bnq_calibration_option_name(id))
      return option.option->count() != 0;
  }
  return false;
}

}  // namespace

void AddCalibrationOptions(CLI::App& command, NamedOptions& options) {
  AddNamedOptions(
      command, CalibrationOptions(),
      [](const LibraryOption& option) {
        return Purpose(option.name.c_str()) + " (" + option.ValuesText() +
               "default " + DefaultText(option) + ")";
      },
      options);
}

Calibration MakeCalibration(const NamedOptions& options, bool need_histogram) {
  bnq_calibrator* created = nullptr;
  Check(bnq_calibrator_create(&created));
  const Calibrator prototype(created);
  for (const NamedOption& option : options) {
    if (option.option->count() == 0) continue;
    CheckUsage(bnq_calibrator_set_text(created, option.name.c_str(),
                                       option.value.c_str()),
               option.option->get_name());
  }
  if (!Given(options, BNQ_CALIBRATION_MOMENTS)) {
    Check(bnq_calibrator_set_int(created, BNQ_CALIBRATION_MOMENTS, 1));
  }
  int64_t granularity = BNQ_GRANULARITY_TENSOR;
  Check(bnq_calibrator_get_int(created, BNQ_CALIBRATION_GRANULARITY,
                               &granularity));
  if (!Given(options, BNQ_CALIBRATION_HISTOGRAM)) {
    const bool keep = need_histogram || granularity == BNQ_GRANULARITY_TENSOR;
    Check(bnq_calibrator_set_int(created, BNQ_CALIBRATION_HISTOGRAM, keep));
  } else if (need_histogram) {
    int64_t kept = 0;
    Check(bnq_calibrator_get_int(created, BNQ_CALIBRATION_HISTOGRAM, &kept));
    if (kept == 0) throw Failure(kUsage, "--svg draws what --histogram keeps");
  }
  bnq_calibration* set = nullptr;
  Check(bnq_calibration_create(created, &set));
  return Calibration(set);
}

Calibration LoadCalibration(const std::string& path, Session& session) {
  bnq_calibration* loaded = nullptr;
  Check(bnq_calibration_load(session.context(), path.c_str(), &loaded));
  return Calibration(loaded);
}

void Reinterpret(bnq_calibration* calibration, const std::string& option,
                 const std::string& value, const std::string& flag,
                 const std::string& path, Session& session) {
  // What no calibrator accepts is wrong usage; the rest is about the data.
  bnq_calibrator* created = nullptr;
  Check(bnq_calibrator_create(&created));
  const Calibrator any(created);
  CheckUsage(bnq_calibrator_set_text(created, option.c_str(), value.c_str()),
             flag);
  const bnq_status status = bnq_calibration_set_text(
      session.context(), calibration, option.c_str(), value.c_str());
  if (status == BNQ_ERROR_INVALID_ARGUMENT) {
    throw Failure(kBadInput, flag + " " + value + " cannot be had from '" +
                                 path + "': " + bnq_last_error());
  }
  Check(status);
}

std::string OptionText(const bnq_calibrator* calibrator,
                       const LibraryOption& option) {
  if (!option.integer) {
    double value = 0;
    Check(bnq_calibrator_get_float(calibrator, option.id, &value));
    return GeneralText(value, 9);
  }
  int64_t value = 0;
  Check(bnq_calibrator_get_int(calibrator, option.id, &value));
  const char* name = bnq_calibration_option_value_name(option.id, value);
  return name != nullptr ? name : std::to_string(value);
}

std::string CalibrationMethods() {
  for (const LibraryOption& option : CalibrationOptions()) {
    if (option.id == BNQ_CALIBRATION_METHOD) return Joined(option.values, "|");
  }
  return "NAME";
}

}  // namespace bnq::cli
