//! All cases of the vectors that every language shares.

mod common;

use bitnet_quant::{
    compare, dequantize_batch, pack, quantize_batch, quantize_into, ArrayView, Config, Context,
    DType, Error, Format, Packing, Part, QuantizedOutput, QuantizedSizes, QuantizedTensor,
};
use common::cases;
use common::json::{
    bits, config, float_bits, floats, hex_bytes, integers, number, same, shape, text,
};
use serde_json::Value;
use std::collections::BTreeMap;

/// A case of quantize.json.
struct Case {
    name: String,
    config: Config,
    shape: Vec<usize>,
    input: Vec<f32>,
    /// None for formats whose codes are not bytes.
    codes: Option<Vec<i8>>,
    packed: Vec<u8>,
    scales: Vec<u32>,
    scale_bytes: Vec<u8>,
    zero_points: Vec<i8>,
    offsets: Vec<u32>,
    offset_bytes: Vec<u8>,
    tensor_scale: Option<u32>,
    codebook: Vec<u32>,
    /// Columns, data type and bytes.
    outliers: Option<(Vec<u32>, DType, Vec<u8>)>,
    values: Vec<u32>,
}

impl Case {
    fn new(case: &Value) -> Case {
        assert_eq!(text(&case["dtype"]), "F32", "{}", case["name"]);
        let has = |member: &str| case.get(member).is_some();
        let scales = float_bits(&case["scales"]);
        let scale_bytes = if has("scale_bytes") {
            hex_bytes(&case["scale_bytes"])
        } else {
            scales.iter().flat_map(|v| v.to_le_bytes()).collect()
        };
        let list = |member: &str| case.get(member).map_or(Vec::new(), float_bits);
        let offsets = list("offsets");
        let offset_bytes = if has("offset_bytes") {
            hex_bytes(&case["offset_bytes"])
        } else {
            offsets.iter().flat_map(|v| v.to_le_bytes()).collect()
        };
        let tensor_scale = has("tensor_scale")
            .then(|| u32::from_str_radix(text(&case["tensor_scale"]), 16).unwrap());
        let outliers = has("outlier_columns").then(|| {
            (
                integers(&case["outlier_columns"]),
                text(&case["outlier_dtype"]).parse().unwrap(),
                hex_bytes(&case["outlier_values"]),
            )
        });
        Case {
            name: text(&case["name"]).to_string(),
            config: config(&case["config"]).unwrap(),
            shape: shape(&case["shape"]),
            input: floats(&case["input"]),
            codes: has("codes").then(|| integers(&case["codes"])),
            packed: hex_bytes(&case["packed"]),
            scales,
            scale_bytes,
            zero_points: integers(&case["zero_points"]),
            offsets,
            offset_bytes,
            tensor_scale,
            codebook: list("codebook"),
            outliers: outliers.filter(|(columns, _, _)| !columns.is_empty()),
            values: float_bits(&case["dequantized"]),
        }
    }

    fn all() -> Vec<Case> {
        cases("quantize.json").iter().map(Case::new).collect()
    }

    fn array(&self) -> ArrayView<'_> {
        ArrayView::new(&self.input, &self.shape).unwrap()
    }

    /// Whether there are parts that buffers of the caller's have no room for.
    fn has_parts_of_its_own(&self) -> bool {
        self.config.outlier_threshold().unwrap() > 0.0
            || !self.offsets.is_empty()
            || self.tensor_scale.is_some()
            || !self.codebook.is_empty()
    }

    fn check(&self, context: &Context, tensor: &QuantizedTensor) {
        let name = &self.name;
        assert_eq!(tensor.shape(), self.shape, "{}", name);
        assert_eq!(tensor.format(), self.config.format().unwrap(), "{}", name);
        match (&self.codes, tensor.unpack(context)) {
            (Some(codes), unpacked) => assert_eq!(&unpacked.expect(name), codes, "{}", name),
            (None, Err(Error::Unsupported(_))) => {}
            // Of an empty array there is no code that would not fit.
            (None, Ok(empty)) if self.input.is_empty() && empty.is_empty() => {}
            (None, other) => panic!("{}: {:?}", name, other),
        }
        assert_eq!(tensor.codes(), self.packed, "{}", name);
        assert_eq!(bits(&tensor.scales()), self.scales, "{}", name);
        // As stored, on a machine of either byte order.
        if cfg!(target_endian = "little") {
            assert_eq!(tensor.scale_data(), self.scale_bytes, "{}", name);
            assert_eq!(tensor.offset_data(), self.offset_bytes, "{}", name);
        }
        assert_eq!(bits(&tensor.offsets()), self.offsets, "{}", name);
        let tensor_scale = tensor.tensor_scale().map(f32::to_bits);
        assert_eq!(tensor_scale, self.tensor_scale, "{}", name);
        assert_eq!(bits(tensor.codebook()), self.codebook, "{}", name);
        assert_eq!(tensor.zero_points(), self.zero_points, "{}", name);
        match (&self.outliers, tensor.outliers()) {
            (None, None) => {}
            (Some((columns, dtype, values)), Some(found)) => {
                assert_eq!(found.columns, columns, "{}", name);
                assert_eq!(found.values.dtype(), *dtype, "{}", name);
                assert_eq!(found.values.shape()[1], columns.len(), "{}", name);
                if cfg!(target_endian = "little") {
                    assert_eq!(found.values.as_bytes(), values, "{}", name);
                }
            }
            (expected, found) => panic!("{}: {:?}, not {:?}", name, found, expected),
        }
        let values = tensor.dequantize(context).expect(name);
        assert!(same(&values, &self.values), "{}: {:?}", name, values);
    }
}

