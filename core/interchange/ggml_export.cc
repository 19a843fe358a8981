// Tensors of ours as blocks of ggml's: which type, and the bytes.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "core/base/error.h"
#include "core/base/half.h"
#include "core/base/names.h"
#include "core/interchange/ggml_blocks.h"
#include "core/interchange/gguf_export.h"
#include "core/interchange/module_export.h"
#include "core/io/endian.h"
#include "core/kernels/packing.h"
#include "core/scheme/registry.h"
#include "core/scheme/rules.h"

namespace bnq {
namespace {

// Codes that are written at a time, whole blocks of any kind.
constexpr uint64_t kPieceCodes = 5120;
constexpr uint64_t kMaxGroups = kPieceCodes / 16;
// Bytes that are appended at a time.
constexpr uint64_t kAppendBytes = uint64_t{1} << 18;

// What blocks of integers hold: value = (stored - shift) * d, or
// stored * d + m.
struct Integers {
  GgmlType type;
  int32_t shift, greatest;  // of stored codes
  bool offset;
};
// In the order of their bits.
constexpr Integers kIntegers[] = {
    {GgmlType::kTQ1_0, 1, 2, false},  {GgmlType::kTQ2_0, 1, 2, false},
    {GgmlType::kQ2_0, 1, 3, false},   {GgmlType::kQ4_0, 8, 15, false},
    {GgmlType::kQ5_0, 16, 31, false}, {GgmlType::kQ8_0, 128, 255, false},
    {GgmlType::kQ4_1, 0, 15, true},   {GgmlType::kQ5_1, 0, 31, true},
};
const Integers* FindIntegers(GgmlType type) {
  for (const Integers& row : kIntegers) {
    if (row.type == type) return &row;
  }
  return nullptr;
}

// The elements that share a scale in blocks of a type.
uint64_t GroupOf(GgmlType type) {
  return type == GgmlType::kNVFP4 ? 16 : Info(type).block_elements;
}

bool HoldsBlocks(GgmlType type, const Config& config, const Shape& shape) {
  return shape.features() % Info(type).block_elements == 0 &&
         HoldsGroups(config, shape, GroupOf(type));
}

// The codes' least and greatest number, once zero points are subtracted; of
// offset schemes the least counts as 0.
CodeRange NumbersOf(const Format& format, const Config& config) {
  const CodeRange range = format.code_range(config.variant());
  const int32_t width = range.hi - range.lo;
  switch (config.scheme()) {
    case Scheme::kSymmetric:
      return range;
    case Scheme::kAsymmetric:
      return {-width, width};
    case Scheme::kOffset:
      break;
  }
  return {0, width};
}

GgmlTarget Refused(const std::string& why) {
  return {GgmlType::kF32, Verdict::kNotRepresentable, why};
}

// Codes of int2 as ggml's Q2_0 has them: from -1 to 2.
bool AreFromMinusOne(const Context& context, const ModelEntry& entry) {
  for (size_t i = 0; i < entry.sections.size(); ++i) {
    if (entry.sections[i].role != BnqRole::kZeroPoints) continue;
    const auto reader = entry.reader->Open(context, entry.index, i);
    int8_t zeros[4096];
    while (reader->remaining() != 0) {
      const uint64_t n = std::min<uint64_t>(sizeof zeros, reader->remaining());
      reader->Read(zeros, n);
      if (std::any_of(zeros, zeros + n, [](int8_t z) { return z != -1; })) {
        return false;
      }
    }
    return true;
  }
  return false;
}

GgmlTarget ChooseIntegers(const Context& context, const ModelEntry& entry,
                          const Format& format, const Config& config) {
  const Shape& shape = entry.shape;
  const Packing packing = PackingOf(format, config);
  const bool rounds =
      config.double_quant() || config.scale_dtype() != ScaleDType::kF16;
  GgmlTarget target;
  if (rounds) {
    target.verdict = Verdict::kScalesRounded;
    target.why = ScalesBecome(config, {DType::kF16, true});
  }
  if (packing == Packing::kSigns &&
      HoldsBlocks(GgmlType::kQ1_0, config, shape)) {
    target.type = GgmlType::kQ1_0;
    return target;
  }
  CodeRange numbers = NumbersOf(format, config);
  if (packing == Packing::kBits2 && config.scheme() == Scheme::kAsymmetric &&
      AreFromMinusOne(context, entry)) {
    numbers = {-1, 2};
  }
  const bool offset = config.scheme() == Scheme::kOffset;
  bool in_range = false;
  for (const Integers& row : kIntegers) {
    if (row.offset != offset || numbers.lo < -row.shift ||
        numbers.hi > row.greatest - row.shift) {
      continue;
    }
    // One form of ternary blocks for each of ours.
    if (row.type == GgmlType::kTQ1_0 && packing != Packing::kBase3) continue;
    in_range = true;
    if (!HoldsBlocks(row.type, config, shape)) continue;
    target.type = row.type;
    return target;
  }
  if (!in_range) {
    return Refused(Message("no block of ggml holds ", format.name,
                           offset ? " with offsets" : " with zero points"));
  }
  if (shape.features() % 32 != 0) {
    return Refused(Message("rows of ", shape.features(),
                           " columns are no multiple of a block's 32"));
  }
  return Refused(
      "its scales are not those of runs of 32 columns or more, which blocks "
      "have");
}

// ---- Writing ----

class BlockTensor final : public ExportTensor {
 public:
  BlockTensor(const GgmlTarget& target, const Shape& shape,
              const std::string& name, std::vector<uint64_t> rows)
      : codec_(*FindGgmlCodec(target.type)),
        elements_(Info(target.type).block_elements),
        block_bytes_(Info(target.type).block_bytes),
        rows_(std::move(rows)) {
    verdict = target.verdict;
    why = target.why;
    NewArray array{name, DType::kU8, shape};
    array.blocks = {target.type, shape};
    TryBlockBytes(array.blocks, &array.shape);
    arrays.push_back(std::move(array));
    if (target.type != GgmlType::kNVFP4) return;
    const uint64_t one = 1;
    arrays.push_back({GgufScaleName(name), DType::kF32, Shape::Make(1, &one)});
  }

