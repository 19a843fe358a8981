//! Fake quantization and its gradient.

use crate::array::{ArrayView, Output, Overflow};
use crate::calibration::QuantParams;
use crate::choice::Scheme;
use crate::config::Config;
use crate::context::Context;
use crate::error::{check, Result};
use crate::ffi::{expect_length, length, pointer, pointer_mut, Shape};
use crate::metrics::Metrics;
use crate::registry::DType;
use crate::training::{Training, TrainingStatistics};
use bitnet_quant_sys as sys;
use std::ptr;

/// What fake quantization makes of an array.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct FakeQuantized {
    /// The values, one for each element.
    pub values: Vec<f32>,
    /// What they were decoded with: what the gradient is of. Empty where the format has no
    /// scales.
    pub params: QuantParams,
}

/// The same with what it cost.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct MeasuredFake {
    /// The values and the parameters.
    pub fake: FakeQuantized,
    /// Of each element whether its code would lie beyond those there are.
    pub clipped: Vec<bool>,
    /// The number of those.
    pub clipped_count: u64,
    /// Between the array and what quantization alone makes of it.
    pub metrics: Metrics,
}

/// The gradients of the parameters of fake quantization: sums in double precision and in a
/// fixed order, the same on every machine.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ParamGradients {
    /// By each scale (LSQ).
    pub scales: Vec<f32>,
    /// By each zero point or offset; none for symmetric schemes.
    pub shifts: Vec<f32>,
    /// By the values of the least and of the greatest code, for each scale: the second is
    /// that of PACT's clipping level.
    pub ends: Vec<[f32; 2]>,
    /// By the slope of [`Estimator::Slope`](super::Estimator::Slope).
    pub slope: f32,
}

/// The gradients of fake quantization.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Gradients {
    /// By the array, one for each element.
    pub x: Vec<f32>,
    /// By the parameters.
    pub params: ParamGradients,
}

/// Quantizes as a config says and dequantizes at once, in one pass: the values that a network
/// computes with while it is trained. Used by several threads at once.
///
/// In what follows `given` are the parameters to quantize with, those that are learned, say;
/// `None` finds them as the config says. The context's interrupt cancels any of the calls.
///
/// ```
/// use bitnet_quant::training::FakeQuantizer;
/// use bitnet_quant::{ArrayView, Context};
///
/// let (context, quantizer) = (Context::new(), FakeQuantizer::new("ternary".parse()?));
/// let weights = [1.5f32, -2.0, 0.25, -0.25];
/// let x = ArrayView::new(&weights, &[1, 4])?;
/// let fake = quantizer.quantize(&context, &x, None)?;
/// assert_eq!(fake.values, [1.0, -1.0, 0.0, 0.0]);
///
/// let dy = [1.0f32; 4];
/// let gradients =
///     quantizer.gradient(&context, &x, &ArrayView::new(&dy, &[1, 4])?, &fake.params)?;
/// assert_eq!(gradients.x, [0.0, 0.0, 1.0, 1.0]);
/// # Ok::<(), bitnet_quant::Error>(())
/// ```
#[derive(Debug)]
pub struct FakeQuantizer {
    config: Config,
    training: Option<Training>,
}

/// What a call takes, beside the array and the parameters.
struct Target<'a> {
    dtype: DType,
    overflow: Overflow,
    out: *mut u8,
    out_bytes: usize,
    clipped: Option<&'a mut [u8]>,
    clipped_count: Option<&'a mut u64>,
    statistics: Option<&'a mut TrainingStatistics>,
}

impl FakeQuantizer {
    /// As a config says, with the defaults of training: values of codes, and a gradient that
    /// passes within the range.
    pub fn new(config: Config) -> FakeQuantizer {
        FakeQuantizer {
            config,
            training: None,
        }
    }

    /// The same with another training.
    #[must_use]
    pub fn with_training(self, training: Training) -> FakeQuantizer {
        FakeQuantizer {
            training: Some(training),
            ..self
        }
    }

    /// What it quantizes into.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// How; `None` for the defaults.
    pub fn training(&self) -> Option<&Training> {
        self.training.as_ref()
    }

