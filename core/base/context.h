// What an operation runs with: memory, threads, log, progress.
#ifndef BNQ_CORE_BASE_CONTEXT_H_
#define BNQ_CORE_BASE_CONTEXT_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "core/base/memory.h"

namespace bnq {

class Runner;  // parallel/runner.h

enum class LogLevel : int32_t { kWarning = 1, kInfo = 2 };

struct Context {
  Allocator allocator;
  std::shared_ptr<Runner> runner;  // nullptr: the calling thread
  std::function<void(LogLevel, const char*)> log;
  // Files are mapped into memory, not read into it.
  bool map_files = true;
  // Called between pieces of long work, each of less than 100 ms; throws to
  // cancel it. Ticking() of base/tick.h makes one of a report to the caller.
  std::function<void()> tick;

  void Log(LogLevel level, const std::string& message) const {
    if (log) log(level, message.c_str());
  }
  void Tick() const {
    if (tick) tick();
  }
  Buffer Allocate(uint64_t bytes) const { return Buffer(allocator, bytes); }
};

// Reports progress of a long operation: throws CANCELLED where the callback
// asks for it. An empty function reports nothing.
using Progress =
    std::function<void(uint64_t done, uint64_t total, const std::string& item)>;

}  // namespace bnq

#endif  // BNQ_CORE_BASE_CONTEXT_H_
