//! A calibrator: watches batches, and finds ranges.

use crate::array::ArrayView;
use crate::calibration::{
    CalibrationDataset, CalibrationMethod, CalibrationOption, CalibratorBuilder, Histogram,
    Statistics,
};
use crate::callback::{self, no_progress, Progress};
use crate::choice::{Choice, Granularity, Scheme};
use crate::config::Config;
use crate::context::Context;
use crate::error::{check, Result};
use crate::ffi::{self, length, Handle};
use crate::option::{self, OptionValue};
use bitnet_quant_sys as sys;
use std::fmt;
use std::ops::ControlFlow;
use std::path::Path;
use std::ptr;

/// The range in which to quantize: finite, `lo <= hi`, and `lo == -hi` for the symmetric
/// scheme.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ValueRange {
    /// Its lower end.
    pub lo: f32,
    /// Its upper end.
    pub hi: f32,
}

/// Parameters for quantizing with
/// [`quantize_static`](crate::QuantizedTensor::quantize_static).
#[derive(Debug, Clone, PartialEq)]
pub struct QuantParams {
    /// One scale for the tensor, or one for each channel.
    pub scales: Vec<f32>,
    /// As many zero points where asymmetric, else none.
    pub zero_points: Vec<i8>,
    /// As many offsets where the scheme is offset, else none.
    pub offsets: Vec<f32>,
}

/// Watches batches of values go by, and finds the range in which to quantize such values.
/// Its memory depends on the numbers of bins and channels, not on how much goes by.
///
/// But for the methods that follow the order of batches
/// ([`MovingAverage`](CalibrationMethod::MovingAverage),
/// [`Adaptive`](CalibrationMethod::Adaptive)), what it knows is a function of the batches
/// in any order, on every machine: merging calibrators gives what one that saw all batches
/// has, to the byte.
///
/// ```
/// use bitnet_quant::{ArrayView, CalibrationMethod, Calibrator, Context};
///
/// let context = Context::new();
/// let mut calibrator = Calibrator::builder().method(CalibrationMethod::Kl).build()?;
/// for batch in [[0.5f32, -1.0, 0.25], [2.0, 0.0, -3.0]] {
///     calibrator.observe(&context, &ArrayView::new(&batch, &[3])?)?;
/// }
/// let range = calibrator.range(&context)?[0];
/// assert!(range.lo == -range.hi && range.hi <= 3.01);
///
/// let config = "int8_symmetric".parse()?;
/// let params = calibrator.params(&context, &config)?;
/// assert_eq!((params.scales.len(), params.zero_points.len()), (1, 0));
/// # Ok::<(), bitnet_quant::Error>(())
/// ```
pub struct Calibrator {
    handle: Handle<sys::bnq_calibrator>,
}

// SAFETY: bnq.h: a calibrator is for one thread at a time, any one, and functions that take
// a const one may share it; the others take `&mut Calibrator`.
unsafe impl Send for Calibrator {}
// SAFETY: as above.
unsafe impl Sync for Calibrator {}

impl Calibrator {
    /// A calibrator with every option at its default, and no data: minimum and maximum of
    /// everything, symmetric.
    ///
    /// # Panics
    /// If there is no memory for it, or the loaded library does not fit
    /// ([`check_library`](crate::check_library)); [`builder`](Calibrator::builder) says so
    /// instead.
    #[allow(clippy::new_without_default)] // a default does not panic
    pub fn new() -> Calibrator {
        Calibrator::builder()
            .build()
            .unwrap_or_else(|error| panic!("making a calibrator: {}", error))
    }

    /// Starts from the defaults.
    pub fn builder() -> CalibratorBuilder {
        // SAFETY: a place for the handle.
        let handle = Handle::create(|out| unsafe { sys::bnq_calibrator_create(out) });
        CalibratorBuilder::new(handle.map(Calibrator::from_handle))
    }

    /// Starts from what suits values to be quantized as `config` says: its scheme, the
    /// bits of its codes, and its channels and their axis.
    ///
    /// # Errors
    /// [`InvalidArgument`](crate::Error::InvalidArgument) where its granularity is neither
    /// [`Tensor`](crate::Granularity::Tensor) nor [`Channel`](crate::Granularity::Channel).
    pub fn builder_for(config: &Config) -> Result<CalibratorBuilder> {
        // SAFETY: a live config, and a place for the handle.
        Handle::create(|out| unsafe { sys::bnq_calibrator_create_for(config.raw(), out) })
            .map(|handle| CalibratorBuilder::new(Ok(Calibrator::from_handle(handle))))
    }

