// bitsandbytes: 4 bits (nf4, fp4) and LLM.int8.
//
// Source   bitsandbytes/functional.py (QuantState.as_dict), nn/modules.py
// 4 bits   P.weight             codes of the flattened array, two in a byte,
// the
//                               even one high; any type, mostly U8 [bytes, 1]
//          P.weight.absmax      F32, the scale of each block of `blocksize`
//          P.weight.quant_map   F32 [16], the values of the codes
//          P.weight.quant_state.bitsandbytes__nf4 or __fp4   U8, JSON:
//                               quant_type, blocksize, dtype, shape
// Nested   absmax is U8, and P.weight.nested_absmax F32 (one of each
//          nested_blocksize), P.weight.nested_quant_map F32 [256]; in the JSON
//          nested_blocksize, nested_dtype, nested_offset. A scale is
//          nested_quant_map[absmax] * nested_absmax + nested_offset.
// 8 bits   P.weight I8 [out, in]; P.SCB F32 [out]; P.weight_format U8, 0
//          Value  code * (SCB / 127)
//
// What is nested has double_quant here, where its blocks are of 256 and its map
// is the one of scheme/dynamic_map.h to the last bit; else the float32 scales
// that it stands for.

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

#include "core/base/checked.h"
#include "core/base/error.h"
#include "core/interchange/module_export.h"
#include "core/kernels/packing.h"

