using System;
using System.Collections.Generic;
using System.Collections.Immutable;
using System.Linq;
using System.Threading;
using BitNetQuant.Interop;

namespace BitNetQuant;

/// <summary>
/// A model's layers one after the other, however large it is: each is read from its files, quantized as a plan says or
/// restored from a cache, and the next ones are got ready by a thread meanwhile. In memory are the layers of the
/// look-ahead besides those that you hold, and what the cache keeps. Passes may be repeated, and layers be loaded in
/// any order; the look-ahead follows.
/// </summary>
/// <remarks>Any number of threads may use one.</remarks>
/// <example><code>
/// using var cache = new Cache("layers");
/// using var plan = new Plan().Add("*", config, minRank: 2);
/// using var layers = new Layers("model", plan, cache, lookAhead: 2);
/// foreach (Layer layer in layers)
/// {
///     using (layer)
///     {
///         using QuantizedTensor weight = layer.GetTensor(layer.Name + ".weight");
///     }
/// }
/// </code></example>
public sealed unsafe class Layers : IDisposable
{
    private readonly LayersHandle _handle;
    private readonly Context? _context;

    /// <summary>The layers of a model.</summary>
    /// <param name="model">A file of any kind, or its folder.</param>
    /// <param name="plan">Which of its plain arrays are quantized, and how; null for none.</param>
    /// <param name="cache">Where the results are kept; null: a layer is quantized whenever it is loaded.</param>
    /// <param name="lookAhead">How many layers are loaded ahead.</param>
    /// <param name="context">Where layers are loaded; null for one thread.</param>
    /// <exception cref="NotFoundException">There is no such file.</exception>
    /// <exception cref="CorruptFileException">It is truncated, damaged, or no model file.</exception>
    public Layers(string model, Plan? plan = null, Cache? cache = null, int lookAhead = 1, Context? context = null)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(lookAhead);
        Native.Check(NativeMethods.bnq_layers_open(
            ContextHandle.Of(context), Native.Argument(model), PlanHandle.Of(plan),
            cache?.Handle ?? CacheHandle.None, (uint)lookAhead, out LayersHandle handle));
        _handle = handle;
        _context = context;
        Names = Enumerable.Range(0, (int)NativeMethods.bnq_layers_count(handle))
            .Select(i => Native.Text(NativeMethods.bnq_layers_name(handle, (ulong)i))).ToImmutableArray();
    }

    /// <summary>The layers' names, in order: what comes before the first number in those of their tensors
    /// ("model.layers.3"), or their module's ("lm_head").</summary>
    public ImmutableArray<string> Names { get; }

    /// <summary>The number of layers.</summary>
    public int Count => Names.Length;

    /// <summary>Bytes of a layer's tensors in the model; 0 for an index that is not there.</summary>
    public long GetByteCount(int index) => checked((long)NativeMethods.bnq_layers_bytes(_handle, (ulong)index));

    /// <summary>The index of the layer of a name, or with a tensor of that name.</summary>
    /// <exception cref="NotFoundException">There is none.</exception>
    public int Find(string name)
    {
        Native.Check(NativeMethods.bnq_layers_find(_handle, Native.Argument(name), out ulong index));
        return (int)index;
    }

    /// <summary>Loads a layer, or waits for it; it is the caller's to dispose.</summary>
    /// <param name="index">Below <see cref="Count"/>.</param>
    /// <param name="progress">Hears of its bytes in the model on the calling thread. What it throws cancels the
    /// operation and is then thrown by this method.</param>
    /// <param name="cancellationToken">Cancels it.</param>
    /// <exception cref="InvalidArgumentException">There is no such index.</exception>
    /// <exception cref="NonFiniteException">A tensor holds NaN or infinity; the message names it.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public Layer Load(
        int index, IProgress<ModelProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        using var watch = new ProgressWatch(progress, cancellationToken);
        int status = NativeMethods.bnq_layers_load(
            ContextHandle.Of(_context), _handle, (ulong)index, watch.Callback, watch.Opaque, out LayerHandle layer);
        try
        {
            watch.Check(status);
        }
        catch
        {
            layer.Dispose();
            throw;
        }

        return new Layer(layer);
    }

    /// <summary>Has all that the plan quantizes in the cache, so that no later pass waits for it.</summary>
    /// <param name="progress">Hears of the bytes of all layers, as in <see cref="Load"/>.</param>
    /// <param name="cancellationToken">Cancels it.</param>
    /// <exception cref="InvalidArgumentException">There is no cache.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public void Prepare(IProgress<ModelProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        using var watch = new ProgressWatch(progress, cancellationToken);
        watch.Check(NativeMethods.bnq_layers_prepare(
            ContextHandle.Of(_context), _handle, watch.Callback, watch.Opaque));
    }

    /// <summary>What has become of the layers so far.</summary>
    public LayerStatistics GetStatistics()
    {
        var values = new double[NativeMethods.bnq_layers_stat_count()];
        fixed (double* pointer = values)
        {
            Native.Check(NativeMethods.bnq_layers_stats(_handle, pointer, (uint)values.Length));
        }

        return new LayerStatistics(values);
    }

    /// <summary>All layers, in order, each loaded when it is asked for; they are the caller's to dispose.</summary>
    public IEnumerator<Layer> GetEnumerator() =>
        Enumerable.Range(0, Count).Select(index => Load(index)).GetEnumerator();

    /// <summary>Ends loading. Layers that were loaded stay.</summary>
    public void Dispose() => _handle.Dispose();
}

