#include "core/model/convert.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "core/tensor/dequantize.h"
#include "tests/model/model_test_util.h"

namespace bnq {
namespace {

class Convert : public ModelTest {
 protected:
  Report Quantized(const TestModel& model, const std::string& config,
                   uint64_t slice_elements = kSliceElements) {
    Plan plan;
    plan.Add("*", 0, Config::FromText(config));
    return QuantizeFile(context_, plan, Write(model), Path("out.bnq"),
                        Overwrite(), nullptr, {}, slice_elements);
  }
  std::vector<float> Loaded(const std::string& name) {
    const auto file = ModelFile::Open(context_, Path("out.bnq"));
    const auto tensor = LoadTensor(context_, file, *file->Find(name));
    std::vector<float> values(tensor->shape().elements());
    Dequantizer(context_, *tensor)
        .DecodeParallel(0, values.size(), DType::kF32,
                        reinterpret_cast<uint8_t*>(values.data()));
    return values;
  }
};

TEST_F(Convert, ScalarWithOutliers) {
  Quantized({{"s", {{}, {7.5f}}}, {"w", {{2, 3}, {1, 2, 9, 4, 5, -6}}}},
            "int8_outliers");
  EXPECT_EQ(Loaded("s")[0], 7.5f);
  EXPECT_EQ(Loaded("w")[2], 9.0f);
}

TEST_F(Convert, OverflowNamesTensorAndIndex) {
  Quantized({{"a", {{2, 3}, {1, 2, 3, 4, 5, 6}}},
             {"b", {{2, 3}, {1, 2, 3, 4, 1e6f, 6}}}},
            "format=int8,granularity=tensor");
  const std::string out = Path("back.safetensors");
  const auto dequantize = [&](Overflow overflow) {
    DequantizeFile(context_, Path("out.bnq"), out, DType::kF16, overflow,
                   Overwrite(), nullptr);
    const auto file = ModelFile::Open(context_, out);
    uint16_t half;
    std::memcpy(&half, file->Mapped(*file->Find("b")) + 2 * 4, 2);
    return half;
  };
  EXPECT_TRUE(FailsWith(Status::kNonFinite,
                        "tensor \"b\": element 4, at index [1, 1], is 1",
                        [&] { dequantize(Overflow::kError); }));
  EXPECT_EQ(List(), (std::vector<std::string>{"in.safetensors", "out.bnq"}));
  EXPECT_EQ(dequantize(Overflow::kSaturate), 0x7BFF);
  EXPECT_EQ(dequantize(Overflow::kKeep), 0x7C00);
}

void ExpectSame(const Report& a, const Report& b) {
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(a[i].name, b[i].name);
    EXPECT_EQ(a[i].bytes_after, b[i].bytes_after);
    EXPECT_EQ(a[i].note, b[i].note);
    EXPECT_EQ(std::memcmp(a[i].metrics.values, b[i].metrics.values,
                          sizeof a[i].metrics.values),
              0)
        << a[i].name;
  }
}

// Whatever the slices, the same files and reports, of which the metrics are
// those of the whole.
TEST_F(Convert, SlicesDoNotMatter) {
  std::vector<float> values(3 * 70001);
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<float>(static_cast<int>(i * 7919 % 2001) - 1000);
  }
  const TestModel model = {{"empty", {{4, 0}, {}}},
                           {"w", {{3, 70001}, values}}};
  for (const char* config :
       {"format=int8,granularity=channel", "format=ternary,packing=base3",
        "format=int4,granularity=group,group_size=48,scale_dtype=f16",
        "format=nf4,granularity=block,group_size=64,double_quant=on",
        "format=e4m3,granularity=tile,group_size=2,scale_rule=mse",
        "format=int8,granularity=token,outlier_threshold=999", "format=bf16"}) {
    SCOPED_TRACE(config);
    const Report whole = Quantized(model, config);
    const std::string bytes = ReadFile(Path("out.bnq"));
    ExpectSame(Quantized(model, config, /*slice_elements=*/65536), whole);
    EXPECT_EQ(ReadFile(Path("out.bnq")), bytes);

    const auto back = [&](const std::string& name, uint64_t slice) {
      DequantizeFile(context_, Path("out.bnq"), Path(name), DType::kF32,
                     Overflow::kError, Overwrite(), nullptr, slice);
      return ReadFile(Path(name));
    };
    const std::string restored = back("a.safetensors", kSliceElements);
    EXPECT_EQ(back("b.safetensors", 1000), restored);
    const auto compared = [&](uint64_t slice) {
      return CompareFiles(context_, Path("in.safetensors"), Path("out.bnq"),
                          nullptr, slice);
    };
    const Report once = compared(kSliceElements);
    ExpectSame(compared(kChunk), once);
    EXPECT_EQ(std::memcmp(once[1].metrics.values, whole[1].metrics.values,
                          sizeof once[1].metrics.values),
              0);
  }
}

}  // namespace
}  // namespace bnq
