using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;

namespace BitNetQuant;

/// <summary>
/// The layers of models, each a dictionary of quantized tensors, by model, number and mode, in a <see cref="Cache"/> with
/// a folder. A layer is there whole or not at all.
/// </summary>
/// <remarks>Any number of threads and processes may use one folder; who caches a layer that another one is just caching
/// may leave it missing, never mixed.</remarks>
/// <example><code>
/// using var layers = new LayerCache("layers");
/// layers.CacheLayer("llama", 3, new() { ["q"] = q, ["k"] = k });
/// Dictionary&lt;string, QuantizedTensor&gt;? layer = layers.GetLayer("llama", 3);   // the caller's to dispose
/// </code></example>
public sealed class LayerCache : IDisposable
{
    private readonly bool _owns;

    /// <summary>In a folder, with a cache's default limits.</summary>
    /// <param name="folder">Where; null for <see cref="BitNetQuant.Cache.DefaultFolder"/>.</param>
    /// <exception cref="NotFoundException">The environment names no default folder.</exception>
    public LayerCache(string? folder = null)
    {
        Cache = new Cache(folder ?? Cache.DefaultFolder);
        _owns = true;
    }

    /// <summary>In a cache of the caller's, whose limits and other options count.</summary>
    /// <param name="cache">With a folder; it stays the caller's.</param>
    /// <exception cref="ArgumentException">It has no folder.</exception>
    public LayerCache(Cache cache)
    {
        ArgumentNullException.ThrowIfNull(cache);
        if (cache.Folder is null)
        {
            throw new ArgumentException("cache has no folder; one is needed to list layers.", nameof(cache));
        }

        Cache = cache;
    }

    /// <summary>Where layers are.</summary>
    public Cache Cache { get; }

    /// <summary>Stores copies of a layer's tensors, in place of those that it had.</summary>
    /// <param name="modelId">Any text but the empty one.</param>
    /// <param name="layerIndex">0 or more.</param>
    /// <param name="layer">Its tensors by name, at least one.</param>
    /// <param name="mode">How it was quantized, where it is cached in several ways.</param>
    /// <param name="context">Where to run; null for one thread.</param>
    public void CacheLayer(
        string modelId, int layerIndex, IReadOnlyDictionary<string, QuantizedTensor> layer, string mode = "",
        Context? context = null)
    {
        ArgumentNullException.ThrowIfNull(layer);
        ArgumentOutOfRangeException.ThrowIfZero(layer.Count);
        string prefix = Prefix(modelId, layerIndex, mode);
        Cache.Remove(prefix + "*", context);
        foreach ((string name, QuantizedTensor tensor) in layer)
        {
            // Each says of how many it is one, so that a layer which has lost some is not taken for whole.
            Cache.Put(string.Create(CultureInfo.InvariantCulture, $"{prefix}{layer.Count}/{name}"), tensor, context);
        }
    }

    /// <summary>A layer's tensors, which are the caller's to dispose; null where they are not there, or not
    /// all.</summary>
    /// <inheritdoc cref="CacheLayer" path="/param"/>
    public Dictionary<string, QuantizedTensor>? GetLayer(
        string modelId, int layerIndex, string mode = "", Context? context = null)
    {
        string prefix = Prefix(modelId, layerIndex, mode);
        var layer = new Dictionary<string, QuantizedTensor>(StringComparer.Ordinal);
        var counts = new HashSet<int>();
        bool whole = false;
        try
        {
            IEnumerable<string> names = Cache.GetEntries(prefix + "*", context).SelectMany(entry => entry.Names)
                .Where(name => name.StartsWith(prefix, StringComparison.Ordinal));
            foreach (string name in names)
            {
                int slash = name.IndexOf('/', prefix.Length);
                counts.Add(int.Parse(name.AsSpan(prefix.Length, slash - prefix.Length), CultureInfo.InvariantCulture));
                if (Cache.Get(name, context) is QuantizedTensor tensor)
                {
                    layer.Add(name[(slash + 1)..], tensor);
                }
            }

            whole = counts.Count == 1 && counts.Contains(layer.Count);
            return whole ? layer : null;
        }
        finally
        {
            if (!whole)
            {
                foreach (QuantizedTensor tensor in layer.Values)
                {
                    tensor.Dispose();
                }
            }
        }
    }

    /// <summary>Removes layers.</summary>
    /// <param name="modelId">Of this model; null for all.</param>
    /// <param name="layerIndex">This one, in all modes; null for all of the model.</param>
    /// <param name="context">For the log; null for none.</param>
    /// <returns>The number of tensors.</returns>
    /// <exception cref="ArgumentException">A layer of no model.</exception>
    public long InvalidateCache(string? modelId = null, int? layerIndex = null, Context? context = null)
    {
        if (modelId is null && layerIndex is not null)
        {
            throw new ArgumentException("layerIndex needs a modelId.", nameof(layerIndex));
        }

        return Cache.Remove(
            modelId is null ? "layers/*"
            : layerIndex is int index ? Prefix(modelId, index) + "*" : Prefix(modelId) + "*",
            context);
    }

    /// <summary>Removes everything from the cache.</summary>
    /// <param name="context">For the log; null for none.</param>
    public void ClearCache(Context? context = null) => Cache.Clear(context);

    /// <summary>What has become of requests, and what is there now, tensor by tensor.</summary>
    public CacheStatistics GetStatistics() => Cache.GetStatistics();

    /// <summary>Frees what it has made itself. Tensors go on.</summary>
    public void Dispose()
    {
        if (_owns)
        {
            Cache.Dispose();
        }
    }

    /// <summary>What the names of a layer's tensors begin with. Parts are escaped, so that none has a slash or is a
    /// glob.</summary>
    private static string Prefix(string modelId, int layerIndex, string mode)
    {
        ArgumentNullException.ThrowIfNull(mode);
        return Prefix(modelId, layerIndex) + Uri.EscapeDataString(mode) + "/";
    }

    private static string Prefix(string modelId, int layerIndex)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(layerIndex);
        return string.Create(CultureInfo.InvariantCulture, $"{Prefix(modelId)}{layerIndex}/");
    }

    private static string Prefix(string modelId)
    {
        ArgumentException.ThrowIfNullOrEmpty(modelId);
        return "layers/" + Uri.EscapeDataString(modelId) + "/";
    }
}
