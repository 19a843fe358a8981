//! How errors are distributed.

use crate::array::ArrayView;
use crate::context::Context;
use crate::error::{check, Error, Result};
use crate::ffi::length;
use crate::library::check_library;
use crate::tensor::QuantizedTensor;
use bitnet_quant_sys as sys;

/// As `bnq.h` has it.
const MAX_BINS: u32 = 65536;

/// The errors e = original - other between two arrays, and how far their distributions are
/// from each other.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ErrorHistogram {
    /// The number of errors in each of the bins, equal parts of -m..m, where m is
    /// [`max_error`](ErrorHistogram::max_error): `counts[i]` of those from -m + i * w to
    /// below -m + (i + 1) * w, the last bin closed, with w = 2m / bins. All are in the
    /// middle bin where m is 0.
    pub counts: Vec<u64>,
    /// The greatest |e|.
    pub max_error: f64,
    /// The Kullback-Leibler divergence, in nats, of the other array's distribution from the
    /// original's, each as a histogram of as many bins over the range of both, with 1e-10
    /// added to each bin's share; 0 where all values are equal.
    pub kl: f64,
}

impl ErrorHistogram {
    /// Runs a native call that writes that many counts, the greatest error and the
    /// divergence.
    fn read(
        bins: u32, call: impl FnOnce(*mut u64, *mut f64, *mut f64) -> sys::bnq_status,
    ) -> Result<ErrorHistogram> {
        check_library()?;
        // Before there is memory for them.
        if bins > MAX_BINS {
            return Err(Error::InvalidArgument(format!(
                "bins: {} is too large; 2 to {} are accepted",
                bins, MAX_BINS
            )));
        }
        let mut counts = vec![0; length(bins.into())];
        let (mut max_error, mut kl) = (f64::NAN, f64::NAN);
        check(call(counts.as_mut_ptr(), &mut max_error, &mut kl))?;
        Ok(ErrorHistogram {
            counts,
            max_error,
            kl,
        })
    }
}

/// The distribution of the errors between two arrays of one shape, each of F64, F32, F16 or
/// BF16, in 2 to 65536 bins.
///
/// # Errors
/// As [`compare`](crate::compare), and
/// [`InvalidArgument`](crate::Error::InvalidArgument) for another number of bins.
///
/// ```
/// use bitnet_quant::{compare_histogram, ArrayView, Context};
///
/// let (a, b) = ([1.0f32, 2.0, 3.0, 4.0], [1.0f32, 2.5, 3.0, 3.0]);
/// let (a, b) = (ArrayView::new(&a, &[4])?, ArrayView::new(&b, &[4])?);
/// let errors = compare_histogram(&Context::new(), &a, &b, 4)?;
/// assert_eq!((errors.max_error, errors.counts), (1.0, vec![0, 1, 2, 1]));
/// # Ok::<(), bitnet_quant::Error>(())
/// ```
pub fn compare_histogram(
    context: &Context, original: &ArrayView<'_>, other: &ArrayView<'_>, bins: u32,
) -> Result<ErrorHistogram> {
    let (a, b) = (original.raw(), other.raw());
    ErrorHistogram::read(bins, |counts, max_error, kl| {
        // SAFETY: a live context and arrays, a buffer of that many counts, and places for
        // the others.
        unsafe { sys::bnq_compare_histogram(context.raw(), &a, &b, bins, counts, max_error, kl) }
    })
}

impl QuantizedTensor {
    /// The distribution of the errors between `original`, of the same shape, and what the
    /// tensor dequantizes to, as [`compare_histogram`] has it.
    pub fn compare_histogram(
        &self, context: &Context, original: &ArrayView<'_>, bins: u32,
    ) -> Result<ErrorHistogram> {
        let array = original.raw();
        ErrorHistogram::read(bins, |counts, max_error, kl| {
            // SAFETY: live handles and array, and as above.
            unsafe {
                sys::bnq_tensor_compare_histogram(
                    context.raw(),
                    &array,
                    self.raw(),
                    bins,
                    counts,
                    max_error,
                    kl,
                )
            }
        })
    }
}
