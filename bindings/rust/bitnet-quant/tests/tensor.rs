//! Single tensors: shapes, sizes, data types, lengths that do not fit.

mod common;

use bitnet_quant::{
    compare, pack, quantize_into, ArrayView, Config, ConfigOption, Context, DType, Error, Format,
    Granularity, LogLevel, NonFinite, OptionValue, Output, QuantizedOutput, QuantizedSizes,
    QuantizedTensor, Result, Scheme,
};
use common::weights;
use std::sync::Arc;

fn int8(group: u64) -> Config {
    Config::builder()
        .format(Format::INT8)
        .group_size(group)
        .build()
        .unwrap()
}

fn quantize(config: &Config, values: &[f32], shape: &[usize]) -> Result<QuantizedTensor> {
    QuantizedTensor::quantize(&Context::new(), config, &ArrayView::new(values, shape)?)
}

/// Asserts that it is InvalidArgument with all of these in its text.
fn refused<T: std::fmt::Debug>(result: Result<T>, texts: &[&str]) {
    match result.expect_err("a refusal") {
        Error::InvalidArgument(message) => {
            for text in texts {
                assert!(message.contains(text), "no {:?} in: {}", text, message);
            }
        }
        error => panic!("another error: {}", error),
    }
}

#[test]
fn accessors() {
    let tensor = quantize(&int8(32), &weights(3 * 100), &[3, 4, 25]).unwrap();
    assert_eq!(tensor.shape(), [3, 4, 25]);
    assert_eq!(
        (tensor.rows(), tensor.columns(), tensor.elements()),
        (3, 100, 300)
    );
    assert_eq!(tensor.format(), Format::INT8);
    assert_eq!(tensor.granularity().unwrap(), Granularity::Group);
    assert_eq!(tensor.scheme().unwrap(), Scheme::Symmetric);
    assert_eq!(
        tensor.get(ConfigOption::GROUP_SIZE).unwrap(),
        OptionValue::Int(32)
    );
    assert_eq!(
        tensor.get(ConfigOption::CLIP).unwrap(),
        OptionValue::Float(0.0)
    );
    // 100 columns are three groups of 32 and a short one.
    assert_eq!((tensor.codes().len(), tensor.scales().len()), (300, 12));
    assert_eq!(tensor.scale_data().len(), 4 * 12);
    assert!(tensor.zero_points().is_empty() && tensor.outliers().is_none());
    assert_eq!(tensor.saturated_scales(), 0);
    assert_eq!(tensor.bytes(), 300 + 4 * 12);
    assert_eq!(tensor.bits_per_weight(), 8.0 * 348.0 / 300.0);
    let text = format!("{:?}", tensor);
    assert!(
        text.contains("[3, 4, 25]") && text.contains("group_size: 32"),
        "{}",
        text
    );
}

#[test]
fn rank_0_and_empty_arrays() {
    let context = Context::new();
    let config = Config::builder()
        .granularity(Granularity::Tensor)
        .build()
        .unwrap();
    let scalar = quantize(&config, &[-0.5], &[]).unwrap();
    assert_eq!(scalar.shape(), &[] as &[usize]);
    assert_eq!(
        (scalar.rows(), scalar.columns(), scalar.elements()),
        (1, 1, 1)
    );
    assert_eq!(scalar.dequantize(&context).unwrap(), [-0.5]);

    for config in [config, Config::new().unwrap(), int8(64)] {
        let empty = quantize(&config, &[], &[4, 0, 3]).unwrap();
        assert_eq!(empty.shape(), [4, 0, 3]);
        assert_eq!((empty.elements(), empty.bits_per_weight()), (0, 0.0));
        assert!(empty.codes().is_empty());
        assert!(empty.unpack(&context).unwrap().is_empty());
        assert!(empty.dequantize(&context).unwrap().is_empty());
        let array = ArrayView::new::<f32>(&[], &[4, 0, 3]).unwrap();
        assert!(matches!(
            empty.compare(&context, &array),
            Err(Error::NoData(_))
        ));
        let sizes = QuantizedSizes::new(&config, &[4, 0, 3]).unwrap();
        let mut scales = vec![0.0f32; sizes.scale_bytes / 4];
        let mut zero_points = vec![0; sizes.zero_points];
        let output = QuantizedOutput::new(&mut [], &mut scales, &mut zero_points);
        quantize_into(&context, &config, &array, output).unwrap();
        assert!(pack(&context, &config, &[4, 0, 3], &[]).unwrap().is_empty());
    }
}

