// MXFP4 of gpt-oss. Read only: MLX's mxfp4 is what is written of it.
//
// Source   transformers/integrations/mxfp4.py (convert_moe_packed_tensors)
// Arrays   W_blocks  U8 [.., out, in / 32, 16], e2m1, the even element low
//          W_scales  U8 [.., out, in / 32], exponents plus 127 (e8m0)
// Value    code * 2^(scale - 127)
//
// W is [.., out, in] here, which transformers transpose after reading.

#include <algorithm>

#include "core/base/error.h"
#include "core/interchange/module_arrays.h"

namespace bnq {
namespace {

void Read(ForeignModel* model, const std::string& name,
          const StoredArray& blocks) {
  const StoredArray scales = FindStored(*model, name + "_scales");
  if (!scales || blocks.dtype != DType::kU8 || scales.dtype != DType::kU8) {
    return;
  }
  const int rank = blocks.shape.rank - 1;
  if (rank < 2 || blocks.dim(rank) != 16 || scales.shape.rank != rank ||
      !std::equal(scales.shape.dims, scales.shape.dims + rank,
                  blocks.shape.dims)) {
    Fail(Status::kCorruptFile, "blocks of shape ", blocks.shape.ToString(),
         " with scales of shape ", scales.shape.ToString(),
         ", must be the same and 16 bytes each");
  }
  Shape shape = scales.shape;
  shape.dims[rank - 1] *= 32;
  shape = Shape::Make(rank, shape.dims);
  auto tensor = std::make_unique<FoundTensor>(
      name, shape,
      Config::FromText("format=e2m1,scale_dtype=e8m0,group_size=32"), "MXFP4");
  tensor->Map(Part::kCodes, blocks);
  tensor->Map(Part::kScales, scales);
  model->Add(std::move(tensor));
}

void Find(const Context&, ForeignModel* model) {
  ForEachNamed(*model, "_blocks",
               [&](const std::string& name, const StoredArray& blocks) {
                 Read(model, name, blocks);
               });
}

}  // namespace

extern const ForeignLayout k_mxfp4;
const ForeignLayout k_mxfp4 = {"mxfp4", "MXFP4 of gpt-oss",
                               FileKind::kSafetensors, Find, nullptr};

}  // namespace bnq
