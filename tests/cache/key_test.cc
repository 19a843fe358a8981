#include "core/cache/key.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "core/base/sha256.h"
#include "core/parallel/runner.h"
#include "core/scheme/presets.h"
#include "core/scheme/registry.h"
#include "core/tensor/quantize.h"
#include "tests/cache/cache_test_util.h"

namespace bnq {
namespace {

std::string KeyOf(const TestArray& array, const std::string& config = "int8",
                  const float* importance = nullptr,
                  const std::string& identity = "") {
  const ArrayView view = array.view();
  return QuantizedKey({}, Config::FromText(config),
                      {view, importance, identity});
}

TEST(QuantizedKey, IsAnotherForEverythingThatDecidesBytes) {
  const TestArray array({2, 3}, {1, 2, 3, 4, 5, 6});
  const float importance[] = {1, 2, 3}, other[] = {1, 2, 4};
  const std::vector<std::string> keys = {
      KeyOf(array),
      KeyOf(array, "int4"),
      KeyOf(array, "int8,seed=1"),
      KeyOf(TestArray({3, 2}, {1, 2, 3, 4, 5, 6})),
      KeyOf(TestArray({2, 3}, {1, 2, 3, 4, 5, 7})),
      KeyOf(
          TestArray(DType::kI32, {2, 3}, std::vector<float>{1, 2, 3, 4, 5, 6})),
      KeyOf(array, "int8", importance),
      KeyOf(array, "int8", other),
      KeyOf(array, "int8", nullptr, "a"),
      KeyOf(array, "int8", nullptr, "b"),
  };
  EXPECT_EQ(std::set<std::string>(keys.begin(), keys.end()).size(),
            keys.size());
  for (const std::string& key : keys) EXPECT_TRUE(IsKey(key)) << key;
  EXPECT_EQ(KeyOf(array), KeyOf(array, "int8,group_size=128"));
  // Folders that there are already.
  EXPECT_EQ(KeyOf(array),
            "5207d0c5e500e943eb3ff4e50d50b4f5d4226b7ad45489c6f5c0674ae0fc9e2a");
}

TEST(ContentDigest, IsThatOfPiecesWhateverTheThreads) {
  Context pool;
  pool.runner = MakePool(3);
  const uint64_t piece = uint64_t{1} << 20;
  for (const uint64_t bytes :
       {uint64_t{0}, uint64_t{1}, piece, piece + 1, 3 * piece}) {
    const std::string noise = Noise(bytes);
    std::string digests;
    for (uint64_t at = 0; at < bytes; at += piece) {
      const Sha256Digest digest =
          Sha256(noise.data() + at, std::min(piece, bytes - at));
      digests.append(digest.begin(), digest.end());
    }
    EXPECT_EQ(ContentDigest({}, noise.data(), bytes), Sha256Hex(digests));
    EXPECT_EQ(ContentDigest(pool, noise.data(), bytes), Sha256Hex(digests));
  }
}

TEST(TensorKey, IsThatOfTheTensorsConfigShapeAndParts) {
  const TestArray array = WeightsOf({8, 64}, 1);
  const auto key = [](const TestArray& of, const std::string& config) {
    return TensorKey({}, *Quantize({}, Config::FromText(config), of.view()));
  };
  const std::set<std::string> keys = {
      key(array, "int8,group_size=32"), key(array, "int8,group_size=64"),
      key(array, "int4,group_size=32"),
      key(WeightsOf({8, 64}, 2), "int8,group_size=32"),
      key(WeightsOf({64, 8}, 1), "int8,group_size=32")};
  EXPECT_EQ(keys.size(), 5u);
  // What only says how it was made is no part of it.
  EXPECT_EQ(key(array, "int8,group_size=32,seed=3"),
            key(array, "int8,group_size=32"));
}

// Where this fails bytes have changed: a new kCodecRevision keeps caches from
// giving the old ones, and then the digest is to be renewed.
TEST(CodecRevision, IsThatOfTheBytesOfEveryFormatAndPreset) {
  const TestArray array = WeightsOf({16, 320}, 7);
  std::vector<std::string> texts;
  for (int i = 0; i < NumFormats(); ++i) {
    texts.push_back(std::string("format=") + FormatAt(i).name);
  }
  for (int i = 0; i < NumPresets(); ++i) texts.push_back(PresetAt(i).text);
  std::string all;
  for (const std::string& text : texts) {
    all += TensorKey({}, *Quantize({}, Config::FromText(text), array.view()));
  }
  EXPECT_EQ(kCodecRevision, 1);
  EXPECT_EQ(Sha256Hex(all),
            "63060e59539c4963c8fc26842b96e65bb3ea49c690758edc61c037acec20d6d1");
}

TEST(CheckKey, TakesOnlyDigests) {
  const std::string key(64, 'a');
  EXPECT_NO_THROW(CheckKey(key));
  for (const std::string& wrong :
       {std::string(), std::string(63, 'a'), std::string(65, 'a'),
        std::string(63, 'a') + "A",
        std::string("../") + std::string(61, 'a')}) {
    EXPECT_TRUE(FailsWith(Status::kInvalidArgument,
                          "must be 64 hexadecimal digits",
                          [&] { CheckKey(wrong); }));
  }
  EXPECT_NE(AliasOf("a/b"), AliasOf("a_b"));
}

}  // namespace
}  // namespace bnq
