#include "capi/options.h"

#include "capi/guard.h"
#include "core/base/names.h"
#include "core/cache/options.h"
#include "core/calibration/options.h"
#include "core/interchange/options.h"
#include "core/ops/options.h"
#include "core/optimize/options.h"
#include "core/scheme/config.h"
#include "core/training/options.h"

using namespace bnq;
using namespace bnq::capi;

namespace {

// What has options: the place where a new kind is entered.
constexpr struct {
  int32_t id;
  const OptionTable& (*table)();
} kKinds[] = {
    {BNQ_OPTIONS_CONFIG, Config::Table},
    {BNQ_OPTIONS_CALIBRATOR, CalibrationOptions::Table},
    {BNQ_OPTIONS_OPTIMIZER, OptimizeOptions::Table},
    {BNQ_OPTIONS_OPERATOR, OperatorOptions::Table},
    {BNQ_OPTIONS_CACHE, CacheOptions::Table},
    {BNQ_OPTIONS_TRAINING, TrainingOptions::Table},
    {BNQ_OPTIONS_PHASE, PhaseOptions::Table},
    {BNQ_OPTIONS_INTERCHANGE, InterchangeOptions::Table},
};

const OptionTable& Known(int32_t kind) {
  if (const OptionTable* table = OptionsOfKind(kind)) return *table;
  std::string names;
  for (const auto& known : kKinds) {
    names += Message(names.empty() ? "" : ", ", known.id, " (",
                     known.table().kind(), ")");
  }
  Fail(Status::kUnsupported, "kind = ", kind, ", must be one of: ", names);
}

void CheckIndex(uint32_t index, uint32_t count) {
  if (index >= count) {
    Fail(Status::kInvalidArgument, "index = ", index, ", must be below ",
         count);
  }
}

// nullptr: there is no such kind or option.
const OptionInfo* InfoOf(int32_t kind, int32_t option) {
  const OptionTable* table = OptionsOfKind(kind);
  return table ? table->Find(option) : nullptr;
}

}  // namespace

const OptionTable* bnq::capi::OptionsOfKind(int32_t kind) {
  for (const auto& known : kKinds) {
    if (known.id == kind) return &known.table();
  }
  return nullptr;
}

uint32_t bnq_option_kind_count(void) {
  return static_cast<uint32_t>(std::size(kKinds));
}

bnq_status bnq_option_kind_at(uint32_t index, int32_t* out_kind) {
  return Guard([&] {
    int32_t& out = Required(out_kind, "out_kind");
    CheckIndex(index, bnq_option_kind_count());
    out = kKinds[index].id;
  });
}

const char* bnq_option_kind_name(int32_t kind) {
  const OptionTable* table = OptionsOfKind(kind);
  return table ? table->kind() : nullptr;
}

uint32_t bnq_option_count(int32_t kind) {
  const OptionTable* table = OptionsOfKind(kind);
  return table ? static_cast<uint32_t>(table->size()) : 0;
}

bnq_status bnq_option_at(int32_t kind, uint32_t index, int32_t* out_option) {
  return Guard([&] {
    int32_t& out = Required(out_option, "out_option");
    const OptionTable& table = Known(kind);
    CheckIndex(index, static_cast<uint32_t>(table.size()));
    out = table.begin()[index].id;
  });
}

const char* bnq_option_name(int32_t kind, int32_t option) {
  const OptionInfo* info = InfoOf(kind, option);
  return info ? info->name : nullptr;
}

const char* bnq_option_description(int32_t kind, int32_t option) {
  const OptionInfo* info = InfoOf(kind, option);
  return info ? info->description : nullptr;
}

bnq_status bnq_option_id(int32_t kind, const char* name, int32_t* out_option) {
  return Guard([&] {
    int32_t& out = Required(out_option, "out_option");
    out = Known(kind).Named(&Required(name, "name")).id;
  });
}

bnq_status bnq_option_bounds(int32_t kind, int32_t option, int32_t* out_type,
                             double* out_min, double* out_max,
                             double* out_default) {
  return Guard([&] {
    const OptionInfo& info = Known(kind).Known(option);
    if (out_type) *out_type = info.is_float ? BNQ_OPTION_FLOAT : BNQ_OPTION_INT;
    if (out_min) *out_min = info.min;
    if (out_max) *out_max = info.max;
    if (out_default) *out_default = info.initial;
  });
}

const char* bnq_option_value_name(int32_t kind, int32_t option, int64_t value) {
  const OptionInfo* info = InfoOf(kind, option);
  return info ? ValueOf(*info, value).name : nullptr;
}

const char* bnq_option_value_description(int32_t kind, int32_t option,
                                         int64_t value) {
  const OptionInfo* info = InfoOf(kind, option);
  return info ? ValueOf(*info, value).description : nullptr;
}

int32_t bnq_options_kind(const bnq_options* options) {
  return options ? options->kind() : 0;
}

bnq_status bnq_options_set_int(bnq_options* options, int32_t option,
                               int64_t value) {
  return Guard([&] { Required(options, "options").SetInt(option, value); });
}

bnq_status bnq_options_set_float(bnq_options* options, int32_t option,
                                 double value) {
  return Guard([&] { Required(options, "options").SetFloat(option, value); });
}

bnq_status bnq_options_set_text(bnq_options* options, const char* option,
                                const char* value) {
  return Guard([&] {
    Required(options, "options")
        .SetText(&Required(option, "option"), &Required(value, "value"));
  });
}

bnq_status bnq_options_get_int(const bnq_options* options, int32_t option,
                               int64_t* out_value) {
  return Guard([&] {
    Required(out_value, "out_value") =
        Required(options, "options").GetInt(option);
  });
}

bnq_status bnq_options_get_float(const bnq_options* options, int32_t option,
                                 double* out_value) {
  return Guard([&] {
    Required(out_value, "out_value") =
        Required(options, "options").GetFloat(option);
  });
}

bnq_status bnq_options_get_text(const bnq_options* options, const char* option,
                                char* text, uint64_t size, uint64_t* out_size) {
  return Guard([&] {
    CopyText(Required(options, "options").GetText(&Required(option, "option")),
             text, size, out_size);
  });
}

bnq_status bnq_options_advice(const bnq_options* options, char* text,
                              uint64_t size, uint64_t* out_size) {
  return Guard([&] {
    const bnq_options& given = Required(options, "options");
    std::string advice;
    for (const OptionInfo& info : *OptionsOfKind(given.kind())) {
      if (!info.is_percent) continue;
      const double value = given.GetFloat(info.id);
      const std::string doubt = Doubt(info, value);
      if (doubt.empty()) continue;
      advice += Message(advice.empty() ? "" : "; ", info.name, " = ", value,
                        " is of a hundred", doubt);
    }
    CopyText(advice, text, size, out_size);
  });
}

const char* bnq_suggest(const char* text, const char* const* names,
                        uint64_t count) {
  if (text == nullptr || names == nullptr) return nullptr;
  const char* suggested = nullptr;
  Guard([&] {
    Nearest nearest(text);
    for (uint64_t i = 0; i < count; ++i) {
      if (names[i] != nullptr) nearest.Consider(names[i]);
    }
    suggested = nearest.name();
  });
  return suggested;
}
