// .npy files as NumPy writes them, and as it never would.
#include "core/io/npy_reader.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <random>
#include <string>

#include "core/base/error.h"
#include "core/io/endian.h"
#include "tests/io/io_test_util.h"

namespace bnq {
namespace {

std::string Npy(const std::string& header, const std::string& data,
                int version = 1) {
  std::string file = "\x93NUMPY";
  file += static_cast<char>(version);
  file += '\0';
  if (version == 1) {
    AppendLE<uint16_t>(static_cast<uint16_t>(header.size()), &file);
  } else {
    AppendLE<uint32_t>(static_cast<uint32_t>(header.size()), &file);
  }
  return file + header + data;
}

std::string Dict(const std::string& descr, const std::string& order,
                 const std::string& shape) {
  return "{'descr': '" + descr + "', 'fortran_order': " + order +
         ", 'shape': " + shape + ", }      \n";
}

ArrayView Read(const std::string& bytes, std::unique_ptr<ExactBytes>* keep) {
  *keep = std::make_unique<ExactBytes>(bytes);
  return NpyReader((*keep)->File()).array();
}

testing::AssertionResult Fails(const std::string& bytes, Status status,
                               const std::string& text) {
  std::unique_ptr<ExactBytes> keep;
  return FailsWith(status, text, [&] { Read(bytes, &keep); });
}

TEST(Npy, WhatNumpyWrites) {
  std::unique_ptr<ExactBytes> keep;
  for (const int version : {1, 2, 3}) {
    const ArrayView array =
        Read(Npy(Dict("<f4", "False", "(2, 3)"), Noise(24), version), &keep);
    EXPECT_EQ(array.dtype, DType::kF32);
    EXPECT_EQ(array.shape.ToString(), "[2, 3]");
    EXPECT_EQ(std::string(reinterpret_cast<const char*>(array.data), 24),
              Noise(24));
  }
  EXPECT_EQ(Read(Npy(Dict("<f2", "False", "(5,)"), Noise(10)), &keep).dtype,
            DType::kF16);
  EXPECT_EQ(Read(Npy(Dict("<f8", "False", "()"), Noise(8)), &keep).shape.rank,
            0);
  // One dimension has one order, whatever it is called.
  EXPECT_EQ(Read(Npy(Dict("<f8", "True", "(1,)"), Noise(8)), &keep).dtype,
            DType::kF64);
  // Python 2's longs, in the versions that it wrote.
  for (const int version : {1, 2}) {
    EXPECT_EQ(
        Read(Npy(Dict("<f4", "False", "(3L, 4 L)"), Noise(48), version), &keep)
            .shape.ToString(),
        "[3, 4]");
  }
  EXPECT_EQ(
      Read(Npy(Dict("<f4", "False", "(0, 7)"), ""), &keep).shape.elements(),
      0u);
  EXPECT_EQ(Read(Npy("{\"shape\":(1,),\"fortran_order\":False,"
                     "\"descr\":\"<f4\"}",
                     Noise(4)),
                 &keep)
                .shape.ToString(),
            "[1]");
}

TEST(Npy, WhatIsNotSupported) {
  const Status status = Status::kUnsupported;
  EXPECT_TRUE(Fails(Npy(Dict(">f4", "False", "(1,)"), Noise(4)), status,
                    "type \">f4\", must be one of"));
  EXPECT_TRUE(
      Fails(Npy(Dict("<i4", "False", "(1,)"), Noise(4)), status, "<i4"));
  EXPECT_TRUE(Fails(Npy(Dict("<f4", "True", "(1, 1)"), Noise(4)), status,
                    "Fortran order"));
  EXPECT_TRUE(Fails(Npy("{'descr': [('a', '<f4')], 'fortran_order': False, "
                        "'shape': (1,), }",
                        Noise(4)),
                    status, "structures"));
  EXPECT_TRUE(Fails(Npy(Dict("<f4", "False", "(1,1,1,1,1,1,1,1,1)"), Noise(4)),
                    status, "rank is more than 8"));
  EXPECT_TRUE(Fails(Npy(Dict("<f4", "False", "(1,)"), Noise(4), 4), status,
                    "version 4.0"));
}

TEST(Npy, WhatCannotBe) {
  const Status status = Status::kCorruptFile;
  const std::string good = Dict("<f4", "False", "(2,)");
  EXPECT_TRUE(Fails("", status, "does not begin"));
  EXPECT_TRUE(Fails("\x93NUMPY", status, "too few"));
  EXPECT_TRUE(Fails("\x93NUMPX1234567", status, "does not begin"));
  EXPECT_TRUE(Fails(Npy(good, Noise(7)), status, "7 bytes of data"));
  EXPECT_TRUE(Fails(Npy(good, Noise(9)), status, "9 bytes of data"));
  EXPECT_TRUE(Fails(Npy(good, "").substr(0, 30), status, "does not fit"));
  EXPECT_TRUE(
      Fails(Npy(good + "x", Noise(8)), status, "behind its dictionary"));
  EXPECT_TRUE(Fails(Npy(Dict("<f4", "False", "(2)"), Noise(8)), status,
                    "number for a shape"));
  EXPECT_TRUE(Fails(Npy(Dict("<f4", "False", "(2 3)"), Noise(24)), status,
                    "without commas"));
  EXPECT_TRUE(
      Fails(Npy(Dict("<f4", "False", "(-1,)"), ""), status, "not a number"));
  EXPECT_TRUE(Fails(Npy(Dict("<f4", "Maybe", "(2,)"), Noise(8)), status,
                    "True nor False"));
  EXPECT_TRUE(Fails(Npy(Dict("<f4", "False", "(99999999999999999999,)"), ""),
                    status, "overflows"));
  EXPECT_TRUE(Fails(Npy(Dict("<f4", "False", "(4294967296, 4294967296)"), ""),
                    status, "too many elements"));
  EXPECT_TRUE(Fails(Npy("{'descr': '<f4', 'descr': '<f4'}", ""), status,
                    "repeated key \"descr\""));
  EXPECT_TRUE(Fails(Npy(Dict("<f4", "False", "(2L,)"), Noise(8), 3), status,
                    "without commas"));
  EXPECT_TRUE(
      Fails(Npy(Dict("<f4", "False", "(L,)"), ""), status, "not a number"));
  EXPECT_TRUE(Fails(Npy("{'descr': '<f4'}", ""), status, "lacks one of"));
  EXPECT_TRUE(Fails(Npy("{'descr': '<f4", ""), status, "without an end"));
  EXPECT_TRUE(Fails(Npy("['descr']", ""), status, "'{' is missing"));
}

TEST(Npy, TruncatedAnywhere) {
  const std::string good = Npy(Dict("<f4", "False", "(2, 2)"), Noise(16), 2);
  for (size_t n = 0; n < good.size(); ++n) {
    EXPECT_TRUE(Fails(good.substr(0, n), Status::kCorruptFile, "")) << n;
  }
}

TEST(IoFuzz, Npy) {
  const char* text = std::getenv("BNQ_FUZZ_ITERATIONS");
  const uint64_t iterations =
      text != nullptr ? std::strtoull(text, nullptr, 10) : 20000;
  std::mt19937_64 random(7);
  const char* const texts[] = {"(", ")",  ",",    "'",   "{", "}",
                               ":", "99", "True", "<f8", "0"};
  uint64_t read = 0;
  for (uint64_t i = 0; i < iterations; ++i) {
    std::string file = Npy(Dict("<f4", "False", "(3, 2)"), Noise(24),
                           1 + static_cast<int>(i % 3));
    for (uint64_t n = 1 + random() % 3; n > 0; --n) {
      const size_t at = static_cast<size_t>(random() % file.size());
      switch (random() % 4) {
        case 0:
          file[at] = static_cast<char>(random());
          break;
        case 1:
          file[at] = static_cast<char>(file[at] ^ (1 << random() % 8));
          break;
        case 2:
          file.erase(at, 1 + random() % 4);
          break;
        default:
          file.insert(at, texts[random() % 11]);
      }
    }
    try {
      std::unique_ptr<ExactBytes> keep;
      const ArrayView array = Read(file, &keep);
      ++read;
      uint64_t bytes = 0;
      ASSERT_TRUE(TryByteSize(array.shape, array.dtype, &bytes));
      ASSERT_LE(bytes, file.size());
      const std::string copy(reinterpret_cast<const char*>(array.data),
                             static_cast<size_t>(bytes));
      ASSERT_EQ(copy.size(), bytes);
    } catch (const Error& error) {
      ASSERT_TRUE(error.status() == Status::kCorruptFile ||
                  error.status() == Status::kUnsupported)
          << error.message();
    }
  }
  EXPECT_GT(read, iterations / 100);
}

}  // namespace
}  // namespace bnq
