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
#include "core/scheme/config.h"

namespace bnq {

// Whether files of this kind hold quantized tensors.
bool HoldsQuantized(FileKind kind);

// UNSUPPORTED for a .bnq file; and the errors of ModelFile::Open.
std::shared_ptr<const ModelFile> OpenSourceModel(const Context& context,
                                                 const std::string& input);

// The array in its file; without data where it is not mapped in one piece.
ArrayView ArrayOf(const ModelFile& file, const ModelEntry& entry);

// The config that a plan gives a tensor; nullptr where it stays as it is, also
// because it is no array of floats: then *is_no_source, unless that is nullptr.
const Config* ConfigFor(const Plan& plan, const ModelEntry& entry,
                        bool* is_no_source = nullptr);

// The weights of a tensor's columns for the search of its config; none where
// the config does not search.
std::vector<float> ImportanceFor(const Plan& plan, const Config& config,
                                 const ModelEntry& entry);

}  // namespace bnq

#endif  // BNQ_CORE_MODEL_SOURCE_MODEL_H_
