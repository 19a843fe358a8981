// What every layout keeps to: damaged files of any of them are errors.
#include "core/interchange/layout.h"

#include <gtest/gtest.h>

#include "tests/interchange/interchange_test_util.h"

namespace bnq {
namespace {

// Opens the file and reads all that the layout finds: an Error is fine.
void ReadAll(const std::string& bytes, const std::string& config,
             const std::string& layout) {
  try {
    const Foreign foreign(bytes, config, layout);
    for (const auto& tensor : foreign.model().tensors()) {
      foreign.Values(tensor->name);
    }
  } catch (const Error& error) {
    EXPECT_NE(error.message(), "");
    EXPECT_NE(error.status(), Status::kInternal) << error.message();
  }
}

// Digits and types of headers, names, and config.json, one or a few at a time.
std::string Damaged(std::string text, size_t begin, size_t end,
                    std::mt19937& random) {
  constexpr char kInstead[] = "0123456789IFUB_[]\",.-";
  for (uint32_t n = 1 + random() % 3; n > 0; --n) {
    text[begin + random() % (end - begin)] =
        kInstead[random() % (sizeof kInstead - 1)];
  }
  return text;
}

TEST(Layouts, DamagedFilesAreErrors) {
  const std::string folder = BNQ_TEST_GOLDEN "/interchange/";
  std::mt19937 random(1);
  int files = 0;
  for (const JsonTree& item :
       ParseJson(ReadFile(folder + "manifest.json"), "manifest").items) {
    const std::string layout = item.Find("layout")->string;
    const std::string path = folder + item.Find("path")->string;
    if (!std::filesystem::exists(path + "/model.safetensors")) continue;
    SCOPED_TRACE(path);
    ++files;
    const std::string bytes = ReadFile(path + "/model.safetensors");
    const std::string config = ReadFile(path + "/config.json");
    const size_t header =
        8 + LoadLE<uint32_t>(reinterpret_cast<const uint8_t*>(bytes.data()));
    for (int i = 0; i < 300; ++i) {
      ReadAll(Damaged(bytes, 8, header, random), config, layout);
      ReadAll(bytes, Damaged(config, 0, config.size(), random), layout);
      // Codes, scales and indices of other values, not all of which are wrong.
      std::string other = bytes;
      other[header + random() % (bytes.size() - header)] =
          static_cast<char>(random());
      ReadAll(other, config, layout);
    }
    for (size_t size = 0; size < bytes.size(); size += 7) {
      ReadAll(bytes.substr(0, size), config, layout);
    }
  }
  EXPECT_GE(files, 20);
}

// What one layout finds in the files of another is an error or nothing, but for
// those that are the same bytes.
TEST(Layouts, OthersAreNotTaken) {
  const std::string folder = BNQ_TEST_GOLDEN "/interchange/";
  for (const JsonTree& item :
       ParseJson(ReadFile(folder + "manifest.json"), "manifest").items) {
    const std::string layout = item.Find("layout")->string;
    const std::string path = folder + item.Find("path")->string;
    if (!std::filesystem::exists(path + "/model.safetensors")) continue;
    for (const ForeignLayout* row : ForeignLayouts()) {
      if (row->find == nullptr || row->name == layout ||
          row->container != FileKind::kSafetensors) {
        continue;
      }
      SCOPED_TRACE(path + " as " + row->name);
      try {
        EXPECT_EQ(Foreign(ReadFile(path + "/model.safetensors"),
                          ReadFile(path + "/config.json"), row->name)
                      .size(),
                  0u);
      } catch (const Error& error) {
        // qweight that is not this one's.
        EXPECT_EQ(error.status(), Status::kUnsupported) << error.message();
      }
    }
  }
}

}  // namespace
}  // namespace bnq
