//! Section 16 of the header: training.

use super::{
    bnq_array, bnq_config, bnq_context, bnq_options, bnq_phase, bnq_schedule, bnq_status,
    bnq_training, bnq_training_statistics,
};
use std::os::raw::c_void;

/// An option of training: estimator.
pub const BNQ_TRAINING_ESTIMATOR: i32 = 1;
/// An option of training: slope.
pub const BNQ_TRAINING_SLOPE: i32 = 2;
/// An option of training: width.
pub const BNQ_TRAINING_WIDTH: i32 = 3;
/// An option of training: gradient factor.
pub const BNQ_TRAINING_GRADIENT_FACTOR: i32 = 4;
/// An option of training: noise.
pub const BNQ_TRAINING_NOISE: i32 = 5;
/// An option of training: noise amount.
pub const BNQ_TRAINING_NOISE_AMOUNT: i32 = 6;
/// An option of training: temperature.
pub const BNQ_TRAINING_TEMPERATURE: i32 = 7;
/// An option of training: probability.
pub const BNQ_TRAINING_PROBABILITY: i32 = 8;
/// An option of training: probability of.
pub const BNQ_TRAINING_PROBABILITY_OF: i32 = 9;
/// An option of training: seed.
pub const BNQ_TRAINING_SEED: i32 = 10;
/// Number of training options.
pub const BNQ_NUM_TRAINING_OPTIONS: i32 = 10;
/// A value of the option estimator: clipped.
pub const BNQ_ESTIMATOR_CLIPPED: i32 = 0;
/// A value of the option estimator: straight through.
pub const BNQ_ESTIMATOR_STRAIGHT_THROUGH: i32 = 1;
/// A value of the option estimator: soft.
pub const BNQ_ESTIMATOR_SOFT: i32 = 2;
/// A value of the option estimator: slope.
pub const BNQ_ESTIMATOR_SLOPE: i32 = 3;
/// A value of the option noise: none.
pub const BNQ_NOISE_NONE: i32 = 0;
/// A value of the option noise: uniform.
pub const BNQ_NOISE_UNIFORM: i32 = 1;
/// A value of the option noise: gaussian.
pub const BNQ_NOISE_GAUSSIAN: i32 = 2;
/// A value of the option probability_of: element.
pub const BNQ_DRAWN_BY_ELEMENT: i32 = 0;
/// A value of the option probability_of: layer.
pub const BNQ_DRAWN_BY_LAYER: i32 = 1;
/// An option of phases: steps.
pub const BNQ_PHASE_STEPS: i32 = 1;
/// An option of phases: bits.
pub const BNQ_PHASE_BITS: i32 = 2;
/// An option of phases: patience.
pub const BNQ_PHASE_PATIENCE: i32 = 3;
/// An option of phases: improvement.
pub const BNQ_PHASE_IMPROVEMENT: i32 = 4;
/// An option of phases: max error.
pub const BNQ_PHASE_MAX_ERROR: i32 = 5;
/// An option of phases: temperature begin.
pub const BNQ_PHASE_TEMPERATURE_BEGIN: i32 = 6;
/// An option of phases: temperature end.
pub const BNQ_PHASE_TEMPERATURE_END: i32 = 7;
/// An option of phases: share begin.
pub const BNQ_PHASE_SHARE_BEGIN: i32 = 8;
/// An option of phases: share end.
pub const BNQ_PHASE_SHARE_END: i32 = 9;
/// An option of phases: layers begin.
pub const BNQ_PHASE_LAYERS_BEGIN: i32 = 10;
/// An option of phases: layers end.
pub const BNQ_PHASE_LAYERS_END: i32 = 11;
/// Number of phase options.
pub const BNQ_NUM_PHASE_OPTIONS: i32 = 11;
/// A position in `bnq_schedule_values`: phase.
pub const BNQ_SCHEDULE_PHASE: i32 = 0;
/// A position in `bnq_schedule_values`: phase step.
pub const BNQ_SCHEDULE_PHASE_STEP: i32 = 1;
/// A position in `bnq_schedule_values`: step.
pub const BNQ_SCHEDULE_STEP: i32 = 2;
/// A position in `bnq_schedule_values`: bits.
pub const BNQ_SCHEDULE_BITS: i32 = 3;
/// A position in `bnq_schedule_values`: temperature.
pub const BNQ_SCHEDULE_TEMPERATURE: i32 = 4;
/// A position in `bnq_schedule_values`: share.
pub const BNQ_SCHEDULE_SHARE: i32 = 5;
/// A position in `bnq_schedule_values`: layers.
pub const BNQ_SCHEDULE_LAYERS: i32 = 6;
/// A position in `bnq_schedule_values`: best loss.
pub const BNQ_SCHEDULE_BEST_LOSS: i32 = 7;
/// A position in `bnq_schedule_values`: since best.
pub const BNQ_SCHEDULE_SINCE_BEST: i32 = 8;
/// A position in `bnq_schedule_values`: done.
pub const BNQ_SCHEDULE_DONE: i32 = 9;
/// Number of schedule values.
pub const BNQ_NUM_SCHEDULE_VALUES: i32 = 10;
/// A position in `bnq_training_statistics_values`: steps.
pub const BNQ_TRAINING_STATISTIC_STEPS: i32 = 0;
/// A position in `bnq_training_statistics_values`: elements.
pub const BNQ_TRAINING_STATISTIC_ELEMENTS: i32 = 1;
/// A position in `bnq_training_statistics_values`: clipped.
pub const BNQ_TRAINING_STATISTIC_CLIPPED: i32 = 2;
/// A position in `bnq_training_statistics_values`: clipped share.
pub const BNQ_TRAINING_STATISTIC_CLIPPED_SHARE: i32 = 3;
/// A position in `bnq_training_statistics_values`: mse.
pub const BNQ_TRAINING_STATISTIC_MSE: i32 = 4;
/// A position in `bnq_training_statistics_values`: relative mse.
pub const BNQ_TRAINING_STATISTIC_RELATIVE_MSE: i32 = 5;
/// A position in `bnq_training_statistics_values`: sqnr db.
pub const BNQ_TRAINING_STATISTIC_SQNR_DB: i32 = 6;
/// A position in `bnq_training_statistics_values`: max error.
pub const BNQ_TRAINING_STATISTIC_MAX_ERROR: i32 = 7;
/// A position in `bnq_training_statistics_values`: scale min.
pub const BNQ_TRAINING_STATISTIC_SCALE_MIN: i32 = 8;
/// A position in `bnq_training_statistics_values`: scale max.
pub const BNQ_TRAINING_STATISTIC_SCALE_MAX: i32 = 9;
/// A position in `bnq_training_statistics_values`: worst clipped share.
pub const BNQ_TRAINING_STATISTIC_WORST_CLIPPED_SHARE: i32 = 10;
/// A position in `bnq_training_statistics_values`: worst relative mse.
pub const BNQ_TRAINING_STATISTIC_WORST_RELATIVE_MSE: i32 = 11;
/// Number of statistics.
pub const BNQ_NUM_TRAINING_STATISTICS: i32 = 12;

