#include "core/base/tick.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "core/calibration/calibrator.h"
#include "core/calibration/compare.h"
#include "core/calibration/dataset.h"
#include "core/model/convert.h"
#include "core/model/model_writer.h"
#include "core/tensor/dequantize.h"
#include "core/tensor/quantize.h"
#include "tests/io/io_test_util.h"

namespace bnq {
namespace {

TEST(Ticking, ReportsOnItsThreadAndCallsTheOuterTick) {
  int outer = 0, reports = 0;
  Context caller;
  caller.tick = [&] { ++outer; };
  const Context context = Ticking(caller, [&] { ++reports; });
  std::thread([&] {
    for (int i = 0; i < 1000; ++i) context.Tick();
    std::this_thread::sleep_for(2 * kTickInterval);
    context.Tick();
  }).join();
  EXPECT_EQ(reports, 0);
  EXPECT_EQ(outer, 1001);
  while (reports == 0) context.Tick();
}

TEST(TickingProgress, RepeatsWhatWasReportedLast) {
  std::vector<uint64_t> heard;
  const Progress progress = [&](uint64_t done, uint64_t total,
                                const std::string& item) {
    EXPECT_EQ(total, 9u);
    EXPECT_EQ(item, "w");
    heard.push_back(done);
  };
  TickingProgress ticking(Context(), progress);
  ticking.Report(4, 9, "w");
  while (heard.size() < 2) ticking.context().Tick();
  ticking.Report(9, 9, "w");
  EXPECT_EQ(heard, (std::vector<uint64_t>{4, 4, 9}));
  const Progress none;
  TickingProgress(Context(), none).Report(1, 2, "");
}

struct Cancelled {};

// One big piece of work each: a tensor, an array, a channel.
class OnePiece : public TempDirTest {
 protected:
  static constexpr uint64_t kElements = uint64_t{3} << 20;
  // What may lie between two ticks, at most.
  static constexpr uint64_t kBetween = uint64_t{1} << 20;

  OnePiece() : values_(kElements) {
    uint64_t state = 1;
    for (float& x : values_) {
      state = state * 6364136223846793005u + 1442695040888963407u;
      x = static_cast<float>(static_cast<double>(state >> 40) * 1e-7 - 0.8);
    }
  }

  static ArrayView View(const std::vector<float>& values,
                        std::vector<uint64_t> dims) {
    ArrayView view;
    view.dtype = DType::kF32;
    view.data = reinterpret_cast<const uint8_t*>(values.data());
    view.shape = Shape::Make(static_cast<int32_t>(dims.size()), dims.data());
    return view;
  }
  ArrayView Flat() const { return View(values_, {kElements}); }
  std::unique_ptr<QuantizedTensor> Quantized(const std::string& config) const {
    return Quantize(Context(), Config::FromText(config), Flat());
  }
  // A file of one array, or of one quantized tensor.
  std::string Write(const std::string& name, FileKind kind, bool compress,
                    const std::string& config = "") const {
    WriteOptions options;
    options.compress = compress;
    const std::string path = Path(name);
    ModelWriter writer(Context(), path, kind, options);
    std::unique_ptr<QuantizedTensor> tensor;
    if (config.empty()) {
      writer.AddArray("w", Flat());
    } else {
      tensor = Quantized(config);
      writer.AddTensor("w", *tensor);
    }
    writer.Finish();
    return path;
  }
  Calibrator Seen(const std::string& method, const char* option,
                  const char* value) const {
    Calibrator calibrator;
    calibrator.SetText("method", method);
    if (option != nullptr) calibrator.SetText(option, value);
    calibrator.Observe(Context(), Flat(), nullptr);
    return calibrator;
  }

  // The tick is called often enough, and can cancel in the middle.
  void Expect(const std::string& name, uint64_t least,
              const std::function<void(const Context&)>& work) {
    SCOPED_TRACE(name);
    uint64_t ticks = 0;
    Context context;
    context.map_files = map_files_;
    context.tick = [&] { ++ticks; };
    work(context);
    EXPECT_GE(ticks, least);
    const uint64_t middle = ticks / 2 + 1;
    ticks = 0;
    context.tick = [&] {
      if (++ticks == middle) throw Cancelled();
    };
    EXPECT_THROW(work(context), Cancelled);
    EXPECT_EQ(ticks, middle);
  }
  void Expect(const std::string& name,
              const std::function<void(const Context&)>& work) {
    Expect(name, kElements / kBetween, work);
  }

