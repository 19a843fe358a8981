using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using Xunit;

namespace BitNetQuant.Tests;

/// <summary>The library's work on .NET's threads, and many models at once.</summary>
public sealed class ParallelTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(5)]
    [InlineData(64)]
    public void EveryDegreeGivesTheSame(int degree)
    {
        float[] values = Samples.Values(700 * 301);
        SourceArray[] sources = Enumerable.Range(1, 9)
            .Select(seed => SourceArray.Of(Samples.Values(40 * 33, (uint)seed), [40, 33])).ToArray();
        using var directory = new TemporaryDirectory();
        using var config = new Config { Format = Format.Int4, GroupSize = 32 };
        using var plan = new Plan().Add("*", config);
        using var context = new Context(new ParallelOptions { MaxDegreeOfParallelism = degree });
        Assert.Equal(degree, context.Threads);
        string model = directory.Model();

        Model.Quantize(model, directory["one.bnq"], plan);
        Model.Quantize(model, directory["many.bnq"], plan, context: context);
        using QuantizedTensor one = QuantizedTensor.Quantize(values, [700, 301], config);
        using QuantizedTensor many = QuantizedTensor.Quantize(values, [700, 301], config, context);
        QuantizedTensor[] batch = QuantizedTensor.QuantizeBatch(sources, config, context);

        Assert.Equal(File.ReadAllBytes(directory["one.bnq"]), File.ReadAllBytes(directory["many.bnq"]));
        Assert.True(one.Codes.Span.SequenceEqual(many.Codes.Span));
        Assert.True(one.ScaleData.Span.SequenceEqual(many.ScaleData.Span));
        Assert.Equal(one.ToArray(), many.ToArray(context));
        QuantizedTensor[] singly = QuantizedTensor.QuantizeBatch(sources, config);
        Assert.All(batch.Zip(singly), pair => Assert.Equal(pair.Second.Codes.ToArray(), pair.First.Codes.ToArray()));
        Assert.All([.. batch, .. singly], tensor => tensor.Dispose());
    }

    [Fact]
    public void WorkGoesToTheScheduler()
    {
        using var config = new Config { Format = Format.Int8 };
        float[] values = Samples.Values(1 << 20);
        using QuantizedTensor expected = QuantizedTensor.Quantize(values, [1 << 10, 1 << 10], config);
        foreach (bool refuses in new[] { false, true })
        {
            var scheduler = new CountingScheduler(level: 3, refuses);
            using var context = new Context(new ParallelOptions { TaskScheduler = scheduler });
            Assert.Equal(Math.Min(3, Environment.ProcessorCount), context.Threads);
            context.SetParallelism(new ParallelOptions { TaskScheduler = scheduler, MaxDegreeOfParallelism = 8 });
            Assert.Equal(3, context.Threads);

            using QuantizedTensor tensor = QuantizedTensor.Quantize(values, [1 << 10, 1 << 10], config, context);
            Assert.True(expected.Codes.Span.SequenceEqual(tensor.Codes.Span));
            Assert.NotEqual(0, scheduler.Queued);

            context.Threads = 2;
            int before = scheduler.Queued;
            QuantizedTensor.Quantize(values, [1 << 10, 1 << 10], config, context).Dispose();
            Assert.Equal((2, before), (context.Threads, scheduler.Queued));
        }
    }

    [Fact]
    public void TheTokenOfTheOptionsCancels()
    {
        using var source = new CancellationTokenSource();
        using var context = new Context(new ParallelOptions { CancellationToken = source.Token });
        Samples.AssertCancels(context, source, () => context.SetParallelism(new ParallelOptions()));
    }

    [Fact]
    public void TooManyAtOnceAreRefused()
    {
        using var context = new Context();
        var error = Assert.Throws<InvalidArgumentException>(
            () => context.SetParallelism(new ParallelOptions { MaxDegreeOfParallelism = 5000 }));
        Assert.Contains("5000", error.Message, StringComparison.Ordinal);
        Assert.Equal(1, context.Threads);
        Assert.Throws<ArgumentNullException>(() => context.SetParallelism(null!));
        Assert.Throws<InvalidArgumentException>(
            () => new Context(new ParallelOptions { MaxDegreeOfParallelism = 5000 }));
    }

    [Fact]
    public void WhatOutlivesTheContextGoesOn()
    {
        using var directory = new TemporaryDirectory();
        using var config = new Config { Format = Format.Int8 };
        ModelWriter writer;
        using (var context = new Context(new ParallelOptions { MaxDegreeOfParallelism = 4 }))
        {
            writer = new ModelWriter(directory["out.bnq"], ModelFileKind.Bnq, WriteOptions.Compress, context);
        }

        using (writer)
        using (QuantizedTensor tensor = QuantizedTensor.Quantize(Samples.Values(1 << 20), [1 << 20], config))
        {
            writer.Add("a", tensor);
            writer.Finish();
            using ModelFile file = ModelFile.Open(directory["out.bnq"]);
            using QuantizedTensor read = file.ReadTensor("a");
            Assert.True(tensor.Codes.Span.SequenceEqual(read.Codes.Span));
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(7)]
    [InlineData(-1)]
    public async Task ManyModelsAreTheSameBytesHoweverManyAtOnce(int degree)
    {
        using var directory = new TemporaryDirectory();
        using var config = new Config { Format = Format.Ternary, GroupSize = 5 };
        using var plan = new Plan().Add("*", config);
        string model = directory.Model();
        Model.Quantize(model, directory["alone.bnq"], plan);
        string[] outputs = Enumerable.Range(0, 12).Select(i => directory[$"{i}.bnq"]).ToArray();
        var seen = new List<ParallelProgress>();

        Report[] reports = await ParallelModels.RunAsync(
            outputs,
            (output, job) => Model.Quantize(
                model, output, plan, progress: job.Progress, context: job.Context,
                cancellationToken: job.CancellationToken),
            new ParallelOptions { MaxDegreeOfParallelism = degree },
            new Listener(seen.Add));

        Assert.Equal(outputs, reports.Select(report => report.Output));
        byte[] expected = File.ReadAllBytes(directory["alone.bnq"]);
        Assert.All(outputs, output => Assert.Equal(expected, File.ReadAllBytes(output)));
        Assert.Equal(Enumerable.Range(1, 12), seen.Where(p => p.Item is null).Select(p => p.Finished));
        Assert.Equal(Enumerable.Range(0, 12), seen.Where(p => p.Item is null).Select(p => p.Index).Order());
        Assert.All(seen, p => Assert.Equal(12, p.Count));
        Assert.Contains(seen, p => p.Item is { Item: "layer.weight" });
    }

    [Fact]
    public async Task CancellingEndsAllAndLeavesNothing()
    {
        using var directory = new TemporaryDirectory();
        using var plan = new Plan();
        using var source = new CancellationTokenSource();
        string model = directory.Model();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => ParallelModels.RunAsync(
            Enumerable.Range(0, 50),
            (index, job) => Model.Quantize(
                model, directory[$"{index}.bnq"], plan, progress: job.Progress, context: job.Context,
                cancellationToken: job.CancellationToken),
            new ParallelOptions { MaxDegreeOfParallelism = 2, CancellationToken = source.Token },
            new Listener(progress =>
            {
                if (progress.Item is not null)
                {
                    source.Cancel();
                }
            })));

        Assert.Equal(["model.safetensors"], directory.Files);
    }

    // Also that of a job without a token of its own: its context has it.
    [Fact]
    public async Task AFailureIsThrownAsItIsAndCancelsTheOthers()
    {
        using var directory = new TemporaryDirectory();
        using var plan = new Plan();
        string[] models = [directory["broken.safetensors"], directory.Model()];
        File.WriteAllText(models[0], "not a model, but long enough");
        float[] values = Samples.Values(1 << 20);
        using var config = Config.Preset("int8_symmetric");
        using var running = new ManualResetEventSlim();
        int begun = 0;

        var error = await Assert.ThrowsAsync<CorruptFileException>(() => ParallelModels.RunAsync(
            Enumerable.Range(0, 100),
            (index, job) =>
            {
                Interlocked.Increment(ref begun);
                if (index == 0)
                {
                    running.Wait();
                    return Model.Estimate(models[0], plan, job.Context).FileBytes;
                }

                while (true)
                {
                    running.Set();
                    QuantizedTensor.Quantize(values, [values.Length], config, job.Context).Dispose();
                }
            },
            new ParallelOptions { MaxDegreeOfParallelism = 2 }));

        Assert.Contains("broken.safetensors", error.Message, StringComparison.Ordinal);
        Assert.Equal(2, begun);
    }

    [Fact]
    public async Task CalibrationsOfFilesMergeIntoThatOfAll()
    {
        using var directory = new TemporaryDirectory();
        string[] files = Enumerable.Range(0, 8).Select(i => directory[$"{i}.npy"]).ToArray();
        for (int i = 0; i < files.Length; i++)
        {
            Samples.WriteNpy(files[i], Samples.Values(900, (uint)(i + 1)), [30, 30]);
        }

        using var prototype = new Calibrator { Method = CalibrationMethod.KL };
        using var expected = new Calibration(prototype);
        foreach (string file in files)
        {
            expected.ObserveFile(file, "x");
        }

        foreach (int degree in new[] { 1, 3, 8 })
        {
            Calibration[] sets = await ParallelModels.RunAsync(
                files,
                (file, job) =>
                {
                    var set = new Calibration(prototype);
                    set.ObserveFile(file, "x", job.Progress, job.Context);
                    return set;
                },
                new ParallelOptions { MaxDegreeOfParallelism = degree });
            foreach (Calibration set in sets[1..])
            {
                sets[0].Merge(set);
            }

            Assert.Equal(expected.ToBytes(), sets[0].ToBytes());
            Assert.All(sets, set => set.Dispose());
        }
    }

    [Fact]
    public async Task NullIsRefusedAndNothingGivesNothing()
    {
        Assert.Empty(await ParallelModels.RunAsync(Array.Empty<int>(), (item, _) => item));
        await Assert.ThrowsAsync<ArgumentNullException>(() => ParallelModels.RunAsync<int, int>(null!, (item, _) => item));
        await Assert.ThrowsAsync<ArgumentNullException>(() => ParallelModels.RunAsync<int, int>([], null!));
    }

    private sealed class Listener(Action<ParallelProgress> action) : IProgress<ParallelProgress>
    {
        public void Report(ParallelProgress value) => action(value);
    }

    /// <summary>The thread pool, with a count; or a scheduler that takes nothing.</summary>
    private sealed class CountingScheduler(int level, bool refuses) : TaskScheduler
    {
        private int _queued;

        internal int Queued => _queued;

        public override int MaximumConcurrencyLevel => level;

        protected override void QueueTask(Task task)
        {
            Interlocked.Increment(ref _queued);
            if (refuses)
            {
                throw new NotSupportedException();
            }

            ThreadPool.QueueUserWorkItem(_ => TryExecuteTask(task));
        }

        protected override bool TryExecuteTaskInline(Task task, bool taskWasPreviouslyQueued) => TryExecuteTask(task);

        protected override IEnumerable<Task> GetScheduledTasks() => [];
    }
}
