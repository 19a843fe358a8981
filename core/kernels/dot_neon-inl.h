// The vectors that the NEON families have in common. Included within a family's
// attributes, after which dot_family-inl.h is.
#ifndef BNQ_CORE_KERNELS_DOT_NEON_INL_H_
#define BNQ_CORE_KERNELS_DOT_NEON_INL_H_

#include <arm_neon.h>

#include "core/kernels/dot_family-inl.h"

namespace bnq {
namespace {

struct DotNeon {
  using V = uint8x16_t;
  static constexpr size_t kBytes = 16;
  static constexpr bool kReducesFour = false;
  static constexpr int kRows2 = 4, kRowsBase3 = 4, kTileRows = 8;

  static BNQ_DOT_INLINE V Zero() { return vdupq_n_u8(0); }
  static BNQ_DOT_INLINE V Set(char c) {
    return vdupq_n_u8(static_cast<uint8_t>(c));
  }
  static BNQ_DOT_INLINE V Load(const void* p) {
    return vld1q_u8(static_cast<const uint8_t*>(p));
  }
  static BNQ_DOT_INLINE V LoadPart(const void* p, size_t bytes) {
    uint8_t copy[16] = {};
    __builtin_memcpy(copy, p, bytes);
    return Load(copy);
  }
  static BNQ_DOT_INLINE void Store(void* p, V v) {
    vst1q_u8(static_cast<uint8_t*>(p), v);
  }
  static BNQ_DOT_INLINE void Prefetch(const void* p) { __builtin_prefetch(p); }
  static BNQ_DOT_INLINE V And(V a, V b) { return vandq_u8(a, b); }
  static BNQ_DOT_INLINE V Xor(V a, V b) { return veorq_u8(a, b); }
  static BNQ_DOT_INLINE V Add8(V a, V b) { return vaddq_u8(a, b); }
  static BNQ_DOT_INLINE int32x4_t Dwords(V v) {
    return vreinterpretq_s32_u8(v);
  }
  static BNQ_DOT_INLINE V Bytes(int32x4_t v) { return vreinterpretq_u8_s32(v); }
  static BNQ_DOT_INLINE int8x16_t Signed(V v) { return vreinterpretq_s8_u8(v); }
  static BNQ_DOT_INLINE V Add32(V a, V b) {
    return Bytes(vaddq_s32(Dwords(a), Dwords(b)));
  }
  static BNQ_DOT_INLINE V Sub32(V a, V b) {
    return Bytes(vsubq_s32(Dwords(a), Dwords(b)));
  }
  // Of bytes: what else would come in from the neighbour is masked anyway.
  template <int kShift>
  static BNQ_DOT_INLINE V ShiftRight(V v) {
    return vshrq_n_u8(v, kShift);
  }
  template <int kShift>
  static BNQ_DOT_INLINE V ShiftRight32(V v) {
    if constexpr (kShift == 0) {
      return v;
    } else {
      return Bytes(vshrq_n_s32(Dwords(v), kShift));
    }
  }
  static BNQ_DOT_INLINE V Broadcast32(const void* p) {
    int32_t dword;
    __builtin_memcpy(&dword, p, sizeof dword);
    return Bytes(vdupq_n_s32(dword));
  }
  static BNQ_DOT_INLINE V Table(const uint8_t* table) { return Load(table); }
  static BNQ_DOT_INLINE V Shuffle(V table, V index) {
    return vqtbl1q_u8(table, index);
  }
  static BNQ_DOT_INLINE V DigitOf(V t) {
    // Of each comparison 255 where it holds.
    return vsubq_u8(Zero(), vaddq_u8(vcgeq_u8(t, vdupq_n_u8(86)),
                                     vcgeq_u8(t, vdupq_n_u8(171))));
  }
  static BNQ_DOT_INLINE int32_t Sum(V v) { return vaddvq_s32(Dwords(v)); }
  // Sums of kLanes lanes each, 4 / kLanes of them.
  template <int kLanes>
  static BNQ_DOT_INLINE void StoreSums(V v, int32_t* sums) {
    if (kLanes == 2) {
      vst1_s32(sums,
               vpadd_s32(vget_low_s32(Dwords(v)), vget_high_s32(Dwords(v))));
    } else {
      *sums = Sum(v);
    }
  }
  template <int kLanes>
  static BNQ_DOT_INLINE void StoreSums4(const V*, int32_t*) {}
  // 4 rows of 4 dwords to 4 columns of them.
  static BNQ_DOT_INLINE void Transpose(V* w) {
    const int32x4x2_t low = vtrnq_s32(Dwords(w[0]), Dwords(w[1]));
    const int32x4x2_t high = vtrnq_s32(Dwords(w[2]), Dwords(w[3]));
    for (int i = 0; i < 2; ++i) {
      w[i] = Bytes(
          vcombine_s32(vget_low_s32(low.val[i]), vget_low_s32(high.val[i])));
      w[2 + i] = Bytes(
          vcombine_s32(vget_high_s32(low.val[i]), vget_high_s32(high.val[i])));
    }
  }
};

}  // namespace
}  // namespace bnq

#endif  // BNQ_CORE_KERNELS_DOT_NEON_INL_H_
