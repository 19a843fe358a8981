#include "core/training/fake_quantize.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/kernels/random.h"
#include "core/parallel/runner.h"
#include "core/scheme/registry.h"
#include "core/tensor/dequantize.h"
#include "core/tensor/quantize.h"
#include "tests/support/sweep.h"
#include "tests/support/targets.h"
#include "tests/support/values.h"

namespace bnq {
namespace {

using bnq_test::HardValues;

const TrainingOptions kPlain;

ArrayView View(const std::vector<float>& values, const Shape& shape) {
  ArrayView view;
  view.data = reinterpret_cast<const uint8_t*>(values.data());
  view.shape = shape;
  return view;
}

Shape MakeShape(std::vector<uint64_t> dims) {
  return Shape::Make(static_cast<int32_t>(dims.size()), dims.data());
}

std::vector<float> Expected(const Config& config, const ArrayView& array) {
  const Context context;
  const auto tensor = Quantize(context, config, array);
  std::vector<float> out(array.shape.elements());
  Dequantizer(context, *tensor)
      .DecodeParallel(0, out.size(), DType::kF32,
                      reinterpret_cast<uint8_t*>(out.data()));
  return out;
}

bool SameBits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() &&
         std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

// What quantizing and dequantizing gives, of every format, granularity and way
// to round, store and search: with and without the rest that may be wanted,
// elsewhere and in place, and with the parameters that it found.
TEST(FakeQuantize, IsQuantizingAndDequantizing) {
  const char* const granularities[] = {"granularity=tensor",
                                       "granularity=channel",
                                       "granularity=channel,axis=1",
                                       "granularity=token",
                                       "granularity=group,group_size=64",
                                       "granularity=block,group_size=64",
                                       "granularity=tile,group_size=32"};
  const char* const variants[] = {"",
                                  "rounding=half_up",
                                  "rounding=stochastic,seed=7",
                                  "scheme=asymmetric",
                                  "scheme=offset",
                                  "scale_dtype=f16",
                                  "scale_dtype=e4m3",
                                  "scale_dtype=e8m0",
                                  "double_quant=on",
                                  "scale_rule=mse",
                                  "symmetric_range=extreme",
                                  "outlier_threshold=2.5",
                                  "clip=1.5,non_finite=zero"};
  const std::vector<uint64_t> shapes[] = {{5, 96}, {3, 130}, {2, 3, 4, 33}};
  Context threads;
  threads.runner = MakePool(3);
  bnq_test::Sweep sweep;
  for (int f = 0; f < NumFormats(); ++f) {
    for (const char* granularity : granularities) {
      for (const char* variant : variants) {
        const Config config =
            Config::FromText(std::string("format=") + FormatAt(f).name + "," +
                             granularity + (*variant ? "," : "") + variant);
        for (const auto& dims : shapes) {
          if (!sweep.Take()) continue;
          const Shape shape = MakeShape(dims);
          const std::vector<float> x = HardValues(shape.elements(), 4);
          const ArrayView array = View(x, shape);
          std::vector<float> expected;
          try {
            expected = Expected(config, array);
          } catch (const Error& error) {
            continue;  // not of this format
          }
          SCOPED_TRACE(config.ToText() + " of " + shape.ToString());
          std::vector<float> out(x.size()), same = x, marked = x;
          FakeQuantizeJob job{config, kPlain, array};
          job.out = reinterpret_cast<uint8_t*>(out.data());
          FakeQuantize(Context(), job);
          ASSERT_TRUE(SameBits(out, expected));

          const ArrayView own = View(same, shape);
          FakeQuantizeJob in_place{config, kPlain, own};
          in_place.out = reinterpret_cast<uint8_t*>(same.data());
          FakeQuantize(threads, in_place);
          ASSERT_TRUE(SameBits(same, expected)) << "in place";

          std::vector<uint8_t> clipped(x.size(), 7), again(x.size(), 7);
          uint64_t count = 0;
          Metrics metrics;
          const ArrayView third = View(marked, shape);
          FakeQuantizeJob all{config, kPlain, third};
          all.out = reinterpret_cast<uint8_t*>(marked.data());
          all.clipped = clipped.data();
          all.clipped_count = &count;
          all.metrics = &metrics;
          ParamSet params(PartSizes(config, shape)[Part::kScales].count,
                          config.scheme(), {});
          all.params = params.span();
          FakeQuantize(threads, all);
          ASSERT_TRUE(SameBits(marked, expected)) << "with all else";
          uint64_t ones = 0;
          for (uint8_t c : clipped) ones += c;
          ASSERT_EQ(count, ones);
          job.clipped = again.data();
          FakeQuantize(threads, job);
          ASSERT_EQ(again, clipped);

          if (config.double_quant() || FormatAt(f).Has(kCodebook)) continue;
          std::fill(out.begin(), out.end(), 0.0f);
          job.given = &params;
          FakeQuantize(threads, job);
          ASSERT_TRUE(SameBits(out, expected)) << "with given parameters";
        }
      }
    }
  }
}

// The kernel that makes values without codes, on every target, for blocks of
// several spans and arrays past the caches' span.
TEST(FakeQuantize, EveryTarget) {
  const Shape shape = MakeShape({3, 70000});
  const std::vector<float> x = HardValues(shape.elements(), 1);
  for (const char* text :
       {"int4,granularity=group,group_size=128",
        "int8,granularity=channel,scheme=asymmetric",
        "nf4,granularity=block,group_size=64", "ternary,granularity=channel",
        "e4m3,granularity=group,group_size=32",
        "int2,granularity=channel,rounding=stochastic"}) {
    const Config config = Config::FromText(text);
    const ArrayView array = View(x, shape);
    const std::vector<float> expected = Expected(config, array);
    bnq_test::ForEachTarget([&] {
      std::vector<float> out(x.size());
      FakeQuantizeJob job{config, kPlain, array};
      job.out = reinterpret_cast<uint8_t*>(out.data());
      FakeQuantize(Context(), job);
      ASSERT_TRUE(SameBits(out, expected)) << text;
    });
  }
}

// An output of bytes need not be aligned.
TEST(FakeQuantize, WritesAnywhere) {
  const Shape shape = MakeShape({2, 100});
  const std::vector<float> x = HardValues(shape.elements(), 4);
  const Config config = Config::FromText("int4,granularity=channel");
  const ArrayView array = View(x, shape);
  std::vector<uint8_t> bytes(4 * x.size() + 1);
  FakeQuantizeJob job{config, kPlain, array};
  job.out = bytes.data() + 1;
  FakeQuantize(Context(), job);
  const std::vector<float> expected = Expected(config, array);
  EXPECT_EQ(std::memcmp(job.out, expected.data(), 4 * x.size()), 0);
}

// What stays in 16 bits has no noise, and is not held within the codes' range.
TEST(FakeQuantize, OutliersHaveNoNoise) {
  const Shape shape = MakeShape({3, 50});
  std::vector<float> x = HardValues(shape.elements(), 1);
  for (float& value : x) value = std::fmod(value, 8.0f);
  for (size_t i = 0; i < 3; ++i) x[50 * i + 7] = 40.0f + 8.0f * i;
  const ArrayView array = View(x, shape);
  const Config config =
      Config::FromText("int8,granularity=token,outlier_threshold=30");
  TrainingOptions training;
  training.SetText("noise", "uniform");
  std::vector<float> out(x.size());
  FakeQuantizeJob job{config, training, array};
  job.out = reinterpret_cast<uint8_t*>(out.data());
  FakeQuantize(Context(), job);
  for (size_t i = 0; i < 3; ++i) EXPECT_EQ(out[50 * i + 7], x[50 * i + 7]);
  EXPECT_NE(out, Expected(config, array));
}

// The first one that is not finite is named, also where values before it have
// been written over.
TEST(FakeQuantize, NamesWhatIsNotFinite) {
  const Shape shape = MakeShape({2, 40000});
  for (const char* text : {"int4,granularity=group,group_size=128",
                           "int8,granularity=tensor", "f16"}) {
    const Config config = Config::FromText(text);
    for (bool given : {false, true}) {
      std::vector<float> x = HardValues(shape.elements(), 4);
      x[41234] = NAN;
      x[70000] = INFINITY;
      ParamSet params(PartSizes(config, shape)[Part::kScales].count,
                      config.scheme(), {});
      for (float& scale : params.scales) scale = 0.5f;
      const ArrayView array = View(x, shape);
      FakeQuantizeJob job{config, kPlain, array};
      job.out = reinterpret_cast<uint8_t*>(x.data());
      if (given) job.given = &params;
      try {
        FakeQuantize(Context(), job);
        ADD_FAILURE() << text;
      } catch (const Error& error) {
        EXPECT_EQ(error.status(), Status::kNonFinite);
        EXPECT_NE(std::string(error.what()).find("41234"), std::string::npos)
            << error.what();
      }
    }
  }
}

// Clipping is decided by the nearest code, ties to even: the goldens of
// PyTorch's fake quantization.
TEST(FakeQuantize, ClipsAsPyTorch) {
  const std::vector<float> x = {0.125f,   0.375f, 31.874f, 31.875f,
                                -32.125f, 40.0f,  -40.0f};
  const std::vector<float> values = {0.0f,   0.5f,   31.75f, 31.75f,
                                     -32.0f, 31.75f, -32.0f};
  const std::vector<uint8_t> clipped = {0, 0, 0, 1, 0, 1, 1};
  const Config config =
      Config::FromText("int8,granularity=tensor,scheme=asymmetric");
  const Shape shape = MakeShape({7});
  ParamSet params(1, Scheme::kAsymmetric, {});
  params.scales[0] = 0.25f;
  std::vector<float> out(7);
  std::vector<uint8_t> mask(7);
  const ArrayView array = View(x, shape);
  FakeQuantizeJob job{config, kPlain, array};
  job.given = &params;
  job.out = reinterpret_cast<uint8_t*>(out.data());
  job.clipped = mask.data();
  FakeQuantize(Context(), job);
  EXPECT_EQ(out, values);
  EXPECT_EQ(mask, clipped);
}

std::vector<float> Softened(const char* options, const ArrayView& array,
                            const Config& config) {
  TrainingOptions training;
  std::string text = options;
  for (size_t at = 0; at < text.size();) {
    const size_t equals = text.find('=', at);
    const size_t end = std::min(text.find(',', at), text.size());
    training.SetText(text.substr(at, equals - at),
                     text.substr(equals + 1, end - equals - 1));
    at = end + 1;
  }
  std::vector<float> out(array.shape.elements());
  FakeQuantizeJob job{config, training, array};
  job.out = reinterpret_cast<uint8_t*>(out.data());
  FakeQuantize(Context(), job);
  return out;
}

TEST(FakeQuantize, Softens) {
  const Shape shape = MakeShape({4, 5000});
  const std::vector<float> x = HardValues(shape.elements(), 4);
  const ArrayView array = View(x, shape);
  const Config config = Config::FromText("int4,granularity=channel");
  const std::vector<float> q = Expected(config, array);

  EXPECT_EQ(Softened("temperature=1", array, config), x);
  EXPECT_EQ(Softened("probability=0", array, config), x);
  const std::vector<float> half = Softened("temperature=0.5", array, config);
  const std::vector<float> some =
      Softened("probability=0.25,seed=3", array, config);
  std::vector<uint32_t> words(x.size());
  RandomWords(3, 0, words.size(), words.data());
  for (size_t i = 0; i < x.size(); ++i) {
    ASSERT_EQ(half[i], q[i] + 0.5f * (x[i] - q[i]));
    ASSERT_EQ(some[i], words[i] < uint32_t{1} << 30 ? q[i] : x[i]);
  }
  // A layer is quantized or not as one.
  int layers = 0;
  for (int seed = 0; seed < 64; ++seed) {
    const std::vector<float> out = Softened(
        ("probability=0.5,probability_of=layer,seed=" + std::to_string(seed))
            .c_str(),
        array, config);
    ASSERT_TRUE(out == x || out == q);
    layers += out == q;
  }
  EXPECT_GT(layers, 16);
  EXPECT_LT(layers, 48);

  // Noise has the mean and the variance that it should.
  const auto tensor = Quantize(Context(), config, array);
  for (const char* noise : {"uniform", "gaussian"}) {
    const std::vector<float> out =
        Softened((std::string("noise_amount=0.5,noise=") + noise).c_str(),
                 array, config);
    double sum = 0.0, square = 0.0;
    for (size_t i = 0; i < x.size(); ++i) {
      float scale;
      tensor->scales().Read(i / 5000, 1, &scale);
      const double u = (out[i] - x[i]) / scale;
      sum += u;
      square += u * u;
    }
    const double n = static_cast<double>(x.size());
    const double variance = noise[0] == 'u' ? 0.25 / 12.0 : 0.25;
    EXPECT_NEAR(sum / n, 0.0, 0.01) << noise;
    EXPECT_NEAR(square / n, variance, 0.03 * variance) << noise;
  }
}

}  // namespace
}  // namespace bnq
