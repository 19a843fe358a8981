//! Closures called from native code: what they panic with is kept on the way
//! through the native frames and goes on behind them.

use crate::cstr;
use bitnet_quant_sys as sys;
use std::any::Any;
use std::cell::RefCell;
use std::mem;
use std::ops::ControlFlow;
use std::os::raw::{c_char, c_void};
use std::panic::{catch_unwind, resume_unwind, AssertUnwindSafe};

thread_local! {
    /// Callbacks run on the thread that called the library, so that the panic of
    /// one waits here until the call returns.
    static PANIC: RefCell<Option<Box<dyn Any + Send>>> = RefCell::new(None);
}

/// Runs a callback; `None` if it panicked. Never unwinds.
pub(crate) fn catch<R>(callback: impl FnOnce() -> R) -> Option<R> {
    match catch_unwind(AssertUnwindSafe(callback)) {
        Ok(result) => Some(result),
        Err(payload) => {
            let mut payload = Some(payload);
            // Fails in a thread whose locals are gone: then there is nobody to tell.
            let _ = PANIC.try_with(|first| {
                let mut first = first.borrow_mut();
                if first.is_none() {
                    *first = payload.take();
                }
            });
            // Dropping a payload runs foreign code, which might panic again.
            mem::forget(payload);
            None
        }
    }
}

/// Goes on with the panic of a callback, if there was one.
pub(crate) fn resume_panic() {
    let payload = PANIC.try_with(|first| first.borrow_mut().take());
    if let Ok(Some(payload)) = payload {
        resume_unwind(payload);
    }
}

/// How far a long operation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress<'a> {
    /// Bytes of input done.
    pub done: u64,
    /// Bytes of input in all.
    pub total: u64,
    /// The tensor being worked on.
    pub item: &'a str,
}

/// A progress closure for those who want none: `quantize_file(..., no_progress)`.
pub fn no_progress(_: &Progress<'_>) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// The C callback and its opaque pointer for a progress closure, which must stay
/// where it is until the native call has returned.
pub(crate) fn progress<F>(closure: &mut F) -> (sys::bnq_progress_fn, *mut c_void)
where
    F: FnMut(&Progress<'_>) -> ControlFlow<()>,
{
    unsafe extern "C" fn call<F>(
        opaque: *mut c_void, done: u64, total: u64, item: *const c_char,
    ) -> i32
    where
        F: FnMut(&Progress<'_>) -> ControlFlow<()>,
    {
        let flow = catch(|| {
            // SAFETY: the closure given below, borrowed for the native call; the
            // library calls it on this thread, one call at a time.
            let closure = unsafe { &mut *opaque.cast::<F>() };
            // SAFETY: NULL or a C string that is valid for this call.
            let item = unsafe { cstr::lossy(item) };
            closure(&Progress {
                done,
                total,
                item: &item,
            })
        });
        match flow {
            Some(ControlFlow::Continue(())) => 0,
            Some(ControlFlow::Break(())) | None => 1,
        }
    }
    let opaque: *mut F = closure;
    (Some(call::<F>), opaque.cast())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_panic_goes_on_and_only_once() {
        assert_eq!(catch(|| 7), Some(7));
        resume_panic();
        assert_eq!(catch(|| -> i32 { panic!("first") }), None);
        assert_eq!(catch(|| -> i32 { panic!("second") }), None);
        let payload = catch_unwind(resume_panic).unwrap_err();
        assert_eq!(payload.downcast_ref::<&str>(), Some(&"first"));
        resume_panic();
    }
}
