// A conversion in parts: each is one call, of any process on any machine that
// sees the same files, in any order, more than once if need be; the last call
// puts them together. The bytes depend on the number of parts alone.
#ifndef BNQ_CORE_MODEL_PART_CONVERSION_H_
#define BNQ_CORE_MODEL_PART_CONVERSION_H_

#include <string>

#include "core/base/context.h"
#include "core/model/conversion.h"
#include "core/model/model_part.h"
#include "core/model/plan.h"
#include "core/model/report.h"

namespace bnq {

// Quantizes the tensors of a part, as QuantizeFile does, for the folder
// `output`, which is not there before JoinParts. Until then what is finished is
// beside it, in `output`.parts: files, and records of what was made of which
// input, by which plan. A part that is finished is not made again. As
// QuantizeFile; INVALID_ARGUMENT for max_shard_bytes, since a part is one file,
// and for resume.
Report QuantizePart(const Context& context, const Plan& plan,
                    const std::string& input, const std::string& output,
                    const ModelPart& part, const ConversionOptions& options,
                    const Progress& progress);

// Makes the folder of `parts` parts: their files, an index, and what is beside
// the weights of an input that is a model's folder. The report is that of all
// parts. NOT_FOUND names a part that is not finished, EXISTS one that was made
// of another input, or by other options.
Report JoinParts(const Context& context, const Plan& plan,
                 const std::string& input, const std::string& output,
                 uint64_t parts, const ConversionOptions& options,
                 const Progress& progress);

}  // namespace bnq

#endif  // BNQ_CORE_MODEL_PART_CONVERSION_H_
