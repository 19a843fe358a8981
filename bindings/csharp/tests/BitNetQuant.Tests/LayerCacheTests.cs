using System;
using System.Collections.Generic;
using System.Linq;
using Xunit;

namespace BitNetQuant.Tests;

/// <summary>Layers by model, number and mode: whole or not there, and never another one's.</summary>
public sealed class LayerCacheTests
{
    private static QuantizedTensor Tensor(uint seed)
    {
        using Config config = Config.Parse("int8_per_channel");
        return QuantizedTensor.Quantize(Samples.Values(64, seed), [4, 16], config);
    }

    private static float[] Values(uint seed)
    {
        using QuantizedTensor tensor = Tensor(seed);
        return tensor.ToArray();
    }

    private static void Store(LayerCache layers, string model, int index, uint seed, string mode = "")
    {
        using QuantizedTensor q = Tensor(seed), k = Tensor(seed + 1);
        layers.CacheLayer(model, index, new Dictionary<string, QuantizedTensor> { ["attn/q"] = q, ["k"] = k }, mode);
    }

    private static Dictionary<string, float[]>? Load(LayerCache layers, string model, int index, string mode = "")
    {
        Dictionary<string, QuantizedTensor>? layer = layers.GetLayer(model, index, mode);
        var values = layer?.ToDictionary(item => item.Key, item => item.Value.ToArray());
        layer?.Values.ToList().ForEach(tensor => tensor.Dispose());
        return values;
    }

    [Fact]
    public void LayersAreFoundByTheirOwnNames()
    {
        using var directory = new TemporaryDirectory();
        using (var layers = new LayerCache(directory["cache"]))
        {
            // Names that would be one another's if they were put together as they are.
            Store(layers, "a/1", 2, 10);
            Store(layers, "a", 1, 20);
            Store(layers, "a_1", 2, 30);
            Store(layers, "a", 12, 40);
            Store(layers, "a", 1, 50, mode: "int8*");
        }

        using var again = new LayerCache(directory["cache"]);
        foreach ((string model, int index, string mode, uint seed) in new[]
        {
            ("a/1", 2, "", 10u), ("a", 1, "", 20u), ("a_1", 2, "", 30u), ("a", 12, "", 40u), ("a", 1, "int8*", 50u),
        })
        {
            Dictionary<string, float[]>? layer = Load(again, model, index, mode);
            Assert.Equal(["attn/q", "k"], layer!.Keys.Order());
            Assert.Equal(Values(seed), layer["attn/q"]);
            Assert.Equal(Values(seed + 1), layer["k"]);
        }

        Assert.Null(again.GetLayer("a", 2));
        Assert.Null(again.GetLayer("a", 1, "int8"));
        Assert.Null(again.GetLayer("*", 1));
        Assert.Equal(4, again.InvalidateCache("a", 1)); // in both modes
        Assert.Null(again.GetLayer("a", 1));
        Assert.NotNull(Load(again, "a", 12));
        Assert.Equal(2, again.InvalidateCache("a"));
        Assert.NotNull(Load(again, "a/1", 2));
        Assert.Equal(4, again.InvalidateCache());
        Assert.Equal(0, again.GetStatistics().DiskEntries);
        Assert.Throws<ArgumentException>(() => again.InvalidateCache(layerIndex: 1));
    }

    [Fact]
    public void LayersAreWholeOrNotThere()
    {
        using var directory = new TemporaryDirectory();
        using var cache = new Cache(directory["cache"]);
        using var layers = new LayerCache(cache);
        Store(layers, "m", 0, 1);

        // Stored anew with other tensors: none of the old ones remains.
        using (QuantizedTensor only = Tensor(7))
        {
            layers.CacheLayer("m", 0, new Dictionary<string, QuantizedTensor> { ["v"] = only });
        }

        Assert.Equal(["v"], Load(layers, "m", 0)!.Keys);

        // One of two is gone, as when the folder is full.
        Store(layers, "m", 1, 1);
        Assert.Equal(1, cache.Remove("layers/m/1/*/k"));
        Assert.Null(layers.GetLayer("m", 1));
        layers.ClearCache();
        Assert.Null(layers.GetLayer("m", 0));

        using var memory = new Cache();
        Assert.Throws<ArgumentException>("cache", () => new LayerCache(memory));
        Assert.Throws<ArgumentOutOfRangeException>(() => layers.CacheLayer("m", 0, new Dictionary<string, QuantizedTensor>()));
    }
}