  void Write(const Context& context, const QuantizedTensor& tensor, size_t i,
             const AppendBytes& append) override {
    if (i == 1) {
      const float scale = tensor.tensor_scale();
      append(&scale, sizeof scale);
      return;
    }
    const Plan plan(codec_, tensor);
    const uint64_t columns = tensor.shape().features();
    Buffer buffer = context.Allocate(kAppendBytes);
    uint64_t used = 0;
    // Rows that follow each other are one.
    const uint64_t elements = tensor.shape().elements();
    const uint64_t length = rows_.empty() ? elements : columns;
    for (uint64_t at = 0; at < elements; at += length) {
      const uint64_t from = rows_.empty() ? 0 : rows_[at / columns] * columns;
      for (uint64_t done = 0; done < length; done += kPieceCodes) {
        const uint64_t count = std::min(kPieceCodes, length - done);
        const uint64_t bytes = count / elements_ * block_bytes_;
        if (used + bytes > buffer.size()) {
          append(buffer.data(), used);
          context.Tick();
          used = 0;
        }
        WritePiece(context, plan, from + done, count, buffer.data() + used);
        used += bytes;
      }
    }
    append(buffer.data(), used);
  }

 private:
  // What is the same for all of a tensor.
  struct Plan {
    Plan(const GgmlCodec& codec, const QuantizedTensor& of)
        : tensor(of), values(of, GroupOf(codec.type)) {
      const Config config = Config::FromText(codec.config);
      const Format& format = FormatOf(config);
      const Packing packing = PackingOf(format, config);
      const bool zeros = of.part(Part::kZeroPoints).count != 0;
      const Integers* const integers = FindIntegers(codec.type);
      // Of the others, codes are what is stored.
      shift = integers == nullptr ? 0 : integers->shift;
      if (codec.type == GgmlType::kQ8_0) shift = 0;  // stored as signed
      if (integers != nullptr && integers->offset) {
        shift = -of.format().code_range(of.config().variant()).lo;
      }
      // Our packed codes are those that it unpacks to.
      packed = codec.pack != nullptr && of.packing() == packing &&
               (codec.type == GgmlType::kQ2_0
                    ? zeros && of.bias() == 2
                    : !zeros &&
                          of.bias() ==
                              BiasOf(format, RuleOf(format, config.variant())));
      if (packed && codec.type == GgmlType::kQ2_0) packed = AllMinusOne(of);
      bits = CodeBits(packing);
    }
    static bool AllMinusOne(const QuantizedTensor& of) {
      const int8_t* const zeros = of.zero_points();
      return std::all_of(zeros, zeros + of.part(Part::kZeroPoints).count,
                         [](int8_t z) { return z == -1; });
    }
    const QuantizedTensor& tensor;
    const GroupValues values;
    int32_t shift = 0;
    bool packed = false;
    uint32_t bits = 8;
  };

