// Opening a file costs memory in proportion to its header, whatever the header
// says. Where the system tells the sizes of blocks of memory.
#if defined(__linux__)
#include <gtest/gtest.h>
#include <malloc.h>

#include <atomic>
#include <cstdlib>
#include <new>
#include <string>

#include "core/io/bnq_reader.h"
#include "core/io/bnq_writer.h"
#include "core/io/safetensors.h"
#include "tests/io/bnq_raw.h"
#include "tests/io/io_test_util.h"

namespace {

std::atomic<size_t> g_live{0};
std::atomic<size_t> g_peak{0};

}  // namespace

// The whole program's memory of C++ is counted.
void* operator new(size_t bytes) {
  void* p = std::malloc(bytes);
  if (p == nullptr) throw std::bad_alloc();
  const size_t live = g_live += malloc_usable_size(p);
  size_t peak = g_peak;
  while (live > peak && !g_peak.compare_exchange_weak(peak, live)) {
  }
  return p;
}
void* operator new(size_t bytes, const std::nothrow_t&) noexcept {
  try {
    return operator new(bytes);
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}
void operator delete(void* p) noexcept {
  g_live -= malloc_usable_size(p);
  std::free(p);
}
void operator delete(void* p, size_t) noexcept { operator delete(p); }
void* operator new[](size_t bytes) { return operator new(bytes); }
void operator delete[](void* p) noexcept { operator delete(p); }
void operator delete[](void* p, size_t) noexcept { operator delete(p); }

namespace bnq {
namespace {

// The most memory f has in use beyond what was before, whether it throws.
template <typename F>
size_t PeakOf(F&& f) {
  const size_t before = g_live;
  g_peak = before;
  try {
    f();
  } catch (const Error&) {
  }
  return g_peak - before;
}

size_t PeakOfSafetensors(const std::string& file) {
  const auto mapped = MappedFile::FromMemory(file.data(), file.size());
  return PeakOf([&] { SafetensorsReader reader(mapped); });
}

size_t PeakOfBnq(const std::string& file) {
  const auto mapped = MappedFile::FromMemory(file.data(), file.size());
  return PeakOf([&] { BnqReader reader(mapped); });
}

TEST(IoMemory, CountsWhatIsInUse) {
  EXPECT_GE(PeakOf([] { std::string x(100000, 'x'); }), 100000u);
}

TEST(IoMemory, SafetensorsHeader) {
  constexpr size_t kMiB = size_t{1} << 20;
  const std::string start =
      R"({"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0],"x":)";
  // What is skipped costs no more than the lexer's own copies of it.
  const std::string text =
      SafetensorsBytes(start + '"' + std::string(8 * kMiB, 'x') + "\"}}");
  EXPECT_LT(PeakOfSafetensors(text), 6 * text.size());
  std::string list = start + "[0";
  for (size_t i = 0; i < 2 * kMiB; ++i) list += ",{}";
  list = SafetensorsBytes(list + "]}}");
  EXPECT_LT(PeakOfSafetensors(list), 4 * list.size());
  EXPECT_LT(
      PeakOfSafetensors(SafetensorsBytes(start + std::string(8 * kMiB, '['))),
      10000u);
  // Many tensors, as short as they can be written.
  std::string many = "{";
  for (int i = 0; i < 100000; ++i) {
    many += (i > 0 ? ",\"" : "\"") + std::to_string(i) +
            R"(":{"dtype":"U8","shape":[0],"data_offsets":[0,0]})";
  }
  many += '}';
  EXPECT_LT(PeakOfSafetensors(SafetensorsBytes(many)), 12 * many.size());
  std::string metadata = R"({"__metadata__":{"x":"")";
  for (int i = 0; i < 100000; ++i) {
    metadata += ",\"" + std::to_string(i) + "\":\"\"";
  }
  EXPECT_LT(PeakOfSafetensors(SafetensorsBytes(metadata + "}}")),
            24 * metadata.size());
}

TEST(IoMemory, SizesThatLieCostNothing) {
  EXPECT_LT(PeakOfSafetensors(SafetensorsBytes(
                R"({"a":{"dtype":"F32","shape":[1152921504606846975],)"
                R"("data_offsets":[0,4611686018427387900]}})")),
            10000u);
  const auto lie = [](void (*change)(RawFile*)) {
    RawFile file = GoodRawFile();
    change(&file);
    return PeakOfBnq(file.Bytes());
  };
  EXPECT_LT(lie([](RawFile* f) { f->count = 1000000; }), 10000u);
  EXPECT_LT(lie([](RawFile* f) { f->metadata_count = UINT32_MAX; }), 10000u);
  EXPECT_LT(lie([](RawFile* f) { f->entries[0].name_bytes = UINT32_MAX; }),
            10000u);
  EXPECT_LT(lie([](RawFile* f) { f->entries[0].option_count = UINT32_MAX; }),
            10000u);
  EXPECT_LT(lie([](RawFile* f) { f->entries[0].section_count = UINT32_MAX; }),
            10000u);
  EXPECT_LT(lie([](RawFile* f) {
              f->entries[0].sections[0].encoding = 1;
              f->entries[0].sections[0].raw = UINT64_MAX;
            }),
            10000u);
}

TEST(IoMemory, WritingDoesNotGrowWithTheTensor) {
  const std::string slice = Weights(1 << 16);
  const auto peak = [&](bool compress, int slices) {
    WriteOptions options;
    options.dry_run = true;
    options.compress = compress;
    return PeakOf([&] {
      BnqWriter writer(Context(), "", options);
      BnqEntry entry;
      entry.name = "t";
      entry.format = 1;
      entry.sections.resize(1);
      entry.sections[0].role = BnqRole::kCodes;
      entry.sections[0].raw_bytes = slice.size() * static_cast<size_t>(slices);
      writer.BeginEntry(entry);
      for (int i = 0; i < slices; ++i) {
        writer.Append(0, slice.data(), slice.size());
      }
      writer.EndEntry();
      writer.Finish();
    });
  };
  // A few bytes for each chunk of 1 MiB.
  EXPECT_LT(peak(false, 16 * 256), 30000u);
  EXPECT_LT(peak(true, 16 * 16), 10000u);
}

}  // namespace
}  // namespace bnq

#endif
