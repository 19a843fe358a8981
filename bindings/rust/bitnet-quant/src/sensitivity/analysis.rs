//! What each tensor of a model loses under each of several configs.

use super::allocation::{AllocateOptions, Allocation, Budget};
use super::measure::Measure;
use crate::callback::{self, Progress};
use crate::config::Config;
use crate::context::Context;
use crate::error::{check, Error, Result};
use crate::ffi::{self, length, Handle};
use crate::library::check_library;
use crate::plan::Plan;
use crate::writer::WriteOptions;
use bitnet_quant_sys as sys;
use std::fmt;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::ptr;

/// What is measured of a model; by default all candidates of the library, of all matrices,
/// and nothing is saved.
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct AnalyzeOptions<'a> {
    plan: Option<&'a Plan>,
    candidates: &'a [Config],
    save_path: Option<PathBuf>,
}

impl<'a> AnalyzeOptions<'a> {
    /// The defaults.
    pub fn new() -> AnalyzeOptions<'a> {
        AnalyzeOptions::default()
    }

    /// Tensors that a rule gives a config are measured under that alone, those that a rule
    /// leaves are not; those that no rule is for, under all candidates. Its importance of
    /// columns weights errors.
    pub fn plan(self, plan: &'a Plan) -> AnalyzeOptions<'a> {
        AnalyzeOptions {
            plan: Some(plan),
            ..self
        }
    }

    /// The configs to choose from, in place of [`default_candidates`]; one of format none is
    /// the tensor as it is.
    pub fn candidates(self, candidates: &'a [Config]) -> AnalyzeOptions<'a> {
        AnalyzeOptions { candidates, ..self }
    }

    /// Where what there is is saved every few seconds, and at the end, whatever it is; so
    /// that a run can be gone on with.
    pub fn save_path(self, path: impl Into<PathBuf>) -> AnalyzeOptions<'a> {
        AnalyzeOptions {
            save_path: Some(path.into()),
            ..self
        }
    }
}

/// The candidates that are taken where none are given.
pub fn default_candidates() -> Result<Vec<Config>> {
    check_library()?;
    // SAFETY: takes nothing.
    let count = unsafe { sys::bnq_candidate_count() };
    (0..count)
        .map(|index| {
            // SAFETY: a place for the handle.
            Handle::create(|out| unsafe { sys::bnq_candidate_at(index, out) })
                .map(Config::from_handle)
        })
        .collect()
}

/// A tensor under a config.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct CandidateSensitivity {
    /// The config; of format none it is the tensor as it is.
    pub config: Config,
    /// What the tensor adds to a `.bnq` file that is not compressed, exactly.
    pub bytes: u64,
    /// The same in bits a weight.
    pub bits: f64,
    /// The sum of squared errors over the sum of squares, each weighted by the importance of
    /// columns where there is some.
    pub relative_error: f64,
    /// The greatest absolute error.
    pub max_error: f64,
    /// The cosine between the tensor and what it dequantizes to.
    pub cosine: f64,
    /// What counts in a budget: the metric that was set or measured, or the relative error
    /// times the weight of the tensor.
    pub loss: f64,
}

/// What was measured of a tensor.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct TensorSensitivity {
    /// Its name.
    pub name: String,
    /// It under each config, sorted by the configs' texts.
    pub candidates: Vec<CandidateSensitivity>,
}

/// What each tensor of a model costs and loses under each of several configs: measured once,
/// kept as JSON, and used for any number of budgets.
///
/// ```no_run
/// use bitnet_quant::*;
///
/// # fn main() -> Result<()> {
/// let context = Context::with_threads(0)?;
/// let mut sensitivity = Sensitivity::new()?;
/// let options = AnalyzeOptions::new().save_path("model.sensitivity.json");
/// sensitivity.analyze_file(&context, "model.safetensors", options, no_progress)?;
///
/// let allocation = sensitivity.allocate(Budget::Bits(4.5), AllocateOptions::new())?;
/// let totals = allocation.totals()?;
/// println!("{} bytes, at most {:.1} % from the best", totals.bytes, 100.0 * totals.gap);
/// let plan = allocation.plan()?;
/// let (input, output) = ("model.safetensors", "model.bnq");
/// quantize_file(&context, &plan, input, output, WriteOptions::new(), no_progress)?;
/// # Ok(())
/// # }
/// ```
pub struct Sensitivity {
    handle: Handle<sys::bnq_sensitivity>,
}

// SAFETY: bnq.h lets any thread use a sensitivity, and several at once while nobody changes
// it; what changes it takes `&mut Sensitivity`.
unsafe impl Send for Sensitivity {}
// SAFETY: as above.
unsafe impl Sync for Sensitivity {}

impl Sensitivity {
    /// Without tensors.
    pub fn new() -> Result<Sensitivity> {
        // SAFETY: a place for the handle.
        Handle::create(|out| unsafe { sys::bnq_sensitivity_create(out) })
            .map(|handle| Sensitivity { handle })
    }