namespace bnq {
namespace {

constexpr char kState[] = ".weight.quant_state.bitsandbytes__";
constexpr uint64_t kMaxBlock = 4096, kMinBlock = 32;

// ---- Reading ----

// The shape in a quant_state.
Shape ShapeOf(const JsonTree& state) {
  const JsonTree* const dims = state.Find("shape");
  Shape shape;
  if (dims == nullptr || dims->items.empty() ||
      dims->items.size() > static_cast<size_t>(kMaxRank)) {
    Fail(Status::kUnsupported,
         "the quant_state's shape must be 1 to 8 dimensions");
  }
  for (const JsonTree& dim : dims->items) {
    shape.dims[shape.rank++] = dim.whole;
  }
  return Shape::Make(shape.rank, shape.dims);
}

// Whether they are the bits of `values`; -0 and 0 are one.
bool AreValues(const StoredArray& array, const float* values) {
  const uint64_t count = array.shape.elements();
  for (uint64_t i = 0; i < count; ++i) {
    if (array.FloatAt(i) != values[i]) return false;
  }
  return true;
}

struct Nested {
  StoredArray codes, greatest, map;
  uint64_t block = 0;
  float offset = 0.0f;
};

Nested FindNested(const ForeignModel& model, const std::string& name,
                  const StoredArray& absmax, const JsonTree& state) {
  Nested nested;
  nested.codes = absmax;
  nested.greatest = FindStored(model, name + ".nested_absmax");
  nested.map = FindStored(model, name + ".nested_quant_map");
  nested.block = UnsignedOr(state, "nested_blocksize", 0);
  const JsonTree* const offset = state.Find("nested_offset");
  if (nested.block == 0 || offset == nullptr || !offset->is_number()) {
    Fail(Status::kCorruptFile,
         "the quant_state of U8 scales has no nested_blocksize or "
         "nested_offset");
  }
  nested.offset = static_cast<float>(offset->number);
  Expect(nested.greatest, name + ".nested_absmax", {DType::kF32},
         {DivCeil(absmax.shape.elements(), nested.block)});
  Expect(nested.map, name + ".nested_quant_map", {DType::kF32}, {256});
  return nested;
}

// As scheme/scales.h stores double quantized scales.
void StoreNested(const Nested& nested, uint8_t* out) {
  const uint64_t count = nested.codes.shape.elements();
  const uint64_t blocks = nested.greatest.shape.elements();
  std::memcpy(out, nested.codes.data, count);
  const uint64_t padded = (count + 3) / 4 * 4;
  std::memset(out + count, 0, padded - count);
  std::memcpy(out + padded, nested.greatest.data, 4 * blocks);
  std::memcpy(out + padded + 4 * blocks, &nested.offset, 4);
}

void ExpandNested(const Nested& nested, uint8_t* out) {
  const uint64_t count = nested.codes.shape.elements();
  for (uint64_t i = 0; i < count; ++i, out += 4) {
    const float product = nested.map.FloatAt(nested.codes.data[i]) *
                          nested.greatest.FloatAt(i / nested.block);
    const float scale = product + nested.offset;
    std::memcpy(out, &scale, 4);
  }
}

void ReadFourBits(ForeignModel* model, const std::string& prefix,
                  const StoredArray& absmax) {
  const std::string name = prefix + ".weight";
  const StoredArray weight = FindStored(*model, name);
  if (!weight) return;
  std::string type = "nf4";
  StoredArray stored_state = FindStored(*model, prefix + kState + type);
  if (!stored_state) {
    type = "fp4";
    stored_state = FindStored(*model, prefix + kState + type);
  }
  if (!stored_state || stored_state.dtype != DType::kU8) {
    Fail(Status::kCorruptFile, "there is no U8 array ",
         Quoted(prefix + kState + "nf4"), " or fp4 beside it");
  }
  const JsonTree state =
      ParseJson(std::string(reinterpret_cast<const char*>(stored_state.data),
                            stored_state.entry->raw_bytes),
                "quant_state");
  if (StringOr(state, "quant_type", "") != type) {
    Fail(Status::kCorruptFile, "its quant_state is called ", type,
         ", and says quant_type ", Quoted(StringOr(state, "quant_type", "")));
  }
  const Shape shape = ShapeOf(state);
  const uint64_t block = UnsignedOr(state, "blocksize", 0);
  const uint64_t n = shape.elements();
  if (n == 0 || block == 0 || block > (uint64_t{1} << 31) ||
      weight.entry->raw_bytes != DivCeil(n, 2)) {
    Fail(Status::kCorruptFile, "its quant_state says shape ", shape.ToString(),
         " and blocksize ", block, ", but it has ", weight.entry->raw_bytes,
         " bytes of codes");
  }
  Config config =
      Config::FromText(Message(type, ",granularity=block,group_size=", block));
  const StoredArray map = FindStored(*model, name + ".quant_map");
  Expect(map, name + ".quant_map", {DType::kF32}, {16});
  if (!AreValues(map, FormatOf(config).table->values)) {
    Fail(Status::kUnsupported, "its quant_map is not that of ", type);
  }
  const bool nested = absmax.dtype == DType::kU8;
  Expect(absmax, name + ".absmax", {DType::kF32, DType::kU8},
         {DivCeil(n, block)});
  Nested scales;
  bool same = false;
  if (nested) {
    scales = FindNested(*model, name, absmax, state);
    same = scales.block == kScaleBlock && AreValues(scales.map, DynamicMap());
    config.SetInt(static_cast<int32_t>(Option::kDoubleQuant), same);
  }
  auto tensor = std::make_unique<FoundTensor>(
      name, shape, config, "bitsandbytes " + type + (nested ? ", nested" : ""));
  // Blocks are not cut by rows.
  tensor->MakeWhole();
  tensor->Map(Part::kCodes, weight);
  tensor->Take(map);
  tensor->Take(stored_state);
  if (!nested) {
    tensor->Map(Part::kScales, absmax);
  } else {
    for (const StoredArray& array : {absmax, scales.greatest, scales.map}) {
      tensor->Take(array);
    }
    tensor->Make(Part::kScales,
                 [=](const Context&, uint64_t, uint64_t, uint8_t* out) {
                   same ? StoreNested(scales, out) : ExpandNested(scales, out);
                 });
  }
  model->Add(std::move(tensor));
}

void ReadEightBits(ForeignModel* model, const std::string& prefix,
                   const StoredArray& scb) {
  const std::string name = prefix + ".weight";
  const StoredArray weight = FindStored(*model, name);
  const StoredArray format = FindStored(*model, prefix + ".weight_format");
  if (!weight || weight.dtype != DType::kI8 || weight.shape.rank != 2) return;
  Expect(scb, prefix + ".SCB", {DType::kF32}, {weight.dim(0)});
  if (format && format.data[0] != 0) {
    Fail(Status::kUnsupported, "weight_format = ", format.data[0],
         " is another order of its codes, must be 0 (rows)");
  }
  auto tensor = std::make_unique<FoundTensor>(
      name, weight.shape, Config::FromText("int8,granularity=channel"),
      "bitsandbytes LLM.int8");
  tensor->Map(Part::kCodes, weight);
  tensor->Take(scb);
  if (format) tensor->Take(format);
  tensor->Make(Part::kScales, [scb](const Context&, uint64_t begin,
                                    uint64_t end, uint8_t* out) {
    for (uint64_t row = begin; row < end; ++row, out += 4) {
      const float scale = scb.FloatAt(row) / 127.0f;
      std::memcpy(out, &scale, 4);
    }
  });
  model->Add(std::move(tensor));
}

void Find(const Context&, ForeignModel* model) {
  ForEachModule(*model, ".weight.absmax",
                [&](const std::string& prefix, const StoredArray& absmax) {
                  ReadFourBits(model, prefix, absmax);
                });
  ForEachModule(*model, ".SCB",
                [&](const std::string& prefix, const StoredArray& scb) {
                  ReadEightBits(model, prefix, scb);
                });
}

// ---- Writing ----

// Elements of the flattened array that share a scale, or 0.
uint64_t FlatRun(const Config& config, const Shape& shape) {
  const uint64_t columns = shape.features();
  switch (config.granularity()) {
    case Granularity::kTensor:
      return 0;  // see BlockOf
    case Granularity::kBlock:
      return config.group_size();
    case Granularity::kTile:
      return 1;
    default:
      break;
  }
  const uint64_t run = ScaleRun(config, shape);
  return run == 0 ? 1 : std::gcd(run, columns);
}

// The greatest size of blocks that all elements of each share a scale; 0: none.
uint64_t BlockOf(const Config& config, const Shape& shape) {
  const uint64_t run = FlatRun(config, shape);
  for (uint64_t size = kMaxBlock; size >= kMinBlock; size /= 2) {
    if (run % size == 0) return size;
  }
  return 0;
}

// The scale of each block.
std::vector<float> BlockScales(const QuantizedTensor& tensor, uint64_t block) {
  const Layout& layout = tensor.layout();
  const StoredScales stored = tensor.scales();
  std::vector<float> scales(DivCeil(tensor.shape().elements(), block));
  for (uint64_t i = 0; i < scales.size(); ++i) {
    const uint64_t element = i * block;
    const uint64_t param =
        layout.ParamIndex(element / layout.columns, element % layout.columns);
    stored.Read(param, 1, &scales[i]);
  }
  return scales;
}

void AppendCodes(const Context& context, const QuantizedTensor& from,
                 const AppendBytes& append) {
  const uint64_t n = from.shape().elements();
  if (from.part(Part::kCodes).bytes == DivCeil(n, 2)) {
    append(from.codes(), DivCeil(n, 2));
    return;
  }
  // Rows of odd lengths, which start on a byte, one behind the other.
  constexpr uint64_t kPiece = 4096;
  const PackingKernels& kernels = GetPackingKernels(Packing::kBits4High);
  int8_t codes[kPiece + kPackSlack];
  uint8_t packed[kPiece / 2];
  for (uint64_t at = 0; at < n; at += kPiece) {
    const uint64_t count = std::min(kPiece, n - at);
    UnpackCodes(context, from, at, count, codes);
    std::memset(codes + count, from.format().padding, kMaxUnitCodes);
    kernels.pack(codes, count, from.bias(), packed);
    append(packed, DivCeil(count, 2));
  }
}

class BitsandbytesExporter final : public ModuleExporter {
 public:
  explicit BitsandbytesExporter(const ExportRequest& request)
      : ModuleExporter(request, "pt") {
    for (const char* key : {"torch_dtype", "dtype"}) {
      const std::string type = StringOr(request.root, key, "");
      if (type == "float16" || type == "bfloat16" || type == "float32") {
        dtype_ = type;
      }
    }
  }

