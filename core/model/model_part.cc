#include "core/model/model_part.h"

#include <algorithm>

#include "core/base/checked.h"
#include "core/base/error.h"
#include "core/base/names.h"
#include "core/io/naming.h"

namespace bnq {

void ModelPart::Check() const {
  if (count == 0 || count > kMaxCount) {
    Fail(Status::kInvalidArgument, "parts = ", count, ", must be in [1, ",
         kMaxCount, "]");
  }
  if (index >= count) {
    Fail(Status::kInvalidArgument, "part = ", index,
         ", must be below parts = ", count);
  }
}

std::vector<uint64_t> PartsOf(const ModelFile& file, uint64_t count) {
  uint64_t total = 0;
  for (const ModelEntry& entry : file.entries()) {
    if (entry.same_as.empty()) total += entry.raw_bytes;
  }
  // An entry is where its middle is.
  const uint64_t share = std::max<uint64_t>(DivCeil(total, count), 1);
  std::vector<uint64_t> parts;
  uint64_t begin = 0;
  for (const ModelEntry& entry : file.entries()) {
    const uint64_t bytes = entry.same_as.empty() ? entry.raw_bytes : 0;
    parts.push_back(std::min((begin + bytes / 2) / share, count - 1));
    begin += bytes;
  }
  return parts;
}

PartFilter::PartFilter(const ModelFile& file, const ModelPart& part)
    : part_(part) {
  part.Check();
  if (part.count > 1) parts_ = PartsOf(file, part.count);
}

uint64_t PartFilter::TotalBytes(const ModelFile& file) const {
  uint64_t total = 0;
  for (size_t i = 0; i < file.entries().size(); ++i) {
    if (Has(i)) total += file.entries()[i].raw_bytes;
  }
  return total;
}

uint64_t SuitingPartCount(const ModelFile& file) {
  constexpr uint64_t kGiB = uint64_t{1} << 30;
  const auto& files = file.files();
  if (files.size() > 1) {
    const bool index = EndsWith(files[0]->path(), kIndexEnding);
    return std::min<uint64_t>(files.size() - index, ModelPart::kMaxCount);
  }
  uint64_t total = 0;
  for (const ModelEntry& entry : file.entries()) total += entry.raw_bytes;
  return std::clamp<uint64_t>(DivCeil(total, kGiB), 1, ModelPart::kMaxCount);
}

}  // namespace bnq
