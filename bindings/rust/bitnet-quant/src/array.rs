//! Views of arrays: what is quantized, compared and written, and where results go.

use crate::error::{Error, Result};
use crate::ffi::{expect_length, Shape};
use crate::registry::DType;
use bitnet_quant_sys as sys;
use std::fmt;
use std::mem::size_of_val;
use std::slice;

mod sealed {
    pub trait Sealed {}
}

/// A Rust type that array elements can be given and read as. Every bit pattern is
/// a value of it.
pub trait Element: Copy + Send + Sync + sealed::Sealed + 'static {
    /// Its data type.
    const DTYPE: DType;
}

macro_rules! elements {
    ($($type:ty = $dtype:ident,)*) => {$(
        impl sealed::Sealed for $type {}
        impl Element for $type {
            const DTYPE: DType = DType::$dtype;
        }
    )*};
}

elements! {
    f32 = F32,
    f64 = F64,
    i8 = I8,
    u8 = U8,
    i16 = I16,
    u16 = U16,
    i32 = I32,
    u32 = U32,
    i64 = I64,
    u64 = U64,
}

/// The bytes of elements.
pub(crate) fn bytes<T: Element>(elements: &[T]) -> &[u8] {
    // SAFETY: elements are numbers, without padding; u8 has no alignment.
    unsafe { slice::from_raw_parts(elements.as_ptr().cast(), size_of_val(elements)) }
}

/// The same to be written.
pub(crate) fn bytes_mut<T: Element>(elements: &mut [T]) -> &mut [u8] {
    let size = size_of_val(elements);
    // SAFETY: as above; every bit pattern is a value of the elements.
    unsafe { slice::from_raw_parts_mut(elements.as_mut_ptr().cast(), size) }
}

/// A view of an array: row-major, contiguous, of rank 0 (one element) to 8. Empty
/// arrays, with a dimension of 0, are legal.
///
/// ```
/// use bitnet_quant::{ArrayView, DType};
///
/// let weights = [0.5f32, -1.0, 0.25, 2.0, 0.0, -0.5];
/// let array = ArrayView::new(&weights, &[2, 3])?;
///
/// let halves = [0x3f80u16, 0xbf80]; // 1.0 and -1.0 in bfloat16
/// let array = ArrayView::from_bits(&halves, DType::BF16, &[2])?;
/// assert_eq!(array.dtype(), DType::BF16);
/// # Ok::<(), bitnet_quant::Error>(())
/// ```
#[derive(Clone, Copy)]
pub struct ArrayView<'a> {
    bytes: &'a [u8],
    shape: Shape,
    dtype: DType,
}

