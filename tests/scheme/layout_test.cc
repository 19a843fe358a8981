#include "core/scheme/layout.h"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/scheme/registry.h"
#include "core/scheme/support.h"

namespace bnq {
namespace {

Shape Dims(const std::vector<uint64_t>& dims) {
  return Shape::Make(static_cast<int32_t>(dims.size()), dims.data());
}

// Which elements share a parameter, from the words of bnq.h alone.
uint64_t GroupOf(const Config& config, const Shape& shape, uint64_t element) {
  const uint64_t columns = shape.columns();
  const uint64_t last = shape.rank == 0 ? 1 : shape.dims[shape.rank - 1];
  const uint64_t size = config.group_size();
  switch (config.granularity()) {
    case Granularity::kTensor:
      return 0;
    case Granularity::kChannel: {
      const int axis =
          config.axis() < 0 ? config.axis() + shape.rank : config.axis();
      uint64_t inner = 1;
      for (int i = axis + 1; i < shape.rank; ++i) inner *= shape.dims[i];
      return element / inner % shape.dims[axis];
    }
    case Granularity::kGroup:
      return element / columns * ((columns + size - 1) / size) +
             element % columns / size;
    case Granularity::kToken:
      return element / last;
    case Granularity::kBlock:
      return element / size;
    case Granularity::kTile: {
      const uint64_t rows = shape.rank < 2 ? 1 : shape.dims[shape.rank - 2];
      const uint64_t row = element / last;
      return (row / rows * ((rows + size - 1) / size) + row % rows / size) *
                 ((last + size - 1) / size) +
             element % last / size;
    }
  }
  return 0;
}

TEST(Layout, ElementsShareAParameterAsTheHeaderSays) {
  int checked = 0;
  for (int f = 0; f < NumFormats(); ++f) {
    const Format& format = FormatAt(f);
    if (!format.Has(kScaled)) continue;
    for (const auto& dims : std::vector<std::vector<uint64_t>>{
             {1}, {7}, {64}, {3, 5}, {4, 64}, {2, 3, 8}, {5, 1, 33}}) {
      const Shape shape = Dims(dims);
      std::vector<std::string> sharings = {"tensor", "token"};
      for (const char* size : {"4", "5", "32", "64", "1000"}) {
        sharings.push_back(std::string("group,group_size=") + size);
        sharings.push_back(std::string("block,group_size=") + size);
        sharings.push_back(std::string("tile,group_size=") + size);
      }
      for (int axis = -shape.rank; axis < shape.rank; ++axis) {
        sharings.push_back("channel,axis=" + std::to_string(axis));
      }
      for (const std::string& sharing : sharings) {
        const std::string text =
            std::string("format=") + format.name + ",granularity=" + sharing;
        const Config config = Config::FromText(text);
        Layout layout;
        try {
          CheckSupported(format, config);
          layout = MakeLayout(format, config, shape);
        } catch (const Error& e) {
          EXPECT_EQ(e.status(), Status::kUnsupported) << e.message();
          continue;
        }
        ++checked;
        ASSERT_EQ(layout.rows * layout.columns, shape.elements()) << text;
        std::map<uint64_t, uint64_t> param;  // group -> parameter
        std::map<uint64_t, uint64_t> group;  // and back
        for (uint64_t i = 0; i < shape.elements(); ++i) {
          const uint64_t expected = GroupOf(config, shape, i);
          const uint64_t got =
              layout.ParamIndex(i / layout.columns, i % layout.columns);
          ASSERT_LT(got, layout.num_params) << text;
          ASSERT_EQ(param.emplace(expected, got).first->second, got) << text;
          ASSERT_EQ(group.emplace(got, expected).first->second, expected)
              << text << " " << shape.ToString();
        }
        EXPECT_EQ(group.size(), layout.num_params) << text;
        EXPECT_GE(layout.code_bytes * 8, shape.elements()) << text;
      }
    }
  }
  EXPECT_GT(checked, 300);
}

}  // namespace
}  // namespace bnq
