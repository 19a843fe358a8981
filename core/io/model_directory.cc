#include "core/io/model_directory.h"

#include <algorithm>
#include <iterator>
#include <vector>

#include "core/base/error.h"
#include "core/base/names.h"
#include "core/io/folder.h"
#include "core/io/temporary_file.h"

namespace bnq {
namespace {

constexpr const char* kPreferred[] = {"model.safetensors",
                                      "model.safetensors.index.json",
                                      "model.bnq", "model.bnq.index.json"};

bool IsIndex(const std::string& name) {
  return EndsWith(name, ".safetensors.index.json") ||
         EndsWith(name, ".bnq.index.json");
}

bool IsModel(const std::string& name) {
  return EndsWith(name, ".safetensors") || EndsWith(name, ".bnq");
}

// "model-00001-of-00003.safetensors", which an index tells of.
bool IsShard(const std::string& name) {
  const size_t of = name.rfind("-of-");
  const auto digits = [&](size_t at) {
    return at + 5 <= name.size() &&
           std::all_of(name.begin() + static_cast<std::ptrdiff_t>(at),
                       name.begin() + static_cast<std::ptrdiff_t>(at + 5),
                       [](char c) { return '0' <= c && c <= '9'; });
  };
  return of != std::string::npos && of >= 6 && digits(of - 5) && digits(of + 4);
}

// A GGUF file, the first of those of a split model.
bool IsGgufModel(const std::string& name) {
  return EndsWith(name, ".gguf") &&
         (!IsShard(name) || name.find("-00001-of-") != std::string::npos);
}

// What else of a model is there, for the message.
const char* OtherModel(const std::string& name) {
  if (EndsWith(name, ".bin") || EndsWith(name, ".pt") ||
      EndsWith(name, ".pth")) {
    return "a PyTorch checkpoint, which is not supported; save the tensors as "
           "safetensors";
  }
  return nullptr;
}

// Names in the directory but hidden ones, sorted.
std::vector<std::string> NamesIn(const std::string& path) {
  std::vector<std::string> names;
  ListFolder(path, [&](const std::string& name) {
    if (name[0] != '.') names.push_back(name);
  });
  std::sort(names.begin(), names.end());
  return names;
}

[[noreturn]] void FailNone(const std::string& path,
                           const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    if (IsShard(name) && IsModel(name)) {
      Fail(Status::kNotFound, "directory ", Quoted(path), " has ", Quoted(name),
           ", but not the index (*.index.json) of its model");
    }
  }
  for (const std::string& name : names) {
    if (const char* what = OtherModel(name)) {
      Fail(Status::kNotFound, "directory ", Quoted(path),
           " has no model that can be read: ", Quoted(name), " is ", what);
    }
  }
  Fail(Status::kNotFound, "directory ", Quoted(path),
       " has no model: no file *.safetensors, *.bnq, *.gguf, "
       "*.safetensors.index.json or *.bnq.index.json");
}

}  // namespace

std::string ModelPath(const std::string& path) {
  FileTraits traits;
  if (!FindTraits(path, &traits)) {
    // A model that was split when it was written to `path`.
    const std::string index = path + ".index.json";
    return FindTraits(index, &traits) ? index : path;
  }
  if (!traits.is_folder) return path;
  const std::vector<std::string> names = NamesIn(path);
  std::vector<std::string> models;
  for (const std::string& name : names) {
    if (IsIndex(name) || (IsModel(name) && !IsShard(name))) {
      models.push_back(name);
    }
  }
  // Beside a model of Hugging Face's, they are copies of it.
  if (models.empty()) {
    std::copy_if(names.begin(), names.end(), std::back_inserter(models),
                 IsGgufModel);
  }
  if (models.empty()) FailNone(path, names);
  std::string chosen = models[0];
  if (models.size() > 1) {
    const auto preferred = std::find_if(
        std::begin(kPreferred), std::end(kPreferred), [&](const char* name) {
          return std::find(models.begin(), models.end(), name) != models.end();
        });
    if (preferred == std::end(kPreferred)) {
      Fail(Status::kUnsupported, "directory ", Quoted(path), " has ",
           models.size(), " models (", Quoted(models[0]), ", ",
           Quoted(models[1]), models.size() > 2 ? ", ..." : "",
           "); name the one that is meant");
    }
    chosen = *preferred;
  }
  return (NameOf(path).empty() ? path : path + '/') + chosen;
}

}  // namespace bnq
