// Contexts: their interrupt; their pool before and after a fork.
#include <gtest/gtest.h>

#include <cstring>
#include <thread>
#include <vector>

#include "capi_test_util.h"

namespace {

struct Asked {
  std::thread::id thread;
  int times = 0;
  int32_t answer = 0;
};

int32_t Ask(void* opaque) {
  auto* asked = static_cast<Asked*>(opaque);
  EXPECT_EQ(std::this_thread::get_id(), asked->thread);
  ++asked->times;
  return asked->answer;
}

// Each thread begins as one that has not been asked yet.
void Interrupted(int32_t threads) {
  Asked asked;
  asked.thread = std::this_thread::get_id();
  bnq_context* context = nullptr;
  ASSERT_EQ(bnq_context_create(nullptr, &context), BNQ_OK);
  ASSERT_EQ(bnq_context_set_threads(context, threads), BNQ_OK);
  ASSERT_EQ(bnq_context_set_interrupt(context, Ask, &asked), BNQ_OK);
  const std::vector<float> values(1 << 20, 1.0f);
  const uint64_t shape[] = {values.size()};
  const bnq_array array = {values.data(), shape, BNQ_DTYPE_F32, 1};
  bnq_calibrator* calibrator = nullptr;
  ASSERT_EQ(bnq_calibrator_create(&calibrator), BNQ_OK);
  EXPECT_EQ(bnq_calibrator_observe(context, calibrator, &array), BNQ_OK);
  EXPECT_GT(asked.times, 0);
  asked.answer = 1;
  bnq_status status = BNQ_OK;
  while (status == BNQ_OK) {
    status = bnq_calibrator_observe(context, calibrator, &array);
  }
  bnq_test::Expect(status, BNQ_ERROR_CANCELLED, "interrupt");
  // The next one, without it, is none the worse.
  const uint64_t batches = bnq_calibrator_batches(calibrator);
  ASSERT_EQ(bnq_context_set_interrupt(context, nullptr, nullptr), BNQ_OK);
  EXPECT_EQ(bnq_calibrator_observe(context, calibrator, &array), BNQ_OK);
  EXPECT_EQ(bnq_calibrator_batches(calibrator), batches + 1);
  bnq_calibrator_destroy(calibrator);
  bnq_context_destroy(context);
}

TEST(Context, InterruptEndsWhatHasNoProgress) {
  for (const int32_t threads : {1, 3}) {
    std::thread(Interrupted, threads).join();
  }
  bnq_test::Expect(bnq_context_set_interrupt(nullptr, nullptr, nullptr),
                   BNQ_ERROR_INVALID_ARGUMENT, "context is NULL");
}

}  // namespace

#if defined(__unix__) || defined(__APPLE__)
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cmath>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "capi_test_util.h"
#include "tests/support/sanitizer.h"

namespace {

constexpr unsigned kDeadline = 60;  // seconds, of a child that hangs

// What f returns in a child of this process; -1 where that did not end by
// itself.
int InChild(const std::function<bool()>& f) {
  const pid_t child = fork();
  if (child == 0) {
    alarm(kDeadline);
    _exit(f() ? 0 : 1);
  }
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) != child) return -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

struct Destroy {
  void operator()(bnq_context* c) const { bnq_context_destroy(c); }
  void operator()(bnq_config* c) const { bnq_config_destroy(c); }
  void operator()(bnq_tensor* t) const { bnq_tensor_destroy(t); }
};
template <class T>
using Owned = std::unique_ptr<T, Destroy>;

// A model of enough weights to be shared out among threads.
class ForkTest : public testing::Test {
 protected:
  ForkTest() : values_(512 * 1024) {
    for (size_t i = 0; i < values_.size(); ++i) {
      values_[i] = std::sin(static_cast<float>(i));
    }
    bnq_context* context = nullptr;
    EXPECT_EQ(bnq_context_create(nullptr, &context), BNQ_OK);
    context_.reset(context);
    EXPECT_EQ(bnq_context_set_threads(context, 3), BNQ_OK);
    bnq_config* config = nullptr;
    EXPECT_EQ(bnq_config_from_text("int8_symmetric", &config), BNQ_OK);
    config_.reset(config);
  }

  Owned<bnq_tensor> Quantize() const {
    const uint64_t shape[] = {512, 1024};
    const bnq_array array = {values_.data(), shape, BNQ_DTYPE_F32, 2};
    bnq_tensor* tensor = nullptr;
    bnq_tensor_quantize(context_.get(), config_.get(), &array, &tensor);
    return Owned<bnq_tensor>(tensor);
  }

  bool Reads(const bnq_tensor* tensor) const {
    std::vector<float> out(values_.size());
    return tensor != nullptr &&
           bnq_tensor_dequantize(context_.get(), tensor, BNQ_DTYPE_F32,
                                 BNQ_OVERFLOW_ERROR, out.data(),
                                 4 * out.size()) == BNQ_OK &&
           std::fabs(out[1] - values_[1]) < 0.01f;
  }

  std::vector<float> values_;
  Owned<bnq_context> context_;
  Owned<bnq_config> config_;
};

TEST_F(ForkTest, TheChildDropsTheContextsOfItsParent) {
  ASSERT_NE(Quantize(), nullptr);
  EXPECT_EQ(InChild([&] {
              context_.reset();
              return true;
            }),
            0);
}

