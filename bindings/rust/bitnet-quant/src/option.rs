//! The options of a config, as the library lists them.

use crate::error::{check, Error, Result};
use crate::ffi;
use crate::library::{check_library, expect_library};
use bitnet_quant_sys as sys;
use std::fmt;
use std::str::FromStr;

/// An option of a [`Config`](crate::Config).
///
/// A constant for each that this crate knows; a newer library may have others, by
/// name (`"group_size".parse()`) and in [`options`].
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ConfigOption(i32);

/// The value of an option.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum OptionValue {
    /// Of an integer option; also an id, as in `bnq.h`.
    Int(i64),
    /// Of a float option.
    Float(f64),
}

/// What an option accepts.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct OptionBounds {
    /// The least value.
    pub min: OptionValue,
    /// The greatest value.
    pub max: OptionValue,
    /// The value of a new config.
    pub default: OptionValue,
}

impl ConfigOption {
    /// The [`Format`](crate::Format).
    pub const FORMAT: ConfigOption = ConfigOption(sys::BNQ_OPT_FORMAT);
    /// The [`Granularity`](crate::Granularity).
    pub const GRANULARITY: ConfigOption = ConfigOption(sys::BNQ_OPT_GRANULARITY);
    /// Columns of a group, or elements of a block.
    pub const GROUP_SIZE: ConfigOption = ConfigOption(sys::BNQ_OPT_GROUP_SIZE);
    /// The dimension of per-channel parameters; negative from the end.
    pub const AXIS: ConfigOption = ConfigOption(sys::BNQ_OPT_AXIS);
    /// The [`Scheme`](crate::Scheme).
    pub const SCHEME: ConfigOption = ConfigOption(sys::BNQ_OPT_SCHEME);
    /// Values beyond +-clip count as +-clip; 0 for none.
    pub const CLIP: ConfigOption = ConfigOption(sys::BNQ_OPT_CLIP);
    /// The policy for [`NonFinite`](crate::NonFinite) values.
    pub const NON_FINITE: ConfigOption = ConfigOption(sys::BNQ_OPT_NON_FINITE);
    /// The [`Rounding`](crate::Rounding).
    pub const ROUNDING: ConfigOption = ConfigOption(sys::BNQ_OPT_ROUNDING);
    /// The seed of stochastic rounding.
    pub const SEED: ConfigOption = ConfigOption(sys::BNQ_OPT_SEED);
    /// The [`ScaleRule`](crate::ScaleRule).
    pub const SCALE_RULE: ConfigOption = ConfigOption(sys::BNQ_OPT_SCALE_RULE);
    /// The percentage of [`ScaleRule::Percentile`](crate::ScaleRule::Percentile).
    pub const PERCENTILE: ConfigOption = ConfigOption(sys::BNQ_OPT_PERCENTILE);
    /// The [`SymmetricRange`](crate::SymmetricRange).
    pub const SYMMETRIC_RANGE: ConfigOption = ConfigOption(sys::BNQ_OPT_SYMMETRIC_RANGE);
    /// The [`ScaleDType`](crate::ScaleDType).
    pub const SCALE_DTYPE: ConfigOption = ConfigOption(sys::BNQ_OPT_SCALE_DTYPE);
    /// 1 for scales in 8 bits with scales of their own, else 0.
    pub const DOUBLE_QUANT: ConfigOption = ConfigOption(sys::BNQ_OPT_DOUBLE_QUANT);
    /// The [`Packing`](crate::Packing).
    pub const PACKING: ConfigOption = ConfigOption(sys::BNQ_OPT_PACKING);
    /// Columns with some |x| at or above it are outliers; 0 for none.
    pub const OUTLIER_THRESHOLD: ConfigOption = ConfigOption(sys::BNQ_OPT_OUTLIER_THRESHOLD);

    /// The id as in `bnq.h`.
    pub fn id(self) -> i32 {
        self.0
    }

