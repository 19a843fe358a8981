// Files of other ecosystems as model files.
#include "core/interchange/layout.h"

#include <gtest/gtest.h>

#include "core/base/error.h"

namespace bnq {
namespace {

TEST(ForeignLayout, NamesAreListedWhereOneIsNotKnown) {
  try {
    FindForeignLayout("no such layout");
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.status(), Status::kInvalidArgument);
    for (const ForeignLayout* row : ForeignLayouts()) {
      EXPECT_NE(e.message().find(row->name), std::string::npos);
      EXPECT_EQ(&FindForeignLayout(row->name), row);
    }
  }
}

}  // namespace
}  // namespace bnq
