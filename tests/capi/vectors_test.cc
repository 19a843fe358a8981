// The shared vectors through the C ABI, on every SIMD target and with every
// number of threads that the determinism promise names.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "bnq/bnq.h"
#include "bnq/bnq_x.h"

namespace {

using nlohmann::json;

json Cases(const char* file) {
  std::ifstream in(std::string(BNQ_TEST_VECTORS) + "/" + file);
  return json::parse(in).at("cases");
}

float FromBits(const std::string& hex) {
  const uint32_t bits = static_cast<uint32_t>(std::stoul(hex, nullptr, 16));
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

float Number(const json& value) {
  if (!value.is_string()) return static_cast<float>(value.get<double>());
  const std::string text = value;
  return text == "nan" ? NAN : text == "inf" ? HUGE_VALF : -HUGE_VALF;
}

std::vector<float> Numbers(const json& list) {
  std::vector<float> out;
  for (const json& value : list) out.push_back(Number(value));
  return out;
}

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

// Handles of one case.
struct CaseSetup {
  explicit CaseSetup(const json& c, int32_t threads = 1)
      : shape(c.at("shape").get<std::vector<uint64_t>>()),
        values(Numbers(c.at("input"))) {
    EXPECT_EQ(bnq_context_create(nullptr, &context), BNQ_OK);
    EXPECT_EQ(bnq_context_set_threads(context, threads), BNQ_OK);
    EXPECT_EQ(bnq_config_create(&config), BNQ_OK);
    array = {values.data(), shape.data(), BNQ_DTYPE_F32,
             static_cast<int32_t>(shape.size())};
  }
  ~CaseSetup() {
    bnq_config_destroy(config);
    bnq_context_destroy(context);
  }
  CaseSetup(const CaseSetup&) = delete;

  bnq_status Configure(const json& options) {
    for (const auto& option : options.items()) {
      const std::string value = option.value();
      const bnq_status status = bnq_options_set_text(
          bnq_config_settings(config), option.key().c_str(), value.c_str());
      if (status != BNQ_OK) return status;
    }
    return BNQ_OK;
  }

  std::vector<uint64_t> shape;
  std::vector<float> values;
  bnq_context* context = nullptr;
  bnq_config* config = nullptr;
  bnq_array array;
};

void CheckCase(const json& c, int32_t threads) {
  SCOPED_TRACE(c.at("name").get<std::string>());
  CaseSetup s(c, threads);
  ASSERT_EQ(s.Configure(c.at("config")), BNQ_OK) << bnq_last_error();
  bnq_tensor* tensor = nullptr;
  ASSERT_EQ(bnq_tensor_quantize(s.context, s.config, &s.array, &tensor), BNQ_OK)
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
  ASSERT_EQ(bnq_tensor_unpack(s.context, tensor, codes.data(), codes.size()),
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
  for (size_t i = 0; i < scales.size(); ++i) {
    const float expected = FromBits(c.at("scales")[i]);
    ASSERT_EQ(std::memcmp(&scales[i], &expected, 4), 0)
        << "scale " << i << " is " << scales[i] << ", not " << expected;
  }
  if (c.contains("scale_bytes")) {
    ASSERT_EQ(Hex(static_cast<const uint8_t*>(stored), scale_bytes),
              Lower(c.at("scale_bytes").get<std::string>()));
  } else if (!scales.empty()) {
    ASSERT_EQ(scale_bytes, 4 * scales.size());
    ASSERT_EQ(std::memcmp(stored, scales.data(), scale_bytes), 0);
  }
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
      bnq_tensor_dequantize(s.context, tensor, BNQ_DTYPE_F32,
                            BNQ_OVERFLOW_ERROR, out.data(), 4 * out.size()),
      BNQ_OK)
      << bnq_last_error();
  for (size_t i = 0; i < out.size(); ++i) {
    const float expected = FromBits(c.at("dequantized")[i]);
    if (std::isnan(expected) && std::isnan(out[i])) continue;
    ASSERT_EQ(std::memcmp(&out[i], &expected, 4), 0)
        << "value " << i << " is " << out[i] << ", not " << expected;
  }
  // The same tensor from its parts, and its codes packed again.
  bnq_tensor* copy = nullptr;
  ASSERT_EQ(bnq_tensor_create(s.context, s.config, s.array.rank, s.array.shape,
                              parts, BNQ_NUM_PARTS, 0, &copy),
            BNQ_OK)
      << bnq_last_error();
  if (narrow) {
    std::vector<uint8_t> again(bytes);
    ASSERT_EQ(bnq_pack(s.context, s.config, s.array.rank, s.array.shape,
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
        bnq_tensor_dequantize_rows(s.context, copy, r, 1, BNQ_DTYPE_F32,
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

TEST(Vectors, Quantize) {
  const json cases = Cases("quantize.json");
  ASSERT_GT(cases.size(), 0u);
  for (uint32_t t = 0; t < bnq_target_count(); ++t) {
    if (!bnq_target_supported(t)) continue;
    SCOPED_TRACE(bnq_target_name(t));
    ASSERT_EQ(bnq_x_force_target(bnq_target_name(t)), BNQ_OK);
    for (const json& c : cases) CheckCase(c, t % 2 == 0 ? 1 : 3);
  }
  ASSERT_EQ(bnq_x_force_target(nullptr), BNQ_OK);
}

TEST(Vectors, Config) {
  const json cases = Cases("config.json");
  ASSERT_GT(cases.size(), 0u);
  for (const json& c : cases) {
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

TEST(Vectors, Metrics) {
  const json cases = Cases("metrics.json");
  ASSERT_GT(cases.size(), 0u);
  for (const json& c : cases) {
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

TEST(Vectors, Errors) {
  const json cases = Cases("errors.json");
  ASSERT_GT(cases.size(), 0u);
  for (const json& c : cases) {
    SCOPED_TRACE(c.at("name").get<std::string>());
    CaseSetup s(c);
    bnq_tensor* tensor = nullptr;
    bnq_status status = s.Configure(c.at("config"));
    if (status == BNQ_OK) {
      status = bnq_tensor_quantize(s.context, s.config, &s.array, &tensor);
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
