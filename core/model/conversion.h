// What conversions of a model file have in common: where the output goes, and
// going on with one that was interrupted.
#ifndef BNQ_CORE_MODEL_CONVERSION_H_
#define BNQ_CORE_MODEL_CONVERSION_H_

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/base/context.h"
#include "core/interchange/layout.h"
#include "core/io/model_file.h"
#include "core/io/model_output.h"
#include "core/io/partial_output.h"
#include "core/model/model_folder.h"
#include "core/model/report.h"

namespace bnq {

class Meter;  // meter.h

struct ConversionOptions : WriteOptions {
  ConversionOptions() = default;
  ConversionOptions(const WriteOptions& options) : WriteOptions(options) {}

  // Keep what is finished in partial_output.h's directory, and go on with what
  // is there; a dry run keeps nothing.
  bool resume = false;
  // resume, but begin anew.
  bool restart = false;
  // Quantize what RefuseQuantized refuses.
  bool requantize = false;
};

// What must be the same for a conversion to be gone on with: lines of text.
class Fingerprint {
 public:
  // operation: "quantize", ...
  Fingerprint(const char* operation, const ModelFile& file,
              const ConversionOptions& options);
  void Add(const std::string& line) { text_ += line + '\n'; }
  // What becomes of a tensor.
  void AddTensor(const ModelEntry& entry, const std::string& what);
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

// For one thread. Tensors are written in the order that order() says, each
// either restored or written and then recorded:
//
//   if (!conversion.Restore(&row)) {
//     write it to conversion.writer();
//     conversion.Record(row);
//   }
class Conversion {
 public:
  // Of `model`, which `input` names, into a file or files, or into a folder
  // (FolderOutput::IsMeant). As ModelOutput; and the errors of PartialOutput
  // and FolderOutput. The fingerprint is asked for where it is needed.
  Conversion(const Context& context, const ModelFile& model,
             const std::string& input, const std::string& output, FileKind kind,
             const ConversionOptions& options, const Metadata& metadata,
             std::vector<NewArray> arrays,
             const std::function<Fingerprint()>& fingerprint);

  // ModelOutput::order.
  const std::vector<size_t>& order() const { return order_; }
  // The tensor `row->name`, if it was written before this process: the rest of
  // the row, but for its shape and bytes_before, which are the input's.
  bool Restore(ReportRow* row);
  ModelOutput& writer() { return *writer_; }
  void Record(const ReportRow& row);
  // Of a folder: what becomes of its config.json, and what is put beside it. A
  // file alone has none of them, which is told.
  void SetSideFiles(std::vector<ConfigMember> members,
                    std::vector<SideFile> files);
  // Sorts the report, and says in it what was written.
  void Finish(Report* report);

 private:
  struct Finished {
    std::string row, state;
  };

  void OpenPartial(const std::string& target, const std::string& fingerprint,
                   bool restart);

  std::string Written() const;

  const Context& context_;
  const ModelFile& model_;
  const std::string output_;
  WriteOptions options_;
  std::shared_ptr<HeldOutputs> own_;      // nullptr: the caller's
  std::unique_ptr<FolderOutput> folder_;  // nullptr: files
  std::vector<ConfigMember> config_members_;
  std::vector<SideFile> side_files_;
  std::vector<size_t> order_;
  std::map<std::string, Finished> finished_;
  std::unique_ptr<ModelOutput> writer_;  // nullptr: everything is written
};

// Of all tensors, as they are read.
uint64_t TotalBytes(const ModelFile& file);
// EXISTS where the output would replace what the model is read from.
void RefuseSameFile(const ModelFile& file, const std::string& output);
// A section's bytes, piece by piece, into the entry that has begun.
void CopySection(const Context& context, const ModelFile& file,
                 const ModelEntry& entry, size_t section, Meter* meter,
                 ContainerWriter* writer);
// Those of a plain array.
void CopyPlain(const Context& context, const ModelFile& file,
               const ModelEntry& entry, Meter* meter, ModelOutput* writer);

}  // namespace bnq

#endif  // BNQ_CORE_MODEL_CONVERSION_H_
