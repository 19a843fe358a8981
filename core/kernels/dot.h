// Exact sums of products of packed codes and int8 activations: what linear
// layers and convolutions are made of.
//
// Codes are taken as unsigned numbers u, as they are stored; what a zero point
// subtracts is made up for by the sums of the activations (ops/linear.cc).
// Sums are int32 and exact, so the same whatever computes them: the generic
// kernels, in Highway, which unpack codes first; or those of an instruction
// family, which read packed codes where they are. Instead of codes the
// activations are then put into another order (Arrange), once for all rows.
#ifndef BNQ_CORE_KERNELS_DOT_H_
#define BNQ_CORE_KERNELS_DOT_H_

#include <cstddef>
#include <cstdint>

#include "core/base/checked.h"
#include "core/scheme/packing.h"

namespace bnq {

// A chunk is 64 bytes of a row's packed codes; 64 codes where they are
// unpacked.
constexpr size_t kDotBytes = 64;
// Of more columns int32 could overflow: (128 + 127) * 255 * 32768 < 2^31, the
// greatest differences of 8-bit codes from their zero points.
constexpr size_t kDotColumns = 32768;

// The numbers that stored codes stand for.
struct DotCodes {
  Packing packing = Packing::kBits8;
  // Bytes of kBits8 are two's complement: u = byte + 128.
  bool flip = false;
  // Of 4-bit codes: u = map[code], at most 127. nullptr: the code.
  const uint8_t* map = nullptr;
};

// The order of activations: codes' planes. With p planes, element p * j + i of
// a chunk is byte j of plane i, and the planes of a chunk follow each other, 64
// bytes each. What is behind the last column is 0.
struct DotOrder {
  size_t planes = 1;
  size_t chunk() const { return planes * kDotBytes; }
  size_t bytes(size_t columns) const {
    return DivCeil(columns, chunk()) * chunk();
  }
};
// Of any order.
constexpr size_t kMaxDotPlanes = 5;
// count int8 codes in their own order, into order.bytes(count) bytes.
void Arrange(DotOrder order, const int8_t* codes, size_t count, int8_t* out);

// Sums of groups of codes, in their own order, the last maybe short. group <=
// 2^23.
void SumCodes(const int8_t* codes, size_t count, size_t group, int32_t* sums);

// Rows of codes and an arranged row of activations.
struct DotArgs {
  DotCodes codes;
  const uint8_t* data = nullptr;  // of the first row, at a chunk's start
  size_t stride = 0;              // bytes from a row to the next
  size_t rows = 0;
  size_t bytes = 0;  // of each row, which may be read
  const int8_t* x = nullptr;
  // For kernels of groups: of so many columns each, of all columns.
  size_t group = 0, columns = 0;
  // [rows][groups], rows `sums_stride` sums apart. Overwritten.
  int32_t* sums = nullptr;
  size_t sums_stride = 1;
};

// Rows of a panel: weights in the order in which many rows of activations are
// multiplied with them, [dwords of a row][kPanelRows][4 codes].
constexpr size_t kPanelRows = 32;

struct PanelArgs {
  DotCodes codes;
  const uint8_t* data = nullptr;
  size_t stride = 0;
  size_t rows = 0;   // <= kPanelRows; the others are as if of codes 0
  size_t bytes = 0;  // of each row, from data on, of whole chunks or the last
  uint8_t* panel = nullptr;  // chunks * planes * 64 * kPanelRows bytes
};

// Adds products of a panel to sums. Dwords of the panel and of x are those of
// `parts` parts of `count` that are `part_stride` apart.
struct ProductOfPanelArgs {
  const uint8_t* panel = nullptr;
  bool wide = false;  // codes may be greater than 127
  const int8_t* x = nullptr;
  size_t x_stride = 0;  // bytes from a row of activations to the next
  size_t rows = 0;      // of activations
  size_t parts = 1, part_stride = 0, count = 0;
  int32_t* sums = nullptr;  // [rows][kPanelRows]
  bool add = false;         // to what is in sums
};

// What an instruction family computes. nullptr: nothing, the generic kernels
// do.
struct DotKernels {
  const char* name;
  // Whether it reads packed codes of this packing where they are; in groups or
  // whole rows.
  bool (*reads)(Packing packing, bool groups);
  // One sum for each row, of kDotColumns columns at most.
  void (*whole)(const DotArgs& args);
  // Groups of a power of two of columns, 32 or more.
  void (*groups)(const DotArgs& args);
  void (*panel)(const PanelArgs& args);
  void (*product)(const ProductOfPanelArgs& args);
};

// The best that this CPU has, or that a forced target allows
// (base/targets.h): never nullptr. The last one of all is generic and reads
// kBits8 alone.
// AMX only where that is allowed: asking for it changes the process
// (dot_amx.h).
const DotKernels& BestDotKernels(bool allow_amx);
// Reads kBits8, in groups of any size.
const DotKernels& GenericDotKernels();
// For tests: all that this CPU can run, by index; nullptr behind the last.
const DotKernels* DotKernelsAt(size_t index);
// For tests: process-wide; nullptr takes the best again.
void ForceDotKernels(const DotKernels* kernels);

}  // namespace bnq

#endif  // BNQ_CORE_KERNELS_DOT_H_