    /// Starts from this one's options, without its data.
    pub fn to_builder(&self) -> CalibratorBuilder {
        CalibratorBuilder::new(self.try_clone(&Context::new()).and_then(|mut copy| {
            copy.reset()?;
            Ok(copy)
        }))
    }

    pub(crate) fn from_handle(handle: Handle<sys::bnq_calibrator>) -> Calibrator {
        Calibrator { handle }
    }

    pub(crate) fn raw(&self) -> *const sys::bnq_calibrator {
        self.handle.as_ptr()
    }

    pub(crate) fn raw_mut(&mut self) -> *mut sys::bnq_calibrator {
        self.handle.as_ptr()
    }

    /// A copy with its data. `Clone` does the same, but panics for want of memory.
    pub fn try_clone(&self, context: &Context) -> Result<Calibrator> {
        // SAFETY: live handles and a place for the handle.
        Handle::create(|out| unsafe { sys::bnq_calibrator_clone(context.raw(), self.raw(), out) })
            .map(Calibrator::from_handle)
    }

    /// The value of any option. [`Unsupported`](crate::Error::Unsupported) where the
    /// library does not have it.
    pub fn get(&self, option: CalibrationOption) -> Result<OptionValue> {
        // SAFETY: a live calibrator.
        unsafe { option.read(sys::bnq_calibrator_options(self.raw())) }
    }

    /// Sets any option by its name, and its value by name or number, as
    /// [`CalibratorBuilder::set`]. Once there are data only method, scheme, bits, levels,
    /// percentile, kl_variant and mse_variant can be changed, to look for the range in
    /// another way.
    ///
    /// # Errors
    /// As [`CalibratorBuilder::build`]; [`InvalidArgument`](crate::Error::InvalidArgument)
    /// for what the data do not allow: another option, a method that depends on the order
    /// of batches, or one that needs a histogram where none was kept.
    pub fn set(&mut self, option: &str, value: impl fmt::Display) -> Result<()> {
        // SAFETY: the options of a live calibrator, borrowed mutably.
        unsafe { option::set_text(sys::bnq_calibrator_settings(self.raw_mut()), option, &value) }
    }

    /// How the range is found.
    pub fn method(&self) -> Result<CalibrationMethod> {
        CalibrationMethod::from_option(self.get(CalibrationOption::METHOD)?)
    }

    /// Whether there is one range, or one for each channel.
    pub fn granularity(&self) -> Result<Granularity> {
        Granularity::from_option(self.get(CalibrationOption::GRANULARITY)?)
    }

    /// Whether the range is one about 0.
    pub fn scheme(&self) -> Result<Scheme> {
        Scheme::from_option(self.get(CalibrationOption::SCHEME)?)
    }

    /// Observes a batch of F64 (rounded to `f32` first), F32, F16 or BF16. An empty one
    /// does nothing.
    ///
    /// # Errors
    /// [`NonFinite`](crate::Error::NonFinite) names the index;
    /// [`InvalidArgument`](crate::Error::InvalidArgument) where the array does not have
    /// the axis, or another number of channels than the first batch;
    /// [`Unsupported`](crate::Error::Unsupported) for other data types. The calibrator is
    /// then as it was, except where it ran out of memory while counting: then all fails
    /// with [`Internal`](crate::Error::Internal) until [`reset`](Calibrator::reset).
    pub fn observe(&mut self, context: &Context, batch: &ArrayView<'_>) -> Result<()> {
        batch.with_raw(|array| {
            // SAFETY: live handles, the calibrator borrowed mutably, and a live array.
            check(unsafe { sys::bnq_calibrator_observe(context.raw(), self.raw_mut(), array) })
        })
    }

