// Every format on every SIMD target, at every granularity, at lengths around
// vectors and groups, at every alignment: the bytes of the scalar reference.
#include <gtest/gtest.h>

#include <cstring>
#include <iterator>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "core/kernels/chunk.h"
#include "core/kernels/random.h"
#include "core/parallel/runner.h"
#include "core/scheme/format.h"
#include "core/scheme/registry.h"
#include "core/scheme/rules.h"
#include "core/tensor/codebook.h"
#include "core/tensor/dequantize.h"
#include "core/tensor/find_params.h"
#include "core/tensor/quantize.h"
#include "tests/conformance/broken_codec.h"
#include "tests/support/reference.h"
#include "tests/support/sweep.h"
#include "tests/support/targets.h"
#include "tests/support/values.h"

namespace bnq_test {
namespace {

using namespace bnq;

constexpr uint8_t kCanary = 0xA7;

struct Case {
  Config config;
  Shape shape;
  std::string name;
  std::string kind;  // format, scheme, and variant or way of sharing
};

constexpr DType kOutputs[] = {DType::kF32, DType::kF16, DType::kBF16};

// The reference's result, made once for all targets, alignments and threads.
struct Expected : Reference {
  explicit Expected(const Reference& made) : Reference(made) {
    for (size_t t = 0; t < std::size(kOutputs); ++t) {
      for (const float value : values) {
        const uint16_t half = kOutputs[t] == DType::kF16 ? ReferenceF16(value)
                                                         : ReferenceBF16(value);
        const bool wide = kOutputs[t] == DType::kF32;
        const auto* from = wide ? reinterpret_cast<const uint8_t*>(&value)
                                : reinterpret_cast<const uint8_t*>(&half);
        outputs[t].insert(outputs[t].end(), from, from + (wide ? 4 : 2));
      }
    }
  }

