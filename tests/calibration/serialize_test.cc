// The serialized form: the same bytes everywhere, and hostile ones.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "core/calibration/calibrator.h"
#include "core/io/endian.h"
#include "tests/io/io_test_util.h"
#include "tests/support/values.h"
#include "zlib.h"

namespace bnq {
namespace {

uint64_t Iterations() {
  const char* text = std::getenv("BNQ_FUZZ_ITERATIONS");
  return text != nullptr ? std::strtoull(text, nullptr, 10) : 20000;
}

const char* const kMethods[] = {"minmax", "moving_average", "percentile", "kl",
                                "mse",    "adaptive"};

Calibrator Sample(const char* method, bool channels, uint32_t batches = 3) {
  Calibrator calibrator;
  calibrator.SetText("method", method);
  calibrator.SetText("granularity", channels ? "channel" : "tensor");
  calibrator.SetText("axis", "0");
  calibrator.SetText("moments", channels ? "on" : "off");
  calibrator.SetText("bins", "64");
  for (uint32_t i = 0; i < batches; ++i) {
    const std::vector<float> values = bnq_test::HardValues(60, i);
    const uint64_t dims[] = {4, 15};
    calibrator.Observe(Context(),
                       {reinterpret_cast<const uint8_t*>(values.data()),
                        DType::kF32, Shape::Make(2, dims)},
                       nullptr);
  }
  return calibrator;
}

std::unique_ptr<Calibrator> Parse(const std::string& bytes) {
  const ExactBytes exact(bytes);
  return Calibrator::Deserialize(Context(), exact.data(), exact.size());
}

void Sign(std::string* bytes) {
  if (bytes->size() < 4) return;
  const size_t end = bytes->size() - 4;
  const uLong crc = crc32(0, reinterpret_cast<const Bytef*>(bytes->data()),
                          static_cast<uInt>(end));
  StoreLE<uint32_t>(static_cast<uint32_t>(crc),
                    reinterpret_cast<uint8_t*>(&(*bytes)[end]));
}

TEST(CalibratorBytes, RoundTrip) {
  for (const char* method : kMethods) {
    for (const bool channels : {false, true}) {
      for (const uint32_t batches : {0u, 1u, 5u}) {
        Calibrator original = Sample(method, channels, batches);
        const std::string bytes = original.Serialize();
        const std::unique_ptr<Calibrator> copy = Parse(bytes);
        EXPECT_EQ(copy->Serialize(), bytes);
        EXPECT_EQ(original.Clone(Context())->Serialize(), bytes);
        if (batches == 0) continue;
        const std::vector<Range> a = original.Ranges(Context());
        const std::vector<Range> b = copy->Ranges(Context());
        ASSERT_EQ(a.size(), b.size());
        for (size_t c = 0; c < a.size(); ++c) {
          EXPECT_EQ(a[c].lo, b[c].lo);
          EXPECT_EQ(a[c].hi, b[c].hi);
        }
        // It goes on where the other stopped.
        const float more[4] = {9, -9, 100, 0.125f};
        const uint64_t dims[] = {4, 1};
        const ArrayView array = {reinterpret_cast<const uint8_t*>(more),
                                 DType::kF32, Shape::Make(2, dims)};
        original.Observe(Context(), array, nullptr);
        copy->Observe(Context(), array, nullptr);
        EXPECT_EQ(copy->Serialize(), original.Serialize());
      }
    }
  }
}

TEST(CalibratorBytes, GoOnWithinTheSameRange) {
  // What was read has no room to spare around its bins; many values, that is
  // other ways of counting, must not need it.
  for (const bool channels : {false, true}) {
    Calibrator original;
    original.SetText("method", "kl");
    original.SetText("bins", "64");
    original.SetText("granularity", channels ? "channel" : "tensor");
    original.SetText("axis", "0");
    const std::vector<float> values = bnq_test::HardValues(600000, 0);
    const uint64_t dims[] = {2, values.size() / 2};
    const ArrayView array = {reinterpret_cast<const uint8_t*>(values.data()),
                             DType::kF32, Shape::Make(2, dims)};
    original.Observe(Context(), array, nullptr);
    const std::unique_ptr<Calibrator> copy = Parse(original.Serialize());
    original.Observe(Context(), array, nullptr);
    copy->Observe(Context(), array, nullptr);
    EXPECT_EQ(copy->Serialize(), original.Serialize());
  }
}

TEST(CalibratorBytes, AreThoseOfTheReadme) {
  Calibrator calibrator;
  calibrator.SetText("moments", "on");
  calibrator.SetText("histogram", "on");
  const float values[] = {1, -1, 0, 1};
  const uint64_t dims[] = {4};
  calibrator.Observe(Context(),
                     {reinterpret_cast<const uint8_t*>(values), DType::kF32,
                      Shape::Make(1, dims)},
                     nullptr);
  const std::string bytes = calibrator.Serialize();
  const size_t options = 12 + 16 * kNumCalibrationOptions;
  ASSERT_GT(bytes.size(), options);
  EXPECT_EQ(bytes.substr(0, 12), std::string("BNQC\1\0\1\0\x13\0\0\0", 12));
  std::string expected;
  expected += std::string("\1\1", 2);          // batches, channels
  expected += std::string("\0\4\1", 3);        // non-finite, count, zeros
  expected += std::string("\0\0\x80\xBF", 4);  // -1
  expected += std::string("\0\0\x80\x3F", 4);  // 1
  // Sums 1, 3, 3, 1, 3: 2^0 is bit 0 of limb 11 (704 / 64).
  for (const char sum : {1, 3, 3, 1, 3}) {
    expected += std::string("\x0B\1", 2) + sum + std::string(7, '\0');
  }
  // 2 x 2048 bins hold -1..1 with width 2^-10: bins -1024 .. 1024.
  std::string bins(2049, '\0');
  bins[0] = 1;
  bins[1024] = 1;
  bins[2048] = 2;
  expected += bins;
  // Fine bins would go on from bins -64 .. 63, but nothing there is not 0.
  expected += std::string(1, '\0');
  EXPECT_EQ(bytes.substr(options, bytes.size() - options - 4), expected);

  // They end at 2^-4. -2^-4 is in the last of them, which begins there; 2^-5 is
  // in the first of the last 64.
  const float small[] = {-0.0625f, 0.03125f};
  const uint64_t two[] = {2};
  calibrator.Observe(Context(),
                     {reinterpret_cast<const uint8_t*>(small), DType::kF32,
                      Shape::Make(1, two)},
                     nullptr);
  const std::string more = calibrator.Serialize();
  std::string fine("\x40", 1);
  fine += std::string("\1\0", 2) + std::string(2 * 62, '\0') +
          std::string("\0\1", 2);
  EXPECT_EQ(more.substr(more.size() - 4 - fine.size(), fine.size()), fine);
}

// What observe can make of any values can be read again, goes on as if it had
// not been written, and is the same in whatever order they came.
TEST(CalibratorBytes, EveryStateCanBeReadAgain) {
  std::mt19937 random(31);
  const auto observe = [](Calibrator* calibrator,
                          const std::vector<float>& values) {
    const uint64_t dims[] = {values.size()};
    calibrator->Observe(Context(),
                        {reinterpret_cast<const uint8_t*>(values.data()),
                         DType::kF32, Shape::Make(1, dims)},
                        nullptr);
  };
  std::vector<std::vector<float>> sets = {
      {-1e-30f, 1e19f},
      {-1e-12f, 0.5f},
      {-3.4028235e38f, 0.1f, -2e-12f},
      {-1e-45f, 3.4028235e38f, 1e-45f, -0.0f},
      {-3.4028235e38f, 3.4028235e38f, -1.17549435e-38f}};
  for (int i = 0; i < 150; ++i) {
    std::vector<float> values;
    for (uint32_t k = 0; k < 2 + random() % 9; ++k) {
      const uint32_t bits = random();
      float x;
      std::memcpy(&x, &bits, sizeof x);
      values.push_back(std::isfinite(x) ? x : -0.0f);
    }
    sets.push_back(values);
  }
  for (const std::vector<float>& values : sets) {
    for (const char* method : kMethods) {
      for (const char* outliers : {"none", "percentile"}) {
        const auto make = [&] {
          Calibrator c;
          c.SetText("method", method);
          c.SetText("outliers", outliers);
          c.SetText("bins", "64");
          return c;
        };
        Calibrator whole = make(), parts = make(), backwards = make();
        observe(&whole, values);
        const std::string bytes = whole.Serialize();
        ASSERT_EQ(Parse(bytes)->Serialize(), bytes) << method;
        Parse(bytes)->Ranges(Context());
        for (size_t k = 0; k < values.size(); ++k) {
          parts = std::move(*Parse(parts.Serialize()));
          observe(&parts, {values[k]});
          observe(&backwards, {values[values.size() - 1 - k]});
        }
        ASSERT_EQ(Parse(parts.Serialize())->Serialize(), parts.Serialize());
        if (MethodOf(whole.options().method()).follow != nullptr) continue;
        ASSERT_EQ(parts.Serialize(), backwards.Serialize()) << method;
        const Range a = parts.Ranges(Context())[0];
        const Range b = whole.Ranges(Context())[0];
        ASSERT_EQ(a.lo, b.lo) << method;
        ASSERT_EQ(a.hi, b.hi) << method;
      }
    }
  }
}

// States of version 1.0 had no fine bins; they go on without them.
TEST(CalibratorBytes, StatesWithoutFineBinsAreRead) {
  Calibrator kl = Sample("kl", false);
  kl.SetText("method", "percentile");
  std::string bytes = kl.Serialize();
  EXPECT_EQ(bytes[6], 0);
  const std::unique_ptr<Calibrator> old = Parse(bytes);
  EXPECT_EQ(old->Ranges(Context())[0].hi, kl.Ranges(Context())[0].hi);
  bytes[6] = 2;
  Sign(&bytes);
  EXPECT_TRUE(
      FailsWith(Status::kUnsupported, "version 1.2", [&] { Parse(bytes); }));
}

TEST(CalibratorBytes, TruncatedAnywhere) {
  for (const char* method : {"minmax", "adaptive", "kl", "percentile"}) {
    const std::string bytes = Sample(method, true).Serialize();
    // Fine bins of such values take many bytes, mostly 0.
    const size_t step = bytes.size() / 4096 + 1;
    for (size_t n = 0; n < bytes.size(); n += step) {
      std::string part = bytes.substr(0, n);
      ASSERT_TRUE(FailsWith(Status::kCorruptFile, "serialized calibrator", [&] {
        Parse(part);
      })) << n;
      if (n < 12) continue;  // the checksum would be in the version's place
      Sign(&part);
      ASSERT_TRUE(FailsWith(Status::kCorruptFile, "serialized calibrator", [&] {
        Parse(part);
      })) << n;
    }
  }
}

TEST(CalibratorBytes, EveryFlippedBitIsSeen) {
  const std::string bytes = Sample("kl", true, 1).Serialize();
  for (size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
    std::string damaged = bytes;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << bit % 8));
    // A version that is not ours is told apart before the checksum.
    const bool version = bit / 8 == 4 || bit / 8 == 5;
    ASSERT_TRUE(FailsWith(version ? Status::kUnsupported : Status::kCorruptFile,
                          "serialized calibrator", [&] { Parse(damaged); }))
        << bit;
  }
}

