#include "budget_options.h"

#include <cmath>
#include <iostream>

#include "config_options.h"
#include "failure.h"
#include "table.h"
#include "text.h"

namespace bnq::cli {
namespace {

int32_t FlagsOf(const BudgetOptions& options) {
  return (options.fused_apart ? BNQ_ALLOCATE_FUSED_APART : 0) |
         (options.experts_apart ? BNQ_ALLOCATE_EXPERTS_APART : 0);
}

uint64_t Whole(double value) { return static_cast<uint64_t>(value); }

}  // namespace

const char* KindName(const AllocationRow& row) {
  const char* name = bnq_layer_kind_name(
      static_cast<int32_t>(row.at(BNQ_ALLOCATION_ROW_KIND)));
  return name != nullptr ? name : "other";
}

std::string NoteOf(const std::vector<AllocationRow>& rows, size_t index) {
  const AllocationRow& row = rows[index];
  std::string note;
  const auto add = [&note](const std::string& text) {
    note += (note.empty() ? "" : "; ") + text;
  };
  const auto tied = Whole(row.at(BNQ_ALLOCATION_ROW_TIED_TO));
  if (tied != index && tied < rows.size()) {
    add("with " + Printable(rows[tied].name));
  }
  if (row.at(BNQ_ALLOCATION_ROW_PINNED) != 0) add("pinned");
  if (row.at(BNQ_ALLOCATION_ROW_COARSE) != 0) {
    add("coarse: losses may not just add up");
  }
  return note;
}

void AddBudgetOptions(CLI::App& command, BudgetOptions& options) {
  command
      .add_option("--target-bits", options.bits,
                  "The file's size, in bits for each element of all tensors")
      ->option_text("BITS");
  command
      .add_option("--target-size", options.size,
                  "The file's size at most (2GB, 500MiB)")
      ->transform(CLI::AsSizeValue(/*kb_is_1000=*/true))
      ->option_text("SIZE");
  command
      .add_option("--target-ratio", options.ratio,
                  "The size of the input's tensors over the file's")
      ->option_text("RATIO");
  command
      .add_option("--candidates", options.candidates,
                  "Presets or config texts that tensors may get for a budget "
                  "(repeatable; default: six from 2 to 8 bits; none: as it is)")
      ->option_text("CONFIG")
      ->allow_extra_args(false);
  command.add_flag("--fused-apart", options.fused_apart,
                   "Let q, k and v, and gate and up have configs of their own "
                   "under a budget");
  command.add_flag("--experts-apart", options.experts_apart,
                   "Let each expert of a layer have a config of its own under "
                   "a budget");
}

bool HasBudget(const BudgetOptions& options) {
  const int given =
      (options.bits != 0.0) + (options.size != 0) + (options.ratio != 0.0);
  if (given > 1) {
    throw Failure(kUsage,
                  "--target-bits, --target-size and --target-ratio exclude "
                  "each other");
  }
  return given != 0;
}

std::vector<Config> CandidatesOf(const BudgetOptions& options) {
  std::vector<Config> configs;
  for (const std::string& text : options.candidates) {
    configs.push_back(ConfigFromText(text, "--candidates"));
  }
  return configs;
}

Sensitivity NewSensitivity() {
  bnq_sensitivity* created = nullptr;
  Check(bnq_sensitivity_create(&created));
  return Sensitivity(created);
}

void Analyze(const BudgetOptions& options, const bnq_plan* plan,
             const std::string& input, const std::string& save,
             Session& session, bnq_sensitivity* sensitivity) {
  const std::vector<Config> configs = CandidatesOf(options);
  std::vector<const bnq_config*> candidates;
  for (const Config& config : configs) candidates.push_back(config.get());
  Check(bnq_analyze_file(session.context(), plan, candidates.data(),
                         candidates.size(), input.c_str(),
                         save.empty() ? nullptr : save.c_str(),
                         session.progress(), session.opaque(), sensitivity));
}

Allocation Allocate(const BudgetOptions& options, const bnq_plan* plan,
                    const bnq_sensitivity* sensitivity) {
  const bool by_bits = options.bits != 0.0, by_size = options.size != 0;
  return AllocateAs(options, plan, sensitivity,
                    by_bits   ? BNQ_BUDGET_BITS
                    : by_size ? BNQ_BUDGET_BYTES
                              : BNQ_BUDGET_RATIO,
                    by_bits   ? options.bits
                    : by_size ? static_cast<double>(options.size)
                              : options.ratio);
}

Allocation AllocateAs(const BudgetOptions& options, const bnq_plan* plan,
                      const bnq_sensitivity* sensitivity, int32_t kind,
                      double budget) {
  bnq_allocation* created = nullptr;
  Check(bnq_allocate(sensitivity, plan, kind, budget, FlagsOf(options),
                     &created));
  return Allocation(created);
}

std::vector<double> ValuesOf(const bnq_allocation* allocation) {
  std::vector<double> values(BNQ_NUM_ALLOCATION_VALUES);
  Check(bnq_allocation_values(allocation, values.data(),
                              BNQ_NUM_ALLOCATION_VALUES));
  return values;
}

std::vector<AllocationRow> RowsOf(const bnq_allocation* allocation) {
  std::vector<AllocationRow> rows(bnq_allocation_count(allocation));
  for (uint64_t i = 0; i < rows.size(); ++i) {
    AllocationRow& row = rows[i];
    row.name = bnq_allocation_name(allocation, i);
    row.config = bnq_allocation_config(allocation, i);
    row.upgrade = bnq_allocation_upgrade(allocation, i);
    row.values.resize(BNQ_NUM_ALLOCATION_ROW_VALUES);
    Check(bnq_allocation_row(allocation, i, row.values.data(),
                             BNQ_NUM_ALLOCATION_ROW_VALUES));
  }
  return rows;
}

Plan PlanOf(const bnq_allocation* allocation) {
  bnq_plan* created = nullptr;
  Check(bnq_allocation_plan(allocation, &created));
  return Plan(created);
}

void AddAllocation(Json& object, const bnq_allocation* allocation) {
  const std::vector<double> values = ValuesOf(allocation);
  const auto bytes = [&](int i) {
    return Whole(values[static_cast<size_t>(i)]);
  };
  const auto number = [&](int i) {
    return JsonNumber(values[static_cast<size_t>(i)]);
  };
  object["budget"] = {{"budget_bytes", bytes(BNQ_ALLOCATION_BUDGET_BYTES)},
                      {"bytes", bytes(BNQ_ALLOCATION_BYTES)},
                      {"fixed_bytes", bytes(BNQ_ALLOCATION_FIXED_BYTES)},
                      {"min_bytes", bytes(BNQ_ALLOCATION_MIN_BYTES)},
                      {"max_bytes", bytes(BNQ_ALLOCATION_MAX_BYTES)},
                      {"elements", bytes(BNQ_ALLOCATION_ELEMENTS)},
                      {"bits_per_weight", number(BNQ_ALLOCATION_BITS)},
                      {"ratio", number(BNQ_ALLOCATION_RATIO)},
                      {"loss", number(BNQ_ALLOCATION_LOSS)},
                      {"bound", number(BNQ_ALLOCATION_BOUND)},
                      {"gap", number(BNQ_ALLOCATION_GAP)},
                      {"lambda", number(BNQ_ALLOCATION_LAMBDA)},
                      {"proven", bytes(BNQ_ALLOCATION_PROVEN) != 0}};
  const std::vector<AllocationRow> rows = RowsOf(allocation);
  object["allocation"] = Json::array();
  for (const AllocationRow& row : rows) {
    Json json = {
        {"name", row.name},
        {"kind", KindName(row)},
        {"config", row.config},
        {"bytes", Whole(row.at(BNQ_ALLOCATION_ROW_BYTES))},
        {"elements", Whole(row.at(BNQ_ALLOCATION_ROW_ELEMENTS))},
        {"bits_per_weight", JsonNumber(row.at(BNQ_ALLOCATION_ROW_BITS))},
        {"relative_error",
         JsonNumber(row.at(BNQ_ALLOCATION_ROW_RELATIVE_ERROR))},
        {"max_error", JsonNumber(row.at(BNQ_ALLOCATION_ROW_MAX_ERROR))},
        {"cosine", JsonNumber(row.at(BNQ_ALLOCATION_ROW_COSINE))},
        {"loss", JsonNumber(row.at(BNQ_ALLOCATION_ROW_LOSS))},
        {"share", JsonNumber(row.at(BNQ_ALLOCATION_ROW_SHARE))},
        {"pinned", row.at(BNQ_ALLOCATION_ROW_PINNED) != 0},
        {"coarse", row.at(BNQ_ALLOCATION_ROW_COARSE) != 0},
        {"tied_to", rows[Whole(row.at(BNQ_ALLOCATION_ROW_TIED_TO))].name}};
    if (!row.upgrade.empty()) {
      json["upgrade"] = {
          {"config", row.upgrade},
          {"bytes", Whole(row.at(BNQ_ALLOCATION_ROW_UPGRADE_BYTES))},
          {"loss", JsonNumber(row.at(BNQ_ALLOCATION_ROW_UPGRADE_LOSS))}};
    }
    object["allocation"].push_back(std::move(json));
  }
}

void PrintAllocation(const bnq_allocation* allocation) {
  const std::vector<AllocationRow> rows = RowsOf(allocation);
  Table table({{"name", Table::kLeft},
               {"kind", Table::kLeft},
               {"config", Table::kLeft},
               {"bits/weight", Table::kRight},
               {"bytes", Table::kRight},
               {"SQNR dB", Table::kRight},
               {"loss %", Table::kRight},
               {"next", Table::kLeft},
               {"for", Table::kRight},
               {"note", Table::kLeft}});
  for (size_t i = 0; i < rows.size(); ++i) {
    const AllocationRow& row = rows[i];
    const double error = row.at(BNQ_ALLOCATION_ROW_RELATIVE_ERROR);
    const bool upgrade = !row.upgrade.empty();
    table.Add(
        {Printable(row.name), KindName(row), row.config,
         FixedText(row.at(BNQ_ALLOCATION_ROW_BITS), 3),
         BytesText(Whole(row.at(BNQ_ALLOCATION_ROW_BYTES))),
         FixedText(-10.0 * std::log10(error), 2),
         FixedText(100.0 * row.at(BNQ_ALLOCATION_ROW_SHARE), 1), row.upgrade,
         upgrade ? BytesText(Whole(row.at(BNQ_ALLOCATION_ROW_UPGRADE_BYTES)))
                 : "",
         NoteOf(rows, i)});
  }
  table.Print(std::cout);
  std::cout << '\n';
  PrintBudget(allocation);
}

void PrintBudget(const bnq_allocation* allocation) {
  const std::vector<double> values = ValuesOf(allocation);
  const auto bytes = [&](int i) {
    return BytesText(Whole(values[static_cast<size_t>(i)]));
  };
  std::cout << "budget " << bytes(BNQ_ALLOCATION_BUDGET_BYTES) << ", used "
            << bytes(BNQ_ALLOCATION_BYTES) << " = "
            << FixedText(values[BNQ_ALLOCATION_BITS], 3)
            << " bits a weight, of which " << bytes(BNQ_ALLOCATION_FIXED_BYTES)
            << " have no choice (candidates: "
            << bytes(BNQ_ALLOCATION_MIN_BYTES) << " to "
            << bytes(BNQ_ALLOCATION_MAX_BYTES) << ")\n";
  if (values[BNQ_ALLOCATION_PROVEN] != 0) {
    std::cout << "loss " << GeneralText(values[BNQ_ALLOCATION_LOSS], 6)
              << ": no choice of these candidates that fits has less (proven)";
  } else {
    std::cout << "loss " << GeneralText(values[BNQ_ALLOCATION_LOSS], 6)
              << ", at most "
              << GeneralText(100.0 * values[BNQ_ALLOCATION_GAP], 3)
              << " % above the least there can be";
  }
  if (values[BNQ_ALLOCATION_LAMBDA] > 0) {
    std::cout << "; a KiB more would take about "
              << GeneralText(1024.0 * values[BNQ_ALLOCATION_LAMBDA], 3)
              << " off it";
  }
  std::cout << '\n';
}

}  // namespace bnq::cli
