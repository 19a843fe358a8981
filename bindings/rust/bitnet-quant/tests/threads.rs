//! What may be moved to and shared with other threads: exactly what the section
//! "Threads" of `bnq.h` permits. That `Writer` is not `Sync` is tested by its
//! documentation.

mod common;

use bitnet_quant::{
    AdaptiveActivationQuantizer, AllocateOptions, Allocation, AllocationRow, AnalyzeOptions,
    ArrayView, BitNetQuantizer, Budget, Calibration, CalibrationDataset, CalibrationMethod,
    CalibrationOption, Calibrator, CalibratorBuilder, CalibratorRef, Config, ConfigBuilder,
    Context, Convolution, DType, Entry, Error, ErrorHistogram, Estimate, Figures, File, Format,
    Histogram, HybridMemoryPool, LayerKind, Linear, MatrixView, Metrics, MixedPrecision,
    MixedPrecisionQuantizer, Operator, OperatorBuilder, OptimizationOption, Optimized, Optimizer,
    OptimizerBuilder, Outliers, Output, Plan, PlanMatch, PostTrainingQuantization, Progress,
    QuantParams, QuantizedOutput, QuantizedTensor, Recipes, Report, Row, Sensitivity, Statistics,
    Tensor, TensorSensitivity, ValueRange, Workspace, WriteOptions, Writer,
};
use std::ops::ControlFlow;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, Ordering};
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
        HybridMemoryPool, Tensor, BitNetQuantizer, MixedPrecisionQuantizer,
        QuantizedTensor, File, Entry<'static>, Report, Row<'static>,
        Config, ConfigBuilder, Plan, PlanMatch, Context, Outliers<'static>,
        ArrayView<'static>, Output<'static>, QuantizedOutput<'static>, DType, Format, Metrics,
        Progress<'static>,
        WriteOptions, Error, Calibrator, CalibratorBuilder, Calibration, CalibratorRef<'static>,
        CalibrationDataset<'static>, CalibrationMethod, CalibrationOption, Statistics, Histogram,
        QuantParams, ValueRange, AdaptiveActivationQuantizer, PostTrainingQuantization,
        ErrorHistogram, Optimizer, OptimizerBuilder, OptimizationOption, Optimized, Figures,
        Operator, OperatorBuilder, Linear, Convolution, Workspace, MatrixView<'static>,
        Recipes, LayerKind, MixedPrecision, Sensitivity, TensorSensitivity, Allocation,
        AllocationRow, AnalyzeOptions<'static>, AllocateOptions<'static>, Budget, Estimate,
    }
}

#[test]
fn an_interrupt_ends_what_has_no_progress() {
    let values = vec![1.0f32; 1 << 20];
    let array = ArrayView::new(&values, &[1 << 20]).unwrap();
    let config: Config = "int8_symmetric".parse().unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let mut context = Context::with_threads(2).unwrap();
    let asked = stop.clone();
    context
        .set_interrupt(move || match asked.load(Ordering::Relaxed) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        })
        .unwrap();
    QuantizedTensor::quantize(&context, &config, &array).unwrap();
    stop.store(true, Ordering::Relaxed);
    let error = loop {
        if let Err(error) = QuantizedTensor::quantize(&context, &config, &array) {
            break error;
        }
    };
    assert!(matches!(error, Error::Cancelled(_)), "{}", error);
    context.set_interrupt(|| panic!("mine")).unwrap();
    let run = || loop {
        let _ = QuantizedTensor::quantize(&context, &config, &array);
    };
    let payload = catch_unwind(AssertUnwindSafe(run)).unwrap_err();
    assert_eq!(payload.downcast_ref::<&str>(), Some(&"mine"));
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

/// Calibrators of one set that nobody changes, asked by many threads.
#[test]
fn calibrators_are_shared_while_they_are_read() {
    let context = Context::with_threads(2).unwrap();
    let prototype = Calibrator::builder().method(CalibrationMethod::Mse);
    let mut set = Calibration::with_prototype(&prototype.build().unwrap()).unwrap();
    let values = common::weights(3000);
    for name in ["a", "b"] {
        let array = ArrayView::new(&values, &[3000]).unwrap();
        set.observe(&context, name, &array).unwrap();
    }
    let expected = set.get("a").unwrap().range(&context).unwrap();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for (_, calibrator) in set.iter() {
                    assert_eq!(calibrator.range(&context).unwrap(), expected);
                    let own = calibrator.clone();
                    assert_eq!(
                        own.to_bytes(&context).unwrap(),
                        calibrator.to_bytes(&context).unwrap()
                    );
                }
            });
        }
    });
}
