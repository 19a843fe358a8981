// MLX: what mlx-lm writes and loads on Apple's machines.
//
// Source   mlx/ops.cpp (affine_quantize, fp_quantize), mlx_lm/utils.py
// Affine   P.weight  U32 [.., out, in bits / 32], codes from 0 on as a dense
//                    stream, the lowest bits first
//          P.scales, P.biases  F32, F16 or BF16 [.., out, in / group]
//          Value     scale * code + bias; a scale may be negative
//          Groups are of 32, 64 or 128 columns, which fill every row; 2, 3, 4,
//          5, 6 or 8 bits
// mxfp4    P.weight  U32 [.., out, in / 8], e2m1; P.scales U8, e8m0, of 32
// Config   "quantization", and the same as "quantization_config": group_size,
//          bits and mode of all modules, and of a module by its name what is
//          other. A module is quantized where it has scales.
//
// What has biases of -2^(bits - 1) scale is symmetric here, other tensors have
// the scheme offset. Ternary codes are written as 2 bits with biases of -scale.

#include <algorithm>
#include <cstring>

#include "core/base/error.h"
#include "core/interchange/module_export.h"
#include "core/interchange/transcode.h"

namespace bnq {
namespace {

constexpr uint64_t kGroups[] = {128, 64, 32};

// How a module is quantized: of config.json, or of what is written.
struct Mode {
  uint64_t group_size = 0, bits = 0;  // 0: not said
  std::string mode = "affine";

  std::string Json() const {
    return Message("{\"group_size\": ", group_size, ", \"bits\": ", bits,
                   ", \"mode\": \"", mode, "\"}");
  }
};

// ---- Reading ----

Mode ModeOf(const JsonTree& quantization, const std::string& prefix) {
  const JsonTree* const own = quantization.Find(prefix.c_str());
  const JsonTree& said =
      own != nullptr && own->is_object() ? *own : quantization;
  Mode mode;
  mode.group_size = UnsignedOr(said, "group_size", 0);
  mode.bits = UnsignedOr(said, "bits", 0);
  mode.mode = StringOr(said, "mode", "affine");
  return mode;
}

// Whether shapes agree but for the last dimension.
bool SameRows(const Shape& a, const Shape& b) {
  return a.rank == b.rank && a.rank >= 2 &&
         std::equal(a.dims, a.dims + a.rank - 1, b.dims);
}

// What config.json says, if the arrays can be that; where it does not, the only
// thing that they can be.
Mode CheckedMode(Mode said, uint64_t words, uint64_t groups) {
  const auto fits = [&](uint64_t bits, uint64_t group_size) {
    return 32 * words == bits * group_size * groups;
  };
  if (said.bits != 0 && said.group_size != 0) {
    const bool known = (said.bits >= 2 && said.bits <= 6) || said.bits == 8;
    if (known && said.group_size <= 32 * words &&
        fits(said.bits, said.group_size)) {
      return said;
    }
    Fail(Status::kCorruptFile, "rows of ", words, " words and ", groups,
         " groups, must be ", said.bits, " bits in groups of ", said.group_size,
         ", as config.json says");
  }
  Mode found = said;
  int count = 0;
  for (const uint64_t group : kGroups) {
    for (const uint64_t bits : {2u, 3u, 4u, 5u, 6u, 8u}) {
      if (!fits(bits, group)) continue;
      found.bits = bits;
      found.group_size = group;
      ++count;
    }
  }
  if (count == 1) return found;
  Fail(Status::kUnsupported, "rows of ", words, " words and ", groups,
       " groups are ", count == 0 ? "no" : "several",
       " numbers of bits and sizes of groups, and config.json does not say "
       "which");
}

// Whether every bias stands for a zero point in the middle.
bool IsSymmetric(const StoredArray& scales, const StoredArray& biases,
                 uint64_t bits) {
  const float middle = static_cast<float>(1 << (bits - 1));
  const uint64_t count = scales.shape.elements();
  for (uint64_t i = 0; i < count; ++i) {
    if (biases.FloatAt(i) != -middle * scales.FloatAt(i)) return false;
  }
  return true;
}

void Read(ForeignModel* model, const std::string& prefix,
          const StoredArray& weight) {
  const StoredArray scales = FindStored(*model, prefix + ".scales");
  const StoredArray biases = FindStored(*model, prefix + ".biases");
  if (weight.dtype != DType::kU32 || !scales) return;
  Mode mode = ModeOf(model->quantization, prefix);
  const bool affine = mode.mode == "affine";
  if (!affine && mode.mode != "mxfp4") {
    Fail(Status::kUnsupported, "mode = ", Quoted(mode.mode),
         ", must be affine or mxfp4");
  }
  const int last = weight.shape.rank - 1;
  if (!SameRows(weight.shape, scales.shape)) {
    Fail(Status::kCorruptFile, "scales of shape ", scales.shape.ToString(),
         " for a weight of shape ", weight.shape.ToString());
  }
  const uint64_t words = weight.dim(last), groups = scales.dim(last);
  mode = CheckedMode(mode, words, groups);
  Shape shape = weight.shape;
  shape.dims[last] = groups * mode.group_size;
  shape = Shape::Make(shape.rank, shape.dims);
  if (!IsOneOf(scales.dtype, affine
                                 ? kScaleTypes
                                 : std::initializer_list<DType>{DType::kU8}) ||
      (!affine && (mode.bits != 4 || mode.group_size != 32))) {
    Fail(Status::kCorruptFile, "scales are ", Info(scales.dtype).name, " for ",
         mode.bits, " bits in groups of ", mode.group_size, " of mode ",
         mode.mode);
  }
  const std::string name = prefix + ".weight";
  if (!affine) {
    auto tensor = std::make_unique<FoundTensor>(
        name, shape, Config::FromText("e2m1,scale_dtype=e8m0,group_size=32"),
        "MLX mxfp4");
    tensor->Map(Part::kCodes, weight);
    tensor->Map(Part::kScales, scales);
    model->Add(std::move(tensor));
    return;
  }
  if (!biases || biases.dtype != scales.dtype || biases.shape != scales.shape) {
    Fail(Status::kCorruptFile, "biases are ",
         !biases ? "missing, must be "
                 : Message("of another type or shape than scales, "),
         Info(scales.dtype).name, " of shape ", scales.shape.ToString());
  }
  const bool symmetric = IsSymmetric(scales, biases, mode.bits);
  const uint32_t bits = static_cast<uint32_t>(mode.bits);
  // Channels are those of a matrix.
  auto tensor = std::make_unique<FoundTensor>(
      name, shape,
      IntegerConfig(
          bits, shape.rank == 2 ? shape.columns() : UINT64_MAX, mode.group_size,
          symmetric ? Scheme::kSymmetric : Scheme::kOffset, scales.dtype),
      "MLX");
  MapFields({bits, 1 << (bits - 1)}, weight,
            weight.entry->raw_bytes / shape.rows(), tensor.get());
  tensor->Map(Part::kScales, scales);
  if (symmetric) {
    tensor->Take(biases);
  } else {
    tensor->Map(Part::kOffsets, biases);
  }
  model->Add(std::move(tensor));
}

void Find(const Context&, ForeignModel* model) {
  ForEachModule(*model, ".weight",
                [&](const std::string& prefix, const StoredArray& weight) {
                  Read(model, prefix, weight);
                });
}

// ---- Writing ----

// The greatest size of groups that all columns of each share a scale; 0: none.
uint64_t WrittenGroup(const Config& config, const Shape& shape) {
  for (const uint64_t size : kGroups) {
    if (shape.features() % size == 0 && HoldsGroups(config, shape, size)) {
      return size;
    }
  }
  return 0;
}

bool IsMxfp4(const Config& config) {
  return FormatOf(config).small_float == &kE2M1 &&
         config.scale_dtype() == ScaleDType::kE8M0;
}

// What codes from 0 on are shifted by; where there are offsets, they do that.
class Biases {
 public:
  Biases(const QuantizedTensor& tensor, uint64_t group_size, int32_t zero)
      : values_(tensor, group_size),
        offset_(tensor.config().scheme() == Scheme::kOffset),
        zero_(zero) {}
  const GroupValues& values() const { return values_; }
  // Of groups with these scales, as they are stored.
  void Read(uint64_t begin, uint64_t n, const float* scales, float* out) const {
    if (offset_) return values_.Offsets(begin, n, out);
    std::vector<int8_t> zeros(n);
    values_.ZeroPoints(begin, n, zeros.data());
    ShiftsOf(zeros.data(), zero_, scales, n, out);
  }

