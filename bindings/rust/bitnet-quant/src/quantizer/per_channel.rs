//! A scale for each channel.

use crate::config::Config;
use crate::context::Context;
use crate::dense::Tensor;
use crate::error::Result;
use crate::quantizer::{dequantized, QuantizationConfig, Quantizer};
use crate::tensor::QuantizedTensor;

/// Quantizes weights with a scale for each channel of the config's axis. See
/// [`quantizer`](crate::quantizer) for an example.
#[derive(Debug, Clone, PartialEq)]
pub struct PerChannelQuantizer {
    config: QuantizationConfig,
}

impl PerChannelQuantizer {
    /// As the config says, per channel whether it says so or not. What is wrong with it is
    /// said when it is used.
    pub fn new(config: QuantizationConfig) -> PerChannelQuantizer {
        PerChannelQuantizer {
            config: QuantizationConfig {
                per_channel: true,
                ..config
            },
        }
    }

    /// What it was made with.
    pub fn config(&self) -> &QuantizationConfig {
        &self.config
    }

    /// The quantized weights, and the scale and zero point (none where symmetric) of each
    /// channel, which are also in them.
    ///
    /// # Errors
    /// As [`QuantizationConfig::to_config`] and [`QuantizedTensor::quantize`].
    pub fn quantize_weights(
        &self, weights: &Tensor,
    ) -> Result<(QuantizedTensor, Vec<f32>, Vec<i8>)> {
        let config = self.config.to_config()?;
        let tensor = QuantizedTensor::quantize(&Context::new(), &config, &weights.view())?;
        let (scales, zero_points) = (tensor.scales().into_owned(), tensor.zero_points().to_vec());
        Ok((tensor, scales, zero_points))
    }

    /// The values of quantized weights.
    pub fn dequantize(&self, tensor: &QuantizedTensor) -> Result<Tensor> {
        dequantized(&Context::new(), tensor)
    }
}

impl Quantizer for PerChannelQuantizer {
    fn config_of(&self, _layer: &str) -> Result<Option<Config>> {
        self.config.to_config().map(Some)
    }
}
