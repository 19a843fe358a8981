#include "core/tensor/codebook.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/parallel/runner.h"
#include "core/scheme/registry.h"
#include "core/scheme/rules.h"
#include "core/tensor/metrics.h"
#include "core/tensor/quantize.h"
#include "tests/support/reference.h"

namespace bnq_test {
namespace {

using namespace bnq;

std::vector<float> Gaussian(size_t count, uint32_t seed) {
  std::mt19937 bits(seed);
  std::normal_distribution<float> normal(0.0f, 0.05f);
  std::vector<float> x(count);
  for (float& v : x) v = normal(bits);
  return x;
}

ArrayView ViewOf(const std::vector<float>& x, const Shape& shape) {
  ArrayView array;
  array.data = reinterpret_cast<const uint8_t*>(x.data());
  array.shape = shape;
  return array;
}

std::vector<const Format*> Formats() {
  std::vector<const Format*> formats;
  for (int f = 0; f < NumFormats(); ++f) {
    if (FormatAt(f).Has(kCodebook)) formats.push_back(&FormatAt(f));
  }
  EXPECT_GE(formats.size(), 3u);
  return formats;
}

Config ConfigOf(const Format& format, const std::string& rest) {
  return Config::FromText(std::string("format=") + format.name +
                          (rest.empty() ? "" : ",") + rest);
}

// Lloyd's algorithm as in the books, in float64, of groups whose scales are
// their extremes.
std::vector<double> BookLloyd(const Format& format, const std::vector<float>& x,
                              size_t group, const std::vector<float>& weights) {
  const size_t count =
      static_cast<size_t>(CountOf(format.code_range(Config().variant())));
  std::vector<double> table(format.codebook, format.codebook + count);
  for (int round = 0; round < 8; ++round) {
    std::vector<double> ss(count, 0.0), sx(count, 0.0);
    for (size_t g = 0; g < x.size(); g += group) {
      double s = 0.0;
      for (size_t i = g; i < g + group; ++i) {
        if (std::fabs(x[i]) > std::fabs(s)) s = x[i];
      }
      for (size_t i = g; i < g + group; ++i) {
        size_t best = 0;
        for (size_t k = 1; k < count; ++k) {
          if (std::fabs(x[i] / s - table[k]) <
              std::fabs(x[i] / s - table[best]))
            best = k;
        }
        const double w = weights.empty() ? 1.0 : weights[i % weights.size()];
        ss[best] += w * s * s;
        sx[best] += w * s * x[i];
      }
    }
    for (size_t k = 0; k < count; ++k) {
      if (ss[k] > 0.0) table[k] = sx[k] / ss[k];
    }
    std::sort(table.begin(), table.end());
  }
  return table;
}

TEST(Codebook, IsThatOfLloydsAlgorithm) {
  const uint64_t dims[] = {40, 320};
  const Shape shape = Shape::Make(2, dims);
  const std::vector<float> x = Gaussian(shape.elements(), 3);
  std::vector<float> importance(320);
  for (size_t i = 0; i < 320; ++i) importance[i] = i % 5 == 0 ? 40.0f : 0.5f;
  for (const Format* format : Formats()) {
    const Config config = ConfigOf(*format, "group_size=32");
    for (const bool weighted : {false, true}) {
      const Context context;
      Quantizer quantizer(context, *format, config, ViewOf(x, shape));
      if (weighted) quantizer.SetImportance(importance.data());
      const std::vector<float> found = FitCodebook(quantizer);
      const std::vector<double> expected = BookLloyd(
          *format, x, 32, weighted ? importance : std::vector<float>());
      ASSERT_EQ(found.size(), expected.size());
      for (size_t k = 0; k < found.size(); ++k) {
        EXPECT_NEAR(found[k], expected[k], 2e-4) << format->name << " " << k;
      }
    }
  }
}

double RelativeError(const Config& config, const std::vector<float>& x,
                     const Shape& shape) {
  const auto tensor = Quantize(Context(), config, ViewOf(x, shape));
  std::vector<float> y(x.size());
  const Context context;
  Dequantizer(context, *tensor)
      .Decode(0, x.size(), DType::kF32, false,
              reinterpret_cast<uint8_t*>(y.data()));
  double error = 0.0, size = 0.0;
  for (size_t i = 0; i < x.size(); ++i) {
    const double e = static_cast<double>(x[i]) - static_cast<double>(y[i]);
    error += e * e;
    size += static_cast<double>(x[i]) * static_cast<double>(x[i]);
  }
  return error / size;
}

// What the fit is for: values that lie as no fixed table has them.
TEST(Codebook, FollowsTheTensor) {
  const uint64_t dims[] = {64, 256};
  const Shape shape = Shape::Make(2, dims);
  std::vector<float> x = Gaussian(shape.elements(), 5);
  // Two heaps, and exact zeros.
  for (size_t i = 0; i < x.size(); ++i) {
    x[i] = i % 3 == 0 ? 0.0f : 0.2f * x[i] + (i % 3 == 1 ? 1.0f : -0.6f);
  }
  const double fixed = RelativeError(
      Config::FromText("format=nf4,group_size=32,scale_rule=mse"), x, shape);
  for (const Format* format : Formats()) {
    const double fitted = RelativeError(
        ConfigOf(*format, "group_size=32,scale_rule=mse"), x, shape);
    if (CountOf(format->code_range(Config().variant())) == 16) {
      EXPECT_LT(fitted, 0.5 * fixed);
    }
    EXPECT_LT(fitted, 0.01) << format->name;
  }
}

// The sample of a large tensor, of long segments and of few, on any threads.
TEST(Codebook, IsTheSameOnAnyThreads) {
  Context threads;
  threads.runner = MakePool(3);
  for (const std::vector<uint64_t>& dims :
       {std::vector<uint64_t>{3, 90001}, {700, 300}, {2, 3, 50}}) {
    const Shape shape =
        Shape::Make(static_cast<int32_t>(dims.size()), dims.data());
    const std::vector<float> x = Gaussian(shape.elements(), 6);
    for (const char* sharing : {"granularity=tensor", "granularity=token",
                                "granularity=channel,axis=1", "group_size=20",
                                "granularity=block,group_size=64"}) {
      for (const char* rule : {",scale_rule=mse", ""}) {
        const Config config =
            ConfigOf(*Formats()[0], std::string(sharing) + rule);
        const auto a = Quantize(Context(), config, ViewOf(x, shape));
        const auto b = Quantize(threads, config, ViewOf(x, shape));
        EXPECT_TRUE(SameTensor(*a, *b)) << sharing << rule;
        EXPECT_NO_THROW(a->Validate(Context()));
      }
    }
  }
}

TEST(Codebook, OfNothingAndOfZerosIsTheStart) {
  for (const Format* format : Formats()) {
    const uint64_t dims[] = {4, 40};
    const Shape shape = Shape::Make(2, dims);
    const auto tensor = Quantize(Context(), ConfigOf(*format, "scale_rule=mse"),
                                 ViewOf(std::vector<float>(160, 0.0f), shape));
    const PartData& part = tensor->part(Part::kCodebook);
    EXPECT_TRUE(std::equal(format->codebook, format->codebook + part.count,
                           tensor->codebook()));
    const uint64_t none[] = {0, 40};
    const auto empty =
        Quantize(Context(), ConfigOf(*format, ""),
                 ViewOf(std::vector<float>(), Shape::Make(2, none)));
    EXPECT_EQ(empty->part(Part::kCodebook).bytes, 0u);
  }
}

TEST(Codebook, WhatCannotBeIsRefusedByItsIndex) {
  const uint64_t dims[] = {4, 40};
  const Shape shape = Shape::Make(2, dims);
  for (const Format* format : Formats()) {
    const auto tensor = Quantize(Context(), ConfigOf(*format, ""),
                                 ViewOf(Gaussian(160, 1), shape));
    const auto refused = [&](float value, size_t at) {
      Parts parts = tensor->parts();
      std::vector<float> values(
          tensor->codebook(),
          tensor->codebook() + parts[Part::kCodebook].count);
      values[at] = value;
      parts[Part::kCodebook].data =
          reinterpret_cast<const uint8_t*>(values.data());
      try {
        TensorOfParts(Context(), tensor->config(), shape, parts, true);
        ADD_FAILURE() << value << " was accepted";
      } catch (const Error& error) {
        EXPECT_NE(error.message().find("codebook entry " + std::to_string(at)),
                  std::string::npos)
            << error.message();
      }
    };
    refused(NAN, 1);
    refused(HUGE_VALF, 3);
    refused(2.5f, 3);
    refused(-2.5f, 0);
    refused(-1.9f, 2);
    EXPECT_THROW(Quantize(Context(), ConfigOf(*format, "scale_rule=percentile"),
                          ViewOf(Gaussian(160, 1), shape)),
                 Error);
  }
}

}  // namespace
}  // namespace bnq_test
