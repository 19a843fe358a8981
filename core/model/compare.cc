// Two model files side by side.
#include <algorithm>
#include <cstring>
#include <functional>
#include <limits>
#include <optional>

#include "core/base/error.h"
#include "core/base/tick.h"
#include "core/io/naming.h"
#include "core/model/convert.h"
#include "core/model/expert_stacks.h"
#include "core/model/foreign_model.h"
#include "core/model/source_model.h"
#include "core/tensor/dequantize.h"

namespace bnq {
namespace {

// Hears which element comes next, and may throw to cancel.
using At = std::function<void(uint64_t element)>;

bool HasValues(const ModelEntry& entry) {
  return entry.format != 0 || IsSource(static_cast<DType>(entry.dtype));
}

// A tensor's values as float32, slice after slice.
class Values {
 public:
  Values(const Context& context, const std::shared_ptr<const ModelFile>& file,
         const ModelEntry& entry)
      : context_(context), file_(*file), entry_(entry) {
    if (entry.format != 0) {
      tensor_ = LoadTensor(context, file, entry);
      dequantizer_.emplace(context, *tensor_);
    } else {
      reader_.emplace(context, *file, entry);
    }
  }

  // The next count elements, [begin, begin + count).
  ErrorSums::Side Next(uint64_t begin, uint64_t count) {
    if (dequantizer_) {
      return [this](uint64_t at, size_t n, float* out) {
        dequantizer_->Decode(at, n, DType::kF32, false,
                             reinterpret_cast<uint8_t*>(out));
      };
    }
    ArrayView slice;
    slice.dtype = static_cast<DType>(entry_.dtype);
    const uint64_t size = Info(slice.dtype).bits / 8;
    if (buffer_.size() < count * size) {
      buffer_ = context_.Allocate(count * size);
    }
    reader_->Read(buffer_.data(), count * size);
    file_.Release(entry_, begin * size, count * size);
    slice.data = buffer_.data();
    ErrorSums::Side side = ArraySide(slice);
    return [side, begin](uint64_t at, size_t n, float* out) {
      side(at - begin, n, out);
    };
  }

