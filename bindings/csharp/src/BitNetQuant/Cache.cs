using System;
using System.Collections.Generic;
using System.Collections.Immutable;
using System.Linq;
using System.Text;
using System.Threading;
using BitNetQuant.Interop;

namespace BitNetQuant;

/// <summary>
/// Quantized tensors that were made before, in memory and in a folder that any number of processes share. An entry is
/// found by what it was made of: the array's contents, type and shape, the config and the importance. So nothing stale
/// is ever found, and equal arrays share an entry, whatever they are called; names can be given to entries besides.
/// </summary>
/// <remarks>
/// Damaged entries are misses and set aside; what cannot be read or written now is a miss that changes nothing, or with
/// <see cref="Strict"/> an exception. Options are set before it is used; then any number of threads may use one.
/// </remarks>
/// <example><code>
/// using var cache = new Cache("layers") { DiskLimit = 20_000_000_000 };
/// using QuantizedTensor tensor = cache.Quantize(source, config, out bool hit, name: "model/3/ffn");
/// using QuantizedTensor? again = cache.Get("model/3/ffn");
/// </code></example>
public sealed unsafe class Cache : IDisposable
{
    /// <summary>A cache.</summary>
    /// <param name="folder">Where it is: made when something is stored in it; null for memory alone.</param>
    public Cache(string? folder = null)
    {
        Native.Check(NativeMethods.bnq_cache_create(
            folder is null ? null : Native.Argument(folder), out CacheHandle handle));
        Handle = handle;
        Folder = folder;
    }

    internal CacheHandle Handle { get; }

    /// <summary>Where it is; null for memory alone.</summary>
    public string? Folder { get; }

    /// <summary>The folder that a person's programs share: the environment's BNQ_CACHE, else bnq in XDG_CACHE_HOME or
    /// in ~/.cache.</summary>
    /// <exception cref="NotFoundException">None of these is set.</exception>
    public static string DefaultFolder
    {
        get
        {
            ulong size;
            Native.Check(NativeMethods.bnq_cache_default_folder(null, 0, &size));
            var text = new byte[size];
            fixed (byte* pointer = text)
            {
                Native.Check(NativeMethods.bnq_cache_default_folder(pointer, size, null));
            }

            return Encoding.UTF8.GetString(text, 0, text.Length - 1);
        }
    }

    /// <summary>Bytes of tensors kept in memory besides those in use; default 2 GiB, 0 for none.</summary>
    /// <exception cref="InvalidArgumentException">The value is out of bounds.</exception>
    public long MemoryLimit
    {
        get => Options.GetInteger(NativeMethods.BNQ_CACHE_MEMORY_LIMIT);
        set => Settings.Set(NativeMethods.BNQ_CACHE_MEMORY_LIMIT, value);
    }

    /// <summary>Bytes of entries in the folder, beyond which those not used for longest are removed; default 50 GiB, 0 for
    /// any number.</summary>
    /// <exception cref="InvalidArgumentException">The value is out of bounds.</exception>
    public long DiskLimit
    {
        get => Options.GetInteger(NativeMethods.BNQ_CACHE_DISK_LIMIT);
        set => Settings.Set(NativeMethods.BNQ_CACHE_DISK_LIMIT, value);
    }

    /// <summary>Whether the folder is left as it is; default false.</summary>
    public bool ReadOnly
    {
        get => Options.GetInteger(NativeMethods.BNQ_CACHE_READ_ONLY) != 0;
        set => Settings.Set(NativeMethods.BNQ_CACHE_READ_ONLY, value ? 1L : 0L);
    }

    /// <summary>Whether entries that cannot be read or written now are exceptions, rather than misses; default
    /// false.</summary>
    public bool Strict
    {
        get => Options.GetInteger(NativeMethods.BNQ_CACHE_STRICT) != 0;
        set => Settings.Set(NativeMethods.BNQ_CACHE_STRICT, value ? 1L : 0L);
    }

    /// <summary>Whether entries are compressed, which makes them smaller but not mappable; default false.</summary>
    public bool Compress
    {
        get => Options.GetInteger(NativeMethods.BNQ_CACHE_COMPRESS) != 0;
        set => Settings.Set(NativeMethods.BNQ_CACHE_COMPRESS, value ? 1L : 0L);
    }

    /// <summary>What is left of <see cref="DiskLimit"/> when entries are removed, in percent; default 90.</summary>
    /// <exception cref="InvalidArgumentException">The value is out of bounds.</exception>
    public double KeepPercent
    {
        get => Options.GetFloat(NativeMethods.BNQ_CACHE_KEEP_PERCENT);
        set => Settings.Set(NativeMethods.BNQ_CACHE_KEEP_PERCENT, value);
    }

