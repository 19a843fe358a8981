//! The layer cache and layers: what they do is tested beside core/cache; here the idiom.

use bitnet_quant::{
    cache_options, no_progress, ArrayView, Cache, CacheOption, Config, Context, DType, Error,
    Format, Layers, OptionValue, Plan, QuantizedTensor, WriteOptions, Writer,
};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{fs, thread};

/// A folder that goes with it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let name = format!("bitnet-quant-{}-{}", name, std::process::id());
        let path = std::env::temp_dir().join(name);
        let _ = fs::remove_dir_all(&path);
        fs::create_dir(&path).unwrap();
        Folder(path)
    }

    fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn weights(seed: usize) -> Vec<f32> {
    (0..512)
        .map(|i| ((i * 7 + seed * 13) % 31) as f32 - 15.0)
        .collect()
}

fn same(a: &QuantizedTensor, b: &QuantizedTensor) -> bool {
    a.codes() == b.codes() && a.config().unwrap() == b.config().unwrap()
}

#[test]
fn what_was_quantized_is_found() {
    let folder = Folder::new("cache");
    let context = Context::new();
    let config: Config = "int4_per_group_32".parse().unwrap();
    let values = weights(1);
    let array = ArrayView::new(&values, &[8, 64]).unwrap();
    let cache = Cache::new(folder.join("cache")).unwrap();
    let (first, hit) = cache
        .quantize(&context, &config, &array, Some("a/é"))
        .unwrap();
    assert!(!hit);
    let other = Cache::new(folder.join("cache")).unwrap();
    let (tensor, hit) = other.quantize(&context, &config, &array, None).unwrap();
    assert!(hit && same(&first, &tensor));
    let plain = QuantizedTensor::quantize(&context, &config, &array).unwrap();
    assert_eq!(plain.codes(), tensor.codes());
    let key = Cache::key(&context, &config, &array).unwrap();
    assert_eq!(other.find(&context, &key).unwrap().codes(), tensor.codes());
    assert!(other.get(&context, "a/é").unwrap().is_some());
    assert!(other.get(&context, "b").unwrap().is_none());
    assert!(matches!(
        other.find(&context, &"0".repeat(64)),
        Err(Error::NotFound(_))
    ));
    let mse: Config = "int4,scale_rule=mse".parse().unwrap();
    let importance = [1.0f32; 64];
    for expected in [false, true] {
        let (_, hit) = other
            .quantize_weighted(&context, &mse, &array, &importance, None)
            .unwrap();
        assert_eq!(hit, expected);
    }
    let statistics = other.statistics().unwrap();
    assert_eq!(statistics.disk_hits(), 1.0);
    assert_eq!(statistics.disk_entries(), 2.0);
    assert!(format!("{:?}", statistics).contains("disk_entries: 2.0"));
}

#[test]
fn entries_are_listed_and_removed() {
    let folder = Folder::new("entries");
    let context = Context::new();
    let values = weights(2);
    let array = ArrayView::new(&values, &[8, 64]).unwrap();
    let cache = Cache::builder()
        .folder(folder.join("cache"))
        .disk_limit(1 << 30)
        .strict(true)
        .build()
        .unwrap();
    for format in ["int8", "nf4"] {
        let tensor = QuantizedTensor::quantize(&context, &format.parse().unwrap(), &array);
        cache.put(&context, format, &tensor.unwrap()).unwrap();
    }
    let entries = cache.entries(&context, None).unwrap();
    assert_eq!(entries.len(), 2);
    assert_eq!(entries[0].names, ["nf4"]);
    assert_eq!(
        (&entries[0].shape[..], entries[0].damaged),
        (&[8, 64][..], false)
    );
    let config: Config = entries[0].config.parse().unwrap();
    assert_eq!(config.format().unwrap(), Format::NF4);
    assert_eq!(cache.entries(&context, Some("i*")).unwrap().len(), 1);
    assert_eq!(cache.verify(&context, no_progress).unwrap(), 0);
    assert!(matches!(
        cache.verify(&context, |_| ControlFlow::Break(())),
        Err(Error::Cancelled(_))
    ));
    assert_eq!(cache.remove(&context, "i*").unwrap(), 1);
    assert_eq!(cache.trim(&context, 0).unwrap(), 1);
    cache.clear(&context).unwrap();
    assert!(cache.entries(&context, None).unwrap().is_empty());
    // Failures are errors where that was asked for.
    fs::write(folder.join("file"), b"").unwrap();
    let broken = Cache::builder()
        .folder(folder.join("file").join("x"))
        .strict(true)
        .build()
        .unwrap();
    let config = "int8".parse().unwrap();
    assert!(matches!(
        broken.quantize(&context, &config, &array, None),
        Err(Error::Io(_))
    ));
}

