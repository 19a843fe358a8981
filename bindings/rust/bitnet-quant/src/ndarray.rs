//! Arrays of the crate ndarray, in and out (feature `ndarray`).
//!
//! Nothing is copied: an array in standard layout (row-major, without gaps) is an
//! [`ArrayView`](crate::ArrayView) or an [`Output`](crate::Output), and a matrix, whose rows may
//! be apart, a [`MatrixView`](crate::MatrixView) for operators. Others are refused with their
//! strides; `as_standard_layout()` makes a copy of them that is taken.
//!
//! ```
//! use bitnet_quant::{ArrayView, Context, MatrixView, QuantizedTensor};
//! use ndarray::{s, Array2};
//!
//! let weights = Array2::from_shape_fn((8, 64), |(row, column)| (row * column) as f32);
//! let context = Context::new();
//! let array = ArrayView::try_from(&weights)?;
//! let tensor = QuantizedTensor::quantize(&context, &"int8".parse()?, &array)?;
//! assert_eq!(tensor.to_ndarray(&context)?.shape(), weights.shape());
//!
//! let error = ArrayView::try_from(&weights.t()).unwrap_err();
//! assert!(error.message().contains("strides [1, 64] of shape [64, 8]"));
//!
//! // Columns of a wider matrix, as they lie there.
//! let wide = Array2::<f32>::ones((3, 100));
//! let columns = wide.slice(s![.., 10..74]);
//! assert!(ArrayView::try_from(&columns).is_err());
//! assert_eq!(MatrixView::try_from(&columns)?.columns(), 64);
//! # Ok::<(), bitnet_quant::Error>(())
//! ```

use crate::array::{ArrayView, Element, Output};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::matrix::{MatrixView, MatrixViewMut};
use crate::tensor::QuantizedTensor;
use ::ndarray::{ArrayBase, ArrayD, Data, DataMut, Dimension, Ix2, IxDyn};

/// The error about an array that is not laid out as it must be.
fn refused(shape: &[usize], strides: &[isize], accepted: &str) -> Error {
    Error::InvalidArgument(format!(
        "array: strides {:?} of shape {:?} are not those of {}; as_standard_layout() makes a \
         copy that is accepted",
        strides, shape, accepted
    ))
}

fn not_standard(shape: &[usize], strides: &[isize]) -> Error {
    refused(shape, strides, "a row-major array without gaps")
}

impl<'a, T, S, D> TryFrom<&'a ArrayBase<S, D>> for ArrayView<'a>
where
    T: Element,
    S: Data<Elem = T>,
    D: Dimension,
{
    type Error = Error;

    fn try_from(array: &'a ArrayBase<S, D>) -> Result<ArrayView<'a>> {
        match array.as_slice() {
            Some(elements) => ArrayView::new(elements, array.shape()),
            None => Err(not_standard(array.shape(), array.strides())),
        }
    }
}

impl<'a, S, D> TryFrom<&'a mut ArrayBase<S, D>> for Output<'a>
where
    S: DataMut<Elem = f32>,
    D: Dimension,
{
    type Error = Error;

    fn try_from(array: &'a mut ArrayBase<S, D>) -> Result<Output<'a>> {
        if array.as_slice().is_none() {
            return Err(not_standard(array.shape(), array.strides()));
        }
        let elements = array.as_slice_mut().expect("a standard layout");
        Ok(elements.into())
    }
}

/// Rows, columns, and elements from one row to the next, where operators can have them so.
fn rows(shape: &[usize], strides: &[isize]) -> Result<(usize, usize, usize)> {
    let (rows, columns) = (shape[0], shape[1]);
    // The strides of what is there once mean nothing.
    let together = rows == 0 || columns <= 1 || strides[1] == 1;
    let apart = match usize::try_from(strides[0]) {
        _ if rows <= 1 || columns == 0 => Some(columns),
        Ok(stride) if stride >= columns => Some(stride),
        _ => None,
    };
    match apart {
        Some(stride) if together => Ok((rows, columns, stride)),
        _ => Err(refused(
            shape,
            strides,
            "rows of elements that lie together, one row behind the other",
        )),
    }
}

impl<'a, T, S> TryFrom<&'a ArrayBase<S, Ix2>> for MatrixView<'a>
where
    T: Element,
    S: Data<Elem = T>,
{
    type Error = Error;

    fn try_from(array: &'a ArrayBase<S, Ix2>) -> Result<MatrixView<'a>> {
        let (rows, columns, stride) = rows(array.shape(), array.strides())?;
        // SAFETY: the array, which is borrowed, has these rows.
        Ok(unsafe { MatrixView::from_rows::<T>(array.as_ptr(), rows, columns, stride) })
    }
}

impl<'a, T, S> TryFrom<&'a mut ArrayBase<S, Ix2>> for MatrixViewMut<'a>
where
    T: Element,
    S: DataMut<Elem = T>,
{
    type Error = Error;

    fn try_from(array: &'a mut ArrayBase<S, Ix2>) -> Result<MatrixViewMut<'a>> {
        let (rows, columns, stride) = rows(array.shape(), array.strides())?;
        // SAFETY: the array, which is borrowed to be changed, has these rows.
        Ok(unsafe { MatrixViewMut::from_rows::<T>(array.as_mut_ptr(), rows, columns, stride) })
    }
}

impl QuantizedTensor {
    /// Dequantizes to an array of the tensor's shape. Into one of yours:
    /// `dequantize_into(&context, Output::try_from(&mut array)?)`.
    pub fn to_ndarray(&self, context: &Context) -> Result<ArrayD<f32>> {
        let mut array = ArrayD::zeros(IxDyn(self.shape()));
        self.dequantize_into(context, Output::try_from(&mut array)?)?;
        Ok(array)
    }
}
