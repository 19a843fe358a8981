//! Setting the options of an optimizer.

use crate::error::Result;
use crate::optimization::{
    Objective, OptimizationMethod, OptimizationOption, OptimizationScope, Optimizer,
};
use crate::option;
use bitnet_quant_sys as sys;
use std::fmt;

/// Sets the options of an [`Optimizer`]. The first one that is refused is the error of
/// [`build`](OptimizerBuilder::build); those set after it are ignored.
#[derive(Debug)]
#[must_use = "a builder makes nothing until build() is called"]
pub struct OptimizerBuilder {
    optimizer: Result<Optimizer>,
}

impl OptimizerBuilder {
    pub(crate) fn new(optimizer: Result<Optimizer>) -> OptimizerBuilder {
        OptimizerBuilder { optimizer }
    }

    fn then(mut self, set: impl FnOnce(*mut sys::bnq_options) -> Result<()>) -> OptimizerBuilder {
        if let Ok(optimizer) = &mut self.optimizer {
            // SAFETY: a live optimizer.
            if let Err(error) = set(unsafe { sys::bnq_optimizer_settings(optimizer.raw_mut()) }) {
                self.optimizer = Err(error);
            }
        }
        self
    }

    fn int(self, option: OptimizationOption, value: i64) -> OptimizerBuilder {
        // SAFETY: a live optimizer that nobody else has.
        self.then(|options| unsafe { option::set_int(options, option.id(), value) })
    }

    fn float(self, option: OptimizationOption, value: f64) -> OptimizerBuilder {
        // SAFETY: a live optimizer that nobody else has.
        self.then(|options| unsafe { option::set_float(options, option.id(), value) })
    }

    /// How to search; [`OptimizationMethod::Grid`] by default.
    pub fn method(self, method: OptimizationMethod) -> OptimizerBuilder {
        self.int(OptimizationOption::METHOD, method as i64)
    }

    /// What grid and hqq make small; the mean squared error by default.
    pub fn objective(self, objective: Objective) -> OptimizerBuilder {
        self.int(OptimizationOption::OBJECTIVE, objective as i64)
    }

    /// Whether grid finds one ratio for each segment, which is the default, or for all.
    pub fn scope(self, scope: OptimizationScope) -> OptimizerBuilder {
        self.int(OptimizationOption::SCOPE, scope as i64)
    }

    /// Steps of grid from the whole range of the values down to
    /// [`min_ratio`](OptimizerBuilder::min_ratio) of it, 1 to 1000; 32 by default.
    pub fn steps(self, steps: u32) -> OptimizerBuilder {
        self.int(OptimizationOption::STEPS, steps.into())
    }

    /// The least part of the range that grid tries, 0.0001 to 0.99; 0.02 by default.
    pub fn min_ratio(self, ratio: f64) -> OptimizerBuilder {
        self.float(OptimizationOption::MIN_RATIO, ratio)
    }

    /// How often grid then searches the neighbourhood of the best in half steps, 0 to 20; 4
    /// by default.
    pub fn refinements(self, count: u32) -> OptimizerBuilder {
        self.int(OptimizationOption::REFINEMENTS, count.into())
    }

    /// How far grid moves zero points, 0 to 255; 2 by default.
    pub fn zero_point_steps(self, steps: u32) -> OptimizerBuilder {
        self.int(OptimizationOption::ZERO_POINT_STEPS, steps.into())
    }

    /// The number of bins of the histograms of [`Objective::Kl`], 16 to 65536; 2048 by
    /// default.
    pub fn bins(self, bins: u32) -> OptimizerBuilder {
        self.int(OptimizationOption::BINS, bins.into())
    }

    /// The most iterations of gradient and hqq, 1 to 100000; 0, the default, for 60 and 20.
    pub fn iterations(self, count: u32) -> OptimizerBuilder {
        self.int(OptimizationOption::ITERATIONS, count.into())
    }

    /// Of gradient (Adam), in parts of a scale, 1e-6 to 1; 0.01 by default.
    pub fn learning_rate(self, rate: f64) -> OptimizerBuilder {
        self.float(OptimizationOption::LEARNING_RATE, rate)
    }

    /// The weight of hqq's penalty; 10 by default.
    pub fn beta(self, beta: f64) -> OptimizerBuilder {
        self.float(OptimizationOption::BETA, beta)
    }

    /// The norm of hqq's error, 0.05 to 1; 0.7 by default.
    pub fn norm(self, norm: f64) -> OptimizerBuilder {
        self.float(OptimizationOption::NORM, norm)
    }

    /// What hqq's beta is multiplied by each iteration, 1 to 10; 1.01 by default.
    pub fn kappa(self, kappa: f64) -> OptimizerBuilder {
        self.float(OptimizationOption::KAPPA, kappa)
    }

    /// Added to gptq's diagonal, in parts of its mean, 0 to 100; 0.01 by default.
    pub fn damping(self, damping: f64) -> OptimizerBuilder {
        self.float(OptimizationOption::DAMPING, damping)
    }

    /// Columns whose errors gptq passes on at once, 1 to 65536, which is a matter of speed;
    /// 128 by default.
    pub fn block(self, columns: u32) -> OptimizerBuilder {
        self.int(OptimizationOption::BLOCK, columns.into())
    }

    /// Whether gptq takes columns by descending diagonal, not as they come.
    pub fn act_order(self, on: bool) -> OptimizerBuilder {
        self.int(OptimizationOption::ACT_ORDER, on.into())
    }

    /// How many exponents 0, 1/n, ... awq tries, 1 to 1000; 20 by default.
    pub fn ratios(self, count: u32) -> OptimizerBuilder {
        self.int(OptimizationOption::RATIOS, count.into())
    }

    /// Whether awq's input scales are also a part of the tensor, which
    /// [`Linear`](crate::Linear) divides by; not by default.
    pub fn attach_input_scales(self, on: bool) -> OptimizerBuilder {
        self.int(OptimizationOption::ATTACH_INPUT_SCALES, on.into())
    }

    /// Any option of the library by its name, and its value by name or number:
    /// `("method", "hqq")`, `("steps", 64)`. See
    /// [`optimization_options`](crate::optimization_options) for what there is.
    pub fn set(self, option: &str, value: impl fmt::Display) -> OptimizerBuilder {
        // SAFETY: the options of a live optimizer that nobody else has.
        self.then(|options| unsafe { option::set_text(options, option, &value) })
    }

    /// The optimizer.
    ///
    /// # Errors
    /// As [`ConfigBuilder::build`](crate::ConfigBuilder::build).
    pub fn build(self) -> Result<Optimizer> {
        self.optimizer
    }
}