  // The values as each type of kOutputs.
  std::vector<uint8_t> outputs[std::size(kOutputs)];
};

// Of a search, for what one target finds and all others
// have to find, too.
Expected ExpectedOf(const Format& format, const Config& config,
                    const Shape& shape, const std::vector<float>& values) {
  Searched searched;
  searched.params_found = config.scale_rule() == ScaleRule::kMse &&
                          format.Has(kScaled) && !format.Has(kSigns);
  if (!searched.params_found && !format.Has(kCodebook)) {
    return Expected(ReferenceQuantize(format, config, shape, values));
  }
  ArrayView array;
  array.data = reinterpret_cast<const uint8_t*>(values.data());
  array.shape = shape;
  const Context context;
  Quantizer quantizer(context, format, config, array);
  quantizer.FindOutlierColumns();
  if (format.Has(kCodebook) && shape.elements() != 0) {
    searched.codebook = FitCodebook(quantizer);
    quantizer.SetCodebook(searched.codebook.data());
  }
  if (searched.params_found) {
    const uint64_t count = quantizer.layout().num_params;
    searched.params =
        Found(count, config.scheme(), format.code_range(config.variant()));
    FindParams(&quantizer, searched.params.span(), nullptr);
    EXPECT_EQ(WorseThanGrid(format, config, shape, values, searched.params,
                            searched.codebook),
              "");
    if (SearchesStored(format, config)) {
      const auto tensor = Quantize(context, config, array);
      const uint8_t* const scales = tensor->part(Part::kScales).data;
      const uint8_t* const offsets = tensor->part(Part::kOffsets).data;
      searched.scale_codes.assign(scales, scales + count);
      if (offsets != nullptr) {
        searched.offset_codes.assign(offsets, offsets + count);
      }
      EXPECT_EQ(BadlyStored(format, config, shape, values, searched), "");
    }
  }
  return Expected(ReferenceQuantize(format, config, shape, values, searched));
}

// Whether `count` bytes at data + begin are `expected`, and all the others of
// data are canaries; names what is not as `what`.
std::string BytesDifference(const std::vector<uint8_t>& data, size_t begin,
                            const uint8_t* expected, size_t count,
                            const std::string& what, size_t size) {
  if (count != 0 && std::memcmp(data.data() + begin, expected, count) != 0) {
    size_t i = 0;
    while (data[begin + i] == expected[i]) ++i;
    return what + " " + std::to_string(i / size);
  }
  for (size_t i = 0; i < data.size(); ++i) {
    if (i == begin) i += count;
    if (i < data.size() && data[i] != kCanary) return "wrote outside " + what;
  }
  return "";
}

// What differs between `format`'s kernels and the reference, or "".
std::string Difference(const Context& context, const Format& format,
                       const Case& c, const std::vector<float>& values,
                       const Expected& expected, size_t misalign) {
  const uint64_t n = values.size();

  // The input ends where its memory does; outputs are followed by canaries.
  std::vector<uint8_t> input(n * 4 + misalign);
  if (n != 0) std::memcpy(input.data() + misalign, values.data(), n * 4);
  ArrayView array;
  array.data = input.data() + misalign;
  array.shape = c.shape;
  std::vector<uint8_t> codes(expected.packed.size() + misalign + 64, kCanary);
  std::vector<float> scales(expected.scales.size() + 16, -77.0f);
  std::vector<int8_t> zeros(expected.zero_points.size() + 16, -77);
  std::vector<float> offsets(expected.offsets.size() + 16, -77.0f);

  Quantizer quantizer(context, format, c.config, array);
  quantizer.FindOutlierColumns();
  if (quantizer.outliers().columns != expected.outlier_columns) {
    return "outlier columns";
  }
  const Parts sizes = PartSizes(c.config, c.shape);
  if (sizes[Part::kCodes].bytes != expected.packed.size() ||
      sizes[Part::kScales].count != expected.scales.size() ||
      sizes[Part::kZeroPoints].count != expected.zero_points.size() ||
      sizes[Part::kOffsets].bytes != expected.num_offset_bytes ||
      sizes[Part::kTensorScale].count != expected.tensor_scale.size() ||
      sizes[Part::kCodebook].count != expected.codebook.size()) {
    return "sizes";
  }
  if (!expected.codebook.empty()) {
    if (FitCodebook(quantizer) != expected.codebook) return "codebook";
    quantizer.SetCodebook(expected.codebook.data());
  }
  const ParamSpan params = {
      scales.data(), expected.zero_points.empty() ? nullptr : zeros.data(),
      expected.offsets.empty() ? nullptr : offsets.data()};
  const bool exact = expected.scales == expected.coding_scales &&
                     expected.offsets == expected.coding_offsets;
  const bool along = quantizer.one_pass() && n != 0 && exact;
  if (!along) FindParams(&quantizer, params, nullptr);
  if (along) {
    quantizer.Encode(0, quantizer.num_blocks(), true, params,
                     codes.data() + misalign);
  }
  for (size_t i = 0; i < expected.scales.size(); ++i) {
    if (std::memcmp(&scales[i], &expected.scales[i], 4) != 0) {
      return "scale " + std::to_string(i) + ": " + std::to_string(scales[i]) +
             " instead of " + std::to_string(expected.scales[i]);
    }
  }
  for (size_t i = 0; i < expected.zero_points.size(); ++i) {
    if (zeros[i] != expected.zero_points[i]) {
      return "zero point " + std::to_string(i);
    }
  }
  for (size_t i = 0; i < expected.offsets.size(); ++i) {
    if (std::memcmp(&offsets[i], &expected.offsets[i], 4) != 0) {
      return "offset " + std::to_string(i) + ": " + std::to_string(offsets[i]) +
             " instead of " + std::to_string(expected.offsets[i]);
    }
  }
  if (!along) {
    std::vector<float> coding = expected.coding_scales;
    std::vector<float> from = expected.coding_offsets;
    quantizer.Encode(0, quantizer.num_blocks(), false,
                     {coding.data(), params.zero_points,
                      from.empty() ? nullptr : from.data()},
                     codes.data() + misalign);
  }
  const std::string wrong =
      BytesDifference(codes, misalign, expected.packed.data(),
                      expected.packed.size(), "byte of codes", 1);
  if (!wrong.empty()) return wrong;
  for (size_t i = expected.scales.size(); i < scales.size(); ++i) {
    if (scales[i] != -77.0f) return "wrote outside the scales";
  }
  return "";
}

std::string DecodeDifference(const Context& context, const Case& c,
                             const std::vector<float>& values,
                             const Expected& expected, size_t misalign) {
  const Format& format = FormatOf(c.config);
  Parts parts;
  const auto set = [&](Part id, const void* data, uint64_t bytes) {
    parts[id].data = static_cast<const uint8_t*>(data);
    parts[id].bytes = bytes;
  };
  set(Part::kCodes, expected.packed.data(), expected.packed.size());
  set(Part::kScales, expected.scale_bytes.data(), expected.num_scale_bytes);
  set(Part::kZeroPoints, expected.zero_points.data(),
      expected.zero_points.size());
  set(Part::kOutlierColumns, expected.outlier_columns.data(),
      4 * expected.outlier_columns.size());
  set(Part::kOutlierValues, expected.outlier_values.data(),
      2 * expected.outlier_values.size());
  set(Part::kOffsets, expected.offset_bytes.data(), expected.num_offset_bytes);
  set(Part::kTensorScale, expected.tensor_scale.data(),
      4 * expected.tensor_scale.size());
  set(Part::kCodebook, expected.codebook.data(), 4 * expected.codebook.size());
  const Parts sizes = PartSizes(c.config, c.shape, parts);
  for (int i = 0; i < kNumParts; ++i) {
    parts[PartAt(i).id].dtype = sizes[PartAt(i).id].dtype;
  }
  const auto made =
      TensorOfParts(context, c.config, c.shape, parts, /*borrow=*/true);
  const QuantizedTensor& tensor = *made;
  const Dequantizer dequantizer(context, tensor);
  const uint64_t n = values.size();
  for (size_t t = 0; t < std::size(kOutputs); ++t) {
    const DType dtype = kOutputs[t];
    const size_t size = dtype == DType::kF32 ? 4 : 2;
    for (bool stream : {false, true}) {
      for (uint64_t begin : {uint64_t{0}, n / 3}) {
        const uint64_t count = (n - begin) - (n - begin) / 5;
        std::vector<uint8_t> out(misalign + count * size + 64, kCanary);
        dequantizer.Decode(begin, count, dtype, stream, out.data() + misalign,
                           Overflow::kKeep);
        const std::string wrong = BytesDifference(
            out, misalign, expected.outputs[t].data() + begin * size,
            count * size, std::string(Info(dtype).name) + " value", size);
        if (!wrong.empty()) return wrong;
      }
    }
  }
  if (format.packing == Packing::kBits16) return "";
  std::vector<int8_t> codes(n);
  UnpackCodes(Context(), tensor, 0, n, codes.data());
  for (uint64_t i = 0; i < n; ++i) {
    if (codes[i] != expected.codes[i]) return "code " + std::to_string(i);
  }
  std::vector<uint8_t> packed(expected.packed.size());
  PackCodes(Context(), c.config, c.shape, codes.data(), packed.data());
  return packed == expected.packed ? "" : "packed again";
}

Shape MakeShape(std::vector<uint64_t> dims) {
  return Shape::Make(static_cast<int32_t>(dims.size()), dims.data());
}

// What can be asked of a format besides who shares a scale.
const char* const kVariants[] = {
    "rounding=half_away",
    "rounding=half_up",
    "rounding=floor",
    "rounding=ceil",
    "rounding=toward_zero",
    "rounding=half_toward_zero",
    "rounding=half_toward_zero,scale_dtype=e8m0",
    "rounding=stochastic,seed=7",
    "rounding=stochastic,seed=1234567890123",
    "scale_rule=absmax",
    "scale_rule=absmean",
    "scale_rule=percentile,percentile=90",
    "scale_rule=mse",
    "scale_rule=mse,rounding=half_away",
    "symmetric_range=full",
    "symmetric_range=extreme,rounding=half_up",
    "symmetric_range=extreme,scale_rule=mse",
    "scale_dtype=f16",
    "scale_dtype=bf16",
    "scale_dtype=e8m0",
    "scale_dtype=e8m0,scale_rule=mse",
    "scale_dtype=e4m3",
    "scale_dtype=e4m3,scale_rule=mse",
    "saturate=off,scale_rule=percentile,percentile=80",
    "double_quant=on",
    "double_quant=on,scale_rule=mse",
    "packing=base3",
    "packing=base3,scale_rule=mse,scale_dtype=f16",
    "granularity=token,outlier_threshold=1.5",
    "granularity=token,outlier_threshold=0.5,rounding=stochastic",
};

// Every way of sharing scales, for a shape, and every variant that the format
// supports (or one in `every`) with one of these ways, which `turn` chooses.
std::vector<Case> Cases(const Format& format, const Shape& shape,
                        const std::vector<uint64_t>& groups, uint32_t turn,
                        uint32_t every = 1) {
  std::vector<std::string> sharings = {
      "granularity=tensor", "granularity=token",
      "granularity=tensor,clip=0.75,non_finite=zero"};
  for (int axis = 0; axis < shape.rank; ++axis) {
    sharings.push_back("granularity=channel,axis=" +
                       std::to_string(axis - (axis % 2) * shape.rank));
  }
  for (uint64_t group : groups) {
    if (group < format.min_group) continue;
    for (const char* way : {"group", "block"}) {
      sharings.push_back(std::string("granularity=") + way +
                         ",group_size=" + std::to_string(group));
    }
  }
  if (!format.Has(kScaled)) sharings.resize(3);
  std::vector<Case> cases;
  const auto add = [&](const std::string& text, const std::string& kind) {
    const Config config =
        Config::FromText(std::string("format=") + format.name + "," + text);
    if (Supported(format, config)) {
      cases.push_back({config, shape, text + " " + shape.ToString(),
                       std::string(format.name) + "," + kind});
    }
  };
  for (const std::string scheme : {"symmetric", "asymmetric", "offset"}) {
    for (const std::string& sharing : sharings) {
      add(sharing + ",scheme=" + scheme,
          scheme + "," + sharing.substr(0, sharing.find(',')));
    }
    for (const char* variant : kVariants) {
      // Where arrays are large, some of the variants for each of them.
      if (every > 1 && turn++ % every != 0) continue;
      add(sharings[turn++ % sharings.size()] + "," + variant +
              ",scheme=" + scheme,
          scheme + "," + variant);
    }
  }
  return cases;
}

// Each case with values of its own, against the reference, on every target. The
// kinds of cases that there are but for which none was walked.
std::set<std::string> RunCases(const std::vector<Shape>& shapes,
                               const std::vector<uint64_t>& groups,
                               size_t alignments, uint32_t every = 1) {
  const Context context;
  uint32_t seed = 0;
  // Of each kind a part: how many there are of a shape must not matter.
  std::map<std::string, Sweep> sweeps;
  std::set<std::string> kinds, walked;
  for (int f = 0; f < NumFormats(); ++f) {
    const Format& format = FormatAt(f);
    for (const Shape& shape : shapes) {
      for (const Case& c : Cases(format, shape, groups, seed, every)) {
        kinds.insert(c.kind);
        const uint32_t own = seed++;
        Sweep& sweep = sweeps.emplace(c.kind, sweeps.size()).first->second;
        if (!sweep.Take()) continue;
        walked.insert(c.kind);
        const std::vector<float> values = HardValues(shape.elements(), own);
        const Expected expected = ExpectedOf(format, c.config, shape, values);
        ForEachTarget([&] {
          for (size_t a = 0; a < alignments; ++a) {
            ASSERT_EQ(Difference(context, format, c, values, expected, a), "")
                << format.name << " " << c.name << ", alignment " << a;
            ASSERT_EQ(DecodeDifference(context, c, values, expected, a), "")
                << format.name << " " << c.name << ", alignment " << a;
          }
        });
        if (testing::Test::HasFatalFailure()) return {};
      }
    }
  }
  for (const std::string& kind : walked) kinds.erase(kind);
  return kinds;
}

TEST(Formats, LengthsAroundVectorsAndGroups) {
  std::vector<Shape> shapes;
  for (uint64_t n : {0,  1,  2,  3,  4,  5,  7,  8,   9,   15,  16, 17,
                     31, 32, 33, 47, 63, 64, 65, 127, 128, 129, 257}) {
    shapes.push_back(MakeShape({n}));
    shapes.push_back(MakeShape({3, n}));
  }
  // However small a part of the cases is walked, some of each kind.
  EXPECT_EQ(
      RunCases(shapes, {1, 2, 3, 4, 5, 7, 16, 31, 32, 33, 64, 100, 128}, 2),
      std::set<std::string>());
}

TEST(Formats, Ranks) {
  RunCases({MakeShape({}), MakeShape({1, 1, 1}), MakeShape({4, 3, 3}),
            MakeShape({2, 3, 40}), MakeShape({2, 1, 5}), MakeShape({1, 6, 7}),
            MakeShape({2, 2, 3, 2, 1, 2, 1, 3}), MakeShape({3, 0, 2}),
            MakeShape({0, 4}), MakeShape({129, 3})},
           {1, 4, 6, 9, 128}, 1);
}

TEST(Formats, EveryAlignment) { RunCases({MakeShape({2, 77})}, {5, 32}, 67); }

TEST(Formats, SpansAndChunks) {
  RunCases({MakeShape({4095}), MakeShape({2, 4097}), MakeShape({3, 8200}),
            MakeShape({2, 3, 4100})},
           {100, 128, 4096, 5000}, 2, 3);
}

TEST(Formats, BlocksAndThreads) {
  Context serial, two, eight;
  two.runner = MakePool(2);
  eight.runner = MakePool(8);
  uint32_t seed = 0;
  Sweep sweep;
  for (int f = 0; f < NumFormats(); ++f) {
    const Format& format = FormatAt(f);
    for (const Shape& shape : {MakeShape({3, 70001}), MakeShape({400, 333}),
                               MakeShape({200000}), MakeShape({2, 70, 1001})}) {
      for (const Case& c :
           Cases(format, shape, {128, 333, 66000, 70000}, seed, 5)) {
        const uint32_t own = seed++;
        if (!sweep.Take()) continue;
        const std::vector<float> values = HardValues(shape.elements(), own);
        const Expected expected = ExpectedOf(format, c.config, shape, values);
        for (const Context* context : {&serial, &two, &eight}) {
          ASSERT_EQ(Difference(*context, format, c, values, expected, 0), "")
              << format.name << " " << c.name;
        }
      }
    }
  }
}

// The comparison above can fail.
TEST(Formats, BrokenCodecIsCaught) {
  Format broken = FormatAt(0);
  broken.kernels = BrokenKernels;
  const Shape shape = MakeShape({2, 77});
  for (const Case& c : Cases(broken, shape, {5, 32}, 0)) {
    // It is right where truncation is asked for, and knows nothing else.
    if (c.config.rounding() != Rounding::kHalfEven) continue;
    const std::vector<float> values = HardValues(shape.elements(), 4);
    const Expected expected = ExpectedOf(FormatAt(0), c.config, shape, values);
    EXPECT_NE(Difference(Context(), broken, c, values, expected, 0), "")
        << c.name;
    EXPECT_EQ(Difference(Context(), FormatAt(0), c, values, expected, 0), "")
        << c.name;
  }
}

// The kernel of fake quantization against the row's scalar encode and decode,
// with lengths around vectors, also in place.
TEST(Formats, RoundTrip) {
  const char* const variants[] = {"",
                                  "rounding=half_away",
                                  "rounding=half_up",
                                  "rounding=floor",
                                  "rounding=ceil",
                                  "rounding=toward_zero",
                                  "rounding=half_toward_zero",
                                  "rounding=stochastic,seed=5",
                                  "symmetric_range=full",
                                  "symmetric_range=extreme,rounding=half_up",
                                  "scheme=asymmetric",
                                  "scheme=asymmetric,rounding=stochastic",
                                  "scheme=offset",
                                  "scheme=offset,rounding=half_up",
                                  "scale_dtype=bf16"};
  for (int f = 0; f < NumFormats(); ++f) {
    const Format& format = FormatAt(f);
    uint32_t seed = 1;
    for (const char* text : variants) {
      const Config config = Config::FromText(
          std::string("format=") + format.name + (*text ? "," : "") + text);
      if (!Supported(format, config)) continue;
      const Variant variant = config.variant();
      RoundTripArgs args;
      args.rule = RuleOf(format, variant);
      CodeTable table;
      if (format.Has(kCodebook)) {
        table = FittedTable(format.codebook, CountOf(args.rule.range));
        args.rule.table = &table;
      }
      if (format.Has(kScaled)) {
        args.params = ParamsOf(format, variant, {-1.75f, 2.5f});
      }
      for (size_t n : {0, 1, 3, 15, 16, 17, 70, 5000}) {
        const std::vector<float> x = HardValues(n, seed++);
        ForEachTarget([&] {
          std::vector<uint32_t> random(n + kLanes);
          RandomWords(9, 0, n, random.data());
          std::vector<float> in = x, out(n + 1, -77.0f);
          args.x = in.data();
          args.count = n;
          args.random = variant.rounding == Rounding::kStochastic
                            ? random.data()
                            : nullptr;
          args.out = out.data();
          format.kernels().round_trip(args);
          ASSERT_EQ(out[n], -77.0f);
          args.out = in.data();
          format.kernels().round_trip(args);
          for (size_t i = 0; i < n; ++i) {
            const float expected = format.decode(
                format.encode(x[i], args.params, args.rule, random[i]),
                args.params, args.rule);
            ASSERT_EQ(std::memcmp(&out[i], &expected, 4), 0)
                << format.name << " " << text << " " << x[i] << " became "
                << out[i] << " instead of " << expected;
            ASSERT_EQ(std::memcmp(&in[i], &expected, 4), 0) << "in place";
          }
        });
      }
    }
  }
}

// Values as the array's type holds them, and the float32 that they stand for.
struct TypedValues {
  TypedValues(const std::vector<float>& wide, DType type)
      : dtype(type), bytes(wide.size() * 8), rounded(wide.size()) {
    for (size_t i = 0; i < wide.size(); ++i) {
      if (dtype == DType::kF64) {
        const double d = wide[i] * (1.0 + 1e-9);
        std::memcpy(&bytes[8 * i], &d, 8);
        rounded[i] = static_cast<float>(d);
        continue;
      }
      const bool f16 = dtype == DType::kF16;
      const uint16_t h = f16 ? ReferenceF16(wide[i]) : ReferenceBF16(wide[i]);
      std::memcpy(&bytes[2 * i], &h, 2);
      rounded[i] = f16 ? ReferenceFromF16(h) : ReferenceFromBF16(h);
    }
  }
  DType dtype;
  std::vector<uint8_t> bytes;
  std::vector<float> rounded;
};

// Every input type gives what its float32 values give.
TEST(Formats, InputTypes) {
  const Context context;
  Sweep sweep;
  for (uint64_t n : {1, 15, 33, 4097, 9000}) {
    const Shape shape = MakeShape({2, n});
    for (DType dtype : {DType::kF16, DType::kBF16, DType::kF64}) {
      const TypedValues values(HardValues(2 * n, 5), dtype);
      ArrayView array;
      array.data = values.bytes.data();
      array.dtype = dtype;
      array.shape = shape;
      for (int f = 0; f < NumFormats(); ++f) {
        for (const Case& c : Cases(FormatAt(f), shape, {7, 128, 5000},
                                   static_cast<uint32_t>(n), 5)) {
          if (!sweep.Take()) continue;
          SCOPED_TRACE(c.name + " " + Info(dtype).name);
          const Expected expected =
              ExpectedOf(FormatAt(f), c.config, shape, values.rounded);
          ForEachTarget([&] {
            const auto tensor = Quantize(context, c.config, array);
            const PartData& offsets = tensor->part(Part::kOffsets);
            ASSERT_TRUE(offsets.bytes == 0 ||
                        std::memcmp(offsets.data, expected.offset_bytes.data(),
                                    expected.num_offset_bytes) == 0);
            ASSERT_EQ(0, std::memcmp(tensor->codes(), expected.packed.data(),
                                     expected.packed.size()));
            // A format without scales has no array of them to look at.
            ASSERT_TRUE(expected.num_scale_bytes == 0 ||
                        std::memcmp(tensor->scales().data,
                                    expected.scale_bytes.data(),
                                    expected.num_scale_bytes) == 0);
          });
        }
      }
    }
  }
}

// NaN and infinity are found wherever they are, and named.
TEST(Formats, NonFinite) {
  Context threads;
  threads.runner = MakePool(3);
  const Shape shape = MakeShape({3, 25001});
  std::vector<float> values = HardValues(shape.elements(), 0);
  const uint64_t last = shape.elements() - 1;
  ArrayView array;
  array.data = reinterpret_cast<const uint8_t*>(values.data());
  array.shape = shape;
  const auto expect_named = [&](const Case& c, uint64_t at, float bad) {
    const float good = values[at];
    values[at] = values[last] = bad;
    try {
      Quantize(threads, c.config, array);
      FAIL() << c.name << " accepted " << bad;
    } catch (const Error& e) {
      ASSERT_EQ(e.status(), Status::kNonFinite) << e.message();
      ASSERT_NE(e.message().find("element " + std::to_string(at) + ","),
                std::string::npos)
          << c.name << ": " << e.message();
    }
    values[at] = good;
  };
  Sweep sweep;
  ForEachTarget([&] {
    for (int f = 0; f < NumFormats(); ++f) {
      for (Case& c : Cases(FormatAt(f), shape, {5, 128, 20000},
                           static_cast<uint32_t>(f), 5)) {
        if (!sweep.Take()) continue;
        c.config.SetText("non_finite", "error");
        for (uint64_t at : {uint64_t{0}, uint64_t{25003}, last}) {
          for (float bad : {NAN, -NAN, HUGE_VALF, -HUGE_VALF}) {
            expect_named(c, at, bad);
          }
        }
      }
    }
  });
}

}  // namespace
}  // namespace bnq_test
