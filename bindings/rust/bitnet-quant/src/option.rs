//! Options as the library lists them: those of a config here, those of a calibrator in
//! `calibration/option.rs`, those of an optimizer in `optimization/option.rs`, those of an
//! operator in `operator.rs`, those of training and its phases in `training/option.rs`.

use crate::error::{check, Result};
use crate::ffi::{self, Handle};
use bitnet_quant_sys as sys;
use std::fmt;

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
    /// The value where nothing else was set.
    pub default: OptionValue,
}

impl fmt::Display for OptionValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OptionValue::Int(value) => fmt::Display::fmt(value, f),
            OptionValue::Float(value) => fmt::Display::fmt(value, f),
        }
    }
}

/// An option of some object of the library.
pub(crate) trait OptionId: Copy + fmt::Display {
    /// The options of the library.
    fn all() -> Vec<Self>;

    fn name_of(self) -> &'static str;

    fn value_name_of(self, value: OptionValue) -> Option<&'static str>;

    /// A value from its name or number, as the library reads it.
    fn parse_value(self, text: &str) -> Result<OptionValue>;
}

/// An option type over a kind of the registry, with a function that lists all.
macro_rules! option_type {
    (
        $(#[$doc:meta])*
        $type:ident {
            $($(#[$constant_doc:meta])* $constant:ident = $code:ident;)*
        }
        $(#[$list_doc:meta])*
        fn $list:ident() of $kind:ident;
        parse($option:ident, $text:ident) $parse:block
    ) => {
        $(#[$doc])*
        ///
        /// A constant for each that this crate knows; a newer library may have others,
        /// by name (`parse()`) and in the list of all.
        #[derive(Clone, Copy, PartialEq, Eq, Hash)]
        pub struct $type(i32);

        impl $type {
            $($(#[$constant_doc])* pub const $constant: $type = $type(sys::$code);)*

            /// The id as in `bnq.h`.
            pub fn id(self) -> i32 {
                self.0
            }

            /// Its name: that of the constant in lower case.
            pub fn name(self) -> &'static str {
                // SAFETY: any id is accepted; names of the registry live for ever.
                unsafe { $crate::ffi::text(sys::bnq_option_name(sys::$kind, self.0)) }
                    .unwrap_or("unknown")
            }

            /// One sentence about it; empty where the library does not have it.
            pub fn description(self) -> &'static str {
                // SAFETY: any id is accepted; texts of the registry live for ever.
                unsafe { $crate::ffi::text(sys::bnq_option_description(sys::$kind, self.0)) }
                    .unwrap_or("")
            }

            /// What it accepts. [`Unsupported`](crate::Error::Unsupported) where the
            /// library does not have it.
            pub fn bounds(self) -> $crate::Result<$crate::OptionBounds> {
                use $crate::OptionValue;
                $crate::check_library()?;
                let (mut kind, mut min, mut max, mut default) = (0, 0.0, 0.0, 0.0);
                // SAFETY: any id is accepted; places for the values.
                $crate::error::check(unsafe {
                    sys::bnq_option_bounds(
                        sys::$kind, self.0, &mut kind, &mut min, &mut max, &mut default,
                    )
                })?;
                let value = |number: f64| match kind {
                    sys::BNQ_OPTION_INT => OptionValue::Int(number as i64),
                    _ => OptionValue::Float(number),
                };
                Ok($crate::OptionBounds {
                    min: value(min),
                    max: value(max),
                    default: value(default),
                })
            }

            /// The name of a value; `None` where values are plain numbers, or for one
            /// that is not accepted.
            pub fn value_name(self, value: $crate::OptionValue) -> Option<&'static str> {
                match value {
                    // SAFETY: anything is accepted; names of the registry live for ever.
                    $crate::OptionValue::Int(value) => unsafe {
                        $crate::ffi::text(sys::bnq_option_value_name(sys::$kind, self.0, value))
                    },
                    $crate::OptionValue::Float(_) => None,
                }
            }

            /// What a value means, in part of a sentence; `None` where it has no name.
            pub fn value_description(self, value: $crate::OptionValue) -> Option<&'static str> {
                match value {
                    // SAFETY: anything is accepted; texts of the registry live for ever.
                    $crate::OptionValue::Int(value) => unsafe {
                        $crate::ffi::text(sys::bnq_option_value_description(
                            sys::$kind, self.0, value,
                        ))
                    },
                    $crate::OptionValue::Float(_) => None,
                }
            }

            /// Reads the option.
            ///
            /// # Safety
            /// The options are those of a live handle.
            pub(crate) unsafe fn read(
                self, options: *const sys::bnq_options,
            ) -> $crate::Result<$crate::OptionValue> {
                use $crate::OptionValue;
                match self.bounds()?.default {
                    OptionValue::Int(_) => {
                        // SAFETY: as the caller's.
                        unsafe { $crate::option::int(options, self.0) }.map(OptionValue::Int)
                    }
                    OptionValue::Float(_) => {
                        // SAFETY: as the caller's.
                        unsafe { $crate::option::float(options, self.0) }.map(OptionValue::Float)
                    }
                }
            }
        }

        impl $crate::option::OptionId for $type {
            fn all() -> Vec<$type> {
                $list()
            }

            fn name_of(self) -> &'static str {
                self.name()
            }

            fn value_name_of(self, value: $crate::OptionValue) -> Option<&'static str> {
                self.value_name(value)
            }

            fn parse_value(self, $text: &str) -> $crate::Result<$crate::OptionValue> {
                let $option = self;
                $parse
            }
        }

        impl std::str::FromStr for $type {
            type Err = $crate::Error;

            /// By its name. [`NotFound`](crate::Error::NotFound) otherwise.
            fn from_str(name: &str) -> $crate::Result<$type> {
                $crate::check_library()?;
                let name = $crate::ffi::c_string("name", name)?;
                let mut id = 0;
                // SAFETY: a C string and a place for the id.
                $crate::error::check(unsafe {
                    sys::bnq_option_id(sys::$kind, name.as_ptr(), &mut id)
                })?;
                Ok($type(id))
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.name())
            }
        }

        impl std::fmt::Debug for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{}({} {})", stringify!($type), self.0, self.name())
            }
        }

        $(#[$list_doc])*
        ///
        /// # Panics
        /// If the loaded library does not fit; see [`check_library`](crate::check_library).
        pub fn $list() -> Vec<$type> {
            $crate::library::expect_library();
            // SAFETY: a place for the id; the index is in range.
            unsafe {
                (0..sys::bnq_option_count(sys::$kind))
                    .filter_map(|index| {
                        let mut id = 0;
                        $crate::error::check(sys::bnq_option_at(sys::$kind, index, &mut id))
                            .ok()
                            .map(|()| $type(id))
                    })
                    .collect()
            }
        }
    };
}
pub(crate) use option_type;

