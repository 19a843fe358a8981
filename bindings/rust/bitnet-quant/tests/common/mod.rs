//! What several tests need.

// Each test is a crate of its own and uses a part of this.
#![allow(dead_code)]

pub mod json;

use bitnet_quant::{ArrayView, Context, Error, FileKind, Result, WriteOptions, Writer};
use serde_json::Value;
use std::fmt::Debug;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// The cases of a file of the shared vectors.
pub fn cases(file: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../tests/vectors")
        .join(file);
    let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {}", path.display(), e));
    let mut json: Value = serde_json::from_str(&text).expect("JSON");
    match json["cases"].take() {
        Value::Array(cases) if !cases.is_empty() => cases,
        _ => panic!("{} has no cases", path.display()),
    }
}

/// Asserts that an argument was refused, with a message that has all the parts.
pub fn refused<T: Debug>(result: Result<T>, parts: &[&str]) {
    match result.expect_err("a refusal") {
        Error::InvalidArgument(message) => {
            for part in parts {
                assert!(message.contains(part), "no {:?} in: {}", part, message);
            }
        }
        error => panic!("another error: {}", error),
    }
}

/// A directory that goes away with this.
pub struct TempDir(PathBuf);

impl TempDir {
    pub fn new() -> TempDir {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("bitnet-quant-{}-{}", std::process::id(), number);
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).expect("a temporary directory");
        TempDir(path)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// The names in it, sorted.
    pub fn list(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).expect("the directory");
        let mut names: Vec<_> = entries
            .map(|entry| {
                entry
                    .expect("an entry")
                    .file_name()
                    .to_string_lossy()
                    .into_owned()
            })
            .collect();
        names.sort();
        names
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Numbers that are spread over -1..1 without a pattern in groups.
pub fn weights(count: usize) -> Vec<f32> {
    (0..count as u32)
        .map(|i| {
            let hash = i.wrapping_mul(2_654_435_761) ^ (i << 7);
            (hash >> 8) as f32 / (1 << 23) as f32 - 1.0
        })
        .collect()
}

/// A small model: two matrices, a bias, and integers that cannot be quantized.
pub fn write_model(path: &Path) {
    let context = Context::new();
    let (first, second) = (weights(48 * 64), weights(10 * 48));
    let (bias, steps) = (weights(48), [1i64, 2, 3]);
    let options = WriteOptions::new();
    let mut writer = Writer::create(&context, path, FileKind::SAFETENSORS, options).unwrap();
    writer.set_metadata("made", "for a test").unwrap();
    writer
        .add_array("fc1.weight", &ArrayView::new(&first, &[48, 64]).unwrap())
        .unwrap();
    writer
        .add_array("fc1.bias", &ArrayView::new(&bias, &[48]).unwrap())
        .unwrap();
    writer
        .add_array("fc2.weight", &ArrayView::new(&second, &[10, 48]).unwrap())
        .unwrap();
    writer
        .add_array("steps", &ArrayView::new(&steps, &[3]).unwrap())
        .unwrap();
    writer.finish().unwrap();
}
