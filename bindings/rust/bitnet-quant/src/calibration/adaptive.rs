//! Quantizing activations online.

use crate::array::ArrayView;
use crate::calibration::{CalibrationMethod, Calibrator, ValueRange};
use crate::config::Config;
use crate::context::Context;
use crate::error::Result;
use crate::tensor::QuantizedTensor;

/// Quantizes activations as they come, each batch in a range that follows them.
///
/// The range is an average over the batches, whose steps are bounded
/// ([`max_growth`](crate::CalibratorBuilder::max_growth),
/// [`max_shrink`](crate::CalibratorBuilder::max_shrink),
/// [`averaging`](crate::CalibratorBuilder::averaging)), so that a single wild batch does
/// not spoil those after it: what lies outside is clamped.
///
/// ```
/// use bitnet_quant::{AdaptiveActivationQuantizer, ArrayView, Config, Context};
/// use bitnet_quant::{Format, Granularity};
///
/// let context = Context::new();
/// let config = Config::builder()
///     .format(Format::INT8)
///     .granularity(Granularity::Tensor)
///     .build()?;
/// let mut quantizer = AdaptiveActivationQuantizer::new(config)?;
/// for batch in [[1.0f32, -0.5], [0.9, 0.3], [100.0, 0.1]] {
///     let tensor = quantizer.quantize(&context, &ArrayView::new(&batch, &[2])?)?;
///     println!("{:?} x {:?}", tensor.unpack(&context)?, tensor.scales());
/// }
/// assert!(quantizer.range(&context)?[0].hi < 3.0);
/// # Ok::<(), bitnet_quant::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct AdaptiveActivationQuantizer {
    calibrator: Calibrator,
    config: Config,
}

impl AdaptiveActivationQuantizer {
    /// With the default bounds. The granularity of `config` must be
    /// [`Tensor`](crate::Granularity::Tensor) or [`Channel`](crate::Granularity::Channel)
    /// when batches are quantized.
    pub fn new(config: Config) -> Result<AdaptiveActivationQuantizer> {
        let calibrator = Calibrator::builder_for(&config)?
            .method(CalibrationMethod::Adaptive)
            .build()?;
        Ok(AdaptiveActivationQuantizer::with_calibrator(
            config, calibrator,
        ))
    }

    /// With a calibrator of your own options, of any method; see
    /// [`Calibrator::builder_for`]. What it has observed counts.
    pub fn with_calibrator(config: Config, calibrator: Calibrator) -> AdaptiveActivationQuantizer {
        AdaptiveActivationQuantizer { calibrator, config }
    }

    /// Lets the range follow a batch, and quantizes it in the new range. Errors as in
    /// [`Calibrator::observe`] and [`QuantizedTensor::quantize_calibrated`].
    pub fn quantize(
        &mut self, context: &Context, batch: &ArrayView<'_>,
    ) -> Result<QuantizedTensor> {
        self.calibrator.observe(context, batch)?;
        QuantizedTensor::quantize_calibrated(context, &self.config, &self.calibrator, batch)
    }

    /// The same, and how many values were clamped, as
    /// [`QuantizedTensor::quantize_calibrated_counting`].
    pub fn quantize_counting(
        &mut self, context: &Context, batch: &ArrayView<'_>,
    ) -> Result<(QuantizedTensor, u64)> {
        self.calibrator.observe(context, batch)?;
        let (config, calibrator) = (&self.config, &self.calibrator);
        QuantizedTensor::quantize_calibrated_counting(context, config, calibrator, batch)
    }

    /// The range of each channel now. [`NoData`](crate::Error::NoData) before the first
    /// batch.
    pub fn range(&self, context: &Context) -> Result<Vec<ValueRange>> {
        self.calibrator.range(context)
    }

    /// What to quantize into.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The calibrator that follows the batches.
    pub fn calibrator(&self) -> &Calibrator {
        &self.calibrator
    }

    /// Forgets the batches: the next one starts a new range.
    pub fn reset(&mut self) -> Result<()> {
        self.calibrator.reset()
    }
}