  std::unique_ptr<ExportTensor> Plan(const ModelEntry& entry,
                                     const Config& config,
                                     const Parts& sizes) override {
    const std::string why = WhyNot(entry.shape, config, sizes);
    if (!why.empty()) return Refused(why);
    const std::string prefix = Prefix(entry.name);
    auto tensor = std::make_unique<PlannedTensor>();
    if (IsTable(config)) {
      PlanFourBits(prefix, entry.shape, config, sizes, tensor.get());
    } else {
      kind_ = "8";
      PlanEightBits(prefix, entry.shape, tensor.get());
    }
    return tensor;
  }

  Config Nearest(const ModelEntry& entry, const Config& config) override {
    if (kind_ == "8" || (kind_.empty() && FieldsOf(config).bits > 4)) {
      return NearestIntegers(entry, Config(), "int8", {});
    }
    return Config::FromText(kind_ == "fp4"
                                ? "fp4,granularity=block,group_size=64"
                                : "nf4,granularity=block,group_size=64");
  }

  std::vector<ConfigMember> ConfigMembers() override {
    if (kind_.empty()) return {};
    const bool eight = kind_ == "8";
    const std::string is4 = eight ? "false" : "true";
    const std::string is8 = eight ? "true" : "false";
    return {{"quantization_config",
             Message("{\"quant_method\": \"bitsandbytes\", "
                     "\"_load_in_4bit\": ",
                     is4, ", \"_load_in_8bit\": ", is8,
                     ", \"load_in_4bit\": ", is4, ", \"load_in_8bit\": ", is8,
                     ", \"bnb_4bit_compute_dtype\": \"", dtype_,
                     "\", \"bnb_4bit_quant_storage\": \"uint8\", "
                     "\"bnb_4bit_quant_type\": \"",
                     eight ? "nf4" : kind_.c_str(),
                     "\", \"bnb_4bit_use_double_quant\": ",
                     nested_ ? "true" : "false",
                     ", \"llm_int8_enable_fp32_cpu_offload\": false, "
                     "\"llm_int8_has_fp16_weight\": false, "
                     "\"llm_int8_skip_modules\": ",
                     JsonList(Plain()), ", \"llm_int8_threshold\": 6.0}")}};
  }

