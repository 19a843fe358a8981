//! The library is loaded while the program runs (feature `load-dynamic`): which one, and what is
//! said where there is none. Each case in a process of its own, since it is loaded once.
#![cfg(all(feature = "load-dynamic", target_os = "linux"))]

mod common;

use bitnet_quant::*;
use std::panic::catch_unwind;
use std::path::PathBuf;
use std::process::Command;
use std::{env, fs};

/// The library that the other tests are run with.
fn library() -> PathBuf {
    check_library().unwrap();
    bitnet_quant_sys::library::path().expect("a mapped file")
}

/// Runs an ignored test in a process of its own, with BNQ_LIBRARY if it is given.
fn run(case: &str, library: Option<&str>, argument: &str) {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--ignored", "--exact", case, "--nocapture"]);
    command
        .env_remove("BNQ_LIBRARY")
        .env_remove("LD_LIBRARY_PATH");
    command.env("BNQ_TEST_ARGUMENT", argument);
    if let Some(library) = library {
        command.env("BNQ_LIBRARY", library);
    }
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{}{}",
        text,
        errors
    );
}

fn argument() -> PathBuf {
    env::var_os("BNQ_TEST_ARGUMENT").unwrap().into()
}

fn says(error: &Error, parts: &[&str]) {
    assert!(matches!(error, Error::Incompatible(_)), "{:?}", error);
    for part in parts {
        assert!(
            error.message().contains(part),
            "no {:?} in: {}",
            part,
            error
        );
    }
}

#[test]
#[ignore = "run by a_missing_library_is_an_error"]
fn with_none() {
    let error = check_library().unwrap_err();
    says(
        &error,
        &["tried /nowhere/libbnq.so: no such file", "init_from(path)"],
    );
    assert!(!error.message().contains("tried libbnq.so"), "{}", error);
    // Nothing ends the process: what can fail fails, the rest panics.
    assert_eq!(Config::new().unwrap_err(), error);
    assert_eq!(Context::with_threads(2).unwrap_err(), error);
    assert_eq!(File::open(&Context::new(), "x").unwrap_err(), error);
    assert_eq!("int8".parse::<Format>().unwrap_err(), error);
    assert_eq!("F32".parse::<DType>().unwrap_err(), error);
    assert_eq!(interchange::Interchange::new().unwrap_err(), error);
    let panics: [fn(); 9] = [
        || {
            let _ = version();
        },
        || {
            let _ = targets();
        },
        || {
            let _ = formats();
        },
        || {
            let _ = presets();
        },
        || {
            let _ = options();
        },
        || {
            let _ = interchange::layouts();
        },
        || {
            let _ = Format::INT8.name();
        },
        || {
            let _ = DType::F32.bits();
        },
        || {
            let _ = LayerKind::all();
        },
    ];
    for (i, call) in panics.iter().enumerate() {
        assert!(catch_unwind(call).is_err(), "call {}", i);
    }
    // A library that is there after all is taken.
    init_from(argument()).unwrap();
    check_library().unwrap();
}

#[test]
fn a_missing_library_is_an_error() {
    run(
        "with_none",
        Some("/nowhere/libbnq.so"),
        library().to_str().unwrap(),
    );
}

#[test]
#[ignore = "run by the_choice_is_taken"]
fn with_a_choice() {
    check_library().unwrap();
    let path = bitnet_quant_sys::library::path().unwrap();
    assert_eq!(path, argument().canonicalize().unwrap());
    let config: Config = "int8".parse().unwrap();
    assert!(config.to_string().contains("int8"));
    let error = init_from("/another/libbnq.so").unwrap_err();
    says(
        &error,
        &[
            "is in use already",
            "/another/libbnq.so",
            "before any other call",
        ],
    );
    init_from(argument()).unwrap();
}

#[test]
fn the_choice_is_taken() {
    let library = library();
    let library = library.to_str().unwrap();
    run("with_a_choice", Some(library), library);
}

#[test]
#[ignore = "run by all_that_was_tried_is_named"]
fn with_files_that_do_not_fit() {
    let error = check_library().unwrap_err();
    says(
        &error,
        &[
            "tried BNQ_LIBRARY: not set",
            "/libbnq.so.1: not libbnq: it has no bnq_abi_version",
            "/libbnq.so: ",
            "file too short",
        ],
    );
}

/// Beside a copy of this program: a library without the functions, and a file that is none.
#[test]
fn all_that_was_tried_is_named() {
    let directory = common::TempDir::new();
    let source = directory.path("other.rs");
    fs::write(&source, "#[no_mangle] pub extern \"C\" fn other() {}").unwrap();
    let built = Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()))
        .args(["--edition=2021", "--crate-type=cdylib", "-o"])
        .args([&directory.path("libbnq.so.1"), &source])
        .status()
        .expect("rustc");
    assert!(built.success());
    fs::write(directory.path("libbnq.so"), "text").unwrap();
    let program = directory.path("program");
    fs::copy(env::current_exe().unwrap(), &program).unwrap();
    let output = Command::new(&program)
        .args(["--ignored", "--exact", "with_files_that_do_not_fit"])
        .env_remove("BNQ_LIBRARY")
        .env_remove("LD_LIBRARY_PATH")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    // Where the system has libbnq, that is what is found.
    let installed = text.contains("called `Result::unwrap_err()` on an `Ok` value");
    let passed = output.status.success() && text.contains("1 passed");
    assert!(passed || installed, "{}", text);
}
