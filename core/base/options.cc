#include "core/base/options.h"

#include <cfloat>
#include <charconv>
#include <cmath>

#include "core/base/error.h"
#include "core/base/names.h"

namespace bnq {
namespace {

// As NamedValues::at, for any option.
NamedValue NamedValueAt(const OptionInfo& info, int index, int64_t* value) {
  if (info.named_values != nullptr) return info.named_values->at(index, value);
  if (info.values == nullptr || index > info.max) return {nullptr, nullptr};
  *value = index;
  return info.values[index];
}

// Behind a comma, but for the first.
void Append(const char* name, std::string* list) {
  *list += list->empty() ? "" : ", ";
  *list += name;
}

// Unlike strtod and strtoll, from_chars knows no locale.
template <class T>
bool IsNumber(const std::string& text, T* value) {
  const char* const end = text.data() + text.size();
  const auto result = std::from_chars(text.data(), end, *value);
  return result.ec == std::errc() && result.ptr == end;
}

}  // namespace

NamedValue ValueOf(const OptionInfo& info, int64_t value) {
  int64_t named = 0;
  for (int i = 0;; ++i) {
    const NamedValue found = NamedValueAt(info, i, &named);
    if (found.name == nullptr || named == value) return found;
  }
}

std::string OptionText(const OptionInfo& info, double value) {
  if (info.is_float) return ToText(value);
  const int64_t integer = static_cast<int64_t>(value);
  const char* const name = OptionValueName(info, integer);
  return name != nullptr ? std::string(name) : ToText(integer);
}

std::string Doubt(const OptionInfo& info, double value) {
  // Nobody asks for the range of one percent of the values, or less.
  if (!info.is_percent || !(value > 0.0 && value <= 1.0)) return "";
  return Message(", did you mean ", static_cast<float>(100.0 * value), "?");
}

const OptionInfo* OptionTable::Find(int32_t id) const {
  return id >= 1 && id <= size_ ? &rows_[id - 1] : nullptr;
}

const OptionInfo* OptionTable::Find(const std::string& name) const {
  for (const OptionInfo& info : *this) {
    if (name == info.name) return &info;
  }
  return nullptr;
}

const OptionInfo& OptionTable::Known(int32_t id) const {
  const OptionInfo* info = Find(id);
  if (info == nullptr) {
    Fail(Status::kUnsupported, kind_, " option ", id,
         " is not known to this library");
  }
  return *info;
}

const OptionInfo& OptionTable::Known(int32_t id, bool is_float) const {
  const OptionInfo& info = Known(id);
  if (info.is_float != is_float) {
    Fail(Status::kUnsupported, kind_, " option ", info.name, " is ",
         info.is_float ? "a float" : "an integer", ", not ",
         is_float ? "a float" : "an integer");
  }
  return info;
}

double OptionTable::CheckInt(int32_t id, int64_t value) const {
  const OptionInfo& info = Known(id, false);
  // Bounds of integers are exact in double; the value may not be.
  if (value < static_cast<int64_t>(info.min) ||
      value > static_cast<int64_t>(info.max)) {
    Fail(Status::kInvalidArgument, info.name, " = ", value, ", must be ",
         static_cast<int64_t>(info.min), " to ",
         static_cast<int64_t>(info.max));
  }
  if (info.named_values != nullptr && !OptionValueName(info, value)) {
    Fail(Status::kInvalidArgument, info.name, " = ", value, ", must be ",
         info.named_values->accepted());
  }
  return static_cast<double>(value);
}

double OptionTable::CheckFloat(int32_t id, double value) const {
  const OptionInfo& info = Known(id, true);
  // What float32 cannot tell from a bound is the bound, as bounds are written
  // that have been rounded: 3.4028235e38 is the greatest float32.
  const auto is_bound = [value](double bound) {
    return std::abs(value - bound) <= std::abs(bound) * 0x1p-25;
  };
  if (is_bound(info.min)) return info.min;
  if (is_bound(info.max)) return info.max;
  if (!(value >= info.min && value <= info.max)) {
    Fail(Status::kInvalidArgument, info.name, " = ", value, ", must be ",
         static_cast<float>(info.min), " to ", static_cast<float>(info.max),
         Doubt(info, value));
  }
  // Some numbers are used as float32, where 0 often means none.
  if (value != 0.0 && static_cast<float>(value) == 0.0f) {
    Fail(Status::kInvalidArgument, info.name, " = ", value,
         ", which is 0 as float32: must be 0, or at least ", FLT_TRUE_MIN);
  }
  return value;
}

const OptionInfo& OptionTable::Named(const std::string& name) const {
  if (const OptionInfo* info = Find(name)) return *info;
  std::string names;
  Nearest nearest(name);
  for (const OptionInfo& option : *this) {
    Append(option.name, &names);
    nearest.Consider(option.name);
  }
  Fail(Status::kNotFound, kind_, " option ", Quoted(name),
       " is not one of: ", names, nearest.Question());
}

const OptionInfo& OptionTable::Parse(const std::string& name,
                                     const std::string& text,
                                     double* value) const {
  const OptionInfo& info = Named(name);
  int64_t integer = 0;
  for (int i = 0; const char* named = NamedValueAt(info, i, &integer).name;
       ++i) {
    if (!IsName(text, named)) continue;
    *value = static_cast<double>(integer);
    return info;
  }
  if (info.is_float) {
    double number = 0.0;
    if (IsNumber(text, &number)) {
      *value = CheckFloat(info.id, number);
      return info;
    }
  } else if (IsNumber(text, &integer)) {
    *value = CheckInt(info.id, integer);
    return info;
  }
  std::string accepted;
  Nearest nearest(text);
  for (int i = 0; const char* named = NamedValueAt(info, i, &integer).name;
       ++i) {
    Append(named, &accepted);
    nearest.Consider(named);
  }
  Fail(Status::kInvalidArgument, info.name, " = ", Quoted(text), ", must be ",
       accepted.empty() ? "a number" : "one of: ", accepted,
       nearest.Question());
}

}  // namespace bnq
