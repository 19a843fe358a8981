#include "core/model/convert.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <map>

#include "core/base/checked.h"
#include "core/base/error.h"
#include "core/base/tick.h"
#include "core/io/model_output.h"
#include "core/io/naming.h"
#include "core/tensor/dequantize.h"
#include "core/tensor/quantize.h"

namespace bnq {
namespace {

// Elements of a slice: 16 MiB of float32. A multiple of kChunk.
constexpr uint64_t kSlice = uint64_t{4} << 20;
// Bytes of a plain array copied at a time.
constexpr uint64_t kCopy = uint64_t{1} << 20;

uint64_t TotalBytes(const ModelFile& file) {
  uint64_t total = 0;
  for (const ModelEntry& entry : file.entries()) total += entry.raw_bytes;
  return total;
}

// Counts bytes of input over the tensors of a file.
class Meter {
 public:
  Meter(const Progress& progress, uint64_t total)
      : progress_(progress), total_(total) {}
  void Begin(const std::string& item) {
    item_ = item;
    Add(0);
  }
  void Add(uint64_t bytes) {
    done_ += bytes;
    if (progress_) progress_(std::min(done_, total_), total_, item_);
  }

 private:
  const Progress& progress_;
  uint64_t total_, done_ = 0;
  std::string item_;
};

bool HoldsQuantized(FileKind kind) {
  return kind == FileKind::kBnq || kind == FileKind::kBnqIndex;
}

void RefuseSameFile(const ModelFile& file, const std::string& output) {
  if (file.IsReadFrom(output) || file.IsReadFrom(output + ".index.json")) {
    Fail(Status::kExists, "output = ", Quoted(output),
         " is also the input, and must be another file");
  }
}

ArrayView PlainView(const ModelFile& file, const ModelEntry& entry) {
  ArrayView view;
  view.data = file.Mapped(entry);
  view.dtype = static_cast<DType>(entry.dtype);
  view.shape = entry.shape;
  return view;
}

ReportRow RowOf(const ModelEntry& entry) {
  ReportRow row;
  row.name = entry.name;
  row.shape = entry.shape;
  row.format = entry.format;
  row.dtype = entry.dtype;
  row.bytes_before = entry.raw_bytes;
  return row;
}

// append(data, bytes) takes the array's bytes piece by piece.
template <class F>
void CopyPlain(const Context& context, const ModelFile& file,
               const ModelEntry& entry, Meter* meter, F append) {
  PlainReader reader(context, file, entry);
  Buffer buffer = context.Allocate(std::min(kCopy, reader.remaining()));
  for (uint64_t at = 0; reader.remaining() != 0;) {
    const uint64_t n = std::min(kCopy, reader.remaining());
    reader.Read(buffer.data(), n);
    append(buffer.data(), n);
    file.Release(entry, at, n);
    at += n;
    meter->Add(n);
  }
}

// The metrics of a tensor that is quantized slice by slice. Sums are of whole
// chunks, so what a slice has beyond its last chunk is kept for the next.
class SliceMetrics {
 public:
  SliceMetrics(const Context& context, const ArrayView& original)
      : context_(context), original_(ArraySide(original)), carry_(kChunk) {}

  // Elements [begin, end), decoded by `decode`, the next ones in order; `last`
  // if they are the array's last.
  void Add(uint64_t begin, uint64_t end, bool last,
           const Dequantizer& dequantizer) {
    const uint64_t from = begin - begin % kChunk;
    const uint64_t to = last ? end : end - end % kChunk;
    const auto decode = [&](uint64_t at, size_t n, float* out) {
      // The front of the first chunk was decoded with the slice before.
      const size_t kept =
          at < begin ? static_cast<size_t>(std::min<uint64_t>(begin - at, n))
                     : 0;
      std::copy_n(carry_.begin(), kept, out);
      if (kept < n) {
        dequantizer.Decode(at + kept, n - kept, DType::kF32, false,
                           reinterpret_cast<uint8_t*>(out + kept));
      }
    };
    if (to > from) sums_.Add(context_, from, to, original_, decode);
    if (!last && to < end) {
      const uint64_t fresh = std::max(to, begin);
      dequantizer.Decode(fresh, end - fresh, DType::kF32, false,
                         reinterpret_cast<uint8_t*>(&carry_[fresh % kChunk]));
    }
  }
  Metrics Result() const { return sums_.Result(); }

