#include "core/base/memory.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <map>
#include <new>
#include <utility>

namespace bnq {
namespace {

// An allocator that hands out addresses as odd as malloc never would, and knows
// what is still out.
struct Odd {
  std::map<void*, void*> out;  // given -> allocated
  bool fails = false;

  Allocator allocator() {
    return {[](void* opaque, uint64_t bytes) -> void* {
              auto* self = static_cast<Odd*>(opaque);
              if (self->fails) return nullptr;
              void* block = std::malloc(bytes + 1);
              void* given = static_cast<char*>(block) + 1;
              self->out[given] = block;
              return given;
            },
            [](void* opaque, void* given) {
              auto* self = static_cast<Odd*>(opaque);
              const auto found = self->out.find(given);
              ASSERT_NE(found, self->out.end());
              std::free(found->second);
              self->out.erase(found);
            },
            this};
  }
};

TEST(Buffer, IsAlignedWhateverTheAllocatorGives) {
  Odd odd;
  for (uint64_t bytes : {1, 63, 64, 65, 100000}) {
    for (const Allocator& allocator : {odd.allocator(), Allocator()}) {
      Buffer buffer(allocator, bytes);
      ASSERT_EQ(reinterpret_cast<uintptr_t>(buffer.data()) % Buffer::kAlignment,
                0u);
      ASSERT_EQ(buffer.size(), bytes);
      std::memset(buffer.data(), 0xA5, bytes);
    }
    EXPECT_TRUE(odd.out.empty());
  }
}

TEST(Buffer, MovesAndFreesOnce) {
  Odd odd;
  Buffer a(odd.allocator(), 10);
  a.as<uint8_t>()[9] = 7;
  const uint8_t* const data = a.data();
  Buffer b(std::move(a));
  EXPECT_EQ(a.data(), nullptr);
  EXPECT_EQ(a.size(), 0u);
  EXPECT_EQ(b.data(), data);
  Buffer c(odd.allocator(), 20);
  EXPECT_EQ(odd.out.size(), 2u);
  c = std::move(b);
  EXPECT_EQ(odd.out.size(), 1u);
  EXPECT_EQ(c.data()[9], 7);
  Buffer& itself = c;
  c = std::move(itself);
  EXPECT_EQ(c.data(), data);
  c = Buffer();
  EXPECT_TRUE(odd.out.empty());
}

TEST(Buffer, FailsWithBadAlloc) {
  Odd odd;
  odd.fails = true;
  EXPECT_THROW(Buffer(odd.allocator(), 8), std::bad_alloc);
  odd.fails = false;
  EXPECT_THROW(Buffer(odd.allocator(), UINT64_MAX), std::bad_alloc);
  EXPECT_THROW(Buffer(odd.allocator(), UINT64_MAX - 32), std::bad_alloc);
  EXPECT_TRUE(odd.out.empty());
}

}  // namespace
}  // namespace bnq
