using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Runtime.CompilerServices;
using System.Threading;
using System.Threading.Tasks;
using Xunit;
using static BitNetQuant.Tests.Samples;

namespace BitNetQuant.Tests;

public sealed class OptimizerTests
{
    private const int Rows = 12;
    private const int Columns = 32;
    private const int SampleCount = 40;

    private static readonly float[] Weights = Cubed(Samples.Values(Rows * Columns));

    // Inputs of very different sizes, which is what methods with activations live on.
    private static readonly float[] Inputs = Samples.Values(SampleCount * Columns, 9)
        .Select((value, i) => value * (i % Columns % 8 == 0 ? 20 : 1)).ToArray();

    public static TheoryData<OptimizationMethod> Methods => new(Enum.GetValues<OptimizationMethod>());

    [Fact]
    public void StartsWithTheDocumentedDefaults()
    {
        using var optimizer = new Optimizer();

        Assert.Equal(
            (OptimizationMethod.Grid, OptimizationObjective.Mse, OptimizationScope.Segment),
            (optimizer.Method, optimizer.Objective, optimizer.Scope));
        Assert.Equal(
            (32, 0.02, 4, 2, 2048),
            (optimizer.Steps, optimizer.MinRatio, optimizer.Refinements, optimizer.ZeroPointSteps, optimizer.Bins));
        Assert.Equal((0, 0.01), (optimizer.Iterations, optimizer.LearningRate));
        Assert.Equal((10.0, 0.7, 1.01), (optimizer.Beta, optimizer.Norm, optimizer.Kappa));
        Assert.Equal(
            (0.01, 128, false, 20), (optimizer.Damping, optimizer.Block, optimizer.ActOrder, optimizer.Ratios));
        Assert.False(optimizer.AttachInputScales);
    }

    [Fact]
    public void PropertiesAndNamesReachTheSameOptions()
    {
        using var optimizer = new Optimizer
        {
            Method = OptimizationMethod.Hqq, Objective = OptimizationObjective.Cosine,
            Scope = OptimizationScope.Tensor, Steps = 10, MinRatio = 0.5, Refinements = 3, ZeroPointSteps = 1,
            Bins = 64, Iterations = 7, LearningRate = 0.25, Beta = 2, Norm = 0.5, Kappa = 1.5, Damping = 0.125,
            Block = 16, ActOrder = true, Ratios = 5, AttachInputScales = true,
        };

        Dictionary<string, string> options = optimizer.ToDictionary();

        Assert.Equal(
            new Dictionary<string, string>
            {
                ["method"] = "hqq", ["objective"] = "cosine", ["scope"] = "tensor", ["steps"] = "10",
                ["min_ratio"] = "0.5", ["refinements"] = "3", ["zero_point_steps"] = "1", ["bins"] = "64",
                ["iterations"] = "7", ["learning_rate"] = "0.25", ["beta"] = "2", ["norm"] = "0.5", ["kappa"] = "1.5",
                ["damping"] = "0.125", ["block"] = "16", ["act_order"] = "on", ["ratios"] = "5",
                ["attach_input_scales"] = "on",
            },
            options);
        using Optimizer named = Optimizer.FromDictionary(options);
        Assert.Equal(options, named.ToDictionary());
        Assert.Equal(
            (OptimizationMethod.Hqq, OptimizationObjective.Cosine, OptimizationScope.Tensor, 10, 0.5, 3, 1),
            (named.Method, named.Objective, named.Scope, named.Steps, named.MinRatio, named.Refinements,
                named.ZeroPointSteps));
        Assert.Equal(
            (64, 7, 0.25, 2.0, 0.5, 1.5),
            (named.Bins, named.Iterations, named.LearningRate, named.Beta, named.Norm, named.Kappa));
        Assert.Equal(
            (0.125, 16, true, 5, true),
            (named.Damping, named.Block, named.ActOrder, named.Ratios, named.AttachInputScales));
        using Optimizer clone = named.Clone();
        named.Steps = 11;
        Assert.Equal(options, clone.ToDictionary());
    }

