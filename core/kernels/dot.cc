#include "core/kernels/dot.h"

#include <string.h>

#include <atomic>

#include "core/base/targets.h"
#include "core/kernels/dot_amx.h"
#include "core/kernels/dot_avx2.h"
#include "core/kernels/dot_avx512vnni.h"
#include "core/kernels/dot_avxvnni.h"
#include "core/kernels/dot_neon_dotprod.h"
#include "core/kernels/dot_neon_i8mm.h"

#if BNQ_DOT_X86
#include <cpuid.h>
#endif
#if BNQ_DOT_NEON && defined(__linux__)
#include <sys/auxv.h>
#endif

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/kernels/dot.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace bnq {
namespace HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

// Sum of (u ^ flip) * x over count codes of a byte each.
int32_t SumOfProducts(const uint8_t* u, uint8_t flip, const int8_t* x,
                      size_t count) {
  int32_t sum = 0;
  size_t i = 0;
#if HWY_TARGET != HWY_SCALAR  // has no vectors of bytes
  const hn::ScalableTag<int16_t> d16;
  const hn::Rebind<uint8_t, decltype(d16)> du8;
  const hn::Rebind<int8_t, decltype(d16)> d8;
  const hn::Repartition<int32_t, decltype(d16)> d32;
  const size_t N = hn::Lanes(d16);
  const auto flips = hn::Set(du8, flip);
  auto even = hn::Zero(d32), odd = hn::Zero(d32);
  for (; i + N <= count; i += N) {
    const auto codes =
        hn::PromoteTo(d16, hn::Xor(hn::LoadU(du8, u + i), flips));
    const auto of_x = hn::PromoteTo(d16, hn::LoadU(d8, x + i));
    even = hn::ReorderWidenMulAccumulate(d32, codes, of_x, even, odd);
  }
  sum = hn::GetLane(hn::SumOfLanes(d32, hn::Add(even, odd)));
#endif
  for (; i < count; ++i) {
    sum += static_cast<int32_t>(u[i] ^ flip) * static_cast<int32_t>(x[i]);
  }
  return sum;
}

void Whole(const DotArgs& a) {
  const uint8_t flip = a.codes.flip ? 0x80 : 0;
  for (size_t row = 0; row < a.rows; ++row) {
    a.sums[row * a.sums_stride] =
        SumOfProducts(a.data + row * a.stride, flip, a.x, a.bytes);
  }
}

void Groups(const DotArgs& a) {
  const uint8_t flip = a.codes.flip ? 0x80 : 0;
  for (size_t row = 0; row < a.rows; ++row) {
    int32_t* sums = a.sums + row * a.sums_stride;
    for (size_t at = 0; at < a.columns; at += a.group) {
      *sums++ = SumOfProducts(a.data + row * a.stride + at, flip, a.x + at,
                              HWY_MIN(a.group, a.columns - at));
    }
  }
}

int32_t SumOfCodes(const int8_t* x, size_t count) {
  int32_t sum = 0;
  size_t i = 0;
#if HWY_TARGET != HWY_SCALAR
  const hn::ScalableTag<uint8_t> d;
  const hn::Repartition<uint64_t, decltype(d)> d64;
  const size_t N = hn::Lanes(d);
  auto sums = hn::Zero(d64);
  for (; i + N <= count; i += N) {
    const auto v = hn::LoadU(d, reinterpret_cast<const uint8_t*>(x) + i);
    sums = hn::Add(sums, hn::SumsOf8(hn::Xor(v, hn::Set(d, 0x80))));
  }
  sum = static_cast<int32_t>(hn::GetLane(hn::SumOfLanes(d64, sums))) -
        128 * static_cast<int32_t>(i);
#endif
  for (; i < count; ++i) sum += x[i];
  return sum;
}

// Byte p * j + i of a chunk to byte j of plane i.
void ArrangeAll(DotOrder order, const int8_t* codes, size_t count,
                int8_t* out) {
  const size_t planes = order.planes, chunk = order.chunk();
  const size_t full = count / chunk * chunk;
  size_t at = 0;
  for (; at < full; at += chunk) {
    size_t j = 0;
#if HWY_TARGET != HWY_SCALAR
    const hn::CappedTag<uint8_t, kDotBytes> d;
    const size_t N = hn::Lanes(d);
    const uint8_t* const from = reinterpret_cast<const uint8_t*>(codes + at);
    uint8_t* const to = reinterpret_cast<uint8_t*>(out + at);
    if (planes == 4) {
      for (; j < kDotBytes; j += N) {
        hn::Vec<decltype(d)> a, b, c, e;
        hn::LoadInterleaved4(d, from + 4 * j, a, b, c, e);
        hn::StoreU(a, d, to + j);
        hn::StoreU(b, d, to + kDotBytes + j);
        hn::StoreU(c, d, to + 2 * kDotBytes + j);
        hn::StoreU(e, d, to + 3 * kDotBytes + j);
      }
    } else if (planes == 2) {
      for (; j < kDotBytes; j += N) {
        hn::Vec<decltype(d)> a, b;
        hn::LoadInterleaved2(d, from + 2 * j, a, b);
        hn::StoreU(a, d, to + j);
        hn::StoreU(b, d, to + kDotBytes + j);
      }
    }
#endif
    for (; j < kDotBytes; ++j) {
      for (size_t i = 0; i < planes; ++i) {
        out[at + i * kDotBytes + j] = codes[at + planes * j + i];
      }
    }
  }
  if (at == count) return;
  memset(out + at, 0, chunk);
  for (size_t k = at; k < count; ++k) {
    out[at + (k - at) % planes * kDotBytes + (k - at) / planes] = codes[k];
  }
}

}  // namespace

