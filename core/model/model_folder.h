// Folders of models as Hugging Face lays them out: config.json, weights, and
// files beside them.
#ifndef BNQ_CORE_MODEL_MODEL_FOLDER_H_
#define BNQ_CORE_MODEL_MODEL_FOLDER_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/base/context.h"
#include "core/interchange/layout.h"
#include "core/io/atomic_file.h"
#include "core/io/json_tree.h"
#include "core/io/model_file.h"

namespace bnq {

class Temporary;  // io/temporary_file.h

// Of the weights of a folder that is written, without its ending.
constexpr char kFolderModel[] = "model";

// What config.json says that matters here.
struct ModelConfig {
  // "llama4", "llama4_text": of the model and of its parts.
  std::vector<std::string> model_types;
  // Of the language model; 0: not said.
  uint64_t hidden_size = 0;
  // How the weights are quantized already, "" where they are not: the
  // quant_method of quantization_config ("gptq", "fp8"), or that key's name.
  std::string quantization;
};

// Whether path is a folder with a config.json.
bool IsModelFolder(const std::string& path);
// Of a model folder. CORRUPT_FILE where it is not JSON.
ModelConfig ReadModelConfig(const Context& context, const std::string& folder);

// The whole of it; kNull where the folder has none.
JsonTree ReadModelConfigTree(const Context& context, const std::string& folder);

// Copies what is beside the weights of a model folder into another: every file
// that is not hidden, also in folders, but for weights, of which a warning
// tells. With to = "" that is all.
void CopySideFiles(const Context& context, const std::string& folder,
                   const ModelFile& model, const std::string& to);
// Removes what a process that was killed was about to write in a folder.
void RemoveUnfinished(const std::string& folder);

// The folder that a conversion of a model folder makes. It is built beside its
// place, and takes it when all is in it.
class FolderOutput {
 public:
  // Whether a conversion of `input` into `output` makes one: the input is a
  // model folder, and the output has not the ending of a file of tensors.
  static bool IsMeant(const std::string& input, const std::string& output);

  // EXISTS where there is something that may not be replaced: anything but an
  // empty folder; or, with options.overwrite, but a model folder. Also where
  // one of the folders lies in the other. In a dry run, that is all.
  FolderOutput(const Context& context, const std::string& input,
               const std::string& output, const WriteOptions& options);
  ~FolderOutput();

  // The errors of the constructor.
  static void Check(const std::string& input, const std::string& output,
                    bool overwrite);
  // Without symbolic links.
  static std::string Target(const std::string& output);
  // Where it is built; "" in a dry run.
  std::string path() const;
  // config.json is copied as it is: what is quantized how is said by the file
  // of the weights.
  void CopySideFiles(const ModelFile& model);
  // After that: changes config.json, or writes another file in place of a copy.
  void EditConfig(const std::vector<ConfigMember>& members);
  void WriteSideFile(const SideFile& file);
  // Puts it among the outputs, behind the files that go into it.
  void Place(HeldOutputs* outputs);

 private:
  const Context& context_;
  const std::string input_, target_;
  const WriteOptions options_;
  std::shared_ptr<Temporary> folder_;  // nullptr in a dry run
};

}  // namespace bnq

#endif  // BNQ_CORE_MODEL_MODEL_FOLDER_H_
