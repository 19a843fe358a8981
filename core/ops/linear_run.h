// A linear layer at work: its rows of outputs in blocks, each of which one task
// computes for some rows of inputs. Blocks depend on the shapes alone.
#ifndef BNQ_CORE_OPS_LINEAR_RUN_H_
#define BNQ_CORE_OPS_LINEAR_RUN_H_

#include <cstdint>

#include "core/kernels/dot.h"
#include "core/ops/linear.h"
#include "core/ops/outputs.h"

namespace bnq {

class LinearRun {
 public:
  // The rows are prepared in `workspace`, of WorkspaceBytes(). y has the
  // outputs from `first` on, as many as it has columns.
  LinearRun(const Linear& linear, const Matrix& x, const Matrix& y,
            uint8_t* workspace, uint64_t first = 0);

  // Tasks that must be over before any of the others begins.
  uint64_t num_inputs() const { return x_.rows; }
  void PrepareInput(uint64_t m) const;
  // Or the caller prepares them; x then has a type and rows, but no data.
  const InputRows& inputs() const { return rows_; }
  // Between the two, on one thread.
  void AllPrepared();
  uint64_t num_tasks() const { return row_tasks_ * input_tasks_; }
  void RunTask(uint64_t task) const;

 private:
  // Of weights [n, end) and inputs [m, m_end).
  struct Block {
    uint64_t n, n_end, m, m_end;
  };
  void RunFloats(const Block& block) const;
  void PrefetchNext(uint64_t n, uint64_t at, uint64_t columns,
                    uint64_t rows) const;
  void FinishFloats(const Block& block, const float* lanes) const;
  void RunWhole(const Block& block) const;
  void RunPanels(const Block& block) const;
  void RunGroups(const Block& block) const;
  struct GroupScratch;
  struct PanelScratch;
  struct GroupPanelScratch;
  void RunGroupPanels(const Block& block) const;
  void BuildPanel(const Block& block, uint64_t begin, uint64_t end,
                  PanelScratch* scratch) const;
  void ReadGroups(const Block& block, uint64_t first, uint64_t count,
                  GroupPanelScratch* scratch) const;
  void AddPanelGroup(const Block& block, uint64_t first, uint64_t g,
                     GroupPanelScratch* scratch) const;
  void AddGroups(const Block& block, uint64_t first, uint64_t count,
                 GroupScratch* scratch) const;
  void FinishGroupsOf(const Block& block, const GroupScratch& scratch) const;
  void RunLong(const Block& block, Outputs::Weights weights,
               uint8_t* scratch) const;

  struct Codes {
    const uint8_t* data;
    size_t stride, bytes;  // from a row to the next; of one
  };
  Codes CodesOf(uint64_t n, size_t rows, uint64_t begin, uint64_t end,
                size_t stride, uint8_t* scratch) const;

  // Whether inputs, if they are many, are multiplied with panels of weights.
  bool HasPanels() const;
  template <class F>
  void EachPiece(uint64_t n, size_t rows, const int8_t* x, uint8_t* scratch,
                 F f) const;
  template <class Sum>
  void WholeSums(uint64_t n, size_t rows, const int8_t* x, uint8_t* scratch,
                 Sum* sums) const;

  const Linear& linear_;
  const IntegerWeights& weights_;
  const Matrix x_, y_;
  const uint64_t first_;
  const bool integers_;  // products are those of integers
  const Outputs outputs_;
  bool panels_ = false;  // many inputs, by panels of weights
  bool ones_ = false;    // some input has a zero point
  InputRows rows_;
  const DotKernels* whole_ = nullptr;
  const DotKernels* groups_ = nullptr;
  bool packed_ = false;  // codes are read where they are
  DotCodes codes_;       // as they are read
  DotOrder order_;
  uint64_t row_block_ = 1, row_tasks_ = 0, input_block_ = 1, input_tasks_ = 0;
};

}  // namespace bnq

#endif  // BNQ_CORE_OPS_LINEAR_RUN_H_
