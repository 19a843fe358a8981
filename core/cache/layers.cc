#include "core/cache/layers.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <utility>

#include "core/base/error.h"
#include "core/base/fp_environment.h"
#include "core/base/process.h"
#include "core/base/tick.h"
#include "core/io/naming.h"
#include "core/model/convert.h"
#include "core/model/expert_stacks.h"
#include "core/model/source_model.h"
#include "core/tensor/quantize.h"

namespace bnq {
namespace {

constexpr const char* kStatNames[kNumLayersStats] = {
    "loads",    "prefetched", "wait_seconds",  "quantized",
    "restored", "bytes_read", "largest_bytes", "peak_bytes"};

// A file that was changed this recently may change again within one tick of the
// clock by which changes are noticed.
constexpr int64_t kSettled = int64_t{2} * 1000000000;

// Between two looks at whether to go on waiting.
constexpr std::chrono::milliseconds kLook{20};

using Nanoseconds = std::chrono::nanoseconds;

void Raise(std::atomic<uint64_t>* most, uint64_t value) {
  uint64_t seen = *most;
  while (seen < value && !most->compare_exchange_weak(seen, value)) {
  }
}

uint64_t BytesOf(const LayerTensor& tensor) {
  if (tensor.tensor != nullptr) return tensor.tensor->bytes();
  uint64_t bytes = 0;
  TryByteSize(tensor.array.shape, tensor.array.dtype, &bytes);
  return bytes;
}

}  // namespace

const char* LayersStatName(int stat) { return kStatNames[stat]; }

void LayersMeter::Begin(uint64_t bytes) {
  Raise(&largest, bytes);
  Raise(&peak, live += bytes);
}

void LayersMeter::End(uint64_t bytes) { live -= bytes; }

LoadedLayer::LoadedLayer(std::string name,
                         std::shared_ptr<const ModelFile> file,
                         std::vector<const ModelEntry*> entries,
                         std::vector<LayerTensor> tensors,
                         std::shared_ptr<LayersMeter> meter)
    : name_(std::move(name)),
      file_(std::move(file)),
      entries_(std::move(entries)),
      tensors_(std::move(tensors)),
      meter_(std::move(meter)) {
  for (const LayerTensor& tensor : tensors_) bytes_ += BytesOf(tensor);
  meter_->Begin(bytes_);
}

LoadedLayer::~LoadedLayer() {
  // What lies in the model's file need not stay in memory.
  for (const ModelEntry* entry : entries_) file_->Release(*entry);
  meter_->End(bytes_);
}

// Loads what is likely asked for next, on a thread of its own.
class Layers::Prefetcher {
 public:
  using Layer = std::shared_ptr<const LoadedLayer>;
  // Of an index; throws where it cannot be loaded, or tick() throws.
  using Loader = std::function<Layer(size_t, const std::function<void()>&)>;

  Prefetcher(size_t count, size_t look_ahead, Loader load)
      : count_(count), look_ahead_(look_ahead), load_(std::move(load)) {}

  ~Prefetcher() {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      stop_ = true;
    }
    wake_.notify_all();
    if (thread_.joinable()) thread_.join();
  }

  bool IsOfThisProcess() const { return process_.IsHere(); }

  // The layer, if it is or is being loaded; else nullptr: the caller loads it.
  // What is to be loaded from now on follows from it.
  Layer Take(const Context& context, size_t index) {
    std::unique_lock<std::mutex> lock(mutex_);
    Expect(index);
    Start();
    wake_.notify_all();
    for (;;) {
      const auto slot = slots_.find(index);
      if (slot == slots_.end()) return nullptr;
      if (slot->second.done) {
        const Layer layer = std::move(slot->second.layer);
        slots_.erase(slot);
        return layer;
      }
      ready_.wait_for(lock, kLook);
      lock.unlock();
      context.Tick();
      lock.lock();
    }
  }

 private:
  struct Slot {
    bool done = false;
    Layer layer;  // nullptr: it could not be loaded
  };

  // Which layers come after this one.
  void Expect(size_t index) {
    const bool back = last_ != kNone && index + 1 == last_;
    if (last_ != kNone && last_ + 1 == count_ && index == 0) repeats_ = true;
    last_ = index;
    wanted_.clear();
    for (size_t step = 1; step <= look_ahead_ && step < count_; ++step) {
      if (back ? step > index : index + step >= count_) {
        if (back || !repeats_) break;
      }
      wanted_.push_back(back ? index - step : (index + step) % count_);
    }
    for (auto slot = slots_.begin(); slot != slots_.end();) {
      const bool keep = slot->first == index || IsWanted(slot->first);
      // One that is being loaded goes when its loader notices.
      slot = keep || !slot->second.done ? std::next(slot) : slots_.erase(slot);
    }
    needed_ = index;
  }

  bool IsWanted(size_t index) const {
    return index == needed_ ||
           std::find(wanted_.begin(), wanted_.end(), index) != wanted_.end();
  }

