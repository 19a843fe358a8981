#include "core/base/options.h"

#include <cfloat>
#include <charconv>

#include "core/base/error.h"

namespace bnq {
namespace {

// As NamedValues::at, for any option.
const char* NamedValueAt(const OptionInfo& info, int index, int64_t* value) {
  if (info.named_values != nullptr) return info.named_values->at(index, value);
  if (info.value_names == nullptr) return nullptr;
  *value = static_cast<int64_t>(info.min) + index;
  return info.value_names[index];
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

const char* OptionValueName(const OptionInfo& info, int64_t value) {
  int64_t named = 0;
  for (int i = 0; const char* name = NamedValueAt(info, i, &named); ++i) {
    if (named == value) return name;
  }
  return nullptr;
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
    Fail(Status::kUnsupported, kind_, " ", id, " is not known to this library");
  }
  return *info;
}

const OptionInfo& OptionTable::Known(int32_t id, bool is_float) const {
  const OptionInfo& info = Known(id);
  if (info.is_float != is_float) {
    Fail(Status::kUnsupported, kind_, " ", info.name, " is ",
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
  if (!(value >= info.min && value <= info.max)) {
    Fail(Status::kInvalidArgument, info.name, " = ", value, ", must be ",
         info.min, " to ", info.max);
  }
  // Some numbers are used as float32, where 0 often means none.
  if (value != 0.0 && static_cast<float>(value) == 0.0f) {
    Fail(Status::kInvalidArgument, info.name, " = ", value,
         ", which is 0 as float32: must be 0, or at least ", FLT_TRUE_MIN);
  }
  return value;
}

const OptionInfo& OptionTable::Parse(const std::string& name,
                                     const std::string& text,
                                     double* value) const {
  const OptionInfo* const info = Find(name);
  if (info == nullptr) {
    std::string names;
    for (const OptionInfo& option : *this) Append(option.name, &names);
    Fail(Status::kNotFound, kind_, " ", Quoted(name),
         " is not one of: ", names);
  }
  std::string accepted;
  int64_t integer = 0;
  for (int i = 0; const char* named = NamedValueAt(*info, i, &integer); ++i) {
    if (text == named) {
      *value = static_cast<double>(integer);
      return *info;
    }
    Append(named, &accepted);
  }
  if (info->is_float) {
    double number = 0.0;
    if (IsNumber(text, &number)) {
      *value = CheckFloat(info->id, number);
      return *info;
    }
  } else if (IsNumber(text, &integer)) {
    *value = CheckInt(info->id, integer);
    return *info;
  }
  Fail(Status::kInvalidArgument, info->name, " = ", Quoted(text), ", must be ",
       accepted.empty() ? "a number" : "one of: ", accepted);
}

}  // namespace bnq
