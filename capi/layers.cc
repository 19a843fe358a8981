#include "core/cache/layers.h"

#include <algorithm>
#include <utility>

#include "capi/cache.h"
#include "capi/handles.h"

using namespace bnq;
using namespace bnq::capi;

struct bnq_layers {
  std::unique_ptr<Layers> core;
};

struct bnq_layer {
  std::shared_ptr<const LoadedLayer> core;
};

namespace {

#define BNQ_SAME(value, id)                                                  \
  static_assert(static_cast<int>(LayersStat::value) == BNQ_LAYERS_STAT_##id, \
                #id)
BNQ_SAME(kLoads, LOADS);
BNQ_SAME(kPrefetched, PREFETCHED);
BNQ_SAME(kWaitSeconds, WAIT_SECONDS);
BNQ_SAME(kQuantized, QUANTIZED);
BNQ_SAME(kRestored, RESTORED);
BNQ_SAME(kBytesRead, BYTES_READ);
BNQ_SAME(kLargestBytes, LARGEST_BYTES);
BNQ_SAME(kPeakBytes, PEAK_BYTES);
#undef BNQ_SAME
static_assert(kNumLayersStats == BNQ_NUM_LAYERS_STATS, "stats");

Layers& CoreOf(bnq_layers* layers) { return *Required(layers, "layers").core; }

const LayerTensor& TensorAt(const bnq_layer* layer, uint64_t index) {
  const auto& tensors = Required(layer, "layer").core->tensors();
  if (index >= tensors.size()) {
    Fail(Status::kInvalidArgument, "index = ", index, ", must be below ",
         tensors.size());
  }
  return tensors[index];
}

}  // namespace

bnq_status bnq_layers_open(bnq_context* context, const char* model,
                           const bnq_plan* plan, bnq_cache* cache,
                           uint32_t look_ahead, bnq_layers** out_layers) {
  return Guard([&] {
    bnq_layers*& out = Output(out_layers, "out_layers");
    const std::string path = &Required(model, "model");
    auto layers = std::make_unique<bnq_layers>();
    layers->core = std::make_unique<Layers>(
        ContextOf(context), path, plan ? plan->core : Plan(),
        cache ? cache->core : nullptr, look_ahead);
    out = layers.release();
  });
}

void bnq_layers_close(bnq_layers* layers) { delete layers; }

uint64_t bnq_layers_count(const bnq_layers* layers) {
  return layers ? layers->core->groups().size() : 0;
}

const char* bnq_layers_name(const bnq_layers* layers, uint64_t index) {
  return index < bnq_layers_count(layers)
             ? layers->core->groups()[index].name.c_str()
             : nullptr;
}

uint64_t bnq_layers_bytes(const bnq_layers* layers, uint64_t index) {
  return index < bnq_layers_count(layers) ? layers->core->bytes(index) : 0;
}

bnq_status bnq_layers_find(const bnq_layers* layers, const char* name,
                           uint64_t* out_index) {
  return Guard([&] {
    uint64_t& out = Required(out_index, "out_index");
    out = Required(layers, "layers").core->Find(&Required(name, "name"));
  });
}

bnq_status bnq_layers_load(bnq_context* context, bnq_layers* layers,
                           uint64_t index, bnq_progress_fn progress,
                           void* opaque, bnq_layer** out_layer) {
  return Guard([&] {
    bnq_layer*& out = Output(out_layer, "out_layer");
    Layers& core = CoreOf(layers);
    if (index >= core.groups().size()) {
      Fail(Status::kInvalidArgument, "index = ", index, ", must be below ",
           core.groups().size());
    }
    auto layer = std::make_unique<bnq_layer>();
    layer->core =
        core.Load(ContextOf(context), index, ProgressOf(progress, opaque));
    out = layer.release();
  });
}

bnq_status bnq_layers_prepare(bnq_context* context, bnq_layers* layers,
                              bnq_progress_fn progress, void* opaque) {
  return Guard([&] {
    CoreOf(layers).Prepare(ContextOf(context), ProgressOf(progress, opaque));
  });
}

uint32_t bnq_layers_stat_count(void) { return kNumLayersStats; }

const char* bnq_layers_stat_name(uint32_t index) {
  return index < bnq_layers_stat_count()
             ? LayersStatName(static_cast<int>(index))
             : nullptr;
}

bnq_status bnq_layers_stats(const bnq_layers* layers, double* stats,
                            uint32_t stat_count) {
  return Guard([&] {
    Required(layers, "layers");
    if (stat_count > bnq_layers_stat_count()) {
      Fail(Status::kInvalidArgument, "stat_count = ", stat_count,
           ", must be 0 to ", bnq_layers_stat_count());
    }
    if (stat_count != 0) Required(stats, "stats");
    double values[kNumLayersStats];
    layers->core->Stats(values);
    std::copy_n(values, stat_count, stats);
  });
}

void bnq_layer_destroy(bnq_layer* layer) { delete layer; }

const char* bnq_layer_name(const bnq_layer* layer) {
  return layer ? layer->core->name().c_str() : nullptr;
}

uint64_t bnq_layer_count(const bnq_layer* layer) {
  return layer ? layer->core->tensors().size() : 0;
}

const char* bnq_layer_tensor_name(const bnq_layer* layer, uint64_t index) {
  return index < bnq_layer_count(layer)
             ? layer->core->tensors()[index].name.c_str()
             : nullptr;
}

uint64_t bnq_layer_bytes(const bnq_layer* layer) {
  return layer ? layer->core->bytes() : 0;
}

int32_t bnq_layer_format(const bnq_layer* layer, uint64_t index) {
  if (index >= bnq_layer_count(layer)) return -1;
  const LayerTensor& tensor = layer->core->tensors()[index];
  return tensor.tensor ? tensor.tensor->format().id : 0;
}

bnq_status bnq_layer_tensor(const bnq_layer* layer, uint64_t index,
                            bnq_tensor** out_tensor) {
  return Guard([&] {
    bnq_tensor*& out = Output(out_tensor, "out_tensor");
    const LayerTensor& found = TensorAt(layer, index);
    if (found.tensor == nullptr) {
      Fail(Status::kUnsupported, "tensor ", Quoted(found.name),
           " is a plain array; bnq_layer_array gives it");
    }
    auto tensor = std::make_unique<bnq_tensor>();
    tensor->core = found.tensor;
    out = tensor.release();
  });
}

bnq_status bnq_layer_array(const bnq_layer* layer, uint64_t index,
                           bnq_array* out_array) {
  return Guard([&] {
    bnq_array& out = Required(out_array, "out_array");
    const LayerTensor& found = TensorAt(layer, index);
    if (found.tensor != nullptr) {
      Fail(Status::kUnsupported, "tensor ", Quoted(found.name),
           " is quantized; bnq_layer_tensor gives it");
    }
    out.data = found.array.data;
    out.shape = found.array.shape.dims;
    out.dtype = static_cast<int32_t>(found.array.dtype);
    out.rank = found.array.shape.rank;
  });
}
