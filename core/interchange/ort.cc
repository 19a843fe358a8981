// ONNX Runtime: initializers of MatMulNBits, and of DequantizeLinear (QDQ), as
// safetensors with a manifest. Graphs are not touched.
//
// Source   onnxruntime's ContribOperators.md (com.microsoft.MatMulNBits) and
//          quantization/matmul_nbits_quantizer.py, onnx_quantizer.py (names)
// NBits    W_Q4 (W_Q2, W_Q8)  U8 [N, blocks, block bits / 8], codes from 0 on,
//                             the lowest bits first; of the last block what is
//                             no column is 0
//          W_scales           F32, F16 or BF16 [N, blocks]
//          W_zero_points      U8 [N, ceil(blocks bits / 8)], packed as codes
//                             are; none: 2^(bits - 1)
//          Blocks are powers of two from 16 on.
// QDQ      W_quantized I8 [N, K], W_scale F32 [N] or [], W_zero_point I8, the
//          same shape
// Value    (code - zero point) * scale
//
// W is the name of a weight [N, K] of y = x W^T. Which node takes what, and K
// where it is not the columns of all blocks, says the manifest, which is also
// in the file's metadata. int8 codes with one scale for a row or the tensor are
// written as QDQ, all else as NBits: int3 in 4 bits, int5 and int6 in 8.

#include <algorithm>
#include <cstring>

#include "core/base/checked.h"
#include "core/base/error.h"
#include "core/interchange/module_export.h"
#include "core/io/naming.h"

