// GGUF files: tensors of ggml's block types (ggml_blocks.cc) as ours.
//
//   Q8_0, Q8_1     int8, groups of 32             Q4_0, Q5_0  int4, int5
//   Q4_1, Q5_1     the same with offsets          Q1_0        binary, of 128
//   Q2_0           int2, groups of 64, whose zero points are -1
//   TQ1_0, TQ2_0   ternary, groups of 256; TQ1_0 packed in base 3
//   MXFP4, NVFP4   e2m1, groups of 32 and 16; the scale of an NVFP4 tensor
//                  "x.weight" is the array "x.scale", where there is one
//   Q2_K to Q6_K, Q8_K, IQ4_NL, IQ4_XS  integers and codebooks of 16 values
//                  under float32 scales
//   I2_S           ternary, one scale; ImportOptions say in which order
//
// All have the values that ggml's functions give, to the last bit, but for the
// sign of zeros of MXFP4 and NVFP4, which ggml drops. Other types are named and
// cannot be read.
#include <algorithm>
#include <cstring>
#include <utility>

#include "core/base/error.h"
#include "core/interchange/ggml_blocks.h"
#include "core/interchange/gguf_export.h"
#include "core/interchange/layout.h"
#include "core/io/naming.h"
#include "core/kernels/packing.h"
#include "core/scheme/rules.h"

namespace bnq {
namespace {

constexpr uint64_t kPieceCodes = 5120;  // whole blocks and units of any kind

// The scale of an NVFP4 tensor beside it; nullptr: none.
const ModelEntry* ScaleBeside(const ForeignModel& model,
                              const ModelEntry& entry) {
  if (entry.blocks.type != GgmlType::kNVFP4) return nullptr;
  const ModelEntry* const scale = model.Find(GgufScaleName(entry.name));
  return scale != nullptr &&
                 scale->dtype == static_cast<int32_t>(DType::kF32) &&
                 scale->raw_bytes == sizeof(float)
             ? scale
             : nullptr;
}

class GgmlTensor final : public ForeignTensor {
 public:
  // Read as `codec` says, whose blocks have `elements`.
  GgmlTensor(const ForeignModel& model, const ModelEntry& entry,
             const GgmlCodec& codec, uint64_t elements, uint64_t block_bytes)
      : codec_(codec),
        elements_(elements),
        block_bytes_(block_bytes),
        data_(model.file.Mapped(entry)) {
    name = entry.name;
    shape = entry.blocks.shape;
    note = Info(entry.blocks.type).name;
    from = {&entry};
    config = Config::FromText(codec.config);
    sizes = PartSizes(config, shape);
    format_ = &FormatOf(config);
    packing_ = PackingOf(*format_, config);
    const uint64_t columns =
        packing_ == Packing::kBase3 ? shape.columns() : shape.features();
    const uint64_t all = shape.elements();
    rows = all == 0 ? 1 : all / columns;
    // Blocks of I2_S go on over the ends of rows.
    if (columns % elements != 0) rows = 1;
    row_blocks_ = all / rows / elements;
    AddWholeParts(ScaleBeside(model, entry), model.file);
  }

  void Read(const Context& context, Part part, uint64_t begin, uint64_t end,
            uint8_t* out) const override {
    const uint64_t blocks = (end - begin) * row_blocks_;
    const uint8_t* const at = data_ + begin * row_blocks_ * block_bytes_;
    if (!whole_[part].empty()) {
      const std::string& bytes = whole_[part];
      const uint64_t row = bytes.size() % rows == 0 ? bytes.size() / rows : 0;
      std::memcpy(out, bytes.data() + begin * row,
                  row == 0 ? bytes.size() : (end - begin) * row);
    } else if (part == Part::kCodes) {
      ReadCodes(context, at, begin, end, out);
    } else if (part == Part::kZeroPoints) {
      std::memset(out, -1, blocks);  // of Q2_0, one for each block
    } else if (codec_.params != nullptr) {
      ReadParams(at, blocks, part == Part::kOffsets, out);
    } else {
      CopyField(at, blocks,
                part == Part::kOffsets ? codec_.offsets : codec_.scales, out);
    }
  }

