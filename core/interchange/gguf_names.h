// What Hugging Face's models are called in GGUF files, of the architectures
// that are known: tensors' names, the order of rows, and keys from config.json.
#ifndef BNQ_CORE_INTERCHANGE_GGUF_NAMES_H_
#define BNQ_CORE_INTERCHANGE_GGUF_NAMES_H_

#include <cstdint>
#include <string>
#include <vector>

#include "core/base/shape.h"
#include "core/io/json_tree.h"
#include "core/io/text.h"

namespace bnq {

class GgufNames {
 public:
  // Of a model with this config.json, as `architecture` of llama.cpp; "": as
  // the one that its model_type says. known() is false where that is none of
  // llama, qwen2, qwen3 and bitnet, or a number is missing; why() says what.
  explicit GgufNames(const JsonTree& config, std::string architecture = "");

  bool known() const { return why_.empty(); }
  const std::string& why() const { return why_; }

  // What a tensor is called; "" where it has no place there.
  std::string NameOf(const std::string& name) const;
  // Whether the file does not have it: what is computed, or tied.
  bool IsLeftOut(const std::string& name) const;
  // Which row is where: row i of the file is row [i] of the tensor, of so many
  // rows; empty: as they are.
  std::vector<uint64_t> RowsOf(const std::string& name, uint64_t rows) const;
  // All that a file must have, but for biases.
  std::vector<std::string> Expected() const;

  // Keys of the architecture, and of a tokenizer that is none.
  Metadata Keys() const;
  // What the frequencies of rotation are divided by; empty: nothing. An array
  // of float32 called rope_freqs.weight.
  std::vector<float> RotationFactors() const;

 private:
  struct Architecture;
  uint64_t Number(const char* key) const;
  uint64_t NumberOr(const char* key, uint64_t otherwise) const;
  double RealOr(const char* key, double otherwise) const;
  const JsonTree* Rotation() const;
  bool IsTrue(const char* key) const;
  void Check();

  const JsonTree config_;
  std::string architecture_, why_;
  const Architecture* row_ = nullptr;
  uint64_t layers_ = 0, heads_ = 0, kv_heads_ = 0, head_ = 0;
};

}  // namespace bnq

#endif  // BNQ_CORE_INTERCHANGE_GGUF_NAMES_H_
