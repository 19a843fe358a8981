// compressed-tensors: what llm-compressor writes and vLLM loads.
//
// Source   compressed_tensors/compressors/{pack_quantized,naive_quantized}*.py,
//          quantization/quant_{args,scheme}.py
// Packed   P.weight_packed   I32 [out, ceil(in bits / 32)], element i of a row
//                            at bit i bits, the lowest first: code +
//                            2^(bits-1); rows filled up with 0
//          P.weight_scale    F32, F16 or BF16 [out, groups]; one group:
//                            channels
//          P.weight_shape    I64 [2], out and in
//          P.weight_zero_point  I32 [ceil(out bits / 32), groups], packed as
//                            codes are, along out; asymmetric only
//          P.weight_g_idx    I32 [in], the group of each column (act-order)
// Others   P.weight I8 or F8_E4M3 [out, in], the codes as they are;
//          P.weight_scale [out, 1], [1], or of blocks [out / 128, in / 128];
//          P.weight_zero_point I8, asymmetric only
// Value    (code - zero point) * scale, both signed
// Config   quantization_config, whose config_groups name the modules; 3, 5 and
//          6 bits had two meanings under one name: only dense rows are read,
//          and none are written: ternary codes and those of 3 bits are in
//          fields of 4, those of 5 and 6 bits in fields of 8

#include <algorithm>
#include <cstring>

#include "core/base/checked.h"
#include "core/base/error.h"
#include "core/interchange/module_export.h"
#include "core/io/endian.h"

