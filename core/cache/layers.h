// A model's layers one after the other: read, quantized or restored from a
// cache, and the next ones meanwhile.
#ifndef BNQ_CORE_CACHE_LAYERS_H_
#define BNQ_CORE_CACHE_LAYERS_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/base/context.h"
#include "core/base/memory.h"
#include "core/base/shape.h"
#include "core/cache/cache.h"
#include "core/io/folder.h"
#include "core/io/model_file.h"
#include "core/model/layer_groups.h"
#include "core/model/plan.h"

namespace bnq {

class TickingProgress;  // base/tick.h

// Values are those of BNQ_LAYERS_STAT_* (capi/layers.cc asserts it).
enum class LayersStat {
  kLoads = 0,
  kPrefetched,
  kWaitSeconds,
  kQuantized,
  kRestored,
  kBytesRead,
  kLargestBytes,
  kPeakBytes,
};
constexpr int kNumLayersStats = 8;
const char* LayersStatName(int stat);  // below kNumLayersStats

// What layers have in common to count.
struct LayersMeter {
  std::atomic<uint64_t> loads{0}, prefetched{0}, quantized{0}, restored{0},
      bytes_read{0}, wait_ns{0}, largest{0}, live{0}, peak{0};
  void Begin(uint64_t bytes);  // of a layer that is there now
  void End(uint64_t bytes);
};

// A tensor of a layer: quantized, or else a plain array.
struct LayerTensor {
  std::string name;
  CachedTensor tensor;
  ArrayView array;
  Buffer owned;  // where the array is not in the file as it is
};

// A layer that is in memory, or in mapped files. Immutable; it may outlive the
// Layers that it comes from.
class LoadedLayer {
 public:
  LoadedLayer(std::string name, std::shared_ptr<const ModelFile> file,
              std::vector<const ModelEntry*> entries,
              std::vector<LayerTensor> tensors,
              std::shared_ptr<LayersMeter> meter);
  ~LoadedLayer();
  LoadedLayer(const LoadedLayer&) = delete;
  LoadedLayer& operator=(const LoadedLayer&) = delete;

  const std::string& name() const { return name_; }
  const std::vector<LayerTensor>& tensors() const { return tensors_; }
  // Of all tensors and arrays.
  uint64_t bytes() const { return bytes_; }

 private:
  const std::string name_;
  const std::shared_ptr<const ModelFile> file_;
  const std::vector<const ModelEntry*> entries_;
  const std::vector<LayerTensor> tensors_;
  const std::shared_ptr<LayersMeter> meter_;
  uint64_t bytes_ = 0;
};

// Any number of threads may use one, but the look-ahead follows one sequence.
class Layers {
 public:
  // A model file of any kind, or its folder. `plan` says what becomes of
  // tensors that are not quantized yet; `cache` may be nullptr. While a layer
  // is in use, up to `look_ahead` more are loaded by a thread of its own.
  Layers(const Context& context, const std::string& model, const Plan& plan,
         std::shared_ptr<Cache> cache, uint32_t look_ahead,
         const Clock& clock = SystemTime);
  ~Layers();
  Layers(const Layers&) = delete;
  Layers& operator=(const Layers&) = delete;

  const std::vector<LayerGroup>& groups() const { return groups_; }
  const ModelFile& file() const { return *file_; }
  // Bytes of a layer's tensors in the model.
  uint64_t bytes(size_t index) const;
  // The layer of this name, or with a tensor of this name. NOT_FOUND.
  size_t Find(const std::string& name) const;

  // A layer; those that are likely asked for next are loaded meanwhile: the
  // ones behind it, or before it after a step backwards, and from the last one
  // on the first ones again once that has happened. Progress is in bytes of the
  // layer in the model. Errors name the tensor.
  std::shared_ptr<const LoadedLayer> Load(const Context& context, size_t index,
                                          const Progress& progress);
  // Has everything that the plan quantizes in the cache (INVALID_ARGUMENT
  // without one). Progress is in bytes of all layers.
  void Prepare(const Context& context, const Progress& progress);
  void Stats(double* values) const;

 private:
  class Prefetcher;

  std::shared_ptr<const LoadedLayer> Read(const Context& context, size_t index,
                                          TickingProgress* progress,
                                          uint64_t done, uint64_t total);
  LayerTensor ReadTensor(const Context& context, const ModelEntry& entry);
  CachedTensor QuantizeEntry(const Context& context, const Config& config,
                             const ModelEntry& entry);
  std::string IdentityOf(const ModelEntry& entry) const;
  // Of an entry of the file: whether its checksums have been compared.
  std::atomic<bool>& IsChecked(const ModelEntry& entry) {
    return checked_[static_cast<size_t>(&entry - file_->entries().data())];
  }

  const std::shared_ptr<const ModelFile> file_;
  const Plan plan_;
  const std::shared_ptr<Cache> cache_;
  std::vector<LayerGroup> groups_;
  // What stands for each file's contents: "" where it has changed just now.
  std::map<const ContainerReader*, std::string> identities_;
  std::string cuts_;  // how experts are cut, of identities
  const std::unique_ptr<std::atomic<bool>[]> checked_;
  const std::shared_ptr<LayersMeter> meter_ = std::make_shared<LayersMeter>();
  std::unique_ptr<Prefetcher> prefetcher_;
};

}  // namespace bnq

#endif  // BNQ_CORE_CACHE_LAYERS_H_
