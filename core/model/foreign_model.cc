#include "core/model/foreign_model.h"

#include <algorithm>
#include <cstring>
#include <set>
#include <utility>
#include <vector>

#include "core/base/error.h"
#include "core/io/naming.h"
#include "core/model/convert.h"
#include "core/model/model_folder.h"
#include "core/model/tensor_entry.h"
#include "core/tensor/dequantize.h"

namespace bnq {
namespace {

// Bytes of whole rows that are made at a time.
constexpr uint64_t kBand = uint64_t{1} << 20;

// Bytes that are made in bands of whole rows, in their order.
class BandReader : public SectionReader {
 public:
  BandReader(const Context& context, std::string name, uint64_t bytes,
             uint64_t row_bytes)
      : context_(context),
        name_(std::move(name)),
        bytes_(bytes),
        row_bytes_(std::max<uint64_t>(row_bytes, 1)) {}

  uint64_t remaining() const override { return bytes_ - at_; }
  void Read(void* out, uint64_t bytes) override {
    if (bytes > remaining()) {
      Fail(Status::kInvalidArgument, "reading ", bytes, " bytes, but only ",
           remaining(), " of the array are left");
    }
    uint8_t* to = static_cast<uint8_t*>(out);
    if (to == nullptr && NothingToCheck()) {
      at_ += bytes;
      return;
    }
    while (bytes != 0) {
      const uint64_t n = to != nullptr && at_ % row_bytes_ == 0 &&
                                 bytes >= row_bytes_ && !InBand(at_)
                             ? Direct(to, bytes)
                             : FromBand(to, bytes);
      if (to != nullptr) to += n;
      at_ += n;
      bytes -= n;
      context_.Tick();
    }
  }

 protected:
  // The rows [begin, end) to out.
  virtual void Make(uint64_t begin, uint64_t end, uint8_t* out) = 0;
  // They are the file's bytes, as they are.
  virtual bool NothingToCheck() const { return false; }
  const Context& context() const { return context_; }

 private:
  bool InBand(uint64_t at) const {
    return at >= band_begin_ && at < band_begin_ + band_bytes_;
  }
  uint64_t RowsOf(uint64_t bytes) const {
    return std::max<uint64_t>(std::min(bytes, kBand) / row_bytes_, 1);
  }
  uint64_t Direct(uint8_t* to, uint64_t bytes) {
    const uint64_t begin = at_ / row_bytes_, rows = RowsOf(bytes);
    InTensor(name_, [&] { Make(begin, begin + rows, to); });
    return rows * row_bytes_;
  }
  uint64_t FromBand(uint8_t* to, uint64_t bytes) {
    if (!InBand(at_)) {
      const uint64_t begin = at_ / row_bytes_;
      const uint64_t rows =
          std::min(RowsOf(kBand), bytes_ / row_bytes_ - begin);
      band_begin_ = begin * row_bytes_;
      band_bytes_ = 0;
      if (band_.size() < rows * row_bytes_) {
        band_ = context_.Allocate(rows * row_bytes_);
      }
      InTensor(name_, [&] { Make(begin, begin + rows, band_.data()); });
      band_bytes_ = rows * row_bytes_;
    }
    const uint64_t offset = at_ - band_begin_;
    const uint64_t n = std::min(bytes, band_bytes_ - offset);
    if (to != nullptr) {
      std::memcpy(to, band_.data() + offset, static_cast<size_t>(n));
    }
    return n;
  }

  const Context context_;
  const std::string name_;
  const uint64_t bytes_, row_bytes_;
  uint64_t at_ = 0, band_begin_ = 0, band_bytes_ = 0;
  Buffer band_;
};

class PartReader final : public BandReader {
 public:
  PartReader(const Context& context, const ForeignTensor& tensor, Part part,
             uint64_t bytes)
      : BandReader(context, tensor.name, bytes, RowBytes(tensor, bytes)),
        tensor_(tensor),
        part_(part),
        whole_(RowBytes(tensor, bytes) == bytes) {}

 private:
  static uint64_t RowBytes(const ForeignTensor& tensor, uint64_t bytes) {
    return tensor.rows != 0 && bytes % tensor.rows == 0 ? bytes / tensor.rows
                                                        : bytes;
  }
  void Make(uint64_t begin, uint64_t end, uint8_t* out) override {
    if (whole_) {
      tensor_.Read(context(), part_, 0, tensor_.rows, out);
    } else {
      tensor_.Read(context(), part_, begin, end, out);
    }
  }
  bool NothingToCheck() const override {
    return tensor_.Mapped(part_) != nullptr;
  }

