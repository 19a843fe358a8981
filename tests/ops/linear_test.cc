#include "core/ops/linear.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/kernels/dot.h"
#include "core/kernels/dot_amx.h"
#include "core/ops/linear_run.h"
#include "core/parallel/runner.h"
#include "core/tensor/quantize.h"
#include "tests/support/guarded.h"
#include "tests/support/linear_reference.h"
#include "tests/support/targets.h"

namespace bnq {
namespace {

using bnq_test::Guarded;
using bnq_test::LinearReference;
using bnq_test::RowOfInputs;

std::vector<float> Normal(size_t count, uint32_t seed) {
  std::mt19937 bits(seed);
  std::normal_distribution<float> normal;
  std::vector<float> x(count);
  for (float& v : x) v = normal(bits);
  return x;
}

ArrayView ViewOf(const std::vector<float>& x, uint64_t rows, uint64_t columns) {
  ArrayView view;
  view.data = reinterpret_cast<const uint8_t*>(x.data());
  view.shape.rank = 2;
  view.shape.dims[0] = rows;
  view.shape.dims[1] = columns;
  return view;
}

Matrix MatrixOf(std::vector<float>& x, uint64_t rows, uint64_t columns) {
  Matrix matrix;
  matrix.data = reinterpret_cast<uint8_t*>(x.data());
  matrix.rows = rows;
  matrix.columns = columns;
  matrix.stride = 4 * columns;
  return matrix;
}

// Nothing may be read behind any part of it.
std::shared_ptr<const QuantizedTensor> InGuardedMemory(
    const QuantizedTensor& tensor) {
  Parts parts = tensor.parts();
  auto memory = std::make_shared<std::vector<std::unique_ptr<Guarded>>>();
  for (int i = 0; i < kNumParts; ++i) {
    PartData& part = parts[PartAt(i).id];
    if (part.bytes == 0) continue;
    memory->push_back(std::make_unique<Guarded>(
        part.data, static_cast<size_t>(part.bytes), PartAt(i).alignment));
    part.data = memory->back()->data();
  }
  return std::make_shared<const QuantizedTensor>(Context(), tensor.config(),
                                                 tensor.shape(), parts, memory);
}

std::shared_ptr<const QuantizedTensor> Weights(const std::string& config,
                                               uint64_t rows, uint64_t columns,
                                               uint32_t seed = 1) {
  const std::vector<float> w = Normal(rows * columns, seed);
  return InGuardedMemory(
      *Quantize(Context(), Config::FromText(config), ViewOf(w, rows, columns)));
}

OperatorOptions Options(
    std::initializer_list<std::pair<const char*, const char*>> values) {
  OperatorOptions options;
  for (const auto& value : values) options.SetText(value.first, value.second);
  return options;
}

// Of the library's own quantizer, row by row.
std::vector<RowOfInputs> Rows(const std::vector<float>& x, uint64_t rows,
                              uint64_t columns, const std::string& mode) {
  std::vector<RowOfInputs> result(rows);
  for (uint64_t m = 0; m < rows; ++m) {
    RowOfInputs& row = result[m];
    row.floats.assign(x.begin() + m * columns, x.begin() + (m + 1) * columns);
    if (mode == "float") continue;
    row.codes.resize(columns);
    if (mode == "bitnet") {
      float greatest = 1e-5f;
      for (float v : row.floats) greatest = std::max(greatest, std::fabs(v));
      for (uint64_t k = 0; k < columns; ++k) {
        row.codes[k] = static_cast<int8_t>(
            std::nearbyint(row.floats[k] * (127.0f / greatest)));
      }
      row.scale = greatest / 127.0f;
      continue;
    }
    const bool symmetric = mode == "int8";
    const auto tensor = Quantize(
        Context(),
        Config::FromText(std::string("int8,granularity=token,scheme=") +
                         (symmetric ? "symmetric" : "asymmetric")),
        ViewOf(row.floats, 1, columns));
    UnpackCodes(Context(), *tensor, 0, columns, row.codes.data());
    row.scale = 0.0f;
    if (columns != 0) tensor->scales().Read(0, 1, &row.scale);
    if (!symmetric && columns != 0) row.zero = tensor->zero_points()[0];
  }
  return result;
}

std::vector<float> RunIt(const Linear& linear, const Matrix& x,
                         const Context& context = Context()) {
  const Guarded input(x.data, static_cast<size_t>(x.bytes()));
  std::vector<float> result(x.rows * linear.outputs());
  const Guarded output(4 * result.size());
  Linear::Job job = {&linear, x, MatrixOf(result, x.rows, linear.outputs())};
  job.x.data = input.data();
  job.y.data = output.data();
  linear.Check(job.x, job.y);
  const size_t bytes = static_cast<size_t>(linear.WorkspaceBytes(x.rows));
  const Guarded workspace(bytes, Buffer::kAlignment);
  // Nothing may rest on what is there.
  std::memset(workspace.data(), 0xA5, bytes);
  Linear::Run(context, &job, 1, workspace.data());
  if (!result.empty()) {
    std::memcpy(result.data(), output.data(), 4 * result.size());
  }
  return result;
}

// f() with every family of kernels and every target.
template <class F>
void ForEachKernel(F f) {
  for (size_t i = 0; DotKernelsAt(i) != nullptr; ++i) {
    SCOPED_TRACE(DotKernelsAt(i)->name);
    ForceDotKernels(DotKernelsAt(i));
    f();
  }
  for (size_t i = 0; DotKernelsAt(i) != nullptr; ++i) {
    if (DotKernelsAt(i)->product == nullptr) continue;
    const DotKernels emulated = WithEmulatedTiles(*DotKernelsAt(i));
    SCOPED_TRACE(emulated.name);
    ForceDotKernels(&emulated);
    f();
    ForceDotKernels(nullptr);
    break;
  }
  ForceDotKernels(nullptr);
  bnq_test::ForEachTarget(f);
}

struct Shape3 {
  uint64_t m, n, k;
};

void Compare(const std::string& config, const std::string& mode, Shape3 s,
             bool with_bias = true) {
  SCOPED_TRACE(config + " " + mode + " " + std::to_string(s.m) + " x " +
               std::to_string(s.n) + " x " + std::to_string(s.k));
  const auto weight = Weights(config, s.n, s.k);
  std::vector<float> x = Normal(s.m * s.k, 2);
  Bias bias;
  if (with_bias) bias.floats = Normal(s.n, 3);
  const Linear linear(Context(), Options({{"input", mode.c_str()}}), weight,
                      bias);
  const LinearReference reference(Context(), *weight);
  const auto rows = Rows(x, s.m, s.k, mode);
  std::vector<float> expected;
  const float* const b = with_bias ? bias.floats.data() : nullptr;
  IntegerWeights integers(*weight);
  const bool exact = mode != "float" && integers.obstacle().empty();
  for (uint64_t m = 0; m < s.m; ++m) {
    for (uint64_t n = 0; n < s.n; ++n) {
      expected.push_back(exact ? reference.Integers(rows[m], n, b)
                               : reference.Floats(rows[m], n, b));
    }
  }
  ForEachKernel([&] {
    const std::vector<float> y = RunIt(linear, MatrixOf(x, s.m, s.k));
    for (size_t i = 0; i < y.size(); ++i) {
      ASSERT_EQ(y[i], expected[i]) << "output " << i / s.n << ", " << i % s.n;
    }
  });
}

TEST(Linear, EveryFormatIsItsDefinition) {
  for (const char* format :
       {"ternary", "ternary,packing=base3", "int8", "int4", "int2", "int3",
        "int5", "int6", "binary", "e2m1", "nf4", "fp4", "e4m3", "e5m2", "f16",
        "bf16", "codebook4", "codebook2"}) {
    const bool scaled = std::string(format).find("f16") == std::string::npos;
    for (const char* rest :
         {",granularity=channel", ",granularity=tensor",
          ",granularity=group,group_size=32",
          ",granularity=group,group_size=128,scale_dtype=f16",
          ",granularity=group,group_size=20"}) {
      if (!scaled && std::string(rest) != ",granularity=tensor") continue;
      for (const char* mode : {"float", "int8"}) {
        Compare(std::string(format) + rest, mode, {3, 5, 300});
        Compare(std::string(format) + rest, mode, {9, 5, 600});
      }
      if (testing::Test::HasFatalFailure()) return;
    }
  }
}

// What is claimed to be integers is, and nothing else.
TEST(Linear, IntegersAreThose) {
  for (const char* config :
       {"ternary", "int8", "int4", "int2,scheme=offset", "binary", "e2m1",
        "int5,granularity=channel,axis=-2", "e2m1,scale_dtype=e8m0"}) {
    EXPECT_EQ(IntegerWeights(*Weights(config, 2, 64)).obstacle(), "") << config;
  }
  for (const char* config : {"nf4", "fp4", "e4m3", "f16", "codebook4",
                             "int8,granularity=channel,axis=1"}) {
    EXPECT_NE(IntegerWeights(*Weights(config, 2, 64)).obstacle(), "") << config;
  }
}

TEST(Linear, EverySchemeAndInput) {
  for (const char* format : {"int8", "int4", "int2", "int5"}) {
    for (const char* scheme : {"symmetric", "asymmetric", "offset"}) {
      for (const char* rest :
           {",granularity=channel", ",granularity=group,group_size=64",
            ",granularity=group,group_size=36",
            ",granularity=block,group_size=32",
            ",granularity=tile,group_size=16", ",granularity=channel,axis=1"}) {
        for (const char* mode : {"int8", "int8_asymmetric", "bitnet"}) {
          const std::string config =
              std::string(format) + ",scheme=" + scheme + rest;
          Compare(config, mode, {2, 6, 288});
          // Through panels.
          Compare(config, mode, {26, 35, 352});
          if (testing::Test::HasFatalFailure()) return;
        }
      }
    }
  }
}

// Several groups have no one scale that it could be of.
TEST(Linear, ABiasOfIntegersNeedsOneScaleARow) {
  Bias bias;
  bias.integers = {1000, -1000};
  const OperatorOptions options = Options({{"input", "int8"}});
  for (const char* config :
       {"int4,granularity=group,group_size=32", "nf4,granularity=channel"}) {
    try {
      const Linear linear(Context(), options, Weights(config, 2, 64), bias);
      ADD_FAILURE() << config;
    } catch (const Error& error) {
      EXPECT_EQ(error.status(), Status::kUnsupported) << error.what();
    }
  }
  const auto one = Weights("int4,granularity=group,group_size=64", 2, 64);
  std::vector<float> x(64, 0.0f);
  x[5] = 127.0f;
  const Linear without(Context(), options, one, Bias());
  const Linear with(Context(), options, one, bias);
  const std::vector<float> y = RunIt(without, MatrixOf(x, 1, 64));
  const std::vector<float> z = RunIt(with, MatrixOf(x, 1, 64));
  EXPECT_GT(z[0], y[0]);
  EXPECT_LT(z[1], y[1]);
}

// Columns that are floats beside the codes are none of the inputs' range.
TEST(Linear, OutlierColumns) {
  const uint64_t n = 7, k = 90;
  std::vector<float> w = Normal(n * k, 1);
  w[3] = 9.0f;
  w[k + 80] = -12.0f;
  const std::shared_ptr<const QuantizedTensor> weight =
      Quantize(Context(), Config::FromPreset("int8_outliers"), ViewOf(w, n, k));
  ASSERT_EQ(weight->outliers().count, 2u);
  for (const char* mode : {"int8", "int8_asymmetric", "float"}) {
    for (uint64_t rows : {2, 9}) {
      std::vector<float> x = Normal(rows * k, 2);
      x[3] = 1000.0f;
      auto inputs = Rows(x, rows, k, mode);
      std::vector<float> without = x;
      for (uint64_t m = 0; m < rows; ++m) {
        without[m * k + 3] = without[m * k + 80] = 0.0f;
      }
      if (std::string(mode) != "float") inputs = Rows(without, rows, k, mode);
      Bias bias;
      bias.floats = Normal(n, 3);
      const LinearReference reference(Context(), *weight);
      const Linear linear(Context(), Options({{"input", mode}}), weight, bias);
      ForEachKernel([&] {
        const std::vector<float> y = RunIt(linear, MatrixOf(x, rows, k));
        for (uint64_t i = 0; i < y.size(); ++i) {
          RowOfInputs& row = inputs[i / n];
          row.outliers = {x[i / n * k + 3], x[i / n * k + 80]};
          ASSERT_EQ(y[i],
                    std::string(mode) == "float"
                        ? reference.Floats(row, i % n, bias.floats.data())
                        : reference.Integers(row, i % n, bias.floats.data()));
        }
      });
    }
  }
}

// Inputs are divided before anything else is done with them.
TEST(Linear, InputScales) {
  const uint64_t n = 5, k = 70;
  std::vector<float> divisors(k);
  for (uint64_t i = 0; i < k; ++i) {
    divisors[i] = 0.3f + static_cast<float>(i % 7);
  }
  const auto plain = Weights("int4,granularity=group,group_size=32", n, k);
  Parts parts = plain->parts();
  PartData& scales = parts[Part::kInputScales];
  scales.data = reinterpret_cast<const uint8_t*>(divisors.data());
  scales.count = k;
  scales.bytes = 4 * k;
  scales.dtype = DType::kF32;
  const std::shared_ptr<const QuantizedTensor> weight = TensorOfParts(
      Context(), plain->config(), plain->shape(), parts, /*borrow=*/false);
  EXPECT_FALSE(SameTensor(*plain, *weight));
  for (const char* mode : {"int8", "bitnet", "float"}) {
    std::vector<float> x = Normal(9 * k, 2), divided = x;
    for (uint64_t i = 0; i < x.size(); ++i) {
      divided[i] = x[i] / divisors[i % k];
    }
    const Linear with(Context(), Options({{"input", mode}}), weight, Bias());
    const Linear without(Context(), Options({{"input", mode}}), plain, Bias());
    EXPECT_EQ(RunIt(with, MatrixOf(x, 9, k)),
              RunIt(without, MatrixOf(divided, 9, k)));
  }
  divisors[3] = 0.0f;
  EXPECT_THROW(TensorOfParts(Context(), plain->config(), plain->shape(), parts,
                             /*borrow=*/false),
               Error);
}

TEST(Linear, EveryShape) {
  for (const char* config :
       {"ternary,granularity=channel",
        "ternary,packing=base3,granularity=channel", "int4,granularity=channel",
        "int8,granularity=channel", "int4,granularity=group,group_size=32",
        "int5,granularity=channel", "nf4,granularity=group,group_size=64"}) {
    for (uint64_t k : {0, 1, 3, 4, 5, 63, 64, 65, 127, 128, 129, 255, 256, 257,
                       319, 320, 321, 1100}) {
      Compare(config, "int8", {2, 3, k}, k % 2 == 0);
    }
    for (uint64_t n : {0, 1, 2, 15, 16, 17, 31, 32, 33, 100}) {
      Compare(config, "int8_asymmetric", {1, n, 130});
      Compare(config, "int8_asymmetric", {9, n, 130});
    }
    for (uint64_t m : {0, 1, 2, 7, 8, 11, 12, 13, 31, 200}) {
      Compare(config, "int8_asymmetric", {m, 33, 70});
    }
    if (testing::Test::HasFatalFailure()) return;
  }
  // Pieces that units of five codes do not fit.
  Compare("ternary,packing=base3,group_size=128,granularity=group", "int8",
          {2, 3, 8192});
  Compare("ternary,packing=base3,granularity=channel", "int8_asymmetric",
          {1, 3, 8200});
  Compare("int8,granularity=channel", "int8_asymmetric", {2, 3, 70000});
  Compare("int3,granularity=channel", "int8", {2, 3, 70000});
  Compare("int8,granularity=channel,scheme=offset", "int8", {9, 3, 70000});
  Compare("int8,granularity=group,group_size=30000", "int8", {2, 3, 70000});
  Compare("int3,granularity=group,group_size=30000", "int8", {2, 3, 70000});
}

}  // namespace
}  // namespace bnq
