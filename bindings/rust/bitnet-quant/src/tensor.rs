//! Quantized tensors.

use crate::array::{bytes, ArrayView, Element, Output};
use crate::choice::{Choice, Granularity, Packing, ScaleDType, Scheme};
use crate::config::Config;
use crate::context::Context;
use crate::error::{check, Result};
use crate::ffi::{self, expect_length, length, Handle, Shape};
use crate::library::expect_library;
use crate::metrics::Metrics;
use crate::option::{self, ConfigOption, OptionValue};
use crate::quantize::QuantizedSizes;
use crate::registry::{DType, Format};
use bitnet_quant_sys as sys;
use std::any::Any;
use std::borrow::Cow;
use std::fmt;
use std::mem::size_of_val;
use std::ops::Range;
use std::sync::Arc;

/// Something that a native object points into, kept alive with it.
pub(crate) type Backing = Arc<dyn Any + Send + Sync>;

/// A quantized tensor: packed codes, scales, zero points, and how they were made.
/// Immutable; any number of threads may use one at once.
///
/// Codes are packed in rows, each starting on a byte ([`Granularity::Block`]: the
/// whole array is one row), as `bnq.h` says for each format. Parameters, scales and
/// zero points, are one for the tensor; one for each channel, token or block; or for
/// each row its groups in order.
///
/// ```
/// use bitnet_quant::{ArrayView, Config, Context, Format, QuantizedTensor};
///
/// let weights = [0.9f32, -1.1, 0.1, 1.0];
/// let context = Context::new();
/// let config = Config::builder().format(Format::TERNARY).build()?;
/// let array = ArrayView::new(&weights, &[2, 2])?;
///
/// let tensor = QuantizedTensor::quantize(&context, &config, &array)?;
/// assert_eq!(tensor.unpack(&context)?, [1, -1, 0, 1]);
/// assert_eq!(tensor.dequantize(&context)?.len(), 4);
/// println!("{:.1} dB", tensor.compare(&context, &array)?.sqnr_db);
/// # Ok::<(), bitnet_quant::Error>(())
/// ```
pub struct QuantizedTensor {
    // Dropped before what it points into.
    handle: Handle<sys::bnq_tensor>,
    shape: Shape,
    dimensions: Vec<usize>,
    backing: Option<Backing>,
}

// SAFETY: bnq.h: any number of threads may use a tensor at once; what it points
// into is Send and Sync.
unsafe impl Send for QuantizedTensor {}
// SAFETY: as above.
unsafe impl Sync for QuantizedTensor {}

impl QuantizedTensor {
    /// Quantizes an array of F64, F32, F16 or BF16 as `config` says.
    ///
    /// # Errors
    /// [`NonFinite`](crate::Error::NonFinite) names the index of NaN or infinity,
    /// unless another policy was chosen ([`NonFinite`](crate::NonFinite));
    /// [`Unsupported`](crate::Error::Unsupported) where the format does not have
    /// this combination of options;
    /// [`InvalidArgument`](crate::Error::InvalidArgument) for other data types;
    /// [`OutOfMemory`](crate::Error::OutOfMemory).
    pub fn quantize(
        context: &Context, config: &Config, array: &ArrayView<'_>,
    ) -> Result<QuantizedTensor> {
        let handle = array.with_raw(|source| {
            // SAFETY: live handles and array, and a place for the handle.
            Handle::create(|out| unsafe {
                sys::bnq_tensor_quantize(context.raw(), config.raw(), source, out)
            })
        })?;
        Ok(QuantizedTensor::from_handle(handle, None))
    }