    /// Measures the tensors of the model file at `input` (safetensors or its sharded index),
    /// one in memory at a time; the context's threads share the work. What has been measured
    /// already is not measured again, and what has been until a failure stays, so that a run
    /// can be gone on with.
    ///
    /// `progress` is called on this thread; breaking off cancels. If it panics, the panic goes
    /// on from here. Without progress: [`no_progress`](crate::no_progress).
    ///
    /// # Errors
    /// [`InvalidArgument`](Error::InvalidArgument) where this is of another model, and those
    /// of [`quantize_file`](crate::quantize_file).
    pub fn analyze_file<F>(
        &mut self, context: &Context, input: impl AsRef<Path>, options: AnalyzeOptions<'_>,
        mut progress: F,
    ) -> Result<()>
    where
        F: FnMut(&Progress<'_>) -> ControlFlow<()>,
    {
        let input = ffi::c_path("input", input.as_ref())?;
        let save_path = options.save_path.as_deref();
        let save_path = save_path
            .map(|path| ffi::c_path("save_path", path))
            .transpose()?;
        let candidates: Vec<_> = options.candidates.iter().map(Config::raw).collect();
        let (call, opaque) = callback::progress(&mut progress);
        // SAFETY: live handles, this borrowed mutably; as many live configs, NULL for none; C
        // strings or NULL; a closure that lives for the call.
        check(unsafe {
            sys::bnq_analyze_file(
                context.raw(),
                Plan::raw_of(options.plan),
                ffi::pointer(&candidates),
                candidates.len() as u64,
                input.as_ptr(),
                save_path.as_ref().map_or(ptr::null(), |path| path.as_ptr()),
                call,
                opaque,
                self.handle.as_ptr(),
            )
        })
    }

    /// Adds what another one has measured of the same model; the same in any order.
    ///
    /// # Errors
    /// [`InvalidArgument`](Error::InvalidArgument) where they contradict each other; nothing
    /// is added then.
    pub fn merge(&mut self, other: &Sensitivity) -> Result<()> {
        // SAFETY: live handles, this borrowed mutably, so that they are two.
        check(unsafe { sys::bnq_sensitivity_merge(self.handle.as_ptr(), other.raw()) })
    }

    /// As JSON.
    pub fn to_json(&self) -> Result<String> {
        // SAFETY: a live sensitivity.
        ffi::text_of(|text, size, out_size| unsafe {
            sys::bnq_sensitivity_to_json(self.raw(), text, size, out_size)
        })
    }

    /// From JSON.
    ///
    /// # Errors
    /// [`CorruptFile`](Error::CorruptFile), and [`Unsupported`](Error::Unsupported) for that
    /// of a library whose encoders give other bytes.
    pub fn from_json(json: &str) -> Result<Sensitivity> {
        let json = ffi::c_string("json", json)?;
        // SAFETY: a C string and a place for the handle.
        Handle::create(|out| unsafe { sys::bnq_sensitivity_from_json(json.as_ptr(), out) })
            .map(|handle| Sensitivity { handle })
    }

    /// From a file of JSON, of at most 256 MiB.
    pub fn load(context: &Context, path: impl AsRef<Path>) -> Result<Sensitivity> {
        let path = ffi::c_path("path", path.as_ref())?;
        // SAFETY: a live context, a C string, and a place for the handle.
        Handle::create(|out| unsafe {
            sys::bnq_sensitivity_load(context.raw(), path.as_ptr(), out)
        })
        .map(|handle| Sensitivity { handle })
    }

    /// Into a file of JSON; of the options only whether an existing one is replaced counts.
    pub fn save(
        &self, context: &Context, path: impl AsRef<Path>, options: WriteOptions,
    ) -> Result<()> {
        let path = ffi::c_path("path", path.as_ref())?;
        // SAFETY: live handles and a C string.
        check(unsafe {
            sys::bnq_sensitivity_save(context.raw(), self.raw(), path.as_ptr(), options.flags())
        })
    }

    /// Your own loss of a tensor under a config that was measured, in place of relative error
    /// times weight; below 0 counts as 0.
    ///
    /// # Errors
    /// [`NotFound`](Error::NotFound), and [`InvalidArgument`](Error::InvalidArgument) for what
    /// is not finite.
    pub fn set_metric(&mut self, tensor: &str, config: &Config, metric: f64) -> Result<()> {
        let tensor = ffi::c_string("tensor", tensor)?;
        // SAFETY: live handles, this borrowed mutably, and a C string.
        check(unsafe {
            sys::bnq_sensitivity_set_metric(
                self.handle.as_ptr(),
                tensor.as_ptr(),
                config.raw(),
                metric,
            )
        })
    }

    /// The same of a JSON file, `{"TENSOR": {"CONFIG": NUMBER}}`: all of them, or none.
    /// [`CorruptFile`](Error::CorruptFile) for another one.
    pub fn load_metrics(&mut self, context: &Context, path: impl AsRef<Path>) -> Result<()> {
        let path = ffi::c_path("path", path.as_ref())?;
        // SAFETY: live handles, this borrowed mutably, and a C string.
        check(unsafe {
            sys::bnq_sensitivity_load_metrics(context.raw(), self.handle.as_ptr(), path.as_ptr())
        })
    }

    /// What a tensor's relative error counts in place of the number of its elements, 0 or
    /// more; 0 for that number.
    pub fn set_weight(&mut self, tensor: &str, weight: f64) -> Result<()> {
        let tensor = ffi::c_string("tensor", tensor)?;
        // SAFETY: a live sensitivity, borrowed mutably, and a C string.
        check(unsafe {
            sys::bnq_sensitivity_set_weight(self.handle.as_ptr(), tensor.as_ptr(), weight)
        })
    }

    /// Asks `metric` for the loss of the model with one tensor under one config, of every
    /// tensor and config that has none yet, in order: a perplexity, an error rate. It is
    /// called on this thread.
    ///
    /// # Errors
    /// What `metric` fails with stops and comes back as it is; if it panics, the panic goes on
    /// from here. [`InvalidArgument`](Error::InvalidArgument) for a loss that is not finite.
    /// What was measured until then stays.
    ///
    /// ```no_run
    /// # use bitnet_quant::*;
    /// # fn perplexity_with(tensor: &str, config: &Config) -> std::io::Result<f64> { Ok(0.0) }
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let mut sensitivity = Sensitivity::load(&Context::new(), "sensitivity.json")?;
    /// sensitivity.measure(|tensor, config| -> Result<f64, Box<dyn std::error::Error>> {
    ///     Ok(perplexity_with(tensor, config)?)
    /// })?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn measure<M, E>(&mut self, metric: M) -> Result<(), E>
    where
        M: FnMut(&str, &Config) -> Result<f64, E>,
        E: From<Error>,
    {
        let mut measure = Measure::new(metric);
        let (call, opaque) = measure.callback();
        // SAFETY: a live sensitivity, borrowed mutably; a measure that lives for the call.
        let outcome =
            check(unsafe { sys::bnq_sensitivity_measure(self.handle.as_ptr(), call, opaque) });
        match measure.into_error() {
            Some(error) => Err(error),
            None => Ok(outcome?),
        }
    }

    /// The configs of least loss that fit a budget: proven to be the best there are, where the
    /// proof fits 64 MiB; the same on every machine.
    ///
    /// # Errors
    /// [`InvalidArgument`](Error::InvalidArgument) where nothing fits (which names the least
    /// budget and what takes most), where a tensor was not measured under what it is pinned
    /// to, and where tied tensors have no config in common.
    pub fn allocate(&self, budget: Budget, options: AllocateOptions<'_>) -> Result<Allocation> {
        Allocation::of(self.raw(), budget, options)
    }

    /// The tensors, sorted by name, with what was measured of them.
    pub fn tensors(&self) -> Result<Vec<TensorSensitivity>> {
        // SAFETY: a live sensitivity.
        let count = unsafe { sys::bnq_sensitivity_count(self.raw()) };
        (0..count).map(|index| self.tensor(index)).collect()
    }

    fn tensor(&self, index: u64) -> Result<TensorSensitivity> {
        // SAFETY: a live sensitivity; any index is accepted.
        let (name, count) = unsafe {
            let name = ffi::text(sys::bnq_sensitivity_name(self.raw(), index));
            let count = sys::bnq_sensitivity_config_count(self.raw(), index);
            (name.unwrap_or("").to_string(), count)
        };
        let mut candidates = Vec::with_capacity(length(count));
        for candidate in 0..count {
            candidates.push(self.candidate(index, candidate)?);
        }
        Ok(TensorSensitivity { name, candidates })
    }

    fn candidate(&self, index: u64, candidate: u64) -> Result<CandidateSensitivity> {
        // SAFETY: a live sensitivity and a place for the handle.
        let config = Handle::create(|out| unsafe {
            sys::bnq_sensitivity_config(self.raw(), index, candidate, out)
        })?;
        let mut values = [f64::NAN; sys::BNQ_NUM_SENSITIVITY_VALUES];
        // SAFETY: a live sensitivity and a buffer of that many values.
        check(unsafe {
            sys::bnq_sensitivity_values(
                self.raw(),
                index,
                candidate,
                values.as_mut_ptr(),
                values.len() as u32,
            )
        })?;
        Ok(CandidateSensitivity {
            config: Config::from_handle(config),
            bytes: values[sys::BNQ_SENSITIVITY_BYTES] as u64,
            bits: values[sys::BNQ_SENSITIVITY_BITS],
            relative_error: values[sys::BNQ_SENSITIVITY_RELATIVE_ERROR],
            max_error: values[sys::BNQ_SENSITIVITY_MAX_ERROR],
            cosine: values[sys::BNQ_SENSITIVITY_COSINE],
            loss: values[sys::BNQ_SENSITIVITY_LOSS],
        })
    }

    fn raw(&self) -> *const sys::bnq_sensitivity {
        self.handle.as_ptr()
    }
}

impl fmt::Debug for Sensitivity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // SAFETY: a live sensitivity.
        let count = unsafe { sys::bnq_sensitivity_count(self.raw()) };
        f.debug_struct("Sensitivity")
            .field("tensors", &count)
            .finish_non_exhaustive()
    }
}
