// Calibration data in files and directories.
#include "core/calibration/dataset.h"

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "tests/io/io_test_util.h"

namespace bnq {
namespace {

using S = CalibrationStatistic;

std::string Bytes(const std::vector<float>& values) {
  std::string bytes(values.size() * 4, '\0');
  if (!values.empty()) std::memcpy(&bytes[0], values.data(), bytes.size());
  return bytes;
}

std::string Npy(const std::vector<float>& values) {
  const std::string header =
      "{'descr': '<f4', 'fortran_order': False, "
      "'shape': (" +
      std::to_string(values.size()) + ",), }\n";
  std::string file("\x93NUMPY\1\0", 8);
  AppendLE<uint16_t>(static_cast<uint16_t>(header.size()), &file);
  return file + header + Bytes(values);
}

class Dataset : public TempDirTest {
 protected:
  void SetUp() override {
    TempDirTest::SetUp();
    calibrator_ = std::make_unique<Calibrator>();
    calibrator_->SetText("scheme", "asymmetric");
    calibrator_->SetText("histogram", "on");
    WriteFile(Path("b.npy"), Npy({-2, 2}));
    WriteFile(Path("a.npy"), Npy({-1, 1, 0}));
    WriteFile(Path("c.safetensors"),
              SafetensorsBytes(
                  R"({"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
                  R"("ids":{"dtype":"I32","shape":[1],"data_offsets":[8,12]},)"
                  R"("y":{"dtype":"F32","shape":[1],"data_offsets":[12,16]}})",
                  Bytes({5, -5}) + std::string(4, '\x7F') + Bytes({50})));
    WriteFile(Path("notes.txt"), "not data");
  }
  void Observe(const std::string& path, const std::string& name = "",
               const Progress& progress = nullptr) {
    ObserveFile(Context(), path, name.empty() ? nullptr : &name, progress,
                &calibrator_);
  }
  double Max() const { return calibrator_->Statistics(0).at(S::kMax); }

  std::unique_ptr<Calibrator> calibrator_;
};

TEST_F(Dataset, AFile) {
  Observe(Path("a.npy"));
  EXPECT_EQ(calibrator_->batches(), 1u);
  EXPECT_EQ(Max(), 1);
  Observe(Path("c.safetensors"));
  EXPECT_EQ(calibrator_->batches(), 3u);
  EXPECT_EQ(Max(), 50);
}

TEST_F(Dataset, OneArrayOfAFile) {
  Observe(Path("c.safetensors"), "x");
  EXPECT_EQ(Max(), 5);
  Observe(Path("b.npy"), "b");
  EXPECT_EQ(calibrator_->batches(), 2u);
  EXPECT_TRUE(FailsWith(Status::kNotFound, "has no array \"z\"",
                        [&] { Observe(Path("c.safetensors"), "z"); }));
  EXPECT_TRUE(FailsWith(Status::kUnsupported, "tensor \"ids\"",
                        [&] { Observe(Path("c.safetensors"), "ids"); }));
}

TEST_F(Dataset, ADirectoryInOrder) {
  std::vector<std::string> items;
  uint64_t last = 0, end = 0;
  Observe(directory_, "",
          [&](uint64_t done, uint64_t total, const std::string& item) {
            if (items.empty() || items.back() != item) items.push_back(item);
            EXPECT_GE(done, last);
            EXPECT_LE(done, total);
            last = done;
            end = total;
          });
  EXPECT_EQ(items, (std::vector<std::string>{"a", "b", "x", "y"}));
  EXPECT_EQ(last, end);
  EXPECT_EQ(end, 12u + 8 + 8 + 4);
  EXPECT_EQ(calibrator_->batches(), 4u);
  EXPECT_EQ(calibrator_->Statistics(0).at(S::kCount), 8);
}

TEST_F(Dataset, WhatIsNotThere) {
  EXPECT_TRUE(FailsWith(Status::kNotFound, "nothing.npy",
                        [&] { Observe(Path("nothing.npy")); }));
  std::filesystem::create_directory(Path("empty"));
  EXPECT_TRUE(FailsWith(Status::kNotFound, "no file *.npy",
                        [&] { Observe(Path("empty")); }));
  EXPECT_TRUE(FailsWith(Status::kCorruptFile, "notes.txt",
                        [&] { Observe(Path("notes.txt")); }));
}

TEST_F(Dataset, AFailureChangesNothing) {
  Observe(Path("a.npy"));
  const std::string before = calibrator_->Serialize();
  WriteFile(Path("d.npy"), Npy({1, std::stof("nan")}));
  EXPECT_TRUE(FailsWith(Status::kNonFinite, "array \"d\" of ",
                        [&] { Observe(directory_); }));
  EXPECT_EQ(calibrator_->Serialize(), before);
  int calls = 0;
  EXPECT_TRUE(FailsWith(Status::kCancelled, "enough", [&] {
    Observe(directory_, "", [&](uint64_t, uint64_t, const std::string&) {
      if (++calls == 4) Fail(Status::kCancelled, "enough");
    });
  }));
  EXPECT_EQ(calibrator_->Serialize(), before);
}

}  // namespace
}  // namespace bnq