 private:
  // Of parts that belong to no row.
  struct WholeParts {
    std::string codebook, tensor_scale, scales, none;
    const std::string& operator[](Part part) const {
      return part == Part::kCodebook      ? codebook
             : part == Part::kTensorScale ? tensor_scale
             : part == Part::kScales      ? scales
                                          : none;
    }
  };

  void AddWholeParts(const ModelEntry* scale, const ModelFile& file) {
    const auto floats = [](const void* from, size_t count) {
      return std::string(static_cast<const char*>(from), count * sizeof(float));
    };
    if (sizes[Part::kCodebook].bytes != 0) {
      whole_.codebook = floats(kIq4Values, 16);
    }
    if (sizes[Part::kTensorScale].bytes != 0) {
      const float one = 1.0f;
      whole_.tensor_scale =
          floats(scale == nullptr ? static_cast<const void*>(&one)
                                  : file.Mapped(*scale),
                 1);
      if (scale != nullptr) from.push_back(scale);
    }
    if (codec_.type == GgmlType::kI2_S) {
      whole_.scales = floats(data_ + shape.elements() / 4, 1);
    }
  }

  // Codes of [begin, end), whose blocks begin at `at`.
  void ReadCodes(const Context& context, const uint8_t* at, uint64_t begin,
                 uint64_t end, uint8_t* out) const {
    const uint64_t columns = row_blocks_ * elements_;
    uint64_t steps = end - begin, blocks = row_blocks_;
    uint64_t row_bytes = RowBytes(packing_, columns);
    if (packing_ != Packing::kBase3) {  // rows end where units do
      blocks *= steps;
      row_bytes *= steps;
      steps = 1;
    }
    const uint64_t piece = kPieceCodes / elements_;
    for (uint64_t step = 0; step < steps; ++step) {
      for (uint64_t b = 0; b < blocks; b += piece) {
        const uint64_t n = std::min(piece, blocks - b);
        ReadPiece(at + (step * blocks + b) * block_bytes_, n,
                  begin * columns + (step * blocks + b) * elements_,
                  out + step * row_bytes + ByteOf(packing_, b * elements_));
        if (b % (piece * 64) == 0) context.Tick();
      }
    }
  }

  // `first` is the number of the first element.
  void ReadPiece(const uint8_t* blocks, uint64_t n, uint64_t first,
                 uint8_t* out) const {
    if (codec_.unpack != nullptr) {
      codec_.unpack(blocks, n, out);
      return;
    }
    uint8_t stored[kPieceCodes + kPackSlack];
    codec_.spread(blocks, n, stored);
    const uint64_t count = n * elements_;
    if (format_->first_invalid == 3) CheckTernary(stored, count, first);
    std::memset(stored + count, 0, kMaxUnitCodes);
    GetPackingKernels(packing_).pack(reinterpret_cast<int8_t*>(stored), count,
                                     /*bias=*/0, out);
  }

  static void CheckTernary(const uint8_t* stored, uint64_t count,
                           uint64_t first) {
    unsigned any = 0;
    for (uint64_t i = 0; i < count; ++i) any |= stored[i] & (stored[i] >> 1);
    if (any == 0) return;
    const uint64_t i =
        static_cast<uint64_t>(std::find(stored, stored + count, 3) - stored);
    Fail(Status::kCorruptFile, "stored code of element ", first + i,
         " = 3, must be 0 to 2");
  }

  void ReadParams(const uint8_t* blocks, uint64_t n, bool offsets,
                  uint8_t* out) const {
    const uint64_t groups = elements_ / config.group_size();
    float values[2][16];
    for (uint64_t i = 0; i < n; ++i) {
      codec_.params(blocks + i * block_bytes_, values[0], values[1]);
      const size_t bytes = static_cast<size_t>(groups * sizeof(float));
      std::memcpy(out + i * bytes, values[offsets ? 1 : 0], bytes);
    }
  }

