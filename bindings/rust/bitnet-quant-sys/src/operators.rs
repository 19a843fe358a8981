//! Section 14 of `bnq.h`.

use crate::{bnq_context, bnq_matrix, bnq_status};
use std::os::raw::c_char;

extern "C" {
    // 14. Operators

    /// Number of functions of the loaded library; ids are below it.
    pub fn bnq_function_count() -> u32;
    /// "relu", "gelu_tanh", ...; NULL for another id.
    pub fn bnq_function_name(function: i32) -> *const c_char;
    /// What it is; NULL for another id.
    pub fn bnq_function_description(function: i32) -> *const c_char;
    /// The reverse of [`bnq_function_name`], in either case.
    pub fn bnq_function_id(name: *const c_char, out_function: *mut i32) -> bnq_status;
    /// y = function(x).
    pub fn bnq_activate(
        context: *mut bnq_context, function: i32, slope: f32, x: *const bnq_matrix,
        y: *const bnq_matrix,
    ) -> bnq_status;
    /// Softmax of each row.
    pub fn bnq_softmax(
        context: *mut bnq_context, x: *const bnq_matrix, y: *const bnq_matrix,
    ) -> bnq_status;
    /// RMS norm of each row; `weight` may be NULL.
    pub fn bnq_rms_norm(
        context: *mut bnq_context, x: *const bnq_matrix, weight: *const f32, eps: f64,
        y: *const bnq_matrix,
    ) -> bnq_status;
    /// Layer norm of each row; `weight` and `bias` may be NULL.
    pub fn bnq_layer_norm(
        context: *mut bnq_context, x: *const bnq_matrix, weight: *const f32, bias: *const f32,
        eps: f64, y: *const bnq_matrix,
    ) -> bnq_status;
}
