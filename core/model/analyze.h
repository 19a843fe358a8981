// Measures a model's sensitivity, one tensor in memory at a time.
#ifndef BNQ_CORE_MODEL_ANALYZE_H_
#define BNQ_CORE_MODEL_ANALYZE_H_

#include <string>
#include <vector>

#include "core/base/context.h"
#include "core/model/model_part.h"
#include "core/model/plan.h"
#include "core/model/sensitivity.h"
#include "core/scheme/config.h"

namespace bnq {

// Quantizes each tensor of the model at `input` with each candidate, and puts
// what that costs and loses into *sensitivity; what is there already is not
// measured again. The plan says which tensors: those that it gives a config
// (that one alone), and those of rank 2 and more that no rule is for, which are
// free (all candidates). It also has the importance of columns, which weighs
// the errors. A candidate that a tensor cannot have (UNSUPPORTED) is left out.
// With save_path ("" : none), the JSON is written there, atomically, every few
// seconds and at the end: a run that was stopped goes on when what it saved is
// read first. A failure keeps what has been measured. What was measured of all
// parts merges into what is measured of the whole.
void AnalyzeFile(const Context& context, const Plan& plan,
                 const std::vector<Config>& candidates,
                 const std::string& input, const std::string& save_path,
                 const Progress& progress, Sensitivity* sensitivity,
                 const ModelPart& part = {});

// What suits most models: 1.6 to 8 bits, without searches, which take ten times
// as long.
const std::vector<Config>& DefaultCandidates();

// Whether a tensor is analyzed: by a plan that gives it a config (*pinned), or
// because no rule is for it.
bool IsAnalyzed(const Plan& plan, const std::string& name, const Shape& shape,
                int32_t dtype, const Config** pinned);

}  // namespace bnq

#endif  // BNQ_CORE_MODEL_ANALYZE_H_