 private:
  const GroupValues values_;
  const bool offset_;
  const int32_t zero_;
};

class MlxExporter final : public ModuleExporter {
 public:
  explicit MlxExporter(const ExportRequest& request)
      : ModuleExporter(request, "mlx") {}

  std::unique_ptr<ExportTensor> Plan(const ModelEntry& entry,
                                     const Config& config,
                                     const Parts& sizes) override {
    const std::string why = WhyNot(entry.shape, config, sizes);
    if (!why.empty()) return Refused(why);
    Mode mode;
    mode.group_size = WrittenGroup(config, entry.shape);
    auto tensor = std::make_unique<PlannedTensor>();
    const std::string prefix = Prefix(entry.name);
    if (IsMxfp4(config)) {
      mode.group_size = 32;
      mode.bits = 4;
      mode.mode = "mxfp4";
      PlanMxfp4(prefix, entry.shape, tensor.get());
    } else {
      mode.bits = FieldsOf(config).bits;
      PlanAffine(prefix, entry.shape, config, mode, tensor.get());
    }
    modules_.emplace_back(prefix, mode.Json());
    ++counts_[mode.Json()];
    return tensor;
  }

  Config Nearest(const ModelEntry& entry, const Config& config) override {
    const uint32_t bits = CodeBits(FormatOf(config).packing);
    Config nearest =
        NearestIntegers(entry, config,
                        Message("int", bits <= 1               ? 2u
                                       : bits == 7 || bits > 8 ? 8u
                                                               : bits),
                        {32, 64, 128});
    if (config.scheme() != Scheme::kSymmetric) {
      nearest.SetInt(static_cast<int32_t>(Option::kScheme),
                     static_cast<int64_t>(Scheme::kOffset));
    }
    return nearest;
  }

