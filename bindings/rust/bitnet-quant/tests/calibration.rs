//! Calibrators and sets of them: options, files, errors, callbacks.

mod common;

use bitnet_quant::{
    calibration_options, no_progress, ArrayView, Calibration, CalibrationDataset,
    CalibrationMethod, CalibrationOption, Calibrator, Context, DType, Error, FileKind, Granularity,
    KlVariant, MseVariant, ObserveNonFinite, OptionValue, OutlierRule, Scheme, ValueRange,
    WriteOptions, Writer,
};
use common::{refused, weights, TempDir};
use std::fs;
use std::ops::ControlFlow;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::path::Path;

/// An F32 array as a `.npy` file, written by hand.
fn write_npy(path: &Path, values: &[f32]) {
    let dictionary = format!(
        "{{'descr': '<f4', 'fortran_order': False, 'shape': ({},), }}",
        values.len()
    );
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((dictionary.len() as u16 + 1).to_le_bytes());
    bytes.extend(dictionary.bytes());
    bytes.push(b'\n');
    bytes.extend(values.iter().flat_map(|v| v.to_le_bytes()));
    fs::write(path, bytes).unwrap();
}

fn write_safetensors(path: &Path, arrays: &[(&str, &[f32])]) {
    let context = Context::new();
    let options = WriteOptions::new();
    let mut writer = Writer::create(&context, path, FileKind::SAFETENSORS, options).unwrap();
    for (name, values) in arrays {
        let array = ArrayView::new(values, &[values.len()]).unwrap();
        writer.add_array(name, &array).unwrap();
    }
    writer.finish().unwrap();
}

/// A directory with batches of activations: `a.npy`, and a file with "x" and "y".
fn activations() -> TempDir {
    let directory = TempDir::new();
    write_npy(&directory.path("a.npy"), &[1.0, -7.0]);
    let path = directory.path("b.safetensors");
    write_safetensors(&path, &[("x", &[2.0, 3.0]), ("y", &[-11.0, 0.5])]);
    directory
}

fn absmax(calibrator: &Calibrator) -> f64 {
    calibrator
        .total_statistics(&Context::new())
        .unwrap()
        .absmax()
}

#[test]
fn options_and_their_bounds() {
    let defaults = Calibrator::new();
    let options = calibration_options();
    for option in [
        CalibrationOption::METHOD,
        CalibrationOption::GRANULARITY,
        CalibrationOption::AXIS,
        CalibrationOption::SCHEME,
        CalibrationOption::BINS,
        CalibrationOption::BITS,
        CalibrationOption::LEVELS,
        CalibrationOption::AVERAGING,
        CalibrationOption::MAX_GROWTH,
        CalibrationOption::MAX_SHRINK,
        CalibrationOption::PERCENTILE,
        CalibrationOption::KL_VARIANT,
        CalibrationOption::MSE_VARIANT,
        CalibrationOption::NON_FINITE,
        CalibrationOption::OUTLIERS,
        CalibrationOption::OUTLIER_PERCENTILE,
        CalibrationOption::OUTLIER_DEVIATIONS,
        CalibrationOption::MOMENTS,
        CalibrationOption::HISTOGRAM,
    ] {
        assert!(options.contains(&option), "{:?}", option);
    }
    for option in options {
        assert_eq!(option.name().parse::<CalibrationOption>().unwrap(), option);
        let bounds = option.bounds().unwrap();
        assert_eq!(
            defaults.get(option).unwrap(),
            bounds.default,
            "{:?}",
            option
        );
        // The greatest value can be set by name, as a number and as its name.
        let named = option.value_name(bounds.max).map(str::to_string);
        for text in named.into_iter().chain([bounds.max.to_string()]) {
            let builder = Calibrator::builder().set(option.name(), text);
            let calibrator = builder.build().unwrap();
            assert_eq!(calibrator.get(option).unwrap(), bounds.max, "{:?}", option);
        }
    }
    assert!(matches!(
        "metod".parse::<CalibrationOption>(),
        Err(Error::NotFound(_))
    ));
}

