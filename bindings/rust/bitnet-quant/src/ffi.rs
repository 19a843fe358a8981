//! What every module needs at the boundary: owned handles, strings, shapes.

pub(crate) use crate::cstr::{lossy, text};

use crate::error::{check, Error, Result};
use crate::library::check_library;
use bitnet_quant_sys as sys;
use std::ffi::CString;
use std::mem::{align_of, ManuallyDrop};
use std::os::raw::c_char;
use std::path::Path;
use std::ptr::{self, NonNull};

/// A native type with its destructor.
pub(crate) trait Native {
    /// # Safety
    /// `raw` was made by the library and is not used afterwards.
    unsafe fn destroy(raw: *mut Self);
}

macro_rules! native {
    ($($type:ident: $destroy:ident;)*) => {$(
        impl Native for sys::$type {
            unsafe fn destroy(raw: *mut Self) {
                // SAFETY: as the trait asks.
                unsafe { sys::$destroy(raw) }
            }
        }
    )*};
}

native! {
    bnq_context: bnq_context_destroy;
    bnq_config: bnq_config_destroy;
    bnq_tensor: bnq_tensor_destroy;
    bnq_file: bnq_file_close;
    bnq_writer: bnq_writer_destroy;
    bnq_plan: bnq_plan_destroy;
    bnq_recipes: bnq_recipes_destroy;
    bnq_sensitivity: bnq_sensitivity_destroy;
    bnq_allocation: bnq_allocation_destroy;
    bnq_report: bnq_report_destroy;
    bnq_calibrator: bnq_calibrator_destroy;
    bnq_calibration: bnq_calibration_destroy;
    bnq_optimizer: bnq_optimizer_destroy;
    bnq_operator: bnq_operator_destroy;
    bnq_linear: bnq_linear_destroy;
    bnq_convolution: bnq_convolution_destroy;
    bnq_cache: bnq_cache_destroy;
    bnq_cache_list: bnq_cache_list_destroy;
    bnq_layers: bnq_layers_close;
    bnq_layer: bnq_layer_destroy;
    bnq_training: bnq_training_destroy;
    bnq_phase: bnq_phase_destroy;
    bnq_schedule: bnq_schedule_destroy;
    bnq_training_statistics: bnq_training_statistics_destroy;
    bnq_interchange: bnq_interchange_destroy;
}

/// An owned native object. Neither `Send` nor `Sync`: the types made of it say
/// for themselves what `bnq.h` permits.
pub(crate) struct Handle<T: Native>(NonNull<T>);

impl<T: Native> Handle<T> {
    /// Runs a native constructor. Every handle comes from here, so none is made by
    /// a library of another ABI.
    pub(crate) fn create(
        constructor: impl FnOnce(*mut *mut T) -> sys::bnq_status,
    ) -> Result<Handle<T>> {
        Handle::create_optional(constructor)?
            .ok_or_else(|| Error::Internal("the library returned no handle".to_string()))
    }

    /// The same for one that may give nothing, which is `None`.
    pub(crate) fn create_optional(
        constructor: impl FnOnce(*mut *mut T) -> sys::bnq_status,
    ) -> Result<Option<Handle<T>>> {
        check_library()?;
        let mut raw = ptr::null_mut();
        let status = constructor(&mut raw);
        // Owned before anything else, because check may unwind.
        let handle = NonNull::new(raw).map(Handle);
        check(status)?;
        Ok(handle)
    }

    /// A wrapper of a native object that something else owns; `None` for NULL. `wrap` only
    /// makes a type of the handle, and does not panic.
    ///
    /// # Safety
    /// `raw` is NULL, or of a live object that outlives what is returned, which is only
    /// used to read it.
    pub(crate) unsafe fn borrowed<R>(
        raw: *const T, wrap: impl FnOnce(Handle<T>) -> R,
    ) -> Option<ManuallyDrop<R>> {
        NonNull::new(raw as *mut T).map(|raw| ManuallyDrop::new(wrap(Handle(raw))))
    }

    pub(crate) fn as_ptr(&self) -> *mut T {
        self.0.as_ptr()
    }
}

impl<T: Native> Drop for Handle<T> {
    fn drop(&mut self) {
        // SAFETY: owned, and dropped once.
        unsafe { T::destroy(self.0.as_ptr()) }
    }
}

/// A parameter as a C string.
pub(crate) fn c_string(parameter: &str, value: &str) -> Result<CString> {
    CString::new(value).map_err(|error| {
        Error::InvalidArgument(format!(
            "{}: {:?} has a NUL at byte {}; text without NUL is accepted",
            parameter,
            value,
            error.nul_position()
        ))
    })
}

/// A path as the library takes it: the system's bytes on Unix, UTF-8 elsewhere.
pub(crate) fn c_path(parameter: &str, path: &Path) -> Result<CString> {
    #[cfg(unix)]
    let bytes = {
        use std::os::unix::ffi::OsStrExt;
        path.as_os_str().as_bytes()
    };
    #[cfg(not(unix))]
    let bytes = path
        .to_str()
        .ok_or_else(|| {
            Error::InvalidArgument(format!(
                "{}: {:?} is not Unicode; a Unicode path is accepted",
                parameter, path
            ))
        })?
        .as_bytes();
    CString::new(bytes).map_err(|_| {
        Error::InvalidArgument(format!(
            "{}: {:?} has a NUL byte; a path without NUL is accepted",
            parameter, path
        ))
    })
}