    /// A tensor from packed codes, scales as they are stored and zero points (empty
    /// where symmetric) made elsewhere, of the sizes that [`QuantizedSizes::new`] says;
    /// they are copied. Scales are `f32`, or `u16` for the bits of 16-bit ones, or `u8`
    /// for any as bytes, at an address that is a multiple of 4.
    ///
    /// # Errors
    /// [`InvalidArgument`](crate::Error::InvalidArgument) for other sizes, and for
    /// codes, scales and zero points that are not valid; it names the index.
    /// [`Unsupported`](crate::Error::Unsupported) with outliers.
    pub fn from_codes<S: Element>(
        context: &Context, config: &Config, shape: &[usize], codes: &[u8], scales: &[S],
        zero_points: &[i8],
    ) -> Result<QuantizedTensor> {
        let parts = (codes, bytes(scales), zero_points);
        let handle = create(context, config, &Shape::new(shape)?, parts, 0)?;
        Ok(QuantizedTensor::from_handle(handle, None))
    }

    /// As [`from_codes`](QuantizedTensor::from_codes), but the tensor keeps the
    /// buffers instead of copying them.
    pub fn from_owned_codes<S: Element>(
        context: &Context, config: &Config, shape: &[usize], codes: Vec<u8>, scales: Vec<S>,
        zero_points: Vec<i8>,
    ) -> Result<QuantizedTensor> {
        let (shape, scale_bytes) = (Shape::new(shape)?, size_of_val(&scales[..]));
        let parts = (codes, scales, zero_points);
        QuantizedTensor::keep(context, config, &shape, parts, scale_bytes)
    }

    /// Keeps codes, scales (their first `scale_bytes` bytes) and zero points.
    pub(crate) fn keep<S: Element>(
        context: &Context, config: &Config, shape: &Shape, parts: (Vec<u8>, Vec<S>, Vec<i8>),
        scale_bytes: usize,
    ) -> Result<QuantizedTensor> {
        let backing = Arc::new(parts);
        let scales = &bytes(&backing.1)[..scale_bytes];
        let parts = (&backing.0[..], scales, &backing.2[..]);
        let handle = create(context, config, shape, parts, sys::BNQ_TENSOR_BORROW)?;
        Ok(QuantizedTensor::from_handle(handle, Some(backing)))
    }

    pub(crate) fn from_handle(
        handle: Handle<sys::bnq_tensor>, backing: Option<Backing>,
    ) -> QuantizedTensor {
        // SAFETY: a live tensor; read gives room for any shape.
        let shape = Shape::read(|out| unsafe { sys::bnq_tensor_shape(handle.as_ptr(), out) })
            .expect("a tensor has a shape");
        QuantizedTensor {
            handle,
            shape,
            dimensions: shape.to_vec(),
            backing,
        }
    }

    pub(crate) fn raw(&self) -> *const sys::bnq_tensor {
        self.handle.as_ptr()
    }

    /// The dimensions.
    pub fn shape(&self) -> &[usize] {
        &self.dimensions
    }

    /// The number of elements.
    pub fn elements(&self) -> usize {
        length(self.count())
    }

    pub(crate) fn count(&self) -> u64 {
        self.shape
            .elements()
            .expect("a tensor's elements can be counted")
    }

    /// Rows of the tensor as a matrix: 1 for rank 0 and 1, else the first
    /// dimension.
    pub fn rows(&self) -> usize {
        // SAFETY: a live tensor.
        length(unsafe { sys::bnq_tensor_rows(self.raw()) })
    }

    /// Columns of the tensor as a matrix.
    pub fn columns(&self) -> usize {
        // SAFETY: a live tensor.
        length(unsafe { sys::bnq_tensor_columns(self.raw()) })
    }

    /// The format.
    pub fn format(&self) -> Format {
        // SAFETY: a live tensor.
        Format::from_id(unsafe { sys::bnq_tensor_format(self.raw()) })
    }

    /// The value of any option the tensor was made with.
    /// [`Error::Unsupported`](crate::Error::Unsupported) where the library does not
    /// have it.
    pub fn get(&self, option: ConfigOption) -> Result<OptionValue> {
        // SAFETY: a live tensor.
        unsafe { option.read(sys::bnq_tensor_options(self.raw())) }
    }

