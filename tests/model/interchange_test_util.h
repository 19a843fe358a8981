// The golden files of other ecosystems (tests/golden/interchange).
#ifndef BNQ_TESTS_MODEL_INTERCHANGE_TEST_UTIL_H_
#define BNQ_TESTS_MODEL_INTERCHANGE_TEST_UTIL_H_

#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/interchange/options.h"
#include "core/io/model_file.h"
#include "core/model/foreign_model.h"

namespace bnq {

struct InterchangeCase {
  std::string name, path, layout, expected;
  InterchangeOptions options;
};

inline const std::vector<InterchangeCase>& InterchangeCases() {
  static const std::vector<InterchangeCase> cases = [] {
    const std::string folder = BNQ_TEST_GOLDEN "/interchange/";
    std::vector<InterchangeCase> read;
    std::ifstream file(folder + "manifest.json");
    for (const auto& json : nlohmann::json::parse(file)) {
      InterchangeCase golden;
      golden.name = json["name"];
      golden.path = folder + json["path"].get<std::string>();
      golden.layout = json["layout"];
      golden.expected = folder + json["expected"].get<std::string>();
      for (const auto& [option, value] : json["options"].items()) {
        golden.options.SetText(option, value);
      }
      read.push_back(std::move(golden));
    }
    return read;
  }();
  return cases;
}

inline std::shared_ptr<const ModelFile> OpenCase(const Context& context,
                                                 const InterchangeCase& of) {
  return ForeignView(context, ModelFile::Open(context, of.path),
                     of.options.import());
}

// A plain array's bytes.
inline std::vector<uint8_t> BytesOf(const Context& context,
                                    const ModelFile& file,
                                    const ModelEntry& entry) {
  std::vector<uint8_t> bytes(static_cast<size_t>(entry.raw_bytes));
  PlainReader(context, file, entry).Read(bytes.data(), bytes.size());
  return bytes;
}

}  // namespace bnq

#endif  // BNQ_TESTS_MODEL_INTERCHANGE_TEST_UTIL_H_
