// Where a model goes: one file, several with an index, or memory; whatever its
// container.
#ifndef BNQ_CORE_IO_MODEL_OUTPUT_H_
#define BNQ_CORE_IO_MODEL_OUTPUT_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/io/atomic_file_set.h"
#include "core/io/container.h"

namespace bnq {

// Of its elements; 0 where they overflow, which writers refuse.
uint64_t BytesOf(const NewArray& array);

// The row of a kind that can be written: INVALID_ARGUMENT for others.
const Container& WritableContainer(FileKind kind);

// The text of the index of files by the names of their tensors; total_bytes: of
// all tensors.
std::string IndexText(const std::map<std::string, std::string>& files,
                      uint64_t total_bytes);
// "model-00001-of-00002.bnq" of "model.bnq", counted from 1.
std::string ShardName(const std::string& name, size_t number, size_t of);

// Splits the model where options.max_shard_bytes says so, as Hugging Face does:
// a tensor that would make a file's data exceed it begins the next file. More
// than one file of "model.bnq" are named model-00001-of-00002.bnq and so on,
// with model.bnq.index.json beside them, where the container's files do not
// tell of each other; one alone is model.bnq. They appear together in Finish,
// the index last, or not at all; a file model.bnq that they may replace is then
// removed.
class ModelOutput final : public ContainerWriter {
 public:
  // As AtomicFile; EXISTS also for the index. arrays: all that will be
  // written, where the container must know them beforehand.
  ModelOutput(const Context& context, const std::string& path, FileKind kind,
              const WriteOptions& options, const Metadata& metadata,
              std::vector<NewArray> arrays);
  // To `output`, in one piece.
  ModelOutput(const Context& context, std::shared_ptr<ByteOutput> output,
              FileKind kind, const WriteOptions& options,
              const Metadata& metadata, std::vector<NewArray> arrays);

  // After Finish: the path, or that of the index, or of the first shard.
  std::string written() const;
  // The order in which the arrays are to be written: their indices.
  const std::vector<size_t>& order() const { return order_; }

  void BeginEntry(BnqEntry entry) override;
  // The context's tick is called between pieces of it.
  void Append(size_t section, const void* data, uint64_t bytes) override;
  uint64_t EndEntry() override { return writer_->EndEntry(); }
  uint64_t SkipEntry() override { return writer_->SkipEntry(); }
  std::string EntryState() const override;
  void RestoreEntry(const std::string& name, const std::string& state) override;
  void Finish() override;
  // After Finish, also of a dry run: of all files, with the index.
  uint64_t file_bytes() const;

 private:
  void Plan();
  bool HasIndex() const { return row_.shard_metadata == nullptr; }
  bool BeginsShard(uint64_t bytes) const;
  void PlaceEntry(const std::string& name, uint64_t bytes);
  void OpenShard();
  void FinishShards();

  const Context& context_;
  const Container& row_;
  std::string path_;
  WriteOptions options_;
  Metadata metadata_;
  std::vector<NewArray> arrays_;
  std::vector<size_t> order_;
  std::vector<size_t> begins_;               // shards' first places in order_
  std::unique_ptr<AtomicFileSet> files_;     // several, or
  std::shared_ptr<ByteOutput> output_;       // one
  std::unique_ptr<ContainerWriter> writer_;  // of the current shard
  std::vector<std::shared_ptr<ByteOutput>> outputs_;  // all of them
  size_t shards_ = 0;
  uint64_t shard_bytes_ = 0, total_bytes_ = 0, entry_bytes_ = 0;
  // Of every tensor that has begun, and the number of its shard.
  std::vector<std::pair<std::string, size_t>> tensors_;
};

}  // namespace bnq

#endif  // BNQ_CORE_IO_MODEL_OUTPUT_H_
