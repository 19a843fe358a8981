#include "core/io/deflate.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <new>
#include <string>

#include "tests/io/io_test_util.h"

namespace bnq {
namespace {

const uint8_t* Bytes(const std::string& text) {
  return reinterpret_cast<const uint8_t*>(text.data());
}

std::string Compress(Deflater* deflater, const std::string& raw) {
  const std::unique_ptr<uint8_t[]> out(new uint8_t[raw.size()]);
  const size_t n = deflater->Compress(Bytes(raw), raw.size(), out.get());
  return std::string(reinterpret_cast<const char*>(out.get()), n);
}

bool Expand(Inflater* inflater, const std::string& packed, size_t size,
            std::string* raw) {
  const std::unique_ptr<uint8_t[]> out(new uint8_t[size]);
  const bool good =
      inflater->Expand(Bytes(packed), packed.size(), out.get(), size);
  raw->assign(reinterpret_cast<const char*>(out.get()), size);
  return good;
}

TEST(Deflate, RoundTripsAndReusesItsState) {
  Deflater deflater((Allocator()));
  Inflater inflater((Allocator()));
  std::string out;
  for (int repeat = 0; repeat < 2; ++repeat) {
    for (const std::string& raw : {Weights(100), Weights(65536), Weights(65537),
                                   Weights(1 << 20), std::string(1 << 20, 'x'),
                                   Weights(70000) + std::string(9999, '\0')}) {
      const std::string packed = Compress(&deflater, raw);
      ASSERT_GT(packed.size(), 0u);
      ASSERT_LT(packed.size(), raw.size());
      ASSERT_TRUE(Expand(&inflater, packed, raw.size(), &out));
      EXPECT_EQ(out, raw);
      EXPECT_FALSE(Expand(&inflater, packed, raw.size() - 1, &out));
      EXPECT_FALSE(Expand(&inflater, packed, raw.size() + 1, &out));
      EXPECT_FALSE(Expand(&inflater, packed + "x", raw.size(), &out));
      EXPECT_FALSE(Expand(&inflater, packed.substr(0, packed.size() - 1),
                          raw.size(), &out));
      EXPECT_EQ(Compress(&deflater, raw), packed);
    }
  }
}

TEST(Deflate, WhatDoesNotShrinkIsLeftAlone) {
  Deflater deflater((Allocator()));
  for (const std::string& raw :
       {std::string(), std::string("a"), std::string("ab"), Noise(1000),
        Noise(1 << 20)}) {
    EXPECT_EQ(Compress(&deflater, raw), "");
  }
}

TEST(Deflate, FindsRepetitionsAndUnevenDistributions) {
  Deflater deflater((Allocator()));
  std::string repeated;
  for (int i = 0; i < 1000; ++i) repeated += Noise(1000);
  EXPECT_LT(Compress(&deflater, repeated).size(), 20000u);
  const std::string weights = Weights(1 << 20);
  // 5.4 bits of entropy a byte.
  EXPECT_LT(Compress(&deflater, weights).size(), weights.size() * 3 / 4);
}

TEST(Deflate, UsesTheAllocatorAndReportsItsFailure) {
  static int live;
  static int allowed;
  live = 0;
  Allocator allocator;
  allocator.alloc = [](void*, uint64_t bytes) -> void* {
    if (allowed-- <= 0) return nullptr;
    ++live;
    return std::malloc(static_cast<size_t>(bytes));
  };
  allocator.free = [](void*, void* p) {
    --live;
    std::free(p);
  };
  int failures = 0;
  for (int n = 0;; ++n) {
    allowed = n;
    try {
      Deflater deflater(allocator);
      Inflater inflater(allocator);
      std::string out;
      EXPECT_TRUE(
          Expand(&inflater, Compress(&deflater, Weights(1000)), 1000, &out));
      break;
    } catch (const std::bad_alloc&) {
      ++failures;
    }
    EXPECT_EQ(live, 0);
  }
  EXPECT_GT(failures, 2);
  EXPECT_EQ(live, 0);
}

TEST(Deflate, Crc32) {
  EXPECT_EQ(Crc32(0, "123456789", 9), 0xCBF43926u);
  EXPECT_EQ(Crc32(Crc32(0, "1234", 4), "56789", 5), 0xCBF43926u);
  EXPECT_EQ(Crc32(0x1234, nullptr, 0), 0x1234u);
}

}  // namespace
}  // namespace bnq
