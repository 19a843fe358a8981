#include "core/base/shape.h"

#include <gtest/gtest.h>

#include <vector>

#include "core/base/error.h"

namespace bnq {
namespace {

Shape Dims(const std::vector<uint64_t>& dims) {
  return Shape::Make(static_cast<int32_t>(dims.size()), dims.data());
}

TEST(Shape, IsAMatrix) {
  struct Row {
    std::vector<uint64_t> dims;
    uint64_t elements, rows, columns;
    const char* text;
  };
  const Row rows[] = {
      {{}, 1, 1, 1, "[]"},
      {{5}, 5, 1, 5, "[5]"},
      {{0}, 0, 1, 0, "[0]"},
      {{2, 3}, 6, 2, 3, "[2, 3]"},
      {{4, 3, 5}, 60, 4, 15, "[4, 3, 5]"},
      {{4, 0, 5}, 0, 4, 0, "[4, 0, 5]"},
      {{0, 7}, 0, 0, 7, "[0, 7]"},
      {{1, 2, 3, 4, 5, 6, 7, 8}, 40320, 1, 40320, "[1, 2, 3, 4, 5, 6, 7, 8]"},
  };
  for (const Row& row : rows) {
    const Shape shape = Dims(row.dims);
    EXPECT_EQ(shape.elements(), row.elements) << row.text;
    EXPECT_EQ(shape.rows(), row.rows) << row.text;
    EXPECT_EQ(shape.columns(), row.columns) << row.text;
    EXPECT_EQ(shape.ToString(), row.text);
    for (const Row& other : rows) {
      EXPECT_EQ(shape == Dims(other.dims), &row == &other);
    }
  }
}

TEST(Shape, RefusesWhatCannotBe) {
  const std::vector<uint64_t> ones(9, 1);
  const uint64_t big[] = {uint64_t{1} << 32, uint64_t{1} << 29};
  for (int32_t rank : {-1, 9, INT32_MAX, INT32_MIN}) {
    EXPECT_THROW(Shape::Make(rank, ones.data()), Error) << rank;
  }
  EXPECT_THROW(Shape::Make(1, nullptr), Error);
  EXPECT_NO_THROW(Shape::Make(0, nullptr));
  // Elements times 8 bytes must fit 64 bits.
  EXPECT_THROW(Shape::Make(2, big), Error);
  EXPECT_EQ(Dims({uint64_t{1} << 32, (uint64_t{1} << 29) - 1}).elements(),
            (uint64_t{1} << 61) - (uint64_t{1} << 32));
}

TEST(Shape, BytesOfEveryType) {
  uint64_t bytes = 0;
  for (int32_t id = 1; const DTypeInfo* info = FindDType(id); ++id) {
    ASSERT_TRUE(TryByteSize(Dims({8, 3}), info->dtype, &bytes));
    EXPECT_EQ(bytes, 3 * info->bits) << info->name;
    // 3 elements of 4 or 6 bits do not fill bytes.
    EXPECT_EQ(TryByteSize(Dims({3}), info->dtype, &bytes), info->bits % 8 == 0)
        << info->name;
    bytes = 1;
    EXPECT_TRUE(TryByteSize(Dims({3, 0}), info->dtype, &bytes));
    EXPECT_EQ(bytes, 0u);
  }
  Shape huge;
  huge.rank = 1;
  huge.dims[0] = uint64_t{1} << 60;
  EXPECT_FALSE(TryByteSize(huge, DType::kF32, &bytes));
}

}  // namespace
}  // namespace bnq
