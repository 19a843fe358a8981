#include "core/calibration/dataset.h"

#include <algorithm>
#include <functional>
#include <utility>
#include <vector>

#include "core/base/error.h"
#include "core/base/names.h"
#include "core/base/tick.h"
#include "core/io/folder.h"
#include "core/io/model_file.h"
#include "core/io/temporary_file.h"

namespace bnq {
namespace {

// An array of a file, and where it lies in it.
struct Item {
  std::string name;
  ArrayView array;
  uint64_t bytes = 0;
  // Gives the pages of these elements back.
  std::function<void(uint64_t begin, uint64_t end)> release;
};
using Visit = std::function<void(const Item& item)>;

// Of these names themselves, which are hidden files, too.
bool IsData(const std::string& name) {
  return name != ".npy" && name != ".safetensors" &&
         (EndsWith(name, ".npy") || EndsWith(name, ".safetensors"));
}

std::vector<std::string> FilesAt(const Context& context,
                                 const std::string& path) {
  if (!IsFolder(path)) return {path};
  const std::string folder = NameOf(path).empty() ? path : path + '/';
  std::vector<std::string> files, hidden;
  ListFolder(path, [&](const std::string& name) {
    if (!IsData(name)) return;
    (name[0] == '.' ? hidden : files).push_back(folder + name);
  });
  std::sort(hidden.begin(), hidden.end());
  for (const std::string& file : hidden) {
    context.Log(LogLevel::kWarning, "skipped hidden file " + Quoted(file));
  }
  if (files.empty()) {
    Fail(Status::kNotFound, "directory ", Quoted(path),
         " has no file *.npy or *.safetensors",
         hidden.empty() ? "" : " that is not hidden");
  }
  std::sort(files.begin(), files.end());
  return files;
}

// visit of each array of a file; their data may be missing unless asked for.
void VisitArrays(const Context& context, const std::string& path,
                 const std::string* name, bool data, const Visit& visit) {
  const auto file = ModelFile::Open(context, path);
  for (const ModelEntry& entry : file->entries()) {
    if (name != nullptr && entry.name != *name) continue;
    const bool plain =
        entry.format == 0 && IsSource(static_cast<DType>(entry.dtype));
    if (!plain && name == nullptr) continue;
    if (!plain) {
      Fail(Status::kUnsupported, "tensor ", Quoted(entry.name), " of ",
           Quoted(path), " is not an array of F64, F32, F16 or BF16");
    }
    Item item;
    item.name = entry.name;
    item.array.dtype = static_cast<DType>(entry.dtype);
    item.array.shape = entry.shape;
    item.bytes = entry.raw_bytes;
    item.array.data = file->Mapped(entry);
    Buffer inflated;
    if (data && item.array.data == nullptr && item.bytes != 0) {
      inflated = context.Allocate(item.bytes);
      PlainReader(context, *file, entry).Read(inflated.data(), item.bytes);
      item.array.data = inflated.data();
    }
    const uint64_t size = Info(item.array.dtype).bits / 8;
    item.release = [&](uint64_t begin, uint64_t end) {
      file->Release(entry, begin * size, (end - begin) * size);
    };
    visit(item);
  }
}

void ObserveItem(const Context& context, const std::string& path,
                 const Item& item, uint64_t done, uint64_t total,
                 TickingProgress* progress, Calibrator* calibrator) {
  const uint64_t elements = item.array.shape.elements();
  const uint64_t passes = static_cast<uint64_t>(calibrator->passes());
  uint64_t read = 0;
  const auto subject = [&] {
    return Message("array ", Quoted(item.name), " of ", Quoted(path));
  };
  Within(subject, [&] {
    calibrator->Observe(context, item.array, [&](uint64_t begin, uint64_t end) {
      item.release(begin, end);
      read += end - begin;
      const double share =
          static_cast<double>(read) /
          (static_cast<double>(elements) * static_cast<double>(passes));
      progress->Report(
          done + static_cast<uint64_t>(share * static_cast<double>(item.bytes)),
          total, item.name);
    });
  });
}

}  // namespace

std::vector<DataArray> FindArrays(const Context& context,
                                  const std::string& path,
                                  const std::string* name) {
  std::vector<DataArray> arrays;
  for (const std::string& file : FilesAt(context, path)) {
    VisitArrays(context, file, name, false, [&](const Item& item) {
      arrays.push_back({file, item.name, item.bytes});
    });
  }
  if (arrays.empty()) {
    Fail(Status::kNotFound, Quoted(path), " has no ",
         name != nullptr ? "array " : "floating-point array",
         name != nullptr ? Quoted(*name).c_str() : "");
  }
  return arrays;
}

void ObserveArrays(const Context& caller, const std::string& path,
                   const std::string* name, const Progress& progress,
                   const CalibratorOf& calibrator_of) {
  TickingProgress ticking(caller, progress);
  const Context& context = ticking.context();
  uint64_t total = 0;
  std::vector<std::string> files;
  for (const DataArray& array : FindArrays(context, path, name)) {
    total += array.bytes;
    if (files.empty() || files.back() != array.file) {
      files.push_back(array.file);
    }
  }
  uint64_t done = 0;
  for (const std::string& file : files) {
    VisitArrays(context, file, name, true, [&](const Item& item) {
      ticking.Report(done, total, item.name);
      ObserveItem(context, file, item, done, total, &ticking,
                  calibrator_of(item.name));
      done += item.bytes;
      ticking.Report(done, total, item.name);
    });
  }
}

void ObserveFile(const Context& context, const std::string& path,
                 const std::string* name, const Progress& progress,
                 std::unique_ptr<Calibrator>* calibrator) {
  std::unique_ptr<Calibrator> clone = (*calibrator)->Clone(context);
  ObserveArrays(context, path, name, progress,
                [&](const std::string&) { return clone.get(); });
  *calibrator = std::move(clone);
}

}  // namespace bnq
