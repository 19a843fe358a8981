// Whole .bnq files to arrays.
#include <algorithm>
#include <cfloat>
#include <cmath>
#include <cstring>
#include <set>
#include <utility>

#include "core/base/checked.h"
#include "core/base/error.h"
#include "core/base/tick.h"
#include "core/io/naming.h"
#include "core/kernels/elements.h"
#include "core/model/convert.h"
#include "core/model/expert_stacks.h"
#include "core/model/meter.h"
#include "core/model/source_model.h"
#include "core/model/tensor_entry.h"
#include "core/tensor/dequantize.h"
#include "core/tensor/source.h"

namespace bnq {
namespace {

// How values are written.
struct Target {
  DType dtype;
  Overflow overflow;
  uint64_t slice_elements;
};

// An array of the output: a tensor, or matrices of experts, in their order,
// that were cut from one array.
struct OutArray {
  NewArray array;
  std::vector<const ModelEntry*> from;
  const ExpertStack* stack = nullptr;

  uint64_t bytes_before() const {
    uint64_t bytes = 0;
    for (const ModelEntry* entry : from) {
      if (entry->same_as.empty()) bytes += entry->raw_bytes;
    }
    return bytes;
  }
};

// Plain arrays keep their type, but together with what was quantized.
DType TypeOf(const std::vector<const ModelEntry*>& from, DType dtype) {
  const auto first = static_cast<DType>(from[0]->dtype);
  return std::all_of(from.begin(), from.end(),
                     [&](const ModelEntry* entry) {
                       return entry->format == 0 &&
                              static_cast<DType>(entry->dtype) == first;
                     })
             ? first
             : dtype;
}

OutArray JoinedArray(const ModelFile& file, const ExpertStack& stack,
                     DType dtype) {
  OutArray out;
  out.stack = &stack;
  for (uint64_t i = 0; i < stack.matrices(); ++i) {
    out.from.push_back(file.Find(stack.NameOf(i)));
  }
  out.array.name = stack.name;
  out.array.shape = stack.shape;
  out.array.dtype = out.from.empty() ? dtype : TypeOf(out.from, dtype);
  return out;
}

std::vector<OutArray> OutArraysOf(const ModelFile& file,
                                  const std::vector<ExpertStack>& stacks,
                                  DType dtype) {
  std::vector<OutArray> arrays;
  std::set<const ModelEntry*> joined;
  for (const ExpertStack& stack : stacks) {
    arrays.push_back(JoinedArray(file, stack, dtype));
    joined.insert(arrays.back().from.begin(), arrays.back().from.end());
  }
  for (const ModelEntry& entry : file.entries()) {
    if (joined.count(&entry) != 0) continue;
    OutArray out;
    out.from = {&entry};
    out.array.name = entry.name;
    out.array.shape = entry.shape;
    out.array.dtype = TypeOf(out.from, dtype);
    arrays.push_back(std::move(out));
  }
  return arrays;
}

// What the output says of itself: not how the input held it.
Metadata MetadataOf(const ModelFile& file) {
  Metadata metadata;
  for (const auto& item : file.metadata()) {
    const ModelEntry* const tied = file.Find(item.first);
    if (item.first == kExpertStacks || (tied && !tied->same_as.empty())) {
      continue;
    }
    metadata.push_back(item);
  }
  return metadata;
}

void CheckFits(float* x, size_t count, uint64_t at, const Target& to) {
  if (FitsDType(to.dtype, to.overflow, x, count)) return;
  const auto i = std::find_if(
      x, x + count, [&](float value) { return Overflows(to.dtype, value); });
  Fail(Status::kNonFinite, "element ", at + static_cast<uint64_t>(i - x),
       " is ", *i, ", which overflows ", Info(to.dtype).name,
       "; take F32 or BF16, or overflow = saturate or keep");
}

// float64 that no float32 holds has become infinity.
void CheckNarrowed(const uint8_t* data, uint64_t at, size_t count,
                   const Target& to, float* x) {
  for (size_t i = 0; i < count; ++i) {
    if (!std::isinf(x[i])) continue;
    double value;
    std::memcpy(&value, data + (at + i) * sizeof value, sizeof value);
    if (std::isinf(value) || to.overflow == Overflow::kKeep) continue;
    if (to.overflow == Overflow::kSaturate) {
      x[i] = value < 0 ? -FLT_MAX : FLT_MAX;
      continue;
    }
    Fail(Status::kNonFinite, "element ", at + i, " is ", value,
         ", which overflows ", Info(to.dtype).name,
         "; take overflow = saturate or keep");
  }
}

// A whole plain array as another type.
void ConvertPlain(const Context& context, const ModelFile& file,
                  const ModelEntry& entry, const Target& to, uint8_t* out) {
  const SourceArray array(context, file, entry);
  const SourceView source = MakeSource(array.view(), nullptr);
  const uint64_t size = Info(to.dtype).bits / 8;
  std::vector<float> x(kChunk + kLanes);
  for (uint64_t at = 0, n = entry.shape.elements(); at < n; at += kChunk) {
    const uint64_t count = std::min<uint64_t>(kChunk, n - at);
    LoadElements(source, at, static_cast<size_t>(count), x.data());
    if (source.dtype == DType::kF64) {
      CheckNarrowed(source.data, at, static_cast<size_t>(count), to, x.data());
    }
    CheckFits(x.data(), static_cast<size_t>(count), at, to);
    StoreElements(x.data(), static_cast<size_t>(count), to.dtype, false,
                  out + at * size);
  }
}

// A whole matrix of the type to.dtype.
void ReadMatrix(const Context& context,
                const std::shared_ptr<const ModelFile>& file,
                const ModelEntry& entry, const Target& to, uint8_t* out) {
  if (entry.format != 0) {
    const auto tensor = LoadTensor(context, file, entry);
    Dequantizer(context, *tensor)
        .DecodeParallel(0, entry.shape.elements(), to.dtype, out, to.overflow);
  } else if (static_cast<DType>(entry.dtype) == to.dtype) {
    PlainReader(context, *file, entry).Read(out, entry.raw_bytes);
  } else {
    ConvertPlain(context, *file, entry, to, out);
  }
  file->Release(entry);
}

// Expert after expert, into the entry that has begun.
void JoinExperts(const Context& context,
                 const std::shared_ptr<const ModelFile>& file,
                 const OutArray& out, Target to, ModelOutput* writer,
                 Meter* meter) {
  const ExpertStack& stack = *out.stack;
  to.dtype = out.array.dtype;
  const uint64_t size = Info(to.dtype).bits / 8;
  const uint64_t bytes = stack.matrix_shape().elements() * size;
  const size_t pieces = stack.pieces.size();
  Buffer matrix = context.Allocate(bytes);
  Buffer expert = context.Allocate(bytes * pieces);
  for (size_t i = 0; i < out.from.size(); ++i) {
    const ModelEntry& entry = *out.from[i];
    meter->Begin(entry.name);
    InTensor(entry.name,
             [&] { ReadMatrix(context, file, entry, to, matrix.data()); });
    stack.Put(matrix.data(), i % pieces, size, expert.data());
    if ((i + 1) % pieces == 0) {
      writer->Append(0, expert.data(), bytes * pieces);
    }
    meter->Add(entry.raw_bytes);
  }
}

// Into the entry that has begun, slice by slice through `values`.
void DequantizeEntry(const Context& context,
                     const std::shared_ptr<const ModelFile>& file,
                     const ModelEntry& entry, const Target& to, Buffer* values,
                     ModelOutput* writer, Meter* meter) {
  const uint64_t size = Info(to.dtype).bits / 8;
  const auto tensor = LoadTensor(context, file, entry);
  const Dequantizer dequantizer(context, *tensor);
  const uint64_t n = entry.shape.elements();
  for (uint64_t begin = 0; begin < n; begin += to.slice_elements) {
    const uint64_t count = std::min(to.slice_elements, n - begin);
    if (values->size() < count * size) {
      *values = context.Allocate(count * size);
    }
    InTensor(entry.name, [&] {
      dequantizer.DecodeParallel(begin, count, to.dtype, values->data(),
                                 to.overflow);
    });
    writer->Append(0, values->data(), count * size);
    meter->Add(static_cast<uint64_t>(
        static_cast<double>(entry.raw_bytes) *
        (static_cast<double>(count) / static_cast<double>(n))));
  }
  file->Release(entry);
}

// The array's entry, but for its end.
void WriteArray(const Context& context,
                const std::shared_ptr<const ModelFile>& file,
                const OutArray& out, const Target& to, Buffer* values,
                ModelOutput* writer, Meter* meter) {
  uint64_t bytes = 0;
  TryByteSize(out.array.shape, out.array.dtype, &bytes);
  writer->BeginEntry(PlainEntry(out.array.name,
                                static_cast<int32_t>(out.array.dtype),
                                out.array.shape, bytes));
  if (out.stack != nullptr) {
    JoinExperts(context, file, out, to, writer, meter);
    return;
  }
  const ModelEntry& entry = *out.from[0];
  if (entry.format == 0) {
    InTensor(entry.name,
             [&] { CopyPlain(context, *file, entry, meter, writer); });
  } else {
    DequantizeEntry(context, file, entry, to, values, writer, meter);
  }
}

}  // namespace

Report DequantizeFile(const Context& caller, const std::string& input,
                      const std::string& output, DType dtype, Overflow overflow,
                      const ConversionOptions& options,
                      const Progress& progress, uint64_t slice_elements) {
  TickingProgress ticking(caller, progress);
  const Context& context = ticking.context();
  const auto file = ModelFile::Open(context, input);
  if (!HoldsQuantized(file->kind())) {
    Fail(Status::kUnsupported, "input = ", Quoted(input),
         " is not a .bnq file");
  }
  RefuseSameFile(*file, output);
  const std::vector<ExpertStack> stacks = WholeExpertStacks(*file);
  const std::vector<OutArray> outs = OutArraysOf(*file, stacks, dtype);
  const Target to{dtype, overflow, slice_elements};
  std::vector<NewArray> arrays;
  for (const OutArray& out : outs) arrays.push_back(out.array);
  const auto fingerprint = [&] {
    Fingerprint lines("dequantize", *file, options);
    for (const OutArray& out : outs) {
      for (const ModelEntry* entry : out.from) {
        lines.AddTensor(
            *entry, Message(Info(out.array.dtype).name, " overflow=", overflow,
                            " in ", Quoted(out.array.name)));
      }
    }
    return lines;
  };
  Conversion conversion(context, *file, input, output, FileKind::kSafetensors,
                        options, MetadataOf(*file), arrays, fingerprint);
  Meter meter(&ticking, TotalBytes(*file));
  Buffer values;
  Report report;
  for (const size_t i : conversion.order()) {
    const OutArray& out = outs[i];
    meter.Begin(out.array.name);
    ReportRow row;
    row.name = out.array.name;
    row.shape = out.array.shape;
    row.dtype = static_cast<int32_t>(out.array.dtype);
    row.bytes_before = out.bytes_before();
    if (conversion.Restore(&row)) {
      meter.Add(row.bytes_before);
    } else {
      WriteArray(context, file, out, to, &values, &conversion.writer(), &meter);
      row.bytes_after = conversion.writer().EndEntry();
      conversion.Record(row);
    }
    report.push_back(std::move(row));
  }
  conversion.Finish(&report);
  return report;
}

}  // namespace bnq
