//! Whole files: conversion, comparison, progress, cancelling, panics.

mod common;

use bitnet_quant::{
    compare_files, dequantize_file, no_progress, quantize_file, Config, Context, DType, Error,
    File, FileKind, Format, LogLevel, Metrics, Plan, Progress, Report, Result, WriteOptions,
};
use common::{write_model, TempDir};
use std::fs;
use std::ops::ControlFlow;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

fn int8_plan() -> Plan {
    let config = Config::builder().format(Format::INT8).build().unwrap();
    let mut plan = Plan::new().unwrap();
    plan.add("*", 2, &config).unwrap();
    plan
}

/// A directory with a model to convert.
struct Model {
    directory: TempDir,
    context: Context,
}

impl Model {
    fn new() -> Model {
        let model = Model {
            directory: TempDir::new(),
            context: Context::new(),
        };
        write_model(&model.directory.path("in.safetensors"));
        model
    }

    fn quantize<F>(&self, options: WriteOptions, progress: F) -> Result<Report>
    where
        F: FnMut(&Progress<'_>) -> ControlFlow<()>,
    {
        let input = self.directory.path("in.safetensors");
        let output = self.directory.path("out.bnq");
        quantize_file(
            &self.context,
            &int8_plan(),
            input,
            output,
            options,
            progress,
        )
    }
}

#[test]
fn there_and_back() {
    let model = Model::new();
    let mut calls = Vec::new();
    let report = model
        .quantize(WriteOptions::new(), |progress| {
            calls.push((progress.done, progress.total, progress.item.to_string()));
            ControlFlow::Continue(())
        })
        .unwrap();
    assert!(!calls.is_empty());
    assert!(
        calls
            .windows(2)
            .all(|w| w[0].0 <= w[1].0 && w[0].1 == w[1].1),
        "{:?}",
        calls
    );
    assert!(
        calls.iter().all(|(done, total, _)| done <= total),
        "{:?}",
        calls
    );
    assert!(
        calls.iter().any(|(_, _, item)| item == "fc1.weight"),
        "{:?}",
        calls
    );

    assert_eq!((report.len(), report.is_empty()), (4, false));
    let rows: Vec<_> = report.rows().collect();
    let names: Vec<_> = rows.iter().map(|row| row.name()).collect();
    assert_eq!(names, ["fc1.bias", "fc1.weight", "fc2.weight", "steps"]);
    let (bias, weight) = (rows[0], rows[1]);
    assert_eq!(
        (bias.format(), bias.dtype()),
        (Format::NONE, Some(DType::F32))
    );
    assert_eq!((bias.metrics(), bias.bits_per_weight()), (None, 32.0));
    assert_eq!((weight.format(), weight.dtype()), (Format::INT8, None));
    assert_eq!(
        (weight.shape(), weight.bytes_before()),
        (vec![48, 64], 48 * 64 * 4)
    );
    // One group of 128 columns, cut short to 64, for each row.
    assert_eq!(weight.bytes_after(), 48 * (64 + 4));
    assert_eq!(weight.bits_per_weight(), 8.5);
    let metrics: Metrics = weight.metrics().unwrap();
    assert!(
        metrics.sqnr_db > 30.0 && metrics.cosine > 0.99,
        "{:?}",
        metrics
    );
    assert!(format!("{:?}", report).contains("fc2.weight"));

    // What the report says is what a comparison of the files finds.
    let path = |name| model.directory.path(name);
    let compared = compare_files(
        &model.context,
        path("in.safetensors"),
        path("out.bnq"),
        no_progress,
    )
    .unwrap();
    for (row, original) in compared.rows().zip(report.rows()) {
        assert_eq!(row.name(), original.name());
        if original.format() == Format::INT8 {
            assert_eq!(row.metrics(), original.metrics());
        } else {
            assert_eq!(
                row.metrics().expect("equal arrays").mse,
                0.0,
                "{}",
                row.name()
            );
        }
    }

    let back = dequantize_file(
        &model.context,
        path("out.bnq"),
        path("back.safetensors"),
        DType::F32,
        WriteOptions::new(),
        no_progress,
    )
    .unwrap();
    assert_eq!(back.len(), 4);
    let quantized = File::open(&model.context, path("out.bnq")).unwrap();
    let restored = File::open(&model.context, path("back.safetensors")).unwrap();
    let tensor = quantized
        .entry("fc1.weight")
        .unwrap()
        .quantized(&model.context)
        .unwrap();
    let entry = restored.entry("fc1.weight").unwrap();
    assert_eq!(
        entry.read::<f32>(&model.context).unwrap(),
        tensor.dequantize(&model.context).unwrap()
    );
    let steps = restored
        .entry("steps")
        .unwrap()
        .read::<i64>(&model.context)
        .unwrap();
    assert_eq!(steps, [1, 2, 3]);
    assert_eq!(
        model.directory.list(),
        ["back.safetensors", "in.safetensors", "out.bnq"]
    );
}

#[test]
fn the_first_rule_decides() {
    let model = Model::new();
    let ternary = Config::new().unwrap();
    let int8 = ternary.to_builder().format(Format::INT8).build().unwrap();
    let mut plan = Plan::new().unwrap();
    plan.skip("*.bias", 0)
        .unwrap()
        .add("fc2.*", 2, &int8)
        .unwrap()
        .add("*", 0, &ternary)
        .unwrap();
    // What the plan says it does, it does.
    let find = |name, rank| plan.find(name, rank).unwrap().map(|m| (m.rule, m.config));
    assert_eq!(find("fc1.bias", 1), Some((0, None)));
    assert_eq!(find("fc1.weight", 2), Some((2, Some(ternary.clone()))));
    assert_eq!(find("fc2.weight", 2), Some((1, Some(int8.clone()))));
    assert_eq!(find("fc2.weight", 1), Some((2, Some(ternary.clone()))));
    let dry = WriteOptions::new().dry_run(true);
    let path = |name| model.directory.path(name);
    let report = quantize_file(
        &model.context,
        &plan,
        path("in.safetensors"),
        path("out.bnq"),
        dry,
        no_progress,
    )
    .unwrap();
    let formats: Vec<_> = report.rows().map(|row| row.format()).collect();
    assert_eq!(
        formats,
        [Format::NONE, Format::TERNARY, Format::INT8, Format::NONE]
    );
    assert_eq!(
        model.directory.list(),
        ["in.safetensors"],
        "a dry run writes nothing"
    );

    let empty = Plan::new().unwrap();
    assert_eq!(empty.find("fc1.weight", 2).unwrap(), None);
    let mut none = Plan::new().unwrap();
    let config = "none".parse::<Format>().unwrap();
    let config = Config::builder().format(config).build().unwrap();
    none.add("*", 0, &config).unwrap();
    let found = none.find("fc1.weight", 2).unwrap().expect("a rule");
    assert_eq!((found.rule, found.config), (0, None));
    assert!(matches!(
        plan.find("a\0", 0),
        Err(Error::InvalidArgument(_))
    ));

    assert!(matches!(
        plan.add("*", 9, &int8),
        Err(Error::InvalidArgument(_))
    ));
    assert!(matches!(
        plan.skip("a\0", 0),
        Err(Error::InvalidArgument(_))
    ));
    assert!(matches!(
        plan.skip("a", usize::MAX),
        Err(Error::InvalidArgument(_))
    ));
}

#[test]
fn outputs_are_not_overwritten_unless_asked() {
    let model = Model::new();
    fs::write(model.directory.path("out.bnq"), b"precious").unwrap();
    let refused = model.quantize(WriteOptions::new(), no_progress);
    assert!(matches!(refused, Err(Error::Exists(_))), "{:?}", refused);
    assert_eq!(
        fs::read(model.directory.path("out.bnq")).unwrap(),
        b"precious"
    );
    model
        .quantize(WriteOptions::new().overwrite(true), no_progress)
        .unwrap();
    assert_ne!(
        fs::read(model.directory.path("out.bnq")).unwrap(),
        b"precious"
    );

    let input = model.directory.path("in.safetensors");
    let options = WriteOptions::new().overwrite(true);
    let same = quantize_file(
        &model.context,
        &int8_plan(),
        &input,
        &input,
        options,
        no_progress,
    );
    assert!(matches!(same, Err(Error::Exists(_))), "{:?}", same);
}

#[test]
fn breaking_off_cancels() {
    let model = Model::new();
    let mut calls = 0;
    let cancelled = model.quantize(WriteOptions::new(), |_| {
        calls += 1;
        ControlFlow::Break(())
    });
    assert!(
        matches!(cancelled, Err(Error::Cancelled(_))),
        "{:?}",
        cancelled
    );
    assert_eq!(calls, 1, "called again after it broke off");
    assert_eq!(model.directory.list(), ["in.safetensors"]);
}

#[test]
fn what_was_interrupted_is_gone_on_with() {
    let model = Model::new();
    let output = model.directory.path("out.bnq");
    model.quantize(WriteOptions::new(), no_progress).unwrap();
    let whole = fs::read(&output).unwrap();
    fs::remove_file(&output).unwrap();
    let mut items = Vec::new();
    let interrupted = model.quantize(WriteOptions::new().resume(true), |progress| {
        items.push(progress.item.to_string());
        if items[0] == progress.item {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    });
    assert!(matches!(interrupted, Err(Error::Cancelled(_))));
    assert_eq!(model.directory.list(), ["in.safetensors", "out.bnq.part"]);
    let compressed = WriteOptions::new().resume(true).compress(true);
    let refused = model.quantize(compressed, no_progress);
    assert!(matches!(refused, Err(Error::Exists(_))), "{:?}", refused);
    let report = model
        .quantize(WriteOptions::new().resume(true), no_progress)
        .unwrap();
    assert_eq!(report.output(), output);
    assert_eq!(fs::read(&output).unwrap(), whole);
    assert_eq!(model.directory.list(), ["in.safetensors", "out.bnq"]);
}

#[test]
fn folders_become_folders() {
    let model = Model::new();
    let folder = model.directory.path("folder");
    fs::create_dir(&folder).unwrap();
    fs::rename(
        model.directory.path("in.safetensors"),
        folder.join("model.safetensors"),
    )
    .unwrap();
    fs::write(folder.join("config.json"), "{}").unwrap();
    let output = model.directory.path("out");
    let report = quantize_file(
        &model.context,
        &int8_plan(),
        &folder,
        &output,
        WriteOptions::new(),
        no_progress,
    )
    .unwrap();
    assert_eq!(report.output(), output);
    assert!(report.dense_share() > 0.0 && report.dense_share() < 1.0);
    assert!(output.join("model.bnq").exists() && output.join("config.json").exists());
}

#[test]
fn a_panic_in_progress_goes_on_in_the_caller() {
    let model = Model::new();
    let mut calls = 0;
    let result = catch_unwind(AssertUnwindSafe(|| {
        model.quantize(WriteOptions::new(), |_| {
            calls += 1;
            std::panic::panic_any(String::from("out of patience"))
        })
    }));
    let payload = result.unwrap_err();
    assert_eq!(payload.downcast_ref::<String>().unwrap(), "out of patience");
    assert_eq!(calls, 1);
    assert_eq!(model.directory.list(), ["in.safetensors"]);
    // Nothing of it is left for the next call.
    model.quantize(WriteOptions::new(), no_progress).unwrap();
}

#[test]
fn calls_within_progress() {
    let model = Model::new();
    let inner = Context::new();
    let path = model.directory.path("in.safetensors");
    // An operation of its own, which fails, or panics, within the closure.
    let report = model.quantize(WriteOptions::new(), |_| {
        assert!(matches!(
            File::open(&inner, "no such file"),
            Err(Error::NotFound(_))
        ));
        let verified = catch_unwind(AssertUnwindSafe(|| {
            File::open(&inner, &path)
                .unwrap()
                .verify(&inner, |_| panic!("inside"))
        }));
        assert!(verified.is_err());
        ControlFlow::Continue(())
    });
    assert_eq!(report.unwrap().len(), 4);
}

/// An index that leaves tensors out, which is worth a warning.
fn write_index(directory: &TempDir) -> PathBuf {
    let path = directory.path("model.safetensors.index.json");
    fs::write(&path, r#"{"weight_map": {"fc1.weight": "in.safetensors"}}"#).unwrap();
    path
}

#[test]
fn a_log_receives_lines() {
    let mut model = Model::new();
    let index = write_index(&model.directory);
    let lines = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&lines);
    model
        .context
        .set_log(LogLevel::Warning, move |level, line| {
            sink.lock().unwrap().push((level, line.to_string()))
        })
        .unwrap();
    let file = File::open(&model.context, &index).unwrap();
    assert_eq!((file.kind(), file.len()), (FileKind::SAFETENSORS_INDEX, 1));
    let lines = lines.lock().unwrap();
    assert!(!lines.is_empty());
    for (level, line) in lines.iter() {
        assert_eq!(*level, LogLevel::Warning);
        assert!(
            line.contains("in.safetensors") && !line.contains('\n'),
            "{:?}",
            line
        );
    }
}

#[test]
fn a_panic_in_the_log_goes_on_in_the_caller() {
    let mut model = Model::new();
    let index = write_index(&model.directory);
    model
        .context
        .set_log(LogLevel::Warning, |_, _| panic!("no such log"))
        .unwrap();
    let result = catch_unwind(AssertUnwindSafe(|| File::open(&model.context, &index)));
    assert_eq!(
        result.unwrap_err().downcast_ref::<&str>(),
        Some(&"no such log")
    );
    // Nothing of it is left for the next call.
    model.context.clear_log().unwrap();
    assert_eq!(File::open(&model.context, &index).unwrap().len(), 1);
}

#[test]
fn inputs_are_named_in_errors() {
    let model = Model::new();
    let missing = model.directory.path("missing.safetensors");
    let output = model.directory.path("out.bnq");
    let error = quantize_file(
        &model.context,
        &int8_plan(),
        missing,
        output,
        WriteOptions::new(),
        no_progress,
    )
    .unwrap_err();
    assert!(
        matches!(&error, Error::NotFound(text) if text.contains("missing.safetensors")),
        "{}",
        error
    );
    let error = dequantize_file(
        &model.context,
        model.directory.path("in.safetensors"),
        model.directory.path("out.safetensors"),
        DType::I8,
        WriteOptions::new(),
        no_progress,
    )
    .unwrap_err();
    assert!(
        matches!(&error, Error::InvalidArgument(_) | Error::Unsupported(_)),
        "{}",
        error
    );
}
