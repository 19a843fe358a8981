// A model that is to be quantized, and what a plan makes of its tensors: what
// conversions, sensitivity, estimates and layers have in common.
#ifndef BNQ_CORE_MODEL_SOURCE_MODEL_H_
#define BNQ_CORE_MODEL_SOURCE_MODEL_H_

#include <memory>
#include <string>
#include <vector>

#include "core/base/context.h"
#include "core/base/shape.h"
#include "core/io/model_file.h"
#include "core/model/plan.h"
#include "core/model/report.h"
#include "core/scheme/config.h"

namespace bnq {

// Whether a file is a .bnq file, or has quantized tensors of another layout.
bool HoldsQuantized(const ModelFile& file);

// A file with the tensors of other ecosystems as ours (ForeignView); where it
// holds no quantized tensors, as it is quantized: experts that share an array
// are matrices (expert_stacks.h), and of embeddings and heads that are the same
// bytes all but the first are other names of it (TiedEntry). The metadata says
// both.
std::shared_ptr<const ModelFile> OpenModel(const Context& context,
                                           const std::string& path);
// What is to be quantized. UNSUPPORTED for a model that is quantized already,
// as RefuseQuantized and HoldsQuantized have it; with `requantize` its values,
// as DequantizedView has them. And the errors of OpenModel.
std::shared_ptr<const ModelFile> OpenSourceModel(const Context& context,
                                                 const std::string& input,
                                                 bool requantize = false);

// The array in its file; without data where it is not mapped in one piece.
ArrayView ArrayOf(const ModelFile& file, const ModelEntry& entry);

// The array's elements, in the file or in memory of their own. The file must
// outlive it.
class SourceArray {
 public:
  SourceArray(const Context& context, const ModelFile& file,
              const ModelEntry& entry);
  const ArrayView& view() const { return view_; }

 private:
  ArrayView view_;
  Buffer own_;
};

// Why a tensor cannot be quantized, whatever a plan says; nullptr: it can.
const char* WhyNoSource(const std::string& name, int32_t dtype, int rank);

// The config that a plan gives a tensor; nullptr where it stays as it is. Of
// another name of a tensor, that tensor's. Where it is against the plan that it
// stays, *why says why (WhyNoSource), unless `why` is nullptr.
const Config* ConfigFor(const Plan& plan, const ModelEntry& entry,
                        std::string* why = nullptr);

// The row of a tensor before it is converted; of another name of a tensor, as
// it stays, too: it takes no bytes.
ReportRow PlannedRow(const Plan& plan, const ModelEntry& entry);

// The weights of a tensor's columns for the search of its config; none where
// the config does not search.
std::vector<float> ImportanceFor(const Plan& plan, const Config& config,
                                 const ModelEntry& entry);

}  // namespace bnq

#endif  // BNQ_CORE_MODEL_SOURCE_MODEL_H_
