//! Post-training quantization: parameters from calibration instead of the array.

use crate::array::ArrayView;
use crate::calibration::{
    Calibration, CalibrationDataset, CalibrationMethod, Calibrator, QuantParams,
};
use crate::callback::{self, Progress};
use crate::config::Config;
use crate::context::Context;
use crate::convert::Report;
use crate::error::Result;
use crate::ffi::{self, Handle};
use crate::plan::Plan;
use crate::tensor::QuantizedTensor;
use crate::writer::WriteOptions;
use bitnet_quant_sys as sys;
use std::ops::ControlFlow;
use std::path::Path;
use std::ptr;

impl QuantizedTensor {
    /// Quantizes with parameters that are given instead of found: `scales`, one for each
    /// segment that the granularity of `config` makes of the array, finite and not negative
    /// (unless its symmetric range is extreme), rounded to its scale type first; as many
    /// `zero_points` where it is asymmetric, else none; as many `offsets` where its scheme is
    /// offset, else none. What lies outside what the codes reach is clamped.
    ///
    /// # Errors
    /// [`InvalidArgument`](crate::Error::InvalidArgument) names the index of a parameter
    /// that is refused; otherwise as [`quantize`](QuantizedTensor::quantize).
    ///
    /// ```
    /// use bitnet_quant::{ArrayView, Config, Context, QuantizedTensor};
    ///
    /// let config: Config = "int8_symmetric,granularity=tensor".parse()?;
    /// let array = ArrayView::new(&[0.5f32, -1.0, 200.0], &[3])?;
    /// let context = Context::new();
    /// let tensor = QuantizedTensor::quantize_static(&context, &config, &array, &[0.5], &[], &[])?;
    /// assert_eq!(tensor.unpack(&context)?, [1, -2, 127]);
    /// # Ok::<(), bitnet_quant::Error>(())
    /// ```
    pub fn quantize_static(
        context: &Context, config: &Config, array: &ArrayView<'_>, scales: &[f32],
        zero_points: &[i8], offsets: &[f32],
    ) -> Result<QuantizedTensor> {
        let call = given(context, config, array, scales, zero_points, offsets);
        tensor(|out| call(ptr::null_mut(), out))
    }

    /// The same, and how many values were clamped, whose counting takes longer than the
    /// rest.
    pub fn quantize_static_counting(
        context: &Context, config: &Config, array: &ArrayView<'_>, scales: &[f32],
        zero_points: &[i8], offsets: &[f32],
    ) -> Result<(QuantizedTensor, u64)> {
        let mut clamped = 0;
        let call = given(context, config, array, scales, zero_points, offsets);
        let tensor = tensor(|out| call(&mut clamped, out))?;
        Ok((tensor, clamped))
    }

    /// Quantizes with the parameters that the calibrator gives
    /// ([`Calibrator::params`]): the granularity of `config` must be
    /// [`Tensor`](crate::Granularity::Tensor), or
    /// [`Channel`](crate::Granularity::Channel) on the calibrator's axis.
    ///
    /// # Errors
    /// [`InvalidArgument`](crate::Error::InvalidArgument) where they do not go together,
    /// and as [`Calibrator::params`] and
    /// [`quantize_static`](QuantizedTensor::quantize_static).
    pub fn quantize_calibrated(
        context: &Context, config: &Config, calibrator: &Calibrator, array: &ArrayView<'_>,
    ) -> Result<QuantizedTensor> {
        let call = calibrated(context, config, calibrator, array);
        tensor(|out| call(ptr::null_mut(), out))
    }

    /// The same, and how many values were clamped, whose counting takes longer than the
    /// rest.
    pub fn quantize_calibrated_counting(
        context: &Context, config: &Config, calibrator: &Calibrator, array: &ArrayView<'_>,
    ) -> Result<(QuantizedTensor, u64)> {
        let mut clamped = 0;
        let call = calibrated(context, config, calibrator, array);
        let tensor = tensor(|out| call(&mut clamped, out))?;
        Ok((tensor, clamped))
    }
}

fn tensor(
    call: impl FnOnce(*mut *mut sys::bnq_tensor) -> sys::bnq_status,
) -> Result<QuantizedTensor> {
    Handle::create(call).map(|handle| QuantizedTensor::from_handle(handle, None))
}

/// The native call, which takes places for the number of values clamped (or NULL) and for
/// the handle.
fn given<'a>(
    context: &'a Context, config: &'a Config, array: &'a ArrayView<'_>, scales: &'a [f32],
    zero_points: &'a [i8], offsets: &'a [f32],
) -> impl FnOnce(*mut u64, *mut *mut sys::bnq_tensor) -> sys::bnq_status + 'a {
    let source = array.raw();
    // SAFETY: live handles and array, slices of those lengths, and those places.
    move |clamped, out| unsafe {
        sys::bnq_tensor_quantize_static(
            context.raw(),
            config.raw(),
            &source,
            ffi::pointer(scales),
            scales.len() as u64,
            ffi::pointer(zero_points),
            zero_points.len() as u64,
            ffi::pointer(offsets),
            offsets.len() as u64,
            clamped,
            out,
        )
    }
}

fn calibrated<'a>(
    context: &'a Context, config: &'a Config, calibrator: &'a Calibrator, array: &'a ArrayView<'_>,
) -> impl FnOnce(*mut u64, *mut *mut sys::bnq_tensor) -> sys::bnq_status + 'a {
    let source = array.raw();
    // SAFETY: live handles and array, and places as above.
    move |clamped, out| unsafe {
        sys::bnq_tensor_quantize_calibrated(
            context.raw(),
            config.raw(),
            calibrator.raw(),
            &source,
            clamped,
            out,
        )
    }
}

