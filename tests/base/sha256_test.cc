#include "core/base/sha256.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/io/io_test_util.h"

namespace bnq {
namespace {

// FIPS 180-4's examples, and the million letters of its validation.
TEST(Sha256, HasTheStandardsDigests) {
  const struct {
    std::string text, digest;
  } cases[] = {
      {"",
       "e3b0c44298fc1c149afbf4c8996fb924"
       "27ae41e4649b934ca495991b7852b855"},
      {"abc",
       "ba7816bf8f01cfea414140de5dae2223"
       "b00361a396177a9cb410ff61f20015ad"},
      {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
       "248d6a61d20638b8e5c026930c3e6039"
       "a33ce45964ff2167f6ecedd419db06c1"},
      {"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmno"
       "ijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
       "cf5b16a778af8380036ce59e7b049237"
       "0b249b11e8f07a51afac45037afee9d1"},
      {std::string(1000000, 'a'),
       "cdc76e5c9914fb9281a1c7e284d73e67"
       "f1809a48a497200e046d39ccc7112cd0"},
  };
  for (const auto& item : cases) {
    EXPECT_EQ(Sha256Hex(item.text), item.digest);
    EXPECT_EQ(HexOf(PortableSha256(item.text.data(), item.text.size())),
              item.digest);
  }
}

// Every place at which the padding can begin, and where the two ways meet.
TEST(Sha256, IsTheSameWithAndWithoutInstructionsForIt) {
  const std::string noise = Noise(64 * 5);
  for (size_t bytes = 0; bytes <= noise.size(); ++bytes) {
    const ExactBytes exact(noise.substr(0, bytes));
    EXPECT_EQ(Sha256(exact.data(), bytes), PortableSha256(exact.data(), bytes))
        << bytes;
  }
}

}  // namespace
}  // namespace bnq
