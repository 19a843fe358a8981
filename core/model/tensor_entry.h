// A quantized tensor as an entry of a .bnq file: its parts are sections.
#ifndef BNQ_CORE_MODEL_TENSOR_ENTRY_H_
#define BNQ_CORE_MODEL_TENSOR_ENTRY_H_

#include <cstdint>
#include <string>

#include "core/base/context.h"
#include "core/base/shape.h"
#include "core/io/container.h"
#include "core/scheme/config.h"
#include "core/tensor/slices.h"
#include "core/tensor/tensor.h"

namespace bnq {

// Adds a tensor to a file that can hold it.
void WriteTensor(const std::string& name, const QuantizedTensor& tensor,
                 ContainerWriter* writer);

// The entry of a tensor with these parts, without its data.
BnqEntry EntryOf(const std::string& name, const Shape& shape,
                 const Config& config, const Parts& parts);
// Of a plain array of these bytes.
BnqEntry PlainEntry(const std::string& name, int32_t dtype, const Shape& shape,
                    uint64_t bytes);

// The same entry for another file: a plain array, or a quantized tensor.
BnqEntry EntryOf(const ModelEntry& entry);

// Writes the parts of a tensor while it is quantized, a slice at a time.
class EntrySink : public PartRooms {
 public:
  EntrySink(const Context& context, const std::string& name, const Shape& shape,
            const Config& config, ContainerWriter* writer)
      : PartRooms(context),
        name_(name),
        shape_(shape),
        config_(config),
        writer_(*writer) {}

  void Begin(const Parts& sizes) override;
  void Written(Part part, const uint8_t* data, uint64_t bytes) override;

  // After the last slice: the bytes the entry takes up as stored.
  uint64_t End() { return writer_.EndEntry(); }
  // Scales at the ends of what their type holds.
  uint64_t saturated_scales() const { return saturated_; }

 private:
  const std::string& name_;
  const Shape& shape_;
  const Config& config_;
  ContainerWriter& writer_;
  uint64_t saturated_ = 0;
};

// What a section of a .bnq file is: the part, and the type of its elements
// where the role says that. False for a role that is not known.
bool FindPartOfRole(uint32_t role, Part* part, DType* dtype);

}  // namespace bnq

#endif  // BNQ_CORE_MODEL_TENSOR_ENTRY_H_
