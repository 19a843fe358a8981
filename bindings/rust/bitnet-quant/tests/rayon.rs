//! Work in a pool of rayon (feature `rayon`): the same bytes, and no operation is entered again
//! while it waits.
#![cfg(feature = "rayon")]

mod common;

use bitnet_quant::rayon::{context, par_quantize, par_quantize_files, set_pool};
use bitnet_quant::{
    no_progress, quantize_file, ArrayView, Config, Context, Error, Plan, QuantizedTensor,
    WriteOptions,
};
use common::{refused, weights, write_model, TempDir};
use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

fn pool(threads: usize) -> Arc<ThreadPool> {
    let builder = ThreadPoolBuilder::new().num_threads(threads);
    Arc::new(builder.build().expect("threads"))
}

fn parts(tensor: &QuantizedTensor) -> (Vec<u8>, Vec<u32>) {
    let scales = tensor.scales();
    let bits = scales.iter().map(|scale| scale.to_bits()).collect();
    (tensor.codes().to_vec(), bits)
}

#[test]
fn pools_of_any_size_give_the_same_bytes() {
    let values = weights(1 << 18);
    let array = ArrayView::new(&values, &[1 << 9, 1 << 9]).unwrap();
    for config in ["nf4", "int4_mse_per_group_128", "ternary"] {
        let config: Config = config.parse().unwrap();
        let alone = QuantizedTensor::quantize(&Context::new(), &config, &array).unwrap();
        for threads in [1, 2, 3, 8] {
            let context = context(pool(threads)).unwrap();
            assert_eq!(context.threads(), threads);
            let tensor = QuantizedTensor::quantize(&context, &config, &array).unwrap();
            assert!(parts(&tensor) == parts(&alone), "{} {}", config, threads);
        }
        let tensor = QuantizedTensor::quantize(&context(None).unwrap(), &config, &array).unwrap();
        assert!(
            parts(&tensor) == parts(&alone),
            "{} in the global pool",
            config
        );
    }
}

/// Operations in a pool's own jobs, with contexts of that pool: each thread waits in one while
/// others' jobs are queued.
#[test]
fn operations_in_jobs_of_the_same_pool() {
    let pool = pool(4);
    let context = context(Arc::clone(&pool)).unwrap();
    let config: Config = "int4_mse_per_group_128".parse().unwrap();
    let layers: Vec<_> = (1..=64).map(|i| weights(i * 1024)).collect();
    let alone: Vec<_> = layers
        .iter()
        .map(|layer| {
            let array = ArrayView::new(layer, &[layer.len() / 256, 256]).unwrap();
            parts(&QuantizedTensor::quantize(&Context::new(), &config, &array).unwrap())
        })
        .collect();
    let arrays: Vec<_> = layers
        .iter()
        .map(|layer| ArrayView::new(layer, &[layer.len() / 256, 256]).unwrap())
        .collect();
    let tensors = pool
        .install(|| par_quantize(&context, &config, &arrays))
        .unwrap();
    assert!(tensors.iter().map(parts).eq(alone.iter().cloned()));
    // As a user would write it.
    let tensors: Vec<_> = pool.install(|| {
        let quantize = |array| QuantizedTensor::quantize(&context, &config, array).unwrap();
        arrays.par_iter().map(quantize).collect()
    });
    assert!(tensors.iter().map(parts).eq(alone));
}

#[test]
fn the_first_array_that_fails_is_named() {
    let (good, bad) = (vec![1.0f32; 256], vec![f32::NAN; 256]);
    let mut arrays = vec![ArrayView::new(&good, &[256]).unwrap(); 20];
    arrays[7] = ArrayView::new(&bad, &[256]).unwrap();
    arrays[13] = arrays[7];
    let context = context(pool(3)).unwrap();
    for _ in 0..10 {
        let error = par_quantize(&context, &"nf4".parse().unwrap(), &arrays).unwrap_err();
        assert!(matches!(error, Error::NonFinite(_)), "{:?}", error);
        assert!(error.message().starts_with("array 7: "), "{}", error);
    }
}

#[test]
fn files_are_those_of_one_at_a_time() {
    let directory = TempDir::new();
    let config: Config = "int8".parse().unwrap();
    let mut plan = Plan::new().unwrap();
    plan.add("*", 2, &config).unwrap();
    let files: Vec<(PathBuf, PathBuf)> = (0..6)
        .map(|i| {
            let input = directory.path(&format!("{}.safetensors", i));
            write_model(&input);
            (input, directory.path(&format!("{}.bnq", i)))
        })
        .collect();
    fs::write(&files[2].0, "damaged").unwrap();
    let context = context(pool(3)).unwrap();
    let options = WriteOptions::new;
    let reports = par_quantize_files(&context, &plan, &files, options()).unwrap();
    let alone = directory.path("alone.bnq");
    quantize_file(
        &Context::new(),
        &plan,
        &files[0].0,
        &alone,
        options(),
        no_progress,
    )
    .unwrap();
    let expected = fs::read(&alone).unwrap();
    for (i, ((input, output), report)) in files.iter().zip(reports).enumerate() {
        if i == 2 {
            let error = report.unwrap_err();
            let name = input.display().to_string();
            assert!(error.message().starts_with(&name), "{}", error);
            assert!(!output.exists());
        } else {
            assert_eq!(report.unwrap().rows().len(), 4);
            assert!(fs::read(output).unwrap() == expected);
        }
    }
    let twice = [files[0].clone(), files[1].clone(), files[0].clone()];
    refused(
        par_quantize_files(&context, &plan, &twice, options()),
        &["files: ", "0.bnq is the output of", "an output for each"],
    );
}

/// A context keeps its pool, and a new pool replaces the one before.
#[test]
fn pools_live_as_long_as_contexts() {
    let values = weights(1 << 16);
    let array = ArrayView::new(&values, &[256, 256]).unwrap();
    let config: Config = "int8".parse().unwrap();
    let mut context = context(pool(2)).unwrap();
    QuantizedTensor::quantize(&context, &config, &array).unwrap();
    let second = pool(3);
    set_pool(&mut context, Arc::clone(&second)).unwrap();
    assert_eq!(context.threads(), 3);
    QuantizedTensor::quantize(&context, &config, &array).unwrap();
    assert_eq!(Arc::strong_count(&second), 2);
    drop(context);
    assert_eq!(Arc::strong_count(&second), 1);
}
