// Exports to GGUF: names, keys and types. Where the input is such a file, all
// of that stays as it is.
#include "core/interchange/gguf_export.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "core/base/error.h"
#include "core/base/names.h"
#include "core/interchange/ggml_blocks.h"
#include "core/interchange/gguf_names.h"
#include "core/io/gguf_value.h"
#include "core/io/naming.h"
#include "core/scheme/registry.h"

namespace bnq {
namespace {

constexpr char kArchitectureKey[] = "general.architecture";

// llama.cpp's number of a file most of whose weights are of a type; for people
// only.
constexpr struct {
  GgmlType type;
  uint32_t number;
} kFileTypes[] = {
    {GgmlType::kF32, 0},    {GgmlType::kF16, 1},     {GgmlType::kQ4_0, 2},
    {GgmlType::kQ4_1, 3},   {GgmlType::kQ8_0, 7},    {GgmlType::kQ5_0, 8},
    {GgmlType::kQ5_1, 9},   {GgmlType::kBF16, 32},   {GgmlType::kTQ1_0, 36},
    {GgmlType::kTQ2_0, 37}, {GgmlType::kMXFP4, 38},  {GgmlType::kNVFP4, 39},
    {GgmlType::kQ1_0, 40},  {GgmlType::kQ2_0, 41},   {GgmlType::kQ2_K, 10},
    {GgmlType::kQ3_K, 12},  {GgmlType::kQ4_K, 15},   {GgmlType::kQ5_K, 17},
    {GgmlType::kQ6_K, 18},  {GgmlType::kIQ4_NL, 25}, {GgmlType::kIQ4_XS, 30},
};

// An array that belongs to no tensor of the model, written with one of them.
class WithArray final : public ExportTensor {
 public:
  WithArray(std::unique_ptr<ExportTensor> tensor, const std::string& name,
            std::vector<float> values)
      : tensor_(std::move(tensor)), values_(std::move(values)) {
    verdict = tensor_->verdict;
    why = tensor_->why;
    arrays = tensor_->arrays;
    const uint64_t count = values_.size();
    arrays.push_back({name, DType::kF32, Shape::Make(1, &count)});
  }
  void Write(const Context& context, const QuantizedTensor& tensor, size_t i,
             const AppendBytes& append) override {
    if (i + 1 == arrays.size()) {
      append(values_.data(), values_.size() * sizeof(float));
      return;
    }
    tensor_->Write(context, tensor, i, append);
    scale_change = tensor_->scale_change;
  }

 private:
  const std::unique_ptr<ExportTensor> tensor_;
  const std::vector<float> values_;
};

// Blocks of a GGUF file, as they are.
class SameBlocks final : public ExportTensor {
 public:
  SameBlocks(const ModelFile& file, const ModelEntry& entry)
      : file_(file), entry_(entry) {
    NewArray array{entry.name, DType::kU8, entry.shape};
    array.blocks = entry.blocks;
    arrays.push_back(std::move(array));
  }
  void Write(const Context& context, const QuantizedTensor& /*tensor*/,
             size_t /*i*/, const AppendBytes& append) override {
    constexpr uint64_t kPiece = uint64_t{1} << 20;
    const uint8_t* const data = file_.Mapped(entry_);
    for (uint64_t at = 0; at < entry_.raw_bytes; at += kPiece) {
      append(data + at, std::min(kPiece, entry_.raw_bytes - at));
      context.Tick();
    }
  }

 private:
  const ModelFile& file_;
  const ModelEntry& entry_;
};

class GgufExporter final : public Exporter {
 public:
  GgufExporter(const Context& context, const ExportRequest& request)
      : context_(context), input_(request.file), names_(request.root) {
    if (request.scale_dtype != -1 &&
        request.scale_dtype != static_cast<int32_t>(DType::kF16)) {
      Fail(Status::kInvalidArgument,
           "scale_dtype must be f16: ggml's blocks have no other scales");
    }
    if (!request.metadata_from.empty()) {
      donor_ = Within(
          [] { return "metadata_from"; },
          [&] { return ModelFile::Open(context, request.metadata_from); });
      UseDonor(request);
    } else if (Value(input_.metadata(), kArchitectureKey) != nullptr) {
      metadata_ = input_.metadata();
    } else {
      UseConfig();
    }
    const auto& files = input_.files();
    if (input_.kind() == FileKind::kGguf && files[0]->has_id()) {
      blocks_ = ModelFile::Open(context, files[0]->path());
    }
  }

