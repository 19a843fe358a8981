//! Parameters from a search.

mod builder;
mod metric;
mod optimizer;
mod option;

pub use builder::OptimizerBuilder;
pub use optimizer::{Figures, Optimized, Optimizer};
pub use option::{
    optimization_options, Objective, OptimizationMethod, OptimizationOption, OptimizationScope,
};
