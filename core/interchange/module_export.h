// What the exports share whose tensors become modules (module_arrays.h).
#ifndef BNQ_CORE_INTERCHANGE_MODULE_EXPORT_H_
#define BNQ_CORE_INTERCHANGE_MODULE_EXPORT_H_

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/interchange/module_arrays.h"

namespace bnq {

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
  // The scales, where they are stored so; else nullptr.
  const PartData* StoredAs(DType dtype) const;

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
// All rows, where they lie, or in a buffer that is made for them.
const uint8_t* FieldRows(const Context& context, const QuantizedTensor& tensor,
                         FieldKind fields, uint64_t stride, Buffer* buffer);
void AppendFields(const Context& context, const QuantizedTensor& tensor,
                  FieldKind fields, uint64_t stride, const AppendBytes& append);

// What a tensor is planned as: arrays, and who writes them.
class PlannedTensor final : public ExportTensor {
 public:
  using WriteArray =
      std::function<void(const Context& context, const QuantizedTensor& tensor,
                         const AppendBytes& append)>;
  void Add(const std::string& name, DType dtype,
           const std::vector<uint64_t>& dims, WriteArray write);
  // Bytes that are known already.
  void Add(const std::string& name, DType dtype,
           const std::vector<uint64_t>& dims, std::string bytes);
  void Write(const Context& context, const QuantizedTensor& tensor, size_t i,
             const AppendBytes& append) override {
    writers_[i](context, tensor, append);
  }
  // The verdict is no better than this one, because of `reason`.
  void Lower(Verdict to, const std::string& reason);

  // Rounds n scales to `dtype`, and appends them: UNSUPPORTED for one that
  // becomes 0 or infinite. Remembers by how much they change.
  void AppendScales(const float* scales, uint64_t n, DType dtype,
                    const AppendBytes& append) {
    Append("scale", scales, n, dtype, /*to_zero=*/false, append);
  }
  // The same of offsets and biases, which may become 0.
  void AppendOffsets(const float* offsets, uint64_t n, DType dtype,
                     const AppendBytes& append) {
    Append("offset", offsets, n, dtype, /*to_zero=*/true, append);
  }

 private:
  void Append(const char* what, const float* values, uint64_t n, DType dtype,
              bool to_zero, const AppendBytes& append);
  void CompareRounded(const char* what, const float* values,
                      const float* stored, uint64_t n, DType dtype,
                      bool to_zero);

  std::vector<WriteArray> writers_;
};

// All of them, [rows, groups].
void AppendScalesOf(const GroupValues& values, DType dtype,
                    PlannedTensor* tensor, const AppendBytes& append);
// Of layouts whose arrays have inputs as rows: [groups, out].
void AppendTransposedScales(const GroupValues& values, DType dtype,
                            PlannedTensor* tensor, const AppendBytes& append);
// Zero points plus `shift` as fields of each row of [groups, out].
void AppendTransposedZeros(const GroupValues& values, FieldKind fields,
                           int32_t shift, const AppendBytes& append);
// What loaders of such layouts have in float16 alone.
void LowerToF16(const Config& config, PlannedTensor* tensor);

// Values as float16 or bfloat16 hold them; as they are for other types.
void RoundTo(DType dtype, float* values, uint64_t n);

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
  std::unique_ptr<PlainExport> PlanPlain(const ModelEntry& entry) override;
  Metadata MakeMetadata(const Metadata& input) override;
  std::string ReadBackAs(const ModelEntry& entry) const override {
    return Prefix(entry.name) + ".weight";
  }

 protected:
  ModuleExporter(const ExportRequest& request, std::string format)
      : request_(request), format_(std::move(format)) {}

  // "" where any layout of codes with scales could hold it; else why not.
  static std::string Refusal(const Config& config, const Parts& sizes,
                             const Shape& shape);
  static std::unique_ptr<PlannedTensor> Refused(const std::string& why);
  // The module whose weight it is: the name without ".weight", or all of a name
  // that ends otherwise.
  static std::string Prefix(const std::string& name);
  // A config of integers, of this format, that shares scales in the greatest of
  // the group sizes that divide the columns (channels: 0), and has nothing that
  // the layouts do not have.
  static Config NearestIntegers(const ModelEntry& entry, const Config& config,
                                const std::string& integers,
                                std::initializer_list<uint64_t> group_sizes);
  // The modules that stay as they are: a head among them that is none of its
  // own but the embedding, which loaders would take for one to be quantized.
  std::vector<std::string> Plain() const;

  const ExportRequest& request_;

 private:
  const std::string format_;  // of the metadata
  std::vector<std::string> plain_;
};

// A JSON array of texts.
std::string JsonList(const std::vector<std::string>& texts);

}  // namespace bnq

#endif  // BNQ_CORE_INTERCHANGE_MODULE_EXPORT_H_
