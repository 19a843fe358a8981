// What the tests of GGUF share: exports to files in memory.
#ifndef BNQ_TESTS_INTERCHANGE_GGUF_TEST_UTIL_H_
#define BNQ_TESTS_INTERCHANGE_GGUF_TEST_UTIL_H_

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/io/model_output.h"
#include "tests/interchange/interchange_test_util.h"

namespace bnq {

struct GgufExport {
  std::map<std::string, Verdict> verdicts;
  std::map<std::string, std::string> why;
  std::map<std::string, double> scale_change;
  std::string warning;
  std::string file;  // "" where a tensor is not representable
};

// Of a file's tensors; rows of plain arrays are put in order as drivers do it.
inline GgufExport ExportGguf(const std::shared_ptr<const ModelFile>& model,
                             const std::string& root_json = "",
                             const std::string& metadata_from = "") {
  const Context context;
  const ModelFile& file = *model;
  const JsonTree root =
      root_json.empty() ? JsonTree() : ParseJson(root_json, "config");
  const ExportRequest request{file, root, -1, metadata_from};
  const auto exporter = FindForeignLayout("gguf").exporter(context, request);
  GgufExport exported;
  struct Out {
    NewArray array;
    std::string bytes;
  };
  std::vector<Out> outs;
  bool all = true;
  for (const ModelEntry& entry : file.entries()) {
    if (entry.format == 0) {
      const auto plain = exporter->PlanPlain(entry);
      if (plain == nullptr) continue;
      std::string bytes(entry.raw_bytes, '\0');
      PlainReader(context, file, entry).Read(&bytes[0], bytes.size());
      if (!plain->rows.empty()) {
        const std::string from = bytes;
        const size_t row = bytes.size() / plain->rows.size();
        for (size_t i = 0; i < plain->rows.size(); ++i) {
          bytes.replace(i * row, row, from, plain->rows[i] * row, row);
        }
      }
      EXPECT_EQ(static_cast<int32_t>(plain->array.dtype), entry.dtype);
      outs.push_back({plain->array, bytes});
      continue;
    }
    const auto tensor = LoadTensor(context, model, entry);
    Parts sizes = tensor->parts();
    for (int i = 0; i < kNumParts; ++i) sizes[PartAt(i).id].data = nullptr;
    const auto plan = exporter->Plan(entry, StoredConfig(entry), sizes);
    exported.verdicts[entry.name] = plan->verdict;
    exported.why[entry.name] = plan->why;
    EXPECT_EQ(plan->verdict == Verdict::kNotRepresentable,
              plan->arrays.empty());
    all = all && !plan->arrays.empty();
    for (size_t i = 0; i < plan->arrays.size(); ++i) {
      outs.push_back({plan->arrays[i], ""});
      plan->Write(context, *tensor, i, [&](const void* data, uint64_t count) {
        outs.back().bytes.append(static_cast<const char*>(data), count);
      });
    }
    exported.scale_change[entry.name] = plan->scale_change;
  }
  exported.warning = exporter->Warning();
  if (!all) return exported;
  std::vector<NewArray> arrays;
  for (const Out& out : outs) arrays.push_back(out.array);
  const auto memory = std::make_shared<MemoryOutput>(Allocator());
  ModelOutput output(context, memory, FileKind::kGguf, {},
                     exporter->MakeMetadata(file.metadata()), arrays);
  for (const size_t i : output.order()) {
    BnqEntry entry;
    entry.name = arrays[i].name;
    entry.dtype = static_cast<int32_t>(arrays[i].dtype);
    entry.shape = arrays[i].shape;
    entry.sections.emplace_back();
    entry.sections[0].raw_bytes = outs[i].bytes.size();
    output.BeginEntry(entry);
    output.Append(0, outs[i].bytes.data(), outs[i].bytes.size());
    output.EndEntry();
  }
  output.Finish();
  exported.file = std::string(reinterpret_cast<const char*>(memory->data()),
                              memory->size());
  return exported;
}

// A file of quantized tensors and plain arrays, in memory.
class BnqInMemory {
 public:
  explicit BnqInMemory(const TestTensors& tensors, const TestModel& plain = {},
                       const Metadata& metadata = {}) {
    const Context context;
    ModelWriter writer(context, FileKind::kBnq, {});
    for (const auto& item : tensors) writer.AddTensor(item.first, *item.second);
    for (const auto& item : plain) {
      writer.AddArray(item.first, item.second.view());
    }
    for (const auto& item : metadata) {
      writer.SetMetadata(item.first, item.second);
    }
    writer.Finish();
    bytes_ = BytesOf(writer);
    file_ = ModelFile::FromMemory(context, bytes_.data(), bytes_.size());
  }
  const std::shared_ptr<const ModelFile>& file() const { return file_; }

 private:
  std::string bytes_;
  std::shared_ptr<const ModelFile> file_;
};

}  // namespace bnq

#endif  // BNQ_TESTS_INTERCHANGE_GGUF_TEST_UTIL_H_
