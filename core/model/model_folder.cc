#include "core/model/model_folder.h"

#include <algorithm>
#include <set>

#include "core/base/error.h"
#include "core/base/names.h"
#include "core/io/container.h"
#include "core/io/folder.h"
#include "core/io/held_outputs.h"
#include "core/io/json_sax.h"
#include "core/io/partial_output.h"
#include "core/io/temporary_file.h"

namespace bnq {
namespace {

constexpr char kConfig[] = "config.json";
// Of config.json.
constexpr uint64_t kMaxConfigBytes = uint64_t{64} << 20;

// What holds weights, of this or another program, and tells of them.
constexpr const char* kWeightEndings[] = {
    ".safetensors", ".bnq",  ".bin",      ".pt",       ".pth",
    ".ckpt",        ".gguf", ".onnx",     ".h5",       ".msgpack",
    ".npz",         ".npy",  ".pdparams", ".tflite",   ".onnx_data",
    ".index.json",  ".ot",   ".mlmodel",  ".onnx.data"};

bool IsWeights(const std::string& name) {
  return std::any_of(
      std::begin(kWeightEndings), std::end(kWeightEndings),
      [&](const char* ending) { return EndsWith(name, ending); });
}

std::string WithoutSlashes(std::string path) {
  while (path.size() > 1 && NameOf(path).empty()) path.pop_back();
  return path;
}

class ConfigParser final : public JsonHandler {
 public:
  ConfigParser(const std::string& label, ModelConfig* config)
      : label_(label), config_(*config) {}

 private:
  using Keys = std::vector<std::string>;

  [[noreturn]] void OnError(const std::string& what) override {
    Fail(Status::kCorruptFile, label_, ": ", what.substr(0, 400));
  }
  void OnOther(const std::string&) override {}
  void OnUnsigned(uint64_t value) override {
    const bool of_text = keys_.size() == 2 && keys_[0] == "text_config";
    if ((keys_.size() == 1 || of_text) && keys_.back() == "hidden_size") {
      config_.hidden_size = value;
    }
  }
  void OnString(std::string& value) override {
    const bool of_part = keys_.size() == 2 && EndsWith(keys_[0], "_config");
    if ((keys_.size() == 1 || of_part) && keys_.back() == "model_type") {
      config_.model_types.push_back(value);
    }
    if (keys_ == Keys{"quantization_config", "quant_method"}) {
      config_.quantization = value;
    }
  }
  void OnStart(bool) override {
    for (const char* key :
         {"quantization_config", "quantization", "compression_config"}) {
      if (keys_ == Keys{key} && config_.quantization.empty()) {
        config_.quantization = key;
      }
    }
    keys_.emplace_back();
  }
  void OnKey(std::string& key) override { keys_.back() = key; }
  void OnEnd() override { keys_.pop_back(); }

