//! Linear layers on quantized weights, and embeddings.

use crate::array::ArrayView;
use crate::context::Context;
use crate::error::{check, Result};
use crate::ffi::{length, pointer, Handle};
use crate::library::check_library;
use crate::matrix::{MatrixView, MatrixViewMut};
use crate::operator::Operator;
use crate::tensor::{Backing, QuantizedTensor};
use bitnet_quant_sys as sys;
use std::ffi::c_void;
use std::fmt;
use std::ptr;

/// A linear layer y = function(x W^T + b) on a quantized weight `[outputs, inputs]` (further
/// dimensions are inputs), which is read where it is, also in a mapped file. Immutable; any
/// number of threads may run it at once.
///
/// Results are the same bits on every CPU and for any number of threads, and a row's do not
/// depend on other rows. `bnq.h` has their definition.
///
/// ```
/// use bitnet_quant::*;
///
/// let weights = [0.5f32, -1.0, 1.0, 0.25, 0.0, 2.0];
/// let context = Context::new();
/// let array = ArrayView::new(&weights, &[2, 3])?;
/// let weight = QuantizedTensor::quantize(&context, &"int8_per_channel".parse()?, &array)?;
/// let operator = Operator::builder().input(InputMode::Int8).build()?;
/// let linear = Linear::new(&context, &operator, &weight, None)?;
/// drop(weight); // the layer keeps it
///
/// let (x, mut y) = ([1.0f32, 2.0, 3.0], [0.0f32; 2]);
/// let mut output = MatrixViewMut::new(&mut y, 1, 2)?;
/// linear.forward(&context, &MatrixView::new(&x, 1, 3)?, &mut output)?;
/// assert!((y[0] - 1.5).abs() < 0.05 && (y[1] - 6.25).abs() < 0.05);
/// # Ok::<(), Error>(())
/// ```
pub struct Linear {
    // Dropped before what it points into.
    handle: Handle<sys::bnq_linear>,
    _backing: Option<Backing>,
}

// SAFETY: bnq.h: any number of threads may run a layer at once; what it points into is Send
// and Sync.
unsafe impl Send for Linear {}
// SAFETY: as above.
unsafe impl Sync for Linear {}

impl Linear {
    /// A layer of a weight, which it keeps. `bias`, which is copied, has a number for each
    /// output: floats, or `i32`, which are added to the sums of integers.
    ///
    /// # Errors
    /// [`InvalidArgument`](crate::Error::InvalidArgument) for a bias of another length, a
    /// weight of fewer than two dimensions, or options that lack a scale;
    /// [`Unsupported`](crate::Error::Unsupported) for a bias of integers where there are no
    /// sums of integers; [`OutOfMemory`](crate::Error::OutOfMemory).
    pub fn new(
        context: &Context, operator: &Operator, weight: &QuantizedTensor,
        bias: Option<&ArrayView<'_>>,
    ) -> Result<Linear> {
        let bias = bias.map(ArrayView::raw);
        let bias = bias.as_ref().map_or(ptr::null(), |bias| bias);
        let (operator, tensor) = (operator.raw(), weight.raw());
        // SAFETY: live handles, a live array or NULL, and a place for the handle.
        let handle = Handle::create(|out| unsafe {
            sys::bnq_linear_create(context.raw(), operator, tensor, bias, out)
        })?;
        Ok(Linear {
            handle,
            _backing: weight.backing(),
        })
    }

    fn raw(&self) -> *const sys::bnq_linear {
        self.handle.as_ptr()
    }

    /// Columns of x.
    pub fn inputs(&self) -> usize {
        // SAFETY: a live layer.
        length(unsafe { sys::bnq_linear_inputs(self.raw()) })
    }

    /// Columns of y.
    pub fn outputs(&self) -> usize {
        // SAFETY: a live layer.
        length(unsafe { sys::bnq_linear_outputs(self.raw()) })
    }

    /// Bytes that running it takes for so many rows of x.
    pub fn workspace_bytes(&self, rows: usize) -> Result<usize> {
        let mut bytes = 0;
        // SAFETY: a live layer and a place for the size.
        check(unsafe { sys::bnq_linear_workspace(self.raw(), rows as u64, &mut bytes) })?;
        Ok(length(bytes))
    }

