// What the tests of core/interchange share: files in memory in which layouts
// look for their tensors, and exports to memory.
#ifndef BNQ_TESTS_INTERCHANGE_INTERCHANGE_TEST_UTIL_H_
#define BNQ_TESTS_INTERCHANGE_INTERCHANGE_TEST_UTIL_H_

#include <cmath>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "core/interchange/layout.h"
#include "core/model/convert.h"
#include "core/tensor/dequantize.h"
#include "core/tensor/quantize.h"
#include "tests/model/model_test_util.h"

namespace bnq {

// The object of a config.json that tells of the quantization.
inline JsonTree QuantizationOf(const JsonTree& root) {
  for (const char* key :
       {"quantization_config", "quantization", "compression_config"}) {
    const JsonTree* const found = root.Find(key);
    if (found != nullptr) return *found;
  }
  return {};
}

inline std::vector<float> ValuesOf(const QuantizedTensor& tensor) {
  const Context context;
  const uint64_t count = tensor.shape().elements();
  std::vector<float> values(count);
  Dequantizer(context, tensor)
      .DecodeParallel(0, count, DType::kF32,
                      reinterpret_cast<uint8_t*>(values.data()),
                      Overflow::kKeep);
  return values;
}

// A file, and what a layout finds in it.
class Foreign {
 public:
  Foreign(std::string bytes, const std::string& config,
          const std::string& layout, const ImportOptions& options = {})
      : bytes_(std::move(bytes)),
        file_(ModelFile::FromMemory(context_, bytes_.data(), bytes_.size())) {
    context_.log = [this](LogLevel, const char* text) { log_ += text; };
    const JsonTree root =
        config.empty() ? JsonTree() : ParseJson(config, "config");
    model_ = std::make_unique<ForeignModel>(*file_, root, QuantizationOf(root),
                                            options);
    FindForeignLayout(layout).find(context_, model_.get());
  }

  const ModelFile& file() const { return *file_; }
  const ForeignModel& model() const { return *model_; }
  const std::string& log() const { return log_; }
  size_t size() const { return model_->tensors().size(); }
  const ForeignTensor& Get(const std::string& name) const {
    for (const auto& tensor : model_->tensors()) {
      if (tensor->name == name) return *tensor;
    }
    ADD_FAILURE() << "there is no " << name;
    throw Error(Status::kNotFound, name);
  }

  // A part, read in pieces of so many rows, where it is cut into rows.
  std::vector<uint8_t> Read(const ForeignTensor& tensor, Part part,
                            uint64_t bytes, uint64_t rows_at_once) const {
    std::vector<uint8_t> out(bytes);
    if (bytes == 0) return out;
    const bool whole = bytes % tensor.rows != 0;
    const uint64_t step = whole ? tensor.rows : rows_at_once;
    for (uint64_t row = 0; row < tensor.rows; row += step) {
      tensor.Read(context_, part, row, std::min(tensor.rows, row + step),
                  out.data() + row * (whole ? 0 : bytes / tensor.rows));
    }
    const uint8_t* const mapped = tensor.Mapped(part);
    if (mapped != nullptr) {
      EXPECT_EQ(std::vector<uint8_t>(mapped, mapped + bytes), out);
    }
    return out;
  }
  std::unique_ptr<QuantizedTensor> Load(const std::string& name,
                                        uint64_t rows_at_once = 3) const {
    const ForeignTensor& tensor = Get(name);
    EXPECT_TRUE(tensor.quantized) << name;
    auto loaded = std::make_unique<QuantizedTensor>(context_, tensor.config,
                                                    tensor.shape, tensor.sizes);
    for (int i = 0; i < kNumParts; ++i) {
      const Part part = PartAt(i).id;
      const std::vector<uint8_t> bytes =
          Read(tensor, part, tensor.sizes[part].bytes, rows_at_once);
      if (bytes.empty()) continue;
      std::memcpy(loaded->mutable_part(part), bytes.data(), bytes.size());
    }
    loaded->Validate(context_);
    return loaded;
  }
  std::vector<float> Values(const std::string& name) const {
    const ForeignTensor& tensor = Get(name);
    if (tensor.quantized) return ValuesOf(*Load(name));
    EXPECT_EQ(tensor.dtype, DType::kF32);
    const std::vector<uint8_t> bytes =
        Read(tensor, Part::kCodes, 4 * tensor.shape.elements(), 3);
    std::vector<float> values(tensor.shape.elements());
    std::memcpy(values.data(), bytes.data(), bytes.size());
    return values;
  }

