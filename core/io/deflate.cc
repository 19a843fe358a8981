#include "core/io/deflate.h"

#include <zlib.h>

#include <algorithm>
#include <new>

#include "core/base/checked.h"
#include "core/base/error.h"

namespace bnq {
namespace {

constexpr int kLevel = 6;
constexpr int kRawDeflate = -15;  // no frame, the largest window
constexpr int kMemoryLevel = 8;   // zlib's default
// Enough to see whether there are repetitions.
constexpr size_t kProbeBytes = size_t{1} << 16;

voidpf ZAlloc(voidpf opaque, uInt items, uInt size) {
  const Allocator* allocator = static_cast<const Allocator*>(opaque);
  return allocator->alloc(allocator->opaque, uint64_t{items} * size);
}

void ZFree(voidpf opaque, voidpf address) {
  const Allocator* allocator = static_cast<const Allocator*>(opaque);
  allocator->free(allocator->opaque, address);
}

// allocator must outlive the stream and stay where it is.
std::unique_ptr<z_stream> NewStream(Allocator* allocator) {
  auto stream = std::make_unique<z_stream>();  // all zero
  if (allocator->alloc != nullptr) {
    stream->zalloc = ZAlloc;
    stream->zfree = ZFree;
    stream->opaque = allocator;
  }
  return stream;
}

void CheckInit(int result) {
  if (result == Z_MEM_ERROR) throw std::bad_alloc();
  if (result != Z_OK) Fail(Status::kInternal, "zlib failed with ", result);
}

std::unique_ptr<z_stream> NewDeflate(Allocator* allocator, int strategy) {
  auto stream = NewStream(allocator);
  CheckInit(deflateInit2(stream.get(), kLevel, Z_DEFLATED, kRawDeflate,
                         kMemoryLevel, strategy));
  return stream;
}

}  // namespace

uint32_t Crc32(uint32_t crc, const void* data, size_t bytes) {
  if (bytes == 0) return crc;  // zlib returns 0 for a NULL
  return static_cast<uint32_t>(
      crc32_z(crc, static_cast<const Bytef*>(data), bytes));
}

const char* ZlibVersion() { return zlibVersion(); }

Deflater::Deflater(const Allocator& allocator) : allocator_(allocator) {
  matching_ = NewDeflate(&allocator_, Z_DEFAULT_STRATEGY);
  try {
    coding_ = NewDeflate(&allocator_, Z_RLE);
  } catch (...) {
    deflateEnd(matching_.get());
    throw;
  }
}

Deflater::~Deflater() {
  deflateEnd(matching_.get());
  deflateEnd(coding_.get());
}

// Weights are noise with an uneven distribution: looking for earlier
// occurrences finds accidental ones, which cost more than they save, and takes
// four times as long as coding bytes and runs. Where there are real
// repetitions it wins clearly. Which it is shows in the start of a chunk.
size_t Deflater::Compress(const uint8_t* data, size_t bytes, uint8_t* out) {
  const size_t probe = std::min(bytes, kProbeBytes);
  const size_t coded = Run(coding_.get(), data, probe, out);
  const size_t matched = Run(matching_.get(), data, probe, out);
  const bool matching = matched != 0 && (coded == 0 || matched < coded);
  if (matching && probe == bytes) return matched;
  return Run(matching ? matching_.get() : coding_.get(), data, bytes, out);
}

size_t Deflater::Run(z_stream* stream, const uint8_t* data, size_t bytes,
                     uint8_t* out) {
  if (bytes < 2) return 0;
  deflateReset(stream);
  stream->next_in = const_cast<Bytef*>(data);
  stream->avail_in = static_cast<uInt>(bytes);
  stream->next_out = out;
  stream->avail_out = static_cast<uInt>(bytes - 1);
  if (deflate(stream, Z_FINISH) != Z_STREAM_END) return 0;
  return bytes - 1 - stream->avail_out;
}

Inflater::Inflater(const Allocator& allocator) : allocator_(allocator) {
  stream_ = NewStream(&allocator_);
  CheckInit(inflateInit2(stream_.get(), kRawDeflate));
}

Inflater::~Inflater() { inflateEnd(stream_.get()); }

bool Inflater::Expand(const uint8_t* data, size_t bytes, uint8_t* out,
                      size_t out_bytes) {
  if (bytes > UINT32_MAX || out_bytes > UINT32_MAX) return false;
  inflateReset(stream_.get());
  stream_->next_in = const_cast<Bytef*>(data);
  stream_->avail_in = static_cast<uInt>(bytes);
  stream_->next_out = out;
  stream_->avail_out = static_cast<uInt>(out_bytes);
  const int result = inflate(stream_.get(), Z_FINISH);
  if (result == Z_MEM_ERROR) throw std::bad_alloc();
  return result == Z_STREAM_END && stream_->avail_in == 0 &&
         stream_->avail_out == 0;
}

}  // namespace bnq
