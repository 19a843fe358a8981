//! Parameters from a search: options, methods on a real layer, metrics of the caller's.

mod common;

use bitnet_quant::{
    no_progress, optimization_options, ArrayView, Config, Context, Error, File, Objective,
    OptimizationMethod, OptimizationOption, OptimizationScope, Optimized, Optimizer, OptionValue,
    QuantizedTensor, Result,
};
use common::{refused, weights};
use std::fmt;
use std::ops::ControlFlow;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::path::Path;
use std::thread;

fn config(text: &str) -> Config {
    text.parse().unwrap()
}

fn optimizer(method: OptimizationMethod) -> Optimizer {
    Optimizer::builder().method(method).build().unwrap()
}

/// The first layer of the digits network and its inputs, the images of the test set.
struct Layer {
    weights: Vec<f32>,
    inputs: Vec<f32>,
}

const OUTPUTS: usize = 128;
const INPUTS: usize = 64;

impl Layer {
    fn new() -> Layer {
        let context = Context::new();
        let models = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../tests/models");
        let open = |name| File::open(&context, Path::new(models).join(name)).unwrap();
        let pixels: Vec<u8> = open("digits_test.safetensors")
            .entry("images")
            .unwrap()
            .read(&context)
            .unwrap();
        Layer {
            weights: open("digits.safetensors")
                .entry("layers.0.weight")
                .unwrap()
                .read(&context)
                .unwrap(),
            inputs: pixels
                .iter()
                .map(|&pixel| f32::from(pixel) / 16.0)
                .collect(),
        }
    }

    fn weights(&self) -> ArrayView<'_> {
        ArrayView::new(&self.weights, &[OUTPUTS, INPUTS]).unwrap()
    }

    fn inputs(&self) -> ArrayView<'_> {
        ArrayView::new(&self.inputs, &[self.inputs.len() / INPUTS, INPUTS]).unwrap()
    }

    /// The mean squared error of the layer's outputs with these weights, whose inputs are
    /// divided by `scales`.
    fn output_error(&self, restored: &[f32], scales: &[f32]) -> f64 {
        let (mut sum, mut count) = (0.0, 0.0);
        for x in self.inputs.chunks(INPUTS) {
            for (w, v) in self.weights.chunks(INPUTS).zip(restored.chunks(INPUTS)) {
                let terms = x.iter().zip(w).zip(v).zip(scales).map(|(((x, w), v), s)| {
                    f64::from(*x) * (f64::from(*w) - f64::from(*v) / f64::from(*s))
                });
                sum += terms.sum::<f64>().powi(2);
                count += 1.0;
            }
        }
        sum / count
    }
}

#[test]
fn options_and_their_bounds() {
    let defaults = Optimizer::new().unwrap();
    let options = optimization_options();
    for option in [
        OptimizationOption::METHOD,
        OptimizationOption::OBJECTIVE,
        OptimizationOption::SCOPE,
        OptimizationOption::STEPS,
        OptimizationOption::MIN_RATIO,
        OptimizationOption::REFINEMENTS,
        OptimizationOption::ZERO_POINT_STEPS,
        OptimizationOption::BINS,
        OptimizationOption::ITERATIONS,
        OptimizationOption::LEARNING_RATE,
        OptimizationOption::BETA,
        OptimizationOption::NORM,
        OptimizationOption::KAPPA,
        OptimizationOption::DAMPING,
        OptimizationOption::BLOCK,
        OptimizationOption::ACT_ORDER,
        OptimizationOption::RATIOS,
        OptimizationOption::ATTACH_INPUT_SCALES,
    ] {
        assert!(options.contains(&option), "{:?}", option);
    }
    for option in options {
        assert_eq!(option.name().parse::<OptimizationOption>().unwrap(), option);
        let bounds = option.bounds().unwrap();
        assert_eq!(
            defaults.get(option).unwrap(),
            bounds.default,
            "{:?}",
            option
        );
        let named = option.value_name(bounds.max).map(str::to_string);
        for text in named.into_iter().chain([bounds.max.to_string()]) {
            let optimizer = Optimizer::builder()
                .set(option.name(), text)
                .build()
                .unwrap();
            assert_eq!(optimizer.get(option).unwrap(), bounds.max, "{:?}", option);
        }
    }
    for method in OptimizationMethod::ALL {
        assert_eq!(
            method.to_string().parse::<OptimizationMethod>().unwrap(),
            *method
        );
    }
    assert_eq!(OptimizationMethod::Gptq.to_string(), "gptq");
    assert_eq!("kl".parse::<Objective>().unwrap(), Objective::Kl);
    refused("best".parse::<OptimizationMethod>(), &["best", "hqq"]);
    refused(Optimizer::builder().steps(0).beta(-1.0).build(), &["steps"]);
}

