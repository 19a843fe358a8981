//! Calibrators by name.

use crate::array::ArrayView;
use crate::calibration::Calibrator;
use crate::callback::{self, Progress};
use crate::context::Context;
use crate::error::{check, Result};
use crate::ffi::{self, length, Handle};
use crate::writer::WriteOptions;
use bitnet_quant_sys as sys;
use std::fmt;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ops::{ControlFlow, Deref};
use std::path::Path;
use std::ptr;

/// Calibrators by name: of a model's activations, one for each place where they are
/// watched.
///
/// ```
/// use bitnet_quant::{ArrayView, Calibration, CalibrationMethod, Calibrator, Context};
///
/// let context = Context::new();
/// let prototype = Calibrator::builder().method(CalibrationMethod::Mse).build()?;
/// let mut calibration = Calibration::with_prototype(&prototype)?;
/// let input = [0.5f32, -1.0, 0.25];
/// calibration.observe(&context, "fc1", &ArrayView::new(&input, &[3])?)?;
/// calibration.observe(&context, "fc2", &ArrayView::new(&[2.0f32], &[1])?)?;
///
/// for (name, calibrator) in calibration.iter() {
///     println!("{} {:?}", name, calibrator.range(&context)?);
/// }
/// assert_eq!(calibration.get("fc2").unwrap().total_statistics(&context)?.max(), 2.0);
/// # Ok::<(), bitnet_quant::Error>(())
/// ```
pub struct Calibration {
    handle: Handle<sys::bnq_calibration>,
}

// SAFETY: bnq.h: a set is for one thread at a time, any one, and functions that take a
// const one may share it; the others take `&mut Calibration`.
unsafe impl Send for Calibration {}
// SAFETY: as above.
unsafe impl Sync for Calibration {}

impl Calibration {
    /// An empty set, whose calibrators have every option at its default.
    pub fn new() -> Result<Calibration> {
        Calibration::create(ptr::null())
    }

    /// An empty set, whose calibrators have the prototype's options, not its data.
    pub fn with_prototype(prototype: &Calibrator) -> Result<Calibration> {
        Calibration::create(prototype.raw())
    }

    fn create(prototype: *const sys::bnq_calibrator) -> Result<Calibration> {
        // SAFETY: a live calibrator or NULL, and a place for the handle.
        let handle = Handle::create(|out| unsafe { sys::bnq_calibration_create(prototype, out) })?;
        Ok(Calibration { handle })
    }

    pub(crate) fn raw(&self) -> *const sys::bnq_calibration {
        self.handle.as_ptr()
    }

    /// Sets an option by name, as [`Calibrator::set`], of every calibrator and of those to
    /// come; of none if one refuses.
    pub fn set(&mut self, context: &Context, option: &str, value: impl fmt::Display) -> Result<()> {
        let value = ffi::c_string(option, &value.to_string())?;
        let option = ffi::c_string("option", option)?;
        // SAFETY: live handles, the set borrowed mutably, and C strings.
        check(unsafe {
            sys::bnq_calibration_set_text(
                context.raw(),
                self.handle.as_ptr(),
                option.as_ptr(),
                value.as_ptr(),
            )
        })
    }

    /// Observes a batch of the activations `name`, which gets a calibrator if it has none.
    /// Errors as in [`Calibrator::observe`].
    pub fn observe(&mut self, context: &Context, name: &str, batch: &ArrayView<'_>) -> Result<()> {
        let name = ffi::c_string("name", name)?;
        batch.with_raw(|array| {
            // SAFETY: live handles, the set borrowed mutably, a C string, a live array.
            check(unsafe {
                sys::bnq_calibration_observe(
                    context.raw(),
                    self.handle.as_ptr(),
                    name.as_ptr(),
                    array,
                )
            })
        })
    }

