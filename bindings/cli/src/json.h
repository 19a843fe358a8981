// The objects that --json prints. Their keys are an interface: only ever add.
#ifndef BNQ_CLI_JSON_H_
#define BNQ_CLI_JSON_H_

#include <nlohmann/json.hpp>
#include <vector>

#include "rows.h"

namespace bnq::cli {

using Json = nlohmann::ordered_json;

// JSON has no infinity and no NaN: null.
Json JsonNumber(double value);

// Columns beyond those that every command has.
enum class JsonRows {
  // bytes_before and the metrics.
  kReport,
  // uncompressed_bytes, and what is known of quantized tensors.
  kFile,
};

// Adds "tensors" and "totals".
void AddRows(Json& object, const std::vector<Row>& rows, JsonRows kind);

// One object and a newline on standard output. Names that are not UTF-8 have
// the offending bytes replaced by U+FFFD.
void PrintJson(const Json& object);

}  // namespace bnq::cli

#endif  // BNQ_CLI_JSON_H_