    /// y of x. Codes (`i8`, `u8`) need scales, or an operator with
    /// [`input_scale`](crate::OperatorBuilder::input_scale).
    ///
    /// # Errors
    /// [`InvalidArgument`](crate::Error::InvalidArgument) for other shapes and types;
    /// [`NonFinite`](crate::Error::NonFinite) where x becomes codes, and names the element;
    /// [`Cancelled`](crate::Error::Cancelled). y is then in part written.
    pub fn forward(
        &self, context: &Context, x: &MatrixView<'_>, y: &mut MatrixViewMut<'_>,
    ) -> Result<()> {
        self.run(context, x, y, ptr::null_mut(), 0)
    }

    /// The same in memory of the caller's, of at least
    /// [`workspace_bytes`](Linear::workspace_bytes).
    pub fn forward_with(
        &self, context: &Context, x: &MatrixView<'_>, y: &mut MatrixViewMut<'_>,
        workspace: &mut Workspace,
    ) -> Result<()> {
        let (memory, bytes) = workspace.raw();
        self.run(context, x, y, memory, bytes)
    }

    fn run(
        &self, context: &Context, x: &MatrixView<'_>, y: &mut MatrixViewMut<'_>,
        workspace: *mut c_void, bytes: u64,
    ) -> Result<()> {
        // SAFETY: live handles, matrices and memory, checked by the library; y and the
        // workspace are borrowed mutably.
        check(unsafe {
            sys::bnq_linear_run(
                self.raw(),
                context.raw(),
                x.raw(),
                y.raw(),
                workspace,
                bytes,
            )
        })
    }

    /// Several layers on one x (query, key and value; experts), each into its own y, as one
    /// piece of work for the context's threads. A workspace has the bytes of all of them
    /// together. Errors as in [`forward`](Linear::forward).
    pub fn run_many(
        linears: &[&Linear], context: &Context, x: &MatrixView<'_>, ys: &mut [MatrixViewMut<'_>],
        workspace: Option<&mut Workspace>,
    ) -> Result<()> {
        check_library()?;
        crate::ffi::expect_length("ys", ys.len(), linears.len() as u64)?;
        let (memory, bytes) = workspace.map_or((ptr::null_mut(), 0), Workspace::raw);
        let handles: Vec<_> = linears.iter().map(|linear| linear.raw()).collect();
        // SAFETY: live matrices.
        let outputs: Vec<_> = ys.iter().map(|y| unsafe { *y.raw() }).collect();
        // SAFETY: as in run; as many layers as outputs.
        check(unsafe {
            sys::bnq_linear_run_many(
                pointer(&handles),
                handles.len() as u64,
                context.raw(),
                x.raw(),
                pointer(&outputs),
                memory,
                bytes,
            )
        })
    }
}

impl fmt::Debug for Linear {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Linear")
            .field("inputs", &self.inputs())
            .field("outputs", &self.outputs())
            .finish()
    }
}

/// Memory for runs of operators, one at a time, in place of memory that every run allocates.
pub struct Workspace {
    memory: Vec<u8>,
    bytes: usize,
}

impl Workspace {
    /// What the library asks of it.
    const ALIGNMENT: usize = 64;

    /// Memory of so many bytes.
    pub fn new(bytes: usize) -> Workspace {
        Workspace {
            memory: vec![0; bytes + Workspace::ALIGNMENT],
            bytes,
        }
    }

    pub(crate) fn raw(&mut self) -> (*mut c_void, u64) {
        let start = self.memory.as_mut_ptr();
        let skip = (start as usize).wrapping_neg() % Workspace::ALIGNMENT;
        (self.memory[skip..].as_mut_ptr().cast(), self.bytes as u64)
    }
}

impl fmt::Debug for Workspace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Workspace")
            .field("bytes", &self.bytes)
            .finish()
    }
}

/// Rows of a quantized matrix `[rows, columns]` (further dimensions are columns) by index,
/// dequantized into the rows of y.
///
/// # Errors
/// [`InvalidArgument`](crate::Error::InvalidArgument) names an index that is no row's, and for
/// a y of another shape or of codes.
pub fn embedding(
    context: &Context, table: &QuantizedTensor, indices: &[i64], y: &mut MatrixViewMut<'_>,
) -> Result<()> {
    let count = indices.len() as u64;
    // SAFETY: live handles, so many indices, and a matrix that is borrowed mutably.
    check(unsafe {
        sys::bnq_embedding(context.raw(), table.raw(), pointer(indices), count, y.raw())
    })
}