#[test]
fn options_are_those_of_the_library() {
    let cache = Cache::in_memory().unwrap();
    assert_eq!(cache.folder(), None);
    assert_eq!(
        cache.get_option(CacheOption::KEEP_PERCENT).unwrap(),
        OptionValue::Float(90.0)
    );
    assert!(cache_options().contains(&CacheOption::DISK_LIMIT));
    assert!(matches!(
        Cache::builder().set("disk_limt", 1).build(),
        Err(Error::NotFound(_))
    ));
    let small = Cache::builder()
        .memory_limit(7)
        .compress(true)
        .read_only(true);
    let small = small.build().unwrap();
    assert_eq!(
        small.get_option(CacheOption::MEMORY_LIMIT).unwrap(),
        OptionValue::Int(7)
    );
    assert!(format!("{:?}", small).contains("memory_limit"));
}

#[test]
fn threads_share_one() {
    let context = Context::new();
    let cache = Cache::in_memory().unwrap();
    let config: Config = "int8".parse().unwrap();
    let values = weights(3);
    let hits = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let array = ArrayView::new(&values, &[8, 64]).unwrap();
                let (_, hit) = cache.quantize(&context, &config, &array, None).unwrap();
                hits.fetch_add(usize::from(hit), Ordering::SeqCst);
            });
        }
    });
    assert_eq!(hits.into_inner(), 3);
}

fn model(path: &Path) {
    let context = Context::new();
    let values: Vec<_> = (0..5).map(weights).collect();
    let mut writer = Writer::create(
        &context,
        path,
        bitnet_quant::FileKind::SAFETENSORS,
        WriteOptions::new(),
    )
    .unwrap();
    for (i, values) in values.iter().enumerate() {
        let array = ArrayView::new(values, &[8, 64]).unwrap();
        writer.add_array(&format!("h.{}.w", i), &array).unwrap();
        let norm = ArrayView::new(&values[..64], &[64]).unwrap();
        writer.add_array(&format!("h.{}.norm", i), &norm).unwrap();
    }
    writer.finish().unwrap();
}

#[test]
fn layers_come_one_after_the_other() {
    let folder = Folder::new("layers");
    let path = folder.join("model.safetensors");
    model(&path);
    let context = Context::new();
    let mut plan = Plan::new().unwrap();
    plan.add("*", 2, &"int8_per_channel".parse().unwrap())
        .unwrap();
    let cache = Cache::new(folder.join("cache")).unwrap();
    let layers = Layers::open(&context, &path, Some(&plan), Some(&cache), 2).unwrap();
    drop(cache);
    assert_eq!((layers.len(), layers.name(4)), (5, Some("h.4")));
    assert_eq!((layers.name(5), layers.bytes(1)), (None, 2048 + 256));
    assert_eq!(layers.find("h.3.norm").unwrap(), 3);
    for _ in 0..2 {
        for (i, layer) in layers.iter(&context).enumerate() {
            let layer = layer.unwrap();
            assert_eq!(layer.name(), format!("h.{}", i));
            let names: Vec<_> = layer.names().map(str::to_string).collect();
            assert_eq!(names, [format!("h.{}.norm", i), format!("h.{}.w", i)]);
            let norm = layer.array(&names[0]).unwrap();
            assert_eq!((norm.shape(), norm.dtype()), (vec![64], DType::F32));
            let bytes: Vec<u8> = weights(i)[..64]
                .iter()
                .flat_map(|v| v.to_ne_bytes())
                .collect();
            assert_eq!(norm.as_bytes(), bytes);
            assert_eq!(layer.format(&names[0]).unwrap(), Format::NONE);
            assert!(matches!(
                layer.tensor(&names[0]),
                Err(Error::Unsupported(_))
            ));
            assert!(matches!(layer.array(&names[1]), Err(Error::Unsupported(_))));
            assert!(matches!(layer.tensor("w"), Err(Error::NotFound(_))));
            let tensor = layer.tensor(&names[1]).unwrap();
            assert_eq!(layer.bytes(), 256 + tensor.bytes() as u64);
            drop(layer);
            assert_eq!(tensor.shape(), [8, 64]);
        }
    }
    let backwards: Vec<_> = layers.iter(&context).rev().map(|l| l.unwrap()).collect();
    assert_eq!(backwards[0].name(), "h.4");
    layers.prepare(&context, no_progress).unwrap();
    let statistics = layers.statistics().unwrap();
    assert_eq!((statistics.loads(), statistics.quantized()), (15.0, 5.0));
    assert!(matches!(
        layers.load(&context, 5),
        Err(Error::InvalidArgument(_))
    ));
    assert!(matches!(
        layers.load_with(&context, 0, |_| ControlFlow::Break(())),
        Err(Error::Cancelled(_))
    ));
    // A loaded layer may outlive what it comes from.
    let layer = layers.load(&context, 0).unwrap();
    drop(layers);
    drop(folder);
    assert_eq!(layer.tensor("h.0.w").unwrap().shape(), [8, 64]);
}
