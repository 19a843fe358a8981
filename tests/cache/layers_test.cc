#include "core/cache/layers.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "core/model/convert.h"
#include "tests/cache/cache_test_util.h"

namespace bnq {
namespace {

constexpr uint32_t kBlocks = 6;

// Bytes that are allocated now, and the most that were.
struct Bytes {
  std::atomic<uint64_t> now{0}, most{0};

  Context context() {
    Context context;
    context.allocator.opaque = this;
    context.allocator.alloc = [](void* opaque, uint64_t bytes) -> void* {
      Bytes& self = *static_cast<Bytes*>(opaque);
      uint64_t* const p =
          static_cast<uint64_t*>(std::malloc(static_cast<size_t>(bytes) + 64));
      *p = bytes;
      const uint64_t now = self.now += bytes;
      uint64_t seen = self.most;
      while (seen < now && !self.most.compare_exchange_weak(seen, now)) {
      }
      return p + 8;
    };
    context.allocator.free = [](void* opaque, void* ptr) {
      uint64_t* const p = static_cast<uint64_t*>(ptr) - 8;
      static_cast<Bytes*>(opaque)->now -= *p;
      std::free(p);
    };
    return context;
  }
};

class LayersTest : public CacheTest {
 protected:
  void SetUp() override {
    CacheTest::SetUp();
    plan_.Add("*", 2, config_);
    model_.emplace("embed.weight", WeightsOf({40, 64}, 100));
    for (uint32_t i = 0; i < kBlocks; ++i) {
      const std::string block = "layers." + std::to_string(i) + ".";
      model_.emplace(block + "a.weight", WeightsOf({96, 64}, i));
      model_.emplace(block + "b.weight", WeightsOf({64, 96}, 10 + i));
      model_.emplace(block + "norm.weight", WeightsOf({64}, 20 + i));
    }
    model_.emplace("norm.weight", WeightsOf({64}, 101));
    path_ = Path("model.safetensors");
    ModelWriter writer(context_, path_, FileKind::kSafetensors, {});
    for (const auto& item : model_) {
      writer.AddArray(item.first, item.second.view());
    }
    writer.Finish();
  }

  std::shared_ptr<Cache> SharedCache() const {
    return std::shared_ptr<Cache>(NewCache());
  }
  // With a clock by which the model was written long ago.
  std::unique_ptr<Layers> Open(std::shared_ptr<Cache> cache,
                               uint32_t look_ahead) const {
    return std::make_unique<Layers>(
        context_, path_, plan_, std::move(cache), look_ahead,
        [] { return SystemTime() + 10 * kSecondNs; });
  }
  std::shared_ptr<const LoadedLayer> Load(Layers* layers, size_t index) const {
    auto layer = layers->Load(context_, index, nullptr);
    EXPECT_EQ(layer->name(), layers->groups()[index].name);
    ExpectRight(*layer);
    return layer;
  }
  void ExpectRight(const LoadedLayer& layer) const {
    for (const LayerTensor& tensor : layer.tensors()) {
      SCOPED_TRACE(tensor.name);
      const TestArray& array = model_.at(tensor.name);
      if (array.dims.size() == 1) {
        ASSERT_EQ(tensor.tensor, nullptr);
        EXPECT_EQ(tensor.array.shape, array.view().shape);
        EXPECT_EQ(std::memcmp(tensor.array.data, array.bytes.data(),
                              array.bytes.size()),
                  0);
      } else {
        ASSERT_NE(tensor.tensor, nullptr);
        EXPECT_TRUE(SameTensor(*tensor.tensor,
                               *Quantize(context_, config_, array.view())));
      }
    }
  }
  static double Stat(const Layers& layers, LayersStat stat) {
    double values[kNumLayersStats];
    layers.Stats(values);
    return values[static_cast<int>(stat)];
  }

