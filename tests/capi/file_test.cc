// Files and writers through the C ABI.
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <vector>

#include "capi_test_util.h"

namespace {

using bnq_test::Expect;

class Files : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "bnq_capi_XXXXXX";
    ASSERT_NE(mkdtemp(&pattern[0]), nullptr);
    directory_ = pattern;
    array_.dtype = BNQ_DTYPE_F32;
    array_.rank = 2;
    array_.shape = shape_;
    array_.data = values_.data();
    ASSERT_EQ(bnq_config_create(&config_), BNQ_OK);
    ASSERT_EQ(bnq_tensor_quantize(nullptr, config_, &array_, &tensor_), BNQ_OK)
        << bnq_last_error();
  }
  void TearDown() override {
    bnq_tensor_destroy(tensor_);
    bnq_config_destroy(config_);
    std::filesystem::remove_all(directory_);
  }
  std::string Path(const std::string& name) const {
    return directory_ + "/" + name;
  }
  std::string Read(const std::string& name) const {
    std::ifstream in(Path(name), std::ios::binary);
    std::ostringstream text;
    text << in.rdbuf();
    return text.str();
  }
  size_t Count() const {
    size_t n = 0;
    for (const auto& item : std::filesystem::directory_iterator(directory_)) {
      static_cast<void>(item);
      ++n;
    }
    return n;
  }
  // An array and, where the kind holds them, a quantized tensor.
  void Fill(bnq_writer* writer, int32_t kind) {
    ASSERT_EQ(bnq_writer_set_metadata(writer, "k", "v"), BNQ_OK);
    ASSERT_EQ(bnq_writer_add_array(writer, "b", &array_), BNQ_OK);
    if (kind == BNQ_FILE_BNQ) {
      ASSERT_EQ(bnq_writer_add_tensor(writer, "a", tensor_), BNQ_OK);
    }
    ASSERT_EQ(bnq_writer_finish(writer), BNQ_OK) << bnq_last_error();
  }

  std::string directory_;
  std::vector<float> values_ = {1, -2, 3, -4, 5, -6, 7, 8};
  uint64_t shape_[2] = {2, 4};
  bnq_array array_ = {};
  bnq_config* config_ = nullptr;
  bnq_tensor* tensor_ = nullptr;
};

TEST_F(Files, MemoryHoldsWhatAFileDoes) {
  for (const int32_t kind : {BNQ_FILE_SAFETENSORS, BNQ_FILE_BNQ}) {
    bnq_writer* file = nullptr;
    bnq_writer* memory = nullptr;
    ASSERT_EQ(bnq_writer_create(nullptr, Path("f").c_str(), kind,
                                BNQ_WRITE_OVERWRITE, 0, &file),
              BNQ_OK);
    Fill(file, kind);
    const void* data = nullptr;
    uint64_t bytes = 0;
    Expect(bnq_writer_bytes(file, &data, &bytes), BNQ_ERROR_INVALID_ARGUMENT,
           "to a file, not to memory");
    bnq_writer_destroy(file);
    ASSERT_EQ(bnq_writer_create_memory(nullptr, kind, 0, &memory), BNQ_OK);
    Expect(bnq_writer_bytes(memory, &data, &bytes), BNQ_ERROR_INVALID_ARGUMENT,
           "has not been finished");
    EXPECT_EQ(data, nullptr);
    Fill(memory, kind);
    ASSERT_EQ(bnq_writer_bytes(memory, &data, &bytes), BNQ_OK);
    EXPECT_TRUE(std::string(static_cast<const char*>(data), bytes) ==
                Read("f"));
    bnq_file* read = nullptr;
    ASSERT_EQ(bnq_file_open_memory(nullptr, data, bytes, &read), BNQ_OK);
    EXPECT_EQ(bnq_file_count(read), kind == BNQ_FILE_BNQ ? 2u : 1u);
    EXPECT_EQ(bnq_file_verify(nullptr, read, nullptr, nullptr), BNQ_OK);
    bnq_file_close(read);
    Expect(bnq_writer_finish(memory), BNQ_ERROR_INVALID_ARGUMENT, "finished");
    bnq_writer_destroy(memory);
  }
  bnq_writer* writer = nullptr;
  Expect(bnq_writer_create_memory(nullptr, BNQ_FILE_NPY, 0, &writer),
         BNQ_ERROR_INVALID_ARGUMENT, "kind = 4");
  Expect(bnq_writer_create_memory(nullptr, BNQ_FILE_BNQ, BNQ_WRITE_OVERWRITE,
                                  &writer),
         BNQ_ERROR_INVALID_ARGUMENT, "flags = 1");
}

