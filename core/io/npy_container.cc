// NumPy's .npy files as a container: npy_reader.h does the work.
#include "core/base/error.h"
#include "core/io/container.h"
#include "core/io/npy_reader.h"
#include "core/io/temporary_file.h"

namespace bnq {
namespace {

// "w" of "a/w.npy"; in memory, which has no name, "array".
std::string ArrayName(const MappedFile& file) {
  if (!file.has_id()) return "array";
  std::string name = NameOf(file.path());
  const size_t dot = name.rfind('.');
  if (dot != std::string::npos && dot != 0) name.resize(dot);
  if (!IsCleanText(name)) {
    Fail(Status::kUnsupported, file.label(),
         ": its array has the file's name, ", Quoted(name),
         ", which is not UTF-8; rename the file");
  }
  return name;
}

class Reader final : public PlainContainerReader {
 public:
  explicit Reader(const std::shared_ptr<const MappedFile>& file)
      : PlainContainerReader(*file), npy_(file) {
    const ArrayView& array = npy_.array();
    uint64_t bytes = 0;
    TryByteSize(array.shape, array.dtype, &bytes);
    Add(ArrayName(*file), array.dtype, array.shape, npy_.offset(), bytes);
  }
  FileKind kind() const override { return FileKind::kNpy; }
  const Metadata& metadata() const override {
    static const Metadata none;
    return none;
  }

 private:
  NpyReader npy_;
};

std::unique_ptr<ContainerReader> Open(const Context& /*context*/,
                                      std::shared_ptr<const MappedFile> file) {
  return std::make_unique<Reader>(file);
}

}  // namespace

const Container kNpyContainer = {FileKind::kNpy, "npy",   ".npy",  IsNpy,
                                 Open,           nullptr, nullptr, false};

}  // namespace bnq
