#include "core/model/estimate.h"

#include "core/io/model_output.h"
#include "core/io/naming.h"
#include "core/model/source_model.h"
#include "core/model/tensor_entry.h"
#include "core/scheme/registry.h"
#include "core/scheme/support.h"
#include "core/tensor/parts.h"

namespace bnq {
namespace {

WriteOptions DryRun(uint64_t max_shard_bytes) {
  WriteOptions options;
  options.dry_run = true;
  options.max_shard_bytes = max_shard_bytes;
  return options;
}

}  // namespace

uint64_t PlainFileBytes(const Context& context,
                        const std::vector<const ModelEntry*>& entries,
                        const Metadata& metadata) {
  ModelOutput output(context, "", FileKind::kBnq, DryRun(0), metadata, {});
  for (const ModelEntry* entry : entries) {
    output.BeginEntry(
        PlainEntry(entry->name, entry->dtype, entry->shape, entry->raw_bytes));
    output.SkipEntry();
  }
  output.Finish();
  return output.file_bytes();
}

Estimate EstimateFile(const Context& context, const Plan& plan,
                      const std::string& input, uint64_t max_shard_bytes) {
  const auto file = OpenSourceModel(context, input);
  ModelOutput output(context, "", FileKind::kBnq, DryRun(max_shard_bytes),
                     file->metadata(), {});
  Estimate estimate;
  for (const ModelEntry& entry : file->entries()) {
    ReportRow row = PlannedRow(plan, entry);
    if (!entry.same_as.empty()) {
      estimate.rows.push_back(std::move(row));
      continue;
    }
    const Config* config = ConfigFor(plan, entry, &row.note);
    InTensor(entry.name, [&] {
      if (config != nullptr) {
        CheckSupported(FormatOf(*config), *config);
        row.format = config->format();
        row.dtype = 0;
        if (config->outlier_threshold() != 0.0f) {
          row.note = "without outlier columns, which only the data tell";
        }
        output.BeginEntry(EntryOf(entry.name, entry.shape, *config,
                                  PartSizes(*config, entry.shape)));
      } else {
        output.BeginEntry(
            PlainEntry(entry.name, entry.dtype, entry.shape, entry.raw_bytes));
      }
      row.bytes_after = output.SkipEntry();
    });
    estimate.rows.push_back(std::move(row));
  }
  estimate.rows.SortByName();
  output.Finish();
  estimate.file_bytes = output.file_bytes();
  return estimate;
}

}  // namespace bnq
