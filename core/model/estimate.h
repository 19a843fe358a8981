// Sizes of converted models, from headers alone.
#ifndef BNQ_CORE_MODEL_ESTIMATE_H_
#define BNQ_CORE_MODEL_ESTIMATE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "core/base/context.h"
#include "core/io/model_file.h"
#include "core/model/convert.h"
#include "core/model/plan.h"

namespace bnq {

struct Estimate {
  Report rows;  // metrics are NaN
  // Of the .bnq file, or of its shards and their index, which has their names:
  // those of model.bnq.
  uint64_t file_bytes = 0;
};

// What QuantizeFile with the plan would write without compression, to the byte;
// but for outlier columns, which only the data tell: a note says so. Reads no
// weights.
Estimate EstimateFile(const Context& context, const Plan& plan,
                      const std::string& input, uint64_t max_shard_bytes);

// Of a .bnq file that holds these arrays as they are.
uint64_t PlainFileBytes(const Context& context,
                        const std::vector<const ModelEntry*>& entries,
                        const Metadata& metadata);

}  // namespace bnq

#endif  // BNQ_CORE_MODEL_ESTIMATE_H_