    // Driven by the library, so that an option added to it is tested as well.
    [Fact]
    public void EveryOptionHasItsDefaultAndItsBounds()
    {
        using var optimizer = new Optimizer();
        Assert.NotEmpty(Library.OptimizationOptions);
        Assert.All(Library.OptimizationOptions, option =>
        {
            int index = (int)(option.Default - option.Minimum);
            Assert.Equal(
                option.ValueNames.IsEmpty ? option.Default.ToString(CultureInfo.InvariantCulture) : option.ValueNames[index],
                optimizer.Get(option.Name));
            string below = (option.Minimum - 1).ToString(CultureInfo.InvariantCulture);
            var error = Assert.Throws<InvalidArgumentException>(() => optimizer.Set(option.Name, below));
            Assert.Contains(option.Name, error.Message, StringComparison.Ordinal);
        });
        Assert.Throws<NotFoundException>(() => optimizer.Set("colour", "red"));
        Assert.Throws<NotFoundException>(() => optimizer.Get("colour"));
        Assert.Throws<NotFoundException>(
            () => Optimizer.FromDictionary(new Dictionary<string, string> { ["colour"] = "red" }));
    }

    [Theory]
    [MemberData(nameof(Methods))]
    public void EveryMethodIsNoWorseThanTheRule(OptimizationMethod method)
    {
        using Config config = Config.Parse("format=int4,group_size=16,scheme=asymmetric");
        using QuantizedTensor plain = QuantizedTensor.Quantize(Weights, [Rows, Columns], config);
        using var optimizer = new Optimizer { Method = method };
        SourceArray? inputs = method >= OptimizationMethod.Gptq ? SourceArray.Of(Inputs, [SampleCount, Columns]) : null;

        using OptimizationResult result = optimizer.Optimize(Weights, [Rows, Columns], config, inputs);

        Assert.Equal(plain.Compare(Weights).Mse, result.MseBefore, 1e-12);
        Assert.True(result.ObjectiveAfter < result.ObjectiveBefore, "such weights leave room for improvement");
        Assert.InRange(result.ImprovedCount, 1, result.SegmentCount);
        Assert.Equal<long>([Rows, Columns], result.Tensor.Shape);
        Assert.Equal(plain.ByteCount, result.Tensor.ByteCount);
        Assert.Equal(inputs is null ? 0 : Columns, result.InputScales.Length);
        if (method != OptimizationMethod.Awq)
        {
            Assert.Equal(result.Tensor.Compare(Weights).Mse, result.MseAfter, 1e-12);
            Assert.All(result.InputScales, scale => Assert.Equal(1, scale));
        }

        if (inputs is not null)
        {
            double before = OutputError(plain.ToArray(), []);
            double after = OutputError(result.Tensor.ToArray(), [.. result.InputScales]);
            Assert.Equal(before, result.ObjectiveBefore, before * 1e-5);
            Assert.Equal(after, result.ObjectiveAfter, before * 1e-5);
        }

        Dictionary<string, double> figures = result.ToDictionary();
        Assert.Equal(Library.FigureNames.Order(), figures.Keys.Order());
        Assert.Equal(
            new[]
            {
                figures["objective_before"], figures["objective_after"], figures["mse_before"], figures["mse_after"],
                figures["segments"], figures["improved"],
            },
            new[]
            {
                result.ObjectiveBefore, result.ObjectiveAfter, result.MseBefore, result.MseAfter, result.SegmentCount,
                result.ImprovedCount,
            });
    }

