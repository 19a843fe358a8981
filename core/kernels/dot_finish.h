// From integer sums of products (dot.h) to numbers: scales, zero points and
// offsets, by the best target of this CPU and with the same bits on all of
// them. ops/README.md has the definition.
#ifndef BNQ_CORE_KERNELS_DOT_FINISH_H_
#define BNQ_CORE_KERNELS_DOT_FINISH_H_

#include <cstddef>
#include <cstdint>

#include "core/kernels/dot.h"

namespace bnq {

// What is subtracted from sums of u * q to have sums of (u - zero) * (q -
// x_zero), for sums that belong to consecutive zero points. Of a row of
// activations: its zero point and, for each sum or for all of them, the sum of
// its codes.
struct DotZeros {
  int32_t zero = 0;                     // of all
  const int8_t* zero_points = nullptr;  // added to it; nullptr: 0
  int32_t x_zero = 0;
  // Sums of the codes u; only where x_zero is not 0.
  const int32_t* code_sums = nullptr;
};

// Outputs of one scale each, of rows of activations: y = float(I) * (x_scale *
// scale) + bias, where each operation is rounded to float32, and float(I) is.
struct FinishArgs {
  const int32_t* sums = nullptr;  // [rows][count]
  size_t rows = 1, sums_stride = 0, count = 0;
  DotZeros zeros;  // without x_zero
  int32_t columns = 0;
  // Of each row: the sum of all its codes, its zero point and its scale.
  // nullptr: 0, 0, 1.
  const int32_t* x_sums = nullptr;
  const int32_t* x_zeros = nullptr;
  const float* x_scales = nullptr;
  const float* scales = nullptr;      // count of them
  const int32_t* int_bias = nullptr;  // added to I; nullptr: none
  const float* bias = nullptr;
  // y; or codes, as StoreRequantized makes them of y. Elements from a row to
  // the next.
  float* out = nullptr;
  uint8_t* codes = nullptr;
  int32_t codes_zero = 0;
  bool codes_signed = false;
  size_t out_stride = 0;
};
void FinishSums(const FinishArgs& args);

// Sums of groups have lanes: that of group g is g mod kGroupLanes, so that
// vectors may be as long.
constexpr size_t kGroupLanes = 8;

// Adds groups of one output to its lanes, in float64: I * scale, and then (sum
// of (q - x_zero)) * offset; neither is fused.
struct FinishGroupsArgs {
  const int32_t* sums = nullptr;
  size_t count = 0;
  DotZeros zeros;
  const int32_t* x_sums = nullptr;  // of each group
  size_t first = 0;                 // of the groups
  size_t group = 1, columns = 0;    // of one, of all of these
  const float* scales = nullptr;
  const float* offsets = nullptr;  // nullptr: none
  double* lanes = nullptr;         // kGroupLanes
};
void FinishGroups(const FinishGroupsArgs& args);
// Lanes 0 + 4, 1 + 5, .. and so on by halves.
double SumOfGroupLanes(const double* lanes);

// The same of the kPanelRows outputs of a panel, for rows of inputs: group
// `group` of each, from [rows][kPanelRows] sums to [rows][kPanelRows] of its
// lane.
struct FinishPanelArgs {
  const int32_t* sums = nullptr;
  size_t rows = 0;
  // Of each output: z = zero + zero point, the sum of u - z, scale and offset.
  const int32_t* zeros = nullptr;
  const int32_t* code_sums = nullptr;  // only with x_zeros
  const double* scales = nullptr;
  const double* offsets = nullptr;  // nullptr: none
  // Of each row: the sum of its codes in the group, and its zero point.
  const int32_t* x_sums = nullptr;
  const int32_t* x_zeros = nullptr;  // nullptr: all 0
  int32_t columns = 0;               // of the group
  double* lanes = nullptr;
  size_t lanes_stride = 0;  // doubles from a row to the next
};
void FinishPanel(const FinishPanelArgs& args);

// Of one row of inputs, lanes [kGroupLanes][kPanelRows]: y = float32(the lanes'
// sum * x_scale + bias), as SumOfGroupLanes adds them.
void FinishPanelLanes(const double* lanes, float x_scale, const float* bias,
                      size_t count, float* y);

// clamp(round(v) + zero, 0 or -128 .. ): v to nearest even, at most count.
void StoreRequantized(const float* v, size_t count, int32_t zero,
                      bool is_signed, uint8_t* out);

}  // namespace bnq

#endif  // BNQ_CORE_KERNELS_DOT_FINISH_H_
