//! Reading and writing model files.

mod common;

use bitnet_quant::{
    no_progress, ArrayView, Config, Context, DType, Error, File, FileKind, Format, NonFinite,
    QuantizedTensor, WriteOptions, Writer,
};
use common::{weights, write_model, TempDir};
use std::fs;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;

#[test]
fn safetensors_round_trip() {
    let directory = TempDir::new();
    let path = directory.path("model.safetensors");
    write_model(&path);
    let context = Context::new();
    let file = File::open(&context, &path).unwrap();
    assert_eq!(file.kind(), FileKind::SAFETENSORS);
    assert_eq!((file.len(), file.is_empty()), (4, false));
    let names: Vec<_> = file.entries().map(|entry| entry.name()).collect();
    assert_eq!(names, ["fc1.bias", "fc1.weight", "fc2.weight", "steps"]);
    assert_eq!(
        file.metadata().collect::<Vec<_>>(),
        [("made", "for a test")]
    );

    let entry = file.entry("fc2.weight").unwrap();
    assert_eq!(
        (entry.shape(), entry.format()),
        (vec![10, 48], Format::NONE)
    );
    assert_eq!(entry.dtype(), Some(DType::F32));
    assert_eq!((entry.bytes(), entry.stored_bytes()), (1920, 1920));
    let expected = weights(480);
    assert_eq!(entry.read::<f32>(&context).unwrap(), expected);
    assert_eq!(entry.view().unwrap().as_bytes(), entry.data().unwrap());
    let mut bytes = vec![0; 1920];
    entry.read_into(&context, &mut bytes).unwrap();
    assert_eq!(bytes, entry.data().unwrap());
    // Zero copy where the file's layout lets them be aligned, which here it does.
    match entry.as_slice::<f32>() {
        Ok(slice) => assert_eq!(slice, expected),
        Err(error) => panic!("{}", error),
    }
    assert_eq!(
        file.entry("steps").unwrap().read::<i64>(&context).unwrap(),
        [1, 2, 3]
    );

    let error = entry.read::<f64>(&context).unwrap_err();
    assert!(
        matches!(&error, Error::Unsupported(text) if text.contains("F64")),
        "{}",
        error
    );
    let error = entry.read_into(&context, &mut bytes[1..]).unwrap_err();
    assert!(
        matches!(&error, Error::InvalidArgument(text) if text.contains("1919")),
        "{}",
        error
    );
    assert!(matches!(
        entry.quantized(&context),
        Err(Error::Unsupported(_))
    ));
    let error = file.entry("fc3.weight").unwrap_err();
    assert!(
        matches!(&error, Error::NotFound(text) if text.contains("fc3.weight")),
        "{}",
        error
    );
    file.verify(&context, no_progress).unwrap();
    assert_eq!(directory.list(), ["model.safetensors"]);
}

/// Writes a quantized and a plain tensor, and reads them back.
fn bnq_round_trip(compress: bool) {
    let directory = TempDir::new();
    let path = directory.path("model.bnq");
    let context = Context::new();
    let config = Config::builder()
        .format(Format::INT8)
        .group_size(16)
        .build()
        .unwrap();
    let (values, halves) = (weights(600), [0x3f80u16, 0xbf80, 0x4000]);
    let array = ArrayView::new(&values, &[20, 30]).unwrap();
    let plain = ArrayView::from_bits(&halves, DType::BF16, &[3]).unwrap();
    let tensor = QuantizedTensor::quantize(&context, &config, &array).unwrap();
    let options = WriteOptions::new().compress(compress);
    let mut writer = Writer::create(&context, &path, FileKind::BNQ, options).unwrap();
    writer.add_tensor("w", &tensor).unwrap();
    writer.add_array("b", &plain).unwrap();
    writer.set_metadata("key", "old").unwrap();
    writer.set_metadata("key", "new \u{e9}").unwrap();
    writer.finish().unwrap();
    assert_eq!(directory.list(), ["model.bnq"]);

    let file = File::open(&context, &path).unwrap();
    file.verify(&context, no_progress).unwrap();
    assert_eq!(file.kind(), FileKind::BNQ);
    assert_eq!(file.metadata().collect::<Vec<_>>(), [("key", "new \u{e9}")]);
    let entry = file.entry("w").unwrap();
    assert_eq!((entry.format(), entry.dtype()), (Format::INT8, None));
    assert_eq!(entry.shape(), [20, 30]);
    assert_eq!(entry.bytes(), tensor.bytes() as u64);
    assert_eq!(entry.config().unwrap(), tensor.config().unwrap());
    let plain = file.entry("b").unwrap().config();
    assert!(matches!(plain, Err(Error::Unsupported(_))), "{:?}", plain);
    assert!(matches!(entry.data(), Err(Error::Unsupported(_))));
    assert!(matches!(entry.view(), Err(Error::Unsupported(_))));
    assert!(matches!(
        entry.read::<f32>(&context),
        Err(Error::Unsupported(_))
    ));
    assert_eq!(
        file.entry("b").unwrap().read::<u16>(&context).unwrap(),
        halves
    );

    // From memory, too, at every alignment.
    let bytes = fs::read(&path).unwrap();
    let mut files = vec![file];
    for offset in 0..4 {
        let mut padded = vec![0; offset];
        padded.extend(&bytes);
        struct Tail(Vec<u8>, usize);
        impl AsRef<[u8]> for Tail {
            fn as_ref(&self) -> &[u8] {
                &self.0[self.1..]
            }
        }
        files.push(File::from_bytes(&context, Tail(padded, offset)).unwrap());
    }
    for file in files {
        let read = file.entry("w").unwrap().quantized(&context).unwrap();
        // The tensor keeps what it needs of the file.
        drop(file);
        assert_eq!(read.shape(), [20, 30]);
        assert_eq!(read.codes(), tensor.codes());
        assert_eq!(read.scales(), tensor.scales());
        assert_eq!(
            read.dequantize(&context).unwrap(),
            tensor.dequantize(&context).unwrap()
        );
        assert_eq!(format!("{:?}", read), format!("{:?}", tensor));
    }
}

