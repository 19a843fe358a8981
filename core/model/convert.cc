#include "core/model/convert.h"

#include <algorithm>
#include <cstring>

#include "core/base/checked.h"
#include "core/base/error.h"
#include "core/base/tick.h"
#include "core/io/deflate.h"
#include "core/io/naming.h"
#include "core/model/meter.h"
#include "core/model/quantized_already.h"
#include "core/model/source_model.h"
#include "core/model/tensor_entry.h"
#include "core/tensor/dequantize.h"
#include "core/tensor/search.h"
#include "core/tensor/slices.h"

namespace bnq {
namespace {

// Bytes of a plain array copied at a time.
constexpr uint64_t kCopy = uint64_t{1} << 20;

uint64_t TotalBytes(const ModelFile& file) {
  uint64_t total = 0;
  for (const ModelEntry& entry : file.entries()) total += entry.raw_bytes;
  return total;
}

void RefuseSameFile(const ModelFile& file, const std::string& output) {
  if (file.IsReadFrom(output) || file.IsReadFrom(output + ".index.json")) {
    Fail(Status::kExists, "output = ", Quoted(output),
         " is also the input, and must be another file");
  }
}

// The array's bytes, piece by piece, into the entry that has begun.
void CopyPlain(const Context& context, const ModelFile& file,
               const ModelEntry& entry, Meter* meter, ModelOutput* writer) {
  PlainReader reader(context, file, entry);
  Buffer buffer = context.Allocate(std::min(kCopy, reader.remaining()));
  for (uint64_t at = 0; reader.remaining() != 0;) {
    const uint64_t n = std::min(kCopy, reader.remaining());
    reader.Read(buffer.data(), n);
    writer->Append(0, buffer.data(), n);
    file.Release(entry, at, n);
    at += n;
    meter->Add(n);
  }
}

std::string SaturationNote(uint64_t saturated, const Config& config) {
  if (saturated == 0) return "";
  return std::to_string(saturated) + " scales at the limits of " +
         config.ValueName(Option::kScaleDType);
}

// Lets go of a tensor's pages as they have been read for the last time.
class ReadPages : public SliceSink {
 public:
  ReadPages(const ModelFile& file, const ModelEntry& entry, Meter* meter)
      : file_(file),
        entry_(entry),
        element_bytes_(Info(static_cast<DType>(entry.dtype)).bits / 8),
        meter_(*meter) {}

  void Take(const QuantizedSlice& slice) override {
    Release(slice.begin, slice.end);
    meter_.Add((slice.end - slice.begin) * element_bytes_);
  }
  // They have been read, and will be once more.
  void Pass(uint64_t begin, uint64_t end) {
    Release(begin, end);
    meter_.Add(0);
  }

 private:
  void Release(uint64_t begin, uint64_t end) {
    file_.Release(entry_, begin * element_bytes_,
                  (end - begin) * element_bytes_);
  }

