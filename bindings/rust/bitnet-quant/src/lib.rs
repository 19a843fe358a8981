#![doc = include_str!("../README.md")]
#![deny(missing_docs, unsafe_op_in_unsafe_fn)]
#![warn(rust_2018_idioms, missing_debug_implementations)]

mod array;
mod callback;
mod config;
mod context;
mod convert;
mod error;
mod ffi;
mod file;
mod library;
mod metrics;
mod option;
mod plan;
mod registry;
mod tensor;
mod writer;

pub use array::{ArrayView, Element, Output};
pub use callback::{no_progress, Progress};
pub use config::{Config, ConfigBuilder};
pub use context::{Context, LogLevel};
pub use convert::{compare_files, dequantize_file, quantize_file, Report, Row};
pub use error::{Error, Result};
pub use file::{Entry, File, FileKind};
pub use library::{check_library, targets, version, Target, Version};
pub use metrics::{compare, Metrics};
pub use option::{
    options, ConfigOption, Granularity, NonFinite, OptionBounds, OptionValue, Scheme,
};
pub use plan::Plan;
pub use registry::{formats, DType, Format};
pub use tensor::{pack, quantize_into, QuantizedSizes, QuantizedTensor};
pub use writer::{WriteOptions, Writer};
