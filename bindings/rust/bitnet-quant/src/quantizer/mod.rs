//! Quantizers: a config of bits, and what it makes of [`Tensor`]s.
//!
//! They say in few words what [`Config`] and [`QuantizedTensor::quantize`] say in all of them,
//! and compute nothing themselves.
//!
//! ```
//! use bitnet_quant::{BitNetQuantizer, CalibrationMethod, QuantizationConfig, Quantizer};
//! use bitnet_quant::{Device, Tensor};
//!
//! // Create quantizer with 1.58-bit configuration
//! let config = QuantizationConfig {
//!     bits: 1.58,
//!     symmetric: true,
//!     per_channel: false,
//!     calibration_method: CalibrationMethod::MinMax,
//!     ..Default::default()
//! };
//! let quantizer = BitNetQuantizer::new(config);
//!
//! // Quantize weights
//! let weights = Tensor::randn(&[128, 256], &Device::Cpu)?;
//! let (quantized_weights, scale, zero_point) = quantizer.quantize_weights(&weights)?;
//!
//! // Quantize activations
//! let activations = Tensor::randn(&[32, 128], &Device::Cpu)?;
//! let quantized_activations = quantizer.quantize_activations(&activations, scale, zero_point)?;
//!
//! // Dequantize for computation
//! let dequantized = quantizer.dequantize(&quantized_weights, scale, zero_point)?;
//! # assert_eq!(dequantized.shape(), [128, 256]);
//! # assert_eq!(quantized_activations.format(), bitnet_quant::Format::INT8);
//! # assert!(quantizer.config_of("any layer")?.is_some());
//! # Ok::<(), bitnet_quant::Error>(())
//! ```
//!
//! Per channel, and another number of bits for each layer:
//!
//! ```
//! use bitnet_quant::{MixedPrecisionConfig, MixedPrecisionQuantizer, PerChannelQuantizer};
//! use bitnet_quant::QuantizationConfig;
//!
//! // Per-channel quantization
//! let per_channel_config = QuantizationConfig {
//!     bits: 1.58,
//!     per_channel: true,
//!     channel_axis: 0,
//!     ..Default::default()
//! };
//!
//! let quantizer = PerChannelQuantizer::new(per_channel_config);
//! # let weights = bitnet_quant::Tensor::randn(&[64, 32], &bitnet_quant::Device::Cpu)?;
//! # assert_eq!(quantizer.quantize_weights(&weights)?.1.len(), 64);
//!
//! // Mixed precision quantization
//! let mixed_precision = MixedPrecisionConfig::builder()
//!     .layer_config("conv1", QuantizationConfig { bits: 2.0, ..Default::default() })
//!     .layer_config("conv2", QuantizationConfig { bits: 1.58, ..Default::default() })
//!     .layer_config("fc", QuantizationConfig { bits: 4.0, ..Default::default() })
//!     .build();
//!
//! let quantizer = MixedPrecisionQuantizer::new(mixed_precision);
//! # let fc = quantizer.quantize_weights("fc", &weights)?.unwrap();
//! # assert_eq!(fc.format(), bitnet_quant::Format::INT4);
//! # assert!(quantizer.quantize_weights("head", &weights)?.is_none());
//! # Ok::<(), bitnet_quant::Error>(())
//! ```

mod bitnet;
mod mixed_precision;
mod per_channel;

pub use bitnet::BitNetQuantizer;
pub use mixed_precision::{
    MixedPrecisionConfig, MixedPrecisionConfigBuilder, MixedPrecisionQuantizer,
};
pub use per_channel::PerChannelQuantizer;

use crate::calibration::CalibrationMethod;
use crate::choice::{Granularity, Scheme};
use crate::config::Config;
use crate::context::Context;
use crate::dense::Tensor;
use crate::error::{Error, Result};
use crate::tensor::QuantizedTensor;

