// GGUF files put together field by field, right or wrong.
#ifndef BNQ_TESTS_IO_GGUF_RAW_H_
#define BNQ_TESTS_IO_GGUF_RAW_H_

#include <string>
#include <vector>

#include "core/io/gguf_value.h"
#include "tests/io/io_test_util.h"

namespace bnq {

inline std::string GgufRawString(const std::string& text) {
  std::string out;
  AppendLE<uint64_t>(text.size(), &out);
  return out + text;
}

struct GgufRawTensor {
  std::string name;
  std::vector<uint64_t> dims;  // as the file has them
  uint32_t type = 0;
  uint64_t offset = 0;
};

struct GgufRaw {
  std::string magic = "GGUF";
  uint32_t version = 3;
  std::vector<std::pair<std::string, std::string>> keys;  // texts
  std::vector<GgufRawTensor> tensors;
  std::string data;
  uint64_t alignment = 32;
  uint64_t num_keys = UINT64_MAX, num_tensors = UINT64_MAX;  // of the lists

  std::string Header() const {
    std::string out = magic;
    AppendLE<uint32_t>(version, &out);
    AppendLE<uint64_t>(num_tensors == UINT64_MAX ? tensors.size() : num_tensors,
                       &out);
    AppendLE<uint64_t>(num_keys == UINT64_MAX ? keys.size() : num_keys, &out);
    for (const auto& [key, text] : keys) {
      out += GgufRawString(key) + GgufValueOf(text);
    }
    for (const GgufRawTensor& tensor : tensors) {
      out += GgufRawString(tensor.name);
      AppendLE<uint32_t>(static_cast<uint32_t>(tensor.dims.size()), &out);
      for (const uint64_t d : tensor.dims) AppendLE<uint64_t>(d, &out);
      AppendLE<uint32_t>(tensor.type, &out);
      AppendLE<uint64_t>(tensor.offset, &out);
    }
    return out;
  }
  std::string Bytes() const {
    std::string out = Header();
    out.resize((out.size() + alignment - 1) / alignment * alignment, '\0');
    return out + data;
  }
};

}  // namespace bnq

#endif  // BNQ_TESTS_IO_GGUF_RAW_H_
