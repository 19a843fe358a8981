// A model file of any kind that can be written, from arrays and quantized
// tensors in memory.
#ifndef BNQ_CORE_MODEL_MODEL_WRITER_H_
#define BNQ_CORE_MODEL_MODEL_WRITER_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "core/base/context.h"
#include "core/base/shape.h"
#include "core/io/atomic_file.h"
#include "core/io/model_file.h"
#include "core/io/output.h"
#include "core/tensor/tensor.h"

namespace bnq {

class ModelOutput;  // io/model_output.h

// Collects, and writes in Finish: the file depends on what was added, not on
// the order of the calls. For one thread.
class ModelWriter {
 public:
  // To a file, as AtomicFile; what is wrong with the path is an error now, and
  // nothing is written before Finish. INVALID_ARGUMENT for a kind that cannot
  // be written.
  ModelWriter(const Context& context, const std::string& path, FileKind kind,
              const WriteOptions& options);
  // To memory.
  ModelWriter(const Context& context, FileKind kind,
              const WriteOptions& options);

  // Replaces an earlier value. INVALID_ARGUMENT for text that is not UTF-8, or
  // has a NUL.
  void SetMetadata(const std::string& key, const std::string& value);
  // Borrowed until Finish. INVALID_ARGUMENT for an empty or repeated name, or
  // an array that does not fill whole bytes; UNSUPPORTED for a quantized tensor
  // where the kind holds plain arrays only.
  void AddArray(const std::string& name, const ArrayView& array);
  void AddTensor(const std::string& name, const QuantizedTensor& tensor);

  // Once, and nothing can be added afterwards (INVALID_ARGUMENT).
  void Finish();
  // What Finish has written to memory: INVALID_ARGUMENT before that, and where
  // it is written to a file. For as long as the writer lives.
  const MemoryOutput& memory() const;

 private:
  struct Item {
    ArrayView array;
    uint64_t bytes = 0;
    const QuantizedTensor* tensor = nullptr;  // or an array
  };

  void CheckOpen() const;
  void Add(const std::string& name, const Item& item);
  void Write(ModelOutput* output) const;

  Context context_;
  std::string path_;
  bool to_memory_;
  FileKind kind_;
  WriteOptions options_;
  std::map<std::string, std::string> metadata_;
  std::map<std::string, Item> items_;
  bool finished_ = false;
  std::shared_ptr<MemoryOutput> memory_;  // once it has been written
};

}  // namespace bnq

#endif  // BNQ_CORE_MODEL_MODEL_WRITER_H_