#[test]
fn every_setter_sets_its_option() {
    let optimizer = Optimizer::builder()
        .method(OptimizationMethod::Awq)
        .objective(Objective::Cosine)
        .scope(OptimizationScope::Tensor)
        .steps(7)
        .min_ratio(0.25)
        .refinements(3)
        .zero_point_steps(9)
        .bins(128)
        .iterations(11)
        .learning_rate(0.125)
        .beta(4.0)
        .norm(0.5)
        .kappa(1.25)
        .damping(0.75)
        .block(17)
        .act_order(true)
        .ratios(13)
        .attach_input_scales(true)
        .build()
        .unwrap();
    let copy = optimizer.to_builder().steps(8).build().unwrap();
    assert_eq!(
        copy.get(OptimizationOption::STEPS).unwrap(),
        OptionValue::Int(8)
    );
    assert_eq!(optimizer.method().unwrap(), OptimizationMethod::Awq);
    for (name, value) in [
        ("objective", Objective::Cosine.into()),
        ("scope", OptimizationScope::Tensor.into()),
        ("steps", OptionValue::Int(7)),
        ("min_ratio", OptionValue::Float(0.25)),
        ("refinements", OptionValue::Int(3)),
        ("zero_point_steps", OptionValue::Int(9)),
        ("bins", OptionValue::Int(128)),
        ("iterations", OptionValue::Int(11)),
        ("learning_rate", OptionValue::Float(0.125)),
        ("beta", OptionValue::Float(4.0)),
        ("norm", OptionValue::Float(0.5)),
        ("kappa", OptionValue::Float(1.25)),
        ("damping", OptionValue::Float(0.75)),
        ("block", OptionValue::Int(17)),
        ("act_order", OptionValue::Int(1)),
        ("ratios", OptionValue::Int(13)),
        ("attach_input_scales", OptionValue::Int(1)),
    ] {
        let option: OptimizationOption = name.parse().unwrap();
        assert_eq!(optimizer.clone().get(option).unwrap(), value, "{}", name);
    }
    assert!(format!("{:?}", optimizer).contains("awq"));
}

/// Without activations: less error than the plain rule, which the figures tell.
#[test]
fn weights_alone() {
    let context = Context::with_threads(2).unwrap();
    let layer = Layer::new();
    for text in [
        "int4_per_group_32",
        "format=int4,scheme=asymmetric,granularity=channel",
    ] {
        let config = config(text);
        let plain = QuantizedTensor::quantize(&context, &config, &layer.weights()).unwrap();
        let before = plain.compare(&context, &layer.weights()).unwrap().mse;
        for method in ["grid", "gradient", "hqq"] {
            let optimizer = optimizer(method.parse().unwrap());
            let Optimized {
                tensor,
                figures,
                input_scales,
                ..
            } = optimizer
                .optimize(&context, &config, &layer.weights(), None, no_progress)
                .unwrap();
            let after = tensor.compare(&context, &layer.weights()).unwrap().mse;
            assert!(
                after < before,
                "{} {}: {} from {}",
                method,
                text,
                after,
                before
            );
            assert!(
                (figures.mse_before() - before).abs() <= 1e-9 * before,
                "{:?}",
                figures
            );
            assert!(
                (figures.mse_after() - after).abs() <= 1e-9 * before,
                "{:?}",
                figures
            );
            assert!(figures.objective_after() < figures.objective_before());
            assert_eq!(figures.segments() as usize, tensor.scales().len());
            assert!(
                (1..=figures.segments()).contains(&figures.improved()),
                "{:?}",
                figures
            );
            let named: Vec<_> = figures.named().map(|(name, _)| name).collect();
            assert_eq!(named[..2], ["objective_before", "objective_after"]);
            assert_eq!(
                figures.named().last(),
                Some(("improved", figures.improved() as f64))
            );
            assert!(input_scales.is_empty());
        }
    }
}

