//! Numbers, slices and tensors with parameters.

use crate::array::ArrayView;
use crate::context::Context;
use crate::error::Result;
use crate::post_training;
use crate::quantization::calibration::{percent, CalibrationMethod, Calibrator};
use crate::quantization::types::{QuantParams, QuantScheme, QuantType, QuantizedTensor};
use crate::tensor;

/// The code of one number: round(value / scale) + zero point, ties to even, within the type's
/// codes. Of many, [`quantize_tensor`] is far faster.
///
/// # Errors
/// As [`quantize_tensor`].
pub fn quantize(value: f32, params: &QuantParams) -> Result<i32> {
    quantize_tensor(&[value], params).map(|codes| codes[0].into())
}

/// The value of one code: (code - zero point) * scale.
///
/// # Errors
/// [`InvalidArgument`](crate::Error::InvalidArgument) for a code that the type does not have.
pub fn dequantize(quantized: i32, params: &QuantParams) -> Result<f32> {
    let code = i8::try_from(quantized).map_err(|_| {
        crate::Error::InvalidArgument(format!(
            "quantized: {} given; codes of -128 to 127 are accepted",
            quantized
        ))
    })?;
    dequantize_tensor(&[code], params).map(|values| values[0])
}

/// The codes of numbers, one in each element.
///
/// # Errors
/// [`Unsupported`](crate::Error::Unsupported) for FP16 and BF16, which have no codes;
/// [`InvalidArgument`](crate::Error::InvalidArgument) for parameters that are refused;
/// [`NonFinite`](crate::Error::NonFinite) names the index.
pub fn quantize_tensor(data: &[f32], params: &QuantParams) -> Result<Vec<i8>> {
    with_params(data, &[data.len()], params)?.unpack(&Context::new())
}

/// The values of such codes.
///
/// # Errors
/// As [`quantize_tensor`]; [`InvalidArgument`](crate::Error::InvalidArgument) names a code that
/// the type does not have.
pub fn dequantize_tensor(data: &[i8], params: &QuantParams) -> Result<Vec<f32>> {
    params.quant_type.expect_codes()?;
    let shape = vec![data.len()];
    QuantizedTensor {
        data: data.to_vec(),
        shape,
        params: *params,
        packed: false,
    }
    .dequantize()
}

/// Quantizes a tensor, symmetric, with its greatest |x| as the range.
///
/// # Errors
/// [`InvalidArgument`](crate::Error::InvalidArgument) where the shape is of another number of
/// elements; [`NonFinite`](crate::Error::NonFinite) names the index.
pub fn quantize_tensor_auto(
    data: &[f32], shape: &[usize], quant_type: QuantType,
) -> Result<QuantizedTensor> {
    let config = quant_type.config(QuantScheme::Symmetric)?;
    let array = ArrayView::new(data, shape)?;
    let tensor = tensor::QuantizedTensor::quantize(&Context::new(), &config, &array)?;
    Ok(QuantizedTensor::of(&tensor, quant_type))
}

/// The same with the value that a share of |x| does not exceed, 0.999 for example, as the range;
/// what is beyond is clipped. FP16 and BF16 have no range.
///
/// # Errors
/// As [`quantize_tensor_auto`]; [`InvalidArgument`](crate::Error::InvalidArgument) for a share
/// beyond 0.5 to 1.
pub fn quantize_tensor_percentile(
    data: &[f32], shape: &[usize], quant_type: QuantType, percentile: f64,
) -> Result<QuantizedTensor> {
    let percent = percent(percentile)?;
    if !quant_type.format().has_scales()? {
        return quantize_tensor_auto(data, shape, quant_type);
    }
    let config = quant_type.config(QuantScheme::Symmetric)?;
    let array = ArrayView::new(data, shape)?;
    let context = Context::new();
    let tensor = post_training::quantize_tensor_percentile(&context, &config, percent, &array)?;
    Ok(QuantizedTensor::of(&tensor, quant_type))
}

/// Quantizes weights, symmetric, with parameters calibrated on batches of values like them.
/// [`crate::post_training_quantization`] is for a layer whose activations are calibrated.
///
/// # Errors
/// [`NoData`](crate::Error::NoData) without values to calibrate on, and as
/// [`quantize_tensor_auto`].
pub fn post_training_quantization<B: AsRef<[f32]>>(
    weights: &[f32], calibration_data: &[B], quant_type: QuantType, method: CalibrationMethod,
) -> Result<QuantizedTensor> {
    let mut calibrator = Calibrator::new(method, quant_type, true)?;
    for batch in calibration_data {
        calibrator.observe(batch.as_ref())?;
    }
    let shape = [weights.len()];
    if !quant_type.format().has_scales()? {
        return quantize_tensor_auto(weights, &shape, quant_type);
    }
    let tensor = with_params(weights, &shape, &calibrator.compute_params()?)?;
    Ok(QuantizedTensor::of(&tensor, quant_type))
}

fn with_params(
    data: &[f32], shape: &[usize], params: &QuantParams,
) -> Result<tensor::QuantizedTensor> {
    tensor::QuantizedTensor::quantize_static(
        &Context::new(),
        &params.config()?,
        &ArrayView::new(data, shape)?,
        &[params.scale],
        &params.zero_points()?,
        &[],
    )
}
