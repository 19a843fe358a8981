//! Conversion and comparison of whole model files.

use crate::callback::{self, Progress};
use crate::context::Context;
use crate::error::Result;
use crate::ffi::{self, length, Handle, Shape};
use crate::metrics::Metrics;
use crate::plan::Plan;
use crate::registry::{DType, Format};
use crate::verdict::Verdict;
use crate::writer::WriteOptions;
use bitnet_quant_sys as sys;
use std::fmt;
use std::ops::ControlFlow;
use std::path::Path;

/// Quantizes the model file at `input` (safetensors or its sharded index) into a `.bnq` file at
/// `output`, one tensor or slice at a time: memory does not grow with the model. A folder with
/// a `config.json`, as Hugging Face's, becomes a folder (unless `output` ends in `.bnq`):
/// `model.bnq` and copies of the files beside the weights. The report has the metrics of each
/// quantized tensor.
///
/// `progress` is called on this thread; breaking off cancels. If it panics, the
/// conversion is cancelled and the panic goes on from here. Without progress:
/// [`no_progress`](crate::no_progress).
///
/// # Errors
/// If it fails or is cancelled, an existing output is left as it was, and nothing
/// is left behind. [`Exists`](crate::Error::Exists) where the output exists
/// (unless `options` overwrite) or is also the input;
/// [`NonFinite`](crate::Error::NonFinite) names tensor and index;
/// [`Cancelled`](crate::Error::Cancelled); and all others.
///
/// ```no_run
/// use bitnet_quant::{quantize_file, Config, Context, Format, Plan, WriteOptions};
/// use std::ops::ControlFlow;
///
/// let config = Config::builder().format(Format::INT8).build()?;
/// let mut plan = Plan::new()?;
/// plan.add("*", 2, &config)?;
/// let context = Context::with_threads(0)?;
/// let report = quantize_file(
///     &context,
///     &plan,
///     "model.safetensors",
///     "model.bnq",
///     WriteOptions::new().compress(true),
///     |progress| {
///         eprintln!("{} {}/{}", progress.item, progress.done, progress.total);
///         ControlFlow::Continue(())
///     },
/// )?;
/// for row in report.rows() {
///     println!("{} {:.2} bits per weight", row.name(), row.bits_per_weight());
/// }
/// # Ok::<(), bitnet_quant::Error>(())
/// ```
pub fn quantize_file<F>(
    context: &Context, plan: &Plan, input: impl AsRef<Path>, output: impl AsRef<Path>,
    options: WriteOptions, mut progress: F,
) -> Result<Report>
where
    F: FnMut(&Progress<'_>) -> ControlFlow<()>,
{
    let input = ffi::c_path("input", input.as_ref())?;
    let output = ffi::c_path("output", output.as_ref())?;
    let (call, opaque) = callback::progress(&mut progress);
    // SAFETY: live handles, C strings, a closure that lives for the call, and a
    // place for the report.
    let handle = Handle::create(|out| unsafe {
        sys::bnq_quantize_file(
            context.raw(),
            plan.raw(),
            input.as_ptr(),
            output.as_ptr(),
            options.flags(),
            options.shard_bytes(),
            call,
            opaque,
            out,
        )
    })?;
    Ok(Report::from_handle(handle))
}

/// Dequantizes a `.bnq` file into a safetensors file: quantized tensors become
/// `dtype` (F32, F16 or BF16), the others stay as they are. Progress and errors as
/// in [`quantize_file`].
pub fn dequantize_file<F>(
    context: &Context, input: impl AsRef<Path>, output: impl AsRef<Path>, dtype: DType,
    options: WriteOptions, mut progress: F,
) -> Result<Report>
where
    F: FnMut(&Progress<'_>) -> ControlFlow<()>,
{
    let input = ffi::c_path("input", input.as_ref())?;
    let output = ffi::c_path("output", output.as_ref())?;
    let (call, opaque) = callback::progress(&mut progress);
    // SAFETY: as in quantize_file.
    let handle = Handle::create(|out| unsafe {
        sys::bnq_dequantize_file(
            context.raw(),
            input.as_ptr(),
            output.as_ptr(),
            dtype.id(),
            options.overflow() as i32,
            options.flags(),
            options.shard_bytes(),
            call,
            opaque,
            out,
        )
    })?;
    Ok(Report::from_handle(handle))
}

/// Compares the tensors of two model files of any kind: the metrics of each tensor
/// in both with equal shape and floating-point or quantized contents; plain arrays
/// of other types are compared byte for byte. Tensors in only one of them, or of
/// other shape, are rows with a note and without metrics. Progress as in
/// [`quantize_file`].
pub fn compare_files<F>(
    context: &Context, original: impl AsRef<Path>, other: impl AsRef<Path>, mut progress: F,
) -> Result<Report>
where
    F: FnMut(&Progress<'_>) -> ControlFlow<()>,
{
    let original = ffi::c_path("original", original.as_ref())?;
    let other = ffi::c_path("other", other.as_ref())?;
    let (call, opaque) = callback::progress(&mut progress);
    // SAFETY: as in quantize_file.
    let handle = Handle::create(|out| unsafe {
        sys::bnq_compare_files(
            context.raw(),
            original.as_ptr(),
            other.as_ptr(),
            call,
            opaque,
            out,
        )
    })?;
    Ok(Report::from_handle(handle))
}

/// One row for each tensor of a conversion or comparison, sorted by name.
/// Immutable; any number of threads may use one at once.
pub struct Report {
    handle: Handle<sys::bnq_report>,
}

// SAFETY: bnq.h: reports may be shared, and any thread may use one.
unsafe impl Send for Report {}
// SAFETY: as above.
unsafe impl Sync for Report {}

impl Report {
    pub(crate) fn from_handle(handle: Handle<sys::bnq_report>) -> Report {
        Report { handle }
    }

    fn raw(&self) -> *const sys::bnq_report {
        self.handle.as_ptr()
    }

    /// The number of rows.
    pub fn len(&self) -> usize {
        // SAFETY: a live report.
        length(unsafe { sys::bnq_report_count(self.raw()) })
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What a conversion wrote and can be opened: a file, the index of several, or a folder.
    /// Empty for a dry run without an output, and for comparisons.
    pub fn output(&self) -> &Path {
        // SAFETY: a live report; the text lives as long as it.
        Path::new(unsafe { ffi::text(sys::bnq_report_output(self.raw())) }.unwrap_or(""))
    }

    /// Of all floating-point parameters those that are not quantized, 0 to 1.
    pub fn dense_share(&self) -> f64 {
        // SAFETY: a live report.
        unsafe { sys::bnq_report_dense_share(self.raw()) }
    }

    /// The rows, sorted by name.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = Row<'_>> + DoubleEndedIterator {
        (0..self.len()).map(move |index| Row {
            report: self,
            index: index as u64,
        })
    }
}

impl fmt::Debug for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.rows()).finish()
    }
}

