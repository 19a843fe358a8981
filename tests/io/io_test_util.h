// What the tests of core/io share.
#ifndef BNQ_TESTS_IO_IO_TEST_UTIL_H_
#define BNQ_TESTS_IO_IO_TEST_UTIL_H_

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/io/endian.h"
#include "core/io/mapped_file.h"
#include "core/io/temporary_file.h"

namespace bnq {

// Whether f throws an Error of this code whose message contains text.
template <typename F>
testing::AssertionResult FailsWith(Status status, const std::string& text,
                                   F&& f) {
  try {
    f();
  } catch (const Error& error) {
    if (error.status() == status &&
        error.message().find(text) != std::string::npos) {
      return testing::AssertionSuccess() << error.message();
    }
    return testing::AssertionFailure()
           << "failed with \"" << StatusName(static_cast<int>(error.status()))
           << "\": " << error.message() << "\nexpected \""
           << StatusName(static_cast<int>(status)) << "\" with: " << text;
  }
  return testing::AssertionFailure() << "did not fail, expected: " << text;
}

// A directory of its own for each test, removed afterwards.
class TempDirTest : public testing::Test {
 protected:
  void SetUp() override {
    std::random_device random;
    directory_ = testing::TempDir() + "bnq_io_" + std::to_string(random());
    ASSERT_TRUE(std::filesystem::create_directory(directory_)) << directory_;
  }
  void TearDown() override { RemoveTree(directory_); }

  std::string Path(const std::string& name) const {
    return directory_ + "/" + name;
  }
  // Names in the directory, sorted.
  std::vector<std::string> List() const {
    std::vector<std::string> names;
    for (const auto& item : std::filesystem::directory_iterator(directory_)) {
      names.push_back(item.path().filename().string());
    }
    std::sort(names.begin(), names.end());
    return names;
  }

  std::string directory_;
};

inline std::string ReadFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  EXPECT_TRUE(in) << path;
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

inline void WriteFile(const std::string& path, const std::string& bytes) {
  std::ofstream out(path, std::ios::binary);
  out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  ASSERT_TRUE(out.flush()) << path;
}

// Bytes in memory of exactly their size, so that a sanitizer sees the first
// byte read beyond them.
class ExactBytes {
 public:
  explicit ExactBytes(const std::string& bytes)
      : data_(new uint8_t[bytes.size()]), size_(bytes.size()) {
    std::memcpy(data_.get(), bytes.data(), bytes.size());
  }
  const uint8_t* data() const { return data_.get(); }
  size_t size() const { return size_; }
  std::shared_ptr<const MappedFile> File() const {
    return MappedFile::FromMemory(data_.get(), size_, "test file");
  }

 private:
  std::unique_ptr<uint8_t[]> data_;
  size_t size_;
};

// A safetensors file of this header, whatever is in it, and this data.
inline std::string SafetensorsBytes(const std::string& header,
                                    const std::string& data = "") {
  std::string file;
  AppendLE<uint64_t>(header.size(), &file);
  return file + header + data;
}

// Deterministic bytes that look random (xorshift).
inline std::string Noise(size_t bytes, uint32_t seed = 1) {
  std::string out(bytes, '\0');
  uint32_t x = seed * 2654435761u + 1;
  for (char& c : out) {
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    c = static_cast<char>(x >> 24);
  }
  return out;
}

// The same with an uneven distribution, as weights have.
inline std::string Weights(size_t bytes, uint32_t seed = 1) {
  const std::string a = Noise(bytes, seed);
  const std::string b = Noise(bytes, seed + 1);
  std::string out(bytes, '\0');
  for (size_t i = 0; i < bytes; ++i) {
    out[i] = static_cast<char>((a[i] & 31) + (b[i] & 31));
  }
  return out;
}

}  // namespace bnq

#endif  // BNQ_TESTS_IO_IO_TEST_UTIL_H_
