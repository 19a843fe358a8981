//! The loaded library: its version, whether it fits, its SIMD targets.

use crate::cstr;
use crate::error::{Error, Result};
use bitnet_quant_sys as sys;
use std::fmt;

/// A version of libbnq.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// Major version.
    pub major: u32,
    /// Minor version.
    pub minor: u32,
    /// Patch version.
    pub patch: u32,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// The version of the libbnq that is loaded (not of this crate).
///
/// # Panics
/// With the feature `load-dynamic` where there is none; see [`check_library`].
pub fn version() -> Version {
    #[cfg(feature = "load-dynamic")]
    expect_library();
    // SAFETY: never fails.
    let encoded = unsafe { sys::bnq_version() };
    Version {
        major: encoded / 1_000_000,
        minor: encoded / 1_000 % 1_000,
        patch: encoded % 1_000,
    }
}

/// Whether there is a libbnq with the ABI this crate was written for. With the feature
/// `load-dynamic`, loads it.
///
/// Everything that makes an object calls this, so that a program need not; it is
/// for those who want to report the problem at the start.
///
/// # Errors
/// [`Error::Incompatible`]; its text names the library that was loaded, its ABI
/// and the ABI needed, or every path that was tried.
pub fn check_library() -> Result<()> {
    sys::library::check().map_err(|error| Error::Incompatible(error.to_string()))
}

/// Loads the library at `path`, before any other call of this crate: a path with a folder, or a
/// name that the system's loader looks for. Without this call the library is the one that
/// `BNQ_LIBRARY` names, or lies beside the program, or the system finds.
///
/// # Errors
/// [`Error::Incompatible`] where that is no library of this ABI and at least this version, and
/// where another one is in use already.
#[cfg(feature = "load-dynamic")]
pub fn init_from(path: impl AsRef<std::path::Path>) -> Result<()> {
    sys::library::init_from(path).map_err(|error| Error::Incompatible(error.to_string()))
}

/// For functions that cannot fail otherwise.
pub(crate) fn expect_library() {
    if let Err(error) = check_library() {
        panic!("{}", error);
    }
}

/// A SIMD instruction set that the library was compiled for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Target {
    /// Its name, for example "AVX2".
    pub name: &'static str,
    /// Whether this CPU can run it.
    pub supported: bool,
    /// Whether it is the one in use.
    pub active: bool,
}

/// The SIMD targets compiled into the library, best first. Results never depend
/// on which one is active.
///
/// # Panics
/// If the loaded library does not fit; see [`check_library`].
pub fn targets() -> Vec<Target> {
    expect_library();
    // SAFETY: names of the registry live for ever; any index is accepted.
    unsafe {
        let active = cstr::text(sys::bnq_target_active());
        (0..sys::bnq_target_count())
            .filter_map(|index| {
                let name = cstr::text(sys::bnq_target_name(index))?;
                let supported = sys::bnq_target_supported(index) != 0;
                Some(Target {
                    name,
                    supported,
                    active: active == Some(name),
                })
            })
            .collect()
    }
}
