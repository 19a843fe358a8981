// Layers as a C program sees them; what they do is tested beside core/cache.
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include "capi_test_util.h"

namespace {

using bnq_test::Expect;

class LayersAbi : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "bnq_layers_XXXXXX";
    ASSERT_NE(mkdtemp(&pattern[0]), nullptr);
    folder_ = pattern;
    model_ = folder_ + "/model.safetensors";
    for (size_t i = 0; i < values_.size(); ++i) {
      values_[i] = static_cast<float>(i % 13) - 6;
    }
    bnq_writer* writer = nullptr;
    ASSERT_EQ(bnq_writer_create(nullptr, model_.c_str(), BNQ_FILE_SAFETENSORS,
                                0, 0, &writer),
              BNQ_OK);
    const uint64_t shape[2] = {8, 32};
    const bnq_array matrix = {values_.data(), shape, BNQ_DTYPE_F32, 2};
    const bnq_array vector = {values_.data(), shape + 1, BNQ_DTYPE_F32, 1};
    for (const char* name : {"h.0.w", "h.1.w", "h.10.w", "lm_head.w"}) {
      ASSERT_EQ(bnq_writer_add_array(writer, name, &matrix), BNQ_OK);
    }
    ASSERT_EQ(bnq_writer_add_array(writer, "h.1.b", &vector), BNQ_OK);
    ASSERT_EQ(bnq_writer_finish(writer), BNQ_OK) << bnq_last_error();
    bnq_writer_destroy(writer);
    bnq_config* config = nullptr;
    ASSERT_EQ(bnq_config_from_text("int4", &config), BNQ_OK);
    ASSERT_EQ(bnq_plan_create(&plan_), BNQ_OK);
    ASSERT_EQ(bnq_plan_add(plan_, "*", BNQ_MIN_RANK_ALL, config), BNQ_OK);
    bnq_config_destroy(config);
    ASSERT_EQ(bnq_cache_create((folder_ + "/cache").c_str(), &cache_), BNQ_OK);
    ASSERT_EQ(
        bnq_layers_open(nullptr, folder_.c_str(), plan_, cache_, 1, &layers_),
        BNQ_OK)
        << bnq_last_error();
  }
  void TearDown() override {
    bnq_layers_close(layers_);
    bnq_cache_destroy(cache_);
    bnq_plan_destroy(plan_);
    std::filesystem::remove_all(folder_);
  }

  std::string folder_, model_;
  std::vector<float> values_ = std::vector<float>(256);
  bnq_plan* plan_ = nullptr;
  bnq_cache* cache_ = nullptr;
  bnq_layers* layers_ = nullptr;
};

TEST_F(LayersAbi, AreNamedLoadedAndLetGo) {
  ASSERT_EQ(bnq_layers_count(layers_), 4u);
  EXPECT_STREQ(bnq_layers_name(layers_, 2), "h.10");
  EXPECT_EQ(bnq_layers_bytes(layers_, 1), 1024u + 128u);
  uint64_t index = 0;
  EXPECT_EQ(bnq_layers_find(layers_, "h.1.b", &index), BNQ_OK);
  EXPECT_EQ(index, 1u);
  bnq_layer* layer = nullptr;
  int calls = 0;
  const auto report = [](void* opaque, uint64_t done, uint64_t total,
                         const char*) {
    ++*static_cast<int*>(opaque);
    return done <= total ? 0 : 1;
  };
  ASSERT_EQ(bnq_layers_load(nullptr, layers_, 1, report, &calls, &layer),
            BNQ_OK)
      << bnq_last_error();
  EXPECT_GE(calls, 2);
  EXPECT_STREQ(bnq_layer_name(layer), "h.1");
  ASSERT_EQ(bnq_layer_count(layer), 2u);
  EXPECT_STREQ(bnq_layer_tensor_name(layer, 0), "h.1.b");
  EXPECT_EQ(bnq_layer_format(layer, 0), BNQ_FORMAT_NONE);
  EXPECT_EQ(bnq_layer_format(layer, 1), BNQ_FORMAT_INT4);
  bnq_array array;
  ASSERT_EQ(bnq_layer_array(layer, 0, &array), BNQ_OK);
  EXPECT_EQ(array.rank, 1);
  EXPECT_EQ(array.shape[0], 32u);
  EXPECT_EQ(std::memcmp(array.data, values_.data(), 128), 0);
  bnq_tensor* tensor = nullptr;
  ASSERT_EQ(bnq_layer_tensor(layer, 1, &tensor), BNQ_OK);
  EXPECT_EQ(bnq_layer_bytes(layer), 128 + bnq_tensor_bytes(tensor));
  Expect(bnq_layer_array(layer, 1, &array), BNQ_ERROR_UNSUPPORTED,
         "\"h.1.w\" is quantized");
  bnq_tensor* none = nullptr;
  Expect(bnq_layer_tensor(layer, 0, &none), BNQ_ERROR_UNSUPPORTED,
         "\"h.1.b\" is a plain array");
  Expect(bnq_layer_tensor(layer, 2, &none), BNQ_ERROR_INVALID_ARGUMENT,
         "index = 2, must be below 2");
  bnq_layers_close(layers_);
  layers_ = nullptr;
  bnq_layer_destroy(layer);
  // Beyond both.
  float back[256];
  EXPECT_EQ(bnq_tensor_dequantize(nullptr, tensor, BNQ_DTYPE_F32,
                                  BNQ_OVERFLOW_ERROR, back, sizeof back),
            BNQ_OK);
  EXPECT_NEAR(back[3], values_[3], 0.5);
  bnq_tensor_destroy(tensor);
}

