#include "core/io/npy_reader.h"

#include <cstring>
#include <string>
#include <utility>

#include "core/base/checked.h"
#include "core/base/error.h"
#include "core/io/endian.h"

namespace bnq {
namespace {

constexpr char kMagic[6] = {'\x93', 'N', 'U', 'M', 'P', 'Y'};

// The header: a Python dictionary of three literals,
//   {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }
// with keys in any order, padded with white space. Nothing else of Python's is
// taken.
class Header {
 public:
  // Versions up to 2 may have been written by Python 2.
  Header(const std::string& label, const char* text, uint64_t size,
         bool python2)
      : label_(label), next_(text), end_(text + size), python2_(python2) {}

  std::string descr;
  bool fortran_order = false;
  int rank = 0;
  uint64_t dims[kMaxRank] = {};

  void Parse() {
    bool seen[3] = {};
    Expect('{');
    while (!Accept('}')) {
      const std::string key = String();
      const int which = key == "descr"           ? 0
                        : key == "fortran_order" ? 1
                        : key == "shape"         ? 2
                                                 : -1;
      if (which < 0 || seen[which]) {
        Corrupt("has an unknown or repeated key " + Quoted(key));
      }
      seen[which] = true;
      Expect(':');
      if (which == 0) {
        Space();
        if (next_ != end_ && *next_ == '[') {
          Fail(Status::kUnsupported, label_,
               ": arrays of structures are not supported");
        }
        descr = String();
      } else if (which == 1) {
        fortran_order = Bool();
      } else {
        ParseShape();
      }
      if (!Accept(',')) {
        Expect('}');
        break;
      }
    }
    Space();
    if (next_ != end_) Corrupt("has more behind its dictionary");
    if (!seen[0] || !seen[1] || !seen[2]) {
      Corrupt("lacks one of descr, fortran_order and shape");
    }
  }

 private:
  [[noreturn]] void Corrupt(const std::string& what) const {
    Fail(Status::kCorruptFile, label_, ": the .npy header ", what);
  }
  void Space() {
    while (next_ != end_ && (*next_ == ' ' || *next_ == '\n' ||
                             *next_ == '\t' || *next_ == '\r')) {
      ++next_;
    }
  }
  bool Accept(char c) {
    Space();
    if (next_ == end_ || *next_ != c) return false;
    ++next_;
    return true;
  }
  void Expect(char c) {
    if (!Accept(c)) {
      Corrupt(std::string("is not a dictionary of literals: '") + c +
              "' is missing");
    }
  }
  std::string String() {
    Space();
    if (next_ == end_ || (*next_ != '\'' && *next_ != '"')) {
      Corrupt("lacks a string where one must be");
    }
    const char quote = *next_++;
    std::string text;
    while (next_ != end_ && *next_ != quote) {
      if (*next_ == '\\') Corrupt("has an escape in a string");
      text += *next_++;
    }
    if (next_ == end_) Corrupt("has a string without an end");
    ++next_;
    return text;
  }
  bool Bool() {
    Space();
    for (const char* word : {"True", "False"}) {
      const size_t n = std::strlen(word);
      if (static_cast<size_t>(end_ - next_) >= n &&
          std::memcmp(next_, word, n) == 0) {
        next_ += n;
        return word[0] == 'T';
      }
    }
    Corrupt("says neither True nor False for fortran_order");
  }
  void ParseShape() {
    Expect('(');
    bool comma = true;
    while (!Accept(')')) {
      if (!comma) Corrupt("has a shape without commas");
      uint64_t value = 0;
      const char* const first = next_;
      while (next_ != end_ && *next_ >= '0' && *next_ <= '9') {
        const uint64_t digit = static_cast<uint64_t>(*next_++ - '0');
        if (!TryMul(value, 10, &value) || !TryAdd(value, digit, &value)) {
          Corrupt("has a dimension that overflows 64 bits");
        }
      }
      if (next_ == first) Corrupt("has a dimension that is not a number");
      if (python2_) Accept('L');  // a long: NumPy takes it, too
      if (rank == kMaxRank) {
        Fail(Status::kUnsupported, label_, ": the rank is more than ",
             kMaxRank);
      }
      dims[rank++] = value;
      comma = Accept(',');
    }
    // "(3)" is a number to Python, not a tuple.
    if (rank == 1 && !comma) Corrupt("has a number for a shape");
  }

  const std::string& label_;
  const char* next_;
  const char* const end_;
  const bool python2_;
};

}  // namespace

bool IsNpy(const MappedFile& file) {
  return file.size() >= sizeof kMagic &&
         std::memcmp(file.data(), kMagic, sizeof kMagic) == 0;
}

NpyReader::NpyReader(std::shared_ptr<const MappedFile> file)
    : file_(std::move(file)) {
  const std::string& label = file_->label();
  const uint8_t* data = file_->data();
  const uint64_t size = file_->size();
  if (!IsNpy(*file_)) {
    Fail(Status::kCorruptFile, label, " does not begin as a .npy file");
  }
  if (size < 10) {
    Fail(Status::kCorruptFile, label, ": ", size,
         " bytes are too few for a .npy file");
  }
  const int major = data[6], minor = data[7];
  if (major < 1 || major > 3 || minor != 0) {
    Fail(Status::kUnsupported, label, ": .npy format version ", major, ".",
         minor, ", must be 1.0, 2.0 or 3.0");
  }
  const uint64_t begin = major == 1 ? 10 : 12;
  uint64_t length = 0;
  if (size >= begin) {
    length =
        major == 1 ? LoadLE<uint16_t>(data + 8) : LoadLE<uint32_t>(data + 8);
  }
  if (size < begin || length > size - begin) {
    Fail(Status::kCorruptFile, label, ": a .npy header of ", length,
         " bytes does not fit the file's ", size);
  }
  Header header(label, reinterpret_cast<const char*>(data + begin), length,
                major <= 2);
  header.Parse();
  if (header.descr == "<f4") {
    array_.dtype = DType::kF32;
  } else if (header.descr == "<f2") {
    array_.dtype = DType::kF16;
  } else if (header.descr == "<f8") {
    array_.dtype = DType::kF64;
  } else {
    Fail(Status::kUnsupported, label, ": type ", Quoted(header.descr),
         ", must be one of: <f2, <f4, <f8");
  }
  if (header.fortran_order && header.rank > 1) {
    Fail(Status::kUnsupported, label,
         ": the array is in Fortran order, must be in C order");
  }
  try {
    array_.shape = Shape::Make(header.rank, header.dims);
  } catch (const Error& error) {
    Fail(Status::kCorruptFile, label, ": ", error.message());
  }
  offset_ = begin + length;
  uint64_t bytes = 0;
  if (!TryByteSize(array_.shape, array_.dtype, &bytes) ||
      bytes != size - offset_) {
    Fail(Status::kCorruptFile, label, ": ", size - offset_,
         " bytes of data, must be those of shape ", array_.shape.ToString(),
         " of ", Info(array_.dtype).name);
  }
  array_.data = data + offset_;
}

}  // namespace bnq
