#include "core/model/part_conversion.h"

#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "core/base/error.h"
#include "core/base/sha256.h"
#include "core/base/tick.h"
#include "core/io/atomic_file.h"
#include "core/io/deflate.h"
#include "core/io/endian.h"
#include "core/io/folder.h"
#include "core/io/held_outputs.h"
#include "core/io/mapped_file.h"
#include "core/io/temporary_file.h"
#include "core/io/text_file.h"
#include "core/model/convert.h"
#include "core/model/model_folder.h"
#include "core/model/report_record.h"
#include "core/model/source_model.h"

namespace bnq {
namespace {

constexpr char kMagic[] = "bnq part 1\n";

// What a finished part says of itself.
struct PartRecord {
  std::string conversion;  // SHA-256 of the fingerprint
  uint64_t file_bytes = 0;
  std::map<std::string, std::string> rows;
};

// The conversion of all parts, as each process sees it by itself.
class PartedConversion {
 public:
  PartedConversion(const Context& context, const Plan& plan,
                   const std::string& input, const std::string& output,
                   uint64_t count, const ConversionOptions& options)
      : context_(context),
        plan_(plan),
        output_(output),
        count_(count),
        target_(FolderOutput::Target(output)),
        file_(OpenSourceModel(context, input, options.requantize)) {
    if (options.max_shard_bytes != 0) {
      Fail(Status::kInvalidArgument,
           "max_shard_bytes = ", options.max_shard_bytes,
           ", must be 0: each part is a file");
    }
    if (options.resume || options.restart) {
      Fail(Status::kInvalidArgument,
           "resume and restart are not for parts: those that are finished are "
           "not made again");
    }
    Fingerprint fingerprint =
        QuantizeFingerprint(plan, *file_, options, {}, kSliceElements);
    fingerprint.Add(Message("parts=", count));
    conversion_ = Sha256Hex(fingerprint.text());
    assignment_ = PartsOf(*file_, count);
    std::vector<bool> used(count);
    for (size_t i = 0; i < assignment_.size(); ++i) {
      // What is the same as another tensor is in no file.
      if (file_->entries()[i].same_as.empty()) used[assignment_[i]] = true;
    }
    uint64_t files = 0;
    numbers_.resize(count);
    for (uint64_t part = 0; part < count; ++part) {
      if (used[part]) numbers_[part] = ++files;
    }
    num_files_ = files;
  }

  const ModelFile& file() const { return *file_; }
  const std::string& target() const { return target_; }
  std::string staging() const { return target_ + ".parts"; }
  std::string files() const { return staging() + "/files"; }
  // Of a part's weights, or "" where it has none.
  std::string FileOf(uint64_t part) const {
    const uint64_t number = numbers_[part];
    return number == 0       ? ""
           : num_files_ == 1 ? Name()
                             : ShardName(Name(), number, num_files_);
  }
  // "model.bnq"
  static std::string Name() {
    return std::string(kFolderModel) + WritableContainer(FileKind::kBnq).ending;
  }
  uint64_t num_files() const { return num_files_; }

  void MakeFolders() const {
    for (const std::string& folder : {staging(), files(), records()}) {
      TemporaryDirectory::Kept(folder, output_);
    }
  }

  void Record(const Report& report, uint64_t part) const {
    std::string record = kMagic;
    AppendText(conversion_, &record);
    AppendLE(FileBytes(files() + '/' + FileOf(part), part), &record);
    AppendLE(static_cast<uint32_t>(report.size()), &record);
    for (const ReportRow& row : report) {
      AppendText(row.name, &record);
      AppendText(RowRecord(row), &record);
    }
    AppendLE(Crc32(0, record.data(), record.size()), &record);
    WriteOptions options;
    options.overwrite = true;
    AtomicFile file(RecordPath(part), options);
    file.Append(record.data(), record.size());
    file.Commit();
  }

  // Before its file changes: a record is of the file that is there.
  void Forget(uint64_t part) const {
    RemoveFile(RecordPath(part));
    SyncDirectory(records());
  }

  // Whether the part is finished, with its file in `folder`; its rows.
  enum class Found { kNothing, kOther, kFinished };
  Found Restore(uint64_t part, const std::string& folder,
                Report* report) const {
    PartRecord record;
    if (!ReadRecord(part, &record)) return Found::kNothing;
    if (record.conversion != conversion_) return Found::kOther;
    if (record.file_bytes != FileBytes(folder + '/' + FileOf(part), part)) {
      return Found::kNothing;
    }
    for (size_t i = 0; i < assignment_.size(); ++i) {
      if (assignment_[i] != part) continue;
      ReportRow row = PlannedRow(plan_, file_->entries()[i]);
      const auto found = record.rows.find(row.name);
      if (found == record.rows.end()) return Found::kNothing;
      ReadRow(found->second, &row);
      report->push_back(std::move(row));
    }
    return Found::kFinished;
  }

 private:
  std::string records() const { return staging() + "/records"; }
  std::string RecordPath(uint64_t part) const {
    return Message(records(), '/', part + 1, "-of-", count_);
  }