  const std::string& label_;
  ModelConfig& config_;
  Keys keys_;  // that lead to what comes next
};

// With a slash at its end, and without links and dots, though it may not be
// there yet.
std::string Resolved(const std::string& path) {
  FileTraits traits;
  if (FindTraits(path, &traits)) return RealPath(path) + '/';
  const std::string parent = DirectoryOf(path);
  return RealPath(parent.empty() ? "." : parent) + '/' +
         path.substr(parent.size()) + '/';
}

bool IsWithin(const std::string& path, const std::string& other) {
  return path.compare(0, other.size(), other) == 0;
}

void CheckTarget(const std::string& input, const std::string& output,
                 const std::string& target, bool overwrite) {
  const std::string from = Resolved(input), to = Resolved(target);
  if (IsWithin(from, to) || IsWithin(to, from)) {
    Fail(Status::kExists, "output folder ", Quoted(output),
         from == to ? " is also the input" : " and the input lie in each other",
         ", must be another folder");
  }
  // A link that leads nowhere has been followed to where nothing is.
  FileTraits traits;
  if (!FindTraits(target, &traits) || IsEmptyDirectory(target)) return;
  if (!overwrite) {
    Fail(Status::kExists, "output ", Quoted(output),
         " exists and overwriting was not asked for");
  }
  if (!IsModelFolder(target)) {
    Fail(Status::kExists, "output ", Quoted(output),
         " exists and is not the folder of a model (it has no config.json), "
         "which alone would be replaced");
  }
}

// Names of files below a folder, by whether they hold weights. Hidden ones are
// not there, and links to folders are not followed.
void ListFiles(const std::string& folder, std::set<std::string>* side,
               std::set<std::string>* weights) {
  ListTree(
      folder, [](const std::string& name) { return name[0] != '.'; },
      [&](const std::string& path) {
        if (NameOf(path)[0] == '.' || !IsRegularFile(folder + '/' + path)) {
          return;
        }
        (IsWeights(path) ? weights : side)->insert(path);
      });
}

std::shared_ptr<const MappedFile> OpenConfig(const Context& context,
                                             const std::string& folder) {
  auto file = MappedFile::Open(context, WithoutSlashes(folder) + '/' + kConfig);
  if (file->size() > kMaxConfigBytes) {
    Fail(Status::kCorruptFile, file->label(), ": ", file->size(),
         " bytes, must be at most ", kMaxConfigBytes);
  }
  return file;
}

void CopyFile(const Context& context, const std::string& folder,
              const std::string& name, const std::string& to_folder) {
  // Pieces between two ticks.
  constexpr uint64_t kPiece = uint64_t{1} << 20;
  const std::string to = to_folder + '/' + name;
  MakeFolders(DirectoryOf(to));
  const auto file = MappedFile::Open(context, folder + '/' + name);
  WriteOptions options;
  options.overwrite = true;  // of a run that was interrupted
  AtomicFile copy(to, options);
  for (uint64_t at = 0; at < file->size(); at += kPiece) {
    const uint64_t n = std::min(kPiece, file->size() - at);
    copy.Append(file->data() + at, n);
    file->Release(at, n);
    context.Tick();
  }
  copy.Commit();
}

}  // namespace

void RemoveUnfinished(const std::string& folder) {
  std::vector<std::string> unfinished;
  ListTree(
      folder, [](const std::string&) { return true; },
      [&](const std::string& path) {
        if (IsTemporaryName(NameOf(path))) unfinished.push_back(path);
      });
  for (const std::string& path : unfinished) RemoveFile(folder + '/' + path);
}

void CopySideFiles(const Context& context, const std::string& given,
                   const ModelFile& model, const std::string& to) {
  const std::string folder = WithoutSlashes(given);
  std::set<std::string> side, weights;
  ListFiles(folder, &side, &weights);
  for (const MappedFile* file : model.files()) {
    weights.erase(NameOf(file->path()));
  }
  if (!weights.empty()) {
    std::string names;
    for (const std::string& name : weights) {
      names += (names.empty() ? "" : ", ") + name;
    }
    context.Log(LogLevel::kWarning,
                Message("other weights in ", Quoted(folder),
                        " are not in the output: ", names.substr(0, 400)));
  }
  if (to.empty()) return;
  for (const std::string& name : side) CopyFile(context, folder, name, to);
}

bool IsModelFolder(const std::string& path) {
  return IsFolder(path) && IsRegularFile(path + '/' + kConfig);
}

ModelConfig ReadModelConfig(const Context& context, const std::string& folder) {
  const auto file = OpenConfig(context, folder);
  ModelConfig config;
  ConfigParser(file->label(), &config)
      .Parse(reinterpret_cast<const char*>(file->data()),
             static_cast<size_t>(file->size()));
  return config;
}

JsonTree ReadModelConfigTree(const Context& context,
                             const std::string& folder) {
  if (!IsModelFolder(folder)) return {};
  const auto file = OpenConfig(context, folder);
  return ParseJson({reinterpret_cast<const char*>(file->data()),
                    static_cast<size_t>(file->size())},
                   file->label().c_str());
}

bool FolderOutput::IsMeant(const std::string& input,
                           const std::string& output) {
  if (output.empty() || !IsModelFolder(input)) return false;
  return std::none_of(
      Containers().begin(), Containers().end(),
      [&](const Container* row) { return EndsWith(output, row->ending); });
}

void FolderOutput::Check(const std::string& input, const std::string& output,
                         bool overwrite) {
  CheckTarget(WithoutSlashes(input), output, Target(output), overwrite);
}

std::string FolderOutput::Target(const std::string& output) {
  return FollowLinks(WithoutSlashes(output));
}

FolderOutput::FolderOutput(const Context& context, const std::string& input,
                           const std::string& output,
                           const WriteOptions& options)
    : context_(context),
      input_(WithoutSlashes(input)),
      target_(Target(output)),
      options_(options) {
  // One that is complete is in its place, perhaps.
  const bool complete =
      options.partial != nullptr && options.partial->complete();
  if (!complete) CheckTarget(input_, output, target_, options.overwrite);
  if (options.dry_run || complete) return;
  if (options.partial != nullptr) {
    folder_ = options.partial->OpenDirectory(target_);
    RemoveUnfinished(path());
  } else {
    folder_ =
        std::make_shared<TemporaryDirectory>(DirectoryOf(target_), target_);
  }
}

FolderOutput::~FolderOutput() = default;

std::string FolderOutput::path() const {
  return folder_ == nullptr ? "" : folder_->name();
}

void FolderOutput::CopySideFiles(const ModelFile& model) {
  bnq::CopySideFiles(context_, input_, model, path());
}

void FolderOutput::EditConfig(const std::vector<ConfigMember>& members) {
  if (folder_ == nullptr || members.empty()) return;
  std::string text;
  {
    const auto file = OpenConfig(context_, path());
    text.assign(reinterpret_cast<const char*>(file->data()),
                static_cast<size_t>(file->size()));
  }
  for (const ConfigMember& member : members) {
    text = WithMember(text, member.key, member.json, kConfig);
  }
  WriteSideFile({kConfig, text});
}

void FolderOutput::WriteSideFile(const SideFile& file) {
  if (folder_ == nullptr) return;
  WriteOptions options;
  options.overwrite = true;  // that of the input, or of a run interrupted
  AtomicFile written(path() + '/' + file.name, options);
  written.Append(file.text.data(), file.text.size());
  written.Commit();
}

void FolderOutput::Place(HeldOutputs* outputs) {
  if (folder_ == nullptr) return;
  SyncDirectory(path());
  outputs->Add(folder_, target_, options_.overwrite, options_.partial);
}

}  // namespace bnq