impl<'a> ArrayView<'a> {
    /// A view of numbers, as many as `shape` says.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] where the number is another, or the rank is
    /// greater than 8.
    pub fn new<T: Element>(elements: &'a [T], shape: &[usize]) -> Result<ArrayView<'a>> {
        ArrayView::checked(
            bytes(elements),
            elements.len(),
            T::DTYPE,
            Shape::new(shape)?,
        )
    }

    /// A view of half-precision numbers by their bits: `dtype` is
    /// [`DType::F16`] or [`DType::BF16`]. Errors as in [`ArrayView::new`].
    pub fn from_bits(bits: &'a [u16], dtype: DType, shape: &[usize]) -> Result<ArrayView<'a>> {
        check_half(dtype)?;
        ArrayView::checked(bytes(bits), bits.len(), dtype, Shape::new(shape)?)
    }

    /// A view of the bytes of any data type, in native byte order, not necessarily
    /// aligned. Errors as in [`ArrayView::new`].
    pub fn from_bytes(bytes: &'a [u8], dtype: DType, shape: &[usize]) -> Result<ArrayView<'a>> {
        ArrayView::from_shape(bytes, dtype, Shape::new(shape)?)
    }

    pub(crate) fn from_shape(bytes: &'a [u8], dtype: DType, shape: Shape) -> Result<ArrayView<'a>> {
        let expected = dtype.bytes_of(shape.elements()?)?;
        if bytes.len() as u64 != expected {
            return Err(Error::InvalidArgument(format!(
                "bytes: {} given; {} are accepted for shape {:?} of {}",
                bytes.len(),
                expected,
                shape.to_vec(),
                dtype
            )));
        }
        Ok(ArrayView {
            bytes,
            shape,
            dtype,
        })
    }

    fn checked(
        bytes: &'a [u8], length: usize, dtype: DType, shape: Shape,
    ) -> Result<ArrayView<'a>> {
        expect_length(
            &format!("elements of shape {:?}", shape.to_vec()),
            length,
            shape.elements()?,
        )?;
        Ok(ArrayView {
            bytes,
            shape,
            dtype,
        })
    }

    /// The dimensions.
    pub fn shape(&self) -> Vec<usize> {
        self.shape.to_vec()
    }

    /// The data type of the elements.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// The elements' bytes.
    pub fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The array's C view, which points into this one.
    pub(crate) fn raw(&self) -> sys::bnq_array {
        sys::bnq_array {
            data: self.bytes.as_ptr().cast(),
            shape: self.shape.as_ptr(),
            dtype: self.dtype.id(),
            rank: self.shape.rank(),
        }
    }

    /// Runs a native call with the array's C view, which lives for that call.
    pub(crate) fn with_raw<R>(&self, call: impl FnOnce(*const sys::bnq_array) -> R) -> R {
        call(&self.raw())
    }

    pub(crate) fn dimensions(&self) -> &Shape {
        &self.shape
    }
}

impl fmt::Debug for ArrayView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ArrayView")
            .field("dtype", &format_args!("{}", self.dtype))
            .field("shape", &self.shape())
            .finish()
    }
}

fn check_half(dtype: DType) -> Result<()> {
    if dtype == DType::F16 || dtype == DType::BF16 {
        return Ok(());
    }
    Err(Error::InvalidArgument(format!(
        "dtype: {} has no bits of a half-precision number; F16 and BF16 are accepted",
        dtype
    )))
}

/// Where dequantized values go: `&mut [f32]` or `&mut Vec<f32>` as they are, or
/// half-precision bits with [`Output::from_bits`].
pub struct Output<'a> {
    data: &'a mut [u8],
    length: usize,
    dtype: DType,
    overflow: Overflow,
}

/// What becomes of a finite value that the output's type, F16 or BF16, would turn into
/// infinity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Overflow {
    /// Fail with [`Error::NonFinite`], which names the index.
    #[default]
    Error = sys::BNQ_OVERFLOW_ERROR as isize,
    /// It becomes the type's greatest number, with its sign.
    Saturate = sys::BNQ_OVERFLOW_SATURATE as isize,
    /// It becomes infinity.
    Keep = sys::BNQ_OVERFLOW_KEEP as isize,
}

impl<'a> Output<'a> {
    fn new<T: Element>(out: &'a mut [T], dtype: DType) -> Output<'a> {
        Output {
            length: out.len(),
            data: bytes_mut(out),
            dtype,
            overflow: Overflow::Error,
        }
    }

    /// For half-precision numbers, rounded to nearest even, as bits: `dtype` is
    /// [`DType::F16`] or [`DType::BF16`], [`Error::InvalidArgument`] otherwise.
    pub fn from_bits(out: &'a mut [u16], dtype: DType) -> Result<Output<'a>> {
        check_half(dtype)?;
        Ok(Output::new(out, dtype))
    }

    /// The same with another way of handling values that the type does not hold.
    #[must_use]
    pub fn on_overflow(self, overflow: Overflow) -> Output<'a> {
        Output { overflow, ..self }
    }

    pub(crate) fn dtype(&self) -> DType {
        self.dtype
    }

    pub(crate) fn overflow(&self) -> Overflow {
        self.overflow
    }

    /// Checks that there is room for exactly so many elements; their data type and
    /// bytes.
    pub(crate) fn expect(self, elements: u64) -> Result<(DType, &'a mut [u8])> {
        expect_length("out", self.length, elements)?;
        Ok((self.dtype, self.data))
    }
}

impl<'a> From<&'a mut [f32]> for Output<'a> {
    fn from(out: &'a mut [f32]) -> Output<'a> {
        Output::new(out, DType::F32)
    }
}

impl<'a> From<&'a mut Vec<f32>> for Output<'a> {
    fn from(out: &'a mut Vec<f32>) -> Output<'a> {
        Output::new(out, DType::F32)
    }
}

impl fmt::Debug for Output<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Output")
            .field("dtype", &format_args!("{}", self.dtype))
            .field("length", &self.length)
            .finish()
    }
}