 private:
  Context context_;
  const std::string bytes_;
  const std::shared_ptr<const ModelFile> file_;
  std::string log_;
  std::unique_ptr<ForeignModel> model_;
};

inline std::string BytesOf(const ModelWriter& writer) {
  return std::string(reinterpret_cast<const char*>(writer.memory().data()),
                     writer.memory().size());
}

// A safetensors file in memory.
inline std::string FileOf(const TestModel& model) {
  const Context context;
  ModelWriter writer(context, FileKind::kSafetensors, {});
  for (const auto& item : model) {
    writer.AddArray(item.first, item.second.view());
  }
  writer.Finish();
  return BytesOf(writer);
}

// Whether these arrays are refused for what is said, of the tensor "a.weight".
inline testing::AssertionResult IsRefused(const TestModel& model,
                                          const std::string& config,
                                          const std::string& layout,
                                          const std::string& what) {
  try {
    Foreign(FileOf(model), config, layout);
  } catch (const Error& error) {
    if ((error.status() == Status::kCorruptFile ||
         error.status() == Status::kUnsupported) &&
        error.message().find("tensor \"a.weight\"") != std::string::npos &&
        error.message().find(what) != std::string::npos) {
      return testing::AssertionSuccess();
    }
    return testing::AssertionFailure()
           << error.message() << "\nexpected: " << what;
  }
  return testing::AssertionFailure() << "not refused, expected: " << what;
}

// What a layout made of tensors.
struct Exported {
  std::map<std::string, Verdict> verdicts;
  std::map<std::string, std::string> why;
  std::map<std::string, double> scale_change;
  std::map<std::string, std::string> arrays;  // their bytes
  std::map<std::string, Shape> shapes;
  std::map<std::string, std::string> side_files;
  std::string file;    // of representable tensors and plain arrays
  std::string config;  // all that the layout says of config.json

