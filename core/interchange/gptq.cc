// GPTQ: what GPTQModel, AutoGPTQ and AutoRound write.
//
// Source   gptqmodel/nn_modules/qlinear/__init__.py, gptqmodel/utils/model.py
// Arrays   P.qweight  I32 [in bits / 32, out]: each column is a dense stream of
//                     codes from 0 on, the lowest bits first
//          P.qzeros   I32 [groups, out bits / 32]: a stream of zero points
//          P.scales   F16 [groups, out]
//          P.g_idx    I32 [in], the group of each input (act-order)
// Value    (code - zero point) * scale
// Version  checkpoint_format "gptq" (or none) stores zero points less one,
//          "gptq_v2" as they are. Less one a zero point of 0 is the greatest
//          field, and what is above it in its word depends on who wrote it:
//          GPTQModel subtracts from whole words, others from fields.
//          meta.quantizer tells; without it fields are taken, with a warning.
//          Files of version 1 in which all zero points are the middle have been
//          written by version 2.
// Written  version 1 where all zero points are the middle (ternary codes: 1),
//          else version 2. 2, 3, 4 and 8 bits; those of 5 and 6 in 8

#include <algorithm>
#include <cstring>

#include "core/base/checked.h"
#include "core/base/error.h"
#include "core/interchange/module_export.h"
#include "core/interchange/transcode.h"
#include "core/io/endian.h"
#include "core/io/naming.h"
#include "core/parallel/runner.h"

namespace bnq {
namespace {

// ---- Reading ----

constexpr uint32_t Mask(uint32_t bits) { return (1u << bits) - 1; }
// The same number in every field of a word; 2, 4 or 8 bits.
constexpr uint32_t Repeat(uint32_t field, uint32_t bits) {
  uint32_t word = 0;
  for (uint32_t at = 0; at < 32; at += bits) word |= field << at;
  return word;
}

// Zero points as a file has them.
struct Zeros {
  const uint8_t* data = nullptr;
  uint64_t groups = 0, out = 0, words = 0;  // words of a group
  uint32_t bits = 0;
  // Of version 1; by_word: its words were subtracted from.
  bool less_one = false, by_word = false;

