// The values of a GGUF file's metadata, which have types, as text, which the
// metadata of models is. Every value of every type has one text, and that text
// gives the value again, bit for bit:
//
//   a string           itself: "llama"
//   numbers            u8:1 i8:-1 u16: i16: u32:32 i32: u64: i64:
//                      f32:1e-05 f64:0.1, the shortest that reads back as the
//                      same; inf, -inf, nan; another NaN's bits: f32:0x7F800001
//   truth              bool:true bool:false
//   arrays             u32[]:1,2,3 str[]:"a","b"; without elements u8[]:
//   other strings      str:"u8:1", where the string begins as one of these
//
// Within quotes \" \\ \n \r \t and \u0001 are as in JSON, and a byte that is
// not UTF-8 is \xFF. What begins as one of these, but is none, is a string.
#ifndef BNQ_CORE_IO_GGUF_VALUE_H_
#define BNQ_CORE_IO_GGUF_VALUE_H_

#include <cstdint>
#include <string>

namespace bnq {

// Reads the fields of a file's header. What is not there is CORRUPT_FILE, which
// names what was read.
class GgufCursor {
 public:
  GgufCursor(const std::string& label, const uint8_t* data, uint64_t size)
      : label_(label), data_(data), size_(size) {}

  // Of 1 to 8 bytes.
  uint64_t Number(unsigned bytes, const char* what);
  // A length of 8 bytes and as many bytes.
  std::string String(const char* what);
  // A count of what takes at least `least` bytes each.
  uint64_t Count(uint64_t least, const char* what);
  uint64_t at() const { return at_; }
  uint64_t remaining() const { return size_ - at_; }
  // What is being read, for messages: `metadata "a"`.
  void SetSubject(std::string subject) { subject_ = std::move(subject); }
  [[noreturn]] void Corrupt(const std::string& what) const;

 private:
  const std::string& label_;
  const uint8_t* data_;
  uint64_t size_, at_ = 0;
  std::string subject_;
};

// The text of the value at the cursor: its type and its bytes.
std::string ReadGgufValue(GgufCursor* cursor);
// The type and the bytes of a text.
std::string GgufValueOf(const std::string& text);

// Of those who look for numbers and strings in such metadata: whether the text
// is an integer of any type that is not negative, or a string.
bool GgufUnsigned(const std::string& text, uint64_t* value);
bool GgufString(const std::string& text, std::string* value);
// The texts of such values.
std::string GgufText(const std::string& string);
std::string GgufText(const char* type, uint64_t value);  // ("u32", 5)

}  // namespace bnq

#endif  // BNQ_CORE_IO_GGUF_VALUE_H_
