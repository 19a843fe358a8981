//! Quantizers by bits, against what the library says itself.

mod common;

use bitnet_quant::{
    BitNetQuantizer, CalibrationDataset, CalibrationMethod, Calibrator, Config, Context, Device,
    Error, MixedPrecisionConfig, MixedPrecisionQuantizer, PerChannelQuantizer, QuantizationConfig,
    QuantizedTensor, Quantizer, Tensor,
};
use common::refused;

const BITS: [f64; 8] = [1.0, 1.58, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0];

fn noise(shape: &[usize]) -> Tensor {
    Tensor::randn_seeded(shape, &Device::Cpu, 7).unwrap()
}

fn with_bits(bits: f64) -> QuantizationConfig {
    QuantizationConfig {
        bits,
        ..Default::default()
    }
}

/// The tensor that a config's text makes.
fn expected(text: &str, weights: &Tensor) -> QuantizedTensor {
    let config: Config = text.parse().unwrap();
    QuantizedTensor::quantize(&Context::new(), &config, &weights.view()).unwrap()
}

#[test]
fn quantizer_of_every_number_of_bits_makes_what_the_library_makes() {
    let weights = noise(&[24, 40]);
    let context = Context::new();
    for bits in BITS {
        for symmetric in [true, false] {
            let config = QuantizationConfig {
                symmetric,
                ..with_bits(bits)
            };
            let quantizer = BitNetQuantizer::new(config);
            if !symmetric && bits < 2.0 {
                // An error of its own, in the words of this config.
                let error = quantizer.quantize_weights(&weights).unwrap_err();
                assert!(matches!(error, Error::Unsupported(_)), "{}", error);
                let said = format!("symmetric = false does not go with bits = {}", bits);
                assert!(error.to_string().contains(&said), "{}", error);
                continue;
            }
            let scheme = if symmetric { "symmetric" } else { "asymmetric" };
            let text = format!("bits={},scheme={},granularity=tensor", bits, scheme);
            let whole = expected(&text, &weights);
            let (tensor, scale, zero_point) = quantizer.quantize_weights(&weights).unwrap();
            assert_eq!(tensor.codes(), whole.codes(), "{}", text);
            assert_eq!([scale], whole.scales()[..], "{}", text);
            let zero = whole.zero_points().first().map_or(0, |&zero| zero.into());
            assert_eq!(zero_point, zero, "{}", text);

            let values = quantizer.dequantize(&tensor, scale, zero_point).unwrap();
            assert_eq!(values.as_slice(), whole.dequantize(&context).unwrap());
            let doubled = quantizer
                .dequantize(&tensor, 2.0 * scale, zero_point)
                .unwrap();
            let pairs = values.as_slice().iter().zip(doubled.as_slice());
            assert!(pairs.into_iter().all(|(x, y)| 2.0 * x == *y), "{}", text);

            let text = format!("bits={},scheme={},granularity=channel,axis=1", bits, scheme);
            let columns = PerChannelQuantizer::new(QuantizationConfig {
                channel_axis: 1,
                ..config
            });
            let (tensor, scales, zero_points) = columns.quantize_weights(&weights).unwrap();
            let whole = expected(&text, &weights);
            assert_eq!(scales.len(), 40);
            assert_eq!(
                (tensor.codes(), &scales[..]),
                (whole.codes(), &whole.scales()[..])
            );
            assert_eq!(zero_points, whole.zero_points());
            assert_eq!(
                columns.dequantize(&tensor).unwrap().as_slice(),
                whole.dequantize(&context).unwrap()
            );
        }
    }
    refused(with_bits(7.0).to_config(), &["7", "1.58"]);
    let channels = QuantizationConfig {
        per_channel: true,
        ..Default::default()
    };
    let error = BitNetQuantizer::new(channels)
        .quantize_weights(&weights)
        .unwrap_err();
    assert!(
        error.to_string().contains("PerChannelQuantizer"),
        "{}",
        error
    );
}

#[test]
fn quantizer_of_activations_clamps_at_given_and_calibrated_parameters() {
    let context = Context::new();
    let input = Tensor::from_vec(vec![0.5, -1.0, 200.0, -0.26], &[2, 2]).unwrap();
    let quantizer = BitNetQuantizer::new(with_bits(1.58));
    let codes = quantizer.quantize_activations(&input, 0.5, 0).unwrap();
    assert_eq!(codes.unpack(&context).unwrap(), [1, -2, 127, -1]);
    refused(
        quantizer.quantize_activations(&input, 0.5, 3),
        &["zero_point: 3", "0"],
    );
    refused(quantizer.quantize_activations(&input, -0.5, 0), &["scale"]);
    let asymmetric = QuantizationConfig {
        symmetric: false,
        ..with_bits(4.0)
    };
    let quantizer = BitNetQuantizer::new(asymmetric);
    let codes = quantizer.quantize_activations(&input, 0.5, 3).unwrap();
    assert_eq!(codes.unpack(&context).unwrap(), [4, 1, 127, 2]);
    refused(quantizer.quantize_activations(&input, 0.5, 128), &["128"]);

    let error = quantizer.quantize_calibrated(&input).unwrap_err();
    assert!(matches!(error, Error::NoData(_)), "{}", error);
    let data = CalibrationDataset::from_tensors(vec![noise(&[4, 8]), noise(&[3, 8])]);
    let config = QuantizationConfig {
        calibration_method: CalibrationMethod::Mse,
        ..asymmetric
    };
    let activations = config.to_activation_config().unwrap();
    let mut calibrator = config.calibrator().unwrap();
    let params = calibrator
        .calibrate_for(&context, &activations, &data)
        .unwrap();
    assert_eq!(params.zero_points.len(), 1);
    let made = BitNetQuantizer::with_params(params)
        .quantize_calibrated(&noise(&[4, 8]))
        .unwrap();
    let same = QuantizedTensor::quantize_calibrated(
        &context,
        &activations,
        &calibrator,
        &noise(&[4, 8]).view(),
    );
    assert_eq!(made.codes(), same.unwrap().codes());

    let params = Calibrator::new().calibrate(&data).unwrap();
    assert!(params.zero_points.is_empty());
    let made = BitNetQuantizer::with_params(params)
        .quantize_calibrated(&noise(&[4, 8]))
        .unwrap();
    assert_eq!(
        made.unpack(&context)
            .unwrap()
            .iter()
            .map(|code| code.abs())
            .max(),
        Some(127)
    );
}