#[test]
fn every_setter_sets_its_option() {
    let calibrator = Calibrator::builder()
        .method(CalibrationMethod::Adaptive)
        .granularity(Granularity::Channel)
        .axis(-2)
        .scheme(Scheme::Asymmetric)
        .bins(512)
        .bits(4)
        .levels(15)
        .averaging(0.25)
        .max_growth(0.75)
        .max_shrink(0.125)
        .percentile(99.0)
        .kl_variant(KlVariant::OnnxRuntime)
        .mse_variant(MseVariant::PyTorch)
        .non_finite(ObserveNonFinite::Skip)
        .outliers(OutlierRule::Deviations)
        .outlier_percentile(98.0)
        .outlier_deviations(4.5)
        .moments(true)
        .histogram(true)
        .build()
        .unwrap();
    assert_eq!(calibrator.method().unwrap(), CalibrationMethod::Adaptive);
    assert_eq!(calibrator.granularity().unwrap(), Granularity::Channel);
    assert_eq!(calibrator.scheme().unwrap(), Scheme::Asymmetric);
    for (name, value) in [
        ("axis", OptionValue::Int(-2)),
        ("bins", OptionValue::Int(512)),
        ("bits", OptionValue::Int(4)),
        ("levels", OptionValue::Int(15)),
        ("averaging", OptionValue::Float(0.25)),
        ("max_growth", OptionValue::Float(0.75)),
        ("max_shrink", OptionValue::Float(0.125)),
        ("percentile", OptionValue::Float(99.0)),
        ("kl_variant", KlVariant::OnnxRuntime.into()),
        ("mse_variant", MseVariant::PyTorch.into()),
        ("non_finite", ObserveNonFinite::Skip.into()),
        ("outliers", OutlierRule::Deviations.into()),
        ("outlier_percentile", OptionValue::Float(98.0)),
        ("outlier_deviations", OptionValue::Float(4.5)),
        ("moments", OptionValue::Int(1)),
        ("histogram", OptionValue::Int(1)),
    ] {
        let option: CalibrationOption = name.parse().unwrap();
        assert_eq!(calibrator.get(option).unwrap(), value, "{}", name);
    }
    let copy = calibrator.to_builder().bits(3).build().unwrap();
    assert_eq!(
        copy.get(CalibrationOption::LEVELS).unwrap(),
        OptionValue::Int(15)
    );
    assert_eq!(
        copy.get(CalibrationOption::BITS).unwrap(),
        OptionValue::Int(3)
    );
    let text = format!("{:?}", calibrator);
    assert!(
        text.contains("adaptive") && text.contains("max_shrink"),
        "{}",
        text
    );
}

#[test]
fn values_have_the_names_of_the_library() {
    for method in CalibrationMethod::ALL {
        let text = method.to_string();
        assert_eq!(text.parse::<CalibrationMethod>().unwrap(), *method);
        let calibrator = Calibrator::builder().set("method", &text).build().unwrap();
        assert_eq!(calibrator.method().unwrap(), *method);
    }
    assert_eq!(CalibrationMethod::MinMax.to_string(), "minmax");
    assert_eq!(KlVariant::TensorRt.to_string(), "tensorrt");
    assert_eq!(
        "pytorch".parse::<MseVariant>().unwrap(),
        MseVariant::PyTorch
    );
    assert_eq!("1".parse::<OutlierRule>().unwrap(), OutlierRule::Percentile);
    refused(
        "best".parse::<CalibrationMethod>(),
        &["best", "moving_average"],
    );
}

#[test]
fn the_first_refusal_is_the_error_of_the_builder() {
    let builder = Calibrator::builder().bits(17).axis(99);
    refused(builder.build(), &["bits", "17", "16"]);
    let builder = Calibrator::builder().granularity(Granularity::Group);
    refused(builder.build(), &["granularity"]);
    refused(
        Calibrator::builder().percentile(f64::NAN).build(),
        &["percentile"],
    );
    let unknown = Calibrator::builder().set("colour", 1).build();
    assert!(matches!(unknown, Err(Error::NotFound(_))), "{:?}", unknown);
    refused(Calibrator::builder().set("me\0thod", 1).build(), &["NUL"]);
}

