// Files of other ecosystems (tests/golden/interchange) read as they must, and
// damaged ones do no harm.
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "capi_test_util.h"
#include "tests/support/sweep.h"

namespace bnq_test {
namespace {

using File = std::unique_ptr<bnq_file, decltype(&bnq_file_close)>;
namespace fs = std::filesystem;

const fs::path kFolder = fs::path(BNQ_TEST_GOLDEN) / "interchange";

struct Case {
  std::string name, i2_s;
  fs::path path, expected;
};

std::vector<Case> Cases() {
  std::ifstream in(kFolder / "manifest.json");
  std::vector<Case> cases;
  for (const auto& row : nlohmann::json::parse(in)) {
    cases.push_back({row["name"], row["options"].value("i2_s", ""),
                     kFolder / std::string(row["path"]),
                     kFolder / std::string(row["expected"])});
  }
  EXPECT_GT(cases.size(), 30u);
  return cases;
}

File Open(const fs::path& path) {
  bnq_file* file = nullptr;
  bnq_file_open(nullptr, path.string().c_str(), 0, &file);
  return File(file, bnq_file_close);
}

// A folder of this test's own, which goes with the object.
struct Folder {
  Folder() : path(fs::temp_directory_path() / "bnq_foreign_files") {
    path += "_" + std::to_string(reinterpret_cast<uintptr_t>(this));
    fs::create_directories(path);
  }
  ~Folder() { fs::remove_all(path); }
  fs::path path;
};

// What files do not say is said to an import. The path of its output.
fs::path Import(const Case& row, const Folder& folder) {
  bnq_interchange* options = nullptr;
  EXPECT_EQ(bnq_interchange_create(&options), BNQ_OK);
  EXPECT_EQ(bnq_options_set_text(bnq_interchange_settings(options), "i2_s",
                                 row.i2_s.c_str()),
            BNQ_OK)
      << bnq_last_error();
  const fs::path output = folder.path / (row.name + ".bnq");
  EXPECT_EQ(
      bnq_import_file(nullptr, options, row.path.string().c_str(),
                      output.string().c_str(), 0, 0, nullptr, nullptr, nullptr),
      BNQ_OK)
      << bnq_last_error();
  bnq_interchange_destroy(options);
  return output;
}

// The values of a quantized tensor as float32, the bytes of another one. Empty
// where they cannot be had.
std::vector<uint8_t> Values(const bnq_file* file, uint64_t i) {
  if (bnq_file_format(file, i) == BNQ_FORMAT_NONE) {
    std::vector<uint8_t> bytes(bnq_file_bytes(file, i));
    const bool read =
        bnq_file_read(nullptr, file, i, bytes.data(), bytes.size()) == BNQ_OK;
    return read ? bytes : std::vector<uint8_t>();
  }
  uint64_t shape[BNQ_MAX_RANK], count = 1;
  const int32_t rank = bnq_file_shape(file, i, shape);
  for (int32_t d = 0; d < rank; ++d) count *= shape[d];
  bnq_tensor* tensor = nullptr;
  if (bnq_file_tensor(nullptr, file, i, &tensor) != BNQ_OK) return {};
  std::vector<uint8_t> values(count * sizeof(float));
  if (bnq_tensor_dequantize(nullptr, tensor, BNQ_DTYPE_F32, BNQ_OVERFLOW_ERROR,
                            values.data(), values.size()) != BNQ_OK) {
    values.clear();
  }
  bnq_tensor_destroy(tensor);
  return values;
}

TEST(ForeignFiles, AreReadToTheLastBit) {
  const Folder folder;
  for (const Case& row : Cases()) {
    SCOPED_TRACE(row.name);
    const File expected = Open(row.expected);
    const File file = Open(row.i2_s.empty() ? row.path : Import(row, folder));
    ASSERT_TRUE(file) << bnq_last_error();
    ASSERT_EQ(bnq_file_count(file.get()), bnq_file_count(expected.get()));
    for (uint64_t i = 0; i < bnq_file_count(expected.get()); ++i) {
      SCOPED_TRACE(bnq_file_name(expected.get(), i));
      ASSERT_STREQ(bnq_file_name(file.get(), i),
                   bnq_file_name(expected.get(), i));
      uint64_t shape[BNQ_MAX_RANK] = {}, its_shape[BNQ_MAX_RANK] = {};
      EXPECT_EQ(bnq_file_shape(file.get(), i, its_shape),
                bnq_file_shape(expected.get(), i, shape));
      EXPECT_EQ(0, std::memcmp(its_shape, shape, sizeof shape));
      const auto values = Values(file.get(), i);
      EXPECT_FALSE(values.empty()) << bnq_last_error();
      EXPECT_EQ(values, Values(expected.get(), i));
    }
  }
}

// A copy of a case that is damaged again and again, and read each time.
class Damaged {
 public:
  explicit Damaged(const Case& row) {
    const bool is_folder = fs::is_directory(row.path);
    copy_ = folder_.path / row.path.filename();
    fs::copy(is_folder ? row.path : row.path.parent_path(),
             is_folder ? copy_ : folder_.path, fs::copy_options::recursive);
    weights_ = is_folder ? copy_ / "model.safetensors" : copy_;
    std::ifstream in(weights_, std::ios::binary);
    bytes_.assign(std::istreambuf_iterator<char>(in), {});
  }

