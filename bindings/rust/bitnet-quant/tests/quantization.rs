//! Charl's names, by the integration tests of its report.

mod common;

use bitnet_quant::quantization::{
    dequantize, dequantize_tensor, post_training_quantization, quantize, quantize_tensor,
    quantize_tensor_auto, quantize_tensor_percentile, CalibrationMethod, Calibrator, QuantConfig,
    QuantGranularity, QuantParams, QuantScheme, QuantType, QuantizedTensor,
};
use bitnet_quant::{Config, Context, Device, Error, Tensor};
use common::refused;

const TYPES: [QuantType; 4] = [
    QuantType::INT8,
    QuantType::INT4,
    QuantType::FP16,
    QuantType::BF16,
];

fn noise(count: usize) -> Vec<f32> {
    let tensor = Tensor::randn_seeded(&[count], &Device::Cpu, 11).unwrap();
    tensor.into_vec()
}

#[test]
fn numbers_by_the_formulas_of_the_report() {
    let params = |scale, zero_point, quant_type| QuantParams {
        scale,
        zero_point,
        quant_type,
    };
    let int8 = params(0.5, 3, QuantType::INT8);
    for (value, code) in [(0.0, 3), (1.0, 5), (-2.3, -2), (1e9, 127), (-1e9, -128)] {
        assert_eq!(quantize(value, &int8).unwrap(), code, "{}", value);
        assert_eq!(dequantize(code, &int8).unwrap(), (code - 3) as f32 * 0.5);
    }
    let int4 = params(0.25, 0, QuantType::INT4);
    let values = [0.3, -0.6, 9.0, -9.0, 0.0];
    let codes = quantize_tensor(&values, &int4).unwrap();
    assert_eq!(codes, [1, -2, 7, -7, 0]);
    // Codes that others made use the least one, too.
    assert_eq!(dequantize_tensor(&[1, -8], &int4).unwrap(), [0.25, -2.0]);
    assert_eq!(
        dequantize(-128, &params(2.0, 0, QuantType::INT8)).unwrap(),
        -256.0
    );

    refused(dequantize(8, &int4), &["8"]);
    refused(dequantize(1000, &int8), &["1000"]);
    refused(quantize(1.0, &params(-1.0, 0, QuantType::INT8)), &["scale"]);
    refused(
        quantize(1.0, &params(1.0, 300, QuantType::INT8)),
        &["zero_point: 300"],
    );
    refused(quantize(1.0, &params(1.0, 9, QuantType::INT4)), &["9"]);
    for quant_type in [QuantType::FP16, QuantType::BF16] {
        let halves = params(1.0, 0, quant_type);
        assert!(matches!(quantize(1.0, &halves), Err(Error::Unsupported(_))));
        assert!(matches!(dequantize(1, &halves), Err(Error::Unsupported(_))));
    }
}

#[test]
fn weights_are_as_small_and_as_good_as_the_report_says() {
    let weights = noise(10_000);
    let mut decibels = Vec::new();
    for quant_type in TYPES {
        let tensor = quantize_tensor_auto(&weights, &[100, 100], quant_type).unwrap();
        let reduction = match quant_type {
            QuantType::INT8 => 4.0,
            QuantType::INT4 => 8.0,
            _ => 2.0,
        };
        assert_eq!(tensor.memory_reduction(), reduction);
        assert_eq!(tensor.packed, quant_type == QuantType::INT4);
        assert_eq!(tensor.size_bytes() as f64 * reduction, 40_000.0);
        decibels.push(tensor.metrics(&weights).unwrap().sqnr_db);

        // Unpacked codes of the same parameters are the same tensor.
        if reduction >= 4.0 {
            let codes = quantize_tensor(&weights, &tensor.params).unwrap();
            let unpacked = QuantizedTensor {
                data: codes,
                packed: false,
                ..tensor.clone()
            };
            assert_eq!(unpacked.dequantize().unwrap(), tensor.dequantize().unwrap());
        }
        let cut = QuantizedTensor {
            shape: vec![99, 100],
            ..tensor
        };
        assert!(cut.dequantize().is_err());
    }
    let [int8, int4, fp16, bf16] = [decibels[0], decibels[1], decibels[2], decibels[3]];
    assert!(fp16 > bf16 && bf16 > int8 && int8 > int4, "{:?}", decibels);
    assert!(int8 > 30.0, "{:?}", decibels);
}

