#include "core/model/sensitivity.h"

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <utility>

#include "core/base/error.h"
#include "core/io/json_tree.h"
#include "core/model/plan_text.h"
#include "core/scheme/codec_revision.h"

namespace bnq {
namespace {

constexpr int kVersion = 1;
constexpr char kWhat[] = "sensitivity";

[[noreturn]] void FailCorrupt(const std::string& what) {
  Fail(Status::kCorruptFile, kWhat, ": ", what);
}

const JsonTree& Get(const JsonTree& object, const char* key,
                    JsonTree::Kind kind) {
  const JsonTree* const value = object.Find(key);
  if (value == nullptr) FailCorrupt(Message("\"", key, "\" is missing"));
  const bool number = kind == JsonTree::Kind::kNumber && value->is_number();
  if (value->kind != kind && !number) {
    FailCorrupt(Message("\"", key, "\" is of another type"));
  }
  return *value;
}

uint64_t GetWhole(const JsonTree& object, const char* key,
                  uint64_t most = UINT64_MAX) {
  const uint64_t value = Get(object, key, JsonTree::Kind::kUnsigned).whole;
  if (value > most) {
    FailCorrupt(Message("\"", key, "\" = ", value, ", must be at most ", most));
  }
  return value;
}

double GetFinite(const JsonTree& object, const char* key, double least) {
  const double value = Get(object, key, JsonTree::Kind::kNumber).number;
  if (!std::isfinite(value) || value < least) {
    FailCorrupt(Message("\"", key, "\" = ", value,
                        ", must be finite and at least ", least));
  }
  return value;
}

// A member of an object, on a line of its own.
void AddMember(const char* key, const std::string& value, int depth,
               std::string* json) {
  if (json->back() != '{') *json += ',';
  *json += '\n' + std::string(static_cast<size_t>(depth), ' ') + '"' + key +
           "\": " + value;
}

std::string JsonOf(const SensitivityCell& cell) {
  std::string json = Message("{\"config\": ", JsonText(ShortText(cell.config)),
                             ", \"bytes\": ", cell.bytes,
                             ", \"relative_error\": ", cell.relative_error,
                             ", \"max_error\": ", cell.max_error,
                             ", \"cosine\": ", cell.cosine);
  if (cell.has_metric) json += Message(", \"metric\": ", cell.metric);
  return json + '}';
}

SensitivityCell CellOf(const JsonTree& json) {
  SensitivityCell cell;
  cell.config =
      Config::FromText(Get(json, "config", JsonTree::Kind::kString).string);
  cell.bytes = GetWhole(json, "bytes");
  cell.relative_error = GetFinite(json, "relative_error", 0.0);
  cell.max_error = GetFinite(json, "max_error", 0.0);
  cell.cosine = GetFinite(json, "cosine", -1.0);
  cell.has_metric = json.Find("metric") != nullptr;
  if (cell.has_metric) cell.metric = GetFinite(json, "metric", -DBL_MAX);
  return cell;
}

std::string JsonOf(const std::string& name, const SensitivityTensor& tensor) {
  std::string json = "{", shape = "[", cells = "[";
  for (int i = 0; i < tensor.shape.rank; ++i) {
    shape += Message(i == 0 ? "" : ", ", tensor.shape.dims[i]);
  }
  for (const auto& [text, cell] : tensor.cells) {
    cells += Message(cells == "[" ? "" : ",", "\n    ", JsonOf(cell));
  }
  const auto add = [&](const char* key, const std::string& value) {
    AddMember(key, value, 3, &json);
  };
  add("name", JsonText(name));
  add("dtype", JsonText(Info(static_cast<DType>(tensor.dtype)).name));
  add("shape", shape + ']');
  add("sample_crc32", Message(tensor.sample_crc32));
  if (tensor.importance_crc32 != 0) {
    add("importance_crc32", Message(tensor.importance_crc32));
  }
  add("plain_bytes", Message(tensor.plain_bytes));
  if (tensor.weight != 0.0) add("weight", Message(tensor.weight));
  add("candidates", cells + ']');
  return json + "\n  }";
}

SensitivityTensor TensorOf(const JsonTree& json) {
  SensitivityTensor tensor;
  const DTypeInfo* dtype =
      FindDType(Get(json, "dtype", JsonTree::Kind::kString).string,
                /*as_written=*/true);
  if (dtype == nullptr) FailCorrupt("\"dtype\" is none that is known");
  tensor.dtype = static_cast<int32_t>(dtype->dtype);
  std::vector<uint64_t> dims;
  for (const JsonTree& dim : Get(json, "shape", JsonTree::Kind::kArray).items) {
    if (dim.kind != JsonTree::Kind::kUnsigned) FailCorrupt("\"shape\" is none");
    dims.push_back(dim.whole);
  }
  tensor.shape = Shape::Make(
      static_cast<int32_t>(std::min<size_t>(dims.size(), kMaxRank + 1)),
      dims.data());
  tensor.sample_crc32 =
      static_cast<uint32_t>(GetWhole(json, "sample_crc32", UINT32_MAX));
  tensor.plain_bytes = GetWhole(json, "plain_bytes");
  if (json.Find("importance_crc32") != nullptr) {
    tensor.importance_crc32 =
        static_cast<uint32_t>(GetWhole(json, "importance_crc32", UINT32_MAX));
  }
  if (json.Find("weight") != nullptr) {
    tensor.weight = GetFinite(json, "weight", 0.0);
  }
  for (const JsonTree& item :
       Get(json, "candidates", JsonTree::Kind::kArray).items) {
    SensitivityCell cell = CellOf(item);
    std::string text = cell.config.ToText();
    if (!tensor.cells.emplace(std::move(text), std::move(cell)).second) {
      FailCorrupt("a candidate is there twice");
    }
  }
  return tensor;
}

bool IsSameCell(const SensitivityCell& a, const SensitivityCell& b) {
  return a.bytes == b.bytes && a.relative_error == b.relative_error &&
         a.max_error == b.max_error && a.cosine == b.cosine &&
         (!a.has_metric || !b.has_metric || a.metric == b.metric);
}

}  // namespace

double SensitivityTensor::LossOf(const SensitivityCell& cell) const {
  if (cell.has_metric) return cell.metric > 0.0 ? cell.metric : 0.0;
  const double n =
      weight != 0.0 ? weight : static_cast<double>(shape.elements());
  return n * cell.relative_error;
}

uint64_t Sensitivity::elements() const {
  uint64_t n = fixed_elements_;
  for (const auto& [name, tensor] : tensors_) n += tensor.shape.elements();
  return n;
}

void Sensitivity::SetModel(uint64_t fixed_bytes, uint64_t fixed_elements,
                           uint64_t input_bytes) {
  const bool same = fixed_bytes == fixed_bytes_ &&
                    fixed_elements == fixed_elements_ &&
                    input_bytes == input_bytes_;
  if (has_model_ && !same) {
    Fail(Status::kInvalidArgument,
         "sensitivity is that of another model, or of other tensors of it: ",
         fixed_elements_, " elements are not analyzed, here are ",
         fixed_elements);
  }
  has_model_ = true;
  fixed_bytes_ = fixed_bytes;
  fixed_elements_ = fixed_elements;
  input_bytes_ = input_bytes;
}

SensitivityTensor& Sensitivity::Add(const std::string& name,
                                    const SensitivityTensor& tensor) {
  const auto [at, is_new] = tensors_.emplace(name, tensor);
  SensitivityTensor& known = at->second;
  if (is_new) {
    known.cells.clear();
    return known;
  }
  const char* const what =
      known.shape != tensor.shape || known.dtype != tensor.dtype
          ? "shape or type"
      : known.sample_crc32 != tensor.sample_crc32         ? "content"
      : known.importance_crc32 != tensor.importance_crc32 ? "importance"
      : known.plain_bytes != tensor.plain_bytes           ? "size"
                                                          : nullptr;
  if (what != nullptr) {
    Fail(Status::kInvalidArgument, "tensor ", Quoted(name),
         ": sensitivity is that of one of another ", what);
  }
  return known;
}

const SensitivityTensor& Sensitivity::Known(const std::string& name) const {
  const auto found = tensors_.find(name);
  if (found == tensors_.end()) {
    Fail(Status::kNotFound, "tensor ", Quoted(name),
         " is none that was analyzed");
  }
  return found->second;
}

void Sensitivity::SetMetric(const std::string& name, const Config& config,
                            double metric) {
  const SensitivityTensor& tensor = Known(name);
  const auto found = tensor.cells.find(config.ToText());
  if (found == tensor.cells.end()) {
    Fail(Status::kNotFound, "tensor ", Quoted(name), " was not analyzed with ",
         ShortText(config));
  }
  if (!std::isfinite(metric)) {
    Fail(Status::kInvalidArgument, "metric = ", metric, " of tensor ",
         Quoted(name), ", must be finite");
  }
  SensitivityCell& cell = tensors_[name].cells[found->first];
  cell.metric = metric;
  cell.has_metric = true;
}

void Sensitivity::SetMetrics(const std::string& json) {
  const JsonTree metrics = ParseJson(json, kWhat);
  constexpr char kShape[] =
      "metrics must be {\"TENSOR\": {\"CONFIG\": NUMBER}}";
  if (!metrics.is_object()) FailCorrupt(kShape);
  Sensitivity result = *this;
  for (const auto& [name, configs] : metrics.members) {
    if (!configs.is_object()) FailCorrupt(kShape);
    for (const auto& [config, value] : configs.members) {
      if (!value.is_number()) FailCorrupt(kShape);
      result.SetMetric(name, Config::FromText(config), value.number);
    }
  }
  *this = std::move(result);
}

void Sensitivity::SetWeight(const std::string& name, double weight) {
  Known(name);
  if (!std::isfinite(weight) || weight < 0.0) {
    Fail(Status::kInvalidArgument, "weight = ", weight, " of tensor ",
         Quoted(name), ", must be finite, 0 or more");
  }
  tensors_[name].weight = weight;
}

void Sensitivity::Merge(const Sensitivity& other) {
  Sensitivity result = *this;
  if (other.has_model_) {
    result.SetModel(other.fixed_bytes_, other.fixed_elements_,
                    other.input_bytes_);
  }
  for (const auto& [name, tensor] : other.tensors_) {
    SensitivityTensor& mine = result.Add(name, tensor);
    if (tensor.weight != 0.0) {
      if (mine.weight != 0.0 && mine.weight != tensor.weight) {
        Fail(Status::kInvalidArgument, "tensor ", Quoted(name),
             " has two weights: ", mine.weight, " and ", tensor.weight);
      }
      mine.weight = tensor.weight;
    }
    for (const auto& [text, cell] : tensor.cells) {
      const auto [at, is_new] = mine.cells.emplace(text, cell);
      if (is_new) continue;
      if (!IsSameCell(at->second, cell)) {
        Fail(Status::kInvalidArgument, "tensor ", Quoted(name), " with ",
             ShortText(cell.config), " was measured twice, and differently");
      }
      if (cell.has_metric) at->second = cell;
    }
  }
  *this = std::move(result);
}

std::string Sensitivity::ToJson() const {
  std::string json = "{", tensors = "[";
  for (const auto& [name, tensor] : tensors_) {
    tensors += Message(tensors == "[" ? "" : ",", "\n  ", JsonOf(name, tensor));
  }
  const auto add = [&](const char* key, const std::string& value) {
    AddMember(key, value, 1, &json);
  };
  add("bnq_sensitivity", Message(kVersion));
  add("codec_revision", Message(kCodecRevision));
  add("fixed_bytes", Message(fixed_bytes_));
  add("fixed_elements", Message(fixed_elements_));
  add("input_bytes", Message(input_bytes_));
  add("tensors", tensors + ']');
  return json + "\n}\n";
}

Sensitivity Sensitivity::FromJson(const std::string& text) {
  const JsonTree json = ParseJson(text, kWhat);
  if (json.Find("bnq_sensitivity") == nullptr) {
    FailCorrupt("this is no JSON of one");
  }
  const uint64_t version = GetWhole(json, "bnq_sensitivity");
  const uint64_t revision = GetWhole(json, "codec_revision");
  if (version != kVersion || revision != kCodecRevision) {
    Fail(Status::kUnsupported, kWhat, ": version ", version,
         " of codec revision ", revision, ", must be ", kVersion, " of ",
         kCodecRevision, ": analyze again");
  }
  Sensitivity result;
  result.SetModel(GetWhole(json, "fixed_bytes"),
                  GetWhole(json, "fixed_elements"),
                  GetWhole(json, "input_bytes"));
  for (const JsonTree& item :
       Get(json, "tensors", JsonTree::Kind::kArray).items) {
    const std::string& name = Get(item, "name", JsonTree::Kind::kString).string;
    if (name.empty()) FailCorrupt("a name is empty");
    SensitivityTensor tensor = Within([&] { return "tensor " + Quoted(name); },
                                      [&] { return TensorOf(item); });
    if (!result.tensors_.emplace(name, std::move(tensor)).second) {
      FailCorrupt("a tensor is there twice");
    }
  }
  return result;
}

}  // namespace bnq
