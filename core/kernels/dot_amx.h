// Products with panels by AMX-INT8: tiles of 16 rows of 64 bytes.
#ifndef BNQ_CORE_KERNELS_DOT_AMX_H_
#define BNQ_CORE_KERNELS_DOT_AMX_H_

#include "core/kernels/dot_families.h"

namespace bnq {

#if BNQ_DOT_AMX
namespace N_AVX512_AMX {
// Whether this CPU has it and the system lets this process use it: on Linux a
// process has to ask, which the first call does. That changes the process: the
// stacks that its signal handlers run on must be large enough to save the tiles
// from then on.
bool IsUsable();
// As those of AVX-512 VNNI, but for products with panels.
const DotKernels* Kernels();
}  // namespace N_AVX512_AMX
#endif

// For tests: kernels whose products with panels are done as AMX does them, by
// functions that do what its instructions do.
DotKernels WithEmulatedTiles(const DotKernels& kernels);

}  // namespace bnq

#endif  // BNQ_CORE_KERNELS_DOT_AMX_H_
