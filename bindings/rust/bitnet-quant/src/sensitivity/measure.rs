//! A model's loss that the caller measures, called from native code.

use crate::callback::catch;
use crate::config::Config;
use crate::ffi::{self, Handle};
use bitnet_quant_sys as sys;
use std::os::raw::{c_char, c_void};

/// A closure for the loss of a model with one tensor under one config, and the error it fails
/// with, which waits here until the native call has returned.
pub(super) struct Measure<F, E> {
    closure: F,
    error: Option<E>,
}

impl<F, E> Measure<F, E>
where
    F: FnMut(&str, &Config) -> Result<f64, E>,
{
    pub(super) fn new(closure: F) -> Measure<F, E> {
        Measure {
            closure,
            error: None,
        }
    }

    /// The C callback and its opaque pointer; this must stay where it is as long as they
    /// can be called.
    pub(super) fn callback(&mut self) -> (sys::bnq_sensitivity_fn, *mut c_void) {
        let opaque: *mut Measure<F, E> = self;
        (Some(call::<F, E>), opaque.cast())
    }

    /// What the closure failed with.
    pub(super) fn into_error(self) -> Option<E> {
        self.error
    }
}

unsafe extern "C" fn call<F, E>(
    opaque: *mut c_void, tensor: *const c_char, config: *const sys::bnq_config,
    out_metric: *mut f64,
) -> i32
where
    F: FnMut(&str, &Config) -> Result<f64, E>,
{
    let outcome = catch(|| {
        // SAFETY: the measure given above, borrowed for the native call; the library calls it
        // on this thread, one call at a time.
        let measure = unsafe { &mut *opaque.cast::<Measure<F, E>>() };
        // SAFETY: a C string that lives for this call.
        let tensor = unsafe { ffi::text(tensor) }.unwrap_or("");
        // SAFETY: a config that lives for this call, and is only read.
        let config = unsafe { Handle::borrowed(config, Config::from_handle) }
            .expect("libbnq gave no config");
        match (measure.closure)(tensor, &config) {
            Ok(metric) => {
                // SAFETY: a place for the metric.
                unsafe { *out_metric = metric };
                0
            }
            Err(error) => {
                measure.error = Some(error);
                1
            }
        }
    });
    // A panic waits, too, and stops.
    outcome.unwrap_or(1)
}
