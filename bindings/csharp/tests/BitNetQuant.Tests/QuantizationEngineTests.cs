using System;
using System.Buffers;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using Xunit;

namespace BitNetQuant.Tests;

/// <summary>The engine gives what tensors give, by name, in tasks, and not when cancelled.</summary>
public sealed class QuantizationEngineTests
{
    private static readonly long[] Shape = [16, 128];
    private static readonly float[] Weights = Samples.Values(16 * 128);

    [Fact]
    public async Task GivesWhatTensorsGive()
    {
        using var engine = new QuantizationEngine(threads: 2, pool: MemoryPool<byte>.Shared);
        using var ternary = new Config();
        using Config copy = engine.Config;
        Assert.Equal(ternary, copy);
        using QuantizedTensor expected = QuantizedTensor.Quantize(Weights, Shape, ternary);
        using QuantizedTensor tensor = engine.QuantizeWeights(Weights, Shape);
        using var source = new CancellationTokenSource();
        using QuantizedTensor later = await engine.QuantizeWeightsAsync(
            SourceArray.Of(Weights, Shape), cancellationToken: source.Token);
        Assert.Equal(expected.Codes.ToArray(), tensor.Codes.ToArray());
        Assert.Equal(expected.Codes.ToArray(), later.Codes.ToArray());
        Assert.Equal(expected.ToArray(), engine.Dequantize(tensor));

        using MeasuredTensor measured = engine.QuantizeAndMeasure(Weights, Shape);
        Assert.Equal(expected.ToArray(), measured.Restored);
        Assert.Equal(expected.Compare(Weights), measured.Metrics);
        Assert.Equal(4.0 * Weights.Length / expected.ByteCount, measured.CompressionRatio);

        using QuantizedTensor activations = engine.QuantizeActivations(SourceArray.Of(Weights, Shape));
        using Config int8 = Config.Parse("int8_symmetric,granularity=tensor");
        using QuantizedTensor same = QuantizedTensor.Quantize(Weights, Shape, int8);
        Assert.Equal(same.Codes.ToArray(), activations.Codes.ToArray());

        Dictionary<string, QuantizedTensor> all = await engine.QuantizeAllAsync(new Dictionary<string, SourceArray>
        {
            ["b"] = SourceArray.Of(Weights, Shape), ["a"] = SourceArray.Of(Samples.Values(8), [2, 4]),
        });
        Assert.Equal(expected.Codes.ToArray(), all["b"].Codes.ToArray());
        Assert.Equal([2, 4], all["a"].Shape.ToArray());
        all.Values.ToList().ForEach(value => value.Dispose());

        var error = await Assert.ThrowsAsync<NonFiniteException>(() => engine.QuantizeAllAsync(
            new Dictionary<string, SourceArray>
            {
                ["fine"] = SourceArray.Of(Weights, Shape), ["bad"] = SourceArray.Of([1, float.NaN], [2]),
            }));
        Assert.StartsWith("bad: ", error.Message, StringComparison.Ordinal);
        Assert.Throws<NonFiniteException>(() => engine.QuantizeWeights([float.NaN], [1]));
        Assert.Throws<InvalidArgumentException>(() => new QuantizationEngine(threads: 300));
    }

    [Fact]
    public async Task NamesAreKeptButNeverStale()
    {
        using Config config = Config.Parse("int8_per_channel");
        using var engine = new QuantizationEngine(config);
        using QuantizedTensor first = engine.QuantizeWeights(Weights, Shape, "fc");
        using QuantizedTensor again = await engine.QuantizeWeightsAsync(SourceArray.Of(Weights, Shape), "fc");
        CacheStatistics statistics = engine.GetCacheStatistics();
        Assert.Equal((1, 1), (statistics.MemoryHits, statistics.Misses));
        Assert.Equal(first.Codes.ToArray(), again.Codes.ToArray());

        // Other weights of the same name are quantized.
        float[] others = Samples.Values(16 * 128, seed: 9);
        using QuantizedTensor other = engine.QuantizeWeights(others, Shape, "fc");
        using QuantizedTensor expected = QuantizedTensor.Quantize(others, Shape, config);
        Assert.Equal(expected.Codes.ToArray(), other.Codes.ToArray());
        engine.ClearCache();
        Assert.Equal(0, engine.GetCacheStatistics().MemoryEntries);
    }

