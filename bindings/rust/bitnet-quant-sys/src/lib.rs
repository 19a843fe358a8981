//! The C ABI of libbnq: `<bnq/bnq.h>`, declared by hand: the constants in
//! `ids.rs`, types and the functions of sections 2 to 9 here, the other functions
//! in `calibration.rs`.
//!
//! Declarations only. Conventions (ownership, errors, threads, shapes) are those
//! at the top of the header, and each function's full contract stands beside its
//! prototype there; the lines here are reminders. The crate `bitnet-quant` wraps
//! all of this safely.
//!
//! Programs are linked with the library, or, with the feature `load-dynamic`, load it when they
//! first need it; the functions are the same. [`library::check`] says as an error what either
//! may lack.
//!
//! Ids (`BNQ_DTYPE_*`, `BNQ_FORMAT_*`, `BNQ_OPT_*`, ...) are plain `i32`, not Rust
//! enums: a newer library may return ones that are not listed here.

#![allow(non_camel_case_types)]
#![deny(missing_docs, unsafe_op_in_unsafe_fn)]

use std::marker::{PhantomData, PhantomPinned};
use std::os::raw::{c_char, c_void};

#[macro_use]
mod linkage;

mod analysis;
mod cache;
mod calibration;
#[cfg(feature = "load-dynamic")]
mod dynamic;
mod ids;
mod interchange;
pub mod library;
mod load_error;
mod operators;
mod parts;
mod plans;
mod training;
pub use analysis::*;
pub use cache::*;
pub use calibration::*;
pub use ids::*;
pub use interchange::*;
pub use operators::*;
pub use parts::*;
pub use plans::*;
pub use training::*;

/// [`BNQ_OK`] or one of `BNQ_ERROR_*`.
pub type bnq_status = i32;

// 4. Context -----------------------------------------------------------------

macro_rules! opaque {
    ($(#[$doc:meta] $name:ident)*) => {$(
        #[$doc]
        ///
        /// Used behind a pointer only; neither `Send`, `Sync` nor `Unpin` by itself.
        #[repr(C)]
        pub struct $name {
            _data: [u8; 0],
            _marker: PhantomData<(*mut u8, PhantomPinned)>,
        }
    )*};
}

opaque! {
    /// Where work runs and memory comes from. NULL stands for the defaults.
    bnq_context
    /// What to quantize into.
    bnq_config
    /// A quantized tensor; immutable.
    bnq_tensor
    /// A model file opened for reading.
    bnq_file
    /// A model file being written.
    bnq_writer
    /// Which tensor of a model gets which config.
    bnq_plan
    /// Configs and plans with names.
    bnq_recipes
    /// What each tensor of a model loses under each of several configs.
    bnq_sensitivity
    /// Which config each tensor gets under a budget; immutable.
    bnq_allocation
    /// One row for each tensor of a conversion or comparison; immutable.
    bnq_report
    /// Watches batches of values, and finds the range in which to quantize them.
    bnq_calibrator
    /// The batches at a path, listed; immutable.
    bnq_batches
    /// Calibrators by name.
    bnq_calibration
    /// How to search for parameters.
    bnq_optimizer
    /// What an operator does beside its weights.
    bnq_operator
    /// A linear layer; immutable.
    bnq_linear
    /// A convolution; immutable.
    bnq_convolution
    /// Quantized tensors that were made before.
    bnq_cache
    /// The entries of a cache's folder; immutable.
    bnq_cache_list
    /// A model's layers, loaded one after the other.
    bnq_layers
    /// A loaded layer; immutable.
    bnq_layer
    /// How to export and import.
    bnq_interchange
    /// How training quantizes.
    bnq_training
    /// What training lost, over its steps.
    bnq_training_statistics
    /// A phase of a schedule.
    bnq_phase
    /// Phases of training, one after another.
    bnq_schedule
    /// The options of a handle, which they are a part of.
    bnq_options
}

/// A host's memory for bulk data. Frozen layout.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct bnq_allocator {
    /// Memory aligned as malloc's, or NULL; called from any thread.
    pub alloc: Option<unsafe extern "C" fn(opaque: *mut c_void, bytes: u64) -> *mut c_void>,
    /// Takes back what `alloc` gave; called from any thread.
    pub free: Option<unsafe extern "C" fn(opaque: *mut c_void, ptr: *mut c_void)>,
    /// Passed to both.
    pub opaque: *mut c_void,
}

/// A task of the library, called by a [`bnq_runner`]; never NULL. It does not
/// unwind.
pub type bnq_task_fn =
    Option<unsafe extern "C" fn(task_opaque: *mut c_void, index: u64, worker: u32)>;

