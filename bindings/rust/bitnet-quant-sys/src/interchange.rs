//! Section 17 of the header: interchange.

use super::{bnq_context, bnq_interchange, bnq_options, bnq_progress_fn, bnq_report, bnq_status};
use std::os::raw::{c_char, c_void};

/// A verdict: every value is the same.
pub const BNQ_VERDICT_EXACT: i32 = 1;
/// A verdict: codes are the same, scales are rounded.
pub const BNQ_VERDICT_SCALES_ROUNDED: i32 = 2;
/// A verdict: the layout cannot hold it.
pub const BNQ_VERDICT_NOT_REPRESENTABLE: i32 = 3;
/// A verdict: quantized anew, since that was asked for.
pub const BNQ_VERDICT_REQUANTIZED: i32 = 4;
/// A layout can be read.
pub const BNQ_LAYOUT_READ: i32 = 1;
/// A layout can be written.
pub const BNQ_LAYOUT_WRITTEN: i32 = 2;
/// An option of interchange: type of scales.
pub const BNQ_INTERCHANGE_SCALE_DTYPE: i32 = 1;
/// An option of interchange: meaning of BitNet's `weight_scale`.
pub const BNQ_INTERCHANGE_WEIGHT_SCALE: i32 = 2;
/// An option of interchange: order of bytes of I2_S.
pub const BNQ_INTERCHANGE_I2_S: i32 = 3;
/// An option of interchange: greatest change of a scale.
pub const BNQ_INTERCHANGE_MAX_SCALE_CHANGE: i32 = 4;
/// Number of interchange options.
pub const BNQ_NUM_INTERCHANGE_OPTIONS: i32 = 4;
/// Scales as they are, or float16 where the layout has no other.
pub const BNQ_INTERCHANGE_SCALES_KEEP: i32 = 0;
/// Scales as float32.
pub const BNQ_INTERCHANGE_SCALES_F32: i32 = 1;
/// Scales as float16.
pub const BNQ_INTERCHANGE_SCALES_F16: i32 = 2;
/// Scales as bfloat16.
pub const BNQ_INTERCHANGE_SCALES_BF16: i32 = 3;
/// As the `linear_class` of `config.json` says.
pub const BNQ_WEIGHT_SCALE_CONFIG: i32 = 0;
/// Values are codes times it.
pub const BNQ_WEIGHT_SCALE_MULTIPLY: i32 = 1;
/// Values are codes divided by it.
pub const BNQ_WEIGHT_SCALE_DIVIDE: i32 = 2;
/// I2_S is not read.
pub const BNQ_I2_S_UNKNOWN: i32 = 0;
/// I2_S of programs built for x86.
pub const BNQ_I2_S_X86: i32 = 1;
/// I2_S of programs built for ARM.
pub const BNQ_I2_S_ARM: i32 = 2;

functions! {
    /// The name of a verdict; NULL for other numbers.
    pub fn bnq_verdict_name(verdict: i32) -> *const c_char;
    /// `BNQ_VERDICT_*` of a quantized tensor in the report of an export, else 0.
    pub fn bnq_report_verdict(report: *const bnq_report, index: u64) -> i32;
    /// Layouts.
    pub fn bnq_layout_count() -> u32;
    /// The name of a layout; NULL past the last.
    pub fn bnq_layout_name(index: u32) -> *const c_char;
    /// What it is, in a sentence; NULL past the last.
    pub fn bnq_layout_description(index: u32) -> *const c_char;
    /// `BNQ_LAYOUT_*` of what can be done.
    pub fn bnq_layout_flags(index: u32) -> i32;
    /// Options of interchange at their defaults.
    pub fn bnq_interchange_create(out_interchange: *mut *mut bnq_interchange) -> bnq_status;
    /// Frees it; NULL is fine.
    pub fn bnq_interchange_destroy(interchange: *mut bnq_interchange);
    /// Its options, to be read.
    pub fn bnq_interchange_options(interchange: *const bnq_interchange) -> *const bnq_options;
    /// Its options, to be changed.
    pub fn bnq_interchange_settings(interchange: *mut bnq_interchange) -> *mut bnq_options;
    /// A GGUF file to take metadata from; NULL for none.
    pub fn bnq_interchange_set_metadata_from(
        interchange: *mut bnq_interchange, path: *const c_char,
    ) -> bnq_status;
    /// Writes a model in a layout; `interchange` may be NULL.
    pub fn bnq_export_file(
        context: *mut bnq_context, interchange: *const bnq_interchange, layout: *const c_char,
        input: *const c_char, output: *const c_char, flags: i32, max_shard_bytes: u64,
        progress: bnq_progress_fn, opaque: *mut c_void, out_report: *mut *mut bnq_report,
    ) -> bnq_status;
    /// Writes a model of any layout as a `.bnq` file; `interchange` may be NULL.
    pub fn bnq_import_file(
        context: *mut bnq_context, interchange: *const bnq_interchange, input: *const c_char,
        output: *const c_char, flags: i32, max_shard_bytes: u64, progress: bnq_progress_fn,
        opaque: *mut c_void, out_report: *mut *mut bnq_report,
    ) -> bnq_status;
}
