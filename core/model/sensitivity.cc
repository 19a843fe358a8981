#include "core/model/sensitivity.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <type_traits>
#include <utility>

#include "core/base/error.h"
#include "core/model/plan_text.h"
#include "core/scheme/codec_revision.h"

namespace bnq {
namespace {

using Json = nlohmann::json;

constexpr int kVersion = 1;

[[noreturn]] void FailCorrupt(const std::string& what) {
  Fail(Status::kCorruptFile, "sensitivity: ", what);
}

// The member of an object, of the type that `get` takes.
template <class T>
T Get(const Json& object, const char* key) {
  if (!object.is_object() || !object.contains(key)) {
    FailCorrupt(Message("\"", key, "\" is missing"));
  }
  const Json& value = object.at(key);
  bool good = false;
  if constexpr (std::is_same_v<T, std::string>) {
    good = value.is_string();
  } else if constexpr (std::is_floating_point_v<T>) {
    good = value.is_number();
  } else {
    good = value.is_number_unsigned() &&
           value.get<uint64_t>() <= std::numeric_limits<T>::max();
  }
  if (!good) FailCorrupt(Message("\"", key, "\" is of another type or size"));
  return value.get<T>();
}

double GetFinite(const Json& object, const char* key) {
  const double value = Get<double>(object, key);
  if (!std::isfinite(value) || value < -1.0) {
    FailCorrupt(Message("\"", key, "\" = ", value, ", must be finite"));
  }
  return value;
}

const Json& GetArray(const Json& object, const char* key) {
  if (!object.is_object() || !object.contains(key) ||
      !object.at(key).is_array()) {
    FailCorrupt(Message("\"", key, "\", an array, is missing"));
  }
  return object.at(key);
}

Json JsonOf(const SensitivityCell& cell) {
  Json json = {{"config", ShortText(cell.config)},
               {"bytes", cell.bytes},
               {"relative_error", cell.relative_error},
               {"max_error", cell.max_error},
               {"cosine", cell.cosine}};
  if (cell.has_metric) json["metric"] = cell.metric;
  return json;
}

SensitivityCell CellOf(const Json& json) {
  SensitivityCell cell;
  cell.config = Config::FromText(Get<std::string>(json, "config"));
  cell.bytes = Get<uint64_t>(json, "bytes");
  cell.relative_error = GetFinite(json, "relative_error");
  cell.max_error = GetFinite(json, "max_error");
  cell.cosine = GetFinite(json, "cosine");
  cell.has_metric = json.contains("metric");
  if (cell.has_metric) cell.metric = Get<double>(json, "metric");
  if (cell.relative_error < 0.0 || cell.max_error < 0.0 ||
      !std::isfinite(cell.metric)) {
    FailCorrupt("an error is below 0, or not finite");
  }
  return cell;
}

Json JsonOf(const std::string& name, const SensitivityTensor& tensor) {
  Json json = {{"name", name},
               {"dtype", Info(static_cast<DType>(tensor.dtype)).name},
               {"sample_crc32", tensor.sample_crc32},
               {"plain_bytes", tensor.plain_bytes}};
  json["shape"] = Json::array();
  for (int i = 0; i < tensor.shape.rank; ++i) {
    json["shape"].push_back(tensor.shape.dims[i]);
  }
  if (tensor.importance_crc32 != 0) {
    json["importance_crc32"] = tensor.importance_crc32;
  }
  if (tensor.weight != 0.0) json["weight"] = tensor.weight;
  json["candidates"] = Json::array();
  for (const auto& [text, cell] : tensor.cells) {
    json["candidates"].push_back(JsonOf(cell));
  }
  return json;
}

SensitivityTensor TensorOf(const Json& json) {
  SensitivityTensor tensor;
  const DTypeInfo* dtype =
      FindDType(Get<std::string>(json, "dtype"), /*as_written=*/true);
  if (dtype == nullptr) FailCorrupt("\"dtype\" is none that is known");
  tensor.dtype = static_cast<int32_t>(dtype->dtype);
  std::vector<uint64_t> dims;
  for (const Json& dim : GetArray(json, "shape")) {
    if (!dim.is_number_unsigned()) FailCorrupt("\"shape\" is none");
    dims.push_back(dim.get<uint64_t>());
  }
  tensor.shape = Shape::Make(
      static_cast<int32_t>(std::min<size_t>(dims.size(), kMaxRank + 1)),
      dims.data());
  tensor.sample_crc32 = Get<uint32_t>(json, "sample_crc32");
  tensor.plain_bytes = Get<uint64_t>(json, "plain_bytes");
  if (json.contains("importance_crc32")) {
    tensor.importance_crc32 = Get<uint32_t>(json, "importance_crc32");
  }
  if (json.contains("weight")) tensor.weight = GetFinite(json, "weight");
  if (tensor.weight < 0.0) FailCorrupt("\"weight\" is below 0");
  for (const Json& item : GetArray(json, "candidates")) {
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
  const Json metrics = Json::parse(json, nullptr, /*allow_exceptions=*/false);
  constexpr const char* kShape =
      "metrics must be {\"TENSOR\": {\"CONFIG\": NUMBER}}";
  if (metrics.is_discarded() || !metrics.is_object()) FailCorrupt(kShape);
  Sensitivity result = *this;
  for (const auto& [name, configs] : metrics.items()) {
    if (!configs.is_object()) FailCorrupt(kShape);
    for (const auto& [config, number] : configs.items()) {
      if (!number.is_number()) FailCorrupt(kShape);
      result.SetMetric(name, Config::FromText(config), number.get<double>());
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
  Json json = {{"bnq_sensitivity", kVersion},
               {"codec_revision", kCodecRevision},
               {"fixed_bytes", fixed_bytes_},
               {"fixed_elements", fixed_elements_},
               {"input_bytes", input_bytes_}};
  json["tensors"] = Json::array();
  for (const auto& [name, tensor] : tensors_) {
    json["tensors"].push_back(JsonOf(name, tensor));
  }
  return json.dump(1) + "\n";
}

Sensitivity Sensitivity::FromJson(const std::string& text) {
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded() || !json.is_object() ||
      !json.contains("bnq_sensitivity")) {
    FailCorrupt("this is no JSON of one");
  }
  const auto version = Get<uint64_t>(json, "bnq_sensitivity");
  const auto revision = Get<uint64_t>(json, "codec_revision");
  if (version != kVersion || revision != kCodecRevision) {
    Fail(Status::kUnsupported, "sensitivity: version ", version,
         " of codec revision ", revision, ", must be ", kVersion, " of ",
         kCodecRevision, ": analyze again");
  }
  Sensitivity result;
  result.SetModel(Get<uint64_t>(json, "fixed_bytes"),
                  Get<uint64_t>(json, "fixed_elements"),
                  Get<uint64_t>(json, "input_bytes"));
  for (const Json& item : GetArray(json, "tensors")) {
    const auto name = Get<std::string>(item, "name");
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
