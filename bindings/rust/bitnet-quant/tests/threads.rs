//! What may be moved to and shared with other threads: exactly what the section
//! "Threads" of `bnq.h` permits. That `Writer` is not `Sync` is tested by its
//! documentation.

mod common;

use bitnet_quant::{
    ArrayView, Config, ConfigBuilder, Context, DType, Entry, Error, File, Format, Metrics,
    Outliers, Output, Plan, PlanMatch, Progress, QuantizedOutput, QuantizedTensor, Report, Row,
    WriteOptions, Writer,
};
use std::sync::Arc;
use std::thread;

fn send<T: Send>() {}
fn sync<T: Sync>() {}

#[test]
fn send_and_sync() {
    send::<Writer<'static>>();

    macro_rules! both {
        ($($type:ty,)*) => {$( send::<$type>(); sync::<$type>(); )*};
    }
    both! {
        QuantizedTensor, File, Entry<'static>, Report, Row<'static>,
        Config, ConfigBuilder, Plan, PlanMatch, Context, Outliers<'static>,
        ArrayView<'static>, Output<'static>, QuantizedOutput<'static>, DType, Format, Metrics, Progress<'static>,
        WriteOptions, Error,
    }
}

#[test]
fn errors_travel() {
    let error = thread::spawn(|| Config::builder().group_size(0).build().unwrap_err())
        .join()
        .unwrap();
    // The text was copied from the other thread's last error.
    assert!(error.message().contains("group_size"), "{}", error);
    let boxed: Box<dyn std::error::Error + Send + Sync> = Box::new(error);
    assert!(boxed.to_string().starts_with("invalid argument: "));
}

#[test]
fn one_of_everything_in_many_threads() {
    let directory = common::TempDir::new();
    let path = directory.path("model.safetensors");
    common::write_model(&path);

    let context = Arc::new(Context::with_threads(2).unwrap());
    let config = Arc::new(Config::builder().format(Format::INT8).build().unwrap());
    let file = Arc::new(File::open(&context, &path).unwrap());
    let view = file.entry("fc1.weight").unwrap().view().unwrap();
    let tensor = Arc::new(QuantizedTensor::quantize(&context, &config, &view).unwrap());
    let expected = tensor.dequantize(&context).unwrap();

    let threads: Vec<_> = (0..4)
        .map(|_| {
            let (context, config) = (Arc::clone(&context), Arc::clone(&config));
            let (file, tensor) = (Arc::clone(&file), Arc::clone(&tensor));
            let expected = expected.clone();
            thread::spawn(move || {
                for _ in 0..8 {
                    let view = file.entry("fc1.weight").unwrap().view().unwrap();
                    let own = QuantizedTensor::quantize(&context, &config, &view).unwrap();
                    assert_eq!(own.codes(), tensor.codes());
                    assert_eq!(tensor.dequantize(&context).unwrap(), expected);
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
}