  const std::string& bytes() const { return bytes_; }
  // Of what tells what the data are; the rest of them tells nothing.
  size_t header() const {
    if (bytes_.compare(0, 4, "GGUF") != 0) {
      uint64_t length = 0;
      std::memcpy(&length, bytes_.data(), sizeof length);
      return 8 + length;
    }
    return std::min<size_t>(bytes_.size(), 4096);
  }

  // Whether the file opens with these bytes; all that is in it is read.
  bool Reads(const std::string& bytes) {
    // Written anew: what is mapped is never cut.
    fs::remove(weights_);
    std::ofstream(weights_, std::ios::binary) << bytes;
    const File file = Open(copy_);
    if (!file) {
      EXPECT_STRNE(bnq_last_error(), "");
      return false;
    }
    for (uint64_t i = 0; i < bnq_file_count(file.get()); ++i) {
      Values(file.get(), i);
    }
    return true;
  }

 private:
  Folder folder_;
  fs::path copy_, weights_;
  std::string bytes_;
};

TEST(ForeignFiles, CutAnywhereAreErrors) {
  for (const Case& row : Cases()) {
    if (!row.i2_s.empty()) continue;  // which opening says nothing of
    SCOPED_TRACE(row.name);
    Damaged damaged(row);
    ASSERT_TRUE(damaged.Reads(damaged.bytes())) << bnq_last_error();
    // Zeros that only fill a GGUF file up to its alignment may be missing.
    const size_t needed = damaged.bytes().find_last_not_of('\0') + 1;
    Sweep sweep;
    for (size_t size = 0; size < needed; ++size) {
      if (!sweep.Take() || (size > damaged.header() && size % 16 != 1))
        continue;
      EXPECT_FALSE(damaged.Reads(damaged.bytes().substr(0, size))) << size;
    }
  }
}

TEST(ForeignFiles, WithDamagedHeadersDoNoHarm) {
  for (const Case& row : Cases()) {
    SCOPED_TRACE(row.name);
    Damaged damaged(row);
    Sweep sweep;
    for (size_t i = 0; i < damaged.header(); ++i) {
      if (!sweep.Take()) continue;
      std::string bytes = damaged.bytes();
      for (const int change : {0x01, 0x80, 0xFF}) {
        bytes[i] = static_cast<char>(damaged.bytes()[i] ^ change);
        damaged.Reads(bytes);  // or says why not
      }
    }
  }
}

}  // namespace
}  // namespace bnq_test
