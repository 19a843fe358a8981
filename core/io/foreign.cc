#include "core/io/foreign.h"

#include <algorithm>
#include <cstring>
#include <string_view>

namespace bnq {
namespace {

using std::string_view_literals::operator""sv;

struct Signature {
  uint64_t offset;
  std::string_view bytes;
  const char* what;
};

constexpr Signature kSignatures[] = {
    {0, "version https://git-lfs.github.com/spec/"sv,
     "a Git LFS pointer, not the file itself; `git lfs pull` fetches that"},
    {0, "PK\x03\x04"sv,
     "a zip archive (a PyTorch checkpoint or .npz file?), which is not "
     "supported; save the tensors as safetensors"},
    {0, "\x89HDF\r\n\x1a\n"sv,
     "an HDF5 file (a Keras model?), which is not supported; save the tensors "
     "as safetensors"},
    {0, "\x1f\x8b"sv, "compressed by gzip; decompress it first"},
    {0, "\x28\xb5\x2f\xfd"sv, "compressed by zstd; decompress it first"},
    {0,
     "\xfd"
     "7zXZ\0"sv,
     "compressed by xz; decompress it first"},
    {257, "ustar"sv, "a tar archive, which is not supported; unpack it first"},
};

// A pickle of protocol 2 or later begins with PROTO and its number; what
// follows is FRAME, or the first opcode of an object.
bool IsPickle(const uint8_t* data, uint64_t size) {
  return size >= 3 && data[0] == 0x80 && data[1] >= 2 && data[1] <= 5 &&
         std::strchr("\x95}]()ccN\x8aX", data[2]) != nullptr && data[2] != 0;
}

// The first bytes that are not white space, in lower case.
std::string FirstWord(const uint8_t* data, uint64_t size) {
  uint64_t i = size >= 3 && std::memcmp(data, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
  while (i < size && std::memchr(" \t\r\n", data[i], 4) != nullptr) ++i;
  std::string word;
  for (; i < size && word.size() < 9; ++i) {
    const char c = static_cast<char>(data[i]);
    word += 'A' <= c && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return word;
}

bool StartsWith(const std::string& text, const char* with) {
  return text.rfind(with, 0) == 0;
}

}  // namespace

std::string DescribeForeign(const uint8_t* data, uint64_t size) {
  if (size == 0) return "empty";
  for (const Signature& s : kSignatures) {
    if (size >= s.offset + s.bytes.size() &&
        std::memcmp(data + s.offset, s.bytes.data(), s.bytes.size()) == 0) {
      return s.what;
    }
  }
  if (IsPickle(data, size)) {
    return "a pickle (an old PyTorch checkpoint?), which is not supported; "
           "save the tensors as safetensors";
  }
  const std::string word = FirstWord(data, std::min<uint64_t>(size, 1024));
  if (StartsWith(word, "<!doctype") || StartsWith(word, "<html") ||
      StartsWith(word, "<head") || StartsWith(word, "<?xml")) {
    return "a page of HTML or XML (an error of the server that it was fetched "
           "from?), not a model";
  }
  return "";
}

}  // namespace bnq
