#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "core/model/convert.h"
#include "core/tensor/chunks.h"
#include "core/tensor/quantize.h"
#include "tests/model/model_test_util.h"

namespace bnq {
namespace {

class Compare : public ModelTest {
 protected:
  // Rows by name, the same for slices of one chunk and for whole tensors.
  std::map<std::string, ReportRow> Rows(const TestModel& a,
                                        const TestModel& b) {
    const std::string first = Write(a, "a.safetensors");
    const std::string second = Write(b, "b.bnq", FileKind::kBnq);
    std::map<std::string, ReportRow> rows;
    for (const ReportRow& row :
         CompareFiles(context_, first, second, nullptr)) {
      rows[row.name] = row;
    }
    for (const ReportRow& row :
         CompareFiles(context_, first, second, nullptr, kChunk)) {
      EXPECT_EQ(row.note, rows.at(row.name).note) << row.name;
      EXPECT_EQ(
          std::memcmp(row.metrics.values, rows.at(row.name).metrics.values,
                      sizeof row.metrics.values),
          0)
          << row.name;
    }
    return rows;
  }
};

double Of(const ReportRow& row, Metric metric) {
  return row.metrics.values[static_cast<int>(metric)];
}

// Three slices and a bit, so that every kind of difference may lie in any.
constexpr uint64_t kMany = 3 * kChunk + 5;

std::vector<float> Ramp() {
  std::vector<float> values(kMany);
  for (uint64_t i = 0; i < kMany; ++i) {
    values[i] = static_cast<float>(i % 251) - 125.0f;
  }
  return values;
}

// The errors of one element, in whichever slice it is, of any types.
TEST_F(Compare, Values) {
  const std::vector<float> values = Ramp();
  for (const uint64_t at :
       {uint64_t{0}, uint64_t{kChunk - 1}, uint64_t{2 * kChunk}, kMany - 1}) {
    std::vector<double> other(values.begin(), values.end());
    other[at] += 3;
    const ReportRow row = Rows({{"w", {{kMany}, values}}},
                               {{"w", {DType::kF64, {kMany}, other}}})["w"];
    EXPECT_EQ(row.note, "");
    EXPECT_EQ(Of(row, Metric::kMaxError), 3.0);
    EXPECT_DOUBLE_EQ(Of(row, Metric::kMse), 9.0 / kMany);
    EXPECT_DOUBLE_EQ(Of(row, Metric::kMae), 3.0 / kMany);
    EXPECT_EQ(row.dtype, static_cast<int32_t>(DType::kF64));
    EXPECT_EQ(row.bytes_before, 4 * kMany);
    EXPECT_EQ(row.bytes_after, 8 * kMany);
  }
}

// Values that are not finite have no errors, but may be the same.
TEST_F(Compare, ValuesThatAreNotFinite) {
  std::vector<float> values = Ramp();
  values[kChunk + 1] = NAN;
  values[kMany - 2] = HUGE_VALF;
  const TestArray same({kMany}, values);
  values[kMany - 1] += 1;  // in the last slice alone
  const TestArray other({kMany}, values);
  auto rows = Rows({{"differs", same}, {"same", same}},
                   {{"differs", other}, {"same", same}});
  EXPECT_EQ(rows["same"].note, "values that are not finite, the same in both");
  EXPECT_EQ(Of(rows["same"], Metric::kMse), 0.0);
  EXPECT_EQ(Of(rows["same"], Metric::kSqnrDb), HUGE_VAL);
  EXPECT_EQ(rows["differs"].note, "values that are not finite");
  EXPECT_TRUE(std::isnan(Of(rows["differs"], Metric::kMse)));
}

// What are no values are compared byte by byte, in pieces of a mebibyte.
TEST_F(Compare, Bytes) {
  std::vector<uint8_t> bytes((1 << 20) + 3, 7);
  const TestArray same(DType::kU8, {bytes.size()}, bytes);
  bytes.back() = 8;
  const TestArray last(DType::kU8, {bytes.size()}, bytes);
  const TestArray signs(DType::kI8, {bytes.size()}, bytes);
  auto rows = Rows({{"last", same}, {"same", same}, {"signs", last}},
                   {{"last", last}, {"same", same}, {"signs", signs}});
  EXPECT_EQ(rows["same"].note, "");
  EXPECT_EQ(Of(rows["same"], Metric::kCosine), 1.0);
  EXPECT_EQ(rows["last"].note, "bytes differ");
  EXPECT_EQ(rows["signs"].note, "dtype differs");
}

TEST_F(Compare, WhatHasNoPair) {
  const TestArray two({2}, {1, 2});
  auto rows = Rows(
      {{"a", two}, {"empty", {{0}, {}}}, {"m", two}, {"y", two}},
      {{"b", two}, {"empty", {{0}, {}}}, {"m", {{1, 2}, {1, 2}}}, {"z", two}});
  EXPECT_EQ(rows.size(), 6u);
  EXPECT_EQ(rows["a"].note, "only in the first file");
  EXPECT_EQ(rows["y"].note, "only in the first file");
  EXPECT_EQ(rows["b"].note, "only in the second file");
  EXPECT_EQ(rows["z"].note, "only in the second file");
  EXPECT_EQ(rows["z"].bytes_before, 0u);
  EXPECT_EQ(rows["empty"].note, "empty");
  EXPECT_EQ(rows["m"].note, "shape differs: [2] in the first file");
  for (const auto& item : rows) {
    EXPECT_TRUE(std::isnan(Of(item.second, Metric::kMse))) << item.first;
  }
}

// Two files of codes; and progress, which hears of every slice and never goes
// back.
TEST_F(Compare, QuantizedTensors) {
  const TestArray array({kMany}, Ramp());
  const auto write = [&](const char* name, const char* config) {
    const auto tensor =
        Quantize(context_, Config::FromText(config), array.view());
    ModelWriter writer(context_, Path(name), FileKind::kBnq, Overwrite());
    writer.AddTensor("w", *tensor);
    writer.Finish();
    return Path(name);
  };
  const std::string fine = write("fine.bnq", "int8");
  const std::string coarse = write("coarse.bnq", "nf4");
  uint64_t calls = 0, last = 0;
  const Report report = CompareFiles(
      context_, fine, coarse,
      [&](uint64_t done, uint64_t total, const std::string& item) {
        EXPECT_LE(last, done);
        EXPECT_LE(done, total);
        EXPECT_EQ(item, done == total ? "" : "w");
        last = done;
        ++calls;
      },
      kChunk);
  EXPECT_GE(calls, 1u + 4 + 1);
  ASSERT_EQ(report.size(), 1u);
  EXPECT_GT(Of(report[0], Metric::kMse), 0.0);
  EXPECT_EQ(report[0].format, Config::FromText("nf4").format());
  const Report self = CompareFiles(context_, fine, fine, nullptr, kChunk);
  EXPECT_EQ(Of(self[0], Metric::kMaxError), 0.0);
}

}  // namespace
}  // namespace bnq
