//! Builds libbnq from its C++ sources, for build scripts.
//!
//! ```no_run
//! // In a build script: libbnq.a, the headers and bnq.pc.
//! let prefix = bitnet_quant_src::build();
//! println!("cargo:rustc-link-search=native={}", prefix.join("lib").display());
//! ```

#![deny(missing_docs)]

use std::env;
use std::path::{Path, PathBuf};

/// Where the sources are: in the crate, or the checkout that it is in.
pub fn source_dir() -> PathBuf {
    let crate_dir = Path::new(env!("CARGO_MANIFEST_DIR"));
    let copy = crate_dir.join("libbnq");
    if copy.is_dir() {
        copy
    } else {
        crate_dir.join("../../..")
    }
}

/// Builds the static library and installs it, with its headers and `lib/pkgconfig/bnq.pc`, into
/// the folder that is returned, in `OUT_DIR`. Highway is the system's; the variable
/// `BNQ_FETCH_HIGHWAY` (`ON`) allows to download it.
///
/// # Panics
/// Where CMake, a compiler or a library that libbnq needs is missing; what they say is in the
/// output of the build script.
pub fn build() -> PathBuf {
    println!("cargo:rerun-if-env-changed=BNQ_FETCH_HIGHWAY");
    let source = source_dir();
    for watched in ["core", "capi", "CMakeLists.txt", "packaging/VERSION"] {
        println!("cargo:rerun-if-changed={}", source.join(watched).display());
    }
    let fetch = env::var("BNQ_FETCH_HIGHWAY").unwrap_or_else(|_| "OFF".to_string());
    cmake::Config::new(&source)
        // A debug build of the program has no use for a slow library.
        .profile("Release")
        .define("BUILD_SHARED_LIBS", "OFF")
        .define("BNQ_BUILD_CLI", "OFF")
        .define("BNQ_BUILD_TESTS", "OFF")
        .define("BNQ_BUILD_BENCH", "OFF")
        .define("BNQ_FETCH_HIGHWAY", fetch)
        .define("CMAKE_INSTALL_LIBDIR", "lib")
        .build()
}
