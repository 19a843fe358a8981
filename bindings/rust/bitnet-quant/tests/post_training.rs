//! Static parameters from calibration, on a real, trained network and by hand.

mod common;

use bitnet_quant::{
    compare, compare_histogram, dequantize_file, no_progress, post_training_quantization,
    post_training_quantize_file, quantize_tensor_auto, quantize_tensor_percentile,
    AdaptiveActivationQuantizer, ArrayView, Calibration, CalibrationDataset, CalibrationMethod,
    Calibrator, Config, Context, DType, Error, File, Plan, QuantParams, QuantizedTensor,
    WriteOptions,
};
use common::{refused, weights, TempDir};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

fn config(text: &str) -> Config {
    text.parse().unwrap()
}

fn model_file(name: &str) -> PathBuf {
    let models = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../tests/models");
    Path::new(models).join(name)
}

/// A layer of the digits network.
struct Layer {
    weight: Vec<f32>,
    bias: Vec<f32>,
}

/// The trained network of `tests/models`, and the images it never saw.
struct Digits {
    layers: Vec<Layer>,
    images: Vec<f32>,
    labels: Vec<u8>,
}

const LAYERS: usize = 3;

impl Digits {
    fn new(context: &Context, model: &Path) -> Digits {
        let file = File::open(context, model).unwrap();
        let read = |name: String| file.entry(&name).unwrap().read::<f32>(context).unwrap();
        let test = File::open(context, model_file("digits_test.safetensors")).unwrap();
        let bytes = |name| test.entry(name).unwrap().read::<u8>(context).unwrap();
        let layer = |i| Layer {
            weight: read(format!("layers.{}.weight", i)),
            bias: read(format!("layers.{}.bias", i)),
        };
        Digits {
            layers: (0..LAYERS).map(layer).collect(),
            images: bytes("images")
                .iter()
                .map(|&p| f32::from(p) / 16.0)
                .collect(),
            labels: bytes("labels"),
        }
    }

    /// The share of the images that are classified correctly; `watch` sees the input of
    /// each layer, as [images, features], and may replace it.
    fn accuracy(&self, mut watch: impl FnMut(usize, Vec<f32>) -> Vec<f32>) -> f64 {
        let mut x = self.images.clone();
        let count = self.labels.len();
        for (i, layer) in self.layers.iter().enumerate() {
            x = watch(i, x);
            let (inputs, outputs) = (x.len() / count, layer.bias.len());
            let mut y = Vec::with_capacity(count * outputs);
            for row in x.chunks(inputs) {
                for (weight, bias) in layer.weight.chunks(inputs).zip(&layer.bias) {
                    let sum: f32 = row.iter().zip(weight).map(|(x, w)| x * w).sum();
                    let last = i + 1 == LAYERS;
                    y.push(if last {
                        sum + bias
                    } else {
                        (sum + bias).max(0.0)
                    });
                }
            }
            x = y;
        }
        let digit = |scores: &[f32]| {
            let best = |a: &usize, b: &usize| scores[*a].partial_cmp(&scores[*b]).unwrap();
            (0..scores.len()).max_by(best).unwrap()
        };
        let outputs = x.len() / count;
        let hits = x
            .chunks(outputs)
            .zip(&self.labels)
            .filter(|(scores, label)| digit(scores) == usize::from(**label));
        hits.count() as f64 / count as f64
    }
}

fn view<'a>(values: &'a [f32], rows: usize) -> ArrayView<'a> {
    ArrayView::new(values, &[rows, values.len() / rows]).unwrap()
}

