#include "core/scheme/registry.h"

#include <gtest/gtest.h>

#include <set>

namespace bnq {
namespace {

TEST(Registry, RowsAreFoundByIdAndName) {
  ASSERT_GE(NumFormats(), 7);
  std::set<int32_t> ids;
  std::string names;
  for (int i = 0; i < NumFormats(); ++i) {
    const Format& format = FormatAt(i);
    EXPECT_TRUE(ids.insert(format.id).second) << format.name;
    EXPECT_GT(format.id, 0) << format.name;
    EXPECT_EQ(FindFormat(format.id), &format);
    EXPECT_EQ(FindFormat(std::string(format.name)), &format);
    EXPECT_NE(std::string(format.description), "");
    EXPECT_NE(format.kernels, nullptr);
    names += (i == 0 ? "" : ", ") + std::string(format.name);
  }
  EXPECT_EQ(FormatNames(), names);
  // "none" is no format to quantize into.
  EXPECT_EQ(FindFormat(0), nullptr);
  EXPECT_EQ(FindFormat(-1), nullptr);
  EXPECT_EQ(FindFormat(""), nullptr);
}

}  // namespace
}  // namespace bnq
