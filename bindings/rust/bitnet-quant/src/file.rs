//! Reading model files.

use crate::array::{ArrayView, Element};
use crate::callback::{self, Progress};
use crate::config::Config;
use crate::context::Context;
use crate::error::{check, Error, Result};
use crate::ffi::{self, expect_length, length, Handle, Shape};
use crate::registry::{DType, Format};
use crate::tensor::{Backing, QuantizedTensor};
use bitnet_quant_sys as sys;
use std::fmt;
use std::mem::{align_of, size_of};
use std::ops::ControlFlow;
use std::path::Path;
use std::ptr;
use std::slice;
use std::sync::Arc;

/// The kind of a model file. A newer library may read more than those named here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FileKind(i32);

impl FileKind {
    /// A `.safetensors` file.
    pub const SAFETENSORS: FileKind = FileKind(sys::BNQ_FILE_SAFETENSORS);
    /// A `.bnq` file.
    pub const BNQ: FileKind = FileKind(sys::BNQ_FILE_BNQ);
    /// The index of a sharded safetensors model.
    pub const SAFETENSORS_INDEX: FileKind = FileKind(sys::BNQ_FILE_SAFETENSORS_INDEX);
    /// A NumPy `.npy` file: one array of its name; read only.
    pub const NPY: FileKind = FileKind(sys::BNQ_FILE_NPY);
    /// The index of a sharded `.bnq` model.
    pub const BNQ_INDEX: FileKind = FileKind(sys::BNQ_FILE_BNQ_INDEX);
    /// A GGUF file, or several of one model.
    pub const GGUF: FileKind = FileKind(sys::BNQ_FILE_GGUF);

    /// The id as in `bnq.h`.
    pub fn id(self) -> i32 {
        self.0
    }
}

/// A model file opened for reading: `.safetensors`, `.bnq`, or the index of a
/// sharded safetensors model (`*.safetensors.index.json`), told by content. Its
/// tensors are sorted by name. Any number of threads may read from one.
///
/// Everything about the file's structure is validated when it is opened; checksums
/// of data (`.bnq`) when it is read.
///
/// A file opened by its path is mapped into memory where the system can: it must
/// not be changed or cut short while it, or a tensor read from it, is in use.
///
/// ```no_run
/// use bitnet_quant::{Context, File};
///
/// let context = Context::new();
/// let file = File::open(&context, "model.bnq")?;
/// for entry in file.entries() {
///     println!("{} {:?} {}", entry.name(), entry.shape(), entry.format());
/// }
/// let tensor = file.entry("layer.0.weight")?.quantized(&context)?;
/// # Ok::<(), bitnet_quant::Error>(())
/// ```
pub struct File {
    // Dropped before what it points into.
    handle: Handle<sys::bnq_file>,
    backing: Option<Backing>,
}

// SAFETY: bnq.h: any number of threads may read from a file; what it points into
// is Send and Sync.
unsafe impl Send for File {}
// SAFETY: as above.
unsafe impl Sync for File {}

impl File {
    /// Opens a file; of a directory, the one model in it.
    ///
    /// # Errors
    /// [`NotFound`](Error::NotFound), [`Io`](Error::Io),
    /// [`CorruptFile`](Error::CorruptFile), [`OutOfMemory`](Error::OutOfMemory).
    pub fn open(context: &Context, path: impl AsRef<Path>) -> Result<File> {
        File::open_with(context, path.as_ref(), 0)
    }

    /// Opens a file and reads it into memory instead of mapping it, so that it may
    /// be changed or cut short meanwhile.
    ///
    /// # Errors
    /// As [`open`](File::open).
    pub fn read(context: &Context, path: impl AsRef<Path>) -> Result<File> {
        File::open_with(context, path.as_ref(), sys::BNQ_OPEN_READ)
    }

    /// Opens a file of plain arrays as it is quantized: experts that share an array as
    /// matrices of their own, a tensor of two names as one ([`Entry::same_as`]).
    ///
    /// # Errors
    /// As [`open`](File::open).
    pub fn open_source(context: &Context, path: impl AsRef<Path>) -> Result<File> {
        File::open_with(context, path.as_ref(), sys::BNQ_OPEN_SOURCE)
    }