/// Calibrates on the array itself with a method, its other options at their defaults, and
/// quantizes it with the result. The granularity of `config` must be
/// [`Tensor`](crate::Granularity::Tensor) or [`Channel`](crate::Granularity::Channel).
pub fn quantize_tensor_auto(
    context: &Context, config: &Config, method: CalibrationMethod, array: &ArrayView<'_>,
) -> Result<QuantizedTensor> {
    let source = array.raw();
    // SAFETY: live handles and array, and a place for the handle.
    tensor(|out| unsafe {
        sys::bnq_quantize_tensor_auto(context.raw(), config.raw(), method as i32, &source, out)
    })
}

/// Quantizes with the scale rule
/// [`Percentile`](crate::ScaleRule::Percentile) at `percentile`, 0 to 100: the exact one of
/// each segment, at any granularity.
pub fn quantize_tensor_percentile(
    context: &Context, config: &Config, percentile: f64, array: &ArrayView<'_>,
) -> Result<QuantizedTensor> {
    let source = array.raw();
    // SAFETY: live handles and array, and a place for the handle.
    tensor(|out| unsafe {
        sys::bnq_quantize_tensor_percentile(context.raw(), config.raw(), percentile, &source, out)
    })
}

/// What [`post_training_quantization`] makes.
#[derive(Debug)]
#[non_exhaustive]
pub struct PostTrainingQuantization {
    /// The quantized weights.
    pub weights: QuantizedTensor,
    /// The static parameters of the activations, for
    /// [`QuantizedTensor::quantize_static`].
    pub activations: QuantParams,
    /// The calibrator that has seen the activations.
    pub calibrator: Calibrator,
}

/// Quantizes a layer after training: its weights as `config` says, and for its activations,
/// of which `dataset` has batches, static parameters for quantizing them as
/// `activation_config` says, with a range found by `method`.
///
/// ```
/// use bitnet_quant::*;
///
/// let weights: Vec<f32> = (0..4 * 64).map(|i| (i as f32 * 0.37).sin()).collect();
/// let inputs: Vec<f32> = (0..3 * 64).map(|i| (i as f32 * 0.11).cos()).collect();
/// let dataset = inputs
///     .chunks(64)
///     .map(|batch| ArrayView::new(batch, &[1, 64]))
///     .collect::<Result<CalibrationDataset<'_>>>()?;
///
/// let context = Context::new();
/// let activation_config = "int8_asymmetric,granularity=tensor".parse()?;
/// let layer = post_training_quantization(
///     &context,
///     &"int4_per_group_128".parse()?,
///     &ArrayView::new(&weights, &[4, 64])?,
///     &activation_config,
///     CalibrationMethod::Mse,
///     &dataset,
/// )?;
/// let QuantParams { scales, zero_points, offsets } = &layer.activations;
/// let input = ArrayView::new(&inputs[..64], &[1, 64])?;
/// let codes = QuantizedTensor::quantize_static(
///     &context, &activation_config, &input, scales, zero_points, offsets)?;
/// assert!(codes.compare(&context, &input)?.sqnr_db > 40.0);
/// # Ok::<(), Error>(())
/// ```
pub fn post_training_quantization(
    context: &Context, config: &Config, weights: &ArrayView<'_>, activation_config: &Config,
    method: CalibrationMethod, dataset: &CalibrationDataset<'_>,
) -> Result<PostTrainingQuantization> {
    let mut calibrator = Calibrator::builder_for(activation_config)?
        .method(method)
        .build()?;
    let activations = calibrator.calibrate_for(context, activation_config, dataset)?;
    Ok(PostTrainingQuantization {
        weights: QuantizedTensor::quantize(context, config, weights)?,
        activations,
        calibrator,
    })
}

/// Quantizes a model file as [`quantize_file`](crate::quantize_file) does, and adds the
/// static parameters of its activations: for each name N of the calibration, made as
/// `activation_config` says (`None`: the preset `int8_symmetric`), an F32 array
/// `N.input_scale`, and where that is asymmetric an I8 array `N.input_zero_point`, of one
/// element, or one for each channel.
///
/// # Errors
/// As there; [`InvalidArgument`](crate::Error::InvalidArgument) where the model has an array
/// of such a name, [`NoData`](crate::Error::NoData) for a name without data.
#[allow(clippy::too_many_arguments)] // those of quantize_file, and two
pub fn post_training_quantize_file<F>(
    context: &Context, plan: &Plan, calibration: &Calibration, activation_config: Option<&Config>,
    input: impl AsRef<Path>, output: impl AsRef<Path>, options: WriteOptions, mut progress: F,
) -> Result<Report>
where
    F: FnMut(&Progress<'_>) -> ControlFlow<()>,
{
    let input = ffi::c_path("input", input.as_ref())?;
    let output = ffi::c_path("output", output.as_ref())?;
    let (call, opaque) = callback::progress(&mut progress);
    // SAFETY: live handles, the config or NULL, C strings, a closure that lives for the
    // call, and a place for the report.
    Handle::create(|out| unsafe {
        sys::bnq_post_training_quantize_file(
            context.raw(),
            plan.raw(),
            calibration.raw(),
            activation_config.map_or(ptr::null(), Config::raw),
            input.as_ptr(),
            output.as_ptr(),
            options.flags(),
            options.shard_bytes(),
            call,
            opaque,
            out,
        )
    })
    .map(Report::from_handle)
}
