//! Writing model files.

use crate::array::{ArrayView, Overflow};
use crate::context::Context;
use crate::error::{check, Result};
use crate::ffi::{self, Handle};
use crate::file::FileKind;
use crate::tensor::QuantizedTensor;
use bitnet_quant_sys as sys;
use std::fmt;
use std::marker::PhantomData;
use std::path::Path;

/// How an output is written; by default it must not exist, and is not compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[must_use]
pub struct WriteOptions {
    flags: i32,
    max_shard_bytes: u64,
    overflow: Overflow,
}

impl WriteOptions {
    /// The defaults.
    pub fn new() -> WriteOptions {
        WriteOptions::default()
    }

    /// Whether an existing output is replaced.
    pub fn overwrite(self, on: bool) -> WriteOptions {
        self.with(sys::BNQ_WRITE_OVERWRITE, on)
    }

    /// Whether the chunks of a `.bnq` file are compressed (DEFLATE).
    pub fn compress(self, on: bool) -> WriteOptions {
        self.with(sys::BNQ_WRITE_COMPRESS, on)
    }

    /// Whether everything is done but writing; for conversions only.
    pub fn dry_run(self, on: bool) -> WriteOptions {
        self.with(sys::BNQ_WRITE_DRY_RUN, on)
    }

    /// Whether what is finished is kept, in a directory of the output's name with `.part`
    /// behind it, until all is, and what an interrupted call or a killed process left there is
    /// gone on with: output and report are as if nothing had happened. What was of another input
    /// or plan is [`Exists`](crate::Error::Exists). For conversions only.
    pub fn resume(self, on: bool) -> WriteOptions {
        self.with(sys::BNQ_WRITE_RESUME, on)
    }

    /// The same as [`resume`](WriteOptions::resume), but what is there is forgotten.
    pub fn restart(self, on: bool) -> WriteOptions {
        self.with(sys::BNQ_WRITE_RESTART, on)
    }

    /// Whether a model that another program has quantized is quantized all the same, and not
    /// [`Unsupported`](crate::Error::Unsupported). For quantization only.
    pub fn requantize(self, on: bool) -> WriteOptions {
        self.with(sys::BNQ_WRITE_REQUANTIZE, on)
    }

    /// What becomes of dequantized values that the output's data type does not hold; of
    /// [`dequantize_file`](crate::dequantize_file) only.
    pub fn on_overflow(self, overflow: Overflow) -> WriteOptions {
        WriteOptions { overflow, ..self }
    }

    fn with(self, flag: i32, on: bool) -> WriteOptions {
        WriteOptions {
            flags: if on {
                self.flags | flag
            } else {
                self.flags & !flag
            },
            ..self
        }
    }

    /// The most bytes of tensors in one file; a model with more is written to
    /// `model-00001-of-00002.bnq` and so on, with the index `model.bnq.index.json`.
    /// 0 (the default): one file.
    pub fn max_shard_bytes(self, bytes: u64) -> WriteOptions {
        WriteOptions {
            max_shard_bytes: bytes,
            ..self
        }
    }

    pub(crate) fn shard_bytes(self) -> u64 {
        self.max_shard_bytes
    }

    pub(crate) fn flags(self) -> i32 {
        self.flags
    }

    pub(crate) fn overflow(self) -> Overflow {
        self.overflow
    }
}

/// Writes a model file: to a temporary file beside it, which replaces the output
/// in [`finish`](Writer::finish), when everything has been written and synced.
/// Dropped before, it leaves nothing behind.
///
/// What is added is borrowed, not copied, until then. A writer may be moved to
/// another thread, but is for one at a time:
///
/// ```compile_fail,E0277
/// fn shared<T: Sync>() {}
/// shared::<bitnet_quant::Writer<'static>>();
/// ```
///
/// and what it has borrowed stays until it is finished:
///
/// ```compile_fail,E0505
/// # use bitnet_quant::*;
/// # fn write(context: &Context) -> Result<(), Error> {
/// let weights = vec![1.0f32];
/// let mut writer = Writer::create(context, "w.bnq", FileKind::BNQ, WriteOptions::new())?;
/// writer.add_array("w", &ArrayView::new(&weights, &[1])?)?;
/// drop(weights);
/// writer.finish()
/// # }
/// ```
pub struct Writer<'a> {
    handle: Handle<sys::bnq_writer>,
    /// The context whose memory it may use, and the data added to it.
    _borrowed: PhantomData<(&'a Context, &'a [u8], &'a QuantizedTensor)>,
}