    /// Those options that say what the tensor is, not how it was made (clip, rounding,
    /// seed, scale rule, ...), as a config.
    pub fn config(&self) -> Result<Config> {
        // SAFETY: a live tensor and a place for the handle.
        Handle::create(|out| unsafe { sys::bnq_tensor_config(self.raw(), out) })
            .map(Config::from_handle)
    }

    /// How many elements share a scale.
    pub fn granularity(&self) -> Result<Granularity> {
        Granularity::from_option(self.get(ConfigOption::GRANULARITY)?)
    }

    /// Symmetric or asymmetric.
    pub fn scheme(&self) -> Result<Scheme> {
        Scheme::from_option(self.get(ConfigOption::SCHEME)?)
    }

    /// The packed codes.
    pub fn codes(&self) -> &[u8] {
        let mut count = 0;
        // SAFETY: they live as long as the tensor, which is immutable.
        unsafe { ffi::slice(sys::bnq_tensor_codes(self.raw(), &mut count), count) }
    }

    /// The scales as `f32`, however they are stored: borrowed where they are stored so,
    /// else converted in every call.
    pub fn scales(&self) -> Cow<'_, [f32]> {
        // SAFETY: a live tensor.
        let count = unsafe { sys::bnq_tensor_scale_count(self.raw()) };
        let data = self.scale_data();
        // The length, too, in case a newer library has yet another way to store them.
        if self.has_plain_scales() && data.len() as u64 == 4 * count {
            // SAFETY: that many floats, which live as long as the tensor.
            return Cow::Borrowed(unsafe { ffi::slice(data.as_ptr().cast(), count) });
        }
        let mut out = vec![0.0; length(count)];
        // SAFETY: a live tensor and a buffer of that many scales.
        check(unsafe { sys::bnq_tensor_read_scales(self.raw(), out.as_mut_ptr(), count) })
            .expect("a tensor has as many scales as it says");
        Cow::Owned(out)
    }

    /// Whether scales are stored as `f32`, one after the other.
    fn has_plain_scales(&self) -> bool {
        let is = |option, value| self.get(option).ok() == Some(value);
        is(ConfigOption::SCALE_DTYPE, ScaleDType::F32.into())
            && is(ConfigOption::DOUBLE_QUANT, OptionValue::Int(0))
    }

    /// The bytes of the scales as they are stored: `f32`, half-precision bits, or double
    /// quantized (8-bit codes, zeros up to a multiple of 4 bytes, the `f32` scales of
    /// each 256 codes, and the `f32` offset; see [`dynamic_map`]).
    pub fn scale_data(&self) -> &[u8] {
        let mut bytes = 0;
        // SAFETY: they live as long as the tensor, which is immutable.
        unsafe { ffi::slice(sys::bnq_tensor_scales(self.raw(), &mut bytes).cast(), bytes) }
    }

    /// How many 16-bit scales are at the ends of what their type holds, because the
    /// scale was beyond.
    pub fn saturated_scales(&self) -> usize {
        // SAFETY: a live tensor.
        length(unsafe { sys::bnq_tensor_saturated_scales(self.raw()) })
    }

    /// The zero points; as many as scales where asymmetric, else none.
    pub fn zero_points(&self) -> &[i8] {
        let mut count = 0;
        // SAFETY: they live as long as the tensor, which is immutable.
        unsafe { ffi::slice(sys::bnq_tensor_zero_points(self.raw(), &mut count), count) }
    }

    /// The columns of the last dimension that were kept out of the codes, `None` where
    /// there are none; see
    /// [`outlier_threshold`](crate::ConfigBuilder::outlier_threshold).
    pub fn outliers(&self) -> Option<Outliers<'_>> {
        let (mut count, mut dtype) = (0, 0);
        // SAFETY: they live as long as the tensor, which is immutable.
        let columns: &[u32] = unsafe {
            ffi::slice(
                sys::bnq_tensor_outlier_columns(self.raw(), &mut count),
                count,
            )
        };
        // SAFETY: a live tensor and a place for the data type.
        let values = unsafe { sys::bnq_tensor_outlier_values(self.raw(), &mut dtype) };
        let dtype = DType::from_id(dtype)?;
        // Not 0 where there are outliers.
        let last = self.dimensions.last().copied().unwrap_or(1);
        let shape = [self.elements() / last, columns.len()];
        let bytes = dtype.bytes_of(shape[0] as u64 * shape[1] as u64).ok()?;
        // SAFETY: that many bytes, which live as long as the tensor.
        let values = unsafe { ffi::slice(values.cast(), bytes) };
        Some(Outliers {
            columns,
            values: ArrayView::from_bytes(values, dtype, &shape).ok()?,
        })
    }

    /// Bytes of codes, scales, zero points and outliers together.
    pub fn bytes(&self) -> usize {
        // SAFETY: a live tensor.
        length(unsafe { sys::bnq_tensor_bytes(self.raw()) })
    }

    /// Those bytes times 8 over the number of elements; 0 for an empty tensor.
    pub fn bits_per_weight(&self) -> f64 {
        // SAFETY: a live tensor.
        unsafe { sys::bnq_tensor_bits_per_weight(self.raw()) }
    }

    /// The codes one by one, in row-major order: -1, 0, 1 for ternary, -128..127 for
    /// int8, -8..7 for int4, 0..15 for nf4 and fp4.
    /// [`Unsupported`](crate::Error::Unsupported) for f16 and bf16.
    pub fn unpack(&self, context: &Context) -> Result<Vec<i8>> {
        let mut codes = vec![0; self.elements()];
        self.unpack_into(context, &mut codes)?;
        Ok(codes)
    }

    /// The same into a buffer of exactly as many codes as there are elements.
    pub fn unpack_into(&self, context: &Context, codes: &mut [i8]) -> Result<()> {
        let count = self.count();
        expect_length("codes", codes.len(), count)?;
        // SAFETY: live handles, and a buffer of that many codes.
        check(unsafe {
            sys::bnq_tensor_unpack(context.raw(), self.raw(), codes.as_mut_ptr(), count)
        })
    }

    /// The same tensor with its codes in another packing, without loss.
    /// [`Unsupported`](crate::Error::Unsupported) where the format does not have it.
    pub fn repack(&self, context: &Context, packing: Packing) -> Result<QuantizedTensor> {
        // SAFETY: live handles and a place for the handle.
        let handle = Handle::create(|out| unsafe {
            sys::bnq_tensor_repack(context.raw(), self.raw(), packing as i32, out)
        })?;
        // It may share what does not change, such as scales in a file.
        Ok(QuantizedTensor::from_handle(handle, self.backing.clone()))
    }

    /// Dequantizes to `f32`, in row-major order.
    pub fn dequantize(&self, context: &Context) -> Result<Vec<f32>> {
        let mut out = vec![0.0; self.elements()];
        self.dequantize_into(context, &mut out)?;
        Ok(out)
    }

    /// Dequantizes into a buffer of exactly as many values as there are elements:
    /// a `&mut [f32]`, or halves with [`Output::from_bits`].
    /// [`InvalidArgument`](crate::Error::InvalidArgument) for another length.
    pub fn dequantize_into<'o>(&self, context: &Context, out: impl Into<Output<'o>>) -> Result<()> {
        let (dtype, out) = out.into().expect(self.count())?;
        // SAFETY: live handles, and a buffer of that many bytes.
        check(unsafe {
            sys::bnq_tensor_dequantize(
                context.raw(),
                self.raw(),
                dtype.id(),
                out.as_mut_ptr().cast(),
                out.len() as u64,
            )
        })
    }

    /// Dequantizes some of the [`rows`](QuantizedTensor::rows) to `f32`.
    pub fn dequantize_rows(&self, context: &Context, rows: Range<usize>) -> Result<Vec<f32>> {
        let mut out = vec![0.0; length(self.elements_of(&rows)?)];
        self.dequantize_rows_into(context, rows, &mut out)?;
        Ok(out)
    }

    /// The same into a buffer of exactly rows x columns values, as in
    /// [`dequantize_into`](QuantizedTensor::dequantize_into).
    pub fn dequantize_rows_into<'o>(
        &self, context: &Context, rows: Range<usize>, out: impl Into<Output<'o>>,
    ) -> Result<()> {
        let (dtype, out) = out.into().expect(self.elements_of(&rows)?)?;
        // SAFETY: live handles, rows in range, and a buffer of that many bytes.
        check(unsafe {
            sys::bnq_tensor_dequantize_rows(
                context.raw(),
                self.raw(),
                rows.start as u64,
                rows.len() as u64,
                dtype.id(),
                out.as_mut_ptr().cast(),
                out.len() as u64,
            )
        })
    }

    fn elements_of(&self, rows: &Range<usize>) -> Result<u64> {
        if rows.start > rows.end || rows.end > self.rows() {
            return Err(crate::Error::InvalidArgument(format!(
                "rows: {:?} is not a range of rows; ranges within 0..{} are accepted",
                rows,
                self.rows()
            )));
        }
        // No overflow: not more than all the elements.
        Ok(rows.len() as u64 * self.columns() as u64)
    }

    /// The metrics between `original`, of the same shape, and what the tensor
    /// dequantizes to, without dequantizing it as a whole. Errors as in
    /// [`compare`](crate::compare).
    pub fn compare(&self, context: &Context, original: &ArrayView<'_>) -> Result<Metrics> {
        original.with_raw(|array| {
            // SAFETY: live handles and array, and a buffer of that many metrics.
            Metrics::read(|out, count| unsafe {
                sys::bnq_tensor_compare(context.raw(), array, self.raw(), out, count)
            })
        })
    }
}

