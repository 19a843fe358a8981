// Experts that a model stores in one array for all of them: cut into the
// matrices that they are, and put together again.
#ifndef BNQ_CORE_MODEL_EXPERT_STACKS_H_
#define BNQ_CORE_MODEL_EXPERT_STACKS_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/base/context.h"
#include "core/base/shape.h"
#include "core/io/model_file.h"

namespace bnq {

// An array [experts, out, in], or [experts, in, out], which holds one or
// several matrices [out / pieces, in] of each expert.
struct ExpertStack {
  std::string name;
  Shape shape;
  // Of the matrices' names: "model.layers.0.mlp.experts.".
  std::string prefix;
  // What is joined along out: "gate_proj", "up_proj".
  std::vector<std::string> pieces;
  bool is_in_out = false;
  // Rows of the pieces take turns, instead of all of one before the next.
  bool interleaved = false;

  uint64_t experts() const { return shape.dims[0]; }
  uint64_t matrices() const { return experts() * pieces.size(); }
  uint64_t in() const { return shape.dims[is_in_out ? 1 : 2]; }
  uint64_t out() const { return shape.dims[is_in_out ? 2 : 1]; }
  // Of a matrix.
  uint64_t rows() const { return out() / pieces.size(); }
  Shape matrix_shape() const;
  // Of a matrix, whose number is expert * pieces + piece:
  // "model.layers.0.mlp.experts.3.up_proj.weight".
  std::string NameOf(uint64_t matrix) const;
  // Whether rows of a matrix lie one behind the other, as they are.
  bool in_one_piece() const { return !is_in_out && !interleaved; }

  // One expert, of elements of this size, 1 to 8 bytes: one of its matrices
  // from and to the expert's part of the array. For rows [begin, end).
  void Take(const uint8_t* expert, uint64_t piece, uint64_t begin, uint64_t end,
            uint64_t element_bytes, uint8_t* matrix) const;
  void Put(const uint8_t* matrix, uint64_t piece, uint64_t element_bytes,
           uint8_t* expert) const;
};

// Whether arrays of this name and rank hold something of every expert of a
// layer: "experts.gate_up_proj" and "experts.down_proj_bias", but not
// "experts.0.up_proj.weight".
bool HoldsExperts(const std::string& name, int rank);

// The arrays that hold experts, as the model_type of the config.json beside the
// weights says. Nothing is guessed: of others, whose model type or shape is not
// that of the table (expert_table.cc), a warning tells. The errors of
// ReadModelConfig.
std::vector<ExpertStack> FindExpertStacks(const Context& context,
                                          const ModelFile& file);

// The file with the matrices in place of these of its arrays, of this name and
// shape, which are mapped; its metadata says so. UNSUPPORTED where it has a
// tensor of a matrix's name.
std::shared_ptr<const ModelFile> CutExperts(
    const std::shared_ptr<const ModelFile>& file,
    const std::vector<ExpertStack>& stacks);

// Of the metadata of a file, or of what was made of it: the key, and what it
// says. CORRUPT_FILE.
constexpr char kExpertStacks[] = "bnq.experts";
std::vector<ExpertStack> ExpertStacksOf(const Metadata& metadata);
// Those that can be put together: all of whose matrices are there. (A shard has
// some of them.) CORRUPT_FILE where one is of another shape or type, or the
// array's name is that of another tensor.
std::vector<ExpertStack> WholeExpertStacks(const ModelFile& file);

}  // namespace bnq

#endif  // BNQ_CORE_MODEL_EXPERT_STACKS_H_
