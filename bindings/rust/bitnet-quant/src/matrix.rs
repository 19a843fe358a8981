//! Matrices that operators read and write.

use crate::array::{bytes, bytes_mut, Element};
use crate::error::{Error, Result};
use crate::ffi::expect_length;
use crate::registry::DType;
use bitnet_quant_sys as sys;
use std::fmt;
use std::marker::PhantomData;
use std::ptr;

/// A matrix that is read: rows of elements that lie together, which may be apart.
///
/// ```
/// use bitnet_quant::MatrixView;
///
/// let wide = [1.0f32, 2.0, 0.0, 3.0, 4.0, 0.0];
/// // Two columns of three.
/// let left = MatrixView::strided(&wide, 2, 2, 3)?;
/// assert_eq!((left.rows(), left.columns()), (2, 2));
/// # Ok::<(), bitnet_quant::Error>(())
/// ```
#[derive(Clone, Copy)]
pub struct MatrixView<'a> {
    raw: sys::bnq_matrix,
    memory: PhantomData<&'a [u8]>,
}

/// A matrix that is written, or changed in place.
pub struct MatrixViewMut<'a> {
    raw: sys::bnq_matrix,
    memory: PhantomData<&'a mut [u8]>,
}

// SAFETY: they are slices of numbers.
unsafe impl Send for MatrixView<'_> {}
// SAFETY: as above.
unsafe impl Sync for MatrixView<'_> {}
// SAFETY: as above.
unsafe impl Send for MatrixViewMut<'_> {}

macro_rules! matrices {
    ($name:ident, $slice:ty, $bits:ty, $of:ident, $data:expr) => {
        impl<'a> $name<'a> {
            /// A matrix of all elements: f32, or i8 or u8 with scales.
            ///
            /// # Errors
            /// [`Error::InvalidArgument`] where there are not rows * columns of them.
            pub fn new<$of: Element>(
                elements: $slice, rows: usize, columns: usize,
            ) -> Result<$name<'a>> {
                expect_length("elements", elements.len(), product(rows, columns)?)?;
                $name::strided(elements, rows, columns, columns)
            }

            /// A matrix whose rows begin `stride` elements after one another.
            ///
            /// # Errors
            /// [`Error::InvalidArgument`] where the last row ends behind the elements, or
            /// rows overlap.
            pub fn strided<$of: Element>(
                elements: $slice, rows: usize, columns: usize, stride: usize,
            ) -> Result<$name<'a>> {
                check_rows(elements.len(), rows, columns, stride)?;
                Ok($name {
                    raw: raw($data(elements), $of::DTYPE, rows, columns, stride),
                    memory: PhantomData,
                })
            }

            /// A matrix of half-precision numbers by their bits: `dtype` is
            /// [`DType::F16`] or [`DType::BF16`]. Errors as in `new`.
            pub fn from_bits(
                bits: $bits, dtype: DType, rows: usize, columns: usize,
            ) -> Result<$name<'a>> {
                if dtype != DType::F16 && dtype != DType::BF16 {
                    return Err(Error::InvalidArgument(format!(
                        "dtype: {} has no bits of a half-precision number; F16 and BF16 are \
                         accepted",
                        dtype
                    )));
                }
                expect_length("bits", bits.len(), product(rows, columns)?)?;
                Ok($name {
                    raw: raw($data(bits), dtype, rows, columns, columns),
                    memory: PhantomData,
                })
            }

            /// A matrix of rows `stride` elements after one another, the first at `data`.
            ///
            /// # Safety
            /// Its rows, though not what is between them, are borrowed for `'a`.
            #[cfg(feature = "ndarray")]
            pub(crate) unsafe fn from_rows<$of: Element>(
                data: *const $of, rows: usize, columns: usize, stride: usize,
            ) -> $name<'a> {
                $name {
                    raw: raw(data as *mut u8, $of::DTYPE, rows, columns, stride),
                    memory: PhantomData,
                }
            }

            /// What codes stand for: (code - zero point) * scale, with one of each for each
            /// row; no zero points stand for 0. Errors as in `new`.
            pub fn with_scales(
                mut self, scales: &'a [f32], zero_points: Option<&'a [i32]>,
            ) -> Result<$name<'a>> {
                expect_length("scales", scales.len(), self.raw.rows)?;
                // They are only read.
                self.raw.scales = scales.as_ptr() as *mut f32;
                self.raw.zero_points = ptr::null_mut();
                if let Some(zero_points) = zero_points {
                    expect_length("zero_points", zero_points.len(), self.raw.rows)?;
                    self.raw.zero_points = zero_points.as_ptr() as *mut i32;
                }
                Ok(self)
            }

            /// The number of rows.
            pub fn rows(&self) -> usize {
                self.raw.rows as usize
            }

            /// The elements of a row.
            pub fn columns(&self) -> usize {
                self.raw.columns as usize
            }

            /// The matrix for a native call, while this is alive.
            pub(crate) fn raw(&self) -> *const sys::bnq_matrix {
                &self.raw
            }
        }

        impl fmt::Debug for $name<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name))
                    .field("rows", &self.rows())
                    .field("columns", &self.columns())
                    .field("dtype", &DType::from_id(self.raw.dtype))
                    .finish()
            }
        }
    };
}

matrices!(
    MatrixView,
    &'a [T],
    &'a [u16],
    T,
    |elements| bytes(elements).as_ptr() as *mut u8
);
matrices!(MatrixViewMut, &'a mut [T], &'a mut [u16], T, |elements| {
    bytes_mut(elements).as_mut_ptr()
});

fn raw(data: *mut u8, dtype: DType, rows: usize, columns: usize, stride: usize) -> sys::bnq_matrix {
    sys::bnq_matrix {
        data: data.cast(),
        scales: ptr::null_mut(),
        zero_points: ptr::null_mut(),
        rows: rows as u64,
        columns: columns as u64,
        row_stride: stride as u64 * u64::from(dtype.bits() / 8),
        dtype: dtype.id(),
        reserved: 0,
    }
}

fn product(rows: usize, columns: usize) -> Result<u64> {
    (rows as u64).checked_mul(columns as u64).ok_or_else(|| {
        Error::InvalidArgument(format!("rows: {} of {} are too many", rows, columns))
    })
}

fn check_rows(length: usize, rows: usize, columns: usize, stride: usize) -> Result<()> {
    if rows == 0 || columns == 0 {
        return Ok(());
    }
    let last = (rows - 1).checked_mul(stride);
    let end = last.and_then(|begin| begin.checked_add(columns));
    if (rows > 1 && stride < columns) || end.map_or(true, |end| end > length) {
        return Err(Error::InvalidArgument(format!(
            "stride: {} rows of {} elements, {} after one another, do not fit {} elements, or \
             overlap",
            rows, columns, stride, length
        )));
    }
    Ok(())
}