  uint32_t FieldAt(uint64_t group, uint64_t output) const {
    const uint64_t bit = output * bits;
    const uint8_t* const row = data + 4 * group * words;
    uint64_t window = LoadLE<uint32_t>(row + bit / 32 * 4);
    if (less_one && by_word) {
      window = static_cast<uint32_t>(window + Repeat(1, bits));
    } else if (bit % 32 + bits > 32) {
      window |= static_cast<uint64_t>(LoadLE<uint32_t>(row + bit / 32 * 4 + 4))
                << 32;
    }
    const uint32_t field = static_cast<uint32_t>(window >> (bit % 32));
    return (field + (less_one && !by_word ? 1 : 0)) & Mask(bits);
  }
  // Whether all fields of the file are this one.
  bool AllAre(uint32_t field) const {
    if (32 % bits != 0) {
      Zeros plain = *this;
      plain.less_one = false;
      for (uint64_t i = 0; i < groups * out; ++i) {
        if (plain.FieldAt(i / out, i % out) != field) return false;
      }
      return true;
    }
    const uint32_t word = Repeat(field, bits);
    for (uint64_t i = 0; i < groups * words; ++i) {
      if (LoadLE<uint32_t>(data + 4 * i) != word) return false;
    }
    return true;
  }
  bool Have(uint32_t field) const {
    Zeros plain = *this;
    plain.less_one = false;
    for (uint64_t i = 0; i < groups * out; ++i) {
      if (plain.FieldAt(i / out, i % out) == field) return true;
    }
    return false;
  }
};

// Of the whole file.
struct Said {
  int version = 0;  // 0: not said
  bool by_word = false;
  uint64_t group_size = 0;
};

Said SaidBy(const ForeignModel& model) {
  const JsonTree& quantization = model.quantization;
  Said said;
  const std::string format = StringOr(quantization, "checkpoint_format",
                                      StringOr(quantization, "format", ""));
  if (format == "gptq_v2") {
    said.version = 2;
  } else if (format == "gptq" || (format.empty() && quantization.is_object())) {
    said.version = 1;
  } else if (!format.empty()) {
    Fail(Status::kUnsupported, "checkpoint_format = ", Quoted(format),
         " of GPTQ, must be gptq or gptq_v2");
  }
  said.group_size = UnsignedOr(quantization, "group_size", 0);
  const JsonTree* const meta = quantization.Find("meta");
  const JsonTree* const by =
      meta == nullptr ? nullptr : meta->Find("quantizer");
  if (by != nullptr) {
    const std::string& name =
        by->items.empty() ? by->string : by->items[0].string;
    said.by_word = name.compare(0, 9, "gptqmodel") == 0;
  }
  return said;
}

// What version the zero points are of, and whether all are the middle.
bool FindVersion(const Context& context, const std::string& name, Said said,
                 Zeros* zeros) {
  const uint32_t middle = 1u << (zeros->bits - 1);
  const auto warn = [&](const char* what) {
    context.Log(LogLevel::kWarning, Message(TensorSubject(name), ": ", what));
  };
  const bool as_v2 = zeros->AllAre(middle);
  const bool as_v1 = !as_v2 && zeros->AllAre(middle - 1);
  if (said.version == 1 && as_v2) {
    warn(
        "its zero points are those of gptq_v2, as which it is read, though "
        "config.json says gptq");
    return true;
  }
  if (said.version == 0 && !as_v1 && !as_v2) {
    Fail(Status::kUnsupported,
         "whether its zero points are stored less one is not known: there is "
         "no config.json that says checkpoint_format gptq or gptq_v2");
  }
  zeros->less_one = said.version == 1 || (said.version == 0 && as_v1);
  if (zeros->less_one ? as_v1 : as_v2) return true;
  zeros->by_word = said.by_word && 32 % zeros->bits == 0;
  if (zeros->less_one && !zeros->by_word && zeros->Have(Mask(zeros->bits))) {
    warn(
        "it has zero points of 0, beside which others are not certain in "
        "checkpoint_format gptq");
  }
  return false;
}

void ReadCodes(const Context& context, const uint8_t* data, uint64_t words,
               uint64_t out, uint32_t bits, uint64_t begin, uint64_t end,
               uint8_t* to) {
  constexpr uint64_t kBand = 512;
  ParallelFor(context, DivCeil(end - begin, kBand), [&](uint64_t i) {
    const uint64_t at = begin + i * kBand, last = std::min(end, at + kBand);
    uint8_t* const rows = to + (at - begin) * words * 4;
    ReadColumns(data, words, out, 4, at, last, rows);
    // Ours are in two's complement.
    if (bits == 8) FlipSigns(rows, (last - at) * words * 4, rows);
  });
}

void Read(const Context& context, ForeignModel* model, const Said& said,
          const std::string& prefix, const StoredArray& qweight) {
  const StoredArray scales = FindStored(*model, prefix + ".scales");
  if (!scales) return;
  const StoredArray qzeros = FindStored(*model, prefix + ".qzeros");
  const StoredArray index = FindStored(*model, prefix + ".g_idx");
  if (qweight.shape.rank != 2 || scales.shape.rank != 2 ||
      qweight.dim(1) != scales.dim(1)) {
    Fail(Status::kUnsupported, "qweight of shape ", qweight.shape.ToString(),
         " with scales of shape ", scales.shape.ToString(),
         " is neither GPTQ nor AWQ gemm");
  }
  const uint64_t words = qweight.dim(0), out = qweight.dim(1);
  const uint64_t groups = scales.dim(0);
  Expect(qweight, prefix + ".qweight", {DType::kI32}, {words, out});
  Expect(scales, prefix + ".scales", kScaleTypes, {groups, out});
  const uint64_t zero_words =
      qzeros && qzeros.shape.rank == 2 ? qzeros.dim(1) : 0;
  const uint64_t bits = zero_words * 32 / out;
  if (zero_words * 32 % out != 0 ||
      !(bits == 2 || bits == 3 || bits == 4 || bits == 8) ||
      words * 32 % bits != 0) {
    Fail(Status::kUnsupported, "qzeros of shape ",
         qzeros ? qzeros.shape.ToString() : "nothing", " for ", out,
         " outputs and ", words,
         " words of codes, must be of codes of 2, 3, 4 or 8 bits");
  }
  Expect(qzeros, prefix + ".qzeros", {DType::kI32}, {groups, zero_words});
  const uint64_t in = words * 32 / bits;
  const uint64_t group_size = GroupSizeOf(said.group_size, in, groups);
  Zeros zeros;
  zeros.data = qzeros.data;
  zeros.groups = groups;
  zeros.out = out;
  zeros.words = zero_words;
  zeros.bits = static_cast<uint32_t>(bits);
  const std::string name = prefix + ".weight";
  const bool symmetric = FindVersion(context, name, said, &zeros);
  const uint64_t dims[] = {out, in};
  auto tensor = std::make_unique<FoundTensor>(
      name, Shape::Make(2, dims),
      IntegerConfig(zeros.bits, in, group_size,
                    symmetric ? Scheme::kSymmetric : Scheme::kAsymmetric,
                    scales.dtype),
      "GPTQ");
  const uint8_t* const data = qweight.data;
  tensor->Take(qweight);
  tensor->MakeWhole();
  tensor->Make(Part::kCodes, [=](const Context& by, uint64_t begin,
                                 uint64_t end, uint8_t* to) {
    ReadCodes(by, data, words, out, zeros.bits, begin, end, to);
  });
  MapTransposedScales(scales, tensor.get());
  tensor->Take(qzeros);
  if (!symmetric) {
    const int32_t middle = 1 << (bits - 1);
    tensor->Make(Part::kZeroPoints, [=](const Context&, uint64_t begin,
                                        uint64_t end, uint8_t* to) {
      for (uint64_t o = begin; o < end; ++o) {
        for (uint64_t g = 0; g < zeros.groups; ++g) {
          *to++ = static_cast<uint8_t>(
              static_cast<int32_t>(zeros.FieldAt(g, o)) - middle);
        }
      }
    });
  }
  std::vector<uint32_t> by_index;
  if (index) {
    Expect(index, prefix + ".g_idx", {DType::kI32}, {in});
    by_index = ReadGroupIndex(index, groups, group_size);
    tensor->Take(index);
  }
  if (!by_index.empty()) {
    tensor = ValuesByIndex(std::move(tensor), std::move(by_index));
  }
  model->Add(std::move(tensor));
}

void Find(const Context& context, ForeignModel* model) {
  ForEachModule(*model, ".qweight",
                [&](const std::string& prefix, const StoredArray& qweight) {
                  Read(context, model, SaidBy(*model), prefix, qweight);
                });
}

// ---- Writing ----

// Words of all rows, one below the other: [words, out]. flip: bytes in two's
// complement become those plus 128.
void AppendTransposedWords(const Context& context, const uint8_t* rows,
                           uint64_t words, uint64_t out, bool flip,
                           const AppendBytes& append) {
  const uint64_t band =
      std::max<uint64_t>((uint64_t{1} << 20) / (4 * out) / 64 * 64, 64);
  Buffer buffer = context.Allocate(std::min(band, words) * out * 4);
  for (uint64_t begin = 0; begin < words; begin += band) {
    const uint64_t n = std::min(band, words - begin);
    TransposeWords(rows + 4 * begin, 4 * words, out, n, buffer.data(), 4 * out);
    if (flip) FlipSigns(buffer.data(), n * out * 4, buffer.data());
    append(buffer.data(), n * out * 4);
    context.Tick();
  }
}

class GptqExporter final : public ModuleExporter {
 public:
  explicit GptqExporter(const ExportRequest& request)
      : ModuleExporter(request, "pt") {}

