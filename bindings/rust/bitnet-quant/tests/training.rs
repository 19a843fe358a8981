//! Fake quantization, its gradients and schedules, through safe Rust.

mod common;

use bitnet_quant::training::{
    phase_options, training_options, DrawnBy, Estimator, FakeQuantizer, Noise, Phase, PhaseOption,
    Schedule, Training, TrainingOption, TrainingStatistics,
};
use bitnet_quant::{
    ArrayView, Config, Context, DType, Error, Format, Granularity, OptionValue, Output,
    QuantParams, QuantizedTensor,
};
use common::{refused, weights};
use std::ops::ControlFlow;
use std::thread;

const SHAPE: [usize; 2] = [6, 96];

fn config(text: &str) -> Config {
    text.parse().unwrap()
}

fn quantizer(text: &str) -> FakeQuantizer {
    FakeQuantizer::new(config(text))
}

fn array<'a>(values: &'a [f32], shape: &[usize]) -> ArrayView<'a> {
    ArrayView::new(values, shape).unwrap()
}

#[test]
fn values_are_those_of_a_tensor() {
    let (context, values) = (Context::with_threads(3).unwrap(), weights(6 * 96));
    let x = array(&values, &SHAPE);
    for text in [
        "int4,granularity=group,group_size=32",
        "int8_asymmetric",
        "int4,granularity=group,group_size=32,scheme=offset",
        "ternary",
        "nf4",
        "f16",
    ] {
        let tensor = QuantizedTensor::quantize(&context, &config(text), &x).unwrap();
        let measured = quantizer(text)
            .quantize_and_measure(&context, &x, None)
            .unwrap();
        let expected = tensor.dequantize(&context).unwrap();
        assert_eq!(measured.fake.values, expected, "{}", text);
        let count = quantizer(text).param_count(&SHAPE).unwrap();
        assert_eq!(measured.fake.params.scales.len(), count, "{}", text);
        let clipped = measured.clipped.iter().filter(|&&c| c).count();
        assert_eq!(measured.clipped_count, clipped as u64, "{}", text);
        assert_eq!(clipped > 0, text == "ternary", "{}", text);
        assert_eq!(measured.metrics, tensor.compare(&context, &x).unwrap());
        // In place, and with what was found.
        let given = (count > 0).then_some(&measured.fake.params);
        let mut own = values.clone();
        quantizer(text)
            .quantize_in_place(&context, &mut own, &SHAPE, given)
            .unwrap();
        assert_eq!(own, expected, "{}", text);
    }
}

#[test]
fn outputs_of_half_precision() {
    let (context, values) = (Context::new(), weights(6 * 96));
    let x = array(&values, &SHAPE);
    let (mut fake, mut expected) = (vec![0u16; values.len()], vec![0u16; values.len()]);
    let output = Output::from_bits(&mut fake, DType::BF16).unwrap();
    quantizer("int4")
        .quantize_into(&context, &x, None, output)
        .unwrap();
    QuantizedTensor::quantize(&context, &config("int4"), &x)
        .unwrap()
        .dequantize_into(
            &context,
            Output::from_bits(&mut expected, DType::BF16).unwrap(),
        )
        .unwrap();
    assert_eq!(fake, expected);
}

#[test]
fn bad_arguments_are_named() {
    let (context, values) = (Context::new(), weights(6 * 96));
    let x = array(&values, &SHAPE);
    let asymmetric = quantizer("int8,granularity=channel,scheme=asymmetric");
    let mut params = asymmetric.quantize(&context, &x, None).unwrap().params;
    params.zero_points.pop();
    refused(
        asymmetric.quantize(&context, &x, Some(&params)),
        &["zero_points", "5", "6"],
    );
    refused(
        asymmetric.gradient(&context, &x, &x, &params),
        &["zero_points"],
    );
    params.scales.pop();
    refused(
        asymmetric.quantize(&context, &x, Some(&params)),
        &["param_count", "5"],
    );
    refused(
        asymmetric.gradient(&context, &x, &x, &params),
        &["param_count"],
    );
    let none = QuantParams {
        zero_points: Vec::new(),
        scales: vec![1.0; 6],
        offsets: Vec::new(),
    };
    refused(asymmetric.quantize(&context, &x, Some(&none)), &["zero"]);
    refused(
        asymmetric.quantize_into(&context, &x, None, &mut vec![0f32; 5]),
        &["out", "5", "576"],
    );
    refused(
        asymmetric.quantize_in_place(&context, &mut [0.0; 5], &SHAPE, None),
        &["values", "5", "576"],
    );
    refused(
        asymmetric.gradient_in_place(&context, &x, &mut [0.0; 5], &none),
        &["dy", "5", "576"],
    );
    refused(
        Training::builder().temperature(2.0).build(),
        &["temperature"],
    );
    refused(asymmetric.range_params(1.0, -1.0), &["-1"]);
    match asymmetric.quantize(&context, &array(&[f32::NAN], &[1, 1]), None) {
        Err(Error::NonFinite(_)) => {}
        other => panic!("{:?}", other),
    }
}

