// THE contract between a layout of another ecosystem and everything else.
//
// A layout is how other programs hold a quantized tensor: under which names, in
// which arrays, codes in which order. It is one file, interchange/<name>.cc,
// with a comment that specifies it and a ForeignLayout row. Codes are
// transcoded, never derived anew: what a tensor of ours loses on the way is its
// verdict.
//
// The files themselves are io's business (a GGUF file is a container), folders,
// reports and whole models model's (model/foreign_model.h, model/export.h).
#ifndef BNQ_CORE_INTERCHANGE_LAYOUT_H_
#define BNQ_CORE_INTERCHANGE_LAYOUT_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "core/base/context.h"
#include "core/base/dtype.h"
#include "core/base/shape.h"
#include "core/io/json_tree.h"
#include "core/io/model_file.h"
#include "core/io/new_array.h"
#include "core/io/text.h"
#include "core/scheme/config.h"
#include "core/tensor/parts.h"
#include "core/tensor/tensor.h"

namespace bnq {

// ---- Reading ----

// A tensor of a foreign file as one of ours: quantized where a format of ours
// holds its codes as they are; else a plain float32 array of its values.
// Immutable; any number of threads may read. Borrows from its file.
class ForeignTensor {
 public:
  virtual ~ForeignTensor() = default;

  std::string name;  // "model.layers.0.mlp.up_proj.weight"
  Shape shape;
  bool quantized = true;
  // Of a quantized one; `sizes` are those of PartSizes(config, shape, given).
  Config config;
  Parts sizes;
  // Of others. Their one part is kCodes, whose bytes are the values.
  DType dtype = DType::kF32;
  // The entries of the file that it is made of, which are then not shown.
  std::vector<const ModelEntry*> from;
  // For people: "Q4_K, dequantized", "GPTQ".
  std::string note;

  // Each part is read in whole rows of the tensor, [begin, end) of `rows`; one
  // whose bytes are no multiple of `rows`, only as a whole.
  uint64_t rows = 1;
  // To out, of end - begin times the bytes of a row. CORRUPT_FILE, without the
  // name of the tensor.
  virtual void Read(const Context& context, Part part, uint64_t begin,
                    uint64_t end, uint8_t* out) const = 0;
  // The part's bytes where the file has them as they are; else nullptr.
  virtual const uint8_t* Mapped(Part /*part*/) const { return nullptr; }
};

// What a reader is told that files do not say.
struct ImportOptions {
  // Of I2_S, which has one id for several orders of bytes.
  enum class I2S { kUnknown, kX86, kArm };
  I2S i2_s = I2S::kUnknown;
  // Of BitNet's weight_scale: values are codes times it, or divided by it.
  enum class WeightScale { kByConfig, kMultiply, kDivide };
  WeightScale weight_scale = WeightScale::kByConfig;
};

// A file in which layouts look for tensors of theirs.
class ForeignModel {
 public:
  // quantization: the object quantization_config, quantization or
  // compression_config of the config.json beside the weights, and root all of
  // that file; kNull where there is none.
  ForeignModel(const ModelFile& model, JsonTree root_json,
               JsonTree quantization_json, const ImportOptions& import_options)
      : file(model),
        root(std::move(root_json)),
        quantization(std::move(quantization_json)),
        options(import_options) {}

  const ModelFile& file;
  const JsonTree root, quantization;
  const ImportOptions options;

  // "gptq"; "" where it does not say.
  std::string quant_method() const;
  // Where no layout has taken the entry yet; nullptr where there is none.
  const ModelEntry* Find(const std::string& entry) const;
  void Add(std::unique_ptr<ForeignTensor> tensor);
  const std::vector<std::unique_ptr<ForeignTensor>>& tensors() const {
    return tensors_;
  }
  std::vector<std::unique_ptr<ForeignTensor>> Take() {
    return std::move(tensors_);
  }

 private:
  std::set<const ModelEntry*> taken_;
  std::vector<std::unique_ptr<ForeignTensor>> tensors_;
};

// ---- Writing ----

// Ids are those of BNQ_VERDICT_* (capi/interchange.cc asserts it).
enum class Verdict : int32_t {
  kExact = 1,      // every value is the same
  kScalesRounded,  // codes are the same; scales, zero points or offsets round
  kNotRepresentable,
  kRequantized,  // because that was asked for
};

// Where pieces of an array go, one behind the other.
using AppendBytes = std::function<void(const void* data, uint64_t bytes)>;

// What becomes of one tensor.
class ExportTensor {
 public:
  virtual ~ExportTensor() = default;

