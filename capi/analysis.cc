#include <cmath>
#include <iterator>
#include <memory>
#include <vector>

#include "capi/handles.h"
#include "core/io/text_file.h"
#include "core/model/allocate.h"
#include "core/model/analyze.h"
#include "core/model/estimate.h"
#include "core/model/sensitivity.h"

struct bnq_sensitivity {
  bnq::Sensitivity core;
};

struct bnq_allocation {
  bnq::Allocation core;
};

using namespace bnq;
using namespace bnq::capi;

namespace {

static_assert(static_cast<int>(BudgetKind::kBytes) == BNQ_BUDGET_BYTES, "");
static_assert(static_cast<int>(BudgetKind::kBits) == BNQ_BUDGET_BITS, "");
static_assert(static_cast<int>(BudgetKind::kRatio) == BNQ_BUDGET_RATIO, "");

constexpr uint64_t kMaxJsonBytes = uint64_t{256} << 20;

const Plan& PlanOf(const bnq_plan* plan) {
  static const Plan none;
  return plan ? plan->core : none;
}

// The tensor at an index; nullptr where there is none.
const std::pair<const std::string, SensitivityTensor>* TensorAt(
    const bnq_sensitivity* sensitivity, uint64_t index) {
  if (sensitivity == nullptr) return nullptr;
  const auto& tensors = sensitivity->core.tensors();
  if (index >= tensors.size()) return nullptr;
  return &*std::next(tensors.begin(), static_cast<std::ptrdiff_t>(index));
}

const SensitivityCell& CellAt(const bnq_sensitivity* sensitivity,
                              uint64_t index, uint64_t config,
                              const SensitivityTensor** tensor) {
  Required(sensitivity, "sensitivity");
  const auto* found = TensorAt(sensitivity, index);
  if (found == nullptr) {
    Fail(Status::kInvalidArgument, "index = ", index, ", must be below ",
         sensitivity->core.tensors().size());
  }
  *tensor = &found->second;
  const auto& cells = found->second.cells;
  if (config >= cells.size()) {
    Fail(Status::kInvalidArgument, "config = ", config, ", must be below ",
         cells.size());
  }
  return std::next(cells.begin(), static_cast<std::ptrdiff_t>(config))->second;
}

double BitsOf(uint64_t bytes, uint64_t elements) {
  return elements == 0
             ? 0.0
             : 8.0 * static_cast<double>(bytes) / static_cast<double>(elements);
}

const AllocationRow* RowAt(const bnq_allocation* allocation, uint64_t index) {
  return allocation != nullptr && index < allocation->core.rows.size()
             ? &allocation->core.rows[index]
             : nullptr;
}

}  // namespace

bnq_status bnq_sensitivity_create(bnq_sensitivity** out_sensitivity) {
  return Guard([&] {
    bnq_sensitivity*& out = Output(out_sensitivity, "out_sensitivity");
    out = new bnq_sensitivity();
  });
}

void bnq_sensitivity_destroy(bnq_sensitivity* sensitivity) {
  delete sensitivity;
}

uint32_t bnq_candidate_count(void) {
  uint32_t count = 0;
  Guard([&] { count = static_cast<uint32_t>(DefaultCandidates().size()); });
  return count;
}

bnq_status bnq_candidate_at(uint32_t index, bnq_config** out_config) {
  return Guard([&] {
    bnq_config*& out = Output(out_config, "out_config");
    const auto& all = DefaultCandidates();
    if (index >= all.size()) {
      Fail(Status::kInvalidArgument, "index = ", index, ", must be below ",
           all.size());
    }
    out = new bnq_config(all[index]);
  });
}

bnq_status bnq_analyze_file(bnq_context* context, const bnq_plan* plan,
                            const bnq_config* const* candidates,
                            uint64_t candidate_count, const char* input,
                            const char* save_path, bnq_progress_fn progress,
                            void* opaque, bnq_sensitivity* sensitivity) {
  return bnq_analyze_part(context, plan, candidates, candidate_count, input, 0,
                          1, save_path, progress, opaque, sensitivity);
}

