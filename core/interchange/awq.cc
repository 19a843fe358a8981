// AWQ, version "gemm": what AutoAWQ, GPTQModel and AutoRound write.
//
// Source   awq/modules/linear/gemm.py, awq/utils/packing_utils.py
// Arrays   P.qweight  I32 [in, out / 8]: field k of 4 bits (the lowest first)
//                     of word c is the code, from 0 on, of output 8 c + k-th of
//                     0, 2, 4, 6, 1, 3, 5, 7
//          P.qzeros   I32 [groups, out / 8], zero points in the same order
//          P.scales   F16 [groups, out]
// Value    (code - zero point) * scale
// Config   version "gemm"; "gemv", "gemv_fast" and "marlin" are other orders of
//          the same names, and are refused. One group_size for all modules.
// Written  integers of up to 4 bits, ternary ones among them

#include <algorithm>
#include <cstring>

#include "core/base/checked.h"
#include "core/base/error.h"
#include "core/interchange/module_export.h"
#include "core/interchange/transcode.h"
#include "core/parallel/runner.h"

namespace bnq {
namespace {

constexpr uint64_t kFields = 8;  // of a word
constexpr uint8_t kOrder[kFields] = {0, 2, 4, 6, 1, 3, 5, 7};
constexpr uint8_t kInOrder[kFields] = {0, 1, 2, 3, 4, 5, 6, 7};
constexpr FieldKind kFourBits = {4, 8};

// ---- Reading ----

struct Codes {
  const uint8_t* data;
  uint64_t in, words;  // words of an input
};

// The rows of all outputs: a word for eight inputs.
void ReadCodes(const Context& context, const Codes& codes, uint8_t* out) {
  constexpr uint64_t kBand = 64;  // words of outputs
  ParallelFor(context, DivCeil(codes.words, kBand), [&](uint64_t i) {
    const uint64_t word = i * kBand;
    TransposeNibbles(codes.data + 4 * word, 4 * codes.words, kInOrder,
                     codes.in / kFields, std::min(kBand, codes.words - word),
                     kOrder, out + word * kFields * codes.in / 2, codes.in / 2);
  });
}

// The place of an output's field within its word.
uint32_t PlaceOf(uint64_t output) {
  const uint8_t* const found =
      std::find(kOrder, kOrder + kFields, output % kFields);
  return static_cast<uint32_t>(found - kOrder);
}

bool AllAreMiddle(const StoredArray& zeros) {
  const uint64_t count = zeros.shape.elements();
  for (uint64_t i = 0; i < count; ++i) {
    if (zeros.WordAt(i) != 0x88888888) return false;
  }
  return true;
}

// Whether they are what this layout has.
bool HasShapes(const StoredArray& qweight, const StoredArray& scales) {
  return qweight.shape.rank == 2 && scales && scales.shape.rank == 2 &&
         scales.dim(1) % kFields == 0 &&
         qweight.dim(1) == scales.dim(1) / kFields;
}

void Read(ForeignModel* model, const std::string& prefix,
          const StoredArray& qweight) {
  const StoredArray scales = FindStored(*model, prefix + ".scales");
  const bool said = model->quant_method() == "awq";
  const std::string version = StringOr(model->quantization, "version", "gemm");
  if (said && scales && version != "gemm" && version != "GEMM") {
    Fail(Status::kUnsupported, "version = ", Quoted(version),
         " of AWQ has another order, must be gemm");
  }
  if (!HasShapes(qweight, scales)) return;
  const uint64_t in = qweight.dim(0), words = qweight.dim(1);
  const uint64_t groups = scales.dim(0), out = words * kFields;
  const StoredArray qzeros = FindStored(*model, prefix + ".qzeros");
  Expect(qweight, prefix + ".qweight", {DType::kI32}, {in, words});
  Expect(qzeros, prefix + ".qzeros", {DType::kI32}, {groups, words});
  Expect(scales, prefix + ".scales", kScaleTypes, {groups, out});
  const uint64_t group_size =
      GroupSizeOf(UnsignedOr(model->quantization, "group_size", 0), in, groups);
  if (in % kFields != 0) {
    Fail(Status::kUnsupported, in, " inputs, must be a multiple of ", kFields);
  }
  const bool symmetric = AllAreMiddle(qzeros);
  const uint64_t dims[] = {out, in};
  auto tensor = std::make_unique<FoundTensor>(
      prefix + ".weight", Shape::Make(2, dims),
      IntegerConfig(4, in, group_size,
                    symmetric ? Scheme::kSymmetric : Scheme::kAsymmetric,
                    scales.dtype),
      "AWQ");
  const Codes codes = {qweight.data, in, words};
  tensor->Take(qweight);
  tensor->MakeWhole();
  tensor->Make(Part::kCodes,
               [codes](const Context& context, uint64_t, uint64_t,
                       uint8_t* to) { ReadCodes(context, codes, to); });
  MapTransposedScales(scales, tensor.get());
  tensor->Take(qzeros);
  if (!symmetric) {
    tensor->Make(Part::kZeroPoints, [=](const Context&, uint64_t begin,
                                        uint64_t end, uint8_t* to) {
      for (uint64_t o = begin; o < end; ++o) {
        for (uint64_t g = 0; g < groups; ++g) {
          const uint32_t word = qzeros.WordAt(g * words + o / kFields);
          const uint32_t field = word >> (4 * PlaceOf(o)) & 15;
          *to++ = static_cast<uint8_t>(static_cast<int32_t>(field) - 8);
        }
      }
    });
  }
  model->Add(std::move(tensor));
}

void Find(const Context&, ForeignModel* model) {
  ForEachModule(*model, ".qweight",
                [&](const std::string& prefix, const StoredArray& qweight) {
                  Read(model, prefix, qweight);
                });
}

// ---- Writing ----

void AppendWords(const Context& context, const QuantizedTensor& from,
                 const AppendBytes& append) {
  const uint64_t out = from.shape().rows(), in = from.shape().columns();
  Buffer rows_buffer;
  const uint8_t* const rows =
      FieldRows(context, from, kFourBits, in / 2, &rows_buffer);
  // Words of rows at a time, each of eight inputs.
  const uint64_t words = in / kFields, columns = out / kFields;
  const uint64_t band =
      std::max<uint64_t>((uint64_t{1} << 20) / (4 * out) / 16 * 16, 16);
  Buffer buffer = context.Allocate(std::min(band, words) * out * 4);
  for (uint64_t begin = 0; begin < words; begin += band) {
    const uint64_t n = std::min(band, words - begin);
    TransposeNibbles(rows + 4 * begin, in / 2, kOrder, columns, n, kInOrder,
                     buffer.data(), 4 * columns);
    append(buffer.data(), n * out * 4);
    context.Tick();
  }
}

void AppendZeros(const GroupValues& values, const AppendBytes& append) {
  const uint64_t groups = values.groups(), out = values.rows();
  std::vector<int8_t> zeros(values.count());
  values.ZeroPoints(0, zeros.size(), zeros.data());
  std::vector<uint32_t> words(out / kFields);
  for (uint64_t g = 0; g < groups; ++g) {
    std::fill(words.begin(), words.end(), 0);
    for (uint64_t o = 0; o < out; ++o) {
      const uint32_t field = static_cast<uint32_t>(zeros[o * groups + g] + 8);
      words[o / kFields] |= field << (4 * PlaceOf(o));
    }
    append(words.data(), 4 * words.size());
  }
}

class AwqExporter final : public ModuleExporter {
 public:
  explicit AwqExporter(const ExportRequest& request)
      : ModuleExporter(request, "pt") {}