namespace bnq {
namespace {

// Rows and columns of a tile.
constexpr uint64_t kTile = 128;

constexpr char kNote[] = "compressed-tensors";

// ---- Reading ----

// Of all groups of the config; empty where it tells nothing.
std::vector<uint64_t> BitsInConfig(const JsonTree& quantization) {
  std::vector<uint64_t> bits;
  const JsonTree* const groups = quantization.Find("config_groups");
  if (groups == nullptr) return bits;
  for (const auto& group : groups->members) {
    const JsonTree* const weights = group.second.Find("weights");
    if (weights == nullptr) continue;
    bits.push_back(UnsignedOr(*weights, "num_bits", 0));
  }
  return bits;
}

uint32_t BitsOf(const std::vector<uint64_t>& said, uint64_t columns,
                uint64_t words) {
  std::vector<uint32_t> fit;
  bool padded = false;
  for (const uint32_t bits : {2u, 3u, 4u, 5u, 6u, 8u}) {
    const bool named = std::find(said.begin(), said.end(), bits) != said.end();
    if (!named && !(said.empty() && 8 % bits == 0)) continue;
    if (DivCeil(columns * bits, 32) == words) fit.push_back(bits);
    padded |= 8 % bits != 0 && DivCeil(columns, 32 / bits) == words;
  }
  if (fit.size() == 1 && !padded) return fit[0];
  Fail(fit.empty() && !padded ? Status::kCorruptFile : Status::kUnsupported,
       "rows of ", columns, " columns in ", words, " words are ",
       fit.empty() ? padded ? "fields that do not lie densely"
                            : "of no number of bits that is known or said"
       : padded    ? "dense fields, or are not"
                   : "of several numbers of bits",
       ", must be dense fields of 2, 3, 4, 5, 6 or 8 bits that config_groups "
       "name");
}

// The zero points of rows [begin, end).
void ReadPackedZeros(const uint8_t* words, uint64_t groups, uint32_t bits,
                     uint64_t begin, uint64_t end, uint8_t* out) {
  const uint32_t mask = (1u << bits) - 1;
  const int32_t bias = 1 << (bits - 1);
  for (uint64_t row = begin; row < end; ++row) {
    const uint64_t bit = row * bits;
    const uint8_t* const from = words + bit / 32 * groups * 4;
    for (uint64_t g = 0; g < groups; ++g) {
      const uint32_t field = LoadLE<uint32_t>(from + 4 * g) >> (bit % 32);
      *out++ = static_cast<uint8_t>(static_cast<int32_t>(field & mask) - bias);
    }
  }
}

void ReadPacked(ForeignModel* model, const std::vector<uint64_t>& said,
                const std::string& prefix, const StoredArray& packed) {
  const auto find = [&](const char* ending) {
    return FindStored(*model, prefix + ending);
  };
  // Others are in bytes, and scaled otherwise: nvfp4.
  if (!find(".weight_scale") || packed.dtype == DType::kU8) return;
  const StoredArray shape = find(".weight_shape");
  const StoredArray scale = find(".weight_scale");
  const StoredArray zero = find(".weight_zero_point");
  const StoredArray index = find(".weight_g_idx");
  if (packed.shape.rank != 2) {
    Fail(Status::kUnsupported, "weight_packed is of shape ",
         packed.shape.ToString(), ", must be of two dimensions");
  }
  Expect(shape, prefix + ".weight_shape", {DType::kI64}, {2});
  const uint64_t dims[] = {LoadLE<uint64_t>(shape.data),
                           LoadLE<uint64_t>(shape.data + 8)};
  const uint64_t out = packed.dim(0), words = packed.dim(1), in = dims[1];
  // As many columns as words can hold, so that nothing overflows.
  if (dims[0] != out || in == 0 || in / 32 > words) {
    Fail(Status::kCorruptFile, "weight_shape is [", dims[0], ", ", in,
         "], which weight_packed of shape ", packed.shape.ToString(),
         " cannot be");
  }
  const uint32_t bits = BitsOf(said, in, words);
  Expect(packed, prefix + ".weight_packed", {DType::kI32}, {out, words});
  const bool of_tensor =
      scale.shape.elements() == 1 && (out != 1 || scale.shape.rank != 2);
  const uint64_t groups = of_tensor ? 1 : scale.dim(scale.shape.rank - 1);
  if (!of_tensor) {
    Expect(scale, prefix + ".weight_scale", kScaleTypes, {out, groups});
  }
  if (in % groups != 0) {
    Fail(Status::kCorruptFile, groups, " scales for rows of ", in,
         " columns, must divide them");
  }
  Config config = IntegerConfig(bits, in, in / groups,
                                zero ? Scheme::kAsymmetric : Scheme::kSymmetric,
                                scale.dtype);
  if (of_tensor) {
    config.SetInt(static_cast<int32_t>(Option::kGranularity),
                  static_cast<int64_t>(Granularity::kTensor));
  }
  auto tensor = std::make_unique<FoundTensor>(
      prefix + ".weight", Shape::Make(2, dims), config, kNote);
  MapFields({bits, 1 << (bits - 1)}, packed, 4 * words, tensor.get());
  tensor->Map(Part::kScales, scale);
  tensor->Take(shape);
  if (zero) {
    if (8 % bits != 0 || of_tensor) {
      Fail(Status::kUnsupported, "zero points of ", bits,
           "-bit codes, must be of 2, 4 or 8 bits for groups or channels");
    }
    Expect(zero, prefix + ".weight_zero_point", {DType::kI32},
           {DivCeil(out * bits, 32), groups});
    const uint8_t* const data = zero.data;
    tensor->Make(Part::kZeroPoints, [=](const Context&, uint64_t begin,
                                        uint64_t end, uint8_t* to) {
      ReadPackedZeros(data, groups, bits, begin, end, to);
    });
    tensor->Take(zero);
  }
  std::vector<uint32_t> by_index;
  if (index) {
    Expect(index, prefix + ".weight_g_idx", {DType::kI32}, {in});
    by_index = ReadGroupIndex(index, groups, in / groups);
    tensor->Take(index);
  }
  if (!by_index.empty()) {
    tensor = ValuesByIndex(std::move(tensor), std::move(by_index));
  }
  model->Add(std::move(tensor));
}

// How scales of this shape are shared.
std::string SharingOf(const StoredArray& weight, const StoredArray& scale) {
  const uint64_t out = weight.dim(0), in = weight.dim(1);
  const Shape& shape = scale.shape;
  if (shape.elements() == 1) return "granularity=tensor";
  const uint64_t groups = shape.rank == 1 ? 1 : shape.dims[shape.rank - 1];
  if (shape.dims[0] == out && groups == 1) return "granularity=channel";
  if (shape.rank == 2 && shape.dims[0] == out && in % groups == 0) {
    return Message("group_size=", in / groups);
  }
  // What all files have that have blocks.
  if (shape.rank == 2 && shape.dims[0] == DivCeil(out, kTile) &&
      groups == DivCeil(in, kTile)) {
    return Message("granularity=tile,group_size=", kTile);
  }
  Fail(
      Status::kUnsupported, "weight_scale of shape ", shape.ToString(),
      " for a weight of shape ", weight.shape.ToString(),
      ", must be of the tensor, its rows, groups of columns, or tiles of 128 x "
      "128");
}

bool IsAllZero(const StoredArray& array) {
  const uint8_t* const end = array.data + array.entry->raw_bytes;
  return std::all_of(array.data, end, [](uint8_t byte) { return byte == 0; });
}

void ReadPlainCodes(ForeignModel* model, const std::string& prefix,
                    const StoredArray& weight) {
  const bool integer = weight.dtype == DType::kI8;
  if (!integer && weight.dtype != DType::kF8E4M3) return;
  const StoredArray scale = FindStored(*model, prefix + ".weight_scale");
  if (!scale || weight.shape.rank != 2 || !IsOneOf(scale.dtype, kScaleTypes)) {
    return;
  }
  const StoredArray zero = FindStored(*model, prefix + ".weight_zero_point");
  // Symmetric ones may have them, too.
  const bool shifted = zero && !IsAllZero(zero);
  if (shifted && !integer) {
    Fail(Status::kUnsupported, "zero points of F8_E4M3 codes");
  }
  std::string text = SharingOf(weight, scale);
  text += scale.dtype == DType::kF16    ? ",scale_dtype=f16"
          : scale.dtype == DType::kBF16 ? ",scale_dtype=bf16"
                                        : "";
  text += !integer  ? ",format=e4m3"
          : shifted ? ",format=int8,scheme=asymmetric"
                    : ",format=int8,symmetric_range=full";
  auto tensor = std::make_unique<FoundTensor>(prefix + ".weight", weight.shape,
                                              Config::FromText(text), kNote);
  tensor->Map(Part::kCodes, weight);
  tensor->Map(Part::kScales, scale);
  if (shifted) {
    if (zero.dtype != DType::kI8) {
      Expect(zero, prefix + ".weight_zero_point", {DType::kI8}, {});
    }
    tensor->Map(Part::kZeroPoints, zero);
  } else if (zero) {
    tensor->Take(zero);
  }
  model->Add(std::move(tensor));
}

void Find(const Context&, ForeignModel* model) {
  const std::vector<uint64_t> said = BitsInConfig(model->quantization);
  ForEachModule(*model, ".weight_packed",
                [&](const std::string& prefix, const StoredArray& packed) {
                  ReadPacked(model, said, prefix, packed);
                });
  ForEachModule(*model, ".weight",
                [&](const std::string& prefix, const StoredArray& weight) {
                  ReadPlainCodes(model, prefix, weight);
                });
}

// ---- Writing ----

void AppendPackedZeros(const GroupValues& values, uint32_t bits,
                       const AppendBytes& append) {
  const uint64_t per_word = 32 / bits, groups = values.groups();
  std::vector<int8_t> zeros(groups);
  std::vector<uint32_t> words(groups);
  for (uint64_t begin = 0; begin < values.rows(); begin += per_word) {
    std::fill(words.begin(), words.end(), 0);
    const uint64_t end = std::min(begin + per_word, values.rows());
    for (uint64_t row = begin; row < end; ++row) {
      values.ZeroPoints(row * groups, groups, zeros.data());
      for (uint64_t g = 0; g < groups; ++g) {
        const uint32_t field =
            static_cast<uint32_t>(zeros[g] + (1 << (bits - 1)));
        words[g] |= field << (row - begin) * bits;
      }
    }
    append(words.data(), 4 * groups);
  }
}

// QuantizationArgs, of which readers refuse keys that they do not know.
std::string ArgsJson(uint32_t bits, const char* type, bool symmetric,
                     const char* strategy, uint64_t group_size) {
  const std::string size =
      group_size == 0 ? std::string("null") : ToText(group_size);
  const bool tiles = std::strcmp(strategy, "block") == 0;
  return Message(
      "{\"num_bits\": ", bits, ", \"type\": \"", type,
      "\", \"symmetric\": ", symmetric ? "true" : "false", ", \"strategy\": \"",
      strategy, "\", \"group_size\": ", tiles ? "null" : size.c_str(),
      ", \"block_structure\": ",
      tiles ? Message('[', group_size, ", ", group_size, ']') : "null",
      ", \"dynamic\": false, \"actorder\": null, \"observer\": \"minmax\", "
      "\"observer_kwargs\": {}}");
}

class CompressedTensorsExporter final : public ModuleExporter {
 public:
  explicit CompressedTensorsExporter(const ExportRequest& request)
      : ModuleExporter(request, "pt") {}

