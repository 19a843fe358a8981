// What core/io relies on, of every system: system_posix.cc, system_windows.cc.
#include "core/io/system.h"

#include <cerrno>
#include <string>
#include <vector>

#include "core/io/atomic_file.h"
#include "core/io/folder.h"
#include "core/io/text_file.h"
#include "tests/io/io_test_util.h"

namespace bnq {
namespace {

using sys::File;

class SystemTest : public TempDirTest {
 protected:
  // Through the library, whose paths may be what std::ofstream's may not.
  void Write(const std::string& path, const std::string& text) {
    WriteOptions options;
    options.overwrite = true;
    WriteTextFile(path, text, options);
  }
  std::string Read(const std::string& path) {
    return ReadTextFile(Context(), path, 1 << 20);
  }
};

TEST_F(SystemTest, NamesAreUtf8) {
  const std::string folder =
      Path("\xC3\xBC-\xE6\xA8\xA1\xE5\x9E\x8B-\xF0\x9F\xA7\xAE");
  const std::string name = "\xD0\xB2\xD0\xB5\xD1\x81.bnq";
  MakeFolders(folder);
  Write(folder + '/' + name, "x");
  EXPECT_EQ(Read(folder + '/' + name), "x");
  std::vector<std::string> names;
  ListFolder(folder, [&](const std::string& found) { names.push_back(found); });
  EXPECT_EQ(names, std::vector<std::string>{name});
  EXPECT_EQ(RealPath(folder + '/' + name), RealPath(folder) + '/' + name);
  RemoveFile(folder + '/' + name);
  EXPECT_TRUE(IsEmptyDirectory(folder));
}

// Windows without more ado takes 259 characters.
TEST_F(SystemTest, PathsAreLong) {
  std::string folder = directory_;
  for (int i = 0; i < 5; ++i) folder += '/' + std::string(100, 'l');
  MakeFolders(folder);
  const std::string path = folder + "/file";
  Write(path, "old");
  Write(path, "new");  // replaces
  EXPECT_EQ(Read(path), "new");
  ASSERT_EQ(sys::HardLink(path, folder + "/second"), 0);
  EXPECT_TRUE(RenameFile(folder + "/second", folder + "/third"));
  EXPECT_EQ(Read(folder + "/third"), "new");
  EXPECT_EQ(RealPath(path),
            RealPath(directory_) + path.substr(directory_.size()));
  std::vector<std::string> names;
  ListTree(
      directory_, [](const std::string&) { return true; },
      [&](const std::string& found) { names.push_back(found); });
  EXPECT_EQ(names.size(), 2u);
  RemoveTree(directory_ + '/' + std::string(100, 'l'));
  EXPECT_TRUE(IsEmptyDirectory(directory_));
}

TEST_F(SystemTest, WhatIsNoPath) {
  sys::FileStatus status;
  EXPECT_EQ(sys::GetStatus("", true, &status), ENOENT);
  Write(Path("a"), "x");
  EXPECT_EQ(sys::GetStatus(Path("a/b/c"), true, &status), ENOTDIR);
  EXPECT_EQ(sys::GetStatus(Path("b/c"), true, &status), ENOENT);
  File file;
  EXPECT_EQ(file.Open(Path("b"), File::kRead), ENOENT);
  EXPECT_EQ(file.Open(Path("a/b"), File::kWrite | File::kCreate), ENOTDIR);
  EXPECT_FALSE(file.is_open());
#if defined(_WIN32)
  EXPECT_EQ(sys::GetStatus("\xFF", true, &status), EILSEQ);
#endif
}

TEST_F(SystemTest, AnOpenFileCanBeReplacedAndRemoved) {
  const std::string old(100000, 'o');
  Write(Path("a"), old);
  File file;
  ASSERT_EQ(file.Open(Path("a"), File::kRead | File::kFollowLink), 0);
  const auto mapped = MappedFile::Open(Context(), Path("a"));
  try {
    Write(Path("a"), "new");
  } catch (const Error& error) {
    EXPECT_EQ(Read(Path("a")), old);
#if defined(_WIN32)
    GTEST_SKIP() << "not on this file system: " << error.message();
#else
    FAIL() << error.message();
#endif
  }
  EXPECT_EQ(Read(Path("a")), "new");
  std::string text(old.size(), '\0');
  size_t done = 0;
  EXPECT_EQ(file.ReadAt(0, &text[0], text.size(), &done), 0);
  EXPECT_EQ(done, old.size());
  EXPECT_EQ(text, old);
  EXPECT_EQ(
      std::string(reinterpret_cast<const char*>(mapped->data()), old.size()),
      old);
  sys::FileStatus status;
  ASSERT_EQ(file.Status(&status), 0);
  EXPECT_FALSE(status.has_name);
  EXPECT_EQ(List(), std::vector<std::string>{"a"});
}

TEST_F(SystemTest, RenamingReplacesFilesAndEmptyFolders) {
  for (const char* folder : {"a", "b", "full"}) MakeFolders(Path(folder));
  Write(Path("a/1"), "1");
  Write(Path("full/2"), "2");
  Write(Path("file"), "3");
  EXPECT_EQ(sys::Rename(Path("a"), Path("b")), 0);
  EXPECT_EQ(Read(Path("b/1")), "1");
  EXPECT_NE(sys::Rename(Path("b"), Path("full")), 0);
  EXPECT_NE(sys::Rename(Path("file"), Path("full")), 0);
  EXPECT_NE(sys::Rename(Path("none"), Path("file")), 0);
  EXPECT_EQ(Read(Path("file")), "3");
  EXPECT_EQ(Read(Path("full/2")), "2");
}

TEST_F(SystemTest, LinksReplaceNothing) {
  Write(Path("a"), "a");
  Write(Path("b"), "b");
  EXPECT_EQ(sys::HardLink(Path("a"), Path("b")), EEXIST);
  EXPECT_EQ(sys::HardLink(Path("none"), Path("c")), ENOENT);
  MakeFolders(Path("folder"));
  EXPECT_TRUE(sys::MeansNoLinks(sys::HardLink(Path("folder"), Path("d"))));
  EXPECT_EQ(sys::HardLink(Path("folder"), Path("b")), EEXIST);
  EXPECT_EQ(sys::HardLink(Path("a"), Path("c")), 0);
  FileId a, c;
  ASSERT_TRUE(FindFileId(Path("a"), &a) && FindFileId(Path("c"), &c));
  EXPECT_TRUE(a == c);
}

// Within one process as between two.
TEST_F(SystemTest, LocksExcludeEachOtherAndLeaveTheDataAlone) {
  constexpr unsigned kFlags = File::kRead | File::kWrite | File::kCreate;
  File one, two;
  ASSERT_EQ(one.Open(Path("a"), kFlags), 0);
  ASSERT_EQ(two.Open(Path("a"), kFlags), 0);
  EXPECT_EQ(one.Lock(), 0);
  EXPECT_EQ(two.Lock(), EWOULDBLOCK);
  EXPECT_EQ(two.WriteAt(3, "x", 1), 0);
  EXPECT_EQ(ReadFile(Path("a")), std::string("\0\0\0x", 4));
  one.Unlock();
  EXPECT_EQ(two.Lock(), 0);
  EXPECT_EQ(two.Close(), 0);
  EXPECT_EQ(one.Lock(), 0);
}

TEST_F(SystemTest, ReadsAndWritesAnywhere) {
  File file;
  ASSERT_EQ(file.Open(Path("a"),
                      File::kRead | File::kWrite | File::kCreate | File::kNew),
            0);
  File other;
  EXPECT_EQ(other.Open(Path("a"), File::kWrite | File::kCreate | File::kNew),
            EEXIST);
  EXPECT_EQ(file.WriteAt(4, "tail", 4), 0);
  EXPECT_EQ(file.WriteAt(0, "head", 4), 0);
  EXPECT_EQ(file.Truncate(6), 0);
  EXPECT_EQ(file.Sync(), 0);
  char text[10];
  size_t done = 0;
  EXPECT_EQ(file.ReadAt(2, text, sizeof text, &done), 0);
  EXPECT_EQ(std::string(text, done), "adta");
  EXPECT_EQ(file.ReadAt(100, text, sizeof text, &done), 0);
  EXPECT_EQ(done, 0u);
  EXPECT_EQ(file.WriteAt(INT64_MAX, "x", 1), EFBIG);
}

TEST_F(SystemTest, PathsArePartedWhereTheSystemPartsThem) {
  struct Case {
    const char* path;
    size_t name;
    bool absolute;
  };
  for (const Case& c : {
         Case{"a", 0, false}, Case{"a/b", 2, false}, Case{"/a/", 3, true},
#if defined(_WIN32)
             Case{"a\\b/c", 4, false}, Case{"a/b\\c", 4, false},
             Case{"C:a", 2, false}, Case{"C:/a", 3, true},
             Case{"\\\\server\\share\\a", 15, true},
#else
             Case{"a\\b", 0, false},
#endif
       }) {
    EXPECT_EQ(sys::NameBegin(c.path), c.name) << c.path;
    EXPECT_EQ(sys::IsAbsolute(c.path), c.absolute) << c.path;
  }
}

}  // namespace
}  // namespace bnq
