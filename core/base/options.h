// Options: numbers with a name, bounds and a default, set by id or as text.
//
// A kind of options is an enumeration of its ids, a table with a row for each,
// and a class of values with typed accessors (core/scheme/config.h,
// core/calibration/options.h, core/optimize/options.h). From the tables the C
// ABI, the files, the command line and the bindings get names and bounds.
#ifndef BNQ_CORE_BASE_OPTIONS_H_
#define BNQ_CORE_BASE_OPTIONS_H_

#include <cstddef>
#include <cstdint>
#include <string>

namespace bnq {

// A value with a name, and what it means: part of a sentence.
struct NamedValue {
  const char* name;
  const char* description;
};

// The values of an option whose names are not a list in its row, as those of
// the registry of formats.
struct NamedValues {
  // The name at an index and its value, in the order in which they are listed
  // to users; a name of nullptr past the last.
  NamedValue (*at)(int index, int64_t* value);
  // What the text of an error says after "must be".
  std::string (*accepted)();
};

// A row of an OptionTable. Choice, Integer, Real and OnOff make rows.
struct OptionInfo {
  int32_t id;
  const char* name;
  // One sentence, without a period.
  const char* description;
  bool is_float;
  double min, max, initial;  // inclusive; integers are exact in double
  // Names of the values 0, 1, ...; nullptr where values are plain numbers, or
  // are named by named_values.
  const NamedValue* values;
  const NamedValues* named_values;
  // Part of what a tensor is, so kept in files; the others only say how to
  // make something.
  bool describes_tensor;
  // A percentage, which is mistaken for a share: 0.999 for 99.9.
  bool is_percent = false;

  constexpr OptionInfo OfTensor() const {
    OptionInfo info = *this;
    info.describes_tensor = true;
    return info;
  }
  constexpr OptionInfo Percent() const {
    OptionInfo info = *this;
    info.is_percent = true;
    return info;
  }
};

// 2^53: the greatest range of integers that double holds exactly.
inline constexpr double kMaxInt = 9007199254740992.0;
inline constexpr double kMaxFloat = 3.4028234663852886e38;

// One of the names, whose values are 0, 1, ...
template <class Id, class Value, size_t kCount>
constexpr OptionInfo Choice(Id id, const char* name,
                            const NamedValue (&values)[kCount], Value initial,
                            const char* description) {
  return {static_cast<int32_t>(id),
          name,
          description,
          false,
          0.0,
          kCount - 1.0,
          static_cast<double>(initial),
          values,
          nullptr,
          false};
}
// One of the names, whose values lie in 0 .. max.
template <class Id>
constexpr OptionInfo Choice(Id id, const char* name, const NamedValues& values,
                            double max, double initial,
                            const char* description) {
  return {static_cast<int32_t>(id),
          name,
          description,
          false,
          0.0,
          max,
          initial,
          nullptr,
          &values,
          false};
}
template <class Id>
constexpr OptionInfo Integer(Id id, const char* name, double min, double max,
                             double initial, const char* description) {
  return {static_cast<int32_t>(id),
          name,
          description,
          false,
          min,
          max,
          initial,
          nullptr,
          nullptr,
          false};
}
template <class Id>
constexpr OptionInfo Real(Id id, const char* name, double min, double max,
                          double initial, const char* description) {
  return {static_cast<int32_t>(id),
          name,
          description,
          true,
          min,
          max,
          initial,
          nullptr,
          nullptr,
          false};
}

inline constexpr NamedValue kOffOn[] = {{"off", "no"}, {"on", "yes"}};
template <class Id>
constexpr OptionInfo OnOff(Id id, const char* name, bool initial,
                           const char* description) {
  return Choice(id, name, kOffOn, initial, description);
}

// A name of nullptr where the value has none.
NamedValue ValueOf(const OptionInfo& info, int64_t value);
inline const char* OptionValueName(const OptionInfo& info, int64_t value) {
  return ValueOf(info, value).name;
}

// A value as Parse reads it: its name, or the shortest text of the number.
std::string OptionText(const OptionInfo& info, double value);

// What is likely not meant by a value, though it may be allowed: ", did you
// mean 99.9?" Else "".
std::string Doubt(const OptionInfo& info, double value);

// The options of a kind of object. Errors are UNSUPPORTED for an unknown id or
// the other type, INVALID_ARGUMENT for a value out of bounds, NOT_FOUND for a
// name.
class OptionTable {
 public:
  // `kind` is what has the options ("config"). The rows outlive the table, and
  // stand in the order of their ids (AreNumbered).
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
  // Of that name, or NOT_FOUND.
  const OptionInfo& Named(const std::string& name) const;
  // From an option's name and its value's name (IsName) or number, written as
  // in C++ whatever the locale. Sets *value.
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

  // By name, as SetText takes it.
  std::string GetText(const std::string& option) const {
    const OptionInfo& info = Derived::Table().Named(option);
    return OptionText(info, Number(info));
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