  std::unique_ptr<ExportTensor> Plan(const ModelEntry& entry,
                                     const Config& config,
                                     const Parts& sizes) override {
    if (auto same = AsItIs(entry)) return same;
    GgmlTarget target = ChooseGgmlType(context_, entry, config, sizes);
    const std::string name = NameOf(entry);
    if (target.type == GgmlType::kNVFP4 && name == "token_embd.weight") {
      target = {GgmlType::kF32, Verdict::kNotRepresentable,
                "llama.cpp takes no scale of the embedding, which NVFP4 has"};
    }
    Count(target.type, entry.shape);
    auto tensor = MakeGgmlTensor(entry, target, name, RowsOf(entry));
    if (factors_.empty() || tensor->verdict == Verdict::kNotRepresentable) {
      return tensor;
    }
    return std::make_unique<WithArray>(std::move(tensor), "rope_freqs.weight",
                                       std::move(factors_));
  }

  std::unique_ptr<PlainExport> PlanPlain(const ModelEntry& entry) override {
    if (mapped_ && names_.IsLeftOut(entry.name)) return nullptr;
    auto plain = Exporter::PlanPlain(entry);
    NewArray& array = plain->array;
    array.name = NameOf(entry);
    // Norms and biases: llama.cpp computes with no other type.
    const bool narrow =
        array.dtype == DType::kF16 || array.dtype == DType::kBF16;
    if (entry.shape.rank < 2 && narrow) array.dtype = DType::kF32;
    plain->rows = RowsOf(entry);
    const GgmlTypeInfo* const type = GgmlTypeOf(array.dtype);
    if (type != nullptr) Count(type->type, entry.shape);
    return plain;
  }

  Config Nearest(const ModelEntry& entry, const Config& config) override {
    const Format& format = FormatOf(config);
    const uint64_t columns = entry.shape.features();
    if (columns % 32 != 0) return Config::FromText("format=f16");
    const int bits = static_cast<int>(CodeBits(format.packing));
    if (bits >= 8) return Of(GgmlType::kQ8_0);
    if (bits > 4) {
      return Of(bits == 5 ? GgmlType::kQ5_1 : GgmlType::kQ8_0);
    }
    const bool symmetric = config.scheme() == Scheme::kSymmetric;
    return Of(symmetric ? GgmlType::kQ4_0 : GgmlType::kQ4_1);
  }

  Metadata MakeMetadata(const Metadata& /*input*/) override {
    CheckDonor();
    Metadata metadata = metadata_;
    SetMetadata("general.quantization_version", GgufText("u32", 2), &metadata);
    const auto most = std::max_element(
        elements_.begin(), elements_.end(),
        [](const auto& a, const auto& b) { return a.second < b.second; });
    if (most == elements_.end()) return metadata;
    for (const auto& row : kFileTypes) {
      if (row.type != most->first) continue;
      SetMetadata("general.file_type", GgufText("u32", row.number), &metadata);
    }
    return metadata;
  }

  std::string Warning() override { return warning_; }

 private:
  static const std::string* Value(const Metadata& metadata, const char* key) {
    for (const auto& [name, text] : metadata) {
      if (name == key) return &text;
    }
    return nullptr;
  }
  static Config Of(GgmlType type) {
    return Config::FromText(FindGgmlCodec(type)->config);
  }

  // Whether every tensor has its name, and every name its tensor.
  std::string WhyNotMapped() const {
    if (!names_.known()) return names_.why();
    std::set<std::string> names;
    for (const ModelEntry& entry : input_.entries()) {
      if (names_.IsLeftOut(entry.name)) continue;
      const std::string name = names_.NameOf(entry.name);
      if (name.empty()) {
        return TensorSubject(entry.name) + " is none of those";
      }
      names.insert(name);
    }
    for (const std::string& name : names_.Expected()) {
      if (names.count(name) == 0) return "there is no tensor for " + name;
    }
    return "";
  }

  // nullptr where the input does not hold it in blocks. I2_S, which few
  // programs read, is not written.
  std::unique_ptr<ExportTensor> AsItIs(const ModelEntry& entry) {
    if (blocks_ == nullptr || mapped_) return nullptr;
    const ModelEntry* const found = blocks_->Find(entry.name);
    if (found == nullptr || !found->blocks ||
        found->blocks.shape != entry.shape ||
        FindGgmlCodec(found->blocks.type) == nullptr ||
        // A part of the tensor, with which it is written.
        blocks_->Find(GgufScaleName(entry.name)) != nullptr) {
      return nullptr;
    }
    Count(found->blocks.type, entry.shape);
    shapes_.emplace(entry.name, entry.shape);
    return std::make_unique<SameBlocks>(*blocks_, *found);
  }