bnq_status bnq_analyze_part(bnq_context* context, const bnq_plan* plan,
                            const bnq_config* const* candidates,
                            uint64_t candidate_count, const char* input,
                            uint64_t part, uint64_t parts,
                            const char* save_path, bnq_progress_fn progress,
                            void* opaque, bnq_sensitivity* sensitivity) {
  return Guard([&] {
    std::vector<Config> configs;
    if (candidate_count != 0) Required(candidates, "candidates");
    for (uint64_t i = 0; i < candidate_count; ++i) {
      if (candidates[i] == nullptr) {
        Fail(Status::kInvalidArgument, "candidates[", i, "] is NULL");
      }
      configs.push_back(candidates[i]->core);
    }
    AnalyzeFile(ContextOf(context), PlanOf(plan),
                configs.empty() ? DefaultCandidates() : configs,
                &Required(input, "input"), save_path ? save_path : "",
                ProgressOf(progress, opaque),
                &Required(sensitivity, "sensitivity").core, {part, parts});
  });
}

bnq_status bnq_sensitivity_merge(bnq_sensitivity* sensitivity,
                                 const bnq_sensitivity* other) {
  return Guard([&] {
    Required(sensitivity, "sensitivity")
        .core.Merge(Required(other, "other").core);
  });
}

bnq_status bnq_sensitivity_to_json(const bnq_sensitivity* sensitivity,
                                   char* text, uint64_t size,
                                   uint64_t* out_size) {
  return Guard([&] {
    CopyText(Required(sensitivity, "sensitivity").core.ToJson(), text, size,
             out_size);
  });
}

bnq_status bnq_sensitivity_from_json(const char* text,
                                     bnq_sensitivity** out_sensitivity) {
  return Guard([&] {
    bnq_sensitivity*& out = Output(out_sensitivity, "out_sensitivity");
    out = new bnq_sensitivity{Sensitivity::FromJson(&Required(text, "text"))};
  });
}

bnq_status bnq_sensitivity_load(bnq_context* context, const char* path,
                                bnq_sensitivity** out_sensitivity) {
  return Guard([&] {
    bnq_sensitivity*& out = Output(out_sensitivity, "out_sensitivity");
    const std::string file = &Required(path, "path");
    const std::string text =
        ReadTextFile(ContextOf(context), file, kMaxJsonBytes);
    out = Within(
        [&] { return "file " + Quoted(file); },
        [&] { return new bnq_sensitivity{Sensitivity::FromJson(text)}; });
  });
}

bnq_status bnq_sensitivity_save(bnq_context* context,
                                const bnq_sensitivity* sensitivity,
                                const char* path, int32_t flags) {
  return Guard([&] {
    WriteTextFile(&Required(path, "path"),
                  Required(sensitivity, "sensitivity").core.ToJson(),
                  OptionsOf(context, flags, BNQ_WRITE_OVERWRITE));
  });
}

bnq_status bnq_sensitivity_set_metric(bnq_sensitivity* sensitivity,
                                      const char* tensor,
                                      const bnq_config* config, double metric) {
  return Guard([&] {
    Required(sensitivity, "sensitivity")
        .core.SetMetric(&Required(tensor, "tensor"),
                        Required(config, "config").core, metric);
  });
}

bnq_status bnq_sensitivity_load_metrics(bnq_context* context,
                                        bnq_sensitivity* sensitivity,
                                        const char* path) {
  return Guard([&] {
    const std::string file = &Required(path, "path");
    Sensitivity& core = Required(sensitivity, "sensitivity").core;
    const std::string text =
        ReadTextFile(ContextOf(context), file, kMaxJsonBytes);
    Within([&] { return "file " + Quoted(file); },
           [&] { core.SetMetrics(text); });
  });
}

