//! Quantized tensors.

use crate::array::{ArrayView, Output};
use crate::config::Config;
use crate::context::Context;
use crate::error::{check, Result};
use crate::ffi::{self, expect_length, length, Handle, Shape};
use crate::metrics::Metrics;
use crate::option::{self, Choice, ConfigOption, Granularity, OptionValue, Scheme};
use crate::registry::Format;
use bitnet_quant_sys as sys;
use std::any::Any;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// Something that a native object points into, kept alive with it.
pub(crate) type Backing = Arc<dyn Any + Send + Sync>;

/// A quantized tensor: packed codes, scales, zero points, and how they were made.
/// Immutable; any number of threads may use one at once.
///
/// Codes are packed in rows, each starting on a byte, the first code in the lowest
/// bits (ternary: 2 bits, code + 1). Parameters, scales and zero points, are one
/// for the tensor, one for each channel, or for each row its groups in order.
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
    _backing: Option<Backing>,
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
    /// unless [`NonFinite::Zero`](crate::NonFinite::Zero) was chosen;
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

    /// A tensor from packed codes, scales and zero points (empty where symmetric)
    /// made elsewhere, of the sizes that [`QuantizedSizes::new`] says; they are
    /// copied.
    ///
    /// # Errors
    /// [`InvalidArgument`](crate::Error::InvalidArgument) for other sizes, and for
    /// codes, scales and zero points that are not valid; it names the index.
    pub fn from_codes(
        context: &Context, config: &Config, shape: &[usize], codes: &[u8], scales: &[f32],
        zero_points: &[i32],
    ) -> Result<QuantizedTensor> {
        let shape = Shape::new(shape)?;
        let handle = create(context, config, &shape, codes, scales, zero_points, 0)?;
        Ok(QuantizedTensor::from_handle(handle, None))
    }

    /// As [`from_codes`](QuantizedTensor::from_codes), but the tensor keeps the
    /// buffers instead of copying them.
    pub fn from_owned_codes(
        context: &Context, config: &Config, shape: &[usize], codes: Vec<u8>, scales: Vec<f32>,
        zero_points: Vec<i32>,
    ) -> Result<QuantizedTensor> {
        let shape = Shape::new(shape)?;
        let parts = Arc::new((codes, scales, zero_points));
        let flags = sys::BNQ_TENSOR_BORROW;
        let handle = create(context, config, &shape, &parts.0, &parts.1, &parts.2, flags)?;
        Ok(QuantizedTensor::from_handle(handle, Some(parts)))
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
            _backing: backing,
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

    fn count(&self) -> u64 {
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
        // SAFETY: a live tensor; read gives places for the values.
        option.read(
            |id, out| unsafe { sys::bnq_tensor_get_int(self.raw(), id, out) },
            |id, out| unsafe { sys::bnq_tensor_get_float(self.raw(), id, out) },
        )
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

    /// The scales.
    pub fn scales(&self) -> &[f32] {
        let mut count = 0;
        // SAFETY: as above.
        unsafe { ffi::slice(sys::bnq_tensor_scales(self.raw(), &mut count), count) }
    }

    /// The zero points; as many as scales where asymmetric, else none.
    pub fn zero_points(&self) -> &[i32] {
        let mut count = 0;
        // SAFETY: as above.
        unsafe { ffi::slice(sys::bnq_tensor_zero_points(self.raw(), &mut count), count) }
    }

    /// Bytes of codes, scales and zero points together.
    pub fn bytes(&self) -> usize {
        // SAFETY: a live tensor.
        length(unsafe { sys::bnq_tensor_bytes(self.raw()) })
    }

    /// Those bytes times 8 over the number of elements; 0 for an empty tensor.
    pub fn bits_per_weight(&self) -> f64 {
        // SAFETY: a live tensor.
        unsafe { sys::bnq_tensor_bits_per_weight(self.raw()) }
    }

    /// The codes one by one, in row-major order: -1, 0, 1 for ternary, -128..127
    /// for INT8.
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

fn create(
    context: &Context, config: &Config, shape: &Shape, codes: &[u8], scales: &[f32],
    zero_points: &[i32], flags: i32,
) -> Result<Handle<sys::bnq_tensor>> {
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
            scales.as_ptr(),
            scales.len() as u64,
            zero_points.as_ptr(),
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

/// The sizes of what quantizing an array of some shape gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct QuantizedSizes {
    /// Bytes of packed codes.
    pub code_bytes: usize,
    /// Number of scales.
    pub scales: usize,
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

    fn of(config: &Config, shape: &Shape) -> Result<QuantizedSizes> {
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
            scales: size(scales),
            zero_points: size(zero_points),
        })
    }

    fn check(&self, codes: usize, scales: usize, zero_points: usize) -> Result<()> {
        expect_length("codes", codes, self.code_bytes as u64)?;
        expect_length("scales", scales, self.scales as u64)?;
        expect_length("zero_points", zero_points, self.zero_points as u64)
    }
}

/// Quantizes into the caller's buffers, of exactly the sizes that
/// [`QuantizedSizes::new`] says: what [`QuantizedTensor::quantize`] computes,
/// without other memory for the result. The buffers are written even if it fails.
pub fn quantize_into(
    context: &Context, config: &Config, array: &ArrayView<'_>, codes: &mut [u8],
    scales: &mut [f32], zero_points: &mut [i32],
) -> Result<()> {
    array.with_raw(|source| {
        let sizes = QuantizedSizes::new(config, &array.shape())?;
        sizes.check(codes.len(), scales.len(), zero_points.len())?;
        // SAFETY: live handles and array, buffers of those sizes.
        check(unsafe {
            sys::bnq_quantize(
                context.raw(),
                config.raw(),
                source,
                codes.as_mut_ptr(),
                codes.len() as u64,
                scales.as_mut_ptr(),
                scales.len() as u64,
                zero_points.as_mut_ptr(),
                zero_points.len() as u64,
            )
        })
    })
}

/// Packs codes, one for each element of `shape` in row-major order, into the
/// layout of `config`'s format: the reverse of [`QuantizedTensor::unpack`].
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