namespace bnq {
namespace {

constexpr char kManifest[] = "onnx_initializers";  // of the metadata

// ---- Reading ----

// nullptr where the manifest does not speak of it.
const JsonTree* AttributesOf(const JsonTree& manifest,
                             const std::string& name) {
  const JsonTree* const node = manifest.Find(name.c_str());
  return node == nullptr ? nullptr : node->Find("attributes");
}

JsonTree ManifestOf(const ModelFile& file) {
  for (const auto& item : file.metadata()) {
    if (item.first == kManifest) return ParseJson(item.second, kManifest);
  }
  return {};
}

void ReadZeroPoints(const StoredArray& zeros, uint64_t blocks, uint32_t bits,
                    uint64_t begin, uint64_t end, uint8_t* out) {
  const uint64_t row_bytes = DivCeil(blocks * bits, 8);
  for (uint64_t row = begin; row < end; ++row) {
    for (uint64_t b = 0; b < blocks; ++b) {
      const uint64_t bit = b * bits;
      const uint32_t byte = zeros.data[row * row_bytes + bit / 8];
      const uint32_t field = byte >> (bit % 8) & ((1u << bits) - 1);
      *out++ =
          static_cast<uint8_t>(static_cast<int32_t>(field) - (1 << (bits - 1)));
    }
  }
}

// What layouts call its arrays is behind the name: there is no ".weight" to it.
void ReadNBits(ForeignModel* model, const JsonTree& manifest,
               const std::string& name, uint32_t bits,
               const StoredArray& codes) {
  const StoredArray scales = FindStored(*model, name + "_scales");
  const StoredArray zeros = FindStored(*model, name + "_zero_points");
  if (!scales || codes.dtype != DType::kU8) return;
  if (codes.shape.rank != 3 || codes.dim(2) * 8 % bits != 0) {
    Fail(Status::kCorruptFile, "codes of shape ", codes.shape.ToString(),
         ", must be [N, blocks, block_size * ", bits, " / 8]");
  }
  const uint64_t n = codes.dim(0), blocks = codes.dim(1);
  const uint64_t block = codes.dim(2) * 8 / bits;
  uint64_t k = blocks * block;
  const JsonTree* const attributes = AttributesOf(manifest, name);
  if (attributes != nullptr) k = UnsignedOr(*attributes, "K", 0);
  if (k == 0 || DivCeil(k, block) != blocks) {
    Fail(Status::kCorruptFile, "K = ", k, " in ", blocks, " blocks of ", block);
  }
  // An older form has one dimension.
  if (scales.shape.rank == 1) {
    Expect(scales, name + "_scales", kScaleTypes, {n * blocks});
  } else {
    Expect(scales, name + "_scales", kScaleTypes, {n, blocks});
  }
  const uint64_t dims[] = {n, k};
  auto tensor = std::make_unique<FoundTensor>(
      name, Shape::Make(2, dims),
      IntegerConfig(bits, k, block,
                    zeros ? Scheme::kAsymmetric : Scheme::kSymmetric,
                    scales.dtype),
      "ONNX MatMulNBits");
  MapFields({bits, 1 << (bits - 1)}, codes, blocks * codes.dim(2),
            tensor.get());
  tensor->Map(Part::kScales, scales);
  if (zeros) {
    const uint64_t row_bytes = DivCeil(blocks * bits, 8);
    if (zeros.shape.rank == 1) {
      Expect(zeros, name + "_zero_points", {DType::kU8}, {n * row_bytes});
    } else {
      Expect(zeros, name + "_zero_points", {DType::kU8}, {n, row_bytes});
    }
    tensor->Take(zeros);
    tensor->Make(Part::kZeroPoints, [=](const Context&, uint64_t begin,
                                        uint64_t end, uint8_t* out) {
      ReadZeroPoints(zeros, blocks, bits, begin, end, out);
    });
  }
  model->Add(std::move(tensor));
}

void ReadQdq(ForeignModel* model, const std::string& name,
             const StoredArray& codes) {
  const StoredArray scale = FindStored(*model, name + "_scale");
  const StoredArray zero = FindStored(*model, name + "_zero_point");
  if (!scale || codes.dtype != DType::kI8 || codes.shape.rank != 2) return;
  const bool of_tensor = scale.shape.rank == 0;
  Config config = IntegerConfig(8, codes.dim(1), codes.dim(1),
                                zero ? Scheme::kAsymmetric : Scheme::kSymmetric,
                                scale.dtype);
  if (of_tensor) {
    Expect(scale, name + "_scale", kScaleTypes, {});
    config.SetInt(static_cast<int32_t>(Option::kGranularity),
                  static_cast<int64_t>(Granularity::kTensor));
  } else {
    Expect(scale, name + "_scale", kScaleTypes, {codes.dim(0)});
  }
  auto tensor = std::make_unique<FoundTensor>(name, codes.shape, config,
                                              "ONNX DequantizeLinear");
  tensor->Map(Part::kCodes, codes);
  tensor->Map(Part::kScales, scale);
  if (zero) {
    if (zero.shape != scale.shape || zero.dtype != DType::kI8) {
      Fail(Status::kCorruptFile, "array ", Quoted(name + "_zero_point"), " is ",
           Info(zero.dtype).name, " of shape ", zero.shape.ToString(),
           ", must be I8 of shape ", scale.shape.ToString());
    }
    tensor->Map(Part::kZeroPoints, zero);
  }
  model->Add(std::move(tensor));
}

void Find(const Context&, ForeignModel* model) {
  const JsonTree manifest = ManifestOf(model->file);
  for (const uint32_t bits : {2u, 4u, 8u}) {
    ForEachNamed(*model, Message("_Q", bits),
                 [&](const std::string& name, const StoredArray& codes) {
                   ReadNBits(model, manifest, name, bits, codes);
                 });
  }
  ForEachNamed(*model, "_quantized",
               [&](const std::string& name, const StoredArray& codes) {
                 ReadQdq(model, name, codes);
               });
}

// ---- Writing ----

class OrtExporter final : public ModuleExporter {
 public:
  explicit OrtExporter(const ExportRequest& request)
      : ModuleExporter(request, "pt") {}

  // An initializer has any name.
  std::string ReadBackAs(const ModelEntry& entry) const override {
    return entry.name;
  }

