//! All cases of the vectors of calibration that every language shares.

mod common;

use bitnet_quant::{
    ArrayView, CalibrationMethod, Calibrator, Config, Context, Error, QuantParams, QuantizedTensor,
    Statistics, ValueRange,
};
use common::cases;
use common::json::{bits, config, float_bits, floats, integers, list, number, shape, text};
use serde_json::Value;

type Batch = (Vec<f32>, Vec<usize>);

struct Case {
    name: String,
    json: Value,
    batches: Vec<Batch>,
}

impl Case {
    fn all() -> Vec<Case> {
        let case = |json: Value| {
            let batch = |batch: &Value| (floats(&batch["input"]), shape(&batch["shape"]));
            Case {
                name: text(&json["name"]).to_string(),
                batches: list(&json["batches"]).iter().map(batch).collect(),
                json,
            }
        };
        cases("calibration.json").into_iter().map(case).collect()
    }

    /// A calibrator with the case's options, which has observed nothing.
    fn calibrator(&self) -> Calibrator {
        let options = self.json["options"].as_object().expect("options");
        let builder = Calibrator::builder();
        let set = |builder: bitnet_quant::CalibratorBuilder, (option, value): (&String, &Value)| {
            builder.set(option, text(value))
        };
        options.iter().fold(builder, set).build().expect(&self.name)
    }

    fn observe(&self, context: &Context, batches: &[Batch]) -> Calibrator {
        let mut calibrator = self.calibrator();
        for (input, shape) in batches {
            let array = ArrayView::new(input, shape).unwrap();
            calibrator.observe(context, &array).expect(&self.name);
        }
        calibrator
    }

    fn observed(&self, context: &Context) -> Calibrator {
        self.observe(context, &self.batches)
    }

    /// The config and the parameters of each of the case's.
    fn params(&self) -> impl Iterator<Item = (Config, Vec<u32>, Vec<i8>)> + '_ {
        list(&self.json["params"]).iter().map(|params| {
            let scales = float_bits(&params["scales"]);
            let zero_points = integers(&params["zero_points"]);
            (config(&params["config"]).unwrap(), scales, zero_points)
        })
    }

    fn check(&self, context: &Context, calibrator: &Calibrator) {
        let (name, json) = (&self.name, &self.json);
        let ends = floats(&json["lo"]).into_iter().zip(floats(&json["hi"]));
        let expected: Vec<_> = ends.map(|(lo, hi)| ValueRange { lo, hi }).collect();
        assert_eq!(calibrator.channels(), expected.len(), "{}", name);
        assert_eq!(calibrator.range(context).expect(name), expected, "{}", name);
        let filled = self.batches.iter().filter(|(input, _)| !input.is_empty());
        assert_eq!(calibrator.batches(), filled.count() as u64, "{}", name);

        let channels = list(&json["statistics"]);
        assert_eq!(channels.len(), calibrator.channels(), "{}", name);
        for (i, channel) in channels.iter().enumerate() {
            same_statistics(
                name,
                &calibrator.statistics(&context, i).expect(name),
                channel,
            );
        }
        let all = calibrator.total_statistics(&context).expect(name);
        same_statistics(name, &all, &json["all_channels"]);

        let histograms = list(&json["histograms"]);
        if histograms.is_empty() {
            let none = calibrator.histogram(0);
            assert!(matches!(none, Err(Error::Unsupported(_))), "{}", name);
        }
        for (i, expected) in histograms.iter().enumerate() {
            let histogram = calibrator.histogram(i).expect(name);
            let counts: Vec<u64> = integers(&expected["counts"]);
            assert_eq!(histogram.counts, counts, "{}", name);
            assert_eq!(histogram.first, number(&expected["first"]), "{}", name);
            assert_eq!(histogram.width, number(&expected["width"]), "{}", name);
        }

        for (config, scales, zero_points) in self.params() {
            let params = calibrator.params(context, &config).expect(name);
            assert_eq!(bits(&params.scales), scales, "{}: {}", name, config);
            assert_eq!(params.zero_points, zero_points, "{}: {}", name, config);
        }
    }
}