  std::vector<ConfigMember> ConfigMembers() override {
    if (modules_.empty()) return {};
    const auto most = std::max_element(
        counts_.begin(), counts_.end(),
        [](const auto& a, const auto& b) { return a.second < b.second; });
    std::string json = most->first.substr(0, most->first.size() - 1);
    for (const auto& module : modules_) {
      if (module.second == most->first) continue;
      json += ", " + JsonText(module.first) + ": " + module.second;
    }
    json += '}';
    return {{"quantization", json}, {"quantization_config", json}};
  }

 private:
  static std::string WhyNot(const Shape& shape, const Config& config,
                            const Parts& sizes) {
    const std::string why = Refusal(config, sizes, shape);
    if (!why.empty()) return why;
    if (IsMxfp4(config)) {
      if (ScaleRun(config, shape) == 32 && shape.features() % 32 == 0) {
        return "";
      }
      return "mxfp4 has groups of 32 that divide the columns";
    }
    if (FieldsOf(config).bits == 0) {
      return Message("format ", FormatOf(config).name,
                     ": the layout has integers, and e2m1 with e8m0 scales");
    }
    if (WrittenGroup(config, shape) != 0) return "";
    return Message("its ", shape.features(), " columns with scales of ",
                   ScaleRun(config, shape),
                   " columns are not groups of 32, 64 or 128");
  }

  static std::vector<uint64_t> Dims(const Shape& shape, uint64_t last) {
    std::vector<uint64_t> dims(shape.dims, shape.dims + shape.rank);
    dims.back() = last;
    return dims;
  }

  static void PlanMxfp4(const std::string& prefix, const Shape& shape,
                        PlannedTensor* tensor) {
    const uint64_t in = shape.features();
    for (const Part part : {Part::kCodes, Part::kScales}) {
      const bool codes = part == Part::kCodes;
      tensor->Add(prefix + (codes ? ".weight" : ".scales"),
                  codes ? DType::kU32 : DType::kU8,
                  Dims(shape, in / (codes ? 8 : 32)),
                  [part](const Context&, const QuantizedTensor& from,
                         const AppendBytes& append) {
                    append(from.part(part).data, from.part(part).bytes);
                  });
    }
  }

  void PlanAffine(const std::string& prefix, const Shape& shape,
                  const Config& config, const Mode& mode,
                  PlannedTensor* tensor) {
    const FieldKind fields = FieldsOf(config);
    const uint64_t in = shape.features(), group = mode.group_size;
    const ScalesAs as = ScalesAsStored(config, request_.scale_dtype);
    if (as.rounds) {
      tensor->Lower(Verdict::kScalesRounded, ScalesBecome(config, as));
    }
    if (config.scheme() == Scheme::kAsymmetric) {
      tensor->Lower(Verdict::kScalesRounded,
                    Message("zero points become biases, -zero point * scale, "
                            "of ",
                            Info(as.dtype).name));
    }
    const uint64_t stride = in * fields.bits / 8;
    tensor->Add(prefix + ".weight", DType::kU32, Dims(shape, stride / 4),
                [=](const Context& context, const QuantizedTensor& from,
                    const AppendBytes& append) {
                  AppendFields(context, from, fields, stride, append);
                });
    tensor->Add(prefix + ".scales", as.dtype, Dims(shape, in / group),
                [=](const Context&, const QuantizedTensor& from,
                    const AppendBytes& append) {
                  AppendScalesOf(GroupValues(from, group), as.dtype, tensor,
                                 append);
                });
    tensor->Add(prefix + ".biases", as.dtype, Dims(shape, in / group),
                [=](const Context&, const QuantizedTensor& from,
                    const AppendBytes& append) {
                  AppendBiases(Biases(from, group, fields.bias), as.dtype,
                               tensor, append);
                });
  }

  static void AppendBiases(const Biases& from, DType dtype,
                           PlannedTensor* tensor, const AppendBytes& append) {
    constexpr uint64_t kBatch = 4096;
    float scales[kBatch], shifts[kBatch];
    for (uint64_t at = 0; at < from.values().count(); at += kBatch) {
      const uint64_t n = std::min(kBatch, from.values().count() - at);
      from.values().Scales(at, n, scales);
      if (from.values().StoredAs(dtype) == nullptr) RoundTo(dtype, scales, n);
      from.Read(at, n, scales, shifts);
      tensor->AppendOffsets(shifts, n, dtype, append);
    }
  }

  std::vector<std::pair<std::string, std::string>> modules_;  // with their JSON
  std::map<std::string, int> counts_;                         // by JSON
};

std::unique_ptr<Exporter> MakeExporter(const Context&,
                                       const ExportRequest& request) {
  return std::make_unique<MlxExporter>(request);
}

}  // namespace

extern const ForeignLayout k_mlx;
const ForeignLayout k_mlx = {"mlx",
                             "MLX: affine groups of 2 to 8 bits, and mxfp4",
                             FileKind::kSafetensors, Find, MakeExporter};

}  // namespace bnq