TEST_F(Files, ModelsInSeveralFiles) {
  for (const int32_t kind : {BNQ_FILE_SAFETENSORS, BNQ_FILE_BNQ}) {
    const std::string path = Path("m" + std::to_string(kind));
    bnq_writer* writer = nullptr;
    ASSERT_EQ(bnq_writer_create(nullptr, path.c_str(), kind, 0, 40, &writer),
              BNQ_OK);
    ASSERT_EQ(bnq_writer_add_array(writer, "c", &array_), BNQ_OK);
    Fill(writer, kind);
    bnq_writer_destroy(writer);
    bnq_file* file = nullptr;
    ASSERT_EQ(bnq_file_open(nullptr, path.c_str(), 0, &file), BNQ_OK)
        << bnq_last_error();
    EXPECT_EQ(bnq_file_kind(file), kind == BNQ_FILE_BNQ
                                       ? BNQ_FILE_BNQ_INDEX
                                       : BNQ_FILE_SAFETENSORS_INDEX);
    EXPECT_EQ(bnq_file_count(file), kind == BNQ_FILE_BNQ ? 3u : 2u);
    EXPECT_EQ(bnq_file_verify(nullptr, file, nullptr, nullptr), BNQ_OK)
        << bnq_last_error();
    if (kind == BNQ_FILE_BNQ) {
      // A quantized tensor out of a shard outlives the file.
      bnq_tensor* tensor = nullptr;
      ASSERT_EQ(bnq_file_tensor(nullptr, file, 0, &tensor), BNQ_OK);
      bnq_file_close(file);
      file = nullptr;
      std::vector<float> values(8), expected(8);
      EXPECT_EQ(bnq_tensor_dequantize(nullptr, tensor, BNQ_DTYPE_F32,
                                      BNQ_OVERFLOW_ERROR, values.data(), 32),
                BNQ_OK);
      EXPECT_EQ(bnq_tensor_dequantize(nullptr, tensor_, BNQ_DTYPE_F32,
                                      BNQ_OVERFLOW_ERROR, expected.data(), 32),
                BNQ_OK);
      EXPECT_EQ(values, expected);
      bnq_tensor_destroy(tensor);
    }
    bnq_file_close(file);
  }
}

