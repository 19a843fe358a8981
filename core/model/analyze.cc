#include "core/model/analyze.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <utility>

#include "core/base/error.h"
#include "core/base/tick.h"
#include "core/io/bnq_writer.h"
#include "core/io/deflate.h"
#include "core/io/model_file.h"
#include "core/io/naming.h"
#include "core/io/text_file.h"
#include "core/model/convert.h"
#include "core/model/estimate.h"
#include "core/model/meter.h"
#include "core/model/source_model.h"
#include "core/model/tensor_entry.h"
#include "core/tensor/metrics.h"
#include "core/tensor/search.h"
#include "core/tensor/slices.h"
#include "core/tensor/source.h"

namespace bnq {
namespace {

constexpr std::chrono::seconds kSaveInterval{5};

uint32_t SampleOf(const uint8_t* data, uint64_t bytes) {
  constexpr uint64_t kPieces = 16, kPiece = 4096;
  if (bytes <= kPieces * kPiece) {
    return Crc32(0, data, static_cast<size_t>(bytes));
  }
  uint32_t crc = 0;
  for (uint64_t i = 0; i < kPieces; ++i) {
    // The first and the last bytes are among them.
    const uint64_t at = (bytes - kPiece) / (kPieces - 1) * i;
    crc = Crc32(crc, data + (i + 1 == kPieces ? bytes - kPiece : at), kPiece);
  }
  return crc;
}

// Says how far the slices are, and lets a caller cancel.
class SliceProgress : public SliceSink {
 public:
  SliceProgress(Meter* meter, DType dtype)
      : meter_(*meter), element_bytes_(Info(dtype).bits / 8) {}
  void Take(const QuantizedSlice& slice) override {
    meter_.Add((slice.end - slice.begin) * element_bytes_);
  }

 private:
  Meter& meter_;
  const uint64_t element_bytes_;
};

struct Work {
  const ModelEntry* entry;
  const Config* pinned;
  bool here = true;  // in the part
};

class Analysis {
 public:
  Analysis(const Context& context, const Plan& plan,
           const std::vector<Config>& candidates, const ModelFile& file,
           TickingProgress* progress, const std::string& save_path,
           Sensitivity* sensitivity, const ModelPart& part)
      : context_(context),
        plan_(plan),
        candidates_(candidates),
        file_(file),
        save_path_(save_path),
        sensitivity_(*sensitivity),
        filter_(file, part),
        saved_(std::chrono::steady_clock::now()) {
    uint64_t total = 0;
    for (const ModelEntry& entry : file.entries()) {
      Work work{&entry, nullptr};
      if (!entry.same_as.empty()) continue;
      if (!IsAnalyzed(plan, entry.name, entry.shape, entry.dtype,
                      &work.pinned)) {
        continue;
      }
      work.here =
          filter_.Has(static_cast<size_t>(&entry - file.entries().data()));
      work_.push_back(work);
      if (!work.here) continue;
      total += entry.raw_bytes * (work.pinned ? 1 : candidates.size());
    }
    meter_.emplace(progress, total);
  }

  void Run() {
    AddModel();
    for (const Work& work : work_) {
      if (!work.here) continue;
      InTensor(work.entry->name, [&] { Measure(work); });
      const auto now = std::chrono::steady_clock::now();
      if (now - saved_ < kSaveInterval) continue;
      Save();
      saved_ = now;
    }
    Save();
  }

  void Save() const {
    if (save_path_.empty()) return;
    WriteOptions options;
    options.overwrite = true;
    WriteTextFile(save_path_, sensitivity_.ToJson(), options);
  }

 private:
  void AddModel() {
    // All that is not analyzed, in a file of its own.
    std::vector<const ModelEntry*> rest;
    uint64_t elements = 0, input = 0;
    size_t next = 0;
    for (const ModelEntry& entry : file_.entries()) {
      input += entry.raw_bytes;
      if (!entry.same_as.empty()) continue;
      if (next < work_.size() && work_[next].entry == &entry) {
        ++next;
        continue;
      }
      rest.push_back(&entry);
      elements += entry.shape.elements();
    }
    sensitivity_.SetModel(PlainFileBytes(context_, rest, file_.metadata()),
                          elements, input);
  }

  void Measure(const Work& work) {
    const ModelEntry& entry = *work.entry;
    const SourceArray source(context_, file_, entry);
    const ArrayView& array = source.view();
    meter_->Begin(entry.name);
    SensitivityTensor tensor;
    tensor.shape = entry.shape;
    tensor.dtype = entry.dtype;
    tensor.sample_crc32 = SampleOf(array.data, entry.raw_bytes);
    tensor.plain_bytes = BnqEntryBytes(
        PlainEntry(entry.name, entry.dtype, entry.shape, entry.raw_bytes));
    const std::vector<float> importance = ImportanceOf(entry);
    if (!importance.empty()) {
      // 0 says that there is none.
      tensor.importance_crc32 = std::max(
          1u, Crc32(0, importance.data(), importance.size() * sizeof(float)));
    }
    SensitivityTensor& known = sensitivity_.Add(entry.name, tensor);
    if (work.pinned != nullptr) {
      MeasureCell(entry, array, *work.pinned, importance, &known);
    } else {
      for (const Config& candidate : candidates_) {
        MeasureCell(entry, array, candidate, importance, &known);
      }
    }
    file_.Release(entry);
  }