fn same_statistics(name: &str, statistics: &Statistics, expected: &Value) {
    let expected = expected.as_object().expect("statistics");
    assert_eq!(statistics.named().len(), expected.len(), "{}", name);
    let methods = [
        ("count", statistics.count() as f64),
        ("min", statistics.min()),
        ("max", statistics.max()),
        ("mean", statistics.mean()),
        ("variance", statistics.variance()),
        ("absmax", statistics.absmax()),
        ("absmean", statistics.absmean()),
        ("skewness", statistics.skewness()),
        ("kurtosis", statistics.kurtosis()),
        ("zero_share", statistics.zero_share()),
        ("non_finite", statistics.non_finite() as f64),
        ("outliers", statistics.outliers() as f64),
    ];
    for ((statistic, value), method) in statistics.named().zip(methods) {
        assert_eq!((statistic, value.to_bits()), (method.0, method.1.to_bits()));
    }
    for (statistic, value) in statistics.named() {
        let wanted = number(&expected[statistic]);
        let summed = ["mean", "variance", "absmean", "skewness", "kurtosis"].contains(&statistic);
        let close = summed && (value - wanted).abs() <= 1e-12 * wanted.abs().max(1.0);
        assert!(
            value == wanted || close || value.is_nan() && wanted.is_nan(),
            "{}: {} is {}, not {}",
            name,
            statistic,
            value,
            wanted
        );
    }
}

#[test]
fn calibrate() {
    for threads in [1, 3] {
        let context = Context::with_threads(threads).unwrap();
        for case in Case::all() {
            let calibrator = case.observed(&context);
            case.check(&context, &calibrator);

            // What it knows travels, and a copy is of its own.
            let bytes = calibrator.to_bytes(&context).expect(&case.name);
            let mut read = Calibrator::from_bytes(&context, &bytes).expect(&case.name);
            case.check(&context, &read);
            assert_eq!(read.to_bytes(&context).unwrap(), bytes, "{}", case.name);
            let copy = read.clone();
            read.reset().unwrap();
            assert_eq!((read.channels(), read.batches()), (0, 0), "{}", case.name);
            case.check(&context, &copy);
            assert_eq!(copy.to_bytes(&context).unwrap(), bytes, "{}", case.name);
        }
    }
}

/// Two calibrators of parts of the batches, merged, are the one that saw all.
#[test]
fn merge() {
    let context = Context::with_threads(2).unwrap();
    let mut merged = 0;
    for case in Case::all() {
        let whole = case.observed(&context);
        let (first, second) = case.batches.split_at(case.batches.len() / 2);
        let mut calibrator = case.observe(&context, second);
        let result = calibrator.merge(&context, &case.observe(&context, first));
        match whole.method().unwrap() {
            CalibrationMethod::MovingAverage | CalibrationMethod::Adaptive => {
                assert!(
                    matches!(result, Err(Error::Unsupported(_))),
                    "{}",
                    case.name
                );
            }
            _ => {
                result.expect(&case.name);
                case.check(&context, &calibrator);
                let bytes = calibrator.to_bytes(&context).unwrap();
                assert_eq!(bytes, whole.to_bytes(&context).unwrap(), "{}", case.name);
                merged += 1;
            }
        }
    }
    assert!(merged > 0);
}

/// The batches in double precision, and with the parameters of the calibrator, found and
/// given, the same codes.
#[test]
fn quantize() {
    let context = Context::new();
    for case in Case::all() {
        let name = &case.name;
        let calibrator = case.observed(&context);
        let mut doubles = case.calibrator();
        for (input, shape) in &case.batches {
            let input: Vec<f64> = input.iter().map(|&v| v.into()).collect();
            let array = ArrayView::new(&input, shape).unwrap();
            doubles.observe(&context, &array).expect(name);
        }
        assert_eq!(
            doubles.to_bytes(&context).unwrap(),
            calibrator.to_bytes(&context).unwrap(),
            "{}",
            name
        );

        let granularity = calibrator.granularity().unwrap();
        let axis = calibrator.get("axis".parse().unwrap()).unwrap();
        for (config, _, _) in case.params() {
            let config = config
                .to_builder()
                .granularity(granularity)
                .set("axis", axis)
                .set("non_finite", "zero")
                .build()
                .unwrap();
            let QuantParams {
                scales,
                zero_points,
                offsets,
            } = calibrator.params(&context, &config).expect(name);
            for (input, shape) in case.batches.iter().filter(|(input, _)| !input.is_empty()) {
                let array = ArrayView::new(input, shape).unwrap();
                let (found, clamped) = QuantizedTensor::quantize_calibrated_counting(
                    &context,
                    &config,
                    &calibrator,
                    &array,
                )
                .expect(name);
                let (given, clamped_too) = QuantizedTensor::quantize_static_counting(
                    &context,
                    &config,
                    &array,
                    &scales,
                    &zero_points,
                    &offsets,
                )
                .expect(name);
                assert_eq!(found.codes(), given.codes(), "{}: {}", name, config);
                assert_eq!(clamped, clamped_too, "{}: {}", name, config);
                assert_eq!(bits(&found.scales()), bits(&scales), "{}: {}", name, config);
                assert_eq!(found.zero_points(), zero_points, "{}: {}", name, config);
            }
        }
    }
}