#[test]
fn the_result_does_not_depend_on_threads() {
    let values = weights(257 * 301);
    let array = ArrayView::new(&values, &[257, 301]).unwrap();
    for config in [Config::new().unwrap(), int8(64)] {
        let one = QuantizedTensor::quantize(&Context::new(), &config, &array).unwrap();
        let context = Context::with_threads(3).unwrap();
        assert_eq!(context.threads(), 3);
        let three = QuantizedTensor::quantize(&context, &config, &array).unwrap();
        assert_eq!(one.codes(), three.codes());
        assert_eq!(one.scales(), three.scales());
        let metrics = one.compare(&Context::new(), &array).unwrap();
        assert_eq!(metrics, three.compare(&context, &array).unwrap());
    }
}

#[test]
fn comparing_with_a_tensor_is_comparing_with_its_values() {
    let context = Context::new();
    let values = weights(40 * 50);
    let array = ArrayView::new(&values, &[40, 50]).unwrap();
    let tensor = quantize(&int8(16), &values, &[40, 50]).unwrap();
    let restored = tensor.dequantize(&context).unwrap();
    let other = ArrayView::new(&restored, &[40, 50]).unwrap();
    let metrics = tensor.compare(&context, &array).unwrap();
    assert_eq!(metrics, compare(&context, &array, &other).unwrap());
    assert!(
        metrics.sqnr_db > 30.0 && metrics.cosine > 0.999,
        "{:?}",
        metrics
    );
    let transposed = ArrayView::new(&restored, &[50, 40]).unwrap();
    refused(compare(&context, &array, &transposed), &["40", "50"]);
    refused(tensor.compare(&context, &transposed), &["40", "50"]);
}

#[test]
fn rows_and_halves() {
    let context = Context::new();
    let tensor = quantize(&int8(8), &weights(6 * 20), &[6, 20]).unwrap();
    let all = tensor.dequantize(&context).unwrap();
    assert_eq!(
        tensor.dequantize_rows(&context, 2..5).unwrap(),
        all[40..100]
    );
    assert!(tensor.dequantize_rows(&context, 6..6).unwrap().is_empty());
    let mut rows = vec![0.0; 40];
    tensor
        .dequantize_rows_into(&context, 0..2, &mut rows[..])
        .unwrap();
    assert_eq!(rows, all[..40]);

    let mut halves = vec![0u16; 120];
    let out = Output::from_bits(&mut halves, DType::BF16).unwrap();
    tensor.dequantize_into(&context, out).unwrap();
    for (half, value) in halves.iter().zip(&all) {
        // Round to nearest even, of finite values.
        let bits = value.to_bits();
        let rounded = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
        assert_eq!(u32::from(*half), rounded);
    }
    let f16 = Output::from_bits(&mut halves, DType::F16).unwrap();
    tensor.dequantize_into(&context, f16).unwrap();
    let array = ArrayView::from_bits(&halves, DType::F16, &[6, 20]).unwrap();
    let values = ArrayView::new(&all, &[6, 20]).unwrap();
    assert!(compare(&context, &values, &array).unwrap().sqnr_db > 60.0);

    refused(tensor.dequantize_rows(&context, 5..7), &["5..7", "0..6"]);
    #[allow(clippy::reversed_empty_ranges)]
    let reversed = 3..2;
    refused(tensor.dequantize_rows(&context, reversed), &["3..2"]);
}