/// The goldens of PyTorch's learnable fake quantization.
#[test]
fn gradients_of_learned_parameters() {
    let context = Context::new();
    let quantizer = quantizer("int8,granularity=channel,scheme=asymmetric");
    let params = QuantParams {
        scales: vec![0.25],
        zero_points: vec![0],
        offsets: Vec::new(),
    };
    let x = array(&[0.3, 40.0, -40.0], &[1, 3]);
    for (i, slope) in [-0.2f32, 127.0, -128.0].into_iter().enumerate() {
        let mut dy = [0.0f32; 3];
        dy[i] = 1.0;
        let gradients = quantizer
            .gradient(&context, &x, &array(&dy, &[1, 3]), &params)
            .unwrap();
        assert!((gradients.params.scales[0] - slope).abs() < 1e-6);
        assert_eq!(gradients.params.shifts, [if i == 0 { 0.0 } else { -0.25 }]);
        assert_eq!(gradients.x[i], if i == 0 { 1.0 } else { 0.0 });
        let end = |at| f32::from(u8::from(at == i));
        assert_eq!(gradients.params.ends, [[end(2), end(1)]]);
        // In the place of dy.
        let in_place = quantizer.gradient_in_place(&context, &x, &mut dy, &params);
        assert_eq!(in_place.unwrap(), gradients.params);
        assert_eq!(dy[..], gradients.x[..]);
    }
}

/// int8 codes to 127: of scale 1, 200 is clipped by 73.
#[test]
fn gradients_of_every_estimator() {
    let context = Context::new();
    let params = QuantParams {
        scales: vec![1.0],
        zero_points: Vec::new(),
        offsets: Vec::new(),
    };
    let (x, dy) = ([0.0f32, 200.0], [2.0f32, 4.0]);
    let (x, dy) = (array(&x, &[2]), array(&dy, &[2]));
    for &estimator in Estimator::ALL {
        let training = Training::builder()
            .estimator(estimator)
            .slope(0.5)
            .width(1.0);
        let gradients = quantizer("int8,granularity=tensor")
            .with_training(training.build().unwrap())
            .gradient(&context, &x, &dy, &params)
            .unwrap();
        assert_eq!(gradients.x[0], 2.0, "{}", estimator);
        match estimator {
            Estimator::StraightThrough => assert_eq!(gradients.x[1], 4.0),
            Estimator::Soft => {
                let expected = 4.0 * (1.0 - (200.0f64 / 127.0).tanh().powi(2));
                assert!((f64::from(gradients.x[1]) - expected).abs() < 1e-6);
            }
            Estimator::Slope => {
                assert_eq!(gradients.x[1], 2.0);
                assert_eq!(gradients.params.slope, 4.0 * 73.0);
            }
            _ => assert_eq!(gradients.x[1], 0.0),
        }
    }
}

#[test]
fn pact_clips_at_the_range() {
    let context = Context::new();
    let values: Vec<f32> = weights(64).iter().map(|v| v.abs() + 0.25).collect();
    let level = 0.75;
    let x = array(&values, &[64]);
    let quantizer = quantizer("int4,granularity=tensor,scheme=asymmetric");
    let params = quantizer.range_params(0.0, level).unwrap();
    let measured = quantizer
        .quantize_and_measure(&context, &x, Some(&params))
        .unwrap();
    let greatest = measured.fake.values.iter().fold(0f32, |a, &b| a.max(b));
    assert!((greatest - level).abs() < 1e-6 && measured.clipped_count > 0);
    let gradients = quantizer
        .gradient(&context, &x, &array(&[1.0; 64], &[64]), &params)
        .unwrap();
    assert_eq!(
        gradients.params.ends,
        [[0.0, measured.clipped_count as f32]]
    );
}

