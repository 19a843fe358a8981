#include <algorithm>
#include <iostream>
#include <memory>
#include <utility>

#include "../commands.h"
#include "../conversion.h"
#include "../failure.h"
#include "../table.h"
#include "../text.h"

namespace bnq::cli {
namespace {

struct Options {
  ConversionOptions conversion;
  std::string dtype, overflow;
};

// What bnq_dequantize_file accepts.
constexpr int32_t kDtypes[] = {BNQ_DTYPE_F32, BNQ_DTYPE_F16, BNQ_DTYPE_BF16};

std::string LowerName(int32_t dtype) {
  std::string name = bnq_dtype_name(dtype);
  for (char& c : name) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return name;
}

std::string DtypeChoices(const char* between) {
  std::string out;
  for (const int32_t dtype : kDtypes) {
    if (!out.empty()) out += between;
    out += LowerName(dtype);
  }
  return out;
}

int32_t ParseDtype(const std::string& name) {
  int32_t dtype = 0;
  const bnq_status status = bnq_dtype_id(name.c_str(), &dtype);
  if (status != BNQ_OK || std::find(std::begin(kDtypes), std::end(kDtypes),
                                    dtype) == std::end(kDtypes)) {
    throw Failure(kUsage, "--dtype: expected one of " + DtypeChoices(", ") +
                              ", got '" + name + "'");
  }
  return dtype;
}

constexpr std::pair<const char*, int32_t> kOverflows[] = {
    {"error", BNQ_OVERFLOW_ERROR},
    {"saturate", BNQ_OVERFLOW_SATURATE},
    {"keep", BNQ_OVERFLOW_KEEP}};

std::string OverflowChoices(const char* between) {
  std::string out;
  for (const auto& [name, value] : kOverflows) {
    if (!out.empty()) out += between;
    out += name;
  }
  return out;
}

int32_t ParseOverflow(const std::string& text) {
  for (const auto& [name, value] : kOverflows) {
    if (text == name) return value;
  }
  throw Failure(kUsage, "--overflow: expected one of " + OverflowChoices(", ") +
                            ", got '" + text + "'");
}

void PrintTable(const std::vector<Row>& rows) {
  Table table({{"name", Table::kLeft},
               {"shape", Table::kRight},
               {"dtype", Table::kLeft},
               {"before", Table::kRight},
               {"after", Table::kRight},
               {"note", Table::kLeft}});
  for (const Row& row : rows) {
    table.Add({Printable(row.name), ShapeText(row.shape), row.type(),
               BytesText(row.bytes_before), BytesText(row.bytes),
               Printable(row.note)});
  }
  const Totals totals = TotalsOf(rows);
  table.AddRule();
  table.Add({"total", std::to_string(totals.tensors), "",
             BytesText(totals.bytes_before), BytesText(totals.bytes)});
  table.Print(std::cout);
}

void Dequantize(const Options& options) {
  const char* output = OutputPath(options.conversion);
  const int32_t dtype = ParseDtype(options.dtype);
  const int32_t overflow = ParseOverflow(options.overflow);
  const ConversionOptions& conversion = options.conversion;
  Session session(conversion.session);
  bnq_report* created = nullptr;
  Check(bnq_dequantize_file(session.context(), conversion.input.c_str(), output,
                            dtype, overflow, WriteFlags(conversion),
                            conversion.max_shard_bytes, session.progress(),
                            session.opaque(), &created));
  const Report report(created);
  PrintConversion(conversion, RowsOf(created), PrintTable);
  session.Finish();
}

}  // namespace

void AddDequantize(CLI::App& app) {
  const auto options = std::make_shared<Options>();
  options->dtype = LowerName(kDtypes[0]);
  options->overflow = kOverflows[0].first;
  CLI::App* command = app.add_subcommand(
      "dequantize", "Turn a .bnq file back into a .safetensors file");
  AddConversionOptions(*command, options->conversion, "The .bnq file",
                       "The .safetensors file to write");
  command
      ->add_option(
          "--dtype", options->dtype,
          "Type that quantized tensors become (default " + options->dtype + ")")
      ->option_text(DtypeChoices("|"));
  command
      ->add_option("--overflow", options->overflow,
                   "What becomes of values that the type does not hold "
                   "(default " +
                       options->overflow + ")")
      ->option_text(OverflowChoices("|"));
  command->footer(
      "Examples:\n"
      "  bnq dequantize model.bnq -o restored.safetensors\n"
      "  bnq dequantize model.bnq -o half.safetensors --dtype f16\n\n");
  command->callback([options] { Dequantize(*options); });
}

}  // namespace bnq::cli
