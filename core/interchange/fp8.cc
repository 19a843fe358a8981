// FP8 in tiles, as DeepSeek's models have it. Read only: compressed-tensors is
// what is written of it, strategy "block".
//
// Source   transformers/integrations/finegrained_fp8.py
// Arrays   P.weight            F8_E4M3 [out, in]
//          P.weight_scale_inv  F32 or BF16 [out / b, in / b], rounded up
// Value    code * weight_scale_inv of its tile of b x b, whatever the name says
// Config   weight_block_size: [b, b]; 128 where it is not said

#include "core/base/checked.h"
#include "core/base/error.h"
#include "core/interchange/module_arrays.h"

namespace bnq {
namespace {

uint64_t TileOf(const JsonTree& quantization) {
  const JsonTree* const size = quantization.Find("weight_block_size");
  if (size == nullptr || size->items.size() != 2) return 128;
  if (size->items[0].whole != size->items[1].whole ||
      size->items[0].whole == 0 || size->items[0].whole > INT32_MAX) {
    Fail(Status::kUnsupported, "weight_block_size = [", size->items[0].whole,
         ", ", size->items[1].whole, "], must be a square");
  }
  return size->items[0].whole;
}

void Read(ForeignModel* model, const std::string& prefix,
          const StoredArray& scale) {
  const StoredArray weight = FindStored(*model, prefix + ".weight");
  if (!weight || weight.dtype != DType::kF8E4M3 || weight.shape.rank != 2) {
    return;
  }
  const uint64_t tile = TileOf(model->quantization);
  Expect(scale, prefix + ".weight_scale_inv", {DType::kF32, DType::kBF16},
         {DivCeil(weight.dim(0), tile), DivCeil(weight.dim(1), tile)});
  auto tensor = std::make_unique<FoundTensor>(
      prefix + ".weight", weight.shape,
      Config::FromText(Message(
          "format=e4m3,granularity=tile,group_size=", tile,
          ",scale_dtype=", scale.dtype == DType::kBF16 ? "bf16" : "f32")),
      "FP8 in tiles");
  tensor->Map(Part::kCodes, weight);
  tensor->Map(Part::kScales, scale);
  model->Add(std::move(tensor));
}

void Find(const Context&, ForeignModel* model) {
  ForEachModule(*model, ".weight_scale_inv",
                [&](const std::string& prefix, const StoredArray& scale) {
                  Read(model, prefix, scale);
                });
}

}  // namespace

extern const ForeignLayout k_fp8;
const ForeignLayout k_fp8 = {"fp8", "FP8 in tiles, as DeepSeek has it",
                             FileKind::kSafetensors, Find, nullptr};

}  // namespace bnq
