#include "core/model/foreign_model.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/interchange/layout.h"
#include "core/model/convert.h"
#include "core/model/source_model.h"
#include "tests/model/interchange_test_util.h"
#include "tests/model/model_test_util.h"

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

class ForeignModelTest : public ModelTest {};

// Every value, to the last bit; and what is not quantized, as it is.
TEST_F(ForeignModelTest, GoldenFilesAreReadAsTheirEcosystemsDo) {
  ASSERT_GE(InterchangeCases().size(), 38u);
  for (const InterchangeCase& golden : InterchangeCases()) {
    SCOPED_TRACE(golden.name);
    const auto file = OpenCase(context_, golden);
    const auto expected = ModelFile::Open(context_, golden.expected);
    const auto values = DequantizedView(file);
    ASSERT_EQ(values->entries().size(), expected->entries().size());
    bool foreign = false;
    for (const ModelEntry& entry : expected->entries()) {
      SCOPED_TRACE(entry.name);
      const ModelEntry* const found = values->Find(entry.name);
      ASSERT_NE(found, nullptr);
      EXPECT_EQ(found->shape, entry.shape);
      ASSERT_EQ(found->dtype, entry.dtype);
      EXPECT_EQ(BytesOf(context_, *values, *found),
                BytesOf(context_, *expected, entry));
      foreign = foreign || !file->Find(entry.name)->layout.empty();
    }
    EXPECT_TRUE(foreign || golden.name == "gguf-plain" ||
                golden.name == "gguf-split");
    VerifyFile(context_, file, nullptr);
  }
}

// In pieces of any size, and without being read.
TEST_F(ForeignModelTest, PartsAreReadInPieces) {
  for (const InterchangeCase& golden : InterchangeCases()) {
    SCOPED_TRACE(golden.name);
    const auto file = OpenCase(context_, golden);
    for (const ModelEntry& entry : file->entries()) {
      const size_t sections = entry.format == 0 ? 1 : entry.sections.size();
      for (size_t s = 0; s < sections; ++s) {
        const uint64_t bytes =
            file->OpenSection(context_, entry, s)->remaining();
        std::vector<uint8_t> whole(bytes), pieces(bytes);
        file->OpenSection(context_, entry, s)->Read(whole.data(), bytes);
        const auto reader = file->OpenSection(context_, entry, s);
        for (uint64_t at = 0, n = 1; at < bytes; at += n, n = n * 3 + 1) {
          n = std::min(n, bytes - at);
          const bool skip = n % 4 == 0;
          reader->Read(skip ? nullptr : pieces.data() + at, n);
          if (skip) std::memcpy(pieces.data() + at, whole.data() + at, n);
        }
        EXPECT_EQ(pieces, whole) << entry.name << " section " << s;
        EXPECT_EQ(reader->remaining(), 0u);
        EXPECT_THROW(reader->Read(nullptr, 1), Error);
        const uint8_t* const mapped = file->Mapped(entry, s);
        if (mapped != nullptr) {
          EXPECT_EQ(std::memcmp(mapped, whole.data(), bytes), 0);
        }
      }
    }
  }
}

TEST_F(ForeignModelTest, WhatIsQuantizedAlreadyIsRefusedUnlessAskedFor) {
  Plan plan;
  plan.Add("*", 2, Config::FromText("int8,group_size=32"));
  for (const InterchangeCase& golden : InterchangeCases()) {
    // Nothing in them is.
    if (golden.name == "gguf-plain" || golden.name == "gguf-split") continue;
    SCOPED_TRACE(golden.name);
    ConversionOptions options(Overwrite());
    EXPECT_TRUE(FailsWith(Status::kUnsupported, "is quantized already", [&] {
      QuantizeFile(context_, plan, golden.path, Path("out.bnq"), options,
                   nullptr);
    }));
    if (!(golden.options == InterchangeOptions())) continue;
    options.requantize = true;
    const Report report = QuantizeFile(context_, plan, golden.path,
                                       Path("out.bnq"), options, nullptr);
    const auto expected = ModelFile::Open(context_, golden.expected);
    ASSERT_EQ(report.size(), expected->entries().size());
    for (const ReportRow& row : report) {
      const ModelEntry& entry = *expected->Find(row.name);
      // A stack of experts is cut by a table of models alone.
      const bool matrix =
          entry.shape.rank == 2 && IsSource(static_cast<DType>(entry.dtype));
      EXPECT_EQ(row.format != 0, matrix) << row.name;
    }
  }
}

}  // namespace
}  // namespace bnq
