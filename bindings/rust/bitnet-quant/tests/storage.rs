//! How parameters and codes are stored: scales of 16 and 8 bits, outliers, packings,
//! and all of it through a file.

mod common;

use bitnet_quant::{
    dynamic_map, no_progress, quantize_batch, ArrayView, Config, Context, DType, Error, File,
    FileKind, Packing, Part, QuantizedTensor, ScaleDType, WriteOptions, Writer,
};
use common::{weights, TempDir};
use std::borrow::Cow;
use std::fs;

fn quantize(config: &str, values: &[f32], shape: &[usize]) -> QuantizedTensor {
    let array = ArrayView::new(values, shape).unwrap();
    QuantizedTensor::quantize(&Context::new(), &config.parse().unwrap(), &array).unwrap()
}

/// The words of stored scales, as the machine has them.
fn words(bytes: &[u8]) -> Vec<f32> {
    let word = |b: &[u8]| f32::from_ne_bytes([b[0], b[1], b[2], b[3]]);
    bytes.chunks(4).map(word).collect()
}

#[test]
fn only_plain_scales_are_borrowed() {
    let values = weights(8 * 64);
    let borrowed = |config: &str| {
        let tensor = quantize(config, &values, &[8, 64]);
        let scales = tensor.scales();
        assert_eq!(scales.len(), 16, "{}", config);
        matches!(scales, Cow::Borrowed(_))
    };
    assert!(borrowed("format=int4,group_size=32"));
    assert!(!borrowed("format=int4,group_size=32,scale_dtype=f16"));
    assert!(!borrowed("format=int4,group_size=32,scale_dtype=bf16"));
    assert!(!borrowed("format=int4,group_size=32,double_quant=on"));
    let f16 = quantize("f16", &values, &[8, 64]);
    assert!(f16.scales().is_empty() && f16.scale_data().is_empty());
}

#[test]
fn scales_of_16_bits_saturate_and_say_so() {
    // Scales of 1e-9 and 1e6 are beyond float16, but not beyond bfloat16.
    let values = [127e-9f32, 127e6, 127.0, 0.0];
    let tensor = quantize(
        "format=int8,granularity=channel,scale_dtype=f16",
        &values,
        &[4, 1],
    );
    assert_eq!(tensor.scales()[..], [2f32.powi(-24), 65504.0, 1.0, 0.0]);
    assert_eq!(tensor.scale_data().len(), 8);
    assert_eq!(tensor.saturated_scales(), 2);
    // However the tensor was made.
    let context = Context::new();
    let (config, array) = (
        tensor.config().unwrap(),
        ArrayView::new(&values, &[4, 1]).unwrap(),
    );
    let batch = quantize_batch(&context, &config, &[array]).unwrap();
    assert_eq!(batch[0].saturated_scales(), 2);
    assert_eq!(
        tensor.config().unwrap().scale_dtype().unwrap(),
        ScaleDType::F16
    );
    let tensor = quantize(
        "format=int8,granularity=channel,scale_dtype=bf16",
        &values,
        &[4, 1],
    );
    assert_eq!(tensor.saturated_scales(), 0);
}

#[test]
fn double_quantized_scales_are_what_their_bytes_say() {
    let values = weights(300 * 32);
    let tensor = quantize(
        "format=nf4,group_size=32,double_quant=on",
        &values,
        &[300, 32],
    );
    // 300 codes, the scales of 256 and of 44 of them, and the offset.
    let (codes, rest) = tensor.scale_data().split_at(300);
    let rest = words(rest);
    assert_eq!(rest.len(), 3);
    for (i, (scale, &code)) in tensor.scales().iter().zip(codes).enumerate() {
        let product = dynamic_map()[usize::from(code)] * rest[i / 256];
        assert_eq!(*scale, product + rest[2], "scale {}", i);
    }
    assert!(tensor.config().unwrap().double_quant().unwrap());
}

#[test]
fn outliers_are_kept_in_16_bits() {
    let context = Context::new();
    let mut values = weights(6 * 10);
    values[13] = 20.0;
    values[47] = -7.5;
    let tensor = quantize("int8_outliers", &values, &[2, 3, 10]);
    let outliers = tensor.outliers().expect("columns 3 and 7");
    assert_eq!(outliers.columns, [3, 7]);
    assert_eq!(outliers.values.dtype(), DType::F16);
    // One row for each token, though the tensor as a matrix has two rows.
    assert_eq!(outliers.values.shape(), [6, 2]);
    let halves = outliers.values.as_bytes();
    // 20 is in the second token, at the first of two columns.
    assert_eq!(halves[4..6], 0x4d00u16.to_ne_bytes());
    assert_eq!(tensor.bytes(), 60 + 4 * 6 + 2 * 4 + 2 * 12);
    let codes = tensor.unpack(&context).unwrap();
    let restored = tensor.dequantize(&context).unwrap();
    assert_eq!((restored[13], restored[47]), (20.0, -7.5));
    for row in 0..6 {
        assert_eq!((codes[row * 10 + 3], codes[row * 10 + 7]), (0, 0));
    }
    // The others are as exact as if there were no outliers.
    let config: Config = "int8_outliers,outlier_threshold=0".parse().unwrap();
    assert!(quantize(&config.to_string(), &values, &[2, 3, 10])
        .outliers()
        .is_none());
    for (value, restored) in values.iter().zip(&restored) {
        assert!((value - restored).abs() < 0.005, "{} {}", value, restored);
    }

    let none = quantize("int8_outliers", &weights(60), &[6, 10]);
    assert!(none.outliers().is_none());
    let empty = quantize("int8_outliers", &[], &[6, 0]);
    assert!(empty.outliers().is_none());

    // The source's type is kept, and bfloat16 where float16 would overflow.
    values[13] = 70000.0;
    let tensor = quantize("int8_outliers", &values, &[6, 10]);
    let outliers = tensor.outliers().unwrap();
    assert_eq!(outliers.values.dtype(), DType::BF16);

    // All parts make the same tensor, and those without the outliers one that has none.
    let config = tensor.config().unwrap();
    let parts: Vec<_> = Part::ALL.iter().map(|&part| tensor.part(part)).collect();
    let made = QuantizedTensor::from_parts(&context, &config, &[6, 10], &parts).unwrap();
    let found = made.outliers().unwrap();
    assert_eq!(found.columns, outliers.columns);
    assert_eq!(found.values.as_bytes(), outliers.values.as_bytes());
    assert_eq!(made.dequantize(&context), tensor.dequantize(&context));
    let made = QuantizedTensor::from_codes(
        &context,
        &config,
        &[6, 10],
        tensor.codes(),
        &tensor.scales(),
        &[],
    );
    assert!(made.unwrap().outliers().is_none());
}

