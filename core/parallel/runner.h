// Parallel-for over a runner: the built-in pool, or the host's own threads.
#ifndef BNQ_CORE_PARALLEL_RUNNER_H_
#define BNQ_CORE_PARALLEL_RUNNER_H_

#include <cstdint>
#include <functional>
#include <memory>

#include "core/base/context.h"

namespace bnq {

class Runner {
 public:
  virtual ~Runner() = default;
  virtual uint32_t workers() const = 0;
  // Calls task(i) once for each i below count, and returns when all have
  // returned. task does not throw, and finds the library's floating-point
  // environment.
  virtual void Run(uint64_t count,
                   const std::function<void(uint64_t)>& task) = 0;
};

// `threads` >= 1 including the caller's. Started on first use. Where two
// threads run on it at once, the second works alone. Its threads have the
// library's floating-point environment. In the child of a fork it starts anew.
std::unique_ptr<Runner> MakePool(uint32_t threads);

// Processors this process may use.
uint32_t NumProcessors();

// task(i) for i below count on the context's runner, or in order on this
// thread. Rethrows what the task with the least index threw; tasks above it
// that have not begun by then are skipped. The context's tick is called behind
// each task, and on this thread at the end.
void ParallelFor(const Context& context, uint64_t count,
                 const std::function<void(uint64_t)>& task);

}  // namespace bnq

#endif  // BNQ_CORE_PARALLEL_RUNNER_H_