 private:
  static bool IsTable(const Config& config) {
    return FormatOf(config).table != nullptr &&
           FormatOf(config).packing == Packing::kBits4High;
  }

  std::string WhyNot(const Shape& shape, const Config& config,
                     const Parts& sizes) const {
    const Format& format = FormatOf(config);
    if (IsTable(config)) {
      if (shape.elements() == 0) return "it has no elements";
      if (sizes[Part::kInputScales].bytes != 0) {
        return Refusal(config, sizes, shape);
      }
      if (!kind_.empty() && kind_ != format.name) {
        return OtherKind();
      }
      if (BlockOf(config, shape) != 0) return "";
      return "its scales are not those of blocks of 32, 64 .. 4096 elements";
    }
    const std::string why = Refusal(config, sizes, shape);
    if (!why.empty()) return why;
    if (FieldsOf(config).bits != 8) {
      return Message("format ", format.name,
                     ": the layout has nf4, fp4 and int8");
    }
    if (!kind_.empty() && kind_ != "8") return OtherKind();
    if (config.scheme() != Scheme::kSymmetric) {
      return "its int8 codes are symmetric";
    }
    if (shape.rank == 2 && ScaleRun(config, shape) == shape.columns()) {
      return "";
    }
    return "its int8 codes have one scale for each row of a matrix";
  }

  // Loaders are told once for all.
  std::string OtherKind() const {
    return Message("the tensors of a file are of one kind, which is ",
                   kind_ == "8" ? "int8" : kind_.c_str(), " here");
  }

  void PlanFourBits(const std::string& prefix, const Shape& shape,
                    const Config& config, const Parts& sizes,
                    PlannedTensor* tensor) {
    const std::string name = prefix + ".weight";
    kind_ = FormatOf(config).name;
    const uint64_t n = shape.elements(), block = BlockOf(config, shape);
    const uint64_t blocks = DivCeil(n, block);
    // Where there are as many scales they are in the same order.
    const bool nested =
        config.double_quant() && sizes[Part::kScales].count == blocks;
    nested_ |= nested;
    tensor->Add(name, DType::kU8, {DivCeil(n, 2), 1}, AppendCodes);
    std::string map(
        reinterpret_cast<const char*>(FormatOf(config).table->values),
        16 * sizeof(float));
    tensor->Add(name + ".quant_map", DType::kF32, {16}, map);
    if (nested) {
      AddNested(name, blocks, tensor);
    } else {
      tensor->Add(name + ".absmax", DType::kF32, {blocks},
                  [block](const Context&, const QuantizedTensor& from,
                          const AppendBytes& append) {
                    const std::vector<float> scales = BlockScales(from, block);
                    append(scales.data(), 4 * scales.size());
                  });
    }
    std::string state =
        Message("{\"quant_type\": \"", kind_, "\", \"blocksize\": ", block,
                ", \"dtype\": \"", dtype_, "\", \"shape\": ", shape.ToString());
    if (!nested) {
      state += '}';
      tensor->Add(prefix + kState + kind_, DType::kU8, {state.size()}, state);
      return;
    }
    // The number of the tensor, in as many characters as any takes.
    constexpr size_t kNumber = 24;
    state +=
        ", \"nested_blocksize\": 256, \"nested_dtype\": \"float32\", "
        "\"nested_offset\": ";
    tensor->Add(prefix + kState + kind_, DType::kU8,
                {state.size() + kNumber + 1},
                [state](const Context&, const QuantizedTensor& from,
                        const AppendBytes& append) {
                  const PartData& scales = from.part(Part::kScales);
                  float offset;
                  std::memcpy(&offset, scales.data + scales.bytes - 4, 4);
                  std::string text = ToText(static_cast<double>(offset));
                  text.insert(0, kNumber - text.size(), ' ');
                  text = state + text + '}';
                  append(text.data(), text.size());
                });
  }

