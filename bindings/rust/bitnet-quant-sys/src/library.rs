//! The library that is in use: whether it fits, and where it is.
//!
//! The same for both linkages, so that what is written for one runs with the other.

use crate::load_error::diagnosis;
use crate::{bnq_version_string, BNQ_ABI_VERSION};
use std::ffi::CStr;
use std::path::PathBuf;

#[cfg(feature = "load-dynamic")]
pub use crate::dynamic::init_from;
pub use crate::load_error::LoadError;

/// Whether there is a library of the ABI that is declared here. With the feature
/// `load-dynamic`, loads it; a call that failed may be made again.
///
/// Without that feature the library is there, or the program would not have started, and only its
/// ABI is asked for.
pub fn check() -> Result<(), LoadError> {
    #[cfg(feature = "load-dynamic")]
    crate::dynamic::init()?;
    // SAFETY: of this type in every ABI.
    let found = unsafe { crate::bnq_abi_version() };
    if found == BNQ_ABI_VERSION {
        return Ok(());
    }
    // SAFETY: a C string that lives for ever; of this type in every ABI.
    let version = unsafe { CStr::from_ptr(bnq_version_string()) };
    Err(LoadError(diagnosis(
        found,
        &version.to_string_lossy(),
        path().as_deref(),
    )))
}

/// The file that the library was loaded from, where the system tells.
pub fn path() -> Option<PathBuf> {
    if !cfg!(target_os = "linux") {
        return None;
    }
    #[cfg(feature = "load-dynamic")]
    let address = crate::dynamic::address()? as u64;
    #[cfg(not(feature = "load-dynamic"))]
    let address = crate::bnq_abi_version as *const () as u64;
    // "start-end perms offset device inode   path", with addresses in hexadecimal.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn the_library_is_found_in_memory() {
        check().expect("a library");
        let path = path().expect("a mapped file");
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        assert!(name.starts_with("libbnq.so"), "{}", path.display());
    }
}
