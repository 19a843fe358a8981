//! The values of options that have names.

use crate::error::{Error, Result};
use crate::option::{ConfigOption, OptionId, OptionValue};
use crate::registry::Format;
use bitnet_quant_sys as sys;

/// A value of an option whose values have names.
pub(crate) trait Choice: Sized + Copy {
    type Of: OptionId;

    const OPTION: Self::Of;

    fn from_value(value: i64) -> Option<Self>;

    fn from_option(value: OptionValue) -> Result<Self> {
        let known = match value {
            OptionValue::Int(value) => Self::from_value(value),
            OptionValue::Float(_) => None,
        };
        known.ok_or_else(|| {
            Error::Unsupported(format!(
                "{}: this version of the crate does not know the value {} ({:?})",
                Self::OPTION,
                value,
                Self::OPTION.value_name_of(value)
            ))
        })
    }
}

impl Choice for Format {
    type Of = ConfigOption;

    const OPTION: ConfigOption = ConfigOption::FORMAT;

    fn from_value(value: i64) -> Option<Format> {
        i32::try_from(value).ok().map(Format::from_id)
    }
}

impl TryFrom<OptionValue> for Format {
    type Error = Error;

    /// [`Error::Unsupported`] for what no id can be.
    fn try_from(value: OptionValue) -> Result<Format> {
        Format::from_option(value)
    }
}

macro_rules! choices {
    ($($(#[$doc:meta])* $name:ident: $of:ident::$option:ident {
        $($(#[$value_doc:meta])* $value:ident = $code:ident,)*
    })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$value_doc])* $value = sys::$code as isize,)*
        }

        impl $name {
            /// Every value that this crate knows.
            pub const ALL: &'static [$name] = &[$($name::$value,)*];
        }

        impl $crate::choice::Choice for $name {
            type Of = $of;

            const OPTION: $of = $of::$option;

            fn from_value(value: i64) -> Option<$name> {
                match i32::try_from(value) {
                    $(Ok(sys::$code) => Some($name::$value),)*
                    _ => None,
                }
            }
        }

        impl From<$name> for $crate::OptionValue {
            fn from(value: $name) -> $crate::OptionValue {
                $crate::OptionValue::Int(value as i64)
            }
        }

        impl TryFrom<$crate::OptionValue> for $name {
            type Error = $crate::Error;

            /// [`Unsupported`](crate::Error::Unsupported) for a value of a newer library.
            fn try_from(value: $crate::OptionValue) -> $crate::Result<$name> {
                $crate::choice::Choice::from_option(value)
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::Error;

            /// By the library's name of the value, or its number.
            /// [`InvalidArgument`](crate::Error::InvalidArgument) otherwise, saying what is
            /// accepted.
            fn from_str(text: &str) -> $crate::Result<$name> {
                let value = $crate::option::OptionId::parse_value($of::$option, text)?;
                $crate::choice::Choice::from_option(value)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad($of::$option.value_name((*self).into()).unwrap_or("unknown"))
            }
        }
    )*};
}
pub(crate) use choices;

