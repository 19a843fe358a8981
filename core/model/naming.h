// Errors within one tensor of a model name it.
#ifndef BNQ_CORE_MODEL_NAMING_H_
#define BNQ_CORE_MODEL_NAMING_H_

#include <string>

#include "core/base/error.h"

namespace bnq {

// Runs f; an error it throws gets the tensor's name, unless it has it already.
template <class F>
auto InTensor(const std::string& name, F&& f) -> decltype(f()) {
  try {
    return f();
  } catch (const Error& e) {
    const std::string quoted = Quoted(name);
    if (e.message().find(quoted) != std::string::npos) throw;
    throw Error(e.code(), "tensor " + quoted + ": " + e.message());
  }
}

}  // namespace bnq

#endif  // BNQ_CORE_MODEL_NAMING_H_