TEST_F(LayersAbi, CountWhatBecomesOfThem) {
  ASSERT_EQ(bnq_layers_stat_count(),
            static_cast<uint32_t>(BNQ_NUM_LAYERS_STATS));
  EXPECT_STREQ(bnq_layers_stat_name(BNQ_LAYERS_STAT_LOADS), "loads");
  EXPECT_STREQ(bnq_layers_stat_name(BNQ_LAYERS_STAT_PEAK_BYTES), "peak_bytes");
  EXPECT_EQ(bnq_layers_stat_name(BNQ_NUM_LAYERS_STATS), nullptr);
  ASSERT_EQ(bnq_layers_prepare(nullptr, layers_, nullptr, nullptr), BNQ_OK);
  double stats[BNQ_NUM_LAYERS_STATS];
  ASSERT_EQ(bnq_layers_stats(layers_, stats, BNQ_NUM_LAYERS_STATS), BNQ_OK);
  // Four equal matrices are one entry.
  EXPECT_EQ(stats[BNQ_LAYERS_STAT_QUANTIZED], 1);
  EXPECT_EQ(stats[BNQ_LAYERS_STAT_RESTORED], 3);
  EXPECT_EQ(stats[BNQ_LAYERS_STAT_BYTES_READ], 4096);
}

TEST_F(LayersAbi, RefuseWhatIsWrong) {
  const bnq_status bad = BNQ_ERROR_INVALID_ARGUMENT;
  bnq_layers_close(nullptr);
  bnq_layer_destroy(nullptr);
  bnq_layers* none = nullptr;
  Expect(bnq_layers_open(nullptr, nullptr, plan_, cache_, 1, &none), bad,
         "model is NULL");
  Expect(bnq_layers_open(nullptr, (folder_ + "/none").c_str(), nullptr, nullptr,
                         1, &none),
         BNQ_ERROR_NOT_FOUND, "none");
  Expect(bnq_layers_open(nullptr, model_.c_str(), nullptr, nullptr, 1, nullptr),
         bad, "out_layers is NULL");
  bnq_layer* layer = nullptr;
  Expect(bnq_layers_load(nullptr, layers_, 4, nullptr, nullptr, &layer), bad,
         "index = 4, must be below 4");
  Expect(bnq_layers_load(nullptr, nullptr, 0, nullptr, nullptr, &layer), bad,
         "layers is NULL");
  const auto stop = [](void*, uint64_t, uint64_t, const char*) { return 1; };
  Expect(bnq_layers_load(nullptr, layers_, 0, stop, nullptr, &layer),
         BNQ_ERROR_CANCELLED, "cancelled");
  Expect(bnq_layers_prepare(nullptr, layers_, stop, nullptr),
         BNQ_ERROR_CANCELLED, "cancelled");
  EXPECT_EQ(layer, nullptr);
  uint64_t index = 0;
  Expect(bnq_layers_find(layers_, "h.2", &index), BNQ_ERROR_NOT_FOUND,
         "there is no layer and no tensor \"h.2\"");
  double stats[BNQ_NUM_LAYERS_STATS + 1];
  Expect(bnq_layers_stats(layers_, stats, BNQ_NUM_LAYERS_STATS + 1), bad,
         "stat_count = 9, must be 0 to 8");
  EXPECT_EQ(bnq_layers_count(nullptr), 0u);
  EXPECT_EQ(bnq_layers_name(layers_, 4), nullptr);
  EXPECT_EQ(bnq_layers_bytes(layers_, 4), 0u);
  EXPECT_EQ(bnq_layer_name(nullptr), nullptr);
  EXPECT_EQ(bnq_layer_tensor_name(nullptr, 0), nullptr);
  EXPECT_EQ(bnq_layer_format(nullptr, 0), -1);
  EXPECT_EQ(bnq_layer_bytes(nullptr), 0u);
}

}  // namespace