  // The system may grant no thread: then nothing is loaded ahead.
  void Start() {
    if (started_) return;
    started_ = true;
    try {
      thread_ = std::thread([this] { Loop(); });
    } catch (const std::exception&) {
      look_ahead_ = 0;
    }
  }

  void Loop() {
    const FpEnvironment environment;
    std::unique_lock<std::mutex> lock(mutex_);
    for (;;) {
      size_t next = kNone;
      wake_.wait(lock, [&] {
        const auto missing = std::find_if(
            wanted_.begin(), wanted_.end(),
            [&](size_t index) { return slots_.count(index) == 0; });
        next = missing == wanted_.end() ? kNone : *missing;
        return stop_ || next != kNone;
      });
      if (stop_) return;
      slots_[next] = {};
      lock.unlock();
      Layer layer = Load(next);
      lock.lock();
      // Nobody may want it any more.
      if (IsWanted(next)) {
        slots_[next] = {true, std::move(layer)};
      } else {
        slots_.erase(next);
        layer.reset();
      }
      ready_.notify_all();
    }
  }

  // Errors are the caller's to see, who then loads the layer.
  Layer Load(size_t index) {
    try {
      return load_(index, [&] {
        std::lock_guard<std::mutex> lock(mutex_);
        if (stop_ || !IsWanted(index)) Fail(Status::kCancelled, "not wanted");
      });
    } catch (...) {
      return nullptr;
    }
  }

  static constexpr size_t kNone = SIZE_MAX;

  const size_t count_;
  size_t look_ahead_;
  const Loader load_;
  const ProcessMark process_;
  std::mutex mutex_;
  std::condition_variable wake_, ready_;
  std::thread thread_;
  bool started_ = false, stop_ = false, repeats_ = false;
  size_t last_ = kNone, needed_ = kNone;
  std::vector<size_t> wanted_;  // the nearest first
  std::map<size_t, Slot> slots_;
};

Layers::Layers(const Context& context, const std::string& model,
               const Plan& plan, std::shared_ptr<Cache> cache,
               uint32_t look_ahead, const Clock& clock)
    : file_(OpenModel(context, model)),
      plan_(plan),
      cache_(std::move(cache)),
      checked_(new std::atomic<bool>[file_->entries().size()]()) {
  std::vector<std::string> names;
  for (const ModelEntry& entry : file_->entries()) {
    names.push_back(entry.name);
    if (identities_.count(entry.reader) != 0) continue;
    std::vector<const MappedFile*> files;
    entry.reader->ListFiles(&files);
    std::string& identity = identities_[entry.reader];
    FileTraits traits;
    const int64_t now = clock();
    if (files.size() == 1 && FindTraits(files[0]->path(), &traits) &&
        files[0]->has_id() && traits.id == files[0]->id() &&
        now - std::max(traits.changed, traits.modified) > kSettled) {
      identity = Message(Quoted(RealPath(files[0]->path())), " inode ",
                         traits.id.inode, " bytes ", traits.bytes, " modified ",
                         traits.modified, " changed ", traits.changed);
    }
  }
  // A matrix of this name may be cut in another way tomorrow.
  for (const auto& [key, value] : file_->metadata()) {
    if (key == kExpertStacks) cuts_ = " experts " + value;
  }
  groups_ = GroupLayers(names);
  if (look_ahead == 0) return;
  Context quiet = context;
  quiet.runner = nullptr;
  quiet.log = nullptr;
  prefetcher_ = std::make_unique<Prefetcher>(
      groups_.size(), look_ahead,
      [this, quiet](size_t index, const std::function<void()>& tick) {
        Context ticking = quiet;
        ticking.tick = tick;
        return Read(ticking, index, nullptr, 0, 0);
      });
}

Layers::~Layers() {
  // The parent's threads are not there in the child of a fork, and what they
  // held is in no known state.
  if (prefetcher_ != nullptr && !prefetcher_->IsOfThisProcess()) {
    static_cast<void>(prefetcher_.release());
  }
}

uint64_t Layers::bytes(size_t index) const {
  uint64_t bytes = 0;
  for (const size_t i : groups_[index].tensors) {
    bytes += file_->entries()[i].raw_bytes;
  }
  return bytes;
}

size_t Layers::Find(const std::string& name) const {
  const ModelEntry* const entry = file_->Find(name);
  for (size_t i = 0; i < groups_.size(); ++i) {
    const LayerGroup& group = groups_[i];
    if (group.name == name) return i;
    for (const size_t tensor : group.tensors) {
      if (&file_->entries()[tensor] == entry) return i;
    }
  }
  Fail(Status::kNotFound, "there is no layer and no tensor ", Quoted(name),
       " in the model");
}

std::string Layers::IdentityOf(const ModelEntry& entry) const {
  const std::string& file = identities_.at(entry.reader);
  return file.empty() ? "" : file + cuts_ + " tensor " + Quoted(entry.name);
}

