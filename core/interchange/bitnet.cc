// BitNet as Hugging Face's transformers hold it.
//
// Source   transformers/integrations/bitnet.py (pack_weights, BitLinear,
//          AutoBitLinear)
// Arrays   P.weight        U8 [out / 4, in]: with R = out / 4, row i R + j is
// in
//                          bits 2 i and 2 i + 1 of row j, as code + 1; or F32,
//                          F16 or BF16 [out, in], the codes as numbers
//          P.weight_scale  F32, F16 or BF16 [1]
// Value    code * weight_scale where config.json says linear_class
//          "autobitlinear"; else code / weight_scale, as BitLinear has it
// Written  for AutoBitLinear, offline: scales are as they are. Rows that 4 does
//          not divide have no place in it.

#include <algorithm>
#include <cstring>

#include "core/base/error.h"
#include "core/interchange/module_export.h"
#include "core/interchange/transcode.h"

namespace bnq {
namespace {

// ---- Reading ----

// Of all rows: row i R + j of ours has fields i of row j.
void UnpackRows(const uint8_t* packed, uint64_t quarter, uint64_t in,
                uint8_t* out) {
  const uint64_t row_bytes = RowBytes(Packing::kBits2, in);
  for (uint64_t j = 0; j < quarter; ++j) {
    uint8_t* rows[4];
    for (uint64_t i = 0; i < 4; ++i) {
      rows[i] = out + (i * quarter + j) * row_bytes;
    }
    SplitPairs(packed + j * in, in, rows);
  }
}

// Of codes that are numbers.
void PackNumbers(const Context& context, const StoredArray& weight,
                 const Config& config, uint8_t* out) {
  const uint64_t in = weight.dim(1);
  const Shape row = Shape::Make(1, &in);
  std::vector<int8_t> codes(in);
  for (uint64_t r = 0; r < weight.dim(0); ++r) {
    for (uint64_t i = 0; i < in; ++i) {
      const float value = weight.FloatAt(r * in + i);
      if (value != 0.0f && value != 1.0f && value != -1.0f) {
        Fail(Status::kCorruptFile, "element ", r * in + i, " = ", value,
             " has a weight_scale, must be -1, 0 or 1");
      }
      codes[i] = static_cast<int8_t>(value);
    }
    PackCodes(context, config, row, codes.data(), out);
    out += RowBytes(Packing::kBits2, in);
    context.Tick();
  }
}

// Whether weight_scale multiplies.
bool Multiplies(const ForeignModel& model) {
  switch (model.options.weight_scale) {
    case ImportOptions::WeightScale::kMultiply:
      return true;
    case ImportOptions::WeightScale::kDivide:
      return false;
    case ImportOptions::WeightScale::kByConfig:
      break;
  }
  if (model.quant_method() != "bitnet") {
    Fail(Status::kUnsupported,
         "whether its weight_scale multiplies its codes or divides them is not "
         "known: there is no config.json with the quant_method bitnet");
  }
  return StringOr(model.quantization, "linear_class", "") == "autobitlinear";
}

void Read(ForeignModel* model, const std::string& prefix,
          const StoredArray& scale) {
  const StoredArray weight = FindStored(*model, prefix + ".weight");
  if (!weight || weight.shape.rank != 2 || scale.shape.elements() != 1 ||
      !IsOneOf(scale.dtype, kScaleTypes)) {
    return;
  }
  const bool packed = weight.dtype == DType::kU8;
  if (!packed && (!IsOneOf(weight.dtype, kScaleTypes) ||
                  model->quant_method() != "bitnet")) {
    return;
  }
  const bool multiplies = Multiplies(*model);
  const uint64_t dims[] = {weight.dim(0) * (packed ? 4 : 1), weight.dim(1)};
  const char* const type = !multiplies                   ? "f32"
                           : scale.dtype == DType::kF16  ? "f16"
                           : scale.dtype == DType::kBF16 ? "bf16"
                                                         : "f32";
  const Config config = Config::FromText(
      Message("ternary,granularity=tensor,scale_dtype=", type));
  auto tensor = std::make_unique<FoundTensor>(
      prefix + ".weight", Shape::Make(2, dims), config, "BitNet");
  tensor->Take(weight);
  // Four rows are made at once, and the scale is of all of them.
  tensor->MakeWhole();
  if (packed) {
    const uint64_t quarter = weight.dim(0), in = weight.dim(1);
    const uint8_t* const data = weight.data;
    tensor->Make(Part::kCodes,
                 [=](const Context&, uint64_t, uint64_t, uint8_t* out) {
                   UnpackRows(data, quarter, in, out);
                 });
  } else {
    tensor->Make(Part::kCodes,
                 [=](const Context& context, uint64_t, uint64_t, uint8_t* out) {
                   PackNumbers(context, weight, config, out);
                 });
  }
  if (multiplies) {
    tensor->Map(Part::kScales, scale);
  } else {
    tensor->Take(scale);
    tensor->Make(Part::kScales,
                 [scale](const Context&, uint64_t, uint64_t, uint8_t* out) {
                   const float inverse = 1.0f / scale.FloatAt(0);
                   std::memcpy(out, &inverse, sizeof inverse);
                 });
  }
  model->Add(std::move(tensor));
}

void Find(const Context&, ForeignModel* model) {
  ForEachModule(*model, ".weight_scale",
                [&](const std::string& prefix, const StoredArray& scale) {
                  Read(model, prefix, scale);
                });
}

// ---- Writing ----

void AppendPacked(const Context& context, const QuantizedTensor& from,
                  const AppendBytes& append) {
  const uint64_t quarter = from.shape().rows() / 4;
  const uint64_t in = from.shape().columns();
  const uint64_t row_bytes = RowBytes(Packing::kBits2, in);
  Buffer buffer;
  const uint8_t* const rows =
      FieldRows(context, from, {2, 1}, row_bytes, &buffer);
  std::vector<uint8_t> packed(in);
  for (uint64_t j = 0; j < quarter; ++j) {
    const uint8_t* fields[4];
    for (uint64_t i = 0; i < 4; ++i) {
      fields[i] = rows + (i * quarter + j) * row_bytes;
    }
    JoinPairs(fields, in, packed.data());
    append(packed.data(), in);
    if (j % 256 == 0) context.Tick();
  }
}

class BitnetExporter final : public ModuleExporter {
 public:
  explicit BitnetExporter(const ExportRequest& request)
      : ModuleExporter(request, "pt") {}

