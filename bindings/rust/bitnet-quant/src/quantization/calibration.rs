//! Parameters of values that go by.

use crate::array::ArrayView;
use crate::calibration;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::quantization::types::{QuantParams, QuantScheme, QuantType};

/// How the range of values is found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum CalibrationMethod {
    /// Minimum and maximum.
    MinMax,
    /// Those of each batch, averaged: [`MovingAverage`](crate::CalibrationMethod::MovingAverage).
    MovingAverageMinMax,
    /// The range that holds a share of the values, 0.5 to 1: 0.999, say.
    Percentile(f64),
    /// The least Kullback-Leibler divergence: [`Kl`](crate::CalibrationMethod::Kl).
    Histogram,
}

/// A share as the library has it, in percent.
pub(crate) fn percent(share: f64) -> Result<f64> {
    if (0.5..=1.0).contains(&share) {
        return Ok(share * 100.0);
    }
    Err(Error::InvalidArgument(format!(
        "percentile: {} given; a share from 0.5 to 1 is accepted, such as 0.999",
        share
    )))
}

/// Watches values go by, and finds the parameters to quantize them with.
/// [`crate::Calibrator`] has more.
#[derive(Debug, Clone)]
pub struct Calibrator {
    calibrator: calibration::Calibrator,
    quant_type: QuantType,
    symmetric: bool,
}

impl Calibrator {
    /// Of nothing yet.
    ///
    /// # Errors
    /// [`InvalidArgument`](Error::InvalidArgument) for a share beyond 0.5 to 1.
    pub fn new(
        method: CalibrationMethod, quant_type: QuantType, symmetric: bool,
    ) -> Result<Calibrator> {
        let builder = if quant_type.format().has_scales()? {
            let config = quant_type.config(QuantScheme::of(symmetric))?;
            calibration::Calibrator::builder_for(&config)?
        } else {
            calibration::Calibrator::builder()
        };
        let builder = match method {
            CalibrationMethod::MinMax => builder.method(crate::CalibrationMethod::MinMax),
            CalibrationMethod::MovingAverageMinMax => {
                builder.method(crate::CalibrationMethod::MovingAverage)
            }
            CalibrationMethod::Percentile(share) => builder
                .method(crate::CalibrationMethod::Percentile)
                .percentile(percent(share)?),
            CalibrationMethod::Histogram => builder.method(crate::CalibrationMethod::Kl),
        };
        Ok(Calibrator {
            calibrator: builder.build()?,
            quant_type,
            symmetric,
        })
    }

    /// Observes values.
    ///
    /// # Errors
    /// [`NonFinite`](Error::NonFinite) names the index.
    pub fn observe(&mut self, data: &[f32]) -> Result<()> {
        let array = ArrayView::new(data, &[data.len()])?;
        self.calibrator.observe(&Context::new(), &array)
    }

    /// The parameters for the values observed; of FP16 and BF16 a scale of 1.
    ///
    /// # Errors
    /// [`NoData`](Error::NoData) before there are values.
    pub fn compute_params(&self) -> Result<QuantParams> {
        let (mut scale, mut zero_point) = (1.0, 0);
        if self.quant_type.format().has_scales()? {
            let config = self.quant_type.config(QuantScheme::of(self.symmetric))?;
            let params = self.calibrator.params(&Context::new(), &config)?;
            scale = params.scales[0];
            zero_point = params.zero_points.first().map_or(0, |&zero| zero.into());
        }
        Ok(QuantParams {
            scale,
            zero_point,
            quant_type: self.quant_type,
        })
    }

    /// Forgets the values.
    pub fn reset(&mut self) -> Result<()> {
        self.calibrator.reset()
    }
}