    /// Observes the arrays of a `.safetensors` or `.npy` file or of a directory of them,
    /// each with the calibrator of its name. Progress and errors as in
    /// [`Calibrator::observe_file`]; if it fails, no calibrator has observed anything of
    /// it.
    pub fn observe_file<F>(
        &mut self, context: &Context, path: impl AsRef<Path>, progress: F,
    ) -> Result<()>
    where
        F: FnMut(&Progress<'_>) -> ControlFlow<()>,
    {
        self.observe_path(context, path.as_ref(), None, progress)
    }

    /// As [`observe_file`](Self::observe_file), but all arrays are batches of the
    /// activations `name`, whatever their own names are.
    pub fn observe_file_as<F>(
        &mut self, context: &Context, name: &str, path: impl AsRef<Path>, progress: F,
    ) -> Result<()>
    where
        F: FnMut(&Progress<'_>) -> ControlFlow<()>,
    {
        self.observe_path(context, path.as_ref(), Some(name), progress)
    }

    fn observe_path<F>(
        &mut self, context: &Context, path: &Path, name: Option<&str>, mut progress: F,
    ) -> Result<()>
    where
        F: FnMut(&Progress<'_>) -> ControlFlow<()>,
    {
        let path = ffi::c_path("path", path)?;
        let name = name.map(|name| ffi::c_string("name", name)).transpose()?;
        let (call, opaque) = callback::progress(&mut progress);
        // SAFETY: live handles, the set borrowed mutably, C strings or NULL, and a closure
        // that lives for the call.
        check(unsafe {
            sys::bnq_calibration_observe_file(
                context.raw(),
                self.handle.as_ptr(),
                path.as_ptr(),
                name.as_ref().map_or(std::ptr::null(), |name| name.as_ptr()),
                call,
                opaque,
            )
        })
    }

    /// The number of names.
    pub fn len(&self) -> usize {
        // SAFETY: a live set.
        length(unsafe { sys::bnq_calibration_count(self.raw()) })
    }

    /// Whether nothing has been observed.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn at(&self, index: usize) -> (&str, CalibratorRef<'_>) {
        // SAFETY: a live set; what belongs to it lives and stays as it is while the set is
        // borrowed.
        let (name, calibrator) = unsafe {
            let raw = sys::bnq_calibration_at(self.raw(), index as u64);
            (
                ffi::text(sys::bnq_calibration_name(self.raw(), index as u64)),
                Handle::borrowed(raw, Calibrator::from_handle),
            )
        };
        let calibrator = CalibratorRef {
            calibrator: calibrator.expect("a name has a calibrator"),
            _set: PhantomData,
        };
        (name.unwrap_or(""), calibrator)
    }

    /// The calibrators with their names, sorted by these.
    pub fn iter(
        &self,
    ) -> impl ExactSizeIterator<Item = (&str, CalibratorRef<'_>)> + DoubleEndedIterator {
        (0..self.len()).map(move |index| self.at(index))
    }

    /// The calibrator of a name.
    pub fn get(&self, name: &str) -> Option<CalibratorRef<'_>> {
        self.iter()
            .find_map(|(own, calibrator)| (own == name).then_some(calibrator))
    }

    /// Adds what another set has observed, name by name. Errors as in
    /// [`Calibrator::merge`].
    pub fn merge(&mut self, context: &Context, other: &Calibration) -> Result<()> {
        // SAFETY: live handles, this one borrowed mutably, so that it is not the other.
        check(unsafe {
            sys::bnq_calibration_merge(context.raw(), self.handle.as_ptr(), other.raw())
        })
    }

    /// Writes the set to a file, the same bytes on every machine.
    ///
    /// # Errors
    /// [`Exists`](crate::Error::Exists) unless `options` overwrite,
    /// [`Io`](crate::Error::Io).
    pub fn save(
        &self, context: &Context, path: impl AsRef<Path>, options: WriteOptions,
    ) -> Result<()> {
        let path = ffi::c_path("path", path.as_ref())?;
        // SAFETY: live handles and a C string.
        check(unsafe {
            sys::bnq_calibration_save(context.raw(), self.raw(), path.as_ptr(), options.flags())
        })
    }

    /// Reads a set from a file.
    ///
    /// # Errors
    /// [`NotFound`](crate::Error::NotFound),
    /// [`CorruptFile`](crate::Error::CorruptFile).
    pub fn load(context: &Context, path: impl AsRef<Path>) -> Result<Calibration> {
        let path = ffi::c_path("path", path.as_ref())?;
        // SAFETY: a live context, a C string, and a place for the handle.
        let handle = Handle::create(|out| unsafe {
            sys::bnq_calibration_load(context.raw(), path.as_ptr(), out)
        })?;
        Ok(Calibration { handle })
    }

    /// The bytes of the file that [`save`](Calibration::save) writes.
    pub fn to_bytes(&self, context: &Context) -> Result<Vec<u8>> {
        let mut size = 0;
        let mut bytes = Vec::new();
        // Asks for the size, and then for as many bytes.
        for _ in 0..2 {
            bytes.resize(ffi::length(size), 0u8);
            // SAFETY: live handles, a buffer of that size or NULL, and a place for the size.
            check(unsafe {
                sys::bnq_calibration_serialize(
                    context.raw(),
                    self.raw(),
                    ffi::pointer_mut(&mut bytes).cast(),
                    bytes.len() as u64,
                    &mut size,
                )
            })?;
        }
        Ok(bytes)
    }

    /// The set that [`to_bytes`](Calibration::to_bytes) was of.
    ///
    /// # Errors
    /// [`CorruptFile`](crate::Error::CorruptFile) for bytes that are no set.
    pub fn from_bytes(context: &Context, bytes: &[u8]) -> Result<Calibration> {
        // SAFETY: a live context, a slice, and a place for the handle.
        let handle = Handle::create(|out| unsafe {
            sys::bnq_calibration_deserialize(
                context.raw(),
                bytes.as_ptr().cast(),
                bytes.len() as u64,
                out,
            )
        })?;
        Ok(Calibration { handle })
    }
}

impl fmt::Debug for Calibration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

/// A calibrator that belongs to a [`Calibration`]: everything of a [`Calibrator`] that does
/// not change it; `clone()` on it gives one of your own. The set cannot change while it is
/// there:
///
/// ```compile_fail,E0502
/// # use bitnet_quant::*;
/// # fn observe(context: &Context, set: &mut Calibration, batch: &ArrayView<'_>) -> Result<u64> {
/// let calibrator = set.get("fc1").unwrap();
/// set.observe(context, "fc1", batch)?;
/// Ok(calibrator.batches())
/// # }
/// ```
pub struct CalibratorRef<'a> {
    /// Never dropped: the set owns it.
    calibrator: ManuallyDrop<Calibrator>,
    _set: PhantomData<&'a Calibration>,
}

impl Deref for CalibratorRef<'_> {
    type Target = Calibrator;

    fn deref(&self) -> &Calibrator {
        &self.calibrator
    }
}

impl fmt::Debug for CalibratorRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}