/// With activations: less error of the layer's outputs, which the figures tell.
#[test]
fn weights_of_a_layer() {
    let context = Context::with_threads(2).unwrap();
    let layer = Layer::new();
    let config = config("int4_per_group_32");
    let plain = QuantizedTensor::quantize(&context, &config, &layer.weights()).unwrap();
    let ones = vec![1.0; INPUTS];
    let before = layer.output_error(&plain.dequantize(&context).unwrap(), &ones);
    let mut scaled = 0;
    for method in ["gradient", "gptq", "awq"] {
        let inputs = layer.inputs();
        let optimized = optimizer(method.parse().unwrap())
            .optimize(
                &context,
                &config,
                &layer.weights(),
                Some(&inputs),
                no_progress,
            )
            .unwrap();
        let restored = optimized.tensor.dequantize(&context).unwrap();
        let after = layer.output_error(&restored, &optimized.input_scales);
        assert!(after < before, "{}: {} from {}", method, after, before);
        let figures = &optimized.figures;
        for (told, found) in [
            (figures.objective_before(), before),
            (figures.objective_after(), after),
        ] {
            assert!(
                (told - found).abs() <= 1e-4 * before,
                "{}: {:?}",
                method,
                figures
            );
        }
        scaled += u32::from(optimized.input_scales != ones);
    }
    assert_eq!(scaled, 1, "awq alone scales the inputs");

    let none = optimizer(OptimizationMethod::Gptq);
    let array = layer.weights();
    refused(
        none.optimize(&context, &config, &array, None, no_progress),
        &["activations", "gptq"],
    );
    let narrow = ArrayView::new(&layer.inputs[..10], &[1, 10]).unwrap();
    refused(
        none.optimize(&context, &config, &array, Some(&narrow), no_progress),
        &["activations", "64"],
    );
    let empty = ArrayView::new::<f32>(&[], &[0, INPUTS]).unwrap();
    let error = none.optimize(&context, &config, &array, Some(&empty), no_progress);
    assert!(matches!(error, Err(Error::NoData(_))), "{:?}", error);
}

#[test]
fn what_cannot_be_optimised() {
    let context = Context::new();
    let values = weights(64);
    let array = ArrayView::new(&values, &[64]).unwrap();
    let grid = Optimizer::new().unwrap();
    for text in ["bf16", "format=int8,rounding=stochastic"] {
        let error = grid.optimize(&context, &config(text), &array, None, no_progress);
        assert!(matches!(error, Err(Error::Unsupported(_))), "{:?}", error);
    }
    let error = optimizer(OptimizationMethod::Hqq).optimize(
        &context,
        &config("nf4"),
        &array,
        None,
        no_progress,
    );
    assert!(matches!(error, Err(Error::Unsupported(_))), "{:?}", error);
    // More columns than there is memory for scales of.
    let none = ArrayView::new::<f32>(&[], &[0, usize::MAX / 2]).unwrap();
    let error = grid.optimize(&context, &config("nf4"), &none, Some(&array), no_progress);
    assert!(matches!(error, Err(Error::OutOfMemory(_))), "{:?}", error);

    let stop = |_: &bitnet_quant::Progress<'_>| ControlFlow::Break(());
    let error = grid.optimize(&context, &config("nf4"), &array, None, stop);
    assert!(matches!(error, Err(Error::Cancelled(_))), "{:?}", error);
    let payload = catch_unwind(AssertUnwindSafe(|| {
        grid.optimize(&context, &config("nf4"), &array, None, |_| panic!("enough"))
    }));
    let payload = payload.unwrap_err();
    assert_eq!(payload.downcast_ref::<&str>(), Some(&"enough"));
}

fn squares(original: &[f32], dequantized: &[f32]) -> Result<f64> {
    let errors = original.iter().zip(dequantized);
    let squares = errors.map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2));
    Ok(squares.sum::<f64>() / original.len() as f64)
}