  uint64_t FileBytes(const std::string& path, uint64_t part) const {
    if (numbers_[part] == 0) return 0;
    FileTraits traits;
    return FindTraits(path, &traits) ? traits.bytes : UINT64_MAX;
  }

  bool ReadRecord(uint64_t part, PartRecord* record) const {
    if (!IsRegularFile(RecordPath(part))) return false;
    const auto file = MappedFile::Open(context_, RecordPath(part));
    const std::string text(reinterpret_cast<const char*>(file->data()),
                           static_cast<size_t>(file->size()));
    constexpr size_t kMagicBytes = sizeof kMagic - 1;
    if (text.size() < kMagicBytes + 4 ||
        text.compare(0, kMagicBytes, kMagic) != 0 ||
        LoadLE<uint32_t>(file->data() + text.size() - 4) !=
            Crc32(0, text.data(), text.size() - 4)) {
      return false;  // and is written again
    }
    const std::string body =
        text.substr(kMagicBytes, text.size() - kMagicBytes - 4);
    RecordReader reader(body);
    record->conversion = reader.Text();
    record->file_bytes = reader.Number<uint64_t>();
    for (uint32_t rows = reader.Number<uint32_t>(); rows != 0; --rows) {
      const std::string name = reader.Text();
      record->rows[name] = reader.Text();
    }
    return true;
  }

  const Context& context_;
  const Plan& plan_;
  const std::string output_;
  const uint64_t count_;
  const std::string target_;
  const std::shared_ptr<const ModelFile> file_;
  std::string conversion_;
  std::vector<uint64_t> assignment_;  // the part of each entry
  std::vector<uint64_t> numbers_;     // of each part's file, from 1; 0: none
  uint64_t num_files_ = 0;
};

}  // namespace

Report QuantizePart(const Context& context, const Plan& plan,
                    const std::string& input, const std::string& output,
                    const ModelPart& part, const ConversionOptions& options,
                    const Progress& progress) {
  part.Check();
  TickingProgress ticking(context, progress);
  const PartedConversion parts(ticking.context(), plan, input, output,
                               part.count, options);
  ConversionOptions own = options;
  own.overwrite = true;  // of a process that was lost, or of another conversion
  own.held = nullptr;
  const std::string name = parts.FileOf(part.index);
  const std::string path =
      options.dry_run || name.empty() ? "" : parts.files() + '/' + name;
  if (path.empty()) own.dry_run = true;
  if (!options.dry_run) {
    Report report;
    if (parts.Restore(part.index, parts.files(), &report) ==
        PartedConversion::Found::kFinished) {
      report.output = path;
      return report;
    }
    FolderOutput::Check(input, output, options.overwrite);
    parts.MakeFolders();
    parts.Forget(part.index);
  }
  const Report report =
      QuantizeModel(&ticking, plan, parts.file(), part, input, path, own);
  if (!options.dry_run) parts.Record(report, part.index);
  return report;
}

Report JoinParts(const Context& context, const Plan& plan,
                 const std::string& input, const std::string& output,
                 uint64_t count, const ConversionOptions& options,
                 const Progress& progress) {
  ModelPart{0, count}.Check();
  TickingProgress ticking(context, progress);
  const PartedConversion parts(ticking.context(), plan, input, output, count,
                               options);
  // Killed between the two last steps, a process before this one has put the
  // folder in its place already.
  const bool placed = !IsFolder(parts.files()) && IsFolder(parts.target());
  if (!placed) FolderOutput::Check(input, output, options.overwrite);
  Report report;
  std::map<std::string, std::string> index;
  uint64_t total_bytes = 0;
  for (uint64_t part = 0; part < count; ++part) {
    const std::string name = parts.FileOf(part);
    const size_t begin = report.size();
    const auto found =
        parts.Restore(part, placed ? parts.target() : parts.files(), &report);
    if (found == PartedConversion::Found::kOther) {
      Fail(Status::kExists, "part ", part, " of ", count, " in ",
           Quoted(parts.staging()),
           " was made of another input, by another plan or other options; "
           "make it again, or remove the folder");
    }
    if (found == PartedConversion::Found::kNothing) {
      Fail(Status::kNotFound, "part ", part, " of ", count,
           " is not finished: ", Quoted(parts.staging()), " does not have it");
    }
    for (size_t i = begin; i < report.size(); ++i) {
      if (report[i].same_as.empty()) index[report[i].name] = name;
      total_bytes += report[i].bytes_after;
    }
    ticking.Report(part, count, name);
  }
  report.SortByName();
  report.output = output;
  if (!placed) {
    WriteOptions overwrite;
    overwrite.overwrite = true;
    if (parts.num_files() != 1) {
      WriteTextFile(parts.files() + '/' + parts.Name() + kIndexEnding,
                    IndexText(index, total_bytes), overwrite);
    }
    if (IsModelFolder(input)) {
      CopySideFiles(ticking.context(), input, parts.file(), parts.files());
    }
    RemoveUnfinished(parts.files());
    SyncDirectory(parts.files());
    HeldOutputs outputs;
    outputs.Add(TemporaryDirectory::Kept(parts.files(), output), parts.target(),
                options.overwrite);
    outputs.Place();
  }
  RemoveTree(parts.staging());
  return report;
}

}  // namespace bnq
