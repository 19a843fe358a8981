// What the layouts share whose tensors are modules: several arrays of one
// prefix, as Hugging Face's files have them ("model.layers.0.mlp.up_proj" +
// ".weight_packed", ".weight_scale").
#ifndef BNQ_CORE_INTERCHANGE_MODULE_ARRAYS_H_
#define BNQ_CORE_INTERCHANGE_MODULE_ARRAYS_H_

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/interchange/layout.h"
#include "core/scheme/packing.h"

namespace bnq {

// ---- Integer codes ----

// Fields of integer codes: unsigned numbers of so many bits, code + bias.
struct FieldKind {
  uint32_t bits = 0;  // 2, 3, 4, 5, 6 or 8; 0: these are no integers
  int32_t bias = 0;
};
// Those of a config's codes: code + 2^(bits - 1); of ternary ones, 2 bits and
// code + 1.
FieldKind FieldsOf(const Config& config);
Packing PackingOfBits(uint32_t bits);

// What adds to a text of options: "format=int4,granularity=group,...". Of a
// matrix whose rows have `columns`: of groups, or of channels where there is
// one group.
Config IntegerConfig(uint32_t bits, uint64_t columns, uint64_t group_size,
                     Scheme scheme, DType scales);

// ---- Reading ----

// A plain array of the file, in one piece.
struct StoredArray {
  const ModelEntry* entry = nullptr;  // nullptr: there is none
  const uint8_t* data = nullptr;      // not necessarily aligned
  DType dtype = DType::kU8;
  Shape shape;

  explicit operator bool() const { return entry != nullptr; }
  uint64_t dim(int i) const { return shape.dims[i]; }
  uint32_t WordAt(uint64_t i) const;  // of 32 bits
  float FloatAt(uint64_t i) const;    // of F32, F16 or BF16
};
StoredArray FindStored(const ForeignModel& model, const std::string& name);
// CORRUPT_FILE where it is not there, of another type or of another shape.
void Expect(const StoredArray& array, const std::string& name,
            std::initializer_list<DType> types,
            std::initializer_list<uint64_t> dims);
bool IsOneOf(DType dtype, std::initializer_list<DType> types);
// F32, F16, BF16.
extern const std::initializer_list<DType> kScaleTypes;

// f(prefix, array) for each array called prefix + ending that no layout has
// taken. Errors name the tensor prefix + ".weight"; what is INVALID_ARGUMENT of
// a caller is CORRUPT_FILE of a file.
void ForEachModule(const ForeignModel& model, const std::string& ending,
                   const std::function<void(const std::string& prefix,
                                            const StoredArray& array)>& f);

// Members of a JSON object that may be missing.
uint64_t UnsignedOr(const JsonTree& tree, const char* key, uint64_t otherwise);
std::string StringOr(const JsonTree& tree, const char* key,
                     const std::string& otherwise);

// A tensor that layouts have found: each part is mapped, or made.
class FoundTensor final : public ForeignTensor {
 public:
  // Rows [begin, end) of a part.
  using MakeRows = std::function<void(const Context& context, uint64_t begin,
                                      uint64_t end, uint8_t* out)>;

  // Quantized. INVALID_ARGUMENT where config and shape do not fit.
  FoundTensor(const std::string& tensor_name, const Shape& tensor_shape,
              const Config& tensor_config, const std::string& tensor_note);
  // A plain float32 array of its values, whose rows are made.
  FoundTensor(const std::string& tensor_name, const Shape& tensor_shape,
              const std::string& tensor_note, MakeRows values);

  // CORRUPT_FILE where it has not the part's size.
  void Map(Part part, const StoredArray& array);
  void Make(Part part, MakeRows make);
  // An array that it is made of besides.
  void Take(const StoredArray& array);

  void Read(const Context& context, Part part, uint64_t begin, uint64_t end,
            uint8_t* out) const override;
  const uint8_t* Mapped(Part part) const override;

 private:
  struct Source {
    const uint8_t* mapped = nullptr;
    MakeRows make;
  };
  std::map<Part, Source> parts_;
};

// Rows of fields as the part of codes, mapped where the bytes are the same:
// each row of the tensor's shape in `stride` bytes. `fields` are those of the
// array.
void MapFields(FieldKind fields, const StoredArray& array, uint64_t stride,
               FoundTensor* tensor);

// Of each column its group, as arrays called g_idx say it: empty where they are
// `group_size` columns each, in order, or where all are -1, which stands for
// that. CORRUPT_FILE for one out of range.
std::vector<uint32_t> ReadGroupIndex(const StoredArray& index, uint64_t groups,
                                     uint64_t group_size);
// Columns whose groups are not runs (act-order) are values: those of `codes`,
// each with the parameters of its column's group.
std::unique_ptr<FoundTensor> ValuesByIndex(std::unique_ptr<FoundTensor> codes,
                                           std::vector<uint32_t> index);

// ---- Writing ----

// The columns of a row (of the last dimension) that share a scale, where they
// lie together and runs start at its multiples in every row; 0 where they do
// not.
uint64_t ScaleRun(const Config& config, const Shape& shape);
// Whether groups of this size share scales, so that each can be given one.
bool HoldsGroups(const Config& config, const Shape& shape, uint64_t group_size);

// One number for each group of `group_size` columns of each row, of what a
// tensor has for each of its runs.
class GroupValues {
 public:
  GroupValues(const QuantizedTensor& tensor, uint64_t group_size);

