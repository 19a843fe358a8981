//! Section 16 of `bnq.h`.

use crate::{
    bnq_allocation, bnq_config, bnq_context, bnq_plan, bnq_progress_fn, bnq_report,
    bnq_sensitivity, bnq_sensitivity_fn, bnq_status,
};
use std::os::raw::{c_char, c_void};

functions! {
    // 16. Sensitivity, budgets, estimates

    /// Without tensors.
    pub fn bnq_sensitivity_create(out_sensitivity: *mut *mut bnq_sensitivity) -> bnq_status;
    /// Frees it; NULL is fine.
    pub fn bnq_sensitivity_destroy(sensitivity: *mut bnq_sensitivity);
    /// The number of candidates that are taken where none are given.
    pub fn bnq_candidate_count() -> u32;
    /// A copy of one of them.
    pub fn bnq_candidate_at(index: u32, out_config: *mut *mut bnq_config) -> bnq_status;
    /// Measures the tensors of the model file at `input` under each candidate (NULL with 0: those
    /// of bnq_candidate_at). What the sensitivity has already is not measured again; with save_path
    /// what there is is saved there every few seconds.
    pub fn bnq_analyze_file(
        context: *mut bnq_context, plan: *const bnq_plan, candidates: *const *const bnq_config,
        candidate_count: u64, input: *const c_char, save_path: *const c_char,
        progress: bnq_progress_fn, opaque: *mut c_void, sensitivity: *mut bnq_sensitivity,
    ) -> bnq_status;
    /// Adds what another one measured of the same model, the same in any order.
    pub fn bnq_sensitivity_merge(
        sensitivity: *mut bnq_sensitivity, other: *const bnq_sensitivity,
    ) -> bnq_status;
    /// As JSON; text as in bnq_config_to_text.
    pub fn bnq_sensitivity_to_json(
        sensitivity: *const bnq_sensitivity, text: *mut c_char, size: u64, out_size: *mut u64,
    ) -> bnq_status;
    /// From JSON.
    pub fn bnq_sensitivity_from_json(
        text: *const c_char, out_sensitivity: *mut *mut bnq_sensitivity,
    ) -> bnq_status;
    /// From a file of JSON, of at most 256 MiB.
    pub fn bnq_sensitivity_load(
        context: *mut bnq_context, path: *const c_char, out_sensitivity: *mut *mut bnq_sensitivity,
    ) -> bnq_status;
    /// Into a file of JSON.
    pub fn bnq_sensitivity_save(
        context: *mut bnq_context, sensitivity: *const bnq_sensitivity, path: *const c_char,
        flags: i32,
    ) -> bnq_status;
    /// The caller's own loss, finite, of a tensor under a config that was measured.
    pub fn bnq_sensitivity_set_metric(
        sensitivity: *mut bnq_sensitivity, tensor: *const c_char, config: *const bnq_config,
        metric: f64,
    ) -> bnq_status;
    /// The same of a JSON file, `{"TENSOR": {"CONFIG": NUMBER}}`: all of them, or none.
    pub fn bnq_sensitivity_load_metrics(
        context: *mut bnq_context, sensitivity: *mut bnq_sensitivity, path: *const c_char,
    ) -> bnq_status;
    /// What a tensor's relative error counts in place of its elements, 0 or more (0: its elements).
    pub fn bnq_sensitivity_set_weight(
        sensitivity: *mut bnq_sensitivity, tensor: *const c_char, weight: f64,
    ) -> bnq_status;
    /// Asks for the metric of every tensor and config that has none yet, in order.
    pub fn bnq_sensitivity_measure(
        sensitivity: *mut bnq_sensitivity, metric: bnq_sensitivity_fn, opaque: *mut c_void,
    ) -> bnq_status;
    /// The number of tensors.
    pub fn bnq_sensitivity_count(sensitivity: *const bnq_sensitivity) -> u64;
    /// Their names, sorted; NULL for an index that is not there.
    pub fn bnq_sensitivity_name(sensitivity: *const bnq_sensitivity, index: u64) -> *const c_char;
    /// The number of a tensor's configs, sorted by text.
    pub fn bnq_sensitivity_config_count(sensitivity: *const bnq_sensitivity, index: u64) -> u64;
    /// A copy of one of them.
    pub fn bnq_sensitivity_config(
        sensitivity: *const bnq_sensitivity, index: u64, config: u64,
        out_config: *mut *mut bnq_config,
    ) -> bnq_status;
    /// The first value_count values (BNQ_SENSITIVITY_*) of a tensor under one.
    pub fn bnq_sensitivity_values(
        sensitivity: *const bnq_sensitivity, index: u64, config: u64, values: *mut f64,
        value_count: u32,
    ) -> bnq_status;
    /// The configs of least loss that fit the budget (BNQ_BUDGET_*); plan may be NULL: its rules
    /// pin configs, are floors, and its ties hold. flags: BNQ_ALLOCATE_*.
    pub fn bnq_allocate(
        sensitivity: *const bnq_sensitivity, plan: *const bnq_plan, budget_kind: i32, budget: f64,
        flags: i32, out_allocation: *mut *mut bnq_allocation,
    ) -> bnq_status;
    /// Frees it; NULL is fine.
    pub fn bnq_allocation_destroy(allocation: *mut bnq_allocation);
    /// The plan: a rule for each tensor by its name, with the importance of the plan that was
    /// given.
    pub fn bnq_allocation_plan(
        allocation: *const bnq_allocation, out_plan: *mut *mut bnq_plan,
    ) -> bnq_status;
    /// The first value_count values (BNQ_ALLOCATION_*).
    pub fn bnq_allocation_values(
        allocation: *const bnq_allocation, values: *mut f64, value_count: u32,
    ) -> bnq_status;
    /// The number of tensors that were analyzed.
    pub fn bnq_allocation_count(allocation: *const bnq_allocation) -> u64;
    /// Their names, sorted; NULL for an index that is not there.
    pub fn bnq_allocation_name(allocation: *const bnq_allocation, index: u64) -> *const c_char;
    /// The text of a tensor's config ("none": as it is).
    pub fn bnq_allocation_config(allocation: *const bnq_allocation, index: u64) -> *const c_char;
    /// The text of the next better config; "" where there is none.
    pub fn bnq_allocation_upgrade(allocation: *const bnq_allocation, index: u64) -> *const c_char;
    /// The first value_count values (BNQ_ALLOCATION_ROW_*) of a tensor.
    pub fn bnq_allocation_row(
        allocation: *const bnq_allocation, index: u64, values: *mut f64, value_count: u32,
    ) -> bnq_status;
    /// What bnq_quantize_file would write without compression, from the model's headers alone.
    pub fn bnq_estimate_file(
        context: *mut bnq_context, plan: *const bnq_plan, input: *const c_char,
        max_shard_bytes: u64, out_file_bytes: *mut u64, out_report: *mut *mut bnq_report,
    ) -> bnq_status;
}
