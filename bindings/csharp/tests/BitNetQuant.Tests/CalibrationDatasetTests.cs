using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Runtime.InteropServices;
using System.Threading;
using Xunit;
using static BitNetQuant.Tests.Samples;

namespace BitNetQuant.Tests;

public sealed class CalibrationDatasetTests
{
    // Exact in every type.
    private static readonly float[] Exact = [0.5f, -1f, 0.25f, 2f, -0.125f, 0f];

    [Fact]
    public void ArraysAreObservedAsTheyAre()
    {
        Half[] halves = Array.ConvertAll(Exact, value => (Half)(value * 3));
        double[] doubles = Array.ConvertAll(Exact, value => value * 5.0);
        ushort[] bfloat16 = BFloat16();
        CalibrationDataset dataset = new CalibrationDataset()
            .Add(Exact, [2, 3], "a").Add(halves, [6]).Add<double>(doubles.AsMemory(1, 4), [4])
            .Add(SourceArray.Of<ushort>(bfloat16, DataType.BFloat16, [3, 2]), "b");
        using Calibrator expected = Following();
        using Calibrator fed = Following();
        using Calibrator enumerated = Following();
        expected.Observe(Exact, [2, 3]);
        expected.Observe(halves, [6]);
        expected.Observe(doubles.AsSpan(1, 4), [4]);
        expected.Observe(MemoryMarshal.AsBytes<ushort>(bfloat16), DataType.BFloat16, [3, 2]);

        dataset.Feed(fed);
        foreach (CalibrationBatch batch in dataset)
        {
            enumerated.Observe(batch.Values);
        }

        Assert.Equal(expected.ToBytes(), fed.ToBytes());
        Assert.Equal(expected.ToBytes(), enumerated.ToBytes());
        Assert.Equal(24 + 12 + 32 + 12, dataset.GetByteCount());
        Assert.Equal(["a", null, null, "b"], dataset.Select(batch => batch.Name));
        SourceArray[] values = dataset.Select(batch => batch.Values).ToArray();
        Assert.Equal(
            [DataType.Float32, DataType.Float16, DataType.Float64, DataType.BFloat16],
            values.Select(array => array.DataType));
        Assert.Equal<long[]>([[2, 3], [6], [4], [3, 2]], values.Select(array => array.Shape.ToArray()));
        Assert.Equal(halves, values[1].ToArray<Half>());
        Assert.Equal(doubles[1..5], values[2].ToArray<double>());
        Assert.Equal(bfloat16, values[3].ToArray<ushort>());
        Assert.Throws<ArgumentException>(() => values[1].ToArray<float>());
    }

    [Fact]
    public void ADirectoryIsItsFilesInOrder()
    {
        using var directory = new TemporaryDirectory();
        string folder = Folder(directory);
        var files = new CalibrationDataset();
        foreach (string name in new[] { "B.npy", "model.safetensors", "\uFF5E.npy", "\U0001F600.npy" })
        {
            files.AddPath(directory[name]);
        }

        CalibrationDataset dataset = new CalibrationDataset().AddPath(folder);
        using var context = new Context(4);
        using Calibrator byHand = Following();
        using Calibrator byLibrary = Following();
        using Calibrator byFile = Following();
        using Calibrator fed = Following();
        byHand.Observe(Floats(3f, -4f), [2]);
        byHand.Observe(Samples.Values(12, 2), [12]);
        byHand.Observe(Samples.Values(240), [12, 20]);
        byHand.Observe(Floats(9f), [1]);
        byHand.Observe(Floats(-7f), [1]);
        byLibrary.ObserveFile(folder);
        files.Feed(byFile);
        dataset.Feed(fed, context: context);

        Assert.Equal(byHand.ToBytes(), fed.ToBytes());
        Assert.Equal(byHand.ToBytes(), byFile.ToBytes());
        Assert.Equal(byHand.ToBytes(), byLibrary.ToBytes());
        Assert.Equal(4 * (2 + 12 + 240 + 1 + 1), dataset.GetByteCount());
        Assert.Equal(dataset.GetByteCount(), files.GetByteCount());
    }