  void CopyField(const uint8_t* blocks, uint64_t n, GgmlField field,
                 uint8_t* out) const {
    const uint8_t* from = blocks + field.at;
    if (field.bytes == 2) {
      for (uint64_t i = 0; i < n; ++i, from += block_bytes_) {
        std::memcpy(out + 2 * i, from, 2);
      }
      return;
    }
    for (uint64_t i = 0; i < n; ++i, from += block_bytes_) {
      std::memcpy(out + field.bytes * i, from, field.bytes);
    }
    if (codec_.type != GgmlType::kNVFP4) return;
    // To ggml they have no sign, and the greatest of its codes is 0.
    for (uint64_t i = 0; i < field.bytes * n; ++i) {
      if (out[i] == 0xFF) {
        Fail(Status::kCorruptFile, "scale ", i,
             " = 0xFF, must be a number of e4m3");
      }
      out[i] = out[i] == 0x7F ? uint8_t{0} : out[i] & 0x7F;
    }
  }

  const GgmlCodec& codec_;
  const uint64_t elements_, block_bytes_;
  const uint8_t* const data_;
  const Format* format_ = nullptr;
  Packing packing_ = Packing::kBits8;
  uint64_t row_blocks_ = 0;
  WholeParts whole_;
};

// What can be told of, and not be read.
class UnreadTensor final : public ForeignTensor {
 public:
  UnreadTensor(const ModelEntry& entry, const std::string& why) : why_(why) {
    name = entry.name;
    shape = entry.blocks.shape;
    quantized = false;
    from = {&entry};
    note = Message(Info(entry.blocks.type).name, ", not read");
    rows = shape.rows();
  }
  void Read(const Context&, Part, uint64_t, uint64_t, uint8_t*) const override {
    Fail(Status::kUnsupported, why_);
  }

 private:
  const std::string why_;
};

std::unique_ptr<ForeignTensor> MakeI2S(const ForeignModel& model,
                                       const ModelEntry& entry) {
  if (model.options.i2_s == ImportOptions::I2S::kUnknown) {
    return std::make_unique<UnreadTensor>(
        entry,
        "I2_S has two orders of bytes, that of x86 and that of ARM, and the "
        "file does not say which; the option i2_s has to: x86 or arm");
  }
  const bool arm = model.options.i2_s == ImportOptions::I2S::kArm;
  const uint64_t block = arm ? kI2SArmElements : kI2SX86Elements;
  const Shape& shape = entry.blocks.shape;
  if (shape.elements() % block != 0 || shape.features() % 4 != 0) {
    return std::make_unique<UnreadTensor>(
        entry, Message("I2_S of shape ", shape.ToString(),
                       ": must have a multiple of ", block,
                       " elements, and of 4 in a row"));
  }
  return std::make_unique<GgmlTensor>(model, entry, arm ? kI2SArm : kI2SX86,
                                      block, block / 4);
}

void Find(const Context& /*context*/, ForeignModel* model) {
  for (const ModelEntry& entry : model->file.entries()) {
    if (!entry.blocks || model->Find(entry.name) == nullptr) continue;
    const GgmlTypeInfo& info = Info(entry.blocks.type);
    const GgmlCodec* const codec = FindGgmlCodec(info.type);
    std::unique_ptr<ForeignTensor> tensor;
    if (info.type == GgmlType::kI2_S) {
      tensor = InTensor(entry.name, [&] { return MakeI2S(*model, entry); });
    } else if (codec == nullptr) {
      tensor = std::make_unique<UnreadTensor>(
          entry, Message("type ", info.name, " is not supported"));
    } else {
      tensor = std::make_unique<GgmlTensor>(
          *model, entry, *codec, info.block_elements, info.block_bytes);
    }
    model->Add(std::move(tensor));
  }
}

}  // namespace

extern const ForeignLayout k_gguf;
const ForeignLayout k_gguf = {
    "gguf", "GGUF, with ggml's blocks: llama.cpp and what is built on it",
    FileKind::kGguf, Find, MakeGgufExporter};

}  // namespace bnq
