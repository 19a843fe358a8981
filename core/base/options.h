// Options: numbers with a name, bounds and a default, set by id or as text.
//
// A kind of options is an enumeration of its ids, a table with a row for each,
// and a class of values with typed accessors (core/scheme/config.h,
// core/calibration/options.h, core/optimize/options.h). From the tables the C
// ABI, the files, the command line and the bindings get names and bounds.
#ifndef BNQ_CORE_BASE_OPTIONS_H_
#define BNQ_CORE_BASE_OPTIONS_H_

#include <cstdint>
#include <string>

namespace bnq {

// The values of an option that takes nothing but named ones, where they are not
// the numbers from `min` on.
struct NamedValues {
  // Sets *value and returns its name, in the order in which they are listed to
  // users; nullptr past the last.
  const char* (*at)(int index, int64_t* value);
  // What the text of an error says after "must be".
  std::string (*accepted)();
};

struct OptionInfo {
  template <class Id>
  constexpr OptionInfo(Id option, const char* option_name, bool option_is_float,
                       double least, double greatest, double at_first,
                       const char* const* names, bool of_tensor = false,
                       const NamedValues* others = nullptr)
      : id(static_cast<int32_t>(option)),
        name(option_name),
        is_float(option_is_float),
        min(least),
        max(greatest),
        initial(at_first),
        value_names(names),
        describes_tensor(of_tensor),
        named_values(others) {}

  int32_t id;
  const char* name;
  bool is_float;
  double min, max, initial;  // inclusive; integers are exact in double
  // Names of the values min, min + 1, ..., and nullptr at the end; or nullptr
  // for plain numbers.
  const char* const* value_names;
  // Part of what a tensor is, so kept in files; the others only say how to
  // make something.
  bool describes_tensor;
  const NamedValues* named_values;  // instead of value_names; or nullptr
};

inline constexpr const char* kOffOn[] = {"off", "on", nullptr};

// nullptr where the value has no name.
const char* OptionValueName(const OptionInfo& info, int64_t value);

// The options of a kind. Errors are UNSUPPORTED for an unknown id or the other
// type, INVALID_ARGUMENT for a value out of bounds, NOT_FOUND for a name.
class OptionTable {
 public:
  // `kind` is what errors call an option. The rows outlive the table, and stand
  // in the order of their ids (AreNumbered).
  template <int kCount>
  constexpr OptionTable(const char* kind, const OptionInfo (&rows)[kCount])
      : kind_(kind), rows_(rows), size_(kCount) {}

  const char* kind() const { return kind_; }
  int size() const { return size_; }
  const OptionInfo* begin() const { return rows_; }
  const OptionInfo* end() const { return rows_ + size_; }

  const OptionInfo* Find(int32_t id) const;  // nullptr: unknown
  const OptionInfo* Find(const std::string& name) const;
  const OptionInfo& Known(int32_t id) const;
  const OptionInfo& Known(int32_t id, bool is_float) const;
  // The value, as OptionValues keeps it.
  double CheckInt(int32_t id, int64_t value) const;
  double CheckFloat(int32_t id, double value) const;
  // From an option's name and its value's name or number, written as in C++
  // whatever the locale. Sets *value.
  const OptionInfo& Parse(const std::string& name, const std::string& text,
                          double* value) const;

 private:
  const char* kind_;
  const OptionInfo* rows_;
  int size_;
};

// Ids are 1, 2, ...: what OptionTable and OptionValues rely on.
template <int kCount>
constexpr bool AreNumbered(const OptionInfo (&rows)[kCount]) {
  for (int i = 0; i < kCount; ++i) {
    if (rows[i].id != i + 1) return false;
  }
  return true;
}

// A value for each option of a kind, whose ids are the enumeration Id. Derived
// has `static const OptionTable& Table()`, of kCount rows. Errors are the
// table's.
template <class Derived, class Id, int kCount>
class OptionValues {
 public:
  OptionValues() {
    for (const OptionInfo& info : Derived::Table()) {
      values_[info.id - 1] = info.initial;
    }
  }

  void SetInt(int32_t option, int64_t value) {
    const double checked = Derived::Table().CheckInt(option, value);
    values_[option - 1] = checked;
  }
  void SetFloat(int32_t option, double value) {
    const double checked = Derived::Table().CheckFloat(option, value);
    values_[option - 1] = checked;
  }
  // By name; the value's name or number.
  void SetText(const std::string& option, const std::string& value) {
    double checked = 0.0;
    const OptionInfo& info = Derived::Table().Parse(option, value, &checked);
    values_[info.id - 1] = checked;
  }
  int64_t GetInt(int32_t option) const {
    return static_cast<int64_t>(Number(Derived::Table().Known(option, false)));
  }
  double GetFloat(int32_t option) const {
    return Number(Derived::Table().Known(option, true));
  }

  // Of either type.
  double Number(const OptionInfo& info) const { return values_[info.id - 1]; }
  double Number(Id option) const {
    return values_[static_cast<int32_t>(option) - 1];
  }
  template <class T>
  T As(Id option) const {
    return static_cast<T>(Number(option));
  }
  // Of the value that it has now.
  const char* ValueName(Id option) const {
    return OptionValueName(Derived::Table().Known(static_cast<int32_t>(option)),
                           As<int64_t>(option));
  }

  bool operator==(const OptionValues& other) const {
    for (int i = 0; i < kCount; ++i) {
      if (values_[i] != other.values_[i]) return false;
    }
    return true;
  }

 protected:
  double values_[kCount];  // by id - 1
};

}  // namespace bnq

#endif  // BNQ_CORE_BASE_OPTIONS_H_