functions! {
    /// Options of training at their defaults.
    pub fn bnq_training_create(out_training: *mut *mut bnq_training) -> bnq_status;
    /// Frees it; NULL is fine.
    pub fn bnq_training_destroy(training: *mut bnq_training);
    /// Its options, to be read.
    pub fn bnq_training_options(training: *const bnq_training) -> *const bnq_options;
    /// Its options, to be changed.
    pub fn bnq_training_settings(training: *mut bnq_training) -> *mut bnq_options;
    /// Statistics of no step.
    pub fn bnq_training_statistics_create(
        out_statistics: *mut *mut bnq_training_statistics,
    ) -> bnq_status;
    /// Frees them; NULL is fine.
    pub fn bnq_training_statistics_destroy(statistics: *mut bnq_training_statistics);
    /// What they add up to.
    pub fn bnq_training_statistics_values(
        statistics: *const bnq_training_statistics, values: *mut f64, value_count: u32,
    ) -> bnq_status;
    /// Adds the steps of others.
    pub fn bnq_training_statistics_merge(
        statistics: *mut bnq_training_statistics, other: *const bnq_training_statistics,
    ) -> bnq_status;
    /// As bytes.
    pub fn bnq_training_statistics_serialize(
        statistics: *const bnq_training_statistics, out: *mut c_void, out_bytes: u64,
        out_size: *mut u64,
    ) -> bnq_status;
    /// From bytes.
    pub fn bnq_training_statistics_deserialize(
        data: *const c_void, bytes: u64, out_statistics: *mut *mut bnq_training_statistics,
    ) -> bnq_status;
    /// Scales of an array of this shape.
    pub fn bnq_param_count(
        config: *const bnq_config, rank: i32, shape: *const u64, out_count: *mut u64,
    ) -> bnq_status;
    /// The scale, and zero point or offset, for values from `lo` to `hi`; the last two
    /// may be NULL.
    pub fn bnq_range_params(
        config: *const bnq_config, lo: f32, hi: f32, scale: *mut f32, zero_point: *mut i8,
        offset: *mut f32,
    ) -> bnq_status;
    /// What quantizing and dequantizing makes of an array; `training`, `clipped`,
    /// `out_clipped`, `metrics` and `statistics` may be NULL.
    pub fn bnq_fake_quantize(
        context: *mut bnq_context, config: *const bnq_config, training: *const bnq_training,
        source: *const bnq_array, given: i32, scales: *mut f32, zero_points: *mut i8,
        offsets: *mut f32, param_count: u64, dtype: i32, overflow: i32, out: *mut c_void,
        out_bytes: u64, clipped: *mut u8, clipped_bytes: u64, out_clipped: *mut u64,
        metrics: *mut f64, metric_count: u32, statistics: *mut bnq_training_statistics,
    ) -> bnq_status;
    /// Its gradients; those of parameters may be NULL.
    pub fn bnq_fake_quantize_gradient(
        context: *mut bnq_context, config: *const bnq_config, training: *const bnq_training,
        x: *const bnq_array, dy: *const bnq_array, scales: *const f32, zero_points: *const i8,
        offsets: *const f32, param_count: u64, dtype: i32, dx: *mut c_void, dx_bytes: u64,
        scale_gradients: *mut f32, shift_gradients: *mut f32, end_gradients: *mut f32,
        slope_gradient: *mut f32,
    ) -> bnq_status;
    /// A phase at its defaults.
    pub fn bnq_phase_create(out_phase: *mut *mut bnq_phase) -> bnq_status;
    /// Frees it; NULL is fine.
    pub fn bnq_phase_destroy(phase: *mut bnq_phase);
    /// Its options, to be read.
    pub fn bnq_phase_options(phase: *const bnq_phase) -> *const bnq_options;
    /// Its options, to be changed.
    pub fn bnq_phase_settings(phase: *mut bnq_phase) -> *mut bnq_options;
    /// A schedule of phases, which are copied.
    pub fn bnq_schedule_create(
        phases: *const *const bnq_phase, count: u64, out_schedule: *mut *mut bnq_schedule,
    ) -> bnq_status;
    /// Frees it; NULL is fine.
    pub fn bnq_schedule_destroy(schedule: *mut bnq_schedule);
    /// A step of training is done; NaN for a loss or an error that is not known.
    pub fn bnq_schedule_step(
        schedule: *mut bnq_schedule, loss: f64, error: f64, out_ended: *mut i32,
    ) -> bnq_status;
    /// Where it stands.
    pub fn bnq_schedule_values(
        schedule: *const bnq_schedule, values: *mut f64, value_count: u32,
    ) -> bnq_status;
    /// What a layer is trained with now.
    pub fn bnq_schedule_apply(
        schedule: *const bnq_schedule, layer: u64, layers: u64, config: *mut bnq_config,
        training: *mut bnq_training, out_quantized: *mut i32,
    ) -> bnq_status;
    /// As bytes.
    pub fn bnq_schedule_serialize(
        schedule: *const bnq_schedule, out: *mut c_void, out_bytes: u64, out_size: *mut u64,
    ) -> bnq_status;
    /// From bytes.
    pub fn bnq_schedule_deserialize(
        data: *const c_void, bytes: u64, out_schedule: *mut *mut bnq_schedule,
    ) -> bnq_status;
}