#[test]
fn builder_for_a_config() {
    let config = "format=int4,scheme=asymmetric,granularity=channel,axis=1";
    let calibrator = Calibrator::builder_for(&config.parse().unwrap());
    let calibrator = calibrator.unwrap().build().unwrap();
    assert_eq!(calibrator.scheme().unwrap(), Scheme::Asymmetric);
    assert_eq!(calibrator.granularity().unwrap(), Granularity::Channel);
    assert_eq!(
        calibrator.get(CalibrationOption::AXIS).unwrap(),
        OptionValue::Int(1)
    );
    assert_eq!(
        calibrator.get(CalibrationOption::BITS).unwrap(),
        OptionValue::Int(4)
    );
    let config = "int8_symmetric".parse().unwrap();
    let calibrator = Calibrator::builder_for(&config).unwrap().build().unwrap();
    assert_eq!(calibrator.granularity().unwrap(), Granularity::Tensor);
    let groups = "int4_per_group_32".parse().unwrap();
    let refusal = Calibrator::builder_for(&groups).map(|_| ());
    refused(refusal, &["granularity = group"]);
}

#[test]
fn nothing_is_known_before_there_are_data() {
    let context = Context::new();
    let mut calibrator = Calibrator::builder().histogram(true).build().unwrap();
    let config = "int8_asymmetric".parse().unwrap();
    let empty = ArrayView::new::<f32>(&[], &[0]).unwrap();
    calibrator.observe(&context, &empty).unwrap();
    assert_eq!((calibrator.channels(), calibrator.batches()), (0, 0));
    for error in [
        calibrator.range(&context).unwrap_err(),
        calibrator.params(&context, &config).unwrap_err(),
        calibrator.total_statistics(&context).unwrap_err(),
        calibrator.statistics(&context, 0).unwrap_err(),
        calibrator.histogram(0).unwrap_err(),
    ] {
        assert!(matches!(error, Error::NoData(_)), "{}", error);
    }
}

#[test]
fn a_refused_batch_changes_nothing() {
    let context = Context::new();
    let mut calibrator = Calibrator::builder()
        .granularity(Granularity::Channel)
        .axis(1)
        .build()
        .unwrap();
    let observe = |calibrator: &mut Calibrator, values: &[f32], shape: &[usize]| {
        calibrator.observe(&context, &ArrayView::new(values, shape).unwrap())
    };
    observe(&mut calibrator, &[1.0, -2.0, 3.0], &[1, 3]).unwrap();
    let before = calibrator.to_bytes(&context).unwrap();
    refused(observe(&mut calibrator, &[9.0], &[1]), &["axis"]);
    refused(observe(&mut calibrator, &[9.0, 9.0], &[1, 2]), &["2", "3"]);
    match observe(&mut calibrator, &[9.0, f32::NAN, 9.0], &[1, 3]).unwrap_err() {
        Error::NonFinite(text) => assert!(text.contains('1'), "{}", text),
        error => panic!("{}", error),
    }
    let integers = ArrayView::new(&[9i32, 9, 9], &[1, 3]).unwrap();
    let error = calibrator.observe(&context, &integers).unwrap_err();
    assert!(matches!(error, Error::Unsupported(_)), "{}", error);
    assert_eq!(calibrator.to_bytes(&context).unwrap(), before);
    refused(calibrator.statistics(&context, 3), &["channel"]);
    refused(
        calibrator.statistics(&context, usize::MAX - 1),
        &["channel"],
    );

    let wide = Calibrator::from_bytes(&context, &before[..before.len() - 1]);
    assert!(matches!(wide, Err(Error::CorruptFile(_))), "{:?}", wide);
    let none = Calibrator::from_bytes(&context, &[]);
    assert!(matches!(none, Err(Error::CorruptFile(_))), "{:?}", none);
}

