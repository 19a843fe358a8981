#include "core/model/convert.h"

#include <algorithm>
#include <cstring>

#include "core/base/error.h"
#include "core/base/tick.h"
#include "core/io/deflate.h"
#include "core/io/naming.h"
#include "core/model/meter.h"
#include "core/model/source_model.h"
#include "core/model/tensor_entry.h"
#include "core/tensor/search.h"
#include "core/tensor/slices.h"

namespace bnq {
namespace {

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
  const SourceArray source(context, file, entry);
  const ArrayView& array = source.view();
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

std::string CrcText(const void* data, size_t bytes) {
  return Hex(Crc32(0, data, bytes), 8);
}

// A tensor of two names has the config of the first.
void WarnOfOtherName(const Context& context, const Plan& plan,
                     const ModelEntry& entry) {
  const Plan::Decision own = plan.Match(entry.name, entry.shape);
  const Config* const config = ConfigFor(plan, entry);
  const bool same = own.config != nullptr && config != nullptr
                        ? own.config->ToText() == config->ToText()
                        : own.config == config;
  if (same || own.rule < 0) return;
  context.Log(LogLevel::kWarning,
              Message("what the plan says of tensor ", Quoted(entry.name),
                      " is not done: it is the same as ", Quoted(entry.same_as),
                      ", and has its config"));
}

// One tensor of the input, as the plan says.
void ConvertEntry(const Context& context, const Plan& plan,
                  const ModelFile& file, const ModelEntry& entry,
                  uint64_t slice_elements, ModelOutput* writer, Meter* meter,
                  ReportRow* row) {
  const Config* config = ConfigFor(plan, entry, &row->note);
  if (config != nullptr) {
    QuantizeEntry(context, plan, *config, file, entry, slice_elements, writer,
                  meter, row);
    return;
  }
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

Report QuantizeFile(const Context& caller, const Plan& plan,
                    const std::string& input, const std::string& output,
                    const ConversionOptions& options, const Progress& progress,
                    const std::vector<ExtraArray>& extra,
                    uint64_t slice_elements) {
  TickingProgress ticking(caller, progress);
  const auto file =
      OpenSourceModel(ticking.context(), input, options.requantize);
  return QuantizeModel(&ticking, plan, *file, ModelPart(), input, output,
                       options, extra, slice_elements);
}

Report QuantizeModel(TickingProgress* progress, const Plan& plan,
                     const ModelFile& file, const ModelPart& part,
                     const std::string& input, const std::string& output,
                     const ConversionOptions& options,
                     const std::vector<ExtraArray>& extra,
                     uint64_t slice_elements) {
  const Context& context = progress->context();
  for (const ExtraArray& array : extra) {
    if (file.Find(array.name) == nullptr) continue;
    Fail(Status::kInvalidArgument, "input = ", Quoted(input), " has a tensor ",
         Quoted(array.name), " already, which was to be added");
  }
  RefuseSameFile(file, output);
  CheckImportanceIsUsed(plan, file);
  Conversion conversion(context, file, input, output, FileKind::kBnq, options,
                        file.metadata(), {}, [&] {
                          return QuantizeFingerprint(plan, file, options, extra,
                                                     slice_elements);
                        });
  const PartFilter filter(file, part);
  Meter meter(progress, filter.TotalBytes(file));
  Report report;
  for (size_t i = 0; i < file.entries().size(); ++i) {
    const ModelEntry& entry = file.entries()[i];
    if (!filter.Has(i)) continue;
    meter.Begin(entry.name);
    ReportRow row = PlannedRow(plan, entry);
    if (!entry.same_as.empty()) {
      WarnOfOtherName(context, plan, entry);
      meter.Add(entry.raw_bytes);
    } else if (conversion.Restore(&row)) {
      meter.Add(entry.raw_bytes);
    } else {
      InTensor(entry.name, [&] {
        ConvertEntry(context, plan, file, entry, slice_elements,
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

}  // namespace bnq
