//! Quantizes a model and prints what became of each tensor.
//!
//! `cargo run --example quantize_model -- model.safetensors model.bnq [config]`
//!
//! The config is a preset, options, or both: `int4_per_group_128,scale_rule=mse`.

use bitnet_quant::{
    check_library, presets, quantize_file, Config, Context, Plan, Report, WriteOptions,
};
use std::env;
use std::error::Error;
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::process::exit;

fn main() {
    if let Err(error) = run() {
        eprintln!("error: {}", error);
        exit(1);
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    check_library()?;
    let arguments: Vec<String> = env::args().skip(1).collect();
    let (input, output, config) = match &arguments[..] {
        [input, output] => (input, output, "int4_mse_per_group_128"),
        [input, output, config] => (input, output, &config[..]),
        _ => {
            let names: Vec<_> = presets().iter().map(|preset| preset.name).collect();
            return Err(format!(
                "usage: quantize_model IN.safetensors OUT.bnq [CONFIG]\npresets: {}",
                names.join(" ")
            )
            .into());
        }
    };

    // Weight matrices; biases and the like are carried through.
    let config: Config = config.parse()?;
    eprintln!("{}", config);
    let mut plan = Plan::new()?;
    plan.add("*", 2, &config)?;

    let context = Context::with_threads(0)?; // one for each processor
    let options = WriteOptions::new().compress(true);
    let report = quantize_file(&context, &plan, input, output, options, |progress| {
        let percent = 100.0 * progress.done as f64 / progress.total.max(1) as f64;
        eprint!("\r{:5.1} % {:40.40}", percent, progress.item);
        ControlFlow::Continue(())
    })?;
    eprintln!();
    print(&report)?;
    Ok(())
}

fn print(report: &Report) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(
        out,
        "{:32} {:>16} {:>8} {:>8} {:>10} {:>10} {:>9}",
        "tensor", "shape", "format", "bits", "before", "after", "SQNR dB"
    )?;
    for row in report.rows() {
        let sqnr = row
            .metrics()
            .map_or("-".to_string(), |m| format!("{:.2}", m.sqnr_db));
        writeln!(
            out,
            "{:32} {:>16} {:>8} {:>8.3} {:>10} {:>10} {:>9} {}",
            row.name(),
            format!("{:?}", row.shape()),
            row.dtype()
                .map_or(row.format().name(), |dtype| dtype.name()),
            row.bits_per_weight(),
            row.bytes_before(),
            row.bytes_after(),
            sqnr,
            row.note()
        )?;
    }
    let before: u64 = report.rows().map(|row| row.bytes_before()).sum();
    let after: u64 = report.rows().map(|row| row.bytes_after()).sum();
    writeln!(
        out,
        "{} tensors, {} -> {} bytes",
        report.len(),
        before,
        after
    )
}
