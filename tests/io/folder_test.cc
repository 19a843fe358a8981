#include "core/io/folder.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "tests/io/io_test_util.h"

namespace bnq {
namespace {

namespace fs = std::filesystem;

using FolderTest = TempDirTest;

TEST_F(FolderTest, IsMadeWithThoseItLiesIn) {
  for (const char* name : {"a/b/c", "d", "e/f/", "g//h"}) {
    MakeFolders(Path(name));
    MakeFolders(Path(name));
    EXPECT_TRUE(fs::is_directory(Path(name))) << name;
  }
  WriteFile(Path("file"), "");
  EXPECT_TRUE(FailsWith(Status::kIo, "cannot make the folder",
                        [&] { MakeFolders(Path("file/a/b")); }));
}

TEST_F(FolderTest, ListsWhatIsInIt) {
  std::vector<std::string> names;
  const auto list = [&](const std::string& path) {
    names.clear();
    ListFolder(path, [&](const std::string& name) { names.push_back(name); });
    std::sort(names.begin(), names.end());
    return names;
  };
  WriteFile(Path(".hidden"), "");
  WriteFile(Path("file"), "");
  fs::create_directory(Path("folder"));
  EXPECT_EQ(list(directory_),
            (std::vector<std::string>{".hidden", "file", "folder"}));
  EXPECT_EQ(list(Path("missing")), std::vector<std::string>());
  EXPECT_TRUE(FailsWith(Status::kIo, "cannot read the folder",
                        [&] { list(Path("file")); }));
}

TEST_F(FolderTest, ListsTrees) {
  for (const char* folder : {"a/b", "a/.c", "d"}) MakeFolders(Path(folder));
  for (const char* file : {"1", "a/2", "a/b/3", "a/.c/4"}) {
    WriteFile(Path(file), "");
  }
#if !defined(_WIN32)
  fs::create_directory_symlink("..", Path("a/b/5"));
#else
  WriteFile(Path("a/b/5"), "");
#endif
  std::vector<std::string> names;
  ListTree(
      directory_, [](const std::string& name) { return name[0] != '.'; },
      [&](const std::string& path) { names.push_back(path); });
  std::sort(names.begin(), names.end());
  EXPECT_EQ(names, (std::vector<std::string>{"1", "a/2", "a/b/3", "a/b/5"}));
}

TEST_F(FolderTest, KnowsFiles) {
  FileTraits traits;
  EXPECT_FALSE(FindTraits(Path("file"), &traits));
  EXPECT_FALSE(SetModified(Path("file"), 0));
  const int64_t before = SystemTime();
  WriteFile(Path("file"), "12345");
  const int64_t time = 1234567890123456700;  // Windows counts in 100 ns
  EXPECT_TRUE(SetModified(Path("file"), time));
  EXPECT_TRUE(FindTraits(Path("file"), &traits));
  EXPECT_EQ(traits.bytes, 5u);
  EXPECT_EQ(traits.modified, time);
  EXPECT_FALSE(traits.is_folder);
  // The system's own clock is some milliseconds coarse.
  EXPECT_GT(traits.changed, before - 1000000000);
  EXPECT_LT(traits.changed, SystemTime() + 1000000000);
  FileId id;
  EXPECT_TRUE(FindFileId(Path("file"), &id));
  EXPECT_TRUE(traits.id == id);
  EXPECT_EQ(RealPath(directory_ + "/./file"), RealPath(directory_) + "/file");
#if !defined(_WIN32)
  fs::create_symlink("file", Path("link"));
  EXPECT_EQ(RealPath(Path("link")), RealPath(directory_) + "/file");
#endif
  EXPECT_EQ(RealPath(Path("missing")), Path("missing"));
}

TEST_F(FolderTest, LockIsHeldByOne) {
  const std::string path = Path("lock");
  {
    const FolderLock lock(path);
    EXPECT_TRUE(lock.held());
    EXPECT_FALSE(FolderLock(path).held());
  }
  EXPECT_TRUE(FolderLock(path).held());
  EXPECT_FALSE(FolderLock(Path("missing/lock")).held());
}

}  // namespace
}  // namespace bnq