  std::vector<float> values_;
  bool map_files_ = true;
};

TEST_F(OnePiece, Calibration) {
  for (const char* method : {"minmax", "kl"}) {
    Expect(std::string("observe ") + method, [&](const Context& context) {
      Calibrator calibrator;
      calibrator.SetText("method", method);
      calibrator.Observe(context, Flat(), nullptr);
    });
    // Channels next to each other, which one task counts.
    Expect(std::string("channels ") + method, [&](const Context& context) {
      Calibrator calibrator;
      calibrator.SetText("method", method);
      calibrator.SetText("granularity", "channel");
      calibrator.SetInt(static_cast<int32_t>(CalibrationOption::kAxis), -1);
      calibrator.Observe(context, View(values_, {kElements / 64, 64}), nullptr);
    });
  }
  // Once for each channel.
  Calibrator channels;
  channels.SetText("granularity", "channel");
  channels.Observe(Context(), View(values_, {64, kElements / 64}), nullptr);
  Expect("statistics", 64, [&](const Context& context) {
    channels.Statistics(Calibrator::kAllChannels, context);
  });
  Expect("serialize", 64,
         [&](const Context& context) { channels.Serialize(context); });
  // What is cancelled has not been, also while values are being counted.
  Calibrator calibrator = Seen("kl", nullptr, nullptr);
  const std::string before = calibrator.Serialize();
  Expect("observe again", [&](const Context& context) {
    const auto copy = calibrator.Clone(Context());
    try {
      copy->Observe(context, Flat(), nullptr);
    } catch (const Cancelled&) {
      EXPECT_EQ(copy->Serialize(), before);
      throw;
    }
  });
  const struct {
    const char *method, *option, *value;
    uint64_t least;
  } kSearches[] = {{"kl", "kl_variant", "tensorrt", 200},
                   {"kl", "kl_variant", "onnxruntime", 60},
                   {"mse", "mse_variant", "exhaustive", 25},
                   {"mse", "mse_variant", "pytorch", 10}};
  for (const auto& search : kSearches) {
    const Calibrator seen = Seen(search.method, search.option, search.value);
    Expect(std::string("range ") + search.method + " " + search.value,
           search.least, [&](const Context& context) { seen.Ranges(context); });
  }
  const auto other = Quantized("int8");
  Expect("compare_histogram", [&](const Context& context) {
    CompareHistogram(context, Flat(), *other, 64);
  });
  const std::string path =
      Write("a.safetensors", FileKind::kSafetensors, false);
  Expect("observe_file", [&](const Context& context) {
    auto calibrator = std::make_unique<Calibrator>();
    ObserveFile(context, path, nullptr, nullptr, &calibrator);
  });
}

TEST_F(OnePiece, Tensors) {
  for (const char* config :
       {"int8,scale_rule=percentile", "int8,scale_rule=mse", "int8_outliers",
        "int8,granularity=channel,axis=-1", "nf4,double_quant=1"}) {
    Expect(config, [&](const Context& context) {
      Quantize(context, Config::FromText(config),
               View(values_, {kElements / 64, 64}));
    });
  }
  const auto tensor = Quantized("ternary");
  Expect("validate", tensor->parts().bytes() / kBetween,
         [&](const Context& context) { tensor->Validate(context); });
  std::vector<int8_t> codes(kElements);
  Expect("unpack", [&](const Context& context) {
    UnpackCodes(context, *tensor, 0, kElements, codes.data());
  });
  std::vector<uint8_t> packed(tensor->parts()[Part::kCodes].bytes);
  Expect("pack", [&](const Context& context) {
    PackCodes(context, tensor->config(), tensor->shape(), codes.data(),
              packed.data());
  });
}

TEST_F(OnePiece, Files) {
  const std::string plain =
      Write("plain.safetensors", FileKind::kSafetensors, false);
  for (const bool compress : {false, true}) {
    const std::string suffix = compress ? "c.bnq" : ".bnq";
    const std::string array = Write("array" + suffix, FileKind::kBnq, compress);
    const std::string tensor =
        Write("tensor" + suffix, FileKind::kBnq, compress, "int8");
    for (const std::string& path : {plain, array, tensor}) {
      Expect("verify " + path, [&](const Context& context) {
        VerifyFile(context, ModelFile::Open(context, path), nullptr);
      });
      Expect("compare " + path, [&](const Context& context) {
        CompareFiles(context, path, plain, nullptr);
      });
      map_files_ = false;
      Expect("read " + path, kElements / (uint64_t{4} << 20) + 1,
             [&](const Context& context) { ModelFile::Open(context, path); });
      map_files_ = true;
    }
    Expect("load", [&](const Context& context) {
      const auto file = ModelFile::Open(context, tensor);
      LoadTensor(context, file, *file->Find("w"));
    });
    Expect("write", [&](const Context& context) {
      WriteOptions options;
      options.compress = compress;
      ModelWriter writer(context, FileKind::kBnq, options);
      writer.AddArray("w", Flat());
      writer.Finish();
    });
  }
}

TEST_F(OnePiece, EqualFiles) {
  values_[0] = std::numeric_limits<float>::infinity();
  const std::string path =
      Write("inf.safetensors", FileKind::kSafetensors, false);
  // Sums, then the values themselves.
  Expect("values", 2 * kElements / kBetween, [&](const Context& context) {
    CompareFiles(context, path, path, nullptr);
  });
}

}  // namespace
}  // namespace bnq
