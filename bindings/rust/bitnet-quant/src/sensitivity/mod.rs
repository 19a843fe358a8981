//! What each tensor of a model loses under each config, budgets of bytes, and estimates.

mod allocation;
mod analysis;
mod estimate;
mod measure;

pub use allocation::{
    AllocateOptions, Allocation, AllocationRow, AllocationTotals, Budget, Upgrade,
};
pub use analysis::{
    default_candidates, AnalyzeOptions, CandidateSensitivity, Sensitivity, TensorSensitivity,
};
pub use estimate::{estimate_file, Estimate};
