#include "core/scheme/rules.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>

#include "core/base/error.h"
#include "core/scheme/registry.h"
#include "core/scheme/support.h"
#include "tests/support/reference.h"

namespace bnq {
namespace {

using bnq_test::ReferenceBF16;
using bnq_test::ReferenceF16;
using bnq_test::ReferenceFromBF16;
using bnq_test::ReferenceFromF16;

// A stored scale is the nearest that its type holds, never infinite, and never
// 0 for a scale that is not.
TEST(Rules, RoundScale) {
  std::mt19937 bits(3);
  for (int i = 0; i < 200000; ++i) {
    const uint32_t word = bits() & 0x7FFFFFFF;
    float x;
    std::memcpy(&x, &word, 4);
    if (!std::isfinite(x)) continue;
    EXPECT_EQ(RoundScale(x, ScaleDType::kF32), x);
    struct Case {
      ScaleDType dtype;
      float rounded, greatest, least;
    };
    const Case cases[] = {
        {ScaleDType::kF16, ReferenceFromF16(ReferenceF16(x)), 65504, 0x1p-24f},
        {ScaleDType::kBF16, ReferenceFromBF16(ReferenceBF16(x)), 0x1.FEp127f,
         0x1p-133f}};
    for (const Case& c : cases) {
      float expected = c.rounded;
      if (std::isinf(expected)) expected = c.greatest;
      if (expected == 0 && x != 0) expected = c.least;
      ASSERT_EQ(RoundScale(x, c.dtype), expected) << x;
    }
  }
  for (const ScaleDType dtype :
       {ScaleDType::kF32, ScaleDType::kF16, ScaleDType::kBF16}) {
    EXPECT_EQ(RoundScale(0, dtype), 0.0f);
  }
}

// Many segments at once are many times one.
TEST(Rules, ParamsOfManyAreThoseOfEach) {
  std::mt19937 bits(4);
  for (int f = 0; f < NumFormats(); ++f) {
    const Format& format = FormatAt(f);
    if (!format.Has(kScaled)) continue;
    for (const Scheme scheme : {Scheme::kSymmetric, Scheme::kAsymmetric}) {
      Config config;
      config.SetText("format", format.name);
      config.SetInt(static_cast<int32_t>(Option::kScheme),
                    static_cast<int64_t>(scheme));
      try {
        CheckSupported(format, config);
      } catch (const Error&) {
        continue;
      }
      Range ranges[37];
      Params one[37], many[37];
      for (int i = 0; i < 37; ++i) {
        const float hi = std::ldexp(static_cast<float>(bits() % 1000),
                                    static_cast<int>(bits() % 80) - 40);
        ranges[i] = {-hi * static_cast<float>(i % 3) / 2, hi};
        one[i] = ParamsOf(format, config.variant(), ranges[i]);
      }
      ParamsOf(format, config.variant(), ranges, 37, many);
      for (int i = 0; i < 37; ++i) {
        EXPECT_EQ(one[i].scale, many[i].scale) << format.name << " " << i;
        EXPECT_EQ(one[i].zero_point, many[i].zero_point) << format.name;
        EXPECT_TRUE(std::isfinite(one[i].scale) && one[i].scale >= 0);
      }
    }
  }
}

// What a format cannot do is refused by the option's name.
TEST(Rules, RefusalsNameTheOption) {
  const struct {
    const char* text;
    const char* option;
  } rows[] = {
      {"format=nf4,scheme=asymmetric", "scheme"},
      {"format=f16,granularity=group,double_quant=on", "double_quant"},
      {"format=int8,packing=base3", "packing"},
  };
  for (const auto& row : rows) {
    const Config config = Config::FromText(row.text);
    try {
      CheckSupported(*FindFormat(config.format()), config);
      FAIL() << row.text;
    } catch (const Error& e) {
      EXPECT_EQ(e.status(), Status::kUnsupported) << row.text;
      EXPECT_NE(e.message().find(row.option), std::string::npos) << e.message();
    }
  }
}

}  // namespace
}  // namespace bnq