bnq_status bnq_sensitivity_set_weight(bnq_sensitivity* sensitivity,
                                      const char* tensor, double weight) {
  return Guard([&] {
    Required(sensitivity, "sensitivity")
        .core.SetWeight(&Required(tensor, "tensor"), weight);
  });
}

bnq_status bnq_sensitivity_measure(bnq_sensitivity* sensitivity,
                                   bnq_sensitivity_fn metric, void* opaque) {
  return Guard([&] {
    Sensitivity& core = Required(sensitivity, "sensitivity").core;
    if (metric == nullptr) Fail(Status::kInvalidArgument, "metric is NULL");
    for (const auto& [name, tensor] : core.tensors()) {
      for (const auto& [text, cell] : tensor.cells) {
        if (cell.has_metric) continue;
        const bnq_config config(cell.config);
        double value = NAN;
        const int32_t stop = CallOut(
            [&] { return metric(opaque, name.c_str(), &config, &value); });
        if (stop != 0) Fail(Status::kCancelled, "the metric asked to stop");
        core.SetMetric(name, cell.config, value);
      }
    }
  });
}

uint64_t bnq_sensitivity_count(const bnq_sensitivity* sensitivity) {
  return sensitivity ? sensitivity->core.tensors().size() : 0;
}

const char* bnq_sensitivity_name(const bnq_sensitivity* sensitivity,
                                 uint64_t index) {
  const auto* tensor = TensorAt(sensitivity, index);
  return tensor ? tensor->first.c_str() : nullptr;
}

uint64_t bnq_sensitivity_config_count(const bnq_sensitivity* sensitivity,
                                      uint64_t index) {
  const auto* tensor = TensorAt(sensitivity, index);
  return tensor ? tensor->second.cells.size() : 0;
}

bnq_status bnq_sensitivity_config(const bnq_sensitivity* sensitivity,
                                  uint64_t index, uint64_t config,
                                  bnq_config** out_config) {
  return Guard([&] {
    bnq_config*& out = Output(out_config, "out_config");
    const SensitivityTensor* tensor = nullptr;
    out = new bnq_config(CellAt(sensitivity, index, config, &tensor).config);
  });
}

bnq_status bnq_sensitivity_values(const bnq_sensitivity* sensitivity,
                                  uint64_t index, uint64_t config,
                                  double* values, uint32_t value_count) {
  return Guard([&] {
    const SensitivityTensor* tensor = nullptr;
    const SensitivityCell& cell = CellAt(sensitivity, index, config, &tensor);
    const double all[BNQ_NUM_SENSITIVITY_VALUES] = {
        static_cast<double>(cell.bytes),
        BitsOf(cell.bytes, tensor->shape.elements()),
        cell.relative_error,
        cell.max_error,
        cell.cosine,
        tensor->LossOf(cell)};
    CopyValues(all, values, value_count);
  });
}

bnq_status bnq_allocate(const bnq_sensitivity* sensitivity,
                        const bnq_plan* plan, int32_t budget_kind,
                        double budget, int32_t flags,
                        bnq_allocation** out_allocation) {
  return Guard([&] {
    bnq_allocation*& out = Output(out_allocation, "out_allocation");
    const Sensitivity& core = Required(sensitivity, "sensitivity").core;
    constexpr int32_t kFlags =
        BNQ_ALLOCATE_FUSED_APART | BNQ_ALLOCATE_EXPERTS_APART;
    if ((flags & ~kFlags) != 0) {
      Fail(Status::kInvalidArgument, "flags = ", flags,
           ", must be BNQ_ALLOCATE_*");
    }
    TieDefaults ties;
    ties.fused = (flags & BNQ_ALLOCATE_FUSED_APART) == 0;
    ties.experts = (flags & BNQ_ALLOCATE_EXPERTS_APART) == 0;
    out = new bnq_allocation{Allocate(core, PlanOf(plan),
                                      static_cast<BudgetKind>(budget_kind),
                                      budget, ties)};
  });
}