/// The text that a function of the library writes into a buffer, of the size that it
/// says where there is none.
pub(crate) fn text_of(
    mut write: impl FnMut(*mut c_char, u64, *mut u64) -> sys::bnq_status,
) -> Result<String> {
    let mut size = 0;
    check(write(ptr::null_mut(), 0, &mut size))?;
    let mut bytes = vec![0 as c_char; length(size)];
    check(write(bytes.as_mut_ptr(), size, ptr::null_mut()))?;
    // SAFETY: a C string was written into it.
    Ok(unsafe { text(bytes.as_ptr()) }.unwrap_or("").to_string())
}

/// A slice of the library; empty for NULL or a count of 0.
///
/// # Safety
/// Unless that, `raw` points to `count` elements that live and do not change for
/// `'a`.
pub(crate) unsafe fn slice<'a, T>(raw: *const T, count: u64) -> &'a [T] {
    if raw.is_null() || count == 0 {
        return &[];
    }
    // What may point into a file of the caller's is checked, not trusted.
    assert_eq!(
        raw as usize % align_of::<T>(),
        0,
        "libbnq returned a misaligned pointer"
    );
    // SAFETY: aligned; for the rest as the caller promises.
    unsafe { std::slice::from_raw_parts(raw, length(count)) }
}

/// A slice's address; NULL for an empty one, whose address need not be aligned to
/// what the library wants.
pub(crate) fn pointer<T>(slice: &[T]) -> *const T {
    if slice.is_empty() {
        return ptr::null();
    }
    slice.as_ptr()
}

/// The same to be written.
pub(crate) fn pointer_mut<T>(slice: &mut [T]) -> *mut T {
    if slice.is_empty() {
        return ptr::null_mut();
    }
    slice.as_mut_ptr()
}

/// A native size of something that is in memory, so that it fits.
pub(crate) fn length(count: u64) -> usize {
    usize::try_from(count).expect("the size of an object in memory")
}

/// A number of the caller's as the library's `i32`.
pub(crate) fn narrow(parameter: &str, value: usize) -> Result<i32> {
    i32::try_from(value).map_err(|_| {
        Error::InvalidArgument(format!(
            "{}: {} is too large; at most {} is accepted",
            parameter,
            value,
            i32::MAX
        ))
    })
}

/// The error for a slice that is not as long as it must be.
pub(crate) fn expect_length(parameter: &str, length: usize, expected: u64) -> Result<()> {
    expect_count(parameter, length, expected, "elements")
}

/// The same for a buffer of elements of any type.
pub(crate) fn expect_bytes(parameter: &str, bytes: usize, expected: u64) -> Result<()> {
    expect_count(parameter, bytes, expected, "bytes")
}

fn expect_count(parameter: &str, count: usize, expected: u64, of: &str) -> Result<()> {
    if count as u64 == expected {
        return Ok(());
    }
    Err(Error::InvalidArgument(format!(
        "{}: has {} {}; {} are accepted",
        parameter, count, of, expected
    )))
}

/// Dimensions, kept inside.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shape {
    dimensions: [u64; sys::BNQ_MAX_RANK],
    rank: usize,
}

impl Shape {
    pub(crate) fn new(shape: &[usize]) -> Result<Shape> {
        if shape.len() > sys::BNQ_MAX_RANK {
            return Err(Error::InvalidArgument(format!(
                "shape: rank {} of {:?} is too large; 0 to {} are accepted",
                shape.len(),
                shape,
                sys::BNQ_MAX_RANK
            )));
        }
        let mut dimensions = [1; sys::BNQ_MAX_RANK];
        for (to, from) in dimensions.iter_mut().zip(shape) {
            *to = *from as u64;
        }
        Ok(Shape {
            dimensions,
            rank: shape.len(),
        })
    }

    /// Runs a native getter, which returns the rank or -1.
    pub(crate) fn read(getter: impl FnOnce(*mut u64) -> i32) -> Option<Shape> {
        let mut dimensions = [1; sys::BNQ_MAX_RANK];
        let rank = usize::try_from(getter(dimensions.as_mut_ptr())).ok()?;
        Some(Shape { dimensions, rank })
    }

    pub(crate) fn as_ptr(&self) -> *const u64 {
        self.dimensions.as_ptr()
    }

    pub(crate) fn rank(&self) -> i32 {
        self.rank as i32
    }

    /// For display and comparison; a dimension beyond the address space, which
    /// only an empty tensor can have, is given as `usize::MAX`.
    pub(crate) fn to_vec(self) -> Vec<usize> {
        self.dimensions[..self.rank]
            .iter()
            .map(|&d| usize::try_from(d).unwrap_or(usize::MAX))
            .collect()
    }

    pub(crate) fn elements(&self) -> Result<u64> {
        let dimensions = &self.dimensions[..self.rank];
        if dimensions.contains(&0) {
            return Ok(0);
        }
        dimensions
            .iter()
            .try_fold(1u64, |n, &d| n.checked_mul(d))
            .ok_or_else(|| {
                Error::InvalidArgument(format!(
                    "shape: {:?} has too many elements; at most 2^64 - 1 are accepted",
                    dimensions
                ))
            })
    }
}
