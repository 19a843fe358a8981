// Files of other ecosystems as model files of ours: what the layouts of
// core/interchange find in them, as entries.
#ifndef BNQ_CORE_MODEL_FOREIGN_MODEL_H_
#define BNQ_CORE_MODEL_FOREIGN_MODEL_H_

#include <memory>
#include <string>

#include "core/base/context.h"
#include "core/interchange/layout.h"
#include "core/io/json_tree.h"
#include "core/io/model_file.h"

namespace bnq {

// A view of the file in which tensors of other layouts are quantized entries,
// with ModelEntry::layout; the file itself where there are none. Their parts
// are transcoded as they are read. CORRUPT_FILE and UNSUPPORTED name the
// tensor.
std::shared_ptr<const ModelFile> ForeignView(
    const Context& context, std::shared_ptr<const ModelFile> file,
    const ImportOptions& options = {});
// The same with `config` for the config.json beside it.
std::shared_ptr<const ModelFile> ForeignViewOf(
    const Context& context, std::shared_ptr<const ModelFile> file,
    JsonTree config, const ImportOptions& options);

// A view in which every quantized tensor, also of a .bnq file, is a plain
// float32 array of its values; the file itself where there are none.
std::shared_ptr<const ModelFile> DequantizedView(
    std::shared_ptr<const ModelFile> file);

// The config.json beside the weights as a tree; kNull where there is none, or
// the file is in memory.
JsonTree ConfigBeside(const Context& context, const ModelFile& file);

}  // namespace bnq

#endif  // BNQ_CORE_MODEL_FOREIGN_MODEL_H_
