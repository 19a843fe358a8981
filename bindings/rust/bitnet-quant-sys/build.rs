//! Finds libbnq and tells cargo how to link it.
//!
//! 1. `BNQ_LIB_DIR`: the directory that holds the library. If it is set, it is
//!    the only place looked at, so that a wrong value is not papered over.
//! 2. pkg-config: the package `bnq`.
//! 3. With the feature `vendored`, it is built from the sources of `bitnet-quant-src`.
//!
//! With the feature `load-dynamic` the program looks for it when it runs, and nothing is linked.
//!
//! Dependents with `bitnet-quant-sys` as a direct dependency receive
//! `DEP_BNQ_ROOT` (the prefix) and, where the header was found,
//! `DEP_BNQ_INCLUDE` in their build scripts. No rpath is added: where the
//! library is at run time is for the system or `LD_LIBRARY_PATH` to say.

use std::env;
use std::path::{Path, PathBuf};
use std::process::exit;

/// The first release with the ABI that `src/lib.rs` declares.
const MIN_VERSION: &str = "0.1.0";

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=BNQ_LIB_DIR");
    println!("cargo:rerun-if-env-changed=DOCS_RS");
    // docs.rs has no libbnq, and documentation needs none.
    if env::var_os("DOCS_RS").is_some() {
        return;
    }
    // The program looks for it then.
    if env::var_os("CARGO_FEATURE_LOAD_DYNAMIC").is_some() {
        return;
    }
    let linked = match env::var_os("BNQ_LIB_DIR") {
        Some(directory) => from_directory(Path::new(&directory)),
        None => from_pkg_config().or_else(vendored),
    };
    if let Err(message) = linked {
        // Not a panic: its backtrace hint would only hide the message.
        eprintln!("error: bitnet-quant-sys cannot find libbnq\n{}", message);
        exit(1);
    }
}

fn from_directory(directory: &Path) -> Result<(), String> {
    let names = library_names();
    if !names.iter().any(|name| directory.join(name).is_file()) {
        return Err(format!(
            "  tried BNQ_LIB_DIR={}: {}\n  \
             accepted: a directory that holds {}; or unset BNQ_LIB_DIR to use pkg-config",
            directory.display(),
            if directory.is_dir() {
                "no library in it"
            } else {
                "not a directory"
            },
            names.join(" or "),
        ));
    }
    println!("cargo:rustc-link-search=native={}", directory.display());
    println!("cargo:rustc-link-lib=dylib=bnq");
    // <prefix>/lib or <prefix>/lib/<multiarch triplet>
    let prefix = directory
        .ancestors()
        .skip(1)
        .take(2)
        .find(|prefix| prefix.join("include/bnq/bnq.h").is_file());
    match prefix {
        Some(prefix) => print_metadata(prefix, Some(prefix.join("include"))),
        None => print_metadata(directory, None),
    }
    Ok(())
}

fn from_pkg_config() -> Result<(), String> {
    let library = pkg_config::Config::new()
        .atleast_version(MIN_VERSION)
        .env_metadata(true)
        .probe("bnq")
        .map_err(|error| {
            format!(
                "  tried BNQ_LIB_DIR: not set\n  tried pkg-config for bnq >= {}: {}\n  \
                 accepted: BNQ_LIB_DIR=<directory that holds {}>, PKG_CONFIG_PATH=\
                 <directory that holds bnq.pc>, or the feature `vendored`, which builds it",
                MIN_VERSION,
                error.to_string().trim_end().replace('\n', "\n    "),
                library_names().join(" or "),
            )
        })?;
    let include = library.include_paths.first().cloned().or_else(|| {
        pkg_config::get_variable("bnq", "includedir")
            .ok()
            .map(PathBuf::from)
    });
    match pkg_config::get_variable("bnq", "prefix") {
        Ok(prefix) if !prefix.is_empty() => print_metadata(Path::new(&prefix), include),
        _ => {
            if let Some(include) = include {
                println!("cargo:include={}", include.display());
            }
        }
    }
    Ok(())
}

/// Builds the library, after the others have failed.
#[cfg(feature = "vendored")]
fn vendored(_: String) -> Result<(), String> {
    let prefix = bitnet_quant_src::build();
    // What a static library needs is for its own package to say.
    let mut folders = vec![prefix.join("lib/pkgconfig")];
    let given = env::var_os("PKG_CONFIG_PATH").unwrap_or_default();
    folders.extend(env::split_paths(&given));
    let path = env::join_paths(folders).map_err(|error| error.to_string())?;
    env::set_var("PKG_CONFIG_PATH", path);
    pkg_config::Config::new()
        .atleast_version(MIN_VERSION)
        .env_metadata(false)
        .statik(true)
        .probe("bnq")
        .map_err(|error| format!("  tried the one built in {}: {}", prefix.display(), error))?;
    print_metadata(&prefix, Some(prefix.join("include")));
    Ok(())
}

#[cfg(not(feature = "vendored"))]
fn vendored(tried: String) -> Result<(), String> {
    Err(tried)
}

fn print_metadata(root: &Path, include: Option<PathBuf>) {
    println!("cargo:root={}", root.display());
    if let Some(include) = include {
        println!("cargo:include={}", include.display());
    }
}

/// What the linker accepts on the target (not the host).
fn library_names() -> &'static [&'static str] {
    match env::var("CARGO_CFG_TARGET_OS").as_deref() {
        Ok("windows") => &["bnq.lib", "libbnq.dll.a"],
        Ok("macos") | Ok("ios") => &["libbnq.dylib"],
        _ => &["libbnq.so"],
    }
}