choices! {
    /// How many elements share a scale.
    Granularity: ConfigOption::GRANULARITY {
        /// All of the tensor.
        Tensor = BNQ_GRANULARITY_TENSOR,
        /// Those of one index along the axis.
        Channel = BNQ_GRANULARITY_CHANNEL,
        /// Those of one group of a row.
        Group = BNQ_GRANULARITY_GROUP,
        /// The last dimension: a token of activations `[..., tokens, features]`.
        Token = BNQ_GRANULARITY_TOKEN,
        /// Those of one block of the flattened array, across rows, whose codes are then
        /// packed as one row: the layout of bitsandbytes.
        Block = BNQ_GRANULARITY_BLOCK,
        /// Those of one tile, group size x group size, of the last two dimensions: the layout of
        /// DeepSeek-V3's block scales.
        Tile = BNQ_GRANULARITY_TILE,
    }
    /// How codes and values go together.
    Scheme: ConfigOption::SCHEME {
        /// value = code * scale.
        Symmetric = BNQ_SCHEME_SYMMETRIC,
        /// value = (code - zero point) * scale, over the range of the values and 0.
        Asymmetric = BNQ_SCHEME_ASYMMETRIC,
        /// value = code * scale + offset, stored codes from 0 on, over the range of the
        /// values alone: MLX's affine mode, ggml's Q4_1.
        Offset = BNQ_SCHEME_OFFSET,
    }
    /// What NaN and infinity in the input do.
    NonFinite: ConfigOption::NON_FINITE {
        /// Fail with [`Error::NonFinite`], which names the first index.
        Error = BNQ_NON_FINITE_ERROR,
        /// Count as 0.
        Zero = BNQ_NON_FINITE_ZERO,
        /// Stay, and finite values may overflow to infinity; of [`Format::F16`] and
        /// [`Format::BF16`] only.
        Keep = BNQ_NON_FINITE_KEEP,
    }
    /// How x / scale becomes an integer.
    Rounding: ConfigOption::ROUNDING {
        /// To nearest, ties to even: -0.5, 0.5, 1.5 become 0, 0, 2.
        HalfEven = BNQ_ROUNDING_HALF_EVEN,
        /// To nearest, ties away from zero: -0.5, 0.5, 1.5 become -1, 1, 2.
        HalfAway = BNQ_ROUNDING_HALF_AWAY,
        /// To nearest, ties up: -0.5, 0.5, 1.5 become 0, 1, 2.
        HalfUp = BNQ_ROUNDING_HALF_UP,
        /// Down: -0.5, 0.5, 1.5 become -1, 0, 1.
        Floor = BNQ_ROUNDING_FLOOR,
        /// Up: -0.5, 0.5, 1.5 become 0, 1, 2.
        Ceil = BNQ_ROUNDING_CEIL,
        /// Toward zero: -0.5, 0.5, 1.5 become 0, 0, 1.
        TowardZero = BNQ_ROUNDING_TOWARD_ZERO,
        /// Up with the probability of the fraction, decided by the seed and the
        /// element's index alone, so the same everywhere.
        Stochastic = BNQ_ROUNDING_STOCHASTIC,
        /// To nearest, ties toward zero: -0.5, 0.5, 1.5 become 0, 0, 1. Also of e2m1, e4m3
        /// and e5m2, where nothing then becomes -0: ggml's MXFP4.
        HalfTowardZero = BNQ_ROUNDING_HALF_TOWARD_ZERO,
    }
    /// What a scale is made from, for the elements that share it.
    ScaleRule: ConfigOption::SCALE_RULE {
        /// [`Absmean`](ScaleRule::Absmean) for ternary and binary,
        /// [`Absmax`](ScaleRule::Absmax) for other formats.
        Default = BNQ_SCALE_RULE_DEFAULT,
        /// The greatest |x|; asymmetric: the minimum and the maximum.
        Absmax = BNQ_SCALE_RULE_ABSMAX,
        /// The mean of |x|; for int8 to int2 2 mean|x| / sqrt(greatest code), the start
        /// of LSQ. Of symmetric integer formats and binary.
        Absmean = BNQ_SCALE_RULE_ABSMEAN,
        /// The value that the option percentile, in percent, of |x| do not exceed;
        /// asymmetric and offset: half of the rest is cut at each end.
        Percentile = BNQ_SCALE_RULE_PERCENTILE,
        /// The least squared error found by a search, never worse than
        /// [`Absmax`](ScaleRule::Absmax) and [`Default`](ScaleRule::Default).
        Mse = BNQ_SCALE_RULE_MSE,
    }
    /// The codes and scale of symmetric integers, for q = 127 (int8), 31, 15, 7, 3
    /// or 1 (int2).
    SymmetricRange: ConfigOption::SYMMETRIC_RANGE {
        /// Codes -q..q, scale = absmax / q: nothing is clipped.
        Narrow = BNQ_SYMMETRIC_RANGE_NARROW,
        /// Codes -q-1..q, scale = absmax / (q + 0.5): PyTorch's; +absmax is clipped.
        Full = BNQ_SYMMETRIC_RANGE_FULL,
        /// Codes -q-1..q, scale = (the first x of the greatest |x|) / (-q - 1), so maybe
        /// negative: ggml's.
        Extreme = BNQ_SYMMETRIC_RANGE_EXTREME,
    }
    /// How scales are stored; codes are made with the scale as stored.
    ScaleDType: ConfigOption::SCALE_DTYPE {
        /// As 32-bit floats.
        F32 = BNQ_SCALE_DTYPE_F32,
        /// As IEEE halves. What is beyond their range becomes its end, never infinity or
        /// 0; see
        /// [`saturated_scales`](crate::QuantizedTensor::saturated_scales).
        F16 = BNQ_SCALE_DTYPE_F16,
        /// As bfloat16.
        BF16 = BNQ_SCALE_DTYPE_BF16,
        /// As powers of two, 8 bits (OCP MX).
        E8M0 = BNQ_SCALE_DTYPE_E8M0,
        /// As OCP FP8, times an `f32` for the whole tensor (NVFP4); see
        /// [`tensor_scale`](crate::QuantizedTensor::tensor_scale).
        E4M3 = BNQ_SCALE_DTYPE_E4M3,
    }
    /// How codes become bytes.
    Packing: ConfigOption::PACKING {
        /// The format's own.
        Default = BNQ_PACKING_DEFAULT,
        /// Ternary at 1.6 bits: five codes to a byte.
        Base3 = BNQ_PACKING_BASE3,
    }
}
