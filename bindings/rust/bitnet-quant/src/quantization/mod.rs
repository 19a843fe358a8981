//! Charl's names for the quantization of slices: [`QuantType`], [`QuantParams`],
//! [`Calibrator`], [`post_training_quantization`] and the others, for programs that are ported
//! from it. Several are those of other things at the top of this crate, which this module is a
//! short way to: codes, parameters and values are the library's.
//!
//! What differs: functions return a `Result`; a tensor's codes of INT4 are packed from the
//! outset; shares are shares (`Percentile(0.999)`), and their values are the library's nearest
//! rank, at one end of |x|, or at both ends where asymmetric.
//!
//! ```
//! use bitnet_quant::quantization::{
//!     post_training_quantization, quantize_tensor_auto, CalibrationMethod, QuantConfig, QuantType,
//! };
//!
//! let weights: Vec<f32> = (0..1000).map(|i| (i as f32 * 0.37).sin()).collect();
//! let tensor = quantize_tensor_auto(&weights, &[1000], QuantType::INT4)?;
//! assert!(tensor.packed && tensor.data.len() == 500);
//! assert_eq!(tensor.memory_reduction(), 8.0);
//! assert!(tensor.metrics(&weights)?.sqnr_db > 20.0);
//!
//! let batches = weights.chunks(100).collect::<Vec<_>>();
//! let method = CalibrationMethod::Percentile(0.999);
//! let tensor = post_training_quantization(&weights, &batches, QuantType::INT8, method)?;
//! assert_eq!(tensor.dequantize()?.len(), 1000);
//!
//! let groups = QuantConfig::int4_per_group(128).quantize(&weights, &[1, 1000])?;
//! assert_eq!(groups.scales().len(), 8);
//! # Ok::<(), bitnet_quant::Error>(())
//! ```

mod calibration;
mod ops;
mod types;

pub use crate::metrics::QuantizationMetrics;
pub use calibration::{CalibrationMethod, Calibrator};
pub use ops::{
    dequantize, dequantize_tensor, post_training_quantization, quantize, quantize_tensor,
    quantize_tensor_auto, quantize_tensor_percentile,
};
pub use types::{
    QuantConfig, QuantGranularity, QuantParams, QuantScheme, QuantType, QuantizedTensor,
};