#[test]
fn lengths_are_checked() {
    let context = Context::new();
    let tensor = quantize(&int8(8), &weights(24), &[3, 8]).unwrap();
    refused(
        tensor.dequantize_into(&context, &mut [0.0; 23][..]),
        &["out", "23", "24"],
    );
    refused(
        tensor.dequantize_into(&context, &mut vec![0.0; 25]),
        &["out", "25", "24"],
    );
    let rows = tensor.dequantize_rows_into(&context, 0..2, &mut [0.0; 24][..]);
    refused(rows, &["out", "24", "16"]);
    refused(
        tensor.unpack_into(&context, &mut [0; 1]),
        &["codes", "1", "24"],
    );
    let mut halves = [0; 5];
    let out = Output::from_bits(&mut halves, DType::F16).unwrap();
    refused(tensor.dequantize_into(&context, out), &["out", "5", "24"]);
    refused(
        Output::from_bits(&mut halves, DType::F32),
        &["dtype", "F32", "BF16"],
    );

    let config = int8(8);
    let (codes, scales) = (tensor.codes(), tensor.scales().into_owned());
    let make = |codes: &[u8], scales: &[f32], zero_points: &[i8]| {
        QuantizedTensor::from_codes(&context, &config, &[3, 8], codes, scales, zero_points)
    };
    assert_eq!(make(codes, &scales, &[]).unwrap().codes(), codes);
    refused(make(&codes[1..], &scales, &[]), &["codes", "23", "24"]);
    refused(make(codes, &scales[1..], &[]), &["scales", "8 bytes", "12"]);
    refused(make(codes, &scales, &[0]), &["zero_points", "1", "0"]);
    refused(make(codes, &[1.0, f32::NAN, 1.0], &[]), &["1"]);
    refused(
        pack(&context, &config, &[3, 8], &[0; 23]),
        &["codes", "23", "24"],
    );
    let ternary = Config::builder().format(Format::TERNARY).build().unwrap();
    refused(pack(&context, &ternary, &[4], &[0, 1, 2, -1]), &["2"]);

    let array = ArrayView::new(&[0.0f32; 24], &[3, 8]).unwrap();
    let (mut codes, mut scales) = ([0; 24], [0.0f32; 4]);
    let output = QuantizedOutput::new(&mut codes, &mut scales, &mut []);
    refused(
        quantize_into(&context, &config, &array, output),
        &["scales", "16 bytes", "12"],
    );
}

#[test]
fn arrays_are_checked() {
    let values = [0.0f32; 6];
    refused(ArrayView::new(&values, &[2, 4]), &["[2, 4]", "6", "8"]);
    refused(ArrayView::new(&values, &[1; 9]), &["rank 9", "8"]);
    refused(ArrayView::new(&values, &[usize::MAX, 3]), &["too many"]);
    refused(
        ArrayView::from_bits(&[0; 6], DType::U16, &[6]),
        &["dtype", "U16"],
    );
    refused(
        ArrayView::from_bytes(&[0; 7], DType::F16, &[4]),
        &["7", "8", "F16"],
    );
    // Elements of less than a byte only fill bytes together.
    ArrayView::from_bytes(&[0; 3], DType::F4, &[6]).unwrap();
    refused(
        ArrayView::from_bytes(&[0; 3], DType::F4, &[5]),
        &["F4", "5"],
    );
    let array = ArrayView::new(&[1u64, 2], &[2, 1]).unwrap();
    assert_eq!(
        (array.dtype(), array.shape(), array.as_bytes().len()),
        (DType::U64, vec![2, 1], 16)
    );
}

#[test]
fn what_cannot_be_quantized() {
    let context = Context::new();
    let config = Config::new().unwrap();
    let integers = [1i32, 2];
    let array = ArrayView::new(&integers, &[2]).unwrap();
    let error = QuantizedTensor::quantize(&context, &config, &array).unwrap_err();
    assert!(error.message().contains("I32"), "{}", error);

    let mut values = weights(300);
    values[171] = f32::INFINITY;
    match quantize(&config, &values, &[3, 100]).unwrap_err() {
        Error::NonFinite(text) => assert!(text.contains("171"), "{}", text),
        error => panic!("{}", error),
    }
    let none = Config::builder().format(Format::NONE).build().unwrap();
    refused(quantize(&none, &values, &[300]), &["none"]);
    let zero = Config::builder()
        .non_finite(NonFinite::Zero)
        .build()
        .unwrap();
    let tensor = quantize(&zero, &values, &[3, 100]).unwrap();
    assert_eq!(tensor.dequantize(&context).unwrap()[171], 0.0);

    let asymmetric = Config::builder()
        .scheme(Scheme::Asymmetric)
        .build()
        .unwrap();
    assert!(matches!(
        quantize(&asymmetric, &values, &[300]),
        Err(Error::Unsupported(_))
    ));
}

