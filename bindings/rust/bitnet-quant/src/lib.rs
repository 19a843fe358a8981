#![doc = include_str!("../README.md")]
#![deny(missing_docs, unsafe_op_in_unsafe_fn)]
#![warn(rust_2018_idioms, missing_debug_implementations)]

mod activation;
mod array;
mod batch;
mod cache;
mod calibration;
mod callback;
mod choice;
mod config;
mod context;
mod convert;
mod convolution;
mod cstr;
mod error;
mod ffi;
mod file;
mod layer_kind;
mod layers;
mod library;
mod linear;
mod matrix;
mod metrics;
mod mixed_precision;
mod operator;
mod optimization;
mod option;
mod plan;
mod post_training;
mod quantize;
mod registry;
mod sensitivity;
mod tensor;
mod validation;
mod writer;

pub use activation::{
    activate, activate_in_place, layer_norm, layer_norm_in_place, rms_norm, rms_norm_in_place,
    softmax, softmax_in_place, Activation,
};
pub use array::{ArrayView, Element, Output, Overflow};
pub use batch::{dequantize_batch, dequantize_batch_into, quantize_batch, quantize_batch_into};
pub use cache::{cache_options, Cache, CacheBuilder, CacheEntry, CacheOption, CacheStatistics};
pub use calibration::{
    calibration_options, AdaptiveActivationQuantizer, Calibration, CalibrationDataset,
    CalibrationMethod, CalibrationOption, Calibrator, CalibratorBuilder, CalibratorRef, Histogram,
    KlVariant, MseVariant, ObserveNonFinite, OutlierRule, QuantParams, Statistics, ValueRange,
};
pub use callback::{no_progress, Progress};
pub use choice::{
    Granularity, NonFinite, Packing, Rounding, ScaleDType, ScaleRule, Scheme, SymmetricRange,
};
pub use config::{presets, Config, ConfigBuilder, Preset};
pub use context::{Context, LogLevel};
pub use convert::{compare_files, dequantize_file, quantize_file, Report, Row};
pub use convolution::Convolution;
pub use error::{Error, Result};
pub use file::{Entry, File, FileKind};
pub use layer_kind::LayerKind;
pub use layers::{Layer, LayerStatistics, Layers};
pub use library::{check_library, targets, version, Target, Version};
pub use linear::{embedding, Linear, Workspace};
pub use matrix::{MatrixView, MatrixViewMut};
pub use metrics::{compare, Metrics, QuantizationMetrics};
pub use mixed_precision::MixedPrecision;
pub use operator::{
    operator_options, ImageLayout, InputMode, Operator, OperatorBuilder, OperatorOption, OutputType,
};
pub use optimization::{
    optimization_options, Figures, Objective, OptimizationMethod, OptimizationOption,
    OptimizationScope, Optimized, Optimizer, OptimizerBuilder,
};
pub use option::{options, ConfigOption, OptionBounds, OptionValue};
pub use plan::{Plan, PlanMatch, Recipes};
pub use post_training::{
    post_training_quantization, post_training_quantize_file, quantize_tensor_auto,
    quantize_tensor_percentile, PostTrainingQuantization,
};
pub use quantize::{pack, quantize_into, QuantizedOutput, QuantizedSizes};
pub use registry::{formats, DType, Format};
pub use sensitivity::{
    default_candidates, estimate_file, AllocateOptions, Allocation, AllocationRow,
    AllocationTotals, AnalyzeOptions, Budget, CandidateSensitivity, Estimate, Sensitivity,
    TensorSensitivity, Upgrade,
};
pub use tensor::{dynamic_map, Outliers, Part, PartData, QuantizedTensor};
pub use validation::{compare_histogram, ErrorHistogram};
pub use writer::{WriteOptions, Writer};
