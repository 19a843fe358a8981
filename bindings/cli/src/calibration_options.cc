#include "calibration_options.h"

#include "failure.h"
#include "text.h"

namespace bnq::cli {
namespace {

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
    if (option.name == bnq_option_name(BNQ_OPTIONS_CALIBRATOR, id))
      return option.option->count() != 0;
  }
  return false;
}

}  // namespace

void AddCalibrationOptions(CLI::App& command, NamedOptions& options) {
  AddNamedOptions(
      command, LibraryOptions(BNQ_OPTIONS_CALIBRATOR),
      [](const LibraryOption& option) { return " " + DefaultText(option); },
      options);
}

Calibration MakeCalibration(const NamedOptions& options, bool need_histogram) {
  bnq_calibrator* created = nullptr;
  Check(bnq_calibrator_create(&created));
  const Calibrator prototype(created);
  for (const NamedOption& option : options) {
    if (option.option->count() == 0) continue;
    CheckUsage(bnq_options_set_text(bnq_calibrator_settings(created),
                                    option.name.c_str(), option.value.c_str()),
               option.option->get_name());
  }
  if (!Given(options, BNQ_CALIBRATION_MOMENTS)) {
    Check(bnq_options_set_int(bnq_calibrator_settings(created),
                              BNQ_CALIBRATION_MOMENTS, 1));
  }
  int64_t granularity = BNQ_GRANULARITY_TENSOR;
  Check(bnq_options_get_int(bnq_calibrator_options(created),
                            BNQ_CALIBRATION_GRANULARITY, &granularity));
  if (!Given(options, BNQ_CALIBRATION_HISTOGRAM)) {
    const bool keep = need_histogram || granularity == BNQ_GRANULARITY_TENSOR;
    Check(bnq_options_set_int(bnq_calibrator_settings(created),
                              BNQ_CALIBRATION_HISTOGRAM, keep));
  } else if (need_histogram) {
    int64_t kept = 0;
    Check(bnq_options_get_int(bnq_calibrator_options(created),
                              BNQ_CALIBRATION_HISTOGRAM, &kept));
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
  CheckUsage(bnq_options_set_text(bnq_calibrator_settings(created),
                                  option.c_str(), value.c_str()),
             flag);
  const bnq_status status = bnq_calibration_set_text(
      session.context(), calibration, option.c_str(), value.c_str());
  if (status == BNQ_ERROR_INVALID_ARGUMENT) {
    throw Failure(kBadInput, flag + " " + value + " cannot be had from '" +
                                 path + "': " + bnq_last_error());
  }
  Check(status);
}

std::string CalibrationMethods() {
  for (const LibraryOption& option : LibraryOptions(BNQ_OPTIONS_CALIBRATOR)) {
    if (option.id == BNQ_CALIBRATION_METHOD) return Joined(option.values, "|");
  }
  return "NAME";
}

}  // namespace bnq::cli