 private:
  const Context& context_;
  const ModelFile& file_;
  const ModelEntry& entry_;
  std::unique_ptr<QuantizedTensor> tensor_;
  std::optional<Dequantizer> dequantizer_;
  std::optional<PlainReader> reader_;
  Buffer buffer_;
};

// What a copy compares as.
Metrics NoDifference() {
  return {{0.0, 0.0, 0.0, std::numeric_limits<double>::infinity(), 1.0}};
}

// Whether the n values of the two are the same float32, bit for bit. Unlike
// errors that holds of NaN and infinity too.
bool SameValues(const Context& context, Values a, Values b, uint64_t n,
                uint64_t slice_elements, const At& at_element) {
  std::vector<float> values_a(kChunk + kLanes), values_b(kChunk + kLanes);
  for (uint64_t begin = 0; begin < n; begin += slice_elements) {
    const uint64_t end = std::min(n, begin + slice_elements);
    at_element(begin);
    const ErrorSums::Side side_a = a.Next(begin, end - begin);
    const ErrorSums::Side side_b = b.Next(begin, end - begin);
    for (uint64_t at = begin; at < end; at += kChunk) {
      const size_t count = std::min<uint64_t>(kChunk, end - at);
      if (at % (16 * kChunk) == 0) context.Tick();
      side_a(at, count, values_a.data());
      side_b(at, count, values_b.data());
      const size_t bytes = count * sizeof(float);
      if (std::memcmp(values_a.data(), values_b.data(), bytes) != 0) {
        return false;
      }
    }
  }
  return true;
}

bool SameBytes(const Context& context, const ModelFile& file_a,
               const ModelEntry& a, const ModelFile& file_b,
               const ModelEntry& b) {
  PlainReader read_a(context, file_a, a), read_b(context, file_b, b);
  constexpr uint64_t kPiece = uint64_t{1} << 20;
  Buffer piece_a = context.Allocate(kPiece), piece_b = context.Allocate(kPiece);
  while (read_a.remaining() != 0) {
    const uint64_t n = std::min(kPiece, read_a.remaining());
    read_a.Read(piece_a.data(), n);
    read_b.Read(piece_b.data(), n);
    if (std::memcmp(piece_a.data(), piece_b.data(), n) != 0) return false;
  }
  return true;
}

void CompareEntries(const Context& context,
                    const std::shared_ptr<const ModelFile>& file_a,
                    const ModelEntry& a,
                    const std::shared_ptr<const ModelFile>& file_b,
                    const ModelEntry& b, uint64_t slice_elements,
                    const At& at_element, ReportRow* row) {
  if (a.shape != b.shape) {
    row->note = "shape differs: " + a.shape.ToString() + " in the first file";
    return;
  }
  const uint64_t n = a.shape.elements();
  if (n == 0) {
    row->note = "empty";
    return;
  }
  if (HasValues(a) && HasValues(b)) {
    Values values_a(context, file_a, a), values_b(context, file_b, b);
    ErrorSums sums;
    for (uint64_t begin = 0; begin < n; begin += slice_elements) {
      const uint64_t end = std::min(n, begin + slice_elements);
      at_element(begin);
      const ErrorSums::Side side_a = values_a.Next(begin, end - begin);
      const ErrorSums::Side side_b = values_b.Next(begin, end - begin);
      sums.Add(context, begin, end, side_a, side_b);
    }
    if (sums.finite()) {
      row->metrics = sums.Result();
    } else if (SameValues(context, Values(context, file_a, a),
                          Values(context, file_b, b), n, slice_elements,
                          at_element)) {
      row->metrics = NoDifference();
      row->note = "values that are not finite, the same in both";
    } else {
      row->note = "values that are not finite";
    }
    return;
  }
  if (a.dtype != b.dtype) {
    row->note = "dtype differs";
  } else if (SameBytes(context, *file_a, a, *file_b, b)) {
    row->metrics = NoDifference();
  } else {
    row->note = "bytes differ";
  }
}

}  // namespace

Report CompareFiles(const Context& caller, const std::string& original,
                    const std::string& other, const Progress& progress,
                    uint64_t slice_elements) {
  TickingProgress ticking(caller, progress);
  const Context& context = ticking.context();
  auto file_a = ForeignView(context, ModelFile::Open(context, original));
  auto file_b = ForeignView(context, ModelFile::Open(context, other));
  // Experts as they are in the other file.
  const auto stacks_a = ExpertStacksOf(file_a->metadata());
  const auto stacks_b = ExpertStacksOf(file_b->metadata());
  if (!HoldsQuantized(*file_a)) file_a = CutExperts(file_a, stacks_b);
  if (!HoldsQuantized(*file_b)) file_b = CutExperts(file_b, stacks_a);
  uint64_t total = 0, done = 0;
  for (const ModelEntry& entry : file_a->entries()) total += entry.raw_bytes;
  Report report;
  // Both lists are sorted by name.
  auto a = file_a->entries().begin();
  auto b = file_b->entries().begin();
  while (a != file_a->entries().end() || b != file_b->entries().end()) {
    const bool only_a = b == file_b->entries().end() ||
                        (a != file_a->entries().end() && a->name < b->name);
    const bool only_b =
        !only_a && (a == file_a->entries().end() || b->name < a->name);
    ReportRow row;
    const ModelEntry& shown = only_a ? *a : *b;
    ticking.Report(done, total, shown.name);
    row.name = shown.name;
    row.shape = shown.shape;
    row.format = shown.format;
    if (!only_a && !only_b) row.same_as = b->same_as;
    row.dtype = shown.dtype;
    if (!only_b) row.bytes_before = a->raw_bytes;
    if (!only_a) row.bytes_after = b->stored_bytes;
    if (only_a) {
      row.note = "only in the first file";
    } else if (only_b) {
      row.note = "only in the second file";
    } else {
      const double elements = static_cast<double>(shown.shape.elements());
      const At at_element = [&](uint64_t element) {
        const double share = static_cast<double>(element) / elements;
        const double bytes = share * static_cast<double>(a->raw_bytes);
        ticking.Report(done + static_cast<uint64_t>(bytes), total, shown.name);
      };
      InTensor(shown.name, [&] {
        CompareEntries(context, file_a, *a, file_b, *b, slice_elements,
                       at_element, &row);
      });
    }
    report.push_back(std::move(row));
    if (!only_b) {
      done += a->raw_bytes;
      ++a;
    }
    if (!only_a) ++b;
  }
  ticking.Report(done, total, "");
  return report;
}

}  // namespace bnq
