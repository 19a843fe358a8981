//! One scale for a tensor, as BitNet b1.58.

use crate::calibration::QuantParams;
use crate::choice::ScaleDType;
use crate::config::Config;
use crate::context::Context;
use crate::dense::Tensor;
use crate::error::{Error, Result};
use crate::pool::HybridMemoryPool;
use crate::quantizer::{dequantized, QuantizationConfig, Quantizer};
use crate::tensor::{Part, PartData, QuantizedTensor};

/// Quantizes weights with one scale for each tensor, and activations with parameters that are
/// given or calibrated. See [`quantizer`](crate::quantizer) for an example.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BitNetQuantizer {
    config: QuantizationConfig,
    params: Option<QuantParams>,
}

impl BitNetQuantizer {
    /// As the config says. What is wrong with it is said when it is used.
    pub fn new(config: QuantizationConfig) -> BitNetQuantizer {
        BitNetQuantizer {
            config,
            params: None,
        }
    }

    /// With the default config, and the calibrated parameters of activations
    /// ([`Calibrator::calibrate`](crate::Calibrator::calibrate)), with zero points where those
    /// have some.
    pub fn with_params(params: QuantParams) -> BitNetQuantizer {
        BitNetQuantizer::default().and_params(params)
    }

    /// The same with this config.
    #[must_use]
    pub fn and_params(self, params: QuantParams) -> BitNetQuantizer {
        let params = Some(params);
        BitNetQuantizer { params, ..self }
    }

    /// What it was made with.
    pub fn config(&self) -> &QuantizationConfig {
        &self.config
    }

    /// The calibrated parameters of activations.
    pub fn params(&self) -> Option<&QuantParams> {
        self.params.as_ref()
    }

    /// The quantized weights, their scale and their zero point (0 where symmetric), which are
    /// also in them: value = (code - zero point) * scale.
    ///
    /// # Errors
    /// As [`QuantizationConfig::to_config`] and [`QuantizedTensor::quantize`];
    /// [`Unsupported`](Error::Unsupported) where there is not one scale: with `per_channel`,
    /// for which there is [`PerChannelQuantizer`](crate::PerChannelQuantizer), and for 16 bits.
    pub fn quantize_weights(&self, weights: &Tensor) -> Result<(QuantizedTensor, f32, i32)> {
        let tensor = self.quantize_in(&Context::new(), weights)?;
        let scale = match tensor.scales()[..] {
            [scale] => scale,
            ref scales => {
                return Err(Error::Unsupported(format!(
                    "per_channel = {}, bits = {}: {} scales in place of one; \
                     PerChannelQuantizer gives all of them",
                    self.config.per_channel,
                    self.config.bits,
                    scales.len()
                )))
            }
        };
        let zero_point = tensor.zero_points().first().map_or(0, |&zero| zero.into());
        Ok((tensor, scale, zero_point))
    }

    /// Activations in int8 codes with a scale and zero point that are given; what lies beyond
    /// the codes is clamped.
    ///
    /// # Errors
    /// [`InvalidArgument`](Error::InvalidArgument) for a scale that is negative or not finite,
    /// a zero point beyond -128 to 127, or one other than 0 where symmetric.
    pub fn quantize_activations(
        &self, activations: &Tensor, scale: f32, zero_point: i32,
    ) -> Result<QuantizedTensor> {
        let zero_points = self.zero_points(zero_point)?;
        let config = self.config.to_activation_config()?;
        QuantizedTensor::quantize_static(
            &Context::new(),
            &config,
            &activations.view(),
            &[scale],
            &zero_points,
            &[],
        )
    }

    /// Activations in int8 codes with the calibrated parameters.
    ///
    /// # Errors
    /// [`NoData`](Error::NoData) where the quantizer has none, and as
    /// [`QuantizedTensor::quantize_static`].
    pub fn quantize_calibrated(&self, activations: &Tensor) -> Result<QuantizedTensor> {
        let params = self.params.as_ref().ok_or_else(|| {
            Error::NoData(
                "params: the quantizer has none; BitNetQuantizer::with_params takes what \
                 Calibrator::calibrate gives"
                    .to_string(),
            )
        })?;
        let config = QuantizationConfig {
            symmetric: params.zero_points.is_empty(),
            ..self.config
        };
        QuantizedTensor::quantize_static(
            &Context::new(),
            &config.to_activation_config()?,
            &activations.view(),
            &params.scales,
            &params.zero_points,
            &params.offsets,
        )
    }

    /// Values of quantized weights, with a scale and zero point that may be others than those
    /// which they were quantized with.
    ///
    /// # Errors
    /// As [`quantize_activations`](BitNetQuantizer::quantize_activations), and where the
    /// tensor has not one scale.
    pub fn dequantize(
        &self, tensor: &QuantizedTensor, scale: f32, zero_point: i32,
    ) -> Result<Tensor> {
        let context = Context::new();
        let zero_points = self.zero_points(zero_point)?;
        let scales = [scale];
        let own = tensor.scales()[..] == scales && tensor.zero_points() == zero_points;
        if own {
            return dequantized(&context, tensor);
        }
        // As it is, but for the scale, which need not be one that a shorter type holds.
        let f32_scales = tensor.config()?.to_builder().scale_dtype(ScaleDType::F32);
        let config = f32_scales.double_quant(false).build()?;
        let parts: Vec<_> = Part::ALL
            .iter()
            .map(|&part| match part {
                Part::Scales => PartData::of(part, &scales),
                Part::ZeroPoints => PartData::of(part, &zero_points),
                _ => tensor.part(part),
            })
            .collect();
        let with = QuantizedTensor::from_parts(&context, &config, tensor.shape(), &parts)?;
        dequantized(&context, &with)
    }

    /// The quantized tensor, in memory of the pool.
    ///
    /// # Errors
    /// As [`QuantizedTensor::quantize`].
    pub fn quantize_tensor(
        &self, tensor: &Tensor, pool: &HybridMemoryPool,
    ) -> Result<QuantizedTensor> {
        self.quantize_in(pool.context(), tensor)
    }

    fn quantize_in(&self, context: &Context, tensor: &Tensor) -> Result<QuantizedTensor> {
        QuantizedTensor::quantize(context, &self.config.to_config()?, &tensor.view())
    }

    fn zero_points(&self, zero_point: i32) -> Result<Vec<i8>> {
        match i8::try_from(zero_point) {
            Ok(0) if self.config.symmetric => Ok(Vec::new()),
            Ok(zero_point) if !self.config.symmetric => Ok(vec![zero_point]),
            _ => Err(Error::InvalidArgument(format!(
                "zero_point: {} given; {} is accepted where symmetric = {}",
                zero_point,
                if self.config.symmetric {
                    "0"
                } else {
                    "-128 to 127"
                },
                self.config.symmetric
            ))),
        }
    }
}

impl Quantizer for BitNetQuantizer {
    fn config_of(&self, _layer: &str) -> Result<Option<Config>> {
        self.config.to_config().map(Some)
    }
}
