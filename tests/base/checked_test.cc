#include "core/base/checked.h"

#include <gtest/gtest.h>

namespace bnq {
namespace {

// At the edges, against 128 bits.
TEST(Checked, AgreesWithWiderArithmetic) {
#ifndef __SIZEOF_INT128__
  GTEST_SKIP() << "no integers of 128 bits";
#else
  __extension__ using Wide = unsigned __int128;
  const uint64_t edges[] = {0,
                            1,
                            2,
                            3,
                            uint64_t{1} << 31,
                            UINT32_MAX,
                            uint64_t{1} << 32,
                            (uint64_t{1} << 32) + 1,
                            UINT64_MAX / 3,
                            UINT64_MAX / 2,
                            UINT64_MAX / 2 + 1,
                            UINT64_MAX - 1,
                            UINT64_MAX};
  for (uint64_t a : edges) {
    for (uint64_t b : edges) {
      const Wide sum = Wide{a} + b, product = Wide{a} * b;
      uint64_t out = 12345;
      EXPECT_EQ(TryAdd(a, b, &out), sum <= UINT64_MAX);
      EXPECT_EQ(out, sum <= UINT64_MAX ? static_cast<uint64_t>(sum) : 12345);
      out = 12345;
      EXPECT_EQ(TryMul(a, b, &out), product <= UINT64_MAX) << a << " * " << b;
      EXPECT_EQ(out,
                product <= UINT64_MAX ? static_cast<uint64_t>(product) : 12345);
      if (b != 0) {
        EXPECT_EQ(DivCeil(a, b), static_cast<uint64_t>((Wide{a} + b - 1) / b));
      }
    }
  }
#endif
}

TEST(Checked, FailuresNameTheQuantity) {
  for (auto* f : {&CheckedAdd, &CheckedMul}) {
    EXPECT_EQ(f(6, 7, "bytes"), f == &CheckedAdd ? 13u : 42u);
    try {
      f(UINT64_MAX, 2, "bytes");
      FAIL();
    } catch (const Error& e) {
      EXPECT_EQ(e.status(), Status::kInvalidArgument);
      EXPECT_EQ(e.message(), "bytes overflows 64 bits");
    }
  }
  EXPECT_EQ(ToSize(5, "n"), 5u);
}

}  // namespace
}  // namespace bnq
