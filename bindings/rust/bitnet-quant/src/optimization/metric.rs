//! A metric of the caller's, called from native code.

use crate::callback::catch;
use crate::ffi;
use bitnet_quant_sys as sys;
use std::os::raw::c_void;

/// A closure for the error of dequantized values, and the error it fails with, which waits
/// here until the native call has returned.
pub(crate) struct Metric<F, E> {
    closure: F,
    error: Option<E>,
}

impl<F, E> Metric<F, E>
where
    F: FnMut(&[f32], &[f32]) -> Result<f64, E>,
{
    pub(crate) fn new(closure: F) -> Metric<F, E> {
        Metric {
            closure,
            error: None,
        }
    }

    /// The C callback and its opaque pointer; this must stay where it is as long as they
    /// can be called.
    pub(crate) fn callback(&mut self) -> (sys::bnq_metric_fn, *mut c_void) {
        let opaque: *mut Metric<F, E> = self;
        (Some(call::<F, E>), opaque.cast())
    }

    /// What the closure failed with.
    pub(crate) fn into_error(self) -> Option<E> {
        self.error
    }
}

unsafe extern "C" fn call<F, E>(
    opaque: *mut c_void, original: *const f32, dequantized: *const f32, count: u64,
    out_error: *mut f64,
) -> i32
where
    F: FnMut(&[f32], &[f32]) -> Result<f64, E>,
{
    let outcome = catch(|| {
        // SAFETY: the metric given above, borrowed for the native call; the library calls it
        // on this thread, one call at a time.
        let metric = unsafe { &mut *opaque.cast::<Metric<F, E>>() };
        // SAFETY: that many values each, which stay as they are for this call.
        let (original, dequantized) =
            unsafe { (ffi::slice(original, count), ffi::slice(dequantized, count)) };
        match (metric.closure)(original, dequantized) {
            Ok(error) => {
                // SAFETY: a place for the error.
                unsafe { *out_error = error };
                0
            }
            Err(error) => {
                metric.error = Some(error);
                1
            }
        }
    });
    // A panic waits, too, and stops.
    outcome.unwrap_or(1)
}
