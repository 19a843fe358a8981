// Models that another program has quantized.
#ifndef BNQ_CORE_MODEL_QUANTIZED_ALREADY_H_
#define BNQ_CORE_MODEL_QUANTIZED_ALREADY_H_

#include <string>

#include "core/base/context.h"
#include "core/io/model_file.h"

namespace bnq {

// UNSUPPORTED, saying by whom, where the weights of `file`, which `input`
// names, are codes of a layout that is known by its tensors' names and types
// (packed integers beside their scales) but is none that is read
// (core/interchange), or where the config.json of the folder `input` says so:
// what would be quantized are their scales.
void RefuseQuantized(const Context& context, const ModelFile& file,
                     const std::string& input);

}  // namespace bnq

#endif  // BNQ_CORE_MODEL_QUANTIZED_ALREADY_H_