    /// <summary>Sets an option by its name and a value's name or number.</summary>
    /// <param name="option">A name of <see cref="Library.CacheOptions"/>, such as "disk_limit".</param>
    /// <param name="value">Numbers in the invariant culture.</param>
    /// <exception cref="NotFoundException">There is no such option.</exception>
    /// <exception cref="InvalidArgumentException">The value is not legal; the message says what is.</exception>
    public void SetOption(string option, string value) => Settings.Set(option, value);

    /// <summary>The value of an option as <see cref="SetOption"/> takes it.</summary>
    /// <param name="option">A name of <see cref="Library.CacheOptions"/>, such as "disk_limit".</param>
    /// <exception cref="NotFoundException">There is no such option.</exception>
    public string GetOption(string option) => Options.GetText(option);

    /// <summary>What <see cref="QuantizedTensor.Quantize(SourceArray, Config, Context?)"/> gives, or gave before. The
    /// array is read to know which entry is its own.</summary>
    /// <param name="source">The array.</param>
    /// <param name="config">What to quantize into.</param>
    /// <param name="hit">Whether it was there already.</param>
    /// <param name="name">The entry's name from now on; null for none.</param>
    /// <param name="importance">As in <see cref="QuantizedTensor.QuantizeWeighted"/>; empty for none.</param>
    /// <param name="context">Where to run; null for one thread.</param>
    /// <exception cref="NonFiniteException">The array holds NaN or infinity.</exception>
    /// <exception cref="InputOutputException">Only with <see cref="Strict"/>.</exception>
    public QuantizedTensor Quantize(
        SourceArray source, Config config, out bool hit, string? name = null, ReadOnlySpan<float> importance = default,
        Context? context = null)
    {
        ArgumentNullException.ThrowIfNull(config);
        TensorHandle? tensor = null;
        int found = 0;
        string? given = name is null ? null : Native.Argument(name);
        fixed (float* pointer = importance)
        {
            var weights = (nint)pointer;
            ulong count = (ulong)importance.Length;
            NativeArray.Lend(source, array => NativeMethods.bnq_cache_quantize(
                ContextHandle.Of(context), Handle, config.Handle, array, (float*)weights, count, given, out tensor,
                out found));
        }

        hit = found != 0;
        return new QuantizedTensor(tensor!);
    }

    /// <summary>What <see cref="Find"/> finds an array's entry by: 64 hexadecimal digits.</summary>
    /// <param name="source">The array.</param>
    /// <param name="config">What it is quantized into.</param>
    /// <param name="context">Where to run; null for one thread.</param>
    public static string KeyOf(SourceArray source, Config config, Context? context = null)
    {
        ArgumentNullException.ThrowIfNull(config);
        var text = new byte[65];
        NativeArray.Lend(source, array =>
        {
            fixed (byte* pointer = text)
            {
                return NativeMethods.bnq_cache_key(
                    ContextHandle.Of(context), config.Handle, array, null, 0, pointer, (ulong)text.Length, null);
            }
        });
        return Encoding.ASCII.GetString(text, 0, text.Length - 1);
    }

    /// <summary>The entry of a key; null where there is none.</summary>
    /// <param name="key">As of <see cref="KeyOf"/>.</param>
    /// <param name="context">Where to run; null for one thread.</param>
    /// <exception cref="InvalidArgumentException">It is no key.</exception>
    public QuantizedTensor? Find(string key, Context? context = null) => Found(NativeMethods.bnq_cache_find(
        ContextHandle.Of(context), Handle, Native.Argument(key), out TensorHandle tensor), tensor);

    /// <summary>The entry of a name; null where there is none.</summary>
    /// <param name="name">Any text but the empty one.</param>
    /// <param name="context">Where to run; null for one thread.</param>
    public QuantizedTensor? Get(string name, Context? context = null) => Found(NativeMethods.bnq_cache_get(
        ContextHandle.Of(context), Handle, Native.Argument(name), out TensorHandle tensor), tensor);

