// Section 15 of bnq.h.

using System.Runtime.InteropServices;

namespace BitNetQuant.Interop;

internal static unsafe partial class NativeMethods
{
    // 15. Layer cache and layers

    internal const int BNQ_CACHE_MEMORY_LIMIT = 1;
    internal const int BNQ_CACHE_DISK_LIMIT = 2;
    internal const int BNQ_CACHE_READ_ONLY = 3;
    internal const int BNQ_CACHE_STRICT = 4;
    internal const int BNQ_CACHE_COMPRESS = 5;
    internal const int BNQ_CACHE_KEEP_PERCENT = 6;
    internal const int BNQ_CACHE_STAT_MEMORY_HITS = 0;
    internal const int BNQ_CACHE_STAT_DISK_HITS = 1;
    internal const int BNQ_CACHE_STAT_MISSES = 2;
    internal const int BNQ_CACHE_STAT_STORES = 3;
    internal const int BNQ_CACHE_STAT_NOT_STORED = 4;
    internal const int BNQ_CACHE_STAT_EVICTIONS = 5;
    internal const int BNQ_CACHE_STAT_DAMAGED = 6;
    internal const int BNQ_CACHE_STAT_FAILURES = 7;
    internal const int BNQ_CACHE_STAT_BYTES_SERVED = 8;
    internal const int BNQ_CACHE_STAT_LOAD_SECONDS = 9;
    internal const int BNQ_CACHE_STAT_MEMORY_ENTRIES = 10;
    internal const int BNQ_CACHE_STAT_MEMORY_BYTES = 11;
    internal const int BNQ_CACHE_STAT_DISK_ENTRIES = 12;
    internal const int BNQ_CACHE_STAT_DISK_BYTES = 13;
    internal const int BNQ_NUM_CACHE_STATS = 14;
    internal const int BNQ_LAYERS_STAT_LOADS = 0;
    internal const int BNQ_LAYERS_STAT_PREFETCHED = 1;
    internal const int BNQ_LAYERS_STAT_WAIT_SECONDS = 2;
    internal const int BNQ_LAYERS_STAT_QUANTIZED = 3;
    internal const int BNQ_LAYERS_STAT_RESTORED = 4;
    internal const int BNQ_LAYERS_STAT_BYTES_READ = 5;
    internal const int BNQ_LAYERS_STAT_LARGEST_BYTES = 6;
    internal const int BNQ_LAYERS_STAT_PEAK_BYTES = 7;
    internal const int BNQ_NUM_LAYERS_STATS = 8;

