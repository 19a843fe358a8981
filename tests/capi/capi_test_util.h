// What the tests of the C ABI share.
#ifndef BNQ_TESTS_CAPI_CAPI_TEST_UTIL_H_
#define BNQ_TESTS_CAPI_CAPI_TEST_UTIL_H_

#include <gtest/gtest.h>

#include <string>

#include "bnq/bnq.h"

namespace bnq_test {

// A call that failed with `status`, and whose text says `part`.
inline void Expect(bnq_status call, bnq_status status,
                   const std::string& part) {
  EXPECT_EQ(call, status) << bnq_last_error();
  EXPECT_NE(std::string(bnq_last_error()).find(part), std::string::npos)
      << "\"" << bnq_last_error() << "\" does not say \"" << part << "\"";
}

}  // namespace bnq_test

#endif  // BNQ_TESTS_CAPI_CAPI_TEST_UTIL_H_
