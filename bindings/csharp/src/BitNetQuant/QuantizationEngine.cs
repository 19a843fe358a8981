using System;
using System.Buffers;
using System.Collections.Generic;
using System.Threading;
using System.Threading.Tasks;
using BitNetQuant.Interop;

namespace BitNetQuant;

/// <summary>
/// One config, the threads and the memory it works with, and a cache of what it has quantized under a name: all that a
/// program needs which quantizes arrays as they come. It computes nothing itself: what it gives is what
/// <see cref="QuantizedTensor"/> gives.
/// </summary>
/// <remarks>Any number of threads may use one at once.</remarks>
/// <example><code>
/// using var engine = new QuantizationEngine(threads: 0);
/// using QuantizedTensor tensor = await engine.QuantizeWeightsAsync(
///     SourceArray.Of(weights, [rows, columns]), name: "fc", cancellationToken: token);
/// float[] restored = engine.Dequantize(tensor);
/// </code></example>
public sealed class QuantizationEngine : IDisposable
{
    private readonly Config _weights, _activations;
    private readonly Context _context;
    private readonly MemoryPool<byte>? _pool;
    private readonly Cache _cache;
    private readonly bool _ownsCache;
    private readonly int _threads;

    /// <summary>An engine.</summary>
    /// <param name="config">What weights become, copied; null for the defaults: ternary, groups of 128 columns.</param>
    /// <param name="activations">What activations become, copied; null for int8, symmetric, with one scale.</param>
    /// <param name="threads">As <see cref="Context(int)"/> takes them.</param>
    /// <param name="pool">Where memory comes from, as <see cref="Context(MemoryPool{byte}, int)"/> takes it; null for
    /// the system.</param>
    /// <param name="cache">Where tensors with a name are kept, which stays the caller's; null for memory of the
    /// engine's.</param>
    /// <exception cref="InvalidArgumentException"><paramref name="threads"/> is out of its range.</exception>
    public QuantizationEngine(
        Config? config = null, Config? activations = null, int threads = 1, MemoryPool<byte>? pool = null,
        Cache? cache = null)
    {
        (_threads, _pool) = (threads, pool);
        _context = NewContext();
        _weights = config?.Clone() ?? new Config();
        _activations = activations?.Clone() ?? DefaultOf(NativeMethods.BNQ_ROLE_ACTIVATIONS);
        _ownsCache = cache is null;
        _cache = cache ?? new Cache();
    }

    /// <summary>A copy of what weights become.</summary>
    public Config Config => _weights.Clone();

    /// <summary>A copy of what activations become.</summary>
    public Config ActivationConfig => _activations.Clone();

    /// <summary>The quantized weights, which are the caller's to dispose.</summary>
    /// <param name="weights">Of any shape.</param>
    /// <param name="name">A name to keep them under in the cache; null to keep nothing. The same weights are then not
    /// quantized again, others of the same name are.</param>
    /// <exception cref="NonFiniteException">A value is NaN or infinite; the message names its index.</exception>
    /// <exception cref="BitNetQuantException">The config and the shape do not fit.</exception>
    public QuantizedTensor QuantizeWeights(SourceArray weights, string? name = null) => Quantize(weights, name, _context);

    /// <inheritdoc cref="QuantizeWeights(SourceArray, string?)"/>
    /// <param name="weights">The elements, row-major; as many as the shape has.</param>
    /// <param name="shape">Up to 8 dimensions, each 0 or more; empty for a single element.</param>
    /// <param name="name">A name to keep them under in the cache; null to keep nothing.</param>
    public QuantizedTensor QuantizeWeights(float[] weights, ReadOnlySpan<long> shape, string? name = null) =>
        QuantizeWeights(SourceArray.Of(weights, shape), name);

