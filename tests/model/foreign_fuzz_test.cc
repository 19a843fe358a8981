// The files of other ecosystems, cut off and damaged: an Error, or a file that
// can be read.
#include <gtest/gtest.h>

#include <filesystem>
#include <random>
#include <string>

#include "core/model/source_model.h"
#include "tests/fuzz/read_model.h"
#include "tests/io/io_test_util.h"
#include "tests/model/interchange_test_util.h"
#include "tests/support/damage.h"

namespace bnq {
namespace {

namespace fs = std::filesystem;

FuzzInput InputOf(const InterchangeCase& golden) {
  FuzzInput input;
  input.options = golden.options.import();
  if (!fs::is_directory(golden.path)) {
    input.file = ReadFile(golden.path);
    return input;
  }
  input.config = ReadFile(golden.path + "/config.json");
  for (const auto& file : fs::directory_iterator(golden.path)) {
    if (file.path().filename() != "config.json") {
      input.file = ReadFile(file.path().string());
    }
  }
  return input;
}

// Of a file of safetensors, whose header's length is the first thing in it.
void SignHeader(const FuzzInput& original, FuzzInput* input) {
  if (original.file.size() < 9 || original.file[8] != '{') return;
  if (input->file.size() < 8) return;
  const uint64_t header =
      LoadLE<uint64_t>(reinterpret_cast<const uint8_t*>(original.file.data()));
  StoreLE<uint64_t>(header + input->file.size() - original.file.size(),
                    reinterpret_cast<uint8_t*>(&input->file[0]));
}

// False, with a failure, where it is neither.
bool IsReadOrRefused(const FuzzInput& input, bool* read) {
  std::string message;
  const Status status = ReadFuzzed(input, &message);
  *read = status == Status::kOk;
  if (*read) return true;
  EXPECT_NE(message, "");
  EXPECT_TRUE(status == Status::kCorruptFile || status == Status::kUnsupported)
      << StatusName(static_cast<int>(status)) << ": " << message;
  return !testing::Test::HasFailure();
}

TEST(ForeignFuzz, DamagedFiles) {
  std::mt19937_64 random(20260101);
  const uint64_t times = FuzzIterations() / InterchangeCases().size();
  for (const InterchangeCase& golden : InterchangeCases()) {
    SCOPED_TRACE(golden.name);
    const FuzzInput original = InputOf(golden);
    uint64_t opened = 0;
    for (uint64_t i = 0; i < times; ++i) {
      FuzzInput input = original;
      const bool config = !input.config.empty() && random() % 4 == 0;
      Damage(&random, config ? &input.config : &input.file);
      if (!config && random() % 4 != 0) SignHeader(original, &input);
      bool read = false;
      ASSERT_TRUE(IsReadOrRefused(input, &read)) << "iteration " << i;
      opened += read;
    }
    // One file of two is read by its parser alone.
    EXPECT_TRUE(opened > times / 100 || golden.name == "gguf-split");
    EXPECT_LT(opened, times);
  }
}

TEST(ForeignFuzz, CutOffAtEveryByte) {
  for (const InterchangeCase& golden : InterchangeCases()) {
    SCOPED_TRACE(golden.name);
    const FuzzInput original = InputOf(golden);
    bool read = false;
    for (size_t size = 0; size < original.file.size(); ++size) {
      FuzzInput input = original;
      input.file.resize(size);
      ASSERT_TRUE(IsReadOrRefused(input, &read)) << "after " << size;
      // The bytes that fill up the end of a GGUF file may be missing.
      EXPECT_TRUE(!read || original.file.size() - size < 32) << size;
    }
    for (size_t size = 0; size < original.config.size(); ++size) {
      FuzzInput input = original;
      input.config.resize(size);
      ASSERT_TRUE(IsReadOrRefused(input, &read)) << "after " << size;
    }
    ASSERT_TRUE(IsReadOrRefused(original, &read));
    EXPECT_TRUE(read || golden.name == "gguf-split");
  }
}

}  // namespace
}  // namespace bnq
