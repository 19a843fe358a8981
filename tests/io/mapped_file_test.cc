#include "core/io/mapped_file.h"

#if !defined(_WIN32)
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#endif

#include <filesystem>
#include <fstream>
#include <string>

#include "tests/io/io_test_util.h"
#include "tests/support/sanitizer.h"

namespace bnq {
namespace {

class MappedFileTest : public TempDirTest {
 protected:
  std::shared_ptr<const MappedFile> Open(const std::string& path) {
    return MappedFile::Open(Context(), path);
  }
};

std::string Contents(const MappedFile& file) {
  return std::string(reinterpret_cast<const char*>(file.data()),
                     static_cast<size_t>(file.size()));
}

TEST_F(MappedFileTest, HoldsTheFile) {
  const std::string bytes = Noise(100001);
  WriteFile(Path("a"), bytes);
  const auto file = Open(Path("a"));
  EXPECT_EQ(Contents(*file), bytes);
  EXPECT_EQ(file->path(), Path("a"));
  EXPECT_TRUE(file->has_id());
#if !defined(_WIN32)
  // The mapping holds on to what it was opened on.
  unlink(Path("a").c_str());
  EXPECT_EQ(Contents(*file), bytes);
#endif
}

TEST_F(MappedFileTest, EmptyFile) {
  WriteFile(Path("a"), "");
  const auto file = Open(Path("a"));
  EXPECT_EQ(file->size(), 0u);
  file->Release(0, 1);
}

TEST_F(MappedFileTest, ErrorsNameThePathAndTheReason) {
  EXPECT_TRUE(
      FailsWith(Status::kNotFound, Path("none"), [&] { Open(Path("none")); }));
  EXPECT_TRUE(FailsWith(Status::kNotFound, "No such file", [&] { Open(""); }));
  WriteFile(Path("a"), "x");
  EXPECT_TRUE(FailsWith(Status::kNotFound, "Not a directory",
                        [&] { Open(Path("a/b")); }));
  EXPECT_TRUE(
      FailsWith(Status::kIo, "is a directory", [&] { Open(directory_); }));
#if defined(_WIN32)
  EXPECT_TRUE(FailsWith(Status::kIo, "is a device", [&] { Open("NUL"); }));
#else
  EXPECT_TRUE(
      FailsWith(Status::kIo, "is a device", [&] { Open("/dev/zero"); }));
  ASSERT_EQ(mkfifo(Path("fifo").c_str(), 0600), 0);
  EXPECT_TRUE(FailsWith(Status::kIo, "is a pipe", [&] { Open(Path("fifo")); }));
#endif
}

#if !defined(_WIN32)
TEST_F(MappedFileTest, Unreadable) {
  WriteFile(Path("a"), "x");
  ASSERT_EQ(chmod(Path("a").c_str(), 0), 0);
  ASSERT_EQ(chmod(directory_.c_str(), 0755), 0);
  const uid_t user = geteuid();
  if (user == 0) {
    ASSERT_EQ(seteuid(65534), 0);
  }
  const auto result =
      FailsWith(Status::kIo, "Permission denied", [&] { Open(Path("a")); });
  if (user == 0) {
    ASSERT_EQ(seteuid(user), 0);
  }
  EXPECT_TRUE(result);
}
#endif

TEST_F(MappedFileTest, IdentityIsOfTheFileNotTheName) {
  WriteFile(Path("a"), "x");
  WriteFile(Path("b"), "x");
  ASSERT_EQ(sys::HardLink(Path("a"), Path("hard")), 0);
  const FileId id = Open(Path("a"))->id();
  EXPECT_EQ(Open(Path("hard"))->id(), id);
  EXPECT_NE(Open(Path("b"))->id(), id);
  FileId found;
  ASSERT_TRUE(FindFileId(directory_ + "/./hard", &found));
  EXPECT_EQ(found, id);
#if !defined(_WIN32)
  ASSERT_EQ(symlink("a", Path("soft").c_str()), 0);
  EXPECT_EQ(Open(Path("soft"))->id(), id);
  ASSERT_TRUE(FindFileId(directory_ + "/./soft", &found));
  EXPECT_EQ(found, id);
#endif
  EXPECT_FALSE(FindFileId(Path("none"), &found));
}

TEST_F(MappedFileTest, BorrowedMemory) {
  const uint8_t bytes[3] = {1, 2, 3};
  const auto file = MappedFile::FromMemory(bytes, 3);
  EXPECT_EQ(file->data(), bytes);
  EXPECT_EQ(file->size(), 3u);
  EXPECT_FALSE(file->has_id());
  file->Release(0, 3);
  EXPECT_EQ(file->data()[2], 3);
  EXPECT_EQ(MappedFile::FromMemory(nullptr, 0)->size(), 0u);
  EXPECT_TRUE(FailsWith(Status::kInvalidArgument, "NULL",
                        [] { MappedFile::FromMemory(nullptr, 1); }));
}

#if defined(__linux__)
// Resident pages of mapped files, in bytes.
size_t ResidentFileBytes() {
  std::ifstream in("/proc/self/status");
  for (std::string line; std::getline(in, line);) {
    if (line.rfind("RssFile:", 0) == 0) {
      return std::stoul(line.substr(8)) * 1024;
    }
  }
  return 0;
}

TEST_F(MappedFileTest, ReleaseMakesPagesNonResidentAndLosesNothing) {
  constexpr size_t kBytes = 32 << 20;
  const std::string bytes = Noise(kBytes);
  WriteFile(Path("a"), bytes);
  const auto file = Open(Path("a"));
  const size_t before = ResidentFileBytes();
  ASSERT_EQ(Contents(*file), bytes);
  ASSERT_GT(ResidentFileBytes(), before + kBytes / 2);
  file->Release(0, kBytes);
  EXPECT_LT(ResidentFileBytes(), before + kBytes / 8);
  EXPECT_EQ(Contents(*file), bytes);
  // Ranges within a page, over the end and beyond it.
  file->Release(5, 10);
  file->Release(kBytes - 10, UINT64_MAX);
  file->Release(UINT64_MAX, UINT64_MAX);
  EXPECT_EQ(Contents(*file), bytes);
}

TEST_F(MappedFileTest, ReadsWhereItCannotMap) {
  if (bnq_test::SanitizedMemory()) {
    GTEST_SKIP() << "the limit is below what the sanitizer itself maps";
  }
  constexpr size_t kBytes = 3 << 20;
  const std::string bytes = Noise(kBytes);
  WriteFile(Path("a"), bytes);
  // Memory the limit does not touch, since it is there already.
  std::vector<uint8_t> memory(kBytes + 4096, 1);
  Context context;
  context.allocator.opaque = memory.data();
  context.allocator.alloc = [](void* opaque, uint64_t) { return opaque; };
  context.allocator.free = [](void*, void*) {};
  rlimit old;
  ASSERT_EQ(getrlimit(RLIMIT_AS, &old), 0);
  const rlimit none = {1 << 20, old.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_AS, &none), 0);
  std::shared_ptr<const MappedFile> file;
  try {
    file = MappedFile::Open(context, Path("a"));
  } catch (const Error&) {
  }
  ASSERT_EQ(setrlimit(RLIMIT_AS, &old), 0);
  ASSERT_NE(file, nullptr);
  EXPECT_GE(file->data(), memory.data());
  EXPECT_LE(file->data(), memory.data() + 4096);
  EXPECT_EQ(Contents(*file), bytes);
  file->Release(0, kBytes);
  EXPECT_EQ(Contents(*file), bytes);
}
#endif

}  // namespace
}  // namespace bnq
