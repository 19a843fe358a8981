//! What a calibrator knows about the values it has observed.

use crate::context::Context;
use crate::error::{check, Result};
use crate::ffi::{self, length};
use bitnet_quant_sys as sys;
use std::fmt;

/// Statistics of observed values, in double precision; the same on every machine.
///
/// Those that are not known are NaN: mean, variance, absmean, skewness and kurtosis
/// without the option [`moments`](crate::CalibratorBuilder::moments) (which
/// [`OutlierRule::Deviations`](crate::OutlierRule::Deviations) implies), skewness and
/// kurtosis of values that are all equal, all but the counts where there are no values.
#[derive(Clone, PartialEq)]
pub struct Statistics {
    /// As many as the library has, in its order, which is only ever appended to.
    values: Vec<f64>,
}

impl Statistics {
    /// Of a channel, or of [`sys::BNQ_ALL_CHANNELS`].
    pub(crate) fn of(
        context: &Context, calibrator: *const sys::bnq_calibrator, channel: u64,
    ) -> Result<Statistics> {
        // SAFETY: never fails.
        let count = unsafe { sys::bnq_statistic_count() };
        let mut values = vec![f64::NAN; length(count.into())];
        // SAFETY: a live calibrator, and a buffer of that many statistics.
        check(unsafe {
            sys::bnq_calibrator_statistics(
                context.raw(),
                calibrator,
                channel,
                values.as_mut_ptr(),
                count,
            )
        })?;
        Ok(Statistics { values })
    }

    fn at(&self, index: usize) -> f64 {
        self.values.get(index).copied().unwrap_or(f64::NAN)
    }

    /// The number of finite values.
    pub fn count(&self) -> u64 {
        self.at(sys::BNQ_STATISTIC_COUNT) as u64
    }

    /// The least value.
    pub fn min(&self) -> f64 {
        self.at(sys::BNQ_STATISTIC_MIN)
    }

    /// The greatest value.
    pub fn max(&self) -> f64 {
        self.at(sys::BNQ_STATISTIC_MAX)
    }

    /// The mean.
    pub fn mean(&self) -> f64 {
        self.at(sys::BNQ_STATISTIC_MEAN)
    }

    /// The variance of the whole population: divided by the count.
    pub fn variance(&self) -> f64 {
        self.at(sys::BNQ_STATISTIC_VARIANCE)
    }

    /// The greatest |x|.
    pub fn absmax(&self) -> f64 {
        self.at(sys::BNQ_STATISTIC_ABSMAX)
    }

    /// The mean of |x|.
    pub fn absmean(&self) -> f64 {
        self.at(sys::BNQ_STATISTIC_ABSMEAN)
    }

    /// The third central moment over variance^1.5.
    pub fn skewness(&self) -> f64 {
        self.at(sys::BNQ_STATISTIC_SKEWNESS)
    }

    /// The fourth central moment over variance^2; 3 for Gaussian values.
    pub fn kurtosis(&self) -> f64 {
        self.at(sys::BNQ_STATISTIC_KURTOSIS)
    }

    /// The share of the values that are 0, from 0 to 1.
    pub fn zero_share(&self) -> f64 {
        self.at(sys::BNQ_STATISTIC_ZERO_SHARE)
    }

    /// The number of values that were skipped, being NaN or infinite.
    pub fn non_finite(&self) -> u64 {
        self.at(sys::BNQ_STATISTIC_NON_FINITE) as u64
    }

    /// The number of values beyond the limits of the
    /// [`OutlierRule`](crate::OutlierRule).
    pub fn outliers(&self) -> u64 {
        self.at(sys::BNQ_STATISTIC_OUTLIERS) as u64
    }

    /// All that the library has, with their names, in its order: "count", "min", ...
    pub fn named(&self) -> impl ExactSizeIterator<Item = (&'static str, f64)> + '_ {
        self.values.iter().enumerate().map(|(index, value)| {
            // SAFETY: any index is accepted; names of the registry live for ever.
            let name = unsafe { ffi::text(sys::bnq_statistic_name(index as u32)) };
            (name.unwrap_or("unknown"), *value)
        })
    }
}

impl fmt::Debug for Statistics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Statistics");
        for (name, value) in self.named() {
            out.field(name, &value);
        }
        out.finish()
    }
}

/// How many of the observed values lie where: `counts[i]` of them are from
/// `first + i * width` to below `first + (i + 1) * width`.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Histogram {
    /// Where the first bin begins.
    pub first: f64,
    /// The width of a bin, a power of two.
    pub width: f64,
    /// The number of values in each; empty where there were none.
    pub counts: Vec<u64>,
}

impl Histogram {
    pub(crate) fn of(calibrator: *const sys::bnq_calibrator, channel: u64) -> Result<Histogram> {
        let (mut first, mut width) = (0.0, 0.0);
        let mut counts = Vec::new();
        let mut bins = 0;
        // The number of bins, and with room for them the counts.
        for _ in 0..2 {
            counts = vec![0; length(bins)];
            // SAFETY: a live calibrator, a buffer of that many counts or NULL, and places
            // for the others.
            check(unsafe {
                sys::bnq_calibrator_histogram(
                    calibrator,
                    channel,
                    ffi::pointer_mut(&mut counts),
                    counts.len() as u64,
                    &mut bins,
                    &mut first,
                    &mut width,
                )
            })?;
        }
        Ok(Histogram {
            first,
            width,
            counts,
        })
    }
}
