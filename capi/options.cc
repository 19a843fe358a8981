#include "capi/options.h"

namespace bnq {
namespace capi {

bnq_status OptionAt(const OptionTable& table, uint32_t index,
                    int32_t* out_option) {
  return Guard([&] {
    int32_t& out = Required(out_option, "out_option");
    const uint32_t count = static_cast<uint32_t>(table.size());
    if (index >= count) {
      Fail(Status::kInvalidArgument, "index = ", index, ", must be below ",
           count);
    }
    out = table.begin()[index].id;
  });
}

const char* OptionName(const OptionTable& table, int32_t option) {
  const OptionInfo* info = table.Find(option);
  return info ? info->name : nullptr;
}

bnq_status OptionId(const OptionTable& table, const char* name,
                    int32_t* out_option) {
  return Guard([&] {
    int32_t& out = Required(out_option, "out_option");
    const OptionInfo* info = table.Find(std::string(&Required(name, "name")));
    if (info == nullptr) {
      Fail(Status::kNotFound, table.kind(), " ", Quoted(name),
           " is not known to this library");
    }
    out = info->id;
  });
}

bnq_status OptionBounds(const OptionTable& table, int32_t option,
                        int32_t* out_type, double* out_min, double* out_max,
                        double* out_default) {
  return Guard([&] {
    const OptionInfo& info = table.Known(option);
    if (out_type) *out_type = info.is_float ? BNQ_OPTION_FLOAT : BNQ_OPTION_INT;
    if (out_min) *out_min = info.min;
    if (out_max) *out_max = info.max;
    if (out_default) *out_default = info.initial;
  });
}

const char* ValueName(const OptionTable& table, int32_t option, int64_t value) {
  const OptionInfo* info = table.Find(option);
  return info ? OptionValueName(*info, value) : nullptr;
}

}  // namespace capi
}  // namespace bnq
