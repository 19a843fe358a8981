//! Section 15 of `bnq.h`.

use crate::{
    bnq_array, bnq_cache, bnq_cache_list, bnq_config, bnq_context, bnq_layer, bnq_layers,
    bnq_options, bnq_plan, bnq_progress_fn, bnq_status, bnq_tensor,
};
use std::os::raw::{c_char, c_void};

/// int: bytes of tensors in memory.
pub const BNQ_CACHE_MEMORY_LIMIT: i32 = 1;
/// int: bytes of entries in the folder.
pub const BNQ_CACHE_DISK_LIMIT: i32 = 2;
/// int: whether the folder is left as it is.
pub const BNQ_CACHE_READ_ONLY: i32 = 3;
/// int: whether failures of the folder are errors.
pub const BNQ_CACHE_STRICT: i32 = 4;
/// int: whether entries are compressed.
pub const BNQ_CACHE_COMPRESS: i32 = 5;
/// float: what is left when entries are removed.
pub const BNQ_CACHE_KEEP_PERCENT: i32 = 6;
/// Found in memory.
pub const BNQ_CACHE_STAT_MEMORY_HITS: usize = 0;
/// Found in the folder.
pub const BNQ_CACHE_STAT_DISK_HITS: usize = 1;
/// Not found.
pub const BNQ_CACHE_STAT_MISSES: usize = 2;
/// Entries written.
pub const BNQ_CACHE_STAT_STORES: usize = 3;
/// Entries that were not written.
pub const BNQ_CACHE_STAT_NOT_STORED: usize = 4;
/// Entries removed to keep the limit.
pub const BNQ_CACHE_STAT_EVICTIONS: usize = 5;
/// Damaged entries.
pub const BNQ_CACHE_STAT_DAMAGED: usize = 6;
/// Times that the folder could not be read or written.
pub const BNQ_CACHE_STAT_FAILURES: usize = 7;
/// Bytes of tensors that were hits.
pub const BNQ_CACHE_STAT_BYTES_SERVED: usize = 8;
/// Seconds spent in loading from the folder.
pub const BNQ_CACHE_STAT_LOAD_SECONDS: usize = 9;
/// Tensors in memory.
pub const BNQ_CACHE_STAT_MEMORY_ENTRIES: usize = 10;
/// Bytes of these.
pub const BNQ_CACHE_STAT_MEMORY_BYTES: usize = 11;
/// Entries in the folder.
pub const BNQ_CACHE_STAT_DISK_ENTRIES: usize = 12;
/// Bytes of their files.
pub const BNQ_CACHE_STAT_DISK_BYTES: usize = 13;
/// Number of statistics listed here.
pub const BNQ_NUM_CACHE_STATS: usize = 14;
/// Layers loaded.
pub const BNQ_LAYERS_STAT_LOADS: usize = 0;
/// Those of them that were loaded ahead.
pub const BNQ_LAYERS_STAT_PREFETCHED: usize = 1;
/// Seconds that callers spent in loading.
pub const BNQ_LAYERS_STAT_WAIT_SECONDS: usize = 2;
/// Tensors quantized.
pub const BNQ_LAYERS_STAT_QUANTIZED: usize = 3;
/// Tensors restored from the cache.
pub const BNQ_LAYERS_STAT_RESTORED: usize = 4;
/// Bytes of arrays that were read.
pub const BNQ_LAYERS_STAT_BYTES_READ: usize = 5;
/// Bytes of the largest layer as loaded.
pub const BNQ_LAYERS_STAT_LARGEST_BYTES: usize = 6;
/// The most that layers took up at a time.
pub const BNQ_LAYERS_STAT_PEAK_BYTES: usize = 7;
/// Number of statistics listed here.
pub const BNQ_NUM_LAYERS_STATS: usize = 8;

