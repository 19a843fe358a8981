// Whole model files: quantized, dequantized, compared.
//
// One tensor, or one slice of a large one, is in memory at a time, so memory
// does not grow with the model; pages of the input are released as they have
// been read. (A compressed tensor that is dequantized or compared is inflated
// as a whole.)
#ifndef BNQ_CORE_MODEL_CONVERT_H_
#define BNQ_CORE_MODEL_CONVERT_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/base/context.h"
#include "core/base/shape.h"
#include "core/io/model_file.h"
#include "core/kernels/overflow.h"
#include "core/model/conversion.h"
#include "core/model/model_part.h"
#include "core/model/plan.h"
#include "core/model/report.h"
#include "core/model/tensor_entry.h"
#include "core/tensor/tensor.h"

namespace bnq {

class TickingProgress;  // core/base/tick.h

// Elements of a slice, the most of a tensor that is in memory at a time: 16 MiB
// of float32. Any other number gives the same; of files that are compared, a
// multiple of kChunk.
constexpr uint64_t kSliceElements = uint64_t{4} << 20;

// A plain array that a conversion adds to the model's.
struct ExtraArray {
  std::string name;
  DType dtype = DType::kF32;
  Shape shape;
  std::string bytes;
};

// As bnq_quantize_file, bnq_dequantize_file and bnq_compare_files. An error in
// a tensor names it.
Report QuantizeFile(const Context& context, const Plan& plan,
                    const std::string& input, const std::string& output,
                    const ConversionOptions& options, const Progress& progress,
                    const std::vector<ExtraArray>& extra = {},
                    uint64_t slice_elements = kSliceElements);
// The tensors of a part of `file`, which is what OpenSourceModel has of
// `input`.
Report QuantizeModel(TickingProgress* progress, const Plan& plan,
                     const ModelFile& file, const ModelPart& part,
                     const std::string& input, const std::string& output,
                     const ConversionOptions& options,
                     const std::vector<ExtraArray>& extra = {},
                     uint64_t slice_elements = kSliceElements);
// What makes the bytes of a conversion.
Fingerprint QuantizeFingerprint(const Plan& plan, const ModelFile& file,
                                const ConversionOptions& options,
                                const std::vector<ExtraArray>& extra,
                                uint64_t slice_elements);
Report DequantizeFile(const Context& context, const std::string& input,
                      const std::string& output, DType dtype, Overflow overflow,
                      const ConversionOptions& options,
                      const Progress& progress,
                      uint64_t slice_elements = kSliceElements);
Report CompareFiles(const Context& context, const std::string& original,
                    const std::string& other, const Progress& progress,
                    uint64_t slice_elements = kSliceElements);

// A quantized tensor of a .bnq file, its checksums, parameters and codes
// checked; in the mapped file where it can be. CORRUPT_FILE, and UNSUPPORTED
// for what a later version may have written. `checked`: these very bytes have
// been loaded before, so that nothing of what is mapped need be read.
std::unique_ptr<QuantizedTensor> LoadTensor(
    const Context& context, std::shared_ptr<const ModelFile> file,
    const ModelEntry& entry, bool checked = false);

// The parts' sizes and types, without data. As LoadTensor.
Parts StoredSizes(const ModelEntry& entry);
// The options stored with a quantized tensor. As LoadTensor.
Config StoredConfig(const ModelEntry& entry);

// Everything LoadTensor checks, for all tensors; floating-point arrays must be
// finite (NON_FINITE). Plain arrays are read piece_bytes at a time, a multiple
// of 8. What belongs to no tensor is checked with the first part.
void VerifyFile(const Context& context, std::shared_ptr<const ModelFile> file,
                const Progress& progress,
                uint64_t piece_bytes = uint64_t{1} << 20,
                const ModelPart& part = {});

}  // namespace bnq

#endif  // BNQ_CORE_MODEL_CONVERT_H_
