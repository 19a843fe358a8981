#include "core/io/journal.h"

#include <gtest/gtest.h>

#include "tests/io/io_test_util.h"

namespace bnq {
namespace {

class JournalTest : public TempDirTest {
 protected:
  std::vector<std::string> Records() {
    return Journal(Path("journal"), "out").records();
  }
};

// Wherever it ends, and whatever stands behind that: what is whole counts, and
// what is appended then follows it.
TEST_F(JournalTest, TornAnywhere) {
  const std::vector<std::string> records = {"first", "", Noise(40), "last"};
  {
    Journal journal(Path("journal"), "out");
    EXPECT_TRUE(journal.created());
    journal.Append({records[0], records[1]});
    journal.Append({records[2]});
    journal.Append({records[3]});
  }
  EXPECT_EQ(Records(), records);
  const std::string whole = ReadFile(Path("journal"));
  size_t most = 0;
  for (size_t end = 0; end < whole.size(); ++end) {
    for (const std::string& behind : {std::string(), Noise(30), whole}) {
      const std::string text = whole.substr(0, end) + behind;
      if (text == whole) continue;
      WriteFile(Path("journal"), text);
      std::vector<std::string> found;
      {
        Journal journal(Path("journal"), "out");
        EXPECT_FALSE(journal.created());
        found = journal.records();
        ASSERT_LT(found.size(), records.size()) << end;
        EXPECT_TRUE(std::equal(found.begin(), found.end(), records.begin()));
        if (behind.empty()) {
          EXPECT_GE(found.size(), most);
          most = found.size();
        }
        journal.Append({"next"});
      }
      found.push_back("next");
      EXPECT_EQ(Records(), found) << end;
    }
  }
  EXPECT_EQ(most, 3u);
}

TEST_F(JournalTest, LockedAndCleared) {
  Journal journal(Path("journal"), "out");
  journal.Append({"a"});
  EXPECT_TRUE(FailsWith(Status::kExists, "another process",
                        [&] { Journal(Path("journal"), "out"); }));
  journal.Clear();
  EXPECT_EQ(ReadFile(Path("journal")), "");
  EXPECT_TRUE(journal.exists());
  std::filesystem::remove(Path("journal"));
  EXPECT_FALSE(journal.exists());
}

}  // namespace
}  // namespace bnq