#[test]
fn bnq() {
    bnq_round_trip(false);
}

#[test]
fn compressed_bnq() {
    bnq_round_trip(true);
}

#[test]
fn bytes_live_as_long_as_what_was_read_from_them() {
    struct Tracked(Vec<u8>, Arc<AtomicBool>);
    impl AsRef<[u8]> for Tracked {
        fn as_ref(&self) -> &[u8] {
            &self.0
        }
    }
    impl Drop for Tracked {
        fn drop(&mut self) {
            self.1.store(true, Ordering::SeqCst);
        }
    }

    let directory = TempDir::new();
    let path = directory.path("model.bnq");
    let context = Context::new();
    let values = weights(256);
    let array = ArrayView::new(&values, &[2, 128]).unwrap();
    let tensor = QuantizedTensor::quantize(&context, &Config::new().unwrap(), &array).unwrap();
    let mut writer = Writer::create(&context, &path, FileKind::BNQ, WriteOptions::new()).unwrap();
    writer.add_tensor("w", &tensor).unwrap();
    writer.finish().unwrap();

    let dropped = Arc::new(AtomicBool::new(false));
    let bytes = Tracked(fs::read(&path).unwrap(), Arc::clone(&dropped));
    let file = File::from_bytes(&context, bytes).unwrap();
    let read = file.entry("w").unwrap().quantized(&context).unwrap();
    drop(context);
    drop(file);
    assert!(!dropped.load(Ordering::SeqCst));
    assert_eq!(read.codes(), tensor.codes());
    drop(read);
    assert!(dropped.load(Ordering::SeqCst));
}

#[test]
fn damaged_files() {
    let directory = TempDir::new();
    let path = directory.path("model.safetensors");
    write_model(&path);
    let context = Context::new();
    let bytes = fs::read(&path).unwrap();
    for length in [0, 7, 8, 20, bytes.len() - 1] {
        let error = File::from_bytes(&context, bytes[..length].to_vec()).unwrap_err();
        assert!(
            matches!(error, Error::CorruptFile(_)),
            "{} bytes: {}",
            length,
            error
        );
    }
    let file = File::from_bytes(&context, bytes).unwrap();
    assert_eq!(file.len(), 4);
}

#[test]
fn paths_that_cannot_be_opened() {
    let directory = TempDir::new();
    let context = Context::new();
    let missing = directory.path("missing.bnq");
    match File::open(&context, &missing).unwrap_err() {
        Error::NotFound(text) => assert!(text.contains("missing.bnq"), "{}", text),
        error => panic!("{}", error),
    }
    let error = File::open(&context, directory.path("")).unwrap_err();
    assert!(
        matches!(&error, Error::NotFound(text) if text.contains("no model")),
        "an empty directory: {}",
        error
    );
    let error = File::open(&context, "a\0b").unwrap_err();
    assert!(
        matches!(&error, Error::InvalidArgument(text) if text.contains("path")),
        "{}",
        error
    );
    let nowhere = directory.path("no/such/directory/out.bnq");
    let writer = Writer::create(&context, nowhere, FileKind::BNQ, WriteOptions::new())
        .and_then(Writer::finish);
    assert!(
        matches!(writer, Err(Error::Io(_)) | Err(Error::NotFound(_))),
        "{:?}",
        writer
    );
}