  const ForeignTensor& tensor_;
  const Part part_;
  const bool whole_;
};

// The tensors that layouts have found.
class ForeignReader final : public ContainerReader {
 public:
  ForeignReader(const ModelFile& file,
                std::vector<std::unique_ptr<ForeignTensor>> tensors)
      : file_(file), tensors_(std::move(tensors)) {
    parts_.resize(tensors_.size());
    for (size_t i = 0; i < tensors_.size(); ++i) Add(i);
  }

  FileKind kind() const override { return file_.kind(); }
  const Metadata& metadata() const override { return file_.metadata(); }
  void ListFiles(std::vector<const MappedFile*>* files) const override {
    files->insert(files->end(), file_.files().begin(), file_.files().end());
  }
  const uint8_t* Mapped(size_t index, size_t section) const override {
    return tensors_[index]->Mapped(PartOf(index, section));
  }
  // Pages of a transcoded tensor are let go when it is as a whole.
  void Release(size_t index, size_t section, uint64_t offset,
               uint64_t bytes) const override {
    const PartOfSection& part = parts_[index][section];
    if (offset + bytes < part.bytes) return;
    for (const ModelEntry* entry : tensors_[index]->from) {
      file_.Release(*entry);
    }
  }
  std::unique_ptr<SectionReader> Open(const Context& context, size_t index,
                                      size_t section) const override {
    const PartOfSection& part = parts_[index][section];
    return std::make_unique<PartReader>(context, *tensors_[index], part.part,
                                        part.bytes);
  }

 private:
  struct PartOfSection {
    Part part;
    uint64_t bytes;
  };

  Part PartOf(size_t index, size_t section) const {
    return parts_[index][section].part;
  }
  void Add(size_t index) {
    const ForeignTensor& tensor = *tensors_[index];
    ModelEntry entry;
    entry.name = tensor.name;
    entry.shape = tensor.shape;
    entry.layout = tensor.note;
    if (tensor.quantized) {
      const BnqEntry ours =
          EntryOf(tensor.name, tensor.shape, tensor.config, tensor.sizes);
      entry.format = ours.format;
      entry.options = ours.options;
      for (const BnqSection& section : ours.sections) {
        entry.sections.push_back({section.role, section.raw_bytes});
        Part part = Part::kCodes;
        DType dtype;
        FindPartOfRole(static_cast<uint32_t>(section.role), &part, &dtype);
        parts_[index].push_back({part, section.raw_bytes});
        entry.raw_bytes += section.raw_bytes;
      }
    } else {
      entry.dtype = static_cast<int32_t>(tensor.dtype);
      entry.raw_bytes = tensor.shape.elements() * (Info(tensor.dtype).bits / 8);
      parts_[index].push_back({Part::kCodes, entry.raw_bytes});
    }
    for (const ModelEntry* from : tensor.from) {
      entry.stored_bytes += from->stored_bytes;
    }
    entry.reader = this;
    entry.index = index;
    entries_.push_back(std::move(entry));
  }

  const ModelFile& file_;
  const std::vector<std::unique_ptr<ForeignTensor>> tensors_;
  std::vector<std::vector<PartOfSection>> parts_;  // by section
};

// A tensor's values, row by row.
class ValueReader final : public BandReader {
 public:
  ValueReader(const Context& context,
              const std::shared_ptr<const ModelFile>& file,
              const ModelEntry& entry)
      : BandReader(context, entry.name, entry.shape.elements() * sizeof(float),
                   sizeof(float)),
        tensor_(LoadTensor(context, file, entry)),
        dequantizer_(BandReader::context(), *tensor_) {}

 private:
  void Make(uint64_t begin, uint64_t end, uint8_t* out) override {
    dequantizer_.DecodeParallel(begin, end - begin, DType::kF32, out,
                                Overflow::kKeep);
  }

  const std::unique_ptr<QuantizedTensor> tensor_;
  const Dequantizer dequantizer_;
};

class ValuesReader final : public ContainerReader {
 public:
  explicit ValuesReader(std::shared_ptr<const ModelFile> file)
      : file_(std::move(file)) {
    for (const ModelEntry& quantized : file_->entries()) {
      if (quantized.format == 0) continue;
      quantized_.push_back(&quantized);
      ModelEntry entry = quantized;
      entry.format = 0;
      entry.options.clear();
      entry.sections.clear();
      entry.dtype = static_cast<int32_t>(DType::kF32);
      entry.raw_bytes = entry.shape.elements() * sizeof(float);
      entry.reader = this;
      entry.index = entries_.size();
      entries_.push_back(std::move(entry));
    }
  }

