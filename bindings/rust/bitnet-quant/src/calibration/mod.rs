//! Ranges and parameters of values that go by in batches.

mod adaptive;
mod builder;
mod calibrator;
mod dataset;
mod option;
mod set;
mod statistics;

pub use adaptive::AdaptiveActivationQuantizer;
pub use builder::CalibratorBuilder;
pub use calibrator::{Calibrator, QuantParams, ValueRange};
pub use dataset::{CalibrationBatch, CalibrationDataset};
pub use option::{
    calibration_options, CalibrationMethod, CalibrationOption, KlVariant, MseVariant,
    ObserveNonFinite, OutlierRule,
};
pub use set::{Calibration, CalibratorRef};
pub use statistics::{Histogram, Statistics};
