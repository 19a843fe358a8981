#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "../commands.h"
#include "../conversion.h"
#include "../failure.h"
#include "../library_options.h"
#include "../table.h"
#include "../text.h"

namespace bnq::cli {
namespace {

struct Options {
  ConversionOptions conversion;
  std::string dtype, overflow;
};

// In lower case, as flags are written.
std::string DtypeName(int32_t dtype) {
  std::string name = bnq_dtype_name(dtype);
  for (char& c : name) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return name;
}

// What tensors can be dequantized into, the usual one first.
std::vector<std::string> Dtypes() {
  std::vector<std::string> names;
  for (int32_t id = 1; bnq_dtype_name(id) != nullptr; ++id) {
    if (bnq_dtype_is_target(id) != 0) names.push_back(DtypeName(id));
  }
  return names;
}

int32_t ParseDtype(const std::string& name) {
  int32_t dtype = 0;
  if (bnq_dtype_id(name.c_str(), &dtype) != BNQ_OK ||
      bnq_dtype_is_target(dtype) == 0) {
    throw Failure(kUsage, "--dtype: expected one of " + Joined(Dtypes(), ", ") +
                              ", got '" + name + "'");
  }
  return dtype;
}

std::vector<std::string> Overflows() {
  std::vector<std::string> names;
  for (int32_t id = 0; bnq_overflow_name(id) != nullptr; ++id) {
    names.emplace_back(bnq_overflow_name(id));
  }
  return names;
}

int32_t ParseOverflow(const std::string& text) {
  int32_t overflow = 0;
  CheckUsage(bnq_overflow_id(text.c_str(), &overflow), "--overflow");
  return overflow;
}

void PrintTable(const bnq_report* /*report*/, const std::vector<Row>& rows) {
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
  PrintConversion(conversion, created, RowsOf(created), PrintTable);
  session.Finish();
}

}  // namespace

void AddDequantize(CLI::App& app) {
  const auto options = std::make_shared<Options>();
  options->dtype = Dtypes().front();
  options->overflow = Overflows().front();
  CLI::App* command = app.add_subcommand(
      "dequantize", "Turn a .bnq file back into a .safetensors file");
  AddConversionOptions(*command, options->conversion, "The .bnq file",
                       "The .safetensors file to write");
  command
      ->add_option(
          "--dtype", options->dtype,
          "Type that quantized tensors become (default " + options->dtype + ")")
      ->option_text(Joined(Dtypes(), "|"));
  command
      ->add_option("--overflow", options->overflow,
                   "What becomes of values that the type does not hold "
                   "(default " +
                       options->overflow + ")")
      ->option_text(Joined(Overflows(), "|"));
  command->footer(
      "Examples:\n"
      "  bnq dequantize model.bnq -o restored.safetensors\n"
      "  bnq dequantize model.bnq -o half.safetensors --dtype f16\n\n");
  command->callback([options] { Dequantize(*options); });
}

}  // namespace bnq::cli