#[test]
fn noise_and_probability_are_drawn_by_the_seed() {
    let values = weights(6 * 96);
    let x = array(&values, &SHAPE);
    let run = |training: &Training, threads| {
        let training = training.to_builder().build().unwrap();
        quantizer("int4")
            .with_training(training)
            .quantize(&Context::with_threads(threads).unwrap(), &x, None)
            .unwrap()
    };
    let hard = run(&Training::new().unwrap(), 1).values;
    for &noise in Noise::ALL {
        let with = |seed| {
            Training::builder()
                .noise(noise, 1.0)
                .seed(seed)
                .build()
                .unwrap()
        };
        let first = run(&with(1), 1).values;
        assert_eq!(run(&with(1), 3).values, first);
        assert_eq!(run(&with(2), 1).values == first, noise == Noise::None);
        assert_eq!(first == hard, noise == Noise::None);
    }
    let never = Training::builder().probability(0.0, DrawnBy::Layer);
    assert_eq!(run(&never.build().unwrap(), 1).values, values);
    let soft = Training::builder().temperature(1.0).build().unwrap();
    assert_eq!(run(&soft, 1).values, values);
    let half = Training::builder().probability(0.5, DrawnBy::Element);
    let half = run(&half.build().unwrap(), 1).values;
    let kept = half.iter().zip(&values).filter(|(a, b)| a == b).count();
    assert!((200..400).contains(&kept), "{}", kept);
    assert!(half
        .iter()
        .zip(values.iter().zip(&hard))
        .all(|(y, (x, q))| y == x || y == q));
}

#[test]
fn options_are_those_of_the_library() {
    let training = Training::builder()
        .estimator(Estimator::Slope)
        .slope(0.5)
        .gradient_factor(true)
        .set("noise", "gaussian")
        .build()
        .unwrap();
    let copy = training.to_builder().build().unwrap();
    for option in training_options() {
        assert_eq!(copy.get(option).unwrap(), training.get(option).unwrap());
    }
    assert_eq!(
        training.get(TrainingOption::SLOPE).unwrap(),
        OptionValue::Float(0.5)
    );
    assert_eq!("soft".parse::<Estimator>().unwrap(), Estimator::Soft);
    assert!(format!("{:?}", training).contains("noise: gaussian"));
    let phase = Phase::builder()
        .bits(4.0)
        .set("patience", 3)
        .build()
        .unwrap();
    assert_eq!(
        phase.get(PhaseOption::PATIENCE).unwrap(),
        OptionValue::Int(3)
    );
    assert!(phase_options().contains(&PhaseOption::LAYERS_END));
    match Training::builder().set("slop", 1).build() {
        Err(Error::NotFound(message)) => assert!(message.contains("slop"), "{}", message),
        other => panic!("{:?}", other),
    }
}

