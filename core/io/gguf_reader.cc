#include <algorithm>
#include <cstring>
#include <utility>

#include "core/base/checked.h"
#include "core/base/error.h"
#include "core/io/gguf.h"
#include "core/io/gguf_value.h"
#include "core/io/naming.h"

namespace bnq {
namespace {

constexpr char kMagic[] = {'G', 'G', 'U', 'F'};
// The least that a key and a tensor take in a header.
constexpr uint64_t kLeastKey = 8 + 1 + 4 + 1, kLeastTensor = 8 + 1 + 4 + 4 + 8;
constexpr uint64_t kMaxGgufRank = 4;
// Of keys, as GGUF's document has it; of names, what programs of ggml are built
// with, which is 64 or 128, the last one being NUL.
constexpr uint64_t kMaxKey = 65535, kMaxName = 127;
// A page of any system; data sections would begin at the gigabyte otherwise.
constexpr uint64_t kMaxAlignment = 65536;

class Parser {
 public:
  explicit Parser(const MappedFile& file)
      : file_(file), cursor_(file.label(), file.data(), file.size()) {}

  GgufHeader Parse() {
    CheckVersion();
    const uint64_t tensors = cursor_.Number(8, "number of tensors");
    const uint64_t keys = cursor_.Count(kLeastKey, "number of keys");
    for (uint64_t i = 0; i < keys; ++i) ReadKey(i);
    CheckTwice();
    ReadAlignment();
    cursor_.SetSubject("");
    if (tensors > cursor_.remaining() / kLeastTensor) {
      cursor_.Corrupt(Message("number of tensors = ", tensors,
                              ", which do not fit the ", cursor_.remaining(),
                              " bytes that are left of the file"));
    }
    if (tensors > kMaxTensors) {
      Fail(Status::kUnsupported, file_.label(), ": more than ", kMaxTensors,
           " tensors");
    }
    header_.tensors.reserve(static_cast<size_t>(tensors));
    for (uint64_t i = 0; i < tensors; ++i) ReadTensor(i);
    PlaceData();
    CheckNames();
    return std::move(header_);
  }

 private:
  void CheckVersion() {
    cursor_.Number(4, "signature");
    const uint64_t version = cursor_.Number(4, "version");
    if ((version & 0xFFFF) == 0 && version != 0) {
      Fail(Status::kUnsupported, file_.label(),
           ": a big-endian GGUF file, which is not supported");
    }
    if (version != 2 && version != 3) {
      Fail(Status::kUnsupported, file_.label(), ": GGUF version ", version,
           " is not supported, must be 2 or 3");
    }
  }

  // Names are refused that not every language can hold.
  std::string ReadName(const char* what, uint64_t most) {
    std::string name = cursor_.String(what);
    if (name.empty()) cursor_.Corrupt(Message(what, " is empty"));
    if (name.size() > most) {
      cursor_.Corrupt(Message(what, " ", Quoted(name), " has ", name.size(),
                              " bytes, must be at most ", most));
    }
    if (!IsCleanText(name)) {
      Fail(Status::kUnsupported, file_.label(), ": ", what, " ", Quoted(name),
           " is not UTF-8 without NUL, which is not supported");
    }
    return name;
  }

  void ReadKey(uint64_t i) {
    cursor_.SetSubject(Message("key ", i));
    std::string key = ReadName("name", kMaxKey);
    cursor_.SetSubject("key " + Quoted(key));
    std::string text = ReadGgufValue(&cursor_);
    header_.metadata.emplace_back(std::move(key), std::move(text));
  }

  void CheckTwice() {
    Metadata& metadata = header_.metadata;
    std::sort(metadata.begin(), metadata.end());
    for (size_t i = 1; i < metadata.size(); ++i) {
      if (metadata[i].first != metadata[i - 1].first) continue;
      cursor_.SetSubject("");
      cursor_.Corrupt("key " + Quoted(metadata[i].first) + " is there twice");
    }
  }

  void ReadAlignment() {
    for (const auto& [key, text] : header_.metadata) {
      if (key != kGgufAlignmentKey) continue;
      header_.alignment = GgufAlignment(text);
      if (header_.alignment != 0) continue;
      Fail(Status::kCorruptFile, file_.label(), ": ", key, " = ", Quoted(text),
           ", must be u32, a power of two, at most ", kMaxAlignment);
    }
  }