  std::vector<float> ImportanceOf(const ModelEntry& entry) const {
    const std::vector<float>* given = plan_.ImportanceOf(entry.name);
    if (given == nullptr) return {};
    Config any;  // that has importance: what is checked is the array's
    any.SetInt(static_cast<int32_t>(Option::kScaleRule),
               static_cast<int64_t>(ScaleRule::kMse));
    return CheckedImportance(any, entry.shape, given->data(), given->size());
  }

  void MeasureCell(const ModelEntry& entry, const ArrayView& array,
                   const Config& config, const std::vector<float>& importance,
                   SensitivityTensor* tensor) {
    const std::string text = config.ToText();
    SensitivityCell cell;
    cell.config = config;
    cell.bytes = tensor->plain_bytes;
    if (config.format() == 0) tensor->cells.emplace(text, cell);
    if (tensor->cells.count(text) != 0) {
      meter_->Add(entry.raw_bytes);
      return;
    }
    PartRooms parts(context_);
    SliceProgress progress(&*meter_, array.dtype);
    MetricsSink metrics(context_, array);
    if (!importance.empty()) {
      metrics.sums().SetWeights(importance.data(), importance.size());
    }
    QuantizeJob job{config, array};
    if (!importance.empty() && MindsImportance(config)) {
      job.importance = importance.data();
    }
    job.slice_elements = kSliceElements;
    try {
      QuantizeSlices(context_, job, &parts, {&metrics, &progress});
    } catch (const Error& error) {
      if (error.status() != Status::kUnsupported) throw;
      meter_->Add(entry.raw_bytes);
      return;  // not for such a tensor
    }
    cell.bytes =
        BnqEntryBytes(EntryOf(entry.name, entry.shape, config, parts.sizes()));
    if (entry.shape.elements() != 0) {
      const double error = metrics.sums().error_energy();
      const double energy = metrics.sums().energy();
      // What is important may be all zeros, which not all formats have.
      cell.relative_error = error == 0.0    ? 0.0
                            : energy == 0.0 ? 1.0
                                            : error / energy;
      const Metrics result = metrics.Result();
      cell.max_error = result.values[static_cast<int>(Metric::kMaxError)];
      cell.cosine = result.values[static_cast<int>(Metric::kCosine)];
    }
    tensor->cells.emplace(text, std::move(cell));
  }

  const Context& context_;
  const Plan& plan_;
  const std::vector<Config>& candidates_;
  const ModelFile& file_;
  const std::string save_path_;
  Sensitivity& sensitivity_;
  const PartFilter filter_;
  std::chrono::steady_clock::time_point saved_;
  std::vector<Work> work_;
  std::optional<Meter> meter_;
};

}  // namespace

const std::vector<Config>& DefaultCandidates() {
  static const std::vector<Config> candidates = [] {
    std::vector<Config> all;
    for (const char* text : {"ternary_per_group_128",
                             "int3,group_size=64,scheme=offset,scale_dtype=f16",
                             "int4_per_group_32", "int5_per_group_32",
                             "int6_per_group_32", "int8_per_group_32"}) {
      all.push_back(Config::FromText(text));
    }
    return all;
  }();
  return candidates;
}

bool IsAnalyzed(const Plan& plan, const std::string& name, const Shape& shape,
                int32_t dtype, const Config** pinned) {
  *pinned = nullptr;
  if (WhyNoSource(name, dtype, shape.rank) != nullptr) return false;
  const Plan::Decision decision = plan.Match(name, shape);
  if (decision.rule < 0) return shape.rank >= Plan::kMinRankAll;
  *pinned = decision.config;
  return decision.config != nullptr;
}

void AnalyzeFile(const Context& caller, const Plan& plan,
                 const std::vector<Config>& candidates,
                 const std::string& input, const std::string& save_path,
                 const Progress& progress, Sensitivity* sensitivity,
                 const ModelPart& part) {
  TickingProgress ticking(caller, progress);
  const Context& context = ticking.context();
  const auto file = OpenSourceModel(context, input);
  Analysis analysis(context, plan, candidates, *file, &ticking, save_path,
                    sensitivity, part);
  try {
    analysis.Run();
  } catch (...) {
    analysis.Save();
    throw;
  }
}

}  // namespace bnq
