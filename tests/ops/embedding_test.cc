#include "core/ops/embedding.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/tensor/quantize.h"

namespace bnq {
namespace {

// Rows in any order and number are those of the dequantized table.
TEST(Embedding, RowsAreThoseOfTheTable) {
  const uint64_t rows = 7, columns = 50;
  std::vector<float> w(rows * columns), all(w.size()), one(columns);
  for (size_t i = 0; i < w.size(); ++i) {
    w[i] = static_cast<float>(i * 37 % 101) - 50.0f;
  }
  ArrayView view;
  view.data = reinterpret_cast<const uint8_t*>(w.data());
  view.shape.rank = 2;
  view.shape.dims[0] = rows;
  view.shape.dims[1] = columns;
  for (const char* config :
       {"nf4,granularity=group,group_size=32", "ternary,packing=base3",
        "int5,granularity=channel,axis=1", "int8,scheme=offset", "bf16"}) {
    const auto table = Quantize(Context(), Config::FromText(config), view);
    Dequantizer(Context(), *table)
        .Decode(0, all.size(), DType::kF32, false,
                reinterpret_cast<uint8_t*>(all.data()));
    const int64_t indices[] = {6, 0, 3, 3};
    // Rows apart, as of a larger matrix.
    std::vector<float> y(4 * (columns + 3), -1.0f);
    Matrix out;
    out.data = reinterpret_cast<uint8_t*>(y.data());
    out.rows = 4;
    out.columns = columns;
    out.stride = 4 * (columns + 3);
    Embed(Context(), *table, indices, 4, out);
    for (uint64_t i = 0; i < 4; ++i) {
      for (uint64_t k = 0; k < columns + 3; ++k) {
        ASSERT_EQ(y[i * (columns + 3) + k],
                  k < columns ? all[indices[i] * columns + k] : -1.0f)
            << config << ", row " << i << ", column " << k;
      }
    }
    const int64_t wrong[] = {0, 7, 0, 0};
    std::fill(y.begin(), y.end(), -1.0f);
    try {
      Embed(Context(), *table, wrong, 4, out);
      FAIL() << "7 is none of 7 rows";
    } catch (const Error& error) {
      EXPECT_EQ(error.message(), "index 1 = 7, must be 0 to 6");
    }
    EXPECT_EQ(y, std::vector<float>(y.size(), -1.0f));
  }
}

}  // namespace
}  // namespace bnq