CachedTensor Layers::QuantizeEntry(const Context& context, const Config& config,
                                   const ModelEntry& entry) {
  ArrayView array = ArrayOf(*file_, entry);
  Buffer buffer;
  const auto read = [&] {
    if (array.data == nullptr && entry.raw_bytes != 0) {
      buffer = context.Allocate(entry.raw_bytes);
      PlainReader(context, *file_, entry).Read(buffer.data(), entry.raw_bytes);
      array.data = buffer.data();
    }
    meter_->bytes_read += entry.raw_bytes;
    return array;
  };
  const std::vector<float> importance = ImportanceFor(plan_, config, entry);
  const float* const weights = importance.empty() ? nullptr : importance.data();
  bool hit = false;
  CachedTensor tensor;
  if (cache_ == nullptr) {
    const ArrayView source = read();
    QuantizeJob job{config, source};
    job.importance = weights;
    tensor = bnq::Quantize(context, job);
  } else {
    CacheRequest request(config, array);
    request.importance = weights;
    request.identity = IdentityOf(entry);
    request.read = read;
    tensor = cache_->Quantize(context, request, &hit);
  }
  ++(hit ? meter_->restored : meter_->quantized);
  file_->Release(entry);
  return tensor;
}

LayerTensor Layers::ReadTensor(const Context& context,
                               const ModelEntry& entry) {
  LayerTensor tensor;
  tensor.name = entry.name;
  if (entry.format != 0) {
    tensor.tensor = LoadTensor(context, file_, entry, IsChecked(entry));
    IsChecked(entry) = true;
    return tensor;
  }
  const Config* const config = ConfigFor(plan_, entry);
  if (config != nullptr) {
    tensor.tensor = InTensor(
        entry.name, [&] { return QuantizeEntry(context, *config, entry); });
    return tensor;
  }
  tensor.array = ArrayOf(*file_, entry);
  PlainReader reader(context, *file_, entry);
  if (tensor.array.data != nullptr || entry.raw_bytes == 0) {
    if (!IsChecked(entry)) reader.Read(nullptr, entry.raw_bytes);
    IsChecked(entry) = true;
  } else {
    tensor.owned = context.Allocate(entry.raw_bytes);
    reader.Read(tensor.owned.data(), entry.raw_bytes);
    tensor.array.data = tensor.owned.data();
  }
  return tensor;
}

std::shared_ptr<const LoadedLayer> Layers::Read(const Context& context,
                                                size_t index,
                                                TickingProgress* progress,
                                                uint64_t done, uint64_t total) {
  std::vector<const ModelEntry*> entries;
  std::vector<LayerTensor> tensors;
  for (const size_t i : groups_[index].tensors) {
    const ModelEntry& entry = file_->entries()[i];
    if (progress != nullptr) progress->Report(done, total, entry.name);
    entries.push_back(&entry);
    tensors.push_back(ReadTensor(context, entry));
    done += entry.raw_bytes;
    context.Tick();
  }
  return std::make_shared<const LoadedLayer>(groups_[index].name, file_,
                                             std::move(entries),
                                             std::move(tensors), meter_);
}

std::shared_ptr<const LoadedLayer> Layers::Load(const Context& caller,
                                                size_t index,
                                                const Progress& progress) {
  const auto begin = std::chrono::steady_clock::now();
  TickingProgress ticking(caller, progress);
  const uint64_t total = bytes(index);
  ticking.Report(0, total, groups_[index].name);
  std::shared_ptr<const LoadedLayer> layer;
  if (prefetcher_ != nullptr && prefetcher_->IsOfThisProcess()) {
    layer = prefetcher_->Take(ticking.context(), index);
    if (layer != nullptr) ++meter_->prefetched;
  }
  if (layer == nullptr) {
    layer = Read(ticking.context(), index, &ticking, 0, total);
  }
  ticking.Report(total, total, groups_[index].name);
  ++meter_->loads;
  meter_->wait_ns +=
      static_cast<uint64_t>(std::chrono::duration_cast<Nanoseconds>(
                                std::chrono::steady_clock::now() - begin)
                                .count());
  return layer;
}

void Layers::Prepare(const Context& caller, const Progress& progress) {
  if (cache_ == nullptr) {
    Fail(Status::kInvalidArgument,
         "there is no cache in which layers could be prepared");
  }
  TickingProgress ticking(caller, progress);
  uint64_t total = 0, done = 0;
  for (size_t i = 0; i < groups_.size(); ++i) total += bytes(i);
  for (size_t i = 0; i < groups_.size(); ++i) {
    Read(ticking.context(), i, &ticking, done, total);
    done += bytes(i);
  }
  ticking.Report(done, total, "");
}

void Layers::Stats(double* values) const {
  const uint64_t counts[kNumLayersStats] = {
      meter_->loads,    meter_->prefetched, meter_->wait_ns, meter_->quantized,
      meter_->restored, meter_->bytes_read, meter_->largest, meter_->peak};
  std::copy_n(counts, kNumLayersStats, values);
  values[static_cast<int>(LayersStat::kWaitSeconds)] /= 1e9;
}

}  // namespace bnq
