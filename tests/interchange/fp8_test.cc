// FP8 in tiles.
#include <gtest/gtest.h>

#include "tests/interchange/interchange_test_util.h"

namespace bnq {
namespace {

TEST(Fp8, TilesAreReadAndWrittenAsCompressedTensors) {
  const auto tensor =
      RandomTensor("e4m3,granularity=tile,group_size=128", {130, 200});
  const Exported exported =
      Export("compressed-tensors", {{"a.weight", tensor.get()}});
  const auto array = [&](const char* name, DType type) {
    const Shape& shape = exported.shapes.at(name);
    return TestArray(type, {shape.dims[0], shape.dims[1]},
                     exported.bytes(name));
  };
  const TestModel model = {
      {"a.weight", array("a.weight", DType::kF8E4M3)},
      {"a.weight_scale_inv", array("a.weight_scale", DType::kF32)}};
  const Foreign foreign(FileOf(model), "", "fp8");
  EXPECT_TRUE(SameTensor(*foreign.Load("a.weight"), *tensor));
  EXPECT_EQ(foreign.Get("a.weight").from.size(), 2u);
  const auto size = [](const char* block) {
    return Message("{\"quantization_config\": {\"weight_block_size\": ", block,
                   "}}");
  };
  EXPECT_TRUE(IsRefused(model, size("[64, 64]"), "fp8", "must be [3, 4]"));
  EXPECT_TRUE(IsRefused(model, size("[128, 64]"), "fp8", "a square"));
  EXPECT_TRUE(IsRefused(model, size("[0, 0]"), "fp8", "a square"));
}

}  // namespace
}  // namespace bnq
