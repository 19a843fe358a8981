//! Data types and formats: ids that the library gives a meaning to.

use crate::error::{check, Error, Result};
use crate::ffi;
use crate::library::{check_library, expect_library};
use crate::option::OptionValue;
use bitnet_quant_sys as sys;
use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

/// The data type of array elements: those of safetensors.
///
/// A constant for each that this crate knows; a newer library may have others, by
/// name (`"F32".parse()`). [`F64`](DType::F64), [`F32`](DType::F32),
/// [`F16`](DType::F16) and [`BF16`](DType::BF16) arrays can be quantized, all can
/// be carried through files.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct DType(i32);

macro_rules! dtypes {
    ($($(#[$doc:meta])* $name:ident = $code:ident;)*) => {
        impl DType {
            $($(#[$doc])* pub const $name: DType = DType(sys::$code);)*
        }
    };
}

dtypes! {
    /// 32-bit float, `f32`.
    F32 = BNQ_DTYPE_F32;
    /// IEEE half precision, its bits in a `u16`.
    F16 = BNQ_DTYPE_F16;
    /// bfloat16, its bits in a `u16`.
    BF16 = BNQ_DTYPE_BF16;
    /// 64-bit float, `f64`.
    F64 = BNQ_DTYPE_F64;
    /// `i8`.
    I8 = BNQ_DTYPE_I8;
    /// `u8`.
    U8 = BNQ_DTYPE_U8;
    /// `i16`.
    I16 = BNQ_DTYPE_I16;
    /// `u16`.
    U16 = BNQ_DTYPE_U16;
    /// `i32`.
    I32 = BNQ_DTYPE_I32;
    /// `u32`.
    U32 = BNQ_DTYPE_U32;
    /// `i64`.
    I64 = BNQ_DTYPE_I64;
    /// `u64`.
    U64 = BNQ_DTYPE_U64;
    /// One byte, 0 or 1.
    BOOL = BNQ_DTYPE_BOOL;
    /// Complex of two 32-bit floats.
    C64 = BNQ_DTYPE_C64;
    /// 8-bit float, 4 bits of exponent.
    F8_E4M3 = BNQ_DTYPE_F8_E4M3;
    /// 8-bit float, 5 bits of exponent.
    F8_E5M2 = BNQ_DTYPE_F8_E5M2;
    /// 8-bit power of two.
    F8_E8M0 = BNQ_DTYPE_F8_E8M0;
    /// 8-bit float without infinities and negative zero, 4 bits of exponent.
    F8_E4M3FNUZ = BNQ_DTYPE_F8_E4M3FNUZ;
    /// 8-bit float without infinities and negative zero, 5 bits of exponent.
    F8_E5M2FNUZ = BNQ_DTYPE_F8_E5M2FNUZ;
    /// 6-bit float, 2 bits of exponent.
    F6_E2M3 = BNQ_DTYPE_F6_E2M3;
    /// 6-bit float, 3 bits of exponent.
    F6_E3M2 = BNQ_DTYPE_F6_E3M2;
    /// 4-bit float.
    F4 = BNQ_DTYPE_F4;
}

impl DType {
    /// `None` for the ids (0, -1) that stand for "no data type" in `bnq.h`.
    pub(crate) fn from_id(id: i32) -> Option<DType> {
        if id > 0 {
            Some(DType(id))
        } else {
            None
        }
    }

    /// The id as in `bnq.h`.
    pub fn id(self) -> i32 {
        self.0
    }

    /// The safetensors spelling, for example "BF16".
    pub fn name(self) -> &'static str {
        expect_library();
        // SAFETY: any id is accepted; names of the registry live for ever.
        unsafe { ffi::text(sys::bnq_dtype_name(self.0)) }.unwrap_or("unknown")
    }

    /// Bits of one element, 4 to 64.
    pub fn bits(self) -> u32 {
        expect_library();
        // SAFETY: any id is accepted.
        unsafe { sys::bnq_dtype_bits(self.0) }
    }

    /// Bytes of so many elements.
    pub(crate) fn bytes_of(self, elements: u64) -> Result<u64> {
        let bits = u64::from(self.bits());
        match elements.checked_mul(bits) {
            Some(all) if bits > 0 && all % 8 == 0 => Ok(all / 8),
            _ => Err(Error::InvalidArgument(format!(
                "dtype: {} elements of {} ({} bits each) are not a whole number of bytes \
                 within 2^61",
                elements, self, bits
            ))),
        }
    }
}

impl FromStr for DType {
    type Err = Error;

    /// By the safetensors spelling, upper or lower case. [`Error::NotFound`]
    /// otherwise.
    fn from_str(name: &str) -> Result<DType> {
        check_library()?;
        let name = ffi::c_string("name", name)?;
        let mut id = 0;
        // SAFETY: a C string and a place for the id.
        check(unsafe { sys::bnq_dtype_id(name.as_ptr(), &mut id) })?;
        Ok(DType(id))
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl fmt::Debug for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DType({} {})", self.0, self.name())
    }
}

/// How a quantized tensor is coded.
///
/// A constant for each that this crate knows; a newer library may have others, by
/// name (`"int8".parse()`) and in [`formats`].
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Format(i32);

impl Format {
    /// Not quantized: carried through as it is.
    pub const NONE: Format = Format(sys::BNQ_FORMAT_NONE);
    /// BitNet b1.58: codes -1, 0, +1, scale = mean of |x|; 2 or 1.6 bits a weight
    /// ([`Packing`](crate::Packing)).
    pub const TERNARY: Format = Format(sys::BNQ_FORMAT_TERNARY);
    /// 8-bit integers, symmetric (-127..127) or asymmetric (-128..127).
    pub const INT8: Format = Format(sys::BNQ_FORMAT_INT8);
    /// 4-bit integers, symmetric (-7..7) or asymmetric (-8..7).
    pub const INT4: Format = Format(sys::BNQ_FORMAT_INT4);
    /// 4-bit NormalFloat (QLoRA), as bitsandbytes: codes 0..15.
    pub const NF4: Format = Format(sys::BNQ_FORMAT_NF4);
    /// 4-bit floating point as bitsandbytes (not OCP E2M1): codes 0..15.
    pub const FP4: Format = Format(sys::BNQ_FORMAT_FP4);
    /// IEEE half precision: no scales, 16 bits a weight.
    pub const F16: Format = Format(sys::BNQ_FORMAT_F16);
    /// bfloat16: no scales, 16 bits a weight.
    pub const BF16: Format = Format(sys::BNQ_FORMAT_BF16);
    /// 2-bit integers, symmetric (-1..1) or asymmetric (-2..1).
    pub const INT2: Format = Format(sys::BNQ_FORMAT_INT2);
    /// 3-bit integers, symmetric (-3..3) or asymmetric (-4..3).
    pub const INT3: Format = Format(sys::BNQ_FORMAT_INT3);
    /// 5-bit integers, symmetric (-15..15) or asymmetric (-16..15).
    pub const INT5: Format = Format(sys::BNQ_FORMAT_INT5);
    /// 6-bit integers, symmetric (-31..31) or asymmetric (-32..31).
    pub const INT6: Format = Format(sys::BNQ_FORMAT_INT6);
    /// One bit: the sign, scale = mean of |x| (BitNet, XNOR-Net).
    pub const BINARY: Format = Format(sys::BNQ_FORMAT_BINARY);
    /// 4-bit floating point of OCP (MXFP4, NVFP4): codes 0..15.
    pub const E2M1: Format = Format(sys::BNQ_FORMAT_E2M1);
    /// 8-bit floating point of OCP with 3 mantissa bits (FP8); codes are its bits.
    pub const E4M3: Format = Format(sys::BNQ_FORMAT_E4M3);
    /// 8-bit floating point of OCP with 2 mantissa bits (FP8); codes are its bits.
    pub const E5M2: Format = Format(sys::BNQ_FORMAT_E5M2);
    /// 4 values fitted to the tensor, times signed scales: codes 0..3.
    pub const CODEBOOK2: Format = Format(sys::BNQ_FORMAT_CODEBOOK2);
    /// 8 values fitted to the tensor, times signed scales: codes 0..7.
    pub const CODEBOOK3: Format = Format(sys::BNQ_FORMAT_CODEBOOK3);
    /// 16 values fitted to the tensor, times signed scales: codes 0..15.
    pub const CODEBOOK4: Format = Format(sys::BNQ_FORMAT_CODEBOOK4);

    pub(crate) fn from_id(id: i32) -> Format {
        Format(id)
    }

    /// The id as in `bnq.h`.
    pub fn id(self) -> i32 {
        self.0
    }

    /// Its name, for example "ternary".
    pub fn name(self) -> &'static str {
        expect_library();
        // SAFETY: any id is accepted; names of the registry live for ever.
        unsafe { ffi::text(sys::bnq_format_name(self.0)) }.unwrap_or("unknown")
    }

    /// One sentence about it.
    pub fn description(self) -> &'static str {
        expect_library();
        // SAFETY: as above.
        unsafe { ffi::text(sys::bnq_format_description(self.0)) }.unwrap_or("")
    }

    /// Bits of one packed code, in the default packing.
    ///
    /// # Errors
    /// Like the other properties: [`Error::NotFound`] where the library does not
    /// have the format, and [`Error::Unsupported`] where it has no such property.
    pub fn code_bits(self) -> Result<u32> {
        Ok(self.property(sys::BNQ_FORMAT_CODE_BITS)? as u32)
    }

    /// The smallest legal group size, in columns.
    pub fn min_group_size(self) -> Result<u64> {
        Ok(self.property(sys::BNQ_FORMAT_MIN_GROUP)? as u64)
    }

    /// Whether [`Scheme::Asymmetric`](crate::Scheme::Asymmetric) is supported.
    pub fn supports_asymmetric(self) -> Result<bool> {
        Ok(self.property(sys::BNQ_FORMAT_ASYMMETRIC)? != 0)
    }

    /// From the least to the greatest code.
    pub fn code_range(self) -> Result<RangeInclusive<i64>> {
        Ok(self.property(sys::BNQ_FORMAT_MIN_CODE)?..=self.property(sys::BNQ_FORMAT_MAX_CODE)?)
    }

    /// Whether codes are integers that value = code * scale stands for, so that the
    /// options for integer formats apply: [`Rounding`](crate::Rounding) and others.
    pub fn is_integer(self) -> Result<bool> {
        Ok(self.property(sys::BNQ_FORMAT_INTEGER)? != 0)
    }

    /// Whether values have scales, so that the options about scales and who shares
    /// them apply.
    pub fn has_scales(self) -> Result<bool> {
        Ok(self.property(sys::BNQ_FORMAT_SCALED)? != 0)
    }

    /// [`Error::Unsupported`], with what quantizing would say, where no
    /// [`Config`](crate::Config) of this format may have the option at that value, both
    /// as [`ConfigBuilder::set`](crate::ConfigBuilder::set) takes them. Other options may
    /// have to be of certain values beside it: of a whole config, ask
    /// [`Config::check`](crate::Config::check).
    ///
    /// ```
    /// use bitnet_quant::Format;
    /// assert!(Format::INT4.check("scheme", "offset").is_ok());
    /// assert!(Format::NF4.check("scheme", "offset").is_err());
    /// ```
    ///
    /// # Errors
    /// Besides, [`Error::NotFound`] for an unknown format or option,
    /// [`Error::InvalidArgument`] for a value that it does not have.
    pub fn check(self, option: &str, value: impl fmt::Display) -> Result<()> {
        check_library()?;
        let value = ffi::c_string(option, &value.to_string())?;
        let option = ffi::c_string("option", option)?;
        // SAFETY: any id is accepted; C strings.
        check(unsafe { sys::bnq_format_supports(self.0, option.as_ptr(), value.as_ptr()) })
    }

    fn property(self, property: i32) -> Result<i64> {
        check_library()?;
        let mut value = 0;
        // SAFETY: any id is accepted; a place for the value.
        check(unsafe { sys::bnq_format_property(self.0, property, &mut value) })?;
        Ok(value)
    }
}

impl From<Format> for OptionValue {
    fn from(format: Format) -> OptionValue {
        OptionValue::Int(format.0.into())
    }
}

impl FromStr for Format {
    type Err = Error;

    /// By its name. [`Error::NotFound`] otherwise, listing the known ones.
    fn from_str(name: &str) -> Result<Format> {
        check_library()?;
        let name = ffi::c_string("name", name)?;
        let mut id = 0;
        // SAFETY: a C string and a place for the id.
        check(unsafe { sys::bnq_format_id(name.as_ptr(), &mut id) })?;
        Ok(Format(id))
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl fmt::Debug for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Format({} {})", self.0, self.name())
    }
}

/// The formats the library can quantize into.
///
/// # Panics
/// If the loaded library does not fit; see [`check_library`].
pub fn formats() -> Vec<Format> {
    expect_library();
    // SAFETY: a place for the id; the index is in range.
    unsafe {
        (0..sys::bnq_format_count())
            .filter_map(|index| {
                let mut id = 0;
                check(sys::bnq_format_at(index, &mut id))
                    .ok()
                    .map(|()| Format(id))
            })
            .collect()
    }
}
