#include "core/tensor/search.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "core/scheme/registry.h"
#include "core/scheme/rules.h"
#include "core/tensor/codebook.h"
#include "core/tensor/find_params.h"
#include "core/tensor/quantize.h"
#include "tests/support/reference.h"

namespace bnq_test {
namespace {

using namespace bnq;

// What networks' weights look like: Gaussian, with tails, and with few of them
// far out.
std::vector<float> Weights(size_t count, int kind) {
  std::mt19937 bits(static_cast<uint32_t>(kind) + 1);
  std::normal_distribution<float> normal(0.1f, 0.02f);
  std::vector<float> x(count);
  for (float& v : x) {
    v = normal(bits);
    if (kind == 1) v = v * v * v * 40.0f - v;
    if (kind == 2 && bits() % 500 == 0) v *= 60.0f;
  }
  return x;
}

// Every format with scales, every way to share them, every kind of range.
TEST(Search, IsNeverWorseThanAPlainGrid) {
  const uint64_t dims[] = {12, 515};
  const Shape shape = Shape::Make(2, dims);
  int tried = 0;
  for (int f = 0; f < NumFormats(); ++f) {
    const Format& format = FormatAt(f);
    if (!format.Has(kScaled)) continue;
    for (const char* sharing :
         {"granularity=group,group_size=32", "granularity=group,group_size=128",
          "granularity=block,group_size=64", "granularity=channel,axis=0",
          "granularity=channel,axis=1", "granularity=token",
          "granularity=tile,group_size=100", "granularity=tensor"}) {
      for (const char* kind :
           {"", ",scheme=asymmetric", ",scheme=offset", ",symmetric_range=full",
            ",symmetric_range=extreme", ",scale_dtype=f16"}) {
        const std::string text = std::string("scale_rule=mse,format=") +
                                 format.name + "," + sharing + kind;
        const Config config = Config::FromText(text);
        if (!Supported(format, config)) continue;
        const std::vector<float> x = Weights(shape.elements(), tried++ % 3);
        ArrayView array;
        array.data = reinterpret_cast<const uint8_t*>(x.data());
        array.shape = shape;
        const Context context;
        Quantizer quantizer(context, format, config, array);
        std::vector<float> codebook;
        if (format.Has(kCodebook)) {
          codebook = FitCodebook(quantizer);
          quantizer.SetCodebook(codebook.data());
        }
        Found found(quantizer.layout().num_params, config.scheme(),
                    format.code_range(config.variant()));
        FindParams(&quantizer, found.span(), nullptr);
        EXPECT_EQ(WorseThanGrid(format, config, shape, x, found, codebook), "")
            << text;
      }
    }
  }
  EXPECT_GT(tried, 50);
}

// Errors are those of the columns, weighted: less than the plain search leaves.
TEST(Search, MindsTheImportanceOfColumns) {
  const uint64_t dims[] = {16, 321};
  const Shape shape = Shape::Make(2, dims);
  std::vector<float> importance(321);
  std::mt19937 bits(9);
  for (float& w : importance) {
    w = static_cast<float>(bits() % 1000) * (bits() % 7 == 0 ? 0.3f : 0.001f);
  }
  for (int f = 0; f < NumFormats(); ++f) {
    const Format& format = FormatAt(f);
    if (!format.Has(kScaled) || format.Has(kSigns)) continue;
    double totals[2] = {};
    for (const char* sharing :
         {"granularity=group,group_size=32", "granularity=block,group_size=50",
          "granularity=channel,axis=0", "granularity=tensor", "scheme=offset",
          "scheme=asymmetric"}) {
      const std::string text =
          std::string("scale_rule=mse,format=") + format.name + "," + sharing;
      const Config config = Config::FromText(text);
      if (!Supported(format, config)) continue;
      const std::vector<float> x = Weights(shape.elements(), f % 3);
      ArrayView array;
      array.data = reinterpret_cast<const uint8_t*>(x.data());
      array.shape = shape;
      double errors[2] = {};
      for (const bool weighted : {false, true}) {
        const Context context;
        Quantizer quantizer(context, format, config, array);
        if (weighted) quantizer.SetImportance(importance.data());
        std::vector<float> codebook;
        if (format.Has(kCodebook)) {
          codebook = FitCodebook(quantizer);
          quantizer.SetCodebook(codebook.data());
        }
        Found found(quantizer.layout().num_params, config.scheme(),
                    format.code_range(config.variant()));
        FindParams(&quantizer, found.span(), nullptr);
        errors[weighted] = WeightedError(format, config, shape, x, found,
                                         codebook, importance);
        if (!weighted) continue;
        EXPECT_EQ(WorseThanGrid(format, config, shape, x, found, codebook,
                                importance),
                  "")
            << text;
      }
      // Lloyd's algorithm ends where no small step helps, which may be better
      // by chance without: in sum it is not.
      if (!format.Has(kCodebook)) {
        EXPECT_LT(errors[1], errors[0]) << text;
      }
      for (int i = 0; i < 2; ++i) totals[i] += errors[i];
    }
    EXPECT_LT(totals[1], totals[0]) << format.name;
  }
}

// Values of any size, without overflow: 1.2 times the range has no end.
TEST(Search, HoldsForTheGreatestAndTheLeastNumbers) {
  for (const float unit : {3.4028235e38f, 1e-38f, 1e-44f}) {
    for (const char* text :
         {"format=int8", "format=int4,scheme=asymmetric", "format=nf4"}) {
      const Config config = Config::FromText(
          std::string(text) + ",scale_rule=mse,granularity=tensor");
      const float x[] = {unit, -unit / 3.0f, 0.0f, unit / 7.0f, -unit};
      ArrayView array;
      array.data = reinterpret_cast<const uint8_t*>(x);
      const uint64_t count = 5;
      array.shape = Shape::Make(1, &count);
      const auto tensor = Quantize(Context(), config, array);
      EXPECT_NO_THROW(tensor->Validate(Context())) << text << " " << unit;
    }
  }
}

}  // namespace
}  // namespace bnq_test
