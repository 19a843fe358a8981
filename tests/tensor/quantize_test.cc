#include "core/tensor/quantize.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "core/parallel/runner.h"
#include "core/scheme/registry.h"
#include "core/tensor/metrics.h"
#include "core/tensor/static.h"
#include "tests/io/io_test_util.h"

namespace bnq {
namespace {

Shape MakeShape(std::vector<uint64_t> dims) {
  return Shape::Make(static_cast<int32_t>(dims.size()), dims.data());
}

ArrayView View(const std::vector<float>& values, const Shape& shape) {
  ArrayView view;
  view.data = reinterpret_cast<const uint8_t*>(values.data());
  view.shape = shape;
  return view;
}

// Gaussian values in groups of very different size.
std::vector<float> Weights(uint64_t count, uint32_t seed) {
  std::mt19937 bits(seed);
  std::normal_distribution<float> normal(0.0f, 1.0f);
  std::vector<float> x(count);
  float size = 1.0f;
  for (uint64_t i = 0; i < count; ++i) {
    if (i % 32 == 0) size = 0.5f + std::fabs(normal(bits));
    x[i] = size * normal(bits);
  }
  return x;
}

double Mse(const ArrayView& array, const QuantizedTensor& tensor) {
  return Compare(Context(), array, tensor)
      .values[static_cast<int>(Metric::kMse)];
}

// Integers are coded with the scales that will be read; with the exact ones,
// the error was a fifth more. The formats of bitsandbytes keep its order.
TEST(DoubleQuant, IntegersAreCodedWithStoredScales) {
  const Context context;
  const Shape shape = MakeShape({64, 4096});
  const std::vector<float> x = Weights(shape.elements(), 3);
  const ArrayView array = View(x, shape);
  for (int f = 0; f < NumFormats(); ++f) {
    const Format& format = FormatAt(f);
    if (!format.Has(kScaled)) continue;
    SCOPED_TRACE(format.name);
    const std::string text =
        std::string("granularity=group,group_size=32,format=") + format.name;
    const auto exact = Quantize(context, Config::FromText(text), array);
    const auto stored =
        Quantize(context, Config::FromText(text + ",double_quant=on"), array);
    // The codes of the exact scales with the stored ones.
    Parts parts = stored->parts();
    parts[Part::kCodes] = exact->part(Part::kCodes);
    const auto mixed = TensorOfParts(context, stored->config(), shape, parts,
                                     /*borrow=*/true);
    // bitsandbytes' tables are coded first.
    if (format.table != nullptr) {
      EXPECT_TRUE(SameTensor(*mixed, *stored));
      continue;
    }
    EXPECT_LE(Mse(array, *stored), Mse(array, *mixed));
    if (std::string(format.name) == "int8") {
      EXPECT_LT(Mse(array, *stored), 0.87 * Mse(array, *mixed));
    }
    // Given parameters go the same way; a codebook is fitted with those found.
    if (format.Has(kCodebook)) continue;
    ParamSet given(exact->part(Part::kScales).count, Scheme::kSymmetric, {});
    exact->scales().Read(0, given.scales.size(), given.scales.data());
    EXPECT_TRUE(SameTensor(
        *QuantizeStatic(context, stored->config(), array, given, nullptr),
        *stored));
  }
}

// An array without elements has no scales of channels, however many these are.
TEST(PartsTest, OfNothing) {
  for (const char* text :
       {"granularity=channel", "granularity=channel,scheme=asymmetric",
        "granularity=channel,double_quant=on", "granularity=group",
        "granularity=token", "granularity=block", "granularity=tile"}) {
    const Config config = Config::FromText(std::string("format=int8,") + text);
    EXPECT_EQ(PartSizes(config, MakeShape({uint64_t{1} << 27, 0})).bytes(), 0u)
        << text;
    const std::vector<float> none;
    const auto tensor =
        Quantize(Context(), config, View(none, MakeShape({3, 0})));
    EXPECT_EQ(tensor->bytes(), 0u) << text;
  }
}

// Parts written into the caller's memory, and what is left in the tensor's own.
TEST(Quantize, IntoMemoryThatIsGiven) {
  const Shape shape = MakeShape({20, 50});
  std::vector<float> x = Weights(shape.elements(), 5);
  x[7] = 90.0f;
  const Config config = Config::FromText(
      "format=int8,granularity=token,outlier_threshold=20,scheme=asymmetric");
  Context threads;
  threads.runner = MakePool(3);
  const auto own = Quantize(threads, config, View(x, shape));
  ASSERT_EQ(own->outliers().count, 1u);
  std::vector<uint8_t> codes(1000);
  std::vector<float> scales(20);
  std::vector<int8_t> zeros(20);
  Parts into;
  into[Part::kCodes].data = codes.data();
  into[Part::kScales].data = reinterpret_cast<const uint8_t*>(scales.data());
  into[Part::kZeroPoints].data = reinterpret_cast<const uint8_t*>(zeros.data());
  const ArrayView array = View(x, shape);
  const auto tensor = Quantize(threads, QuantizeJob{config, array}, into);
  EXPECT_TRUE(SameTensor(*own, *tensor));
  EXPECT_EQ(tensor->codes(), codes.data());
  EXPECT_EQ(std::memcmp(codes.data(), own->codes(), codes.size()), 0);
  // Static quantization keeps outliers apart, and does not count them.
  ParamSet given(20, Scheme::kAsymmetric, {});
  own->scales().Read(0, 20, given.scales.data());
  std::copy_n(own->zero_points(), 20, given.zero_points.begin());
  uint64_t clamped = 99;
  const auto fixed = QuantizeStatic(threads, config, array, given, &clamped);
  EXPECT_TRUE(SameTensor(*own, *fixed));
  EXPECT_EQ(clamped, 0u);
}

// Whatever the slices, the parts are the same, and they come in order.
class Collector : public PartSink, public SliceSink {
 public:
  void Begin(const Parts& sizes) override { sizes_ = sizes; }
  uint8_t* Room(Part part, uint64_t begin, uint64_t bytes) override {
    EXPECT_EQ(begin, written_[static_cast<int>(part)].size());
    room_[static_cast<int>(part)].resize(bytes / 4 + 1);
    return reinterpret_cast<uint8_t*>(room_[static_cast<int>(part)].data());
  }
  void Written(Part part, const uint8_t* data, uint64_t bytes) override {
    written_[static_cast<int>(part)].append(reinterpret_cast<const char*>(data),
                                            bytes);
  }
  void Take(const QuantizedSlice& slice) override {
    EXPECT_EQ(slice.begin, values_.size());
    std::vector<float> values(slice.end - slice.begin);
    slice.values.Decode(slice.begin, values.size(), DType::kF32, false,
                        reinterpret_cast<uint8_t*>(values.data()));
    values_.insert(values_.end(), values.begin(), values.end());
    ++slices_;
    last_ = slice.last;
  }
  Parts sizes_;
  std::vector<uint32_t> room_[kNumParts + 1];
  std::string written_[kNumParts + 1];
  std::vector<float> values_;
  int slices_ = 0;
  bool last_ = false;
};

TEST(Slices, AreTheWhole) {
  const Shape shape = MakeShape({3, 70000});
  std::vector<float> x = Weights(shape.elements(), 9);
  for (const char* text :
       {"format=ternary", "format=int4,granularity=group,group_size=33",
        "format=int8,granularity=channel", "format=int8,granularity=tensor",
        "format=int8,granularity=channel,axis=1,scheme=asymmetric",
        "format=nf4,granularity=block,group_size=64,double_quant=on",
        "format=int8,granularity=group,group_size=64,double_quant=on",
        "format=int4,granularity=group,group_size=64,scale_dtype=f16",
        "format=int4,granularity=group,group_size=64,scale_rule=mse",
        "format=e4m3,granularity=tile",
        "format=int3,granularity=tile,group_size=2,scheme=offset,"
        "double_quant=on",
        "format=int8,granularity=token,outlier_threshold=7", "format=bf16"}) {
    SCOPED_TRACE(text);
    const Context context;
    const Config config = Config::FromText(text);
    const ArrayView array = View(x, shape);
    const auto whole = Quantize(context, config, array);
    std::vector<float> values(shape.elements());
    Dequantizer(context, *whole)
        .DecodeParallel(0, values.size(), DType::kF32,
                        reinterpret_cast<uint8_t*>(values.data()));
    QuantizeJob job{config, array};
    job.slice_elements = 1;  // a block each
    Collector collector;
    MetricsSink metrics(context, array);
    QuantizeSlices(context, job, &collector, {&collector, &metrics});
    EXPECT_GT(collector.slices_, 2);
    EXPECT_TRUE(collector.last_);
    for (int i = 0; i < kNumParts; ++i) {
      const PartData& part = whole->part(PartAt(i).id);
      ASSERT_EQ(collector.written_[i + 1].size(), part.bytes);
      EXPECT_TRUE(part.bytes == 0 ||
                  std::memcmp(collector.written_[i + 1].data(), part.data,
                              part.bytes) == 0)
          << PartAt(i).name;
    }
    EXPECT_EQ(
        std::memcmp(collector.values_.data(), values.data(), 4 * values.size()),
        0);
    const Metrics sliced = metrics.Result();
    const Metrics once = Compare(context, array, *whole);
    EXPECT_EQ(std::memcmp(sliced.values, once.values, sizeof once.values), 0);
  }
}

}  // namespace
}  // namespace bnq
