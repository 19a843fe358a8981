// Small files of text, as people write them.
#ifndef BNQ_CORE_IO_TEXT_FILE_H_
#define BNQ_CORE_IO_TEXT_FILE_H_

#include <cstdint>
#include <string>

#include "core/base/context.h"
#include "core/io/atomic_file.h"

namespace bnq {

// The whole file, which must be UTF-8 without NUL and of at most max_bytes:
// CORRUPT_FILE names it; and the errors of MappedFile::Open.
std::string ReadTextFile(const Context& context, const std::string& path,
                         uint64_t max_bytes);
// As AtomicFile.
void WriteTextFile(const std::string& path, const std::string& text,
                   const WriteOptions& options);

}  // namespace bnq

#endif  // BNQ_CORE_IO_TEXT_FILE_H_
