// Runs a test on every SIMD target that this CPU has.
#ifndef BNQ_TESTS_SUPPORT_TARGETS_H_
#define BNQ_TESTS_SUPPORT_TARGETS_H_

#include <gtest/gtest.h>

#include "core/base/targets.h"

namespace bnq_test {

template <class F>
void ForEachTarget(F f) {
  for (const bnq::TargetInfo& target : bnq::Targets()) {
    if (!target.supported) continue;
    SCOPED_TRACE(target.name);
    bnq::ForceTarget(target.name);
    f();
    if (testing::Test::HasFatalFailure()) break;
  }
  bnq::ForceTarget(nullptr);
}

}  // namespace bnq_test

#endif  // BNQ_TESTS_SUPPORT_TARGETS_H_
