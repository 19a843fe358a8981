#include "core/io/json_tree.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/io/io_test_util.h"

namespace bnq {
namespace {

TEST(JsonTree, ReadsValues) {
  const JsonTree tree = ParseJson(
      R"({"a": 3, "b": -1.5e2, "c": ["x", null, true, {}, 18446744073709551615],
          "a": {"d": "e\n"}})",
      "it");
  ASSERT_TRUE(tree.is_object());
  EXPECT_EQ(tree.Find("z"), nullptr);
  EXPECT_EQ(tree.Find("b")->number, -150.0);
  EXPECT_EQ(tree.Find("b")->kind, JsonTree::Kind::kNumber);
  // The last of a key counts.
  EXPECT_EQ(tree.Find("a")->Find("d")->string, "e\n");
  const auto& items = tree.Find("c")->items;
  ASSERT_EQ(items.size(), 5u);
  EXPECT_EQ(items[0].string, "x");
  EXPECT_EQ(items[1].kind, JsonTree::Kind::kNull);
  EXPECT_EQ(items[2].kind, JsonTree::Kind::kBool);
  EXPECT_TRUE(items[2].truth);
  EXPECT_TRUE(items[3].is_object());
  EXPECT_EQ(items[4].whole, UINT64_MAX);
  EXPECT_TRUE(items[4].is_number());
  EXPECT_EQ(ParseJson("7", "it").whole, 7u);
  for (const char* bad : {"", "{", "[1,]", "{\"a\" 1}", "nul", "[1] 2"}) {
    EXPECT_TRUE(FailsWith(Status::kCorruptFile, "it: ", [&] {
      ParseJson(bad, "it");
    })) << bad;
  }
  const std::string deep(1000, '[');
  EXPECT_TRUE(
      FailsWith(Status::kCorruptFile, "deep", [&] { ParseJson(deep, "it"); }));
}

// As a well-kept library writes them.
TEST(JsonTree, WritesText) {
  std::string all = "h\xc3\xa9 \xf0\x9f\x98\x80";
  for (int c = 1; c < 128; ++c) all += static_cast<char>(c);
  EXPECT_EQ(JsonText(all), nlohmann::json(all).dump());
  EXPECT_EQ(JsonText(""), "\"\"");
  EXPECT_EQ(ParseJson(JsonText(all), "it").string, all);
}

}  // namespace
}  // namespace bnq