  // From config and shape alone, without data.
  Verdict verdict = Verdict::kExact;
  // What is rounded, or why it cannot be: "float32 scales become float16".
  std::string why;
  // What is written; none where it is not representable.
  std::vector<NewArray> arrays;
  // Of what has been written: the greatest |stored / scale - 1|, 0 where all is
  // exact. A scale that rounds to 0 or to infinity is an error of Write.
  double scale_change = 0.0;

  // The bytes of arrays[i]; `tensor` is of the config and shape that this was
  // planned for. NON_FINITE and UNSUPPORTED, without the name of the tensor,
  // where data turn out not to be representable.
  virtual void Write(const Context& context, const QuantizedTensor& tensor,
                     size_t i, const AppendBytes& append) = 0;
};

// What an export is asked for, besides the tensors.
struct ExportRequest {
  // The model that is exported, with its metadata, and its config.json (kNull
  // where there is none).
  const ModelFile& file;
  const JsonTree& root;
  // Of stored scales: -1: as they are, or float16 where the layout has no
  // other; else a DType: kF32, kF16 or kBF16.
  int32_t scale_dtype = -1;
  // Of a donor (GGUF): another file of the same model, or "".
  std::string metadata_from;
};

// What becomes of a plain array.
struct PlainExport {
  // Of whatever name, and of its own type or one that IsTarget; of as many
  // elements.
  NewArray array;
  // Row i of the output is this row of the input; empty: in their order.
  std::vector<uint64_t> rows;
};

// A member of config.json, which replaces one of its name.
struct ConfigMember {
  std::string key, json;
};

// A file of text beside the weights.
struct SideFile {
  std::string name, text;
};

// One export of one model. For one thread.
class Exporter {
 public:
  virtual ~Exporter() = default;

  // Of an entry whose stored config and parts' sizes these are.
  virtual std::unique_ptr<ExportTensor> Plan(const ModelEntry& entry,
                                             const Config& config,
                                             const Parts& sizes) = 0;
  // Of a plain array: how its elements are written. nullptr: not at all.
  virtual std::unique_ptr<PlainExport> PlanPlain(const ModelEntry& entry);
  // How a tensor is quantized anew that is not representable otherwise, as
  // close to `config` as the layout has it.
  virtual Config Nearest(const ModelEntry& entry, const Config& config) = 0;
  // The name under which a quantized tensor is read back: another than its own
  // where the layout's arrays are those of a module's parameter "weight".
  virtual std::string ReadBackAs(const ModelEntry& entry) const {
    return entry.name;
  }
  // Of the file, made of that of the input.
  virtual Metadata MakeMetadata(const Metadata& input) { return input; }
  // After all tensors were planned: what config.json says of the quantization.
  virtual std::vector<ConfigMember> ConfigMembers() { return {}; }
  virtual std::vector<SideFile> SideFiles() { return {}; }
  // Of the whole export, for people; "" for nothing: "tensors only: ...".
  virtual std::string Warning() { return ""; }
};

// ---- Rows ----

struct ForeignLayout {
  const char* name;         // "gptq"
  const char* description;  // "GPTQ (v1 symmetric, v2), 2 to 8 bits"
  FileKind container;       // of the files that it is written to
  // Adds what it finds to the model; nullptr: cannot be read. CORRUPT_FILE and
  // UNSUPPORTED name the tensor.
  void (*find)(const Context& context, ForeignModel* model);
  // nullptr: cannot be written.
  std::unique_ptr<Exporter> (*exporter)(const Context& context,
                                        const ExportRequest& request);
};

// All of them, in the order in which they are asked for their tensors.
const std::vector<const ForeignLayout*>& ForeignLayouts();
// INVALID_ARGUMENT lists the names.
const ForeignLayout& FindForeignLayout(const std::string& name);

}  // namespace bnq

#endif  // BNQ_CORE_INTERCHANGE_LAYOUT_H_
