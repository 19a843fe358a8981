//! The loaded library: its version, whether it fits, its SIMD targets.

use crate::cstr;
use crate::error::{Error, Result};
use bitnet_quant_sys as sys;
use std::env;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::Once;

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
pub fn version() -> Version {
    // SAFETY: never fails.
    let encoded = unsafe { sys::bnq_version() };
    Version {
        major: encoded / 1_000_000,
        minor: encoded / 1_000 % 1_000,
        patch: encoded % 1_000,
    }
}

/// Whether the loaded libbnq has the ABI this crate was written for.
///
/// Everything that makes an object calls this, so that a program need not; it is
/// for those who want to report the problem at the start. The library is asked
/// once.
///
/// # Errors
/// [`Error::Incompatible`]; its text names the library that was loaded, its ABI
/// and the ABI needed.
pub fn check_library() -> Result<()> {
    static ONCE: Once = Once::new();
    static FOUND: AtomicU32 = AtomicU32::new(0);
    ONCE.call_once(|| {
        // SAFETY: of this signature in every ABI; never fails.
        FOUND.store(unsafe { sys::bnq_abi_version() }, Ordering::Relaxed);
    });
    let found = FOUND.load(Ordering::Relaxed);
    if found == sys::BNQ_ABI_VERSION {
        return Ok(());
    }
    Err(Error::Incompatible(diagnosis(
        found,
        version(),
        library_path().as_deref(),
    )))
}

/// For functions that cannot fail otherwise.
pub(crate) fn expect_library() {
    if let Err(error) = check_library() {
        panic!("{}", error);
    }
}

fn diagnosis(found: u32, version: Version, path: Option<&Path>) -> String {
    let mut text = format!("libbnq {}", version);
    if let Some(path) = path {
        text += &format!(" at {}", path.display());
    }
    text += &format!(
        " has ABI {}, but {} {} needs ABI {}: install a libbnq of ABI {}, or a release of \
         the crate for ABI {}",
        found,
        env!("CARGO_PKG_NAME"),
        env!("CARGO_PKG_VERSION"),
        sys::BNQ_ABI_VERSION,
        sys::BNQ_ABI_VERSION,
        found
    );
    let variable = if cfg!(windows) {
        "PATH"
    } else if cfg!(target_os = "macos") {
        "DYLD_LIBRARY_PATH"
    } else {
        "LD_LIBRARY_PATH"
    };
    match env::var_os(variable) {
        Some(value) => text += &format!(" ({}={})", variable, value.to_string_lossy()),
        None => text += &format!(" ({} is not set)", variable),
    }
    text
}

/// The file the library was loaded from, where the system tells.
fn library_path() -> Option<PathBuf> {
    if !cfg!(target_os = "linux") {
        return None;
    }
    // "start-end perms offset device inode   path", with addresses in hexadecimal.
    let address = sys::bnq_abi_version as *const () as u64;
    let maps = std::fs::read_to_string("/proc/self/maps").ok()?;
    maps.lines().find_map(|line| {
        let (start, end) = line.split(' ').next()?.split_once('-')?;
        let start = u64::from_str_radix(start, 16).ok()?;
        let end = u64::from_str_radix(end, 16).ok()?;
        if !(start..end).contains(&address) {
            return None;
        }
        Some(PathBuf::from(&line[line.find('/')?..]))
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_diagnosis_names_library_and_needs() {
        let version = Version {
            major: 3,
            minor: 1,
            patch: 4,
        };
        let text = diagnosis(9, version, Some(Path::new("/opt/libbnq.so.9")));
        assert!(
            text.starts_with("libbnq 3.1.4 at /opt/libbnq.so.9 has ABI 9, but"),
            "{}",
            text
        );
        assert!(
            text.contains(&format!("needs ABI {}", sys::BNQ_ABI_VERSION)),
            "{}",
            text
        );
        assert!(text.contains("LIBRARY_PATH") || cfg!(windows), "{}", text);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn the_library_is_found_in_memory() {
        let path = library_path().expect("a mapped file");
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        assert!(name.contains("bnq"), "{}", path.display());
    }
}
