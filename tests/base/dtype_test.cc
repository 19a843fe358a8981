#include "core/base/dtype.h"

#include <gtest/gtest.h>

#include <cctype>
#include <set>

namespace bnq {
namespace {

TEST(DType, IdsNamesAndOrdersAreUnique) {
  std::set<std::string> names;
  std::set<uint32_t> orders;
  int32_t id = 1;
  for (; const DTypeInfo* info = FindDType(id); ++id) {
    EXPECT_EQ(static_cast<int32_t>(info->dtype), id);
    EXPECT_EQ(&Info(info->dtype), info);
    EXPECT_TRUE(names.insert(info->name).second) << info->name;
    EXPECT_TRUE(orders.insert(info->safetensors_order).second) << info->name;
    EXPECT_EQ(FindDType(info->name, true), info);
    std::string lower = info->name;
    for (char& c : lower) {
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    EXPECT_EQ(FindDType(lower, false), info);
    EXPECT_EQ(FindDType(lower, true), nullptr) << lower;
  }
  EXPECT_EQ(id, static_cast<int32_t>(DType::kF4) + 1);
  EXPECT_EQ(FindDType(0), nullptr);
  EXPECT_EQ(FindDType(-1), nullptr);
  EXPECT_EQ(FindDType("", false), nullptr);
  EXPECT_EQ(FindDType("F3", false), nullptr);
  EXPECT_EQ(FindDType("F322", false), nullptr);
}

TEST(DType, BitsAreThoseOfTheName) {
  for (int32_t id = 1; const DTypeInfo* info = FindDType(id); ++id) {
    const std::string name = info->name;
    if (name == "BOOL") {
      EXPECT_EQ(info->bits, 8u);
      continue;
    }
    size_t at = 0;
    while (!std::isdigit(static_cast<unsigned char>(name[at]))) ++at;
    EXPECT_EQ(info->bits, static_cast<uint32_t>(std::stoul(name.substr(at))))
        << name;
  }
}

TEST(DType, SourcesAndTargets) {
  std::string sources, targets;
  for (int32_t id = 1; const DTypeInfo* info = FindDType(id); ++id) {
    if (IsSource(info->dtype)) sources += std::string(info->name) + " ";
    if (IsTarget(info->dtype)) targets += std::string(info->name) + " ";
  }
  EXPECT_EQ(sources, "F32 F16 BF16 F64 ");
  EXPECT_EQ(targets, "F32 F16 BF16 ");
}

}  // namespace
}  // namespace bnq
