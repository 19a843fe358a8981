// Tensors of ours as ggml's blocks.
#ifndef BNQ_CORE_INTERCHANGE_GGUF_EXPORT_H_
#define BNQ_CORE_INTERCHANGE_GGUF_EXPORT_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/interchange/layout.h"
#include "core/io/ggml_types.h"

namespace bnq {

// The type of blocks that holds the tensor's codes in the fewest bits: each
// code plus or minus a constant for its group. Its verdict says what is
// rounded. Where none does, its type is F32.
struct GgmlTarget {
  GgmlType type = GgmlType::kF32;
  Verdict verdict = Verdict::kExact;
  std::string why;
};
// Zero points of int2 are looked at.
GgmlTarget ChooseGgmlType(const Context& context, const ModelEntry& entry,
                          const Config& config, const Parts& sizes);

// Writes a tensor as blocks of the chosen type, called `name`. Row i of the
// last dimension is row rows[i] of the tensor; empty: the same.
std::unique_ptr<ExportTensor> MakeGgmlTensor(const ModelEntry& entry,
                                             const GgmlTarget& target,
                                             const std::string& name,
                                             std::vector<uint64_t> rows);

// What the scale of an NVFP4 tensor is called: "x.scale" of "x.weight".
std::string GgufScaleName(const std::string& name);

std::unique_ptr<Exporter> MakeGgufExporter(const Context& context,
                                           const ExportRequest& request);

}  // namespace bnq

#endif  // BNQ_CORE_INTERCHANGE_GGUF_EXPORT_H_
