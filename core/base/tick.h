// Reports between pieces of work.
#ifndef BNQ_CORE_BASE_TICK_H_
#define BNQ_CORE_BASE_TICK_H_

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "core/base/context.h"

namespace bnq {

// Time between two reports, at least, so that pieces of work may be small.
constexpr std::chrono::milliseconds kTickInterval{20};

// The caller's context for the length of an operation, whose tick calls
// `report` too: on this thread alone, as callers may rely on that, and every
// kTickInterval at most. What it throws cancels the work. What `report` refers
// to must live as long as the context.
inline Context Ticking(const Context& caller, std::function<void()> report) {
  using Clock = std::chrono::steady_clock;
  struct State {
    std::function<void()> outer, report;
    std::thread::id thread;
    Clock::time_point last;
  };
  auto state =
      std::make_shared<State>(State{caller.tick, std::move(report),
                                    std::this_thread::get_id(), Clock::now()});
  Context context = caller;
  context.tick = [state] {
    if (state->outer) state->outer();
    if (std::this_thread::get_id() != state->thread) return;
    const Clock::time_point now = Clock::now();
    if (now - state->last < kTickInterval) return;
    state->last = now;
    state->report();
  };
  return context;
}

// The same of the progress of an operation that says how far it is: begin with
// Report, and the tick repeats what was reported last.
class TickingProgress {
 public:
  TickingProgress(const Context& caller, const Progress& progress)
      : progress_(progress),
        context_(progress ? Ticking(caller, [this] { Again(); }) : caller) {}
  TickingProgress(const TickingProgress&) = delete;
  TickingProgress& operator=(const TickingProgress&) = delete;

  const Context& context() const { return context_; }
  void Report(uint64_t done, uint64_t total, const std::string& item) {
    done_ = done;
    total_ = total;
    item_ = item;
    if (progress_) Again();
  }

 private:
  void Again() const { progress_(done_, total_, item_); }

  const Progress& progress_;
  uint64_t done_ = 0, total_ = 0;
  std::string item_;
  Context context_;
};

}  // namespace bnq

#endif  // BNQ_CORE_BASE_TICK_H_
