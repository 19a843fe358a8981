//! All cases of the vectors of optimisation that every language shares.

mod common;

use bitnet_quant::{no_progress, ArrayView, Context, Optimizer, Part};
use common::cases;
use common::json::{bits, config, float_bits, floats, integers, number, shape, text};
use serde_json::Value;

fn check(case: &Value, context: &Context) {
    let name = text(&case["name"]);
    let config = config(&case["config"]).expect(name);
    let options = case["options"].as_object().expect("options").iter();
    let mut optimizer = options
        .fold(Optimizer::builder(), |builder, (option, value)| {
            builder.set(option, text(value))
        })
        .build()
        .expect(name);
    if let Some(importance) = case.get("importance") {
        optimizer.set_importance(&floats(importance)).expect(name);
    }
    let (input, dimensions) = (floats(&case["input"]), shape(&case["shape"]));
    let array = ArrayView::new(&input, &dimensions).unwrap();
    let given = &case["activations"];
    let inputs = given
        .as_object()
        .map(|_| (floats(&given["input"]), shape(&given["shape"])));
    let inputs = inputs
        .as_ref()
        .map(|(values, shape)| ArrayView::new(values, shape).unwrap());
    let found = optimizer
        .optimize(context, &config, &array, inputs.as_ref(), no_progress)
        .expect(name);

    let codes: Vec<i8> = integers(&case["codes"]);
    assert_eq!(found.tensor.unpack(context).unwrap(), codes, "{}", name);
    let scales = found.tensor.scales();
    assert_eq!(bits(&scales), float_bits(&case["scales"]), "{}", name);
    let zero_points: Vec<i8> = integers(&case["zero_points"]);
    assert_eq!(found.tensor.zero_points(), zero_points, "{}", name);
    let expected = float_bits(&case["input_scales"]);
    assert_eq!(bits(&found.input_scales), expected, "{}", name);
    let attached = found.tensor.part(Part::InputScales).bytes;
    let words = attached
        .chunks(4)
        .map(|word| u32::from_ne_bytes(word.try_into().unwrap()));
    assert_eq!(
        words.collect::<Vec<u32>>(),
        float_bits(&case["attached"]),
        "{}",
        name
    );
    let figures = case["figures"].as_object().expect("figures");
    let mut seen = 0;
    for (figure, value) in found.figures.named() {
        if let Some(expected) = figures.get(figure).map(number) {
            let off = (value - expected).abs();
            assert!(off <= 1e-9 * expected, "{}: {} = {}", name, figure, value);
            seen += 1;
        }
    }
    assert_eq!(seen, figures.len(), "{}", name);
}

#[test]
fn optimization() {
    for threads in [1, 3] {
        let context = Context::with_threads(threads).unwrap();
        for case in cases("optimization.json") {
            check(&case, &context);
        }
    }
}
