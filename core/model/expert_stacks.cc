#include "core/model/expert_stacks.h"

#include <algorithm>
#include <cstring>
#include <set>
#include <utility>

#include "core/base/error.h"
#include "core/io/json_tree.h"
#include "core/io/naming.h"

namespace bnq {
namespace {

// Matrices of one array.
class StackReader final : public ContainerReader {
 public:
  StackReader(std::shared_ptr<const ModelFile> file, const ModelEntry& array,
              const ExpertStack& stack)
      : file_(std::move(file)),
        array_(array),
        stack_(stack),
        element_bytes_(Info(static_cast<DType>(array.dtype)).bits / 8),
        bytes_(stack.matrix_shape().elements() * element_bytes_) {
    for (uint64_t i = 0; i < stack.matrices(); ++i) {
      ModelEntry entry = array;
      entry.name = stack.NameOf(i);
      entry.shape = stack.matrix_shape();
      entry.raw_bytes = entry.stored_bytes = bytes_;
      entry.reader = this;
      entry.index = static_cast<size_t>(i);
      entries_.push_back(std::move(entry));
    }
  }

  FileKind kind() const override { return file_->kind(); }
  const Metadata& metadata() const override { return file_->metadata(); }
  void ListFiles(std::vector<const MappedFile*>* files) const override {
    array_.reader->ListFiles(files);
  }

  const uint8_t* Mapped(size_t index, size_t /*section*/) const override {
    return stack_.in_one_piece() && bytes_ != 0
               ? file_->Mapped(array_) + index * bytes_
               : nullptr;
  }
  void Release(size_t index, size_t /*section*/, uint64_t offset,
               uint64_t bytes) const override {
    if (stack_.in_one_piece()) {
      file_->Release(array_, index * bytes_ + offset, bytes);
    } else {
      file_->Release(array_, ExpertBegin(index), ExpertBytes());
    }
  }
  std::unique_ptr<SectionReader> Open(const Context& context, size_t index,
                                      size_t section) const override;

 private:
  friend class MatrixReader;

  uint64_t ExpertBytes() const { return bytes_ * stack_.pieces.size(); }
  uint64_t ExpertBegin(size_t index) const {
    return index / stack_.pieces.size() * ExpertBytes();
  }

  const std::shared_ptr<const ModelFile> file_;
  const ModelEntry& array_;
  const ExpertStack stack_;
  const uint64_t element_bytes_, bytes_;
};

class MatrixReader final : public SectionReader {
 public:
  MatrixReader(const Context& context, const StackReader& reader, size_t index)
      : context_(context),
        stack_(reader.stack_),
        expert_(reader.bytes_ == 0 ? nullptr
                                   : reader.file_->Mapped(reader.array_) +
                                         reader.ExpertBegin(index)),
        piece_(index % reader.stack_.pieces.size()),
        element_bytes_(reader.element_bytes_),
        bytes_(reader.bytes_) {}

  uint64_t remaining() const override { return bytes_ - at_; }
  void Read(void* out, uint64_t bytes) override {
    if (bytes > remaining()) {
      Fail(Status::kInvalidArgument, "reading ", bytes, " bytes, but only ",
           remaining(), " of the array are left");
    }
    const uint64_t row_bytes = stack_.in() * element_bytes_;
    uint8_t* to = static_cast<uint8_t*>(out);
    while (bytes != 0) {
      // Whole rows are taken to their place, parts of one through a buffer.
      const uint64_t row = at_ / row_bytes, within = at_ % row_bytes;
      const bool whole = within == 0 && bytes >= row_bytes;
      const uint64_t rows = whole ? std::min(bytes / row_bytes, kRows) : 1;
      const uint64_t n =
          whole ? rows * row_bytes : std::min(bytes, row_bytes - within);
      if (to != nullptr && whole) {
        stack_.Take(expert_, piece_, row, row + rows, element_bytes_, to);
      } else if (to != nullptr) {
        if (row_.empty()) row_.resize(static_cast<size_t>(row_bytes));
        stack_.Take(expert_, piece_, row, row + 1, element_bytes_, row_.data());
        std::memcpy(to, row_.data() + within, static_cast<size_t>(n));
      }
      if (to != nullptr) to += n;
      at_ += n;
      bytes -= n;
      context_.Tick();
    }
  }

 private:
  // Between two ticks.
  static constexpr uint64_t kRows = 256;

