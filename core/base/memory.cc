#include "core/base/memory.h"

#include <cstdlib>
#include <new>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace bnq {

Buffer::Buffer(const Allocator& allocator, uint64_t bytes)
    : allocator_(allocator) {
  if (bytes == 0) return;
  size_t align = kAlignment;
#if defined(__linux__)
  // Faulting in 4 KiB pages costs more than quantizing into them does.
  constexpr size_t kHugePage = size_t{2} << 20;
  if (!allocator_.alloc && bytes >= 2 * kHugePage) align = kHugePage;
#endif
  if (bytes > SIZE_MAX - align) throw std::bad_alloc();
  const size_t total = static_cast<size_t>(bytes) + align;
  base_ = allocator_.alloc ? allocator_.alloc(allocator_.opaque, total)
                           : std::malloc(total);
  if (base_ == nullptr) throw std::bad_alloc();
  const uintptr_t address = reinterpret_cast<uintptr_t>(base_);
  data_ = reinterpret_cast<uint8_t*>((address + align - 1) & ~(align - 1));
  size_ = static_cast<size_t>(bytes);
#if defined(__linux__) && defined(MADV_HUGEPAGE)
  if (align == kHugePage) {
    // Whole huge pages only, so that the rounding up of the last one does not
    // grow the resident set.
    madvise(data_, size_ & ~(kHugePage - 1), MADV_HUGEPAGE);
  }
#endif
}

void Buffer::Reset() {
  if (base_ == nullptr) return;
  if (allocator_.free) {
    allocator_.free(allocator_.opaque, base_);
  } else {
    std::free(base_);
  }
  base_ = nullptr;
  data_ = nullptr;
  size_ = 0;
}

}  // namespace bnq
