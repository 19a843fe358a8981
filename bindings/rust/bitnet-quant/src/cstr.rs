//! C strings of the library.

use std::borrow::Cow;
use std::ffi::CStr;
use std::os::raw::c_char;

/// A string of the library, `None` for NULL.
///
/// # Safety
/// `raw` is NULL or a C string that lives for `'a`.
pub(crate) unsafe fn text<'a>(raw: *const c_char) -> Option<&'a str> {
    if raw.is_null() {
        return None;
    }
    // SAFETY: as the caller promises.
    let text = unsafe { CStr::from_ptr(raw) };
    // bnq.h: strings are UTF-8. Anything else is a defect no caller can handle.
    Some(
        text.to_str()
            .expect("libbnq returned text that is not UTF-8"),
    )
}

/// Text that may quote what the system or a file said; "" for NULL.
///
/// # Safety
/// As [`text`].
pub(crate) unsafe fn lossy<'a>(raw: *const c_char) -> Cow<'a, str> {
    if raw.is_null() {
        return Cow::Borrowed("");
    }
    // SAFETY: as the caller promises.
    unsafe { CStr::from_ptr(raw) }.to_string_lossy()
}
