#include "capi/guard.h"
#include "core/calibration/dataset.h"

using namespace bnq;
using namespace bnq::capi;

struct bnq_batches {
  std::vector<DataArray> core;
};

namespace {

const DataArray* ArrayAt(const bnq_batches* batches, uint64_t index) {
  return batches != nullptr && index < batches->core.size()
             ? &batches->core[index]
             : nullptr;
}

}  // namespace

bnq_status bnq_batches_find(bnq_context* context, const char* path,
                            const char* name, bnq_batches** out_batches) {
  return Guard([&] {
    bnq_batches*& out = Output(out_batches, "out_batches");
    const std::string wanted = name != nullptr ? name : "";
    auto batches = std::make_unique<bnq_batches>();
    batches->core = FindArrays(ContextOf(context), &Required(path, "path"),
                               name != nullptr ? &wanted : nullptr);
    out = batches.release();
  });
}

void bnq_batches_destroy(bnq_batches* batches) { delete batches; }

uint64_t bnq_batches_count(const bnq_batches* batches) {
  return batches != nullptr ? batches->core.size() : 0;
}

const char* bnq_batches_path(const bnq_batches* batches, uint64_t index) {
  const DataArray* array = ArrayAt(batches, index);
  return array != nullptr ? array->file.c_str() : nullptr;
}

const char* bnq_batches_name(const bnq_batches* batches, uint64_t index) {
  const DataArray* array = ArrayAt(batches, index);
  return array != nullptr ? array->name.c_str() : nullptr;
}

uint64_t bnq_batches_bytes(const bnq_batches* batches, uint64_t index) {
  const DataArray* array = ArrayAt(batches, index);
  return array != nullptr ? array->bytes : 0;
}
