#include "core/io/atomic_file_set.h"

#include "tests/io/io_test_util.h"

namespace bnq {
namespace {

using Names = std::vector<std::string>;

class AtomicFileSetTest : public TempDirTest {
 protected:
  void AddFile(AtomicFileSet* set, const std::string& text) {
    const auto file = set->Add();
    file->Append(text.data(), text.size());
    file->Commit();
  }
};

TEST_F(AtomicFileSetTest, AppearTogetherAtTheEnd) {
  AtomicFileSet set(Path("m"), {});
  AddFile(&set, "one");
  AddFile(&set, "two");
  for (const std::string& name : List()) EXPECT_EQ(name[0], '.') << name;
  set.Commit({"a", "b"});
  EXPECT_EQ(List(), (Names{"a", "b"}));
  EXPECT_EQ(ReadFile(Path("b")), "two");
}

TEST_F(AtomicFileSetTest, AbandonedLeavesNothing) {
  {
    AtomicFileSet set(Path("m"), {});
    AddFile(&set, "one");
    set.Add()->Append("half", 4);
  }
  EXPECT_EQ(List(), Names{});
}

TEST_F(AtomicFileSetTest, AFailureUndoesEverything) {
  WriteFile(Path("b"), "old");
  // An output that may not be replaced, before anything is in its place.
  {
    AtomicFileSet set(Path("m"), {});
    AddFile(&set, "one");
    AddFile(&set, "two");
    EXPECT_TRUE(FailsWith(Status::kExists, Path("b"), [&] {
      set.Commit({"a", "b"});
    }));
  }
  EXPECT_EQ(List(), Names{"b"});
  // One name twice: the second file finds the first in its place, after "a"
  // has been placed. Without leave to replace it is an error.
  {
    AtomicFileSet set(Path("m"), {});
    for (const char* text : {"one", "two", "three"}) AddFile(&set, text);
    EXPECT_TRUE(FailsWith(Status::kExists, "appeared", [&] {
      set.Commit({"a", "c", "c"});
    }));
  }
  EXPECT_EQ(List(), Names{"b"});
  // A file that was not closed fails in the middle of replacing.
  {
    WriteOptions overwrite;
    overwrite.overwrite = true;
    WriteFile(Path("a"), "old a");
    AtomicFileSet set(Path("m"), overwrite);
    AddFile(&set, "one");
    AddFile(&set, "two");
    AddFile(&set, "three");
    // What is renamed last has gone.
    for (const std::string& name : List()) {
      if (name[0] == '.' && ReadFile(Path(name)) == "three") {
        ASSERT_EQ(sys::RemoveName(Path(name)), 0);
      }
    }
    EXPECT_TRUE(FailsWith(Status::kIo, "cannot write", [&] {
      set.Commit({"a", "new", "b"});
    }));
  }
  EXPECT_EQ(List(), (Names{"a", "b"}));
  EXPECT_EQ(ReadFile(Path("a")), "old a");
  EXPECT_EQ(ReadFile(Path("b")), "old");
}

TEST_F(AtomicFileSetTest, Replaces) {
  WriteFile(Path("a"), "old");
  WriteOptions overwrite;
  overwrite.overwrite = true;
  AtomicFileSet set(Path("a"), overwrite);
  AddFile(&set, "one");
  AddFile(&set, "two");
  set.Commit({"a", "b"});
  EXPECT_EQ(List(), (Names{"a", "b"}));
  EXPECT_EQ(ReadFile(Path("a")), "one");
}

TEST_F(AtomicFileSetTest, DryRunWritesNothingAndChecks) {
  WriteOptions dry;
  dry.dry_run = true;
  WriteFile(Path("b"), "old");
  AtomicFileSet set(Path("m"), dry);
  AddFile(&set, "one");
  set.Commit({"a"});
  EXPECT_TRUE(
      FailsWith(Status::kExists, Path("b"), [&] { set.Commit({"b"}); }));
  EXPECT_EQ(List(), Names{"b"});
  EXPECT_TRUE(FailsWith(Status::kIo, "none",
                        [&] { AtomicFileSet nowhere(Path("none/m"), {}); }));
}

}  // namespace
}  // namespace bnq
