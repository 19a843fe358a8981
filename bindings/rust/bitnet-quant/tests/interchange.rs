//! Models of other ecosystems: the golden files of tests/golden/interchange.

mod common;

use bitnet_quant::interchange::{
    export_file, import_file, interchange_options, layouts, Interchange, InterchangeOption,
    ScalesAs, Verdict, WeightScale, I2S,
};
use bitnet_quant::{no_progress, Context, Error, File, WriteOptions};
use common::TempDir;
use std::path::{Path, PathBuf};

fn golden(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../tests/golden/interchange")
        .join(path)
}

/// The values of every tensor, to the last bit.
fn expect_values(context: &Context, file: &File, expected: &str) {
    let expected = File::open(context, golden(expected)).unwrap();
    assert_eq!(file.entries().len(), expected.entries().len());
    let mut quantized = 0;
    for entry in expected.entries() {
        let ours = file.entry(entry.name()).unwrap();
        assert_eq!(ours.shape(), entry.shape());
        if ours.layout().is_none() {
            continue;
        }
        let values = ours
            .quantized(context)
            .unwrap()
            .dequantize(context)
            .unwrap();
        let bits = |x: &[f32]| x.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        assert_eq!(
            bits(&values),
            bits(&entry.read::<f32>(context).unwrap()),
            "{}",
            entry.name()
        );
        quantized += 1;
    }
    assert!(quantized > 0);
}

#[test]
fn files_of_others_are_files() {
    let context = Context::new();
    for (path, expected) in [
        ("gptq-v2", "expected/gptq-v2.safetensors"),
        (
            "bitsandbytes-nf4-nested",
            "expected/bitsandbytes-nf4-nested.safetensors",
        ),
        ("mlx-int6", "expected/mlx-int6.safetensors"),
    ] {
        let file = File::open(&context, golden(path)).unwrap();
        expect_values(&context, &file, expected);
        let raw = File::open_raw(&context, golden(path)).unwrap();
        assert!(raw.entries().len() > file.entries().len());
        assert!(raw.entries().all(|entry| entry.layout().is_none()));
    }
}

#[test]
fn codes_go_there_and_back() {
    let (context, dir) = (Context::new(), TempDir::new());
    let (ours, theirs) = (dir.path("ours"), dir.path("theirs"));
    let options = WriteOptions::new();
    import_file(
        &context,
        None,
        golden("gptq-v2"),
        &ours,
        options,
        no_progress,
    )
    .unwrap();
    let interchange = Interchange::builder()
        .max_scale_change(0.0)
        .build()
        .unwrap();
    let report = export_file(
        &context,
        Some(&interchange),
        "compressed-tensors",
        &ours,
        &theirs,
        options,
        no_progress,
    )
    .unwrap();
    assert!(report
        .rows()
        .any(|row| row.verdict() == Some(Verdict::Exact)));
    assert!(report.rows().any(|row| row.verdict().is_none()));
    let file = File::open(&context, &theirs).unwrap();
    expect_values(&context, &file, "expected/gptq-v2.safetensors");
}

#[test]
fn what_cannot_be_is_refused() {
    let (context, dir) = (Context::new(), TempDir::new());
    let export = |layout: &str, options| {
        let output = dir.path("out");
        export_file(
            &context,
            None,
            layout,
            golden("mlx-int6"),
            output,
            options,
            no_progress,
        )
    };
    let refused = export("bitnet", WriteOptions::new()).unwrap_err();
    assert!(matches!(refused, Error::Unsupported(_)), "{refused}");
    let report = export("bitnet", WriteOptions::new().dry_run(true)).unwrap();
    assert!(report
        .rows()
        .any(|row| row.verdict() == Some(Verdict::NotRepresentable)));
    let unknown = export("no such layout", WriteOptions::new()).unwrap_err();
    assert!(
        unknown.to_string().contains("compressed-tensors"),
        "{unknown}"
    );
    assert!(!dir.path("out").exists());
}

#[test]
fn options_and_layouts_are_listed() {
    assert!(layouts()
        .iter()
        .any(|of| of.name == "gguf" && of.readable && of.writable));
    assert!(interchange_options().contains(&InterchangeOption::I2_S));
    let built = Interchange::builder()
        .scales(ScalesAs::BF16)
        .weight_scale(WeightScale::Divide)
        .i2_s(I2S::X86)
        .set("max_scale_change", 0.5)
        .metadata_from("donor.gguf")
        .build()
        .unwrap();
    assert_eq!(built.get(InterchangeOption::I2_S).unwrap(), I2S::X86.into());
    assert!(format!("{built:?}").contains("x86"), "{built:?}");
    assert!(Interchange::builder()
        .max_scale_change(101.0)
        .build()
        .is_err());
    assert_eq!(Verdict::ScalesRounded.to_string(), "scales rounded");
}