void ArrangeOfTarget(DotOrder order, const int8_t* codes, size_t count,
                     int8_t* out) {
  if (order.planes == 1) {
    memcpy(out, codes, count);
    memset(out + count, 0, order.bytes(count) - count);
    return;
  }
  ArrangeAll(order, codes, count, out);
}
void SumsOfTarget(const int8_t* codes, size_t count, size_t group,
                  int32_t* sums) {
  for (size_t at = 0; at < count; at += group) {
    *sums++ = SumOfCodes(codes + at, HWY_MIN(group, count - at));
  }
}
void WholeOfTarget(const DotArgs& args) { Whole(args); }
void GroupsOfTarget(const DotArgs& args) { Groups(args); }

}  // namespace HWY_NAMESPACE
}  // namespace bnq
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace bnq {

HWY_EXPORT(ArrangeOfTarget);
HWY_EXPORT(SumsOfTarget);
HWY_EXPORT(WholeOfTarget);
HWY_EXPORT(GroupsOfTarget);

namespace {

std::atomic<const DotKernels*> g_forced{nullptr};

// Dispatched at each call, so that a target may be forced.
const DotKernels kGeneric = {
    "generic",
    [](Packing packing, bool) { return packing == Packing::kBits8; },
    [](const DotArgs& args) {
      HWY_DYNAMIC_DISPATCH(WholeOfTarget)
      (args);
    },
    [](const DotArgs& args) {
      HWY_DYNAMIC_DISPATCH(GroupsOfTarget)
      (args);
    },
    nullptr,
    nullptr};

#if BNQ_DOT_X86
bool HasAvx2() {
  __builtin_cpu_init();
  return __builtin_cpu_supports("avx2") != 0;
}
bool HasAvxVnni() {
  // Asked once: virtual machines answer the instruction in microseconds.
  static const bool has = [] {
    unsigned a, b, c, d;
    return HasAvx2() && __get_cpuid_count(7, 1, &a, &b, &c, &d) != 0 &&
           (a >> 4 & 1) != 0;
  }();
  return has;
}
bool HasAvx512Vnni() {
  __builtin_cpu_init();
  return __builtin_cpu_supports("avx512vnni") != 0 &&
         __builtin_cpu_supports("avx512bw") != 0 &&
         __builtin_cpu_supports("avx512dq") != 0 &&
         __builtin_cpu_supports("avx512vl") != 0;
}
#endif

#if BNQ_DOT_AMX
bool HasAmx() { return HasAvx512Vnni() && N_AVX512_AMX::IsUsable(); }
#endif

#if BNQ_DOT_NEON
// Bits of the kernel's report (asm/hwcap.h); elsewhere what the compiler may
// rely on.
bool HasDotProduct() {
#if defined(__linux__)
  return (getauxval(AT_HWCAP) >> 20 & 1) != 0;
#elif defined(__ARM_FEATURE_DOTPROD)
  return true;
#else
  return false;
#endif
}
bool HasI8mm() {
#if defined(__linux__)
  return HasDotProduct() && (getauxval(AT_HWCAP2) >> 13 & 1) != 0;
#elif defined(__ARM_FEATURE_MATMUL_INT8)
  return true;
#else
  return false;
#endif
}
#endif

// Best first.
struct Family {
  const DotKernels* (*kernels)();
  bool (*supported)();
  // Highway's targets that take them where one is forced; nullptr: none.
  const char* targets[2];
  bool is_amx;
};
const Family kFamilies[] = {
#if BNQ_DOT_AMX
    {N_AVX512_AMX::Kernels, HasAmx, {nullptr, nullptr}, true},
#endif
#if BNQ_DOT_X86
    {N_AVX512_VNNI::Kernels, HasAvx512Vnni, {"AVX3_DL", nullptr}, false},
    {N_AVX_VNNI::Kernels, HasAvxVnni, {nullptr, nullptr}, false},
    {N_AVX2_DOT::Kernels, HasAvx2, {"AVX3", "AVX2"}, false},
#elif BNQ_DOT_NEON
    {N_NEON_I8MM::Kernels, HasI8mm, {nullptr, nullptr}, false},
    {N_NEON_DOTPROD::Kernels, HasDotProduct, {nullptr, nullptr}, false},
#endif
    // What every CPU has.
    {[] { return &kGeneric; }, [] { return true; }, {nullptr, nullptr}, false},
};

bool TakenBy(const char* const (&targets)[2], const char* forced) {
  for (const char* target : targets) {
    if (target != nullptr && strcmp(target, forced) == 0) return true;
  }
  return false;
}

}  // namespace

void Arrange(DotOrder order, const int8_t* codes, size_t count, int8_t* out) {
  HWY_DYNAMIC_DISPATCH(ArrangeOfTarget)(order, codes, count, out);
}

void SumCodes(const int8_t* codes, size_t count, size_t group, int32_t* sums) {
  HWY_DYNAMIC_DISPATCH(SumsOfTarget)(codes, count, group, sums);
}

const DotKernels& GenericDotKernels() { return kGeneric; }

const DotKernels* DotKernelsAt(size_t index) {
  for (const Family& family : kFamilies) {
    if (!family.supported()) continue;
    if (index-- == 0) return family.kernels();
  }
  return nullptr;
}

void ForceDotKernels(const DotKernels* kernels) { g_forced = kernels; }

const DotKernels& BestDotKernels(bool allow_amx) {
  if (const DotKernels* forced = g_forced) return *forced;
  const char* const target = ForcedTarget();
  for (const Family& family : kFamilies) {
    if (target != nullptr && !TakenBy(family.targets, target)) continue;
    if (family.is_amx && !allow_amx) continue;
    if (family.supported()) return *family.kernels();
  }
  return kGeneric;
}

}  // namespace bnq
#endif  // HWY_ONCE
