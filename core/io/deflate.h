// DEFLATE (RFC 1951, without zlib's frame) of one chunk at a time, and
// checksums.
#ifndef BNQ_CORE_IO_DEFLATE_H_
#define BNQ_CORE_IO_DEFLATE_H_

#include <cstddef>
#include <cstdint>
#include <memory>

#include "core/base/memory.h"

struct z_stream_s;

namespace bnq {

// Of the bytes that crc belongs to and these after them; start with 0.
uint32_t Crc32(uint32_t crc, const void* data, size_t bytes);

// Another version may compress into other bytes.
const char* ZlibVersion();

// Both keep their state between chunks, through allocator. For one thread.
class Deflater {
 public:
  explicit Deflater(const Allocator& allocator);
  ~Deflater();
  Deflater(const Deflater&) = delete;
  Deflater& operator=(const Deflater&) = delete;

  // The size of the compressed bytes, in out, which has room for `bytes`; 0
  // where they would not be fewer.
  size_t Compress(const uint8_t* data, size_t bytes, uint8_t* out);

 private:
  size_t Run(z_stream_s* stream, const uint8_t* data, size_t bytes,
             uint8_t* out);

  Allocator allocator_;
  std::unique_ptr<z_stream_s> matching_;
  std::unique_ptr<z_stream_s> coding_;
};

class Inflater {
 public:
  explicit Inflater(const Allocator& allocator);
  ~Inflater();
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  // Whether data is one whole DEFLATE stream of exactly out_bytes, now in out;
  // never writes more.
  bool Expand(const uint8_t* data, size_t bytes, uint8_t* out,
              size_t out_bytes);

 private:
  Allocator allocator_;
  std::unique_ptr<z_stream_s> stream_;
};

}  // namespace bnq

#endif  // BNQ_CORE_IO_DEFLATE_H_
