// What only POSIX has: permissions, links, signals, limits, children.
#if !defined(_WIN32)
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#if defined(__linux__)
#include <sched.h>
#include <sys/mount.h>
#endif

#include <string>

#include "core/io/atomic_file.h"
#include "tests/io/io_test_util.h"

namespace bnq {
namespace {

using Names = std::vector<std::string>;

class AtomicFilePosixTest : public TempDirTest {
 protected:
  // Past the process's limit on the size of files.
  void LimitedWrite(void (*handler)(int));

  WriteOptions overwrite_{/*overwrite=*/true, false, false};
  WriteOptions keep_;
};

unsigned ModeOf(const std::string& path) {
  struct stat status;
  EXPECT_EQ(stat(path.c_str(), &status), 0);
  return status.st_mode & 07777;
}

TEST_F(AtomicFilePosixTest, PermissionsAreThoseOfAnyNewFileOrOfTheOldOne) {
  const mode_t old_mask = umask(027);
  AtomicFile created(Path("new"), keep_);
  created.Commit();
  WriteFile(Path("old"), "");
  for (const mode_t mode : {0600u, 0664u, 0755u}) {
    ASSERT_EQ(chmod(Path("old").c_str(), mode), 0);
    AtomicFile file(Path("old"), overwrite_);
    // Nor may others read it while it is being written.
    for (const std::string& name : List()) {
      if (name[0] == '.') {
        EXPECT_EQ(ModeOf(Path(name)), mode);
      }
    }
    file.Commit();
    EXPECT_EQ(ModeOf(Path("old")), mode);
  }
  umask(old_mask);
  EXPECT_EQ(ModeOf(Path("new")), 0640u);
}

TEST_F(AtomicFilePosixTest, FollowsLinksAndKeepsThem) {
  ASSERT_EQ(mkdir(Path("sub").c_str(), 0700), 0);
  WriteFile(Path("sub/real"), "old");
  ASSERT_EQ(symlink("real", Path("sub/inner").c_str()), 0);
  ASSERT_EQ(symlink("sub/inner", Path("link").c_str()), 0);
  EXPECT_TRUE(FailsWith(Status::kExists, "link",
                        [&] { AtomicFile file(Path("link"), keep_); }));
  AtomicFile file(Path("link"), overwrite_);
  file.Append("new", 3);
  file.Commit();
  EXPECT_EQ(ReadFile(Path("sub/real")), "new");
  EXPECT_TRUE(std::filesystem::is_symlink(Path("link")));
  EXPECT_TRUE(std::filesystem::is_symlink(Path("sub/inner")));

  ASSERT_EQ(symlink("target", Path("dangling").c_str()), 0);
  AtomicFile through(Path("dangling"), keep_);
  through.Append("x", 1);
  through.Commit();
  EXPECT_EQ(ReadFile(Path("target")), "x");
  EXPECT_TRUE(std::filesystem::is_symlink(Path("dangling")));

  ASSERT_EQ(symlink("loop", Path("loop").c_str()), 0);
  EXPECT_TRUE(FailsWith(Status::kIo, "symbolic links",
                        [&] { AtomicFile f(Path("loop"), overwrite_); }));
}

TEST_F(AtomicFilePosixTest, RefusesADirectoryThatCannotBeWrittenTo) {
  ASSERT_EQ(chmod(directory_.c_str(), 0555), 0);
  const uid_t user = geteuid();
  if (user == 0) {
    ASSERT_EQ(seteuid(65534), 0);
  }
  const auto result = FailsWith(Status::kIo, "Permission denied",
                                [&] { AtomicFile f(Path("out"), keep_); });
  if (user == 0) {
    ASSERT_EQ(seteuid(user), 0);
  }
  ASSERT_EQ(chmod(directory_.c_str(), 0755), 0);
  EXPECT_TRUE(result);
}

volatile sig_atomic_t size_signals = 0;

// `ulimit -f`: an error like any other, whatever the process does about the
// signal, which it does not see.
TEST_F(AtomicFilePosixTest, ALimitOnFileSizesLeavesTheOldOutput) {
  for (void (*const handler)(int) :
       {SIG_DFL, SIG_IGN, +[](int) { size_signals = size_signals + 1; }}) {
    LimitedWrite(handler);
  }
  EXPECT_EQ(size_signals, 0);
  // A signal that waited before is still waiting.
  sigset_t limit, old, pending;
  sigemptyset(&limit);
  sigaddset(&limit, SIGXFSZ);
  ASSERT_EQ(pthread_sigmask(SIG_BLOCK, &limit, &old), 0);
  ASSERT_EQ(raise(SIGXFSZ), 0);
  LimitedWrite(SIG_DFL);
  ASSERT_EQ(sigpending(&pending), 0);
  EXPECT_EQ(sigismember(&pending, SIGXFSZ), 1);
  int taken;
  ASSERT_EQ(sigwait(&limit, &taken), 0);
  LimitedWrite(SIG_DFL);
  ASSERT_EQ(sigpending(&pending), 0);
  EXPECT_EQ(sigismember(&pending, SIGXFSZ), 0);
  ASSERT_EQ(pthread_sigmask(SIG_SETMASK, &old, nullptr), 0);
}

void AtomicFilePosixTest::LimitedWrite(void (*handler)(int)) {
  WriteFile(Path("out"), "old");
  struct sigaction action = {}, old_action;
  action.sa_handler = handler;
  ASSERT_EQ(sigaction(SIGXFSZ, &action, &old_action), 0);
  rlimit old;
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &old), 0);
  const rlimit small = {5000, old.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  testing::AssertionResult result = testing::AssertionFailure();
  {
    AtomicFile file(Path("out"), overwrite_);
    result = FailsWith(Status::kIo,
                       "cannot write \"" + Path("out") + "\": File", [&] {
                         for (int i = 0; i < 10; ++i) {
                           file.Append(Noise(1000).data(), 1000);
                         }
                       });
    // The part that fitted was written.
    EXPECT_EQ(file.size(), 5000u);
  }
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &old), 0);
  ASSERT_EQ(sigaction(SIGXFSZ, &old_action, nullptr), 0);
  EXPECT_TRUE(result);
  EXPECT_EQ(ReadFile(Path("out")), "old");
  EXPECT_EQ(List(), Names{"out"});
}

