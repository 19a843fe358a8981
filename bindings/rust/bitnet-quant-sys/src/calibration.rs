//! The functions of the header from section 10 on: calibration, parameter
//! optimisation, post-training quantization, validation.

use crate::{
    bnq_array, bnq_batches, bnq_calibration, bnq_calibrator, bnq_config, bnq_context,
    bnq_metric_fn, bnq_optimizer, bnq_options, bnq_plan, bnq_progress_fn, bnq_report, bnq_status,
    bnq_tensor,
};
use std::os::raw::{c_char, c_void};

functions! {
    // 10. Calibration

    /// Makes a calibrator with every option at its default, and no data.
    pub fn bnq_calibrator_create(out_calibrator: *mut *mut bnq_calibrator) -> bnq_status;
    /// Frees a calibrator; NULL is fine.
    pub fn bnq_calibrator_destroy(calibrator: *mut bnq_calibrator);
    /// Copies a calibrator with its data.
    pub fn bnq_calibrator_clone(
        context: *mut bnq_context, calibrator: *const bnq_calibrator,
        out_calibrator: *mut *mut bnq_calibrator,
    ) -> bnq_status;
    /// Its options, to be read; they live as long as it. NULL for NULL.
    pub fn bnq_calibrator_options(calibrator: *const bnq_calibrator) -> *const bnq_options;
    /// Its options, to be changed; they live as long as it. NULL for NULL.
    pub fn bnq_calibrator_settings(calibrator: *mut bnq_calibrator) -> *mut bnq_options;
    /// Observes a batch.
    pub fn bnq_calibrator_observe(
        context: *mut bnq_context, calibrator: *mut bnq_calibrator, array: *const bnq_array,
    ) -> bnq_status;
    /// Lists the batches of a file or directory; `name` may be NULL.
    pub fn bnq_batches_find(
        context: *mut bnq_context, path: *const c_char, name: *const c_char,
        out_batches: *mut *mut bnq_batches,
    ) -> bnq_status;
    /// Frees a list; NULL is fine.
    pub fn bnq_batches_destroy(batches: *mut bnq_batches);
    /// Number of batches; 0 for NULL.
    pub fn bnq_batches_count(batches: *const bnq_batches) -> u64;
    /// The file that a batch lies in; NULL for another index.
    pub fn bnq_batches_path(batches: *const bnq_batches, index: u64) -> *const c_char;
    /// The name of its array there; NULL for another index.
    pub fn bnq_batches_name(batches: *const bnq_batches, index: u64) -> *const c_char;
    /// Its bytes, uncompressed; 0 for another index.
    pub fn bnq_batches_bytes(batches: *const bnq_batches, index: u64) -> u64;
    /// Observes the batches at a path; `name` and `progress` may be NULL.
    pub fn bnq_calibrator_observe_file(
        context: *mut bnq_context, calibrator: *mut bnq_calibrator, path: *const c_char,
        name: *const c_char, progress: bnq_progress_fn, opaque: *mut c_void,
    ) -> bnq_status;
    /// Number of channels; 0 before there are data, and for NULL.
    pub fn bnq_calibrator_channels(calibrator: *const bnq_calibrator) -> u64;
    /// Number of batches that had elements; 0 for NULL.
    pub fn bnq_calibrator_batches(calibrator: *const bnq_calibrator) -> u64;
    /// The range of each of `count` channels.
    pub fn bnq_calibrator_range(
        context: *mut bnq_context, calibrator: *const bnq_calibrator, lo: *mut f32, hi: *mut f32,
        count: u64,
    ) -> bnq_status;
    /// Number of statistics of the loaded library.
    pub fn bnq_statistic_count() -> u32;
    /// "count", ...; NULL for another index.
    pub fn bnq_statistic_name(index: u32) -> *const c_char;
    /// The first `statistic_count` statistics of a channel, or of
    /// [`BNQ_ALL_CHANNELS`](crate::BNQ_ALL_CHANNELS).
    pub fn bnq_calibrator_statistics(
        context: *mut bnq_context, calibrator: *const bnq_calibrator, channel: u64,
        statistics: *mut f64, statistic_count: u32,
    ) -> bnq_status;
    /// The histogram of a channel; NULL and 0 to ask for the number of bins.
    pub fn bnq_calibrator_histogram(
        calibrator: *const bnq_calibrator, channel: u64, counts: *mut u64, capacity: u64,
        out_bins: *mut u64, out_first: *mut f64, out_width: *mut f64,
    ) -> bnq_status;
    /// Forgets the data, not the options.
    pub fn bnq_calibrator_reset(calibrator: *mut bnq_calibrator) -> bnq_status;
    /// Adds what another calibrator has observed.
    pub fn bnq_calibrator_merge(
        context: *mut bnq_context, calibrator: *mut bnq_calibrator, other: *const bnq_calibrator,
    ) -> bnq_status;
    /// Options and data as bytes; NULL and 0 to ask for their number.
    pub fn bnq_calibrator_serialize(
        context: *mut bnq_context, calibrator: *const bnq_calibrator, out: *mut c_void,
        out_bytes: u64, out_size: *mut u64,
    ) -> bnq_status;
    /// The calibrator that was serialized.
    pub fn bnq_calibrator_deserialize(
        context: *mut bnq_context, data: *const c_void, bytes: u64,
        out_calibrator: *mut *mut bnq_calibrator,
    ) -> bnq_status;

    // 11. Parameter optimisation

    /// Makes an optimizer with every option at its default.
    pub fn bnq_optimizer_create(out_optimizer: *mut *mut bnq_optimizer) -> bnq_status;
    /// Copies an optimizer.
    pub fn bnq_optimizer_clone(
        optimizer: *const bnq_optimizer, out_optimizer: *mut *mut bnq_optimizer,
    ) -> bnq_status;
    /// Frees an optimizer; NULL is fine.
    pub fn bnq_optimizer_destroy(optimizer: *mut bnq_optimizer);
    /// Its options, to be read; they live as long as it. NULL for NULL.
    pub fn bnq_optimizer_options(optimizer: *const bnq_optimizer) -> *const bnq_options;
    /// Its options, to be changed; they live as long as it. NULL for NULL.
    pub fn bnq_optimizer_settings(optimizer: *mut bnq_optimizer) -> *mut bnq_options;
    /// The importance of each column of the arrays to come; a count of 0 for none.
    pub fn bnq_optimizer_set_importance(
        optimizer: *mut bnq_optimizer, importance: *const f32, importance_count: u64,
    ) -> bnq_status;
    /// The metric, which must remain callable; NULL takes the objective mse again.
    pub fn bnq_optimizer_set_metric(
        optimizer: *mut bnq_optimizer, metric: bnq_metric_fn, opaque: *mut c_void,
    ) -> bnq_status;
    /// Number of figures of the loaded library.
    pub fn bnq_figure_count() -> u32;
    /// "objective_before", ...; NULL for another index.
    pub fn bnq_figure_name(index: u32) -> *const c_char;
    /// Quantizes with parameters that were searched for; activations, input scales,
    /// figures and progress may be NULL.
    pub fn bnq_optimize(
        context: *mut bnq_context, optimizer: *const bnq_optimizer, config: *const bnq_config,
        source: *const bnq_array, activations: *const bnq_array, progress: bnq_progress_fn,
        opaque: *mut c_void, out_tensor: *mut *mut bnq_tensor, input_scales: *mut f32,
        input_scale_count: u64, figures: *mut f64, figure_count: u32,
    ) -> bnq_status;

    // 12. Post-training quantization

    /// What weights or activations (`BNQ_ROLE_*`) get by default.
    pub fn bnq_post_training_config(role: i32, out_config: *mut *mut bnq_config) -> bnq_status;
    /// Makes a calibrator of values that are to be quantized as `config` says.
    pub fn bnq_calibrator_create_for(
        config: *const bnq_config, out_calibrator: *mut *mut bnq_calibrator,
    ) -> bnq_status;
    /// Scale and zero point of each of `count` channels; `zero_points` may be NULL where
    /// the config is symmetric.
    pub fn bnq_calibrator_params(
        context: *mut bnq_context, calibrator: *const bnq_calibrator, config: *const bnq_config,
        scales: *mut f32, zero_points: *mut i8, offsets: *mut f32, count: u64,
    ) -> bnq_status;
    /// Quantizes with parameters that are given; `out_clamped` may be NULL.
    pub fn bnq_tensor_quantize_static(
        context: *mut bnq_context, config: *const bnq_config, source: *const bnq_array,
        scales: *const f32, scale_count: u64, zero_points: *const i8, zero_point_count: u64,
        offsets: *const f32, offset_count: u64, out_clamped: *mut u64,
        out_tensor: *mut *mut bnq_tensor,
    ) -> bnq_status;
    /// Quantizes with the parameters of a calibrator; `out_clamped` may be NULL.
    pub fn bnq_tensor_quantize_calibrated(
        context: *mut bnq_context, config: *const bnq_config, calibrator: *const bnq_calibrator,
        source: *const bnq_array, out_clamped: *mut u64, out_tensor: *mut *mut bnq_tensor,
    ) -> bnq_status;
    /// Calibrates with a method on the array itself, then quantizes it.
    pub fn bnq_quantize_tensor_auto(
        context: *mut bnq_context, config: *const bnq_config, method: i32,
        source: *const bnq_array, out_tensor: *mut *mut bnq_tensor,
    ) -> bnq_status;
    /// Quantizes with the scale rule percentile.
    pub fn bnq_quantize_tensor_percentile(
        context: *mut bnq_context, config: *const bnq_config, percentile: f64,
        source: *const bnq_array, out_tensor: *mut *mut bnq_tensor,
    ) -> bnq_status;
    /// Makes an empty set; `prototype` may be NULL.
    pub fn bnq_calibration_create(
        prototype: *const bnq_calibrator, out_calibration: *mut *mut bnq_calibration,
    ) -> bnq_status;
    /// Frees a set and its calibrators; NULL is fine.
    pub fn bnq_calibration_destroy(calibration: *mut bnq_calibration);
    /// Sets an option by name, of every calibrator and of those to come.
    pub fn bnq_calibration_set_text(
        context: *mut bnq_context, calibration: *mut bnq_calibration, option: *const c_char,
        value: *const c_char,
    ) -> bnq_status;
    /// Observes a batch of the activations `name`.
    pub fn bnq_calibration_observe(
        context: *mut bnq_context, calibration: *mut bnq_calibration, name: *const c_char,
        array: *const bnq_array,
    ) -> bnq_status;
    /// Observes the arrays of a file or directory, each by its name, or all by `as_name`.
    pub fn bnq_calibration_observe_file(
        context: *mut bnq_context, calibration: *mut bnq_calibration, path: *const c_char,
        as_name: *const c_char, progress: bnq_progress_fn, opaque: *mut c_void,
    ) -> bnq_status;
    /// Number of names, which are sorted; 0 for NULL.
    pub fn bnq_calibration_count(calibration: *const bnq_calibration) -> u64;
    /// A name; NULL for another index.
    pub fn bnq_calibration_name(calibration: *const bnq_calibration, index: u64) -> *const c_char;
    /// Its calibrator, which belongs to the set; NULL for another index.
    pub fn bnq_calibration_at(
        calibration: *const bnq_calibration, index: u64,
    ) -> *const bnq_calibrator;
    /// Adds what another set has observed.
    pub fn bnq_calibration_merge(
        context: *mut bnq_context, calibration: *mut bnq_calibration, other: *const bnq_calibration,
    ) -> bnq_status;
    /// Writes the set to a file; flags: [`BNQ_WRITE_OVERWRITE`](crate::BNQ_WRITE_OVERWRITE).
    pub fn bnq_calibration_save(
        context: *mut bnq_context, calibration: *const bnq_calibration, path: *const c_char,
        flags: i32,
    ) -> bnq_status;
    /// Reads a set from a file.
    pub fn bnq_calibration_load(
        context: *mut bnq_context, path: *const c_char, out_calibration: *mut *mut bnq_calibration,
    ) -> bnq_status;
    /// The bytes of that file in memory; NULL and 0 to ask for their number.
    pub fn bnq_calibration_serialize(
        context: *mut bnq_context, calibration: *const bnq_calibration, out: *mut c_void,
        out_bytes: u64, out_size: *mut u64,
    ) -> bnq_status;
    /// The set that was serialized.
    pub fn bnq_calibration_deserialize(
        context: *mut bnq_context, data: *const c_void, bytes: u64,
        out_calibration: *mut *mut bnq_calibration,
    ) -> bnq_status;
    /// Quantizes a model file and adds the parameters of its activations.
    pub fn bnq_post_training_quantize_file(
        context: *mut bnq_context, plan: *const bnq_plan, calibration: *const bnq_calibration,
        activation_config: *const bnq_config, input: *const c_char, output: *const c_char,
        flags: i32, max_shard_bytes: u64, progress: bnq_progress_fn, opaque: *mut c_void,
        out_report: *mut *mut bnq_report,
    ) -> bnq_status;

    // 13. Validation

    /// Distribution of the errors between two arrays in `bins` bins, the greatest of
    /// them, and the Kullback-Leibler divergence; outputs may be NULL.
    pub fn bnq_compare_histogram(
        context: *mut bnq_context, original: *const bnq_array, other: *const bnq_array, bins: u32,
        counts: *mut u64, out_max_error: *mut f64, out_kl: *mut f64,
    ) -> bnq_status;
    /// The same between an array and what the tensor dequantizes to.
    pub fn bnq_tensor_compare_histogram(
        context: *mut bnq_context, original: *const bnq_array, tensor: *const bnq_tensor,
        bins: u32, counts: *mut u64, out_max_error: *mut f64, out_kl: *mut f64,
    ) -> bnq_status;
}
