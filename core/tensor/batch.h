// Many tensors in one call: small ones are shared out among the threads, large
// ones are cut up for them, one after another. Nothing is allocated for the
// batch.
#ifndef BNQ_CORE_TENSOR_BATCH_H_
#define BNQ_CORE_TENSOR_BATCH_H_

#include <cstdint>
#include <functional>
#include <string>

#include "core/base/context.h"
#include "core/base/error.h"
#include "core/parallel/runner.h"

namespace bnq {

// f(i); what it throws gets "<what> <i>: " before its text.
template <class F>
void InItem(const char* what, uint64_t i, F f) {
  Within([&] { return Message(what, " ", i); }, [&] { f(i); });
}

template <class F>
void ForEachItem(const char* what, uint64_t count, F f) {
  for (uint64_t i = 0; i < count; ++i) InItem(what, i, f);
}

// work(i, context to work on) for each item, of elements(i) elements. The error
// of the first item that fails, as far as they were begun.
template <class Elements, class Work>
void RunBatch(const Context& context, const char* what, uint64_t count,
              Elements elements, Work work) {
  // Too few elements to be worth cutting up.
  constexpr uint64_t kSmall = uint64_t{1} << 18;
  Context serial = context;
  serial.runner = nullptr;
  for (uint64_t i = 0; i < count;) {
    uint64_t end = i;
    while (end < count && elements(end) <= kSmall) ++end;
    ParallelFor(context, end - i, [&](uint64_t k) {
      InItem(what, i + k, [&](uint64_t item) { work(item, serial); });
    });
    if (end < count) {
      InItem(what, end, [&](uint64_t item) { work(item, context); });
      ++end;
    }
    i = end;
  }
}

}  // namespace bnq

#endif  // BNQ_CORE_TENSOR_BATCH_H_
