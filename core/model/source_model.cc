#include "core/model/source_model.h"

#include "core/base/error.h"
#include "core/tensor/search.h"
#include "core/tensor/source.h"

namespace bnq {

bool HoldsQuantized(FileKind kind) {
  return kind == FileKind::kBnq || kind == FileKind::kBnqIndex;
}

std::shared_ptr<const ModelFile> OpenSourceModel(const Context& context,
                                                 const std::string& input) {
  auto file = ModelFile::Open(context, input);
  if (HoldsQuantized(file->kind())) {
    Fail(Status::kUnsupported, "input = ", Quoted(input),
         " is a .bnq file, must be safetensors or its index");
  }
  return file;
}

ArrayView ArrayOf(const ModelFile& file, const ModelEntry& entry) {
  ArrayView view;
  view.data = file.Mapped(entry);
  view.dtype = static_cast<DType>(entry.dtype);
  view.shape = entry.shape;
  return view;
}

const Config* ConfigFor(const Plan& plan, const ModelEntry& entry,
                        bool* is_no_source) {
  const Config* const config = plan.Match(entry.name, entry.shape).config;
  const bool refused =
      config != nullptr && !IsSource(static_cast<DType>(entry.dtype));
  if (is_no_source != nullptr) *is_no_source = refused;
  return refused ? nullptr : config;
}

std::vector<float> ImportanceFor(const Plan& plan, const Config& config,
                                 const ModelEntry& entry) {
  const std::vector<float>* const given = plan.ImportanceOf(entry.name);
  if (given == nullptr || !MindsImportance(config)) return {};
  return CheckedImportance(config, entry.shape, given->data(), given->size());
}

}  // namespace bnq