  Plan plan_;
  TestModel model_;
  std::string path_;
};

TEST_F(LayersTest, ComeOneAfterTheOther) {
  for (const uint32_t look_ahead : {0u, 1u, 3u, 100u}) {
    SCOPED_TRACE(look_ahead);
    const auto layers = Open(SharedCache(), look_ahead);
    std::vector<std::string> names;
    for (size_t i = 0; i < layers->groups().size(); ++i) {
      names.push_back(Load(layers.get(), i)->name());
    }
    EXPECT_EQ(names, (std::vector<std::string>{
                         "embed", "layers.0", "layers.1", "layers.2",
                         "layers.3", "layers.4", "layers.5", "norm"}));
    EXPECT_EQ(Stat(*layers, LayersStat::kLoads), 8);
    EXPECT_EQ(Stat(*layers, LayersStat::kQuantized),
              look_ahead == 0 ? 1 + 2 * kBlocks : 0);
    EXPECT_EQ(Stat(*layers, LayersStat::kRestored),
              look_ahead == 0 ? 0 : 1 + 2 * kBlocks);
    // Only the first time is the model read.
    EXPECT_EQ(Stat(*layers, LayersStat::kBytesRead) != 0, look_ahead == 0);
  }
}

TEST_F(LayersTest, AreLoadedInAnyOrderAndWithoutACache) {
  for (const bool cached : {false, true}) {
    const auto layers = Open(cached ? SharedCache() : nullptr, 2);
    for (const size_t i : {3, 3, 7, 0, 1, 0, 7, 6, 5, 4, 5, 6, 7, 0, 1, 2}) {
      Load(layers.get(), i);
    }
    EXPECT_EQ(layers->Find("layers.4"), 5u);
    EXPECT_EQ(layers->Find("layers.4.norm.weight"), 5u);
    EXPECT_TRUE(FailsWith(Status::kNotFound, "\"layers.9\"",
                          [&] { layers->Find("layers.9"); }));
  }
}

TEST_F(LayersTest, TheLookAheadFollowsTheSequence) {
  const auto layers = Open(SharedCache(), 1);
  layers->Prepare(context_, nullptr);
  const auto stat = [&](LayersStat of) { return Stat(*layers, of); };
  const auto sleep = [](int ms) {
    std::this_thread::sleep_for(std::chrono::milliseconds(ms));
  };
  // Whether `to` is loaded ahead after `from`, for which it waits as long as it
  // has to, or a moment where it should not be.
  const auto next_is = [&](size_t from, size_t to, bool ahead) {
    double restored = -1;
    while (restored != stat(LayersStat::kRestored)) {  // of the last step
      restored = stat(LayersStat::kRestored);
      sleep(50);
    }
    const double prefetched = stat(LayersStat::kPrefetched);
    const auto layer = Load(layers.get(), from);
    if (stat(LayersStat::kPrefetched) == prefetched) {
      for (const LayerTensor& tensor : layer->tensors()) {
        restored += tensor.tensor != nullptr;
      }
    }
    for (int i = 0; i < (ahead ? 10000 : 50); ++i) {
      if (stat(LayersStat::kRestored) > restored) break;
      sleep(1);
    }
    const double before = stat(LayersStat::kPrefetched);
    Load(layers.get(), to);
    return stat(LayersStat::kPrefetched) > before;
  };
  EXPECT_TRUE(next_is(2, 3, true));
  EXPECT_FALSE(next_is(7, 0, false));  // the end of a pass, as far as is known
  EXPECT_TRUE(next_is(7, 0, true));    // which has begun anew
  Load(layers.get(), 5);
  EXPECT_TRUE(next_is(4, 3, true));  // a step backwards
  EXPECT_FALSE(next_is(0, 6, false));
}

// Of the allocator and of what layers say of themselves: look_ahead layers, and
// those that the caller holds; and one array that is being quantized.
TEST_F(LayersTest, MemoryIsThatOfTheLookAhead) {
  for (const uint32_t look_ahead : {0u, 1u, 2u}) {
    SCOPED_TRACE(look_ahead);
    Bytes bytes;
    auto cache = SharedCache();
    SetOption(cache.get(), "memory_limit", 0);
    cache->Clear(context_);
    Context context = bytes.context();
    // No layer is mapped, so that each is counted.
    context.map_files = false;
    uint64_t file = 0;
    {
      Layers layers(context, path_, plan_, cache, look_ahead);
      file = bytes.now;
      for (int pass = 0; pass < 2; ++pass) {
        for (size_t i = 0; i < layers.groups().size(); ++i) {
          const auto layer = layers.Load(context, i, nullptr);
          ExpectRight(*layer);
        }
      }
      const double largest = Stat(layers, LayersStat::kLargestBytes);
      EXPECT_LE(Stat(layers, LayersStat::kPeakBytes),
                (look_ahead + 1) * largest);
      EXPECT_GT(Stat(layers, LayersStat::kPeakBytes), 0.9 * largest);
      // As allocated: each part is rounded up, and a tensor of what is made
      // has its scales and codes twice while it is written.
      EXPECT_LE(static_cast<double>(bytes.most - file),
                (look_ahead + 1) * largest * 1.25 + (64 << 10));
    }
    EXPECT_EQ(bytes.now, 0u);
  }
}

TEST_F(LayersTest, KnowAModelThatHasChanged) {
  auto cache = SharedCache();
  Load(Open(cache, 0).get(), 1);
  const auto again = Open(cache, 0);
  Load(again.get(), 1);
  EXPECT_EQ(Stat(*again, LayersStat::kBytesRead), 0);
  // The same bytes written anew are read once to know them.
  model_.at("layers.0.a.weight") = WeightsOf({96, 64}, 77);
  ModelWriter writer(context_, path_, FileKind::kSafetensors, Overwrite());
  for (const auto& item : model_) {
    writer.AddArray(item.first, item.second.view());
  }
  writer.Finish();
  const auto changed = Open(cache, 0);
  Load(changed.get(), 1);
  EXPECT_EQ(Stat(*changed, LayersStat::kQuantized), 1);
  EXPECT_EQ(Stat(*changed, LayersStat::kRestored), 1);
  EXPECT_GT(Stat(*changed, LayersStat::kBytesRead), 0);
  // Just written, a file may change again without a trace: it is read each
  // time.
  for (int i = 0; i < 2; ++i) {
    Layers fresh(context_, path_, plan_, cache, 0);
    Load(&fresh, 1);
    EXPECT_EQ(Stat(fresh, LayersStat::kRestored), 2);
    EXPECT_GT(Stat(fresh, LayersStat::kBytesRead), 0);
  }
}

TEST_F(LayersTest, OfAModelThatIsQuantizedAlready) {
  WriteOptions options = Overwrite();
  for (const bool compress : {false, true}) {
    options.compress = compress;
    QuantizeFile(context_, plan_, path_, Path("model.bnq"), options, nullptr);
    Layers layers(context_, Path("model.bnq"), Plan(), nullptr, 1);
    for (int pass = 0; pass < 2; ++pass) {
      for (size_t i = 0; i < layers.groups().size(); ++i) Load(&layers, i);
    }
    EXPECT_EQ(Stat(layers, LayersStat::kQuantized), 0);
  }
}

TEST_F(LayersTest, OfShardsWithImportance) {
  Plan plan;
  plan.Add("*", 2, Config::FromText("int4,group_size=32,scale_rule=mse"));
  std::vector<float> weights(64, 1.0f);
  weights[3] = 100.0f;
  plan.SetImportance("layers.0.a", weights);
  WriteOptions options = Overwrite();
  options.max_shard_bytes = 30000;
  DequantizeFile(
      context_,
      [&] {
        QuantizeFile(context_, Plan(), path_, Path("whole.bnq"), options,
                     nullptr);
        return Path("whole.bnq");
      }(),
      Path("shards.safetensors"), DType::kF32, Overflow::kError, options,
      nullptr);
  const auto cache = SharedCache();
  Layers layers(context_, Path("shards.safetensors"), plan, cache, 1);
  QuantizeFile(context_, plan, path_, Path("expected.bnq"), Overwrite(),
               nullptr);
  const auto file = ModelFile::Open(context_, Path("expected.bnq"));
  for (size_t i = 0; i < layers.groups().size(); ++i) {
    const auto layer = layers.Load(context_, i, nullptr);
    for (const LayerTensor& tensor : layer->tensors()) {
      if (tensor.tensor == nullptr) continue;
      EXPECT_TRUE(
          SameTensor(*tensor.tensor,
                     *LoadTensor(context_, file, *file->Find(tensor.name))))
          << tensor.name;
    }
  }
}

// As conversions: a rule may ask for a tensor's size.
TEST_F(LayersTest, ArePlannedByAllThatTensorsAre) {
  PlanRule large;
  large.when.min_elements = 3000;
  large.config = config_;
  Plan plan;
  plan.Add(large);
  Layers layers(context_, path_, plan, nullptr, 0);
  EXPECT_EQ(layers.Load(context_, 0, nullptr)->tensors()[0].tensor, nullptr);
  EXPECT_NE(layers.Load(context_, 1, nullptr)->tensors()[0].tensor, nullptr);
}

TEST_F(LayersTest, ErrorsNameTheTensorAndOthersGoOn) {
  model_.at("layers.2.a.weight").bytes[3] = 0x7F;
  model_.at("layers.2.a.weight").bytes[2] = 0xC0;
  ModelWriter writer(context_, path_, FileKind::kSafetensors, Overwrite());
  for (const auto& item : model_) {
    writer.AddArray(item.first, item.second.view());
  }
  writer.Finish();
  const auto layers = Open(SharedCache(), 2);
  for (int pass = 0; pass < 2; ++pass) {
    for (size_t i = 0; i < layers->groups().size(); ++i) {
      if (i == 3) {
        EXPECT_TRUE(FailsWith(Status::kNonFinite, "\"layers.2.a.weight\"",
                              [&] { layers->Load(context_, i, nullptr); }));
      } else {
        Load(layers.get(), i);
      }
    }
  }
}

TEST_F(LayersTest, ProgressIsReportedAndCancels) {
  const auto layers = Open(SharedCache(), 1);
  std::vector<std::string> items;
  uint64_t last = 0;
  layers->Prepare(context_,
                  [&](uint64_t done, uint64_t total, const std::string& item) {
                    EXPECT_LE(last, done);
                    EXPECT_LE(done, total);
                    last = done;
                    items.push_back(item);
                  });
  EXPECT_EQ(items.front(), "embed.weight");
  EXPECT_EQ(items.back(), "");
  EXPECT_GE(items.size(), model_.size());
  const Progress cancel = [](uint64_t, uint64_t, const std::string&) {
    Fail(Status::kCancelled, "enough");
  };
  EXPECT_TRUE(FailsWith(Status::kCancelled, "enough",
                        [&] { layers->Prepare(context_, cancel); }));
  EXPECT_TRUE(FailsWith(Status::kCancelled, "enough",
                        [&] { layers->Load(context_, 0, cancel); }));
  Load(layers.get(), 0);
  Layers bare(context_, path_, plan_, nullptr, 0);
  EXPECT_TRUE(FailsWith(Status::kInvalidArgument, "no cache",
                        [&] { bare.Prepare(context_, nullptr); }));
}

TEST_F(LayersTest, MayBeClosedOrLeftInAForkAtAnyMoment) {
  for (int i = 0; i < 20; ++i) {
    const auto layers = Open(SharedCache(), 3);
    const auto layer = Load(layers.get(), static_cast<size_t>(i % 8));
    if (i % 4 == 0) {
      const pid_t child = fork();
      if (child == 0) {
        // Without threads, but for those that it begins itself.
        const auto own = layers->Load(Context(), 2, nullptr);
        _exit(own->tensors().size() == 3 ? 0 : 1);
      }
      int status = 0;
      ASSERT_EQ(waitpid(child, &status, 0), child);
      EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
  }
}

TEST_F(LayersTest, OutliveWhatTheyComeFrom) {
  std::shared_ptr<const LoadedLayer> layer;
  {
    const auto layers = Open(SharedCache(), 1);
    layer = Load(layers.get(), 2);
  }
  std::filesystem::remove_all(Path("cache"));
  ExpectRight(*layer);
}

}  // namespace
}  // namespace bnq