#[test]
fn post_training_quantization_follows_its_calibration_data() {
    let weights = noise(5000);
    let batches: Vec<_> = weights.chunks(500).collect();
    let auto = quantize_tensor_auto(&weights, &[5000], QuantType::INT8).unwrap();
    let method = CalibrationMethod::MinMax;
    let same = post_training_quantization(&weights, &batches, QuantType::INT8, method).unwrap();
    assert_eq!(same, auto);
    for method in [
        CalibrationMethod::MovingAverageMinMax,
        CalibrationMethod::Percentile(0.999),
        CalibrationMethod::Histogram,
    ] {
        let made = post_training_quantization(&weights, &batches, QuantType::INT8, method).unwrap();
        assert!(made.params.scale < auto.params.scale, "{:?}", method);
        assert!(
            made.metrics(&weights).unwrap().sqnr_db > 25.0,
            "{:?}",
            method
        );
    }
    let none: [&[f32]; 0] = [];
    let error = post_training_quantization(&weights, &none, QuantType::INT8, method).unwrap_err();
    assert!(matches!(error, Error::NoData(_)), "{}", error);

    let mut calibrator = Calibrator::new(method, QuantType::INT8, false).unwrap();
    calibrator.observe(&[-1.0, 3.0]).unwrap();
    let params = calibrator.compute_params().unwrap();
    assert_eq!(params.zero_point, -64);
    calibrator.reset().unwrap();
    assert!(matches!(calibrator.compute_params(), Err(Error::NoData(_))));
}

#[test]
fn outliers_are_clipped_and_the_others_are_better_for_it() {
    let mut weights = noise(10_000);
    for outlier in weights.iter_mut().step_by(2000) {
        *outlier = 100.0;
    }
    let error_of_inliers = |tensor: &QuantizedTensor| {
        let values = tensor.dequantize().unwrap();
        let pairs = weights.iter().zip(values).filter(|(x, _)| x.abs() < 50.0);
        pairs.map(|(x, y)| (x - y) * (x - y)).sum::<f32>()
    };
    let all = quantize_tensor_auto(&weights, &[10_000], QuantType::INT8).unwrap();
    let most = quantize_tensor_percentile(&weights, &[10_000], QuantType::INT8, 0.999).unwrap();
    assert!(error_of_inliers(&most) < error_of_inliers(&all) / 10.0);
    refused(
        quantize_tensor_percentile(&weights, &[10_000], QuantType::INT8, 99.9),
        &["percentile: 99.9", "0.999"],
    );
    let method = CalibrationMethod::Percentile(99.9);
    refused(Calibrator::new(method, QuantType::INT8, true), &["99.9"]);
}

#[test]
fn configs_are_the_librarys() {
    let same = |config: QuantConfig, text: &str| {
        assert_eq!(
            config.to_config().unwrap(),
            text.parse::<Config>().unwrap(),
            "{}",
            text
        );
    };
    same(QuantConfig::int8_symmetric(), "int8,granularity=tensor");
    same(QuantConfig::int4_per_group(64), "int4,group_size=64");
    same(QuantConfig::fp16(), "f16");
    let channels = QuantConfig {
        scheme: QuantScheme::Asymmetric,
        granularity: QuantGranularity::PerChannel,
        ..QuantConfig::int8_symmetric()
    };
    same(channels, "int8,scheme=asymmetric,granularity=channel");
    let tensor = channels.quantize(&noise(64), &[4, 16]).unwrap();
    assert_eq!(tensor.zero_points().len(), 4);
    assert_eq!(tensor.dequantize(&Context::new()).unwrap().len(), 64);
    refused(QuantConfig::int4_per_group(0).to_config(), &["group_size"]);
}
