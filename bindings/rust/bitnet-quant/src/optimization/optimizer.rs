//! An optimizer: how to search, and the search.

use crate::array::ArrayView;
use crate::callback::{self, Progress};
use crate::choice::Choice;
use crate::config::Config;
use crate::context::Context;
use crate::error::{check, Error, Result};
use crate::ffi::{self, length, Handle};
use crate::optimization::metric::Metric;
use crate::optimization::{OptimizationMethod, OptimizationOption, OptimizerBuilder};
use crate::option::{self, OptionValue};
use crate::tensor::QuantizedTensor;
use bitnet_quant_sys as sys;
use std::fmt;
use std::ops::ControlFlow;
use std::ptr;

/// Quantizes with parameters that a method searched for, starting at those of the config's
/// own rule and never ending worse than there. A set of options, unchangeable once built.
///
/// ```
/// use bitnet_quant::*;
///
/// let weights: Vec<f32> = (0..4096).map(|i| (i as f32 * 0.37).sin().powi(5)).collect();
/// let array = ArrayView::new(&weights, &[32, 128])?;
/// let (context, config) = (Context::new(), "int4_per_group_32".parse()?);
/// let optimizer = Optimizer::builder().method(OptimizationMethod::Hqq).build()?;
/// let optimized = optimizer.optimize(&context, &config, &array, None, no_progress)?;
/// let figures = &optimized.figures;
/// assert!(figures.objective_after() <= figures.objective_before());
/// assert_eq!(figures.segments(), 128);
/// # Ok::<(), Error>(())
/// ```
pub struct Optimizer {
    handle: Handle<sys::bnq_optimizer>,
}

// SAFETY: bnq.h: an optimizer is used as a config is: by any thread, and by several at once
// while nobody modifies it; what modifies it takes `&mut Optimizer`. It has no metric.
unsafe impl Send for Optimizer {}
// SAFETY: as above.
unsafe impl Sync for Optimizer {}

/// What [`Optimizer::optimize`] makes.
#[derive(Debug)]
#[non_exhaustive]
pub struct Optimized {
    /// The quantized tensor, which is one like any other.
    pub tensor: QuantizedTensor,
    /// What the inputs of the layer must be divided by, one for each column of the weights:
    /// 1 throughout but for [`Awq`](OptimizationMethod::Awq), where y = (x / s) W^T. Empty
    /// where no activations were given.
    pub input_scales: Vec<f32>,
    /// What was gained.
    pub figures: Figures,
}

impl Optimizer {
    /// An optimizer with every option at its default: a grid of ranges, for each segment, by
    /// the mean squared error.
    pub fn new() -> Result<Optimizer> {
        // SAFETY: a place for the handle.
        let handle = Handle::create(|out| unsafe { sys::bnq_optimizer_create(out) })?;
        Ok(Optimizer { handle })
    }

    /// Starts from the defaults.
    pub fn builder() -> OptimizerBuilder {
        OptimizerBuilder::new(Optimizer::new())
    }

    /// Starts from a copy of this one.
    pub fn to_builder(&self) -> OptimizerBuilder {
        OptimizerBuilder::new(self.try_clone())
    }

    fn try_clone(&self) -> Result<Optimizer> {
        // SAFETY: a live optimizer and a place for the handle.
        let handle = Handle::create(|out| unsafe { sys::bnq_optimizer_clone(self.raw(), out) })?;
        Ok(Optimizer { handle })
    }

    fn raw(&self) -> *const sys::bnq_optimizer {
        self.handle.as_ptr()
    }

    pub(crate) fn raw_mut(&mut self) -> *mut sys::bnq_optimizer {
        self.handle.as_ptr()
    }

    /// The value of any option. [`Unsupported`](Error::Unsupported) where the library does
    /// not have it.
    pub fn get(&self, option: OptimizationOption) -> Result<OptionValue> {
        // SAFETY: a live optimizer.
        unsafe { option.read(sys::bnq_optimizer_options(self.raw())) }
    }

    /// How it searches.
    pub fn method(&self) -> Result<OptimizationMethod> {
        OptimizationMethod::from_option(self.get(OptimizationOption::METHOD)?)
    }