  void UseConfig() {
    const std::string why = WhyNotMapped();
    mapped_ = why.empty();
    if (!mapped_) {
      metadata_ = input_.metadata();
      warning_ =
          "tensors only: llama.cpp will not load the file, whose names "
          "and keys are not those of an architecture that is known: " +
          why +
          "; another GGUF file of the model (metadata_from) has "
          "them";
      return;
    }
    metadata_ = names_.Keys();
    factors_ = names_.RotationFactors();
    warning_ =
        "the file has no tokenizer; another GGUF file of the model "
        "(metadata_from) has it";
  }

  void UseDonor(const ExportRequest& request) {
    const std::string* const text = Value(donor_->metadata(), kArchitectureKey);
    if (donor_->kind() != FileKind::kGguf || text == nullptr) {
      Fail(Status::kInvalidArgument,
           "metadata_from = ", Quoted(request.metadata_from),
           " must be a GGUF file with the key general.architecture");
    }
    metadata_ = donor_->metadata();
    for (const ModelEntry& entry : donor_->entries()) {
      const Shape& shape = entry.blocks ? entry.blocks.shape : entry.shape;
      expected_.emplace(entry.name, shape);
    }
    const auto& entries = input_.entries();
    const bool same = std::all_of(entries.begin(), entries.end(),
                                  [&](const ModelEntry& entry) {
                                    return expected_.count(entry.name) != 0;
                                  });
    if (same) return;
    std::string architecture;
    GgufString(*text, &architecture);
    if (StringOf(request.root, "model_type") != architecture) {
      Fail(Status::kInvalidArgument,
           "metadata_from = ", Quoted(request.metadata_from),
           " is of the architecture ", Quoted(architecture),
           ", the model's config.json has model_type = ",
           Quoted(StringOf(request.root, "model_type")));
    }
    const std::string why = WhyNotMapped();
    if (!why.empty()) {
      Fail(Status::kUnsupported, "tensors cannot be given the names of ",
           Quoted(request.metadata_from), ": ", why);
    }
    mapped_ = true;
    if (expected_.erase("rope_freqs.weight") != 0) {
      factors_ = names_.RotationFactors();
    }
  }

  static std::string StringOf(const JsonTree& tree, const char* key) {
    const JsonTree* const found = tree.Find(key);
    return found == nullptr ? "" : found->string;
  }

  // After all were planned: the donor's tensors, no more and no fewer.
  void CheckDonor() const {
    if (donor_ == nullptr) return;
    for (const auto& [name, shape] : expected_) {
      const auto found = shapes_.find(name);
      // Of its NVFP4 tensors, which need not be those of the model.
      const bool beside = EndsWith(name, ".scale") && shape.elements() == 1;
      if (found == shapes_.end() && beside) continue;
      if (found != shapes_.end() &&
          found->second.elements() == shape.elements() &&
          found->second.features() == shape.features()) {
        continue;
      }
      Fail(Status::kInvalidArgument, TensorSubject(name), " of ",
           donor_->files()[0]->label(), " has shape ", shape.ToString(),
           found == shapes_.end()
               ? std::string(", but the model has no such tensor")
               : ", but that of the model " + found->second.ToString());
    }
    for (const auto& item : shapes_) {
      if (expected_.count(item.first) != 0) continue;
      Fail(Status::kInvalidArgument, TensorSubject(item.first), " is not in ",
           donor_->files()[0]->label());
    }
  }

  std::string NameOf(const ModelEntry& entry) {
    std::string name = mapped_ ? names_.NameOf(entry.name) : entry.name;
    shapes_.emplace(name, entry.shape);
    return name;
  }
  std::vector<uint64_t> RowsOf(const ModelEntry& entry) const {
    if (!mapped_) return {};
    return names_.RowsOf(entry.name, entry.shape.rows());
  }
  void Count(GgmlType type, const Shape& shape) {
    elements_[type] += shape.elements();
  }

  const Context& context_;
  const ModelFile& input_;
  const GgufNames names_;
  std::shared_ptr<const ModelFile> donor_;
  std::shared_ptr<const ModelFile> blocks_;         // the input, as it is
  std::map<std::string, Shape> expected_, shapes_;  // by name in the file
  bool mapped_ = false;
  Metadata metadata_;
  std::vector<float> factors_;
  std::string warning_;
  std::map<GgmlType, uint64_t> elements_;
};

}  // namespace

std::unique_ptr<Exporter> MakeGgufExporter(const Context& context,
                                           const ExportRequest& request) {
  return std::make_unique<GgufExporter>(context, request);
}

}  // namespace bnq