option_type! {
    /// An option of a [`Config`](crate::Config).
    ConfigOption {
        /// The [`Format`](crate::Format).
        FORMAT = BNQ_OPT_FORMAT;
        /// The [`Granularity`](crate::Granularity).
        GRANULARITY = BNQ_OPT_GRANULARITY;
        /// Columns of a group, or elements of a block.
        GROUP_SIZE = BNQ_OPT_GROUP_SIZE;
        /// The dimension of per-channel parameters; negative from the end.
        AXIS = BNQ_OPT_AXIS;
        /// The [`Scheme`](crate::Scheme).
        SCHEME = BNQ_OPT_SCHEME;
        /// Values beyond +-clip count as +-clip; 0 for none.
        CLIP = BNQ_OPT_CLIP;
        /// The policy for [`NonFinite`](crate::NonFinite) values.
        NON_FINITE = BNQ_OPT_NON_FINITE;
        /// The [`Rounding`](crate::Rounding).
        ROUNDING = BNQ_OPT_ROUNDING;
        /// The seed of stochastic rounding.
        SEED = BNQ_OPT_SEED;
        /// The [`ScaleRule`](crate::ScaleRule).
        SCALE_RULE = BNQ_OPT_SCALE_RULE;
        /// The percentage of [`ScaleRule::Percentile`](crate::ScaleRule::Percentile).
        PERCENTILE = BNQ_OPT_PERCENTILE;
        /// The [`SymmetricRange`](crate::SymmetricRange).
        SYMMETRIC_RANGE = BNQ_OPT_SYMMETRIC_RANGE;
        /// The [`ScaleDType`](crate::ScaleDType).
        SCALE_DTYPE = BNQ_OPT_SCALE_DTYPE;
        /// 1 for scales in 8 bits with scales of their own, else 0.
        DOUBLE_QUANT = BNQ_OPT_DOUBLE_QUANT;
        /// The [`Packing`](crate::Packing).
        PACKING = BNQ_OPT_PACKING;
        /// Columns with some |x| at or above it are outliers; 0 for none.
        OUTLIER_THRESHOLD = BNQ_OPT_OUTLIER_THRESHOLD;
        /// 1 where e4m3 and e5m2 take what is beyond their greatest value for it, 0 where
        /// for NaN or infinity.
        SATURATE = BNQ_OPT_SATURATE;
    }
    /// The options of a config that the library has.
    fn options() of BNQ_OPTIONS_CONFIG;
    parse(option, text) {
        // SAFETY: a place for the handle.
        let config = Handle::create(|out| unsafe { sys::bnq_config_create(out) })?;
        // SAFETY: the options of a live config that nobody else has.
        unsafe {
            let options = sys::bnq_config_settings(config.as_ptr());
            set_text(options, option.name(), &text)?;
            option.read(options)
        }
    }
}

