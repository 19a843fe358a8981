// An operation on arrays beside what the memory does with as many bytes, in
// turn.
#ifndef BNQ_BENCH_MEASURE_H_
#define BNQ_BENCH_MEASURE_H_

#include <benchmark/benchmark.h>

#include <algorithm>
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "bench/memory.h"
#include "bnq/bnq.h"

namespace bnq_bench {

inline void Check(bnq_status status) {
  if (status == BNQ_OK) return;
  std::fprintf(stderr, "%s\n", bnq_last_error());
  std::abort();
}

// Threads for the yardstick. They sleep between rounds, so as not to take
// processors from the library's.
class Work {
 public:
  explicit Work(int threads) {
    for (int t = 1; t < threads; ++t) {
      threads_.emplace_back([this, t] {
        for (uint64_t round = 1;; ++round) {
          {
            std::unique_lock<std::mutex> lock(mutex_);
            wake_.wait(lock, [&] { return stop_ || round_ >= round; });
            if (stop_) return;
          }
          task_(t);
          std::lock_guard<std::mutex> lock(mutex_);
          if (++done_ == threads_.size()) finished_.notify_one();
        }
      });
    }
  }
  ~Work() {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      stop_ = true;
    }
    wake_.notify_all();
    for (std::thread& t : threads_) t.join();
  }
  // task(t) for t below threads.
  void Run(const std::function<void(int)>& task) {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      task_ = task;
      done_ = 0;
      ++round_;
    }
    wake_.notify_all();
    task(0);
    std::unique_lock<std::mutex> lock(mutex_);
    finished_.wait(lock, [this] { return done_ == threads_.size(); });
  }

 private:
  std::mutex mutex_;
  std::condition_variable wake_, finished_;
  std::function<void(int)> task_;
  uint64_t round_ = 0;
  size_t done_ = 0;
  bool stop_ = false;
  std::vector<std::thread> threads_;
};

// The arrays of one tier.
struct Data {
  explicit Data(size_t bytes) : x(bytes / 4), y(bytes / 4) {
    // Gaussian enough, and quick to make.
    uint32_t state = 1;
    for (float& v : x) {
      float sum = 0;
      for (int i = 0; i < 3; ++i) {
        state = state * 1664525u + 1013904223u;
        sum += static_cast<float>(state >> 8) / 16777216.0f - 0.5f;
      }
      v = sum;
    }
  }
  std::vector<float> x, y;
};

inline Data& DataOf(size_t bytes) {
  static std::unique_ptr<Data> data;  // one tier at a time
  if (!data || data->x.size() * 4 != bytes) {
    data.reset();
    data = std::make_unique<Data>(bytes);
  }
  return *data;
}

enum Yardstick { kCopy, kRead, kWrite };

inline void RunMemory(Yardstick what, Data& data, int threads, Work& work) {
  const size_t part = data.x.size() / threads;
  work.Run([&, part](int t) {
    const float* from = data.x.data() + t * part;
    float* to = data.y.data() + t * part;
    switch (what) {
      case kCopy:
        std::memcpy(to, from, part * 4);
        benchmark::ClobberMemory();
        break;
      case kRead:
        benchmark::DoNotOptimize(ReadAll(from, part * 4));
        break;
      case kWrite:
        std::memset(to, t + 1, part * 4);
        benchmark::ClobberMemory();
        break;
    }
  });
}

// Runs op under the benchmark; then it and the yardsticks in turn, for the
// median ratio of their times.
inline void Measure(
    benchmark::State& state, Data& data, int threads,
    const std::vector<std::pair<const char*, Yardstick>>& yardsticks,
    const std::function<void()>& op) {
  op();
  for (auto _ : state) op();
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations()) *
                          static_cast<int64_t>(data.x.size() * 4));
  Work work(threads);
  const int repeat =
      static_cast<int>(std::max<size_t>(1, (size_t{4} << 20) / data.x.size()));
  const auto time = [&](const std::function<void()>& f) {
    const double start = Now();
    for (int i = 0; i < repeat; ++i) f();
    return Now() - start;
  };
  for (const auto& yardstick : yardsticks) {
    std::vector<double> ratios;
    for (int i = 0; i < 11; ++i) {
      const double memory =
          time([&] { RunMemory(yardstick.second, data, threads, work); });
      ratios.push_back(memory / time(op));
    }
    std::nth_element(ratios.begin(), ratios.begin() + 5, ratios.end());
    state.counters[yardstick.first] = ratios[5];
  }
}

}  // namespace bnq_bench

#endif  // BNQ_BENCH_MEASURE_H_
