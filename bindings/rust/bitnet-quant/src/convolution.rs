//! Convolutions on quantized weights.

use crate::array::ArrayView;
use crate::context::Context;
use crate::error::{check, Result};
use crate::ffi::{length, Handle};
use crate::linear::Workspace;
use crate::matrix::{MatrixView, MatrixViewMut};
use crate::operator::Operator;
use crate::tensor::{Backing, QuantizedTensor};
use bitnet_quant_sys as sys;
use std::fmt;
use std::ptr;

/// A convolution on quantized weights `[outputs, channels / groups, height, width]`, without
/// the height where there is one dimension, or in the order of
/// [`ImageLayout::Nhwc`](crate::ImageLayout::Nhwc): of each output pixel a
/// [`Linear`](crate::Linear) layer on the patch under the kernel. Immutable; any number of
/// threads may run it at once.
///
/// Images are the rows of matrices: channels, height and width in their order are the
/// columns. Those that become codes do so image by image, and parameters of codes are those
/// of images. Of one dimension the height is 1.
///
/// ```
/// use bitnet_quant::*;
///
/// let (weights, context) = ([1.0f32; 9], Context::new());
/// let array = ArrayView::new(&weights, &[1, 1, 3, 3])?;
/// let weight = QuantizedTensor::quantize(&context, &"int8_per_channel".parse()?, &array)?;
/// let operator = Operator::builder().padding(1, 1, 1, 1).build()?;
/// let convolution = Convolution::new(&context, &operator, &weight, None)?;
/// assert_eq!(convolution.output(2, 2)?, (1, 2, 2));
///
/// let (x, mut y) = ([1.0f32, 2.0, 3.0, 4.0], [0.0f32; 4]);
/// let mut output = MatrixViewMut::new(&mut y, 1, 4)?;
/// convolution.forward(&context, &MatrixView::new(&x, 1, 4)?, (2, 2), &mut output, None)?;
/// assert!((y[0] - 10.0).abs() < 0.01);
/// # Ok::<(), Error>(())
/// ```
pub struct Convolution {
    // Dropped before what it points into.
    handle: Handle<sys::bnq_convolution>,
    _backing: Option<Backing>,
}

// SAFETY: bnq.h: any number of threads may run a convolution at once; what it points into is
// Send and Sync.
unsafe impl Send for Convolution {}
// SAFETY: as above.
unsafe impl Sync for Convolution {}

impl Convolution {
    /// A convolution of a weight, which it keeps. `bias`, which is copied, has a number for
    /// each output channel. Errors as in [`Linear::new`](crate::Linear::new).
    pub fn new(
        context: &Context, operator: &Operator, weight: &QuantizedTensor,
        bias: Option<&ArrayView<'_>>,
    ) -> Result<Convolution> {
        let bias = bias.map(ArrayView::raw);
        let bias = bias.as_ref().map_or(ptr::null(), |bias| bias);
        let (operator, tensor) = (operator.raw(), weight.raw());
        // SAFETY: live handles, a live array or NULL, and a place for the handle.
        let handle = Handle::create(|out| unsafe {
            sys::bnq_convolution_create(context.raw(), operator, tensor, bias, out)
        })?;
        Ok(Convolution {
            handle,
            _backing: weight.backing(),
        })
    }

    fn raw(&self) -> *const sys::bnq_convolution {
        self.handle.as_ptr()
    }

    /// Channels, height and width of what comes of images of a height and width.
    pub fn output(&self, height: usize, width: usize) -> Result<(usize, usize, usize)> {
        let (mut channels, mut down, mut across) = (0, 0, 0);
        // SAFETY: a live convolution and places for the sizes.
        check(unsafe {
            sys::bnq_convolution_output(
                self.raw(),
                height as u64,
                width as u64,
                &mut channels,
                &mut down,
                &mut across,
            )
        })?;
        Ok((length(channels), length(down), length(across)))
    }

    /// Bytes that running it takes for so many images.
    pub fn workspace_bytes(&self, items: usize, height: usize, width: usize) -> Result<usize> {
        let (mut bytes, items) = (0, items as u64);
        // SAFETY: a live convolution and a place for the size.
        check(unsafe {
            sys::bnq_convolution_workspace(
                self.raw(),
                items,
                height as u64,
                width as u64,
                &mut bytes,
            )
        })?;
        Ok(length(bytes))
    }

    /// y of images x of a height and width, in memory of the caller's or of the library's.
    /// Errors as in [`Linear::forward`](crate::Linear::forward).
    pub fn forward(
        &self, context: &Context, x: &MatrixView<'_>, (height, width): (usize, usize),
        y: &mut MatrixViewMut<'_>, workspace: Option<&mut Workspace>,
    ) -> Result<()> {
        let (memory, bytes) = workspace.map_or((ptr::null_mut(), 0), Workspace::raw);
        // SAFETY: live handles, matrices and memory, checked by the library; y and the
        // workspace are borrowed mutably.
        check(unsafe {
            sys::bnq_convolution_run(
                self.raw(),
                context.raw(),
                x.raw(),
                height as u64,
                width as u64,
                y.raw(),
                memory,
                bytes,
            )
        })
    }
}

impl fmt::Debug for Convolution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Convolution").finish_non_exhaustive()
    }
}
