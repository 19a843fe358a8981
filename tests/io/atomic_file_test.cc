#include "core/io/atomic_file.h"

#include <string>

#include "tests/io/io_test_util.h"

namespace bnq {
namespace {

using Names = std::vector<std::string>;

#if defined(_WIN32)
constexpr char kNullDevice[] = "NUL";
#else
constexpr char kNullDevice[] = "/dev/null";
#endif

class AtomicFileTest : public TempDirTest {
 protected:
  WriteOptions overwrite_{/*overwrite=*/true, false, false};
  WriteOptions keep_;
};

TEST_F(AtomicFileTest, AppearsOnlyWhenCommitted) {
  {
    AtomicFile file(Path("out"), keep_);
    file.Append("hello ", 6);
    file.Append("world", 5);
    EXPECT_EQ(file.size(), 11u);
    const Names names = List();
    ASSERT_EQ(names.size(), 1u);
    EXPECT_EQ(names[0].substr(0, 5), ".bnq-");
    file.Commit();
  }
  EXPECT_EQ(List(), Names{"out"});
  EXPECT_EQ(ReadFile(Path("out")), "hello world");
}

TEST_F(AtomicFileTest, LeavesNothingBehindWithoutCommit) {
  WriteFile(Path("out"), "old");
  {
    AtomicFile file(Path("out"), overwrite_);
    file.Append("new", 3);
  }
  EXPECT_EQ(List(), Names{"out"});
  EXPECT_EQ(ReadFile(Path("out")), "old");
}

TEST_F(AtomicFileTest, WritesAnywhereWithZerosBetween) {
  AtomicFile file(Path("out"), keep_);
  file.WriteAt(6, "cd", 2);
  file.WriteAt(0, "ab", 2);
  file.WriteAt(100, nullptr, 0);
  EXPECT_EQ(file.size(), 8u);
  file.Append("ef", 2);
  file.Commit();
  EXPECT_EQ(ReadFile(Path("out")), std::string("ab\0\0\0\0cdef", 10));
}

TEST_F(AtomicFileTest, RefusesAnExistingOutputBeforeAnyWork) {
  WriteFile(Path("out"), "old");
  EXPECT_TRUE(FailsWith(Status::kExists, Path("out"),
                        [&] { AtomicFile file(Path("out"), keep_); }));
  EXPECT_EQ(List(), Names{"out"});
}

TEST_F(AtomicFileTest, RefusesAnOutputThatAppearsMeanwhile) {
  {
    AtomicFile file(Path("out"), keep_);
    file.Append("mine", 4);
    WriteFile(Path("out"), "theirs");
    EXPECT_TRUE(FailsWith(Status::kExists, "appeared", [&] { file.Commit(); }));
  }
  EXPECT_EQ(ReadFile(Path("out")), "theirs");
  EXPECT_EQ(List(), Names{"out"});
}

TEST_F(AtomicFileTest, Overwrites) {
  WriteFile(Path("out"), "something longer than the new");
  AtomicFile file(Path("out"), overwrite_);
  file.Append("new", 3);
  file.Commit();
  EXPECT_EQ(ReadFile(Path("out")), "new");
  EXPECT_EQ(List(), Names{"out"});
}

TEST_F(AtomicFileTest, RefusesWhatIsNoPlaceForAFile) {
  for (const WriteOptions& options : {keep_, overwrite_}) {
    EXPECT_TRUE(FailsWith(Status::kIo, "is a directory",
                          [&] { AtomicFile f(directory_, options); }));
    EXPECT_TRUE(FailsWith(Status::kIo, "is a device",
                          [&] { AtomicFile f(kNullDevice, options); }));
    EXPECT_TRUE(FailsWith(Status::kIo, Path("none/"),
                          [&] { AtomicFile f(Path("none/out"), options); }));
    EXPECT_TRUE(FailsWith(Status::kInvalidArgument, "empty",
                          [&] { AtomicFile f("", options); }));
  }
  WriteFile(Path("a"), "");
  EXPECT_TRUE(FailsWith(Status::kIo, "Not a directory",
                        [&] { AtomicFile f(Path("a/out"), keep_); }));
}

TEST_F(AtomicFileTest, DryRunChecksThePathAndWritesNothing) {
  WriteOptions dry = keep_;
  dry.dry_run = true;
  AtomicFile file(Path("out"), dry);
  file.WriteAt(10, "abc", 3);
  file.Append("d", 1);
  EXPECT_EQ(file.size(), 14u);
  file.Commit();
  EXPECT_EQ(List(), Names{});
  WriteFile(Path("out"), "old");
  EXPECT_TRUE(FailsWith(Status::kExists, "out",
                        [&] { AtomicFile f(Path("out"), dry); }));
  AtomicFile nowhere("", dry);
  nowhere.Append("x", 1);
  nowhere.Commit();
}

TEST_F(AtomicFileTest, SizesThatNoFileCanHave) {
  AtomicFile file(Path("out"), keep_);
  EXPECT_TRUE(FailsWith(Status::kIo, "too large",
                        [&] { file.WriteAt(INT64_MAX, "x", 1); }));
  EXPECT_TRUE(FailsWith(Status::kInvalidArgument, "overflows",
                        [&] { file.WriteAt(UINT64_MAX, "x", 1); }));
}

}  // namespace
}  // namespace bnq