/// Calibration of all activations, a file with their parameters, and the network on what
/// is in the file.
#[test]
fn a_trained_network_in_int8() {
    let context = Context::with_threads(2).unwrap();
    let model = model_file("digits.safetensors");
    let digits = Digits::new(&context, &model);
    let images = digits.labels.len();
    let prototype = Calibrator::builder()
        .set("scheme", "asymmetric")
        .method(CalibrationMethod::Mse)
        .build()
        .unwrap();
    let mut calibration = Calibration::with_prototype(&prototype).unwrap();
    let baseline = digits.accuracy(|i, x| {
        let name = format!("layers.{}", i);
        calibration
            .observe(&context, &name, &view(&x, images))
            .unwrap();
        x
    });
    assert!(baseline > 0.97, "{}", baseline);

    let directory = TempDir::new();
    let output = directory.path("digits.bnq");
    let mut plan = Plan::new().unwrap();
    plan.add("*.weight", 2, &config("int8_symmetric")).unwrap();
    let activations = config("int8_asymmetric,granularity=tensor");
    let mut items = Vec::new();
    let report = post_training_quantize_file(
        &context,
        &plan,
        &calibration,
        Some(&activations),
        &model,
        &output,
        WriteOptions::new(),
        |progress| {
            items.push(progress.item.to_string());
            ControlFlow::Continue(())
        },
    )
    .unwrap();
    assert!(
        items.iter().any(|item| item == "layers.1.weight"),
        "{:?}",
        items
    );
    let row = report.rows().find(|row| row.name() == "layers.0.weight");
    assert!(row.unwrap().metrics().unwrap().sqnr_db > 30.0);

    // The parameters in the file are those of the calibrators.
    let file = File::open(&context, &output).unwrap();
    let mut params = Vec::new();
    for i in 0..LAYERS {
        let name = format!("layers.{}", i);
        let scale = file.entry(&format!("{}.input_scale", name)).unwrap();
        let zero_point = file.entry(&format!("{}.input_zero_point", name)).unwrap();
        let read = QuantParams {
            scales: scale.read(&context).unwrap(),
            zero_points: zero_point.read(&context).unwrap(),
            offsets: Vec::new(),
        };
        let calibrator = calibration.get(&name).unwrap();
        assert_eq!(read, calibrator.params(&context, &activations).unwrap());
        params.push(read);
    }

    // The network with weights and activations from their codes.
    let restored = directory.path("restored.safetensors");
    let options = WriteOptions::new();
    dequantize_file(
        &context,
        &output,
        &restored,
        DType::F32,
        options,
        no_progress,
    )
    .unwrap();
    let accuracy = Digits::new(&context, &restored).accuracy(|i, x| {
        let (scales, zero_points) = (&params[i].scales, &params[i].zero_points);
        let array = view(&x, images);
        let tensor = QuantizedTensor::quantize_static(
            &context,
            &activations,
            &array,
            scales,
            zero_points,
            &[],
        )
        .unwrap();
        tensor.dequantize(&context).unwrap()
    });
    assert!(accuracy > baseline - 0.01, "{} from {}", accuracy, baseline);

    // Without a config the parameters are symmetric, without zero points.
    let options = WriteOptions::new().overwrite(true);
    let progress = no_progress;
    post_training_quantize_file(
        &context,
        &plan,
        &calibration,
        None,
        &model,
        &output,
        options,
        progress,
    )
    .unwrap();
    let file = File::open(&context, &output).unwrap();
    assert!(file.entry("layers.0.input_scale").is_ok());
    assert!(matches!(
        file.entry("layers.0.input_zero_point"),
        Err(Error::NotFound(_))
    ));

    // A panic in progress goes on, and an output that is there stays.
    let before = std::fs::read(&output).unwrap();
    let payload = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let progress = |_: &bitnet_quant::Progress<'_>| panic!("enough");
        post_training_quantize_file(
            &context,
            &plan,
            &calibration,
            None,
            &model,
            &output,
            options,
            progress,
        )
    }))
    .unwrap_err();
    assert_eq!(payload.downcast_ref::<&str>(), Some(&"enough"));
    assert_eq!(std::fs::read(&output).unwrap(), before);

    // Parameters that a model has are in the way of new ones.
    let taken = directory.path("taken.safetensors");
    let options = WriteOptions::new();
    dequantize_file(&context, &output, &taken, DType::F32, options, no_progress).unwrap();
    let again = directory.path("again.bnq");
    let result = post_training_quantize_file(
        &context,
        &plan,
        &calibration,
        None,
        &taken,
        &again,
        options,
        no_progress,
    );
    refused(result, &["input_scale"]);
    assert!(!again.exists());
}

