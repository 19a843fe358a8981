#include <iostream>
#include <memory>
#include <set>
#include <utility>

#include "../budget_options.h"
#include "../budget_page.h"
#include "../calibration_options.h"
#include "../commands.h"
#include "../config_options.h"
#include "../conversion.h"
#include "../failure.h"
#include "../jobs.h"
#include "../output_file.h"
#include "../plan_options.h"
#include "../quantize_page.h"
#include "../report_option.h"
#include "../session.h"
#include "../table.h"
#include "../text.h"

namespace bnq::cli {
namespace {

constexpr char kMethod[] = "--method";
constexpr char kActivations[] = "--activations";

struct Options {
  ConversionOptions conversion;
  ConfigOptions config;
  PlanOptions plan;
  bool compress = false, requantize = false;
  std::string calibration, method, activations, importance, sensitivity, report;
  BudgetOptions budget;
};

Config DefaultActivations() {
  bnq_config* config = nullptr;
  Check(bnq_post_training_config(BNQ_ROLE_ACTIVATIONS, &config));
  return Config(config);
}

// What the plan gave each quantized tensor.
void AddConfigs(const bnq_plan* plan, std::vector<Row>& rows) {
  for (Row& row : rows) {
    // The plan is not asked for another name of a tensor.
    if (!row.quantized() || !row.same_as.empty()) continue;
    bnq_config* created = nullptr;
    Check(bnq_plan_match(plan, row.name.c_str(), row.shape.data(),
                         static_cast<int32_t>(row.shape.size()), nullptr,
                         &created));
    const Config config(created);
    row.config = ConfigText(created);
  }
}

void PrintTable(const bnq_report* report, const std::vector<Row>& rows) {
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
  std::vector<std::string> last = TotalCells(totals);
  last.push_back(BytesText(totals.bytes_before));
  last.push_back(BytesText(totals.bytes));
  table.Add(last);
  table.Print(std::cout);
  // Easily overlooked: experts, say, that no pattern matched.
  std::cout << FixedText(100 * bnq_report_dense_share(report), 2)
            << " % of the parameters are not quantized\n";
}

// Options that say how --calibration is used, without it.
void CheckCalibrationOptions(const Options& options) {
  if (!options.calibration.empty()) return;
  for (const auto& [flag, value] :
       {std::pair(kMethod, options.method),
        std::pair(kActivations, options.activations)}) {
    if (value.empty()) continue;
    throw Failure(kUsage, std::string(flag) + " needs --calibration");
  }
}

// A calibrator's range about 0 leaves an asymmetric config half of its codes
// where values are of one sign.
void WarnOfScheme(const bnq_calibration* calibration,
                  const bnq_config* activations, Session& session) {
  const bnq_calibrator* first = bnq_calibration_at(calibration, 0);
  if (first == nullptr) return;
  int64_t wanted = BNQ_SCHEME_SYMMETRIC, calibrated = BNQ_SCHEME_SYMMETRIC;
  Check(bnq_options_get_int(bnq_config_options(activations), BNQ_OPT_SCHEME,
                            &wanted));
  Check(bnq_options_get_int(bnq_calibrator_options(first),
                            BNQ_CALIBRATION_SCHEME, &calibrated));
  if (wanted == BNQ_SCHEME_ASYMMETRIC && calibrated == BNQ_SCHEME_SYMMETRIC) {
    session.Warn(
        "--activations is asymmetric, but the calibrated ranges are symmetric: "
        "see `bnq calibrate --scheme`");
  }
}

// Zeros make a scale of 0: right for them, but rarely what was meant to be
// observed.
void AddNotes(bnq_context* context, const bnq_calibration* calibration,
              std::vector<Row>& rows) {
  std::set<std::string> zeros;
  for (uint64_t i = 0; i < bnq_calibration_count(calibration); ++i) {
    double statistics[BNQ_NUM_STATISTICS];
    Check(bnq_calibrator_statistics(context, bnq_calibration_at(calibration, i),
                                    BNQ_ALL_CHANNELS, statistics,
                                    BNQ_NUM_STATISTICS));
    if (statistics[BNQ_STATISTIC_ABSMAX] != 0) continue;
    zeros.insert(std::string(bnq_calibration_name(calibration, i)) +
                 ".input_scale");
  }
  for (Row& row : rows) {
    if (zeros.count(row.name) == 0) continue;
    row.note += row.note.empty() ? "" : "; ";
    row.note += "0: only zeros were observed";
  }
}

bnq_report* QuantizeWithCalibration(const Options& options,
                                    const bnq_plan* plan,
                                    const bnq_config* activations,
                                    const char* output, int32_t flags,
                                    Session& session,
                                    Calibration& calibration) {
  calibration = LoadCalibration(options.calibration, session);
  if (!options.method.empty()) {
    Reinterpret(calibration.get(),
                bnq_option_name(BNQ_OPTIONS_CALIBRATOR, BNQ_CALIBRATION_METHOD),
                options.method, kMethod, options.calibration, session);
  }
  WarnOfScheme(calibration.get(), activations, session);
  bnq_report* created = nullptr;
  Check(bnq_post_training_quantize_file(
      session.context(), plan, calibration.get(), activations,
      options.conversion.input.c_str(), output, flags,
      options.conversion.max_shard_bytes, session.progress(), session.opaque(),
      &created));
  return created;
}

void CheckBudgetOptions(const Options& options, bool budget) {
  if (budget &&
      (IsConfigGiven(options.config) || !options.plan.include.empty())) {
    throw Failure(kUsage,
                  "a budget chooses configs among --candidates: --preset, "
                  "--config, options of configs and --include are not for it");
  }
  if (!options.plan.plan.empty() && IsConfigGiven(options.config)) {
    throw Failure(kUsage,
                  "--plan says what tensors get: --preset, --config and "
                  "options of configs are not for it");
  }
  if (!budget &&
      (!options.sensitivity.empty() || !options.budget.candidates.empty())) {
    throw Failure(kUsage,
                  "--sensitivity and --candidates are for a budget, as "
                  "--target-bits");
  }
}

// The configs of least loss for the budget, of what was measured earlier or is
// measured now; and the curve that they are on, for a report.
Allocation AllocationOf(const Options& options, const bnq_plan* plan,
                        Session& session, Curve& curve) {
  Sensitivity sensitivity = NewSensitivity();
  if (options.sensitivity.empty()) {
    session.BeginPart(0, 2);
    Analyze(options.budget, plan, options.conversion.input, "", session,
            sensitivity.get());
    session.BeginPart(1, 2);
  } else {
    bnq_sensitivity* created = nullptr;
    Check(bnq_sensitivity_load(session.context(), options.sensitivity.c_str(),
                               &created));
    sensitivity.reset(created);
  }
  Allocation allocation = Allocate(options.budget, plan, sensitivity.get());
  if (!options.report.empty()) {
    curve = BudgetCurve(options.budget, plan, sensitivity.get(), {},
                        allocation.get());
  }
  return allocation;
}

Page PageOf(const ConversionOptions& conversion, const std::vector<Row>& rows,
            const bnq_allocation* allocation, Curve curve, Session& session) {
  Page page = QuantizePage(conversion, rows, session);
  page.curve = std::move(curve);
  if (allocation != nullptr) AddBudget(allocation, page);
  return page;
}

int32_t FlagsOf(const Options& options) {
  return WriteFlags(options.conversion) |
         (options.compress ? BNQ_WRITE_COMPRESS : 0) |
         (options.requantize ? BNQ_WRITE_REQUANTIZE : 0);
}

// Options that are of one model.
void CheckJobs(const Options& options, bool budget) {
  for (const auto& [flag, given] :
       {std::pair("--calibration", !options.calibration.empty()),
        std::pair("--importance", !options.importance.empty()),
        std::pair("--report", !options.report.empty()),
        std::pair("a budget, as --target-bits,", budget)}) {
    if (!given) continue;
    throw Failure(kUsage, std::string(flag) +
                              " is for one model: not with several, or --jobs");
  }
}

void QuantizeJobs(const Options& options, const std::vector<Rule>& rules,
                  const bnq_plan* plan) {
  const ConversionOptions& conversion = options.conversion;
  std::vector<Job> jobs = JobsOf(conversion, ".bnq");
  Session session(conversion.session);
  for (const std::string& input : conversion.inputs) {
    CheckRules(rules, plan, input, session);
  }
  RunJobs(conversion, std::move(jobs), session,
          [&](bnq_context* context, Job& job, bnq_progress_fn progress,
              void* opaque) {
            bnq_report* report = nullptr;
            Check(bnq_quantize_file(
                context, plan, job.input.c_str(),
                IsDryRun(conversion) ? nullptr : job.output.c_str(),
                FlagsOf(options), conversion.max_shard_bytes, progress, opaque,
                &report));
            job.report.reset(report);
            job.rows = RowsOf(report);
            AddConfigs(plan, job.rows);
          });
}

void Quantize(const Options& options) {
  const bool jobs = AreJobs(options.conversion);
  const char* output = jobs ? nullptr : OutputPath(options.conversion);
  CheckCalibrationOptions(options);
  const bool budget = HasBudget(options.budget);
  CheckBudgetOptions(options, budget);
  if (jobs) CheckJobs(options, budget);
  const Recipes recipes = LoadRecipes(options.config.recipes);
  const Config config = MakeConfig(options.config, recipes.get());
  const Config activations =
      options.activations.empty()
          ? DefaultActivations()
          : ConfigFromText(options.activations, kActivations);
  const std::vector<Rule> rules =
      RulesOf(options.plan, budget ? nullptr : config.get(), recipes.get());
  Plan plan = MakePlan(rules, recipes.get());
  if (jobs) return QuantizeJobs(options, rules, plan.get());
  const ConversionOptions& conversion = options.conversion;
  CheckReport(options.report, conversion.force,
              {conversion.input, options.calibration, options.importance,
               options.sensitivity},
              {conversion.output});
  Session session(conversion.session);
  CheckRules(rules, plan.get(), conversion.input, session);
  WarnOfDoubts(config.get(), "", session);
  if (!options.importance.empty()) {
    Check(bnq_plan_load_importance(session.context(), plan.get(),
                                   options.importance.c_str()));
  }
  Allocation allocation;
  Curve curve;
  if (budget) {
    allocation = AllocationOf(options, plan.get(), session, curve);
    plan = PlanOf(allocation.get());
  }
  const int32_t flags = FlagsOf(options);
  bnq_report* created = nullptr;
  Calibration calibration;
  if (options.calibration.empty()) {
    Check(bnq_quantize_file(session.context(), plan.get(),
                            conversion.input.c_str(), output, flags,
                            conversion.max_shard_bytes, session.progress(),
                            session.opaque(), &created));
  } else {
    if (output != nullptr) {
      CheckOutput(output, conversion.force, {options.calibration});
    }
    created = QuantizeWithCalibration(options, plan.get(), activations.get(),
                                      output, flags, session, calibration);
  }
  const Report report(created);
  std::vector<Row> rows = RowsOf(created);
  AddConfigs(plan.get(), rows);
  AddNotes(session.context(), calibration.get(), rows);
  if (!options.report.empty()) {
    WriteReport(
        session, options.report, conversion.force,
        PageOf(conversion, rows, allocation.get(), std::move(curve), session));
  }
  PrintConversion(conversion, created, rows, PrintTable);
  if (budget && !conversion.json && !conversion.session.quiet) {
    PrintBudget(allocation.get());
  }
  PrintReportLine(options.report, conversion.json, conversion.session.quiet);
  session.Finish();
}

}  // namespace

void AddQuantize(CLI::App& app) {
  const auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand(
      "quantize", "Quantize a safetensors model into a .bnq file");
  AddJobOptions(*command, options->conversion);
  AddConversionOptions(*command, options->conversion,
                       "A .safetensors file, the .safetensors.index.json of a "
                       "sharded one, or a .npy file",
                       "The .bnq file to write, or the folder of several");
  AddReportOption(*command, options->report);
  AddPlanOptions(*command, options->plan);
  AddBudgetOptions(*command, options->budget);
  command
      ->add_option("--sensitivity", options->sensitivity,
                   "What `bnq analyze` has measured of this model, for a "
                   "budget; without it, it is measured first")
      ->option_text("FILE");
  command->add_flag("--compress", options->compress,
                    "Compress the output (DEFLATE)");
  command->add_flag("--requantize", options->requantize,
                    "Also a model that is quantized already");
  command
      ->add_option("--importance", options->importance,
                   "Weigh the errors of columns (scale_rule mse): a model file "
                   "of weights by tensor, or a file of `bnq calibrate`")
      ->option_text("FILE");
  command
      ->add_option("--calibration", options->calibration,
                   "Add the scales of activations, from a file of `bnq "
                   "calibrate`")
      ->option_text("FILE");
  command
      ->add_option(kMethod, options->method,
                   "Look for the ranges of --calibration in another way, which "
                   "may need a histogram there")
      ->option_text(CalibrationMethods());
  command
      ->add_option(kActivations, options->activations,
                   "Preset or config text that activations will be quantized "
                   "by (default " +
                       ConfigText(DefaultActivations().get()) + ")")
      ->option_text("CONFIG");
  AddConfigOptions(*command, options->config);
  command->footer(
      "Examples:\n"
      "  bnq quantize model.safetensors -o model.bnq --preset nf4\n"
      "  bnq quantize model.safetensors -o model.bnq --format int8 "
      "--granularity channel\n"
      "  bnq quantize model.safetensors --dry-run --preset int4_per_group_128\n"
      "  bnq quantize model.safetensors -o model.bnq --preset nf4 \\\n"
      "      --exclude '*embed*' --tensor 'lm_head*=int8_per_channel'\n"
      "  bnq quantize model.safetensors -o model.bnq --target-ratio 4\n"
      "  bnq quantize model.safetensors -o model.bnq --plan plan.txt\n"
      "  bnq quantize model.safetensors other.safetensors -o out --jobs 2\n\n");
  command->callback([options] { Quantize(*options); });
}

}  // namespace bnq::cli