    /// Quantizes an array of F64, F32, F16 or BF16 as `config` says, with parameters that
    /// were searched for.
    ///
    /// `activations`, of `[samples, K]`, or more dimensions the last of which is K, are the
    /// inputs of the linear layer y = x W^T whose weights the array is, where K is the
    /// number of its columns as a matrix.
    ///
    /// `progress` is called on this thread; breaking off cancels. If it panics, the panic
    /// goes on from here. Without progress: [`no_progress`](crate::no_progress).
    ///
    /// # Errors
    /// [`Unsupported`](Error::Unsupported) for formats without scales, outliers, stochastic
    /// rounding, and for what a method does not do; [`NonFinite`](Error::NonFinite);
    /// [`NoData`](Error::NoData) for activations of no samples;
    /// [`InvalidArgument`](Error::InvalidArgument), also where a method that needs
    /// activations has none; [`OutOfMemory`](Error::OutOfMemory);
    /// [`Cancelled`](Error::Cancelled).
    pub fn optimize<F>(
        &self, context: &Context, config: &Config, array: &ArrayView<'_>,
        activations: Option<&ArrayView<'_>>, mut progress: F,
    ) -> Result<Optimized>
    where
        F: FnMut(&Progress<'_>) -> ControlFlow<()>,
    {
        let source = array.raw();
        let inputs = activations.map(ArrayView::raw);
        let mut input_scales = match inputs {
            Some(_) => zeros(columns(array))?,
            None => Vec::new(),
        };
        // SAFETY: never fails.
        let figure_count = unsafe { sys::bnq_figure_count() };
        let mut figures = vec![f64::NAN; length(figure_count.into())];
        let (call, opaque) = callback::progress(&mut progress);
        // SAFETY: live handles and arrays, the inputs or NULL, a closure that lives for the
        // call, and buffers of those numbers of values, or NULL for none.
        let handle = Handle::create(|out| unsafe {
            sys::bnq_optimize(
                context.raw(),
                self.raw(),
                config.raw(),
                &source,
                inputs.as_ref().map_or(ptr::null(), |inputs| inputs),
                call,
                opaque,
                out,
                ffi::pointer_mut(&mut input_scales),
                input_scales.len() as u64,
                figures.as_mut_ptr(),
                figure_count,
            )
        })?;
        Ok(Optimized {
            tensor: QuantizedTensor::from_handle(handle, None),
            input_scales,
            figures: Figures { values: figures },
        })
    }

    /// The importance of each column of the arrays to come, as in
    /// [`quantize_weighted`](QuantizedTensor::quantize_weighted), for the methods
    /// [`Grid`](crate::OptimizationMethod::Grid) and [`Hqq`](crate::OptimizationMethod::Hqq).
    /// Figures of the objective are weighted then, those of the mse are not. None: all are 1.
    pub fn set_importance(&mut self, importance: &[f32]) -> Result<&mut Optimizer> {
        // SAFETY: a live optimizer, borrowed mutably; that many weights.
        check(unsafe {
            sys::bnq_optimizer_set_importance(
                self.raw_mut(),
                importance.as_ptr(),
                importance.len() as u64,
            )
        })?;
        Ok(self)
    }

    /// The same by a metric of your own in place of the objective: the error of the values
    /// of a segment (of the whole array, in row-major order, with
    /// [`OptimizationScope::Tensor`](crate::OptimizationScope::Tensor)), the original ones
    /// and what they dequantize to; least is best. It is called on this thread, some forty
    /// times for each segment.
    ///
    /// # Errors
    /// What `metric` fails with stops the search and comes back as it is; if it panics, the
    /// panic goes on from here. Otherwise as [`optimize`](Optimizer::optimize);
    /// [`InvalidArgument`](Error::InvalidArgument) where it gives NaN.
    ///
    /// ```
    /// use bitnet_quant::*;
    ///
    /// let weights: Vec<f32> = (0..256).map(|i| (i as f32 * 0.37).sin()).collect();
    /// let array = ArrayView::new(&weights, &[2, 128])?;
    /// let greatest = |original: &[f32], dequantized: &[f32]| -> Result<f64> {
    ///     let errors = original.iter().zip(dequantized).map(|(a, b)| (a - b).abs());
    ///     Ok(errors.fold(0.0, f32::max).into())
    /// };
    /// let (context, config) = (Context::new(), "int4_per_group_128".parse()?);
    /// let optimized =
    ///     Optimizer::new()?.optimize_by(&context, &config, &array, no_progress, greatest)?;
    /// let figures = &optimized.figures;
    /// assert!(figures.objective_after() <= figures.objective_before());
    /// # Ok::<(), Error>(())
    /// ```
    pub fn optimize_by<F, M, E>(
        &self, context: &Context, config: &Config, array: &ArrayView<'_>, progress: F, metric: M,
    ) -> Result<Optimized, E>
    where
        F: FnMut(&Progress<'_>) -> ControlFlow<()>,
        M: FnMut(&[f32], &[f32]) -> Result<f64, E>,
        E: From<Error>,
    {
        let mut metric = Metric::new(metric);
        let outcome = self.try_clone().and_then(|mut own| {
            let (call, opaque) = metric.callback();
            // SAFETY: a live optimizer that nobody else has; the metric outlives it and
            // stays where it is.
            check(unsafe { sys::bnq_optimizer_set_metric(own.raw_mut(), call, opaque) })?;
            own.optimize(context, config, array, None, progress)
        });
        match metric.into_error() {
            Some(error) => Err(error),
            None => Ok(outcome?),
        }
    }
}

/// The columns of an array as a matrix.
fn columns(array: &ArrayView<'_>) -> usize {
    let shape = array.shape();
    let row = if shape.len() < 2 { 0 } else { 1 };
    shape[row..].iter().fold(1, |n, &d| n.saturating_mul(d))
}

/// Of an empty array there may be more columns than memory.
fn zeros(count: usize) -> Result<Vec<f32>> {
    let mut values = Vec::new();
    values.try_reserve_exact(count).map_err(|error| {
        Error::OutOfMemory(format!("input_scales: {} of them: {}", count, error))
    })?;
    values.resize(count, 0.0);
    Ok(values)
}

impl Clone for Optimizer {
    /// # Panics
    /// If there is no memory for the copy.
    fn clone(&self) -> Optimizer {
        self.try_clone()
            .unwrap_or_else(|error| panic!("copying an optimizer: {}", error))
    }
}

impl fmt::Debug for Optimizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        option::debug("Optimizer", f, |option| self.get(option))
    }
}