#[test]
fn one_call_for_a_layer() {
    let context = Context::new();
    let digits = Digits::new(&context, &model_file("digits.safetensors"));
    let (layer, images) = (&digits.layers[0], digits.labels.len());
    let array = view(&layer.weight, layer.bias.len());
    let batches = digits.images.chunks(64 * 50).map(|batch| view(batch, 50));
    let dataset: CalibrationDataset<'_> = batches.collect();
    let (weights, activations) = (config("int4_per_group_128"), config("int8_asymmetric"));
    let method = CalibrationMethod::Percentile;
    let made =
        post_training_quantization(&context, &weights, &array, &activations, method, &dataset)
            .unwrap();
    let alone = QuantizedTensor::quantize(&context, &weights, &array).unwrap();
    assert_eq!(made.weights.codes(), alone.codes());
    assert_eq!(made.calibrator.batches(), 9);
    assert_eq!(made.calibrator.method().unwrap(), method);

    // The batches in one are the same.
    let mut calibrator = Calibrator::builder_for(&activations)
        .unwrap()
        .method(method)
        .build()
        .unwrap();
    let all = view(&digits.images, images);
    calibrator.observe(&context, &all).unwrap();
    assert_eq!(
        made.activations,
        calibrator.params(&context, &activations).unwrap()
    );
    // Pixels are 0 to 1: the least code stands for 0.
    assert_eq!(made.activations.zero_points, [-128]);

    let empty = CalibrationDataset::new();
    let error =
        post_training_quantization(&context, &weights, &array, &activations, method, &empty)
            .unwrap_err();
    assert!(matches!(error, Error::NoData(_)), "{}", error);
}

#[test]
fn parameters_that_are_given() {
    let context = Context::new();
    let values = [0.9f32, -2.6, 9.0, 0.0, 1.0, -30.0];
    let array = ArrayView::new(&values, &[2, 3]).unwrap();
    let quantize = |text: &str, scales: &[f32], zero_points: &[i8]| {
        QuantizedTensor::quantize_static_counting(
            &context,
            &config(text),
            &array,
            scales,
            zero_points,
            &[],
        )
    };
    let (tensor, clamped) = quantize("format=int4,granularity=channel", &[1.0, 2.0], &[]).unwrap();
    assert_eq!(tensor.unpack(&context).unwrap(), [1, -3, 7, 0, 0, -7]);
    assert_eq!((&tensor.scales()[..], clamped), (&[1.0, 2.0][..], 2));
    let text = "format=int4,granularity=tensor,scheme=asymmetric";
    let (tensor, clamped) = quantize(text, &[2.0], &[-8]).unwrap();
    assert_eq!(tensor.unpack(&context).unwrap(), [-8, -8, -4, -8, -8, -8]);
    assert_eq!((tensor.zero_points(), clamped), (&[-8][..], 2));

    refused(
        quantize("format=int4,granularity=tensor", &[1.0, 2.0], &[]),
        &["2"],
    );
    refused(
        quantize("format=int4,granularity=tensor", &[1.0], &[3]),
        &["zero_point"],
    );
    refused(quantize(text, &[1.0], &[9]), &["9"]);
    for scale in [f32::NAN, f32::INFINITY, -1.0] {
        refused(
            quantize("format=int4,granularity=channel", &[1.0, scale], &[]),
            &["scale 1"],
        );
    }

    let calibrator = Calibrator::new();
    let int8 = config("int8_symmetric,granularity=tensor");
    let none = QuantizedTensor::quantize_calibrated(&context, &int8, &calibrator, &array);
    assert!(matches!(none, Err(Error::NoData(_))), "{:?}", none);
    let mut calibrator = calibrator;
    calibrator.observe(&context, &array).unwrap();
    let rows = config("int8_symmetric,granularity=channel");
    let other = QuantizedTensor::quantize_calibrated(&context, &rows, &calibrator, &array);
    refused(other, &["granularity"]);
    let error = calibrator
        .params(&context, &config("format=bf16"))
        .unwrap_err();
    assert!(matches!(error, Error::Unsupported(_)), "{}", error);
}

#[test]
fn one_call_for_a_tensor() {
    let context = Context::new();
    let mut values = weights(64 * 64);
    values[100] = 50.0;
    let array = view(&values, 64);
    for text in [
        "int8_asymmetric,granularity=tensor",
        "format=int4,granularity=channel,axis=1",
    ] {
        let config = config(text);
        for method in CalibrationMethod::ALL {
            let auto = quantize_tensor_auto(&context, &config, *method, &array).unwrap();
            let mut calibrator = Calibrator::builder_for(&config)
                .unwrap()
                .method(*method)
                .build()
                .unwrap();
            calibrator.observe(&context, &array).unwrap();
            let tensor =
                QuantizedTensor::quantize_calibrated(&context, &config, &calibrator, &array)
                    .unwrap();
            assert_eq!(auto.codes(), tensor.codes(), "{} {}", method, config);
            assert_eq!(auto.scales(), tensor.scales(), "{} {}", method, config);
        }
    }
    let groups = config("int4_per_group_128");
    let error = quantize_tensor_auto(&context, &groups, CalibrationMethod::Kl, &array);
    refused(error, &["granularity"]);

    let tensor = quantize_tensor_percentile(&context, &groups, 90.0, &array).unwrap();
    let rule = groups
        .to_builder()
        .set("scale_rule", "percentile")
        .percentile(90.0);
    let expected = QuantizedTensor::quantize(&context, &rule.build().unwrap(), &array).unwrap();
    assert_eq!(tensor.codes(), expected.codes());
    assert_eq!(tensor.scales(), expected.scales());
    let plain = QuantizedTensor::quantize(&context, &groups, &array).unwrap();
    assert_ne!(tensor.scales(), plain.scales());
    refused(
        quantize_tensor_percentile(&context, &groups, 100.5, &array),
        &["percentile"],
    );
}