  std::unique_ptr<ExportTensor> Plan(const ModelEntry& entry,
                                     const Config& config,
                                     const Parts& sizes) override {
    const std::string why = WhyNot(entry.shape, config, sizes);
    if (!why.empty()) return Refused(why);
    written_ = true;
    const std::string prefix = Prefix(entry.name);
    auto tensor = std::make_unique<PlannedTensor>();
    PlannedTensor* const planned = tensor.get();
    const ScalesAs as = ScalesAsStored(config, request_.scale_dtype);
    if (as.rounds) {
      tensor->Lower(Verdict::kScalesRounded, ScalesBecome(config, as));
    }
    tensor->Add(prefix + ".weight", DType::kU8,
                {entry.shape.rows() / 4, entry.shape.columns()}, AppendPacked);
    tensor->Add(prefix + ".weight_scale", as.dtype, {1},
                [as, planned](const Context&, const QuantizedTensor& from,
                              const AppendBytes& append) {
                  float scale;
                  from.scales().Read(0, 1, &scale);
                  planned->AppendScales(&scale, 1, as.dtype, append);
                });
    return tensor;
  }

  Config Nearest(const ModelEntry&, const Config&) override {
    return Config::FromText("ternary,granularity=tensor");
  }

  std::vector<ConfigMember> ConfigMembers() override {
    if (!written_) return {};
    return {{"quantization_config",
             Message("{\"quant_method\": \"bitnet\", \"linear_class\": "
                     "\"autobitlinear\", \"quantization_mode\": \"offline\", "
                     "\"modules_to_not_convert\": ",
                     JsonList(Plain()),
                     ", \"use_rms_norm\": false, \"rms_norm_eps\": 1e-06}")}};
  }

 private:
  static std::string WhyNot(const Shape& shape, const Config& config,
                            const Parts& sizes) {
    const std::string why = Refusal(config, sizes, shape);
    if (!why.empty()) return why;
    if (shape.rank != 2) return "it is of more than two dimensions";
    if (!FormatOf(config).Has(kBase3Codes)) {
      return Message("format ", FormatOf(config).name,
                     ": the layout has ternary");
    }
    if (sizes[Part::kScales].count != 1) {
      return Message("it has ", sizes[Part::kScales].count,
                     " scales: the layout has one for a tensor");
    }
    if (shape.rows() % 4 == 0) return "";
    return Message("its ", shape.rows(),
                   " rows, which 4 does not divide, have no place in it");
  }

  bool written_ = false;
};

std::unique_ptr<Exporter> MakeExporter(const Context&,
                                       const ExportRequest& request) {
  return std::make_unique<BitnetExporter>(request);
}

}  // namespace

extern const ForeignLayout k_bitnet;
const ForeignLayout k_bitnet = {
    "bitnet", "BitNet as transformers hold it: ternary, one scale for a tensor",
    FileKind::kSafetensors, Find, MakeExporter};

}  // namespace bnq
