//! Where work runs.

use crate::allocator::Registration;
use crate::callback;
use crate::error::{check, Result};
use crate::ffi::{self, Handle};
use bitnet_quant_sys as sys;
use std::alloc::GlobalAlloc;
use std::fmt;
use std::ops::ControlFlow;
use std::os::raw::{c_char, c_void};
use std::ptr;
use std::sync::Arc;

/// How many messages a log receives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum LogLevel {
    /// What may not be meant so.
    Warning = sys::BNQ_LOG_WARNING as isize,
    /// What is done, too.
    Info = sys::BNQ_LOG_INFO as isize,
}

type Log = Box<dyn Fn(LogLevel, &str) + Send + Sync>;
type Interrupt = Box<dyn Fn() -> ControlFlow<()> + Send + Sync>;

/// Where work runs: the number of threads, and a log. Results never depend on it.
///
/// Several threads may use one context at the same time.
#[derive(Default)]
pub struct Context {
    // Dropped before what it calls.
    handle: Option<Handle<sys::bnq_context>>,
    // Behind an Arc because the library has a pointer to it, which moving a Box
    // would invalidate.
    log: Option<Arc<Log>>,
    interrupt: Option<Arc<Interrupt>>,
    #[cfg(feature = "rayon")]
    runner: Option<Arc<dyn std::any::Any + Send + Sync>>,
    allocator: Option<Registration>,
}

// SAFETY: bnq.h lets any thread use a context, and several at once run operations
// of it while nobody modifies it; what modifies it takes `&mut Context`.
unsafe impl Send for Context {}
// SAFETY: as above; what it calls is Sync.
unsafe impl Sync for Context {}

impl Context {
    /// The defaults: the calling thread only, no log.
    pub fn new() -> Context {
        Context::default()
    }

    /// With so many threads, as in [`set_threads`](Context::set_threads).
    pub fn with_threads(threads: usize) -> Result<Context> {
        let mut context = Context::new();
        context.set_threads(threads)?;
        Ok(context)
    }

    /// With an allocator that bulk memory comes from: codes, scales, buffers of files, scratch
    /// space. It is called from any thread, lives as long as the context and every block of
    /// it, and gives NULL for want of memory
    /// ([`OutOfMemory`](crate::Error::OutOfMemory)). What the context has made and outlives it
    /// keeps its blocks, and has new ones from the system.
    ///
    /// ```
    /// use bitnet_quant::Context;
    /// let context = Context::with_allocator(std::alloc::System)?;
    /// # Ok::<(), bitnet_quant::Error>(())
    /// ```
    pub fn with_allocator(allocator: impl GlobalAlloc + Send + Sync + 'static) -> Result<Context> {
        let allocator = Registration::new(allocator);
        let raw = allocator.raw();
        // SAFETY: an allocator, which is copied, and a place for the handle.
        let handle = Handle::create(|out| unsafe { sys::bnq_context_create(&raw, out) })?;
        Ok(Context {
            handle: Some(handle),
            allocator: Some(allocator),
            ..Context::default()
        })
    }

    /// The native context, made on first need: the defaults need none.
    fn native(&mut self) -> Result<*mut sys::bnq_context> {
        if self.handle.is_none() {
            // SAFETY: no allocator, and a place for the handle.
            let create = |out| unsafe { sys::bnq_context_create(ptr::null(), out) };
            self.handle = Some(Handle::create(create)?);
        }
        Ok(self.raw())
    }

    pub(crate) fn raw(&self) -> *mut sys::bnq_context {
        self.handle.as_ref().map_or(ptr::null_mut(), Handle::as_ptr)
    }

    /// Threads to use: 1 to 256, or 0 for one for each processor the process may
    /// use. They start on first use.
    pub fn set_threads(&mut self, threads: usize) -> Result<()> {
        let threads = ffi::narrow("threads", threads)?;
        let raw = self.native()?;
        // SAFETY: a live context that nobody uses, being borrowed mutably.
        check(unsafe { sys::bnq_context_set_threads(raw, threads) })
    }

    /// The number of threads operations use.
    pub fn threads(&self) -> usize {
        // SAFETY: a live context, or NULL.
        unsafe { sys::bnq_context_threads(self.raw()) as usize }
    }

