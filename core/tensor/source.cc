#include "core/tensor/source.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/base/error.h"

namespace bnq {

SourceView MakeSource(const ArrayView& array, const Config* config) {
  if (!IsSource(array.dtype)) {
    Fail(Status::kUnsupported, "dtype = ", Info(array.dtype).name,
         " cannot be quantized or compared, must be one of: F64, F32, F16, "
         "BF16");
  }
  SourceView source;
  source.data = array.data;
  source.dtype = array.dtype;
  if (config != nullptr) {
    source.zero_non_finite = config->non_finite() == NonFinite::kZero;
    source.clip = config->clip();
  }
  return source;
}

void CheckFinite(const ArrayView& array, uint64_t begin, uint64_t end,
                 const char* name) {
  const SourceView source = MakeSource(array, nullptr);
  std::vector<float> values(kChunk + kLanes);
  for (; begin < end; begin += kChunk) {
    const size_t n =
        static_cast<size_t>(std::min<uint64_t>(end - begin, kChunk));
    LoadElements(source, begin, n, values.data());
    for (size_t i = 0; i < n; ++i) {
      if (std::isfinite(values[i])) continue;
      const std::string index = array.shape.IndexOf(begin + i);
      Fail(Status::kNonFinite, name ? name : "", name ? ": " : "", "element ",
           begin + i, ", at index [", index, "], is ",
           std::isnan(values[i]) ? "NaN"
           : values[i] > 0       ? "inf"
                                 : "-inf",
           "; every value must be finite",
           array.dtype == DType::kF64 ? " as float32" : "");
    }
  }
}

}  // namespace bnq