  void WritePiece(const Context& context, const Plan& plan, uint64_t element,
                  uint64_t count, uint8_t* blocks) {
    const uint64_t n = count / elements_;
    if (plan.packed) {
      codec_.pack(plan.tensor.codes() + element * plan.bits / 8, n, blocks);
    } else {
      GatherCodes(context, plan, element, count, blocks);
    }
    const uint64_t group = GroupOf(codec_.type);
    if (codec_.scales.bytes == 2) {
      WriteHalves(plan, element / group, n, blocks);
    } else {
      WriteBytes(plan, element / group, n, blocks);
    }
  }

  void GatherCodes(const Context& context, const Plan& plan, uint64_t element,
                   uint64_t count, uint8_t* blocks) const {
    int8_t codes[kPieceCodes + kPackSlack];
    UnpackCodes(context, plan.tensor, element, count, codes);
    const uint64_t group = GroupOf(codec_.type);
    int8_t zeros[kMaxGroups];
    plan.values.ZeroPoints(element / group, count / group, zeros);
    for (uint64_t g = 0; g < count / group; ++g) {
      const int32_t add = plan.shift - zeros[g];
      int8_t* const of = codes + g * group;
      for (uint64_t i = 0; i < group; ++i) {
        of[i] = static_cast<int8_t>(of[i] + add);
      }
    }
    codec_.gather(reinterpret_cast<const uint8_t*>(codes), count / elements_,
                  blocks);
  }

  // Scales, and offsets, as float16.
  void WriteHalves(const Plan& plan, uint64_t first, uint64_t n,
                   uint8_t* blocks) {
    float values[kMaxGroups];
    plan.values.Scales(first, n, values);
    for (uint64_t i = 0; i < n; ++i) {
      PutHalf(values[i], /*is_scale=*/true, first + i,
              blocks + i * block_bytes_ + codec_.scales.at);
    }
    if (codec_.offsets.bytes == 0) return;
    plan.values.Offsets(first, n, values);
    for (uint64_t i = 0; i < n; ++i) {
      PutHalf(values[i], /*is_scale=*/false, first + i,
              blocks + i * block_bytes_ + codec_.offsets.at);
    }
  }

  void PutHalf(float value, bool is_scale, uint64_t i, uint8_t* out) {
    const uint16_t half = F16FromF32(value);
    const float stored = F32FromF16(half);
    StoreLE<uint16_t>(half, out);
    if (stored == value) return;
    if (!std::isfinite(stored) || (is_scale && stored == 0.0f)) {
      Fail(Status::kUnsupported, is_scale ? "scale " : "offset ", i, " = ",
           value, " becomes ", stored, " as float16, which blocks have");
    }
    if (value == 0.0f) return;
    scale_change = std::max(
        scale_change, std::fabs(static_cast<double>(stored) / value - 1.0));
  }