// SAFETY: bnq.h lets any thread call the functions of a writer, one at a time;
// what it has borrowed is Sync. It is not Sync: it is for one thread.
unsafe impl Send for Writer<'_> {}

impl<'a> Writer<'a> {
    /// Starts a file of kind [`FileKind::SAFETENSORS`] or [`FileKind::BNQ`].
    ///
    /// # Errors
    /// [`Exists`](crate::Error::Exists) unless `options` overwrite,
    /// [`Io`](crate::Error::Io),
    /// [`InvalidArgument`](crate::Error::InvalidArgument) for another kind.
    pub fn create(
        context: &'a Context, path: impl AsRef<Path>, kind: FileKind, options: WriteOptions,
    ) -> Result<Writer<'a>> {
        let path = ffi::c_path("path", path.as_ref())?;
        // SAFETY: a live context, a C string, and a place for the handle.
        let handle = Handle::create(|out| unsafe {
            sys::bnq_writer_create(
                context.raw(),
                path.as_ptr(),
                kind.id(),
                options.flags(),
                options.shard_bytes(),
                out,
            )
        })?;
        Ok(Writer {
            handle,
            _borrowed: PhantomData,
        })
    }

    /// Sets a metadata entry, replacing an earlier one of that key.
    pub fn set_metadata(&mut self, key: &str, value: &str) -> Result<()> {
        let (key, value) = (ffi::c_string("key", key)?, ffi::c_string("value", value)?);
        // SAFETY: a live writer, borrowed mutably, and C strings.
        check(unsafe {
            sys::bnq_writer_set_metadata(self.handle.as_ptr(), key.as_ptr(), value.as_ptr())
        })
    }

    /// Adds a plain array of any data type.
    /// [`InvalidArgument`](crate::Error::InvalidArgument) for an empty or repeated
    /// name.
    pub fn add_array(&mut self, name: &str, array: &ArrayView<'a>) -> Result<()> {
        let name = ffi::c_string("name", name)?;
        // SAFETY: a live writer, borrowed mutably; data that lives longer.
        array.with_raw(|array| {
            check(unsafe { sys::bnq_writer_add_array(self.handle.as_ptr(), name.as_ptr(), array) })
        })
    }

    /// Adds a quantized tensor to a `.bnq` file.
    /// [`Unsupported`](crate::Error::Unsupported) for safetensors; and as
    /// [`add_array`](Writer::add_array).
    pub fn add_tensor(&mut self, name: &str, tensor: &'a QuantizedTensor) -> Result<()> {
        let name = ffi::c_string("name", name)?;
        // SAFETY: a live writer, borrowed mutably; a tensor that lives longer.
        check(unsafe {
            sys::bnq_writer_add_tensor(self.handle.as_ptr(), name.as_ptr(), tensor.raw())
        })
    }

    /// Writes everything and puts the file in its place.
    /// [`Io`](crate::Error::Io) leaves an old output as it was.
    pub fn finish(self) -> Result<()> {
        // SAFETY: a live writer; what it has borrowed is still there.
        check(unsafe { sys::bnq_writer_finish(self.handle.as_ptr()) })
    }
}

/// Declares what the native writer has borrowed as in use until it is destroyed:
/// without this, what was made after the writer could be dropped before it.
///
/// ```compile_fail,E0597
/// # use bitnet_quant::*;
/// # fn write(context: &Context) -> Result<(), Error> {
/// let mut writer = Writer::create(context, "w.bnq", FileKind::BNQ, WriteOptions::new())?;
/// let weights = vec![1.0f32];
/// writer.add_array("w", &ArrayView::new(&weights, &[1])?)
/// # }
/// ```
impl Drop for Writer<'_> {
    fn drop(&mut self) {}
}

impl fmt::Debug for Writer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").finish_non_exhaustive()
    }
}