    /// The number of scales that an array of this shape has.
    ///
    /// # Errors
    /// As [`QuantizedSizes::new`](crate::QuantizedSizes::new).
    pub fn param_count(&self, shape: &[usize]) -> Result<usize> {
        self.count(&Shape::new(shape)?)
    }

    /// The scale, and zero point or offset, for values from `lo` to `hi`: of a range that is
    /// learned (PACT's is 0 to its clipping level).
    ///
    /// # Errors
    /// [`InvalidArgument`](crate::Error::InvalidArgument) for a range that is not finite or
    /// has `hi < lo`, [`Unsupported`](crate::Error::Unsupported) for a format without scales.
    pub fn range_params(&self, lo: f32, hi: f32) -> Result<QuantParams> {
        let mut params = self.room(1)?;
        // SAFETY: a live config, and places for one of each, or NULL.
        check(unsafe {
            sys::bnq_range_params(
                self.config.raw(),
                lo,
                hi,
                params.scales.as_mut_ptr(),
                pointer_mut(&mut params.zero_points),
                pointer_mut(&mut params.offsets),
            )
        })?;
        Ok(params)
    }

    /// The values that quantizing and dequantizing makes of an array, bit for bit; then what
    /// the training makes of them.
    ///
    /// # Errors
    /// As [`QuantizedTensor::quantize`](crate::QuantizedTensor::quantize), and
    /// [`quantize_static`](crate::QuantizedTensor::quantize_static) of what is given.
    pub fn quantize(
        &self, context: &Context, x: &ArrayView<'_>, given: Option<&QuantParams>,
    ) -> Result<FakeQuantized> {
        let mut values = vec![0f32; length(x.dimensions().elements()?)];
        let params = self.quantize_into(context, x, given, &mut values)?;
        Ok(FakeQuantized { values, params })
    }