#[test]
fn quantize() {
    for threads in [1, 3] {
        let context = Context::with_threads(threads).unwrap();
        for case in Case::all() {
            quantize_case(&context, &case);
        }
    }
}

fn quantize_case(context: &Context, case: &Case) {
    let (name, config, shape) = (&case.name, &case.config, &case.shape);
    let tensor = QuantizedTensor::quantize(context, config, &case.array()).expect(name);
    case.check(context, &tensor);

    // Row by row, and what is the same array in double precision.
    let columns = tensor.columns();
    for row in 0..tensor.rows() {
        let part = tensor.dequantize_rows(context, row..row + 1).expect(name);
        let expected = &case.values[row * columns..(row + 1) * columns];
        assert!(same(&part, expected), "{}: row {}: {:?}", name, row, part);
    }
    let doubles: Vec<f64> = case.input.iter().map(|&v| f64::from(v)).collect();
    let array = ArrayView::new(&doubles, shape).unwrap();
    case.check(
        context,
        &QuantizedTensor::quantize(context, config, &array).expect(name),
    );

    // The same result by every other way.
    if let Some(codes) = &case.codes {
        let packed = pack(context, config, shape, codes).expect(name);
        assert_eq!(packed, case.packed, "{}", name);
    }
    let sizes = QuantizedSizes::new(config, shape).expect(name);
    assert_eq!(sizes.code_bytes, case.packed.len(), "{}", name);
    assert_eq!(sizes.scale_bytes, case.scale_bytes.len(), "{}", name);
    assert_eq!(sizes.zero_points, case.zero_points.len(), "{}", name);
    let mut codes = vec![0xff; sizes.code_bytes];
    // Bytes suit every type of scales, and the system aligns what it allocates.
    let mut scales = vec![0u8; sizes.scale_bytes];
    let mut zero_points = vec![0; sizes.zero_points];
    let output = QuantizedOutput::new(&mut codes, &mut scales, &mut zero_points);
    let written = quantize_into(context, config, &case.array(), output);
    let parts: Vec<_> = Part::ALL.iter().map(|&part| tensor.part(part)).collect();
    for config in [config, &tensor.config().expect(name)] {
        let made = QuantizedTensor::from_parts(context, config, shape, &parts);
        case.check(context, &made.expect(name));
    }
    if case.has_parts_of_its_own() {
        assert!(
            matches!(written, Err(Error::InvalidArgument(_))),
            "{}",
            name
        );
        return;
    }
    written.expect(name);
    assert_eq!(codes, case.packed, "{}", name);
    assert_eq!(zero_points, case.zero_points, "{}", name);
    for config in [config, &tensor.config().expect(name)] {
        let made =
            QuantizedTensor::from_codes(context, config, shape, &codes, &scales, &zero_points);
        case.check(context, &made.expect(name));
    }
    let made =
        QuantizedTensor::from_owned_codes(context, config, shape, codes, scales, zero_points);
    case.check(context, &made.expect(name));
}

/// All cases of one config in one call, and all tensors there are in one.
#[test]
fn batches() {
    let mut by_config = BTreeMap::<String, Vec<Case>>::new();
    for case in Case::all() {
        by_config
            .entry(case.config.to_string())
            .or_default()
            .push(case);
    }
    for threads in [1, 3] {
        let context = Context::with_threads(threads).unwrap();
        let (mut tensors, mut done) = (Vec::new(), Vec::new());
        for (name, cases) in &by_config {
            let arrays: Vec<_> = cases.iter().map(Case::array).collect();
            let batch = quantize_batch(&context, &cases[0].config, &arrays);
            for (case, tensor) in cases.iter().zip(batch.expect(name)) {
                case.check(&context, &tensor);
                tensors.push(tensor);
                done.push(case);
            }
        }
        let values = dequantize_batch(&context, &tensors).unwrap();
        assert_eq!(values.len(), done.len());
        for (case, values) in done.iter().zip(values) {
            assert!(same(&values, &case.values), "{}: {:?}", case.name, values);
        }
    }
}

