// The shared vectors through the C ABI, on every SIMD target and with every
// number of threads that the determinism promise names.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "tests/capi/vectors_test_util.h"

namespace bnq_test {
namespace {

std::string Hex(const uint8_t* bytes, uint64_t count) {
  std::string out;
  char text[3];
  for (uint64_t i = 0; i < count; ++i) {
    std::snprintf(text, sizeof text, "%02x", bytes[i]);
    out += text;
  }
  return out;
}

std::string Lower(std::string s) {
  for (char& c : s) c = static_cast<char>(std::tolower(c));
  return s;
}

using Vectors = VectorsTest;

// A case's array and config.
struct CaseSetup {
  explicit CaseSetup(const json& c) : input(c), array(input.view()) {
    EXPECT_EQ(bnq_config_create(&config), BNQ_OK);
    status = Configure(c.at("config"), bnq_config_settings(config));
  }
  ~CaseSetup() { bnq_config_destroy(config); }
  CaseSetup(const CaseSetup&) = delete;

  const InputArray input;
  const bnq_array array;
  bnq_config* config = nullptr;
  bnq_status status;
};

void CheckOffsets(const json& c, const bnq_tensor* tensor, bnq_part part) {
  const json expected = c.value("offsets", json::array());
  std::vector<float> offsets(part.count);
  ASSERT_EQ(offsets.size(), expected.size());
  ASSERT_EQ(bnq_tensor_read_offsets(tensor, offsets.data(), offsets.size()),
            BNQ_OK)
      << bnq_last_error();
  ASSERT_EQ(BitsOf(offsets), Bits(expected));
  const std::string stored =
      c.contains("offset_bytes")
          ? c.at("offset_bytes").get<std::string>()
          : Hex(reinterpret_cast<const uint8_t*>(offsets.data()),
                4 * offsets.size());
  ASSERT_EQ(Hex(static_cast<const uint8_t*>(part.data), part.bytes), stored);
}

void CheckCase(bnq_context* context, const json& c) {
  CaseSetup s(c);
  ASSERT_EQ(s.status, BNQ_OK) << bnq_last_error();
  bnq_tensor* tensor = nullptr;
  ASSERT_EQ(bnq_tensor_quantize(context, s.config, &s.array, &tensor), BNQ_OK)
      << bnq_last_error();

  // Each part.
  bnq_part parts[BNQ_NUM_PARTS];
  uint64_t all_bytes = 0;
  for (int32_t p = 1; p <= BNQ_NUM_PARTS; ++p) {
    ASSERT_EQ(bnq_tensor_part(tensor, p, &parts[p - 1]), BNQ_OK);
    ASSERT_EQ(parts[p - 1].part, p);
    all_bytes += parts[p - 1].bytes;
  }
  ASSERT_EQ(bnq_tensor_bytes(tensor), all_bytes);
  const auto part = [&](int32_t id) { return parts[id - 1]; };
  const uint64_t bytes = part(BNQ_PART_CODES).bytes;
  const uint8_t* packed =
      static_cast<const uint8_t*>(part(BNQ_PART_CODES).data);
  ASSERT_EQ(Hex(packed, bytes), Lower(c.at("packed").get<std::string>()));
  // Codes of 16 bits cannot be unpacked.
  const bool narrow = c.contains("codes");
  const size_t count = c.at("dequantized").size();
  std::vector<int8_t> codes(count);
  ASSERT_EQ(bnq_tensor_unpack(context, tensor, codes.data(), codes.size()),
            narrow ? BNQ_OK : BNQ_ERROR_UNSUPPORTED)
      << bnq_last_error();
  for (size_t i = 0; narrow && i < codes.size(); ++i) {
    ASSERT_EQ(codes[i], c.at("codes")[i].get<int>()) << "code " << i;
  }
  const void* stored = part(BNQ_PART_SCALES).data;
  const uint64_t scale_bytes = part(BNQ_PART_SCALES).bytes;
  std::vector<float> scales(part(BNQ_PART_SCALES).count);
  ASSERT_EQ(scales.size(), c.at("scales").size());
  ASSERT_EQ(bnq_tensor_read_scales(tensor, scales.data(), scales.size()),
            BNQ_OK)
      << bnq_last_error();
  ASSERT_EQ(BitsOf(scales), Bits(c.at("scales")));
  if (c.contains("scale_bytes")) {
    ASSERT_EQ(Hex(static_cast<const uint8_t*>(stored), scale_bytes),
              Lower(c.at("scale_bytes").get<std::string>()));
  } else if (!scales.empty()) {
    ASSERT_EQ(scale_bytes, 4 * scales.size());
    ASSERT_EQ(std::memcmp(stored, scales.data(), scale_bytes), 0);
  }
  CheckOffsets(c, tensor, part(BNQ_PART_OFFSETS));
  if (::testing::Test::HasFatalFailure()) return;
  const bnq_part of_tensor = part(BNQ_PART_TENSOR_SCALE);
  std::vector<float> tensor_scale(of_tensor.count);
  if (of_tensor.bytes != 0) {
    std::memcpy(tensor_scale.data(), of_tensor.data, of_tensor.bytes);
  }
  json expected_scale = json::array();
  if (c.contains("tensor_scale")) expected_scale = {c.at("tensor_scale")};
  ASSERT_EQ(BitsOf(tensor_scale), Bits(expected_scale));
  const bnq_part of_codes = part(BNQ_PART_CODEBOOK);
  std::vector<float> codebook(of_codes.count);
  if (of_codes.bytes != 0) {
    std::memcpy(codebook.data(), of_codes.data, of_codes.bytes);
  }
  ASSERT_EQ(BitsOf(codebook), Bits(c.value("codebook", json::array())));
  const int8_t* zeros =
      static_cast<const int8_t*>(part(BNQ_PART_ZERO_POINTS).data);
  ASSERT_EQ(part(BNQ_PART_ZERO_POINTS).count, c.at("zero_points").size());
  for (uint64_t i = 0; i < c.at("zero_points").size(); ++i) {
    ASSERT_EQ(zeros[i], c.at("zero_points")[i].get<int32_t>());
  }
  const bnq_part columns_of = part(BNQ_PART_OUTLIER_COLUMNS);
  const bool outliers = c.contains("outlier_columns");
  ASSERT_EQ(columns_of.count, outliers ? c.at("outlier_columns").size() : 0u);
  if (outliers) {
    for (uint64_t i = 0; i < columns_of.count; ++i) {
      ASSERT_EQ(static_cast<const uint32_t*>(columns_of.data)[i],
                c.at("outlier_columns")[i].get<uint32_t>());
    }
    const bnq_part values = part(BNQ_PART_OUTLIER_VALUES);
    ASSERT_STREQ(bnq_dtype_name(values.dtype),
                 c.at("outlier_dtype").get<std::string>().c_str());
    ASSERT_EQ(Hex(static_cast<const uint8_t*>(values.data), values.bytes),
              Lower(c.at("outlier_values").get<std::string>()));
  }

  std::vector<float> out(count);
  ASSERT_EQ(
      bnq_tensor_dequantize(context, tensor, BNQ_DTYPE_F32, BNQ_OVERFLOW_ERROR,
                            out.data(), 4 * out.size()),
      BNQ_OK)
      << bnq_last_error();
  const std::vector<uint32_t> expected_bits = Bits(c.at("dequantized"));
  for (size_t i = 0; i < out.size(); ++i) {
    float expected;
    std::memcpy(&expected, &expected_bits[i], sizeof expected);
    if (std::isnan(expected) && std::isnan(out[i])) continue;
    ASSERT_EQ(std::memcmp(&out[i], &expected, 4), 0)
        << "value " << i << " is " << out[i] << ", not " << expected;
  }
  // The same tensor from its parts, and its codes packed again.
  bnq_tensor* copy = nullptr;
  ASSERT_EQ(bnq_tensor_create(context, s.config, s.array.rank, s.array.shape,
                              parts, BNQ_NUM_PARTS, 0, &copy),
            BNQ_OK)
      << bnq_last_error();
  if (narrow) {
    std::vector<uint8_t> again(bytes);
    ASSERT_EQ(bnq_pack(context, s.config, s.array.rank, s.array.shape,
                       codes.data(), codes.size(), again.data(), bytes),
              BNQ_OK)
        << bnq_last_error();
    ASSERT_EQ(Hex(again.data(), bytes), Hex(packed, bytes));
  }
  // Row by row.
  const uint64_t columns = bnq_tensor_columns(copy);
  std::vector<float> row(columns);
  for (uint64_t r = 0; r < bnq_tensor_rows(copy); ++r) {
    ASSERT_EQ(
        bnq_tensor_dequantize_rows(context, copy, r, 1, BNQ_DTYPE_F32,
                                   BNQ_OVERFLOW_ERROR, row.data(), 4 * columns),
        BNQ_OK)
        << bnq_last_error();
    if (columns != 0) {
      // NaN compares as its bits here: both come from the same codes.
      ASSERT_EQ(std::memcmp(row.data(), &out[r * columns], 4 * columns), 0);
    }
  }
  bnq_tensor_destroy(copy);
  bnq_tensor_destroy(tensor);
}

TEST_F(Vectors, Quantize) {
  OnEveryTarget(Cases("quantize.json"),
                [&](const json& c) { CheckCase(context_, c); });
}

TEST_F(Vectors, Config) {
  for (const json& c : Cases("config.json")) {
    SCOPED_TRACE(c.at("name").get<std::string>());
    const std::string text = c.at("text");
    bnq_config* config = nullptr;
    const bnq_status status = bnq_config_from_text(text.c_str(), &config);
    if (c.contains("status")) {
      EXPECT_STREQ(bnq_status_name(status),
                   c.at("status").get<std::string>().c_str());
      EXPECT_NE(std::string(bnq_last_error()).find(c.at("message")),
                std::string::npos)
          << bnq_last_error();
      EXPECT_EQ(config, nullptr);
      continue;
    }
    ASSERT_EQ(status, BNQ_OK) << bnq_last_error();
    uint64_t size = 0;
    ASSERT_EQ(bnq_config_to_text(config, nullptr, 0, &size), BNQ_OK);
    std::string out(size, '?');
    EXPECT_EQ(bnq_config_to_text(config, &out[0], size - 1, nullptr),
              BNQ_ERROR_INVALID_ARGUMENT);
    ASSERT_EQ(bnq_config_to_text(config, &out[0], size, nullptr), BNQ_OK);
    out.pop_back();
    EXPECT_EQ(out, c.at("canonical").get<std::string>());
    // The text says everything.
    bnq_config* again = nullptr;
    ASSERT_EQ(bnq_config_from_text(out.c_str(), &again), BNQ_OK);
    int32_t equal = 0;
    ASSERT_EQ(bnq_config_equal(config, again, &equal), BNQ_OK);
    EXPECT_EQ(equal, 1);
    bnq_config_destroy(again);
    bnq_config_destroy(config);
  }
}

TEST_F(Vectors, Metrics) {
  for (const json& c : Cases("metrics.json")) {
    SCOPED_TRACE(c.at("name").get<std::string>());
    const std::vector<float> a = Numbers(c.at("original"));
    const std::vector<float> b = Numbers(c.at("other"));
    const uint64_t n = a.size();
    const bnq_array original = {a.data(), &n, BNQ_DTYPE_F32, 1};
    const bnq_array other = {b.data(), &n, BNQ_DTYPE_F32, 1};
    std::vector<double> metrics(bnq_metric_count());
    ASSERT_EQ(bnq_compare(nullptr, &original, &other, metrics.data(),
                          bnq_metric_count()),
              BNQ_OK)
        << bnq_last_error();
    for (uint32_t m = 0; m < bnq_metric_count(); ++m) {
      const json& value = c.at("metrics").at(bnq_metric_name(m));
      if (value.is_string()) {
        EXPECT_EQ(metrics[m], Number(value)) << bnq_metric_name(m);
      } else {
        const double expected = value;
        EXPECT_NEAR(metrics[m], expected, 1e-12 * std::fabs(expected))
            << bnq_metric_name(m);
      }
    }
  }
}

TEST_F(Vectors, Errors) {
  for (const json& c : Cases("errors.json")) {
    SCOPED_TRACE(c.at("name").get<std::string>());
    CaseSetup s(c);
    bnq_tensor* tensor = nullptr;
    bnq_status status = s.status;
    if (status == BNQ_OK) {
      status = bnq_tensor_quantize(context_, s.config, &s.array, &tensor);
    }
    EXPECT_EQ(bnq_status_name(status), c.at("status").get<std::string>())
        << bnq_last_error();
    EXPECT_NE(
        std::string(bnq_last_error()).find(c.at("message").get<std::string>()),
        std::string::npos)
        << bnq_last_error();
    EXPECT_EQ(tensor, nullptr);
  }
}

}  // namespace
}  // namespace bnq_test