/// A host's own thread pool. Frozen layout.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct bnq_runner {
    /// Calls `task` once for each index below `count`; returns 0 when all have
    /// returned.
    pub run: Option<
        unsafe extern "C" fn(
            opaque: *mut c_void,
            count: u64,
            task: bnq_task_fn,
            task_opaque: *mut c_void,
        ) -> i32,
    >,
    /// Passed to `run`.
    pub opaque: *mut c_void,
    /// 1 to 4096; worker numbers are below it.
    pub workers: u32,
}

/// Receives a line of text without a newline, on the thread that called the
/// library.
pub type bnq_log_fn =
    Option<unsafe extern "C" fn(opaque: *mut c_void, level: i32, message: *const c_char)>;
/// The loss of a model with one tensor under one config; non-zero cancels.
pub type bnq_sensitivity_fn = Option<
    unsafe extern "C" fn(
        opaque: *mut c_void,
        tensor: *const c_char,
        config: *const bnq_config,
        out_metric: *mut f64,
    ) -> i32,
>;
/// Asked on the calling thread whether an operation is to stop: non-zero.
pub type bnq_interrupt_fn = Option<unsafe extern "C" fn(opaque: *mut c_void) -> i32>;
/// Receives the state of a long operation, on the calling thread; non-zero
/// cancels it.
pub type bnq_progress_fn = Option<
    unsafe extern "C" fn(opaque: *mut c_void, done: u64, total: u64, item: *const c_char) -> i32,
>;

/// A caller's metric: writes the error of `count` values to `out_error`, on the thread
/// that called the library; non-zero stops.
pub type bnq_metric_fn = Option<
    unsafe extern "C" fn(
        opaque: *mut c_void,
        original: *const f32,
        dequantized: *const f32,
        count: u64,
        out_error: *mut f64,
    ) -> i32,
>;

// 6. Arrays and tensors ------------------------------------------------------

/// View of an array: row-major, contiguous, native byte order. Frozen layout.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct bnq_array {
    /// The elements; may be unaligned, and NULL where there are none.
    pub data: *const c_void,
    /// `rank` dimensions; may be NULL for rank 0.
    pub shape: *const u64,
    /// `BNQ_DTYPE_*`.
    pub dtype: i32,
    /// 0 to [`BNQ_MAX_RANK`].
    pub rank: i32,
}

/// A part of a tensor. Frozen layout.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct bnq_part {
    /// NULL where there are no bytes.
    pub data: *const c_void,
    /// Its size.
    pub bytes: u64,
    /// Elements of `dtype`; of double quantized scales, scales.
    pub count: u64,
    /// `BNQ_PART_*`.
    pub part: i32,
    /// `BNQ_DTYPE_*`.
    pub dtype: i32,
}

/// What operators read or write: rows whose elements lie together. Frozen layout.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct bnq_matrix {
    /// The elements; may be unaligned, and NULL where there are none.
    pub data: *mut c_void,
    /// Of `I8` and `U8`: one for each row; or NULL where the operator knows one.
    pub scales: *mut f32,
    /// Likewise; NULL stands for 0.
    pub zero_points: *mut i32,
    /// Number of rows.
    pub rows: u64,
    /// Elements of a row.
    pub columns: u64,
    /// Bytes from the begin of a row to that of the next one; 0: no gap.
    pub row_stride: u64,
    /// `BNQ_DTYPE_*`.
    pub dtype: i32,
    /// 0.
    pub reserved: i32,
}

// Functions ------------------------------------------------------------------