TEST_F(ForkTest, TheChildWorksWithThemAndSoDoTheParentAndAGrandchild) {
  const auto tensor = Quantize();
  ASSERT_TRUE(Reads(tensor.get()));
  EXPECT_EQ(InChild([&] {
              return Reads(tensor.get()) && Reads(Quantize().get()) &&
                     bnq_context_threads(context_.get()) == 3 &&
                     InChild([&] { return Reads(Quantize().get()); }) == 0 &&
                     bnq_context_set_threads(context_.get(), 2) == BNQ_OK &&
                     Reads(Quantize().get());
            }),
            0);
  EXPECT_TRUE(Reads(Quantize().get()));
}

TEST_F(ForkTest, BeforeThePoolHasStarted) {
  EXPECT_EQ(InChild([&] { return Reads(Quantize().get()); }), 0);
  EXPECT_TRUE(Reads(Quantize().get()));
}

TEST_F(ForkTest, WhileOtherThreadsAreInsideOperations) {
  // malloc makes its locks whole in the child; the sanitizers' allocator of
  // GCC 12 leaves them as they were, held by threads that are no more. The
  // child cannot do without it: it quantizes, and starts threads.
  if (bnq_test::SanitizedMemory()) {
    GTEST_SKIP() << "the sanitizer's allocator does not survive such a fork";
  }
  std::atomic<bool> stop{false};
  std::atomic<int> rounds{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 2; ++i) {
    threads.emplace_back([&] {
      while (!stop) {
        EXPECT_NE(Quantize(), nullptr);
        ++rounds;
      }
    });
  }
  while (rounds < 2) std::this_thread::yield();
  for (int i = 0; i < 20; ++i) {
    const int before = rounds;
    EXPECT_EQ(InChild([&] {
                const bool works = Reads(Quantize().get());
                context_.reset();
                return works;
              }),
              0);
    while (rounds == before) std::this_thread::yield();
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
}

// Forks in the midst of an operation, between two of its parallel parts.
struct Forking {
  pid_t child = -1;
  bool done = false;
};

int32_t ForkOnce(void* opaque, uint64_t, uint64_t, const char*) {
  Forking& forking = *static_cast<Forking*>(opaque);
  if (!forking.done) {
    forking.done = true;
    forking.child = fork();
    if (forking.child == 0) alarm(kDeadline);
  }
  return 0;
}

TEST_F(ForkTest, AnOperationWhoseCallbackForksGoesOnInBoth) {
  bnq_optimizer* optimizer = nullptr;
  ASSERT_EQ(bnq_optimizer_create(&optimizer), BNQ_OK);
  const uint64_t shape[] = {512, 1024};
  const bnq_array array = {values_.data(), shape, BNQ_DTYPE_F32, 2};
  ASSERT_TRUE(Reads(Quantize().get()));
  Forking forking;
  bnq_tensor* tensor = nullptr;
  const bnq_status status =
      bnq_optimize(context_.get(), optimizer, config_.get(), &array, nullptr,
                   ForkOnce, &forking, &tensor, nullptr, 0, nullptr, 0);
  const bool works = status == BNQ_OK && Reads(tensor);
  if (forking.child == 0) _exit(works ? 0 : 1);
  EXPECT_TRUE(works);
  int result = -1;
  EXPECT_EQ(waitpid(forking.child, &result, 0), forking.child);
  EXPECT_EQ(result, 0);
  bnq_tensor_destroy(tensor);
  bnq_optimizer_destroy(optimizer);
}

TEST_F(ForkTest, AChildThatDropsAWriterLeavesTheParentsFileAlone) {
  const std::string path = testing::TempDir() + "bnq_fork_test.safetensors";
  bnq_writer* writer = nullptr;
  ASSERT_EQ(bnq_writer_create(nullptr, path.c_str(), BNQ_FILE_SAFETENSORS,
                              BNQ_WRITE_OVERWRITE, 0, &writer),
            BNQ_OK)
      << bnq_last_error();
  const uint64_t shape[] = {512, 1024};
  const bnq_array array = {values_.data(), shape, BNQ_DTYPE_F32, 2};
  EXPECT_EQ(bnq_writer_add_array(writer, "w", &array), BNQ_OK);
  EXPECT_EQ(InChild([&] {
              bnq_writer_destroy(writer);
              return true;
            }),
            0);
  EXPECT_EQ(bnq_writer_finish(writer), BNQ_OK) << bnq_last_error();
  bnq_writer_destroy(writer);
  EXPECT_EQ(unlink(path.c_str()), 0);
}

TEST_F(ForkTest, TheLastErrorIsThatOfTheThreadThatForked) {
  bnq_tensor* tensor = nullptr;
  bnq_test::Expect(
      bnq_tensor_quantize(context_.get(), config_.get(), nullptr, &tensor),
      BNQ_ERROR_INVALID_ARGUMENT, "source");
  const std::string before = bnq_last_error();
  EXPECT_EQ(InChild([&] {
              return before == bnq_last_error() &&
                     bnq_context_set_threads(nullptr, 1) ==
                         BNQ_ERROR_INVALID_ARGUMENT &&
                     before != bnq_last_error();
            }),
            0);
}

}  // namespace
#endif
