//! Work in a pool of rayon (feature `rayon`).
//!
//! A program that has its threads from rayon needs none of the library's: [`set_pool`] has what a
//! context does run in a pool of rayon's, so that calls from within `par_iter` share its threads
//! instead of starting more. Many small arrays at once are [`par_quantize`], many models
//! [`par_quantize_files`]. The bytes are the same for every pool.

use crate::array::ArrayView;
use crate::callback::no_progress;
use crate::config::Config;
use crate::context::Context;
use crate::convert::{quantize_file, Report};
use crate::error::{Error, Result};
use crate::plan::Plan;
use crate::tensor::QuantizedTensor;
use crate::writer::WriteOptions;
use ::rayon::prelude::*;
use ::rayon::ThreadPool;
use bitnet_quant_sys as sys;
use std::collections::BTreeMap;
use std::os::raw::c_void;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// A pool, or the global one.
type Pool = Option<Arc<ThreadPool>>;

/// More than the library takes are not used.
const MAX_WORKERS: usize = 4096;

/// A context whose work runs in a pool, or in rayon's global one.
///
/// ```
/// use bitnet_quant::{rayon, ArrayView, QuantizedTensor};
/// use std::sync::Arc;
///
/// let pool = ::rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
/// let context = rayon::context(Arc::new(pool))?;
/// assert_eq!(context.threads(), 3);
///
/// let weights = vec![0.5f32; 1 << 16];
/// let array = ArrayView::new(&weights, &[256, 256])?;
/// let tensor = QuantizedTensor::quantize(&context, &"nf4".parse()?, &array)?;
/// # Ok::<(), bitnet_quant::Error>(())
/// ```
pub fn context(pool: impl Into<Option<Arc<ThreadPool>>>) -> Result<Context> {
    let mut context = Context::new();
    set_pool(&mut context, pool)?;
    Ok(context)
}

/// Has the work of a context run in a pool, or in rayon's global one (`None`), in place of
/// threads of the library's own.
pub fn set_pool(context: &mut Context, pool: impl Into<Option<Arc<ThreadPool>>>) -> Result<()> {
    let pool: Pool = pool.into();
    let workers = threads(&pool) as u32;
    context.set_runner(pool, run, workers)
}

/// Quantizes many arrays, each a job of the pool that this is called in, and large ones several
/// where `context` is of that pool: what [`quantize`](QuantizedTensor::quantize) makes of each.
///
/// # Errors
/// As there, for the first array that has one, which it names (`array 3: ...`).
///
/// ```
/// use bitnet_quant::rayon::{context, par_quantize};
/// use bitnet_quant::ArrayView;
///
/// let layers = vec![vec![0.25f32; 4096]; 20];
/// let arrays: Result<Vec<_>, _> =
///     layers.iter().map(|layer| ArrayView::new(layer, &[64, 64])).collect();
/// let tensors = par_quantize(&context(None)?, &"int4_per_group_32".parse()?, &arrays?)?;
/// assert_eq!(tensors.len(), 20);
/// # Ok::<(), bitnet_quant::Error>(())
/// ```
pub fn par_quantize(
    context: &Context, config: &Config, arrays: &[ArrayView<'_>],
) -> Result<Vec<QuantizedTensor>> {
    let one = |array| QuantizedTensor::quantize(context, config, array);
    // All of them first: which error is the first one is not for the threads to say.
    let tensors: Vec<_> = arrays.par_iter().map(one).collect();
    let named =
        |(i, tensor): (usize, Result<_>)| tensor.map_err(|error| error.of(&format!("array {}", i)));
    tensors.into_iter().enumerate().map(named).collect()
}

/// Quantizes many model files, (input, output) each, as
/// [`quantize_file`] does: as many at a time as the pool that this is
/// called in has threads, and a large one with the threads that are free where `context` is of
/// that pool. One that fails does not end the others; its error names the input.
///
/// # Errors
/// [`InvalidArgument`](Error::InvalidArgument) where two files have one output.
pub fn par_quantize_files<P: AsRef<Path> + Sync>(
    context: &Context, plan: &Plan, files: &[(P, P)], options: WriteOptions,
) -> Result<Vec<Result<Report>>> {
    let mut outputs = BTreeMap::new();
    for (input, output) in files {
        let (input, output) = (input.as_ref(), output.as_ref());
        if let Some(other) = outputs.insert(output, input) {
            return Err(Error::InvalidArgument(format!(
                "files: {} is the output of {} and of {}; an output for each is accepted",
                output.display(),
                other.display(),
                input.display()
            )));
        }
    }
    let one = |(input, output): &(P, P)| {
        let report = quantize_file(context, plan, input, output, options, no_progress);
        report.map_err(|error| error.of(&input.as_ref().display().to_string()))
    };
    Ok(files.par_iter().map(one).collect())
}

/// A `bnq_runner`: `opaque` is a [`Pool`].
///
/// The calling thread takes one task after the other, and so does a job on each other thread of
/// the pool that comes to it in time; at the end it waits for those that have begun. It never
/// does other jobs of the pool meanwhile: they might call the library again, in the middle of
/// the operation that waits here. A worker's number is that of its job, so that no two tasks
/// have it at a time.
unsafe extern "C" fn run(
    opaque: *mut c_void, count: u64, task: sys::bnq_task_fn, task_opaque: *mut c_void,
) -> i32 {
    let task = match task {
        Some(task) => task,
        None => return 1,
    };
    // SAFETY: the pool of a live context.
    let pool = unsafe { &*opaque.cast::<Pool>() };
    let work = Arc::new(Work {
        task,
        task_opaque,
        count,
        next: AtomicU64::new(0),
        state: Mutex::default(),
        ended: Condvar::new(),
    });
    for worker in 1..(threads(pool) as u64).min(count) as u32 {
        let work = Arc::clone(&work);
        let job = move || work.help(worker);
        match pool {
            Some(pool) => pool.spawn(job),
            None => ::rayon::spawn(job),
        }
    }
    work.take(0);
    work.close();
    0
}

/// The threads of a pool that the library takes.
fn threads(pool: &Pool) -> usize {
    let threads = match pool {
        Some(pool) => pool.current_num_threads(),
        None => ::rayon::current_num_threads(),
    };
    threads.min(MAX_WORKERS)
}

/// What the library wants done.
struct Work {
    task: unsafe extern "C" fn(*mut c_void, u64, u32),
    task_opaque: *mut c_void,
    count: u64,
    next: AtomicU64,
    state: Mutex<State>,
    ended: Condvar,
}

#[derive(Default)]
struct State {
    /// Jobs that are at work.
    active: usize,
    /// Whether the library has, or is about to have, its thread back: its task is no more.
    closed: bool,
}

// SAFETY: tasks may run on any threads, several at once.
unsafe impl Send for Work {}
// SAFETY: as above.
unsafe impl Sync for Work {}

impl Work {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes tasks until there are none.
    fn take(&self, worker: u32) {
        loop {
            let index = self.next.fetch_add(1, Ordering::Relaxed);
            if index >= self.count {
                return;
            }
            // SAFETY: each index once, by a worker who does one at a time, while the work is
            // not closed.
            unsafe { (self.task)(self.task_opaque, index, worker) };
        }
    }

    /// The same on a thread of the pool, unless it is too late.
    fn help(&self, worker: u32) {
        {
            let mut state = self.state();
            if state.closed {
                return;
            }
            state.active += 1;
        }
        self.take(worker);
        self.state().active -= 1;
        self.ended.notify_one();
    }

    fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        while state.active > 0 {
            state = self
                .ended
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}
