//! How much was lost.

use crate::array::ArrayView;
use crate::context::Context;
use crate::error::{check, Result};
use crate::ffi;
use crate::library::check_library;
use bitnet_quant_sys as sys;

/// Metrics of a comparison of an original a with another b of the same shape, with
/// e = a - b, in double precision; the same on every machine.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Metrics {
    /// Mean of e^2.
    pub mse: f64,
    /// Mean of |e|.
    pub mae: f64,
    /// Greatest |e|.
    pub max_error: f64,
    /// 10 log10(sum a^2 / sum e^2) in dB; +infinity where e is 0 throughout,
    /// -infinity where only a is.
    pub sqnr_db: f64,
    /// sum ab / sqrt(sum a^2 sum b^2), from -1 to 1; 1 where both are 0 throughout,
    /// 0 where one of them is.
    pub cosine: f64,
}

/// The metrics of a quantized tensor against what it was made of.
pub type QuantizationMetrics = Metrics;

impl Metrics {
    /// Runs a native call that writes metrics.
    pub(crate) fn read(call: impl FnOnce(*mut f64, u32) -> sys::bnq_status) -> Result<Metrics> {
        let mut values = [f64::NAN; sys::BNQ_NUM_METRICS];
        check(call(values.as_mut_ptr(), values.len() as u32))?;
        Ok(Metrics {
            mse: values[sys::BNQ_METRIC_MSE],
            mae: values[sys::BNQ_METRIC_MAE],
            max_error: values[sys::BNQ_METRIC_MAX_ERROR],
            sqnr_db: values[sys::BNQ_METRIC_SQNR_DB],
            cosine: values[sys::BNQ_METRIC_COSINE],
        })
    }

    /// The metrics with their names, in the order of the library: "mse", "mae",
    /// "max_error", "sqnr_db", "cosine".
    pub fn named(&self) -> [(&'static str, f64); 5] {
        // SAFETY: any index is accepted; names of the registry live for ever.
        let name = |index: usize| unsafe {
            ffi::text(sys::bnq_metric_name(index as u32)).unwrap_or("unknown")
        };
        [
            (name(sys::BNQ_METRIC_MSE), self.mse),
            (name(sys::BNQ_METRIC_MAE), self.mae),
            (name(sys::BNQ_METRIC_MAX_ERROR), self.max_error),
            (name(sys::BNQ_METRIC_SQNR_DB), self.sqnr_db),
            (name(sys::BNQ_METRIC_COSINE), self.cosine),
        ]
    }
}

/// Compares two arrays of one shape, each of F64, F32, F16 or BF16.
///
/// # Errors
/// [`InvalidArgument`](crate::Error::InvalidArgument) where the shapes differ,
/// [`NonFinite`](crate::Error::NonFinite), [`NoData`](crate::Error::NoData) for
/// empty arrays.
pub fn compare(
    context: &Context, original: &ArrayView<'_>, other: &ArrayView<'_>,
) -> Result<Metrics> {
    check_library()?;
    original.with_raw(|a| {
        other.with_raw(|b| {
            // SAFETY: live arrays, and a buffer of that many metrics.
            Metrics::read(|out, count| unsafe { sys::bnq_compare(context.raw(), a, b, out, count) })
        })
    })
}
