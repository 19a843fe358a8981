#include "core/io/output.h"

#include <memory>

#include "core/io/atomic_file.h"
#include "core/io/bnq_writer.h"
#include "core/io/model_file.h"
#include "core/io/safetensors.h"
#include "tests/io/io_test_util.h"

namespace bnq {
namespace {

class OutputTest : public TempDirTest {
 protected:
  std::string Bytes(const MemoryOutput& output) {
    return std::string(reinterpret_cast<const char*>(output.data()),
                       static_cast<size_t>(output.size()));
  }
  // What write makes of a file and of memory, which are the same bytes.
  template <class F>
  std::string Both(F write) {
    write(std::make_shared<AtomicFile>(Path("out"), WriteOptions{true}));
    auto memory = std::make_shared<MemoryOutput>(Allocator());
    write(memory);
    EXPECT_EQ(Bytes(*memory), ReadFile(Path("out")));
    return Bytes(*memory);
  }
};

TEST_F(OutputTest, MemoryIsAsAFile) {
  EXPECT_EQ(Both([](auto output) { output->Commit(); }), "");
  const std::string noise = Noise(100000);
  const std::string bytes = Both([&](auto output) {
    // Holes, behind the end and over what is there.
    output->WriteAt(7, "abc", 3);
    output->WriteAt(300, noise.data(), 5);
    output->Append(noise.data(), noise.size());
    output->WriteAt(0, "x", 1);
    output->WriteAt(9, "yz", 2);
    output->WriteAt(UINT64_MAX, nullptr, 0);
    output->Commit();
  });
  EXPECT_EQ(bytes, std::string("x\0\0\0\0\0\0abyz", 11) +
                       std::string(289, '\0') + noise.substr(0, 5) + noise);
}

TEST_F(OutputTest, EveryWriterWritesToMemory) {
  const std::string data = Noise(3000000);
  for (const bool compress : {false, true}) {
    const std::string file = Both([&](auto output) {
      BnqWriter writer(Context(), output, {false, compress, false});
      writer.SetMetadata("k", "v");
      BnqEntry entry;
      entry.name = "w";
      entry.dtype = static_cast<int32_t>(DType::kU8);
      const uint64_t size = data.size();
      entry.shape = Shape::Make(1, &size);
      entry.sections.emplace_back();
      entry.sections[0].raw_bytes = size;
      writer.BeginEntry(entry);
      writer.Append(0, data.data(), size);
      writer.EndEntry();
      writer.Finish();
    });
    const auto model =
        ModelFile::FromMemory(Context(), file.data(), file.size());
    EXPECT_EQ(model->kind(), FileKind::kBnq);
    EXPECT_EQ(model->entries().size(), 1u);
  }
  Both([&](auto output) {
    SafetensorsTensor tensor;
    tensor.name = "w";
    tensor.dtype = DType::kU8;
    const uint64_t size = data.size();
    tensor.shape = Shape::Make(1, &size);
    SafetensorsWriter writer(output, {tensor}, {{"k", "v"}});
    writer.Append(0, data.data(), size);
    writer.Finish();
  });
}

TEST_F(OutputTest, MemoryThatThereIsNotIsNotWritten) {
  Allocator none;
  none.alloc = [](void*, uint64_t) -> void* { return nullptr; };
  none.free = [](void*, void*) {};
  MemoryOutput output(none);
  EXPECT_THROW(output.Append("abc", 3), std::bad_alloc);
  EXPECT_EQ(output.size(), 0u);
  MemoryOutput large{Allocator()};
  EXPECT_THROW(large.WriteAt(uint64_t{1} << 62, "x", 1), std::bad_alloc);
  EXPECT_TRUE(FailsWith(Status::kInvalidArgument, "overflows",
                        [&] { large.WriteAt(UINT64_MAX, "x", 1); }));
}

}  // namespace
}  // namespace bnq
