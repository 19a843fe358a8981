// Reads .bnq files. Nothing in a file is believed: counts are checked against
// the bytes that are left before anything is allocated, offsets and sizes
// against the real length of the file before anything is touched.
#ifndef BNQ_CORE_IO_BNQ_READER_H_
#define BNQ_CORE_IO_BNQ_READER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/base/context.h"
#include "core/io/bnq_format.h"
#include "core/io/container.h"
#include "core/io/mapped_file.h"
#include "core/io/text.h"

namespace bnq {

class Inflater;  // deflate.h

// Immutable; any number of threads may read.
class BnqReader {
 public:
  // CORRUPT_FILE names the file, the field or tensor, and its value;
  // UNSUPPORTED for another major version.
  explicit BnqReader(std::shared_ptr<const MappedFile> file);

  const MappedFile& file() const { return *file_; }
  uint16_t minor_version() const { return minor_; }
  const Metadata& metadata() const { return metadata_; }
  // Sorted by the bytes of the name.
  const std::vector<BnqEntry>& entries() const { return entries_; }
  // nullptr where there is none.
  const BnqEntry* Find(const std::string& name) const;

  // The raw bytes within the file, aligned to kBnqAlignment within it, not
  // compared with their checksums; nullptr where they are empty or not
  // contiguous (see BnqSectionReader). section is one of this file's.
  const uint8_t* Mapped(const BnqSection& section) const;
  // Reads everything and compares the checksums. CORRUPT_FILE names the tensor
  // and the chunk.
  void Verify(const Context& context, const BnqEntry& entry,
              const BnqSection& section) const;
  // CORRUPT_FILE where a byte between sections is not 0. With Verify of every
  // section this reads the whole file.
  void VerifyPadding() const;

 private:
  std::shared_ptr<const MappedFile> file_;
  uint16_t minor_ = 0;
  Metadata metadata_;
  std::vector<BnqEntry> entries_;
  uint64_t index_offset_ = 0;
};

// A tensor's record of an index by itself, whose data lie before data_end.
// CORRUPT_FILE, naming `label`.
BnqEntry ParseBnqEntry(const std::string& label, const uint8_t* data,
                       uint64_t bytes, uint64_t data_end);

// The raw bytes of a section from its start to its end, checked against their
// checksums chunk by chunk. Needs memory for one chunk, where it is
// compressed. The reader must outlive it. For one thread.
class BnqSectionReader final : public SectionReader {
 public:
  BnqSectionReader(const Context& context, const BnqReader& reader,
                   const BnqEntry& entry, const BnqSection& section);
  ~BnqSectionReader() override;

  uint64_t remaining() const override { return section_.raw_bytes - position_; }
  // The next bytes, at most remaining() (INVALID_ARGUMENT); only checks them
  // where out is NULL. CORRUPT_FILE names the tensor and the chunk. The
  // context's tick is called behind each chunk.
  void Read(void* out, uint64_t bytes) override;

 private:
  void LoadChunk();

  const Context context_;
  const BnqReader& reader_;
  const BnqEntry& entry_;
  const BnqSection& section_;
  uint64_t position_ = 0;
  const uint8_t* chunk_ = nullptr;  // raw bytes of the current chunk
  Buffer buffer_;
  std::unique_ptr<Inflater> inflater_;
};

}  // namespace bnq

#endif  // BNQ_CORE_IO_BNQ_READER_H_