    [Theory]
    [MemberData(nameof(Methods))]
    public void InputTypesAndThreadsGiveTheSame(OptimizationMethod method)
    {
        using Config config = Config.Parse("format=int4,group_size=16");
        using var optimizer = new Optimizer { Method = method };
        using var context = new Context(3);
        SourceArray? inputs = method >= OptimizationMethod.Gptq ? SourceArray.Of(Inputs, [SampleCount, Columns]) : null;
        using OptimizationResult expected = optimizer.Optimize(Weights, [Rows, Columns], config, inputs);

        using OptimizationResult actual = optimizer.Optimize(
            SourceArray.Of(Array.ConvertAll(Weights, value => (double)value), [Rows, Columns]), config, inputs,
            context: context);

        Assert.Equal(expected.Tensor.Codes.ToArray(), actual.Tensor.Codes.ToArray());
        Assert.Equal(expected.Tensor.Scales.ToArray(), actual.Tensor.Scales.ToArray());
        Assert.Equal(expected.ToDictionary(), actual.ToDictionary());
        Assert.Equal(expected.InputScales, actual.InputScales.AsEnumerable());
    }

    [Fact]
    public void WhatDoesNotFitIsRefused()
    {
        using Config config = Config.Preset("int4_per_group_32");
        using var optimizer = new Optimizer { Method = OptimizationMethod.Gptq };
        OptimizationResult Optimize(float[] values, SourceArray? inputs = null) =>
            optimizer.Optimize(values, [Rows, Columns], config, inputs);

        Assert.ThrowsAny<BitNetQuantException>(() => Optimize(Weights));
        Assert.Throws<InvalidArgumentException>(() => Optimize(Weights, SourceArray.Of(Inputs, [Columns, SampleCount])));
        Assert.Throws<NoDataException>(() => Optimize(Weights, SourceArray.Of(Array.Empty<float>(), [0, Columns])));
        Assert.Throws<ArgumentException>(() => Optimize(Inputs));
        optimizer.Method = OptimizationMethod.Grid;
        float[] bad = [.. Weights];
        bad[5] = float.NaN;
        Assert.Throws<NonFiniteException>(() => Optimize(bad));
        Assert.Throws<ArgumentNullException>(() => optimizer.Optimize(Weights, [Rows, Columns], null!));
        Assert.Throws<ArgumentNullException>(() => optimizer.Optimize(null!, config));
        config.Format = Format.Float16;
        Assert.Throws<UnsupportedException>(() => Optimize(Weights));
        optimizer.Objective = OptimizationObjective.Custom;
        config.Format = Format.Int4;
        Assert.Throws<InvalidArgumentException>(() => Optimize(Weights));
        optimizer.Dispose();
        Assert.Throws<ObjectDisposedException>(() => Optimize(Weights));
        Assert.Throws<ObjectDisposedException>(() => optimizer.SetMetric((_, _) => 0));
    }

    [Fact]
    public void EmptyArraysHaveNoFigures()
    {
        using var config = new Config { Format = Format.Int8 };
        using var optimizer = new Optimizer();

        using OptimizationResult result = optimizer.Optimize([], [0, 5], config);

        Assert.True(double.IsNaN(result.ObjectiveAfter));
        Assert.Equal((0, 0), (result.SegmentCount, result.ImprovedCount));
    }

    [Fact]
    public void TheCallersMetricDecides()
    {
        using var config = new Config { Format = Format.Int4, Granularity = Granularity.Tensor };
        using QuantizedTensor plain = QuantizedTensor.Quantize(Weights, [Rows, Columns], config);
        using var optimizer = new Optimizer();
        int thread = Environment.CurrentManagedThreadId;
        int calls = 0;
        using var context = new Context(4);
        optimizer.SetMetric((original, dequantized) =>
        {
            calls++;
            Assert.Equal(thread, Environment.CurrentManagedThreadId);
            Assert.Equal(Weights, original.ToArray());
            return SumOfAbsolutes(original, dequantized);
        });

        using OptimizationResult result = optimizer.Optimize(Weights, [Rows, Columns], config, context: context);

        Assert.Equal(OptimizationObjective.Custom, optimizer.Objective);
        Assert.InRange(calls, 10, 1000);
        Assert.Equal(SumOfAbsolutes(Weights, plain.ToArray()), result.ObjectiveBefore);
        Assert.Equal(SumOfAbsolutes(Weights, result.Tensor.ToArray()), result.ObjectiveAfter);
        Assert.True(result.ObjectiveAfter < result.ObjectiveBefore);

        optimizer.SetMetric(null);
        calls = 0;
        optimizer.Optimize(Weights, [Rows, Columns], config).Dispose();
        Assert.Equal((0, OptimizationObjective.Mse), (calls, optimizer.Objective));
    }