    /// Whether files are mapped into memory (the default) or read into it by every
    /// function that takes a path. A mapped file must not be cut short while it, or
    /// a tensor read from it, is in use.
    pub fn set_mapping(&mut self, mapping: bool) -> Result<()> {
        let raw = self.native()?;
        // SAFETY: a live context that nobody uses.
        check(unsafe { sys::bnq_context_set_mapping(raw, i32::from(mapping)) })
    }

    /// Gives messages up to `level` to `log`: lines without a newline, on the
    /// thread that called this crate. If it panics, the panic goes on when the
    /// operation that wrote the message has come to its end.
    pub fn set_log<F>(&mut self, level: LogLevel, log: F) -> Result<()>
    where
        F: Fn(LogLevel, &str) + Send + Sync + 'static,
    {
        let log: Arc<Log> = Arc::new(Box::new(log));
        let opaque = Arc::as_ptr(&log) as *mut c_void;
        let raw = self.native()?;
        // SAFETY: a live context that nobody uses; the log lives longer than it.
        check(unsafe { sys::bnq_context_set_log(raw, Some(write_log), opaque, level as i32) })?;
        self.log = Some(log);
        Ok(())
    }

    /// Has every operation ask `interrupt` whether to go on, on the thread that
    /// called this crate and at least every 100 ms of work: `Break` makes it fail
    /// with [`Error::Cancelled`](crate::Error::Cancelled), and a panic goes
    /// on when it has come to its end. For Ctrl-C or a deadline.
    pub fn set_interrupt<F>(&mut self, interrupt: F) -> Result<()>
    where
        F: Fn() -> ControlFlow<()> + Send + Sync + 'static,
    {
        let interrupt: Arc<Interrupt> = Arc::new(Box::new(interrupt));
        let opaque = Arc::as_ptr(&interrupt) as *mut c_void;
        let raw = self.native()?;
        // SAFETY: a live context that nobody uses; the closure lives longer than it.
        check(unsafe { sys::bnq_context_set_interrupt(raw, Some(ask), opaque) })?;
        self.interrupt = Some(interrupt);
        Ok(())
    }

    /// Has `run` do the tasks of operations with at most so many workers; `host` is passed to
    /// it, by address.
    #[cfg(feature = "rayon")]
    pub(crate) fn set_runner<T: Send + Sync + 'static>(
        &mut self, host: T,
        run: unsafe extern "C" fn(*mut c_void, u64, sys::bnq_task_fn, *mut c_void) -> i32,
        workers: u32,
    ) -> Result<()> {
        let host = Arc::new(host);
        let runner = sys::bnq_runner {
            run: Some(run),
            opaque: Arc::as_ptr(&host) as *mut c_void,
            workers,
        };
        let raw = self.native()?;
        // SAFETY: a live context that nobody uses, and a runner, which is copied; what it needs
        // lives longer than the context.
        check(unsafe { sys::bnq_context_set_runner(raw, &runner) })?;
        self.runner = Some(host);
        Ok(())
    }

    /// No log any more.
    pub fn clear_log(&mut self) -> Result<()> {
        let raw = self.native()?;
        // SAFETY: a live context that nobody uses.
        check(unsafe {
            sys::bnq_context_set_log(raw, None, ptr::null_mut(), sys::BNQ_LOG_WARNING)
        })?;
        self.log = None;
        Ok(())
    }
}

unsafe extern "C" fn write_log(opaque: *mut c_void, level: i32, message: *const c_char) {
    // A panic is kept for the end of the native call.
    callback::catch(|| {
        let level = match level {
            sys::BNQ_LOG_WARNING => LogLevel::Warning,
            _ => LogLevel::Info,
        };
        // SAFETY: the log of a live context, and a C string valid for this call.
        let (log, message) = unsafe { (&*(opaque as *const Log), ffi::lossy(message)) };
        log(level, &message);
    });
}

unsafe extern "C" fn ask(opaque: *mut c_void) -> i32 {
    // SAFETY: the closure of a live context.
    match callback::catch(|| unsafe { (*(opaque as *const Interrupt))() }) {
        Some(ControlFlow::Continue(())) => 0,
        Some(ControlFlow::Break(())) | None => 1,
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("threads", &self.threads())
            .field("log", &self.log.is_some())
            .field("allocator", &self.allocator.is_some())
            .finish()
    }
}