TEST_F(Files, ConversionsOfSeveralFiles) {
  const std::string in = Path("in.safetensors");
  bnq_writer* writer = nullptr;
  ASSERT_EQ(bnq_writer_create(nullptr, in.c_str(), BNQ_FILE_SAFETENSORS, 0, 0,
                              &writer),
            BNQ_OK);
  for (const char* name : {"a", "b", "c"}) {
    ASSERT_EQ(bnq_writer_add_array(writer, name, &array_), BNQ_OK);
  }
  ASSERT_EQ(bnq_writer_finish(writer), BNQ_OK);
  bnq_writer_destroy(writer);
  bnq_plan* plan = nullptr;
  ASSERT_EQ(bnq_plan_create(&plan), BNQ_OK);
  ASSERT_EQ(bnq_plan_add(plan, "*", 2, config_), BNQ_OK);
  // One tensor a file, and back; the same numbers as in one file.
  for (const uint64_t most : {uint64_t{0}, uint64_t{1}}) {
    const std::string n = std::to_string(most);
    const std::string packed = Path("q" + n + ".bnq");
    const std::string back = Path("b" + n + ".safetensors");
    ASSERT_EQ(bnq_quantize_file(nullptr, plan, in.c_str(), packed.c_str(), 0,
                                most, nullptr, nullptr, nullptr),
              BNQ_OK)
        << bnq_last_error();
    ASSERT_EQ(bnq_dequantize_file(nullptr, packed.c_str(), back.c_str(),
                                  BNQ_DTYPE_F32, BNQ_OVERFLOW_ERROR, 0, most,
                                  nullptr, nullptr, nullptr),
              BNQ_OK)
        << bnq_last_error();
  }
  EXPECT_FALSE(std::filesystem::exists(Path("q1.bnq")));
  EXPECT_TRUE(std::filesystem::exists(Path("q1-00003-of-00003.bnq")));
  bnq_report* report = nullptr;
  ASSERT_EQ(bnq_compare_files(nullptr, Path("b0.safetensors").c_str(),
                              Path("b1.safetensors").c_str(), nullptr, nullptr,
                              &report),
            BNQ_OK)
      << bnq_last_error();
  ASSERT_EQ(bnq_report_count(report), 3u);
  for (uint64_t i = 0; i < 3; ++i) {
    double metrics[BNQ_METRIC_MSE + 1];
    ASSERT_EQ(bnq_report_metrics(report, i, metrics, BNQ_METRIC_MSE + 1),
              BNQ_OK);
    EXPECT_EQ(metrics[BNQ_METRIC_MSE], 0.0);
  }
  bnq_report_destroy(report);
  bnq_plan_destroy(plan);
}

TEST_F(Files, ReadInsteadOfMapped) {
  bnq_context* reading = nullptr;
  ASSERT_EQ(bnq_context_create(nullptr, &reading), BNQ_OK);
  ASSERT_EQ(bnq_context_set_mapping(reading, 0), BNQ_OK);
  Expect(bnq_context_set_mapping(reading, 2), BNQ_ERROR_INVALID_ARGUMENT,
         "mapping = 2");
  for (bnq_context* context : {static_cast<bnq_context*>(nullptr), reading}) {
    bnq_writer* writer = nullptr;
    ASSERT_EQ(bnq_writer_create(nullptr, Path("m").c_str(), BNQ_FILE_BNQ,
                                BNQ_WRITE_OVERWRITE, 0, &writer),
              BNQ_OK);
    Fill(writer, BNQ_FILE_BNQ);
    bnq_writer_destroy(writer);
    bnq_file* file = nullptr;
    ASSERT_EQ(bnq_file_open(context, Path("m").c_str(),
                            context == nullptr ? BNQ_OPEN_READ : 0, &file),
              BNQ_OK);
    // Of a mapped file, reading on would end this process.
    ASSERT_EQ(truncate(Path("m").c_str(), 0), 0);
    EXPECT_EQ(bnq_file_verify(nullptr, file, nullptr, nullptr), BNQ_OK)
        << bnq_last_error();
    bnq_file_close(file);
  }
  bnq_context_destroy(reading);
  bnq_file* file = nullptr;
  Expect(bnq_file_open(nullptr, Path("m").c_str(), 8, &file),
         BNQ_ERROR_INVALID_ARGUMENT, "flags = 8");
  Expect(bnq_file_open(nullptr, Path("m").c_str(),
                       BNQ_OPEN_SOURCE | BNQ_OPEN_RAW, &file),
         BNQ_ERROR_INVALID_ARGUMENT, "flags = 6");
}

