// What the tests of core/model share.
#ifndef BNQ_TESTS_MODEL_MODEL_TEST_UTIL_H_
#define BNQ_TESTS_MODEL_MODEL_TEST_UTIL_H_

#include <cstdint>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "core/model/model_writer.h"
#include "tests/io/io_test_util.h"

namespace bnq {

// An array's bytes, where and how it is.
struct TestArray {
  // float32
  TestArray(std::vector<uint64_t> dims, const std::vector<float>& values)
      : TestArray(DType::kF32, std::move(dims), values) {}
  template <class T>
  TestArray(DType type, std::vector<uint64_t> sides,
            const std::vector<T>& values)
      : dtype(type), dims(std::move(sides)), bytes(values.size() * sizeof(T)) {
    if (!bytes.empty()) {
      std::memcpy(bytes.data(), values.data(), bytes.size());
    }
  }

  ArrayView view() const {
    ArrayView view;
    view.data = bytes.data();
    view.dtype = dtype;
    view.shape = Shape::Make(static_cast<int32_t>(dims.size()), dims.data());
    return view;
  }

  DType dtype;
  std::vector<uint64_t> dims;
  std::vector<uint8_t> bytes;
};

using TestModel = std::map<std::string, TestArray>;

class ModelTest : public TempDirTest {
 protected:
  static WriteOptions Overwrite() {
    WriteOptions options;
    options.overwrite = true;
    return options;
  }
  // A file of plain arrays; its path.
  std::string Write(const TestModel& model,
                    const std::string& name = "in.safetensors",
                    FileKind kind = FileKind::kSafetensors) {
    ModelWriter writer(context_, Path(name), kind, Overwrite());
    for (const auto& item : model) {
      writer.AddArray(item.first, item.second.view());
    }
    writer.Finish();
    return Path(name);
  }

  const Context context_;
};

}  // namespace bnq

#endif  // BNQ_TESTS_MODEL_MODEL_TEST_UTIL_H_
