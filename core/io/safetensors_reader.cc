#include <algorithm>
#include <tuple>
#include <utility>

#include "core/base/checked.h"
#include "core/base/error.h"
#include "core/io/endian.h"
#include "core/io/json_sax.h"
#include "core/io/naming.h"
#include "core/io/safetensors.h"

namespace bnq {
namespace {

std::string KnownDTypes() {
  std::string list;
  for (int32_t id = 1; const DTypeInfo* info = FindDType(id); ++id) {
    list += std::string(id > 1 ? ", " : "") + info->name;
  }
  return list;
}

// The JSON of the header. The entries' offset and bytes hold data_offsets as
// they are written, begin and end, until they have been checked.
class HeaderParser final : public JsonHandler {
 public:
  HeaderParser(const std::string& label, Metadata* metadata,
               std::vector<SafetensorsEntry>* entries)
      : label_(label), metadata_(*metadata), entries_(*entries) {}

 private:
  enum class State { kStart, kTop, kMetadata, kTensor, kShape, kOffsets };
  enum Field : unsigned { kDtype = 1, kShapeField = 2, kDataOffsets = 4 };

  [[noreturn]] void OnError(const std::string& what) override {
    // A token of the text may be in it, as long as the text is.
    size_t end = std::min<size_t>(what.size(), 400);
    while (end < what.size() && (what[end] & 0xC0) == 0x80) --end;
    Fail(Status::kCorruptFile, label_,
         ": InvalidHeaderDeserialization: ", Where(), what.substr(0, end));
  }

  std::string Where() const {
    if (state_ == State::kMetadata) {
      return "__metadata__ " + (key_.empty() ? "" : Quoted(key_)) + ": ";
    }
    if (state_ == State::kStart || state_ == State::kTop) {
      return in_value_ ? Quoted(key_) + ": " : "";
    }
    const char* field = field_ == kDtype         ? "dtype: "
                        : field_ == kShapeField  ? "shape: "
                        : field_ == kDataOffsets ? "data_offsets: "
                                                 : "";
    return "tensor " + Quoted(entries_.back().name) + ": " + field;
  }

  [[noreturn]] void Expected(const std::string& found) {
    const char* expected = "an object";
    if (state_ == State::kMetadata || field_ == kDtype) {
      expected = "a string";
    } else if (state_ == State::kShape || state_ == State::kOffsets) {
      expected = "an unsigned integer of 64 bits";
    } else if (field_ != 0) {
      expected = field_ == kShapeField ? "an array of unsigned integers"
                                       : "an array [begin, end]";
    }
    OnError("found " + found + ", expected " + expected);
  }

  void CheckNoNul(const std::string& text) {
    if (text.find('\0') == std::string::npos) return;
    Fail(Status::kUnsupported, label_, ": ", Where(), "a NUL character in ",
         Quoted(text), " is not supported");
  }

  void OnOther(const std::string& what) override {
    if (state_ == State::kTop && key_ == "__metadata__" && what == "null") {
      BeginMetadata();  // an Option to the reference: as if it were not there
      state_ = State::kTop;
      return;
    }
    Expected(what);
  }

  void BeginMetadata() {
    if (has_metadata_) OnError("__metadata__ twice");
    has_metadata_ = true;
    in_value_ = false;
    state_ = State::kMetadata;
    key_.clear();
  }

  void OnString(std::string& value) override {
    if (state_ == State::kMetadata) {
      CheckNoNul(value);
      metadata_.emplace_back(std::move(key_), std::move(value));
      key_.clear();
      return;
    }
    if (state_ != State::kTensor || field_ != kDtype) {
      Expected("the string " + Quoted(value));
    }
    const DTypeInfo* info = FindDType(value, /*as_written=*/true);
    if (info == nullptr) {
      OnError(Quoted(value) + " is none of " + KnownDTypes());
    }
    entries_.back().dtype = info->dtype;
    field_ = 0;
  }

  void OnUnsigned(uint64_t value) override {
    SafetensorsEntry* entry = entries_.empty() ? nullptr : &entries_.back();
    if (state_ == State::kShape) {
      Shape& shape = entry->shape;
      if (shape.rank == kMaxRank) {
        Fail(Status::kUnsupported, label_, ": tensor ", Quoted(entry->name),
             " has a rank above ", kMaxRank, ", which is not supported");
      }
      shape.dims[shape.rank++] = value;
    } else if (state_ == State::kOffsets) {
      if (offsets_ == 2) OnError("more than two elements");
      (offsets_++ == 0 ? entry->offset : entry->bytes) = value;
    } else {
      Expected("the number " + std::to_string(value));
    }
  }

