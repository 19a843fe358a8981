#include "core/tensor/stored_search.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "core/scheme/rules.h"
#include "core/tensor/dequantize.h"
#include "core/tensor/quantize.h"

namespace bnq_test {
namespace {

using namespace bnq;

std::vector<float> Weights(size_t count) {
  std::mt19937 bits(21);
  std::normal_distribution<float> normal(0.02f, 0.05f);
  std::vector<float> x(count);
  for (float& v : x) v = normal(bits);
  return x;
}

// The error of each group of a tensor.
std::vector<double> Errors(const QuantizedTensor& tensor,
                           const std::vector<float>& x, size_t group) {
  const Context context;
  std::vector<float> y(x.size());
  Dequantizer(context, tensor)
      .Decode(0, x.size(), DType::kF32, false,
              reinterpret_cast<uint8_t*>(y.data()));
  std::vector<double> errors(x.size() / group);
  for (size_t i = 0; i < x.size(); ++i) {
    const double e = static_cast<double>(x[i]) - static_cast<double>(y[i]);
    errors[i / group] += e * e;
  }
  return errors;
}

// Beside what is stored where parameters are given, which takes the nearest
// codes: the same but for codes next to these, no group worse, many better.
TEST(StoredSearch, TakesTheBetterOfTheCodesBesideTheNearest) {
  const uint64_t dims[] = {32, 1024};
  const Shape shape = Shape::Make(2, dims);
  const std::vector<float> x = Weights(shape.elements());
  ArrayView array;
  array.data = reinterpret_cast<const uint8_t*>(x.data());
  array.shape = shape;
  constexpr size_t kGroup = 32;
  int total = 0;
  for (const char* text :
       {"format=int6,double_quant=on", "format=int4,double_quant=on",
        "format=int4,double_quant=on,symmetric_range=extreme",
        "format=int4,double_quant=on,scheme=asymmetric",
        "format=e2m1,scale_dtype=e4m3", "format=int3,scale_dtype=e4m3"}) {
    SCOPED_TRACE(text);
    const Config config =
        Config::FromText(std::string(text) + ",group_size=32,scale_rule=mse");
    const Context context;
    Quantizer quantizer(context, config, array);
    ParamSet found(quantizer.layout().num_params, config.scheme(),
                   quantizer.format().code_range(config.variant()));
    FindParams(&quantizer, found.span(), nullptr);
    QuantizeJob job{config, array};
    const auto searched = Quantize(context, job);
    job.params = &found;
    const auto nearest = Quantize(context, job);
    const std::vector<double> better = Errors(*searched, x, kGroup);
    const std::vector<double> plain = Errors(*nearest, x, kGroup);
    int improved = 0;
    for (size_t g = 0; g < better.size(); ++g) {
      EXPECT_LE(better[g], plain[g] * 1.0001) << "group " << g;
      improved += better[g] < 0.9999 * plain[g];
      const int a = searched->part(Part::kScales).data[g];
      const int b = nearest->part(Part::kScales).data[g];
      EXPECT_LE(std::abs(a - b), 1) << "group " << g;
    }
    // Fine scales behind coarse codes leave little to find.
    EXPECT_GT(improved, 0);
    total += improved;
  }
  EXPECT_GT(total, 300);
}

// Of a scale of 0 there is nothing beside it.
TEST(StoredSearch, LeavesZerosAlone) {
  const uint64_t dims[] = {2, 64};
  const Shape shape = Shape::Make(2, dims);
  std::vector<float> x(128, 0.0f);
  for (size_t i = 64; i < 128; ++i) x[i] = static_cast<float>(i) - 90.0f;
  ArrayView array;
  array.data = reinterpret_cast<const uint8_t*>(x.data());
  array.shape = shape;
  const auto tensor =
      Quantize(Context(),
               Config::FromText(
                   "format=int4,group_size=32,scale_rule=mse,scale_dtype=e4m3"),
               array);
  float scales[4];
  tensor->scales().Read(0, 4, scales);
  EXPECT_EQ(scales[0], 0.0f);
  EXPECT_EQ(scales[1], 0.0f);
  EXPECT_NO_THROW(tensor->Validate(Context()));
}

}  // namespace
}  // namespace bnq_test