  FileKind kind() const override { return file_->kind(); }
  const Metadata& metadata() const override { return file_->metadata(); }
  void ListFiles(std::vector<const MappedFile*>* files) const override {
    files->insert(files->end(), file_->files().begin(), file_->files().end());
  }
  const uint8_t* Mapped(size_t, size_t) const override { return nullptr; }
  void Release(size_t index, size_t, uint64_t offset,
               uint64_t bytes) const override {
    if (offset + bytes >= entries_[index].raw_bytes) {
      file_->Release(*quantized_[index]);
    }
  }
  std::unique_ptr<SectionReader> Open(const Context& context, size_t index,
                                      size_t) const override {
    return std::make_unique<ValueReader>(context, file_, *quantized_[index]);
  }

 private:
  const std::shared_ptr<const ModelFile> file_;
  std::vector<const ModelEntry*> quantized_;
};

// The entries with those of `reader` in place of `replaced`.
std::shared_ptr<const ModelFile> WithReader(
    std::shared_ptr<const ModelFile> file,
    std::unique_ptr<ContainerReader> reader,
    const std::set<const ModelEntry*>& replaced) {
  std::vector<ModelEntry> entries = reader->entries();
  std::set<std::string> names;
  for (const ModelEntry& entry : entries) names.insert(entry.name);
  for (const ModelEntry& entry : file->entries()) {
    if (replaced.count(&entry) != 0) continue;
    if (!names.insert(entry.name).second) {
      Fail(Status::kUnsupported, TensorSubject(entry.name),
           " is there twice: as an array, and in another layout");
    }
    entries.push_back(entry);
  }
  std::vector<std::unique_ptr<ContainerReader>> readers;
  readers.push_back(std::move(reader));
  Metadata metadata = file->metadata();
  return ModelFile::View(std::move(file), std::move(entries),
                         std::move(metadata), std::move(readers));
}

}  // namespace

JsonTree ConfigBeside(const Context& context, const ModelFile& file) {
  const std::string path = file.files().empty() ? "" : file.files()[0]->path();
  if (path.empty()) return {};
  const std::string folder = DirectoryOf(path);
  return ReadModelConfigTree(context, folder.empty() ? "." : folder);
}

std::shared_ptr<const ModelFile> ForeignView(
    const Context& context, std::shared_ptr<const ModelFile> file,
    const ImportOptions& options) {
  JsonTree config = ConfigBeside(context, *file);
  return ForeignViewOf(context, std::move(file), std::move(config), options);
}

std::shared_ptr<const ModelFile> ForeignViewOf(
    const Context& context, std::shared_ptr<const ModelFile> file,
    JsonTree root, const ImportOptions& options) {
  if (IsBnq(file->kind())) return file;
  JsonTree quantization;
  for (const char* key :
       {"quantization_config", "quantization", "compression_config"}) {
    const JsonTree* const found = root.Find(key);
    if (found == nullptr || !found->is_object()) continue;
    quantization = *found;
    break;
  }
  ForeignModel model(*file, std::move(root), std::move(quantization), options);
  for (const ForeignLayout* layout : ForeignLayouts()) {
    if (layout->find != nullptr) layout->find(context, &model);
  }
  if (model.tensors().empty()) return file;
  std::set<const ModelEntry*> replaced;
  for (const auto& tensor : model.tensors()) {
    replaced.insert(tensor->from.begin(), tensor->from.end());
  }
  auto reader = std::make_unique<ForeignReader>(*file, model.Take());
  return WithReader(std::move(file), std::move(reader), replaced);
}

std::shared_ptr<const ModelFile> DequantizedView(
    std::shared_ptr<const ModelFile> file) {
  std::set<const ModelEntry*> replaced;
  for (const ModelEntry& entry : file->entries()) {
    if (entry.format != 0) replaced.insert(&entry);
  }
  if (replaced.empty()) return file;
  auto reader = std::make_unique<ValuesReader>(file);
  return WithReader(std::move(file), std::move(reader), replaced);
}

}  // namespace bnq