  std::unique_ptr<ExportTensor> Plan(const ModelEntry& entry,
                                     const Config& config,
                                     const Parts& sizes) override {
    const std::string why = WhyNot(entry.shape, config, sizes);
    if (!why.empty()) return Refused(why);
    const std::string prefix = Prefix(entry.name);
    auto tensor = std::make_unique<PlannedTensor>();
    const FieldKind fields = FieldsOf(config);
    const ScalesAs scales = ScalesAsStored(config, request_.scale_dtype);
    if (scales.rounds) {
      tensor->Lower(Verdict::kScalesRounded, ScalesBecome(config, scales));
    }
    if (fields.bits == 0) {
      PlanCodes(prefix, entry.shape, config, DType::kF8E4M3, tensor.get());
    } else if (IsStatic(prefix, config)) {
      PlanCodes(prefix, entry.shape, config, DType::kI8, tensor.get());
    } else {
      PlanPacked(prefix, entry.shape, config, fields, tensor.get());
    }
    PlannedTensor* const planned = tensor.get();
    const uint64_t run = RunOf(config, entry.shape);
    const bool tiles = config.granularity() == Granularity::kTile;
    const DType dtype = scales.dtype;
    const auto write = [=](const Context&, const QuantizedTensor& from,
                           const AppendBytes& append) {
      const StoredScales stored = from.scales();
      // Tiles and tensors as they are, the rest for each row.
      if (tiles || (fields.bits == 0 && stored.count == 1)) {
        std::vector<float> all(stored.count);
        stored.Read(0, all.size(), all.data());
        planned->AppendScales(all.data(), all.size(), dtype, append);
      } else {
        AppendScalesOf(GroupValues(from, run), dtype, planned, append);
      }
    };
    const uint64_t out = entry.shape.rows(), in = entry.shape.columns();
    if (tiles) {
      tensor->Add(prefix + ".weight_scale", dtype,
                  {DivCeil(out, run), DivCeil(in, run)}, write);
    } else if (fields.bits == 0 && sizes[Part::kScales].count == 1) {
      tensor->Add(prefix + ".weight_scale", dtype, {1}, write);
    } else {
      tensor->Add(prefix + ".weight_scale", dtype, {out, in / run}, write);
    }
    return tensor;
  }