    /// Observes the arrays at `path`, a batch each: all floating-point arrays of a `.npy`,
    /// `.safetensors` or `.bnq` file in the order of their names, or of all files `*.npy`
    /// and `*.safetensors` of a directory in the order of theirs. With `name` only arrays
    /// of that name; the array of a `.npy` file has the file's, without the ending.
    /// Files are read page by page, whatever their size.
    ///
    /// `progress` is called on this thread; breaking off cancels. If it panics, the panic
    /// goes on from here. Without progress: [`no_progress`].
    ///
    /// # Errors
    /// [`NotFound`](crate::Error::NotFound) where there is no such path, data file or
    /// array; [`Cancelled`](crate::Error::Cancelled); and as
    /// [`observe`](Calibrator::observe). The calibrator is then as it was.
    pub fn observe_file<F>(
        &mut self, context: &Context, path: impl AsRef<Path>, name: Option<&str>, mut progress: F,
    ) -> Result<()>
    where
        F: FnMut(&Progress<'_>) -> ControlFlow<()>,
    {
        let path = ffi::c_path("path", path.as_ref())?;
        let name = name.map(|name| ffi::c_string("name", name)).transpose()?;
        let (call, opaque) = callback::progress(&mut progress);
        // SAFETY: live handles, the calibrator borrowed mutably, C strings or NULL, and a
        // closure that lives for the call.
        check(unsafe {
            sys::bnq_calibrator_observe_file(
                context.raw(),
                self.raw_mut(),
                path.as_ptr(),
                name.as_ref().map_or(ptr::null(), |name| name.as_ptr()),
                call,
                opaque,
            )
        })
    }

    /// Observes a whole dataset, and gives the parameters for quantizing such values as
    /// activations are unless something else is asked for
    /// ([`Config::for_activations`](crate::Config::for_activations): int8, symmetric).
    ///
    /// ```
    /// use bitnet_quant::{BitNetQuantizer, CalibrationDataset, Calibrator, Device, Tensor};
    ///
    /// let mut calibrator = Calibrator::new();
    /// let calibration_data = CalibrationDataset::from_tensors(vec![
    ///     Tensor::randn(&[32, 128], &Device::Cpu)?,
    ///     Tensor::randn(&[32, 128], &Device::Cpu)?,
    /// ]);
    /// let params = calibrator.calibrate(&calibration_data)?;
    /// let quantizer = BitNetQuantizer::with_params(params);
    /// # assert!(quantizer.params().unwrap().scales[0] > 0.02);
    /// # Ok::<(), bitnet_quant::Error>(())
    /// ```
    pub fn calibrate(&mut self, dataset: &CalibrationDataset<'_>) -> Result<QuantParams> {
        self.calibrate_for(&Context::new(), &Config::for_activations()?, dataset)
    }

    /// The same for quantizing as `config` says, in a context:
    /// [`CalibrationDataset::observe`] and [`params`](Calibrator::params).
    pub fn calibrate_for(
        &mut self, context: &Context, config: &Config, dataset: &CalibrationDataset<'_>,
    ) -> Result<QuantParams> {
        dataset.observe(context, self, no_progress)?;
        self.params(context, config)
    }

    /// The number of channels, 1 per tensor; 0 before there are data.
    pub fn channels(&self) -> usize {
        // SAFETY: a live calibrator.
        length(unsafe { sys::bnq_calibrator_channels(self.raw()) })
    }

    /// The number of batches that had elements.
    pub fn batches(&self) -> u64 {
        // SAFETY: a live calibrator.
        unsafe { sys::bnq_calibrator_batches(self.raw()) }
    }

    /// The range of each channel. The calibrator may go on observing.
    ///
    /// # Errors
    /// [`NoData`](crate::Error::NoData) before there are data, or where a channel has had
    /// no finite value.
    pub fn range(&self, context: &Context) -> Result<Vec<ValueRange>> {
        let (mut lo, mut hi) = (vec![0.0; self.channels()], vec![0.0; self.channels()]);
        // SAFETY: live handles, and buffers of that many values.
        check(unsafe {
            sys::bnq_calibrator_range(
                context.raw(),
                self.raw(),
                lo.as_mut_ptr(),
                hi.as_mut_ptr(),
                lo.len() as u64,
            )
        })?;
        let ends = lo.into_iter().zip(hi);
        Ok(ends.map(|(lo, hi)| ValueRange { lo, hi }).collect())
    }

    /// The scale, and zero point or offset, of each channel for quantizing values of its
    /// range as `config` says: its format, scheme, symmetric range and scale type count. The
    /// calibrator's method stands in place of the scale rule.
    ///
    /// # Errors
    /// [`NoData`](crate::Error::NoData) as [`range`](Calibrator::range);
    /// [`Unsupported`](crate::Error::Unsupported) for a format without scales.
    pub fn params(&self, context: &Context, config: &Config) -> Result<QuantParams> {
        let channels = self.channels();
        let mut scales = vec![0.0; channels];
        let scheme = config.scheme()?;
        let count = |wanted| if scheme == wanted { channels } else { 0 };
        let mut zero_points = vec![0; count(Scheme::Asymmetric)];
        let mut offsets = vec![0.0; count(Scheme::Offset)];
        // SAFETY: live handles, and buffers of one value for each channel, or NULL where
        // there are none.
        check(unsafe {
            sys::bnq_calibrator_params(
                context.raw(),
                self.raw(),
                config.raw(),
                scales.as_mut_ptr(),
                ffi::pointer_mut(&mut zero_points),
                ffi::pointer_mut(&mut offsets),
                channels as u64,
            )
        })?;
        Ok(QuantParams {
            scales,
            zero_points,
            offsets,
        })
    }

    /// The statistics of a channel. [`NoData`](crate::Error::NoData) before there are
    /// data, [`InvalidArgument`](crate::Error::InvalidArgument) for another channel.
    pub fn statistics(&self, context: &Context, channel: usize) -> Result<Statistics> {
        Statistics::of(context, self.raw(), channel as u64)
    }

    /// The statistics of all channels together.
    pub fn total_statistics(&self, context: &Context) -> Result<Statistics> {
        Statistics::of(context, self.raw(), sys::BNQ_ALL_CHANNELS)
    }

    /// The histogram of a channel; as [`statistics`](Calibrator::statistics), and
    /// [`Unsupported`](crate::Error::Unsupported) where none is kept: the methods
    /// percentile, kl and mse and every [`OutlierRule`](crate::OutlierRule) keep one,
    /// others with the option [`histogram`](CalibratorBuilder::histogram).
    pub fn histogram(&self, channel: usize) -> Result<Histogram> {
        Histogram::of(self.raw(), channel as u64)
    }

    /// Forgets the data, not the options.
    pub fn reset(&mut self) -> Result<()> {
        // SAFETY: a live calibrator, borrowed mutably.
        check(unsafe { sys::bnq_calibrator_reset(self.raw_mut()) })
    }

    /// Adds what another calibrator has observed.
    ///
    /// # Errors
    /// [`InvalidArgument`](crate::Error::InvalidArgument) unless both have the same
    /// options and, where both have data, as many channels;
    /// [`Unsupported`](crate::Error::Unsupported) for the methods that depend on the order
    /// of batches.
    pub fn merge(&mut self, context: &Context, other: &Calibrator) -> Result<()> {
        // SAFETY: live handles, this one borrowed mutably, so that it is not the other.
        check(unsafe { sys::bnq_calibrator_merge(context.raw(), self.raw_mut(), other.raw()) })
    }

    /// Options and data as bytes, the same ones on every machine.
    pub fn to_bytes(&self, context: &Context) -> Result<Vec<u8>> {
        let mut size = 0;
        // SAFETY: a live calibrator, no buffer, and a place for its size.
        check(unsafe {
            sys::bnq_calibrator_serialize(context.raw(), self.raw(), ptr::null_mut(), 0, &mut size)
        })?;
        let mut bytes = vec![0u8; length(size)];
        // SAFETY: a live calibrator and a buffer of that size.
        check(unsafe {
            sys::bnq_calibrator_serialize(
                context.raw(),
                self.raw(),
                bytes.as_mut_ptr().cast(),
                bytes.len() as u64,
                &mut size,
            )
        })?;
        Ok(bytes)
    }

    /// The calibrator that [`to_bytes`](Calibrator::to_bytes) was of.
    ///
    /// # Errors
    /// [`CorruptFile`](crate::Error::CorruptFile) for bytes that are no calibrator,
    /// [`Unsupported`](crate::Error::Unsupported) for those of a later library.
    pub fn from_bytes(context: &Context, bytes: &[u8]) -> Result<Calibrator> {
        // SAFETY: a live context, that many bytes, and a place for the handle.
        Handle::create(|out| unsafe {
            sys::bnq_calibrator_deserialize(
                context.raw(),
                bytes.as_ptr().cast(),
                bytes.len() as u64,
                out,
            )
        })
        .map(Calibrator::from_handle)
    }
}

impl Clone for Calibrator {
    /// # Panics
    /// If there is no memory for the copy, or a failure while observing has made the
    /// calibrator unusable; [`try_clone`](Calibrator::try_clone) says so instead.
    fn clone(&self) -> Calibrator {
        self.try_clone(&Context::new())
            .unwrap_or_else(|error| panic!("copying a calibrator: {}", error))
    }
}

impl fmt::Debug for Calibrator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        struct Options<'a>(&'a Calibrator);
        impl fmt::Debug for Options<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                option::debug("Options", f, |option| self.0.get(option))
            }
        }
        f.debug_struct("Calibrator")
            .field("batches", &self.batches())
            .field("channels", &self.channels())
            .field("options", &Options(self))
            .finish()
    }
}
