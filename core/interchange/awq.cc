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

#include "core/base/error.h"
#include "core/interchange/module_export.h"
#include "core/io/endian.h"

namespace bnq {
namespace {

constexpr uint64_t kFields = 8;  // of a word
constexpr uint64_t kOrder[kFields] = {0, 2, 4, 6, 1, 3, 5, 7};
constexpr FieldKind kFourBits = {4, 8};

// Words of which each has a code of eight inputs, and those that have of eight
// outputs, are the transpose of each other's 8 x 8 fields. Many at once, so
// that they are vectors: word i of lane n is words[i][n].
constexpr uint64_t kLanes = 16;

template <uint32_t kDistance, uint32_t kMask>
void SwapFields(uint32_t (*words)[kLanes]) {
  constexpr uint32_t kShift = 4 * kDistance;
  for (uint32_t i = 0; i < kFields; ++i) {
    if ((i & kDistance) != 0) continue;
    for (uint64_t n = 0; n < kLanes; ++n) {
      const uint32_t swapped =
          ((words[i][n] >> kShift) ^ words[i + kDistance][n]) & kMask;
      words[i][n] ^= swapped << kShift;
      words[i + kDistance][n] ^= swapped;
    }
  }
}

void TransposeFields(uint32_t (*words)[kLanes]) {
  SwapFields<4, 0x0000FFFF>(words);
  SwapFields<2, 0x00FF00FF>(words);
  SwapFields<1, 0x0F0F0F0F>(words);
}

// ---- Reading ----

struct Codes {
  const uint8_t* data;
  uint64_t in, words;  // words of an input
};

// Rows [begin, end) of outputs, whose codes are a word for eight inputs. In
// squares of words, so that a row is written a cache line at a time.
void ReadCodes(const Codes& codes, uint64_t begin, uint64_t end, uint8_t* out) {
  const uint64_t row_words = codes.in / kFields;
  const uint64_t last = (end + kFields - 1) / kFields;
  for (uint64_t column = begin / kFields; column < last; column += kLanes) {
    const uint64_t lanes = std::min(kLanes, last - column);
    for (uint64_t w = 0; w < row_words; ++w) {
      uint32_t words[kFields][kLanes] = {};
      for (uint64_t i = 0; i < kFields; ++i) {
        std::memcpy(words[i],
                    codes.data + 4 * ((w * kFields + i) * codes.words + column),
                    4 * lanes);
      }
      TransposeFields(words);
      for (uint64_t n = 0; n < lanes; ++n) {
        for (uint64_t k = 0; k < kFields; ++k) {
          const uint64_t row = (column + n) * kFields + kOrder[k];
          if (row < begin || row >= end) continue;
          std::memcpy(out + 4 * ((row - begin) * row_words + w), &words[k][n],
                      4);
        }
      }
    }
  }
}

// The place of an output's field within its word.
uint32_t PlaceOf(uint64_t output) {
  const uint64_t* const found =
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
  tensor->Make(Part::kCodes,
               [codes](const Context&, uint64_t begin, uint64_t end,
                       uint8_t* to) { ReadCodes(codes, begin, end, to); });
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

// Of rows of codes, whose words are those of eight inputs: all words of inputs
// [begin, end), multiples of eight.
void MakeWords(const uint8_t* rows, uint64_t in, uint64_t out, uint64_t begin,
               uint64_t end, uint8_t* to) {
  const uint64_t columns = out / kFields, row_bytes = in / 2;
  const uint64_t last = end / kFields;
  for (uint64_t w = begin / kFields; w < last; w += kLanes) {
    const uint64_t lanes = std::min(kLanes, last - w);
    for (uint64_t column = 0; column < columns; ++column) {
      uint32_t words[kFields][kLanes] = {};
      for (uint64_t k = 0; k < kFields; ++k) {
        std::memcpy(words[k],
                    rows + (column * kFields + kOrder[k]) * row_bytes + 4 * w,
                    4 * lanes);
      }
      TransposeFields(words);
      for (uint64_t n = 0; n < lanes; ++n) {
        for (uint64_t i = 0; i < kFields; ++i) {
          const uint64_t input = (w + n) * kFields + i - begin;
          std::memcpy(to + 4 * (input * columns + column), &words[i][n], 4);
        }
      }
    }
  }
}

void AppendWords(const Context& context, const QuantizedTensor& from,
                 const AppendBytes& append) {
  const uint64_t out = from.shape().rows(), in = from.shape().columns();
  Buffer rows_buffer;
  const uint8_t* const rows =
      FieldRows(context, from, kFourBits, in / 2, &rows_buffer);
  const uint64_t unit = kFields * kLanes;
  const uint64_t band =
      std::max<uint64_t>((uint64_t{1} << 20) / (out / 2) / unit * unit, unit);
  Buffer buffer = context.Allocate(std::min(band, in) * out / 2);
  for (uint64_t begin = 0; begin < in; begin += band) {
    const uint64_t end = std::min(in, begin + band);
    MakeWords(rows, in, out, begin, end, buffer.data());
    append(buffer.data(), (end - begin) * out / 2);
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
                 JsonList(plain()), "}")}};
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
    for (const uint64_t size : {128, 64, 32}) {
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