  Config Nearest(const ModelEntry& entry, const Config& config) override {
    const FieldKind fields = FieldsOf(config);
    const Format& format = FormatOf(config);
    const bool wide = CodeBits(format.packing) > 4;
    return NearestIntegers(entry, config,
                           fields.bits == 2 ? format.name
                           : wide           ? "int8"
                                            : "int4",
                           {32, 64, 128});
  }

  std::vector<ConfigMember> ConfigMembers() override {
    if (schemes_.empty()) return {};
    std::string groups, format = schemes_.begin()->second.format;
    const bool one = schemes_.size() == 1;
    bool mixed = false;
    for (const auto& item : schemes_) mixed |= item.second.format != format;
    for (const auto& item : schemes_) {
      const std::string number = ToText(static_cast<uint64_t>(
          std::count(groups.begin(), groups.end(), '\n')));
      groups += Message(groups.empty() ? "\n" : ",\n", "\"group_", number,
                        "\": {\"targets\": ",
                        one ? "[\"Linear\"]" : JsonList(item.second.modules),
                        item.first);
      if (mixed) groups += ", \"format\": \"" + item.second.format + '"';
      groups += '}';
    }
    return {
        {"quantization_config",
         Message("{\"quant_method\": \"compressed-tensors\", \"format\": "
                 "\"",
                 mixed ? "mixed-precision" : format.c_str(),
                 "\", \"quantization_status\": \"compressed\", "
                 "\"version\": \"0.9.0\", \"global_compression_ratio\": "
                 "null, \"kv_cache_scheme\": null, \"sparsity_config\": "
                 "{}, \"transform_config\": {}, \"ignore\": ",
                 JsonList(Plain()), ", \"config_groups\": {", groups, "}}")}};
  }