    [LibraryImport(LibraryName, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int bnq_cache_create(string? folder, out CacheHandle cache);

    [LibraryImport(LibraryName)]
    internal static partial void bnq_cache_destroy(nint cache);

    [LibraryImport(LibraryName)]
    internal static partial nint bnq_cache_options(CacheHandle cache);

    [LibraryImport(LibraryName)]
    internal static partial nint bnq_cache_settings(CacheHandle cache);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_cache_default_folder(byte* text, ulong size, ulong* outSize);

    [LibraryImport(LibraryName, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int bnq_cache_quantize(
        ContextHandle context, CacheHandle cache, ConfigHandle config, BnqArray* source, float* importance,
        ulong importanceCount, string? name, out TensorHandle tensor, out int hit);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_cache_key(
        ContextHandle context, ConfigHandle config, BnqArray* source, float* importance,
        ulong importanceCount, byte* text, ulong size, ulong* outSize);

    [LibraryImport(LibraryName, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int bnq_cache_find(
        ContextHandle context, CacheHandle cache, string key, out TensorHandle tensor);

    [LibraryImport(LibraryName, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int bnq_cache_get(
        ContextHandle context, CacheHandle cache, string name, out TensorHandle tensor);

    [LibraryImport(LibraryName, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int bnq_cache_put(
        ContextHandle context, CacheHandle cache, string name, TensorHandle tensor);

    [LibraryImport(LibraryName)]
    internal static partial uint bnq_cache_stat_count();

    [LibraryImport(LibraryName)]
    internal static partial byte* bnq_cache_stat_name(uint index);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_cache_stats(CacheHandle cache, double* stats, uint statCount);

    [LibraryImport(LibraryName, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int bnq_cache_list_create(
        ContextHandle context, CacheHandle cache, string? glob, out CacheListHandle list);

    [LibraryImport(LibraryName)]
    internal static partial void bnq_cache_list_destroy(nint list);

    [LibraryImport(LibraryName)]
    internal static partial ulong bnq_cache_list_count(CacheListHandle list);

    [LibraryImport(LibraryName)]
    internal static partial byte* bnq_cache_list_key(CacheListHandle list, ulong index);

    [LibraryImport(LibraryName)]
    internal static partial ulong bnq_cache_list_name_count(CacheListHandle list, ulong index);

    [LibraryImport(LibraryName)]
    internal static partial byte* bnq_cache_list_name(CacheListHandle list, ulong index, ulong name);

    [LibraryImport(LibraryName)]
    internal static partial ulong bnq_cache_list_bytes(CacheListHandle list, ulong index);

    [LibraryImport(LibraryName)]
    internal static partial double bnq_cache_list_used(CacheListHandle list, ulong index);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_cache_list_damaged(CacheListHandle list, ulong index);

    [LibraryImport(LibraryName)]
    internal static partial byte* bnq_cache_list_config(CacheListHandle list, ulong index);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_cache_list_shape(CacheListHandle list, ulong index, ulong* shape);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_cache_verify(
        ContextHandle context, CacheHandle cache,
        delegate* unmanaged[Cdecl]<void*, ulong, ulong, byte*, int> progress, void* opaque,
        out ulong damaged);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_cache_trim(
        ContextHandle context, CacheHandle cache, ulong bytes, out ulong removed);

    [LibraryImport(LibraryName, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int bnq_cache_remove(
        ContextHandle context, CacheHandle cache, string glob, out ulong removed);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_cache_clear(ContextHandle context, CacheHandle cache);

    [LibraryImport(LibraryName, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int bnq_layers_open(
        ContextHandle context, string model, PlanHandle plan, CacheHandle cache, uint lookAhead,
        out LayersHandle layers);

    [LibraryImport(LibraryName)]
    internal static partial void bnq_layers_close(nint layers);

    [LibraryImport(LibraryName)]
    internal static partial ulong bnq_layers_count(LayersHandle layers);

    [LibraryImport(LibraryName)]
    internal static partial byte* bnq_layers_name(LayersHandle layers, ulong index);

    [LibraryImport(LibraryName)]
    internal static partial ulong bnq_layers_bytes(LayersHandle layers, ulong index);

    [LibraryImport(LibraryName, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int bnq_layers_find(LayersHandle layers, string name, out ulong index);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_layers_load(
        ContextHandle context, LayersHandle layers, ulong index,
        delegate* unmanaged[Cdecl]<void*, ulong, ulong, byte*, int> progress, void* opaque,
        out LayerHandle layer);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_layers_prepare(
        ContextHandle context, LayersHandle layers,
        delegate* unmanaged[Cdecl]<void*, ulong, ulong, byte*, int> progress, void* opaque);

    [LibraryImport(LibraryName)]
    internal static partial uint bnq_layers_stat_count();

    [LibraryImport(LibraryName)]
    internal static partial byte* bnq_layers_stat_name(uint index);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_layers_stats(LayersHandle layers, double* stats, uint statCount);

    [LibraryImport(LibraryName)]
    internal static partial void bnq_layer_destroy(nint layer);

    [LibraryImport(LibraryName)]
    internal static partial byte* bnq_layer_name(LayerHandle layer);

    [LibraryImport(LibraryName)]
    internal static partial ulong bnq_layer_count(LayerHandle layer);

    [LibraryImport(LibraryName)]
    internal static partial byte* bnq_layer_tensor_name(LayerHandle layer, ulong index);

    [LibraryImport(LibraryName)]
    internal static partial ulong bnq_layer_bytes(LayerHandle layer);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_layer_format(LayerHandle layer, ulong index);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_layer_tensor(LayerHandle layer, ulong index, out TensorHandle tensor);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_layer_array(LayerHandle layer, ulong index, BnqArray* array);
}
