// Whole .bnq files to arrays.
#include <algorithm>
#include <set>
#include <utility>

#include "core/base/error.h"
#include "core/base/tick.h"
#include "core/io/naming.h"
#include "core/model/convert.h"
#include "core/model/expert_stacks.h"
#include "core/model/foreign_model.h"
#include "core/model/meter.h"
#include "core/model/plain_array.h"
#include "core/model/source_model.h"
#include "core/model/tensor_entry.h"
#include "core/tensor/dequantize.h"

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
    const SourceArray array(context, *file, entry);
    ConvertElements(array.view(), 0, entry.shape.elements(), to.dtype,
                    to.overflow, out);
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
  const auto file = ForeignView(context, ModelFile::Open(context, input));
  if (!HoldsQuantized(*file)) {
    Fail(Status::kUnsupported, "input = ", Quoted(input),
         " is not a .bnq file, and has no quantized tensors");
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