void bnq_allocation_destroy(bnq_allocation* allocation) { delete allocation; }

bnq_status bnq_allocation_plan(const bnq_allocation* allocation,
                               bnq_plan** out_plan) {
  return Guard([&] {
    bnq_plan*& out = Output(out_plan, "out_plan");
    out = new bnq_plan{Required(allocation, "allocation").core.plan};
  });
}

bnq_status bnq_allocation_values(const bnq_allocation* allocation,
                                 double* values, uint32_t value_count) {
  return Guard([&] {
    const Allocation& a = Required(allocation, "allocation").core;
    const double all[BNQ_NUM_ALLOCATION_VALUES] = {
        static_cast<double>(a.budget_bytes),
        static_cast<double>(a.bytes),
        static_cast<double>(a.fixed_bytes),
        static_cast<double>(a.min_bytes),
        static_cast<double>(a.max_bytes),
        static_cast<double>(a.elements),
        BitsOf(a.bytes, a.elements),
        static_cast<double>(a.input_bytes) / static_cast<double>(a.bytes),
        a.loss,
        a.bound,
        a.proven || a.loss == 0.0 ? 0.0 : (a.loss - a.bound) / a.loss,
        a.lambda,
        a.proven ? 1.0 : 0.0};
    CopyValues(all, values, value_count);
  });
}

uint64_t bnq_allocation_count(const bnq_allocation* allocation) {
  return allocation ? allocation->core.rows.size() : 0;
}

const char* bnq_allocation_name(const bnq_allocation* allocation,
                                uint64_t index) {
  const AllocationRow* row = RowAt(allocation, index);
  return row ? row->name.c_str() : nullptr;
}

const char* bnq_allocation_config(const bnq_allocation* allocation,
                                  uint64_t index) {
  const AllocationRow* row = RowAt(allocation, index);
  return row ? row->text.c_str() : nullptr;
}

const char* bnq_allocation_upgrade(const bnq_allocation* allocation,
                                   uint64_t index) {
  const AllocationRow* row = RowAt(allocation, index);
  return row ? row->upgrade.c_str() : nullptr;
}

bnq_status bnq_allocation_row(const bnq_allocation* allocation, uint64_t index,
                              double* values, uint32_t value_count) {
  return Guard([&] {
    const Allocation& a = Required(allocation, "allocation").core;
    const AllocationRow* row = RowAt(allocation, index);
    if (row == nullptr) {
      Fail(Status::kInvalidArgument, "index = ", index, ", must be below ",
           a.rows.size());
    }
    const uint64_t elements = row->shape.elements();
    const double all[BNQ_NUM_ALLOCATION_ROW_VALUES] = {
        static_cast<double>(row->bytes),
        static_cast<double>(elements),
        BitsOf(row->bytes, elements),
        row->relative_error,
        row->max_error,
        row->cosine,
        row->loss,
        a.loss == 0.0 ? 0.0 : row->loss / a.loss,
        static_cast<double>(row->kind),
        row->pinned ? 1.0 : 0.0,
        row->is_coarse() ? 1.0 : 0.0,
        static_cast<double>(row->tied_to),
        static_cast<double>(row->upgrade_bytes),
        row->upgrade_loss};
    CopyValues(all, values, value_count);
  });
}

bnq_status bnq_estimate_file(bnq_context* context, const bnq_plan* plan,
                             const char* input, uint64_t max_shard_bytes,
                             uint64_t* out_file_bytes,
                             bnq_report** out_report) {
  return Guard([&] {
    if (out_report) *out_report = nullptr;
    Estimate estimate =
        EstimateFile(ContextOf(context), Required(plan, "plan").core,
                     &Required(input, "input"), max_shard_bytes);
    if (out_report) *out_report = new bnq_report{std::move(estimate.rows)};
    if (out_file_bytes) *out_file_bytes = estimate.file_bytes;
  });
}
