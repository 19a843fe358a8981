//! Status codes as an error type.

use crate::cstr;
use bitnet_quant_sys as sys;
use std::fmt;

/// The result of every fallible function of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The one list of statuses: variant, code, and the text of `bnq_status_name`.
macro_rules! statuses {
    ($($(#[$doc:meta])* $variant:ident, $code:ident, $name:literal;)*) => {
        /// Why a call failed: one variant for each status of libbnq, carrying the
        /// native text, which names the parameter or tensor, its value and what is
        /// accepted.
        #[derive(Debug, Clone, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum Error {
            $($(#[$doc])* $variant(String),)*
            /// The loaded libbnq has another ABI than this crate was written for, or, with the
            /// feature `load-dynamic`, none could be loaded.
            /// The text says which library was loaded or what was tried, and what fits.
            Incompatible(String),
            /// A status this version of the crate does not know; from a newer library.
            Other {
                /// The status as in `bnq.h`.
                status: i32,
                /// The native text.
                message: String,
            },
        }

        impl Error {
            /// The error for a status other than [`sys::BNQ_OK`].
            pub(crate) fn from_status(status: sys::bnq_status, message: String) -> Error {
                match status {
                    $(sys::$code => Error::$variant(message),)*
                    _ => Error::Other { status, message },
                }
            }

            /// The status as in `bnq.h`; `None` for [`Error::Incompatible`], which
            /// is this crate's own.
            pub fn status(&self) -> Option<i32> {
                match self {
                    $(Error::$variant(_) => Some(sys::$code),)*
                    Error::Incompatible(_) => None,
                    Error::Other { status, .. } => Some(*status),
                }
            }

            /// The text without the kind of error before it.
            pub fn message(&self) -> &str {
                match self {
                    $(Error::$variant(message) => message,)*
                    Error::Incompatible(message) | Error::Other { message, .. } => message,
                }
            }

            /// The same error about one item of several: its text begins with `item`.
            pub(crate) fn of(self, item: &str) -> Error {
                match self.status() {
                    Some(status) => {
                        Error::from_status(status, format!("{}: {}", item, self.message()))
                    }
                    None => self,
                }
            }

            fn kind(&self) -> &'static str {
                match self {
                    $(Error::$variant(_) => $name,)*
                    Error::Incompatible(_) => "incompatible library",
                    Error::Other { .. } => "unknown status",
                }
            }
        }
    };
}

statuses! {
    /// A parameter is out of its range, of the wrong length, or contradicts another.
    InvalidArgument, BNQ_ERROR_INVALID_ARGUMENT, "invalid argument";
    /// Legal, but this library or this format cannot do it.
    Unsupported, BNQ_ERROR_UNSUPPORTED, "unsupported";
    /// An allocation failed.
    OutOfMemory, BNQ_ERROR_OUT_OF_MEMORY, "out of memory";
    /// A file is truncated, damaged, or says what cannot be.
    CorruptFile, BNQ_ERROR_CORRUPT_FILE, "corrupt file";
    /// The system could not open, read, write or rename a file.
    Io, BNQ_ERROR_IO, "input/output error";
    /// A result was asked for before there was any data.
    NoData, BNQ_ERROR_NO_DATA, "no data";
    /// A progress closure asked to stop.
    Cancelled, BNQ_ERROR_CANCELLED, "cancelled";
    /// A defect of the library; please report it.
    Internal, BNQ_ERROR_INTERNAL, "internal error";
    /// NaN or infinity in values to be quantized or compared.
    NonFinite, BNQ_ERROR_NON_FINITE, "non-finite value";
    /// No file, tensor, format, option or data type of that name.
    NotFound, BNQ_ERROR_NOT_FOUND, "not found";
    /// The output exists and may not be overwritten, or is also the input.
    Exists, BNQ_ERROR_EXISTS, "already exists";
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind())?;
        if !self.message().is_empty() {
            write!(f, ": {}", self.message())?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

/// The outcome of a native call made just before on this thread.
///
/// A panic that a callback of that call raised goes on from here, on the caller's
/// side of the native frames.
pub(crate) fn check(status: sys::bnq_status) -> Result<()> {
    crate::callback::resume_panic();
    if status == sys::BNQ_OK {
        return Ok(());
    }
    // SAFETY: never NULL, and valid until the next failing call of this thread.
    let message = unsafe { cstr::lossy(sys::bnq_last_error()) }.into_owned();
    Err(Error::from_status(status, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_has_its_variant_and_name() {
        let known = sys::BNQ_ERROR_INVALID_ARGUMENT..=sys::BNQ_ERROR_EXISTS;
        for status in known {
            let error = Error::from_status(status, "text".to_string());
            assert!(
                !matches!(error, Error::Other { .. }),
                "status {} is not mapped",
                status
            );
            assert_eq!(error.status(), Some(status));
            assert_eq!(error.message(), "text");
            // SAFETY: any number is accepted; the name lives for ever.
            let name = unsafe { cstr::lossy(sys::bnq_status_name(status)) };
            assert_eq!(error.kind(), name);
            assert_eq!(error.to_string(), format!("{}: text", name));
        }
    }

    #[test]
    fn there_is_no_status_beyond_the_known() {
        let next = sys::BNQ_ERROR_EXISTS + 1;
        // SAFETY: as above.
        assert_eq!(
            unsafe { cstr::lossy(sys::bnq_status_name(next)) },
            "unknown status"
        );
        let error = Error::from_status(next, String::new());
        assert_eq!(
            error,
            Error::Other {
                status: next,
                message: String::new()
            }
        );
        assert_eq!(error.to_string(), "unknown status");
    }
}