/// The caller's own squared error finds what the library's finds.
#[test]
fn a_metric_of_the_callers() {
    let context = Context::with_threads(3).unwrap();
    let layer = Layer::new();
    let (config, array) = (config("int4_per_group_32"), layer.weights());
    let optimizer = Optimizer::new().unwrap();
    let own = optimizer
        .optimize(&context, &config, &array, None, no_progress)
        .unwrap();
    let this = thread::current().id();
    let (mut calls, mut values) = (0, 0);
    let by = optimizer
        .optimize_by(&context, &config, &array, no_progress, |a, b| {
            assert_eq!(thread::current().id(), this);
            assert_eq!(a.len(), b.len());
            calls += 1;
            values = values.max(a.len());
            squares(a, b)
        })
        .unwrap();
    assert_eq!(by.tensor.codes(), own.tensor.codes());
    assert_eq!(by.tensor.scales(), own.tensor.scales());
    assert!(calls > 10 * own.figures.segments(), "{}", calls);
    assert_eq!(values, 32);
    let (told, found) = (by.figures.objective_after(), own.figures.mse_after());
    assert!(
        (told - found).abs() <= 1e-9 * found,
        "{} for {}",
        told,
        found
    );

    // Of the whole array, with one ratio for all.
    let whole = Optimizer::builder()
        .scope(OptimizationScope::Tensor)
        .build()
        .unwrap();
    let mut first = Vec::new();
    whole
        .optimize_by(&context, &config, &array, no_progress, |a, b| {
            first = a.to_vec();
            squares(a, b)
        })
        .unwrap();
    assert_eq!(first, layer.weights);

    // Nothing of a metric is left: the objective is that of the options again.
    let again = optimizer.optimize(&context, &config, &array, None, no_progress);
    assert_eq!(again.unwrap().tensor.codes(), own.tensor.codes());
    let custom = optimizer
        .to_builder()
        .objective(Objective::Custom)
        .build()
        .unwrap();
    let error = custom.optimize(&context, &config, &array, None, no_progress);
    refused(error, &["metric"]);
}

/// An error type of a program's own.
#[derive(Debug)]
enum Failure {
    Mine(Box<dyn fmt::Debug>),
    Library(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure::Library(error)
    }
}

#[test]
fn what_a_metric_fails_with_comes_back() {
    let context = Context::with_threads(2).unwrap();
    let values = weights(4 * 64);
    let array = ArrayView::new(&values, &[4, 64]).unwrap();
    let (config, optimizer) = (config("int4_per_group_32"), Optimizer::new().unwrap());

    let mut calls = 0;
    let result = optimizer.optimize_by(&context, &config, &array, no_progress, |a, b| {
        calls += 1;
        match calls {
            5 => Err(Failure::Mine(Box::new(vec![5, 55]))),
            _ => squares(a, b).map_err(Failure::from),
        }
    });
    match result.unwrap_err() {
        Failure::Mine(own) => assert_eq!(format!("{:?}", own), "[5, 55]"),
        other => panic!("{:?}", other),
    }
    assert_eq!(calls, 5, "called again after it failed");

    calls = 0;
    let payload = catch_unwind(AssertUnwindSafe(|| {
        optimizer.optimize_by(&context, &config, &array, no_progress, |a, b| {
            calls += 1;
            if calls == 3 {
                std::panic::panic_any(String::from("out of metrics"));
            }
            squares(a, b)
        })
    }))
    .unwrap_err();
    assert_eq!(payload.downcast_ref::<String>().unwrap(), "out of metrics");
    assert_eq!(calls, 3);

    // The library's own errors, of this and of calls within the metric.
    let nan = |_: &[f32], _: &[f32]| -> Result<f64, Failure> { Ok(f64::NAN) };
    match optimizer
        .optimize_by(&context, &config, &array, no_progress, nan)
        .unwrap_err()
    {
        Failure::Library(Error::InvalidArgument(text)) => {
            assert!(text.contains("metric"), "{}", text)
        }
        other => panic!("{:?}", other),
    }
    let inner = |_: &[f32], _: &[f32]| File::open(&Context::new(), "no such file").map(|_| 0.0);
    let error = optimizer.optimize_by(&context, &config, &array, no_progress, inner);
    assert!(matches!(error, Err(Error::NotFound(_))), "{:?}", error);
    let stop = |_: &bitnet_quant::Progress<'_>| ControlFlow::Break(());
    let error = optimizer.optimize_by(&context, &config, &array, stop, squares);
    assert!(matches!(error, Err(Error::Cancelled(_))), "{:?}", error);

    // A whole optimisation within a metric, which panics, disturbs nothing.
    let mut nested = 0;
    let result = optimizer.optimize_by(&context, &config, &array, no_progress, |a, b| {
        if nested == 0 {
            nested += 1;
            let inside = catch_unwind(|| {
                let panics = |_: &[f32], _: &[f32]| -> Result<f64> { panic!("inside") };
                let context = Context::new();
                let array = ArrayView::new(&[1.0f32, 2.0], &[2]).unwrap();
                let optimizer = Optimizer::new().unwrap();
                let config = "int8_symmetric".parse().unwrap();
                optimizer
                    .optimize_by(&context, &config, &array, no_progress, panics)
                    .is_ok()
            });
            assert!(inside.is_err());
        }
        squares(a, b)
    });
    let own = optimizer
        .optimize(&context, &config, &array, None, no_progress)
        .unwrap();
    assert_eq!(result.unwrap().tensor.codes(), own.tensor.codes());
}
