//! Quantized tensors.

use crate::array::{bytes, ArrayView, Element, Output};
use crate::choice::{Choice, Granularity, Packing, Scheme};
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
use std::ops::Range;
use std::ptr;
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

    /// The same with the importance of each column of the last dimension, as many weights
    /// as it has, finite, not negative and not all 0: parameters are those of the least
    /// sum of importance * (x - value)^2. Usually the mean of x^2 of the layer's inputs;
    /// only ratios count.
    ///
    /// # Errors
    /// As [`quantize`](QuantizedTensor::quantize);
    /// [`InvalidArgument`](crate::Error::InvalidArgument) names the weight or the number of
    /// them, and where the config has another scale rule than
    /// [`Mse`](crate::ScaleRule::Mse).
    pub fn quantize_weighted(
        context: &Context, config: &Config, array: &ArrayView<'_>, importance: &[f32],
    ) -> Result<QuantizedTensor> {
        let handle = array.with_raw(|source| {
            // SAFETY: live handles and array, that many weights, and a place for the handle.
            Handle::create(|out| unsafe {
                sys::bnq_tensor_quantize_weighted(
                    context.raw(),
                    config.raw(),
                    source,
                    importance.as_ptr(),
                    importance.len() as u64,
                    out,
                )
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
    /// Outliers are further parts: see [`from_parts`](QuantizedTensor::from_parts).
    pub fn from_codes<S: Element>(
        context: &Context, config: &Config, shape: &[usize], codes: &[u8], scales: &[S],
        zero_points: &[i8],
    ) -> Result<QuantizedTensor> {
        let parts = (codes, bytes(scales), zero_points);
        let handle = create(context, config, &Shape::new(shape)?, parts, 0)?;
        Ok(QuantizedTensor::from_handle(handle, None))
    }

    /// A tensor of parts made elsewhere, in any order, which are copied; a part that is
    /// not among them has no bytes. What [`part`](QuantizedTensor::part) shows of each
    /// [`Part::ALL`] makes the same tensor.
    ///
    /// # Errors
    /// [`InvalidArgument`](crate::Error::InvalidArgument) names a part of another size,
    /// type or alignment, and the index of what is not valid.
    pub fn from_parts(
        context: &Context, config: &Config, shape: &[usize], parts: &[PartData<'_>],
    ) -> Result<QuantizedTensor> {
        let handle = create_of_parts(context, config, &Shape::new(shape)?, parts, 0)?;
        Ok(QuantizedTensor::from_handle(handle, None))
    }

    /// A part as it is stored.
    pub fn part(&self, part: Part) -> PartData<'_> {
        let raw = self.raw_part(part);
        PartData {
            part,
            dtype: DType::from_id(raw.dtype),
            // SAFETY: that many bytes, which live as long as the tensor.
            bytes: unsafe { ffi::slice(raw.data.cast(), raw.bytes) },
        }
    }

    fn raw_part(&self, part: Part) -> sys::bnq_part {
        let mut raw = sys::bnq_part {
            data: ptr::null(),
            bytes: 0,
            count: 0,
            part: part as i32,
            dtype: 0,
        };
        // SAFETY: a live tensor and a place for the part.
        check(unsafe { sys::bnq_tensor_part(self.raw(), part as i32, &mut raw) })
            .expect("a tensor has every part");
        raw
    }

    /// As [`from_codes`](QuantizedTensor::from_codes), but the tensor keeps the
    /// buffers instead of copying them.
    pub fn from_owned_codes<S: Element>(
        context: &Context, config: &Config, shape: &[usize], codes: Vec<u8>, scales: Vec<S>,
        zero_points: Vec<i8>,
    ) -> Result<QuantizedTensor> {
        let backing = Arc::new((codes, scales, zero_points));
        let parts = (&backing.0[..], bytes(&backing.1), &backing.2[..]);
        let shape = Shape::new(shape)?;
        let handle = create(context, config, &shape, parts, sys::BNQ_TENSOR_BORROW)?;
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

    /// What the native tensor points into, to be kept by what keeps the native tensor.
    pub(crate) fn backing(&self) -> Option<Backing> {
        self.backing.clone()
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

    /// Symmetric, asymmetric or with offsets.
    pub fn scheme(&self) -> Result<Scheme> {
        Scheme::from_option(self.get(ConfigOption::SCHEME)?)
    }

    /// The packed codes.
    pub fn codes(&self) -> &[u8] {
        self.part(Part::Codes).bytes
    }

    /// The scales as `f32`, however they are stored: borrowed where they are stored so,
    /// else converted in every call.
    pub fn scales(&self) -> Cow<'_, [f32]> {
        self.floats(Part::Scales, sys::bnq_tensor_read_scales)
    }

    /// What values start from, one for each scale, borrowed or converted as
    /// [`scales`](QuantizedTensor::scales); none but with [`Scheme::Offset`].
    pub fn offsets(&self) -> Cow<'_, [f32]> {
        self.floats(Part::Offsets, sys::bnq_tensor_read_offsets)
    }

    /// Scales or offsets: where they are `f32`, or as `read` makes them so.
    fn floats(
        &self, part: Part,
        read: unsafe extern "C" fn(*const sys::bnq_tensor, *mut f32, u64) -> sys::bnq_status,
    ) -> Cow<'_, [f32]> {
        let raw = self.raw_part(part);
        if raw.dtype == sys::BNQ_DTYPE_F32 {
            // SAFETY: that many floats, which live as long as the tensor.
            return Cow::Borrowed(unsafe { ffi::slice(raw.data.cast(), raw.count) });
        }
        let mut out = vec![0.0; length(raw.count)];
        // SAFETY: a live tensor and a buffer of that many numbers.
        check(unsafe { read(self.raw(), out.as_mut_ptr(), raw.count) })
            .expect("a tensor has as many as it says");
        Cow::Owned(out)
    }

    /// The bytes of the offsets as they are stored, in the same way as the scales.
    pub fn offset_data(&self) -> &[u8] {
        self.part(Part::Offsets).bytes
    }

    /// What scales of [`E4M3`] are multiples of ([`scales`] are the
    /// products); `None` with others, and without any.
    ///
    /// [`E4M3`]: crate::ScaleDType::E4M3
    /// [`scales`]: QuantizedTensor::scales
    pub fn tensor_scale(&self) -> Option<f32> {
        let raw = self.raw_part(Part::TensorScale);
        // SAFETY: that many floats, which live as long as the tensor.
        let values: &[f32] = unsafe { ffi::slice(raw.data.cast(), raw.count) };
        values.first().copied()
    }

    /// The values that codes stand for, times their scale, of [`CODEBOOK2`] to
    /// [`CODEBOOK4`], ascending; empty with others.
    ///
    /// [`CODEBOOK2`]: crate::Format::CODEBOOK2
    /// [`CODEBOOK4`]: crate::Format::CODEBOOK4
    pub fn codebook(&self) -> &[f32] {
        let raw = self.raw_part(Part::Codebook);
        // SAFETY: that many floats, which live as long as the tensor.
        unsafe { ffi::slice(raw.data.cast(), raw.count) }
    }

    /// The bytes of the scales as they are stored: `f32`, half-precision bits, 8 bits
    /// ([`ScaleDType`](crate::ScaleDType)), or double
    /// quantized (8-bit codes, zeros up to a multiple of 4 bytes, the `f32` scales of
    /// each 256 codes, and the `f32` offset; see [`dynamic_map`]).
    pub fn scale_data(&self) -> &[u8] {
        self.part(Part::Scales).bytes
    }

    /// How many 16-bit scales are at the ends of what their type holds, because the
    /// scale was beyond.
    pub fn saturated_scales(&self) -> usize {
        // SAFETY: a live tensor.
        length(unsafe { sys::bnq_tensor_saturated_scales(self.raw()) })
    }

    /// The zero points; as many as scales where asymmetric, else none.
    pub fn zero_points(&self) -> &[i8] {
        let raw = self.raw_part(Part::ZeroPoints);
        // SAFETY: they live as long as the tensor, which is immutable.
        unsafe { ffi::slice(raw.data.cast(), raw.count) }
    }

    /// The columns of the last dimension that were kept out of the codes, `None` where
    /// there are none; see
    /// [`outlier_threshold`](crate::ConfigBuilder::outlier_threshold).
    pub fn outliers(&self) -> Option<Outliers<'_>> {
        let raw = self.raw_part(Part::OutlierColumns);
        if raw.count == 0 {
            return None;
        }
        // SAFETY: they live as long as the tensor, which is immutable.
        let columns: &[u32] = unsafe { ffi::slice(raw.data.cast(), raw.count) };
        let PartData { dtype, bytes, .. } = self.part(Part::OutlierValues);
        // Not 0 where there are outliers.
        let last = self.dimensions.last().copied().unwrap_or(1);
        let shape = [self.elements() / last, columns.len()];
        Some(Outliers {
            columns,
            values: ArrayView::from_bytes(bytes, dtype?, &shape).ok()?,
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
        let out = out.into();
        let overflow = out.overflow();
        let (dtype, out) = out.expect(self.count())?;
        // SAFETY: live handles, and a buffer of that many bytes.
        check(unsafe {
            sys::bnq_tensor_dequantize(
                context.raw(),
                self.raw(),
                dtype.id(),
                overflow as i32,
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
        let out = out.into();
        let overflow = out.overflow();
        let (dtype, out) = out.expect(self.elements_of(&rows)?)?;
        // SAFETY: live handles, rows in range, and a buffer of that many bytes.
        check(unsafe {
            sys::bnq_tensor_dequantize_rows(
                context.raw(),
                self.raw(),
                rows.start as u64,
                rows.len() as u64,
                dtype.id(),
                overflow as i32,
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
    let parts = [
        PartData::of(Part::Codes, codes),
        // Bytes of any type.
        PartData {
            part: Part::Scales,
            dtype: None,
            bytes: scales,
        },
        PartData::of(Part::ZeroPoints, zero_points),
    ];
    create_of_parts(context, config, shape, &parts, flags)
}

fn create_of_parts(
    context: &Context, config: &Config, shape: &Shape, parts: &[PartData<'_>], flags: i32,
) -> Result<Handle<sys::bnq_tensor>> {
    let raw: Vec<_> = parts
        .iter()
        .map(|part| sys::bnq_part {
            data: ffi::pointer(part.bytes).cast(),
            bytes: part.bytes.len() as u64,
            count: 0,
            part: part.part as i32,
            dtype: part.dtype.map_or(0, DType::id),
        })
        .collect();
    // SAFETY: live handles, a shape of that rank, parts of those sizes (which outlive
    // the tensor where it borrows them), and a place for the handle.
    Handle::create(|out| unsafe {
        sys::bnq_tensor_create(
            context.raw(),
            config.raw(),
            shape.rank(),
            shape.as_ptr(),
            raw.as_ptr(),
            raw.len() as u32,
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

/// What a [`QuantizedTensor`] is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Part {
    /// Packed codes, U8.
    Codes = sys::BNQ_PART_CODES as isize,
    /// Scales: F32, F16, BF16, F8_E8M0 or F8_E4M3; U8 where they are double quantized.
    Scales = sys::BNQ_PART_SCALES as isize,
    /// Zero points, I8; none where symmetric.
    ZeroPoints = sys::BNQ_PART_ZERO_POINTS as isize,
    /// Indices of outlier columns, U32, ascending.
    OutlierColumns = sys::BNQ_PART_OUTLIER_COLUMNS as isize,
    /// Their values, F16 or BF16.
    OutlierValues = sys::BNQ_PART_OUTLIER_VALUES as isize,
    /// Offsets, as the scales; of [`Scheme::Offset`].
    Offsets = sys::BNQ_PART_OFFSETS as isize,
    /// What scales of [`ScaleDType::E4M3`](crate::ScaleDType::E4M3) are multiples of: one
    /// F32.
    TensorScale = sys::BNQ_PART_TENSOR_SCALE as isize,
    /// The values that codes stand for, F32; of the formats codebook2, 3 and 4.
    Codebook = sys::BNQ_PART_CODEBOOK as isize,
    /// What a layer's inputs are divided by, F32, for each column of a row.
    InputScales = sys::BNQ_PART_INPUT_SCALES as isize,
}

impl Part {
    /// Every part that this crate knows.
    pub const ALL: &'static [Part] = &[
        Part::Codes,
        Part::Scales,
        Part::ZeroPoints,
        Part::OutlierColumns,
        Part::OutlierValues,
        Part::Offsets,
        Part::TensorScale,
        Part::Codebook,
        Part::InputScales,
    ];
}

/// A part's bytes. Scales, offsets, a tensor's scale, a codebook and outlier columns must be at an
/// address that is a multiple of 4 to make a tensor of them.
#[derive(Debug, Clone, Copy)]
pub struct PartData<'a> {
    /// Which one.
    pub part: Part,
    /// The type of its elements; `None` stands for what the config asks for (F16 for
    /// outlier values).
    pub dtype: Option<DType>,
    /// The part itself.
    pub bytes: &'a [u8],
}

impl<'a> PartData<'a> {
    /// A part of these elements.
    pub(crate) fn of<T: Element>(part: Part, elements: &'a [T]) -> PartData<'a> {
        PartData {
            part,
            dtype: Some(T::DTYPE),
            bytes: bytes(elements),
        }
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