// Experts of a gpt_oss: [experts, in, out], rows of gate and up take turns.
TEST_F(Files, AreOpenedAsTheyAreQuantized) {
  const std::string config = R"({"model_type": "gpt_oss", "hidden_size": 2})";
  ASSERT_EQ(bnq_write_file(nullptr, Path("config.json").c_str(), config.data(),
                           config.size(), 0),
            BNQ_OK);
  const float values[] = {0, 1, 2, 3, 4, 5, 6, 7};
  const uint64_t shape[] = {1, 2, 4};
  const bnq_array array = {values, shape, BNQ_DTYPE_F32, 3};
  const std::string path = Path("model.safetensors");
  bnq_writer* writer = nullptr;
  ASSERT_EQ(bnq_writer_create(nullptr, path.c_str(), BNQ_FILE_SAFETENSORS, 0, 0,
                              &writer),
            BNQ_OK);
  ASSERT_EQ(bnq_writer_add_array(writer, "m.experts.gate_up_proj", &array),
            BNQ_OK);
  ASSERT_EQ(bnq_writer_finish(writer), BNQ_OK);
  bnq_writer_destroy(writer);
  bnq_file* file = nullptr;
  ASSERT_EQ(bnq_file_open(nullptr, path.c_str(), BNQ_OPEN_SOURCE, &file),
            BNQ_OK);
  EXPECT_EQ(bnq_file_count(file), 2u);
  uint64_t index = 0;
  ASSERT_EQ(bnq_file_find(file, "m.experts.0.up_proj.weight", &index), BNQ_OK);
  EXPECT_STREQ(bnq_file_same_as(file, index), "");
  EXPECT_EQ(bnq_file_same_as(file, 2), nullptr);
  float up[4];
  ASSERT_EQ(bnq_file_read(nullptr, file, index, up, sizeof up), BNQ_OK);
  const float expected[] = {1, 5, 3, 7};
  EXPECT_TRUE(std::equal(up, up + 4, expected));
  const void* data = nullptr;
  uint64_t bytes = 0;
  Expect(bnq_file_data(file, index, &data, &bytes), BNQ_ERROR_UNSUPPORTED,
         "not in one piece");
  bnq_file_close(file);
}

TEST_F(Files, BytesAreWrittenWholeOrNotAtAll) {
  const std::string path = Path("out.svg");
  ASSERT_EQ(bnq_write_file(nullptr, path.c_str(), "new", 3, BNQ_WRITE_DRY_RUN),
            BNQ_OK);
  EXPECT_EQ(Count(), 0u);
  ASSERT_EQ(bnq_write_file(nullptr, path.c_str(), "old", 3, 0), BNQ_OK);
  Expect(bnq_write_file(nullptr, path.c_str(), "new", 3, 0), BNQ_ERROR_EXISTS,
         "out.svg");
  Expect(bnq_write_file(nullptr, path.c_str(), "new", 3, BNQ_WRITE_DRY_RUN),
         BNQ_ERROR_EXISTS, "out.svg");
  EXPECT_EQ(Read("out.svg"), "old");
  // A link at a name that could have been foreseen is not followed.
  std::filesystem::create_symlink(path, Path("two.part"));
  ASSERT_EQ(bnq_write_file(nullptr, Path("two").c_str(), "x", 1, 0), BNQ_OK);
  EXPECT_EQ(Read("out.svg"), "old");
  ASSERT_EQ(bnq_write_file(nullptr, path.c_str(), "", 0, BNQ_WRITE_OVERWRITE),
            BNQ_OK);
  EXPECT_EQ(Read("out.svg"), "");
  ASSERT_EQ(
      bnq_write_file(nullptr, path.c_str(), nullptr, 0, BNQ_WRITE_OVERWRITE),
      BNQ_OK);
  Expect(bnq_write_file(nullptr, path.c_str(), nullptr, 1, BNQ_WRITE_OVERWRITE),
         BNQ_ERROR_INVALID_ARGUMENT, "data is NULL");
  Expect(bnq_write_file(nullptr, nullptr, "x", 1, 0),
         BNQ_ERROR_INVALID_ARGUMENT, "path");
  Expect(bnq_write_file(nullptr, path.c_str(), "x", 1, BNQ_WRITE_COMPRESS),
         BNQ_ERROR_INVALID_ARGUMENT, "flags = 2");
  Expect(bnq_write_file(nullptr, directory_.c_str(), "x", 1, 0), BNQ_ERROR_IO,
         "directory");
  EXPECT_EQ(Count(), 3u);
}

