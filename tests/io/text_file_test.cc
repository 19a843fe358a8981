#include "core/io/text_file.h"

#include <gtest/gtest.h>

#include "tests/io/io_test_util.h"

namespace bnq {
namespace {

using TextFile = TempDirTest;

TEST_F(TextFile, ComesBackOrIsRefused) {
  const Context context;
  const std::string path = Path("a.txt");
  WriteTextFile(path, "h\xc3\xa9\n", WriteOptions());
  EXPECT_EQ(ReadTextFile(context, path, 4), "h\xc3\xa9\n");
  EXPECT_TRUE(FailsWith(Status::kCorruptFile,
                        "has 4 bytes, must have at most 3",
                        [&] { ReadTextFile(context, path, 3); }));
  EXPECT_TRUE(FailsWith(Status::kExists, "a.txt",
                        [&] { WriteTextFile(path, "other", WriteOptions()); }));
  EXPECT_EQ(ReadTextFile(context, path, 4), "h\xc3\xa9\n");
  WriteOptions overwrite;
  overwrite.overwrite = true;
  for (const std::string& bad : {std::string("a\0b", 3), std::string("\xff")}) {
    WriteTextFile(path, bad, overwrite);
    EXPECT_TRUE(FailsWith(Status::kCorruptFile, "is no text",
                          [&] { ReadTextFile(context, path, 99); }));
  }
  EXPECT_TRUE(FailsWith(Status::kNotFound, "none.txt",
                        [&] { ReadTextFile(context, Path("none.txt"), 99); }));
}

}  // namespace
}  // namespace bnq