/// <summary>A loaded layer; immutable. Memory is let go of when it, and the tensors taken out of it, are
/// disposed.</summary>
public sealed unsafe class Layer : IDisposable
{
    private readonly LayerHandle _handle;

    internal Layer(LayerHandle handle)
    {
        _handle = handle;
        Name = Native.Text(NativeMethods.bnq_layer_name(handle));
        TensorNames = Enumerable.Range(0, (int)NativeMethods.bnq_layer_count(handle))
            .Select(i => Native.Text(NativeMethods.bnq_layer_tensor_name(handle, (ulong)i))).ToImmutableArray();
    }

    /// <summary>What the names of its tensors begin with.</summary>
    public string Name { get; }

    /// <summary>The names of its tensors, sorted.</summary>
    public ImmutableArray<string> TensorNames { get; }

    /// <summary>Bytes of its tensors, as they are loaded.</summary>
    public long ByteCount => checked((long)NativeMethods.bnq_layer_bytes(_handle));

    /// <summary>How a tensor is coded; <see cref="Format.None"/> where it is a plain array.</summary>
    /// <exception cref="NotFoundException">There is no such tensor.</exception>
    public Format GetFormat(string name) => (Format)NativeMethods.bnq_layer_format(_handle, Find(name));

    /// <summary>A quantized tensor, which may outlive the layer, and is the caller's to dispose.</summary>
    /// <exception cref="NotFoundException">There is no such tensor.</exception>
    /// <exception cref="UnsupportedException">It is a plain array.</exception>
    public QuantizedTensor GetTensor(string name)
    {
        Native.Check(NativeMethods.bnq_layer_tensor(_handle, Find(name), out TensorHandle tensor));
        return new QuantizedTensor(tensor);
    }

    /// <summary>What is known of a plain array.</summary>
    /// <exception cref="NotFoundException">There is no such tensor.</exception>
    /// <exception cref="UnsupportedException">It is quantized.</exception>
    public TensorInfo GetInfo(string name)
    {
        BnqArray array = ArrayOf(name);
        return new TensorInfo(
            name, Native.Shape(array.Rank, array.Shape), Format.None, (DataType)array.Dtype, BytesOf(array, name),
            BytesOf(array, name));
    }

    /// <summary>A view of a plain array's bytes, which keep the layer for as long as they are referred to.</summary>
    /// <exception cref="NotFoundException">There is no such tensor.</exception>
    /// <exception cref="UnsupportedException">It is quantized.</exception>
    /// <exception cref="InvalidOperationException">It is longer than one memory can be (2 GiB).</exception>
    public ReadOnlyMemory<byte> GetData(string name)
    {
        BnqArray array = ArrayOf(name);
        return NativeView<byte>.Of(_handle, array.Data, BytesOf(array, name));
    }

    /// <summary>Lets go of the layer.</summary>
    public void Dispose() => _handle.Dispose();

    private ulong Find(string name)
    {
        int index = TensorNames.IndexOf(Native.Argument(name));
        return index >= 0
            ? (ulong)index
            : throw BitNetQuantException.Create(
                Status.NotFound, $"there is no tensor \"{name}\" in the layer \"{Name}\"");
    }

    private BnqArray ArrayOf(string name)
    {
        BnqArray array;
        Native.Check(NativeMethods.bnq_layer_array(_handle, Find(name), &array));
        return array;
    }

    private static int BytesOf(BnqArray array, string name)
    {
        uint bits = NativeMethods.bnq_dtype_bits(array.Dtype);
        Native.TryCount(new ReadOnlySpan<ulong>(array.Shape, array.Rank), bits, out UInt128 count);
        return Native.Length((ulong)(count / 8), name);
    }
}

/// <summary>What has become of a model's layers.</summary>
public sealed class LayerStatistics
{
    private readonly double[] _values;

    internal LayerStatistics(double[] values) => _values = values;

    /// <summary>Layers loaded.</summary>
    public long Loads => (long)_values[NativeMethods.BNQ_LAYERS_STAT_LOADS];

    /// <summary>Those of them that were loaded ahead.</summary>
    public long Prefetched => (long)_values[NativeMethods.BNQ_LAYERS_STAT_PREFETCHED];

    /// <summary>Time that callers spent in loading.</summary>
    public TimeSpan WaitTime => TimeSpan.FromSeconds(_values[NativeMethods.BNQ_LAYERS_STAT_WAIT_SECONDS]);

    /// <summary>Tensors quantized.</summary>
    public long Quantized => (long)_values[NativeMethods.BNQ_LAYERS_STAT_QUANTIZED];

    /// <summary>Tensors restored from the cache.</summary>
    public long Restored => (long)_values[NativeMethods.BNQ_LAYERS_STAT_RESTORED];

    /// <summary>Bytes of arrays that were read to quantize them, or to know what they are.</summary>
    public long BytesRead => (long)_values[NativeMethods.BNQ_LAYERS_STAT_BYTES_READ];

    /// <summary>Bytes of the largest layer as loaded.</summary>
    public long LargestBytes => (long)_values[NativeMethods.BNQ_LAYERS_STAT_LARGEST_BYTES];

    /// <summary>The most that layers took up at a time, those in use and those ahead.</summary>
    public long PeakBytes => (long)_values[NativeMethods.BNQ_LAYERS_STAT_PEAK_BYTES];

    /// <summary>All statistics that the loaded library has, by their names
    /// (<see cref="Library.LayerStatisticNames"/>).</summary>
    public Dictionary<string, double> ToDictionary() => Library.LayerStatisticNames
        .Zip(_values).ToDictionary(pair => pair.First, pair => pair.Second, StringComparer.Ordinal);
}