  uint64_t rows() const { return rows_; }
  uint64_t groups() const { return groups_; }  // of a row
  uint64_t count() const { return rows_ * groups_; }
  // For groups [begin, begin + n) of all of them.
  void Scales(uint64_t begin, uint64_t n, float* out) const;
  void Offsets(uint64_t begin, uint64_t n, float* out) const;
  // 0 where there are none.
  void ZeroPoints(uint64_t begin, uint64_t n, int8_t* out) const;
  // Of tensors that have as many, in the same order.
  bool in_order() const { return in_order_; }

 private:
  uint64_t ParamOf(uint64_t group) const;

  const QuantizedTensor& tensor_;
  const uint64_t columns_, group_size_, groups_, rows_;
  const bool in_order_;
};

// Rows [begin, end) of the last dimension as fields, rows of `stride` bytes
// that are filled up with 0.
void ReadFields(const Context& context, const QuantizedTensor& tensor,
                uint64_t begin, uint64_t end, FieldKind fields, uint64_t stride,
                uint8_t* out);
// All of them.
void AppendFields(const Context& context, const QuantizedTensor& tensor,
                  FieldKind fields, uint64_t stride, const AppendBytes& append);

// What a tensor is planned as: arrays, and who writes them.
class PlannedTensor final : public ExportTensor {
 public:
  using WriteArray =
      std::function<void(const Context& context, const QuantizedTensor& tensor,
                         const AppendBytes& append)>;
  void Add(const std::string& name, DType dtype,
           std::initializer_list<uint64_t> dims, WriteArray write);
  // Bytes that are known already.
  void Add(const std::string& name, DType dtype,
           std::initializer_list<uint64_t> dims, std::string bytes);
  void Write(const Context& context, const QuantizedTensor& tensor, size_t i,
             const AppendBytes& append) override {
    writers_[i](context, tensor, append);
  }
  // The verdict is no better than this one, because of `reason`.
  void Lower(Verdict to, const std::string& reason);

  // Rounds n scales to `dtype`, and appends them: UNSUPPORTED for one that
  // becomes 0 or infinite. Remembers by how much they change.
  void AppendScales(const float* scales, uint64_t n, DType dtype,
                    const AppendBytes& append);
  // The same of offsets, which may become 0.
  void AppendOffsets(const float* offsets, uint64_t n, DType dtype,
                     const AppendBytes& append);

 private:
  std::vector<WriteArray> writers_;
};

// Scales of a type that a tensor of config has, in one that is asked for.
struct ScalesAs {
  DType dtype = DType::kF32;
  bool rounds = false;
};
ScalesAs ScalesAsStored(const Config& config, int32_t requested);
// "float32 scales become float16", for a verdict.
std::string ScalesBecome(const Config& config, ScalesAs scales);

// What exports of such layouts share.
class ModuleExporter : public Exporter {
 public:
  std::unique_ptr<NewArray> PlanPlain(const ModelEntry& entry) override;
  Metadata MakeMetadata(const Metadata& input) override;

 protected:
  ModuleExporter(const ExportRequest& request, std::string format)
      : request_(request), format_(std::move(format)) {}

  // "" where any layout of codes with scales could hold it; else why not.
  static std::string Refusal(const Config& config, const Parts& sizes,
                             const Shape& shape);
  static std::unique_ptr<PlannedTensor> Refused(const std::string& why);
  // The name without ".weight".
  static std::string Prefix(const std::string& name);
  // A config of integers, of this format, that shares scales in the greatest of
  // the group sizes that divide the columns (channels: 0), and has nothing that
  // the layouts do not have.
  static Config NearestIntegers(const ModelEntry& entry, const Config& config,
                                const std::string& integers,
                                std::initializer_list<uint64_t> group_sizes);
  // As a JSON array: the modules that stay as they are.
  std::string PlainModules() const;

  const ExportRequest& request_;

 private:
  const std::string format_;  // of the metadata
  std::vector<std::string> plain_;
};

// A JSON array of texts.
std::string JsonList(const std::vector<std::string>& texts);

}  // namespace bnq

#endif  // BNQ_CORE_INTERCHANGE_MODULE_ARRAYS_H_
