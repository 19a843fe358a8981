#include "core/interchange/layout.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "core/base/error.h"
#include "core/interchange/layouts.h"

namespace bnq {

std::string ForeignModel::quant_method() const {
  const JsonTree* const method = quantization.Find("quant_method");
  return method == nullptr ? "" : method->string;
}

const ModelEntry* ForeignModel::Find(const std::string& entry) const {
  const ModelEntry* const found = file.Find(entry);
  return taken_.count(found) != 0 ? nullptr : found;
}

void ForeignModel::Add(std::unique_ptr<ForeignTensor> tensor) {
  taken_.insert(tensor->from.begin(), tensor->from.end());
  tensors_.push_back(std::move(tensor));
}

std::unique_ptr<PlainExport> Exporter::PlanPlain(const ModelEntry& entry) {
  auto plain = std::make_unique<PlainExport>();
  plain->array.name = entry.name;
  plain->array.dtype = static_cast<DType>(entry.dtype);
  plain->array.shape = entry.shape;
  return plain;
}

const std::vector<const ForeignLayout*>& ForeignLayouts() {
  static const std::vector<const ForeignLayout*> rows = {
#define BNQ_LAYOUT(row) &row,
#include "core/interchange/layouts.def"
#undef BNQ_LAYOUT
  };
  return rows;
}

const ForeignLayout& FindForeignLayout(const std::string& name) {
  std::string names;
  for (const ForeignLayout* row : ForeignLayouts()) {
    if (name == row->name) return *row;
    names += (names.empty() ? "" : ", ") + std::string(row->name);
  }
  Fail(Status::kInvalidArgument, "layout = ", Quoted(name),
       " is not known, must be one of: ", names);
}

}  // namespace bnq
