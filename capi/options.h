// The functions that configs, calibrators and optimizers (and, to be read,
// tensors) have alike: keyed setters and getters, and the lists of options.
//
// A handle's `settings()` is what its setters change, its `options()` what its
// getters read.
#ifndef BNQ_CAPI_OPTIONS_H_
#define BNQ_CAPI_OPTIONS_H_

#include <cstdint>

#include "capi/guard.h"
#include "core/base/options.h"

namespace bnq {
namespace capi {

// `name` is that of the parameter `handle`.
template <class Handle>
bnq_status SetInt(Handle* handle, const char* name, int32_t option,
                  int64_t value) {
  return Guard(
      [&] { Required(handle, name).settings().SetInt(option, value); });
}

template <class Handle>
bnq_status SetFloat(Handle* handle, const char* name, int32_t option,
                    double value) {
  return Guard(
      [&] { Required(handle, name).settings().SetFloat(option, value); });
}

template <class Handle>
bnq_status SetText(Handle* handle, const char* name, const char* option,
                   const char* value) {
  return Guard([&] {
    Required(handle, name)
        .settings()
        .SetText(&Required(option, "option"), &Required(value, "value"));
  });
}

template <class Handle>
bnq_status GetInt(const Handle* handle, const char* name, int32_t option,
                  int64_t* out_value) {
  return Guard([&] {
    Required(out_value, "out_value") =
        Required(handle, name).options().GetInt(option);
  });
}

template <class Handle>
bnq_status GetFloat(const Handle* handle, const char* name, int32_t option,
                    double* out_value) {
  return Guard([&] {
    Required(out_value, "out_value") =
        Required(handle, name).options().GetFloat(option);
  });
}

// bnq_option_at and the others, of any kind.
bnq_status OptionAt(const OptionTable& table, uint32_t index,
                    int32_t* out_option);
const char* OptionName(const OptionTable& table, int32_t option);
bnq_status OptionId(const OptionTable& table, const char* name,
                    int32_t* out_option);
bnq_status OptionBounds(const OptionTable& table, int32_t option,
                        int32_t* out_type, double* out_min, double* out_max,
                        double* out_default);
const char* ValueName(const OptionTable& table, int32_t option, int64_t value);

}  // namespace capi
}  // namespace bnq

#endif  // BNQ_CAPI_OPTIONS_H_
