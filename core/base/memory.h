// Bulk memory, through the caller's allocator where there is one.
#ifndef BNQ_CORE_BASE_MEMORY_H_
#define BNQ_CORE_BASE_MEMORY_H_

#include <cstddef>
#include <cstdint>
#include <utility>

namespace bnq {

// Same layout as bnq_allocator (capi/context.cc asserts it).
struct Allocator {
  void* (*alloc)(void* opaque, uint64_t bytes) = nullptr;  // nullptr: malloc
  void (*free)(void* opaque, void* ptr) = nullptr;
  void* opaque = nullptr;
};

// Move-only, uninitialized, aligned to kAlignment. Throws std::bad_alloc.
class Buffer {
 public:
  static constexpr size_t kAlignment = 64;

  Buffer() = default;
  Buffer(const Allocator& allocator, uint64_t bytes);
  ~Buffer() { Reset(); }
  Buffer(Buffer&& other) noexcept { *this = std::move(other); }
  Buffer& operator=(Buffer&& other) noexcept {
    if (this != &other) {
      Reset();
      allocator_ = other.allocator_;
      base_ = std::exchange(other.base_, nullptr);
      data_ = std::exchange(other.data_, nullptr);
      size_ = std::exchange(other.size_, 0);
    }
    return *this;
  }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  uint8_t* data() { return data_; }
  const uint8_t* data() const { return data_; }
  size_t size() const { return size_; }
  template <typename T>
  T* as() {
    return reinterpret_cast<T*>(data_);
  }
  template <typename T>
  const T* as() const {
    return reinterpret_cast<const T*>(data_);
  }

 private:
  void Reset();

  Allocator allocator_;
  void* base_ = nullptr;
  uint8_t* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace bnq

#endif  // BNQ_CORE_BASE_MEMORY_H_
