// Damages good files at random, deterministically, and reads what is left: it
// must be an Error or a file that can be read, never a crash. Run it under
// sanitizers; BNQ_FUZZ_ITERATIONS asks for more than the default.
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "core/io/bnq_writer.h"
#include "core/io/model_file.h"
#include "tests/io/bnq_raw.h"
#include "tests/io/gguf_raw.h"
#include "tests/io/io_test_util.h"
#include "tests/support/damage.h"

namespace bnq {
namespace {

// Reads every byte that the file says it has; at most maximum of them.
void ReadEverything(const ModelFile& file, uint64_t maximum) {
  const Context context;
  uint64_t total = 0;
  for (const ModelEntry& entry : file.entries()) {
    total += entry.raw_bytes;
    ASSERT_LE(total, maximum);
    if (entry.format == 0) {
      PlainReader reader(context, file, entry);
      std::string out(static_cast<size_t>(reader.remaining()), '\0');
      reader.Read(&out[0], out.size());
    } else {
      for (size_t i = 0; i < entry.sections.size(); ++i) {
        const auto reader = file.OpenSection(context, entry, i);
        reader->Read(nullptr, reader->remaining());
      }
    }
  }
  file.VerifyRest();
}

// Makes the checksums and lengths right again, so that the damage gets past
// them.
void SignBnq(const std::string& /*original*/, std::string* file) {
  if (file->size() < 64) return;
  uint8_t* p = reinterpret_cast<uint8_t*>(&(*file)[0]);
  StoreLE<uint64_t>(file->size(), p + 16);
  const uint64_t offset = LoadLE<uint64_t>(p + 24);
  if (offset <= file->size()) {
    StoreLE<uint64_t>(file->size() - offset, p + 32);
    StoreLE(RawCrc(file->substr(static_cast<size_t>(offset))), p + 40);
  }
  StoreLE(RawCrc(file->substr(0, 60)), p + 60);
}

void SignSafetensors(const std::string& original, std::string* file) {
  if (file->size() < 8) return;
  const uint64_t n =
      LoadLE<uint64_t>(reinterpret_cast<const uint8_t*>(original.data()));
  StoreLE<uint64_t>(n + file->size() - original.size(),
                    reinterpret_cast<uint8_t*>(&(*file)[0]));
}

// Nothing in it depends on the rest.
void SignNothing(const std::string& /*original*/, std::string* /*file*/) {}

// What makes a damaged file worth reading again.
using Sign = void (*)(const std::string& original, std::string* file);

// How many of the damaged files could be opened.
uint64_t Fuzz(const std::string& original, Sign sign) {
  std::mt19937_64 random(20240229);
  uint64_t opened = 0;
  for (uint64_t i = 0; i < FuzzIterations(); ++i) {
    std::string file = original;
    Damage(&random, &file);
    if (random() % 4 != 0) sign(original, &file);
    const ExactBytes bytes(file);
    try {
      const auto model =
          ModelFile::FromMemory(Context(), bytes.data(), bytes.size());
      ++opened;
      ReadEverything(*model, kBnqMaxExpansion * file.size());
    } catch (const Error& error) {
      EXPECT_TRUE(error.status() == Status::kCorruptFile ||
                  error.status() == Status::kUnsupported)
          << error.message();
    }
    if (testing::Test::HasFailure()) {
      ADD_FAILURE() << "iteration " << i;
      break;
    }
  }
  return opened;
}

TEST(IoFuzz, Safetensors) {
  const std::string file = SafetensorsBytes(
      R"({"__metadata__":{"k":"v"},)"
      R"("a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},)"
      R"("b":{"dtype":"F4","shape":[4],"data_offsets":[24,26]},)"
      R"("c":{"dtype":"U8","shape":[0,9],"data_offsets":[26,26]}})",
      Noise(26));
  EXPECT_GT(Fuzz(file, SignSafetensors), FuzzIterations() / 100);
}

TEST(IoFuzz, Gguf) {
  GgufRaw raw;
  raw.keys = {{"general.architecture", "t"},
              {"general.alignment", "u32:8"},
              {"words", "str[]:\"a\",\"bc\""},
              {"numbers", "f32[]:1,nan"},
              {"b", "bool:true"}};
  raw.tensors = {{"a", {3, 2}, 0, 0},
                 {"b", {32, 2}, 2, 24},
                 {"c", {0, 9}, 24, 64},
                 {"d", {8}, 36, 64}};
  raw.alignment = 8;
  raw.data = Noise(64 + 34);
  EXPECT_GT(Fuzz(raw.Bytes(), SignNothing), FuzzIterations() / 100);
}

class IoFuzzBnq : public TempDirTest,
                  public testing::WithParamInterface<bool> {};

TEST_P(IoFuzzBnq, Bnq) {
  const Context context;
  {
    BnqWriter writer(context, Path("f"), {false, GetParam(), false});
    writer.SetMetadata("k", "v");
    for (const char* name : {"a", "b", "c"}) {
      BnqEntry entry;
      entry.name = name;
      entry.options = {BnqOption::Int(1, 2), BnqOption::Float(6, 0.5)};
      entry.sections.resize(1);
      entry.sections[0].raw_bytes = 100;
      if (name[0] == 'a') {
        entry.dtype = static_cast<int32_t>(DType::kU8);
        const uint64_t dims[] = {4, 25};
        entry.shape = Shape::Make(2, dims);
      } else {
        entry.format = 1;
        entry.sections[0].role = BnqRole::kCodes;
      }
      writer.BeginEntry(entry);
      writer.Append(
          0, (name[0] == 'b' ? Noise(100) : std::string(100, 'x')).data(), 100);
      writer.EndEntry();
    }
    writer.Finish();
  }
  const std::string file = ReadFile(Path("f"));
  ReadEverything(*ModelFile::Open(context, Path("f")), 300);
  EXPECT_GT(Fuzz(file, SignBnq), FuzzIterations() / 100);
}

INSTANTIATE_TEST_SUITE_P(StoredAndCompressed, IoFuzzBnq, testing::Bool());

TEST(IoFuzz, Index) {
  // Its files do not exist, so nothing can be opened; only the parser runs.
  const std::string good =
      R"({"metadata":{"total_size":3,"x":[1,{}]},)"
      R"("weight_map":{"a":"none-1","b":"none-1","c":"none-2"}})";
  std::mt19937_64 random(1);
  const std::string path = testing::TempDir() + "bnq_fuzz_none/index";
  for (uint64_t i = 0; i < FuzzIterations(); ++i) {
    std::string text = good;
    Damage(&random, &text);
    const ExactBytes bytes(text);
    try {
      kIndexContainer.open(
          Context(), MappedFile::FromMemory(bytes.data(), bytes.size(), path));
    } catch (const Error& error) {
      EXPECT_TRUE(error.status() == Status::kCorruptFile ||
                  error.status() == Status::kNotFound)
          << error.message();
    }
  }
}

}  // namespace
}  // namespace bnq