  std::unique_ptr<ExportTensor> Plan(const ModelEntry& entry,
                                     const Config& config,
                                     const Parts& sizes) override {
    const std::string why = WhyNot(entry.shape, config, sizes);
    if (!why.empty()) return Refused(why);
    auto tensor = std::make_unique<PlannedTensor>();
    const ScalesAs as = ScalesAsStored(config, request_.scale_dtype);
    if (as.rounds) {
      tensor->Lower(Verdict::kScalesRounded, ScalesBecome(config, as));
    }
    if (IsQdq(config)) {
      PlanQdq(entry.name, entry.shape, config, as.dtype, tensor.get());
    } else {
      PlanNBits(entry.name, entry.shape, config, as.dtype, tensor.get());
    }
    return tensor;
  }

  Config Nearest(const ModelEntry& entry, const Config& config) override {
    const uint32_t bits = CodeBits(FormatOf(config).packing);
    return NearestIntegers(entry, config,
                           bits > 4    ? "int8"
                           : bits <= 2 ? "int2"
                                       : "int4",
                           {32, 64, 128});
  }

  Metadata MakeMetadata(const Metadata& input) override {
    Metadata metadata = ModuleExporter::MakeMetadata(input);
    if (!nodes_.empty()) SetMetadata(kManifest, Json(), &metadata);
    return metadata;
  }
  std::vector<SideFile> SideFiles() override {
    if (nodes_.empty()) return {};
    return {{"onnx_initializers.json", Json() + "\n"}};
  }

 private:
  static std::string WhyNot(const Shape& shape, const Config& config,
                            const Parts& sizes) {
    const std::string why = Refusal(config, sizes, shape);
    if (!why.empty()) return why;
    if (shape.rank != 2) return "it is of more than two dimensions";
    if (FieldsOf(config).bits == 0) {
      return Message("format ", FormatOf(config).name,
                     ": the layout has integers");
    }
    if (config.scheme() == Scheme::kOffset) {
      return "scheme = offset: the layout has zero points";
    }
    if (IsQdq(config) || BlockOf(config, shape) != 0) return "";
    return Message("its scales are of ", ScaleRun(config, shape),
                   " columns: blocks are powers of two from 16 on");
  }

  static bool IsQdq(const Config& config) {
    return config.format() == Config::FromText("int8").format() &&
           (config.granularity() == Granularity::kTensor ||
            config.granularity() == Granularity::kChannel);
  }

  // The size of blocks that share scales, the greatest that is of use; 0: none.
  static uint64_t BlockOf(const Config& config, const Shape& shape) {
    const uint64_t run = ScaleRun(config, shape), columns = shape.columns();
    if (run != columns) {
      const uint64_t power = run & (~run + 1);
      return power >= 16 ? power : 0;
    }
    for (const uint64_t size : {128u, 64u, 32u}) {
      if (columns >= size) return size;
    }
    return 16;
  }

  void PlanNBits(const std::string& name, const Shape& shape,
                 const Config& config, DType scales, PlannedTensor* tensor) {
    const FieldKind own = FieldsOf(config);
    const uint32_t bits = own.bits > 4 ? 8 : own.bits > 2 ? 4 : 2;
    const FieldKind fields = {bits, 1 << (bits - 1)};
    const uint64_t n = shape.rows(), k = shape.columns();
    const uint64_t block = BlockOf(config, shape);
    const uint64_t blocks = DivCeil(k, block), bytes = block * bits / 8;
    const std::string codes = Message(name, "_Q", bits);
    std::string inputs = JsonText(codes) + ", " + JsonText(name + "_scales");
    tensor->Add(codes, DType::kU8, {n, blocks, bytes},
                [=](const Context& context, const QuantizedTensor& from,
                    const AppendBytes& append) {
                  AppendFields(context, from, fields, blocks * bytes, append);
                });
    tensor->Add(name + "_scales", scales, {n, blocks},
                [=](const Context&, const QuantizedTensor& from,
                    const AppendBytes& append) {
                  AppendScalesOf(GroupValues(from, block), scales, tensor,
                                 append);
                });
    if (config.scheme() == Scheme::kAsymmetric) {
      inputs += ", " + JsonText(name + "_zero_points");
      tensor->Add(name + "_zero_points", DType::kU8,
                  {n, DivCeil(blocks * bits, 8)},
                  [=](const Context&, const QuantizedTensor& from,
                      const AppendBytes& append) {
                    AppendZeros(GroupValues(from, block), bits, append);
                  });
    }
    nodes_.emplace_back(
        name, Message("{\"op_type\": \"MatMulNBits\", \"domain\": "
                      "\"com.microsoft\", \"attributes\": {\"K\": ",
                      k, ", \"N\": ", n, ", \"bits\": ", bits,
                      ", \"block_size\": ", block, "}, \"initializers\": [",
                      inputs, "]}"));
  }