#[test]
fn quantizer_of_mixed_precision_follows_its_plan() {
    let others = QuantizationConfig {
        per_channel: true,
        ..with_bits(8.0)
    };
    let config = MixedPrecisionConfig::builder()
        .layer_config("conv1", with_bits(2.0))
        .layer_config("layers.*", with_bits(1.58))
        .default_config(others)
        .build();
    let quantizer = MixedPrecisionQuantizer::new(config.clone());
    let weights = noise(&[16, 8]);
    for (layer, bits) in [("conv1", 2.0), ("layers.3.weight", 1.58)] {
        let made = quantizer
            .quantize_weights(layer, &weights)
            .unwrap()
            .unwrap();
        let alone = BitNetQuantizer::new(with_bits(bits))
            .quantize_weights(&weights)
            .unwrap()
            .0;
        assert_eq!(
            (made.codes(), made.scales()),
            (alone.codes(), alone.scales()),
            "{}",
            layer
        );
    }
    let found = config.to_plan().unwrap().find("fc", 2).unwrap().unwrap();
    assert_eq!(found.config, quantizer.config_of("fc").unwrap());
    assert_eq!(found.config, Some(others.to_config().unwrap()));

    let bad = MixedPrecisionConfig::builder()
        .layer_config("a", with_bits(7.0))
        .build();
    refused(
        MixedPrecisionQuantizer::new(bad).quantize_weights("a", &weights),
        &["bits", "7"],
    );
}

#[test]
fn tensors_have_what_their_shape_says() {
    refused(Tensor::from_vec(vec![0.0; 3], &[2, 2]), &["4", "3"]);
    refused(Tensor::zeros(&[1; 9], &Device::Cpu), &["rank"]);
    let error = Tensor::zeros(&[usize::MAX / 8], &Device::Cpu).unwrap_err();
    assert!(matches!(error, Error::OutOfMemory(_)), "{}", error);

    let a = Tensor::randn(&[4096], &Device::Cpu).unwrap();
    let b = Tensor::randn(&[4096], &Device::Cpu).unwrap();
    assert_ne!(a, b);
    assert_eq!(noise(&[9]).as_slice(), &noise(&[3, 3]).into_vec()[..]);
    let mut calibrator = Calibrator::builder().moments(true).build().unwrap();
    calibrator.observe(&Context::new(), &a.view()).unwrap();
    let statistics = calibrator.total_statistics(&Context::new()).unwrap();
    assert!(statistics.mean().abs() < 0.1, "{:?}", statistics);
    assert!(
        (statistics.variance() - 1.0).abs() < 0.1,
        "{:?}",
        statistics
    );
    assert!(
        (statistics.kurtosis() - 3.0).abs() < 0.5,
        "{:?}",
        statistics
    );
}

#[test]
fn modules_of_the_document_have_its_things() {
    use bitnet_quant::algorithms::{Rounding, ScaleRule, ValueRange};
    use bitnet_quant::calibration::Statistics;
    use bitnet_quant::memory::BitNetTensor;
    use bitnet_quant::ops::{softmax_in_place, Linear, MatrixView, MatrixViewMut, Operator};
    use bitnet_quant::utils::{compare, compare_histogram};

    let (context, weights) = (Context::new(), noise(&[4, 8]));
    let config = with_bits(8.0).to_config().unwrap().to_builder();
    let config = config.rounding(Rounding::HalfUp).scale_rule(ScaleRule::Mse);
    let weight =
        QuantizedTensor::quantize(&context, &config.build().unwrap(), &weights.view()).unwrap();
    let linear = Linear::new(
        &context,
        &Operator::builder().build().unwrap(),
        &weight,
        None,
    )
    .unwrap();
    let mut y = [0.0f32; 4];
    let mut output = MatrixViewMut::new(&mut y, 1, 4).unwrap();
    let x = MatrixView::new(&[1.0f32; 8], 1, 8).unwrap();
    linear.forward(&context, &x, &mut output).unwrap();
    softmax_in_place(&context, &mut output).unwrap();
    assert!((y.iter().sum::<f32>() - 1.0).abs() < 1e-5);

    let restored: BitNetTensor =
        Tensor::from_vec(weight.dequantize(&context).unwrap(), &[4, 8]).unwrap();
    let (a, b) = (weights.view(), restored.view());
    let whole = compare(&context, &a, &b).unwrap();
    assert_eq!(whole, weight.compare(&context, &a).unwrap());
    let histogram = compare_histogram(&context, &a, &b, 8).unwrap();
    assert_eq!(histogram.counts.iter().sum::<u64>(), 32);
    let mut calibrator = Calibrator::new();
    calibrator.observe(&context, &a).unwrap();
    let range: ValueRange = calibrator.range(&context).unwrap()[0];
    let statistics: Statistics = calibrator.total_statistics(&context).unwrap();
    assert_eq!(f64::from(range.hi), statistics.absmax());
}
