// Which file of a directory is its model.
#ifndef BNQ_CORE_IO_MODEL_DIRECTORY_H_
#define BNQ_CORE_IO_MODEL_DIRECTORY_H_

#include <string>

namespace bnq {

// `path` itself, but where there is nothing of that name, the index
// `path`.index.json, if there is one; and for a directory the one model in it,
// as Hugging Face's folders have one: an index (*.safetensors.index.json,
// *.bnq.index.json) or a file *.safetensors or *.bnq, or, without any of these,
// *.gguf. Of several, that named "model" in the order model.safetensors, its
// index, model.bnq, its index, as Hugging Face prefers them. NOT_FOUND where
// there is none, saying what there is instead; UNSUPPORTED where it cannot be
// told which.
std::string ModelPath(const std::string& path);

}  // namespace bnq

#endif  // BNQ_CORE_IO_MODEL_DIRECTORY_H_
