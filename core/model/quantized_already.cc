#include "core/model/quantized_already.h"

#include "core/base/dtype.h"
#include "core/base/error.h"
#include "core/model/model_folder.h"

namespace bnq {
namespace {

// What the layouts of core/interchange may leave alone, since it is of another
// type or shape. Codes, which are of no type that is quantized, and what is
// stored with them: the endings of their names behind a common beginning.
constexpr struct {
  const char* layout;
  const char* codes;
  const char* scales;
} kLayouts[] = {
    {"bitsandbytes 4-bit", ".weight", ".weight.absmax"},
    {"bitsandbytes LLM.int8", ".weight", ".SCB"},
    {"GPTQ or AWQ", ".qweight", ".scales"},
    {"compressed-tensors", ".weight_packed", ".weight_scale"},
    {"codes with a scale, as compressed-tensors, FP8 and BitNet have them",
     ".weight", ".weight_scale"},
    {"FP8 in blocks", ".weight", ".weight_scale_inv"},
    {"MLX", ".weight", ".scales"},
    {"MXFP4", "_blocks", "_scales"},
};

// "" where name has another ending.
std::string WithEnding(const std::string& name, const std::string& ending,
                       const char* other) {
  if (name.size() < ending.size() ||
      name.compare(name.size() - ending.size(), ending.size(), ending) != 0) {
    return "";
  }
  return name.substr(0, name.size() - ending.size()) + other;
}

}  // namespace

void RefuseQuantized(const Context& context, const ModelFile& file,
                     const std::string& input) {
  for (const ModelEntry& entry : file.entries()) {
    const DTypeInfo* type = FindDType(entry.dtype);
    if (type == nullptr || IsSource(type->dtype)) continue;
    for (const auto& row : kLayouts) {
      const std::string scales = WithEnding(entry.name, row.codes, row.scales);
      if (scales.empty() || file.Find(scales) == nullptr) continue;
      Fail(Status::kUnsupported, "input = ", Quoted(input),
           " is quantized already (", row.layout, "): tensor ",
           Quoted(entry.name), " is ", type->name, " and has ", Quoted(scales),
           " beside it");
    }
  }
  if (!IsModelFolder(input)) return;
  const std::string how = ReadModelConfig(context, input).quantization;
  if (how.empty()) return;
  Fail(Status::kUnsupported, "input = ", Quoted(input),
       " is quantized already: its config.json says ", Quoted(how));
}

}  // namespace bnq
