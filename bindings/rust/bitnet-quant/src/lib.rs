#![doc = include_str!("../README.md")]
#![deny(missing_docs, unsafe_op_in_unsafe_fn)]
#![warn(rust_2018_idioms, missing_debug_implementations)]

mod activation;
mod allocator;
mod array;
mod batch;
mod cache;
pub mod calibration;
mod callback;
mod choice;
mod config;
mod context;
mod convert;
mod convolution;
mod cstr;
mod dense;
mod error;
mod ffi;
mod file;
pub mod interchange;
mod layer_kind;
mod layers;
mod library;
mod linear;
mod matrix;
mod metrics;
mod mixed_precision;
#[cfg(feature = "ndarray")]
pub mod ndarray;
mod operator;
mod optimization;
mod option;
mod plan;
mod pool;
mod post_training;
pub mod quantization;
mod quantize;
pub mod quantizer;
#[cfg(feature = "rayon")]
pub mod rayon;
mod registry;
mod sensitivity;
mod tensor;
pub mod training;
mod validation;
mod verdict;
mod writer;

pub use activation::{
    activate, activate_in_place, layer_norm, layer_norm_in_place, rms_norm, rms_norm_in_place,
    softmax, softmax_in_place, Activation,
};
pub use array::{ArrayView, Element, Output, Overflow};
pub use batch::{dequantize_batch, dequantize_batch_into, quantize_batch, quantize_batch_into};
pub use cache::{cache_options, Cache, CacheBuilder, CacheEntry, CacheOption, CacheStatistics};
pub use calibration::{
    calibration_options, AdaptiveActivationQuantizer, Calibration, CalibrationBatch,
    CalibrationDataset, CalibrationMethod, CalibrationOption, Calibrator, CalibratorBuilder,
    CalibratorRef, Histogram, KlVariant, MseVariant, ObserveNonFinite, OutlierRule, QuantParams,
    Statistics, ValueRange,
};
pub use callback::{no_progress, Progress};
pub use choice::{
    Granularity, NonFinite, Packing, Rounding, ScaleDType, ScaleRule, Scheme, SymmetricRange,
};
pub use config::{presets, Config, ConfigBuilder, Preset};
pub use context::{Context, LogLevel};
pub use convert::{compare_files, dequantize_file, quantize_file, Report, Row};
pub use convolution::Convolution;
pub use dense::{BitNetTensor, Device, Placement, Tensor};
pub use error::{Error, Result};
pub use file::{Entry, File, FileKind};
pub use layer_kind::LayerKind;
pub use layers::{Layer, LayerStatistics, Layers};
#[cfg(feature = "load-dynamic")]
pub use library::init_from;
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
pub use pool::{HybridMemoryPool, PoolStatistics};
pub use post_training::{
    post_training_quantization, post_training_quantize_file, quantize_tensor_auto,
    quantize_tensor_percentile, PostTrainingQuantization,
};
pub use quantize::{pack, quantize_into, QuantizedOutput, QuantizedSizes};
pub use quantizer::{
    BitNetQuantizer, MixedPrecisionConfig, MixedPrecisionConfigBuilder, MixedPrecisionQuantizer,
    PerChannelQuantizer, QuantizationConfig, Quantizer,
};
pub use registry::{formats, DType, Format};
pub use sensitivity::{
    default_candidates, estimate_file, AllocateOptions, Allocation, AllocationRow,
    AllocationTotals, AnalyzeOptions, Budget, CandidateSensitivity, Estimate, Sensitivity,
    TensorSensitivity, Upgrade,
};
pub use tensor::{dynamic_map, Outliers, Part, PartData, QuantizedTensor};
pub use training::{
    phase_options, training_options, FakeQuantizer, Phase, PhaseOption, Schedule, Training,
    TrainingOption, TrainingStatistics,
};
pub use validation::{compare_histogram, ErrorHistogram};
pub use writer::{WriteOptions, Writer};

/// How numbers become codes: rounding, what scales are made from and stored as, ranges, and the
/// searches for parameters.
pub mod algorithms {
    pub use crate::{
        ConfigOption, Granularity, NonFinite, Objective, OptimizationMethod, OptimizationScope,
        Optimized, Optimizer, OptimizerBuilder, Packing, Rounding, ScaleDType, ScaleRule, Scheme,
        SymmetricRange, ValueRange,
    };
}

/// Where bulk memory comes from: the caller's allocator, and a pool of ours.
///
/// What a [`Context`] with an allocator makes has its codes, scales, buffers of files and scratch
/// space from it; names and lists are small, and from the system's heap. An allocator is anything
/// that is a [`GlobalAlloc`](std::alloc::GlobalAlloc): [`std::alloc::System`], those of other
/// crates, your own, or [`HybridMemoryPool`].
pub mod memory {
    pub use crate::{BitNetTensor, HybridMemoryPool, Placement, PoolStatistics};
}

/// Operators on quantized weights, and functions of activations.
pub mod ops {
    pub use crate::{
        activate, activate_in_place, embedding, layer_norm, layer_norm_in_place, rms_norm,
        rms_norm_in_place, softmax, softmax_in_place, Activation, Convolution, ImageLayout,
        InputMode, Linear, MatrixView, MatrixViewMut, Operator, OperatorBuilder, OutputType,
        Workspace,
    };
}

/// How much was lost and where, and whether what is loaded fits.
pub mod utils {
    pub use crate::{
        check_library, compare, compare_files, compare_histogram, estimate_file, ErrorHistogram,
        Estimate, Metrics, QuantizationMetrics, Sensitivity,
    };
}