 private:
  struct Modules {
    std::string format;
    std::vector<std::string> modules;
  };

  static std::string WhyNot(const Shape& shape, const Config& config,
                            const Parts& sizes) {
    const std::string why = Refusal(config, sizes, shape);
    if (!why.empty()) return why;
    if (shape.rank != 2) return "it is of more than two dimensions";
    const bool floats = FormatOf(config).small_float == &kE4M3;
    const bool tiles = config.granularity() == Granularity::kTile;
    if (FieldsOf(config).bits == 0 && !floats) {
      return Message("format ", FormatOf(config).name,
                     ": the layout has integers and e4m3");
    }
    if (config.scheme() == Scheme::kOffset) {
      return "scheme = offset: the layout has zero points";
    }
    if (tiles && !floats) return "granularity = tile: it is for e4m3";
    if (tiles && config.group_size() != kTile) {
      return Message("tiles of ", config.group_size(), ": loaders have ",
                     kTile);
    }
    if (tiles) return "";
    const uint64_t run = ScaleRun(config, shape);
    if (floats && run != shape.columns()) {
      return "e4m3 in groups: it has channels and tiles";
    }
    if (shape.columns() % run == 0) return "";
    return Message("group_size = ", run, " does not divide its ",
                   shape.columns(), " columns");
  }

  static uint64_t RunOf(const Config& config, const Shape& shape) {
    return config.granularity() == Granularity::kTile ? config.group_size()
                                                      : ScaleRun(config, shape);
  }

  // Whether the model says with what its inputs are quantized.
  bool IsStatic(const std::string& prefix, const Config& config) const {
    const ModelEntry* const scale = request_.file.Find(prefix + ".input_scale");
    return FieldsOf(config).bits == 8 &&
           (config.granularity() == Granularity::kChannel ||
            config.granularity() == Granularity::kTensor) &&
           scale != nullptr && scale->shape.elements() == 1 &&
           request_.file.Find(prefix + ".input_offset") == nullptr;
  }

  void Count(const std::string& prefix, const std::string& scheme,
             const char* format) {
    Modules& modules = schemes_[scheme];
    modules.format = format;
    modules.modules.push_back(prefix);
  }