/// A tensor in a [`Report`].
#[derive(Clone, Copy)]
pub struct Row<'a> {
    report: &'a Report,
    index: u64,
}

impl<'a> Row<'a> {
    /// The tensor's name.
    pub fn name(&self) -> &'a str {
        // SAFETY: a live report and an index in range; the name lives as long as it.
        unsafe { ffi::text(sys::bnq_report_name(self.report.raw(), self.index)) }.unwrap_or("")
    }

    /// Its dimensions.
    pub fn shape(&self) -> Vec<usize> {
        // SAFETY: a live report and an index in range; read gives room for any shape.
        Shape::read(|out| unsafe { sys::bnq_report_shape(self.report.raw(), self.index, out) })
            .expect("a row has a shape")
            .to_vec()
    }

    /// Its format in the output (in the second file of a comparison);
    /// [`Format::NONE`] where it was carried through.
    pub fn format(&self) -> Format {
        // SAFETY: a live report and an index in range.
        Format::from_id(unsafe { sys::bnq_report_format(self.report.raw(), self.index) })
    }

    /// Its data type there, where it is a plain array.
    pub fn dtype(&self) -> Option<DType> {
        // SAFETY: a live report and an index in range.
        DType::from_id(unsafe { sys::bnq_report_dtype(self.report.raw(), self.index) })
    }

    /// Bytes of its data in the input (in the first file).
    pub fn bytes_before(&self) -> u64 {
        // SAFETY: a live report and an index in range.
        unsafe { sys::bnq_report_bytes_before(self.report.raw(), self.index) }
    }

    /// Bytes of its data in the output (in the second file), as stored.
    pub fn bytes_after(&self) -> u64 {
        // SAFETY: a live report and an index in range.
        unsafe { sys::bnq_report_bytes_after(self.report.raw(), self.index) }
    }

    /// Bytes after times 8 over the number of elements; 0 where there are none.
    pub fn bits_per_weight(&self) -> f64 {
        // SAFETY: a live report and an index in range.
        unsafe { sys::bnq_report_bits_per_weight(self.report.raw(), self.index) }
    }

    /// The metrics; `None` where there are none at all (a tensor carried through,
    /// empty, or without a counterpart). Of arrays compared byte for byte only
    /// `mse` may be a number, 0; the others are NaN.
    pub fn metrics(&self) -> Option<Metrics> {
        // SAFETY: a live report, an index in range, a buffer of that many metrics.
        let metrics = Metrics::read(|out, count| unsafe {
            sys::bnq_report_metrics(self.report.raw(), self.index, out, count)
        });
        metrics.ok().filter(|metrics| !metrics.mse.is_nan())
    }

    /// Why it has no metrics, or what was done that was not asked for; "" if
    /// nothing.
    pub fn note(&self) -> &'a str {
        // SAFETY: a live report and an index in range; the note lives as long as it.
        unsafe { ffi::text(sys::bnq_report_note(self.report.raw(), self.index)) }.unwrap_or("")
    }

    /// What a quantized tensor loses in an export; `None` of other rows, and of other reports.
    pub fn verdict(&self) -> Option<Verdict> {
        // SAFETY: a live report and an index in range.
        Verdict::from_id(unsafe { sys::bnq_report_verdict(self.report.raw(), self.index) })
    }

    /// The tensor of which this is another name, and which takes the bytes; `None` where it
    /// is itself.
    pub fn same_as(&self) -> Option<&'a str> {
        // SAFETY: a live report and an index in range; the name lives as long as it.
        unsafe { ffi::text(sys::bnq_report_same_as(self.report.raw(), self.index)) }
            .filter(|name| !name.is_empty())
    }
}

impl fmt::Debug for Row<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Row")
            .field("name", &self.name())
            .field("shape", &self.shape())
            .field("format", &format_args!("{}", self.format()))
            .field("metrics", &self.metrics())
            .field("note", &self.note())
            .finish()
    }
}
