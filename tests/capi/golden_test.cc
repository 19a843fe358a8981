// What released versions wrote (tests/golden) reads as it did.
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "capi_test_util.h"

namespace bnq_test {
namespace {

using File = std::unique_ptr<bnq_file, decltype(&bnq_file_close)>;

File Open(const std::filesystem::path& path) {
  bnq_file* file = nullptr;
  EXPECT_EQ(bnq_file_open(nullptr, path.string().c_str(), 0, &file), BNQ_OK)
      << bnq_last_error();
  return File(file, bnq_file_close);
}

std::vector<std::filesystem::path> Releases() {
  std::vector<std::filesystem::path> releases;
  for (const auto& entry :
       std::filesystem::directory_iterator(BNQ_TEST_GOLDEN)) {
    if (std::filesystem::exists(entry.path() / "model.bnq")) {
      releases.push_back(entry.path());
    }
  }
  EXPECT_FALSE(releases.empty());
  return releases;
}

TEST(Golden, ModelsDecodeToTheSameValues) {
  for (const auto& release : Releases()) {
    const File values = Open(release / "values.safetensors");
    for (const char* name : {"model.bnq", "compressed.bnq"}) {
      SCOPED_TRACE((release / name).string());
      const File model = Open(release / name);
      EXPECT_EQ(bnq_file_verify(nullptr, model.get(), nullptr, nullptr), BNQ_OK)
          << bnq_last_error();
      EXPECT_STREQ(bnq_file_metadata_key(model.get(), 0), "origin");
      uint64_t quantized = 0;
      for (uint64_t i = 0; i < bnq_file_count(model.get()); ++i) {
        if (bnq_file_format(model.get(), i) == BNQ_FORMAT_NONE) continue;
        SCOPED_TRACE(bnq_file_name(model.get(), i));
        uint64_t at = 0, bytes = 0;
        const void* expected = nullptr;
        ASSERT_EQ(
            bnq_file_find(values.get(), bnq_file_name(model.get(), i), &at),
            BNQ_OK);
        ASSERT_EQ(bnq_file_data(values.get(), at, &expected, &bytes), BNQ_OK);
        bnq_tensor* tensor = nullptr;
        ASSERT_EQ(bnq_file_tensor(nullptr, model.get(), i, &tensor), BNQ_OK)
            << bnq_last_error();
        std::vector<uint8_t> decoded(bytes);
        EXPECT_EQ(
            bnq_tensor_dequantize(nullptr, tensor, BNQ_DTYPE_F32,
                                  BNQ_OVERFLOW_ERROR, decoded.data(), bytes),
            BNQ_OK);
        EXPECT_EQ(0, std::memcmp(decoded.data(), expected, bytes));
        bnq_tensor_destroy(tensor);
        ++quantized;
      }
      EXPECT_EQ(quantized, bnq_file_count(values.get()));
    }
  }
}

TEST(Golden, CalibrationsGiveTheSameRanges) {
  for (const auto& release : Releases()) {
    std::ifstream in(release / "ranges.json");
    const nlohmann::json ranges = nlohmann::json::parse(in);
    ASSERT_FALSE(ranges.empty());
    for (const auto& [key, expected] : ranges.items()) {
      SCOPED_TRACE(key);
      const std::string method = key.substr(0, key.find(' '));
      const std::string name = key.substr(key.find(' ') + 1);
      const auto path = release / ("calibration." + method + ".bnq");
      bnq_calibration* calibration = nullptr;
      ASSERT_EQ(
          bnq_calibration_load(nullptr, path.string().c_str(), &calibration),
          BNQ_OK)
          << bnq_last_error();
      bool found = false;
      for (uint64_t i = 0; i < bnq_calibration_count(calibration); ++i) {
        if (name != bnq_calibration_name(calibration, i)) continue;
        found = true;
        float ends[2] = {};
        EXPECT_EQ(
            bnq_calibrator_range(nullptr, bnq_calibration_at(calibration, i),
                                 &ends[0], &ends[1], 1),
            BNQ_OK);
        for (int end = 0; end < 2; ++end) {
          const auto text = expected[end].get<std::string>();
          uint8_t bytes[4];
          for (int b = 0; b < 4; ++b) {
            bytes[b] = static_cast<uint8_t>(std::stoi(
                text.substr(2 * static_cast<size_t>(b), 2), nullptr, 16));
          }
          EXPECT_EQ(0, std::memcmp(&ends[end], bytes, 4)) << ends[end];
        }
      }
      EXPECT_TRUE(found);
      bnq_calibration_destroy(calibration);
    }
  }
}

}  // namespace
}  // namespace bnq_test