    [Fact]
    public void ModelFilesAreReadArrayByArray()
    {
        using var directory = new TemporaryDirectory();
        using var config = new Config { Format = Format.Int8 };
        using QuantizedTensor tensor = QuantizedTensor.Quantize(Exact, [6], config);
        ushort[] bfloat16 = BFloat16();
        using (var writer = new ModelWriter(directory["a.bnq"], ModelFileKind.Bnq, WriteOptions.Compress))
        {
            writer.Add("zeros", new float[4000], [4000]);
            writer.Add<ushort>("half", bfloat16, DataType.BFloat16, [2, 3]);
            writer.Add("quantized", tensor);
            writer.Finish();
        }

        WriteNpy(directory["n.npy"], Exact, [3, 2]);
        CalibrationDataset dataset = new CalibrationDataset()
            .AddPath(directory["a.bnq"]).AddPath(directory.Model(), "x").Add(Exact, [6], "y")
            .AddPath(directory["n.npy"]).AddPath(directory["n.npy"], "z");
        CalibrationBatch[] batches = dataset.ToArray();

        Assert.Equal(["half", "zeros", "x", "x", "y", "n", "z"], batches.Select(batch => batch.Name));
        Assert.Equal([12L, 16000, 48, 960, 24, 24, 24], batches.Select(batch => batch.Values.ByteCount));
        Assert.Equal(dataset.GetByteCount(), batches.Sum(batch => batch.Values.ByteCount));
        Assert.Equal((DataType.BFloat16, 2), (batches[0].Values.DataType, batches[0].Values.Shape.Length));
        Assert.Equal(bfloat16, batches[0].Values.ToArray<ushort>());
        Assert.Equal(new float[4000], batches[1].Values.ToArray<float>());
        Assert.Equal<long>([12, 20], batches[3].Values.Shape);
        Assert.Equal(Samples.Values(240), batches[3].Values.ToArray<float>());
        Assert.All(batches[5..], batch => Assert.Equal<long>([3, 2], batch.Values.Shape));
        Assert.All(batches[5..], batch => Assert.Equal(Exact, batch.Values.ToArray<float>()));
        using Calibrator fed = Following();
        using Calibrator enumerated = Following();
        dataset.Feed(fed);
        Array.ForEach(batches, batch => enumerated.Observe(batch.Values));
        Assert.Equal(enumerated.ToBytes(), fed.ToBytes());
    }

    [Fact]
    public void ASetGetsEachBatchByItsName()
    {
        using var directory = new TemporaryDirectory();
        string folder = Folder(directory);
        string model = directory["model.safetensors"];
        CalibrationDataset dataset = new CalibrationDataset()
            .Add(Exact, [6], "x").AddPath(folder).AddPath(model, "x").AddPath(directory["B.npy"], "x")
            .Add(Floats(5f), [1], "B");
        using var prototype = Following();
        using var calibration = new Calibration(prototype);
        using var expected = new Calibration(prototype);
        expected.Observe("x", Exact, [6]);
        expected.ObserveFile(folder);
        expected.Observe("x", Samples.Values(12, 2), [12]);
        expected.Observe("x", Samples.Values(240), [12, 20]);
        expected.Observe("x", Floats(3f, -4f), [2]);
        expected.Observe("B", Floats(5f), [1]);

        dataset.Feed(calibration);

        Assert.Equal(["B", "layer.bias", "layer.weight", "x", "\uFF5E", "\U0001F600"], calibration.Names);
        Assert.Equal(expected.Names, calibration.Names);
        Assert.All(expected.Names, name => Assert.Equal(expected[name].ToBytes(), calibration[name].ToBytes()));

        using var empty = new Calibration();
        dataset.Add(Exact, [6]);
        var error = Assert.Throws<ArgumentException>(() => dataset.Feed(empty));
        Assert.Contains("Source 5 ", error.Message, StringComparison.Ordinal);
        Assert.Empty(empty);
    }

