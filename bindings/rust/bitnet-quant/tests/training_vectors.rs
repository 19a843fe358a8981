//! training.json and schedules.json, which the tests of every language share.

mod common;

use bitnet_quant::training::{FakeQuantizer, Phase, Schedule, ScheduleState, Training};
use bitnet_quant::{ArrayView, Context, Error, QuantParams};
use common::cases;
use common::json::{bits, config, float_bits, floats, integers, list, shape, text};
use serde_json::Value;

fn params(case: &Value) -> QuantParams {
    let values = |name: &str| -> Vec<f32> {
        let bits = float_bits(&case[name]);
        bits.into_iter().map(f32::from_bits).collect()
    };
    QuantParams {
        scales: values("scales"),
        zero_points: integers(&case["zero_points"]),
        offsets: values("offsets"),
    }
}

fn quantizer(case: &Value) -> FakeQuantizer {
    let options = case["training"].as_object().expect("options");
    let training = options
        .iter()
        .fold(Training::builder(), |builder, (name, value)| {
            builder.set(name, text(value))
        });
    FakeQuantizer::new(config(&case["config"]).unwrap()).with_training(training.build().unwrap())
}

fn check(context: &Context, case: &Value) {
    let name = text(&case["name"]);
    let (values, dimensions) = (floats(&case["input"]), shape(&case["shape"]));
    let x = ArrayView::new(&values, &dimensions).unwrap();
    let (quantizer, expected) = (quantizer(case), params(case));
    if let Some(range) = case.get("range").map(floats) {
        let found = quantizer.range_params(range[0], range[1]).unwrap();
        assert_eq!(found, expected, "{}", name);
    }
    let given = case["given"].as_bool().unwrap().then_some(&expected);
    let fake = quantizer.quantize(context, &x, given).unwrap();
    assert_eq!(bits(&fake.values), float_bits(&case["values"]), "{}", name);
    assert_eq!(fake.params, expected, "{}", name);
    let measured = quantizer.quantize_and_measure(context, &x, given).unwrap();
    let clipped: Vec<u8> = measured.clipped.iter().map(|&one| one.into()).collect();
    assert_eq!(clipped, integers::<u8>(&case["clipped"]), "{}", name);
    let Some(dy) = case.get("dy").map(floats) else {
        match quantizer.gradient(context, &x, &x, &expected) {
            Err(Error::Unsupported(_)) => return,
            other => panic!("{}: {:?}", name, other),
        }
    };
    let dy = ArrayView::new(&dy, &dimensions).unwrap();
    let found = quantizer.gradient(context, &x, &dy, &expected).unwrap();
    let ends: Vec<f32> = found.params.ends.concat();
    for (member, values) in [
        ("dx", &found.x),
        ("scale_gradients", &found.params.scales),
        ("shift_gradients", &found.params.shifts),
        ("end_gradients", &ends),
    ] {
        let expected = float_bits(&case[member]);
        assert_eq!(bits(values), expected, "{}: {}", name, member);
    }
    let slope = u32::from_str_radix(text(&case["slope_gradient"]), 16).unwrap();
    assert_eq!(found.params.slope.to_bits(), slope, "{}", name);
}

#[test]
fn values_and_gradients() {
    let context = Context::new();
    for case in cases("training.json") {
        check(&context, &case);
    }
}

/// By the names of the vectors.
fn named(state: &ScheduleState) -> [(&'static str, Option<f64>); 10] {
    [
        ("phase", Some(state.phase as f64)),
        ("phase_step", Some(state.phase_step as f64)),
        ("step", Some(state.step as f64)),
        ("bits", Some(state.bits)),
        ("temperature", Some(state.temperature)),
        ("share", Some(state.share)),
        ("layers", Some(state.layers)),
        ("best_loss", state.best_loss),
        ("since_best", Some(state.since_best as f64)),
        ("done", Some(f64::from(u8::from(state.done)))),
    ]
}

fn check_state(schedule: &Schedule, expected: &Value, name: &str) {
    for (member, value) in named(&schedule.state().unwrap()) {
        assert_eq!(value, expected[member].as_f64(), "{}: {}", name, member);
    }
    let base = FakeQuantizer::new("int8".parse().unwrap());
    let formats = list(&expected["formats"]);
    for (layer, format) in formats.iter().enumerate() {
        let now = schedule.apply(&base, layer, formats.len()).unwrap();
        let found = now.map(|now| now.config().format().unwrap().name().to_string());
        assert_eq!(found.as_deref(), format.as_str(), "{}", name);
    }
}

#[test]
fn schedules() {
    for case in cases("schedules.json") {
        let name = text(&case["name"]);
        let phases: Vec<Phase> = list(&case["phases"])
            .iter()
            .map(|options| {
                let options = options.as_object().expect("options");
                let set = options
                    .iter()
                    .fold(Phase::builder(), |phase, (name, value)| {
                        phase.set(name, text(value))
                    });
                set.build().unwrap()
            })
            .collect();
        let mut schedule = Schedule::new(&phases).unwrap();
        let states = list(&case["states"]);
        check_state(&schedule, &states[0], name);
        for (i, step) in list(&case["steps"]).iter().enumerate() {
            let ended = schedule
                .step(step["loss"].as_f64(), step["error"].as_f64())
                .unwrap();
            assert_eq!(Some(ended), case["ended"][i].as_bool(), "{}", name);
            check_state(&schedule, &states[i + 1], name);
        }
    }
}