  std::unique_ptr<ExportTensor> Plan(const ModelEntry& entry,
                                     const Config& config,
                                     const Parts& sizes) override {
    const std::string why = WhyNot(entry.shape, config, sizes);
    if (!why.empty()) return Refused(why);
    const std::string prefix = Prefix(entry.name);
    const FieldKind fields = WrittenFields(config);
    const uint64_t out = entry.shape.rows(), in = entry.shape.columns();
    const uint64_t run = ScaleRun(config, entry.shape);
    auto tensor = std::make_unique<PlannedTensor>();
    PlannedTensor* const planned = tensor.get();
    LowerToF16(config, planned);
    const uint64_t groups = DivCeil(in, run), stride = in * fields.bits / 8;
    tensor->Add(prefix + ".qweight", DType::kI32, {stride / 4, out},
                [=](const Context& context, const QuantizedTensor& from,
                    const AppendBytes& append) {
                  Buffer buffer;
                  const bool flip = from.packing() == Packing::kBits8;
                  const uint8_t* const rows =
                      flip ? from.codes()
                           : FieldRows(context, from, fields, stride, &buffer);
                  AppendTransposedWords(context, rows, stride / 4, out, flip,
                                        append);
                });
    // The version is known when all tensors are.
    tensor->Add(prefix + ".qzeros", DType::kI32,
                {groups, out * fields.bits / 32},
                [=](const Context&, const QuantizedTensor& from,
                    const AppendBytes& append) {
                  AppendTransposedZeros(GroupValues(from, run), fields,
                                        shifted_ ? 0 : -1, append);
                });
    tensor->Add(prefix + ".scales", DType::kF16, {groups, out},
                [=](const Context&, const QuantizedTensor& from,
                    const AppendBytes& append) {
                  AppendTransposedScales(GroupValues(from, run), DType::kF16,
                                         planned, append);
                });
    std::string index;
    for (uint64_t i = 0; i < in; ++i) {
      AppendLE(static_cast<uint32_t>(i / run), &index);
    }
    tensor->Add(prefix + ".g_idx", DType::kI32, {in}, index);
    shifted_ |= config.scheme() == Scheme::kAsymmetric;
    middle_ &= config.scheme() == Scheme::kSymmetric && fields.bias != 1;
    const std::string size = run == in ? "-1" : ToText(run);
    modules_.push_back({prefix, Message("\"bits\": ", fields.bits,
                                        ", \"group_size\": ", size)});
    return tensor;
  }

