#include "core/io/partial_output.h"

#include <gtest/gtest.h>
#if !defined(_WIN32)
#include <sys/stat.h>
#include <unistd.h>
#endif

#include <filesystem>

#include "core/io/atomic_file.h"
#include "tests/io/io_test_util.h"

namespace bnq {
namespace {

class PartialOutputTest : public TempDirTest {
 protected:
  std::shared_ptr<PartialOutput> Make(bool restart = false) {
    return std::make_shared<PartialOutput>(Path("out"), "a\nb\n", restart);
  }
  // One that something was begun in.
  void Leave() {
    const auto partial = Make();
    partial->OpenFile("out", 0666, false);
    partial->Record("r");
  }
};

#if !defined(_WIN32)
TEST_F(PartialOutputTest, IsThisUsersAlone) {
  const auto partial = Make();
  struct stat status;
  ASSERT_EQ(stat(Path("out.part").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0700u);
}

TEST_F(PartialOutputTest, RefusesWhatOthersMayWriteTo) {
  ASSERT_EQ(mkdir(Path("out.part").c_str(), 0777), 0);
  ASSERT_EQ(chmod(Path("out.part").c_str(), 0777), 0);
  EXPECT_TRUE(
      FailsWith(Status::kExists, "others may write to it", [&] { Make(); }));
  ASSERT_EQ(rmdir(Path("out.part").c_str()), 0);
  // Nor is a link followed, even to a directory that would do.
  ASSERT_EQ(mkdir(Path("own").c_str(), 0700), 0);
  ASSERT_EQ(symlink("own", Path("out.part").c_str()), 0);
  EXPECT_TRUE(FailsWith(Status::kExists, "cannot use", [&] { Make(); }));
  ASSERT_EQ(unlink(Path("out.part").c_str()), 0);
  WriteFile(Path("out.part"), "");
  EXPECT_TRUE(FailsWith(Status::kExists, "cannot use", [&] { Make(); }));
  EXPECT_EQ(List(), (std::vector<std::string>{"out.part", "own"}));
}
#endif

TEST_F(PartialOutputTest, RefusesADirectoryOfOtherThings) {
  ASSERT_EQ(sys::MakeFolder(Path("out.part"), 0700), 0);
  WriteFile(Path("out.part/1"), "somebody's");
  for (const bool restart : {false, true}) {
    EXPECT_TRUE(
        FailsWith(Status::kExists, "has no journal", [&] { Make(restart); }));
  }
  EXPECT_EQ(ReadFile(Path("out.part/1")), "somebody's");
}

#if !defined(_WIN32)
TEST_F(PartialOutputTest, LinksInItAreNotFollowed) {
  Leave();
  WriteFile(Path("victim"), "old");
  ASSERT_EQ(unlink(Path("out.part/1").c_str()), 0);
  ASSERT_EQ(symlink("../victim", Path("out.part/1").c_str()), 0);
  EXPECT_TRUE(FailsWith(Status::kIo, "cannot write",
                        [&] { Make()->OpenFile("out", 0666, false); }));
  EXPECT_EQ(ReadFile(Path("victim")), "old");
}
#endif

TEST_F(PartialOutputTest, OneProcessAtATime) {
  const auto partial = Make();
  for (const bool restart : {false, true}) {
    EXPECT_TRUE(
        FailsWith(Status::kExists, "another process", [&] { Make(restart); }));
  }
}

TEST_F(PartialOutputTest, ShorterThanItsJournalSays) {
  Leave();
  const auto partial = Make();
  ASSERT_EQ(partial->records(), std::vector<std::string>{"r"});
  const auto file = partial->OpenFile("out", 0666, false);
  EXPECT_EQ(file->size(), 0u);
  WriteOptions options;
  options.partial = partial;
  AtomicFile output(Path("out"), options);
  EXPECT_TRUE(
      FailsWith(Status::kCorruptFile, "has 0 bytes", [&] { output.Keep(5); }));
}

TEST_F(PartialOutputTest, BeginsAnew) {
  // Nothing is left where nothing was begun.
  Make();
  EXPECT_EQ(List(), std::vector<std::string>());
  Leave();
  WriteFile(Path("out.part/17"), "old");
  {
    const auto anew = Make(/*restart=*/true);
    EXPECT_TRUE(anew->records().empty());
    EXPECT_FALSE(std::filesystem::exists(Path("out.part/17")));
  }
  Leave();
  // A name of a later version, say, stays, and so does the directory.
  WriteFile(Path("out.part/else"), "");
  Make()->Placed();
  EXPECT_EQ(List(), std::vector<std::string>{"out.part"});
}

}  // namespace
}  // namespace bnq