    /// Its name, for example "group_size".
    pub fn name(self) -> &'static str {
        // SAFETY: any id is accepted; names of the registry live for ever.
        unsafe { ffi::text(sys::bnq_option_name(self.0)) }.unwrap_or("unknown")
    }

    /// What it accepts. [`Error::Unsupported`] where the library does not have it.
    pub fn bounds(self) -> Result<OptionBounds> {
        check_library()?;
        let (mut kind, mut min, mut max, mut default) = (0, 0.0, 0.0, 0.0);
        // SAFETY: any id is accepted; places for the values.
        check(unsafe {
            sys::bnq_option_bounds(self.0, &mut kind, &mut min, &mut max, &mut default)
        })?;
        let value = |number: f64| match kind {
            sys::BNQ_OPTION_INT => OptionValue::Int(number as i64),
            _ => OptionValue::Float(number),
        };
        Ok(OptionBounds {
            min: value(min),
            max: value(max),
            default: value(default),
        })
    }

    /// The name of a value ("group", "symmetric"); `None` where values are plain
    /// numbers, or for one that is not accepted.
    pub fn value_name(self, value: OptionValue) -> Option<&'static str> {
        match value {
            // SAFETY: anything is accepted; names of the registry live for ever.
            OptionValue::Int(value) => unsafe {
                ffi::text(sys::bnq_option_value_name(self.0, value))
            },
            OptionValue::Float(_) => None,
        }
    }

    /// Reads the option through a pair of native getters.
    pub(crate) fn read(
        self, int: impl FnOnce(i32, *mut i64) -> sys::bnq_status,
        float: impl FnOnce(i32, *mut f64) -> sys::bnq_status,
    ) -> Result<OptionValue> {
        match self.bounds()?.default {
            OptionValue::Int(mut value) => {
                check(int(self.0, &mut value))?;
                Ok(OptionValue::Int(value))
            }
            OptionValue::Float(mut value) => {
                check(float(self.0, &mut value))?;
                Ok(OptionValue::Float(value))
            }
        }
    }
}

impl FromStr for ConfigOption {
    type Err = Error;

    /// By its name. [`Error::NotFound`] otherwise.
    fn from_str(name: &str) -> Result<ConfigOption> {
        check_library()?;
        let name = ffi::c_string("name", name)?;
        let mut id = 0;
        // SAFETY: a C string and a place for the id.
        check(unsafe { sys::bnq_option_id(name.as_ptr(), &mut id) })?;
        Ok(ConfigOption(id))
    }
}

impl fmt::Display for ConfigOption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl fmt::Debug for ConfigOption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ConfigOption({} {})", self.0, self.name())
    }
}

impl fmt::Display for OptionValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OptionValue::Int(value) => fmt::Display::fmt(value, f),
            OptionValue::Float(value) => fmt::Display::fmt(value, f),
        }
    }
}

/// The options of the library.
///
/// # Panics
/// If the loaded library does not fit; see [`check_library`].
pub fn options() -> Vec<ConfigOption> {
    expect_library();
    // SAFETY: a place for the id; the index is in range.
    unsafe {
        (0..sys::bnq_option_count())
            .filter_map(|index| {
                let mut id = 0;
                check(sys::bnq_option_at(index, &mut id))
                    .ok()
                    .map(|()| ConfigOption(id))
            })
            .collect()
    }
}

/// All options with their values, read by `get`, for `Debug`.
pub(crate) fn debug(
    name: &str, f: &mut fmt::Formatter<'_>, get: impl Fn(ConfigOption) -> Result<OptionValue>,
) -> fmt::Result {
    let mut out = f.debug_struct(name);
    for option in options() {
        if let Ok(value) = get(option) {
            match option.value_name(value) {
                Some(text) => out.field(option.name(), &format_args!("{}", text)),
                None => out.field(option.name(), &format_args!("{}", value)),
            };
        }
    }
    out.finish()
}
