// The floating-point environment is the library's own while it works, in every
// thread, and the caller's before, after and within its callbacks.
#include <gtest/gtest.h>

#include <algorithm>
#include <cfenv>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#if defined(__SSE2__)
#include <xmmintrin.h>
#endif

#include "capi_test_util.h"

namespace {

using bnq_test::Expect;

// An environment as this thread may have it.
struct Environment {
  std::string name;
  std::function<void()> set;
};

std::vector<Environment> OddEnvironments() {
  std::vector<Environment> list;
#if defined(__SSE2__)
  list.push_back({"flush to zero", [] { _mm_setcsr(0x1F80 | 0x8040); }});
  list.push_back({"flush, rounding up", [] { _mm_setcsr(0x1F80 | 0xC040); }});
  // Every trap but that of inexact results, which the test itself gives.
  list.push_back({"traps", [] { _mm_setcsr(0x1000); }});
  list.push_back({"flags", [] { _mm_setcsr(0x1F80 | 0x15); }});
#endif
  list.push_back({"down", [] { std::fesetround(FE_DOWNWARD); }});
  list.push_back({"up", [] { std::fesetround(FE_UPWARD); }});
  list.push_back({"toward zero", [] { std::fesetround(FE_TOWARDZERO); }});
  return list;
}

// What this thread has: control and flags.
uint32_t Current() {
#if defined(__SSE2__)
  return _mm_getcsr();
#else
  return static_cast<uint32_t>(std::fegetround());
#endif
}

void Reset() { std::fesetenv(FE_DFL_ENV); }

// Runs tasks on threads that each have another environment.
int32_t OddRunner(void*, uint64_t count, bnq_task_fn task, void* opaque) {
  const auto environments = OddEnvironments();
  for (uint64_t begin = 0; begin < count; begin += 3) {
    std::vector<std::thread> threads;
    for (uint64_t i = begin; i < std::min(count, begin + 3); ++i) {
      threads.emplace_back([&, i] {
        environments[i % environments.size()].set();
        const uint32_t before = Current();
        task(opaque, i, static_cast<uint32_t>(i - begin));
        EXPECT_EQ(Current(), before);
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
  return 0;
}

class Bytes {
 public:
  template <class T>
  void Add(const T* data, uint64_t count) {
    if (count != 0) {
      text_.append(reinterpret_cast<const char*>(data), count * sizeof(T));
    }
  }
  void Check(bnq_status status) { Add(&status, 1); }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

constexpr uint64_t kRows = 96, kColumns = 1024, kCount = kRows * kColumns;

// Ordinary values, and rows of subnormal ones.
std::vector<float> Values() {
  std::vector<float> values(kCount);
  for (size_t i = 0; i < kCount; ++i) {
    const float x = std::sin(static_cast<float>(i * i % 100003));
    values[i] = i / kColumns % 2 == 0 ? x : std::ldexp(x, -128);
  }
  return values;
}

void AddTensor(bnq_context* context, const bnq_array& array,
               const bnq_tensor* tensor, Bytes& out) {
  for (const int32_t id : {BNQ_PART_CODES, BNQ_PART_SCALES}) {
    bnq_part part;
    out.Check(bnq_tensor_part(tensor, id, &part));
    out.Add(static_cast<const uint8_t*>(part.data), part.bytes);
  }
  std::vector<float> values(kCount);
  out.Check(bnq_tensor_dequantize(context, tensor, BNQ_DTYPE_F32,
                                  BNQ_OVERFLOW_ERROR, values.data(),
                                  4 * kCount));
  out.Add(values.data(), kCount);
  double metrics[BNQ_NUM_METRICS] = {};
  out.Check(
      bnq_tensor_compare(context, &array, tensor, metrics, BNQ_NUM_METRICS));
  out.Add(metrics, BNQ_NUM_METRICS);
  const double bits = bnq_tensor_bits_per_weight(tensor);
  out.Add(&bits, 1);
}

int32_t Nothing(void*, uint64_t, uint64_t, const char*) { return 0; }

// What an odd thing is done by: quantizes into every preset, calibrates and
// optimises, and returns every byte of what came of it.
std::string Work(bnq_context* context, const std::vector<float>& values) {
  Bytes out;
  const uint64_t shape[] = {kRows, kColumns};
  const bnq_array array = {values.data(), shape, BNQ_DTYPE_F32, 2};
  for (uint32_t i = 0; i < bnq_preset_count(); ++i) {
    bnq_config* config = nullptr;
    out.Check(bnq_config_from_text(bnq_preset_name(i), &config));
    bnq_tensor* tensor = nullptr;
    out.Check(bnq_tensor_quantize(context, config, &array, &tensor));
    if (tensor) AddTensor(context, array, tensor, out);
    bnq_tensor_destroy(tensor);
    bnq_config_destroy(config);
  }
  bnq_calibrator* calibrator = nullptr;
  out.Check(bnq_calibrator_create(&calibrator));
  for (const char* method : {"kl", "mse", "percentile", "minmax"}) {
    out.Check(bnq_options_set_text(bnq_calibrator_settings(calibrator),
                                   "moments", "1"));
    out.Check(bnq_options_set_text(bnq_calibrator_settings(calibrator),
                                   "histogram", "1"));
    out.Check(bnq_options_set_text(bnq_calibrator_settings(calibrator),
                                   "method", method));
    out.Check(bnq_calibrator_observe(context, calibrator, &array));
    float range[2] = {};
    out.Check(bnq_calibrator_range(context, calibrator, range, range + 1, 1));
    out.Add(range, 2);
    std::vector<char> state(1 << 20);
    uint64_t size = 0;
    out.Check(bnq_calibrator_serialize(nullptr, calibrator, state.data(),
                                       state.size(), &size));
    out.Add(state.data(), size);
    out.Check(bnq_calibrator_reset(calibrator));
  }
  bnq_calibrator_destroy(calibrator);
  bnq_optimizer* optimizer = nullptr;
  out.Check(bnq_optimizer_create(&optimizer));
  bnq_config* config = nullptr;
  out.Check(bnq_config_from_text("int4_per_group_128", &config));
  bnq_tensor* tensor = nullptr;
  out.Check(bnq_optimize(context, optimizer, config, &array, nullptr, Nothing,
                         nullptr, &tensor, nullptr, 0, nullptr, 0));
  if (tensor) AddTensor(context, array, tensor, out);
  bnq_tensor_destroy(tensor);
  bnq_config_destroy(config);
  bnq_optimizer_destroy(optimizer);
  return out.text();
}

using Context = std::unique_ptr<bnq_context, decltype(&bnq_context_destroy)>;

Context MakeContext(int32_t threads, const bnq_runner* runner = nullptr) {
  bnq_context* context = nullptr;
  EXPECT_EQ(bnq_context_create(nullptr, &context), BNQ_OK);
  EXPECT_EQ(bnq_context_set_threads(context, threads), BNQ_OK);
  if (runner != nullptr) {
    EXPECT_EQ(bnq_context_set_runner(context, runner), BNQ_OK);
  }
  return Context(context, bnq_context_destroy);
}

TEST(FpEnvironment, ResultsDoNotDependOnTheCallersNorOnThatOfAnyThread) {
  const std::vector<float> values = Values();
  const std::string expected = Work(nullptr, values);
  const bnq_runner runner = {OddRunner, nullptr, 3};
  const Context started = MakeContext(3);
  EXPECT_TRUE(Work(started.get(), values) == expected);
  EXPECT_TRUE(Work(MakeContext(1, &runner).get(), values) == expected)
      << "a runner whose threads have odd environments";
  for (const Environment& odd : OddEnvironments()) {
    SCOPED_TRACE(odd.name);
    odd.set();
    const uint32_t before = Current();
    const std::string alone = Work(nullptr, values);
    // The pool's threads inherit the environment of the one that starts them.
    const std::string pool = Work(MakeContext(3).get(), values);
    const std::string before_it = Work(started.get(), values);
    const uint32_t after = Current();
    Reset();
    EXPECT_TRUE(alone == expected) << "one thread";
    EXPECT_TRUE(pool == expected) << "a new pool";
    EXPECT_TRUE(before_it == expected) << "a pool started before";
#if defined(__SSE2__)
    EXPECT_EQ(after & ~0x3Fu, before & ~0x3Fu);
#else
    EXPECT_EQ(after, before);
#endif
  }
}

TEST(FpEnvironment, IsTheCallersAgainAfterwardsAlsoAfterAnError) {
  const float values[] = {1e-40f, 0.1f, std::numeric_limits<float>::infinity()};
  const uint64_t three = 3, two = 2;
  bnq_config* config = nullptr;
  ASSERT_EQ(bnq_config_from_text("int8_symmetric", &config), BNQ_OK);
  for (const Environment& odd : OddEnvironments()) {
    SCOPED_TRACE(odd.name);
    for (const bnq_array& array :
         {bnq_array{values, &two, BNQ_DTYPE_F32, 1},
          bnq_array{values, &three, BNQ_DTYPE_F32, 1}}) {
      bnq_tensor* tensor = nullptr;
      odd.set();
      const uint32_t before = Current();
      const bnq_status status =
          bnq_tensor_quantize(nullptr, config, &array, &tensor);
      const uint32_t after = Current();
      Reset();
      bnq_tensor_destroy(tensor);
      EXPECT_EQ(status, array.shape == &two ? BNQ_OK : BNQ_ERROR_NON_FINITE);
      EXPECT_EQ(after, before);
    }
  }
  bnq_config_destroy(config);
}

// What the callbacks of an optimisation saw, and the environment that each sets
// in turn.
struct Caller {
  std::vector<Environment> odd = OddEnvironments();
  size_t next = 0;
  uint32_t left = 0;
  uint64_t calls = 0, surprises = 0;

  void Enter() {
    ++calls;
    surprises += Current() != left;
  }
  void Leave() {
    // A call of the library within a callback has the library's, too.
    float lo, hi;
    const float value = 1e-40f;
    const bnq_array array = {&value, nullptr, BNQ_DTYPE_F32, 0};
    bnq_calibrator* calibrator = nullptr;
    bnq_calibrator_create(&calibrator);
    bnq_calibrator_observe(nullptr, calibrator, &array);
    bnq_calibrator_range(nullptr, calibrator, &lo, &hi, 1);
    bnq_calibrator_destroy(calibrator);
    surprises += std::memcmp(&hi, &value, 4) != 0;
    odd[next++ % odd.size()].set();
    left = Current();
  }
};

int32_t WatchProgress(void* opaque, uint64_t, uint64_t, const char*) {
  Caller& caller = *static_cast<Caller*>(opaque);
  caller.Enter();
  caller.Leave();
  return 0;
}

int32_t WatchMetric(void* opaque, const float* original,
                    const float* dequantized, uint64_t count, double* error) {
  Caller& caller = *static_cast<Caller*>(opaque);
  caller.Enter();
  *error = 0;
  for (uint64_t i = 0; i < count; ++i) {
    *error = std::max<double>(*error, std::fabs(original[i] - dequantized[i]));
  }
  caller.Leave();
  return 0;
}

int32_t WatchRunner(void* opaque, uint64_t count, bnq_task_fn task,
                    void* task_opaque) {
  Caller& caller = *static_cast<Caller*>(opaque);
  caller.Enter();
  for (uint64_t i = 0; i < count; ++i) task(task_opaque, i, 0);
  caller.Leave();
  return 0;
}

TEST(FpEnvironment, CallbacksHaveTheCallersAndWhatTheyChangeStays) {
  std::vector<float> values(4096);
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<float>(i * 37 % 256) / 256;
  }
  const uint64_t shape[] = {8, 512};
  const bnq_array array = {values.data(), shape, BNQ_DTYPE_F32, 2};
  Caller caller;
  const bnq_runner runner = {WatchRunner, &caller, 2};
  const Context context = MakeContext(1, &runner);
  bnq_config* config = nullptr;
  ASSERT_EQ(bnq_config_from_text("int4_per_group_128", &config), BNQ_OK);
  bnq_optimizer* optimizer = nullptr;
  ASSERT_EQ(bnq_optimizer_create(&optimizer), BNQ_OK);
  ASSERT_EQ(bnq_optimizer_set_metric(optimizer, WatchMetric, &caller), BNQ_OK);
  bnq_tensor* tensor = nullptr;
  caller.left = Current();
  const bnq_status status =
      bnq_optimize(context.get(), optimizer, config, &array, nullptr,
                   WatchProgress, &caller, &tensor, nullptr, 0, nullptr, 0);
  const uint32_t after = Current();
  Reset();
  EXPECT_EQ(status, BNQ_OK) << bnq_last_error();
  EXPECT_EQ(after, caller.left);
  EXPECT_EQ(caller.surprises, 0u);
  EXPECT_GT(caller.calls, 40u);
  bnq_tensor_destroy(tensor);
  bnq_optimizer_destroy(optimizer);
  bnq_config_destroy(config);
}

}  // namespace
