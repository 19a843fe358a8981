// SIMD targets by name, and which of them runs.
#ifndef BNQ_CORE_BASE_TARGETS_H_
#define BNQ_CORE_BASE_TARGETS_H_

#include <string>
#include <vector>

namespace bnq {

struct TargetInfo {
  const char* name;
  bool supported;  // by this CPU
};

// Compiled into the library, best first.
const std::vector<TargetInfo>& Targets();
const char* ActiveTarget();
// nullptr: none is forced.
const char* ForcedTarget();

// For tests: process-wide; nullptr takes the best again. NOT_FOUND,
// UNSUPPORTED. Not while kernels run.
void ForceTarget(const char* name);

}  // namespace bnq

#endif  // BNQ_CORE_BASE_TARGETS_H_