/// The range follows the batches, in steps, and a wild one is clamped.
#[test]
fn adaptive_activations() {
    let context = Context::new();
    let int8 = config("int8_symmetric,granularity=tensor");
    let mut quantizer = AdaptiveActivationQuantizer::new(int8.clone()).unwrap();
    assert!(matches!(quantizer.range(&context), Err(Error::NoData(_))));
    let values = weights(256);
    let tensor = quantizer.quantize(&context, &view(&values, 4)).unwrap();
    assert!(tensor.compare(&context, &view(&values, 4)).unwrap().sqnr_db > 40.0);
    let width = |quantizer: &AdaptiveActivationQuantizer| {
        let range = quantizer.range(&context).unwrap()[0];
        range.hi - range.lo
    };
    let first = width(&quantizer);

    let wild: Vec<f32> = values.iter().map(|v| v * 1000.0).collect();
    let (_, clamped) = quantizer
        .quantize_counting(&context, &view(&wild, 4))
        .unwrap();
    assert!(clamped > 200, "{}", clamped);
    let after = width(&quantizer);
    assert!(
        after > first && after <= 2.001 * first,
        "{} from {}",
        after,
        first
    );
    quantizer.reset().unwrap();
    quantizer.quantize(&context, &view(&values, 4)).unwrap();
    assert_eq!(width(&quantizer), first);
    assert_eq!(
        (quantizer.calibrator().batches(), quantizer.config()),
        (1, &int8)
    );

    // A calibrator that learns faster, and has seen the first batch.
    let mut calibrator = Calibrator::builder_for(quantizer.config())
        .unwrap()
        .method(CalibrationMethod::Adaptive)
        .averaging(0.5)
        .build()
        .unwrap();
    calibrator.observe(&context, &view(&values, 4)).unwrap();
    let mut own = AdaptiveActivationQuantizer::with_calibrator(int8, calibrator);
    assert_eq!(width(&own), first);
    let mut last = u64::MAX;
    for _ in 0..40 {
        let (_, clamped) = own.quantize_counting(&context, &view(&wild, 4)).unwrap();
        assert!(clamped <= last, "{} after {}", clamped, last);
        last = clamped;
    }
    assert!(last <= 4, "{} are still clamped", last);
}

#[test]
fn distributions_of_errors() {
    let context = Context::new();
    let values = weights(4096);
    let array = view(&values, 64);
    let tensor =
        QuantizedTensor::quantize(&context, &config("int4_per_group_128"), &array).unwrap();
    let restored = tensor.dequantize(&context).unwrap();
    let errors = tensor.compare_histogram(&context, &array, 101).unwrap();
    let other = compare_histogram(&context, &array, &view(&restored, 64), 101).unwrap();
    assert_eq!(errors, other);
    assert_eq!(errors.counts.len(), 101);
    assert_eq!(errors.counts.iter().sum::<u64>(), 4096);
    let metrics = compare(&context, &array, &view(&restored, 64)).unwrap();
    assert_eq!(errors.max_error, metrics.max_error);
    assert!(errors.kl > 0.0);

    let same = compare_histogram(&context, &array, &array, 4).unwrap();
    assert_eq!((same.max_error, same.kl), (0.0, 0.0));
    assert_eq!(same.counts.iter().max(), Some(&4096));
    for bins in [0, 1, 65537, u32::MAX] {
        refused(compare_histogram(&context, &array, &array, bins), &["bins"]);
    }
    refused(
        compare_histogram(&context, &array, &view(&values, 4), 4),
        &["shape"],
    );
    let empty = ArrayView::new::<f32>(&[], &[0]).unwrap();
    let none = compare_histogram(&context, &empty, &empty, 4);
    assert!(matches!(none, Err(Error::NoData(_))), "{:?}", none);
}
