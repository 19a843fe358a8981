//! A library of another ABI is refused, with a full diagnosis.
#![cfg(target_os = "linux")]

mod common;

use bitnet_quant::{check_library, Config, Context, Error, File};
use std::env;
use std::process::Command;

/// What has the process use another library.
const VARIABLE: &str = match cfg!(feature = "load-dynamic") {
    true => "BNQ_LIBRARY",
    false => "LD_PRELOAD",
};

/// In a process of its own, where there is another `bnq_abi_version`.
#[test]
#[ignore = "run by another_abi_is_refused"]
fn with_another_abi() {
    let error = check_library().unwrap_err();
    assert!(matches!(error, Error::Incompatible(_)), "{:?}", error);
    assert_eq!(error.status(), None);
    for text in [
        "has ABI 4711",
        "needs ABI 1",
        "libforeign.so",
        "LD_LIBRARY_PATH",
    ] {
        assert!(
            error.message().contains(text),
            "no {:?} in: {}",
            text,
            error
        );
    }
    // Nothing is made by such a library.
    assert_eq!(Config::new().unwrap_err(), error);
    assert_eq!(Context::with_threads(2).unwrap_err(), error);
    assert_eq!(File::open(&Context::new(), "x").unwrap_err(), error);
    assert!(std::panic::catch_unwind(bitnet_quant::formats).is_err());
    println!("refused");
}

#[test]
fn another_abi_is_refused() {
    let directory = common::TempDir::new();
    let source = directory.path("foreign.rs");
    let library = directory.path("libforeign.so");
    let code = "#[no_mangle] pub extern \"C\" fn bnq_abi_version() -> u32 { 4711 }";
    std::fs::write(&source, code).unwrap();
    let built = Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()))
        .args(["--edition=2021", "--crate-type=cdylib", "-o"])
        .args([&library, &source])
        .status()
        .expect("rustc");
    assert!(built.success());

    let output = Command::new(env::current_exe().unwrap())
        .args(["--ignored", "--exact", "with_another_abi", "--nocapture"])
        .env(VARIABLE, &library)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && text.contains("refused"),
        "{}{}",
        text,
        errors
    );
}