/// What an optimisation gained; NaN and 0 for an empty array.
#[derive(Clone, PartialEq)]
pub struct Figures {
    /// As many as the library has, in its order, which is only ever appended to.
    values: Vec<f64>,
}

impl Figures {
    fn at(&self, index: usize) -> f64 {
        self.values.get(index).copied().unwrap_or(f64::NAN)
    }

    /// The objective of the config's plain rule.
    pub fn objective_before(&self) -> f64 {
        self.at(sys::BNQ_FIGURE_OBJECTIVE_BEFORE)
    }

    /// The objective of the result.
    pub fn objective_after(&self) -> f64 {
        self.at(sys::BNQ_FIGURE_OBJECTIVE_AFTER)
    }

    /// The mean squared error of the values with the config's plain rule.
    pub fn mse_before(&self) -> f64 {
        self.at(sys::BNQ_FIGURE_MSE_BEFORE)
    }

    /// The mean squared error of the values now (of awq with the input scales taken out);
    /// above the one before where another objective, or the layer's outputs, gained by it.
    pub fn mse_after(&self) -> f64 {
        self.at(sys::BNQ_FIGURE_MSE_AFTER)
    }

    /// How many were looked at: segments; rows for gptq, inputs for awq, 1 for a gradient
    /// with activations.
    pub fn segments(&self) -> u64 {
        self.at(sys::BNQ_FIGURE_SEGMENTS) as u64
    }

    /// How many of these are other than at the start.
    pub fn improved(&self) -> u64 {
        self.at(sys::BNQ_FIGURE_IMPROVED) as u64
    }

    /// All that the library has, with their names, in its order: "objective_before", ...
    pub fn named(&self) -> impl ExactSizeIterator<Item = (&'static str, f64)> + '_ {
        self.values.iter().enumerate().map(|(index, value)| {
            // SAFETY: any index is accepted; names of the registry live for ever.
            let name = unsafe { ffi::text(sys::bnq_figure_name(index as u32)) };
            (name.unwrap_or("unknown"), *value)
        })
    }
}

impl fmt::Debug for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Figures");
        for (name, value) in self.named() {
            out.field(name, &value);
        }
        out.finish()
    }
}
