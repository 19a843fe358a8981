#include <iostream>
#include <memory>

#include "../commands.h"
#include "../config_options.h"
#include "../conversion.h"
#include "../failure.h"
#include "../glob.h"
#include "../session.h"
#include "../table.h"
#include "../text.h"

namespace bnq::cli {
namespace {

struct Options {
  ConversionOptions conversion;
  ConfigOptions config;
  std::vector<std::string> include, exclude;
  bool compress = false;
};

// Without --include: matrices and up. Vectors (biases, norms) are small and
// sensitive; who names one means it.
constexpr int32_t kDefaultMinRank = 2;
constexpr int32_t kIncludedMinRank = 1;

Plan MakePlan(const Options& options, const bnq_config* config) {
  bnq_plan* created = nullptr;
  Check(bnq_plan_create(&created));
  Plan plan(created);
  // The first rule that matches decides, so exclusions come first.
  for (const std::string& glob : options.exclude) {
    CheckUsage(bnq_plan_add(created, glob.c_str(), 0, nullptr), "--exclude");
  }
  for (const std::string& glob : options.include) {
    CheckUsage(bnq_plan_add(created, glob.c_str(), kIncludedMinRank, config),
               "--include");
  }
  if (options.include.empty()) {
    Check(bnq_plan_add(created, "*", kDefaultMinRank, config));
  }
  return plan;
}

// A misspelt pattern must not cost a long run.
void CheckPatterns(const Options& options, Session& session) {
  if (options.include.empty() && options.exclude.empty()) return;
  const std::string& input = options.conversion.input;
  bnq_file* opened = nullptr;
  Check(bnq_file_open(session.context(), input.c_str(), &opened));
  const File file(opened);
  const auto matches = [&](const std::string& glob, int32_t min_rank) {
    for (uint64_t i = 0; i < bnq_file_count(opened); ++i) {
      if (bnq_file_shape(opened, i, nullptr) >= min_rank &&
          GlobMatches(glob, bnq_file_name(opened, i))) {
        return true;
      }
    }
    return false;
  };
  for (const std::string& glob : options.include) {
    if (matches(glob, kIncludedMinRank)) continue;
    throw Failure(kBadInput, "--include '" + glob +
                                 "' matches no tensor of rank 1 or more in '" +
                                 input + "'");
  }
  // The same exclusions may serve several models.
  for (const std::string& glob : options.exclude) {
    if (matches(glob, 0)) continue;
    session.Warn("--exclude '" + glob + "' matches no tensor in '" + input +
                 "'");
  }
}

void PrintTable(const std::vector<Row>& rows) {
  Table table({{"name", Table::kLeft},
               {"shape", Table::kRight},
               {"format", Table::kLeft},
               {"bits/weight", Table::kRight},
               {"before", Table::kRight},
               {"after", Table::kRight},
               {"SQNR dB", Table::kRight},
               {"note", Table::kLeft}});
  for (const Row& row : rows) {
    table.Add({Printable(row.name), ShapeText(row.shape), row.type(),
               FixedText(row.bits_per_weight, 3), BytesText(row.bytes_before),
               BytesText(row.bytes),
               FixedText(row.metrics.at(BNQ_METRIC_SQNR_DB), 2),
               Printable(row.note)});
  }
  const Totals totals = TotalsOf(rows);
  table.AddRule();
  table.Add({"total",
             std::to_string(totals.quantized) + " of " +
                 std::to_string(totals.tensors),
             "quantized", FixedText(totals.bits_per_weight, 3),
             BytesText(totals.bytes_before), BytesText(totals.bytes)});
  table.Print(std::cout);
}

void Quantize(const Options& options) {
  const char* output = OutputPath(options.conversion);
  const Config config = MakeConfig(options.config);
  const Plan plan = MakePlan(options, config.get());
  bnq_report* created = nullptr;
  {
    const ConversionOptions& conversion = options.conversion;
    Session session(conversion.session);
    CheckPatterns(options, session);
    const int32_t flags =
        WriteFlags(conversion) | (options.compress ? BNQ_WRITE_COMPRESS : 0);
    Check(bnq_quantize_file(session.context(), plan.get(),
                            conversion.input.c_str(), output, flags,
                            session.progress(), session.opaque(), &created));
  }
  const Report report(created);
  PrintConversion(options.conversion, RowsOf(created), PrintTable);
}

}  // namespace

void AddQuantize(CLI::App& app) {
  const auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand(
      "quantize", "Quantize a safetensors model into a .bnq file");
  AddConversionOptions(*command, options->conversion,
                       "A .safetensors file, or the .safetensors.index.json "
                       "of a sharded one",
                       "The .bnq file to write");
  command
      ->add_option("--include", options->include,
                   "Quantize only matching tensors of rank 1 and up "
                   "(repeatable; default: all of rank 2 and up)")
      ->option_text("GLOB")
      ->allow_extra_args(false);
  command
      ->add_option("--exclude", options->exclude,
                   "Leave matching tensors as they are (repeatable)")
      ->option_text("GLOB")
      ->allow_extra_args(false);
  command->add_flag("--compress", options->compress,
                    "Compress the output (DEFLATE)");
  AddConfigOptions(*command, options->config);
  command->callback([options] { Quantize(*options); });
}

}  // namespace bnq::cli