  void OnStart(bool object) override {
    switch (state_) {
      case State::kStart:
        if (!object) Expected("an array");
        state_ = State::kTop;
        return;
      case State::kTop:
        if (!object) Expected("an array");
        if (key_ == "__metadata__") {
          BeginMetadata();
          return;
        }
        in_value_ = false;
        if (entries_.size() == kMaxTensors) {
          Fail(Status::kUnsupported, label_, ": more than ", kMaxTensors,
               " tensors");
        }
        if (key_.empty()) {
          Fail(Status::kUnsupported, label_,
               ": a tensor has an empty name, which is not supported");
        }
        entries_.emplace_back();
        entries_.back().name = std::move(key_);
        state_ = State::kTensor;
        field_ = 0;
        seen_ = 0;
        return;
      case State::kTensor:
        if (object || field_ == kDtype)
          Expected(object ? "an object" : "an array");
        state_ = field_ == kShapeField ? State::kShape : State::kOffsets;
        offsets_ = 0;
        return;
      default:
        Expected(object ? "an object" : "an array");
    }
  }

  void OnKey(std::string& key) override {
    if (state_ == State::kTop) {
      CheckNoNul(key);
      key_ = std::move(key);
      in_value_ = true;
    } else if (state_ == State::kMetadata) {
      CheckNoNul(key);
      key_ = std::move(key);
    } else {
      field_ = key == "dtype"          ? kDtype
               : key == "shape"        ? kShapeField
               : key == "data_offsets" ? kDataOffsets
                                       : 0u;
      if (field_ == 0) {
        SkipNext();
      } else if ((seen_ & field_) != 0) {
        OnError("given twice");
      }
      seen_ |= field_;
    }
  }

  void OnEnd() override {
    switch (state_) {
      case State::kShape:
        state_ = State::kTensor;
        field_ = 0;
        return;
      case State::kOffsets:
        if (offsets_ != 2) {
          OnError(std::to_string(offsets_) + " elements, must be 2");
        }
        state_ = State::kTensor;
        field_ = 0;
        return;
      case State::kTensor:
        for (const auto& [field, name] :
             {std::pair{kDtype, "dtype"}, std::pair{kShapeField, "shape"},
              std::pair{kDataOffsets, "data_offsets"}}) {
          if ((seen_ & field) == 0) {
            OnError(std::string(name) + " is missing");
          }
        }
        state_ = State::kTop;
        return;
      case State::kMetadata:
        state_ = State::kTop;
        return;
      default:
        return;
    }
  }