#[test]
fn unaligned_bytes() {
    let values = weights(64);
    let mut bytes = vec![0u8];
    bytes.extend(values.iter().flat_map(|v| v.to_ne_bytes()));
    let context = Context::new();
    let array = ArrayView::from_bytes(&bytes[1..], DType::F32, &[64]).unwrap();
    let tensor = QuantizedTensor::quantize(&context, &int8(64), &array).unwrap();
    let aligned = quantize(&int8(64), &values, &[64]).unwrap();
    assert_eq!(tensor.codes(), aligned.codes());
    assert_eq!(tensor.scales(), aligned.scales());
}

#[test]
fn contexts() {
    let mut context = Context::new();
    assert_eq!(context.threads(), 1);
    context.set_threads(2).unwrap();
    assert_eq!(context.threads(), 2);
    context.set_threads(0).unwrap();
    assert!(context.threads() >= 1);
    refused(context.set_threads(257), &["257", "256"]);
    refused(context.set_threads(usize::MAX), &["threads"]);
    let values = weights(1000);
    let array = ArrayView::new(&values, &[10, 100]).unwrap();
    let tensor = QuantizedTensor::quantize(&context, &Config::new().unwrap(), &array).unwrap();
    drop(context);
    // A tensor outlives its context.
    assert_eq!(tensor.dequantize(&Context::new()).unwrap().len(), 1000);
}

#[test]
fn a_log_lives_as_long_as_it_is_set() {
    let used = Arc::new(());
    let mut context = Context::new();
    for expected in [2, 2] {
        // The second takes the place of the first.
        let captured = Arc::clone(&used);
        context
            .set_log(LogLevel::Info, move |_, _| drop(Arc::clone(&captured)))
            .unwrap();
        assert_eq!(Arc::strong_count(&used), expected);
    }
    let moved = Box::new(context);
    assert_eq!(Arc::strong_count(&used), 2);
    let mut context = *moved;
    context.clear_log().unwrap();
    assert_eq!(Arc::strong_count(&used), 1);
    let captured = Arc::clone(&used);
    context
        .set_log(LogLevel::Warning, move |_, _| drop(Arc::clone(&captured)))
        .unwrap();
    drop(context);
    assert_eq!(Arc::strong_count(&used), 1);
}

#[test]
fn importance_weighs_the_errors_of_columns() {
    let config: Config = "int4,group_size=32,scale_rule=mse".parse().unwrap();
    let (values, context) = (weights(8 * 32), Context::new());
    let array = ArrayView::new(&values, &[8, 32]).unwrap();
    let importance: Vec<f32> = (0..32)
        .map(|i| if i % 4 == 0 { 500.0 } else { 1.0 })
        .collect();
    let loss = |tensor: &QuantizedTensor| -> f64 {
        let found = tensor.dequantize(&context).unwrap();
        let errors = found.iter().zip(&values).enumerate();
        errors
            .map(|(i, (a, b))| f64::from(importance[i % 32]) * f64::from(a - b).powi(2))
            .sum()
    };
    let plain = QuantizedTensor::quantize(&context, &config, &array).unwrap();
    let weighted =
        QuantizedTensor::quantize_weighted(&context, &config, &array, &importance).unwrap();
    assert!(loss(&weighted) < loss(&plain));
    let short = QuantizedTensor::quantize_weighted(&context, &config, &array, &importance[1..]);
    refused(short, &["31 weights", "must be 32"]);
}
