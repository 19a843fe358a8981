//! Setting the options of a calibrator.

use crate::calibration::{
    CalibrationMethod, CalibrationOption, Calibrator, KlVariant, MseVariant, ObserveNonFinite,
    OutlierRule,
};
use crate::choice::{Granularity, Scheme};
use crate::error::Result;
use crate::option;
use bitnet_quant_sys as sys;
use std::fmt;

/// Sets the options of a [`Calibrator`]. The first one that is refused is the error of
/// [`build`](CalibratorBuilder::build); those set after it are ignored.
#[derive(Debug)]
#[must_use = "a builder makes nothing until build() is called"]
pub struct CalibratorBuilder {
    calibrator: Result<Calibrator>,
}

impl CalibratorBuilder {
    pub(crate) fn new(calibrator: Result<Calibrator>) -> CalibratorBuilder {
        CalibratorBuilder { calibrator }
    }

    fn then(mut self, set: impl FnOnce(*mut sys::bnq_options) -> Result<()>) -> CalibratorBuilder {
        if let Ok(calibrator) = &mut self.calibrator {
            // SAFETY: a live calibrator.
            let options = unsafe { sys::bnq_calibrator_settings(calibrator.raw_mut()) };
            if let Err(error) = set(options) {
                self.calibrator = Err(error);
            }
        }
        self
    }

    fn int(self, option: CalibrationOption, value: i64) -> CalibratorBuilder {
        // SAFETY: a live calibrator that nobody else has.
        self.then(|options| unsafe { option::set_int(options, option.id(), value) })
    }

    fn float(self, option: CalibrationOption, value: f64) -> CalibratorBuilder {
        // SAFETY: a live calibrator that nobody else has.
        self.then(|options| unsafe { option::set_float(options, option.id(), value) })
    }

    /// How the range is found; [`CalibrationMethod::MinMax`] by default.
    pub fn method(self, method: CalibrationMethod) -> CalibratorBuilder {
        self.int(CalibrationOption::METHOD, method as i64)
    }

    /// One range for everything, [`Granularity::Tensor`], which is the default, or one
    /// for each channel, [`Granularity::Channel`]; others are refused.
    pub fn granularity(self, granularity: Granularity) -> CalibratorBuilder {
        self.int(CalibrationOption::GRANULARITY, granularity as i64)
    }

    /// The dimension of channels, -8 to 7, negative from the end; -1 by default. The first
    /// batch decides how many there are.
    pub fn axis(self, axis: i32) -> CalibratorBuilder {
        self.int(CalibrationOption::AXIS, axis.into())
    }

    /// With [`Scheme::Symmetric`], the default, the range found is widened to one about 0
    /// (percentile looks for one from the outset).
    pub fn scheme(self, scheme: Scheme) -> CalibratorBuilder {
        self.int(CalibrationOption::SCHEME, scheme as i64)
    }

    /// At least this many bins, and at most twice as many, cover a histogram's range; 64
    /// to 16384, 2048 by default.
    pub fn bins(self, bins: u32) -> CalibratorBuilder {
        self.int(CalibrationOption::BINS, bins.into())
    }

    /// Bits of the codes to come, for kl and mse; 2 to 16, 8 by default.
    pub fn bits(self, bits: u32) -> CalibratorBuilder {
        self.int(CalibrationOption::BITS, bits.into())
    }

    /// The number of codes in place of bits: for mse of all of them, for kl of those of
    /// one sign; 0, the default, for as bits say.
    pub fn levels(self, levels: u32) -> CalibratorBuilder {
        self.int(CalibrationOption::LEVELS, levels.into())
    }

    /// The weight of a new batch, for the moving average and adaptive; 0.01 by default.
    pub fn averaging(self, weight: f64) -> CalibratorBuilder {
        self.float(CalibrationOption::AVERAGING, weight)
    }

    /// For adaptive, the most that an end of the range moves outwards in a step, in widths
    /// of the range; 0.5 by default.
    pub fn max_growth(self, widths: f64) -> CalibratorBuilder {
        self.float(CalibrationOption::MAX_GROWTH, widths)
    }

    /// For adaptive, the most of its width that the range loses in a step, 0 to 1; 0.1 by
    /// default.
    pub fn max_shrink(self, share: f64) -> CalibratorBuilder {
        self.float(CalibrationOption::MAX_SHRINK, share)
    }

    /// The percentage of [`CalibrationMethod::Percentile`], 50 to 100; 99.99 by default.
    pub fn percentile(self, percent: f64) -> CalibratorBuilder {
        self.float(CalibrationOption::PERCENTILE, percent)
    }

    /// Whose definition kl follows; TensorRT's by default.
    pub fn kl_variant(self, variant: KlVariant) -> CalibratorBuilder {
        self.int(CalibrationOption::KL_VARIANT, variant as i64)
    }

    /// Whose search mse is; exhaustive by default.
    pub fn mse_variant(self, variant: MseVariant) -> CalibratorBuilder {
        self.int(CalibrationOption::MSE_VARIANT, variant as i64)
    }

    /// What NaN and infinity in a batch do; they are an error by default.
    pub fn non_finite(self, policy: ObserveNonFinite) -> CalibratorBuilder {
        self.int(CalibrationOption::NON_FINITE, policy as i64)
    }

    /// Which values are outliers; none by default.
    pub fn outliers(self, rule: OutlierRule) -> CalibratorBuilder {
        self.int(CalibrationOption::OUTLIERS, rule as i64)
    }

    /// Percent of the values that are not outliers with [`OutlierRule::Percentile`], 50 to
    /// 100; 99.9 by default.
    pub fn outlier_percentile(self, percent: f64) -> CalibratorBuilder {
        self.float(CalibrationOption::OUTLIER_PERCENTILE, percent)
    }

    /// Standard deviations from the mean from which on values are outliers with
    /// [`OutlierRule::Deviations`], 0.1 to 1000; 6 by default.
    pub fn outlier_deviations(self, deviations: f64) -> CalibratorBuilder {
        self.float(CalibrationOption::OUTLIER_DEVIATIONS, deviations)
    }

    /// Whether what mean, variance, absmean, skewness and kurtosis are made of is kept,
    /// which about halves the speed.
    pub fn moments(self, on: bool) -> CalibratorBuilder {
        self.int(CalibrationOption::MOMENTS, on.into())
    }

    /// Whether a histogram is kept even where the method needs none.
    pub fn histogram(self, on: bool) -> CalibratorBuilder {
        self.int(CalibrationOption::HISTOGRAM, on.into())
    }

    /// Any option of the library by its name, and its value by name or number:
    /// `("method", "kl")`, `("bins", 4096)`. See
    /// [`calibration_options`](crate::calibration_options) for what there is.
    pub fn set(mut self, option: &str, value: impl fmt::Display) -> CalibratorBuilder {
        if let Ok(calibrator) = &mut self.calibrator {
            if let Err(error) = calibrator.set(option, value) {
                self.calibrator = Err(error);
            }
        }
        self
    }

    /// The calibrator, which has observed nothing.
    ///
    /// # Errors
    /// As [`ConfigBuilder::build`](crate::ConfigBuilder::build).
    pub fn build(self) -> Result<Calibrator> {
        self.calibrator
    }
}
