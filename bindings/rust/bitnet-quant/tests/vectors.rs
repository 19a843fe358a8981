//! All cases of the vectors that every language shares.

mod common;

use bitnet_quant::{
    compare, pack, quantize_into, ArrayView, Config, Context, DType, Error, QuantizedSizes,
    QuantizedTensor,
};
use common::cases;
use serde_json::Value;

fn text(value: &Value) -> &str {
    value
        .as_str()
        .unwrap_or_else(|| panic!("{} is not a string", value))
}

fn list(value: &Value) -> &[Value] {
    value
        .as_array()
        .unwrap_or_else(|| panic!("{} is not a list", value))
}

fn integers<T: TryFrom<i64>>(value: &Value) -> Vec<T> {
    let integer = |v: &Value| T::try_from(v.as_i64()?).ok();
    list(value)
        .iter()
        .map(|v| integer(v).unwrap_or_else(|| panic!("{}", v)))
        .collect()
}

/// A number, or the name of one that JSON does not have.
fn number(value: &Value) -> f64 {
    match value.as_str() {
        Some("nan") => f64::NAN,
        Some("inf") => f64::INFINITY,
        Some("-inf") => f64::NEG_INFINITY,
        _ => value
            .as_f64()
            .unwrap_or_else(|| panic!("{} is not a number", value)),
    }
}

fn floats(value: &Value) -> Vec<f32> {
    list(value).iter().map(|v| number(v) as f32).collect()
}

fn float_bits(value: &Value) -> Vec<u32> {
    list(value)
        .iter()
        .map(|v| u32::from_str_radix(text(v), 16).expect("hexadecimal"))
        .collect()
}

fn hex_bytes(value: &Value) -> Vec<u8> {
    let digits = text(value).as_bytes().chunks(2);
    digits
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).expect("hex"))
        .collect()
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|v| v.to_bits()).collect()
}

fn config(value: &Value) -> Result<Config, Error> {
    let options = value.as_object().expect("options");
    let builder = options
        .iter()
        .fold(Config::builder(), |b, (k, v)| b.set(k, text(v)));
    builder.build()
}

#[test]
fn quantize() {
    for threads in [1, 3] {
        let context = Context::with_threads(threads).unwrap();
        for case in cases("quantize.json") {
            quantize_case(&context, &case);
        }
    }
}

fn quantize_case(context: &Context, case: &Value) {
    let name = text(&case["name"]);
    assert_eq!(text(&case["dtype"]), "F32", "{}", name);
    let shape: Vec<usize> = integers::<i64>(&case["shape"])
        .iter()
        .map(|&d| d as usize)
        .collect();
    let input = floats(&case["input"]);
    let config = config(&case["config"]).unwrap();
    let array = ArrayView::new(&input, &shape).unwrap();

    let codes: Vec<i8> = integers(&case["codes"]);
    let packed = hex_bytes(&case["packed"]);
    let scales = float_bits(&case["scales"]);
    let zero_points: Vec<i32> = integers(&case["zero_points"]);
    let values = float_bits(&case["dequantized"]);

    let check = |tensor: &QuantizedTensor| {
        assert_eq!(tensor.shape(), shape, "{}", name);
        assert_eq!(tensor.format(), config.format().unwrap(), "{}", name);
        assert_eq!(tensor.unpack(context).unwrap(), codes, "{}", name);
        assert_eq!(tensor.codes(), packed, "{}", name);
        assert_eq!(bits(tensor.scales()), scales, "{}", name);
        assert_eq!(tensor.zero_points(), zero_points, "{}", name);
        assert_eq!(
            bits(&tensor.dequantize(context).unwrap()),
            values,
            "{}",
            name
        );
    };
    let tensor = QuantizedTensor::quantize(context, &config, &array).expect(name);
    check(&tensor);

    // The same result by every other way.
    let sizes = QuantizedSizes::new(&config, &shape).unwrap();
    assert_eq!(sizes.code_bytes, packed.len(), "{}", name);
    assert_eq!(sizes.scales, scales.len(), "{}", name);
    assert_eq!(sizes.zero_points, zero_points.len(), "{}", name);
    let mut out = vec![0xff; sizes.code_bytes];
    let (mut s, mut z) = (vec![0.0; sizes.scales], vec![0; sizes.zero_points]);
    quantize_into(context, &config, &array, &mut out, &mut s, &mut z).expect(name);
    assert_eq!(
        (&out, bits(&s), &z),
        (&packed, scales.clone(), &zero_points),
        "{}",
        name
    );
    assert_eq!(
        pack(context, &config, &shape, &codes).expect(name),
        packed,
        "{}",
        name
    );
    check(&QuantizedTensor::from_codes(context, &config, &shape, &out, &s, &z).expect(name));
    check(&QuantizedTensor::from_owned_codes(context, &config, &shape, out, s, z).expect(name));

    // Row by row, and what is the same array in double precision.
    let columns = tensor.columns();
    for row in 0..tensor.rows() {
        let part = tensor.dequantize_rows(context, row..row + 1).expect(name);
        assert_eq!(
            bits(&part),
            values[row * columns..(row + 1) * columns],
            "{}",
            name
        );
    }
    let doubles: Vec<f64> = input.iter().map(|&v| f64::from(v)).collect();
    let array = ArrayView::new(&doubles, &shape).unwrap();
    check(&QuantizedTensor::quantize(context, &config, &array).expect(name));
}

