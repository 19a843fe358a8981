// Memory whose end is the end of what may be touched: reading or writing behind
// it ends the process.
#ifndef BNQ_TESTS_SUPPORT_GUARDED_H_
#define BNQ_TESTS_SUPPORT_GUARDED_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#if defined(__unix__)
#include <sys/mman.h>
#include <unistd.h>
#endif

namespace bnq_test {

class Guarded {
 public:
  // Behind the last byte there are less than `alignment` ones.
  explicit Guarded(size_t bytes, size_t alignment = 1) {
#if defined(__unix__)
    const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    size_ = (bytes + alignment + page - 1) / page * page + page;
    void* const memory = mmap(nullptr, size_, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory != MAP_FAILED) {
      begin_ = static_cast<uint8_t*>(memory);
      mprotect(begin_ + size_ - page, page, PROT_NONE);
      const uintptr_t end = reinterpret_cast<uintptr_t>(begin_ + size_ - page);
      data_ = reinterpret_cast<uint8_t*>((end - bytes) / alignment * alignment);
      return;
    }
#endif
    memory_.resize(bytes + alignment);
    const uintptr_t at = reinterpret_cast<uintptr_t>(memory_.data());
    data_ = memory_.data() + (alignment - at % alignment) % alignment;
  }
  Guarded(const void* from, size_t bytes, size_t alignment = 1)
      : Guarded(bytes, alignment) {
    if (bytes != 0) std::memcpy(data_, from, bytes);
  }
  ~Guarded() {
#if defined(__unix__)
    if (begin_ != nullptr) munmap(begin_, size_);
#endif
  }
  Guarded(const Guarded&) = delete;
  Guarded& operator=(const Guarded&) = delete;

  uint8_t* data() const { return data_; }

 private:
  uint8_t* begin_ = nullptr;
  uint8_t* data_ = nullptr;
  size_t size_ = 0;
  std::vector<uint8_t> memory_;
};

}  // namespace bnq_test

#endif  // BNQ_TESTS_SUPPORT_GUARDED_H_
