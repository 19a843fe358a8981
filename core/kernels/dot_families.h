// The instruction families that dot products are compiled for beside Highway's
// targets, each in a file of its own with the attributes that its instructions
// ask for, and chosen by its own bits of CPUID or HWCAP: Highway's targets
// would have other instructions than their names say (1.0.3's AVX3_DL has
// avxvnni but not avx512vnni).
#ifndef BNQ_CORE_KERNELS_DOT_FAMILIES_H_
#define BNQ_CORE_KERNELS_DOT_FAMILIES_H_

#include "core/kernels/dot.h"

#if (defined(__x86_64__) || defined(__i386__)) && defined(__GNUC__) && \
    !defined(BNQ_WITHOUT_DOT_X86)
#define BNQ_DOT_X86 1
#else
#define BNQ_DOT_X86 0
#endif

// Where a process may ask for the tiles. (On Windows GCC's intrinsics for them
// do not assemble.)
#if BNQ_DOT_X86 && defined(__linux__)
#define BNQ_DOT_AMX 1
#else
#define BNQ_DOT_AMX 0
#endif

// Little-endian, as the codes of a dword are.
#if defined(__aarch64__) && defined(__GNUC__) && !defined(__AARCH64EB__)
#define BNQ_DOT_NEON 1
#else
#define BNQ_DOT_NEON 0
#endif

#endif  // BNQ_CORE_KERNELS_DOT_FAMILIES_H_
