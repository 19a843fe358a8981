// A model in parts, for processes that work on one each and know nothing of
// each other.
#ifndef BNQ_CORE_MODEL_MODEL_PART_H_
#define BNQ_CORE_MODEL_MODEL_PART_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/io/model_file.h"

namespace bnq {

// One of `count`, from 0.
struct ModelPart {
  static constexpr uint64_t kMaxCount = 99999;

  uint64_t index = 0, count = 1;

  // INVALID_ARGUMENT where there is no such part.
  void Check() const;
};

// Of each entry, the part that it is in: runs of neighbours of about as many
// bytes, by names, shapes and types alone. A part may be empty.
std::vector<uint64_t> PartsOf(const ModelFile& file, uint64_t count);

// The entries of a part; all of them of one of one.
class PartFilter {
 public:
  PartFilter(const ModelFile& file, const ModelPart& part);
  bool Has(size_t entry) const {
    return parts_.empty() || parts_[entry] == part_.index;
  }
  // Of its tensors, as they are read.
  uint64_t TotalBytes(const ModelFile& file) const;

 private:
  const ModelPart part_;
  std::vector<uint64_t> parts_;
};

// What suits a model: as many as it has files, or one for each GiB of a single
// one.
uint64_t SuitingPartCount(const ModelFile& file);

}  // namespace bnq

#endif  // BNQ_CORE_MODEL_MODEL_PART_H_