  Config Nearest(const ModelEntry& entry, const Config& config) override {
    const uint32_t bits = CodeBits(FormatOf(config).packing);
    return NearestIntegers(entry, config,
                           Message("int", bits > 4   ? 8u
                                          : bits < 2 ? 2u
                                                     : bits),
                           {32, 64, 128});
  }

  std::vector<ConfigMember> ConfigMembers() override {
    if (modules_.empty()) return {};
    return {{"quantization_config", Json()}};
  }
  std::vector<SideFile> SideFiles() override {
    if (modules_.empty()) return {};
    return {{"quantize_config.json", Json() + "\n"}};
  }

 private:
  struct Module {
    std::string prefix, json;
  };

  static FieldKind WrittenFields(const Config& config) {
    const FieldKind fields = FieldsOf(config);
    return fields.bits > 4 ? FieldKind{8, 128} : fields;
  }

  static std::string WhyNot(const Shape& shape, const Config& config,
                            const Parts& sizes) {
    const std::string why = Refusal(config, sizes, shape);
    if (!why.empty()) return why;
    if (shape.rank != 2) return "it is of more than two dimensions";
    const uint32_t bits = WrittenFields(config).bits;
    if (bits == 0) {
      return Message("format ", FormatOf(config).name,
                     ": the layout has integers");
    }
    if (config.scheme() == Scheme::kOffset) {
      return "scheme = offset: the layout has zero points";
    }
    const uint64_t unit = bits == 3 ? 32 : 32 / bits;
    if (shape.rows() % unit == 0 && shape.columns() % unit == 0) return "";
    return Message("shape ", shape.ToString(), ": ", bits,
                   "-bit codes take rows and columns that ", unit, " divides");
  }

  // A name as a regular expression of GPTQModel's.
  static std::string Pattern(const char* sign, const std::string& prefix) {
    std::string text = sign;
    for (const char c : prefix) {
      if (std::strchr(".^$*+?()[]{}|\\", c) != nullptr) text += '\\';
      text += c;
    }
    return JsonText(text + '$');
  }

  std::string Json() const {
    std::string dynamic;
    for (const Module& module : modules_) {
      if (module.json == modules_[0].json) continue;
      dynamic += (dynamic.empty() ? "" : ", ") + Pattern("+:^", module.prefix) +
                 ": {" + module.json + '}';
    }
    for (const std::string& prefix : Plain()) {
      dynamic +=
          (dynamic.empty() ? "" : ", ") + Pattern("-:^", prefix) + ": {}";
    }
    const char* const version = shifted_ ? "gptq_v2" : "gptq";
    return Message(
        "{\"quant_method\": \"gptq\", ", modules_[0].json,
        ", \"desc_act\": false, \"sym\": ", middle_ ? "true" : "false",
        ", \"lm_head\": false, \"pack_dtype\": \"int32\", "
        "\"checkpoint_format\": \"",
        version, "\", \"format\": \"", version, "\", \"dynamic\": {", dynamic,
        "}}");
  }

  std::vector<Module> modules_;
  bool shifted_ = false;  // some zero points are not 0 here
  bool middle_ = true;    // all zero points are the middle
};

std::unique_ptr<Exporter> MakeExporter(const Context&,
                                       const ExportRequest& request) {
  return std::make_unique<GptqExporter>(request);
}

}  // namespace

extern const ForeignLayout k_gptq;
const ForeignLayout k_gptq = {
    "gptq", "GPTQ, versions 1 and 2: integers of 2, 3, 4 and 8 bits in groups",
    FileKind::kSafetensors, Find, MakeExporter};

}  // namespace bnq
