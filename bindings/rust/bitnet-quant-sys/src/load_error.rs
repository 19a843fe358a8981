//! What is said of a library that is not there, or does not fit.

use crate::BNQ_ABI_VERSION;
use std::env;
use std::error::Error;
use std::fmt;
use std::path::Path;

/// Why there is no library, or not the one that is in use: what was tried, and what would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadError(pub(crate) String);

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for LoadError {}

/// That `found` is not the ABI that is needed, and what to do about it.
pub(crate) fn diagnosis(found: u32, version: &str, path: Option<&Path>) -> String {
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
        BNQ_ABI_VERSION,
        BNQ_ABI_VERSION,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_diagnosis_names_library_and_needs() {
        let text = diagnosis(9, "3.1.4", Some(Path::new("/opt/libbnq.so.9")));
        assert!(
            text.starts_with("libbnq 3.1.4 at /opt/libbnq.so.9 has ABI 9, but"),
            "{}",
            text
        );
        assert!(
            text.contains(&format!("needs ABI {}", BNQ_ABI_VERSION)),
            "{}",
            text
        );
        assert!(text.contains("LIBRARY_PATH") || cfg!(windows), "{}", text);
    }
}
