// The one way to quantize an array: slice by slice, into sinks.
//
// A slice is a run of whole blocks (quantizer.h): contiguous elements, with
// their codes. A PartSink says where the parts go (a tensor in memory, a file);
// any number of SliceSinks look at each slice's values as they decode (metrics,
// and whatever else wants to know what is lost). Memory that holds everything
// takes the array as one slice, and is written in place.
#ifndef BNQ_CORE_TENSOR_SLICES_H_
#define BNQ_CORE_TENSOR_SLICES_H_

#include <cstdint>
#include <vector>

#include "core/base/context.h"
#include "core/base/shape.h"
#include "core/scheme/config.h"
#include "core/scheme/params.h"
#include "core/tensor/dequantize.h"
#include "core/tensor/find_params.h"
#include "core/tensor/parts.h"

namespace bnq {

constexpr uint64_t kWholeArray = UINT64_MAX;

struct QuantizeJob {
  const Config& config;
  const ArrayView& array;
  // Parameters that are given, as many as the tensor has, with the scales as
  // they are stored (but for double quantization); nullptr: found as config
  // says.
  const ParamSet* params = nullptr;
  // With params: values that are not finite have not been looked for.
  bool check_finite = false;
  // Weights of the squared errors of the columns of the last dimension, as many
  // as there are, for the search (segment.h); nullptr: 1 for all.
  const float* importance = nullptr;
  // The most elements of a slice, but for a single block of more.
  uint64_t slice_elements = kWholeArray;
  // Of the whole array, to be filled with what codes decode as: no codes are
  // then made where there need not be any. May be the array's own float32.
  float* values = nullptr;
  // Hears of the passes over the array that come before its slices.
  PassHook on_pass = nullptr;
};

// Where a tensor's parts go.
class PartSink {
 public:
  virtual ~PartSink() = default;
  // The sizes of all parts, before anything else.
  virtual void Begin(const Parts& sizes) = 0;
  // Room for bytes [begin, begin + bytes) of a part, aligned as it has to be;
  // valid until the next call for this part.
  virtual uint8_t* Room(Part part, uint64_t begin, uint64_t bytes) = 0;
  // The room has been filled; a part's bytes come in order.
  virtual void Written(Part /*part*/, const uint8_t* /*data*/,
                       uint64_t /*bytes*/) {}
};

// Keeps no more of a part than was asked for last.
class PartRooms : public PartSink {
 public:
  explicit PartRooms(const Context& context) : context_(context) {}

  void Begin(const Parts& sizes) override { sizes_ = sizes; }
  uint8_t* Room(Part part, uint64_t /*begin*/, uint64_t bytes) override {
    Buffer& room = rooms_[static_cast<int>(part) - 1];
    if (room.size() < bytes) room = context_.Allocate(bytes);
    return room.data();
  }
  const Parts& sizes() const { return sizes_; }

 private:
  const Context& context_;
  Parts sizes_;
  Buffer rooms_[kNumParts];
};

struct QuantizedSlice {
  uint64_t begin, end;  // elements
  bool last;
  const Dequantizer& values;  // of these elements
  // Parameters that its codes were made with, and those that they are decoded
  // with: of parameters from param_base on, param_count of them.
  ParamSpan coding, decoding;
  uint64_t param_base, param_count;
  const Outliers& outliers;  // of the tensor
  // The job's values are there; then `values` has none.
  bool round_trip;
};

class SliceSink {
 public:
  virtual ~SliceSink() = default;
  // The slices in order; on the calling thread. May throw to cancel.
  virtual void Take(const QuantizedSlice& slice) = 0;
};

// Where scales are stored together (double_quant, e4m3), codes are made with
// the scales as they are stored, but for double quantized tables (nf4, fp4):
// with the exact ones, as bitsandbytes does. NON_FINITE names the first index.
void QuantizeSlices(const Context& context, const QuantizeJob& job,
                    PartSink* parts, const std::vector<SliceSink*>& sinks = {});

}  // namespace bnq

#endif  // BNQ_CORE_TENSOR_SLICES_H_
