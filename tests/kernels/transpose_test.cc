#include "core/kernels/transpose.h"

#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <vector>

#include "tests/support/guarded.h"
#include "tests/support/targets.h"

namespace bnq {
namespace {

struct Shape {
  size_t rows, columns, first;
};
constexpr Shape kShapes[] = {{1, 1, 0},   {16, 16, 0}, {3, 40, 1},  {17, 5, 0},
                             {33, 31, 2}, {64, 16, 3}, {20, 49, 0}, {16, 1, 0},
                             {0, 5, 0},   {16, 64, 0}, {35, 130, 1}};

// Rows that end where memory does, to columns.
void Compare(const Shape& shape, size_t element, bool may_write) {
  const size_t bytes = (shape.first + shape.columns) * element;
  std::vector<std::unique_ptr<bnq_test::Guarded>> memory;
  std::vector<const uint8_t*> rows;
  for (size_t r = 0; r < shape.rows; ++r) {
    memory.push_back(std::make_unique<bnq_test::Guarded>(bytes));
    for (size_t i = 0; i < bytes; ++i) {
      memory[r]->data()[i] = static_cast<uint8_t>(r * 37 + i * 11 + i / 256);
    }
    rows.push_back(memory[r]->data());
  }
  TransposeArgs args;
  args.rows = rows.data();
  args.num_rows = shape.rows;
  args.first = shape.first;
  args.columns = shape.columns;
  args.element = element;
  args.may_write = may_write;
  // Between rows there is what must stay, or room.
  args.out_stride =
      shape.rows * element + (may_write ? kTransposeWrites : size_t{3});
  const bnq_test::Guarded out(shape.columns * args.out_stride -
                              (may_write || shape.rows == 0 ? 0 : 3));
  const size_t size = shape.columns * args.out_stride - 3;
  std::memset(out.data(), 0xA5, size);
  args.out = out.data();
  Transpose(args);
  for (size_t j = 0; j < shape.columns; ++j) {
    for (size_t r = 0; r < shape.rows; ++r) {
      ASSERT_EQ(std::memcmp(out.data() + j * args.out_stride + r * element,
                            rows[r] + (shape.first + j) * element, element),
                0)
          << shape.rows << " x " << shape.columns << ", element " << element
          << ", " << r << ", " << j;
    }
    if (may_write || j + 1 == shape.columns) continue;
    for (size_t i = 0; i < 3; ++i) {
      ASSERT_EQ(out.data()[(j + 1) * args.out_stride - 3 + i], 0xA5);
    }
  }
}

TEST(Transpose, ReadsAndWritesItsElementsAlone) {
  bnq_test::ForEachTarget([] {
    for (const Shape& shape : kShapes) {
      for (const size_t element : {1, 2, 4}) {
        for (const bool may_write : {false, true}) {
          Compare(shape, element, may_write);
        }
      }
    }
  });
}

}  // namespace
}  // namespace bnq