TEST(CalibratorBytes, NothingIsHidden) {
  std::string bytes = Sample("minmax", false).Serialize();
  bytes.insert(bytes.size() - 4, "x");
  Sign(&bytes);
  EXPECT_TRUE(FailsWith(Status::kCorruptFile, "more behind its end",
                        [&] { Parse(bytes); }));
  EXPECT_TRUE(FailsWith(Status::kCorruptFile, "too early", [] { Parse(""); }));
}

// Damage behind a right checksum: an error, or a calibrator that works and says
// of itself what was read.
TEST(CalibratorFuzz, SignedDamage) {
  std::mt19937_64 random(20240301);
  uint64_t parsed = 0;
  for (uint64_t i = 0; i < Iterations(); ++i) {
    std::string bytes =
        Sample(kMethods[i % 6], i / 6 % 2 != 0, 1 + i / 12 % 2).Serialize();
    // Options are most of the bytes, and the least of the danger.
    const size_t options = 12 + 16 * kNumCalibrationOptions;
    for (uint64_t n = 1 + random() % 3; n > 0; --n) {
      const size_t from = random() % 4 == 0 ? 0 : options;
      const size_t at =
          from + static_cast<size_t>(random() % (bytes.size() - from));
      switch (random() % 4) {
        case 0:
          bytes[at] = static_cast<char>(random());
          break;
        case 1:
          bytes[at] = static_cast<char>(bytes[at] ^ (1 << random() % 8));
          break;
        case 2:
          bytes.erase(at, 1);
          break;
        default:
          bytes.insert(at, 1, static_cast<char>(random() % 2 ? 0xFF : 0));
      }
    }
    Sign(&bytes);
    try {
      const std::unique_ptr<Calibrator> calibrator = Parse(bytes);
      ++parsed;
      if (calibrator->channels() != 0) {
        calibrator->Statistics(Calibrator::kAllChannels);
        try {
          calibrator->Ranges(Context());
        } catch (const Error& error) {
          ASSERT_EQ(error.status(), Status::kNoData) << error.message();
        }
      }
      // Options that were not there are there now; then it is stable.
      const std::string again = calibrator->Serialize();
      ASSERT_EQ(Parse(again)->Serialize(), again) << i;
    } catch (const Error& error) {
      ASSERT_TRUE(error.status() == Status::kCorruptFile ||
                  error.status() == Status::kUnsupported)
          << i << ": " << error.message();
    }
  }
  EXPECT_GT(parsed, Iterations() / 100);
}

}  // namespace
}  // namespace bnq