#[test]
fn a_schedule_goes_through_its_phases_and_on_where_it_was_left() {
    let mut schedule = Schedule::new(&[
        Phase::builder().bits(8.0).steps(2).build().unwrap(),
        Phase::builder().bits(4.0).patience(1).build().unwrap(),
        Phase::builder()
            .bits(1.58)
            .steps(5)
            .layers(0.5, 1.0)
            .temperature(1.0, 0.0)
            .build()
            .unwrap(),
        Phase::builder().bits(1.0).max_error(0.1).build().unwrap(),
    ])
    .unwrap();
    let training = Training::builder()
        .estimator(Estimator::Soft)
        .build()
        .unwrap();
    let own = quantizer("int8,granularity=group,group_size=64").with_training(training);
    let now = schedule.apply(&own, 0, 1).unwrap().unwrap();
    assert_eq!(now.config().format().unwrap(), Format::INT8);
    assert_eq!(now.config().group_size().unwrap(), 64);
    assert_eq!(schedule.state().unwrap().best_loss, None);
    assert!(!schedule.step(Some(1.0), None).unwrap());
    assert!(schedule.step(Some(1.0), None).unwrap());
    assert!(!schedule.step(Some(1.0), None).unwrap());
    let state = schedule.state().unwrap();
    assert_eq!((state.phase, state.step, state.bits), (1, 3, 4.0));
    assert_eq!(state.best_loss, Some(1.0));

    let bytes = schedule.to_bytes().unwrap();
    let mut schedule = Schedule::from_bytes(&bytes).unwrap();
    assert_eq!(schedule.to_bytes().unwrap(), bytes);
    assert_eq!(schedule.state().unwrap(), state);
    assert!(schedule.step(Some(1.5), None).unwrap());
    for step in 0..5 {
        let now = schedule.apply(&own, 0, 2).unwrap().unwrap();
        assert_eq!(now.config().format().unwrap(), Format::TERNARY);
        assert_eq!(now.config().granularity().unwrap(), Granularity::Group);
        let training = now.training().unwrap();
        let temperature = training.get(TrainingOption::TEMPERATURE).unwrap();
        assert_eq!(temperature, OptionValue::Float(1.0 - f64::from(step) / 4.0));
        let estimator = training.get(TrainingOption::ESTIMATOR).unwrap();
        assert_eq!(estimator, Estimator::Soft.into());
        let second = schedule.apply(&own, 1, 2).unwrap();
        assert_eq!(second.is_some(), step > 0);
        assert_eq!(schedule.step(None, None).unwrap(), step == 4);
    }
    // What is given stays as it was.
    assert_eq!(own.config().format().unwrap(), Format::INT8);
    assert!(!schedule.step(None, Some(0.2)).unwrap());
    assert!(schedule.step(None, Some(0.1)).unwrap());
    assert!(schedule.state().unwrap().done);

    refused(schedule.apply(&own, 2, 2), &["layer"]);
    refused(schedule.step(Some(f64::INFINITY), None), &["loss"]);
    refused(Schedule::new(&[]), &["phases"]);
    let endless = || Phase::builder().build().unwrap();
    refused(Schedule::new(&[endless(), endless()]), &["phase 0"]);
    for bytes in [&b"BNQS and nothing else"[..], &[]] {
        match Schedule::from_bytes(bytes) {
            Err(Error::CorruptFile(_)) => {}
            other => panic!("{:?}", other),
        }
    }
}

#[test]
fn statistics_are_of_all_steps_in_any_order() {
    let (context, values) = (Context::new(), weights(6 * 96));
    let (mut one, mut other) = (
        TrainingStatistics::new().unwrap(),
        TrainingStatistics::new().unwrap(),
    );
    assert!(one.summary().unwrap().mse.is_nan());
    let measured = ["int4", "ternary", "int8"].map(|text| {
        let x = array(&values, &SHAPE);
        for statistics in [&mut one, &mut other] {
            quantizer(text)
                .quantize_and_record(&context, &x, None, statistics)
                .unwrap();
        }
        quantizer(text)
            .quantize_and_measure(&context, &x, None)
            .unwrap()
    });
    let summary = one.summary().unwrap();
    assert_eq!((summary.steps, summary.elements), (3, 3 * 6 * 96));
    let clipped: u64 = measured.iter().map(|each| each.clipped_count).sum();
    assert_eq!(summary.clipped, clipped);
    let mse = measured.iter().map(|each| each.metrics.mse).sum::<f64>() / 3.0;
    assert!((summary.mse - mse).abs() < 1e-12 * mse);
    let bytes = one.to_bytes().unwrap();
    one.merge(&other).unwrap();
    other
        .merge(&TrainingStatistics::from_bytes(&bytes).unwrap())
        .unwrap();
    assert_eq!(one.to_bytes().unwrap(), other.to_bytes().unwrap());
    assert_eq!(one.summary().unwrap().mse, summary.mse);
    match TrainingStatistics::from_bytes(&bytes[1..]) {
        Err(Error::CorruptFile(_)) => {}
        other => panic!("{:?}", other),
    }
}

#[test]
fn one_is_used_by_several_threads_and_cancelled() {
    let values = weights(6 * 96);
    let shared = quantizer("int4");
    let expected = shared
        .quantize(&Context::new(), &array(&values, &SHAPE), None)
        .unwrap();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let x = array(&values, &SHAPE);
                assert_eq!(
                    shared.quantize(&Context::new(), &x, None).unwrap(),
                    expected
                );
            });
        }
    });
    let mut context = Context::new();
    context.set_interrupt(|| ControlFlow::Break(())).unwrap();
    let large = vec![0.5f32; 1 << 20];
    match shared.quantize(&context, &array(&large, &[1 << 10, 1 << 10]), None) {
        Err(Error::Cancelled(_)) => {}
        other => panic!("{:?}", other.map(|fake| fake.values.len())),
    }
}