  const ModelFile& file_;
  const ModelEntry& entry_;
  const uint64_t element_bytes_;
  Meter& meter_;
};

// Before anything is written: importance that no tensor has a use for is a
// mistake.
void CheckImportanceIsUsed(const Plan& plan, const ModelFile& file) {
  if (!plan.has_importance()) return;
  for (const ModelEntry& entry : file.entries()) {
    const Config* config = ConfigFor(plan, entry);
    if (config != nullptr && MindsImportance(*config) &&
        plan.ImportanceOf(entry.name) != nullptr) {
      return;
    }
  }
  Fail(Status::kInvalidArgument,
       "importance is that of no tensor which is quantized with scale_rule = "
       "mse; names are those of tensors, with or without \".weight\"");
}

void QuantizeEntry(const Context& context, const Plan& plan,
                   const Config& config, const ModelFile& file,
                   const ModelEntry& entry, uint64_t slice_elements,
                   ContainerWriter* writer, Meter* meter, ReportRow* row) {
  const ArrayView array = ArrayOf(file, entry);
  EntrySink parts(context, entry.name, entry.shape, config, writer);
  MetricsSink metrics(context, array);
  ReadPages pages(file, entry, meter);
  const std::vector<float> importance = ImportanceFor(plan, config, entry);
  QuantizeJob job{config, array};
  if (!importance.empty()) job.importance = importance.data();
  job.slice_elements = slice_elements;
  job.on_pass = [&](uint64_t begin, uint64_t end) { pages.Pass(begin, end); };
  QuantizeSlices(context, job, &parts, {&metrics, &pages});
  row->bytes_after = parts.End();
  row->format = config.format();
  row->dtype = 0;
  if (entry.shape.elements() == 0) {
    row->note = "empty";
    return;
  }
  row->note = SaturationNote(parts.saturated_scales(), config);
  row->metrics = metrics.Result();
}

// Into the entry that has begun, slice by slice through `values`.
void DequantizeEntry(const Context& context,
                     const std::shared_ptr<const ModelFile>& file,
                     const ModelEntry& entry, DType dtype, Overflow overflow,
                     uint64_t slice_elements, Buffer* values,
                     ModelOutput* writer, Meter* meter) {
  const uint64_t size = Info(dtype).bits / 8;
  const auto tensor = LoadTensor(context, file, entry);
  const Dequantizer dequantizer(context, *tensor);
  const uint64_t n = entry.shape.elements();
  for (uint64_t begin = 0; begin < n; begin += slice_elements) {
    const uint64_t count = std::min(slice_elements, n - begin);
    if (values->size() < count * size) {
      *values = context.Allocate(count * size);
    }
    InTensor(entry.name, [&] {
      dequantizer.DecodeParallel(begin, count, dtype, values->data(), overflow);
    });
    writer->Append(0, values->data(), count * size);
    meter->Add(static_cast<uint64_t>(
        static_cast<double>(entry.raw_bytes) *
        (static_cast<double>(count) / static_cast<double>(n))));
  }
  file->Release(entry);
}

std::string CrcText(const void* data, size_t bytes) {
  return Hex(Crc32(0, data, bytes), 8);
}

Fingerprint QuantizeFingerprint(const Plan& plan, const ModelFile& file,
                                const ConversionOptions& options,
                                const std::vector<ExtraArray>& extra,
                                uint64_t slice_elements) {
  Fingerprint fingerprint("quantize", file, options);
  // With compression the parts' chunks take turns, slice by slice.
  fingerprint.Add(Message("slice_elements=", slice_elements));
  for (const ModelEntry& entry : file.entries()) {
    const Config* config = ConfigFor(plan, entry);
    std::string what = "itself";
    if (config != nullptr) {
      what = config->ToText();
      std::vector<float> weights;
      InTensor(entry.name,
               [&] { weights = ImportanceFor(plan, *config, entry); });
      if (!weights.empty()) {
        what += " importance_crc32=" +
                CrcText(weights.data(), weights.size() * sizeof(float));
      }
    }
    fingerprint.AddTensor(entry, what);
  }
  for (const ExtraArray& array : extra) {
    fingerprint.Add(Message("added ", Quoted(array.name), " crc32=",
                            CrcText(array.bytes.data(), array.bytes.size())));
  }
  return fingerprint;
}

// One tensor of the input, as the plan says.
void ConvertEntry(const Context& context, const Plan& plan,
                  const ModelFile& file, const ModelEntry& entry,
                  uint64_t slice_elements, ModelOutput* writer, Meter* meter,
                  ReportRow* row) {
  bool is_no_source = false;
  const Config* config = ConfigFor(plan, entry, &is_no_source);
  if (config != nullptr) {
    QuantizeEntry(context, plan, *config, file, entry, slice_elements, writer,
                  meter, row);
    return;
  }
  if (is_no_source) row->note = "not floating-point";
  writer->BeginEntry(
      PlainEntry(entry.name, entry.dtype, entry.shape, entry.raw_bytes));
  CopyPlain(context, file, entry, meter, writer);
  row->bytes_after = writer->EndEntry();
}

ReportRow AddExtra(const ExtraArray& array, Conversion* conversion) {
  ReportRow row;
  row.name = array.name;
  row.shape = array.shape;
  row.dtype = static_cast<int32_t>(array.dtype);
  row.note = "added";
  if (conversion->Restore(&row)) return row;
  ModelOutput& writer = conversion->writer();
  writer.BeginEntry(
      PlainEntry(array.name, row.dtype, array.shape, array.bytes.size()));
  writer.Append(0, array.bytes.data(), array.bytes.size());
  row.bytes_after = writer.EndEntry();
  conversion->Record(row);
  return row;
}

}  // namespace

Report QuantizeFile(const Context& caller, const Plan& plan,
                    const std::string& input, const std::string& output,
                    const ConversionOptions& options, const Progress& progress,
                    const std::vector<ExtraArray>& extra,
                    uint64_t slice_elements) {
  TickingProgress ticking(caller, progress);
  const Context& context = ticking.context();
  const auto file = OpenSourceModel(context, input);
  for (const ExtraArray& array : extra) {
    if (file->Find(array.name) == nullptr) continue;
    Fail(Status::kInvalidArgument, "input = ", Quoted(input), " has a tensor ",
         Quoted(array.name), " already, which was to be added");
  }
  RefuseSameFile(*file, output);
  if (!options.requantize) RefuseQuantized(context, *file, input);
  CheckImportanceIsUsed(plan, *file);
  Conversion conversion(context, *file, input, output, FileKind::kBnq, options,
                        file->metadata(), {}, [&] {
                          return QuantizeFingerprint(plan, *file, options,
                                                     extra, slice_elements);
                        });
  Meter meter(&ticking, TotalBytes(*file));
  Report report;
  for (const ModelEntry& entry : file->entries()) {
    meter.Begin(entry.name);
    ReportRow row = RowOf(entry);
    if (conversion.Restore(&row)) {
      meter.Add(entry.raw_bytes);
    } else {
      InTensor(entry.name, [&] {
        ConvertEntry(context, plan, *file, entry, slice_elements,
                     &conversion.writer(), &meter, &row);
      });
      conversion.Record(row);
    }
    report.push_back(std::move(row));
  }
  for (const ExtraArray& array : extra) {
    report.push_back(AddExtra(array, &conversion));
  }
  conversion.Finish(&report);
  return report;
}

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
  std::vector<NewArray> tensors;
  for (const ModelEntry& entry : file->entries()) {
    NewArray tensor;
    tensor.name = entry.name;
    tensor.dtype = entry.format != 0 ? dtype : static_cast<DType>(entry.dtype);
    tensor.shape = entry.shape;
    tensors.push_back(std::move(tensor));
  }
  const auto fingerprint = [&] {
    Fingerprint lines("dequantize", *file, options);
    for (size_t i = 0; i < tensors.size(); ++i) {
      lines.AddTensor(file->entries()[i], Message(Info(tensors[i].dtype).name,
                                                  " overflow=", overflow));
    }
    return lines;
  };
  Conversion conversion(context, *file, input, output, FileKind::kSafetensors,
                        options, file->metadata(), tensors, fingerprint);
  Meter meter(&ticking, TotalBytes(*file));
  Buffer values;
  Report report;
  for (const size_t i : conversion.order()) {
    const NewArray& out = tensors[i];
    const ModelEntry& entry = file->entries()[i];
    meter.Begin(entry.name);
    ReportRow row = RowOf(entry);
    if (conversion.Restore(&row)) {
      meter.Add(entry.raw_bytes);
      report.push_back(std::move(row));
      continue;
    }
    ModelOutput& writer = conversion.writer();
    row.format = 0;
    row.dtype = static_cast<int32_t>(out.dtype);
    uint64_t bytes = 0;
    TryByteSize(out.shape, out.dtype, &bytes);
    writer.BeginEntry(PlainEntry(entry.name, row.dtype, entry.shape, bytes));
    if (entry.format == 0) {
      InTensor(entry.name,
               [&] { CopyPlain(context, *file, entry, &meter, &writer); });
    } else {
      DequantizeEntry(context, file, entry, dtype, overflow, slice_elements,
                      &values, &writer, &meter);
    }
    row.bytes_after = writer.EndEntry();
    conversion.Record(row);
    report.push_back(std::move(row));
  }
  conversion.Finish(&report);
  return report;
}

}  // namespace bnq