    [Fact]
    public void FilesAreOpenedWhenTheirTurnComes()
    {
        using var directory = new TemporaryDirectory();
        string folder = Folder(directory);
        CalibrationDataset dataset = new CalibrationDataset()
            .Add(Exact, [6]).AddPath(directory["B.npy"]).AddPath(directory["later.npy"]).Add(Exact, [6]);
        using Calibrator calibrator = Following();
        using Calibrator expected = Following();
        expected.Observe(Exact, [6]);
        expected.Observe(Floats(3f, -4f), [2]);

        var error = Assert.Throws<NotFoundException>(() => dataset.Feed(calibrator));

        Assert.Contains("later.npy", error.Message, StringComparison.Ordinal);
        Assert.Equal(expected.ToBytes(), calibrator.ToBytes());
        WriteNpy(directory["later.npy"], Floats(1f));
        dataset.Feed(calibrator);
        Assert.Equal(6, calibrator.BatchCount);

        // So are those of a directory, one after the other: one goes meanwhile.
        using var partial = new Calibration();
        Assert.Throws<NotFoundException>(() => new CalibrationDataset().AddPath(folder).Feed(
            partial,
            new Receiver(progress =>
            {
                if (progress.Item == "B")
                {
                    File.Delete(directory["\U0001F600.npy"]);
                }
            })));
        Assert.Equal(["B", "later", "layer.bias", "layer.weight", "\uFF5E"], partial.Names);

        using IEnumerator<CalibrationBatch> batches = new CalibrationDataset()
            .Add(Exact, [6]).AddPath(directory["model.safetensors"]).GetEnumerator();
        Assert.True(batches.MoveNext());
        File.Delete(directory["model.safetensors"]);
        Assert.Throws<NotFoundException>(() => batches.MoveNext());
    }

