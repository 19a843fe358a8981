#ifndef BNQ_CORE_IO_NEW_ARRAY_H_
#define BNQ_CORE_IO_NEW_ARRAY_H_

#include <string>

#include "core/base/dtype.h"
#include "core/base/shape.h"
#include "core/io/ggml_types.h"

namespace bnq {

// A plain array that is to be written.
struct NewArray {
  std::string name;
  DType dtype = DType::kF32;
  Shape shape;
  GgmlBlocks blocks{};  // that it stands for, of kU8; none of most arrays
};

}  // namespace bnq

#endif  // BNQ_CORE_IO_NEW_ARRAY_H_
