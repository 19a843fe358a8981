// Blocks of ggml, both ways.
#include "core/interchange/ggml_blocks.h"
#include "core/scheme/rules.h"
#include "tests/interchange/gguf_test_util.h"
#include "tests/io/gguf_raw.h"

namespace bnq {
namespace {

constexpr char kLayout[] = "gguf";
using Dims = std::vector<uint64_t>;

bool SameBits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() &&
         std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

// One tensor called "a.weight" of these bytes.
std::string FileOfBlocks(GgmlType type, const Dims& dims,
                         const std::string& data) {
  GgufRaw raw;
  raw.tensors = {{"a.weight",
                  {dims.rbegin(), dims.rend()},
                  static_cast<uint32_t>(type),
                  0}};
  raw.data = data;
  return raw.Bytes();
}

// What ggml's own quantizers have made, and the values that ggml gives.
TEST(Gguf, Goldens) {
  const std::string folder = BNQ_TEST_GOLDEN "/interchange/";
  int tensors = 0;
  for (const JsonTree& item :
       ParseJson(ReadFile(folder + "manifest.json"), "manifest").items) {
    const std::string path = folder + item.Find("path")->string;
    if (item.Find("layout")->string != kLayout ||
        path.find("split") != std::string::npos) {
      continue;
    }
    SCOPED_TRACE(path);
    ImportOptions options;
    if (const JsonTree* const order = item.Find("options")->Find("i2_s")) {
      options.i2_s = order->string == "arm" ? ImportOptions::I2S::kArm
                                            : ImportOptions::I2S::kX86;
    }
    const Foreign foreign(ReadFile(path), "", kLayout, options);
    const std::string bytes = ReadFile(folder + item.Find("expected")->string);
    const auto expected =
        ModelFile::FromMemory(Context(), bytes.data(), bytes.size());
    EXPECT_EQ(expected->entries().size(), foreign.file().entries().size());
    for (const ModelEntry& entry : expected->entries()) {
      const ModelEntry* const found = foreign.file().Find(entry.name);
      ASSERT_NE(found, nullptr) << entry.name;
      if (!found->blocks) {
        EXPECT_EQ(found->dtype, entry.dtype);
        EXPECT_EQ(found->shape, entry.shape);
        EXPECT_EQ(
            std::string(
                reinterpret_cast<const char*>(foreign.file().Mapped(*found)),
                found->raw_bytes),
            std::string(reinterpret_cast<const char*>(expected->Mapped(entry)),
                        entry.raw_bytes));
        continue;
      }
      ++tensors;
      EXPECT_EQ(foreign.Get(entry.name).shape, entry.shape) << entry.name;
      const std::vector<float> ours = foreign.Values(entry.name);
      const std::vector<float> theirs = PlainValues(*expected, entry);
      // ggml has no -0 there.
      const GgmlType type = found->blocks.type;
      EXPECT_TRUE(type == GgmlType::kMXFP4 || type == GgmlType::kNVFP4
                      ? ours == theirs
                      : SameBits(ours, theirs))
          << entry.name << " " << Info(type).name;
    }
  }
  EXPECT_GE(tensors, 20);
}

// Blocks of random codes and scales: the same after they were ours.
TEST(Gguf, EveryWrittenTypeThereAndBack) {
  std::mt19937 random(3);
  for (int32_t id = 0; id < 64; ++id) {
    const GgmlTypeInfo* const info = FindGgmlType(id);
    if (info == nullptr || FindGgmlCodec(info->type) == nullptr) continue;
    const GgmlCodec& codec = *FindGgmlCodec(info->type);
    if (codec.gather == nullptr) continue;
    for (const Dims& dims : {Dims{3, 512}, Dims{2, 2, 256}, Dims{5120 + 256}}) {
      SCOPED_TRACE(info->name);
      uint64_t elements = 1;
      for (const uint64_t d : dims) elements *= d;
      const Config config = Config::FromText(codec.config);
      const Format& format = FormatOf(config);
      // All stored codes but those that are none.
      const uint32_t codes = info->type == GgmlType::kQ1_0 ? 2
                             : format.first_invalid != 0
                                 ? 3
                                 : 1u << CodeBits(PackingOf(format, config));
      std::string data;
      for (uint64_t b = 0; b < elements / info->block_elements; ++b) {
        std::vector<uint8_t> stored(info->block_elements);
        for (uint8_t& code : stored) {
          code = static_cast<uint8_t>(random() % codes);
        }
        std::vector<uint8_t> block(info->block_bytes);
        for (uint8_t& byte : block) byte = static_cast<uint8_t>(random());
        codec.gather(stored.data(), 1, block.data());
        for (const GgmlField& field : {codec.scales, codec.offsets}) {
          // Exponents of all ones are no numbers, and e4m3 has no sign here.
          if (field.bytes == 2) block[field.at + 1] &= 0xBF;
          if (field.bytes == 1 && block[field.at] == 0xFF) block[field.at] = 9;
          for (uint32_t i = 0; field.bytes == 4 && i < 4; ++i) {
            block[field.at + i] %= 0x7F;
          }
        }
        data.append(block.begin(), block.end());
      }
      const std::string bytes = FileOfBlocks(info->type, dims, data);
      const Foreign foreign(bytes, "", kLayout);
      const auto tensor = foreign.Load("a.weight");
      const auto whole = foreign.Load("a.weight", 1000000);
      EXPECT_TRUE(SameTensor(*tensor, *whole));
      const BnqInMemory file({{"a.weight", tensor.get()}});
      const GgufExport exported = ExportGguf(file.file());
      EXPECT_EQ(exported.verdicts.at("a.weight"), Verdict::kExact)
          << exported.why.at("a.weight");
      EXPECT_EQ(exported.scale_change.at("a.weight"), 0.0);
      const Foreign again(exported.file, "", kLayout);
      const ModelEntry& entry = *again.file().Find("a.weight");
      EXPECT_EQ(entry.blocks.type, info->type);
      ASSERT_EQ(entry.raw_bytes, data.size());
      EXPECT_EQ(
          std::memcmp(again.file().Mapped(entry), data.data(), data.size()), 0);
    }
  }
}

// formats.md's bytes of ternary codes, compiled ggml's.
TEST(Gguf, TernaryBytes) {
  std::vector<int> codes(256);
  for (int i = 0; i < 256; ++i) codes[i] = i % 3 - 1;
  const auto bytes_of = [&](const char* packing) {
    const auto tensor =
        TensorOf(Message("ternary,group_size=256,scale_dtype=f16", packing),
                 {1, 256}, codes, {1.0f});
    const BnqInMemory file({{"a.weight", tensor.get()}});
    const Foreign out(ExportGguf(file.file()).file, "", kLayout);
    EXPECT_EQ(out.Values("a.weight"), ValuesOf(*tensor));
    const ModelEntry& entry = *out.file().Find("a.weight");
    const uint8_t* const data = out.file().Mapped(entry);
    return std::vector<uint8_t>(data, data + entry.raw_bytes);
  };
  std::vector<uint8_t> tq1, tq2;
  for (int i = 0; i < 32; ++i) tq1.push_back("\x45\x6C\xCF"[i % 3] & 0xFF);
  for (int i = 0; i < 16; ++i) tq1.push_back("\x94\xBB\x31"[i % 3] & 0xFF);
  for (const int byte : {0x30, 0x92, 0xBB, 0x30, 0x00, 0x3C}) {
    tq1.push_back(static_cast<uint8_t>(byte));
  }
  for (int i = 0; i < 64; ++i) tq2.push_back("\x18\x61\x86"[i % 3] & 0xFF);
  tq2.push_back(0x00);
  tq2.push_back(0x3C);
  EXPECT_EQ(bytes_of(",packing=base3"), tq1);
  EXPECT_EQ(bytes_of(""), tq2);
}

// formats.md 1.6: 32 of each of +1, 0, -1, +1.
TEST(Gguf, I2SHasTwoOrders) {
  std::vector<float> values(128);
  for (int i = 0; i < 128; ++i) {
    values[i] = std::vector<float>{0.5f, 0.0f, -0.5f, 0.5f}[i / 32];
  }
  const std::string tail = std::string("\0\0\0\x3F", 4) + std::string(28, 'x');
  const std::string x86 = std::string(32, '\x92') + tail;
  const std::string arm =
      std::string(16, '\xA5') + std::string(16, '\x0A') + tail;
  ImportOptions options;
  for (const Dims& dims : {Dims{1, 128}, Dims{32, 4}, Dims{2, 64}}) {
    options.i2_s = ImportOptions::I2S::kX86;
    EXPECT_EQ(
        Foreign(FileOfBlocks(GgmlType::kI2_S, dims, x86), "", kLayout, options)
            .Values("a.weight"),
        values);
    options.i2_s = ImportOptions::I2S::kArm;
    EXPECT_EQ(
        Foreign(FileOfBlocks(GgmlType::kI2_S, dims, arm), "", kLayout, options)
            .Values("a.weight"),
        values);
  }
  const auto values_of = [&](const std::string& data, const Dims& dims) {
    return Foreign(FileOfBlocks(GgmlType::kI2_S, dims, data), "", kLayout,
                   options)
        .Values("a.weight");
  };
  EXPECT_TRUE(
      FailsWith(Status::kUnsupported, "must have a multiple of 64", [&] {
        values_of(std::string(48, 'x'), {64 + 0, 1});
      }));
  options.i2_s = ImportOptions::I2S::kUnknown;
  EXPECT_TRUE(FailsWith(Status::kUnsupported, "x86 or arm", [&] {
    values_of(x86, {1, 128});
  }));
  options.i2_s = ImportOptions::I2S::kX86;
  EXPECT_TRUE(FailsWith(Status::kCorruptFile,
                        "stored code of element 64 = 3, must be 0 to 2", [&] {
                          values_of("\x2C" + x86.substr(1), {1, 128});
                        }));
}

TEST(Gguf, WhatCannotBeRead) {
  const Foreign other(
      FileOfBlocks(GgmlType::kIQ3_S, {1, 256}, std::string(110, 'x')), "",
      kLayout);
  EXPECT_EQ(other.Get("a.weight").note, "IQ3_S, not read");
  EXPECT_TRUE(FailsWith(Status::kUnsupported, "type IQ3_S is not supported",
                        [&] { other.Values("a.weight"); }));
  // 3 of a TQ2_0, which no quantizer makes.
  std::string block(66, '\x55');
  block[32] = '\x75';
  EXPECT_TRUE(
      FailsWith(Status::kCorruptFile, "stored code of element 192 = 3", [&] {
        Foreign(FileOfBlocks(GgmlType::kTQ2_0, {1, 256}, block), "", kLayout)
            .Values("a.weight");
      }));
  // A scale that is no number.
  std::string nan(34, '\1');
  nan[1] = '\x7E';
  EXPECT_TRUE(FailsWith(Status::kInvalidArgument, "scale 0", [&] {
    Foreign(FileOfBlocks(GgmlType::kQ8_0, {1, 32}, nan), "", kLayout)
        .Values("a.weight");
  }));
  std::string sign(36, '\1');
  sign[2] = '\xFF';
  EXPECT_TRUE(FailsWith(Status::kCorruptFile, "scale 2 = 0xFF", [&] {
    Foreign(FileOfBlocks(GgmlType::kNVFP4, {1, 64}, sign), "", kLayout)
        .Values("a.weight");
  }));
}

// The scale of the whole tensor stands beside it.
TEST(Gguf, ScaleOfNvfp4) {
  GgufRaw raw;
  raw.tensors = {{"b.weight", {64, 1}, 40, 0}, {"b.scale", {1}, 0, 64}};
  raw.data = std::string("\x38\x38\x7F\xB8", 4) + std::string(32, '\x12') +
             std::string(28, '\0') + std::string("\0\0\0\x3F", 4);
  const Foreign foreign(raw.Bytes(), "", kLayout);
  const auto tensor = foreign.Load("b.weight");
  EXPECT_EQ(tensor->tensor_scale(), 0.5f);
  const std::vector<float> values = ValuesOf(*tensor);
  EXPECT_EQ(values[0], 0.5f);
  EXPECT_EQ(values[8], 0.25f);
  EXPECT_EQ(values[32], 0.0f);  // 0x7F is 0 to ggml
  EXPECT_EQ(values[48], 0.5f);  // and there are no signs
  EXPECT_EQ(foreign.Get("b.weight").from.size(), 2u);
  const BnqInMemory file({{"b.weight", tensor.get()}});
  const Foreign again(ExportGguf(file.file()).file, "", kLayout);
  EXPECT_TRUE(SameTensor(*tensor, *again.Load("b.weight")));
}

struct Case {
  const char* config;
  Dims dims;
  GgmlType type;  // F32: not representable
  Verdict verdict;
  const char* why;
};

TEST(Gguf, WhichBlocksHoldWhat) {
  const Verdict exact = Verdict::kExact, rounded = Verdict::kScalesRounded,
                none = Verdict::kNotRepresentable;
  const Case cases[] = {
      {"int8,group_size=32,scale_dtype=f16",
       {3, 64},
       GgmlType::kQ8_0,
       exact,
       ""},
      {"int8,group_size=32",
       {3, 64},
       GgmlType::kQ8_0,
       rounded,
       "f32 scales become F16"},
      {"int8,granularity=channel,scale_dtype=f16",
       {3, 64},
       GgmlType::kQ8_0,
       exact,
       ""},
      {"int8,granularity=tensor,scale_dtype=bf16",
       {3, 64},
       GgmlType::kQ8_0,
       rounded,
       "bf16 scales"},
      {"int8,granularity=block,group_size=64,double_quant=on",
       {2, 128},
       GgmlType::kQ8_0,
       rounded,
       "double quantized"},
      {"int8,scheme=asymmetric,group_size=32",
       {3, 64},
       GgmlType::kF32,
       none,
       "no block of ggml holds int8 with zero points"},
      {"int8,group_size=16",
       {3, 64},
       GgmlType::kF32,
       none,
       "runs of 32 columns"},
      {"int8,group_size=32",
       {3, 50},
       GgmlType::kF32,
       none,
       "rows of 50 columns"},
      {"int8,granularity=channel,axis=1",
       {3, 64},
       GgmlType::kF32,
       none,
       "runs of 32 columns"},
      {"int6,group_size=32,scale_dtype=f16",
       {3, 64},
       GgmlType::kQ8_0,
       exact,
       ""},
      {"int5,group_size=64,scale_dtype=f16",
       {3, 64},
       GgmlType::kQ5_0,
       exact,
       ""},
      {"int5,group_size=64,scale_dtype=f16,scheme=offset",
       {3, 64},
       GgmlType::kQ5_1,
       exact,
       ""},
      {"int4,group_size=32,scale_dtype=f16",
       {3, 64},
       GgmlType::kQ4_0,
       exact,
       ""},
      {"int4,group_size=32,scale_dtype=f16,symmetric_range=full",
       {3, 64},
       GgmlType::kQ4_0,
       exact,
       ""},
      {"int4,group_size=32,scale_dtype=f16,scheme=offset",
       {3, 64},
       GgmlType::kQ4_1,
       exact,
       ""},
      {"int4,group_size=64,scale_dtype=f16,scheme=asymmetric",
       {2, 3, 64},
       GgmlType::kQ5_0,
       exact,
       ""},
      {"int3,group_size=32,scale_dtype=f16",
       {3, 64},
       GgmlType::kQ4_0,
       exact,
       ""},
      {"int3,group_size=32,scale_dtype=f16,scheme=offset",
       {3, 64},
       GgmlType::kQ4_1,
       exact,
       ""},
      {"int2,group_size=64,scale_dtype=f16",
       {3, 64},
       GgmlType::kQ2_0,
       exact,
       ""},
      {"int2,group_size=64,scale_dtype=f16,symmetric_range=full",
       {3, 64},
       GgmlType::kQ4_0,
       exact,
       ""},
      {"int2,group_size=64,scale_dtype=f16,scheme=asymmetric",
       {3, 64},
       GgmlType::kQ2_0,
       exact,
       ""},
      {"ternary,granularity=tensor,scale_dtype=f16",
       {3, 256},
       GgmlType::kTQ2_0,
       exact,
       ""},
      {"ternary,granularity=channel,packing=base3,scale_dtype=f16",
       {3, 512},
       GgmlType::kTQ1_0,
       exact,
       ""},
      {"ternary,granularity=channel,packing=base3,scale_dtype=f16",
       {3, 192},
       GgmlType::kQ2_0,
       exact,
       ""},
      {"ternary,granularity=channel,scale_dtype=f16",
       {3, 96},
       GgmlType::kQ4_0,
       exact,
       ""},
      {"ternary,granularity=tensor",
       {3, 256},
       GgmlType::kTQ2_0,
       rounded,
       "f32 scales become F16"},
      {"binary,group_size=128,scale_dtype=f16",
       {3, 256},
       GgmlType::kQ1_0,
       exact,
       ""},
      {"binary,group_size=64,scale_dtype=f16",
       {3, 64},
       GgmlType::kQ2_0,
       exact,
       ""},
      {"e2m1,group_size=32,scale_dtype=e8m0",
       {3, 64},
       GgmlType::kMXFP4,
       exact,
       ""},
      {"e2m1,granularity=channel,scale_dtype=e8m0",
       {3, 64},
       GgmlType::kMXFP4,
       exact,
       ""},
      {"e2m1,group_size=16,scale_dtype=e4m3",
       {3, 64},
       GgmlType::kNVFP4,
       exact,
       ""},
      {"e2m1,group_size=16,scale_dtype=e4m3",
       {3, 32},
       GgmlType::kF32,
       none,
       "e2m1 is MXFP4 with"},
      {"nf4,granularity=block,group_size=64",
       {3, 64},
       GgmlType::kF32,
       none,
       "holds the codes of nf4"},
      {"e4m3,granularity=channel",
       {3, 64},
       GgmlType::kF32,
       none,
       "holds the codes of e4m3"},
      {"int8,granularity=token,outlier_threshold=1",
       {3, 64},
       GgmlType::kF32,
       none,
       "outlier columns"},
      {"f16", {3, 5}, GgmlType::kF16, exact, ""},
      {"bf16", {3, 5}, GgmlType::kBF16, exact, ""},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.config);
    const auto tensor = RandomTensor(std::string("format=") + c.config, c.dims);
    const BnqInMemory file({{"a.weight", tensor.get()}});
    const GgufExport exported = ExportGguf(file.file());
    EXPECT_EQ(exported.verdicts.at("a.weight"), c.verdict);
    EXPECT_NE(exported.why.at("a.weight").find(c.why), std::string::npos)
        << exported.why.at("a.weight");
    if (c.verdict == none) continue;
    const Foreign again(exported.file, "", kLayout);
    const ModelEntry& entry = *again.file().Find("a.weight");
    const GgmlType type =
        entry.blocks ? entry.blocks.type
                     : GgmlTypeOf(static_cast<DType>(entry.dtype))->type;
    EXPECT_EQ(type, c.type) << Info(type).name;
    if (!entry.blocks) continue;
    const std::vector<float> before = ValuesOf(*tensor);
    const std::vector<float> after = again.Values("a.weight");
    ASSERT_EQ(after.size(), before.size());
    const double change = exported.scale_change.at("a.weight");
    EXPECT_TRUE(change == 0.0 || c.verdict == rounded);
    EXPECT_LE(change, 1.0 / 2048);
    for (size_t i = 0; i < before.size(); ++i) {
      if (c.verdict == exact) {
        ASSERT_EQ(after[i], before[i]) << i;
      } else {
        ASSERT_NEAR(after[i], before[i], std::fabs(before[i]) / 2040) << i;
      }
    }
  }
}

// Codes of int2 with other zero points than Q2_0's -1 take 4 bits.
TEST(Gguf, ZeroPointsAreLookedAt) {
  for (const int zero : {-1, 0}) {
    const auto tensor =
        TensorOf("int2,group_size=64,scale_dtype=f16,scheme=asymmetric",
                 {2, 64}, std::vector<int>(128, -2), {1.0f, 0.5f}, {-1, zero});
    const BnqInMemory file({{"a.weight", tensor.get()}});
    const Foreign out(ExportGguf(file.file()).file, "", kLayout);
    EXPECT_EQ(out.file().Find("a.weight")->blocks.type,
              zero == -1 ? GgmlType::kQ2_0 : GgmlType::kQ4_0);
    EXPECT_EQ(out.Values("a.weight"), ValuesOf(*tensor));
  }
}

TEST(Gguf, ScalesThatFloat16DoesNotHold) {
  for (const float scale : {1e-9f, 1e6f}) {
    const auto tensor = TensorOf("int8,group_size=32", {1, 32},
                                 std::vector<int>(32, 1), {scale});
    const BnqInMemory file({{"a.weight", tensor.get()}});
    EXPECT_TRUE(FailsWith(Status::kUnsupported,
                          "scale 0 = ", [&] { ExportGguf(file.file()); }));
  }
  const auto zero =
      TensorOf("int8,group_size=32", {1, 32}, std::vector<int>(32, 0), {0.0f});
  const BnqInMemory file({{"a.weight", zero.get()}});
  EXPECT_EQ(ExportGguf(file.file()).scale_change.at("a.weight"), 0.0);
}

}  // namespace
}  // namespace bnq