#[test]
fn metrics() {
    let context = Context::new();
    for case in cases("metrics.json") {
        let name = text(&case["name"]);
        let (original, other) = (floats(&case["original"]), floats(&case["other"]));
        let shape = [original.len()];
        let a = ArrayView::new(&original, &shape).unwrap();
        let b = ArrayView::new(&other, &shape).unwrap();
        let metrics = compare(&context, &a, &b).expect(name);
        let expected = case["metrics"].as_object().expect("metrics");
        assert_eq!(expected.len(), metrics.named().len(), "{}", name);
        for (metric, value) in metrics.named() {
            let wanted = number(expected.get(metric).unwrap_or_else(|| panic!("{}", metric)));
            let close = (value - wanted).abs() <= 1e-12 * wanted.abs();
            assert!(
                value == wanted || close,
                "{}: {} is {}, not {}",
                name,
                metric,
                value,
                wanted
            );
        }
    }
}

#[test]
fn errors() {
    let context = Context::new();
    for case in cases("errors.json") {
        let name = text(&case["name"]);
        let input = floats(&case["input"]);
        let shape: Vec<usize> = integers::<i64>(&case["shape"])
            .iter()
            .map(|&d| d as usize)
            .collect();
        let array = ArrayView::new(&input, &shape).unwrap();
        let error = config(&case["config"])
            .and_then(|config| QuantizedTensor::quantize(&context, &config, &array))
            .expect_err(name);
        let status = text(&case["status"]);
        assert!(
            error.to_string().starts_with(&format!("{}: ", status)),
            "{}: {}",
            name,
            error
        );
        let message = text(&case["message"]);
        assert!(error.message().contains(message), "{}: {}", name, error);
    }
}

/// The halves of a vector's values are quantized to the same as the values that
/// they stand for.
#[test]
fn half_precision_is_exact_in_single() {
    let context = Context::new();
    for case in cases("quantize.json") {
        let name = text(&case["name"]);
        // Truncated to bfloat16: another input, but a number in both types.
        let halves: Vec<u16> = floats(&case["input"])
            .iter()
            .map(|v| (v.to_bits() >> 16) as u16)
            .collect();
        let singles: Vec<f32> = halves
            .iter()
            .map(|&h| f32::from_bits(u32::from(h) << 16))
            .collect();
        let shape: Vec<usize> = integers::<i64>(&case["shape"])
            .iter()
            .map(|&d| d as usize)
            .collect();
        let config = config(&case["config"]).unwrap();
        let half = ArrayView::from_bits(&halves, DType::BF16, &shape).unwrap();
        let single = ArrayView::new(&singles, &shape).unwrap();
        let a = QuantizedTensor::quantize(&context, &config, &half).expect(name);
        let b = QuantizedTensor::quantize(&context, &config, &single).expect(name);
        assert_eq!(a.codes(), b.codes(), "{}", name);
        assert_eq!(bits(a.scales()), bits(b.scales()), "{}", name);
        assert_eq!(a.zero_points(), b.zero_points(), "{}", name);
    }
}