  static void AppendZeros(const GroupValues& values, uint32_t bits,
                          const AppendBytes& append) {
    const uint64_t blocks = values.groups();
    std::vector<int8_t> zeros(blocks);
    std::vector<uint8_t> packed(DivCeil(blocks * bits, 8));
    for (uint64_t row = 0; row < values.rows(); ++row) {
      values.ZeroPoints(row * blocks, blocks, zeros.data());
      std::fill(packed.begin(), packed.end(), uint8_t{0});
      for (uint64_t b = 0; b < blocks; ++b) {
        const uint32_t field =
            static_cast<uint32_t>(zeros[b] + (1 << (bits - 1)));
        packed[b * bits / 8] |= static_cast<uint8_t>(field << (b * bits % 8));
      }
      append(packed.data(), packed.size());
    }
  }

  void PlanQdq(const std::string& name, const Shape& shape,
               const Config& config, DType scales, PlannedTensor* tensor) {
    const uint64_t n = shape.rows(), k = shape.columns();
    const bool of_tensor = config.granularity() == Granularity::kTensor;
    const std::vector<uint64_t> dims =
        of_tensor ? std::vector<uint64_t>() : std::vector<uint64_t>{n};
    std::string inputs =
        JsonText(name + "_quantized") + ", " + JsonText(name + "_scale");
    tensor->Add(name + "_quantized", DType::kI8, {n, k},
                [](const Context&, const QuantizedTensor& from,
                   const AppendBytes& append) {
                  append(from.codes(), from.part(Part::kCodes).bytes);
                });
    tensor->Add(name + "_scale", scales, dims,
                [=](const Context&, const QuantizedTensor& from,
                    const AppendBytes& append) {
                  std::vector<float> all(from.scales().count);
                  from.scales().Read(0, all.size(), all.data());
                  tensor->AppendScales(all.data(), all.size(), scales, append);
                });
    if (config.scheme() == Scheme::kAsymmetric) {
      inputs += ", " + JsonText(name + "_zero_point");
      tensor->Add(name + "_zero_point", DType::kI8, dims,
                  [](const Context&, const QuantizedTensor& from,
                     const AppendBytes& append) {
                    const PartData& zeros = from.part(Part::kZeroPoints);
                    append(zeros.data, zeros.bytes);
                  });
    }
    nodes_.emplace_back(
        name, Message("{\"op_type\": \"DequantizeLinear\", \"attributes\": "
                      "{\"axis\": 0}, \"initializers\": [",
                      inputs, "]}"));
  }

  std::string Json() const {
    std::string json;
    for (const auto& node : nodes_) {
      json += (json.empty() ? "{" : ",\n ") + JsonText(node.first) + ": " +
              node.second;
    }
    return json + '}';
  }

  std::vector<std::pair<std::string, std::string>> nodes_;  // with their JSON
};

std::unique_ptr<Exporter> MakeExporter(const Context&,
                                       const ExportRequest& request) {
  return std::make_unique<OrtExporter>(request);
}

}  // namespace

extern const ForeignLayout k_ort;
const ForeignLayout k_ort = {
    "ort",
    "ONNX Runtime: initializers of MatMulNBits and DequantizeLinear, with a "
    "manifest",
    FileKind::kSafetensors, Find, MakeExporter};

}  // namespace bnq
