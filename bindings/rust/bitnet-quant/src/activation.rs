//! Activation functions, softmax and norms. `bnq.h` has their definitions and errors.

use crate::context::Context;
use crate::error::{check, Result};
use crate::ffi::{expect_length, text};
use crate::library::check_library;
use crate::matrix::{MatrixView, MatrixViewMut};
use bitnet_quant_sys as sys;
use std::ptr;

/// A function of one number.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Activation {
    /// x.
    None,
    /// max(x, 0).
    Relu,
    /// min(max(x, 0), 6).
    Relu6,
    /// x, or x times the slope below 0.
    LeakyRelu(f32),
    /// max(x, 0)^2.
    SquaredRelu,
    /// x / 2 * (1 + erf(x / sqrt 2)).
    Gelu,
    /// x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3))).
    GeluTanh,
    /// x / (1 + e^-x).
    Silu,
    /// 1 / (1 + e^-x).
    Sigmoid,
    /// tanh x.
    Tanh,
    /// x * min(max(x + 3, 0), 6) / 6.
    HardSwish,
}

impl Activation {
    /// The id as in `bnq.h`.
    pub fn id(self) -> i32 {
        match self {
            Activation::None => sys::BNQ_FUNCTION_NONE,
            Activation::Relu => sys::BNQ_FUNCTION_RELU,
            Activation::Relu6 => sys::BNQ_FUNCTION_RELU6,
            Activation::LeakyRelu(_) => sys::BNQ_FUNCTION_LEAKY_RELU,
            Activation::SquaredRelu => sys::BNQ_FUNCTION_SQUARED_RELU,
            Activation::Gelu => sys::BNQ_FUNCTION_GELU,
            Activation::GeluTanh => sys::BNQ_FUNCTION_GELU_TANH,
            Activation::Silu => sys::BNQ_FUNCTION_SILU,
            Activation::Sigmoid => sys::BNQ_FUNCTION_SIGMOID,
            Activation::Tanh => sys::BNQ_FUNCTION_TANH,
            Activation::HardSwish => sys::BNQ_FUNCTION_HARD_SWISH,
        }
    }

    /// "relu", "gelu_tanh", ...
    pub fn name(self) -> &'static str {
        // SAFETY: any id is accepted; names of the registry live for ever.
        unsafe { text(sys::bnq_function_name(self.id())) }.unwrap_or("unknown")
    }

    pub(crate) fn slope(self) -> f32 {
        match self {
            Activation::LeakyRelu(slope) => slope,
            _ => 0.0,
        }
    }
}

/// y = function(x), of as many rows and columns. Codes need scales; floats do not become
/// codes ([`Error::Unsupported`](crate::Error::Unsupported)).
///
/// ```
/// use bitnet_quant::{activate, Activation, Context, MatrixView, MatrixViewMut};
///
/// let x = [-1.0f32, 0.5, 2.0, -3.0];
/// let mut y = [0.0f32; 4];
/// activate(
///     &Context::default(),
///     Activation::SquaredRelu,
///     &MatrixView::new(&x, 2, 2)?,
///     &mut MatrixViewMut::new(&mut y, 2, 2)?,
/// )?;
/// assert_eq!(y, [0.0, 0.25, 4.0, 0.0]);
/// # Ok::<(), bitnet_quant::Error>(())
/// ```
///
/// # Errors
/// [`Error::InvalidArgument`](crate::Error::InvalidArgument) for other shapes, missing
/// scales, or a slope that is not finite.
pub fn activate(
    context: &Context, function: Activation, x: &MatrixView<'_>, y: &mut MatrixViewMut<'_>,
) -> Result<()> {
    activate_raw(context, function, x.raw(), y)
}

/// The same in place.
pub fn activate_in_place(
    context: &Context, function: Activation, y: &mut MatrixViewMut<'_>,
) -> Result<()> {
    activate_raw(context, function, y.raw(), y)
}