  const std::string& label_;
  Metadata& metadata_;
  std::vector<SafetensorsEntry>& entries_;
  State state_ = State::kStart;
  std::string key_;  // of kTop or kMetadata, until its value comes
  bool in_value_ = false;
  bool has_metadata_ = false;
  unsigned field_ = 0;  // of the tensor, 0 between fields
  unsigned seen_ = 0;
  unsigned offsets_ = 0;
};

[[noreturn]] void FailTensor(const std::string& label, const char* error,
                             const std::string& name, const std::string& what) {
  const std::string subject = TensorSubject(name);
  throw Error(Status::kCorruptFile,
              Message(label, ": ", error, ": ", subject, ": ", what))
      .Naming(subject);
}

// Checks 6 to 9 on a tensor that must begin at position, and returns its end.
uint64_t CheckTensor(const std::string& label, const SafetensorsEntry& entry,
                     uint64_t position) {
  const uint64_t begin = entry.offset;
  const uint64_t end = entry.bytes;
  const std::string range =
      "[" + std::to_string(begin) + ", " + std::to_string(end) + "]";
  if (begin != position || end < begin) {
    FailTensor(label, "InvalidOffset", entry.name,
               "data_offsets = " + range + ", must begin at " +
                   std::to_string(position) +
                   ", where the tensor before it ends, and not end before");
  }
  // As Shape::Make: also of an empty tensor the other dimensions are counted.
  uint64_t elements = 1;
  uint64_t bits = 0;
  bool fits = true;
  for (int i = 0; i < entry.shape.rank; ++i) {
    const uint64_t dim = entry.shape.dims[i];
    fits = fits && (dim == 0 || TryMul(elements, dim, &elements));
  }
  fits = fits && TryMul(elements, 8, &bits);
  fits = fits && TryMul(entry.shape.elements(), Info(entry.dtype).bits, &bits);
  const std::string array = std::string("dtype ") + Info(entry.dtype).name +
                            ", shape " + entry.shape.ToString();
  if (!fits) {
    FailTensor(label, "ValidationOverflow", entry.name,
               array + ": its size overflows 64 bits");
  }
  if (bits % 8 != 0) {
    FailTensor(
        label, "MisalignedSlice", entry.name,
        array + ": " + std::to_string(bits) + " bits are not whole bytes");
  }
  if (end - begin != bits / 8) {
    FailTensor(label, "TensorInvalidInfo", entry.name,
               "data_offsets = " + range + " are " +
                   std::to_string(end - begin) + " bytes, " + array +
                   " needs " + std::to_string(bits / 8));
  }
  return end;
}

bool ByName(const SafetensorsEntry& a, const SafetensorsEntry& b) {
  return a.name < b.name;
}

}  // namespace

SafetensorsReader::SafetensorsReader(std::shared_ptr<const MappedFile> file)
    : file_(std::move(file)) {
  const std::string& label = file_->label();
  const uint64_t size = file_->size();
  if (size < 8) {
    Fail(Status::kCorruptFile, label, ": HeaderTooSmall: ", size,
         " bytes, must be 8 or more");
  }
  const uint64_t n = LoadLE<uint64_t>(file_->data());
  if (n > kMaxSafetensorsHeader) {
    Fail(Status::kCorruptFile, label, ": HeaderTooLarge: header length = ", n,
         ", must be at most ", kMaxSafetensorsHeader,
         " (is it a safetensors file?)");
  }
  if (n > size - 8) {
    Fail(Status::kCorruptFile, label,
         ": InvalidHeaderLength: header length = ", n, ", but ", size - 8,
         " bytes follow");
  }
  const char* header = reinterpret_cast<const char*>(file_->data()) + 8;
  const size_t length = static_cast<size_t>(n);
  const size_t invalid = FindInvalidUtf8(header, length);
  if (invalid != length) {
    Fail(Status::kCorruptFile, label, ": InvalidHeader: byte ", invalid,
         " of the header is not UTF-8");
  }
  HeaderParser(label, &metadata_, &entries_).Parse(header, length);
  SortAndCheckNames();
  PlaceEntries(8 + n);
}

void SafetensorsReader::SortAndCheckNames() {
  const std::string& label = file_->label();
  std::sort(metadata_.begin(), metadata_.end());
  const auto same_key = [](const auto& a, const auto& b) {
    return a.first == b.first;
  };
  const auto key =
      std::adjacent_find(metadata_.begin(), metadata_.end(), same_key);
  if (key != metadata_.end()) {
    Fail(Status::kCorruptFile, label,
         ": InvalidHeaderDeserialization: __metadata__ has the key ",
         Quoted(key->first), " twice");
  }
  std::sort(entries_.begin(), entries_.end(), ByName);
  const auto twice = std::adjacent_find(
      entries_.begin(), entries_.end(),
      [](const auto& a, const auto& b) { return a.name == b.name; });
  if (twice != entries_.end()) {
    FailTensor(label, "InvalidHeaderDeserialization", twice->name,
               "named twice");
  }
}

void SafetensorsReader::PlaceEntries(uint64_t begin) {
  const std::string& label = file_->label();
  const uint64_t bytes = file_->size() - begin;
  std::sort(entries_.begin(), entries_.end(), [](const auto& a, const auto& b) {
    return std::tie(a.offset, a.bytes, a.name) <
           std::tie(b.offset, b.bytes, b.name);
  });
  uint64_t position = 0;
  for (SafetensorsEntry& entry : entries_) {
    position = CheckTensor(label, entry, position);
  }
  if (position != bytes) {
    Fail(Status::kCorruptFile, label,
         ": MetadataIncompleteBuffer: the tensors have ", position,
         " bytes, but ", bytes, " follow the header");
  }
  for (SafetensorsEntry& entry : entries_) {
    entry.bytes -= entry.offset;
    entry.offset += begin;
  }
  std::sort(entries_.begin(), entries_.end(), ByName);
}

const SafetensorsEntry* SafetensorsReader::Find(const std::string& name) const {
  const auto it = std::lower_bound(
      entries_.begin(), entries_.end(), name,
      [](const auto& entry, const auto& n) { return entry.name < n; });
  return it != entries_.end() && it->name == name ? &*it : nullptr;
}

}  // namespace bnq
