#include "core/model/plan.h"

#include <iterator>
#include <optional>

#include "capi/handles.h"
#include "core/io/text_file.h"
#include "core/model/importance.h"
#include "core/model/layer_kind.h"
#include "core/model/plan_text.h"

using namespace bnq;
using namespace bnq::capi;

namespace {

#define BNQ_SAME(kind, id) \
  static_assert(static_cast<int>(LayerKind::kind) == BNQ_LAYER_##id, #id)
BNQ_SAME(kOther, OTHER);
BNQ_SAME(kEmbedding, EMBEDDING);
BNQ_SAME(kAttention, ATTENTION);
BNQ_SAME(kFfn, FFN);
BNQ_SAME(kNorm, NORM);
BNQ_SAME(kHead, HEAD);
BNQ_SAME(kRouter, ROUTER);
BNQ_SAME(kStateSpace, STATE_SPACE);
BNQ_SAME(kVision, VISION);
#undef BNQ_SAME
static_assert(kNumLayerKinds == BNQ_NUM_LAYERS, "layers");

// Of a plan as people write it.
constexpr uint64_t kMaxPlanBytes = uint64_t{16} << 20;

ConfigNames NamesOf(const bnq_recipes* recipes) {
  return recipes ? recipes->core.names() : ConfigNames();
}

// The name at an index of a map; nullptr where there is none.
template <class Map>
const char* NameAt(const Map& map, uint64_t index) {
  if (index >= map.size()) return nullptr;
  return std::next(map.begin(), static_cast<std::ptrdiff_t>(index))
      ->first.c_str();
}

}  // namespace

bnq_status bnq_plan_create(bnq_plan** out_plan) {
  return Guard([&] {
    bnq_plan*& out = Output(out_plan, "out_plan");
    out = new bnq_plan();
  });
}

void bnq_plan_destroy(bnq_plan* plan) { delete plan; }

bnq_status bnq_plan_add(bnq_plan* plan, const char* glob, int32_t min_rank,
                        const bnq_config* config) {
  return Guard([&] {
    Required(plan, "plan");
    Required(glob, "glob");
    if (min_rank < BNQ_MIN_RANK_NAMED || min_rank > kMaxRank) {
      Fail(Status::kInvalidArgument, "min_rank = ", min_rank, ", must be 0 to ",
           kMaxRank, " or BNQ_MIN_RANK_*");
    }
    const int rank = min_rank == BNQ_MIN_RANK_ALL     ? Plan::kMinRankAll
                     : min_rank == BNQ_MIN_RANK_NAMED ? Plan::kMinRankNamed
                                                      : min_rank;
    plan->core.Add(glob, rank,
                   config ? std::optional<Config>(config->core) : std::nullopt);
  });
}

bnq_status bnq_plan_set_importance(bnq_plan* plan, const char* name,
                                   const float* importance,
                                   uint64_t importance_count) {
  return Guard([&] {
    Required(plan, "plan");
    Required(name, "name");
    if (importance_count != 0) Required(importance, "importance");
    plan->core.SetImportance(
        name, std::vector<float>(importance, importance + importance_count));
  });
}

bnq_status bnq_plan_load_importance(bnq_context* context, bnq_plan* plan,
                                    const char* path) {
  return Guard([&] {
    LoadImportance(ContextOf(context), &Required(path, "path"),
                   &Required(plan, "plan").core);
  });
}

bnq_status bnq_plan_match(const bnq_plan* plan, const char* name,
                          const uint64_t* shape, int32_t rank,
                          int64_t* out_rule, bnq_config** out_config) {
  return Guard([&] {
    if (out_config) *out_config = nullptr;
    if (rank < 0 || rank > kMaxRank) {
      Fail(Status::kInvalidArgument, "rank = ", rank, ", must be 0 to ",
           kMaxRank);
    }
    const Plan& core = Required(plan, "plan").core;
    const std::string tensor = &Required(name, "name");
    const Plan::Decision decision =
        shape ? core.Match(tensor, Shape::Make(rank, shape))
              : core.Match(tensor, rank);
    if (out_config && decision.config) {
      *out_config = new bnq_config(*decision.config);
    }
    if (out_rule) *out_rule = decision.rule;
  });
}

int32_t bnq_layer_kind(const bnq_plan* plan, const char* name) {
  if (name == nullptr) return BNQ_LAYER_OTHER;
  int32_t kind = BNQ_LAYER_OTHER;
  Guard([&] {
    kind = static_cast<int32_t>(plan ? plan->core.KindOf(name)
                                     : LayerKindOf(name));
  });
  return kind;
}

const char* bnq_layer_kind_name(int32_t kind) { return LayerKindName(kind); }

bnq_status bnq_plan_add_model_defaults(bnq_plan* plan) {
  return Guard([&] { Required(plan, "plan").core.AddModelDefaults(); });
}

bnq_status bnq_plan_add_adaptive(bnq_plan* plan, const bnq_config* base,
                                 const bnq_config* attention,
                                 const bnq_config* ffn) {
  return Guard([&] {
    Required(plan, "plan")
        .core.AddAdaptive(Required(base, "base").core,
                          attention ? &attention->core : nullptr,
                          ffn ? &ffn->core : nullptr);
  });
}

bnq_status bnq_config_step_up(const bnq_config* config,
                              bnq_config** out_config) {
  return Guard([&] {
    bnq_config*& out = Output(out_config, "out_config");
    out = new bnq_config(StepUp(Required(config, "config").core));
  });
}

bnq_status bnq_plan_to_text(const bnq_plan* plan, char* text, uint64_t size,
                            uint64_t* out_size) {
  return Guard([&] {
    CopyText(PlanText(Required(plan, "plan").core), text, size, out_size);
  });
}

bnq_status bnq_plan_add_text(bnq_plan* plan, const bnq_recipes* recipes,
                             const char* text) {
  return Guard([&] {
    AddPlanText(&Required(text, "text"), NamesOf(recipes),
                &Required(plan, "plan").core);
  });
}

bnq_status bnq_plan_load(bnq_context* context, bnq_plan* plan,
                         const bnq_recipes* recipes, const char* path) {
  return Guard([&] {
    const std::string file = &Required(path, "path");
    Plan& core = Required(plan, "plan").core;
    const std::string text =
        ReadTextFile(ContextOf(context), file, kMaxPlanBytes);
    Within([&] { return "plan " + Quoted(file); },
           [&] { AddPlanText(text, NamesOf(recipes), &core); });
  });
}

bnq_status bnq_plan_save(bnq_context* context, const bnq_plan* plan,
                         const char* path, int32_t flags) {
  return Guard([&] {
    WriteTextFile(&Required(path, "path"),
                  PlanText(Required(plan, "plan").core),
                  OptionsOf(context, flags, BNQ_WRITE_OVERWRITE));
  });
}

bnq_status bnq_recipes_create(bnq_recipes** out_recipes) {
  return Guard([&] {
    bnq_recipes*& out = Output(out_recipes, "out_recipes");
    out = new bnq_recipes();
  });
}

void bnq_recipes_destroy(bnq_recipes* recipes) { delete recipes; }

bnq_status bnq_recipes_add_config(bnq_recipes* recipes, const char* name,
                                  const bnq_config* config) {
  return Guard([&] {
    Required(recipes, "recipes")
        .core.AddConfig(&Required(name, "name"),
                        Required(config, "config").core);
  });
}

bnq_status bnq_recipes_add_plan(bnq_recipes* recipes, const char* name,
                                const bnq_plan* plan) {
  return Guard([&] {
    Required(recipes, "recipes")
        .core.AddPlan(&Required(name, "name"), Required(plan, "plan").core);
  });
}

bnq_status bnq_recipes_add_text(bnq_recipes* recipes, const char* text) {
  return Guard([&] {
    Required(recipes, "recipes").core.AddText(&Required(text, "text"));
  });
}

bnq_status bnq_recipes_to_text(const bnq_recipes* recipes, char* text,
                               uint64_t size, uint64_t* out_size) {
  return Guard([&] {
    CopyText(Required(recipes, "recipes").core.ToText(), text, size, out_size);
  });
}

bnq_status bnq_recipes_load(bnq_context* context, bnq_recipes* recipes,
                            const char* path) {
  return Guard([&] {
    const std::string file = &Required(path, "path");
    Recipes& core = Required(recipes, "recipes").core;
    const std::string text =
        ReadTextFile(ContextOf(context), file, kMaxPlanBytes);
    Within([&] { return "recipes " + Quoted(file); },
           [&] { core.AddText(text); });
  });
}

bnq_status bnq_recipes_save(bnq_context* context, const bnq_recipes* recipes,
                            const char* path, int32_t flags) {
  return Guard([&] {
    WriteTextFile(&Required(path, "path"),
                  Required(recipes, "recipes").core.ToText(),
                  OptionsOf(context, flags, BNQ_WRITE_OVERWRITE));
  });
}

bnq_status bnq_recipes_config(const bnq_recipes* recipes, const char* text,
                              bnq_config** out_config) {
  return Guard([&] {
    bnq_config*& out = Output(out_config, "out_config");
    out = new bnq_config(
        Required(recipes, "recipes").core.ConfigOf(&Required(text, "text")));
  });
}

bnq_status bnq_recipes_plan(const bnq_recipes* recipes, const char* name,
                            bnq_plan** out_plan) {
  return Guard([&] {
    bnq_plan*& out = Output(out_plan, "out_plan");
    const Plan& plan =
        Required(recipes, "recipes").core.PlanOf(&Required(name, "name"));
    out = new bnq_plan{plan};
  });
}

uint64_t bnq_recipes_config_count(const bnq_recipes* recipes) {
  return recipes ? recipes->core.configs().size() : 0;
}

const char* bnq_recipes_config_name(const bnq_recipes* recipes,
                                    uint64_t index) {
  return recipes ? NameAt(recipes->core.configs(), index) : nullptr;
}

uint64_t bnq_recipes_plan_count(const bnq_recipes* recipes) {
  return recipes ? recipes->core.plans().size() : 0;
}

const char* bnq_recipes_plan_name(const bnq_recipes* recipes, uint64_t index) {
  return recipes ? NameAt(recipes->core.plans(), index) : nullptr;
}