  const Context context_;
  const ExpertStack& stack_;
  const uint8_t* const expert_;
  const uint64_t piece_, element_bytes_, bytes_;
  uint64_t at_ = 0;
  std::vector<uint8_t> row_;
};

std::unique_ptr<SectionReader> StackReader::Open(const Context& context,
                                                 size_t index,
                                                 size_t /*section*/) const {
  return std::make_unique<MatrixReader>(context, *this, index);
}

// f(row, column, index of the element in its expert), for rows [begin, end).
// Rows whose elements lie beside each other are taken together.
template <class F>
void ForEach(const ExpertStack& stack, uint64_t piece, uint64_t begin,
             uint64_t end, const F& f) {
  constexpr uint64_t kTogether = 32;
  const uint64_t out = stack.out(), in = stack.in(), rows = stack.rows();
  const uint64_t step = stack.interleaved ? stack.pieces.size() : 1;
  const uint64_t first = stack.interleaved ? piece : piece * rows;
  for (uint64_t r = begin; r < end; r += kTogether) {
    const uint64_t last = std::min(end, r + kTogether);
    if (stack.is_in_out) {
      for (uint64_t c = 0; c < in; ++c) {
        for (uint64_t i = r; i < last; ++i) {
          f(i, c, c * out + first + i * step);
        }
      }
    } else {
      for (uint64_t i = r; i < last; ++i) {
        for (uint64_t c = 0; c < in; ++c) {
          f(i, c, (first + i * step) * in + c);
        }
      }
    }
  }
}

// f(a type of this size).
template <class F>
void WithSize(uint64_t bytes, const F& f) {
  switch (bytes) {
    case 1:
      return f(uint8_t{});
    case 2:
      return f(uint16_t{});
    case 4:
      return f(uint32_t{});
    default:
      return f(uint64_t{});
  }
}

template <class T>
T At(const uint8_t* data, uint64_t index) {
  T value;
  std::memcpy(&value, data + index * sizeof(T), sizeof(T));
  return value;
}

[[noreturn]] void FailCorrupt(const std::string& what) {
  Fail(Status::kCorruptFile, kExpertStacks, " in the metadata: ", what);
}

const JsonTree& Get(const JsonTree& object, const char* key,
                    JsonTree::Kind kind) {
  const JsonTree* const value = object.Find(key);
  if (value == nullptr || value->kind != kind) {
    FailCorrupt(Message("\"", key, "\" is missing or of another type"));
  }
  return *value;
}

ExpertStack StackOf(const std::string& name, const JsonTree& json) {
  ExpertStack stack;
  stack.name = name;
  std::vector<uint64_t> dims;
  for (const JsonTree& dim : Get(json, "shape", JsonTree::Kind::kArray).items) {
    if (dim.kind != JsonTree::Kind::kUnsigned) {
      FailCorrupt("\"shape\" is not of whole numbers");
    }
    dims.push_back(dim.whole);
  }
  if (dims.size() != 3) FailCorrupt("\"shape\" has not three dimensions");
  stack.shape = Shape::Make(3, dims.data());
  stack.prefix = Get(json, "prefix", JsonTree::Kind::kString).string;
  for (const JsonTree& piece :
       Get(json, "pieces", JsonTree::Kind::kArray).items) {
    stack.pieces.push_back(piece.string);
  }
  const std::string& layout =
      Get(json, "layout", JsonTree::Kind::kString).string;
  stack.is_in_out = layout.find("in_out") != std::string::npos;
  stack.interleaved = layout.find("interleaved") != std::string::npos;
  if (stack.pieces.empty() || stack.pieces.size() > 2 ||
      stack.out() % stack.pieces.size() != 0) {
    FailCorrupt("\"pieces\" must be 1 or 2, which divide the rows");
  }
  if (stack.experts() > kMaxTensors) FailCorrupt("too many experts");
  return stack;
}

std::string JsonOf(const std::vector<ExpertStack>& stacks) {
  std::string json = "{";
  for (const ExpertStack& stack : stacks) {
    std::string pieces;
    for (const std::string& piece : stack.pieces) {
      pieces += (pieces.empty() ? "" : ", ") + JsonText(piece);
    }
    json += Message(json == "{" ? "" : ",", "\n ", JsonText(stack.name),
                    ": {\"shape\": [", stack.shape.dims[0], ", ",
                    stack.shape.dims[1], ", ", stack.shape.dims[2],
                    "], \"prefix\": ", JsonText(stack.prefix),
                    ", \"pieces\": [", pieces, "], \"layout\": \"",
                    stack.is_in_out ? "in_out" : "out_in",
                    stack.interleaved ? ", interleaved" : "", "\"}");
  }
  return json + "\n}";
}

}  // namespace

Shape ExpertStack::matrix_shape() const {
  const uint64_t dims[] = {rows(), in()};
  return Shape::Make(2, dims);
}

std::string ExpertStack::NameOf(uint64_t matrix) const {
  return Message(prefix, matrix / pieces.size(), '.',
                 pieces[static_cast<size_t>(matrix % pieces.size())],
                 ".weight");
}

void ExpertStack::Take(const uint8_t* expert, uint64_t piece, uint64_t begin,
                       uint64_t end, uint64_t element_bytes,
                       uint8_t* matrix) const {
  WithSize(element_bytes, [&](auto type) {
    using T = decltype(type);
    ForEach(*this, piece, begin, end,
            [&](uint64_t row, uint64_t column, uint64_t from) {
              const T value = At<T>(expert, from);
              std::memcpy(matrix + ((row - begin) * in() + column) * sizeof(T),
                          &value, sizeof(T));
            });
  });
}

void ExpertStack::Put(const uint8_t* matrix, uint64_t piece,
                      uint64_t element_bytes, uint8_t* expert) const {
  WithSize(element_bytes, [&](auto type) {
    using T = decltype(type);
    ForEach(*this, piece, 0, rows(),
            [&](uint64_t row, uint64_t column, uint64_t to) {
              const T value = At<T>(matrix, row * in() + column);
              std::memcpy(expert + to * sizeof(T), &value, sizeof(T));
            });
  });
}

std::shared_ptr<const ModelFile> CutExperts(
    const std::shared_ptr<const ModelFile>& file,
    const std::vector<ExpertStack>& stacks) {
  if (stacks.empty()) return file;
  std::vector<std::unique_ptr<ContainerReader>> readers;
  std::vector<ModelEntry> entries;
  for (const ModelEntry& entry : file->entries()) {
    const auto stack =
        std::find_if(stacks.begin(), stacks.end(), [&](const ExpertStack& s) {
          return s.name == entry.name && s.shape == entry.shape;
        });
    if (stack == stacks.end() || entry.format != 0 ||
        !IsSource(static_cast<DType>(entry.dtype))) {
      entries.push_back(entry);
      continue;
    }
    readers.push_back(std::make_unique<StackReader>(file, entry, *stack));
    for (const ModelEntry& matrix : readers.back()->entries()) {
      if (file->Find(matrix.name) != nullptr) {
        Fail(Status::kUnsupported, TensorSubject(entry.name),
             " holds experts, of which one is there of its own, too: ",
             Quoted(matrix.name));
      }
      entries.push_back(matrix);
    }
  }
  Metadata metadata = file->metadata();
  SetMetadata(kExpertStacks, JsonOf(stacks), &metadata);
  return ModelFile::View(file, std::move(entries), std::move(metadata),
                         std::move(readers));
}

std::vector<ExpertStack> ExpertStacksOf(const Metadata& metadata) {
  std::vector<ExpertStack> stacks;
  for (const auto& [key, value] : metadata) {
    if (key != kExpertStacks) continue;
    const JsonTree json = ParseJson(value, kExpertStacks);
    if (!json.is_object()) FailCorrupt("it is no object");
    for (const auto& [name, stack] : json.members) {
      try {
        stacks.push_back(StackOf(name, stack));
      } catch (const Error& e) {
        if (e.status() != Status::kInvalidArgument) throw;
        FailCorrupt(e.message());
      }
    }
  }
  return stacks;
}

std::vector<ExpertStack> WholeExpertStacks(const ModelFile& file) {
  std::vector<ExpertStack> whole;
  std::set<std::string> names;
  for (ExpertStack& stack : ExpertStacksOf(file.metadata())) {
    bool is_whole = true;
    for (uint64_t i = 0; i < stack.matrices() && is_whole; ++i) {
      const std::string name = stack.NameOf(i);
      const ModelEntry* const entry = file.Find(name);
      is_whole = entry != nullptr;
      if (!is_whole) break;
      const bool fits =
          entry->format != 0 || IsSource(static_cast<DType>(entry->dtype));
      if (!fits || entry->shape != stack.matrix_shape() ||
          !names.insert(name).second) {
        Fail(Status::kCorruptFile, TensorSubject(stack.name),
             " cannot be put together: the matrix ", Quoted(name),
             " is of another shape, type or array");
      }
    }
    if (!is_whole) continue;
    if (file.Find(stack.name) != nullptr || !names.insert(stack.name).second) {
      Fail(Status::kCorruptFile, TensorSubject(stack.name),
           " is there beside the matrices that it is made of");
    }
    whole.push_back(std::move(stack));
  }
  return whole;
}

}  // namespace bnq
