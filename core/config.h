// Options of quantization: one table, from which the C ABI's keyed setters, the
// files, the command line and the bindings get their names and bounds.
#ifndef BNQ_CORE_CONFIG_H_
#define BNQ_CORE_CONFIG_H_

#include <cstdint>
#include <string>

namespace bnq {

// Ids are those of BNQ_OPT_* (capi/config.cc asserts it) and stand in files:
// append only.
enum class Option : int32_t {
  kFormat = 1,
  kGranularity,
  kGroupSize,
  kAxis,
  kScheme,
  kClip,
  kNonFinite,
};

enum class Granularity : int32_t { kTensor = 0, kChannel = 1, kGroup = 2 };
enum class Scheme : int32_t { kSymmetric = 0, kAsymmetric = 1 };
enum class NonFinite : int32_t { kError = 0, kZero = 1 };

struct OptionInfo {
  Option option;
  const char* name;
  bool is_float;
  double min, max, initial;  // inclusive; integers are exact in double
  // Names of the values min, min + 1, ..., or nullptr for plain numbers. The
  // values of Option::kFormat are named by the registry.
  const char* const* value_names;
  // Part of what a tensor is, so kept in files; the others only say how to
  // make one.
  bool describes_tensor;
};

constexpr int kNumOptions = 7;
const OptionInfo& OptionAt(int index);
const OptionInfo* FindOption(int32_t id);  // nullptr: unknown
const OptionInfo* FindOption(const std::string& name);
// nullptr where the value has no name.
const char* OptionValueName(const OptionInfo& info, int64_t value);

class Config {
 public:
  Config();

  // UNSUPPORTED for an unknown option or the other type, INVALID_ARGUMENT for
  // a value out of bounds.
  void SetInt(int32_t option, int64_t value);
  void SetFloat(int32_t option, double value);
  // By name; the value's name or number.
  void SetText(const std::string& option, const std::string& value);
  int64_t GetInt(int32_t option) const;
  double GetFloat(int32_t option) const;

  int32_t format() const { return static_cast<int32_t>(At(Option::kFormat)); }
  Granularity granularity() const {
    return static_cast<Granularity>(At(Option::kGranularity));
  }
  uint64_t group_size() const {
    return static_cast<uint64_t>(At(Option::kGroupSize));
  }
  int axis() const { return static_cast<int>(At(Option::kAxis)); }
  Scheme scheme() const { return static_cast<Scheme>(At(Option::kScheme)); }
  float clip() const { return static_cast<float>(At(Option::kClip)); }
  NonFinite non_finite() const {
    return static_cast<NonFinite>(At(Option::kNonFinite));
  }

 private:
  double At(Option option) const {
    return values_[static_cast<int>(option) - 1];
  }
  double values_[kNumOptions];
};

}  // namespace bnq

#endif  // BNQ_CORE_CONFIG_H_
