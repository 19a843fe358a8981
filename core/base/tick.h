// Reports between pieces of work.
#ifndef BNQ_CORE_BASE_TICK_H_
#define BNQ_CORE_BASE_TICK_H_

#include <chrono>
#include <functional>
#include <memory>
#include <thread>
#include <utility>

namespace bnq {

// For Context::tick: calls `report`, on this thread alone, as callers may rely
// on that, and not before 20 ms have passed since the last time, so that pieces
// may be small. What it throws cancels the work.
inline std::function<void()> Ticking(std::function<void()> report) {
  using Clock = std::chrono::steady_clock;
  struct State {
    std::function<void()> report;
    std::thread::id thread;
    Clock::time_point last;
  };
  auto state = std::make_shared<State>(
      State{std::move(report), std::this_thread::get_id(), Clock::now()});
  return [state] {
    if (std::this_thread::get_id() != state->thread) return;
    const Clock::time_point now = Clock::now();
    if (now - state->last < std::chrono::milliseconds(20)) return;
    state->last = now;
    state->report();
  };
}

}  // namespace bnq

#endif  // BNQ_CORE_BASE_TICK_H_
