#include "core/io/output.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "core/base/checked.h"
#include "core/base/error.h"

namespace bnq {

void ByteOutput::WriteAt(uint64_t offset, const void* data, uint64_t bytes) {
  if (bytes == 0) return;
  const uint64_t end = CheckedAdd(offset, bytes, "the output's size");
  DoWriteAt(offset, data, bytes, end);
  size_ = std::max(size_, end);
}

void ByteOutput::Keep(uint64_t bytes) {
  const uint64_t kept = KeptBytes();
  if (kept < bytes) {
    Fail(Status::kCorruptFile, "an unfinished output has ", kept,
         " bytes, but its journal tells of ", bytes, "; begin anew");
  }
  size_ = std::max(size_, bytes);
}

void MemoryOutput::DoWriteAt(uint64_t offset, const void* data, uint64_t bytes,
                             uint64_t end) {
  if (end > buffer_.size()) {
    // Twice as much each time, so that every byte is copied once on average.
    uint64_t capacity = std::max<uint64_t>(end, 256);
    if (buffer_.size() <= UINT64_MAX / 2) {
      capacity = std::max<uint64_t>(capacity, 2 * buffer_.size());
    }
    Buffer larger(allocator_, capacity);
    if (size() > 0) {
      std::memcpy(larger.data(), buffer_.data(), static_cast<size_t>(size()));
    }
    buffer_ = std::move(larger);
  }
  if (offset > size()) {
    std::memset(buffer_.data() + size(), 0,
                static_cast<size_t>(offset - size()));
  }
  std::memcpy(buffer_.data() + offset, data, static_cast<size_t>(bytes));
}

}  // namespace bnq
