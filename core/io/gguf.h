// GGUF files of versions 2 and 3, little-endian: llama.cpp's models.
//
//   "GGUF" | u32 version | u64 tensors | u64 keys
//   keys     x { string key | u32 type | value }            gguf_value.h
//   tensors  x { string name | u32 rank | u64 dims[rank] | u32 type | u64 at }
//   zeros to the alignment | data
//
// A string is a u64 length and its bytes. Dimensions are in the reverse of our
// order: the first is that of a row. The alignment is 32, or that of the key
// general.alignment. A tensor's data begin where those of the one before it
// end, at the next multiple of the alignment, counted from the first.
#ifndef BNQ_CORE_IO_GGUF_H_
#define BNQ_CORE_IO_GGUF_H_

#include <cstdint>
#include <string>
#include <vector>

#include "core/io/ggml_types.h"
#include "core/io/mapped_file.h"
#include "core/io/new_array.h"
#include "core/io/text.h"

namespace bnq {

// A tensor's description in a file's header.
struct GgufTensor {
  std::string name;
  // Its type and dimensions, also of a plain one.
  GgmlBlocks blocks;
  Shape bytes_shape;    // of blocks: TryBlockBytes'; else that of blocks
  uint64_t offset = 0;  // from the start of the file
  uint64_t bytes = 0;
};

struct GgufHeader {
  Metadata metadata;  // sorted; values as gguf_value.h says
  std::vector<GgufTensor> tensors;
  uint64_t alignment = 32;
  uint64_t end = 0;  // of the header itself; what follows is data
};

constexpr char kGgufAlignmentKey[] = "general.alignment";
// Of that key's text; 0 where it cannot be.
uint64_t GgufAlignment(const std::string& text);

bool IsGguf(const MappedFile& file);
// What ggml's own reader refuses is refused, and what does not fit the file;
// also names and keys that are none of ours. CORRUPT_FILE, and UNSUPPORTED for
// versions, byte orders and types that are not read.
GgufHeader ReadGguf(const MappedFile& file);

// The header of a file of these arrays, in their order, and where they lie.
// INVALID_ARGUMENT names the array that GGUF does not have: types, ranks above
// 4, names of 64 bytes or more, which programs refuse.
struct GgufLayout {
  std::string header;  // as far as the data
  std::vector<GgufTensor> tensors;
  uint64_t file_bytes = 0;
};
GgufLayout LayOutGguf(const std::vector<NewArray>& arrays,
                      const Metadata& metadata);

}  // namespace bnq

#endif  // BNQ_CORE_IO_GGUF_H_