 private:
  const Context& context_;
  ErrorSums::Side original_;
  ErrorSums sums_;
  std::vector<float> carry_;
};

// Sections in the order of their roles; empty ones are left out, but for codes
// and scales.
BnqEntry EntryOf(const std::string& name, const Shape& shape,
                 const Config& config, const QuantizedSizes& sizes,
                 uint64_t outlier_columns, DType outlier_dtype) {
  BnqEntry out;
  out.name = name;
  out.format = config.format();
  out.shape = shape;
  for (const OptionInfo& info : Config::Table()) {
    if (!info.describes_tensor ||
        info.id == static_cast<int32_t>(Option::kFormat)) {
      continue;
    }
    out.options.push_back(
        info.is_float ? BnqOption::Float(info.id, config.GetFloat(info.id))
                      : BnqOption::Int(info.id, config.GetInt(info.id)));
  }
  const auto add = [&](BnqRole role, uint64_t bytes) {
    BnqSection section;
    section.role = role;
    section.raw_bytes = bytes;
    out.sections.push_back(section);
  };
  add(BnqRole::kCodes, sizes.code_bytes);
  add(BnqRole::kScales, sizes.scale_bytes);
  if (sizes.zero_points != 0) add(BnqRole::kZeroPoints, sizes.zero_points);
  if (outlier_columns != 0) {
    const uint64_t features = shape.dims[shape.rank - 1];
    add(BnqRole::kOutlierColumns, 4 * outlier_columns);
    add(outlier_dtype == DType::kF16 ? BnqRole::kOutlierValuesF16
                                     : BnqRole::kOutlierValuesBF16,
        2 * outlier_columns * (shape.elements() / features));
  }
  return out;
}

// The index of a section in the order of EntryOf.
size_t SectionOf(const QuantizedSizes& sizes, BnqRole role) {
  switch (role) {
    case BnqRole::kCodes:
      return 0;
    case BnqRole::kScales:
      return 1;
    case BnqRole::kZeroPoints:
      return 2;
    case BnqRole::kOutlierColumns:
      return sizes.zero_points != 0 ? 3 : 2;
    default:
      return sizes.zero_points != 0 ? 4 : 3;
  }
}

std::string SaturationNote(uint64_t saturated, const Config& config) {
  if (saturated == 0) return "";
  return std::to_string(saturated) + " scales at the limits of " +
         config.ValueName(Option::kScaleDType);
}

void QuantizeEntry(const Context& context, const Config& config,
                   const ModelFile& file, const ModelEntry& entry,
                   ContainerWriter* writer, Meter* meter, ReportRow* row) {
  const ArrayView array = PlainView(file, entry);
  Quantizer quantizer(context, config, array);
  const QuantizedSizes& sizes = quantizer.sizes();
  const uint64_t element_bytes = Info(array.dtype).bits / 8;
  const bool zeros = sizes.zero_points != 0;
  const PassHook release = [&](uint64_t begin, uint64_t end) {
    file.Release(entry, begin * element_bytes, (end - begin) * element_bytes);
    meter->Add(0);
  };
  quantizer.FindOutlierColumns(release);
  const OutlierColumns& outliers = quantizer.outliers();
  const uint64_t outlier_count = outliers.columns.size();
  writer->BeginEntry(EntryOf(entry.name, entry.shape, config, sizes,
                             outlier_count, outliers.dtype));
  TensorSlice slice;
  Buffer outlier_values;
  if (outlier_count != 0) {
    const uint64_t tokens = quantizer.elements() / outliers.mask.size();
    const uint64_t bytes = 2 * outlier_count * tokens;
    outlier_values = context.Allocate(bytes);
    quantizer.CopyOutliers(outlier_values.data());
    slice.outliers = {outliers.columns.data(), outlier_count, outliers.dtype,
                      outlier_values.data()};
    writer->Append(SectionOf(sizes, BnqRole::kOutlierColumns),
                   outliers.columns.data(), 4 * outlier_count);
    writer->Append(SectionOf(sizes, BnqRole::kOutlierValuesF16),
                   outlier_values.data(), bytes);
  }

  Buffer scales, points, codes, stored;
  uint64_t saturated = 0;
  const auto append_params = [&](uint64_t count) {
    const uint64_t bytes = StoredScaleBytes(config, count);
    if (stored.size() < bytes) stored = context.Allocate(bytes);
    StoreScales(config, scales.as<float>(), count, stored.data());
    StoredScales view;
    view.dtype = config.scale_dtype();
    view.double_quant = config.double_quant();
    view.count = count;
    view.data = stored.data();
    saturated += view.CountSaturated();
    writer->Append(1, stored.data(), bytes);
    if (zeros) writer->Append(2, points.data(), count);
    return view;
  };

  // Double quantization takes the mean of all scales first.
  const bool all_params = !quantizer.one_pass() || quantizer.elements() == 0 ||
                          config.double_quant();
  Buffer decoding;  // scales as they are stored, where that differs
  if (all_params) {
    scales = context.Allocate(4 * sizes.scales);
    points = context.Allocate(sizes.zero_points);
    quantizer.FindParams(scales.as<float>(), points.as<int8_t>(), release);
    const StoredScales view = append_params(sizes.scales);
    if (config.double_quant()) {
      decoding = context.Allocate(4 * sizes.scales);
      view.Read(0, sizes.scales, decoding.as<float>());
    }
  }

  SliceMetrics metrics(context, array);
  const uint64_t blocks = quantizer.num_blocks();
  for (uint64_t first = 0; first < blocks;) {
    const uint64_t begin = quantizer.ElementOf(first);
    uint64_t next = first + 1;
    while (next < blocks && quantizer.ElementOf(next + 1) - begin <= kSlice) {
      ++next;
    }
    const uint64_t end = quantizer.ElementOf(next);
    slice.code_base = quantizer.CodeByteOf(first);
    const uint64_t code_bytes = quantizer.CodeByteOf(next) - slice.code_base;
    slice.param_base = all_params ? 0 : quantizer.ParamOf(first);
    const uint64_t params =
        all_params ? sizes.scales : quantizer.ParamOf(next) - slice.param_base;
    if (codes.size() < code_bytes) codes = context.Allocate(code_bytes);
    if (scales.size() < 4 * params) scales = context.Allocate(4 * params);
    if (zeros && points.size() < params) points = context.Allocate(params);
    quantizer.Encode(first, next, codes.data(), scales.as<float>(),
                     points.as<int8_t>());
    writer->Append(0, codes.data(), code_bytes);
    if (!all_params) append_params(params);
    slice.codes = codes.data();
    slice.scales =
        decoding.size() != 0 ? decoding.as<float>() : scales.as<float>();
    slice.zero_points = zeros ? points.as<int8_t>() : nullptr;
    const Dequantizer dequantizer(context, config, entry.shape,
                                  quantizer.layout(), slice);
    metrics.Add(begin, end, next == blocks, dequantizer);
    file.Release(entry, begin * element_bytes, (end - begin) * element_bytes);
    meter->Add((end - begin) * element_bytes);
    first = next;
  }
  row->note = SaturationNote(saturated, config);
  row->bytes_after = writer->EndEntry();
  row->format = config.format();
  row->dtype = 0;
  if (quantizer.elements() != 0) {
    row->metrics = metrics.Result();
  } else {
    row->note = "empty";
  }
}

}  // namespace

void WriteTensor(const std::string& name, const QuantizedTensor& tensor,
                 ContainerWriter* writer) {
  const QuantizedSizes& sizes = tensor.sizes();
  const TensorParts& parts = tensor.parts();
  const uint64_t columns = parts.outliers.count;
  writer->BeginEntry(EntryOf(name, tensor.shape(), tensor.config(), sizes,
                             columns, parts.outliers.dtype));
  writer->Append(0, parts.codes, sizes.code_bytes);
  writer->Append(1, parts.scales, sizes.scale_bytes);
  if (sizes.zero_points != 0) {
    writer->Append(2, parts.zero_points, sizes.zero_points);
  }
  if (columns != 0) {
    writer->Append(SectionOf(sizes, BnqRole::kOutlierColumns),
                   parts.outliers.columns, 4 * columns);
    writer->Append(SectionOf(sizes, BnqRole::kOutlierValuesF16),
                   parts.outliers.values, 2 * columns * tensor.tokens());
  }
  writer->EndEntry();
}

Report QuantizeFile(const Context& caller, const Plan& plan,
                    const std::string& input, const std::string& output,
                    const WriteOptions& options, const Progress& progress,
                    const std::vector<ExtraArray>& extra) {
  // Its tick reports to the progress, which may cancel.
  Context context = caller;
  const auto file = ModelFile::Open(context, input);
  for (const ExtraArray& array : extra) {
    if (file->Find(array.name) == nullptr) continue;
    Fail(Status::kInvalidArgument, "input = ", Quoted(input), " has a tensor ",
         Quoted(array.name), " already, which was to be added");
  }
  if (HoldsQuantized(file->kind())) {
    Fail(Status::kUnsupported, "input = ", Quoted(input),
         " is a .bnq file, must be safetensors or its index");
  }
  RefuseSameFile(*file, output);
  ModelOutput writer(context, output, FileKind::kBnq, options, file->metadata(),
                     {});
  Meter meter(progress, TotalBytes(*file));
  if (progress) context.tick = Ticking([&meter] { meter.Add(0); });
  Report report;
  for (const ModelEntry& entry : file->entries()) {
    meter.Begin(entry.name);
    ReportRow row = RowOf(entry);
    const Config* config = plan.Match(entry.name, entry.shape.rank).config;
    InTensor(entry.name, [&] {
      if (config != nullptr && IsSource(static_cast<DType>(entry.dtype))) {
        QuantizeEntry(context, *config, *file, entry, &writer, &meter, &row);
        return;
      }
      if (config != nullptr) row.note = "not floating-point";
      BnqEntry plain;
      plain.name = entry.name;
      plain.dtype = entry.dtype;
      plain.shape = entry.shape;
      plain.sections.emplace_back();
      plain.sections[0].raw_bytes = entry.raw_bytes;
      writer.BeginEntry(std::move(plain));
      CopyPlain(
          context, *file, entry, &meter,
          [&](const void* data, uint64_t n) { writer.Append(0, data, n); });
      row.bytes_after = writer.EndEntry();
    });
    report.push_back(std::move(row));
  }
  for (const ExtraArray& array : extra) {
    ReportRow row;
    row.name = array.name;
    row.shape = array.shape;
    row.dtype = static_cast<int32_t>(array.dtype);
    row.note = "added";
    BnqEntry plain;
    plain.name = array.name;
    plain.dtype = row.dtype;
    plain.shape = array.shape;
    plain.sections.emplace_back();
    plain.sections[0].raw_bytes = array.bytes.size();
    writer.BeginEntry(std::move(plain));
    writer.Append(0, array.bytes.data(), array.bytes.size());
    row.bytes_after = writer.EndEntry();
    report.push_back(std::move(row));
  }
  std::sort(
      report.begin(), report.end(),
      [](const ReportRow& a, const ReportRow& b) { return a.name < b.name; });
  writer.Finish();
  return report;
}

Report DequantizeFile(const Context& caller, const std::string& input,
                      const std::string& output, DType dtype,
                      const WriteOptions& options, const Progress& progress) {
  // Its tick reports to the progress, which may cancel.
  Context context = caller;
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
  ModelOutput writer(context, output, FileKind::kSafetensors, options,
                     file->metadata(), tensors);
  Meter meter(progress, TotalBytes(*file));
  if (progress) context.tick = Ticking([&meter] { meter.Add(0); });
  const uint64_t size = Info(dtype).bits / 8;
  Buffer values;
  std::map<std::string, ReportRow> rows;
  for (const size_t i : writer.order()) {
    const NewArray& out = tensors[i];
    const ModelEntry& entry = file->entries()[i];
    meter.Begin(entry.name);
    ReportRow row = RowOf(entry);
    row.format = 0;
    row.dtype = static_cast<int32_t>(out.dtype);
    BnqEntry plain;
    plain.name = entry.name;
    plain.dtype = row.dtype;
    plain.shape = entry.shape;
    plain.sections.emplace_back();
    TryByteSize(out.shape, out.dtype, &plain.sections[0].raw_bytes);
    writer.BeginEntry(std::move(plain));
    if (entry.format == 0) {
      InTensor(entry.name, [&] {
        CopyPlain(
            context, *file, entry, &meter,
            [&](const void* data, uint64_t n) { writer.Append(0, data, n); });
      });
    } else {
      const auto tensor = LoadTensor(context, file, entry);
      const Dequantizer dequantizer(context, *tensor);
      const uint64_t n = entry.shape.elements();
      for (uint64_t begin = 0; begin < n; begin += kSlice) {
        const uint64_t count = std::min(kSlice, n - begin);
        if (values.size() < count * size) {
          values = context.Allocate(count * size);
        }
        dequantizer.DecodeParallel(begin, count, dtype, values.data());
        writer.Append(0, values.data(), count * size);
        meter.Add(static_cast<uint64_t>(
            static_cast<double>(entry.raw_bytes) *
            (static_cast<double>(count) / static_cast<double>(n))));
      }
      file->Release(entry);
    }
    row.bytes_after = writer.EndEntry();
    rows[entry.name] = std::move(row);
  }
  writer.Finish();
  Report report;
  for (auto& item : rows) report.push_back(std::move(item.second));
  return report;
}

}  // namespace bnq
