// Dequantizing into 16 bits never makes infinity of a number unasked.
#include "core/tensor/dequantize.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "core/base/half.h"
#include "core/parallel/runner.h"
#include "core/scheme/registry.h"
#include "core/tensor/quantize.h"
#include "tests/io/io_test_util.h"
#include "tests/support/targets.h"

namespace bnq {
namespace {

using bnq_test::ForEachTarget;

ArrayView View(const std::vector<float>& values, const Shape& shape) {
  ArrayView view;
  view.data = reinterpret_cast<const uint8_t*>(values.data());
  view.shape = shape;
  return view;
}

Shape MakeShape(std::vector<uint64_t> dims) {
  return Shape::Make(static_cast<int32_t>(dims.size()), dims.data());
}

std::vector<float> Dequantized(const Context& context,
                               const QuantizedTensor& tensor, DType dtype,
                               Overflow overflow) {
  const uint64_t n = tensor.shape().elements();
  std::vector<uint16_t> halves(n);
  Dequantizer(context, tensor)
      .DecodeParallel(0, n, dtype, reinterpret_cast<uint8_t*>(halves.data()),
                      overflow);
  std::vector<float> values(n);
  for (uint64_t i = 0; i < n; ++i) {
    values[i] =
        dtype == DType::kF16 ? F32FromF16(halves[i]) : F32FromBF16(halves[i]);
  }
  return values;
}

// A value that float16 does not hold, far behind, in every format but f16.
TEST(Overflow, IsRefusedSaturatedOrKept) {
  const Shape shape = MakeShape({300, 400});
  const uint64_t at = 299 * 400 + 37;
  std::vector<float> x(shape.elements(), 0.25f);
  x[at] = -1e6f;
  Context threads;
  threads.runner = MakePool(3);
  for (int f = 0; f < NumFormats(); ++f) {
    const Format& format = FormatAt(f);
    // All values of a binary segment are as great as each other.
    if (std::string(format.name) == "f16" || format.Has(kSigns)) continue;
    SCOPED_TRACE(format.name);
    const char* const wide = ",scale_rule=absmax";
    for (const char* more :
         {"", ",granularity=token", ",granularity=tile", ",double_quant=on"}) {
      if (*more != '\0' && !format.Has(kScaled)) continue;
      const auto tensor =
          Quantize(threads,
                   Config::FromText(std::string("format=") + format.name +
                                    (format.Has(kScaled) ? wide : "") + more),
                   View(x, shape));
      ForEachTarget([&] {
        EXPECT_TRUE(FailsWith(Status::kNonFinite,
                              "element 119637, at index [299, 37], is -", [&] {
                                Dequantized(threads, *tensor, DType::kF16,
                                            Overflow::kError);
                              }));
        const std::vector<float> saturated =
            Dequantized(threads, *tensor, DType::kF16, Overflow::kSaturate);
        EXPECT_EQ(saturated[at], -65504.0f);
        const std::vector<float> kept =
            Dequantized(threads, *tensor, DType::kF16, Overflow::kKeep);
        EXPECT_EQ(kept[at], -HUGE_VALF);
        for (uint64_t i = 0; i < at; ++i) ASSERT_EQ(saturated[i], kept[i]);
        // bfloat16 reaches as far as float32 does.
        EXPECT_NEAR(
            Dequantized(threads, *tensor, DType::kBF16, Overflow::kError)[at],
            -1e6f, 1e4f);
      });
    }
  }
}

TEST(Overflow, OfBFloat16) {
  std::vector<float> x(64, 3.4e38f);
  const auto tensor =
      Quantize(Context(), Config::FromText("format=int8,granularity=tensor"),
               View(x, MakeShape({64})));
  const Context context;
  EXPECT_TRUE(FailsWith(Status::kNonFinite, "which overflows BF16", [&] {
    Dequantized(context, *tensor, DType::kBF16, Overflow::kError);
  }));
  EXPECT_EQ(
      Dequantized(context, *tensor, DType::kBF16, Overflow::kSaturate)[63],
      F32FromBF16(0x7F7F));
}

// Outliers that float16 does not hold are bfloat16.
TEST(Overflow, OfOutliers) {
  std::vector<float> x(4 * 50, 0.25f);
  x[2 * 50 + 7] = 1e6f;
  const Context context;
  const auto tensor = Quantize(
      context,
      Config::FromText("format=int8,granularity=token,outlier_threshold=6"),
      View(x, MakeShape({4, 50})));
  ASSERT_EQ(tensor->outliers().count, 1u);
  EXPECT_TRUE(FailsWith(Status::kNonFinite, "at index [2, 7], is 999424", [&] {
    Dequantized(context, *tensor, DType::kF16, Overflow::kError);
  }));
  EXPECT_EQ(Dequantized(context, *tensor, DType::kF16,
                        Overflow::kSaturate)[2 * 50 + 7],
            65504.0f);
  EXPECT_EQ(
      Dequantized(context, *tensor, DType::kF16, Overflow::kKeep)[2 * 50 + 7],
      HUGE_VALF);
}

// Infinity that the tensor holds is no overflow.
TEST(Overflow, InfinityStays) {
  std::vector<float> x = {1.0f, HUGE_VALF, -HUGE_VALF, NAN};
  const Context context;
  for (const char* format : {"f16", "bf16"}) {
    const auto tensor = Quantize(
        context,
        Config::FromText(std::string("non_finite=keep,format=") + format),
        View(x, MakeShape({4})));
    for (Overflow overflow :
         {Overflow::kError, Overflow::kSaturate, Overflow::kKeep}) {
      const std::vector<float> out =
          Dequantized(context, *tensor, DType::kF16, overflow);
      EXPECT_EQ(out[0], 1.0f);
      EXPECT_EQ(out[1], HUGE_VALF);
      EXPECT_EQ(out[2], -HUGE_VALF);
      EXPECT_TRUE(std::isnan(out[3]));
    }
  }
}

// A scalar is a row of one feature.
TEST(Outliers, OfAScalar) {
  const float x = 7.5f;
  ArrayView view;
  view.data = reinterpret_cast<const uint8_t*>(&x);
  const Context context;
  const auto tensor = Quantize(
      context,
      Config::FromText("format=int8,granularity=token,outlier_threshold=6"),
      view);
  EXPECT_EQ(tensor->outliers().count, 1u);
  EXPECT_EQ(Dequantized(context, *tensor, DType::kF16, Overflow::kError)[0], x);
}

}  // namespace
}  // namespace bnq
