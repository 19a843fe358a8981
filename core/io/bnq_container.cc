// .bnq files as a container: bnq_reader.h and bnq_writer.h do the work.
#include <algorithm>
#include <cstring>

#include "core/io/bnq_reader.h"
#include "core/io/bnq_writer.h"
#include "core/io/container.h"

namespace bnq {
namespace {

// Enough that a damaged beginning is told to be one. A safetensors file starts
// with a length, of which these would be the second to fourth byte: far too
// much.
bool Sniff(const MappedFile& file) {
  return file.size() >= 4 &&
         std::memcmp(file.data() + 1, kBnqMagic + 1, 3) == 0;
}

class Reader final : public ContainerReader {
 public:
  explicit Reader(std::shared_ptr<const MappedFile> file)
      : bnq_(std::move(file)) {
    entries_.reserve(bnq_.entries().size());
    for (const BnqEntry& tensor : bnq_.entries()) {
      ModelEntry entry;
      entry.name = tensor.name;
      entry.format = tensor.format;
      entry.dtype = tensor.dtype;
      entry.shape = tensor.shape;
      entry.raw_bytes = tensor.raw_bytes();
      entry.stored_bytes = tensor.stored_bytes();
      entry.options = tensor.options;
      if (tensor.format != 0) {
        for (const BnqSection& section : tensor.sections) {
          entry.sections.push_back({section.role, section.raw_bytes});
        }
      }
      entry.reader = this;
      entry.index = entries_.size();
      entries_.push_back(std::move(entry));
    }
  }

  FileKind kind() const override { return FileKind::kBnq; }
  const Metadata& metadata() const override { return bnq_.metadata(); }
  void ListFiles(std::vector<const MappedFile*>* files) const override {
    files->push_back(&bnq_.file());
  }
  const uint8_t* Mapped(size_t index, size_t section) const override {
    return bnq_.Mapped(At(index, section));
  }
  void Release(size_t index, size_t section, uint64_t offset,
               uint64_t bytes) const override {
    const BnqSection& of = At(index, section);
    if (bnq_.Mapped(of) == nullptr || offset >= of.raw_bytes) return;
    bnq_.file().Release(of.chunks[0].offset + offset,
                        std::min(bytes, of.raw_bytes - offset));
  }
  std::unique_ptr<SectionReader> Open(const Context& context, size_t index,
                                      size_t section) const override {
    return std::make_unique<BnqSectionReader>(
        context, bnq_, bnq_.entries()[index], At(index, section));
  }
  void VerifyRest() const override { bnq_.VerifyPadding(); }

 private:
  const BnqSection& At(size_t index, size_t section) const {
    return bnq_.entries()[index].sections[section];
  }

  BnqReader bnq_;
};

std::unique_ptr<ContainerReader> Open(const Context& /*context*/,
                                      std::shared_ptr<const MappedFile> file) {
  return std::make_unique<Reader>(std::move(file));
}

std::unique_ptr<ContainerWriter> Create(const Context& context,
                                        std::shared_ptr<ByteOutput> output,
                                        const WriteOptions& options,
                                        const Metadata& metadata,
                                        const std::vector<NewArray>&) {
  auto writer =
      std::make_unique<BnqWriter>(context, std::move(output), options);
  for (const auto& [key, value] : metadata) writer->SetMetadata(key, value);
  return writer;
}

}  // namespace

const Container kBnqContainer = {
    FileKind::kBnq, "bnq",  ".bnq",  Sniff,
    Open,           Create, nullptr, /*holds_quantized=*/true};

}  // namespace bnq
