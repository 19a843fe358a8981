#include <algorithm>
#include <utility>

#include "core/base/checked.h"
#include "core/base/error.h"
#include "core/io/endian.h"
#include "core/io/gguf.h"
#include "core/io/gguf_value.h"
#include "core/io/naming.h"

namespace bnq {
namespace {

constexpr uint32_t kVersion = 3;
// What programs of ggml are built with: GGML_MAX_NAME, with NUL.
constexpr size_t kMaxName = 63;
constexpr int kMaxGgufRank = 4;

void AppendString(const std::string& text, std::string* out) {
  AppendLE<uint64_t>(text.size(), out);
  *out += text;
}

GgufTensor TensorOf(const NewArray& array) {
  CheckNewName(array.name);
  if (array.name.size() > kMaxName) {
    Fail(Status::kInvalidArgument, "its name has ", array.name.size(),
         " bytes, must have at most ", kMaxName, " in a GGUF file");
  }
  GgufTensor tensor;
  tensor.name = array.name;
  tensor.blocks = array.blocks;
  if (array.blocks) {
    if (!TryBlockBytes(array.blocks, &tensor.bytes_shape) ||
        tensor.bytes_shape != array.shape || array.dtype != DType::kU8) {
      Fail(Status::kInvalidArgument, "shape ", array.shape.ToString(),
           " is not that of the ", Info(array.blocks.type).name, " blocks of ",
           array.blocks.shape.ToString());
    }
  } else {
    const GgmlTypeInfo* const info = GgmlTypeOf(array.dtype);
    if (info == nullptr) {
      Fail(Status::kInvalidArgument, "GGUF has no type ",
           Info(array.dtype).name);
    }
    tensor.blocks = {info->type, array.shape};
    tensor.bytes_shape = array.shape;
  }
  if (tensor.blocks.shape.rank > kMaxGgufRank) {
    Fail(Status::kInvalidArgument, "rank = ", tensor.blocks.shape.rank,
         ", must be at most ", kMaxGgufRank, " in a GGUF file");
  }
  if (!TryByteSize(array.shape, array.dtype, &tensor.bytes)) {
    Fail(Status::kInvalidArgument, "its size overflows 64 bits");
  }
  return tensor;
}

void AppendTensor(const GgufTensor& tensor, std::string* out) {
  AppendString(tensor.name, out);
  const Shape& shape = tensor.blocks.shape;
  AppendLE<uint32_t>(static_cast<uint32_t>(shape.rank), out);
  for (int i = shape.rank - 1; i >= 0; --i) {
    AppendLE<uint64_t>(shape.dims[i], out);
  }
  AppendLE<uint32_t>(static_cast<uint32_t>(tensor.blocks.type), out);
  AppendLE<uint64_t>(tensor.offset, out);
}

}  // namespace

GgufLayout LayOutGguf(const std::vector<NewArray>& arrays,
                      const Metadata& metadata) {
  if (arrays.size() > kMaxTensors) {
    Fail(Status::kInvalidArgument, arrays.size(), " tensors, must be at most ",
         kMaxTensors);
  }
  GgufLayout layout;
  std::string& header = layout.header;
  header = "GGUF";
  AppendLE<uint32_t>(kVersion, &header);
  AppendLE<uint64_t>(arrays.size(), &header);
  AppendLE<uint64_t>(metadata.size(), &header);
  uint64_t alignment = GgufHeader().alignment;
  for (const auto& [key, text] : SortedMetadata(metadata)) {
    if (key == kGgufAlignmentKey) alignment = GgufAlignment(text);
    if (key.empty() || alignment == 0) {
      Fail(Status::kInvalidArgument, "metadata ", Quoted(key), " = ",
           Quoted(text), ": ",
           key.empty() ? "GGUF has no empty keys"
                       : "must be u32, a power of two, at most 65536");
    }
    AppendString(key, &header);
    header += GgufValueOf(text);
  }
  std::vector<std::string> names;
  uint64_t next = 0;
  for (const NewArray& array : arrays) {
    GgufTensor tensor = InTensor(array.name, [&] { return TensorOf(array); });
    tensor.offset = next;
    next = CheckedAdd(next, tensor.bytes, "the output's size");
    next = CheckedAdd(next, (alignment - next % alignment) % alignment,
                      "the output's size");
    AppendTensor(tensor, &header);
    names.push_back(tensor.name);
    layout.tensors.push_back(std::move(tensor));
  }
  std::sort(names.begin(), names.end());
  const auto twice = std::adjacent_find(names.begin(), names.end());
  if (twice != names.end()) {
    Fail(Status::kInvalidArgument, "tensor name ", Quoted(*twice),
         " is given twice");
  }
  header.resize(DivCeil(header.size(), alignment) * alignment, '\0');
  for (GgufTensor& tensor : layout.tensors) tensor.offset += header.size();
  layout.file_bytes = CheckedAdd(next, header.size(), "the output's size");
  return layout;
}

}  // namespace bnq