  std::unique_ptr<ExportTensor> Plan(const ModelEntry& entry,
                                     const Config& config,
                                     const Parts& sizes) override {
    const std::string why = WhyNot(entry.shape, config, sizes);
    if (!why.empty()) return Refused(why);
    const std::string prefix = Prefix(entry.name);
    const uint64_t out = entry.shape.rows(), in = entry.shape.columns();
    const uint64_t group = GroupFor(config, entry.shape);
    group_size_ = group;
    auto tensor = std::make_unique<PlannedTensor>();
    PlannedTensor* const planned = tensor.get();
    LowerToF16(config, planned);
    tensor->Add(prefix + ".qweight", DType::kI32, {in, out / kFields},
                AppendWords);
    tensor->Add(prefix + ".qzeros", DType::kI32, {in / group, out / kFields},
                [group](const Context&, const QuantizedTensor& from,
                        const AppendBytes& append) {
                  AppendZeros(GroupValues(from, group), append);
                });
    tensor->Add(prefix + ".scales", DType::kF16, {in / group, out},
                [group, planned](const Context&, const QuantizedTensor& from,
                                 const AppendBytes& append) {
                  AppendTransposedScales(GroupValues(from, group), DType::kF16,
                                         planned, append);
                });
    return tensor;
  }

  Config Nearest(const ModelEntry& entry, const Config& config) override {
    if (group_size_ != 0) {
      return NearestIntegers(entry, config, "int4", {group_size_});
    }
    return NearestIntegers(entry, config, "int4", {32, 64, 128});
  }