  static void AddNested(const std::string& name, uint64_t blocks,
                        PlannedTensor* tensor) {
    const uint64_t greatest = DivCeil(blocks, kScaleBlock);
    tensor->Add(name + ".absmax", DType::kU8, {blocks},
                [](const Context&, const QuantizedTensor& from,
                   const AppendBytes& append) {
                  const PartData& scales = from.part(Part::kScales);
                  append(scales.data, scales.count);
                });
    tensor->Add(name + ".nested_absmax", DType::kF32, {greatest},
                [greatest](const Context&, const QuantizedTensor& from,
                           const AppendBytes& append) {
                  const PartData& scales = from.part(Part::kScales);
                  append(scales.data + scales.bytes - 4 - 4 * greatest,
                         4 * greatest);
                });
    tensor->Add(name + ".nested_quant_map", DType::kF32, {256},
                std::string(reinterpret_cast<const char*>(DynamicMap()),
                            256 * sizeof(float)));
  }

  static void PlanEightBits(const std::string& prefix, const Shape& shape,
                            PlannedTensor* tensor) {
    const uint64_t out = shape.rows(), in = shape.columns();
    tensor->Lower(Verdict::kScalesRounded, "scales become SCB, 127 times them");
    tensor->Add(prefix + ".weight", DType::kI8, {out, in},
                [](const Context&, const QuantizedTensor& from,
                   const AppendBytes& append) {
                  append(from.codes(), from.part(Part::kCodes).bytes);
                });
    tensor->Add(prefix + ".weight_format", DType::kU8, {}, std::string(1, 0));
    tensor->Add(prefix + ".SCB", DType::kF32, {out},
                [in, tensor](const Context&, const QuantizedTensor& from,
                             const AppendBytes& append) {
                  AppendScb(GroupValues(from, in), tensor, append);
                });
  }

  static void AppendScb(const GroupValues& values, PlannedTensor* tensor,
                        const AppendBytes& append) {
    std::vector<float> scales(values.count());
    values.Scales(0, scales.size(), scales.data());
    for (float& scale : scales) {
      const float scb = scale * 127.0f, back = scb / 127.0f;
      if (!std::isfinite(scb)) {
        Fail(Status::kUnsupported, "scale ", scale, " becomes ", scb,
             " as SCB");
      }
      if (back != scale) {
        tensor->scale_change = std::max(
            tensor->scale_change,
            std::fabs(static_cast<double>(back) / static_cast<double>(scale) -
                      1.0));
      }
      scale = scb;
    }
    append(scales.data(), 4 * scales.size());
  }

  std::string dtype_ = "float32";  // of the model
  std::string kind_;               // "nf4", "fp4", "8": of all tensors
  bool nested_ = false;
};

std::unique_ptr<Exporter> MakeExporter(const Context&,
                                       const ExportRequest& request) {
  return std::make_unique<BitsandbytesExporter>(request);
}

}  // namespace

extern const ForeignLayout k_bitsandbytes;
const ForeignLayout k_bitsandbytes = {
    "bitsandbytes",
    "bitsandbytes: nf4 and fp4, nested or not, and int8 (LLM.int8)",
    FileKind::kSafetensors, Find, MakeExporter};

}  // namespace bnq
