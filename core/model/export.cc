#include "core/model/export.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "core/base/error.h"
#include "core/io/naming.h"
#include "core/model/convert.h"
#include "core/model/foreign_model.h"
#include "core/model/meter.h"
#include "core/model/plain_array.h"
#include "core/model/source_model.h"
#include "core/model/tensor_entry.h"
#include "core/tensor/dequantize.h"
#include "core/tensor/quantize.h"

namespace bnq {
namespace {

// Elements of a plain array that are converted at a time.
constexpr uint64_t kPieceElements = uint64_t{1} << 18;

// What becomes of an entry.
struct Planned {
  const ModelEntry* entry = nullptr;
  std::unique_ptr<ExportTensor> tensor;  // of a quantized one
  std::unique_ptr<PlainExport> plain;    // of an array; neither: left out
  bool requantized = false;
  Config config;
  ReportRow row;
};

// An array of the output.
struct OutArray {
  size_t planned, index;  // the tensor's arrays[index], or the plain one
};

Planned PlanQuantized(const ModelEntry& entry, Exporter* exporter,
                      bool requantize) {
  Planned planned;
  planned.entry = &entry;
  planned.config = StoredConfig(entry);
  planned.tensor = exporter->Plan(entry, planned.config, StoredSizes(entry));
  if (planned.tensor->verdict == Verdict::kNotRepresentable && requantize) {
    const std::string why = planned.tensor->why;
    planned.config = exporter->Nearest(entry, planned.config);
    planned.tensor = exporter->Plan(entry, planned.config,
                                    PartSizes(planned.config, entry.shape));
    planned.requantized = planned.tensor->verdict != Verdict::kNotRepresentable;
    planned.tensor->why =
        planned.requantized
            ? Message("quantized anew as ", planned.config.ToText(), ": ", why)
            : Message(why, "; nor as ", planned.config.ToText(), ": ",
                      planned.tensor->why);
  }
  return planned;
}

std::vector<Planned> PlanAll(const ModelFile& file, Exporter* exporter,
                             bool requantize) {
  std::vector<Planned> all;
  for (const ModelEntry& entry : file.entries()) {
    Planned planned;
    planned.entry = &entry;
    InTensor(entry.name, [&] {
      if (!entry.same_as.empty()) return;
      if (entry.format != 0) {
        planned = PlanQuantized(entry, exporter, requantize);
      } else {
        planned.plain = exporter->PlanPlain(entry);
      }
    });
    ReportRow& row = planned.row;
    row = RowOf(entry);
    row.bytes_before = entry.stored_bytes;
    row.bytes_after = 0;
    if (planned.tensor != nullptr) {
      row.verdict =
          static_cast<int32_t>(planned.requantized ? Verdict::kRequantized
                                                   : planned.tensor->verdict);
      row.note = planned.tensor->why;
      const std::string name = exporter->ReadBackAs(entry);
      if (name != entry.name) {
        row.note += Message(row.note.empty() ? "" : "; ", "named ",
                            Quoted(name), " there");
      }
      row.format = planned.config.format();
    } else if (planned.plain == nullptr) {
      row.note = entry.same_as.empty() ? "left out"
                                       : "the same as " + Quoted(entry.same_as);
    } else {
      row.dtype = static_cast<int32_t>(planned.plain->array.dtype);
    }
    all.push_back(std::move(planned));
  }
  return all;
}

// Two entries that would be one there.
void RefuseSameNames(const std::vector<Planned>& all, const char* layout,
                     const Exporter& exporter) {
  std::map<std::string, const ModelEntry*> names;
  for (const Planned& planned : all) {
    if (planned.tensor == nullptr && planned.plain == nullptr) continue;
    const ModelEntry& entry = *planned.entry;
    const std::string name = planned.plain != nullptr
                                 ? planned.plain->array.name
                                 : exporter.ReadBackAs(entry);
    const auto [found, added] = names.emplace(name, &entry);
    if (!added) {
      Fail(Status::kUnsupported, TensorSubject(entry.name),
           " cannot be written as ", layout, ": it would be named ",
           Quoted(name), ", as ", Quoted(found->second->name), " is");
    }
  }
}

// The first that cannot be, and how many.
void RefuseNotRepresentable(const std::vector<Planned>& all, const char* layout,
                            bool requantize) {
  const Planned* first = nullptr;
  size_t count = 0;
  for (const Planned& planned : all) {
    if (planned.tensor == nullptr ||
        planned.tensor->verdict != Verdict::kNotRepresentable) {
      continue;
    }
    if (count++ == 0) first = &planned;
  }
  if (count == 0) return;
  Fail(Status::kUnsupported, TensorSubject(first->entry->name),
       count == 1 ? "" : Message(" (and ", count - 1, " more)"),
       " cannot be written as ", layout, ": ", first->tensor->why,
       requantize ? "" : "; quantizing it anew must be asked for (requantize)");
}

std::vector<NewArray> ArraysOf(const std::vector<Planned>& all,
                               std::vector<OutArray>* outs) {
  std::vector<NewArray> arrays;
  for (size_t p = 0; p < all.size(); ++p) {
    if (all[p].plain != nullptr) {
      arrays.push_back(all[p].plain->array);
      outs->push_back({p, 0});
    } else if (all[p].tensor != nullptr) {
      for (size_t i = 0; i < all[p].tensor->arrays.size(); ++i) {
        arrays.push_back(all[p].tensor->arrays[i]);
        outs->push_back({p, i});
      }
    }
  }
  return arrays;
}

// The tensor to be written, which the arrays of one tensor share.
class CurrentTensor {
 public:
  CurrentTensor(const Context& context, std::shared_ptr<const ModelFile> file)
      : context_(context), file_(std::move(file)) {}