    [Fact]
    public void WhatCannotBeObservedIsRefused()
    {
        using var directory = new TemporaryDirectory();
        Directory.CreateDirectory(directory["empty"]);
        WriteNpy(directory["nan.npy"], Floats(1f, float.NaN));
        WriteArray(directory["integers.safetensors"], new[] { 1, 2 });
        WriteNpy(directory["integers.npy"], Exact, type: "<i4");
        File.WriteAllText(directory["bad.npy"], "not an array");
        using var calibrator = new Calibrator();
        using var calibration = new Calibration();
        void Refuses<TException>(string name) where TException : Exception
        {
            CalibrationDataset dataset = new CalibrationDataset().AddPath(directory[name]);
            CalibrationDataset named = new CalibrationDataset().AddPath(directory[name], "x");
            Action[] attempts =
            [
                () => dataset.GetByteCount(), () => _ = dataset.ToList(), () => dataset.Feed(calibrator),
                () => dataset.Feed(calibration), () => named.Feed(calibration),
            ];
            Assert.All(attempts, attempt => Assert.Contains(
                name, Assert.Throws<TException>(attempt).Message, StringComparison.Ordinal));
        }

        Refuses<NotFoundException>("missing.npy");
        Refuses<NotFoundException>("empty");
        Refuses<NotFoundException>("integers.safetensors");
        Refuses<CorruptFileException>("bad.npy");
        Refuses<UnsupportedException>("integers.npy");
        CalibrationDataset nan = new CalibrationDataset().AddPath(directory["nan.npy"], "x");
        Assert.Throws<NonFiniteException>(() => nan.Feed(calibrator));
        Assert.Throws<NonFiniteException>(() => nan.Feed(calibration));
        Assert.Equal(0, calibrator.BatchCount);
        Assert.Empty(calibration);

        var error = Assert.Throws<UnsupportedException>(() => nan.Add(new[] { 1, 2 }, [2]));
        Assert.Contains("Int32", error.Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => nan.Add(Exact, [5]));
        Assert.Throws<ArgumentException>(() => nan.Add(Exact, [6], ""));
        Assert.Throws<ArgumentException>(() => nan.AddPath("a\0"));
        Assert.Throws<ArgumentException>(() => nan.AddPath(""));
        Assert.Throws<ArgumentNullException>(() => nan.Add(null!));
        Assert.Throws<ArgumentNullException>(() => nan.AddPath(null!));
        Assert.Throws<ArgumentNullException>(() => nan.Feed((Calibrator)null!));
        Assert.Throws<ArgumentNullException>(() => nan.Feed((Calibration)null!));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void ProgressIsThatOfAllSources(bool set)
    {
        using var directory = new TemporaryDirectory();
        CalibrationDataset dataset = Mixture(directory);
        using var calibrator = new Calibrator();
        using var calibration = new Calibration();
        var seen = new List<ModelProgress>();

        if (set)
        {
            dataset.Feed(calibration, new Receiver(seen.Add));
        }
        else
        {
            dataset.Feed(calibrator, new Receiver(seen.Add));
        }

        Assert.All(seen, progress => Assert.Equal(dataset.GetByteCount(), progress.Total));
        Assert.Equal(seen.Select(progress => progress.Done).Order(), seen.Select(progress => progress.Done));
        Assert.Equal((0, seen[0].Total), (seen[0].Done, seen[^1].Done));

        // A set knows the arrays of a file by the name of the source.
        string[] items = ["x", "B", "layer.bias", "layer.weight", "\uFF5E", "\U0001F600", "renamed", "y"];
        Assert.Equal(
            items.Where(item => set || item != "renamed"), seen.Select(progress => progress.Item).Distinct());
    }

    [Theory]
    [InlineData("x", 1)] // an array, after it was observed
    [InlineData("layer.weight", 2)] // a file: with B.npy, but not layer.bias
    [InlineData("renamed", 7)] // an array of a file, after it was observed
    public void ReceiversCancelAndThrow(string item, int observed)
    {
        using var directory = new TemporaryDirectory();
        CalibrationDataset dataset = Mixture(directory);
        var thrown = new TimeoutException("the receiver's own");
        using var source = new CancellationTokenSource();
        using var throwing = new Calibration();
        using var cancelled = new Calibration();
        static Receiver At(string item, Action action)
        {
            long first = -1;
            return new Receiver(progress =>
            {
                if (progress.Item == item && progress.Done > (first < 0 ? first = progress.Done : first))
                {
                    action();
                }
            });
        }

        Assert.Same(thrown, Assert.Throws<TimeoutException>(
            () => dataset.Feed(throwing, At(item, () => throw thrown))));
        var error = Assert.Throws<OperationCanceledException>(
            () => dataset.Feed(cancelled, At(item, source.Cancel), cancellationToken: source.Token));

        Assert.Equal(source.Token, error.CancellationToken);
        Assert.Equal(observed, throwing.Sum(pair => pair.Value.BatchCount));
        Assert.Equal(observed, cancelled.Sum(pair => pair.Value.BatchCount));
        using var calibrator = new Calibrator();
        Assert.Throws<OperationCanceledException>(
            () => new CalibrationDataset().Add(Exact, [6]).Feed(calibrator, cancellationToken: source.Token));
        Assert.Equal(0, calibrator.BatchCount);
    }

    // The moving average shows the order of batches.
    private static Calibrator Following() => new() { Method = CalibrationMethod.MovingAverage, Averaging = 0.5 };

    private static ushort[] BFloat16() =>
        Array.ConvertAll(Exact, value => (ushort)(BitConverter.SingleToUInt32Bits(value) >> 16));

    private static CalibrationDataset Mixture(TemporaryDirectory directory) => new CalibrationDataset()
        .Add(Exact, [6], "x").AddPath(Folder(directory)).AddPath(directory["model.safetensors"], "renamed")
        .Add(Exact, [6], "y");

    /// <summary>Four files with data, and some without.</summary>
    private static string Folder(TemporaryDirectory directory)
    {
        directory.Model();
        WriteNpy(directory["B.npy"], Floats(3f, -4f));

        // In UTF-16 these are the other way round.
        WriteNpy(directory["\uFF5E.npy"], Floats(9f));
        WriteNpy(directory["\U0001F600.npy"], Floats(-7f));
        WriteArray(directory["integers.safetensors"], new[] { 1, 2 });
        File.WriteAllText(directory["notes.txt"], "not data");
        File.WriteAllText(directory[".npy"], "hidden");
        File.WriteAllText(directory["._B.npy"], "hidden");
        return Path.GetDirectoryName(directory["x"])!;
    }

    private static void WriteArray<T>(string path, T[] values) where T : unmanaged
    {
        using var writer = new ModelWriter(path, ModelFileKind.Safetensors, WriteOptions.Overwrite);
        writer.Add("array", values, [values.Length]);
        writer.Finish();
    }
}