TEST_F(Files, OutputsAreHeldUntilTheyArePlaced) {
  const auto hold = [] {
    bnq_context* context = nullptr;
    EXPECT_EQ(bnq_context_create(nullptr, &context), BNQ_OK);
    EXPECT_EQ(bnq_context_hold_outputs(context), BNQ_OK);
    return context;
  };
  const auto write = [&](bnq_context* context, const char* name,
                         const char* text) {
    return bnq_write_file(context, Path(name).c_str(), text, 3,
                          *name == 'n' ? 0 : BNQ_WRITE_OVERWRITE);
  };
  ASSERT_EQ(write(nullptr, "old", "old"), BNQ_OK);
  bnq_context* context = hold();
  ASSERT_EQ(write(context, "old", "one"), BNQ_OK);
  ASSERT_EQ(write(context, "new", "two"), BNQ_OK);
  EXPECT_EQ(Read("old"), "old");
  EXPECT_FALSE(std::filesystem::exists(Path("new")));
  EXPECT_EQ(Count(), 3u);
  ASSERT_EQ(bnq_context_place_outputs(context), BNQ_OK);
  EXPECT_EQ(Read("old") + Read("new"), "onetwo");
  EXPECT_EQ(Count(), 2u);
  // A held model file, and a context that ends before it is placed.
  bnq_writer* writer = nullptr;
  ASSERT_EQ(bnq_writer_create(context, Path("model").c_str(), BNQ_FILE_BNQ, 0,
                              0, &writer),
            BNQ_OK);
  Fill(writer, BNQ_FILE_BNQ);
  bnq_writer_destroy(writer);
  EXPECT_FALSE(std::filesystem::exists(Path("model")));
  EXPECT_EQ(Count(), 3u);
  bnq_context_destroy(context);
  EXPECT_EQ(Count(), 2u);
  // One that has appeared meanwhile.
  context = hold();
  for (const char* name : {"other", "next", "old"}) {
    ASSERT_EQ(write(context, name, "abc"), BNQ_OK);
  }
  ASSERT_EQ(write(nullptr, "next", "who"), BNQ_OK);
  Expect(bnq_context_place_outputs(context), BNQ_ERROR_EXISTS, "next");
  EXPECT_EQ(Read("next") + Read("old"), "whoone");
  EXPECT_FALSE(std::filesystem::exists(Path("other")));
  EXPECT_EQ(bnq_context_place_outputs(context), BNQ_OK);
  bnq_context_destroy(context);
  EXPECT_EQ(Count(), 3u);
}

TEST_F(Files, ALinkIsReplacedOnRequest) {
  const std::string link = Path("link"), target = Path("target");
  std::filesystem::create_symlink(target, link);
  // It is there, though it leads nowhere.
  Expect(bnq_write_file(nullptr, link.c_str(), "x", 1, BNQ_WRITE_REPLACE_LINK),
         BNQ_ERROR_EXISTS, "link");
  ASSERT_EQ(bnq_write_file(nullptr, target.c_str(), "old", 3, 0), BNQ_OK);
  ASSERT_EQ(bnq_write_file(nullptr, link.c_str(), "new", 3,
                           BNQ_WRITE_REPLACE_LINK | BNQ_WRITE_OVERWRITE),
            BNQ_OK);
  EXPECT_EQ(Read("link") + Read("target"), "newold");
  EXPECT_FALSE(std::filesystem::is_symlink(link));
  EXPECT_EQ(Count(), 2u);
}

}  // namespace