functions! {
    // 2. Version, status, the last error

    /// Version of the loaded library, encoded as [`BNQ_VERSION`].
    pub fn bnq_version() -> u32;
    /// ABI of the loaded library; compare with [`BNQ_ABI_VERSION`] before any other call.
    pub fn bnq_abi_version() -> u32;
    /// "0.1.0".
    pub fn bnq_version_string() -> *const c_char;
    /// "invalid argument", ...; "unknown status" for another number.
    pub fn bnq_status_name(status: bnq_status) -> *const c_char;
    /// What went wrong in this thread's last failing call; valid until its next one.
    pub fn bnq_last_error() -> *const c_char;

    // 3. Registry

    /// "F32", "BF16", ...; NULL for an unknown id.
    pub fn bnq_dtype_name(dtype: i32) -> *const c_char;
    /// Id of a data type's name, upper or lower case.
    pub fn bnq_dtype_id(name: *const c_char, out_dtype: *mut i32) -> bnq_status;
    /// Bits of one element; 0 for an unknown id.
    pub fn bnq_dtype_bits(dtype: i32) -> u32;
    /// 1 for a type whose arrays can be quantized, else 0.
    pub fn bnq_dtype_is_source(dtype: i32) -> i32;
    /// 1 for a type that tensors can be dequantized into, else 0.
    pub fn bnq_dtype_is_target(dtype: i32) -> i32;
    /// Number of formats, without [`BNQ_FORMAT_NONE`].
    pub fn bnq_format_count() -> u32;
    /// Id of the format at an index.
    pub fn bnq_format_at(index: u32, out_format: *mut i32) -> bnq_status;
    /// "ternary", "int8", ...; NULL for an unknown id.
    pub fn bnq_format_name(format: i32) -> *const c_char;
    /// Id of a format's name.
    pub fn bnq_format_id(name: *const c_char, out_format: *mut i32) -> bnq_status;
    /// One sentence about the format; NULL for an unknown id.
    pub fn bnq_format_description(format: i32) -> *const c_char;
    /// A `BNQ_FORMAT_*` property of a format.
    pub fn bnq_format_property(format: i32, property: i32, out_value: *mut i64) -> bnq_status;
    /// `BNQ_OK` where configs of a format may have an option at a value, else why not.
    pub fn bnq_format_supports(
        format: i32, option: *const c_char, value: *const c_char,
    ) -> bnq_status;
    /// Number of metrics of the loaded library.
    pub fn bnq_metric_count() -> u32;
    /// "mse", ...; NULL for another index.
    pub fn bnq_metric_name(index: u32) -> *const c_char;
    /// The one of `count` names that was probably meant by a text; NULL where none is near.
    pub fn bnq_suggest(
        text: *const c_char, names: *const *const c_char, count: u64,
    ) -> *const c_char;
    /// Number of SIMD targets compiled in, best first.
    pub fn bnq_target_count() -> u32;
    /// Name of a target; NULL for another index.
    pub fn bnq_target_name(index: u32) -> *const c_char;
    /// 1 where this CPU runs the target, else 0.
    pub fn bnq_target_supported(index: u32) -> i32;
    /// Name of the target in use.
    pub fn bnq_target_active() -> *const c_char;

    // 4. Context

    /// Makes a context with one thread; `allocator` may be NULL.
    pub fn bnq_context_create(
        allocator: *const bnq_allocator, out_context: *mut *mut bnq_context,
    ) -> bnq_status;
    /// Frees a context; NULL is fine.
    pub fn bnq_context_destroy(context: *mut bnq_context);
    /// 1 to 256 threads; 0 takes one for each processor.
    pub fn bnq_context_set_threads(context: *mut bnq_context, threads: i32) -> bnq_status;
    /// Threads that operations use; 1 for NULL.
    pub fn bnq_context_threads(context: *const bnq_context) -> i32;
    /// A host's thread pool; NULL takes the built-in one again.
    pub fn bnq_context_set_runner(
        context: *mut bnq_context, runner: *const bnq_runner,
    ) -> bnq_status;
    /// A receiver of messages up to `level`; NULL for none.
    pub fn bnq_context_set_log(
        context: *mut bnq_context, log: bnq_log_fn, opaque: *mut c_void, level: i32,
    ) -> bnq_status;
    /// Asked by every operation of the context, every 100 ms at least; NULL for none.
    pub fn bnq_context_set_interrupt(
        context: *mut bnq_context, interrupt: bnq_interrupt_fn, opaque: *mut c_void,
    ) -> bnq_status;
    /// Whether files are mapped (1, the default) or read (0).
    pub fn bnq_context_set_mapping(context: *mut bnq_context, mapping: i32) -> bnq_status;
    /// Keeps outputs in temporary files until they are placed.
    pub fn bnq_context_hold_outputs(context: *mut bnq_context) -> bnq_status;
    /// Puts the outputs that have been held back in their places.
    pub fn bnq_context_place_outputs(context: *mut bnq_context) -> bnq_status;

    // 5. Options and config

    /// The kind (`BNQ_OPTIONS_*`) of the handle that has them; 0 for NULL.
    pub fn bnq_options_kind(options: *const bnq_options) -> i32;
    /// Sets an integer option.
    pub fn bnq_options_set_int(options: *mut bnq_options, option: i32, value: i64) -> bnq_status;
    /// Sets a float option.
    pub fn bnq_options_set_float(options: *mut bnq_options, option: i32, value: f64) -> bnq_status;
    /// Sets an option by its name and a value's name or number.
    pub fn bnq_options_set_text(
        options: *mut bnq_options, option: *const c_char, value: *const c_char,
    ) -> bnq_status;
    /// Reads an integer option.
    pub fn bnq_options_get_int(
        options: *const bnq_options, option: i32, out_value: *mut i64,
    ) -> bnq_status;
    /// Reads a float option.
    pub fn bnq_options_get_float(
        options: *const bnq_options, option: i32, out_value: *mut f64,
    ) -> bnq_status;
    /// Reads an option by its name, as it is set by text, into `text[size]` with its NUL;
    /// NULL and 0 to ask for the bytes that takes.
    pub fn bnq_options_get_text(
        options: *const bnq_options, option: *const c_char, text: *mut c_char, size: u64,
        out_size: *mut u64,
    ) -> bnq_status;
    /// What is accepted but hardly meant, into `text[size]`; NULL and 0 to ask for its
    /// size.
    pub fn bnq_options_advice(
        options: *const bnq_options, text: *mut c_char, size: u64, out_size: *mut u64,
    ) -> bnq_status;
    /// Number of kinds of handles with options.
    pub fn bnq_option_kind_count() -> u32;
    /// The kind at an index.
    pub fn bnq_option_kind_at(index: u32, out_kind: *mut i32) -> bnq_status;
    /// "config", ...; NULL for an unknown kind.
    pub fn bnq_option_kind_name(kind: i32) -> *const c_char;
    /// Number of options of a kind; 0 for an unknown one.
    pub fn bnq_option_count(kind: i32) -> u32;
    /// Id of the option at an index.
    pub fn bnq_option_at(kind: i32, index: u32, out_option: *mut i32) -> bnq_status;
    /// Name of an option; NULL for an unknown id.
    pub fn bnq_option_name(kind: i32, option: i32) -> *const c_char;
    /// One sentence about an option; NULL for an unknown id.
    pub fn bnq_option_description(kind: i32, option: i32) -> *const c_char;
    /// Id of an option's name.
    pub fn bnq_option_id(kind: i32, name: *const c_char, out_option: *mut i32) -> bnq_status;
    /// Type, inclusive bounds and default of an option; any output may be NULL.
    pub fn bnq_option_bounds(
        kind: i32, option: i32, out_type: *mut i32, out_min: *mut f64, out_max: *mut f64,
        out_default: *mut f64,
    ) -> bnq_status;
    /// Name of an option's value; NULL where values are plain numbers.
    pub fn bnq_option_value_name(kind: i32, option: i32, value: i64) -> *const c_char;
    /// What a value with a name means; NULL where it has none.
    pub fn bnq_option_value_description(kind: i32, option: i32, value: i64) -> *const c_char;

    /// Makes a config with every option at its default.
    pub fn bnq_config_create(out_config: *mut *mut bnq_config) -> bnq_status;
    /// Copies a config.
    pub fn bnq_config_clone(
        config: *const bnq_config, out_config: *mut *mut bnq_config,
    ) -> bnq_status;
    /// Frees a config; NULL is fine.
    pub fn bnq_config_destroy(config: *mut bnq_config);
    /// Its options, to be read; they live as long as it. NULL for NULL.
    pub fn bnq_config_options(config: *const bnq_config) -> *const bnq_options;
    /// Its options, to be changed; they live as long as it. NULL for NULL.
    pub fn bnq_config_settings(config: *mut bnq_config) -> *mut bnq_options;
    /// Whether all options are equal: 1 or 0.
    pub fn bnq_config_equal(
        a: *const bnq_config, b: *const bnq_config, out_equal: *mut i32,
    ) -> bnq_status;
    /// `BNQ_OK` where options and format go together, else why not.
    pub fn bnq_config_check(config: *const bnq_config) -> bnq_status;
    /// Bits that a weight of a large matrix takes.
    pub fn bnq_config_bits_per_weight(config: *const bnq_config, out_bits: *mut f64) -> bnq_status;
    /// "format=int4,group_size=64" into `text[size]`, with its NUL; NULL and 0 to ask for
    /// the bytes that takes.
    pub fn bnq_config_to_text(
        config: *const bnq_config, text: *mut c_char, size: u64, out_size: *mut u64,
    ) -> bnq_status;
    /// The reverse; the first item may be the name of a preset.
    pub fn bnq_config_from_text(
        text: *const c_char, out_config: *mut *mut bnq_config,
    ) -> bnq_status;
    /// Number of presets.
    pub fn bnq_preset_count() -> u32;
    /// Name of a preset; NULL for another index.
    pub fn bnq_preset_name(index: u32) -> *const c_char;
    /// One sentence about a preset; NULL for another index.
    pub fn bnq_preset_description(index: u32) -> *const c_char;
    /// The config of a preset's or a format's name.
    pub fn bnq_config_from_preset(
        name: *const c_char, out_config: *mut *mut bnq_config,
    ) -> bnq_status;

    // 6. Tensors

    /// Quantizes an array.
    pub fn bnq_tensor_quantize(
        context: *mut bnq_context, config: *const bnq_config, source: *const bnq_array,
        out_tensor: *mut *mut bnq_tensor,
    ) -> bnq_status;
    /// The same with the importance of each column of the last dimension.
    pub fn bnq_tensor_quantize_weighted(
        context: *mut bnq_context, config: *const bnq_config, source: *const bnq_array,
        importance: *const f32, importance_count: u64, out_tensor: *mut *mut bnq_tensor,
    ) -> bnq_status;
    /// Sizes of what quantizing an array of this shape gives: bytes, bytes, number; any
    /// output may be NULL.
    pub fn bnq_quantized_sizes(
        config: *const bnq_config, rank: i32, shape: *const u64, out_code_bytes: *mut u64,
        out_scale_bytes: *mut u64, out_zero_points: *mut u64,
    ) -> bnq_status;
    /// Quantizes into the caller's buffers of exactly those sizes.
    pub fn bnq_quantize(
        context: *mut bnq_context, config: *const bnq_config, source: *const bnq_array,
        codes: *mut u8, code_bytes: u64, scales: *mut c_void, scale_bytes: u64,
        zero_points: *mut i8, zero_point_count: u64, out_tensor: *mut *mut bnq_tensor,
    ) -> bnq_status;
    /// The same for `count` arrays, with lists of the buffers.
    pub fn bnq_quantize_batch(
        context: *mut bnq_context, config: *const bnq_config, count: u64,
        sources: *const bnq_array, codes: *const *mut u8, code_bytes: *const u64,
        scales: *const *mut c_void, scale_bytes: *const u64, zero_points: *const *mut i8,
        zero_point_counts: *const u64, out_tensors: *mut *mut bnq_tensor,
    ) -> bnq_status;
    /// "codes", "scales", "zero_points", ...; NULL for an unknown id.
    pub fn bnq_part_name(part: i32) -> *const c_char;
    /// A tensor of parts made elsewhere.
    pub fn bnq_tensor_create(
        context: *mut bnq_context, config: *const bnq_config, rank: i32, shape: *const u64,
        parts: *const bnq_part, part_count: u32, flags: i32, out_tensor: *mut *mut bnq_tensor,
    ) -> bnq_status;
    /// Frees a tensor; NULL is fine.
    pub fn bnq_tensor_destroy(tensor: *mut bnq_tensor);
    /// `BNQ_FORMAT_*`; -1 for NULL.
    pub fn bnq_tensor_format(tensor: *const bnq_tensor) -> i32;
    /// Rank (-1 for NULL), and dimensions into `shape[BNQ_MAX_RANK]`, which may be NULL.
    pub fn bnq_tensor_shape(tensor: *const bnq_tensor, shape: *mut u64) -> i32;
    /// Rows of the tensor as a matrix; 0 for NULL.
    pub fn bnq_tensor_rows(tensor: *const bnq_tensor) -> u64;
    /// Columns of the tensor as a matrix; 0 for NULL.
    pub fn bnq_tensor_columns(tensor: *const bnq_tensor) -> u64;
    /// The options it was made with; they live as long as it. NULL for NULL.
    pub fn bnq_tensor_options(tensor: *const bnq_tensor) -> *const bnq_options;
    /// The options that say what the tensor is, as a config.
    pub fn bnq_tensor_config(
        tensor: *const bnq_tensor, out_config: *mut *mut bnq_config,
    ) -> bnq_status;
    /// A part as it is stored; its data lives as long as the tensor.
    pub fn bnq_tensor_part(
        tensor: *const bnq_tensor, part: i32, out_part: *mut bnq_part,
    ) -> bnq_status;
    /// The scales as float32, however they are stored.
    pub fn bnq_tensor_read_scales(
        tensor: *const bnq_tensor, scales: *mut f32, count: u64,
    ) -> bnq_status;
    /// The offsets as float32, however they are stored.
    pub fn bnq_tensor_read_offsets(
        tensor: *const bnq_tensor, offsets: *mut f32, count: u64,
    ) -> bnq_status;
    /// Number of 16-bit scales at the ends of what their type holds; 0 for NULL.
    pub fn bnq_tensor_saturated_scales(tensor: *const bnq_tensor) -> u64;
    /// The 256 values that 8-bit codes of double quantized scales stand for.
    pub fn bnq_dynamic_map() -> *const f32;
    /// Bytes of codes, scales, zero points and outliers together; 0 for NULL.
    pub fn bnq_tensor_bytes(tensor: *const bnq_tensor) -> u64;
    /// Those bytes times 8 over the number of elements.
    pub fn bnq_tensor_bits_per_weight(tensor: *const bnq_tensor) -> f64;
    /// The codes one by one, in row-major order.
    pub fn bnq_tensor_unpack(
        context: *mut bnq_context, tensor: *const bnq_tensor, codes: *mut i8, count: u64,
    ) -> bnq_status;
    /// The reverse: codes into the packed layout of the config's format.
    pub fn bnq_pack(
        context: *mut bnq_context, config: *const bnq_config, rank: i32, shape: *const u64,
        codes: *const i8, count: u64, packed: *mut u8, packed_bytes: u64,
    ) -> bnq_status;
    /// The same tensor with its codes in another packing (`BNQ_PACKING_*`).
    pub fn bnq_tensor_repack(
        context: *mut bnq_context, tensor: *const bnq_tensor, packing: i32,
        out_tensor: *mut *mut bnq_tensor,
    ) -> bnq_status;
    /// "error", ...; NULL for an unknown id.
    pub fn bnq_overflow_name(overflow: i32) -> *const c_char;
    /// What it means; NULL for an unknown id.
    pub fn bnq_overflow_description(overflow: i32) -> *const c_char;
    /// Id of a name.
    pub fn bnq_overflow_id(name: *const c_char, out_overflow: *mut i32) -> bnq_status;
    /// Dequantizes all into `out`, of exactly the size needed.
    pub fn bnq_tensor_dequantize(
        context: *mut bnq_context, tensor: *const bnq_tensor, dtype: i32, overflow: i32,
        out: *mut c_void, out_bytes: u64,
    ) -> bnq_status;
    /// Dequantizes a range of rows.
    pub fn bnq_tensor_dequantize_rows(
        context: *mut bnq_context, tensor: *const bnq_tensor, row_begin: u64, row_count: u64,
        dtype: i32, overflow: i32, out: *mut c_void, out_bytes: u64,
    ) -> bnq_status;
    /// Dequantizes `count` tensors into as many buffers.
    pub fn bnq_dequantize_batch(
        context: *mut bnq_context, count: u64, tensors: *const *const bnq_tensor, dtype: i32,
        overflow: i32, outs: *const *mut c_void, out_bytes: *const u64,
    ) -> bnq_status;

    // 7. Metrics

    /// Metrics between two arrays of one shape.
    pub fn bnq_compare(
        context: *mut bnq_context, original: *const bnq_array, other: *const bnq_array,
        metrics: *mut f64, metric_count: u32,
    ) -> bnq_status;
    /// Metrics between an array and what the tensor dequantizes to.
    pub fn bnq_tensor_compare(
        context: *mut bnq_context, original: *const bnq_array, tensor: *const bnq_tensor,
        metrics: *mut f64, metric_count: u32,
    ) -> bnq_status;

    // 8. Files

    /// Opens a model file for reading.
    pub fn bnq_file_open(
        context: *mut bnq_context, path: *const c_char, flags: i32, out_file: *mut *mut bnq_file,
    ) -> bnq_status;
    /// Opens a model file in memory, which must outlive the handle and its tensors.
    pub fn bnq_file_open_memory(
        context: *mut bnq_context, data: *const c_void, bytes: u64, out_file: *mut *mut bnq_file,
    ) -> bnq_status;
    /// Closes a file; NULL is fine.
    pub fn bnq_file_close(file: *mut bnq_file);
    /// `BNQ_FILE_*`; 0 for NULL.
    pub fn bnq_file_kind(file: *const bnq_file) -> i32;
    /// Number of tensors; 0 for NULL.
    pub fn bnq_file_count(file: *const bnq_file) -> u64;
    /// Index of a tensor's name.
    pub fn bnq_file_find(
        file: *const bnq_file, name: *const c_char, out_index: *mut u64,
    ) -> bnq_status;
    /// Name of a tensor; NULL for another index.
    pub fn bnq_file_name(file: *const bnq_file, index: u64) -> *const c_char;
    /// Rank (-1 for another index) and dimensions, as in [`bnq_tensor_shape`].
    pub fn bnq_file_shape(file: *const bnq_file, index: u64, shape: *mut u64) -> i32;
    /// `BNQ_FORMAT_*`; -1 for another index.
    pub fn bnq_file_format(file: *const bnq_file, index: u64) -> i32;
    /// `BNQ_DTYPE_*` of a plain array, 0 where quantized; -1 for another index.
    pub fn bnq_file_dtype(file: *const bnq_file, index: u64) -> i32;
    /// Bytes of the data, uncompressed; 0 for another index.
    pub fn bnq_file_bytes(file: *const bnq_file, index: u64) -> u64;
    /// Bytes of the data as stored; 0 for another index.
    pub fn bnq_file_stored_bytes(file: *const bnq_file, index: u64) -> u64;
    /// The tensor of which this is another name; "" if it is itself, NULL for another index.
    pub fn bnq_file_same_as(file: *const bnq_file, index: u64) -> *const c_char;
    /// How another ecosystem holds the tensor; "" where it is as ours are.
    pub fn bnq_file_layout(file: *const bnq_file, index: u64) -> *const c_char;
    /// The options a quantized tensor was made with, as [`bnq_tensor_config`].
    pub fn bnq_file_config(
        file: *const bnq_file, index: u64, out_config: *mut *mut bnq_config,
    ) -> bnq_status;
    /// Number of metadata entries.
    pub fn bnq_file_metadata_count(file: *const bnq_file) -> u64;
    /// Key of an entry; NULL for another index.
    pub fn bnq_file_metadata_key(file: *const bnq_file, index: u64) -> *const c_char;
    /// Value of an entry; NULL for another index.
    pub fn bnq_file_metadata_value(file: *const bnq_file, index: u64) -> *const c_char;
    /// View of a plain, uncompressed array's bytes; valid until the file is closed.
    pub fn bnq_file_data(
        file: *const bnq_file, index: u64, out_data: *mut *const c_void, out_bytes: *mut u64,
    ) -> bnq_status;
    /// Reads a plain array's bytes into the caller's buffer.
    pub fn bnq_file_read(
        context: *mut bnq_context, file: *const bnq_file, index: u64, out: *mut c_void,
        out_bytes: u64,
    ) -> bnq_status;
    /// A quantized tensor of a `.bnq` file.
    pub fn bnq_file_tensor(
        context: *mut bnq_context, file: *const bnq_file, index: u64,
        out_tensor: *mut *mut bnq_tensor,
    ) -> bnq_status;
    /// Reads and checks every byte; `progress` may be NULL.
    pub fn bnq_file_verify(
        context: *mut bnq_context, file: *const bnq_file, progress: bnq_progress_fn,
        opaque: *mut c_void,
    ) -> bnq_status;
    /// Starts a model file.
    pub fn bnq_writer_create(
        context: *mut bnq_context, path: *const c_char, kind: i32, flags: i32,
        max_shard_bytes: u64, out_writer: *mut *mut bnq_writer,
    ) -> bnq_status;
    /// Starts a model file in memory.
    pub fn bnq_writer_create_memory(
        context: *mut bnq_context, kind: i32, flags: i32, out_writer: *mut *mut bnq_writer,
    ) -> bnq_status;
    /// Frees a writer, abandoning an unfinished output; NULL is fine.
    pub fn bnq_writer_destroy(writer: *mut bnq_writer);
    /// Sets a metadata entry.
    pub fn bnq_writer_set_metadata(
        writer: *mut bnq_writer, key: *const c_char, value: *const c_char,
    ) -> bnq_status;
    /// Adds a plain array, borrowed until finish or destroy.
    pub fn bnq_writer_add_array(
        writer: *mut bnq_writer, name: *const c_char, array: *const bnq_array,
    ) -> bnq_status;
    /// Adds a quantized tensor, borrowed until finish or destroy.
    pub fn bnq_writer_add_tensor(
        writer: *mut bnq_writer, name: *const c_char, tensor: *const bnq_tensor,
    ) -> bnq_status;
    /// Writes everything and puts the file in its place.
    pub fn bnq_writer_finish(writer: *mut bnq_writer) -> bnq_status;
    /// What was written to memory, valid until the writer is destroyed.
    pub fn bnq_writer_bytes(
        writer: *const bnq_writer, out_data: *mut *const c_void, out_bytes: *mut u64,
    ) -> bnq_status;
    /// Writes any bytes to a file, as whole or not at all.
    pub fn bnq_write_file(
        context: *mut bnq_context, path: *const c_char, data: *const c_void, bytes: u64, flags: i32,
    ) -> bnq_status;

    // 9. Plans, conversion, comparison

    /// Makes a plan without rules.
    pub fn bnq_plan_create(out_plan: *mut *mut bnq_plan) -> bnq_status;
    /// Frees a plan; NULL is fine.
    pub fn bnq_plan_destroy(plan: *mut bnq_plan);
    /// Adds a rule behind the others; a NULL config leaves tensors unquantized.
    pub fn bnq_plan_add(
        plan: *mut bnq_plan, glob: *const c_char, min_rank: i32, config: *const bnq_config,
    ) -> bnq_status;
    /// The importance of a tensor's columns.
    pub fn bnq_plan_set_importance(
        plan: *mut bnq_plan, name: *const c_char, importance: *const f32, importance_count: u64,
    ) -> bnq_status;
    /// The same from a model file or a calibration.
    pub fn bnq_plan_load_importance(
        context: *mut bnq_context, plan: *mut bnq_plan, path: *const c_char,
    ) -> bnq_status;
    /// Index of the rule that decides about a tensor, or -1, and a copy of its config or
    /// NULL; outputs may be NULL.
    pub fn bnq_plan_match(
        plan: *const bnq_plan, name: *const c_char, shape: *const u64, rank: i32,
        out_rule: *mut i64, out_config: *mut *mut bnq_config,
    ) -> bnq_status;
    /// Quantizes a model file into a `.bnq` file.
    pub fn bnq_quantize_file(
        context: *mut bnq_context, plan: *const bnq_plan, input: *const c_char,
        output: *const c_char, flags: i32, max_shard_bytes: u64, progress: bnq_progress_fn,
        opaque: *mut c_void, out_report: *mut *mut bnq_report,
    ) -> bnq_status;
    /// Dequantizes a `.bnq` file into a safetensors file.
    pub fn bnq_dequantize_file(
        context: *mut bnq_context, input: *const c_char, output: *const c_char, dtype: i32,
        overflow: i32, flags: i32, max_shard_bytes: u64, progress: bnq_progress_fn,
        opaque: *mut c_void, out_report: *mut *mut bnq_report,
    ) -> bnq_status;
    /// Compares the tensors of two model files.
    pub fn bnq_compare_files(
        context: *mut bnq_context, original: *const c_char, other: *const c_char,
        progress: bnq_progress_fn, opaque: *mut c_void, out_report: *mut *mut bnq_report,
    ) -> bnq_status;
    /// Frees a report; NULL is fine.
    pub fn bnq_report_destroy(report: *mut bnq_report);
    /// Number of rows; 0 for NULL.
    pub fn bnq_report_count(report: *const bnq_report) -> u64;
    /// Of a conversion: what was written and can be opened: the file, the index of several, or
    /// the folder.
    pub fn bnq_report_output(report: *const bnq_report) -> *const c_char;
    /// Of all floating-point parameters those that are not quantized, 0 to 1.
    pub fn bnq_report_dense_share(report: *const bnq_report) -> f64;
    /// Name of the row's tensor; NULL for another index.
    pub fn bnq_report_name(report: *const bnq_report, index: u64) -> *const c_char;
    /// Rank (-1 for another index) and dimensions, as in [`bnq_tensor_shape`].
    pub fn bnq_report_shape(report: *const bnq_report, index: u64, shape: *mut u64) -> i32;
    /// `BNQ_FORMAT_*` in the output; -1 for another index.
    pub fn bnq_report_format(report: *const bnq_report, index: u64) -> i32;
    /// `BNQ_DTYPE_*` where the format is none, else 0; -1 for another index.
    pub fn bnq_report_dtype(report: *const bnq_report, index: u64) -> i32;
    /// Bytes of the data in the input.
    pub fn bnq_report_bytes_before(report: *const bnq_report, index: u64) -> u64;
    /// Bytes of the data in the output, as stored.
    pub fn bnq_report_bytes_after(report: *const bnq_report, index: u64) -> u64;
    /// Bytes after times 8 over the number of elements.
    pub fn bnq_report_bits_per_weight(report: *const bnq_report, index: u64) -> f64;
    /// The first `metric_count` metrics; NaN where there are none.
    pub fn bnq_report_metrics(
        report: *const bnq_report, index: u64, metrics: *mut f64, metric_count: u32,
    ) -> bnq_status;
    /// Why a row has no metrics, or what was done unasked; "" if nothing.
    pub fn bnq_report_note(report: *const bnq_report, index: u64) -> *const c_char;
    /// The tensor of which a row is another name; "" if it is itself.
    pub fn bnq_report_same_as(report: *const bnq_report, index: u64) -> *const c_char;
}
