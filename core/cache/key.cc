#include "core/cache/key.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "core/base/checked.h"
#include "core/base/error.h"
#include "core/base/sha256.h"
#include "core/parallel/runner.h"
#include "core/tensor/parts.h"

namespace bnq {
namespace {

constexpr uint64_t kPiece = uint64_t{1} << 20;

// With the version of this text.
std::string Begin(const char* kind) {
  return Message("bnq cache 1\n", kind, "\n");
}

}  // namespace

std::string ContentDigest(const Context& context, const void* data,
                          uint64_t bytes) {
  const uint8_t* const p = static_cast<const uint8_t*>(data);
  std::vector<Sha256Digest> digests(
      ToSize(DivCeil(bytes, kPiece), "the number of pieces"));
  ParallelFor(context, digests.size(), [&](uint64_t i) {
    const uint64_t begin = i * kPiece;
    digests[i] = Sha256(p + begin, std::min(kPiece, bytes - begin));
  });
  return HexOf(Sha256(digests.data(), digests.size() * sizeof(Sha256Digest)));
}

std::string QuantizedKey(const Context& context, const Config& config,
                         const KeySource& source) {
  const ArrayView& array = source.array;
  uint64_t bytes = 0;
  TryByteSize(array.shape, array.dtype, &bytes);
  const std::string content =
      source.identity.empty()
          ? "content " + ContentDigest(context, array.data, bytes)
          : "identity " + source.identity;
  const std::string importance =
      source.importance == nullptr
          ? "none"
          : ContentDigest(context, source.importance,
                          array.shape.features() * sizeof(float));
  return Sha256Hex(Message(Begin("quantized"), "codec ", kCodecRevision,
                           "\nconfig ", config.ToText(), "\nimportance ",
                           importance, "\nsource ", Info(array.dtype).name, " ",
                           array.shape.ToString(), "\n", content, "\n"));
}

std::string TensorKey(const Context& context, const QuantizedTensor& tensor) {
  std::string text =
      Message(Begin("tensor"), "config ", tensor.config().OfTensor().ToText(),
              "\nshape ", tensor.shape().ToString(), "\n");
  for (int i = 0; i < kNumParts; ++i) {
    const PartInfo& info = PartAt(i);
    const PartData& part = tensor.part(info.id);
    if (part.bytes == 0) continue;
    text += Message(info.name, " ", Info(part.dtype).name, " ",
                    ContentDigest(context, part.data, part.bytes), "\n");
  }
  return Sha256Hex(text);
}

std::string AliasOf(const std::string& name) {
  return Sha256Hex(Begin("name") + name);
}

bool IsKey(const std::string& text) {
  return text.size() == 64 &&
         text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

void CheckKey(const std::string& key) {
  if (IsKey(key)) return;
  Fail(Status::kInvalidArgument, "key = ", Quoted(key),
       ", must be 64 hexadecimal digits in lower case");
}

}  // namespace bnq
