#include "core/model/conversion.h"

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/io/held_outputs.h"
#include "core/model/convert.h"
#include "tests/model/model_test_util.h"

namespace bnq {
namespace {

// A conversion that is interrupted wherever it can be, and gone on with.
class Resume : public ModelTest {
 protected:
  struct Case {
    const char* name;
    bool compress;
    uint64_t max_shard_bytes;
    bool back;  // dequantize
  };
  static std::vector<Case> Cases() {
    return {{"one file", false, 0, false},
            {"compressed", true, 0, false},
            {"shards", false, 3000, false},
            {"compressed shards", true, 3000, false},
            {"dequantized", false, 0, true},
            {"dequantized shards", false, 9000, true}};
  }

  void SetUp() override {
    ModelTest::SetUp();
    TestModel model;
    for (int i = 0; i < 8; ++i) {
      std::vector<float> values(32 * 40);
      for (size_t k = 0; k < values.size(); ++k) {
        values[k] = static_cast<float>(
            static_cast<int>((k + 1) * 7919 * (i + 3) % 2001) - 1000);
      }
      model.insert({"w" + std::to_string(i), {{32, 40}, values}});
      model.insert({"v" + std::to_string(i), {{3}, {1.0f * i, 2, 3}}});
    }
    Write(model);
    plan_.Add("*", 2, Config::FromText("int8,group_size=8"));
    QuantizeFile(context_, plan_, Path("in.safetensors"), Path("m.bnq"), {},
                 nullptr);
    before_ = List();
  }

  ConversionOptions OptionsOf(const Case& of) const {
    ConversionOptions options;
    options.compress = of.compress;
    options.max_shard_bytes = of.max_shard_bytes;
    return options;
  }
  Report Run(const Case& of, const ConversionOptions& options,
             const Progress& progress = nullptr) {
    if (of.back) {
      return DequantizeFile(context_, Path("m.bnq"), Path("out"), DType::kF16,
                            Overflow::kError, options, progress);
    }
    return QuantizeFile(context_, plan_, Path("in.safetensors"), Path("out"),
                        options, progress, {{"x", DType::kI8, Shape(), "z"}});
  }
  // What is in the directory that was not there at first, removed from it.
  std::map<std::string, std::string> TakeOutput() {
    std::map<std::string, std::string> files;
    for (const std::string& name : List()) {
      if (std::find(before_.begin(), before_.end(), name) != before_.end()) {
        continue;
      }
      files[name] = ReadFile(Path(name));
      std::filesystem::remove(Path(name));
    }
    return files;
  }

