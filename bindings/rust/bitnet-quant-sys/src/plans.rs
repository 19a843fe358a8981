//! Section 9 of `bnq.h`.

use crate::{bnq_config, bnq_context, bnq_plan, bnq_recipes, bnq_status};
use std::os::raw::c_char;

functions! {
    // 9. Plans as text, recipes

    /// The kind of the tensor of this name, with the words of a plan (may be NULL) before the
    /// table's; BNQ_LAYER_OTHER for NULL.
    pub fn bnq_layer_kind(plan: *const bnq_plan, name: *const c_char) -> i32;
    /// "other", "embedding", ...; NULL for another number.
    pub fn bnq_layer_kind_name(kind: i32) -> *const c_char;
    /// Adds a rule that leaves embeddings, heads, norms, routers, state spaces' small matrices and
    /// vision towers as they are.
    pub fn bnq_plan_add_model_defaults(plan: *mut bnq_plan) -> bnq_status;
    /// Adds rules for attention, for FFN and for all other tensors of rank 2 and more. attention
    /// may be NULL: base one step up; ffn, too: base.
    pub fn bnq_plan_add_adaptive(
        plan: *mut bnq_plan, base: *const bnq_config, attention: *const bnq_config,
        ffn: *const bnq_config,
    ) -> bnq_status;
    /// The next config of the ladder nf4 (and whatever has less than 8 bits a weight),
    /// int8_outliers, int8_per_channel, none.
    pub fn bnq_config_step_up(
        config: *const bnq_config, out_config: *mut *mut bnq_config,
    ) -> bnq_status;
    /// The text of a plan, which gives the same plan again but for its importance.
    pub fn bnq_plan_to_text(
        plan: *const bnq_plan, text: *mut c_char, size: u64, out_size: *mut u64,
    ) -> bnq_status;
    /// Puts what a text says behind what the plan has; recipes may be NULL. Errors name the line.
    pub fn bnq_plan_add_text(
        plan: *mut bnq_plan, recipes: *const bnq_recipes, text: *const c_char,
    ) -> bnq_status;
    /// bnq_plan_add_text of a file, of at most 16 MiB.
    pub fn bnq_plan_load(
        context: *mut bnq_context, plan: *mut bnq_plan, recipes: *const bnq_recipes,
        path: *const c_char,
    ) -> bnq_status;
    /// The text of a plan into a file, as bnq_write_file.
    pub fn bnq_plan_save(
        context: *mut bnq_context, plan: *const bnq_plan, path: *const c_char, flags: i32,
    ) -> bnq_status;
    /// Without configs and plans.
    pub fn bnq_recipes_create(out_recipes: *mut *mut bnq_recipes) -> bnq_status;
    /// Frees it; NULL is fine.
    pub fn bnq_recipes_destroy(recipes: *mut bnq_recipes);
    /// Adds a copy, in place of what has the name, which may not be that of a preset or format.
    pub fn bnq_recipes_add_config(
        recipes: *mut bnq_recipes, name: *const c_char, config: *const bnq_config,
    ) -> bnq_status;
    /// Adds a copy, in place of what has the name.
    pub fn bnq_recipes_add_plan(
        recipes: *mut bnq_recipes, name: *const c_char, plan: *const bnq_plan,
    ) -> bnq_status;
    /// Adds what a text says: lines of a plan in sections [plan NAME], NAME = CONFIG in sections
    /// [configs].
    pub fn bnq_recipes_add_text(recipes: *mut bnq_recipes, text: *const c_char) -> bnq_status;
    /// The text of all configs and plans.
    pub fn bnq_recipes_to_text(
        recipes: *const bnq_recipes, text: *mut c_char, size: u64, out_size: *mut u64,
    ) -> bnq_status;
    /// bnq_recipes_add_text of a file.
    pub fn bnq_recipes_load(
        context: *mut bnq_context, recipes: *mut bnq_recipes, path: *const c_char,
    ) -> bnq_status;
    /// The text of all configs and plans into a file.
    pub fn bnq_recipes_save(
        context: *mut bnq_context, recipes: *const bnq_recipes, path: *const c_char, flags: i32,
    ) -> bnq_status;
    /// The config of a text (bnq_config_from_text), whose first item may be one of these names.
    pub fn bnq_recipes_config(
        recipes: *const bnq_recipes, text: *const c_char, out_config: *mut *mut bnq_config,
    ) -> bnq_status;
    /// A copy of the plan of this name.
    pub fn bnq_recipes_plan(
        recipes: *const bnq_recipes, name: *const c_char, out_plan: *mut *mut bnq_plan,
    ) -> bnq_status;
    /// The number of configs; 0 for NULL.
    pub fn bnq_recipes_config_count(recipes: *const bnq_recipes) -> u64;
    /// The names of configs, sorted; NULL for an index that is not there.
    pub fn bnq_recipes_config_name(recipes: *const bnq_recipes, index: u64) -> *const c_char;
    /// The number of plans; 0 for NULL.
    pub fn bnq_recipes_plan_count(recipes: *const bnq_recipes) -> u64;
    /// The names of plans, sorted; NULL for an index that is not there.
    pub fn bnq_recipes_plan_name(recipes: *const bnq_recipes, index: u64) -> *const c_char;
}