  void ReadTensor(uint64_t i) {
    GgufTensor tensor;
    cursor_.SetSubject(Message("tensor ", i));
    tensor.name = ReadName("name", kMaxName);
    cursor_.SetSubject(TensorSubject(tensor.name));
    const uint64_t rank = cursor_.Number(4, "rank");
    if (rank > kMaxGgufRank) {
      cursor_.Corrupt(
          Message("rank = ", rank, ", must be at most ", kMaxGgufRank));
    }
    uint64_t dims[kMaxGgufRank] = {};
    for (uint64_t d = 0; d < rank; ++d) {
      dims[rank - 1 - d] = cursor_.Number(8, "dimension");
    }
    try {
      tensor.blocks.shape = Shape::Make(static_cast<int32_t>(rank), dims);
    } catch (const Error& error) {
      cursor_.Corrupt(error.message());
    }
    ReadType(&tensor);
    tensor.offset = cursor_.Number(8, "offset");
    header_.tensors.push_back(std::move(tensor));
  }

  void ReadType(GgufTensor* tensor) {
    const int32_t id = static_cast<int32_t>(cursor_.Number(4, "type"));
    const GgmlTypeInfo* const info = FindGgmlType(id);
    if (info == nullptr) {
      const std::string was = DescribeRetiredGgmlType(id);
      Fail(Status::kUnsupported, file_.label(), ": ",
           TensorSubject(tensor->name), ": type = ", id,
           was.empty() ? std::string(", which is none of ggml's")
                       : " (" + was + "), which ggml has no longer");
    }
    tensor->blocks.type = info->type;
    const Shape& shape = tensor->blocks.shape;
    if (!TryBlockBytes(tensor->blocks, &tensor->bytes_shape)) {
      cursor_.Corrupt(Message("shape ", shape.ToString(), " of type ",
                              info->name, ": must have a multiple of ",
                              std::max(info->block_elements, 4u),
                              " elements in a row"));
    }
    const DType dtype = tensor->blocks ? DType::kU8 : info->dtype;
    TryByteSize(tensor->bytes_shape, dtype, &tensor->bytes);
  }

  // One behind the other, within the file, with nothing behind the last.
  void PlaceData() {
    const uint64_t a = header_.alignment;
    header_.end = cursor_.at();
    const uint64_t begin = DivCeil(header_.end, a) * a;
    uint64_t next = begin;
    for (GgufTensor& tensor : header_.tensors) {
      cursor_.SetSubject(TensorSubject(tensor.name));
      if (tensor.offset != next - begin) {
        cursor_.Corrupt(Message("offset = ", tensor.offset, ", must be ",
                                next - begin,
                                ", where the tensor before it ends"));
      }
      if (next > file_.size() || tensor.bytes > file_.size() - next) {
        cursor_.Corrupt(Message("has ", tensor.bytes, " bytes at ", next,
                                ", but the file has ", file_.size()));
      }
      tensor.offset = next;
      next = DivCeil(next + tensor.bytes, a) * a;
    }
    if (file_.size() <= next) return;
    cursor_.SetSubject("");
    cursor_.Corrupt(Message("has ", file_.size(), " bytes, ",
                            file_.size() - next, " behind its last tensor"));
  }

  // And puts them in the order of their names.
  void CheckNames() {
    std::vector<GgufTensor>& tensors = header_.tensors;
    std::sort(tensors.begin(), tensors.end(),
              [](const auto& a, const auto& b) { return a.name < b.name; });
    for (size_t i = 1; i < tensors.size(); ++i) {
      if (tensors[i].name != tensors[i - 1].name) continue;
      Fail(Status::kCorruptFile, file_.label(), ": ",
           TensorSubject(tensors[i].name), " is there twice");
    }
  }

  const MappedFile& file_;
  GgufCursor cursor_;
  GgufHeader header_;
};

}  // namespace

bool IsGguf(const MappedFile& file) {
  return file.size() >= sizeof kMagic &&
         std::memcmp(file.data(), kMagic, sizeof kMagic) == 0;
}

uint64_t GgufAlignment(const std::string& text) {
  uint64_t value = 0;
  return text.rfind("u32:", 0) == 0 && GgufUnsigned(text, &value) &&
                 value <= kMaxAlignment && (value & (value - 1)) == 0
             ? value
             : 0;
}

GgufHeader ReadGguf(const MappedFile& file) { return Parser(file).Parse(); }

}  // namespace bnq
