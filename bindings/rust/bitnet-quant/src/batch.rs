//! Many arrays or tensors in one call, shared out among the context's threads.

use crate::array::{bytes_mut, ArrayView, Output, Overflow};
use crate::config::Config;
use crate::context::Context;
use crate::error::{check, Error, Result};
use crate::ffi::{expect_length, pointer_mut, Handle};
use crate::library::check_library;
use crate::quantize::{QuantizedOutput, QuantizedSizes};
use crate::registry::DType;
use crate::tensor::QuantizedTensor;
use bitnet_quant_sys as sys;
use std::borrow::Borrow;
use std::ptr;
use std::sync::Arc;

/// Quantizes many arrays in one call, shared out among the context's threads: the same
/// tensors as [`QuantizedTensor::quantize`] makes of each.
///
/// # Errors
/// As there, naming the array (`array 3: ...`).
///
/// ```
/// use bitnet_quant::{dequantize_batch, quantize_batch, ArrayView, Config, Context};
///
/// let (a, b) = (vec![0.5f32; 256], vec![-1.0f32; 100]);
/// let arrays = [ArrayView::new(&a, &[2, 128])?, ArrayView::new(&b, &[100])?];
/// let context = Context::with_threads(2)?;
/// let tensors = quantize_batch(&context, &"int4_per_group_128".parse()?, &arrays)?;
/// assert_eq!(dequantize_batch(&context, &tensors)?, [a, b]);
/// # Ok::<(), bitnet_quant::Error>(())
/// ```
pub fn quantize_batch(
    context: &Context, config: &Config, arrays: &[ArrayView<'_>],
) -> Result<Vec<QuantizedTensor>> {
    let mut sizes = Vec::with_capacity(arrays.len());
    for (i, array) in arrays.iter().enumerate() {
        let size = QuantizedSizes::of(config, array.dimensions());
        sizes.push(size.map_err(|error| error.of(&format!("array {}", i)))?);
    }
    let make = |size: &QuantizedSizes| {
        // Words, because scales are aligned to 4 bytes.
        let scales = vec![0u32; size.scale_bytes / 4 + 1];
        (vec![0; size.code_bytes], scales, vec![0; size.zero_points])
    };
    let mut parts: Vec<_> = sizes.iter().map(make).collect();
    let outputs = parts
        .iter_mut()
        .zip(&sizes)
        .map(|((codes, scales, zero_points), size)| QuantizedOutput {
            codes,
            scales: &mut bytes_mut(scales)[..size.scale_bytes],
            zero_points,
        });
    let mut raw = vec![ptr::null_mut(); arrays.len()];
    run(context, config, arrays, outputs, raw.as_mut_ptr())?;
    let tensors = raw.into_iter().zip(parts);
    tensors
        .map(|(raw, parts)| {
            let handle = Handle::create(|out| {
                // SAFETY: a place for the handle, of a tensor that nobody else owns.
                unsafe { *out = raw };
                sys::BNQ_OK
            })?;
            // The vectors' memory, which the tensor borrows, stays where it is.
            Ok(QuantizedTensor::from_handle(handle, Some(Arc::new(parts))))
        })
        .collect()
}

/// The same into the caller's buffers, one output for each array: what
/// [`quantize_into`](crate::quantize_into) computes for each, without memory that grows
/// with the batch but for lists of the buffers. If it fails, some may have been written.
/// [`InvalidArgument`](crate::Error::InvalidArgument) with outliers, whose number depends
/// on the data.
pub fn quantize_batch_into<'o>(
    context: &Context, config: &Config, arrays: &[ArrayView<'_>],
    outputs: impl IntoIterator<Item = QuantizedOutput<'o>>,
) -> Result<()> {
    run(context, config, arrays, outputs, ptr::null_mut())
}

/// `tensors`: room for as many as arrays, or NULL.
fn run<'o>(
    context: &Context, config: &Config, arrays: &[ArrayView<'_>],
    outputs: impl IntoIterator<Item = QuantizedOutput<'o>>, tensors: *mut *mut sys::bnq_tensor,
) -> Result<()> {
    check_library()?;
    let sources: Vec<_> = arrays.iter().map(ArrayView::raw).collect();
    let outputs: Vec<_> = outputs.into_iter().collect();
    expect_length("outputs", outputs.len(), sources.len() as u64)?;
    let (mut codes, mut code_bytes) = (Vec::new(), Vec::new());
    let (mut scales, mut scale_bytes) = (Vec::new(), Vec::new());
    let (mut zero_points, mut zero_point_counts) = (Vec::new(), Vec::new());
    for output in outputs {
        code_bytes.push(output.codes.len() as u64);
        codes.push(output.codes.as_mut_ptr());
        scale_bytes.push(output.scales.len() as u64);
        scales.push(pointer_mut(output.scales).cast());
        zero_point_counts.push(output.zero_points.len() as u64);
        zero_points.push(pointer_mut(output.zero_points));
    }
    // SAFETY: live handles and arrays, and for each array buffers that nobody else has,
    // of the lengths given, which the library checks.
    check(unsafe {
        sys::bnq_quantize_batch(
            context.raw(),
            config.raw(),
            sources.len() as u64,
            sources.as_ptr(),
            codes.as_ptr(),
            code_bytes.as_ptr(),
            scales.as_ptr(),
            scale_bytes.as_ptr(),
            zero_points.as_ptr(),
            zero_point_counts.as_ptr(),
            tensors,
        )
    })
}

/// Dequantizes many tensors (`&[QuantizedTensor]` or `&[&QuantizedTensor]`) to `f32` in
/// one call, shared out among the context's threads.
pub fn dequantize_batch<T: Borrow<QuantizedTensor>>(
    context: &Context, tensors: &[T],
) -> Result<Vec<Vec<f32>>> {
    let make = |tensor: &T| vec![0.0; tensor.borrow().elements()];
    let mut outs: Vec<Vec<f32>> = tensors.iter().map(make).collect();
    dequantize_batch_into(context, tensors, &mut outs)?;
    Ok(outs)
}

/// The same into the caller's buffers, one for each tensor, all of one data type: an
/// iterator of `&mut [f32]` or `&mut Vec<f32>`, or of halves with
/// [`Output::from_bits`].
///
/// # Errors
/// [`InvalidArgument`](crate::Error::InvalidArgument) names the tensor (`tensor 3: ...`)
/// where the buffer's length is not the number of its elements, or its data type not
/// that of the first, whose [`Overflow`] holds for all.
pub fn dequantize_batch_into<'o, T, O>(context: &Context, tensors: &[T], outs: O) -> Result<()>
where
    T: Borrow<QuantizedTensor>,
    O: IntoIterator,
    O::Item: Into<Output<'o>>,
{
    let outs: Vec<Output<'o>> = outs.into_iter().map(Into::into).collect();
    expect_length("outs", outs.len(), tensors.len() as u64)?;
    let dtype = outs.first().map_or(DType::F32, Output::dtype);
    let overflow = outs.first().map_or(Overflow::Error, Output::overflow);
    let mut raw = Vec::with_capacity(tensors.len());
    let (mut pointers, mut bytes) = (Vec::new(), Vec::new());
    for (i, (tensor, out)) in tensors.iter().zip(outs).enumerate() {
        let tensor = tensor.borrow();
        let (own, out) = out
            .expect(tensor.count())
            .map_err(|error| error.of(&format!("tensor {}", i)))?;
        if own != dtype {
            return Err(Error::InvalidArgument(format!(
                "tensor {}: out: is of {}; {}, as the first, is accepted",
                i, own, dtype
            )));
        }
        raw.push(tensor.raw());
        bytes.push(out.len() as u64);
        pointers.push(out.as_mut_ptr().cast());
    }
    // SAFETY: live handles, and for each tensor a buffer of that many bytes that nobody
    // else has.
    check(unsafe {
        sys::bnq_dequantize_batch(
            context.raw(),
            raw.len() as u64,
            raw.as_ptr(),
            dtype.id(),
            overflow as i32,
            pointers.as_ptr(),
            bytes.as_ptr(),
        )
    })
}