#[test]
fn halves_are_observed_as_what_they_stand_for() {
    let context = Context::new();
    let mut calibrator = Calibrator::new();
    let halves = [0x3f80u16, 0xc040]; // 1 and -3 in bfloat16
    let array = ArrayView::from_bits(&halves, DType::BF16, &[2]).unwrap();
    calibrator.observe(&context, &array).unwrap();
    let range = ValueRange { lo: -3.0, hi: 3.0 };
    assert_eq!(calibrator.range(&context).unwrap(), [range]);
}

/// One pass over the data, and all the ways to look for a range in it.
#[test]
fn another_method_on_the_same_data() {
    let context = Context::new();
    // Bell-shaped, within 3, with one value far out.
    let uniform = weights(12 * 4096);
    let mut values: Vec<f32> = uniform.chunks(12).map(|part| part.iter().sum()).collect();
    values[77] = 90.0;
    let array = ArrayView::new(&values, &[values.len()]).unwrap();
    let mut calibrator = Calibrator::builder().histogram(true).build().unwrap();
    calibrator.observe(&context, &array).unwrap();
    let hi = |calibrator: &Calibrator| calibrator.range(&context).unwrap()[0].hi;
    assert_eq!(hi(&calibrator), 90.0);
    // Whether the outlier is left out. Its squared distance outweighs all other values, so
    // that it is not for mse; PyTorch's search stops early.
    for (option, value, clips) in [
        ("percentile", "99", false),
        ("method", "percentile", true),
        ("method", "mse", false),
        ("bits", "2", false),
        ("mse_variant", "pytorch", true),
        ("method", "kl", true),
    ] {
        calibrator.set(option, value).unwrap();
        // What a calibrator finds that was made so.
        let mut fresh = calibrator.to_builder().build().unwrap();
        assert_eq!(fresh.batches(), 0);
        fresh.observe(&context, &array).unwrap();
        assert_eq!(hi(&calibrator), hi(&fresh), "{} {}", option, value);
        assert_eq!(hi(&calibrator) < 3.0, clips, "{} {}", option, value);
    }
    refused(calibrator.set("bins", 64), &["bins", "reset"]);
    refused(
        calibrator.set("method", CalibrationMethod::Adaptive),
        &["method", "order"],
    );
    calibrator.reset().unwrap();
    calibrator
        .set("method", CalibrationMethod::Adaptive)
        .unwrap();
}

#[test]
fn merging_needs_the_same_options_and_channels() {
    let context = Context::new();
    let builder = || Calibrator::builder().granularity(Granularity::Channel);
    let observed = |channels: usize| {
        let mut calibrator = builder().build().unwrap();
        let values = vec![1.0f32; channels];
        let array = ArrayView::new(&values, &[channels]).unwrap();
        calibrator.observe(&context, &array).unwrap();
        calibrator
    };
    let mut calibrator = observed(2);
    refused(calibrator.merge(&context, &observed(3)), &["channels"]);
    let other = builder().moments(true).build().unwrap();
    refused(calibrator.merge(&context, &other), &["moments"]);
    calibrator
        .merge(&context, &builder().build().unwrap())
        .unwrap();
    calibrator.merge(&context, &observed(2)).unwrap();
    assert_eq!(calibrator.statistics(&context, 1).unwrap().count(), 2);
}