    /// Opens a file with the arrays that it has, also where several of them are a quantized
    /// tensor of another ecosystem, which is otherwise one tensor ([`Entry::layout`]).
    ///
    /// # Errors
    /// As [`open`](File::open).
    pub fn open_raw(context: &Context, path: impl AsRef<Path>) -> Result<File> {
        File::open_with(context, path.as_ref(), sys::BNQ_OPEN_RAW)
    }

    fn open_with(context: &Context, path: &Path, flags: i32) -> Result<File> {
        let path = ffi::c_path("path", path)?;
        // SAFETY: a live context, a C string, and a place for the handle.
        let handle = Handle::create(|out| unsafe {
            sys::bnq_file_open(context.raw(), path.as_ptr(), flags, out)
        })?;
        Ok(File {
            handle,
            backing: None,
        })
    }

    /// Opens a file (not an index) that is in memory: a `Vec<u8>`, an
    /// `include_bytes!`, a mapping. It is kept, not copied, until the file and all
    /// tensors read from it are dropped.
    pub fn from_bytes<B>(context: &Context, bytes: B) -> Result<File>
    where
        B: AsRef<[u8]> + Send + Sync + 'static,
    {
        // Owned by an Arc, it neither moves nor changes.
        let backing = Arc::new(bytes);
        let data: &[u8] = (*backing).as_ref();
        // SAFETY: a live context, bytes that outlive the handle, a place for it.
        let handle = Handle::create(|out| unsafe {
            sys::bnq_file_open_memory(context.raw(), data.as_ptr().cast(), data.len() as u64, out)
        })?;
        Ok(File {
            handle,
            backing: Some(backing),
        })
    }

    fn raw(&self) -> *const sys::bnq_file {
        self.handle.as_ptr()
    }

    /// The kind of file it is.
    pub fn kind(&self) -> FileKind {
        // SAFETY: a live file.
        FileKind(unsafe { sys::bnq_file_kind(self.raw()) })
    }

    /// The number of tensors.
    pub fn len(&self) -> usize {
        // SAFETY: a live file.
        length(unsafe { sys::bnq_file_count(self.raw()) })
    }

    /// Whether there are no tensors.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The tensors, sorted by name.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = Entry<'_>> + DoubleEndedIterator {
        (0..self.len()).map(move |index| Entry {
            file: self,
            index: index as u64,
        })
    }

    /// The tensor of that name. [`NotFound`](Error::NotFound).
    pub fn entry(&self, name: &str) -> Result<Entry<'_>> {
        let name = ffi::c_string("name", name)?;
        let mut index = 0;
        // SAFETY: a live file, a C string, and a place for the index.
        check(unsafe { sys::bnq_file_find(self.raw(), name.as_ptr(), &mut index) })?;
        Ok(Entry { file: self, index })
    }

    /// The metadata, sorted by key.
    pub fn metadata(&self) -> impl Iterator<Item = (&str, &str)> + '_ {
        // SAFETY: a live file; any index is accepted, and strings live as long as it.
        let count = unsafe { sys::bnq_file_metadata_count(self.raw()) };
        (0..count).filter_map(move |index| unsafe {
            let key = ffi::text(sys::bnq_file_metadata_key(self.raw(), index))?;
            Some((
                key,
                ffi::text(sys::bnq_file_metadata_value(self.raw(), index))?,
            ))
        })
    }

    /// Reads and checks every byte: checksums, codes, scales and zero points of a
    /// `.bnq` file; that floating-point values of a safetensors file are finite.
    ///
    /// # Errors
    /// The first defect found: [`CorruptFile`](Error::CorruptFile) or
    /// [`NonFinite`](Error::NonFinite). [`Cancelled`](Error::Cancelled) where
    /// `progress` breaks off.
    pub fn verify<F>(&self, context: &Context, mut progress: F) -> Result<()>
    where
        F: FnMut(&Progress<'_>) -> ControlFlow<()>,
    {
        let (call, opaque) = callback::progress(&mut progress);
        // SAFETY: live handles; the closure lives for the call.
        check(unsafe { sys::bnq_file_verify(context.raw(), self.raw(), call, opaque) })
    }
}

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("File")
            .field("kind", &self.kind())
            .field("len", &self.len())
            .finish()
    }
}