/// Ternary codes in the other packing and back; other formats have only their own.
#[test]
fn repack() {
    let context = Context::new();
    let mut seen = [false; 2];
    for case in Case::all() {
        let name = &case.name;
        let tensor = QuantizedTensor::quantize(&context, &case.config, &case.array()).expect(name);
        let dense = tensor.repack(&context, Packing::Base3);
        if tensor.format() != Format::TERNARY {
            assert!(matches!(dense, Err(Error::Unsupported(_))), "{}", name);
            let same = tensor.repack(&context, Packing::Default).expect(name);
            case.check(&context, &same);
            continue;
        }
        let dense = dense.expect(name);
        let wide = tensor.repack(&context, Packing::Default).expect(name);
        drop(tensor);
        // One of them is what the case has.
        let base3 = case.config.packing().unwrap() == Packing::Base3;
        seen[usize::from(base3)] = true;
        case.check(&context, if base3 { &dense } else { &wide });
        let back = dense.repack(&context, Packing::Default).expect(name);
        assert_eq!(back.codes(), wide.codes(), "{}", name);
        assert_eq!(bits(&dense.scales()), case.scales, "{}", name);
        assert_eq!(dense.unpack(&context).ok(), case.codes, "{}", name);
        assert!(
            same(&dense.dequantize(&context).unwrap(), &case.values),
            "{}",
            name
        );
        assert!(dense.codes().len() <= wide.codes().len(), "{}", name);
    }
    assert_eq!(seen, [true, true], "cases of both packings");
}

#[test]
fn config_text() {
    for case in cases("config.json") {
        let name = text(&case["name"]);
        let result = text(&case["text"]).parse::<Config>();
        if case.get("canonical").is_none() {
            refused(name, &case, &result.expect_err(name));
            continue;
        }
        let (config, canonical) = (result.expect(name), text(&case["canonical"]));
        assert_eq!(config.to_string(), canonical, "{}", name);
        assert_eq!(canonical.parse::<Config>().expect(name), config, "{}", name);
        let map = config.to_map().unwrap();
        assert_eq!(Config::from_map(&map).expect(name), config, "{}", name);
        let items: BTreeMap<_, _> = canonical
            .split(',')
            .map(|item| item.split_once('=').expect("option=value"))
            .map(|(option, value)| (option.to_string(), value.to_string()))
            .collect();
        assert_eq!(map, items, "{}", name);
    }
}

/// Asserts that the error is of the case's status, with its message in the text.
fn refused(name: &str, case: &Value, error: &Error) {
    let status = format!("{}: ", text(&case["status"]));
    assert!(
        error.to_string().starts_with(&status),
        "{}: {}",
        name,
        error
    );
    let message = text(&case["message"]);
    assert!(error.message().contains(message), "{}: {}", name, error);
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
        let shape = shape(&case["shape"]);
        let array = ArrayView::new(&input, &shape).unwrap();
        let error = config(&case["config"])
            .and_then(|config| QuantizedTensor::quantize(&context, &config, &array))
            .expect_err(name);
        refused(name, &case, &error);
    }
}

/// The halves of a vector's values are quantized to the same as the values that
/// they stand for.
#[test]
fn half_precision_is_exact_in_single() {
    let context = Context::new();
    for case in Case::all() {
        let name = &case.name;
        // Truncated to bfloat16: another input, but a number in both types.
        let halves: Vec<u16> = case
            .input
            .iter()
            .map(|v| (v.to_bits() >> 16) as u16)
            .collect();
        let singles: Vec<f32> = halves
            .iter()
            .map(|&h| f32::from_bits(u32::from(h) << 16))
            .collect();
        let half = ArrayView::from_bits(&halves, DType::BF16, &case.shape).unwrap();
        let single = ArrayView::new(&singles, &case.shape).unwrap();
        let a = QuantizedTensor::quantize(&context, &case.config, &half).expect(name);
        let b = QuantizedTensor::quantize(&context, &case.config, &single).expect(name);
        assert_eq!(a.codes(), b.codes(), "{}", name);
        assert_eq!(a.scale_data(), b.scale_data(), "{}", name);
        assert_eq!(a.zero_points(), b.zero_points(), "{}", name);
        // Outliers keep the type of the source.
        let columns = |tensor: &QuantizedTensor| tensor.outliers().map(|o| o.columns.to_vec());
        assert_eq!(columns(&a), columns(&b), "{}", name);
        let dtype = a
            .outliers()
            .map_or(DType::BF16, |outliers| outliers.values.dtype());
        assert_eq!(dtype, DType::BF16, "{}", name);
    }
}
