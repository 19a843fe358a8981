#include "core/io/container.h"

#include <algorithm>
#include <cstring>

#include "core/base/error.h"
#include "core/io/endian.h"
#include "core/io/foreign.h"
#include "core/io/safetensors.h"

namespace bnq {
namespace {

class MemoryReader final : public SectionReader {
 public:
  MemoryReader(const Context& context, const uint8_t* data, uint64_t bytes)
      : context_(context), next_(data), remaining_(bytes) {}

  uint64_t remaining() const override { return remaining_; }
  void Read(void* out, uint64_t bytes) override {
    if (bytes > remaining_) {
      Fail(Status::kInvalidArgument, "reading ", bytes, " bytes, but only ",
           remaining_, " of the array are left");
    }
    uint8_t* to = static_cast<uint8_t*>(out);
    while (bytes != 0) {
      const uint64_t n = std::min(bytes, kPiece);
      if (to != nullptr) {
        std::memcpy(to, next_, static_cast<size_t>(n));
        to += n;
      }
      next_ += n;
      remaining_ -= n;
      bytes -= n;
      context_.Tick();
    }
  }

 private:
  // Bytes between two ticks; they may be on a slow disk.
  static constexpr uint64_t kPiece = uint64_t{1} << 20;

  const Context context_;
  const uint8_t* next_;
  uint64_t remaining_;
};

// A length that can be one, and what looks like JSON behind it.
bool BeginsAsSafetensors(const MappedFile& file) {
  return file.size() > 8 &&
         LoadLE<uint64_t>(file.data()) <= kMaxSafetensorsHeader &&
         std::memchr("{ \t\r\n", file.data()[8], 5) != nullptr;
}

}  // namespace

const std::vector<const Container*>& Containers() {
  // safetensors has no signature and comes last.
  static const std::vector<const Container*> rows = {
      &kBnqContainer, &kGgufContainer, &kNpyContainer, &kIndexContainer,
      &kSafetensorsContainer};
  return rows;
}

const Container* FindContainer(FileKind kind) {
  for (const Container* row : Containers()) {
    if (row->kind == kind) return row;
  }
  return nullptr;
}

const Container& ContainerOf(const MappedFile& file) {
  for (const Container* row : Containers()) {
    if (row->sniff != nullptr && row->sniff(file)) return *row;
  }
  if (!BeginsAsSafetensors(file)) {
    const std::string what = DescribeForeign(file.data(), file.size());
    if (!what.empty()) {
      Fail(file.size() == 0 ? Status::kCorruptFile : Status::kUnsupported,
           file.label(), " is ", what);
    }
  }
  return kSafetensorsContainer;
}

void PlainContainerReader::Add(std::string name, DType dtype,
                               const Shape& shape, uint64_t offset,
                               uint64_t bytes) {
  ModelEntry entry;
  entry.name = std::move(name);
  entry.dtype = static_cast<int32_t>(dtype);
  entry.shape = shape;
  entry.raw_bytes = bytes;
  entry.stored_bytes = bytes;
  entry.reader = this;
  entry.index = entries_.size();
  entries_.push_back(std::move(entry));
  offsets_.push_back(offset);
}

const uint8_t* PlainContainerReader::Mapped(size_t index,
                                            size_t /*section*/) const {
  return entries_[index].raw_bytes == 0 ? nullptr
                                        : file_.data() + offsets_[index];
}

void PlainContainerReader::Release(size_t index, size_t /*section*/,
                                   uint64_t offset, uint64_t bytes) const {
  const uint64_t size = entries_[index].raw_bytes;
  if (offset >= size) return;
  file_.Release(offsets_[index] + offset, std::min(bytes, size - offset));
}

std::unique_ptr<SectionReader> PlainContainerReader::Open(
    const Context& context, size_t index, size_t /*section*/) const {
  return std::make_unique<MemoryReader>(context, Mapped(index, 0),
                                        entries_[index].raw_bytes);
}

uint64_t ContainerWriter::SkipEntry() {
  Fail(Status::kUnsupported, "entries cannot be skipped in such a file");
}

}  // namespace bnq