  // Scales that are bytes of ours.
  void WriteBytes(const Plan& plan, uint64_t first, uint64_t n,
                  uint8_t* blocks) const {
    const uint64_t group = GroupOf(codec_.type);
    const uint8_t* const scales = plan.tensor.part(Part::kScales).data;
    const Layout& layout = plan.tensor.layout();
    const uint64_t each = codec_.scales.bytes;
    for (uint64_t i = 0; i < n * each; ++i) {
      const uint64_t element = (first + i) * group;
      const uint8_t byte = scales[layout.ParamIndex(element / layout.columns,
                                                    element % layout.columns)];
      if (codec_.type == GgmlType::kNVFP4 && byte >= 0x7F) {
        Fail(Status::kUnsupported, "scale ", first + i, " = ", Hex(byte, 2),
             ", must be 0 or more: ggml knows no signs of scales");
      }
      blocks[i / each * block_bytes_ + codec_.scales.at + i % each] = byte;
    }
  }

  const GgmlCodec& codec_;
  const uint64_t elements_, block_bytes_;
  const std::vector<uint64_t> rows_;
};

// Codes that are float16 or bfloat16 themselves, or nothing at all.
class ValueTensor final : public ExportTensor {
 public:
  ValueTensor(const GgmlTarget& target, const Shape& shape,
              const std::string& name, std::vector<uint64_t> rows)
      : rows_(std::move(rows)) {
    verdict = target.verdict;
    why = target.why;
    if (verdict == Verdict::kNotRepresentable) return;
    arrays.push_back({name, Info(target.type).dtype, shape});
  }
  void Write(const Context&, const QuantizedTensor& tensor, size_t,
             const AppendBytes& append) override {
    const PartData& codes = tensor.part(Part::kCodes);
    if (rows_.empty()) return append(codes.data, codes.bytes);
    const uint64_t row = codes.bytes / rows_.size();
    for (const uint64_t from : rows_) append(codes.data + from * row, row);
  }

 private:
  const std::vector<uint64_t> rows_;
};

}  // namespace

std::string GgufScaleName(const std::string& name) {
  constexpr char kWeight[] = ".weight";
  const size_t ending = EndsWith(name, kWeight) ? sizeof kWeight - 1 : 0;
  return name.substr(0, name.size() - ending) + ".scale";
}

GgmlTarget ChooseGgmlType(const Context& context, const ModelEntry& entry,
                          const Config& config, const Parts& sizes) {
  const Format& format = FormatOf(config);
  if (entry.shape.elements() == 0) return Refused("it has no elements");
  if (config.outlier_threshold() != 0.0f) {
    return Refused("it keeps outlier columns beside the codes");
  }
  if (sizes[Part::kInputScales].bytes != 0) {
    return Refused("its inputs are to be divided (input_scales)");
  }
  if (format.Has(kInteger) || format.Has(kSigns)) {
    return ChooseIntegers(context, entry, format, config);
  }
  if (!format.Has(kScaled)) {
    const bool half = format.name == std::string("f16");
    return {half ? GgmlType::kF16 : GgmlType::kBF16, Verdict::kExact, ""};
  }
  const ScaleDType scales = config.scale_dtype();
  if (format.small_float == &kE2M1 && !config.double_quant()) {
    if (scales == ScaleDType::kE8M0 &&
        HoldsBlocks(GgmlType::kMXFP4, config, entry.shape)) {
      return {GgmlType::kMXFP4, Verdict::kExact, ""};
    }
    if (scales == ScaleDType::kE4M3 &&
        HoldsBlocks(GgmlType::kNVFP4, config, entry.shape)) {
      return {GgmlType::kNVFP4, Verdict::kExact, ""};
    }
    return Refused(
        "e2m1 is MXFP4 with e8m0 scales of runs of 32 columns, NVFP4 with e4m3 "
        "scales of 16 and rows of 64, and no other block");
  }
  return Refused(Message("no block of ggml holds the codes of ", format.name));
}

std::unique_ptr<ExportTensor> MakeGgmlTensor(const ModelEntry& entry,
                                             const GgmlTarget& target,
                                             const std::string& name,
                                             std::vector<uint64_t> rows) {
  if (Info(target.type).plain()) {
    return std::make_unique<ValueTensor>(target, entry.shape, name,
                                         std::move(rows));
  }
  return std::make_unique<BlockTensor>(target, entry.shape, name,
                                       std::move(rows));
}

}  // namespace bnq