/// Reads an integer option.
///
/// # Safety
/// As for the function of the library: the options are those of a live handle. So below;
/// where options are set nobody else has the handle.
pub(crate) unsafe fn int(options: *const sys::bnq_options, id: i32) -> Result<i64> {
    let mut value = 0;
    check(unsafe { sys::bnq_options_get_int(options, id, &mut value) })?;
    Ok(value)
}

pub(crate) unsafe fn float(options: *const sys::bnq_options, id: i32) -> Result<f64> {
    let mut value = 0.0;
    check(unsafe { sys::bnq_options_get_float(options, id, &mut value) })?;
    Ok(value)
}

pub(crate) unsafe fn set_int(options: *mut sys::bnq_options, id: i32, value: i64) -> Result<()> {
    check(unsafe { sys::bnq_options_set_int(options, id, value) })
}

pub(crate) unsafe fn set_float(options: *mut sys::bnq_options, id: i32, value: f64) -> Result<()> {
    check(unsafe { sys::bnq_options_set_float(options, id, value) })
}

/// By the option's name.
pub(crate) unsafe fn set_text(
    options: *mut sys::bnq_options, option: &str, value: &dyn fmt::Display,
) -> Result<()> {
    let value = ffi::c_string(option, &value.to_string())?;
    let option = ffi::c_string("option", option)?;
    check(unsafe { sys::bnq_options_set_text(options, option.as_ptr(), value.as_ptr()) })
}

/// All options with their values, read by `get`, for `Debug`.
pub(crate) fn debug<O: OptionId>(
    name: &str, f: &mut fmt::Formatter<'_>, get: impl Fn(O) -> Result<OptionValue>,
) -> fmt::Result {
    let mut out = f.debug_struct(name);
    for option in O::all() {
        if let Ok(value) = get(option) {
            match option.value_name_of(value) {
                Some(text) => out.field(option.name_of(), &format_args!("{}", text)),
                None => out.field(option.name_of(), &format_args!("{}", value)),
            };
        }
    }
    out.finish()
}
