//! Another config for each layer.

use crate::config::Config;
use crate::context::Context;
use crate::dense::Tensor;
use crate::error::Result;
use crate::mixed_precision::MixedPrecision;
use crate::plan::Plan;
use crate::quantizer::{QuantizationConfig, Quantizer};
use crate::tensor::QuantizedTensor;

/// A config for each layer by name. [`MixedPrecision`] takes any [`Config`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MixedPrecisionConfig {
    layers: Vec<(String, QuantizationConfig)>,
    others: Option<QuantizationConfig>,
}

impl MixedPrecisionConfig {
    /// Starts with no layers.
    pub fn builder() -> MixedPrecisionConfigBuilder {
        MixedPrecisionConfigBuilder::default()
    }

    /// The plan that it stands for, by which whole files are quantized
    /// ([`quantize_file`](crate::quantize_file)).
    ///
    /// # Errors
    /// As [`QuantizationConfig::to_config`].
    pub fn to_plan(&self) -> Result<Plan> {
        let mut plan = MixedPrecision::new();
        for (layer, config) in &self.layers {
            plan = plan.layer_config(layer.as_str(), &config.to_config()?);
        }
        if let Some(config) = &self.others {
            plan = plan.others_config(&config.to_config()?);
        }
        plan.build()
    }
}

/// Sets the layers of a [`MixedPrecisionConfig`].
#[derive(Debug, Clone, Default)]
#[must_use = "a builder makes nothing until build() is called"]
pub struct MixedPrecisionConfigBuilder {
    config: MixedPrecisionConfig,
}

impl MixedPrecisionConfigBuilder {
    /// The layers whose name matches, as in [`MixedPrecision::layer`]: a name or a glob, of
    /// which the first that matches counts.
    pub fn layer_config(
        mut self, layer: impl Into<String>, config: QuantizationConfig,
    ) -> MixedPrecisionConfigBuilder {
        self.config.layers.push((layer.into(), config));
        self
    }

    /// All other tensors of rank 2 and more, which are not quantized without.
    pub fn default_config(mut self, config: QuantizationConfig) -> MixedPrecisionConfigBuilder {
        self.config.others = Some(config);
        self
    }

    /// The config. What is wrong with it is said when it is used.
    pub fn build(self) -> MixedPrecisionConfig {
        self.config
    }
}

/// Quantizes weights as the config of their layer says. See
/// [`quantizer`](crate::quantizer) for an example.
#[derive(Debug, Clone, PartialEq)]
pub struct MixedPrecisionQuantizer {
    config: MixedPrecisionConfig,
}

impl MixedPrecisionQuantizer {
    /// As the config says.
    pub fn new(config: MixedPrecisionConfig) -> MixedPrecisionQuantizer {
        MixedPrecisionQuantizer { config }
    }

    /// What it was made with.
    pub fn config(&self) -> &MixedPrecisionConfig {
        &self.config
    }

    /// The quantized weights of a layer; `None` where no config matches.
    ///
    /// # Errors
    /// As [`QuantizationConfig::to_config`] and [`QuantizedTensor::quantize`].
    pub fn quantize_weights(
        &self, layer: &str, weights: &Tensor,
    ) -> Result<Option<QuantizedTensor>> {
        self.quantize_layer(&Context::new(), layer, weights)
    }
}

impl Quantizer for MixedPrecisionQuantizer {
    fn config_of(&self, layer: &str) -> Result<Option<Config>> {
        let found = self.config.to_plan()?.find(layer, MATRIX)?;
        Ok(found.and_then(|found| found.config))
    }
}

/// The rank of weights, by which a plan tells them from biases and norms.
const MATRIX: usize = 2;