/// A tensor in a [`File`]: a plain array or a quantized tensor.
#[derive(Clone, Copy)]
pub struct Entry<'a> {
    file: &'a File,
    index: u64,
}

impl<'a> Entry<'a> {
    /// Its name.
    pub fn name(&self) -> &'a str {
        // SAFETY: a live file and an index in range; the name lives as long as it.
        unsafe { ffi::text(sys::bnq_file_name(self.file.raw(), self.index)) }.unwrap_or("")
    }

    fn dimensions(&self) -> Shape {
        // SAFETY: a live file and an index in range; read gives room for any shape.
        Shape::read(|out| unsafe { sys::bnq_file_shape(self.file.raw(), self.index, out) })
            .expect("a tensor has a shape")
    }

    /// Its dimensions.
    pub fn shape(&self) -> Vec<usize> {
        self.dimensions().to_vec()
    }

    /// Its format; [`Format::NONE`] where it is a plain array.
    pub fn format(&self) -> Format {
        // SAFETY: a live file and an index in range.
        Format::from_id(unsafe { sys::bnq_file_format(self.file.raw(), self.index) })
    }

    /// The options a quantized tensor was made with, as
    /// [`QuantizedTensor::config`], without reading its data.
    /// [`Unsupported`](Error::Unsupported) where it is a plain array.
    pub fn config(&self) -> Result<Config> {
        // SAFETY: a live file, an index in range, and a place for the handle.
        Handle::create(|out| unsafe { sys::bnq_file_config(self.file.raw(), self.index, out) })
            .map(Config::from_handle)
    }

    /// The data type of a plain array; `None` where it is quantized.
    pub fn dtype(&self) -> Option<DType> {
        // SAFETY: a live file and an index in range.
        DType::from_id(unsafe { sys::bnq_file_dtype(self.file.raw(), self.index) })
    }

    /// Bytes of its data, uncompressed.
    pub fn bytes(&self) -> u64 {
        // SAFETY: a live file and an index in range.
        unsafe { sys::bnq_file_bytes(self.file.raw(), self.index) }
    }

    /// Bytes of its data in the file.
    pub fn stored_bytes(&self) -> u64 {
        // SAFETY: a live file and an index in range.
        unsafe { sys::bnq_file_stored_bytes(self.file.raw(), self.index) }
    }

    /// The tensor of which this is another name, and whose bytes it has (an
    /// embedding that is the head, too); `None` where it is itself.
    pub fn same_as(&self) -> Option<&'a str> {
        // SAFETY: a live file and an index in range; the text lives as long as the file.
        unsafe { ffi::text(sys::bnq_file_same_as(self.file.raw(), self.index)) }
            .filter(|name| !name.is_empty())
    }

    /// How another ecosystem holds it, for people: "GPTQ"; `None` where it is as ours are.
    pub fn layout(&self) -> Option<&'a str> {
        // SAFETY: a live file and an index in range; the text lives as long as the file.
        unsafe { ffi::text(sys::bnq_file_layout(self.file.raw(), self.index)) }
            .filter(|layout| !layout.is_empty())
    }

    /// A plain array's bytes within the file, without a copy and not checked
    /// against its checksum. [`Unsupported`](Error::Unsupported) where it is
    /// quantized or compressed.
    pub fn data(&self) -> Result<&'a [u8]> {
        let (mut data, mut bytes) = (ptr::null(), 0);
        // SAFETY: a live file, an index in range, places for both.
        check(unsafe { sys::bnq_file_data(self.file.raw(), self.index, &mut data, &mut bytes) })?;
        // SAFETY: valid until the file is closed; bytes have no alignment.
        Ok(unsafe { ffi::slice(data.cast(), bytes) })
    }

    /// The same as elements; `u16` for the bits of F16 and BF16, too.
    /// [`Unsupported`](Error::Unsupported) where they are of another type, or not
    /// aligned in memory: then there is [`read`](Entry::read).
    pub fn as_slice<T: Element>(&self) -> Result<&'a [T]> {
        let data = self.data()?;
        self.expect_type::<T>()?;
        if data.is_empty() {
            return Ok(&[]);
        }
        if data.as_ptr() as usize % align_of::<T>() != 0 {
            return Err(Error::Unsupported(format!(
                "{}: {} elements are not aligned in memory; read() copies them",
                self.name(),
                T::DTYPE
            )));
        }
        // SAFETY: aligned, as long as that, and every bit pattern is a value.
        Ok(unsafe { slice::from_raw_parts(data.as_ptr().cast(), data.len() / size_of::<T>()) })
    }

    /// The same as a view, to be quantized or written. No alignment is needed.
    pub fn view(&self) -> Result<ArrayView<'a>> {
        let data = self.data()?;
        let dtype = self.dtype().ok_or_else(|| self.not_plain())?;
        ArrayView::from_shape(data, dtype, self.dimensions())
    }

    /// Reads a plain array, checked against its checksum where the file has one:
    /// `read::<f32>` of F32, `read::<u16>` also of the bits of F16 and BF16.
    /// [`Unsupported`](Error::Unsupported) where it is quantized or of another
    /// type.
    pub fn read<T: Element + Default>(&self, context: &Context) -> Result<Vec<T>> {
        self.expect_type::<T>()?;
        let mut out = vec![T::default(); length(self.bytes()) / size_of::<T>()];
        // SAFETY: a buffer of as many bytes as the array has.
        self.read_raw(context, out.as_mut_ptr().cast())?;
        Ok(out)
    }

    /// Reads a plain array of any data type into a buffer of exactly
    /// [`bytes`](Entry::bytes) bytes, as in [`read`](Entry::read).
    pub fn read_into(&self, context: &Context, out: &mut [u8]) -> Result<()> {
        expect_length("out", out.len(), self.bytes())?;
        self.read_raw(context, out.as_mut_ptr())
    }

    /// `out` points to `self.bytes()` bytes.
    fn read_raw(&self, context: &Context, out: *mut u8) -> Result<()> {
        // SAFETY: live handles, an index in range, and a buffer of that many bytes.
        check(unsafe {
            sys::bnq_file_read(
                context.raw(),
                self.file.raw(),
                self.index,
                out.cast(),
                self.bytes(),
            )
        })
    }

    /// The quantized tensor. Where it is not compressed it uses the file's memory,
    /// which it keeps, so that the [`File`] may be dropped before.
    /// [`Unsupported`](Error::Unsupported) where it is a plain array.
    pub fn quantized(&self, context: &Context) -> Result<QuantizedTensor> {
        // SAFETY: live handles, an index in range, and a place for the handle.
        let handle = Handle::create(|out| unsafe {
            sys::bnq_file_tensor(context.raw(), self.file.raw(), self.index, out)
        })?;
        Ok(QuantizedTensor::from_handle(
            handle,
            self.file.backing.clone(),
        ))
    }

    fn not_plain(&self) -> Error {
        Error::Unsupported(format!(
            "{}: is quantized ({}); a plain array is accepted",
            self.name(),
            self.format()
        ))
    }

    fn expect_type<T: Element>(&self) -> Result<()> {
        let dtype = self.dtype().ok_or_else(|| self.not_plain())?;
        let bits = T::DTYPE == DType::U16 && (dtype == DType::F16 || dtype == DType::BF16);
        if dtype == T::DTYPE || bits {
            return Ok(());
        }
        Err(Error::Unsupported(format!(
            "{}: is an array of {}, which cannot be read as {}",
            self.name(),
            dtype,
            T::DTYPE
        )))
    }
}

impl fmt::Debug for Entry<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry")
            .field("name", &self.name())
            .field("shape", &self.shape())
            .field("format", &format_args!("{}", self.format()))
            .field("dtype", &self.dtype())
            .finish()
    }
}
