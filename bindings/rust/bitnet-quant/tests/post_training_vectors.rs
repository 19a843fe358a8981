//! All cases of the vectors of post-training quantization that every language shares.

mod common;

use bitnet_quant::{
    post_training_quantization, ArrayView, CalibrationDataset, Calibrator, CalibratorBuilder,
    Context, QuantizedTensor,
};
use common::cases;
use common::json::{bits, config, float_bits, floats, integers, list, shape, text};
use serde_json::Value;

fn build(name: &str, builder: CalibratorBuilder) -> Calibrator {
    builder.build().expect(name)
}

/// A calibrator of the options that the case says.
fn by_options(name: &str, options: &Value) -> Calibrator {
    let options = options.as_object().expect("options").iter();
    let set = |builder: CalibratorBuilder, (option, value): (&String, &Value)| {
        builder.set(option, text(value))
    };
    build(name, options.fold(Calibrator::builder(), set))
}

fn check(case: &Value, context: &Context) {
    let name = text(&case["name"]);
    let config = config(&case["config"]).expect(name);
    let chosen = Calibrator::builder_for(&config).expect(name);
    let mut calibrator = build(name, chosen.set("method", text(&case["method"])));
    let expected = by_options(name, &case["calibrator"]);
    assert_eq!(
        calibrator.to_bytes(context).unwrap(),
        expected.to_bytes(context).unwrap(),
        "{}",
        name
    );

    let batches: Vec<(Vec<f32>, Vec<usize>)> = list(&case["batches"])
        .iter()
        .map(|batch| (floats(&batch["input"]), shape(&batch["shape"])))
        .collect();
    let views: Vec<ArrayView<'_>> = batches
        .iter()
        .map(|(input, shape)| ArrayView::new(input, shape).unwrap())
        .collect();
    for view in &views {
        calibrator.observe(context, view).expect(name);
    }
    let weights = ArrayView::new(&[1.0f32, 2.0], &[2]).unwrap();
    let layer = post_training_quantization(
        context,
        &"int8_per_channel".parse().unwrap(),
        &weights,
        &config,
        calibrator.method().unwrap(),
        &CalibrationDataset::from_tensors(views),
    )
    .expect(name);
    let zero_points: Vec<i8> = integers(&case["zero_points"]);
    for params in [
        &layer.activations,
        &calibrator.params(context, &config).unwrap(),
    ] {
        assert_eq!(
            bits(&params.scales),
            float_bits(&case["scales"]),
            "{}",
            name
        );
        assert_eq!(params.zero_points, zero_points, "{}", name);
        assert_eq!(
            bits(&params.offsets),
            float_bits(&case["offsets"]),
            "{}",
            name
        );
    }

    let (input, shape) = (floats(&case["input"]), shape(&case["shape"]));
    let array = ArrayView::new(&input, &shape).unwrap();
    let params = &layer.activations;
    let given = QuantizedTensor::quantize_static_counting(
        context,
        &config,
        &array,
        &params.scales,
        &params.zero_points,
        &params.offsets,
    );
    let calibrated =
        QuantizedTensor::quantize_calibrated_counting(context, &config, &calibrator, &array);
    for found in [given, calibrated] {
        let (tensor, clamped) = found.expect(name);
        let codes: Vec<i8> = integers(&case["codes"]);
        assert_eq!(tensor.unpack(context).unwrap(), codes, "{}", name);
        let values: Vec<f32> = tensor.dequantize(context).unwrap();
        assert_eq!(bits(&values), float_bits(&case["dequantized"]), "{}", name);
        assert_eq!(Some(clamped), case["clamped"].as_u64(), "{}", name);
    }
}

#[test]
fn post_training() {
    for threads in [1, 3] {
        let context = Context::with_threads(threads).unwrap();
        for case in cases("post_training.json") {
            check(&case, &context);
        }
    }
}