    [Fact]
    public async Task LongOperationsReportAndAreCancelled()
    {
        using var directory = new TemporaryDirectory();
        string model = directory.Model();
        using Config config = Config.Parse("int8_per_channel");
        using var engine = new QuantizationEngine(config, threads: 2);
        int calls = 0;
        var counter = new Receiver(_ => calls++);
        Report report = await engine.QuantizeModelAsync(model, directory["a.bnq"], progress: counter);
        Assert.True(calls > 0);
        using Plan plan = new MixedPrecision().Others(config).ToPlan();
        Report same = await Model.QuantizeAsync(model, directory["b.bnq"], plan);
        Assert.Equal(report.Rows.Select(row => row.Metrics), same.Rows.Select(row => row.Metrics));
        Assert.Equal(await File.ReadAllBytesAsync(directory["a.bnq"]), await File.ReadAllBytesAsync(directory["b.bnq"]));
        Report difference = await Model.CompareAsync(directory["a.bnq"], directory["b.bnq"]);
        Assert.All(difference.Rows, row => Assert.Equal(0, row.Metrics.Mse));
        Report restored = await Model.DequantizeAsync(directory["a.bnq"], directory["a.safetensors"]);
        Assert.Equal(report.Rows.Count, restored.Rows.Count);

        using var sensitivity = new Sensitivity();
        await sensitivity.AnalyzeAsync(model, candidates: [config]);
        Assert.Single(sensitivity.GetTensors());
        using var calibration = new Calibration();
        await calibration.ObserveFileAsync(model);
        Assert.True(calibration.Contains("layer.weight"));
        Report calibrated = await Model.PostTrainingQuantizeAsync(model, directory["c.bnq"], plan, calibration);
        Assert.NotEmpty(calibrated.Rows);
        using var calibrator = new Calibrator();
        await calibrator.ObserveFileAsync(model, "layer.weight");
        await new CalibrationDataset().AddPath(model).FeedAsync(calibrator);
        Assert.Equal(3, calibrator.BatchCount); // the weight; the weight and the bias
        await new CalibrationDataset().AddPath(model).FeedAsync(calibration);
        Assert.Equal(2, calibration["layer.weight"].BatchCount);
        using var optimizer = new Optimizer();
        using OptimizationResult optimized = await optimizer.OptimizeAsync(SourceArray.Of(Weights, Shape), config);
        Assert.True(optimized.ObjectiveAfter <= optimized.ObjectiveBefore);
        using var cache = new Cache(directory["cache"]);
        using var layers = new Layers(model, plan, cache);
        await layers.PrepareAsync();
        using (Layer layer = await layers.LoadAsync(0))
        {
            Assert.NotEmpty(layer.TensorNames);
        }

        Assert.Equal(0, await cache.VerifyAsync());

        // Cancelled from within, and before it begins: a cancelled task, and nothing left.
        using var source = new CancellationTokenSource();
        Task running = engine.QuantizeModelAsync(
            model, directory["d.bnq"], progress: new Receiver(_ => source.Cancel()), cancellationToken: source.Token);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => running);
        Assert.True(running.IsCanceled);
        Task weights = engine.QuantizeWeightsAsync(SourceArray.Of(Weights, Shape), cancellationToken: source.Token);
        Task compared = Model.CompareAsync(model, model, cancellationToken: source.Token);
        foreach (Task task in new[] { weights, compared })
        {
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => task);
            Assert.True(task.IsCanceled);
        }

        Assert.False(File.Exists(directory["d.bnq"]));

        // What a receiver throws comes out of the task.
        await Assert.ThrowsAsync<NotSupportedException>(() => Model.QuantizeAsync(
            model, directory["d.bnq"], plan, progress: new Receiver(_ => throw new NotSupportedException("mine"))));
    }
}