#[test]
fn files_and_directories() {
    let context = Context::new();
    let directory = activations();
    let observe = |path: &str, name| {
        let mut calibrator = Calibrator::new();
        let path = directory.path(path);
        let result = calibrator.observe_file(&context, path, name, no_progress);
        result.map(|()| (calibrator.batches(), absmax(&calibrator)))
    };
    assert_eq!(observe("a.npy", None).unwrap(), (1, 7.0));
    assert_eq!(observe("a.npy", Some("a")).unwrap(), (1, 7.0));
    assert_eq!(observe("b.safetensors", None).unwrap(), (2, 11.0));
    assert_eq!(observe("b.safetensors", Some("x")).unwrap(), (1, 3.0));
    assert_eq!(observe("", None).unwrap(), (3, 11.0));
    for (path, name) in [("c.npy", None), ("a.npy", Some("b")), ("", Some("z"))] {
        let error = observe(path, name).unwrap_err();
        assert!(matches!(error, Error::NotFound(_)), "{}", error);
    }
    refused(observe("a.npy", Some("a\0")), &["NUL"]);
    fs::write(directory.path("a.npy"), b"\x93NUMPY\x01\x00").unwrap();
    let error = observe("a.npy", None).unwrap_err();
    assert!(matches!(error, Error::CorruptFile(_)), "{}", error);

    let a = [20.0f32];
    let dataset = CalibrationDataset::from_path(directory.path("b.safetensors"))
        .named(directory.path("b.safetensors"), "y")
        .tensor(ArrayView::new(&a, &[1]).unwrap());
    let mut calibrator = Calibrator::new();
    dataset
        .observe(&context, &mut calibrator, no_progress)
        .unwrap();
    assert_eq!((calibrator.batches(), absmax(&calibrator)), (4, 20.0));
    let missing = dataset
        .path(directory.path("none"))
        .tensor(ArrayView::new(&a, &[1]).unwrap());
    let error = missing
        .observe(&context, &mut calibrator, no_progress)
        .unwrap_err();
    assert!(matches!(error, Error::NotFound(_)), "{}", error);
    // What came before counts.
    assert_eq!(calibrator.batches(), 8);
}

#[test]
fn progress_can_cancel_and_panic() {
    let context = Context::new();
    let directory = activations();
    let path = directory.path("");
    let mut calibrator = Calibrator::new();
    let mut set = Calibration::new().unwrap();
    let stop = |_: &bitnet_quant::Progress<'_>| ControlFlow::Break(());
    let error = calibrator
        .observe_file(&context, &path, None, stop)
        .unwrap_err();
    assert!(matches!(error, Error::Cancelled(_)), "{}", error);
    let error = set.observe_file(&context, &path, stop).unwrap_err();
    assert!(matches!(error, Error::Cancelled(_)), "{}", error);

    let panics = |run: &mut dyn FnMut()| {
        let payload = catch_unwind(AssertUnwindSafe(run)).unwrap_err();
        assert_eq!(payload.downcast_ref::<&str>(), Some(&"out of patience"));
    };
    panics(&mut || {
        let _ = calibrator.observe_file(&context, &path, None, |_| panic!("out of patience"));
    });
    panics(&mut || {
        let _ = set.observe_file(&context, &path, |_| panic!("out of patience"));
    });
    // As they were, and nothing of it is left for the next call.
    assert_eq!((calibrator.batches(), set.len()), (0, 0));
    let mut seen = Vec::new();
    set.observe_file(&context, &path, |progress| {
        assert!(progress.done <= progress.total);
        seen.push(progress.item.to_string());
        ControlFlow::Continue(())
    })
    .unwrap();
    assert!(seen.iter().any(|item| item.contains('y')), "{:?}", seen);
    assert_eq!(set.len(), 3);
}