  Plan plan_;
  std::vector<std::string> before_;
};

void ExpectSame(const Report& a, const Report& b) {
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(a[i].name, b[i].name);
    EXPECT_EQ(a[i].shape.ToString(), b[i].shape.ToString());
    EXPECT_EQ(a[i].format, b[i].format);
    EXPECT_EQ(a[i].dtype, b[i].dtype);
    EXPECT_EQ(a[i].bytes_before, b[i].bytes_before);
    EXPECT_EQ(a[i].bytes_after, b[i].bytes_after);
    EXPECT_EQ(a[i].note, b[i].note);
    EXPECT_EQ(std::memcmp(a[i].metrics.values, b[i].metrics.values,
                          sizeof a[i].metrics.values),
              0);
  }
}

// Cancels when it is reported for the count-th time that a tensor begins.
Progress CancelAt(int* count) {
  auto last = std::make_shared<std::string>();
  return [count, last](uint64_t, uint64_t, const std::string& item) {
    if (item == *last) return;
    *last = item;
    if ((*count)-- == 0) Fail(Status::kCancelled, "stop");
  };
}

TEST_F(Resume, GivesTheSameFromWhereverItWasStopped) {
  for (const Case& of : Cases()) {
    SCOPED_TRACE(of.name);
    ConversionOptions options = OptionsOf(of);
    const Report report = Run(of, options);
    const auto output = TakeOutput();
    ASSERT_FALSE(output.empty());
    options.resume = true;
    for (int stop = 0; stop < 16; stop += 5) {
      int count = stop;
      EXPECT_TRUE(FailsWith(Status::kCancelled, "stop",
                            [&] { Run(of, options, CancelAt(&count)); }));
      EXPECT_TRUE(stop == 0 || std::filesystem::exists(Path("out.part")));
      ExpectSame(Run(of, options), report);
      EXPECT_EQ(TakeOutput(), output);
    }
    ExpectSame(Run(of, options), report);
    EXPECT_EQ(TakeOutput(), output);
  }
}

TEST_F(Resume, MakesNothingTwice) {
  for (const Case& of : Cases()) {
    SCOPED_TRACE(of.name);
    ConversionOptions options = OptionsOf(of);
    options.resume = true;
    int count = 9;
    EXPECT_TRUE(FailsWith(Status::kCancelled, "stop",
                          [&] { Run(of, options, CancelAt(&count)); }));
    // Damaged input, whose time is as it was: what is finished is not read.
    const std::string input = Path(of.back ? "m.bnq" : "in.safetensors");
    const auto file = ModelFile::Open(context_, input);
    const ModelEntry& first = file->entries()[of.back ? 8 : 0];
    const auto offset = file->Mapped(first) - file->files()[0]->data();
    const auto modified = std::filesystem::last_write_time(input);
    const std::string bytes = ReadFile(input);
    std::string damaged = bytes;
    damaged[static_cast<size_t>(offset)] ^= 0x55;
    WriteFile(input, damaged);
    std::filesystem::last_write_time(input, modified);
    Run(of, options);
    const auto output = TakeOutput();
    WriteFile(input, bytes);
    std::filesystem::last_write_time(input, modified);
    Run(of, OptionsOf(of));
    EXPECT_EQ(TakeOutput(), output);
  }
}

// The journal may end anywhere: what it tells of is there.
TEST_F(Resume, AJournalTornAnywhere) {
  const Case of = Cases()[3];
  ConversionOptions options = OptionsOf(of);
  Run(of, options);
  const auto output = TakeOutput();
  options.resume = true;
  int count = 12;
  EXPECT_TRUE(FailsWith(Status::kCancelled, "stop",
                        [&] { Run(of, options, CancelAt(&count)); }));
  const std::string part = Path("out.part"), saved = Path("saved");
  std::filesystem::rename(part, saved);
  before_.push_back("saved");
  const std::string journal = ReadFile(saved + "/journal");
  for (size_t end = 0; end <= journal.size(); end += end < 16 ? 5 : 499) {
    std::filesystem::copy(saved, part);
    std::filesystem::permissions(part, std::filesystem::perms::owner_all);
    // And behind it what the disk happened to have.
    WriteFile(part + "/journal",
              journal.substr(0, end) + (end % 2 == 0 ? "" : Noise(50)));
    Run(of, options);
    EXPECT_EQ(TakeOutput(), output) << end;
  }
}

TEST_F(Resume, RefusesWhatIsAnotherConversion) {
  const Case of = Cases()[0];
  ConversionOptions options = OptionsOf(of);
  options.resume = true;
  const auto stop = [&](int at) {
    int count = at;
    EXPECT_TRUE(FailsWith(Status::kCancelled, "stop",
                          [&] { Run(of, options, CancelAt(&count)); }));
  };
  stop(5);
  const auto refused = [&](const std::string& what,
                           const ConversionOptions& with) {
    EXPECT_TRUE(FailsWith(Status::kExists, what, [&] { Run(of, with); }));
  };
  ConversionOptions other = options;
  other.compress = true;
  refused("\"compress=no\" where this one has \"compress=", other);
  other = options;
  other.max_shard_bytes = 99;
  refused("has \"max_shard_bytes=0\"", other);
  const Plan plan = plan_;
  plan_ = Plan();
  plan_.Add("w3", 2, Config::FromText("nf4"));
  refused("becomes format=int8,group_size=8\" where", options);
  plan_ = plan;
  const std::string input = Path("in.safetensors");
  const auto modified = std::filesystem::last_write_time(input);
  std::filesystem::last_write_time(input, modified + std::chrono::seconds(1));
  refused("it has \"file \"in.safetensors\"", options);
  std::filesystem::last_write_time(input, modified);
  // Without it nothing is looked at, and nothing touched.
  Run(of, OptionsOf(of));
  EXPECT_TRUE(std::filesystem::exists(Path("out.part/journal")));
  std::filesystem::remove(Path("out"));
  // Whatever is there.
  plan_ = Plan();
  other = options;
  other.restart = true;
  Run(of, other);
  std::filesystem::remove(Path("out"));
  EXPECT_EQ(List(), before_);
}

// Complete, and not or only partly in its places.
TEST_F(Resume, TakesThePlacesThatAreLeft) {
  const Case of = Cases()[2];
  ConversionOptions options = OptionsOf(of);
  const Report report = Run(of, options);
  const auto output = TakeOutput();
  ASSERT_GT(output.size(), 3u);
  options.resume = true;
  const std::string first = output.begin()->first;
  const std::string second = std::next(output.begin())->first;
  for (const bool half : {false, true}) {
    options.held = std::make_shared<HeldOutputs>();
    ExpectSame(Run(of, options), report);
    // One is in the way: none is there.
    WriteFile(Path(second), "in the way");
    EXPECT_TRUE(
        FailsWith(Status::kExists, "appeared", [&] { options.held->Place(); }));
    std::filesystem::remove(Path(second));
    std::vector<std::string> left = before_;
    left.push_back("out.part");
    std::sort(left.begin(), left.end());
    EXPECT_EQ(List(), left);
    if (half) {
      std::filesystem::rename(Path("out.part/1"), Path(first));
      std::filesystem::create_hard_link(Path("out.part/2"), Path(second));
    }
    options.held = nullptr;
    ExpectSame(Run(of, options), report);
    EXPECT_EQ(TakeOutput(), output);
  }
}

}  // namespace
}  // namespace bnq
