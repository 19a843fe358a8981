#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "core/model/convert.h"
#include "core/scheme/registry.h"
#include "core/scheme/support.h"
#include "core/tensor/quantize.h"
#include "tests/io/bnq_raw.h"
#include "tests/model/model_test_util.h"

namespace bnq {
namespace {

class Load : public ModelTest {};

// Every format, with what it supports of the options that add parts or change
// how they are stored.
std::vector<Config> Configs() {
  std::vector<Config> configs;
  for (int f = 0; f < NumFormats(); ++f) {
    for (const char* options :
         {"", ",scheme=asymmetric", ",double_quant=on", ",scale_dtype=f16",
          ",granularity=token,outlier_threshold=20,scheme=asymmetric",
          ",packing=base3"}) {
      const Config config =
          Config::FromText(std::string("format=") + FormatAt(f).name + options);
      try {
        CheckSupported(FormatAt(f), config);
        configs.push_back(config);
      } catch (const Error&) {
      }
    }
  }
  return configs;
}

void ExpectSameParts(const QuantizedTensor& a, const QuantizedTensor& b) {
  EXPECT_EQ(a.config().ToText(), b.config().ToText());
  EXPECT_EQ(a.shape(), b.shape());
  for (int i = 0; i < kNumParts; ++i) {
    const PartData& x = a.part(PartAt(i).id);
    const PartData& y = b.part(PartAt(i).id);
    ASSERT_EQ(x.bytes, y.bytes) << PartAt(i).name;
    EXPECT_EQ(x.dtype, y.dtype) << PartAt(i).name;
    EXPECT_TRUE(x.bytes == 0 || std::memcmp(x.data, y.data, x.bytes) == 0)
        << PartAt(i).name;
  }
}

// A tensor written and read again is the same, whatever its parts are and
// wherever they lie: mapped, read, compressed, in memory of any alignment. It
// outlives the file that it was read from.
TEST_F(Load, WhatWasWritten) {
  const TestArray array({3, 4}, {0.5f, -1, 90, 2, 3, -4, 5, 6, -7, 8, 9, 1});
  for (const Config& config : Configs()) {
    SCOPED_TRACE(config.ToText());
    const auto tensor = Quantize(context_, config, array.view());
    for (const bool compress : {false, true}) {
      WriteOptions options = Overwrite();
      options.compress = compress;
      ModelWriter writer(context_, Path("t.bnq"), FileKind::kBnq, options);
      writer.AddTensor("t", *tensor);
      writer.Finish();
      for (const bool map : {true, false}) {
        Context context;
        context.map_files = map;
        auto file = ModelFile::Open(context, Path("t.bnq"));
        EXPECT_EQ(StoredConfig(*file->Find("t")).ToText(),
                  tensor->config().ToText());
        const auto loaded = LoadTensor(context, file, *file->Find("t"));
        file.reset();
        ExpectSameParts(*tensor, *loaded);
      }
      const std::string bytes = ReadFile(Path("t.bnq"));
      for (const size_t shift : {0, 1}) {
        const ExactBytes moved(std::string(shift, ' ') + bytes);
        const auto file =
            ModelFile::FromMemory(context_, moved.data() + shift, bytes.size());
        ExpectSameParts(*tensor, *LoadTensor(context_, file, *file->Find("t")));
      }
    }
  }
}

// 16 codes of int8 with one scale, field by field.
RawFile Int8File() {
  RawFile file;
  const float scale = 0.5f;
  file.data = std::string("0123456789abcdef") + std::string(48, '\0') +
              std::string(reinterpret_cast<const char*>(&scale), 4);
  file.entries.resize(1);
  RawEntry& entry = file.entries[0];
  entry.format = static_cast<uint32_t>(Config::FromText("int8").format());
  entry.dtype = 0;
  entry.options = {{static_cast<uint32_t>(Option::kGranularity), 0,
                    static_cast<uint64_t>(Granularity::kTensor)}};
  entry.sections.resize(2);
  entry.sections[0].role = static_cast<uint32_t>(BnqRole::kCodes);
  entry.sections[0].crcs = {RawCrc(file.data.substr(0, 16))};
  entry.sections[1].role = static_cast<uint32_t>(BnqRole::kScales);
  entry.sections[1].raw = 4;
  entry.sections[1].offset = 128;
  entry.sections[1].crcs = {RawCrc(file.data.substr(64))};
  return file;
}

// What loading the only tensor of the file fails with.
testing::AssertionResult Refuses(Status status, const std::string& text,
                                 const std::function<void(RawFile*)>& change) {
  RawFile raw = Int8File();
  change(&raw);
  const ExactBytes bytes(raw.Bytes());
  const Context context;
  const auto file = ModelFile::FromMemory(context, bytes.data(), bytes.size());
  return FailsWith(status, "tensor \"a\": " + text,
                   [&] { LoadTensor(context, file, file->entries()[0]); });
}

testing::AssertionResult RefusesEntry(
    Status status, const std::string& text,
    const std::function<void(RawEntry*)>& change) {
  return Refuses(status, text,
                 [&](RawFile* file) { change(&file->entries[0]); });
}

// What a later version may have written is UNSUPPORTED, all else a file's fault
// and no argument's.
TEST_F(Load, NamesTensorAndFault) {
  const ExactBytes good(Int8File().Bytes());
  const auto file = ModelFile::FromMemory(context_, good.data(), good.size());
  EXPECT_EQ(LoadTensor(context_, file, *file->Find("a"))->codes()[1], '1');

  EXPECT_TRUE(RefusesEntry(Status::kUnsupported, "format = 9999 is not known",
                           [](RawEntry* e) { e->format = 9999; }));
  EXPECT_TRUE(RefusesEntry(Status::kUnsupported, "section role 77 is not known",
                           [](RawEntry* e) { e->sections[1].role = 77; }));
  EXPECT_TRUE(RefusesEntry(Status::kCorruptFile,
                           "options say format 2, the entry says 1",
                           [](RawEntry* e) {
                             e->format = 1;
                             e->options.insert(e->options.begin(), {1, 0, 2});
                           }));
  EXPECT_TRUE(RefusesEntry(Status::kCorruptFile, "granularity = 99",
                           [](RawEntry* e) { e->options[0].value = 99; }));
  EXPECT_TRUE(RefusesEntry(Status::kCorruptFile,
                           "codes take 16 bytes, must be 17",
                           [](RawEntry* e) { e->dims = {17}; }));
  EXPECT_TRUE(RefusesEntry(Status::kCorruptFile,
                           "scales take 0 bytes, must be 4",
                           [](RawEntry* e) { e->sections.resize(1); }));
  EXPECT_TRUE(Refuses(Status::kCorruptFile,
                      "zero_points take 4 bytes, must be 0", [](RawFile* f) {
                        f->data += std::string(60, '\0') + "0000";
                        RawSection section = f->entries[0].sections[1];
                        section.role =
                            static_cast<uint32_t>(BnqRole::kZeroPoints);
                        section.offset = 192;
                        section.crcs = {RawCrc("0000")};
                        f->entries[0].sections.push_back(section);
                      }));
  EXPECT_TRUE(RefusesEntry(
      Status::kCorruptFile, "it has outlier_values of two types",
      [](RawEntry* e) {
        e->sections[0].role = static_cast<uint32_t>(BnqRole::kOutlierValuesF16);
        e->sections[1].role =
            static_cast<uint32_t>(BnqRole::kOutlierValuesBF16);
      }));
  EXPECT_TRUE(Refuses(Status::kCorruptFile, "", [](RawFile* f) {
    f->data[3] ^= 1;  // its checksum does not know
  }));
  EXPECT_TRUE(Refuses(Status::kCorruptFile, "scale", [](RawFile* f) {
    std::memset(&f->data[64], 0xFF, 4);  // NaN, its checksum right
    f->entries[0].sections[1].crcs = {RawCrc(f->data.substr(64))};
  }));
}

TEST_F(Load, APlainArrayIsNoTensor) {
  const auto file = ModelFile::Open(context_, Write({{"w", {{2}, {1, 2}}}}));
  const ModelEntry& entry = *file->Find("w");
  const std::string text = "tensor \"w\": it is a plain array";
  EXPECT_TRUE(FailsWith(Status::kUnsupported, text,
                        [&] { LoadTensor(context_, file, entry); }));
  EXPECT_TRUE(
      FailsWith(Status::kUnsupported, text, [&] { StoredConfig(entry); }));
}

// What verification finds wherever a piece ends, in mapped files and in read
// ones, compressed or not.
TEST_F(Load, VerifyNamesTheFirstValueThatIsNotFinite) {
  std::vector<float> values(5000, 1.0f);
  values[4097] = HUGE_VALF;
  const TestArray array({50, 100}, values);
  const auto file = ModelFile::Open(context_, Write({{"w", array}}));
  for (uint64_t piece : {8u, 4096u, 1u << 20}) {
    EXPECT_TRUE(FailsWith(Status::kNonFinite,
                          "tensor \"w\": element 4097, at index [40, 97]",
                          [&] { VerifyFile(context_, file, nullptr, piece); }))
        << piece;
  }
  const std::vector<double> wide(values.begin(), values.end());
  const auto other = ModelFile::Open(
      context_,
      Write({{"w", {DType::kF64, {50, 100}, wide}}}, "w.bnq", FileKind::kBnq));
  EXPECT_TRUE(FailsWith(Status::kNonFinite, "element 4097",
                        [&] { VerifyFile(context_, other, nullptr, 8); }));
  // Integers are never infinite.
  const auto integers = ModelFile::Open(
      context_,
      Write({{"w", {DType::kI32, {2}, std::vector<int32_t>{0x7F800000, -1}}}}));
  EXPECT_NO_THROW(VerifyFile(context_, integers, nullptr));
}

// All tensors are checked, and progress says of which bytes.
TEST_F(Load, VerifyReadsEveryTensor) {
  const TestArray array({16}, std::vector<float>(16, 2.0f));
  const auto tensor =
      Quantize(context_, Config::FromText("int8"), array.view());
  ModelWriter writer(context_, Path("t.bnq"), FileKind::kBnq, Overwrite());
  writer.AddTensor("codes", *tensor);
  writer.AddArray("plain", array.view());
  writer.Finish();
  const std::string good = ReadFile(Path("t.bnq"));
  std::vector<std::string> items;
  uint64_t last = 0;
  const auto verify = [&](const std::string& bytes) {
    const ExactBytes exact(bytes);
    VerifyFile(context_,
               ModelFile::FromMemory(context_, exact.data(), exact.size()),
               [&](uint64_t done, uint64_t total, const std::string& item) {
                 EXPECT_LE(last, done);
                 EXPECT_LE(done, total);
                 last = done;
                 // What takes long is reported again.
                 if (items.empty() || items.back() != item) {
                   items.push_back(item);
                 }
               });
  };
  verify(good);
  EXPECT_EQ(items, (std::vector<std::string>{"codes", "plain", ""}));
  // Whichever byte behind the header is damaged, also one that pads.
  for (size_t at = 64; at < good.size(); ++at) {
    std::string bad = good;
    bad[at] ^= 0x10;
    last = 0;
    EXPECT_TRUE(FailsWith(Status::kCorruptFile, "", [&] { verify(bad); }))
        << at;
  }
}

}  // namespace
}  // namespace bnq
