//! Runs a network on quantized weights, read where they lie in mapped files, in integers;
//! and says how many images it classifies correctly, how fast, and what its outputs are: in
//! every language the same bytes, whose FNV-1a this prints.
//!
//! `cargo run --example classify -- IMAGES.safetensors MODEL.bnq...`
//!
//! IMAGES has "images", uint8 0..16, and their "labels"; MODEL "layers.0.weight",
//! "layers.0.bias", "layers.1.weight", .. with ReLU between.

use bitnet_quant::{
    Activation, Context, File, InputMode, Linear, MatrixView, MatrixViewMut, Operator,
};
use std::env;
use std::error::Error;
use std::path::Path;
use std::process::exit;
use std::time::{Duration, Instant};

const RUNS: usize = 50;

fn main() {
    if let Err(error) = run() {
        eprintln!("error: {}", error);
        exit(1);
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let (input, models) = match arguments.split_first() {
        Some((input, models)) if !models.is_empty() => (input, models),
        _ => return Err("usage: classify IMAGES.safetensors MODEL.bnq...".into()),
    };
    let file = File::open(&Context::new(), input)?;
    let pixels = file.entry("images")?.data()?;
    let images: Vec<f32> = pixels.iter().map(|&v| f32::from(v) / 16.0).collect();
    for model in models {
        classify(Path::new(model), &images, file.entry("labels")?.data()?)?;
    }
    Ok(())
}

/// The layers of a file, which stays mapped for as long as they live.
fn layers_of(context: &Context, path: &Path) -> Result<Vec<Linear>, Box<dyn Error>> {
    let file = File::open(context, path)?;
    let has = |i: usize| file.entry(&format!("layers.{}.weight", i)).is_ok();
    let count = (0..).take_while(|&i| has(i)).count();
    let mut layers = Vec::new();
    for i in 0..count {
        let weight = file
            .entry(&format!("layers.{}.weight", i))?
            .quantized(context)?;
        let bias = file.entry(&format!("layers.{}.bias", i))?.view()?;
        let function = match i + 1 < count {
            true => Activation::Relu,
            false => Activation::None,
        };
        let operator = Operator::builder()
            .input(InputMode::Int8)
            .function(function)
            .build()?;
        layers.push(Linear::new(context, &operator, &weight, Some(&bias))?);
    }
    Ok(layers)
}

fn classify(path: &Path, images: &[f32], labels: &[u8]) -> Result<(), Box<dyn Error>> {
    let (context, rows) = (Context::new(), labels.len());
    let layers = layers_of(&context, path)?;
    let sized = |layer: &Linear| vec![0.0f32; rows * layer.outputs()];
    let mut outputs: Vec<Vec<f32>> = layers.iter().map(sized).collect();
    let mut best = Duration::MAX;
    for _ in 0..RUNS {
        let start = Instant::now();
        for (i, layer) in layers.iter().enumerate() {
            let (before, rest) = outputs.split_at_mut(i);
            let x = before.last().map_or(images, |y| y);
            let mut y = MatrixViewMut::new(&mut rest[0], rows, layer.outputs())?;
            layer.forward(&context, &MatrixView::new(x, rows, layer.inputs())?, &mut y)?;
        }
        best = best.min(start.elapsed());
    }
    let (y, classes) = match (outputs.last(), layers.last()) {
        (Some(y), Some(layer)) => (y, layer.outputs()),
        _ => return Err("the model has no layers.0.weight".into()),
    };
    let right = y
        .chunks(classes)
        .zip(labels)
        .filter(|(scores, &label)| greatest(scores) == usize::from(label))
        .count();
    let name = path.file_name().unwrap_or(path.as_os_str());
    println!(
        "{:28}{:6.2} %{:8.0} us   {:016x}",
        name.to_string_lossy(),
        100.0 * right as f64 / rows as f64,
        best.as_secs_f64() * 1e6,
        fnv1a(y)
    );
    Ok(())
}

/// The first of the greatest.
fn greatest(scores: &[f32]) -> usize {
    (1..scores.len()).fold(0, |most, i| if scores[i] > scores[most] { i } else { most })
}

fn fnv1a(values: &[f32]) -> u64 {
    let bytes = values.iter().flat_map(|value| value.to_le_bytes());
    bytes.fold(0xcbf29ce484222325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100000001b3)
    })
}