/// `parts` are codes, bytes of scales, and zero points.
fn create(
    context: &Context, config: &Config, shape: &Shape, parts: (&[u8], &[u8], &[i8]), flags: i32,
) -> Result<Handle<sys::bnq_tensor>> {
    let (codes, scales, zero_points) = parts;
    QuantizedSizes::of(config, shape)?.check(codes.len(), scales.len(), zero_points.len())?;
    // SAFETY: live handles, a shape of that rank, buffers of those sizes (which
    // outlive the tensor where it borrows them), and a place for the handle.
    Handle::create(|out| unsafe {
        sys::bnq_tensor_create(
            context.raw(),
            config.raw(),
            shape.rank(),
            shape.as_ptr(),
            codes.as_ptr(),
            codes.len() as u64,
            ffi::pointer(scales).cast(),
            scales.len() as u64,
            ffi::pointer(zero_points),
            zero_points.len() as u64,
            flags,
            out,
        )
    })
}

impl fmt::Debug for QuantizedTensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        struct Options<'a>(&'a QuantizedTensor);
        impl fmt::Debug for Options<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                option::debug("Config", f, |option| self.0.get(option))
            }
        }
        f.debug_struct("QuantizedTensor")
            .field("shape", &self.shape())
            .field("bytes", &self.bytes())
            .field("config", &Options(self))
            .finish()
    }
}

/// Columns of the last dimension of a [`QuantizedTensor`] that were kept out of its
/// codes (LLM.int8).
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Outliers<'a> {
    /// Their indices, ascending.
    pub columns: &'a [u32],
    /// Their values, of shape [elements / columns of the last dimension, outlier
    /// columns], as F16, or as BF16 where the source is or where F16 would overflow.
    pub values: ArrayView<'a>,
}

/// The 256 values, ascending, that the 8-bit codes of double quantized scales stand
/// for: scale = value * the scale of its 256 codes + offset. bitsandbytes' signed
/// dynamic map.
///
/// # Panics
/// If the loaded library does not fit; see [`check_library`](crate::check_library).
pub fn dynamic_map() -> &'static [f32] {
    expect_library();
    // SAFETY: 256 values that live for ever.
    unsafe { ffi::slice(sys::bnq_dynamic_map(), 256) }
}