#if defined(__linux__)
TEST_F(AtomicFilePosixTest, ReallyFullDisk) {
  // In a child with a file system of its own; needs root.
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    if (unshare(CLONE_NEWNS) != 0 ||
        mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        mount("none", directory_.c_str(), "tmpfs", 0, "size=64k") != 0) {
      _exit(77);
    }
    WriteFile(Path("out"), "old");
    bool failed = false;
    {
      AtomicFile file(Path("out"), overwrite_);
      const std::string data = Noise(200000);
      failed = bool{FailsWith(Status::kIo, "No space left", [&] {
        file.Append(data.data(), data.size());
        file.Commit();
      })};
    }
    const bool intact = ReadFile(Path("out")) == "old";
    const bool clean = List() == Names{"out"};
    _exit(failed && intact && clean ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  if (WEXITSTATUS(status) == 77) GTEST_SKIP() << "cannot mount";
  EXPECT_EQ(WEXITSTATUS(status), 0);
}
#endif

TEST_F(AtomicFilePosixTest, KilledProcessLeavesTheOldOutput) {
  WriteFile(Path("out"), "old");
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    AtomicFile file(Path("out"), overwrite_);
    file.Append("half of the n", 13);
    if (write(ready[1], "x", 1) != 1) _exit(1);
    for (;;) pause();
  }
  char c;
  ASSERT_EQ(read(ready[0], &c, 1), 1);
  ASSERT_EQ(kill(child, SIGKILL), 0);
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));
  close(ready[0]);
  close(ready[1]);
  EXPECT_EQ(ReadFile(Path("out")), "old");
  // What is left behind is recognizable.
  const Names names = List();
  ASSERT_EQ(names.size(), 2u);
  EXPECT_EQ(names[0].rfind(".bnq-", 0), 0u);
  // And nothing in the way of the next attempt.
  AtomicFile file(Path("out"), overwrite_);
  file.Append("new", 3);
  file.Commit();
  EXPECT_EQ(ReadFile(Path("out")), "new");
}

}  // namespace
}  // namespace bnq
#endif  // !defined(_WIN32)
