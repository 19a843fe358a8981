using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Runtime.InteropServices;
using System.Threading;
using System.Threading.Tasks;
using Xunit;

namespace BitNetQuant.Tests;

/// <summary>The layer cache and layers: what they do is tested beside core/cache; here the idiom.</summary>
public sealed class LayersTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("bnq").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private string At(string name) => Path.Combine(_folder, name);

    private static float[] Weights(int seed) =>
        Enumerable.Range(0, 512).Select(i => (((i * 7) + (seed * 13)) % 31) - 15f).ToArray();

    private static SourceArray Source(int seed) => SourceArray.Of(Weights(seed), new long[] { 8, 64 });

    private sealed class Receiver(Action<ModelProgress> report) : IProgress<ModelProgress>
    {
        public void Report(ModelProgress value) => report(value);
    }

    [Fact]
    public void WhatWasQuantizedIsFound()
    {
        using var cache = new Cache(At("cache"));
        using Config config = Config.Parse("int4_per_group_32");
        using QuantizedTensor first = cache.Quantize(Source(1), config, out bool hit, name: "a/é");
        Assert.False(hit);
        using var other = new Cache(At("cache"));
        using QuantizedTensor second = other.Quantize(Source(1), config, out hit);
        Assert.True(hit);
        using QuantizedTensor plain = QuantizedTensor.Quantize(Source(1), config);
        Assert.Equal(plain.Codes.ToArray(), first.Codes.ToArray());
        Assert.Equal(plain.Codes.ToArray(), second.Codes.ToArray());
        using QuantizedTensor? byKey = other.Find(Cache.KeyOf(Source(1), config));
        using QuantizedTensor? byName = other.Get("a/é");
        Assert.NotNull(byKey);
        Assert.NotNull(byName);
        Assert.Null(other.Get("b"));
        Assert.Null(other.Find(new string('0', 64)));
        Assert.Throws<InvalidArgumentException>(() => other.Find("x"));
        using Config mse = Config.Parse("int4,scale_rule=mse");
        float[] importance = Enumerable.Repeat(1f, 64).ToArray();
        foreach (bool expected in new[] { false, true })
        {
            using QuantizedTensor weighted = other.Quantize(Source(1), mse, out hit, importance: importance);
            Assert.Equal(expected, hit);
        }

        CacheStatistics statistics = other.GetStatistics();
        Assert.Equal((1, 2), (statistics.DiskHits, statistics.DiskEntries));
        Assert.Equal(Library.CacheStatisticNames, statistics.ToDictionary().Keys);
    }

    [Fact]
    public void EntriesAreListedAndRemoved()
    {
        using var cache = new Cache(At("cache")) { DiskLimit = 1L << 30, Strict = true };
        foreach (string format in new[] { "int8", "nf4" })
        {
            using Config config = Config.Parse(format);
            using QuantizedTensor tensor = QuantizedTensor.Quantize(Source(2), config);
            cache.Put(format, tensor);
        }

        CacheEntry last = cache.GetEntries()[0];
        Assert.Equal(new[] { "nf4" }, last.Names);
        Assert.Equal(new long[] { 8, 64 }, last.Shape);
        Assert.False(last.IsDamaged);
        Assert.True(last.Used > DateTimeOffset.UtcNow.AddHours(-1));
        using Config stored = Config.Parse(last.Config);
        Assert.Equal(Format.NF4, stored.Format);
        Assert.Single(cache.GetEntries("i*"));
        Assert.Equal(0, cache.Verify());
        Assert.Throws<OperationCanceledException>(() => cache.Verify(cancellationToken: new CancellationToken(true)));
        var thrown = Assert.Throws<IOException>(
            () => cache.Verify(new Receiver(_ => throw new IOException("mine"))));
        Assert.Equal("mine", thrown.Message);
        File.WriteAllText(Path.Combine(At("cache"), last.Key[..2], last.Key + ".bnq"), "damaged");
        Assert.Equal(1, cache.Verify());
        Assert.Contains(cache.GetEntries(), entry => entry.IsDamaged);
        Assert.Equal(1, cache.Remove("i*"));
        Assert.Equal(0, cache.Trim(0));
        cache.Clear();
        Assert.Empty(cache.GetEntries());
        File.WriteAllText(At("file"), "");
        using var broken = new Cache(Path.Combine(At("file"), "x")) { Strict = true };
        using Config int8 = Config.Parse("int8");
        Assert.Throws<InputOutputException>(() => broken.Quantize(Source(1), int8, out _));
    }

    [Fact]
    public void OptionsAreThoseOfTheLibrary()
    {
        using var cache = new Cache { MemoryLimit = 7, Compress = true, ReadOnly = true };
        Assert.Null(cache.Folder);
        Assert.Equal((7, true, true, false), (cache.MemoryLimit, cache.Compress, cache.ReadOnly, cache.Strict));
        Assert.Equal(90, cache.KeepPercent);
        cache.SetOption("disk_limit", "5");
        Assert.Equal("5", cache.GetOption("disk_limit"));
        Assert.Contains(Library.CacheOptions, option => option.Name == "disk_limit");
        Assert.Throws<NotFoundException>(() => cache.SetOption("disk_limt", "5"));
        Assert.Throws<InvalidArgumentException>(() => cache.DiskLimit = -1);
        Assert.NotEmpty(Cache.DefaultFolder);
    }

    [Fact]
    public void ThreadsShareOne()
    {
        using var cache = new Cache();
        using Config config = Config.Parse("int8");
        int hits = 0;
        Parallel.For(0, 8, _ =>
        {
            using QuantizedTensor tensor = cache.Quantize(Source(3), config, out bool hit);
            Interlocked.Add(ref hits, hit ? 1 : 0);
        });
        Assert.Equal(7, hits);
    }

    private string WriteModel()
    {
        string path = At("model.safetensors");
        using var writer = new ModelWriter(path, ModelFileKind.Safetensors);
        for (int i = 0; i < 5; i++)
        {
            writer.Add($"h.{i}.w", Weights(i), new long[] { 8, 64 });
            writer.Add($"h.{i}.norm", Weights(i)[..64], new long[] { 64 });
        }

        writer.Finish();
        return path;
    }

    [Fact]
    public void LayersComeOneAfterTheOther()
    {
        string path = WriteModel();
        using Config config = Config.Parse("int8_per_channel");
        using var plan = new Plan().Add("*", config, minRank: 2);
        var cache = new Cache(At("cache"));
        using var layers = new Layers(path, plan, cache, lookAhead: 2);
        cache.Dispose();
        Assert.Equal(new[] { "h.0", "h.1", "h.2", "h.3", "h.4" }, layers.Names);
        Assert.Equal((2048 + 256, 0), (layers.GetByteCount(1), layers.GetByteCount(5)));
        Assert.Equal(3, layers.Find("h.3.norm"));
        for (int pass = 0; pass < 2; pass++)
        {
            int i = 0;
            foreach (Layer layer in layers)
            {
                using (layer)
                {
                    ExpectLayer(layer, i++);
                }
            }
        }

        layers.Prepare();
        LayerStatistics statistics = layers.GetStatistics();
        Assert.Equal((10, 5), (statistics.Loads, statistics.Quantized));
        Assert.Equal(Library.LayerStatisticNames, statistics.ToDictionary().Keys);
        Assert.Throws<InvalidArgumentException>(() => layers.Load(5));
        Assert.Throws<NotFoundException>(() => layers.Find("h.5"));
        Assert.Throws<OperationCanceledException>(
            () => layers.Load(0, cancellationToken: new CancellationToken(true)));
        var thrown = Assert.Throws<IOException>(
            () => layers.Load(0, new Receiver(_ => throw new IOException("mine"))));
        Assert.Equal("mine", thrown.Message);
    }

    private static void ExpectLayer(Layer layer, int i)
    {
        Assert.Equal($"h.{i}", layer.Name);
        Assert.Equal(new[] { $"h.{i}.norm", $"h.{i}.w" }, layer.TensorNames);
        string norm = layer.TensorNames[0], weight = layer.TensorNames[1];
        Assert.Equal(Format.None, layer.GetFormat(norm));
        Assert.Equal(new long[] { 64 }, layer.GetInfo(norm).Shape);
        Assert.Equal(DataType.Float32, layer.GetInfo(norm).DataType);
        Assert.Equal(Weights(i)[..64], MemoryMarshal.Cast<byte, float>(layer.GetData(norm).Span).ToArray());
        Assert.Throws<UnsupportedException>(() => layer.GetTensor(norm));
        Assert.Throws<UnsupportedException>(() => layer.GetData(weight));
        Assert.Throws<NotFoundException>(() => layer.GetFormat("w"));
        using QuantizedTensor tensor = layer.GetTensor(weight);
        Assert.Equal(new long[] { 8, 64 }, tensor.Shape);
        Assert.Equal(256 + tensor.ByteCount, layer.ByteCount);
    }

    [Fact]
    public void ALoadedLayerOutlivesWhatItComesFrom()
    {
        string path = WriteModel();
        ReadOnlyMemory<byte> data;
        using (var layers = new Layers(path))
        {
            using Layer layer = layers.Load(2);
            data = layer.GetData("h.2.norm");
        }

        GC.Collect();
        GC.WaitForPendingFinalizers();
        Assert.Equal(Weights(2)[..64], MemoryMarshal.Cast<byte, float>(data.Span).ToArray());
        using var bare = new Layers(path, lookAhead: 0);
        Assert.Throws<InvalidArgumentException>(() => bare.Prepare());
        Assert.Throws<NotFoundException>(() => new Layers(At("none")));
        Assert.Throws<ArgumentOutOfRangeException>(() => new Layers(path, lookAhead: -1));
    }
}
