#include "core/model/source_model.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "core/base/error.h"
#include "core/io/naming.h"
#include "core/model/expert_stacks.h"
#include "core/model/foreign_model.h"
#include "core/model/layer_kind.h"
#include "core/model/quantized_already.h"
#include "core/tensor/search.h"
#include "core/tensor/source.h"

namespace bnq {
namespace {

// Bytes compared between two ticks.
constexpr uint64_t kPiece = uint64_t{1} << 20;

bool HaveSameBytes(const Context& context, const ModelFile& file,
                   const ModelEntry& a, const ModelEntry& b) {
  const uint8_t* const data_a = file.Mapped(a);
  const uint8_t* const data_b = file.Mapped(b);
  bool same = true;
  for (uint64_t at = 0; at < a.raw_bytes && same; at += kPiece) {
    const uint64_t n = std::min(kPiece, a.raw_bytes - at);
    same = std::memcmp(data_a + at, data_b + at, static_cast<size_t>(n)) == 0;
    file.Release(a, at, n);
    file.Release(b, at, n);
    context.Tick();
  }
  return same;
}

std::shared_ptr<const ModelFile> TieNames(
    const Context& context, const std::shared_ptr<const ModelFile>& file) {
  std::vector<ModelEntry> entries = file->entries();
  std::vector<ModelEntry*> firsts;
  Metadata metadata = file->metadata();
  bool tied = false;
  const auto look = [&](LayerKind kind) {
    for (ModelEntry& entry : entries) {
      const bool may_be = entry.shape.rank == 2 && entry.raw_bytes != 0 &&
                          file->Mapped(entry) != nullptr;
      if (!may_be || LayerKindOf(entry.name) != kind) continue;
      const auto first =
          std::find_if(firsts.begin(), firsts.end(), [&](ModelEntry* other) {
            return other->dtype == entry.dtype && other->shape == entry.shape &&
                   HaveSameBytes(context, *file, *other, entry);
          });
      if (first == firsts.end()) {
        firsts.push_back(&entry);
        continue;
      }
      SetMetadata(entry.name, (*first)->name, &metadata);
      entry = TiedEntry(**first, entry.name);
      tied = true;
    }
  };
  look(LayerKind::kEmbedding);
  look(LayerKind::kHead);
  if (!tied) return file;
  return ModelFile::View(file, std::move(entries), std::move(metadata), {});
}

// The first that is quantized, or was; nullptr: none.
const ModelEntry* FirstQuantized(const ModelFile& file) {
  for (const ModelEntry& entry : file.entries()) {
    if (entry.format != 0 || !entry.layout.empty()) return &entry;
  }
  return nullptr;
}

std::shared_ptr<const ModelFile> Source(
    const Context& context, const std::shared_ptr<const ModelFile>& file) {
  return TieNames(context, CutExperts(file, FindExpertStacks(context, *file)));
}

}  // namespace

bool HoldsQuantized(const ModelFile& file) {
  return IsBnq(file.kind()) || FirstQuantized(file) != nullptr;
}

std::shared_ptr<const ModelFile> OpenModel(const Context& context,
                                           const std::string& path) {
  const auto file = ForeignView(context, ModelFile::Open(context, path));
  return HoldsQuantized(*file) ? file : Source(context, file);
}

std::shared_ptr<const ModelFile> OpenSourceModel(const Context& context,
                                                 const std::string& input,
                                                 bool requantize) {
  auto file = ForeignView(context, ModelFile::Open(context, input));
  if (requantize) return Source(context, DequantizedView(file));
  const std::string again =
      " is quantized already; quantizing its values anew must be asked for "
      "(requantize)";
  if (IsBnq(file->kind())) {
    Fail(Status::kUnsupported, "input = ", Quoted(input),
         " is a .bnq file, which", again);
  }
  if (const ModelEntry* entry = FirstQuantized(*file)) {
    Fail(Status::kUnsupported, "input = ", Quoted(input), ", in which ",
         TensorSubject(entry->name), " is ", entry->layout, ',', again);
  }
  RefuseQuantized(context, *file, input);
  return Source(context, file);
}

ArrayView ArrayOf(const ModelFile& file, const ModelEntry& entry) {
  ArrayView view;
  view.data = file.Mapped(entry);
  view.dtype = static_cast<DType>(entry.dtype);
  view.shape = entry.shape;
  return view;
}

SourceArray::SourceArray(const Context& context, const ModelFile& file,
                         const ModelEntry& entry)
    : view_(ArrayOf(file, entry)) {
  if (view_.data != nullptr || entry.raw_bytes == 0) return;
  own_ = context.Allocate(entry.raw_bytes);
  PlainReader(context, file, entry).Read(own_.data(), entry.raw_bytes);
  view_.data = own_.data();
}

const char* WhyNoSource(const std::string& name, int32_t dtype, int rank) {
  if (dtype == 0 || !IsSource(static_cast<DType>(dtype))) {
    return "not floating-point";
  }
  return HoldsExperts(name, rank) ? "of all experts in one array" : nullptr;
}

const Config* ConfigFor(const Plan& plan, const ModelEntry& entry,
                        std::string* why) {
  const std::string& name = entry.same_as.empty() ? entry.name : entry.same_as;
  const Config* const config = plan.Match(name, entry.shape).config;
  if (config == nullptr) return nullptr;
  const char* const reason = WhyNoSource(name, entry.dtype, entry.shape.rank);
  if (reason == nullptr) return config;
  if (why != nullptr) *why = reason;
  return nullptr;
}

ReportRow PlannedRow(const Plan& plan, const ModelEntry& entry) {
  ReportRow row = RowOf(entry);
  if (entry.same_as.empty()) return row;
  const Config* const config = ConfigFor(plan, entry);
  if (config != nullptr) {
    row.format = config->format();
    row.dtype = 0;
  }
  row.same_as = entry.same_as;
  row.note = "the same as " + Quoted(entry.same_as);
  return row;
}

std::vector<float> ImportanceFor(const Plan& plan, const Config& config,
                                 const ModelEntry& entry) {
  const std::vector<float>* const given = plan.ImportanceOf(entry.name);
  if (given == nullptr || !MindsImportance(config)) return {};
  return CheckedImportance(config, entry.shape, given->data(), given->size());
}

}  // namespace bnq
