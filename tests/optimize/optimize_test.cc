// What every method promises: never worse than the plain rule, better where it
// should be, the same bytes everywhere, and an error for what it cannot do.
#include "core/optimize/optimize.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/io/model_file.h"
#include "core/parallel/runner.h"
#include "core/tensor/quantize.h"
#include "tests/optimize/optimize_test_util.h"
#include "tests/support/targets.h"

namespace bnq {
namespace {

using bnq_test::FigureOf;
using bnq_test::Kind;
using bnq_test::Matrix;
using bnq_test::Request;
using bnq_test::ValuesOf;

// Weights of all kinds, those of the demo's network among them.
std::vector<Matrix> AllWeights() {
  std::vector<Matrix> all;
  for (const Kind kind :
       {Kind::kGaussian, Kind::kLaplace, Kind::kOutliers, Kind::kUniform}) {
    all.push_back(bnq_test::Weights(24, 100, kind, 7));
  }
  all.push_back({2, 50, std::vector<float>(100)});  // all zero
  const auto file =
      ModelFile::Open(Context(), BNQ_TEST_MODELS "/digits.safetensors");
  for (const ModelEntry& entry : file->entries()) {
    if (entry.shape.rank != 2) continue;
    Matrix m{entry.shape.rows(), entry.shape.columns(), {}};
    m.values.resize(entry.shape.elements());
    PlainReader(Context(), *file, entry).Read(m.values.data(), entry.raw_bytes);
    all.push_back(m);
  }
  EXPECT_EQ(all.size(), 8u);
  return all;
}

const char* const kConfigs[] = {
    "int4_per_group_32",
    "int4_per_group_128_asymmetric",
    "format=int4,granularity=channel,axis=1,symmetric_range=full",
    "format=int4,group_size=33,symmetric_range=extreme",
    "int8_asymmetric",
    "int8_per_channel,rounding=half_away",
    "ternary_per_group_128",
    "aggressive",
    "int4_mse_per_group_128",
    "nf4_double_quant",
    "fp4",
    "format=int4,granularity=block,group_size=64,scale_dtype=bf16",
    "int4_offset_per_group_32",
    "format=int3,scheme=offset,group_size=50,double_quant=on",
    "format=int5,granularity=tile,group_size=8,scheme=asymmetric",
};

// Of what a tensor is, its error against the figures.
void ExpectNotWorse(const OptimizeRequest& request,
                    const OptimizeResult& result, const Matrix& w) {
  const double before = FigureOf(result, Figure::kObjectiveBefore);
  const double after = FigureOf(result, Figure::kObjectiveAfter);
  EXPECT_LE(after, before);
  EXPECT_GE(FigureOf(result, Figure::kSegments),
            FigureOf(result, Figure::kImproved));
  if (FigureOf(result, Figure::kImproved) == 0.0) {
    EXPECT_EQ(after, before);
    EXPECT_TRUE(bnq_test::SameBytes(
        *result.tensor, *Quantize(Context(), request.config, w.View())));
  }
  if (result.input_scales.empty()) {
    const double mse = bnq_test::Mse(w.values, ValuesOf(*result.tensor));
    EXPECT_NEAR(FigureOf(result, Figure::kMseAfter), mse, 1e-9 * mse);
  }
  const double plain = bnq_test::Mse(
      w.values, ValuesOf(*Quantize(Context(), request.config, w.View())));
  EXPECT_NEAR(FigureOf(result, Figure::kMseBefore), plain, 1e-9 * plain);
}

TEST(Optimize, NeverWorseOnATensor) {
  const std::vector<Matrix> all = AllWeights();
  for (const char* config : kConfigs) {
    for (const char* method : {"grid", "hqq", "gradient"}) {
      for (const char* objective : {"mse", "kl", "cosine"}) {
        for (const char* scope : {"segment", "tensor"}) {
          const bool grid = std::string(method) == "grid";
          if (!grid && std::string(scope) != "segment") continue;
          if (method[1] == 'r' && !grid && std::string(objective) != "mse") {
            continue;
          }
          for (size_t i = 0; i < all.size(); ++i) {
            SCOPED_TRACE(std::string(config) + " " + method + " " + objective +
                         " " + scope + " " + std::to_string(i));
            OptimizeRequest request = Request(config, all[i], method);
            request.options.SetText("objective", objective);
            request.options.SetText("scope", scope);
            request.options.SetText("iterations", "12");
            if (std::string(method) == "hqq" &&
                !FormatOf(request.config).Has(kInteger)) {
              continue;
            }
            ExpectNotWorse(request, Optimize(Context(), request), all[i]);
          }
        }
      }
    }
  }
}

TEST(Optimize, NeverWorseOnALayer) {
  const std::vector<Matrix> all = AllWeights();
  for (const char* config : kConfigs) {
    for (const char* method : {"gptq", "awq", "gradient"}) {
      for (size_t i = 0; i < all.size(); ++i) {
        for (const char* act_order : {"off", "on"}) {
          if (method[0] != 'g' || method[1] != 'p') {
            if (act_order[1] == 'n') continue;
          }
          SCOPED_TRACE(std::string(config) + " " + method + " " + act_order +
                       " " + std::to_string(i));
          const Matrix& w = all[i];
          Matrix x = bnq_test::Activations(i % 2 ? 40 : 300, w.columns, 1, 13);
          // An input that is never there.
          for (uint64_t s = 0; s < x.rows; ++s) x.values[s * x.columns + 3] = 0;
          OptimizeRequest request = Request(config, w, method);
          request.options.SetText("iterations", "8");
          request.options.SetText("act_order", act_order);
          const ArrayView inputs = x.View();
          request.activations = &inputs;
          const OptimizeResult result = Optimize(Context(), request);
          ExpectNotWorse(request, result, w);
          const double error = bnq_test::OutputError(
              w, ValuesOf(*result.tensor), x, result.input_scales);
          EXPECT_NEAR(FigureOf(result, Figure::kObjectiveAfter), error,
                      1e-6 * error + 1e-12);
        }
      }
    }
  }
}

double Gain(const OptimizeRequest& request) {
  const OptimizeResult result = Optimize(Context(), request);
  return FigureOf(result, Figure::kObjectiveAfter) /
         FigureOf(result, Figure::kObjectiveBefore);
}

TEST(Optimize, GridAndHqqBeatAbsmaxOfInt4Groups) {
  for (const Kind kind : {Kind::kGaussian, Kind::kLaplace, Kind::kOutliers}) {
    const Matrix w = bnq_test::Weights(64, 512, kind, 17);
    for (const char* config :
         {"int4_per_group_128", "int4_per_group_128_asymmetric",
          "format=int4,scheme=offset"}) {
      SCOPED_TRACE(std::string(config) +
                   std::to_string(static_cast<int>(kind)));
      // Values thirty times the others are too far to be clipped, so there
      // is less to gain.
      const bool far = kind == Kind::kOutliers;
      EXPECT_LT(Gain(Request(config, w, "grid")), far ? 0.975 : 0.93);
      EXPECT_LT(Gain(Request(config, w, "hqq")), 0.99);
      EXPECT_LT(Gain(Request(config, w, "gradient")), far ? 0.975 : 0.96);
    }
  }
}

TEST(Optimize, GridIsAsGoodAsAnExhaustiveSearch) {
  const Matrix w = bnq_test::Weights(1, 256, Kind::kLaplace, 19);
  const OptimizeRequest request =
      Request("format=int4,group_size=256", w, "grid");
  const OptimizeResult result = Optimize(Context(), request);
  float m = 0.0f;
  for (float v : w.values) m = std::max(m, std::fabs(v));
  double least = HUGE_VAL;
  for (int i = 1; i <= 5000; ++i) {
    const float scale = m / 7.0f * static_cast<float>(i) / 5000.0f;
    double error = 0.0;
    for (float v : w.values) {
      const float c = std::fmin(std::fmax(std::nearbyint(v / scale), -7), 7);
      error += (double{v} - c * scale) * (double{v} - c * scale) / 256;
    }
    least = std::min(least, error);
  }
  EXPECT_LE(FigureOf(result, Figure::kMseAfter), 1.03 * least);
}

TEST(Optimize, GptqBeatsRoundingOfCorrelatedInputs) {
  const Matrix w = bnq_test::Weights(32, 256, Kind::kGaussian, 21);
  const Matrix x = bnq_test::Activations(512, 256, 1, 22);
  const ArrayView inputs = x.View();
  for (const char* config :
       {"int4_per_group_32", "format=int4,granularity=channel", "nf4",
        "ternary_per_group_128", "int4_offset_per_group_32"}) {
    for (const char* act_order : {"off", "on"}) {
      SCOPED_TRACE(std::string(config) + act_order);
      OptimizeRequest request = Request(config, w, "gptq");
      request.options.SetText("act_order", act_order);
      request.activations = &inputs;
      EXPECT_LT(Gain(request), 0.6);
    }
  }
}

TEST(Optimize, AwqBeatsRoundingOfLargeInputs) {
  const Matrix w = bnq_test::Weights(32, 256, Kind::kGaussian, 23);
  const Matrix x = bnq_test::Activations(512, 256, 1, 24);
  const ArrayView inputs = x.View();
  OptimizeRequest request = Request("int4_per_group_128", w, "awq");
  request.activations = &inputs;
  const OptimizeResult result = Optimize(Context(), request);
  EXPECT_LT(FigureOf(result, Figure::kObjectiveAfter),
            0.7 * FigureOf(result, Figure::kObjectiveBefore));
  ASSERT_EQ(result.input_scales.size(), 256u);
  // The large inputs are the ones that are divided by more.
  EXPECT_GT(result.input_scales[16], 2.0f * result.input_scales[17]);
}

TEST(Optimize, GradientOnTheLayerBeatsTheOneOnItsWeights) {
  const Matrix w = bnq_test::Weights(32, 128, Kind::kGaussian, 25);
  const Matrix x = bnq_test::Activations(512, 128, 2, 26);
  const ArrayView inputs = x.View();
  OptimizeRequest request = Request("int4_per_group_32", w, "gradient");
  const OptimizeResult weights = Optimize(Context(), request);
  request.activations = &inputs;
  const OptimizeResult layer = Optimize(Context(), request);
  EXPECT_LT(FigureOf(layer, Figure::kObjectiveAfter),
            0.9 * FigureOf(layer, Figure::kObjectiveBefore));
  EXPECT_LT(FigureOf(layer, Figure::kObjectiveAfter),
            bnq_test::OutputError(w, ValuesOf(*weights.tensor), x, {}));
}

TEST(Optimize, SameBytesOnEveryTargetAndThread) {
  const Matrix w = bnq_test::Weights(70, 250, Kind::kOutliers, 27);
  const Matrix x = bnq_test::Activations(120, 250, 1, 28);
  const ArrayView inputs = x.View();
  const Context serial;
  Context two, eight;
  two.runner = MakePool(2);
  eight.runner = MakePool(8);
  struct Case {
    const char* config;
    const char* method;
    const char* objective;
    const char* scope;
  };
  const Case cases[] = {
      {"int4_per_group_128_asymmetric", "grid", "mse", "segment"},
      {"int4_per_group_32", "grid", "kl", "tensor"},
      {"nf4", "grid", "cosine", "segment"},
      {"int8_asymmetric", "grid", "kl", "segment"},
      {"int4_per_group_32", "hqq", "mse", "segment"},
      {"int4_per_group_128_asymmetric", "gradient", "mse", "segment"},
      {"format=int4,scheme=offset,granularity=tile,group_size=32", "grid",
       "mse", "segment"},
      {"int4_per_group_32", "gradient layer", "mse", "segment"},
      {"int4_per_group_32", "gptq", "mse", "segment"},
      {"nf4", "awq", "mse", "segment"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(std::string(c.config) + " " + c.method + " " + c.objective);
    const std::string method = c.method;
    OptimizeRequest request =
        Request(c.config, w, method.substr(0, method.find(' ')));
    request.options.SetText("objective", c.objective);
    request.options.SetText("scope", c.scope);
    if (method == "gptq" || method == "awq" || method == "gradient layer") {
      request.activations = &inputs;
    }
    const OptimizeResult first = Optimize(serial, request);
    bnq_test::ForEachTarget([&] {
      for (const Context* context :
           std::initializer_list<const Context*>{&serial, &two, &eight}) {
        const OptimizeResult again = Optimize(*context, request);
        EXPECT_TRUE(bnq_test::SameBytes(*first.tensor, *again.tensor));
        EXPECT_EQ(first.input_scales, again.input_scales);
        for (int i = 0; i < kNumFigures; ++i) {
          EXPECT_EQ(first.figures[i], again.figures[i]) << FigureName(i);
        }
      }
    });
  }
}

TEST(Optimize, ReadsEveryTypeAndPolicy) {
  // F64, unaligned, clipped, with a NaN that counts as 0.
  std::vector<double> values(1 + 600);
  for (size_t i = 1; i < values.size(); ++i) {
    values[i] = std::sin(static_cast<double>(i * i));
  }
  values[5] = std::nan("");
  std::vector<uint8_t> bytes(3 + 600 * 8);
  std::memcpy(bytes.data() + 3, values.data() + 1, 600 * 8);
  OptimizeRequest request;
  request.config =
      Config::FromText("int4_per_group_32,clip=0.8,non_finite=zero");
  request.source.data = bytes.data() + 3;
  request.source.dtype = DType::kF64;
  const uint64_t shape[3] = {6, 10, 10};
  request.source.shape = Shape::Make(3, shape);
  Matrix seen{6, 100, std::vector<float>(600)};
  for (size_t i = 0; i < 600; ++i) {
    const float v = static_cast<float>(values[i + 1]);
    seen.values[i] =
        std::isnan(v) ? 0.0f : std::fmin(std::fmax(v, -0.8f), 0.8f);
  }
  const Matrix x = bnq_test::Activations(50, 100, 1, 30);
  const ArrayView inputs = x.View();
  for (const char* method : {"grid", "gptq"}) {
    request.options.SetText("method", method);
    request.activations = method[1] == 'p' ? &inputs : nullptr;
    OptimizeRequest plain = request;
    plain.source = seen.View();
    plain.source.shape = request.source.shape;
    plain.config.SetText("clip", "0");
    const OptimizeResult a = Optimize(Context(), request);
    const OptimizeResult b = Optimize(Context(), plain);
    EXPECT_TRUE(bnq_test::SameBytes(*a.tensor, *b.tensor)) << method;
    EXPECT_EQ(a.figures[1], b.figures[1]) << method;
  }
  request.config.SetText("non_finite", "error");
  EXPECT_THROW(Optimize(Context(), request), Error);
}

TEST(Optimize, EmptyAndExtreme) {
  Matrix none{0, 5, {}};
  const OptimizeResult empty =
      Optimize(Context(), Request("int4_per_group_32", none, "grid"));
  EXPECT_EQ(empty.tensor->shape().elements(), 0u);
  EXPECT_TRUE(std::isnan(empty.figures[0]));
  for (const float size : {1e-40f, 1e-30f, 3e38f}) {
    Matrix w = bnq_test::Weights(4, 64, Kind::kGaussian, 31);
    for (float& v : w.values) v = std::fmin(std::fmax(v * 8, -1), 1) * size;
    for (const char* method : {"grid", "hqq", "gradient"}) {
      for (const char* config :
           {"int4_per_group_32", "int8_asymmetric", "aggressive"}) {
        const OptimizeResult result =
            Optimize(Context(), Request(config, w, method));
        EXPECT_LE(result.figures[1], result.figures[0]) << size << method;
        for (float v : ValuesOf(*result.tensor)) {
          ASSERT_TRUE(std::isfinite(v)) << size << method << config;
        }
      }
    }
  }
}

TEST(Optimize, ProgressCancelsEveryMethod) {
  const Matrix w = bnq_test::Weights(64, 128, Kind::kGaussian, 33);
  const Matrix x = bnq_test::Activations(64, 128, 0, 34);
  const ArrayView inputs = x.View();
  for (const char* method : {"grid", "hqq", "gradient", "gptq", "awq"}) {
    OptimizeRequest request = Request("int4_per_group_32", w, method);
    if (method[0] == 'a' || method[1] == 'p') request.activations = &inputs;
    uint64_t calls = 0, last = 0;
    request.progress = [&](uint64_t done, uint64_t total,
                           const std::string& item) {
      EXPECT_GE(done, last);
      EXPECT_LE(done, total);
      EXPECT_EQ(total, 64u * 128 * 4);
      EXPECT_EQ(item, method);
      last = done;
      ++calls;
    };
    Optimize(Context(), request);
    EXPECT_EQ(last, 64u * 128 * 4);
    // At the start and the end at least; the calls between come with time.
    EXPECT_GE(calls, 2u);
    for (uint64_t stop = 0; stop < calls; ++stop) {
      uint64_t n = 0;
      request.progress = [&](uint64_t, uint64_t, const std::string&) {
        if (n++ == stop) Fail(Status::kCancelled, "enough");
      };
      try {
        Optimize(Context(), request);
        EXPECT_LE(n, stop) << method;
      } catch (const Error& e) {
        EXPECT_EQ(e.status(), Status::kCancelled) << method;
        EXPECT_EQ(n, stop + 1) << method;
      }
    }
  }
}

// Long work asks between pieces of at most some ten million multiplications,
// and ends at any of them.
TEST(Optimize, TicksWithinEveryStage) {
  const uint64_t rows = 96, n = 320, samples = 400;
  const Matrix w = bnq_test::Weights(rows, n, Kind::kGaussian, 43);
  const Matrix large = bnq_test::Weights(512, n, Kind::kGaussian, 43);
  const Matrix x = bnq_test::Activations(samples, n, 0, 44);
  const ArrayView inputs = x.View();
  for (const char* method : {"grid", "hqq", "gradient", "gptq", "awq"}) {
    const bool layer = method[0] == 'a' || method[1] == 'p';
    OptimizeRequest request =
        layer ? Request("int4_per_group_32", w, method)
              : Request("format=int4,granularity=tensor", large, method);
    if (layer) request.activations = &inputs;
    uint64_t ticks = 0;
    Context context;
    context.tick = [&] { ++ticks; };
    Optimize(context, request);
    // Of a layer: each stage for itself, of which the factor of H has as many
    // as blocks of 64 columns; of a segment, each of many evaluations.
    EXPECT_GE(ticks, layer ? n / 64 + 4 * (rows / 32) : 20u) << method;
    const uint64_t all = ticks;
    for (uint64_t k = 0; k < 5; ++k) {
      const uint64_t stop = all * k / 5;
      ticks = 0;
      context.tick = [&] {
        if (ticks++ == stop) Fail(Status::kCancelled, "enough");
      };
      EXPECT_THROW(Optimize(context, request), Error) << method << stop;
      EXPECT_EQ(ticks, stop + 1) << method;
    }
  }
}

TEST(Optimize, RefusesWhatDoesNotGoTogether) {
  const Matrix w = bnq_test::Weights(4, 64, Kind::kGaussian, 35);
  const Matrix x = bnq_test::Activations(8, 64, 0, 36);
  const Matrix other = bnq_test::Activations(8, 63, 0, 36);
  const Matrix none{0, 64, {}};
  Matrix bad = x;
  bad.values[70] = INFINITY;
  struct Case {
    const char* config;
    const char* options;  // option=value,...
    const Matrix* inputs;
    Status status;
    const char* text;
  };
  const Case cases[] = {
      {"f16", "method=grid", nullptr, Status::kUnsupported, "no scales"},
      {"int8_outliers", "method=grid", nullptr, Status::kUnsupported,
       "outlier_threshold"},
      {"int8_per_channel,rounding=stochastic", "method=grid", nullptr,
       Status::kUnsupported, "stochastic"},
      {"nf4", "method=hqq", nullptr, Status::kUnsupported, "integer format"},
      {"nf4", "method=gradient,objective=kl", nullptr, Status::kUnsupported,
       "must be mse"},
      {"nf4", "method=gradient,scope=tensor", nullptr, Status::kUnsupported,
       "scope = segment"},
      {"nf4", "objective=custom", nullptr, Status::kInvalidArgument,
       "no metric"},
      {"nf4", "method=gptq", nullptr, Status::kInvalidArgument,
       "activations is NULL"},
      {"nf4", "method=awq", nullptr, Status::kInvalidArgument,
       "activations is NULL"},
      {"nf4", "method=grid", &x, Status::kInvalidArgument, "must be NULL"},
      {"nf4", "method=awq", &other, Status::kInvalidArgument,
       "[8, 63], must be 64"},
      {"nf4", "method=gptq", &none, Status::kNoData, "no samples"},
      {"nf4", "method=gptq", &bad, Status::kNonFinite,
       "activations: element 70, at index [1, 6], is inf"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(std::string(c.config) + " " + c.options);
    OptimizeRequest request = Request(c.config, w, "grid");
    const std::string text = c.options;
    for (size_t begin = 0; begin < text.size();) {
      const size_t end = std::min(text.find(',', begin), text.size());
      const std::string item = text.substr(begin, end - begin);
      const size_t equals = item.find('=');
      request.options.SetText(item.substr(0, equals), item.substr(equals + 1));
      begin = end + 1;
    }
    ArrayView inputs;
    if (c.inputs) {
      inputs = c.inputs->View();
      request.activations = &inputs;
    }
    try {
      Optimize(Context(), request);
      ADD_FAILURE() << "was accepted";
    } catch (const Error& e) {
      EXPECT_EQ(e.status(), c.status);
      EXPECT_NE(e.message().find(c.text), std::string::npos) << e.message();
    }
  }
}

}  // namespace
}  // namespace bnq