fn activate_raw(
    context: &Context, function: Activation, x: *const sys::bnq_matrix, y: &mut MatrixViewMut<'_>,
) -> Result<()> {
    check_library()?;
    // SAFETY: live matrices, checked by the library; y is borrowed mutably.
    check(unsafe { sys::bnq_activate(context.raw(), function.id(), function.slope(), x, y.raw()) })
}

/// e^(x - max) / sum of e^(x - max) of each row; -infinity gives 0, and a row of it zeros.
/// Errors as in [`activate`].
pub fn softmax(context: &Context, x: &MatrixView<'_>, y: &mut MatrixViewMut<'_>) -> Result<()> {
    check_library()?;
    // SAFETY: as in activate_raw.
    check(unsafe { sys::bnq_softmax(context.raw(), x.raw(), y.raw()) })
}

/// The same in place.
pub fn softmax_in_place(context: &Context, y: &mut MatrixViewMut<'_>) -> Result<()> {
    check_library()?;
    // SAFETY: as in activate_raw.
    check(unsafe { sys::bnq_softmax(context.raw(), y.raw(), y.raw()) })
}

/// x / sqrt(mean of x^2 + eps) * weight of each row; a weight has an entry for each column.
/// Errors as in [`activate`].
pub fn rms_norm(
    context: &Context, x: &MatrixView<'_>, weight: Option<&[f32]>, eps: f64,
    y: &mut MatrixViewMut<'_>,
) -> Result<()> {
    rms_norm_raw(context, x.raw(), weight, eps, y)
}

/// The same in place.
pub fn rms_norm_in_place(
    context: &Context, weight: Option<&[f32]>, eps: f64, y: &mut MatrixViewMut<'_>,
) -> Result<()> {
    rms_norm_raw(context, y.raw(), weight, eps, y)
}

fn rms_norm_raw(
    context: &Context, x: *const sys::bnq_matrix, weight: Option<&[f32]>, eps: f64,
    y: &mut MatrixViewMut<'_>,
) -> Result<()> {
    check_library()?;
    let weight = of_columns("weight", weight, y.columns())?;
    // SAFETY: as in activate_raw; the weight has an entry for each column of y, and the
    // library refuses an x of another shape.
    check(unsafe { sys::bnq_rms_norm(context.raw(), x, weight, eps, y.raw()) })
}

/// (x - mean) / sqrt(mean of (x - mean)^2 + eps) * weight + bias of each row. Errors as in
/// [`activate`].
pub fn layer_norm(
    context: &Context, x: &MatrixView<'_>, weight: Option<&[f32]>, bias: Option<&[f32]>, eps: f64,
    y: &mut MatrixViewMut<'_>,
) -> Result<()> {
    layer_norm_raw(context, x.raw(), weight, bias, eps, y)
}

/// The same in place.
pub fn layer_norm_in_place(
    context: &Context, weight: Option<&[f32]>, bias: Option<&[f32]>, eps: f64,
    y: &mut MatrixViewMut<'_>,
) -> Result<()> {
    layer_norm_raw(context, y.raw(), weight, bias, eps, y)
}

fn layer_norm_raw(
    context: &Context, x: *const sys::bnq_matrix, weight: Option<&[f32]>, bias: Option<&[f32]>,
    eps: f64, y: &mut MatrixViewMut<'_>,
) -> Result<()> {
    check_library()?;
    let weight = of_columns("weight", weight, y.columns())?;
    let bias = of_columns("bias", bias, y.columns())?;
    // SAFETY: as in rms_norm_raw.
    check(unsafe { sys::bnq_layer_norm(context.raw(), x, weight, bias, eps, y.raw()) })
}

/// NULL for none.
fn of_columns(parameter: &str, values: Option<&[f32]>, columns: usize) -> Result<*const f32> {
    match values {
        None => Ok(ptr::null()),
        Some(values) => {
            expect_length(parameter, values.len(), columns as u64)?;
            Ok(values.as_ptr())
        }
    }
}
