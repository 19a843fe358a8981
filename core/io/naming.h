// Errors within one tensor of a model name it.
#ifndef BNQ_CORE_IO_NAMING_H_
#define BNQ_CORE_IO_NAMING_H_

#include <string>
#include <utility>

#include "core/base/error.h"

namespace bnq {

// What an error calls a tensor that it is in.
inline std::string TensorSubject(const std::string& name) {
  return "tensor " + Quoted(name);
}

// Runs f; an error it throws names the tensor.
template <class F>
auto InTensor(const std::string& name, F&& f) -> decltype(f()) {
  return Within([&] { return TensorSubject(name); }, std::forward<F>(f));
}

}  // namespace bnq

#endif  // BNQ_CORE_IO_NAMING_H_