    [Fact]
    public void MetricsSeeSegmentsOrTheWholeArray()
    {
        using Config config = Config.Parse("format=int8,group_size=16");
        using var optimizer = new Optimizer();
        var lengths = new HashSet<int>();
        optimizer.SetMetric((original, dequantized) =>
        {
            Assert.Equal(original.Length, dequantized.Length);
            lengths.Add(original.Length);
            return SumOfAbsolutes(original, dequantized);
        });

        optimizer.Optimize(Weights, [Rows, Columns], config).Dispose();
        Assert.Equal([16], lengths);
        lengths.Clear();
        optimizer.Scope = OptimizationScope.Tensor;
        optimizer.Optimize(Weights, [Rows, Columns], config).Dispose();
        Assert.Equal([Rows * Columns], lengths);
    }

    [Fact]
    public void ExceptionsOfMetricsComeBackUnharmed()
    {
        using var config = new Config { Format = Format.Int8 };
        using var optimizer = new Optimizer();
        var thrown = new TimeoutException("the metric's own");
        int calls = 0;
        optimizer.SetMetric((_, _) => ++calls < 5 ? 1 : throw thrown);

        Exception caught = Assert.Throws<TimeoutException>(() => optimizer.Optimize(Weights, [Rows, Columns], config));

        Assert.Same(thrown, caught);
        Assert.Contains(nameof(ExceptionsOfMetricsComeBackUnharmed), caught.StackTrace, StringComparison.Ordinal);
        Assert.Equal(5, calls);

        // Nothing of it is left for the next call.
        optimizer.SetMetric((_, _) => 1);
        optimizer.Optimize(Weights, [Rows, Columns], config).Dispose();
        optimizer.SetMetric((_, _) => double.NaN);
        Assert.Throws<InvalidArgumentException>(() => optimizer.Optimize(Weights, [Rows, Columns], config));
        optimizer.SetMetric((_, _) => throw new OperationCanceledException("by the metric"));
        Assert.Equal("by the metric", Assert.Throws<OperationCanceledException>(
            () => optimizer.Optimize(Weights, [Rows, Columns], config)).Message);
    }

    [Fact]
    public void MetricsMayOptimize()
    {
        using var config = new Config { Format = Format.Int8, Granularity = Granularity.Tensor };
        using var inner = new Optimizer();
        using var outer = new Optimizer();
        var thrown = new TimeoutException("the inner metric's own");
        int caught = 0;
        inner.SetMetric((_, _) => throw thrown);
        outer.SetMetric((original, dequantized) =>
        {
            Assert.Same(thrown, Assert.Throws<TimeoutException>(() => inner.Optimize(Weights, [Rows, Columns], config)));
            caught++;
            return SumOfAbsolutes(original, dequantized);
        });

        outer.Optimize(Weights, [Rows, Columns], config).Dispose();
        Assert.InRange(caught, 10, 1000);

        outer.SetMetric((_, _) =>
        {
            inner.Optimize(Weights, [Rows, Columns], config).Dispose();
            return 0;
        });
        Assert.Same(thrown, Assert.Throws<TimeoutException>(() => outer.Optimize(Weights, [Rows, Columns], config)));
    }

