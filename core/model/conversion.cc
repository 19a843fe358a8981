#include "core/model/conversion.h"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <utility>

#include "core/base/error.h"
#include "core/base/names.h"
#include "core/io/deflate.h"
#include "core/io/endian.h"
#include "core/io/held_outputs.h"
#include "core/model/meter.h"
#include "core/model/report_record.h"
#include "core/scheme/codec_revision.h"

namespace bnq {
namespace {

// Bytes of a plain array copied at a time.
constexpr uint64_t kCopy = uint64_t{1} << 20;

}  // namespace

Fingerprint::Fingerprint(const char* operation, const ModelFile& file,
                         const ConversionOptions& options) {
  Add(Message(operation, " codec_revision=", kCodecRevision,
              " metrics=", kNumMetrics));
  Add(Message("max_shard_bytes=", options.max_shard_bytes));
  Add(Message("compress=", options.compress ? ZlibVersion() : "no"));
  for (const MappedFile* part : file.files()) {
    Add(Message("file ", Quoted(NameOf(part->path())), " bytes=", part->size(),
                " modified_ns=", part->modified_ns()));
  }
  for (const auto& [key, value] : file.metadata()) {
    Add(Message("metadata ", Quoted(key),
                " crc32=", Hex(Crc32(0, value.data(), value.size()), 8)));
  }
}

void Fingerprint::AddTensor(const ModelEntry& entry, const std::string& what) {
  Add(Message("tensor ", Quoted(entry.name), " dtype=", entry.dtype,
              " format=", entry.format, " shape=", entry.shape.ToString(),
              " bytes=", entry.raw_bytes, " becomes ", what));
}

void Conversion::OpenPartial(const std::string& target,
                             const std::string& fingerprint, bool restart) {
  options_.partial =
      std::make_shared<PartialOutput>(target, fingerprint, restart);
  for (const std::string& record : options_.partial->records()) {
    RecordReader reader(record);
    const std::string name = reader.Text();
    Finished& finished = finished_[name];
    finished.row = reader.Text();
    finished.state = reader.Text();
  }
}

Conversion::Conversion(const Context& context, const ModelFile& model,
                       const std::string& input, const std::string& output,
                       FileKind kind, const ConversionOptions& options,
                       const Metadata& metadata, std::vector<NewArray> arrays,
                       const std::function<Fingerprint()>& fingerprint)
    : context_(context), model_(model), output_(output), options_(options) {
  const bool is_folder = FolderOutput::IsMeant(input, output);
  if ((options.resume || options.restart) && !options.dry_run) {
    // Shards are put beside the path, a single file beside what it leads to.
    const std::string target = is_folder ? FolderOutput::Target(output)
                               : options.max_shard_bytes != 0
                                   ? output
                                   : FollowLinks(output);
    OpenPartial(target, fingerprint().text(), options.restart);
  }
  if (is_folder) {
    folder_ = std::make_unique<FolderOutput>(context, input, output, options_);
  }
  if (options_.held == nullptr) {
    options_.held = own_ = std::make_shared<HeldOutputs>();
  }
  if (options_.partial != nullptr && options_.partial->complete()) {
    order_.resize(arrays.size());
    std::iota(order_.begin(), order_.end(), size_t{0});
    return;
  }
  const Container& row = WritableContainer(kind);
  const std::string path =
      !is_folder        ? output
      : options.dry_run ? ""
                        : folder_->path() + '/' + kFolderModel + row.ending;
  writer_ = std::make_unique<ModelOutput>(context, path, kind, options_,
                                          metadata, std::move(arrays));
  order_ = writer_->order();
}

bool Conversion::Restore(ReportRow* row) {
  const auto found = finished_.find(row->name);
  if (found == finished_.end()) return false;
  if (writer_) writer_->RestoreEntry(row->name, found->second.state);
  ReadRow(found->second.row, row);
  return true;
}

void Conversion::Record(const ReportRow& row) {
  if (options_.partial == nullptr) return;
  std::string record;
  AppendText(row.name, &record);
  AppendText(RowRecord(row), &record);
  AppendText(writer_->EntryState(), &record);
  options_.partial->Record(std::move(record));
}

void Conversion::SetSideFiles(std::vector<ConfigMember> members,
                              std::vector<SideFile> files) {
  const bool is_file = folder_ == nullptr && !output_.empty();
  if (is_file && (!members.empty() || !files.empty())) {
    std::string names;
    for (const ConfigMember& member : members) {
      names += Message(names.empty() ? "" : ", ", "config.json with ",
                       Quoted(member.key));
    }
    for (const SideFile& file : files) {
      names += (names.empty() ? "" : ", ") + file.name;
    }
    context_.Log(LogLevel::kWarning,
                 Message("a file alone is written, without what its loaders "
                         "need beside it (",
                         names, "): give a folder with a config.json"));
  }
  config_members_ = std::move(members);
  side_files_ = std::move(files);
}

std::string Conversion::Written() const {
  if (folder_) return output_;
  if (writer_) return writer_->written();
  for (const PartialOutput::Move& move : options_.partial->moves()) {
    if (EndsWith(move.to, kIndexEnding)) return output_ + kIndexEnding;
  }
  return output_;
}

void Conversion::Finish(Report* report) {
  if (writer_) {
    writer_->Finish();
    if (folder_) {
      folder_->CopySideFiles(model_);
      folder_->EditConfig(config_members_);
      for (const SideFile& file : side_files_) folder_->WriteSideFile(file);
      folder_->Place(options_.held.get());
    }
  } else {
    PartialOutput::Complete(options_.partial, options_.held.get(),
                            options_.overwrite);
  }
  if (own_) own_->Place();
  report->SortByName();
  report->output = Written();
}

uint64_t TotalBytes(const ModelFile& file) {
  uint64_t total = 0;
  for (const ModelEntry& entry : file.entries()) total += entry.raw_bytes;
  return total;
}

void RefuseSameFile(const ModelFile& file, const std::string& output) {
  if (file.IsReadFrom(output) || file.IsReadFrom(output + ".index.json")) {
    Fail(Status::kExists, "output = ", Quoted(output),
         " is also the input, and must be another file");
  }
}

void CopySection(const Context& context, const ModelFile& file,
                 const ModelEntry& entry, size_t section, Meter* meter,
                 ContainerWriter* writer) {
  const auto reader = file.OpenSection(context, entry, section);
  Buffer buffer = context.Allocate(std::min(kCopy, reader->remaining()));
  for (uint64_t at = 0; reader->remaining() != 0;) {
    const uint64_t n = std::min(kCopy, reader->remaining());
    reader->Read(buffer.data(), n);
    writer->Append(section, buffer.data(), n);
    file.Release(entry, at, n, section);
    at += n;
    meter->Add(n);
  }
}

void CopyPlain(const Context& context, const ModelFile& file,
               const ModelEntry& entry, Meter* meter, ModelOutput* writer) {
  CopySection(context, file, entry, 0, meter, writer);
}

}  // namespace bnq