#[test]
#[cfg(unix)]
fn a_path_need_not_be_unicode() {
    use std::os::unix::ffi::OsStringExt;
    let name = std::ffi::OsString::from_vec(b"m\xff.safetensors".to_vec());
    let directory = TempDir::new();
    let path = directory.path("").join(name);
    write_model(&path);
    assert_eq!(File::open(&Context::new(), &path).unwrap().len(), 4);
    fs::remove_file(&path).unwrap();
    // Quoted in the text of an error, it does no harm either.
    assert!(matches!(
        File::open(&Context::new(), &path),
        Err(Error::NotFound(_))
    ));
}

#[test]
fn writers_leave_nothing_behind() {
    let directory = TempDir::new();
    let context = Context::new();
    let values = weights(64);
    let array = ArrayView::new(&values, &[64]).unwrap();
    let create = |options| {
        Writer::create(
            &context,
            directory.path("out.safetensors"),
            FileKind::SAFETENSORS,
            options,
        )
    };
    let mut writer = create(WriteOptions::new()).unwrap();
    writer.add_array("a", &array).unwrap();
    drop(writer);
    assert!(directory.list().is_empty(), "{:?}", directory.list());

    let mut writer = create(WriteOptions::new()).unwrap();
    writer.add_array("a", &array).unwrap();
    assert!(matches!(
        writer.add_array("a", &array),
        Err(Error::InvalidArgument(_))
    ));
    assert!(matches!(
        writer.add_array("", &array),
        Err(Error::InvalidArgument(_))
    ));
    writer.finish().unwrap();
    let old = fs::read(directory.path("out.safetensors")).unwrap();

    // Refused before anything is written, or at the latest when it would be.
    let second = create(WriteOptions::new()).and_then(Writer::finish);
    assert!(matches!(second, Err(Error::Exists(_))), "{:?}", second);
    assert_eq!(fs::read(directory.path("out.safetensors")).unwrap(), old);
    create(WriteOptions::new().overwrite(true))
        .unwrap()
        .finish()
        .unwrap();
    assert_ne!(fs::read(directory.path("out.safetensors")).unwrap(), old);
    assert_eq!(directory.list(), ["out.safetensors"]);

    let tensor = QuantizedTensor::quantize(&context, &Config::new().unwrap(), &array).unwrap();
    let mut writer = create(WriteOptions::new().overwrite(true)).unwrap();
    assert!(matches!(
        writer.add_tensor("t", &tensor),
        Err(Error::Unsupported(_))
    ));
}

#[test]
fn verify_finds_damage_and_can_be_stopped() {
    let directory = TempDir::new();
    let path = directory.path("model.bnq");
    let context = Context::new();
    let values = weights(4096);
    let config = Config::builder()
        .non_finite(NonFinite::Error)
        .build()
        .unwrap();
    let array = ArrayView::new(&values, &[32, 128]).unwrap();
    let tensor = QuantizedTensor::quantize(&context, &config, &array).unwrap();
    let mut writer = Writer::create(&context, &path, FileKind::BNQ, WriteOptions::new()).unwrap();
    writer.add_tensor("w", &tensor).unwrap();
    writer.finish().unwrap();

    let bytes = fs::read(&path).unwrap();
    let at = bytes
        .windows(64)
        .position(|w| w == &tensor.codes()[..64])
        .expect("the codes");
    let mut damaged = bytes.clone();
    damaged[at + 32] ^= 1;
    let file = File::from_bytes(&context, damaged).unwrap();
    match file.verify(&context, no_progress).unwrap_err() {
        Error::CorruptFile(text) => assert!(text.contains('w'), "{}", text),
        error => panic!("{}", error),
    }

    let file = File::from_bytes(&context, bytes).unwrap();
    let mut calls = 0;
    file.verify(&context, |progress| {
        assert!(progress.done <= progress.total, "{:?}", progress);
        calls += 1;
        ControlFlow::Continue(())
    })
    .unwrap();
    assert!(calls > 0);
    let stopped = file.verify(&context, |_| ControlFlow::Break(()));
    assert!(matches!(stopped, Err(Error::Cancelled(_))), "{:?}", stopped);
}