    /// The same into a buffer of the caller's, of exactly as many elements. The buffer is
    /// written even if it fails.
    pub fn quantize_into<'a>(
        &self, context: &Context, x: &ArrayView<'_>, given: Option<&QuantParams>,
        out: impl Into<Output<'a>>,
    ) -> Result<QuantParams> {
        let out = out.into();
        let overflow = out.overflow();
        let (dtype, out) = out.expect(x.dimensions().elements()?)?;
        let target = Target {
            dtype,
            overflow,
            out: out.as_mut_ptr(),
            out_bytes: out.len(),
            clipped: None,
            clipped_count: None,
            statistics: None,
        };
        // SAFETY: a live array; the output is borrowed mutably, so it is not the array's.
        unsafe { self.run(context, &x.raw(), x.dimensions(), given, target, None) }
    }

    /// The same of values in their place.
    pub fn quantize_in_place(
        &self, context: &Context, values: &mut [f32], shape: &[usize], given: Option<&QuantParams>,
    ) -> Result<QuantParams> {
        let shape = Shape::new(shape)?;
        expect_length("values", values.len(), shape.elements()?)?;
        let x = in_place(values, &shape);
        let target = Target {
            dtype: DType::F32,
            overflow: Overflow::Error,
            out: x.data as *mut u8,
            out_bytes: std::mem::size_of_val(values),
            clipped: None,
            clipped_count: None,
            statistics: None,
        };
        // SAFETY: an array borrowed mutably, which the library takes as source and output.
        unsafe { self.run(context, &x, &shape, given, target, None) }
    }

    /// As [`quantize`](FakeQuantizer::quantize), with what was clipped and how far off the
    /// values are: the statistics of a layer that is trained.
    ///
    /// # Errors
    /// As there; [`NoData`](crate::Error::NoData) for an empty array.
    pub fn quantize_and_measure(
        &self, context: &Context, x: &ArrayView<'_>, given: Option<&QuantParams>,
    ) -> Result<MeasuredFake> {
        let elements = length(x.dimensions().elements()?);
        let (mut values, mut mask, mut clipped_count) =
            (vec![0f32; elements], vec![0; elements], 0);
        let target = Target {
            dtype: DType::F32,
            overflow: Overflow::Error,
            out: values.as_mut_ptr().cast(),
            out_bytes: std::mem::size_of_val(&values[..]),
            clipped: Some(&mut mask),
            clipped_count: Some(&mut clipped_count),
            statistics: None,
        };
        let mut metrics = None;
        // SAFETY: a live array, and buffers of our own with an entry for each element.
        let params = unsafe {
            self.run(
                context,
                &x.raw(),
                x.dimensions(),
                given,
                target,
                Some(&mut metrics),
            )?
        };
        Ok(MeasuredFake {
            fake: FakeQuantized { values, params },
            clipped: mask.into_iter().map(|byte| byte != 0).collect(),
            clipped_count,
            metrics: metrics.expect("those asked for"),
        })
    }

    /// As [`quantize`](FakeQuantizer::quantize), and adds the array to the statistics of the
    /// layer as a step.
    ///
    /// # Errors
    /// As there; then the statistics are as they were.
    pub fn quantize_and_record(
        &self, context: &Context, x: &ArrayView<'_>, given: Option<&QuantParams>,
        statistics: &mut TrainingStatistics,
    ) -> Result<FakeQuantized> {
        let mut values = vec![0f32; length(x.dimensions().elements()?)];
        let target = Target {
            dtype: DType::F32,
            overflow: Overflow::Error,
            out: values.as_mut_ptr().cast(),
            out_bytes: std::mem::size_of_val(&values[..]),
            clipped: None,
            clipped_count: None,
            statistics: Some(statistics),
        };
        // SAFETY: a live array, and a buffer of our own with an entry for each element.
        let params = unsafe { self.run(context, &x.raw(), x.dimensions(), given, target, None)? };
        Ok(FakeQuantized { values, params })
    }

    /// The gradients of what has the gradient `dy` by the values that
    /// [`quantize`](FakeQuantizer::quantize) made of `x` with `params`.
    ///
    /// # Errors
    /// [`InvalidArgument`](crate::Error::InvalidArgument) where the shapes differ or the number
    /// of parameters is another, [`Unsupported`](crate::Error::Unsupported) for formats with a
    /// codebook.
    pub fn gradient(
        &self, context: &Context, x: &ArrayView<'_>, dy: &ArrayView<'_>, params: &QuantParams,
    ) -> Result<Gradients> {
        let mut dx = vec![0f32; length(x.dimensions().elements()?)];
        let gradients = self.gradient_into(context, x, dy, params, &mut dx)?;
        Ok(Gradients {
            x: dx,
            params: gradients,
        })
    }

    /// The same with the gradient by `x` in a buffer of the caller's.
    pub fn gradient_into<'a>(
        &self, context: &Context, x: &ArrayView<'_>, dy: &ArrayView<'_>, params: &QuantParams,
        dx: impl Into<Output<'a>>,
    ) -> Result<ParamGradients> {
        let (dtype, dx) = dx.into().expect(x.dimensions().elements()?)?;
        // SAFETY: live arrays; the output is borrowed mutably, so it is neither of theirs.
        unsafe {
            let out = (dtype, dx.as_mut_ptr(), dx.len());
            self.run_gradient(context, x, &dy.raw(), params, out)
        }
    }

    /// The same with the gradient by `x` in the place of `dy`, which has the shape of `x`.
    pub fn gradient_in_place(
        &self, context: &Context, x: &ArrayView<'_>, dy: &mut [f32], params: &QuantParams,
    ) -> Result<ParamGradients> {
        expect_length("dy", dy.len(), x.dimensions().elements()?)?;
        let raw = in_place(dy, x.dimensions());
        let out = (DType::F32, raw.data as *mut u8, std::mem::size_of_val(dy));
        // SAFETY: live arrays; dy is borrowed mutably, and the library takes it as output.
        unsafe { self.run_gradient(context, x, &raw, params, out) }
    }

    fn count(&self, shape: &Shape) -> Result<usize> {
        let mut count = 0;
        // SAFETY: a live config, a shape of that rank, and a place for the number.
        check(unsafe {
            sys::bnq_param_count(self.config.raw(), shape.rank(), shape.as_ptr(), &mut count)
        })?;
        Ok(usize::try_from(count).unwrap_or(usize::MAX))
    }

    /// Room for the parameters of so many scales.
    fn room(&self, count: usize) -> Result<QuantParams> {
        let scheme = self.config.scheme()?;
        let of = |wanted| if scheme == wanted { count } else { 0 };
        Ok(QuantParams {
            scales: vec![0.0; count],
            zero_points: vec![0; of(Scheme::Asymmetric)],
            offsets: vec![0.0; of(Scheme::Offset)],
        })
    }

    fn raw_training(&self) -> *const sys::bnq_training {
        self.training.as_ref().map_or(ptr::null(), Training::raw)
    }

    /// # Safety
    /// A live array of that shape, and an output of that many bytes, which is its data or does
    /// not overlap it.
    unsafe fn run(
        &self, context: &Context, x: &sys::bnq_array, shape: &Shape, given: Option<&QuantParams>,
        target: Target<'_>, metrics: Option<&mut Option<Metrics>>,
    ) -> Result<QuantParams> {
        let mut params = match given {
            Some(given) => checked(given)?.clone(),
            None => self.room(self.count(shape)?)?,
        };
        let clipped = target.clipped.unwrap_or_default();
        let statistics = target
            .statistics
            .map_or(ptr::null_mut(), TrainingStatistics::raw_mut);
        let call = |values: *mut f64, count: u32| {
            // SAFETY: as the caller's; parameters of that number, or NULL.
            unsafe {
                sys::bnq_fake_quantize(
                    context.raw(),
                    self.config.raw(),
                    self.raw_training(),
                    x,
                    given.is_some().into(),
                    pointer_mut(&mut params.scales),
                    pointer_mut(&mut params.zero_points),
                    pointer_mut(&mut params.offsets),
                    params.scales.len() as u64,
                    target.dtype.id(),
                    target.overflow as i32,
                    target.out.cast(),
                    target.out_bytes as u64,
                    pointer_mut(clipped),
                    clipped.len() as u64,
                    target.clipped_count.map_or(ptr::null_mut(), |count| count),
                    values,
                    count,
                    statistics,
                )
            }
        };
        match metrics {
            Some(metrics) => *metrics = Some(Metrics::read(call)?),
            None => check(call(ptr::null_mut(), 0))?,
        }
        Ok(params)
    }

    /// # Safety
    /// A live dy, and an output of that many bytes, which is its data or overlaps neither
    /// array.
    unsafe fn run_gradient(
        &self, context: &Context, x: &ArrayView<'_>, dy: &sys::bnq_array, params: &QuantParams,
        (dtype, dx, dx_bytes): (DType, *mut u8, usize),
    ) -> Result<ParamGradients> {
        let count = checked(params)?.scales.len();
        let mut gradients = ParamGradients {
            scales: vec![0.0; count],
            shifts: vec![0.0; params.zero_points.len().max(params.offsets.len())],
            ends: vec![[0.0; 2]; count],
            slope: 0.0,
        };
        // SAFETY: as the caller's; parameters and room for gradients of that number, or NULL.
        check(unsafe {
            sys::bnq_fake_quantize_gradient(
                context.raw(),
                self.config.raw(),
                self.raw_training(),
                &x.raw(),
                dy,
                pointer(&params.scales),
                pointer(&params.zero_points),
                pointer(&params.offsets),
                count as u64,
                dtype.id(),
                dx.cast(),
                dx_bytes as u64,
                pointer_mut(&mut gradients.scales),
                pointer_mut(&mut gradients.shifts),
                pointer_mut(&mut gradients.ends).cast(),
                &mut gradients.slope,
            )
        })?;
        Ok(gradients)
    }
}

/// The C view of values that are read and written.
fn in_place(values: &mut [f32], shape: &Shape) -> sys::bnq_array {
    sys::bnq_array {
        data: values.as_mut_ptr().cast(),
        shape: shape.as_ptr(),
        dtype: DType::F32.id(),
        rank: shape.rank(),
    }
}

/// The library takes one number for all of them.
fn checked(params: &QuantParams) -> Result<&QuantParams> {
    let scales = params.scales.len() as u64;
    for (name, count) in [
        ("zero_points", params.zero_points.len()),
        ("offsets", params.offsets.len()),
    ] {
        if count != 0 {
            expect_length(name, count, scales)?;
        }
    }
    Ok(params)
}