functions! {
    // 15. Layer cache and layers

    /// A cache in a folder; NULL: in memory alone.
    pub fn bnq_cache_create(folder: *const c_char, out_cache: *mut *mut bnq_cache) -> bnq_status;
    /// Frees it; NULL is fine. Its tensors live on.
    pub fn bnq_cache_destroy(cache: *mut bnq_cache);
    /// Its options, to be read.
    pub fn bnq_cache_options(cache: *const bnq_cache) -> *const bnq_options;
    /// Its options, to be changed.
    pub fn bnq_cache_settings(cache: *mut bnq_cache) -> *mut bnq_options;
    /// The folder that a person's programs share.
    pub fn bnq_cache_default_folder(text: *mut c_char, size: u64, out_size: *mut u64)
        -> bnq_status;
    /// Quantizes, or finds what that gave before; `importance`, `name` and `out_hit` may be NULL.
    pub fn bnq_cache_quantize(
        context: *mut bnq_context, cache: *mut bnq_cache, config: *const bnq_config,
        source: *const bnq_array, importance: *const f32, importance_count: u64,
        name: *const c_char, out_tensor: *mut *mut bnq_tensor, out_hit: *mut i32,
    ) -> bnq_status;
    /// What an entry is found by: 64 digits and a NUL.
    pub fn bnq_cache_key(
        context: *mut bnq_context, config: *const bnq_config, source: *const bnq_array,
        importance: *const f32, importance_count: u64, text: *mut c_char, size: u64,
        out_size: *mut u64,
    ) -> bnq_status;
    /// The entry of a key.
    pub fn bnq_cache_find(
        context: *mut bnq_context, cache: *mut bnq_cache, key: *const c_char,
        out_tensor: *mut *mut bnq_tensor,
    ) -> bnq_status;
    /// The entry of a name.
    pub fn bnq_cache_get(
        context: *mut bnq_context, cache: *mut bnq_cache, name: *const c_char,
        out_tensor: *mut *mut bnq_tensor,
    ) -> bnq_status;
    /// Stores a tensor under a name.
    pub fn bnq_cache_put(
        context: *mut bnq_context, cache: *mut bnq_cache, name: *const c_char,
        tensor: *const bnq_tensor,
    ) -> bnq_status;
    /// Number of statistics of the loaded library.
    pub fn bnq_cache_stat_count() -> u32;
    /// "memory_hits", ...; NULL for another index.
    pub fn bnq_cache_stat_name(index: u32) -> *const c_char;
    /// The first `stat_count` statistics.
    pub fn bnq_cache_stats(cache: *mut bnq_cache, stats: *mut f64, stat_count: u32) -> bnq_status;
    /// The entries in the folder, used last first.
    pub fn bnq_cache_list_create(
        context: *mut bnq_context, cache: *mut bnq_cache, glob: *const c_char,
        out_list: *mut *mut bnq_cache_list,
    ) -> bnq_status;
    /// Frees it; NULL is fine.
    pub fn bnq_cache_list_destroy(list: *mut bnq_cache_list);
    /// Entries.
    pub fn bnq_cache_list_count(list: *const bnq_cache_list) -> u64;
    /// Its key; NULL for an index that is not there.
    pub fn bnq_cache_list_key(list: *const bnq_cache_list, index: u64) -> *const c_char;
    /// How many names it has.
    pub fn bnq_cache_list_name_count(list: *const bnq_cache_list, index: u64) -> u64;
    /// One of its names.
    pub fn bnq_cache_list_name(list: *const bnq_cache_list, index: u64, name: u64)
        -> *const c_char;
    /// Bytes of its file.
    pub fn bnq_cache_list_bytes(list: *const bnq_cache_list, index: u64) -> u64;
    /// When it was used, in seconds since 1970.
    pub fn bnq_cache_list_used(list: *const bnq_cache_list, index: u64) -> f64;
    /// 1 where it is damaged; -1 for an index that is not there.
    pub fn bnq_cache_list_damaged(list: *const bnq_cache_list, index: u64) -> i32;
    /// Its config as text; "" where it is damaged.
    pub fn bnq_cache_list_config(list: *const bnq_cache_list, index: u64) -> *const c_char;
    /// Its rank; `shape` of 8 entries may be NULL.
    pub fn bnq_cache_list_shape(list: *const bnq_cache_list, index: u64, shape: *mut u64) -> i32;
    /// Reads all entries and sets damaged ones aside.
    pub fn bnq_cache_verify(
        context: *mut bnq_context, cache: *mut bnq_cache, progress: bnq_progress_fn,
        opaque: *mut c_void, out_damaged: *mut u64,
    ) -> bnq_status;
    /// Removes entries until no more than `bytes` are left.
    pub fn bnq_cache_trim(
        context: *mut bnq_context, cache: *mut bnq_cache, bytes: u64, out_removed: *mut u64,
    ) -> bnq_status;
    /// Removes names that match a glob, and entries without any other.
    pub fn bnq_cache_remove(
        context: *mut bnq_context, cache: *mut bnq_cache, glob: *const c_char,
        out_removed: *mut u64,
    ) -> bnq_status;
    /// Removes all entries and names.
    pub fn bnq_cache_clear(context: *mut bnq_context, cache: *mut bnq_cache) -> bnq_status;
    /// The layers of a model; `plan` and `cache` may be NULL.
    pub fn bnq_layers_open(
        context: *mut bnq_context, model: *const c_char, plan: *const bnq_plan,
        cache: *mut bnq_cache, look_ahead: u32, out_layers: *mut *mut bnq_layers,
    ) -> bnq_status;
    /// Frees them; NULL is fine. Loaded layers live on.
    pub fn bnq_layers_close(layers: *mut bnq_layers);
    /// Layers.
    pub fn bnq_layers_count(layers: *const bnq_layers) -> u64;
    /// A layer's name; NULL for an index that is not there.
    pub fn bnq_layers_name(layers: *const bnq_layers, index: u64) -> *const c_char;
    /// Bytes of its tensors in the model.
    pub fn bnq_layers_bytes(layers: *const bnq_layers, index: u64) -> u64;
    /// The layer of a name, or with a tensor of that name.
    pub fn bnq_layers_find(
        layers: *const bnq_layers, name: *const c_char, out_index: *mut u64,
    ) -> bnq_status;
    /// Loads a layer, or waits for it.
    pub fn bnq_layers_load(
        context: *mut bnq_context, layers: *mut bnq_layers, index: u64, progress: bnq_progress_fn,
        opaque: *mut c_void, out_layer: *mut *mut bnq_layer,
    ) -> bnq_status;
    /// Has all that the plan quantizes in the cache.
    pub fn bnq_layers_prepare(
        context: *mut bnq_context, layers: *mut bnq_layers, progress: bnq_progress_fn,
        opaque: *mut c_void,
    ) -> bnq_status;
    /// Number of statistics of the loaded library.
    pub fn bnq_layers_stat_count() -> u32;
    /// "loads", ...; NULL for another index.
    pub fn bnq_layers_stat_name(index: u32) -> *const c_char;
    /// The first `stat_count` statistics.
    pub fn bnq_layers_stats(
        layers: *const bnq_layers, stats: *mut f64, stat_count: u32,
    ) -> bnq_status;
    /// Lets go of a loaded layer; NULL is fine.
    pub fn bnq_layer_destroy(layer: *mut bnq_layer);
    /// Its name.
    pub fn bnq_layer_name(layer: *const bnq_layer) -> *const c_char;
    /// Its tensors.
    pub fn bnq_layer_count(layer: *const bnq_layer) -> u64;
    /// A tensor's name; NULL for an index that is not there.
    pub fn bnq_layer_tensor_name(layer: *const bnq_layer, index: u64) -> *const c_char;
    /// Bytes of its tensors as loaded.
    pub fn bnq_layer_bytes(layer: *const bnq_layer) -> u64;
    /// The tensor's format: 0 of a plain array; -1 for an index that is not there.
    pub fn bnq_layer_format(layer: *const bnq_layer, index: u64) -> i32;
    /// A quantized tensor, which may outlive the layer.
    pub fn bnq_layer_tensor(
        layer: *const bnq_layer, index: u64, out_tensor: *mut *mut bnq_tensor,
    ) -> bnq_status;
    /// A plain array, which lives as long as the layer.
    pub fn bnq_layer_array(
        layer: *const bnq_layer, index: u64, out_array: *mut bnq_array,
    ) -> bnq_status;
}
