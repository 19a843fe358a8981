// What the tests of the shared vectors share.
#ifndef BNQ_TESTS_CAPI_VECTORS_TEST_UTIL_H_
#define BNQ_TESTS_CAPI_VECTORS_TEST_UTIL_H_

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "bnq/bnq.h"
#include "bnq/bnq_x.h"

namespace bnq_test {

using nlohmann::json;

struct Destroy {
  void operator()(bnq_config* c) const { bnq_config_destroy(c); }
  void operator()(bnq_calibrator* c) const { bnq_calibrator_destroy(c); }
  void operator()(bnq_optimizer* o) const { bnq_optimizer_destroy(o); }
  void operator()(bnq_tensor* t) const { bnq_tensor_destroy(t); }
  void operator()(bnq_operator* o) const { bnq_operator_destroy(o); }
  void operator()(bnq_linear* l) const { bnq_linear_destroy(l); }
  void operator()(bnq_convolution* c) const { bnq_convolution_destroy(c); }
  void operator()(bnq_plan* p) const { bnq_plan_destroy(p); }
  void operator()(bnq_recipes* r) const { bnq_recipes_destroy(r); }
  void operator()(bnq_sensitivity* s) const { bnq_sensitivity_destroy(s); }
  void operator()(bnq_allocation* a) const { bnq_allocation_destroy(a); }
  void operator()(bnq_training* t) const { bnq_training_destroy(t); }
  void operator()(bnq_phase* p) const { bnq_phase_destroy(p); }
  void operator()(bnq_schedule* s) const { bnq_schedule_destroy(s); }
};
template <class T>
using Owned = std::unique_ptr<T, Destroy>;

// Of tests/vectors/FILE; there are some.
inline json Cases(const char* file) {
  std::ifstream in(std::string(BNQ_TEST_VECTORS) + "/" + file);
  json cases = json::parse(in).at("cases");
  EXPECT_GT(cases.size(), 0u) << file;
  return cases;
}

// JSON has no numbers that are not finite.
inline double Number(const json& value) {
  if (!value.is_string()) return value.get<double>();
  const std::string text = value;
  return text == "nan" ? NAN : text == "inf" ? HUGE_VAL : -HUGE_VAL;
}

inline std::vector<float> Numbers(const json& list) {
  std::vector<float> out;
  for (const json& value : list) {
    out.push_back(static_cast<float>(Number(value)));
  }
  return out;
}

// float32 as the vectors write them, in hexadecimal digits.
inline std::vector<uint32_t> Bits(const json& texts) {
  std::vector<uint32_t> bits;
  for (const std::string text : texts) {
    bits.push_back(static_cast<uint32_t>(std::stoul(text, nullptr, 16)));
  }
  return bits;
}

inline std::vector<uint32_t> BitsOf(const std::vector<float>& values) {
  std::vector<uint32_t> bits(values.size());
  if (!bits.empty()) std::memcpy(bits.data(), values.data(), 4 * bits.size());
  return bits;
}

// A case's member "input" of its "shape".
struct InputArray {
  explicit InputArray(const json& c)
      : values(Numbers(c.at("input"))),
        shape(c.at("shape").get<std::vector<uint64_t>>()) {}
  bnq_array view() const {
    return {values.data(), shape.data(), BNQ_DTYPE_F32,
            static_cast<int32_t>(shape.size())};
  }
  std::vector<float> values;
  std::vector<uint64_t> shape;
};

// Sets all of a case's options, up to one that is refused.
inline bnq_status Configure(const json& options, bnq_options* settings) {
  for (const auto& option : options.items()) {
    const std::string value = option.value();
    const bnq_status status =
        bnq_options_set_text(settings, option.key().c_str(), value.c_str());
    if (status != BNQ_OK) return status;
  }
  return BNQ_OK;
}

inline void Observe(bnq_context* context, bnq_calibrator* calibrator,
                    const json& batch) {
  const InputArray array(batch);
  const bnq_array view = array.view();
  ASSERT_EQ(bnq_calibrator_observe(context, calibrator, &view), BNQ_OK)
      << bnq_last_error();
}

class VectorsTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(bnq_context_create(nullptr, &context_), BNQ_OK);
  }
  void TearDown() override {
    EXPECT_EQ(bnq_x_force_target(nullptr), BNQ_OK);
    bnq_context_destroy(context_);
  }

  // f of each case on every SIMD target, on one thread and on three in turn.
  template <class F>
  void OnEveryTarget(const json& cases, F f) {
    for (uint32_t t = 0; t < bnq_target_count(); ++t) {
      if (!bnq_target_supported(t)) continue;
      SCOPED_TRACE(bnq_target_name(t));
      ASSERT_EQ(bnq_x_force_target(bnq_target_name(t)), BNQ_OK);
      ASSERT_EQ(bnq_context_set_threads(context_, t % 2 == 0 ? 1 : 3), BNQ_OK);
      for (const json& c : cases) {
        SCOPED_TRACE(c.at("name").get<std::string>());
        f(c);
      }
    }
  }

  bnq_context* context_ = nullptr;
};

}  // namespace bnq_test

#endif  // BNQ_TESTS_CAPI_VECTORS_TEST_UTIL_H_
