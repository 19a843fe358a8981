// Writes .bnq files, streaming: memory grows with the number of tensors and
// chunks, not with their bytes.
#ifndef BNQ_CORE_IO_BNQ_WRITER_H_
#define BNQ_CORE_IO_BNQ_WRITER_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <unordered_set>
#include <vector>

#include "core/base/context.h"
#include "core/io/atomic_file.h"
#include "core/io/bnq_format.h"
#include "core/io/container.h"
#include "core/io/output.h"

namespace bnq {

class Deflater;  // deflate.h

// What an entry of sections of these sizes takes of a file that is not
// compressed: its sections, each to a whole alignment, and its part of the
// index. (A file ends up to an alignment earlier, where its last section does.)
uint64_t BnqEntryBytes(BnqEntry entry);

// The order of the entries and of the Appends decides where things lie in the
// file; without compression only that of the entries does. After an error it
// can only be destroyed. For one thread.
class BnqWriter final : public ContainerWriter {
 public:
  // As AtomicFile.
  BnqWriter(const Context& context, const std::string& path,
            const WriteOptions& options);
  // Of options, compress alone has an effect.
  BnqWriter(const Context& context, std::shared_ptr<ByteOutput> output,
            const WriteOptions& options);
  ~BnqWriter() override;

  // Replaces an earlier value. INVALID_ARGUMENT for text that is not UTF-8.
  void SetMetadata(const std::string& key, const std::string& value);

  // Starts a tensor. Its sections have role and raw_bytes set; options and
  // sections may come in any order (Append counts them as they came).
  // INVALID_ARGUMENT names the tensor and what is wrong with it.
  void BeginEntry(BnqEntry entry) override;
  // The next bytes of the current tensor's section of this index; sections may
  // take turns. INVALID_ARGUMENT where these are more than its raw_bytes.
  void Append(size_t section, const void* data, uint64_t bytes) override;
  // INVALID_ARGUMENT where bytes are missing. Returns the bytes it takes up as
  // stored.
  uint64_t EndEntry() override;
  uint64_t SkipEntry() override;

  std::string EntryState() const override;
  void RestoreEntry(const std::string& name, const std::string& state) override;

  // Writes the index and commits the output.
  void Finish() override;
  // Of the whole file; final after Finish, also in a dry run.
  uint64_t file_bytes() const { return end_; }

 private:
  struct Stream;  // a section being written

  void FlushChunk(Stream* stream);

  Allocator allocator_;
  bool compress_;
  std::shared_ptr<ByteOutput> output_;
  uint64_t end_;  // where the next section or chunk goes
  std::map<std::string, std::string> metadata_;
  std::vector<BnqEntry> entries_;
  std::unordered_set<std::string> names_;
  bool open_ = false;  // between BeginEntry and EndEntry
  std::vector<Stream> streams_;
  std::unique_ptr<Deflater> deflater_;
  Buffer packed_;  // a chunk as it comes out of deflater_
};

}  // namespace bnq

#endif  // BNQ_CORE_IO_BNQ_WRITER_H_
