//! Section 18 of the header: work in parts.

use super::{
    bnq_config, bnq_context, bnq_file, bnq_plan, bnq_progress_fn, bnq_report, bnq_sensitivity,
    bnq_status,
};
use std::os::raw::{c_char, c_void};

functions! {
    /// A number of parts that suits the model.
    pub fn bnq_part_count(
        context: *mut bnq_context, input: *const c_char, out_count: *mut u64,
    ) -> bnq_status;
    /// Quantizes the tensors of one of `parts` parts, for a folder that is there when they
    /// are joined.
    pub fn bnq_quantize_part(
        context: *mut bnq_context, plan: *const bnq_plan, input: *const c_char,
        output: *const c_char, part: u64, parts: u64, flags: i32, progress: bnq_progress_fn,
        opaque: *mut c_void, out_report: *mut *mut bnq_report,
    ) -> bnq_status;
    /// Makes the folder of all parts.
    pub fn bnq_join_parts(
        context: *mut bnq_context, plan: *const bnq_plan, input: *const c_char,
        output: *const c_char, parts: u64, flags: i32, progress: bnq_progress_fn,
        opaque: *mut c_void, out_report: *mut *mut bnq_report,
    ) -> bnq_status;
    /// Measures the tensors of a part; the sensitivities of all parts merge.
    pub fn bnq_analyze_part(
        context: *mut bnq_context, plan: *const bnq_plan, candidates: *const *const bnq_config,
        candidate_count: u64, input: *const c_char, part: u64, parts: u64,
        save_path: *const c_char, progress: bnq_progress_fn, opaque: *mut c_void,
        sensitivity: *mut bnq_sensitivity,
    ) -> bnq_status;
    /// Checks the tensors of a part; what belongs to no tensor is checked with part 0.
    pub fn bnq_file_verify_part(
        context: *mut bnq_context, file: *const bnq_file, part: u64, parts: u64,
        progress: bnq_progress_fn, opaque: *mut c_void,
    ) -> bnq_status;
}
