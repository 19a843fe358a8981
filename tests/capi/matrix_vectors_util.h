// What the tests of the shared vectors of operators share: matrices.
#ifndef BNQ_TESTS_CAPI_MATRIX_VECTORS_UTIL_H_
#define BNQ_TESTS_CAPI_MATRIX_VECTORS_UTIL_H_

#include <string>
#include <utility>
#include <vector>

#include "tests/capi/vectors_test_util.h"

namespace bnq_test {

inline int32_t DTypeOf(const json& name) {
  int32_t dtype = 0;
  EXPECT_EQ(bnq_dtype_id(name.get<std::string>().c_str(), &dtype), BNQ_OK);
  return dtype;
}

// The bytes of a list: numbers, codes, or bits in hexadecimal.
inline std::vector<uint8_t> BytesOf(const json& list, int32_t dtype) {
  const size_t size = bnq_dtype_bits(dtype) / 8;
  std::vector<uint8_t> bytes(list.size() * size);
  for (size_t i = 0; i < list.size(); ++i) {
    uint32_t bits = 0;
    if (size == 1) {
      bits = static_cast<uint32_t>(list[i].get<int>());
    } else if (list[i].is_number()) {
      const float value = static_cast<float>(list[i].get<double>());
      std::memcpy(&bits, &value, sizeof bits);
      // Exactly, as the inputs of vectors are normal numbers of their types.
      if (dtype == BNQ_DTYPE_BF16) bits >>= 16;
      if (dtype == BNQ_DTYPE_F16) {
        const uint32_t sign = bits >> 16 & 0x8000;
        bits &= 0x7FFFFFFF;
        bits = sign | (bits != 0 ? (bits >> 13) - (112u << 10) : 0);
      }
    } else {
      const std::string text = list[i];
      bits = text == "nan"   ? 0x7FC00000u
             : text == "inf" ? 0x7F800000u
             : text == "-inf"
                 ? 0xFF800000u
                 : static_cast<uint32_t>(std::stoul(text, nullptr, 16));
    }
    for (size_t b = 0; b < size; ++b) {
      bytes[i * size + b] = static_cast<uint8_t>(bits >> 8 * b);
    }
  }
  return bytes;
}

// A matrix and what it points to.
struct Operand {
  Operand(const json& c, const std::string& prefix, std::vector<uint8_t> data)
      : bytes(std::move(data)) {
    matrix.rows = c.at("shape")[0];
    matrix.columns = c.at("shape")[1];
    matrix.dtype = DTypeOf(c.at(prefix + "dtype"));
    matrix.data = bytes.data();
    // They may be null: those of the operator, and 0.
    const json none;
    scales = Numbers(c.value(prefix + "scales", none));
    for (const json& z : c.value(prefix + "zero_points", none)) {
      zero_points.push_back(z);
    }
    matrix.scales = scales.empty() ? nullptr : scales.data();
    matrix.zero_points = zero_points.empty() ? nullptr : zero_points.data();
  }
  std::vector<uint8_t> bytes;
  std::vector<float> scales;
  std::vector<int32_t> zero_points;
  bnq_matrix matrix = {};
};

}  // namespace bnq_test

#endif  // BNQ_TESTS_CAPI_MATRIX_VECTORS_UTIL_H_
