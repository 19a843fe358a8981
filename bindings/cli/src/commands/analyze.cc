#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <memory>
#include <numeric>
#include <system_error>

#include "../budget_options.h"
#include "../budget_page.h"
#include "../commands.h"
#include "../config_options.h"
#include "../failure.h"
#include "../json.h"
#include "../plan_options.h"
#include "../report_option.h"
#include "../session.h"
#include "../table.h"
#include "../text.h"

namespace bnq::cli {
namespace {

struct Options {
  std::string input, output, sweep, save_plan, importance, metrics, recipes;
  std::string report;
  std::vector<std::string> merge;
  bool resume = false, force = false, json = false;
  BudgetOptions budget;
  PlanOptions plan;
  SessionOptions session;
};

Sensitivity Load(const std::string& path, Session& session) {
  bnq_sensitivity* created = nullptr;
  Check(bnq_sensitivity_load(session.context(), path.c_str(), &created));
  return Sensitivity(created);
}

// What an earlier run has saved, rather than a model.
bool IsSensitivity(const std::string& path) {
  constexpr std::string_view kEnding = ".json", kIndex = ".index.json";
  const auto ends = [&path](std::string_view with) {
    return path.size() >= with.size() &&
           path.compare(path.size() - with.size(), with.size(), with) == 0;
  };
  return ends(kEnding) && !ends(kIndex);
}

// FROM:TO:STEP in bits.
std::vector<double> SweepOf(const std::string& text) {
  double from = 0, to = 0, step = 0;
  char end = 0;
  const int read =
      std::sscanf(text.c_str(), "%lf:%lf:%lf%c", &from, &to, &step, &end);
  if (read != 3 || !(from > 0) || !(to >= from) || !(step > 0) ||
      (to - from) / step > 10000) {
    throw Failure(kUsage,
                  "--sweep: expected FROM:TO:STEP bits, got '" + text + "'");
  }
  std::vector<double> bits;
  for (int i = 0; from + i * step <= to * (1 + 1e-12); ++i) {
    bits.push_back(from + i * step);
  }
  return bits;
}

// The configs of a tensor, the smallest first.
std::vector<uint64_t> BySize(const bnq_sensitivity* sensitivity,
                             uint64_t index) {
  std::vector<uint64_t> order(bnq_sensitivity_config_count(sensitivity, index));
  std::iota(order.begin(), order.end(), uint64_t{0});
  const auto bytes = [&](uint64_t config) {
    return ValuesAt(sensitivity, index, config)[BNQ_SENSITIVITY_BYTES];
  };
  std::stable_sort(order.begin(), order.end(),
                   [&](uint64_t a, uint64_t b) { return bytes(a) < bytes(b); });
  return order;
}

// Each tensor's error under each candidate, where no budget is given.
void PrintErrors(const bnq_sensitivity* sensitivity) {
  Table table({{"name", Table::kLeft},
               {"config", Table::kLeft},
               {"bits/weight", Table::kRight},
               {"SQNR dB", Table::kRight},
               {"max error", Table::kRight},
               {"loss", Table::kRight}});
  for (uint64_t i = 0; i < bnq_sensitivity_count(sensitivity); ++i) {
    for (const uint64_t c : BySize(sensitivity, i)) {
      const std::vector<double> values = ValuesAt(sensitivity, i, c);
      table.Add(
          {Printable(bnq_sensitivity_name(sensitivity, i)),
           ConfigAt(sensitivity, i, c),
           FixedText(values[BNQ_SENSITIVITY_BITS], 3),
           FixedText(-10 * std::log10(values[BNQ_SENSITIVITY_RELATIVE_ERROR]),
                     2),
           GeneralText(values[BNQ_SENSITIVITY_MAX_ERROR], 4),
           GeneralText(values[BNQ_SENSITIVITY_LOSS], 4)});
    }
  }
  table.Print(std::cout);
}

void AddErrors(Json& object, const bnq_sensitivity* sensitivity) {
  object["sensitivity"] = Json::array();
  for (uint64_t i = 0; i < bnq_sensitivity_count(sensitivity); ++i) {
    const uint64_t count = bnq_sensitivity_config_count(sensitivity, i);
    for (uint64_t c = 0; c < count; ++c) {
      const std::vector<double> values = ValuesAt(sensitivity, i, c);
      object["sensitivity"].push_back(
          {{"name", bnq_sensitivity_name(sensitivity, i)},
           {"config", ConfigAt(sensitivity, i, c)},
           {"bytes", static_cast<uint64_t>(values[BNQ_SENSITIVITY_BYTES])},
           {"bits_per_weight", JsonNumber(values[BNQ_SENSITIVITY_BITS])},
           {"relative_error",
            JsonNumber(values[BNQ_SENSITIVITY_RELATIVE_ERROR])},
           {"max_error", JsonNumber(values[BNQ_SENSITIVITY_MAX_ERROR])},
           {"cosine", JsonNumber(values[BNQ_SENSITIVITY_COSINE])},
           {"loss", JsonNumber(values[BNQ_SENSITIVITY_LOSS])}});
    }
  }
}

struct Point {
  double bits;
  std::vector<double> values;
};

// Budgets below the least are left out.
std::vector<Point> Sweep(const Options& options, const bnq_plan* plan,
                         const bnq_sensitivity* sensitivity) {
  std::vector<Point> points;
  std::string last;
  for (const double bits : SweepOf(options.sweep)) {
    try {
      const Allocation allocation =
          AllocateAs(options.budget, plan, sensitivity, BNQ_BUDGET_BITS, bits);
      points.push_back({bits, ValuesOf(allocation.get())});
    } catch (const Failure& failure) {
      last = failure.what();
    }
  }
  if (points.empty()) throw Failure(kBadInput, last);
  return points;
}

void PrintSweep(const std::vector<Point>& points) {
  Table table({{"target bits", Table::kRight},
               {"bits/weight", Table::kRight},
               {"bytes", Table::kRight},
               {"loss", Table::kRight},
               {"gap %", Table::kRight}});
  for (const Point& point : points) {
    table.Add(
        {FixedText(point.bits, 3),
         FixedText(point.values[BNQ_ALLOCATION_BITS], 3),
         BytesText(static_cast<uint64_t>(point.values[BNQ_ALLOCATION_BYTES])),
         GeneralText(point.values[BNQ_ALLOCATION_LOSS], 6),
         GeneralText(100 * point.values[BNQ_ALLOCATION_GAP], 3)});
  }
  table.Print(std::cout);
}

void AddSweep(Json& object, const std::vector<Point>& points) {
  object["sweep"] = Json::array();
  for (const Point& point : points) {
    object["sweep"].push_back(
        {{"target_bits", point.bits},
         {"bits_per_weight", JsonNumber(point.values[BNQ_ALLOCATION_BITS])},
         {"bytes", static_cast<uint64_t>(point.values[BNQ_ALLOCATION_BYTES])},
         {"loss", JsonNumber(point.values[BNQ_ALLOCATION_LOSS])},
         {"gap", JsonNumber(point.values[BNQ_ALLOCATION_GAP])}});
  }
}

// What earlier runs and workers have measured, and what is missing.
Sensitivity Measured(const Options& options, const bnq_plan* plan,
                     Session& session) {
  std::error_code error;
  const bool exists =
      !options.output.empty() &&
      std::filesystem::exists(std::filesystem::u8path(options.output), error);
  if (exists && !options.resume && !options.force) {
    throw Failure(kInputOutput, "output '" + options.output +
                                    "' exists: --resume goes on with it, "
                                    "--force replaces it");
  }
  Sensitivity sensitivity = exists && options.resume
                                ? Load(options.output, session)
                                : NewSensitivity();
  for (const std::string& path : options.merge) {
    Check(bnq_sensitivity_merge(sensitivity.get(), Load(path, session).get()));
  }
  if (IsSensitivity(options.input)) {
    Check(bnq_sensitivity_merge(sensitivity.get(),
                                Load(options.input, session).get()));
    if (!options.output.empty()) {
      Check(bnq_sensitivity_save(session.context(), sensitivity.get(),
                                 options.output.c_str(), BNQ_WRITE_OVERWRITE));
    }
  } else {
    Analyze(options.budget, plan, options.input, options.output, session,
            sensitivity.get());
  }
  if (!options.metrics.empty()) {
    Check(bnq_sensitivity_load_metrics(session.context(), sensitivity.get(),
                                       options.metrics.c_str()));
  }
  return sensitivity;
}

std::vector<std::string> InputsOf(const Options& options) {
  std::vector<std::string> inputs = options.merge;
  inputs.insert(inputs.end(), {options.input, options.importance,
                               options.metrics, options.recipes});
  return inputs;
}

Page PageOf(const Options& options, const bnq_plan* plan,
            const bnq_sensitivity* sensitivity,
            const std::vector<Point>& points,
            const bnq_allocation* allocation) {
  Page page = AnalysisPage(options.input, sensitivity, allocation);
  std::vector<std::vector<double>> swept;
  for (const Point& point : points) swept.push_back(point.values);
  page.curve =
      BudgetCurve(options.budget, plan, sensitivity, swept, allocation);
  return page;
}

void Print(const Options& options, const bnq_sensitivity* sensitivity,
           const std::vector<Point>& points, const bnq_allocation* allocation) {
  const bool errors = allocation == nullptr && points.empty();
  if (options.json) {
    Json object = {{"input", options.input}};
    if (errors) AddErrors(object, sensitivity);
    if (!points.empty()) AddSweep(object, points);
    if (allocation != nullptr) AddAllocation(object, allocation);
    PrintJson(object);
  } else if (!options.session.quiet) {
    if (errors) PrintErrors(sensitivity);
    if (!points.empty()) PrintSweep(points);
    if (allocation != nullptr) PrintAllocation(allocation);
  }
  PrintReportLine(options.report, options.json, options.session.quiet);
}

void Analyze(const Options& options) {
  const bool budget = HasBudget(options.budget);
  if (!options.save_plan.empty() && !budget) {
    throw Failure(kUsage, "--save-plan needs a budget, as --target-bits");
  }
  CheckReport(options.report, options.force, InputsOf(options),
              {options.output, options.save_plan});
  Session session(options.session);
  const Recipes recipes = LoadRecipes(options.recipes);
  const std::vector<Rule> rules = RulesOf(options.plan, nullptr, recipes.get());
  const Plan plan = MakePlan(rules, recipes.get());
  if (!IsSensitivity(options.input)) {
    CheckRules(rules, plan.get(), options.input, session);
  }
  if (!options.importance.empty()) {
    Check(bnq_plan_load_importance(session.context(), plan.get(),
                                   options.importance.c_str()));
  }
  const Sensitivity sensitivity = Measured(options, plan.get(), session);
  std::vector<Point> points;
  if (!options.sweep.empty()) {
    points = Sweep(options, plan.get(), sensitivity.get());
  }
  Allocation allocation;
  if (budget) {
    allocation = Allocate(options.budget, plan.get(), sensitivity.get());
    if (!options.save_plan.empty()) {
      Check(bnq_plan_save(session.context(), PlanOf(allocation.get()).get(),
                          options.save_plan.c_str(),
                          options.force ? BNQ_WRITE_OVERWRITE : 0));
    }
  }
  if (!options.report.empty()) {
    WriteReport(session, options.report, options.force,
                PageOf(options, plan.get(), sensitivity.get(), points,
                       allocation.get()));
  }
  Print(options, sensitivity.get(), points, allocation.get());
  session.Finish();
}

}  // namespace

void AddAnalyze(CLI::App& app) {
  const auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand(
      "analyze",
      "Measure what each tensor loses under several configs, and find the plan "
      "of least loss for a size");
  command
      ->add_option("IN", options->input,
                   "A model as for quantize, or the JSON of an earlier run")
      ->required()
      ->option_text("FILE");
  command
      ->add_option("-o,--output", options->output,
                   "Save what is measured as JSON, for other budgets; while it "
                   "is measured, too")
      ->option_text("FILE");
  command->add_flag("--resume", options->resume,
                    "Go on with what --output has already");
  command
      ->add_option("--merge", options->merge,
                   "Add what another run has measured of the same model "
                   "(repeatable)")
      ->option_text("FILE")
      ->allow_extra_args(false);
  command
      ->add_option("--metrics", options->metrics,
                   "Your own losses in place of the measured errors, as JSON: "
                   "{\"TENSOR\": {\"CONFIG\": NUMBER}}")
      ->option_text("FILE");
  command
      ->add_option("--importance", options->importance,
                   "Weigh the errors of columns: a model file of weights by "
                   "tensor, or a file of `bnq calibrate`")
      ->option_text("FILE");
  AddBudgetOptions(*command, options->budget);
  command
      ->add_option("--sweep", options->sweep,
                   "The sizes and losses of many budgets, in bits a weight")
      ->option_text("FROM:TO:STEP");
  command
      ->add_option("--save-plan", options->save_plan,
                   "Write the plan that was found, as text")
      ->option_text("FILE");
  AddReportOption(*command, options->report);
  AddFreePlanOptions(*command, options->plan);
  AddRecipesOption(*command, options->recipes);
  command->add_flag("--force", options->force, "Replace existing outputs");
  command->add_flag("--json", options->json,
                    "Print one JSON object instead of the table");
  AddSessionOptions(*command, options->session);
  command->footer(
      "Examples:\n"
      "  bnq analyze model.safetensors -o sensitivity.json\n"
      "  bnq analyze sensitivity.json --target-bits 4.5 --save-plan plan.txt\n"
      "  bnq analyze sensitivity.json --sweep 3:6:0.25\n"
      "  bnq analyze sensitivity.json --target-bits 4 --report model.html\n"
      "  bnq quantize model.safetensors -o model.bnq --plan plan.txt\n\n");
  command->callback([options] { Analyze(*options); });
}

}  // namespace bnq::cli