#[test]
fn a_set_by_name() {
    let context = Context::new();
    let directory = activations();
    let prototype = Calibrator::builder().histogram(true).build().unwrap();
    let mut set = Calibration::with_prototype(&prototype).unwrap();
    assert!(set.is_empty() && set.get("x").is_none());
    set.observe_file(&context, directory.path(""), no_progress)
        .unwrap();
    let more = [100.0f32, -1.0];
    let more = ArrayView::new(&more, &[2]).unwrap();
    set.observe(&context, "x", &more).unwrap();
    refused(set.observe(&context, "", &more), &["name"]);
    refused(set.observe(&context, "a\0b", &more), &["NUL"]);

    let mut named = Calibration::with_prototype(&prototype).unwrap();
    named
        .observe_file_as(&context, "layer", directory.path(""), no_progress)
        .unwrap();
    assert_eq!((named.len(), named.get("layer").unwrap().batches()), (1, 3));

    let list = |set: &Calibration| -> Vec<(String, u64, f64)> {
        let entry = |(name, calibrator): (&str, bitnet_quant::CalibratorRef<'_>)| {
            (name.to_string(), calibrator.batches(), absmax(&calibrator))
        };
        set.iter().map(entry).collect()
    };
    let expected = [("a", 1, 7.0), ("x", 2, 100.0), ("y", 1, 11.0)];
    let expected = expected.map(|(name, batches, max)| (name.to_string(), batches, max));
    assert_eq!(list(&set), expected);
    assert_eq!(set.iter().len(), 3);
    assert_eq!(set.iter().next_back().unwrap().0, "y");
    assert_eq!(
        set.get("x")
            .unwrap()
            .histogram(0)
            .unwrap()
            .counts
            .iter()
            .sum::<u64>(),
        4
    );
    assert!(set.get("z").is_none());
    assert!(format!("{:?}", set).contains("\"y\""));

    // A copy of one outlives the set's.
    let mut own = set.get("y").unwrap().clone();
    own.merge(&context, &set.get("a").unwrap()).unwrap();
    assert_eq!(set.get("y").unwrap().batches(), 1);

    // An option of all, or of none.
    set.set(&context, "method", CalibrationMethod::Percentile)
        .unwrap();
    set.set(&context, "percentile", 50).unwrap();
    for (name, calibrator) in set.iter() {
        assert_eq!(
            calibrator.method().unwrap(),
            CalibrationMethod::Percentile,
            "{}",
            name
        );
    }
    refused(set.set(&context, "moments", true as u8), &["moments"]);

    // There and back, byte for byte.
    let path = directory.path("set.bnq");
    set.save(&context, &path, WriteOptions::new()).unwrap();
    let bytes = fs::read(&path).unwrap();
    let exists = set.save(&context, &path, WriteOptions::new());
    assert!(matches!(exists, Err(Error::Exists(_))), "{:?}", exists);
    let mut loaded = Calibration::load(&context, &path).unwrap();
    assert_eq!(list(&loaded), expected);
    loaded
        .save(&context, &path, WriteOptions::new().overwrite(true))
        .unwrap();
    assert_eq!(fs::read(&path).unwrap(), bytes);
    assert_eq!(set.to_bytes(&context).unwrap(), bytes);
    let read = Calibration::from_bytes(&context, &bytes).unwrap();
    assert_eq!(list(&read), expected);
    for damaged in [&bytes[..bytes.len() / 2], &[]] {
        let damaged = Calibration::from_bytes(&context, damaged);
        assert!(
            matches!(damaged, Err(Error::CorruptFile(_))),
            "{:?}",
            damaged
        );
    }

    // Merged, name by name.
    let mut other = Calibration::load(&context, &path).unwrap();
    other.observe(&context, "z", &more).unwrap();
    loaded.merge(&context, &other).unwrap();
    let counts: Vec<_> = list(&loaded)
        .into_iter()
        .map(|(name, n, _)| (name, n))
        .collect();
    let doubled = [("a", 2), ("x", 4), ("y", 2), ("z", 1)];
    assert_eq!(counts, doubled.map(|(name, n)| (name.to_string(), n)));
    let mut unlike = Calibration::new().unwrap();
    unlike.observe(&context, "y", &more).unwrap();
    refused(loaded.merge(&context, &unlike), &["\"y\"", "method"]);
    drop(set);
    assert_eq!(absmax(&own), 11.0);

    let missing = Calibration::load(&context, directory.path("none"));
    assert!(matches!(missing, Err(Error::NotFound(_))), "{:?}", missing);
    fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    let damaged = Calibration::load(&context, &path);
    assert!(
        matches!(damaged, Err(Error::CorruptFile(_))),
        "{:?}",
        damaged
    );
}