    /// <summary>Stores a copy of a tensor, however it was made, in place of what has that name.</summary>
    /// <param name="name">Any text but the empty one.</param>
    /// <param name="tensor">The tensor.</param>
    /// <param name="context">Where to run; null for one thread.</param>
    public void Put(string name, QuantizedTensor tensor, Context? context = null)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        Native.Check(NativeMethods.bnq_cache_put(
            ContextHandle.Of(context), Handle, Native.Argument(name), tensor.Handle));
    }

    /// <summary>What has become of requests, and what is there now, for which the folder is listed.</summary>
    /// <exception cref="InputOutputException">The folder cannot be read.</exception>
    public CacheStatistics GetStatistics()
    {
        var values = new double[NativeMethods.bnq_cache_stat_count()];
        fixed (double* pointer = values)
        {
            Native.Check(NativeMethods.bnq_cache_stats(Handle, pointer, (uint)values.Length));
        }

        return new CacheStatistics(values);
    }

    /// <summary>What is in the folder, used last first.</summary>
    /// <param name="glob">Only what has a name that matches, as in <see cref="Plan"/>; null for all.</param>
    /// <param name="context">For the log; null for none.</param>
    /// <exception cref="InputOutputException">The folder cannot be read.</exception>
    public ImmutableArray<CacheEntry> GetEntries(string? glob = null, Context? context = null)
    {
        Native.Check(NativeMethods.bnq_cache_list_create(
            ContextHandle.Of(context), Handle, glob is null ? null : Native.Argument(glob), out CacheListHandle list));
        using (list)
        {
            var entries = ImmutableArray.CreateBuilder<CacheEntry>();
            ulong* shape = stackalloc ulong[NativeMethods.BNQ_MAX_RANK];
            for (ulong i = 0; i < NativeMethods.bnq_cache_list_count(list); i++)
            {
                var names = ImmutableArray.CreateBuilder<string>();
                for (ulong k = 0; k < NativeMethods.bnq_cache_list_name_count(list, i); k++)
                {
                    names.Add(Native.Text(NativeMethods.bnq_cache_list_name(list, i, k)));
                }

                int rank = NativeMethods.bnq_cache_list_shape(list, i, shape);
                entries.Add(new CacheEntry(
                    Native.Text(NativeMethods.bnq_cache_list_key(list, i)),
                    names.ToImmutable(),
                    checked((long)NativeMethods.bnq_cache_list_bytes(list, i)),
                    DateTimeOffset.UnixEpoch.AddSeconds(NativeMethods.bnq_cache_list_used(list, i)),
                    NativeMethods.bnq_cache_list_damaged(list, i) == 1,
                    Native.Shape(rank, shape),
                    Native.Text(NativeMethods.bnq_cache_list_config(list, i))));
            }

            return entries.ToImmutable();
        }
    }

    /// <summary>Reads all entries of the folder, and sets those that are damaged aside.</summary>
    /// <param name="progress">Hears of it on the calling thread. What it throws cancels the operation and is then
    /// thrown by this method.</param>
    /// <param name="context">Where to run; null for one thread.</param>
    /// <param name="cancellationToken">Cancels it.</param>
    /// <returns>How many are damaged.</returns>
    /// <exception cref="InputOutputException">One cannot be read; the others were.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public long Verify(
        IProgress<ModelProgress>? progress = null, Context? context = null,
        CancellationToken cancellationToken = default)
    {
        using var watch = new ProgressWatch(progress, cancellationToken);
        watch.Check(NativeMethods.bnq_cache_verify(
            ContextHandle.Of(context), Handle, watch.Callback, watch.Opaque, out ulong damaged));
        return checked((long)damaged);
    }

    /// <summary>Removes what was not used for longest until no more than so many bytes are left in memory and in the
    /// folder; and what is of no more use.</summary>
    /// <param name="bytes">0 or more.</param>
    /// <param name="context">For the log; null for none.</param>
    /// <returns>The number of entries.</returns>
    public long Trim(long bytes, Context? context = null)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        Native.Check(NativeMethods.bnq_cache_trim(ContextHandle.Of(context), Handle, (ulong)bytes, out ulong removed));
        return checked((long)removed);
    }

    /// <summary>Removes the names that match, and entries that have no other name.</summary>
    /// <param name="glob">As in <see cref="Plan"/>.</param>
    /// <param name="context">For the log; null for none.</param>
    /// <returns>The number of entries.</returns>
    public long Remove(string glob, Context? context = null)
    {
        Native.Check(NativeMethods.bnq_cache_remove(
            ContextHandle.Of(context), Handle, Native.Argument(glob), out ulong removed));
        return checked((long)removed);
    }

    /// <summary>Removes all entries and names, and nothing else that may be in the folder.</summary>
    /// <param name="context">For the log; null for none.</param>
    public void Clear(Context? context = null) =>
        Native.Check(NativeMethods.bnq_cache_clear(ContextHandle.Of(context), Handle));

    /// <summary>Frees it. Its tensors, and <see cref="Layers"/> that use it, go on.</summary>
    public void Dispose() => Handle.Dispose();

    private OptionsHandle Options => OptionsHandle.Of(Handle, NativeMethods.bnq_cache_options);

    private OptionsHandle Settings => OptionsHandle.Of(Handle, NativeMethods.bnq_cache_settings);

    private static QuantizedTensor? Found(int status, TensorHandle tensor)
    {
        if (status == NativeMethods.BNQ_ERROR_NOT_FOUND)
        {
            tensor.Dispose();
            return null;
        }

        Native.Check(status);
        return new QuantizedTensor(tensor);
    }
}