/// What weights are quantized into, said by bits. [`to_config`](QuantizationConfig::to_config)
/// makes a [`Config`] of it, which has every option that there is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct QuantizationConfig {
    /// Bits of a weight's code, those that the library has a format for: 1 (signs), 1.58
    /// (ternary), 2, 3, 4, 5, 6, 8 (integers). 1.58 by default.
    pub bits: f64,
    /// Whether codes are about 0; otherwise a zero point says where 0 is, which 1 and 1.58
    /// bits do not have. True by default. Activations follow it.
    pub symmetric: bool,
    /// Whether each channel has a scale, or the tensor; false by default.
    pub per_channel: bool,
    /// The dimension of channels, negative from the end; 0, output channels, by default.
    pub channel_axis: i32,
    /// How the range of activations is found, by
    /// [`calibrator`](QuantizationConfig::calibrator). Weights are known as they are, and have
    /// the scale of their format: 1.58 bits the mean of |w|, as BitNet b1.58.
    pub calibration_method: CalibrationMethod,
}

impl Default for QuantizationConfig {
    fn default() -> QuantizationConfig {
        QuantizationConfig {
            bits: 1.58,
            symmetric: true,
            per_channel: false,
            channel_axis: 0,
            calibration_method: CalibrationMethod::MinMax,
        }
    }
}

impl QuantizationConfig {
    /// The config of weights.
    ///
    /// # Errors
    /// [`InvalidArgument`](Error::InvalidArgument) for bits that there are none of, and lists
    /// those that there are; [`Unsupported`](Error::Unsupported) for bits that are only
    /// symmetric, where `symmetric` is false.
    pub fn to_config(&self) -> Result<Config> {
        let config: Config = format!("bits={}", self.bits).parse()?;
        let format = config.format()?;
        if !self.symmetric {
            format.check("scheme", "asymmetric").map_err(|error| {
                Error::Unsupported(format!(
                    "symmetric = false does not go with bits = {}: {}",
                    self.bits,
                    error.message()
                ))
            })?;
        }
        let builder = config.to_builder().scheme(self.scheme());
        if self.per_channel {
            builder
                .granularity(Granularity::Channel)
                .axis(self.channel_axis)
        } else {
            builder.granularity(Granularity::Tensor)
        }
        .build()
    }

    /// The config of activations: [`Config::for_activations`], symmetric or not as this is.
    /// They are int8 whatever the weights are, as BitNet b1.58's.
    pub fn to_activation_config(&self) -> Result<Config> {
        let config = Config::for_activations()?;
        config.to_builder().scheme(self.scheme()).build()
    }

    /// A calibrator of such activations, which finds ranges by the method.
    pub fn calibrator(&self) -> Result<crate::Calibrator> {
        crate::Calibrator::builder_for(&self.to_activation_config()?)?
            .method(self.calibration_method)
            .build()
    }

    fn scheme(&self) -> Scheme {
        if self.symmetric {
            Scheme::Symmetric
        } else {
            Scheme::Asymmetric
        }
    }
}

/// What decides how each layer's weights are quantized.
pub trait Quantizer {
    /// The config of a layer of that name; `None` where it is not quantized.
    ///
    /// # Errors
    /// As [`QuantizationConfig::to_config`].
    fn config_of(&self, layer: &str) -> Result<Option<Config>>;

    /// The quantized weights of a layer; `None` where it is not quantized.
    ///
    /// # Errors
    /// As [`QuantizedTensor::quantize`] and [`config_of`](Quantizer::config_of).
    fn quantize_layer(
        &self, context: &Context, layer: &str, weights: &Tensor,
    ) -> Result<Option<QuantizedTensor>> {
        let config = self.config_of(layer)?;
        config
            .map(|config| QuantizedTensor::quantize(context, &config, &weights.view()))
            .transpose()
    }
}

/// A quantized tensor's values.
fn dequantized(context: &Context, tensor: &QuantizedTensor) -> Result<Tensor> {
    Tensor::from_vec(tensor.dequantize(context)?, tensor.shape())
}