  // Codes that are bytes as they are.
  void PlanCodes(const std::string& prefix, const Shape& shape,
                 const Config& config, DType dtype, PlannedTensor* tensor) {
    const uint64_t out = shape.rows(), in = shape.columns();
    tensor->Add(prefix + ".weight", dtype, {out, in},
                [](const Context&, const QuantizedTensor& from,
                   const AppendBytes& append) {
                  append(from.codes(), from.part(Part::kCodes).bytes);
                });
    const bool symmetric = config.scheme() == Scheme::kSymmetric;
    if (!symmetric) {
      tensor->Add(prefix + ".weight_zero_point", DType::kI8, {out, 1},
                  [in](const Context&, const QuantizedTensor& from,
                       const AppendBytes& append) {
                    const GroupValues values(from, in);
                    std::vector<int8_t> zeros(values.count());
                    values.ZeroPoints(0, zeros.size(), zeros.data());
                    append(zeros.data(), zeros.size());
                  });
    }
    if (dtype == DType::kF8E4M3) {
      const bool tiles = config.granularity() == Granularity::kTile;
      const char* const strategy =
          tiles                                          ? "block"
          : config.granularity() == Granularity::kTensor ? "tensor"
                                                         : "channel";
      Count(prefix,
            ", \"weights\": " +
                ArgsJson(8, "float", true, strategy,
                         tiles ? config.group_size() : 0) +
                ", \"input_activations\": null, \"output_activations\": null",
            "float-quantized");
      return;
    }
    const bool shifted =
        request_.file.Find(prefix + ".input_zero_point") != nullptr;
    Count(prefix,
          ", \"weights\": " + ArgsJson(8, "int", symmetric, "channel", 0) +
              ", \"input_activations\": " +
              ArgsJson(8, "int", !shifted, "tensor", 0) +
              ", \"output_activations\": null",
          "int-quantized");
  }

  void PlanPacked(const std::string& prefix, const Shape& shape,
                  const Config& config, FieldKind fields,
                  PlannedTensor* tensor) {
    const uint32_t bits = fields.bits > 4                        ? 8
                          : fields.bits == 2 && fields.bias == 2 ? 2
                                                                 : 4;
    if (bits != fields.bits) {
      tensor->Lower(Verdict::kExact,
                    Message(FormatOf(config).name, " codes in fields of ", bits,
                            " bits"));
    }
    const uint64_t out = shape.rows(), in = shape.columns();
    const uint64_t run = ScaleRun(config, shape);
    const uint64_t words = DivCeil(in * bits, 32);
    tensor->Add(prefix + ".weight_packed", DType::kI32, {out, words},
                [=](const Context& context, const QuantizedTensor& from,
                    const AppendBytes& append) {
                  AppendFields(context, from, {bits, 1 << (bits - 1)},
                               4 * words, append);
                });
    std::string dims;
    AppendLE(out, &dims);
    AppendLE(in, &dims);
    tensor->Add(prefix + ".weight_shape", DType::kI64, {2}, dims);
    const bool symmetric = config.scheme() == Scheme::kSymmetric;
    if (!symmetric) {
      tensor->Add(prefix + ".weight_zero_point", DType::kI32,
                  {DivCeil(out * bits, 32), in / run},
                  [=](const Context&, const QuantizedTensor& from,
                      const AppendBytes& append) {
                    AppendPackedZeros(GroupValues(from, run), bits, append);
                  });
    }
    Count(prefix,
          ", \"weights\": " +
              ArgsJson(bits, "int", symmetric, run == in ? "channel" : "group",
                       run == in ? 0 : run) +
              ", \"input_activations\": null, \"output_activations\": null",
          "pack-quantized");
  }

  std::map<std::string, Modules> schemes_;  // by their JSON
};

std::unique_ptr<Exporter> MakeExporter(const Context&,
                                       const ExportRequest& request) {
  return std::make_unique<CompressedTensorsExporter>(request);
}

}  // namespace

extern const ForeignLayout k_compressed_tensors;
const ForeignLayout k_compressed_tensors = {
    "compressed-tensors",
    "compressed-tensors of vLLM and llm-compressor: packed 4 and 8 bits, int8 "
    "and FP8",
    FileKind::kSafetensors, Find, MakeExporter};

}  // namespace bnq