    /// <summary>The same on a thread of the pool.</summary>
    /// <param name="weights">Of any shape; not to be changed before the task is done.</param>
    /// <param name="name">A name to keep them under in the cache; null to keep nothing.</param>
    /// <param name="cancellationToken">Cancels it.</param>
    /// <inheritdoc cref="QuantizeWeights(SourceArray, string?)" path="/exception"/>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public Task<QuantizedTensor> QuantizeWeightsAsync(
        SourceArray weights, string? name = null, CancellationToken cancellationToken = default) =>
        Run(context => Quantize(weights, name, context), cancellationToken);

    /// <summary>Quantizes many arrays, which the threads share, on a thread of the pool.</summary>
    /// <param name="weights">By name; not to be changed before the task is done.</param>
    /// <param name="cancellationToken">Cancels it.</param>
    /// <returns>The tensors by name, which are the caller's to dispose.</returns>
    /// <exception cref="BitNetQuantException">Of one of them, which the message names.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public Task<Dictionary<string, QuantizedTensor>> QuantizeAllAsync(
        IReadOnlyDictionary<string, SourceArray> weights, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(weights);
        return Run(
            context =>
            {
                QuantizedTensor[] tensors = QuantizeBatch(weights, context);
                var result = new Dictionary<string, QuantizedTensor>(tensors.Length, StringComparer.Ordinal);
                foreach (string name in weights.Keys)
                {
                    result.Add(name, tensors[result.Count]);
                }

                return result;
            },
            cancellationToken);
    }

    /// <summary>Quantizes a model file on a thread of the pool: its tensors of rank 2 and more, as weights.</summary>
    /// <inheritdoc cref="Model.Quantize" path="/param"/>
    /// <inheritdoc cref="Model.Quantize" path="/exception"/>
    /// <returns>The report.</returns>
    public Task<Report> QuantizeModelAsync(
        string input, string output, WriteOptions options = WriteOptions.None,
        IProgress<ModelProgress>? progress = null, CancellationToken cancellationToken = default) => Run(
            context =>
            {
                using Plan plan = new MixedPrecision().Others(_weights).ToPlan();
                return Model.Quantize(
                    input, output, plan, options, progress, context, cancellationToken: cancellationToken);
            },
            cancellationToken);

    /// <summary>The quantized activations, whose range is that of the values, which are the caller's to dispose.</summary>
    /// <param name="activations">Of any shape.</param>
    /// <exception cref="NonFiniteException">A value is NaN or infinite; the message names its index.</exception>
    public QuantizedTensor QuantizeActivations(SourceArray activations) =>
        QuantizedTensor.Quantize(activations, _activations, _context);

    /// <summary>The values of a tensor.</summary>
    /// <param name="tensor">The tensor.</param>
    public float[] Dequantize(QuantizedTensor tensor)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        return tensor.ToArray(_context);
    }

    /// <summary>The quantized weights, what they dequantize to, and how much was lost.</summary>
    /// <param name="weights">The elements, row-major; as many as the shape has.</param>
    /// <param name="shape">Up to 8 dimensions, each 0 or more; empty for a single element.</param>
    /// <exception cref="NoDataException">There are none.</exception>
    /// <inheritdoc cref="QuantizeWeights(SourceArray, string?)" path="/exception"/>
    public MeasuredTensor QuantizeAndMeasure(float[] weights, ReadOnlySpan<long> shape)
    {
        QuantizedTensor tensor = QuantizeWeights(weights, shape);
        try
        {
            return new MeasuredTensor(tensor, tensor.ToArray(_context), tensor.Compare(weights, _context));
        }
        catch
        {
            tensor.Dispose();
            throw;
        }
    }

    /// <summary>What has become of the names so far.</summary>
    public CacheStatistics GetCacheStatistics() => _cache.GetStatistics();

    /// <summary>Forgets all tensors with a name.</summary>
    public void ClearCache() => _cache.Clear(_context);

    /// <summary>Ends its threads, and frees its cache. Tensors go on. Not while a task of it runs.</summary>
    public void Dispose()
    {
        _context.Dispose();
        _weights.Dispose();
        _activations.Dispose();
        if (_ownsCache)
        {
            _cache.Dispose();
        }
    }

    private QuantizedTensor[] QuantizeBatch(IReadOnlyDictionary<string, SourceArray> weights, Context context)
    {
        try
        {
            return QuantizedTensor.QuantizeBatch([.. weights.Values], _weights, context);
        }
        catch (BitNetQuantException)
        {
            // The batch knows numbers only: whose it was.
            foreach ((string name, SourceArray source) in weights)
            {
                try
                {
                    QuantizedTensor.Quantize(source, _weights, context).Dispose();
                }
                catch (BitNetQuantException e)
                {
                    throw BitNetQuantException.Create(e.Status, $"{name}: {e.Message}");
                }
            }

            throw;
        }
    }

    private QuantizedTensor Quantize(SourceArray weights, string? name, Context context) => name is null
        ? QuantizedTensor.Quantize(weights, _weights, context)
        : _cache.Quantize(weights, _weights, out _, name, context: context);

    /// <summary>A token is a context's, so that a task that can be cancelled has one of its own.</summary>
    private Task<T> Run<T>(Func<Context, T> work, CancellationToken token) => Task.Run(
        () =>
        {
            if (!token.CanBeCanceled)
            {
                return work(_context);
            }

            using Context context = NewContext();
            context.SetCancellation(token);
            try
            {
                return work(context);
            }
            catch (OperationCanceledException e) when (token.IsCancellationRequested)
            {
                throw new OperationCanceledException(e.Message, e, token);
            }
        },
        token);

    private Context NewContext() => _pool is null ? new Context(_threads) : new Context(_pool, _threads);

    private static Config DefaultOf(int role)
    {
        Native.Check(NativeMethods.bnq_post_training_config(role, out ConfigHandle handle));
        return new Config(handle);
    }
}

/// <summary>A tensor, and what it cost.</summary>
/// <param name="Tensor">The quantized tensor.</param>
/// <param name="Restored">What it dequantizes to.</param>
/// <param name="Metrics">How much was lost.</param>
public sealed record MeasuredTensor(QuantizedTensor Tensor, float[] Restored, Metrics Metrics) : IDisposable
{
    /// <summary>Bytes of the floats over those of the tensor with all its parts.</summary>
    public double CompressionRatio => (double)sizeof(float) * Restored.Length / Tensor.ByteCount;

    /// <summary>Frees the tensor.</summary>
    public void Dispose() => Tensor.Dispose();
}