/// <summary>An entry in a cache's folder.</summary>
/// <param name="Key">64 hexadecimal digits.</param>
/// <param name="Names">Its names, sorted.</param>
/// <param name="ByteCount">Bytes of its file.</param>
/// <param name="Used">When it was used.</param>
/// <param name="IsDamaged">Set aside, or not to be read; then there is no shape and no config.</param>
/// <param name="Shape">The tensor's dimensions.</param>
/// <param name="Config">As <see cref="BitNetQuant.Config.Parse(string)"/> takes it.</param>
public sealed record CacheEntry(
    string Key, ImmutableArray<string> Names, long ByteCount, DateTimeOffset Used, bool IsDamaged,
    ImmutableArray<long> Shape, string Config);

/// <summary>What has become of a cache's requests since it was made, and what is in it.</summary>
public sealed class CacheStatistics
{
    private readonly double[] _values;

    internal CacheStatistics(double[] values) => _values = values;

    /// <summary>Requests that were found in memory.</summary>
    public long MemoryHits => (long)_values[NativeMethods.BNQ_CACHE_STAT_MEMORY_HITS];

    /// <summary>Requests that were found in the folder.</summary>
    public long DiskHits => (long)_values[NativeMethods.BNQ_CACHE_STAT_DISK_HITS];

    /// <summary>Requests that were not found.</summary>
    public long Misses => (long)_values[NativeMethods.BNQ_CACHE_STAT_MISSES];

    /// <summary>Entries written.</summary>
    public long Stores => (long)_values[NativeMethods.BNQ_CACHE_STAT_STORES];

    /// <summary>Entries not written: too large, or the folder read only, or the disk full.</summary>
    public long NotStored => (long)_values[NativeMethods.BNQ_CACHE_STAT_NOT_STORED];

    /// <summary>Entries removed to keep the limit, by this cache.</summary>
    public long Evictions => (long)_values[NativeMethods.BNQ_CACHE_STAT_EVICTIONS];

    /// <summary>Damaged entries.</summary>
    public long Damaged => (long)_values[NativeMethods.BNQ_CACHE_STAT_DAMAGED];

    /// <summary>Times that the folder could not be read or written.</summary>
    public long Failures => (long)_values[NativeMethods.BNQ_CACHE_STAT_FAILURES];

    /// <summary>Bytes of the hits.</summary>
    public long BytesServed => (long)_values[NativeMethods.BNQ_CACHE_STAT_BYTES_SERVED];

    /// <summary>Time spent in loading from the folder.</summary>
    public TimeSpan LoadTime => TimeSpan.FromSeconds(_values[NativeMethods.BNQ_CACHE_STAT_LOAD_SECONDS]);

    /// <summary>Tensors in memory besides those in use.</summary>
    public long MemoryEntries => (long)_values[NativeMethods.BNQ_CACHE_STAT_MEMORY_ENTRIES];

    /// <summary>Bytes of these.</summary>
    public long MemoryBytes => (long)_values[NativeMethods.BNQ_CACHE_STAT_MEMORY_BYTES];

    /// <summary>Entries in the folder.</summary>
    public long DiskEntries => (long)_values[NativeMethods.BNQ_CACHE_STAT_DISK_ENTRIES];

    /// <summary>Bytes of their files, and of damaged ones.</summary>
    public long DiskBytes => (long)_values[NativeMethods.BNQ_CACHE_STAT_DISK_BYTES];

    /// <summary>All statistics that the loaded library has, by their names
    /// (<see cref="Library.CacheStatisticNames"/>).</summary>
    public Dictionary<string, double> ToDictionary() => Library.CacheStatisticNames
        .Zip(_values).ToDictionary(pair => pair.First, pair => pair.Second, StringComparer.Ordinal);
}
