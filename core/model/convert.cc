#include "core/model/convert.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <map>

#include "core/base/checked.h"
#include "core/base/error.h"
#include "core/io/bnq_writer.h"
#include "core/io/safetensors.h"
#include "core/model/naming.h"
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

void RefuseSameFile(const ModelFile& file, const std::string& output) {
  if (file.IsReadFrom(output)) {
    Fail(Code::kExists,
         "output = %s is also the input, and must be another file",
         Quoted(output).c_str());
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

BnqEntry EntryOf(const std::string& name, const Shape& shape,
                 const Config& config, const QuantizedSizes& sizes) {
  BnqEntry out;
  out.name = name;
  out.format = config.format();
  out.shape = shape;
  for (int i = 0; i < kNumOptions; ++i) {
    const OptionInfo& info = OptionAt(i);
    const int32_t key = static_cast<int32_t>(info.option);
    if (!info.describes_tensor || info.option == Option::kFormat) continue;
    out.options.push_back(info.is_float
                              ? BnqOption::Float(key, config.GetFloat(key))
                              : BnqOption::Int(key, config.GetInt(key)));
  }
  const auto add = [&](BnqRole role, uint64_t bytes) {
    BnqSection section;
    section.role = role;
    section.raw_bytes = bytes;
    out.sections.push_back(section);
  };
  add(BnqRole::kCodes, sizes.code_bytes);
  add(BnqRole::kScales, 4 * sizes.scales);
  if (sizes.zero_points != 0) add(BnqRole::kZeroPoints, 4 * sizes.zero_points);
  return out;
}

void QuantizeEntry(const Context& context, const Config& config,
                   const ModelFile& file, const ModelEntry& entry,
                   BnqWriter* writer, Meter* meter, ReportRow* row) {
  const ArrayView array = PlainView(file, entry);
  Quantizer quantizer(context, config, array);
  const QuantizedSizes& sizes = quantizer.sizes();
  const uint64_t element_bytes = Info(array.dtype).bits / 8;
  const bool zeros = sizes.zero_points != 0;
  writer->BeginEntry(EntryOf(entry.name, entry.shape, config, sizes));
  const auto append_params = [&](const float* scales, const int32_t* points,
                                 uint64_t count) {
    writer->Append(1, scales, 4 * count);
    if (zeros) writer->Append(2, points, 4 * count);
  };

  Buffer scales, points, codes;
  const bool all_params = !quantizer.one_pass() || quantizer.elements() == 0;
  if (all_params) {
    scales = context.Allocate(4 * sizes.scales);
    points = context.Allocate(4 * sizes.zero_points);
    quantizer.FindParams(scales.as<float>(), points.as<int32_t>(),
                         [&](uint64_t begin, uint64_t end) {
                           file.Release(entry, begin * element_bytes,
                                        (end - begin) * element_bytes);
                           meter->Add(0);
                         });
    append_params(scales.as<float>(), points.as<int32_t>(), sizes.scales);
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
    const uint64_t code_base = quantizer.CodeByteOf(first);
    const uint64_t code_bytes = quantizer.CodeByteOf(next) - code_base;
    const uint64_t param_base = all_params ? 0 : quantizer.ParamOf(first);
    const uint64_t params =
        all_params ? sizes.scales : quantizer.ParamOf(next) - param_base;
    if (codes.size() < code_bytes) codes = context.Allocate(code_bytes);
    if (scales.size() < 4 * params) scales = context.Allocate(4 * params);
    if (zeros && points.size() < 4 * params) {
      points = context.Allocate(4 * params);
    }
    quantizer.Encode(first, next, codes.data(), scales.as<float>(),
                     points.as<int32_t>());
    writer->Append(0, codes.data(), code_bytes);
    if (!all_params) {
      append_params(scales.as<float>(), points.as<int32_t>(), params);
    }
    const Dequantizer dequantizer(context, FormatOf(config), quantizer.layout(),
                                  {codes.data(), scales.as<float>(),
                                   zeros ? points.as<int32_t>() : nullptr},
                                  code_base, param_base);
    metrics.Add(begin, end, next == blocks, dequantizer);
    file.Release(entry, begin * element_bytes, (end - begin) * element_bytes);
    meter->Add((end - begin) * element_bytes);
    first = next;
  }
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
                 BnqWriter* writer) {
  const QuantizedSizes& sizes = tensor.sizes();
  writer->BeginEntry(EntryOf(name, tensor.shape(), tensor.config(), sizes));
  writer->Append(0, tensor.parts().codes, sizes.code_bytes);
  writer->Append(1, tensor.parts().scales, 4 * sizes.scales);
  if (sizes.zero_points != 0) {
    writer->Append(2, tensor.parts().zero_points, 4 * sizes.zero_points);
  }
  writer->EndEntry();
}

Report QuantizeFile(const Context& context, const Plan& plan,
                    const std::string& input, const std::string& output,
                    const WriteOptions& options, const Progress& progress) {
  const auto file = ModelFile::Open(context, input);
  if (file->kind() == FileKind::kBnq) {
    Fail(Code::kUnsupported,
         "input = %s is a .bnq file, must be safetensors or its index",
         Quoted(input).c_str());
  }
  RefuseSameFile(*file, output);
  BnqWriter writer(context, output, options);
  for (const auto& item : file->metadata()) {
    writer.SetMetadata(item.first, item.second);
  }
  Meter meter(progress, TotalBytes(*file));
  Report report;
  for (const ModelEntry& entry : file->entries()) {
    meter.Begin(entry.name);
    ReportRow row = RowOf(entry);
    const Config* config = plan.Match(entry.name, entry.shape.rank);
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
  writer.Finish();
  return report;
}

Report DequantizeFile(const Context& context, const std::string& input,
                      const std::string& output, DType dtype,
                      const WriteOptions& options, const Progress& progress) {
  const auto file = ModelFile::Open(context, input);
  if (file->kind() != FileKind::kBnq) {
    Fail(Code::kUnsupported, "input = %s is not a .bnq file",
         Quoted(input).c_str());
  }
  RefuseSameFile(*file, output);
  std::vector<SafetensorsTensor> tensors;
  for (const ModelEntry& entry : file->entries()) {
    SafetensorsTensor tensor;
    tensor.name = entry.name;
    tensor.dtype = entry.format != 0 ? dtype : static_cast<DType>(entry.dtype);
    tensor.shape = entry.shape;
    tensors.push_back(std::move(tensor));
  }
  SafetensorsWriter writer(output, options, std::move(tensors),
                           file->metadata());
  Meter meter(progress, TotalBytes(*file));
  const uint64_t size = Info(dtype).bits / 8;
  Buffer values;
  std::map<std::string, ReportRow> rows;
  for (size_t i = 0; i < writer.entries().size(); ++i) {
    const SafetensorsEntry& out = writer.entries()[i];
    const ModelEntry& entry = *file->Find(out.name);
    meter.Begin(entry.name);
    ReportRow row = RowOf(entry);
    row.format = 0;
    row.dtype = static_cast<int32_t>(out.dtype);
    row.bytes_after = out.bytes;
    if (entry.format == 0) {
      InTensor(entry.name, [&] {
        CopyPlain(
            context, *file, entry, &meter,
            [&](const void* data, uint64_t n) { writer.Append(i, data, n); });
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
        writer.Append(i, values.data(), count * size);
        meter.Add(static_cast<uint64_t>(
            static_cast<double>(entry.raw_bytes) *
            (static_cast<double>(count) / static_cast<double>(n))));
      }
      for (const BnqSection& section : entry.bnq->sections) {
        file->Release(section, 0, section.raw_bytes);
      }
    }
    rows[entry.name] = std::move(row);
  }
  writer.Finish();
  Report report;
  for (auto& item : rows) report.push_back(std::move(item.second));
  return report;
}

}  // namespace bnq
