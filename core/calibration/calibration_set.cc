#include "core/calibration/calibration_set.h"

#include <utility>

#include "core/base/error.h"
#include "core/calibration/dataset.h"
#include "core/io/bnq_writer.h"
#include "core/io/model_file.h"

namespace bnq {
namespace {

const char kPrototype[] = "prototype";
const char kPrefix[] = "calibrator:";
const char kKind[] = "bnq.kind";
const char kKindValue[] = "calibration";

// An error of one calibrator gets its name.
template <class F>
void InCalibrator(const std::string& name, F f) {
  Within([&] { return "calibrator " + Quoted(name); }, f);
}

std::unique_ptr<Calibrator> Copy(const Context& context,
                                 const Calibrator& calibrator) {
  return calibrator.Clone(context);
}

}  // namespace

CalibrationSet::CalibrationSet(const CalibrationOptions& options)
    : prototype_(std::make_unique<Calibrator>(options)) {}

std::unique_ptr<Calibrator> CalibrationSet::New() const {
  return prototype_->Clone(Context());
}

void CalibrationSet::SetText(const Context& context, const std::string& option,
                             const std::string& value) {
  Map changed;
  for (const auto& item : calibrators_) {
    InCalibrator(item.first, [&] {
      auto copy = Copy(context, *item.second);
      copy->SetText(option, value);
      changed[item.first] = std::move(copy);
    });
  }
  prototype_->SetText(option, value);
  if (!changed.empty()) {
    // A histogram that was kept goes on being kept, also by those to come: else
    // they could not be merged.
    const int32_t id = static_cast<int32_t>(CalibrationOption::kHistogram);
    prototype_->SetInt(id, changed.begin()->second->options().GetInt(id));
  }
  calibrators_ = std::move(changed);
}

void CalibrationSet::Observe(const Context& context, const std::string& name,
                             const ArrayView& array) {
  const auto found = calibrators_.find(name);
  if (found != calibrators_.end()) {
    InCalibrator(name,
                 [&] { found->second->Observe(context, array, nullptr); });
    return;
  }
  auto calibrator = New();
  InCalibrator(name, [&] { calibrator->Observe(context, array, nullptr); });
  calibrators_[name] = std::move(calibrator);
}

void CalibrationSet::ObserveFile(const Context& context,
                                 const std::string& path,
                                 const std::string* as_name,
                                 const Progress& progress) {
  Map changed;
  ObserveArrays(context, path, nullptr, progress, [&](const std::string& own) {
    const std::string& name = as_name != nullptr ? *as_name : own;
    auto& calibrator = changed[name];
    if (calibrator == nullptr) {
      const auto found = calibrators_.find(name);
      calibrator =
          found != calibrators_.end() ? Copy(context, *found->second) : New();
    }
    return calibrator.get();
  });
  for (auto& item : changed) {
    calibrators_[item.first] = std::move(item.second);
  }
}

void CalibrationSet::Merge(const Context& context,
                           const CalibrationSet& other) {
  Map changed;
  for (const auto& item : other.calibrators_) {
    InCalibrator(item.first, [&] {
      const auto found = calibrators_.find(item.first);
      auto copy =
          found != calibrators_.end() ? Copy(context, *found->second) : New();
      copy->Merge(context, *item.second);
      changed[item.first] = std::move(copy);
    });
  }
  for (auto& item : changed) {
    calibrators_[item.first] = std::move(item.second);
  }
}

void CalibrationSet::Save(const Context& context, const std::string& path,
                          const WriteOptions& options) const {
  BnqWriter writer(context, path, options);
  Write(context, &writer);
}

std::shared_ptr<const MemoryOutput> CalibrationSet::Serialize(
    const Context& context) const {
  auto output = std::make_shared<MemoryOutput>(context.allocator);
  BnqWriter writer(context, output, WriteOptions());
  Write(context, &writer);
  return output;
}

void CalibrationSet::Write(const Context& context, BnqWriter* writer) const {
  writer->SetMetadata(kKind, kKindValue);
  const auto add = [&](const std::string& name, const Calibrator& calibrator) {
    const std::string bytes = calibrator.Serialize(context);
    BnqEntry entry;
    entry.name = name;
    entry.dtype = static_cast<int32_t>(DType::kU8);
    const uint64_t size = bytes.size();
    entry.shape = Shape::Make(1, &size);
    entry.sections.emplace_back();
    entry.sections[0].raw_bytes = size;
    writer->BeginEntry(std::move(entry));
    writer->Append(0, bytes.data(), size);
    writer->EndEntry();
  };
  add(kPrototype, *prototype_);
  for (const auto& item : calibrators_) add(kPrefix + item.first, *item.second);
  writer->Finish();
}

std::unique_ptr<CalibrationSet> CalibrationSet::Load(const Context& context,
                                                     const std::string& path) {
  return Read(context, *ModelFile::Open(context, path), Quoted(path));
}

std::unique_ptr<CalibrationSet> CalibrationSet::Deserialize(
    const Context& context, const uint8_t* data, uint64_t size) {
  return Read(context, *ModelFile::FromMemory(context, data, size), "data");
}

bool CalibrationSet::IsIn(const ModelFile& file) {
  bool marked = false;
  for (const auto& item : file.metadata()) {
    marked = marked || (item.first == kKind && item.second == kKindValue);
  }
  return file.kind() == FileKind::kBnq && marked;
}

std::unique_ptr<CalibrationSet> CalibrationSet::Read(const Context& context,
                                                     const ModelFile& file,
                                                     const std::string& what) {
  if (!IsIn(file)) {
    Fail(Status::kCorruptFile, what, " is not a file of calibrators");
  }
  auto set = std::make_unique<CalibrationSet>(CalibrationOptions());
  bool prototype = false;
  const std::string prefix = kPrefix;
  for (const ModelEntry& entry : file.entries()) {
    InCalibrator(entry.name, [&] {
      const bool named = entry.name.compare(0, prefix.size(), prefix) == 0;
      if (entry.format != 0 || entry.dtype != static_cast<int>(DType::kU8) ||
          (!named && entry.name != kPrototype)) {
        Fail(Status::kCorruptFile, "it is not one of a file of calibrators");
      }
      Buffer bytes = context.Allocate(entry.raw_bytes);
      PlainReader(context, file, entry).Read(bytes.data(), entry.raw_bytes);
      auto calibrator =
          Calibrator::Deserialize(context, bytes.data(), entry.raw_bytes);
      if (named) {
        set->calibrators_[entry.name.substr(prefix.size())] =
            std::move(calibrator);
      } else {
        set->prototype_ = std::move(calibrator);
        prototype = true;
      }
    });
  }
  if (!prototype) {
    Fail(Status::kCorruptFile, what, " has no prototype");
  }
  return set;
}

}  // namespace bnq