    [Fact]
    public async Task ThreadsMayShareAnOptimizerEachWithItsException()
    {
        const int Rounds = 200;
        using var config = new Config { Format = Format.Int8, Granularity = Granularity.Tensor };
        using var optimizer = new Optimizer();
        using var together = new Barrier(2);
        optimizer.SetMetric((original, _) =>
        {
            together.SignalAndWait();
            throw new TimeoutException(original[0].ToString("R", CultureInfo.InvariantCulture));
        });
        string[] Messages(int thread) => Enumerable.Range(0, Rounds).Select(round => Record.Exception(
            () => optimizer.Optimize(Floats((thread * Rounds) + round, 1f), [2], config))!.Message).ToArray();

        string[][] messages = await Task.WhenAll(Enumerable.Range(0, 2).Select(thread => Task.Factory.StartNew(
            () => Messages(thread), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default)));

        Assert.Equal(
            Enumerable.Range(0, 2 * Rounds).Select(number => number.ToString(CultureInfo.InvariantCulture)),
            messages.SelectMany(list => list));
    }

    [Fact]
    public void ClonesKeepTheMetricAlive()
    {
        using var config = new Config { Format = Format.Int8, Granularity = Granularity.Tensor };
        var calls = new StrongBox<int>();
        using Optimizer clone = CloneOfADisposed(calls);
        GC.Collect();
        GC.WaitForPendingFinalizers();

        clone.Optimize(Weights, [Rows, Columns], config).Dispose();

        Assert.InRange(calls.Value, 10, 1000);
    }

    [Fact]
    public void ProgressIsReportedAndCancels()
    {
        using var config = new Config { Format = Format.Int4 };
        using var optimizer = new Optimizer();
        using var source = new CancellationTokenSource();
        var seen = new List<ModelProgress>();
        var thrown = new TimeoutException("the receiver's own");
        float[] values = Samples.Values(1 << 18);
        OptimizationResult Optimize(Action<ModelProgress> action) => optimizer.Optimize(
            values, [512, 512], config, progress: new Receiver(action), cancellationToken: source.Token);

        Optimize(seen.Add).Dispose();

        Assert.NotEmpty(seen);
        Assert.Equal(seen[^1].Total, seen[^1].Done);
        Assert.Same(thrown, Assert.Throws<TimeoutException>(() => Optimize(_ => throw thrown)));
        var error = Assert.Throws<OperationCanceledException>(() => Optimize(_ => source.Cancel()));
        Assert.Equal(source.Token, error.CancellationToken);
    }

    /// <summary>Weights with long tails, in which narrower ranges than the whole are better.</summary>
    private static float[] Cubed(float[] values) => Array.ConvertAll(values, value => value * value * value);

    private static double SumOfAbsolutes(ReadOnlySpan<float> original, ReadOnlySpan<float> dequantized)
    {
        double sum = 0;
        for (int i = 0; i < original.Length; i++)
        {
            sum += Math.Abs(original[i] - dequantized[i]);
        }

        return sum;
    }

    /// <summary>Mean squared error of the layer's outputs x W^T, where inputs are divided by their scales.</summary>
    private static double OutputError(float[] dequantized, float[] inputScales)
    {
        double sum = 0;
        for (int i = 0; i < SampleCount; i++)
        {
            for (int row = 0; row < Rows; row++)
            {
                double error = 0;
                for (int k = 0; k < Columns; k++)
                {
                    double x = Inputs[(i * Columns) + k];
                    double scale = inputScales.Length == 0 ? 1 : inputScales[k];
                    error += (x * Weights[(row * Columns) + k]) - (x / scale * dequantized[(row * Columns) + k]);
                }

                sum += error * error;
            }
        }

        return sum / (SampleCount * Rows);
    }

    // By itself, so that nothing but the clone refers to the metric.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static Optimizer CloneOfADisposed(StrongBox<int> calls)
    {
        using var optimizer = new Optimizer();
        optimizer.SetMetric((original, dequantized) =>
        {
            calls.Value++;
            return SumOfAbsolutes(original, dequantized);
        });
        return optimizer.Clone();
    }
}
