#include "core/tensor/quantize.h"

#include <utility>

namespace bnq {
namespace {

// A tensor in memory, written in place.
class TensorSink : public PartSink {
 public:
  TensorSink(const Context& context, const QuantizeJob& job, const Parts& into)
      : context_(context), job_(job), into_(into) {}

  void Begin(const Parts& sizes) override {
    Parts given = sizes;
    for (int i = 0; i < kNumParts; ++i) {
      const Part id = PartAt(i).id;
      given[id].data = into_[id].data;
    }
    tensor_ = std::make_unique<QuantizedTensor>(context_, job_.config,
                                                job_.array.shape, given);
  }
  uint8_t* Room(Part part, uint64_t begin, uint64_t /*bytes*/) override {
    uint8_t* const data = tensor_->mutable_part(part);
    return data == nullptr ? nullptr : data + begin;
  }
  std::unique_ptr<QuantizedTensor> Finish() { return std::move(tensor_); }

 private:
  const Context& context_;
  const QuantizeJob& job_;
  const Parts& into_;
  std::unique_ptr<QuantizedTensor> tensor_;
};

}  // namespace

std::unique_ptr<QuantizedTensor> Quantize(const Context& context,
                                          const QuantizeJob& job,
                                          const Parts& into) {
  TensorSink sink(context, job, into);
  QuantizeSlices(context, job, &sink);
  return sink.Finish();
}

}  // namespace bnq