#[test]
fn a_repacked_tensor_stands_alone() {
    let context = Context::new();
    let values = weights(7 * 33);
    let tensor = quantize("ternary", &values, &[7, 33]);
    let expected = tensor.dequantize(&context).unwrap();
    let bits = tensor.bits_per_weight();
    // From buffers of its own, which go away with it.
    let (codes, scales) = (tensor.codes().to_vec(), tensor.scales().into_owned());
    let config = tensor.config().unwrap();
    let owned =
        QuantizedTensor::from_owned_codes(&context, &config, &[7, 33], codes, scales, vec![])
            .unwrap();
    let dense = owned.repack(&context, Packing::Base3).unwrap();
    drop(owned);
    assert_eq!(dense.config().unwrap().packing().unwrap(), Packing::Base3);
    assert_eq!(dense.codes().len(), 7 * 7);
    assert!(dense.bits_per_weight() < bits);
    assert_eq!(dense.dequantize(&context).unwrap(), expected);
    let back = dense.repack(&context, Packing::Default).unwrap();
    drop(dense);
    assert_eq!(back.codes(), tensor.codes());
    assert_eq!(back.config().unwrap(), config);

    let int4 = quantize("int4_per_group_32", &values, &[7, 33]);
    let error = int4.repack(&context, Packing::Base3).unwrap_err();
    assert!(
        matches!(&error, Error::Unsupported(text) if text.contains("packing")),
        "{}",
        error
    );
}

/// The config of a tensor says what it is, not how it was made.
#[test]
fn the_config_of_a_tensor() {
    let config = "format=int4,group_size=32,scale_rule=mse,rounding=stochastic,seed=7,\
                  clip=0.5,scale_dtype=f16";
    let tensor = quantize(config, &weights(64), &[64]);
    let expected: Config = "format=int4,group_size=32,scale_dtype=f16".parse().unwrap();
    assert_eq!(tensor.config().unwrap(), expected);
}

/// Every kind of storage through a file, from memory at every alignment.
#[test]
fn files() {
    let directory = TempDir::new();
    let context = Context::new();
    let mut values = weights(12 * 50);
    values[77] = 30.0;
    let configs = [
        "ternary_base3",
        "aggressive",
        "int8_outliers",
        "int8_asymmetric",
        "int4_per_group_32,scale_dtype=bf16",
        "nf4_double_quant",
        "fp4",
        "f16",
        "bf16,non_finite=keep",
    ];
    for compress in [false, true] {
        let path = directory.path(if compress { "c.bnq" } else { "p.bnq" });
        let tensors: Vec<_> = configs
            .iter()
            .map(|config| quantize(config, &values, &[12, 50]))
            .collect();
        let options = WriteOptions::new().compress(compress);
        let mut writer = Writer::create(&context, &path, FileKind::BNQ, options).unwrap();
        for (name, tensor) in configs.iter().zip(&tensors) {
            writer.add_tensor(name, tensor).unwrap();
        }
        writer.finish().unwrap();

        let bytes = fs::read(&path).unwrap();
        for offset in 0..4 {
            struct Tail(Vec<u8>, usize);
            impl AsRef<[u8]> for Tail {
                fn as_ref(&self) -> &[u8] {
                    &self.0[self.1..]
                }
            }
            let mut padded = vec![0; offset];
            padded.extend(&bytes);
            let file = File::from_bytes(&context, Tail(padded, offset)).unwrap();
            file.verify(&context, no_progress).unwrap();
            for (name, tensor) in configs.iter().zip(&tensors) {
                let entry = file.entry(name).unwrap();
                assert_eq!(
                    entry.config().unwrap(),
                    tensor.config().unwrap(),
                    "{}",
                    name
                );
                assert_eq!(entry.bytes(), tensor.bytes() as u64, "{}", name);
                let read = entry.quantized(&context).unwrap();
                assert_eq!(read.config().unwrap(), tensor.config().unwrap(), "{}", name);
                assert_eq!(read.codes(), tensor.codes(), "{}", name);
                assert_eq!(read.scale_data(), tensor.scale_data(), "{}", name);
                assert_eq!(read.zero_points(), tensor.zero_points(), "{}", name);
                let outliers = |tensor: &QuantizedTensor| {
                    let found = tensor.outliers()?;
                    Some((found.columns.to_vec(), found.values.as_bytes().to_vec()))
                };
                assert_eq!(outliers(&read), outliers(tensor), "{}", name);
                let a = read.dequantize(&context).unwrap();
                assert_eq!(a, tensor.dequantize(&context).unwrap(), "{}", name);
            }
        }
    }
}
