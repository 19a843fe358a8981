#include "core/model/convert.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "core/io/safetensors.h"
#include "core/model/model_writer.h"
#include "core/tensor/quantize.h"
#include "tests/io/io_test_util.h"

namespace bnq {
namespace {

class Convert : public TempDirTest {
 protected:
  struct Weights {
    std::vector<uint64_t> dims;
    std::vector<float> values;
  };
  using Model = std::map<std::string, Weights>;

  // A safetensors file of float32 arrays.
  std::string Write(const Model& model) {
    std::vector<SafetensorsTensor> tensors;
    for (const auto& item : model) {
      SafetensorsTensor tensor;
      tensor.name = item.first;
      tensor.dtype = DType::kF32;
      tensor.shape = Shape::Make(static_cast<int32_t>(item.second.dims.size()),
                                 item.second.dims.data());
      tensors.push_back(tensor);
    }
    const std::string path = Path("in.safetensors");
    WriteOptions options;
    options.overwrite = true;
    SafetensorsWriter writer(path, options, tensors, {});
    for (size_t i = 0; i < writer.entries().size(); ++i) {
      const std::vector<float>& values =
          model.at(writer.entries()[i].name).values;
      writer.Append(i, values.data(), 4 * values.size());
    }
    writer.Finish();
    return path;
  }
  Report Quantized(const Model& model, const std::string& config,
                   uint64_t slice_elements = kSliceElements) {
    Plan plan;
    plan.Add("*", 0, Config::FromText(config));
    WriteOptions options;
    options.overwrite = true;
    return QuantizeFile(context_, plan, Write(model), Path("out.bnq"), options,
                        nullptr, {}, slice_elements);
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

  const Context context_;
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
  WriteOptions options;
  options.overwrite = true;
  const std::string out = Path("back.safetensors");
  const auto dequantize = [&](Overflow overflow) {
    DequantizeFile(context_, Path("out.bnq"), out, DType::kF16, overflow,
                   options, nullptr);
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
  const Model model = {{"empty", {{4, 0}, {}}}, {"w", {{3, 70001}, values}}};
  WriteOptions options;
  options.overwrite = true;
  for (const char* config :
       {"format=int8,granularity=channel", "format=ternary,packing=base3",
        "format=int4,granularity=group,group_size=48,scale_dtype=f16",
        "format=nf4,granularity=block,group_size=64,double_quant=on",
        "format=int8,granularity=token,outlier_threshold=999", "format=bf16"}) {
    SCOPED_TRACE(config);
    const Report whole = Quantized(model, config);
    const std::string bytes = ReadFile(Path("out.bnq"));
    ExpectSame(Quantized(model, config, /*slice_elements=*/65536), whole);
    EXPECT_EQ(ReadFile(Path("out.bnq")), bytes);

    const auto back = [&](const std::string& name, uint64_t slice) {
      DequantizeFile(context_, Path("out.bnq"), Path(name), DType::kF32,
                     Overflow::kError, options, nullptr, slice);
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

// What verification finds wherever a piece ends.
TEST_F(Convert, VerifyNamesTheFirstValueThatIsNotFinite) {
  std::vector<float> values(5000, 1.0f);
  values[4097] = HUGE_VALF;
  const auto file =
      ModelFile::Open(context_, Write({{"w", {{50, 100}, values}}}));
  for (uint64_t piece : {8u, 4096u, 1u << 20}) {
    EXPECT_TRUE(FailsWith(Status::kNonFinite, "element 4097, at index [40, 97]",
                          [&] { VerifyFile(context_, file, nullptr, piece); }))
        << piece;
  }
}

// A tensor written and read again is the same, whatever its parts.
TEST_F(Convert, LoadsWhatWasWritten) {
  const std::vector<float> values = {0.5f, -1, 90, 2, 3, -4, 5, 6, -7, 8, 9, 1};
  ArrayView array;
  array.data = reinterpret_cast<const uint8_t*>(values.data());
  const uint64_t dims[2] = {3, 4};
  array.shape = Shape::Make(2, dims);
  for (const char* config :
       {"format=int8,granularity=token,outlier_threshold=20,scheme=asymmetric",
        "format=int4,double_quant=on", "format=f16", "format=fp4"}) {
    const auto tensor = Quantize(context_, Config::FromText(config), array);
    WriteOptions options;
    options.overwrite = true;
    {
      ModelWriter writer(context_, Path("t.bnq"), FileKind::kBnq, options);
      writer.AddTensor("t", *tensor);
      writer.Finish();
    }
    const auto file = ModelFile::Open(context_, Path("t.bnq"));
    const auto loaded = LoadTensor(context_, file, *file->Find("t"));
    for (int i = 0; i < kNumParts; ++i) {
      const PartData& a = tensor->part(PartAt(i).id);
      const PartData& b = loaded->part(PartAt(i).id);
      ASSERT_EQ(a.bytes, b.bytes) << config << " " << PartAt(i).name;
      EXPECT_TRUE(a.bytes == 0 || std::memcmp(a.data, b.data, a.bytes) == 0);
    }
  }
}

}  // namespace
}  // namespace bnq
