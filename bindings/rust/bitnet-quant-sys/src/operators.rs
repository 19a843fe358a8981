//! Section 14 of `bnq.h`.

use crate::{
    bnq_array, bnq_config, bnq_context, bnq_convolution, bnq_linear, bnq_matrix, bnq_operator,
    bnq_options, bnq_status, bnq_tensor,
};
use std::os::raw::{c_char, c_void};

functions! {
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
    /// Every option at its default.
    pub fn bnq_operator_create(out_operator: *mut *mut bnq_operator) -> bnq_status;
    /// Copies what an operator does.
    pub fn bnq_operator_clone(
        options: *const bnq_operator, out_operator: *mut *mut bnq_operator,
    ) -> bnq_status;
    /// Frees it; NULL is fine.
    pub fn bnq_operator_destroy(options: *mut bnq_operator);
    /// Its options, to be read.
    pub fn bnq_operator_options(options: *const bnq_operator) -> *const bnq_options;
    /// Its options, to be changed.
    pub fn bnq_operator_settings(options: *mut bnq_operator) -> *mut bnq_options;
    /// Whether a linear layer may have these options with weights of a config.
    pub fn bnq_operator_check(
        options: *const bnq_operator, config: *const bnq_config, out_integers: *mut i32,
    ) -> bnq_status;
    /// A linear layer, which keeps its weights; `options` and `bias` may be NULL.
    pub fn bnq_linear_create(
        context: *mut bnq_context, options: *const bnq_operator, weight: *const bnq_tensor,
        bias: *const bnq_array, out_linear: *mut *mut bnq_linear,
    ) -> bnq_status;
    /// Frees it; NULL is fine.
    pub fn bnq_linear_destroy(linear: *mut bnq_linear);
    /// Columns of x; 0 for NULL.
    pub fn bnq_linear_inputs(linear: *const bnq_linear) -> u64;
    /// Columns of y; 0 for NULL.
    pub fn bnq_linear_outputs(linear: *const bnq_linear) -> u64;
    /// Bytes that running it takes for so many rows of x.
    pub fn bnq_linear_workspace(
        linear: *const bnq_linear, rows: u64, out_bytes: *mut u64,
    ) -> bnq_status;
    /// y of x; `workspace` may be NULL.
    pub fn bnq_linear_run(
        linear: *const bnq_linear, context: *mut bnq_context, x: *const bnq_matrix,
        y: *const bnq_matrix, workspace: *mut c_void, workspace_bytes: u64,
    ) -> bnq_status;
    /// Several layers on one x; `workspace` may be NULL.
    pub fn bnq_linear_run_many(
        linears: *const *const bnq_linear, count: u64, context: *mut bnq_context,
        x: *const bnq_matrix, ys: *const bnq_matrix, workspace: *mut c_void, workspace_bytes: u64,
    ) -> bnq_status;
    /// Rows of a matrix by index, dequantized.
    pub fn bnq_embedding(
        context: *mut bnq_context, table: *const bnq_tensor, indices: *const i64, count: u64,
        y: *const bnq_matrix,
    ) -> bnq_status;
    /// A convolution, which keeps its weights; `options` and `bias` may be NULL.
    pub fn bnq_convolution_create(
        context: *mut bnq_context, options: *const bnq_operator, weight: *const bnq_tensor,
        bias: *const bnq_array, out_convolution: *mut *mut bnq_convolution,
    ) -> bnq_status;
    /// Frees it; NULL is fine.
    pub fn bnq_convolution_destroy(convolution: *mut bnq_convolution);
    /// What comes of images of a size; the outputs may be NULL.
    pub fn bnq_convolution_output(
        convolution: *const bnq_convolution, height: u64, width: u64, out_channels: *mut u64,
        out_height: *mut u64, out_width: *mut u64,
    ) -> bnq_status;
    /// Bytes that running it takes for so many images.
    pub fn bnq_convolution_workspace(
        convolution: *const bnq_convolution, items: u64, height: u64, width: u64,
        out_bytes: *mut u64,
    ) -> bnq_status;
    /// y of x, an image each row; `workspace` may be NULL.
    pub fn bnq_convolution_run(
        convolution: *const bnq_convolution, context: *mut bnq_context, x: *const bnq_matrix,
        height: u64, width: u64, y: *const bnq_matrix, workspace: *mut c_void,
        workspace_bytes: u64,
    ) -> bnq_status;
}
