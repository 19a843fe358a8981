// Files and writers through the C ABI.
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <vector>

#include "tests/capi/capi_test_util.h"

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
                                BNQ_WRITE_OVERWRITE, &file),
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

TEST_F(Files, BytesAreWrittenWholeOrNotAtAll) {
  const std::string path = Path("out.svg");
  ASSERT_EQ(bnq_write_file(path.c_str(), "new", 3, BNQ_WRITE_DRY_RUN), BNQ_OK);
  EXPECT_EQ(Count(), 0u);
  ASSERT_EQ(bnq_write_file(path.c_str(), "old", 3, 0), BNQ_OK);
  Expect(bnq_write_file(path.c_str(), "new", 3, 0), BNQ_ERROR_EXISTS,
         "out.svg");
  Expect(bnq_write_file(path.c_str(), "new", 3, BNQ_WRITE_DRY_RUN),
         BNQ_ERROR_EXISTS, "out.svg");
  EXPECT_EQ(Read("out.svg"), "old");
  // A link at a name that could have been foreseen is not followed.
  std::filesystem::create_symlink(path, Path("two.part"));
  ASSERT_EQ(bnq_write_file(Path("two").c_str(), "x", 1, 0), BNQ_OK);
  EXPECT_EQ(Read("out.svg"), "old");
  ASSERT_EQ(bnq_write_file(path.c_str(), "", 0, BNQ_WRITE_OVERWRITE), BNQ_OK);
  EXPECT_EQ(Read("out.svg"), "");
  ASSERT_EQ(bnq_write_file(path.c_str(), nullptr, 0, BNQ_WRITE_OVERWRITE),
            BNQ_OK);
  Expect(bnq_write_file(path.c_str(), nullptr, 1, BNQ_WRITE_OVERWRITE),
         BNQ_ERROR_INVALID_ARGUMENT, "data is NULL");
  Expect(bnq_write_file(nullptr, "x", 1, 0), BNQ_ERROR_INVALID_ARGUMENT,
         "path");
  Expect(bnq_write_file(path.c_str(), "x", 1, BNQ_WRITE_COMPRESS),
         BNQ_ERROR_INVALID_ARGUMENT, "flags = 2");
  Expect(bnq_write_file(directory_.c_str(), "x", 1, 0), BNQ_ERROR_IO,
         "directory");
  EXPECT_EQ(Count(), 3u);
}

}  // namespace