  const QuantizedTensor& Get(const Planned& planned) {
    if (entry_ == planned.entry) return *tensor_;
    tensor_.reset();
    entry_ = nullptr;
    // Its arrays do not follow each other: once is enough.
    const bool checked = !loaded_.insert(planned.entry).second;
    tensor_ = LoadTensor(context_, file_, *planned.entry, checked);
    if (planned.requantized) tensor_ = Anew(*tensor_, planned.config);
    entry_ = planned.entry;
    return *tensor_;
  }

 private:
  std::unique_ptr<QuantizedTensor> Anew(const QuantizedTensor& tensor,
                                        const Config& config) {
    const uint64_t count = tensor.shape().elements();
    Buffer values = context_.Allocate(count * sizeof(float));
    Dequantizer(context_, tensor)
        .DecodeParallel(0, count, DType::kF32, values.data(), Overflow::kKeep);
    ArrayView array;
    array.data = values.data();
    array.dtype = DType::kF32;
    array.shape = tensor.shape();
    return Quantize(context_, config, array);
  }

  const Context& context_;
  const std::shared_ptr<const ModelFile> file_;
  const ModelEntry* entry_ = nullptr;
  std::set<const ModelEntry*> loaded_;
  std::unique_ptr<QuantizedTensor> tensor_;
};

// A plain array, perhaps as another type, and in another order of rows.
void WritePlain(const Context& context, const ModelFile& file,
                const Planned& planned, const AppendBytes& append,
                Meter* meter) {
  const ModelEntry& entry = *planned.entry;
  const PlainExport& plain = *planned.plain;
  const auto from = static_cast<DType>(entry.dtype);
  if (plain.array.dtype == from && plain.rows.empty()) {
    PlainReader reader(context, file, entry);
    Buffer buffer =
        context.Allocate(std::min(kPieceElements, reader.remaining()));
    for (uint64_t at = 0; reader.remaining() != 0;) {
      const uint64_t n = std::min(kPieceElements, reader.remaining());
      reader.Read(buffer.data(), n);
      append(buffer.data(), n);
      file.Release(entry, at, n);
      at += n;
      meter->Add(n);
    }
    return;
  }
  const SourceArray array(context, file, entry);
  const uint64_t rows = plain.rows.empty() ? 1 : plain.rows.size();
  const uint64_t columns = rows == 0 ? 0 : entry.shape.elements() / rows;
  Buffer converted = context.Allocate(std::min(columns, kPieceElements) * 8);
  for (uint64_t r = 0; r < rows; ++r) {
    const uint64_t begin = (plain.rows.empty() ? 0 : plain.rows[r]) * columns;
    for (uint64_t at = 0; at < columns; at += kPieceElements) {
      const uint64_t n = std::min(kPieceElements, columns - at);
      const uint64_t size = Info(plain.array.dtype).bits / 8;
      if (plain.array.dtype == from) {
        append(static_cast<const uint8_t*>(array.view().data) +
                   (begin + at) * size,
               n * size);
      } else {
        ConvertElements(array.view(), begin + at, n, plain.array.dtype,
                        Overflow::kError, converted.data());
        append(converted.data(), n * size);
      }
      context.Tick();
    }
  }
  file.Release(entry);
  meter->Add(entry.raw_bytes);
}

std::string PercentText(double share) {
  return Message(std::ceil(share * 1e6) / 1e4, " %");
}

void NoteScaleChange(const ExportTensor& tensor, ReportRow* row) {
  if (tensor.scale_change == 0.0) return;
  row->note += Message(row->note.empty() ? "" : ", ", "by at most ",
                       PercentText(tensor.scale_change));
}

void WriteArrays(const Context& context,
                 const std::shared_ptr<const ModelFile>& file,
                 const std::vector<OutArray>& outs, double max_scale_change,
                 std::vector<Planned>* all, Conversion* conversion,
                 Meter* meter) {
  CurrentTensor current(context, file);
  ModelOutput& writer = conversion->writer();
  for (const size_t i : conversion->order()) {
    Planned& planned = (*all)[outs[i].planned];
    const ModelEntry& entry = *planned.entry;
    const NewArray& array = planned.plain != nullptr
                                ? planned.plain->array
                                : planned.tensor->arrays[outs[i].index];
    meter->Begin(entry.name);
    writer.BeginEntry(PlainEntry(array.name, static_cast<int32_t>(array.dtype),
                                 array.shape, BytesOf(array)));
    const AppendBytes append = [&](const void* data, uint64_t bytes) {
      writer.Append(0, data, bytes);
    };
    InTensor(entry.name, [&] {
      if (planned.plain != nullptr) {
        WritePlain(context, *file, planned, append, meter);
        return;
      }
      planned.tensor->Write(context, current.Get(planned), outs[i].index,
                            append);
      if (planned.tensor->scale_change > max_scale_change) {
        Fail(Status::kUnsupported, "a scale changes by ",
             PercentText(planned.tensor->scale_change), " (",
             planned.tensor->why, "), must by at most max_scale_change = ",
             max_scale_change * 100.0);
      }
      if (outs[i].index == 0) meter->Add(entry.raw_bytes);
      file->Release(entry);
    });
    planned.row.bytes_after += writer.EndEntry();
  }
}

std::shared_ptr<const ModelFile> OpenForeign(
    const Context& context, const std::string& input,
    const InterchangeOptions& interchange) {
  return ForeignView(context, ModelFile::Open(context, input),
                     interchange.import());
}

}  // namespace

Report ExportFile(const Context& caller, const std::string& layout_name,
                  const std::string& input, const std::string& output,
                  const InterchangeOptions& interchange,
                  const ConversionOptions& options, const Progress& progress) {
  TickingProgress ticking(caller, progress);
  const Context& context = ticking.context();
  const ForeignLayout& layout = FindForeignLayout(layout_name);
  if (layout.exporter == nullptr) {
    Fail(Status::kUnsupported, "layout = ", Quoted(layout_name),
         " can be read, not written");
  }
  const auto file = OpenForeign(context, input, interchange);
  RefuseSameFile(*file, output);
  const JsonTree root = ConfigBeside(context, *file);
  const ExportRequest request{*file, root, interchange.scale_dtype(),
                              interchange.metadata_from};
  const auto exporter = layout.exporter(context, request);
  std::vector<Planned> all = PlanAll(*file, exporter.get(), options.requantize);
  RefuseSameNames(all, layout.name, *exporter);
  if (!options.dry_run) {
    RefuseNotRepresentable(all, layout.name, options.requantize);
  }
  std::vector<OutArray> outs;
  std::vector<NewArray> arrays = ArraysOf(all, &outs);
  const std::string warning = exporter->Warning();
  if (!warning.empty()) context.Log(LogLevel::kWarning, warning);
  Conversion conversion(context, *file, input, output, layout.container,
                        options, exporter->MakeMetadata(file->metadata()),
                        std::move(arrays),
                        [&] { return Fingerprint("export", *file, options); });
  conversion.SetSideFiles(exporter->ConfigMembers(), exporter->SideFiles());
  Meter meter(&ticking, TotalBytes(*file));
  if (options.dry_run) {
    for (const OutArray& out : outs) {
      Planned& planned = all[out.planned];
      planned.row.bytes_after +=
          BytesOf(planned.plain != nullptr ? planned.plain->array
                                           : planned.tensor->arrays[out.index]);
    }
  } else {
    WriteArrays(context, file, outs, interchange.max_scale_change(), &all,
                &conversion, &meter);
  }
  Report report;
  for (Planned& planned : all) {
    if (planned.tensor != nullptr) {
      NoteScaleChange(*planned.tensor, &planned.row);
    }
    report.push_back(std::move(planned.row));
  }
  if (!options.dry_run) conversion.Finish(&report);
  return report;
}

Report ImportFile(const Context& caller, const std::string& input,
                  const std::string& output,
                  const InterchangeOptions& interchange,
                  const ConversionOptions& options, const Progress& progress) {
  TickingProgress ticking(caller, progress);
  const Context& context = ticking.context();
  const auto file = OpenForeign(context, input, interchange);
  RefuseSameFile(*file, output);
  Conversion conversion(context, *file, input, output, FileKind::kBnq, options,
                        file->metadata(), {}, [&] {
                          Fingerprint lines("import", *file, options);
                          for (const ModelEntry& entry : file->entries()) {
                            lines.AddTensor(entry, entry.layout);
                          }
                          return lines;
                        });
  Meter meter(&ticking, TotalBytes(*file));
  Report report;
  for (const ModelEntry& entry : file->entries()) {
    meter.Begin(entry.name);
    ReportRow row = RowOf(entry);
    row.bytes_before = entry.stored_bytes;
    row.note = entry.layout;
    if (!entry.same_as.empty()) {
      row.bytes_after = 0;
    } else if (conversion.Restore(&row)) {
      meter.Add(entry.raw_bytes);
    } else {
      conversion.writer().BeginEntry(EntryOf(entry));
      const size_t sections = entry.format == 0 ? 1 : entry.sections.size();
      for (size_t i = 0; i < sections; ++i) {
        CopySection(context, *file, entry, i, &meter, &conversion.writer());
      }
      row.bytes_after = conversion.writer().EndEntry();
      conversion.Record(row);
    }
    report.push_back(std::move(row));
  }
  conversion.Finish(&report);
  return report;
}

}  // namespace bnq
