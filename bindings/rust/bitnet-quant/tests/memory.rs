//! The caller's memory: that it is used, given back, and outlives nothing.

mod common;

use bitnet_quant::memory::{BitNetTensor, HybridMemoryPool};
use bitnet_quant::{
    BitNetQuantizer, Calibrator, Config, Context, Device, Error, File, FileKind,
    QuantizationConfig, QuantizedTensor, Tensor, WriteOptions, Writer,
};
use common::TempDir;
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::Arc;

/// The system's memory, counted; after so many bytes there is none.
struct Counted {
    bytes: Arc<AtomicI64>,
    calls: Arc<AtomicI64>,
    limit: i64,
}

unsafe impl GlobalAlloc for Counted {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let bytes = layout.size() as i64;
        if self.bytes.fetch_add(bytes, Ordering::SeqCst) + bytes > self.limit {
            self.bytes.fetch_sub(bytes, Ordering::SeqCst);
            return std::ptr::null_mut();
        }
        self.calls.fetch_add(1, Ordering::SeqCst);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        self.bytes.fetch_sub(layout.size() as i64, Ordering::SeqCst);
        unsafe { System.dealloc(block, layout) }
    }
}

fn counted(limit: i64) -> (Context, Arc<AtomicI64>, Arc<AtomicI64>) {
    let (bytes, calls) = (Arc::new(AtomicI64::new(0)), Arc::new(AtomicI64::new(0)));
    let allocator = Counted {
        bytes: Arc::clone(&bytes),
        calls: Arc::clone(&calls),
        limit,
    };
    (Context::with_allocator(allocator).unwrap(), bytes, calls)
}

fn noise() -> Tensor {
    Tensor::randn_seeded(&[64, 512], &Device::Cpu, 3).unwrap()
}

#[test]
fn an_allocator_is_used_and_gets_everything_back() {
    let (mut context, bytes, calls) = counted(i64::MAX);
    context.set_threads(3).unwrap();
    let (noise, config) = (noise(), "nf4_double_quant".parse::<Config>().unwrap());
    let before = calls.load(Ordering::SeqCst);
    let tensor = QuantizedTensor::quantize(&context, &config, &noise.view()).unwrap();
    assert!(calls.load(Ordering::SeqCst) > before);
    assert!(bytes.load(Ordering::SeqCst) >= tensor.bytes() as i64);
    let plain = QuantizedTensor::quantize(&Context::new(), &config, &noise.view()).unwrap();
    assert_eq!(tensor.codes(), plain.codes());

    // The tensor outlives the context, and is read in another.
    drop(context);
    let values = tensor.dequantize(&Context::new()).unwrap();
    assert_eq!(values, plain.dequantize(&Context::new()).unwrap());
    drop(tensor);
    assert_eq!(bytes.load(Ordering::SeqCst), 0);
    // And the allocator itself is gone, with what it held.
    assert_eq!(Arc::strong_count(&bytes), 1);
}

#[test]
fn what_outlives_its_context_goes_on() {
    let folder = TempDir::new();
    let path = folder.path("model.bnq");
    let (context, bytes, _) = counted(i64::MAX);
    let (noise, config) = (noise(), "int8".parse::<Config>().unwrap());
    let tensor = QuantizedTensor::quantize(&context, &config, &noise.view()).unwrap();
    let options = WriteOptions::new().compress(true);
    let mut writer = Writer::create(&context, &path, FileKind::BNQ, options).unwrap();
    writer.add_tensor("a", &tensor).unwrap();
    writer.finish().unwrap();
    let codes = tensor.codes().to_vec();
    drop(tensor);
    assert_eq!(bytes.load(Ordering::SeqCst), 0);

    let file = File::open(&context, &path).unwrap();
    drop(context);
    // Memory that it asks for now is the system's.
    let read = file.entry("a").unwrap().quantized(&Context::new()).unwrap();
    assert_eq!(read.codes(), codes);
    drop((read, file));
    assert_eq!(
        (bytes.load(Ordering::SeqCst), Arc::strong_count(&bytes)),
        (0, 1)
    );
}

#[test]
fn want_of_memory_is_an_error_and_leaves_nothing() {
    let (context, bytes, _) = counted(4096);
    let (noise, config) = (noise(), "int8".parse::<Config>().unwrap());
    let error = QuantizedTensor::quantize(&context, &config, &noise.view()).unwrap_err();
    assert!(matches!(error, Error::OutOfMemory(_)), "{}", error);
    assert_eq!(bytes.load(Ordering::SeqCst), 0);
}

#[test]
fn a_pool_gives_blocks_again_and_keeps_its_limit() {
    let pool = HybridMemoryPool::with_limit(1 << 20).unwrap();
    let quantizer = BitNetQuantizer::new(QuantizationConfig::default());
    let mut codes = Vec::new();
    for _ in 0..10 {
        let tensor = BitNetTensor::randn_seeded(&[128, 256], &pool, 5).unwrap();
        let quantized = quantizer.quantize_tensor(&tensor, &pool).unwrap();
        codes.push(quantized.codes().to_vec());
        assert!(pool.statistics().used_bytes >= 128 * 256 * 4 + quantized.bytes());
    }
    assert!(codes.windows(2).all(|pair| pair[0] == pair[1]));
    let statistics = pool.statistics();
    assert_eq!(statistics.used_bytes, 0);
    // All but the first round's.
    let share = statistics.reused as f64 / statistics.allocations as f64;
    assert!(share >= 0.9, "{:?}", statistics);
    assert!(statistics.free_bytes > 0 && statistics.free_bytes <= 1 << 20);

    // Blocks of another size: the free ones make room, those in use do not.
    let most = BitNetTensor::zeros(&[200 << 10], &pool).unwrap();
    assert!(most.as_slice().iter().all(|&x| x == 0.0));
    let error = BitNetTensor::zeros(&[200 << 10], &pool).unwrap_err();
    assert!(matches!(error, Error::OutOfMemory(_)), "{}", error);
    let error = quantizer.quantize_tensor(&noise(), &pool).map(|_| ());
    assert!(error.is_ok(), "{:?}", error); // 64 x 512 codes of 2 bits still fit
    drop(most);
    pool.trim();
    let statistics = pool.statistics();
    assert_eq!((statistics.used_bytes, statistics.free_bytes), (0, 0));

    // Several threads at once.
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..20 {
                    let tensor = BitNetTensor::randn_seeded(&[32, 64], &pool, 5).unwrap();
                    let made = quantizer.quantize_tensor(&tensor, &pool).unwrap();
                    let alone = quantizer.quantize_weights(&tensor).unwrap().0;
                    assert_eq!(made.codes(), alone.codes());
                }
            });
        }
    });
    assert_eq!(pool.statistics().used_bytes, 0);

    // A context of one's own, with threads; and a tensor that outlives the pool's handles.
    let mut context = Context::with_allocator(pool.clone()).unwrap();
    context.set_threads(2).unwrap();
    let mut calibrator = Calibrator::new();
    calibrator.observe(&context, &noise().view()).unwrap();
    let tensor = BitNetTensor::zeros(&[8], &pool).unwrap();
    drop((pool, context, calibrator));
    assert_eq!(tensor.into_vec(), [0.0; 8]);
}
