// Where a writer's bytes go: a file that is there whole or not at all
// (atomic_file.h), or memory.
#ifndef BNQ_CORE_IO_OUTPUT_H_
#define BNQ_CORE_IO_OUTPUT_H_

#include <cstdint>

#include "core/base/memory.h"

namespace bnq {

// For one thread. After an error it can only be destroyed.
class ByteOutput {
 public:
  ByteOutput() = default;
  virtual ~ByteOutput() = default;
  ByteOutput(const ByteOutput&) = delete;
  ByteOutput& operator=(const ByteOutput&) = delete;

  void Append(const void* data, uint64_t bytes) { WriteAt(size_, data, bytes); }
  // What lies between the end and a later offset reads as zeros.
  void WriteAt(uint64_t offset, const void* data, uint64_t bytes);
  // What has been written.
  uint64_t size() const { return size_; }
  // The first bytes, of an output that was begun before: they are there.
  // CORRUPT_FILE where they are not.
  void Keep(uint64_t bytes);

  // All has been written: puts the output in its place.
  virtual void Commit() = 0;

 private:
  // Of one byte or more, ending at `end`.
  virtual void DoWriteAt(uint64_t offset, const void* data, uint64_t bytes,
                         uint64_t end) = 0;
  virtual uint64_t KeptBytes() const { return 0; }

  uint64_t size_ = 0;
};

// Writes to memory that grows with it. Throws std::bad_alloc.
class MemoryOutput final : public ByteOutput {
 public:
  explicit MemoryOutput(const Allocator& allocator) : allocator_(allocator) {}

  void Commit() override {}
  // The first size() bytes; valid until the next write.
  const uint8_t* data() const { return buffer_.data(); }

 private:
  void DoWriteAt(uint64_t offset, const void* data, uint64_t bytes,
                 uint64_t end) override;

  Allocator allocator_;
  Buffer buffer_;
};

}  // namespace bnq

#endif  // BNQ_CORE_IO_OUTPUT_H_
