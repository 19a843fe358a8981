//! Quantizing and packing into plain buffers.

use crate::array::{bytes_mut, ArrayView, Element};
use crate::config::Config;
use crate::context::Context;
use crate::error::{check, Result};
use crate::ffi::{expect_bytes, expect_length, pointer_mut, Shape};
use bitnet_quant_sys as sys;
use std::fmt;
use std::ptr;

/// The sizes of what quantizing an array of some shape gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct QuantizedSizes {
    /// Bytes of packed codes.
    pub code_bytes: usize,
    /// Bytes of scales as they are stored.
    pub scale_bytes: usize,
    /// Number of zero points: as many as scales if asymmetric, else 0.
    pub zero_points: usize,
}

impl QuantizedSizes {
    /// For an array of `shape` quantized as `config` says.
    ///
    /// # Errors
    /// [`InvalidArgument`](crate::Error::InvalidArgument) for a shape that is too
    /// large or does not have the axis,
    /// [`Unsupported`](crate::Error::Unsupported) for a combination of options.
    pub fn new(config: &Config, shape: &[usize]) -> Result<QuantizedSizes> {
        QuantizedSizes::of(config, &Shape::new(shape)?)
    }

    pub(crate) fn of(config: &Config, shape: &Shape) -> Result<QuantizedSizes> {
        let (mut codes, mut scales, mut zero_points) = (0, 0, 0);
        // SAFETY: a live config, a shape of that rank, places for the sizes.
        check(unsafe {
            sys::bnq_quantized_sizes(
                config.raw(),
                shape.rank(),
                shape.as_ptr(),
                &mut codes,
                &mut scales,
                &mut zero_points,
            )
        })?;
        // Sizes beyond the address space (on 32 bits) fit no buffer, and saturated
        // ones do not either.
        let size = |size| usize::try_from(size).unwrap_or(usize::MAX);
        Ok(QuantizedSizes {
            code_bytes: size(codes),
            scale_bytes: size(scales),
            zero_points: size(zero_points),
        })
    }

    pub(crate) fn check(&self, codes: usize, scales: usize, zero_points: usize) -> Result<()> {
        expect_bytes("codes", codes, self.code_bytes as u64)?;
        expect_bytes("scales", scales, self.scale_bytes as u64)?;
        expect_length("zero_points", zero_points, self.zero_points as u64)
    }
}

/// Where the parts of a quantized array go: buffers of exactly the sizes that
/// [`QuantizedSizes::new`] says.
pub struct QuantizedOutput<'a> {
    pub(crate) codes: &'a mut [u8],
    pub(crate) scales: &'a mut [u8],
    pub(crate) zero_points: &'a mut [i8],
}

impl<'a> QuantizedOutput<'a> {
    /// Of these buffers. Scales go into `f32`, or `u16` for the bits of 16-bit ones, or
    /// `u8` for any as bytes, at an address that is a multiple of 4.
    pub fn new<S: Element>(
        codes: &'a mut [u8], scales: &'a mut [S], zero_points: &'a mut [i8],
    ) -> QuantizedOutput<'a> {
        QuantizedOutput {
            codes,
            scales: bytes_mut(scales),
            zero_points,
        }
    }

    pub(crate) fn check(&self, sizes: &QuantizedSizes) -> Result<()> {
        sizes.check(self.codes.len(), self.scales.len(), self.zero_points.len())
    }
}

impl fmt::Debug for QuantizedOutput<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QuantizedOutput")
            .field("code_bytes", &self.codes.len())
            .field("scale_bytes", &self.scales.len())
            .field("zero_points", &self.zero_points.len())
            .finish()
    }
}

/// Quantizes into the caller's buffers: what
/// [`QuantizedTensor::quantize`](crate::QuantizedTensor::quantize) computes, without
/// other memory for the result (but with room for the `f32` scales where they are
/// stored otherwise). The buffers are written even if it fails.
///
/// # Errors
/// As there; [`InvalidArgument`](crate::Error::InvalidArgument) for buffers of other
/// sizes, and with outliers, whose number depends on the data.
///
/// ```
/// use bitnet_quant::*;
///
/// let config: Config = "int8_asymmetric".parse()?;
/// let sizes = QuantizedSizes::new(&config, &[2, 2])?;
/// let mut codes = vec![0; sizes.code_bytes];
/// let mut scales = vec![0f32; sizes.scale_bytes / 4];
/// let mut zero_points = vec![0; sizes.zero_points];
///
/// let weights = [0.0f32, 1.0, 2.0, 2.55];
/// let array = ArrayView::new(&weights, &[2, 2])?;
/// let output = QuantizedOutput::new(&mut codes, &mut scales, &mut zero_points);
/// quantize_into(&Context::new(), &config, &array, output)?;
/// assert_eq!((scales[0], zero_points[0]), (0.01, -128));
/// # Ok::<(), bitnet_quant::Error>(())
/// ```
pub fn quantize_into(
    context: &Context, config: &Config, array: &ArrayView<'_>, output: QuantizedOutput<'_>,
) -> Result<()> {
    output.check(&QuantizedSizes::of(config, array.dimensions())?)?;
    let QuantizedOutput {
        codes,
        scales,
        zero_points,
    } = output;
    array.with_raw(|source| {
        // SAFETY: live handles and array, buffers of those sizes.
        check(unsafe {
            sys::bnq_quantize(
                context.raw(),
                config.raw(),
                source,
                codes.as_mut_ptr(),
                codes.len() as u64,
                pointer_mut(scales).cast(),
                scales.len() as u64,
                pointer_mut(zero_points),
                zero_points.len() as u64,
                ptr::null_mut(),
            )
        })
    })
}

/// Packs codes, one for each element of `shape` in row-major order, into the
/// layout of `config`'s format: the reverse of
/// [`QuantizedTensor::unpack`](crate::QuantizedTensor::unpack).
/// [`InvalidArgument`](crate::Error::InvalidArgument) names the first code that is
/// out of the format's range.
pub fn pack(context: &Context, config: &Config, shape: &[usize], codes: &[i8]) -> Result<Vec<u8>> {
    let shape = Shape::new(shape)?;
    expect_length("codes", codes.len(), shape.elements()?)?;
    let mut packed = vec![0; QuantizedSizes::of(config, &shape)?.code_bytes];
    // SAFETY: live handles, a shape of that rank, buffers of those sizes.
    check(unsafe {
        sys::bnq_pack(
            context.raw(),
            config.raw(),
            shape.rank(),
            shape.as_ptr(),
            codes.as_ptr(),
            codes.len() as u64,
            packed.as_mut_ptr(),
            packed.len() as u64,
        )
    })?;
    Ok(packed)
}