  std::vector<ConfigMember> ConfigMembers() override {
    if (group_size_ == 0) return {};
    return {
        {"quantization_config",
         Message("{\"quant_method\": \"awq\", \"bits\": 4, \"group_size\": ",
                 group_size_,
                 ", \"zero_point\": true, \"version\": \"gemm\", "
                 "\"modules_to_not_convert\": ",
                 JsonList(Plain()), "}")}};
  }

 private:
  std::string WhyNot(const Shape& shape, const Config& config,
                     const Parts& sizes) const {
    const std::string why = Refusal(config, sizes, shape);
    if (!why.empty()) return why;
    if (shape.rank != 2) return "it is of more than two dimensions";
    const uint32_t bits = FieldsOf(config).bits;
    if (bits == 0 || bits > 4) {
      return Message("format ", FormatOf(config).name,
                     ": the layout has integers of 4 bits");
    }
    if (config.scheme() == Scheme::kOffset) {
      return "scheme = offset: the layout has zero points";
    }
    if (shape.rows() % kFields != 0 || shape.columns() % kFields != 0) {
      return Message("shape ", shape.ToString(),
                     ": the layout takes rows and columns that 8 divides");
    }
    if (GroupFor(config, shape) != 0) return "";
    return group_size_ == 0
               ? Message("group_size = ", ScaleRun(config, shape),
                         " does not divide its ", shape.columns(), " columns")
               : Message("the layout has groups of one size, which is ",
                         group_size_, " in this file");
  }

  // That of the file, or where this is its first tensor one that it can have.
  uint64_t GroupFor(const Config& config, const Shape& shape) const {
    const uint64_t in = shape.columns(), run = ScaleRun(config, shape);
    if (group_size_ != 0) {
      const bool holds =
          in % group_size_ == 0 && HoldsGroups(config, shape, group_size_);
      return holds ? group_size_ : 0;
    }
    for (const uint64_t size : {128u, 64u, 32u}) {
      if (run == in && in % size == 0) return size;
    }
    return in % run == 0 ? run : 0;
  }

  uint64_t group_size_ = 0;  // 0: not known yet
};

std::unique_ptr<Exporter> MakeExporter(const Context&,
                                       const ExportRequest& request) {
  return std::make_unique<AwqExporter>(request);
}

}  // namespace

extern const ForeignLayout k_awq;
const ForeignLayout k_awq = {"awq",
                             "AWQ, version gemm: integers of 4 bits in groups",
                             FileKind::kSafetensors, Find, MakeExporter};

}  // namespace bnq
