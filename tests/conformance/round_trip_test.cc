// Fake quantization of every format on every SIMD target.
#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "core/kernels/random.h"
#include "core/kernels/traversal.h"
#include "core/scheme/registry.h"
#include "core/scheme/rules.h"
#include "tests/support/reference.h"
#include "tests/support/targets.h"
#include "tests/support/values.h"

namespace bnq_test {
namespace {

using namespace bnq;

}  // namespace
}  // namespace bnq_test
