#include "core/io/text_file.h"

#include "core/base/error.h"
#include "core/io/mapped_file.h"
#include "core/io/text.h"

namespace bnq {

std::string ReadTextFile(const Context& context, const std::string& path,
                         uint64_t max_bytes) {
  const auto file = MappedFile::Open(context, path);
  if (file->size() > max_bytes) {
    Fail(Status::kCorruptFile, file->label(), " has ", file->size(),
         " bytes, must have at most ", max_bytes);
  }
  const std::string text(reinterpret_cast<const char*>(file->data()),
                         static_cast<size_t>(file->size()));
  if (!IsCleanText(text)) {
    Fail(Status::kCorruptFile, file->label(),
         " is no text: it must be UTF-8 without NUL");
  }
  return text;
}

void WriteTextFile(const std::string& path, const std::string& text,
                   const WriteOptions& options) {
  AtomicFile file(path, options);
  file.Append(text.data(), text.size());
  file.Commit();
}

}  // namespace bnq
