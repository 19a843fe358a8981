#include "core/parallel/runner.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "core/base/fp_environment.h"
#include "core/base/process.h"

#if defined(__linux__)
#include <sched.h>
#endif

namespace bnq {
namespace {

// A pool's threads in one process.
class Crew {
 public:
  explicit Crew(uint32_t workers) : workers_(workers) {}

  ~Crew() {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      stop_ = true;
    }
    wake_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }

  bool IsOfThisProcess() const { return process_.IsHere(); }

  void Run(uint64_t count, const std::function<void(uint64_t)>& task) {
    if (busy_.test_and_set(std::memory_order_acquire)) {
      for (uint64_t i = 0; i < count; ++i) task(i);
      return;
    }
    {
      std::unique_lock<std::mutex> lock(mutex_);
      Start();
      task_ = &task;
      count_ = count;
      next_ = 0;
      running_ = static_cast<uint32_t>(threads_.size());
      ++generation_;
    }
    wake_.notify_all();
    Work();
    {
      std::unique_lock<std::mutex> lock(mutex_);
      done_.wait(lock, [this] { return running_ == 0; });
      task_ = nullptr;
    }
    busy_.clear(std::memory_order_release);
  }

 private:
  // The system may grant fewer threads than asked for; the work is done all the
  // same.
  void Start() {
    if (started_) return;
    started_ = true;
    try {
      threads_.reserve(workers_ - 1);
      for (uint32_t i = 1; i < workers_; ++i) {
        threads_.emplace_back([this] { Loop(); });
      }
    } catch (const std::exception&) {
    }
  }

  void Loop() {
    // Inherited from whoever ran first, which may have been anything.
    const FpEnvironment environment;
    uint64_t seen = 0;
    for (;;) {
      {
        std::unique_lock<std::mutex> lock(mutex_);
        wake_.wait(lock, [&] { return stop_ || generation_ != seen; });
        if (stop_) return;
        seen = generation_;
      }
      Work();
      std::lock_guard<std::mutex> lock(mutex_);
      if (--running_ == 0) done_.notify_one();
    }
  }

  void Work() {
    for (uint64_t i = next_++; i < count_; i = next_++) (*task_)(i);
  }

  const uint32_t workers_;
  const ProcessMark process_;
  std::atomic_flag busy_ = ATOMIC_FLAG_INIT;
  std::mutex mutex_;
  std::condition_variable wake_, done_;
  std::vector<std::thread> threads_;
  bool started_ = false, stop_ = false;
  uint64_t generation_ = 0;
  uint32_t running_ = 0;
  const std::function<void(uint64_t)>* task_ = nullptr;
  uint64_t count_ = 0;
  std::atomic<uint64_t> next_{0};
};

// In the child of a fork only the thread that forked exists. The parent's crew
// is there in a copy whose threads are not, and whose mutex and conditions are
// in whatever state the other threads held them at that moment: to lock, join
// or destroy any of it may wait for ever. So the child never touches it, lets
// its few hundred bytes leak, and starts a crew of its own.
class Pool : public Runner {
 public:
  explicit Pool(uint32_t threads) : workers_(threads) {}

  ~Pool() override {
    const Crew* crew = crew_;
    if (crew != nullptr && crew->IsOfThisProcess()) delete crew;
  }

  uint32_t workers() const override { return workers_; }

  void Run(uint64_t count, const std::function<void(uint64_t)>& task) override {
    CurrentCrew().Run(count, task);
  }

 private:
  Crew& CurrentCrew() {
    Crew* crew = crew_;
    if (crew != nullptr && crew->IsOfThisProcess()) return *crew;
    auto own = std::make_unique<Crew>(workers_);
    // Another thread may have been first; then `crew` is its one.
    if (!crew_.compare_exchange_strong(crew, own.get())) return *crew;
    return *own.release();
  }

  const uint32_t workers_;
  std::atomic<Crew*> crew_{nullptr};
};

}  // namespace

std::unique_ptr<Runner> MakePool(uint32_t threads) {
  return std::make_unique<Pool>(threads);
}

uint32_t NumProcessors() {
#if defined(__linux__)
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) {
    return static_cast<uint32_t>(std::max(1, CPU_COUNT(&set)));
  }
#endif
  return std::max(1u, std::thread::hardware_concurrency());
}

void ParallelFor(const Context& context, uint64_t count,
                 const std::function<void(uint64_t)>& task) {
  if (context.runner == nullptr || context.runner->workers() <= 1 ||
      count <= 1) {
    for (uint64_t i = 0; i < count; ++i) {
      task(i);
      context.Tick();
    }
    return;
  }
  std::mutex mutex;
  std::exception_ptr error;
  // The least index that failed. Tasks below it go on, though one of them may
  // begin later: which error is reported must not depend on the threads.
  std::atomic<uint64_t> error_index{UINT64_MAX};
  context.runner->Run(count, [&](uint64_t i) {
    if (i > error_index.load(std::memory_order_relaxed)) return;
    try {
      task(i);
      context.Tick();
    } catch (...) {
      std::lock_guard<std::mutex> lock(mutex);
      if (i < error_index) {
        error = std::current_exception();
        error_index = i;
      }
    }
  });
  if (error) std::rethrow_exception(error);
  // This thread may have done none of them.
  context.Tick();
}

}  // namespace bnq
