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

// The same, where the tensor's name is the prefix itself.
void ForEachNamed(const ForeignModel& model, const std::string& ending,
                  const std::function<void(const std::string& name,
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
  // Parts are made all at once: where rows are far from each other in the file,
  // many of them together are faster.
  void MakeWhole() { rows = 1; }
  // Rows of the shape, whatever is made at once.
  void MakePart(const Context& context, Part part, uint64_t begin, uint64_t end,
                uint8_t* out) const;

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

// Rows [begin, end) of a part, rows of `element` bytes each, of an array that
// has them as columns: [rows, columns].
void ReadColumns(const uint8_t* data, uint64_t rows, uint64_t columns,
                 uint32_t element, uint64_t begin, uint64_t end, uint8_t* out);
// As the part of scales.
void MapTransposedScales(const StoredArray& scales, FoundTensor* tensor);
// The columns of a group, of `groups` of a row of `columns`: what config.json
// says, if that many are so many groups, else equal shares. CORRUPT_FILE where
// there are none.
uint64_t GroupSizeOf(uint64_t said, uint64_t columns, uint64_t groups);

// Of each column its group, as arrays called g_idx say it: empty where they are
// `group_size` columns each, in order, or where all are -1, which stands for
// that. CORRUPT_FILE for one out of range.
std::vector<uint32_t> ReadGroupIndex(const StoredArray& index, uint64_t groups,
                                     uint64_t group_size);
// Columns whose groups are not runs (act-order) are values: those of `codes`,
// each with the parameters of its column's group.
std::unique_ptr<FoundTensor> ValuesByIndex(std::unique_ptr<FoundTensor> codes,
                                           std::vector<uint32_t> index);

}  // namespace bnq

#endif  // BNQ_CORE_INTERCHANGE_MODULE_ARRAYS_H_