  std::vector<uint8_t> bytes(const std::string& array) const {
    const auto found = arrays.find(array);
    EXPECT_NE(found, arrays.end()) << array;
    if (found == arrays.end()) return {};
    return std::vector<uint8_t>(found->second.begin(), found->second.end());
  }
};

using TestTensors = std::map<std::string, const QuantizedTensor*>;

inline Exported Export(const std::string& layout, const TestTensors& tensors,
                       const TestModel& plain = {}, int32_t scale_dtype = -1,
                       const std::string& root_json = "{}") {
  const Context context;
  ModelWriter source(context, FileKind::kBnq, {});
  for (const auto& item : tensors) source.AddTensor(item.first, *item.second);
  for (const auto& item : plain) {
    source.AddArray(item.first, item.second.view());
  }
  source.Finish();
  const std::string bytes = BytesOf(source);
  const auto file = ModelFile::FromMemory(context, bytes.data(), bytes.size());
  const JsonTree root = ParseJson(root_json, "config");
  ExportRequest request{*file, root, scale_dtype, ""};
  const auto exporter = FindForeignLayout(layout).exporter(context, request);
  Exported exported;
  std::vector<std::pair<std::string, std::unique_ptr<ExportTensor>>> planned;
  std::map<std::string, std::unique_ptr<PlainExport>> kept;
  for (const ModelEntry& entry : file->entries()) {
    if (entry.format == 0) {
      kept[entry.name] = exporter->PlanPlain(entry);
      continue;
    }
    const QuantizedTensor& tensor = *tensors.at(entry.name);
    Parts sizes = tensor.parts();
    for (int i = 0; i < kNumParts; ++i) sizes[PartAt(i).id].data = nullptr;
    auto plan = exporter->Plan(entry, StoredConfig(entry), sizes);
    exported.verdicts[entry.name] = plan->verdict;
    exported.why[entry.name] = plan->why;
    EXPECT_EQ(plan->verdict == Verdict::kNotRepresentable,
              plan->arrays.empty());
    planned.emplace_back(entry.name, std::move(plan));
  }
  for (auto& member : exporter->ConfigMembers()) {
    exported.config += (exported.config.empty() ? "{" : ", ") +
                       JsonText(member.key) + ": " + member.json;
  }
  exported.config += exported.config.empty() ? "{}" : "}";
  ModelWriter writer(context, FileKind::kSafetensors, {});
  for (auto& item : planned) {
    for (size_t i = 0; i < item.second->arrays.size(); ++i) {
      const NewArray& array = item.second->arrays[i];
      std::string& data = exported.arrays[array.name];
      EXPECT_TRUE(data.empty()) << array.name;
      item.second->Write(context, *tensors.at(item.first), i,
                         [&](const void* from, uint64_t count) {
                           data.append(static_cast<const char*>(from), count);
                         });
      uint64_t size = 0;
      EXPECT_TRUE(TryByteSize(array.shape, array.dtype, &size));
      EXPECT_EQ(data.size(), size) << array.name;
      exported.shapes[array.name] = array.shape;
      ArrayView view;
      view.data = reinterpret_cast<const uint8_t*>(data.data());
      view.dtype = array.dtype;
      view.shape = array.shape;
      writer.AddArray(array.name, view);
    }
    exported.scale_change[item.first] = item.second->scale_change;
  }
  for (const auto& item : kept) {
    if (item.second == nullptr) continue;
    writer.AddArray(item.second->array.name, plain.at(item.first).view());
  }
  for (const auto& item : exporter->MakeMetadata({})) {
    writer.SetMetadata(item.first, item.second);
  }
  for (const SideFile& side : exporter->SideFiles()) {
    exported.side_files[side.name] = side.text;
  }
  writer.Finish();
  exported.file = BytesOf(writer);
  return exported;
}

// A tensor of random values whose groups are of various sizes.
inline std::unique_ptr<QuantizedTensor> RandomTensor(const std::string& config,
                                                     std::vector<uint64_t> dims,
                                                     uint32_t seed = 1) {
  const Shape shape =
      Shape::Make(static_cast<int32_t>(dims.size()), dims.data());
  std::mt19937 random(seed);
  std::vector<float> values(shape.elements());
  for (float& value : values) {
    value = static_cast<float>(static_cast<int32_t>(random())) * 1e-9f + 0.9f;
  }
  ArrayView view;
  view.data = reinterpret_cast<const uint8_t*>(values.data());
  view.shape = shape;
  return Quantize(Context(), Config::FromText(config), view);
}

// A tensor of these codes, one by one, and scales.
inline std::unique_ptr<QuantizedTensor> TensorOf(
    const std::string& text, std::vector<uint64_t> dims,
    const std::vector<int>& codes, const std::vector<float>& scales,
    const std::vector<int>& zero_points = {},
    const std::vector<float>& offsets = {}) {
  const Context context;
  const Config config = Config::FromText(text);
  const Shape shape =
      Shape::Make(static_cast<int32_t>(dims.size()), dims.data());
  auto tensor = std::make_unique<QuantizedTensor>(context, config, shape);
  std::vector<int8_t> bytes(codes.begin(), codes.end());
  EXPECT_EQ(bytes.size(), shape.elements());
  PackCodes(context, config, shape, bytes.data(), tensor->mutable_codes());
  EXPECT_EQ(scales.size(), tensor->scales().count);
  StoreScales(config, scales.data(), scales.size(), tensor->mutable_scales());
  for (size_t i = 0; i < zero_points.size(); ++i) {
    tensor->mutable_zero_points()[i] = static_cast<int8_t>(zero_points[i]);
  }
  if (!offsets.empty()) {
    StoreScales(config, offsets.data(), offsets.size(),
                tensor->mutable_part(Part::kOffsets));
  }
  return tensor;
}

inline std::vector<uint8_t> BytesOfWords(const std::vector<uint32_t>& words) {
  std::vector<uint8_t> bytes(4 * words.size());
  std::memcpy(bytes.data(), words.data(), bytes.size());
  return bytes;
}

inline std::vector<float> PlainValues(const ModelFile& file,
                                      const ModelEntry& entry) {
  const Context context;
  std::vector<float> values(entry.shape.elements());
  if (values.empty()) return values;
  EXPECT_EQ(entry.dtype, static_cast<int32_t>(DType::kF32));
  PlainReader(context, file, entry).Read(values.data(), 4 * values.size());
  return values;
}

// Every file of a layout under tests/golden/interchange is read as what stands
// beside it; f, where there is one, looks at each of them, too.
inline void ReadsGoldens(const std::string& layout, int at_least) {
  const std::string folder = BNQ_TEST_GOLDEN "/interchange/";
  int count = 0;
  for (const JsonTree& item :
       ParseJson(ReadFile(folder + "manifest.json"), "manifest").items) {
    if (item.Find("layout")->string != layout) continue;
    const std::string path = folder + item.Find("path")->string;
    SCOPED_TRACE(path);
    ++count;
    const Foreign foreign(ReadFile(path + "/model.safetensors"),
                          ReadFile(path + "/config.json"), layout);
    const std::string bytes = ReadFile(folder + item.Find("expected")->string);
    const auto expected =
        ModelFile::FromMemory(Context(), bytes.data(), bytes.size());
    size_t found = 0;
    for (const ModelEntry& entry : expected->entries()) {
      SCOPED_TRACE(entry.name);
      // What is plain there is plain here.
      if (foreign.file().Find(entry.name) != nullptr &&
          foreign.model().Find(entry.name) != nullptr) {
        continue;
      }
      ++found;
      EXPECT_EQ(foreign.Values(entry.name), PlainValues(*expected, entry));
    }
    EXPECT_EQ(found, foreign.size());
    EXPECT_NE(found, 0u);
  }
  EXPECT_GE(count, at_least);
}

}  // namespace bnq

#endif  // BNQ_TESTS_INTERCHANGE_INTERCHANGE_TEST_UTIL_H_
