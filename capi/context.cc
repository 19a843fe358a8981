#include <chrono>
#include <cstddef>

#include "capi/guard.h"
#include "core/base/fp_environment.h"
#include "core/base/tick.h"
#include "core/io/held_outputs.h"
#include "core/parallel/runner.h"

using namespace bnq;
using namespace bnq::capi;

namespace {

static_assert(sizeof(bnq_allocator) == sizeof(Allocator), "layout");
static_assert(offsetof(bnq_allocator, free) == sizeof(void*), "layout");
static_assert(offsetof(bnq_allocator, opaque) == 2 * sizeof(void*), "layout");
static_assert(offsetof(bnq_runner, opaque) == sizeof(void*), "layout");
static_assert(offsetof(bnq_runner, workers) == 2 * sizeof(void*), "layout");
static_assert(offsetof(bnq_array, shape) == sizeof(void*), "layout");
static_assert(offsetof(bnq_array, dtype) == 2 * sizeof(void*), "layout");
static_assert(offsetof(bnq_array, rank) == 2 * sizeof(void*) + 4, "layout");

constexpr int32_t kMaxThreads = 256;
constexpr uint32_t kMaxWorkers = 4096;

// The host's own threads.
class HostRunner : public Runner {
 public:
  explicit HostRunner(const bnq_runner& runner) : runner_(runner) {}
  uint32_t workers() const override { return runner_.workers; }
  void Run(uint64_t count, const std::function<void(uint64_t)>& task) override {
    const bnq_task_fn call = [](void* opaque, uint64_t index, uint32_t) {
      const FpEnvironment environment;
      (*static_cast<const std::function<void(uint64_t)>*>(opaque))(index);
    };
    const int32_t result = CallOut([&] {
      return runner_.run(runner_.opaque, count, call,
                         const_cast<std::function<void(uint64_t)>*>(&task));
    });
    if (result != 0) {
      Fail(Status::kInternal, "the runner returned ", result, " instead of 0");
    }
  }

 private:
  bnq_runner runner_;
};

}  // namespace

bnq_status bnq_context_create(const bnq_allocator* allocator,
                              bnq_context** out_context) {
  return Guard([&] {
    bnq_context*& out = Output(out_context, "out_context");
    auto context = std::make_unique<bnq_context>();
    if (allocator != nullptr) {
      if (allocator->alloc == nullptr || allocator->free == nullptr) {
        Fail(Status::kInvalidArgument,
             "allocator: ", allocator->alloc == nullptr ? "alloc" : "free",
             " is NULL");
      }
      context->core.allocator = {allocator->alloc, allocator->free,
                                 allocator->opaque};
    }
    out = context.release();
  });
}

void bnq_context_destroy(bnq_context* context) { delete context; }

bnq_status bnq_context_set_threads(bnq_context* context, int32_t threads) {
  return Guard([&] {
    Required(context, "context");
    if (threads < 0 || threads > kMaxThreads) {
      Fail(Status::kInvalidArgument, "threads = ", threads, ", must be 0 to ",
           kMaxThreads);
    }
    const uint32_t n =
        threads != 0 ? static_cast<uint32_t>(threads) : NumProcessors();
    context->core.runner = n > 1 ? MakePool(n) : nullptr;
  });
}

int32_t bnq_context_threads(const bnq_context* context) {
  return context != nullptr && context->core.runner != nullptr
             ? static_cast<int32_t>(context->core.runner->workers())
             : 1;
}

bnq_status bnq_context_set_runner(bnq_context* context,
                                  const bnq_runner* runner) {
  return Guard([&] {
    Required(context, "context");
    if (runner == nullptr) {
      context->core.runner = nullptr;
      return;
    }
    if (runner->run == nullptr) {
      Fail(Status::kInvalidArgument, "runner: run is NULL");
    }
    if (runner->workers < 1 || runner->workers > kMaxWorkers) {
      Fail(Status::kInvalidArgument, "runner: workers = ", runner->workers,
           ", must be 1 to ", kMaxWorkers);
    }
    context->core.runner = std::make_shared<HostRunner>(*runner);
  });
}

bnq_status bnq_context_set_mapping(bnq_context* context, int32_t mapping) {
  return Guard([&] {
    Context& core = Required(context, "context").core;
    if (mapping != 0 && mapping != 1) {
      Fail(Status::kInvalidArgument, "mapping = ", mapping, ", must be 0 or 1");
    }
    core.map_files = mapping == 1;
  });
}

bnq_status bnq_context_set_interrupt(bnq_context* context,
                                     bnq_interrupt_fn interrupt, void* opaque) {
  return Guard([&] {
    Context& core = Required(context, "context").core;
    if (interrupt == nullptr) {
      core.tick = nullptr;
      return;
    }
    core.tick = [interrupt, opaque] {
      // Of this thread, whatever operations it works for.
      static thread_local std::chrono::steady_clock::time_point asked;
      if (!CallScope::IsInCall()) return;
      const auto now = std::chrono::steady_clock::now();
      if (now - asked < kTickInterval) return;
      asked = now;
      if (CallOut([&] { return interrupt(opaque); }) != 0) {
        Fail(Status::kCancelled, "cancelled by the context's interrupt");
      }
    };
  });
}

bnq_status bnq_context_hold_outputs(bnq_context* context) {
  return Guard([&] {
    if (Required(context, "context").held != nullptr) return;
    context->held = std::make_shared<HeldOutputs>();
  });
}

bnq_status bnq_context_place_outputs(bnq_context* context) {
  return Guard([&] {
    if (Required(context, "context").held == nullptr) return;
    context->held->Place();
  });
}

bnq_status bnq_context_set_log(bnq_context* context, bnq_log_fn log,
                               void* opaque, int32_t level) {
  return Guard([&] {
    Required(context, "context");
    if (level < BNQ_LOG_WARNING || level > BNQ_LOG_INFO) {
      Fail(Status::kInvalidArgument, "level = ", level, ", must be ",
           BNQ_LOG_WARNING, " or ", BNQ_LOG_INFO);
    }
    if (log == nullptr) {
      context->core.log = nullptr;
      return;
    }
    context->core.log = [log, opaque, level](LogLevel at, const char* text) {
      if (static_cast<int32_t>(at) <= level) {
        CallOut([&] { log(opaque, static_cast<int32_t>(at), text); });
      }
    };
  });
}
